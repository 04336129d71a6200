"""A project on PostgreSQL, from its definitions to answers, and what is said when something is wrong there."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import httpx
import psycopg
import pytest
from typer.testing import CliRunner

import postgres
from graphql_schema.asking import ask as ask_graphql
from metrics_api import create_app
from metrics_api.cli.main import app
from metrics_api.engines.postgres import PostgresWarehouse, connect
from metrics_api.errors import DefinitionError, MissingDriver, WarehouseError
from metrics_api.graphql_schema.schema import build_schema
from metrics_api.serving.project import Project, load_project

PROJECT = """
version: 1
project:
  name: shop
  timezone: Europe/Berlin
  as_of: 2026-02-01T00:00
  default_warehouse: here
  warehouses:
    here: {{type: duckdb}}
    pg:
      type: postgres
      host: {host}
      database: {database}
      user: {user}
      password: "${{SHOP_PASSWORD}}"
      schema: Shop
      statement_timeout: 60
{more}
sources:
  app:
    table: {table}
    time: at
    event_name: event
    identity: {{user: user_id}}
    properties:
      country: string
      minutes: {{type: number, column: {minutes}}}
      price: decimal
      plan: {{type: string, json: extra.plan.name}}
events: {{watch: {{source: app}}, pay: {{source: app}}}}
metrics:
  watched: {{type: usage, event: watch, measure: sum(minutes)}}
  spent: {{type: usage, event: pay, measure: sum(price)}}
  active: {{type: active_users, on: watch, window: 7 days}}
  paid: {{type: funnel, steps: {{watched: watch, paid: pay}}}}
"""
TABLE = """
DROP SCHEMA IF EXISTS "Shop" CASCADE; CREATE SCHEMA "Shop";
CREATE TABLE "Shop".app_events (
    user_id integer, event varchar(20), at timestamptz, country char(2), minutes numeric, price numeric(12, 2),
    extra jsonb
);
INSERT INTO "Shop".app_events VALUES
    (1, 'watch', '2026-01-05 23:30+01', 'DE', 2.5, NULL, '{"plan": {"name": "pro"}}'),
    (2, 'watch', '2026-01-06 00:30+01', 'US', 1, NULL, '{"plan": {"name": "free"}}'),
    (1, 'pay', '2026-01-06 10:00+01', 'DE', NULL, 12345678.91, '{"plan": null}'),
    (3, 'watch', '2026-01-06 11:00+01', 'US', 'NaN', NULL, NULL),
    (NULL, 'watch', '2026-01-06 11:00+01', NULL, 0.25, NULL, '{}'),
    (9, 'watch', 'infinity', 'US', 100, NULL, '{}');
"""


@pytest.fixture(scope="module", autouse=True)
def _table() -> Iterator[None]:
    with postgres.server().session() as session:
        session.execute(TABLE)
        yield
        session.execute('DROP SCHEMA "Shop" CASCADE')


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHOP_PASSWORD", postgres.PASSWORD)
    return written(tmp_path)


def written(folder: Path, **words: str) -> Path:
    where = {key: str(value) for key, value in postgres.server().settings.items()}
    usual = {**where, "table": "app_events", "minutes": "minutes", "more": ""}
    (folder / "shop.yml").write_text(PROJECT.format(**{**usual, **words}), "utf-8")
    return folder


def opened(folder: Path, **words: str) -> Project:
    return load_project(written(folder, **words), warehouse="pg")


def run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(args), prog_name="metrics-api")
    return result.exit_code, result.output


# -- what works -------------------------------------------------------------------------------------------------------


def test_questions_are_answered(folder: Path) -> None:
    project = opened(folder)
    asked = {"start": "2026-01-05", "end": "2026-01-06"}
    watched = project.query("watched", measures="value,total,users", **asked).to_pylist()
    assert [(row["period"], row["value"], row["total"], row["users"]) for row in watched] == [
        (date(2026, 1, 5), 2.5, 1, 1),
        (date(2026, 1, 6), 1.25, 3, 2),
    ]
    assert project.query("spent", **asked)["value"].to_pylist() == [None, Decimal("12345678.91")]
    assert project.query("active", **asked)["value"].to_pylist() == [1, 3]
    assert project.query("paid", **asked)["converted"].to_pylist() == [3, 1]
    january = {"start": "2026-01-01", "end": "2026-01-31"}
    plans = project.query("watched", by="plan", measures="total", grain="month", **january).to_pylist()
    assert [(row["plan"], row["total"]) for row in plans] == [("(none)", 2), ("free", 1), ("pro", 1)]
    assert project.data_through("watched") == datetime(2026, 1, 6, 10)  # What is infinitely late does not count.
    project.close()


def test_the_command_line(folder: Path) -> None:
    code, said = run("validate", "--project", str(folder), "--warehouse", "pg")
    assert code == 0, said
    assert "shop: no problems" in said
    code, said = run(
        "query", "watched", "--project", str(folder), "--warehouse", "pg", "--from", "2026-01-05", "--to", "2026-01-06",
        "--format", "json",
    )  # fmt: skip
    assert code == 0, said
    assert [row["value"] for row in json.loads(said)["rows"]] == [2.5, 1.25]


def test_graphql(folder: Path) -> None:
    project = opened(folder)
    schema = build_schema(project.model, project.definitions)
    query = '{ metrics { watched(time: {between: {from: "2026-01-05", to: "2026-01-06"}}) { rows { period value } } } }'
    answer = ask_graphql(query, of=(project, schema))
    assert answer.metrics["watched"]["rows"] == [
        {"period": "2026-01-05", "value": 2.5},
        {"period": "2026-01-06", "value": 1.25},
    ]
    project.close()


def test_the_server_shows_which_metric_and_request_it_works_for(folder: Path) -> None:
    """In `pg_stat_activity`, while a request waits for a table that somebody else holds, and after it."""
    project = opened(folder)
    query = '{ metrics { watched(time: {between: {from: "2026-01-05", to: "2026-01-06"}}) { overall { value } } } }'
    sent = {"method": "POST", "url": "http://metrics/graphql", "json": {"query": query}}
    long_id = "an-id-of-the-callers-own-that-is-40-in-all"

    def request(name: str) -> dict[str, object]:
        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(project)), timeout=60) as client:
                return await client.request(**sent, headers={"x-request-id": name})

        told: dict[str, object] = asyncio.run(asked()).json()
        return told

    def shown(session: psycopg.Connection[tuple[str]], what: str) -> list[str]:
        found = session.execute("SELECT application_name FROM pg_stat_activity").fetchall()
        return [name for (name,) in found if what in name]

    with postgres.server().session() as holding, postgres.server().session() as looking, ThreadPoolExecutor() as other:
        with holding.transaction():
            holding.execute('LOCK TABLE "Shop".app_events IN ACCESS EXCLUSIVE MODE')
            answer = other.submit(request, "board-42")
            end = time.monotonic() + 30
            while not (names := shown(looking, "board-42")):
                assert time.monotonic() < end and not answer.done()
                time.sleep(0.01)
            assert names == ["metrics-api freshness of app board-42"]
        assert "errors" not in answer.result()
        assert shown(looking, "board-42") == ["metrics-api watched board-42"]
        # Of a name that is too long for the server the metric's is cut, and not the request's.
        project.warehouse().run("SELECT 1 AS one", tag=f"weekly_retention {long_id}")
        assert shown(looking, long_id) == [f"metrics-api weekly_~ {long_id}"]
    project.close()


def test_a_session_is_in_utc_and_only_reads(folder: Path) -> None:
    warehouse = opened(folder).warehouse()
    told = (
        "SELECT current_setting('TimeZone') AS a, current_setting('application_name') AS b, "
        "current_setting('statement_timeout') AS c"
    )
    assert list(warehouse.run(told).table.to_pylist()[0].values()) == ["UTC", "metrics-api", "1min"]
    with pytest.raises(WarehouseError, match="cannot execute DROP TABLE in a read-only transaction"):
        warehouse.run("DROP TABLE app_events")
    warehouse.close()


def test_the_columns_of_a_table(folder: Path) -> None:
    warehouse = opened(folder).warehouse()
    every = warehouse.columns("app_events")
    assert every is not None
    assert every[:4] == (
        ("user_id", "integer"),
        ("event", "character varying(20)"),
        ("at", "timestamp with time zone"),
        ("country", "character(2)"),
    )
    assert warehouse.columns('"Shop".APP_EVENTS') == warehouse.columns('tests."Shop".app_events') == every
    assert warehouse.columns("shop.app_events") is warehouse.columns('"APP_EVENTS"') is None
    assert warehouse.columns("\"100% 'odd'; name\"") is None
    warehouse.close()


def test_every_type_comes_as_arrow_has_it() -> None:
    found = postgres.warehouse().run(
        "SELECT 1::int2, 2::int8, 0.1::float8, 'NaN'::float8, 12345678901234567890.123456789::numeric, 'x'::text, "
        "'ab'::char(3), true, DATE '2026-01-31', TIMESTAMP '2026-01-31 09:00:00.000001', "
        "TIMESTAMPTZ '2026-01-31 09:00+01', TIMESTAMP '-infinity', TIMESTAMP '12000-01-01', NULL::numeric, "
        "'5 %s %'::varchar, '{\"a\": 1}'::jsonb, ARRAY[1, 2], NULL"
    )
    table = found.table.rename_columns([f"c{n}" for n in range(found.table.num_columns)])
    assert [str(one) for one in table.schema.types] == [
        *("int64", "int64", "double", "double", "decimal128(29, 9)", "string", "string", "bool", "date32[day]"),
        *("timestamp[us]", "timestamp[us, tz=UTC]", "timestamp[us]", "timestamp[us]", "decimal128(38, 9)"),
        *("string", "string", "string", "string"),
    ]
    row = list(table.to_pylist()[0].values())
    assert row[4:9] == [Decimal("12345678901234567890.123456789"), "x", "ab ", True, date(2026, 1, 31)]
    assert row[10].isoformat() == "2026-01-31T08:00:00+00:00"
    assert row[11:15] == [datetime.min, datetime.max, None, "5 %s %"]
    assert row[15:] == ["{'a': 1}", "[1, 2]", None]
    nothing = postgres.warehouse().run("SELECT 1 AS a, 1.5 AS b, 'x'::text AS c WHERE false").table
    assert (nothing.num_rows, nothing.column_names) == (0, ["a", "b", "c"])


@pytest.mark.parametrize(
    ("written_", "type_"),
    [("'NaN'::numeric", "double"), ("'Infinity'::numeric", "double"), ("1e80::numeric", "double"), ("1.50", "decimal")],
)
def test_numbers_that_no_decimal_holds(written_: str, type_: str) -> None:
    table = postgres.warehouse().run(f"SELECT {written_} AS a UNION ALL SELECT 1.25 UNION ALL SELECT NULL").table
    assert str(table["a"].type).startswith(type_)
    assert table["a"][1].as_py() == 1.25
    assert table["a"][2].as_py() is None


def test_many_threads_share_few_sessions() -> None:
    warehouse = connect({**postgres.server().settings, "connections": "2"}, Path())
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: warehouse.run(f"SELECT {n} AS n, pg_backend_pid() AS pid").table, range(60)))
    assert [table["n"][0].as_py() for table in found] == list(range(60))
    assert len({table["pid"][0].as_py() for table in found}) <= 2
    warehouse.close()


def test_a_session_that_the_server_ended_is_replaced() -> None:
    warehouse = connect(postgres.server().settings, Path())
    pid = warehouse.run("SELECT pg_backend_pid() AS pid").table["pid"][0].as_py()
    with postgres.server().session() as session:
        session.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
    assert warehouse.run("SELECT 1 AS one").table["one"][0].as_py() == 1
    warehouse.close()


def test_the_password_may_stand_in_a_file_and_all_in_a_url(tmp_path: Path) -> None:
    where = postgres.server().settings
    (tmp_path / "secret").write_text(f"{postgres.PASSWORD}\n", "utf-8")
    without = {key: value for key, value in where.items() if key != "password"}
    connect({**without, "password_file": "secret"}, tmp_path).close()
    url = psycopg.conninfo.make_conninfo(host=str(where["host"]), user=postgres.USER, dbname=postgres.DATABASE)
    connect({"url": url, "password": postgres.PASSWORD}, tmp_path).close()
    with pytest.raises(WarehouseError, match=r"`password_file` of the warehouse: .*none cannot be read: No such file"):
        connect({**without, "password_file": "none"}, tmp_path)


# -- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"table": "app_event"}, "source `app`: there is no table `app_event` in the warehouse"),
        (
            {"minutes": "minuts"},
            "source `app`: table `app_events` has no column `minuts` (property `minutes`)\n    Did you mean `minutes`?",
        ),
    ],
)
def test_missing_tables_and_columns(folder: Path, words: dict[str, str], message: str) -> None:
    project = opened(folder, **words)
    with pytest.raises(WarehouseError) as raised:
        project.query("watched", start="2026-01-05")
    assert message in str(raised.value)
    project.close()
    code, said = run("validate", "--project", str(folder), "--warehouse", "pg")
    assert code == 1
    assert message in said


def test_a_wrong_password(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    code, said = run("query", "watched", "--project", str(folder), "--warehouse", "pg")
    assert code == 3
    assert f'password authentication failed for user "{postgres.USER}"' in said
    assert "hunter2" not in said
    assert "Traceback" not in said


def test_no_server(folder: Path) -> None:
    written(folder, host=str(folder / "nowhere"))
    code, said = run("query", "watched", "--project", str(folder), "--warehouse", "pg")
    assert code == 3
    assert "Postgres: " in said
    assert "No such file or directory" in said
    assert postgres.PASSWORD not in said


def test_a_database_that_is_not_there(folder: Path) -> None:
    with pytest.raises(WarehouseError, match='Postgres: .*database "nowhere" does not exist'):
        opened(folder, database="nowhere").query("watched")


def test_a_statement_that_takes_too_long() -> None:
    warehouse = connect({**postgres.server().settings, "statement_timeout": 1}, Path())
    with pytest.raises(WarehouseError, match="Postgres: canceling statement due to statement timeout"):
        warehouse.run("SELECT pg_sleep(60)")
    assert warehouse.run("SELECT 1 AS one").table["one"][0].as_py() == 1
    warehouse.close()
    with pytest.raises(WarehouseError, match="Postgres: the connection is closed"):
        warehouse.run("SELECT 1")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"url": "postgresql://me:hunter2@host:%zz/db"},
            "`url` of the warehouse is no address of a PostgreSQL database",
        ),
        ({"port": "54e2"}, "`port` of the warehouse is not a whole number from 1"),
        ({"connections": 0}, "`connections` of the warehouse is not a whole number from 1"),
        (
            {"sslmode": "hunter2", "password": "hunter2"},
            'Postgres: connection is bad: invalid sslmode value: "********"',
        ),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(WarehouseError) as raised:
        connect(settings, Path())
    assert message in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_setting_that_is_not_there(folder: Path) -> None:
    project = opened(folder, more="      pasword: hunter2")
    with pytest.raises(DefinitionError) as raised:
        project.query("watched")
    assert "project.warehouses.pg: postgres has no setting `pasword`\n    Did you mean `password`?" in str(raised.value)
    assert "shop.yml:18:7" in str(raised.value)
    code, said = run("validate", "--project", str(folder))
    assert code == 1
    assert "postgres has no setting `pasword`" in said


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(MissingDriver, match=r"`psycopg` is not installed\s+pip install 'metrics-api\[postgres\]'"):
        connect({}, Path())


def test_secrets_are_not_shown(folder: Path) -> None:
    project = opened(folder)
    warehouse = project.warehouse()
    assert isinstance(warehouse, PostgresWarehouse)
    assert postgres.PASSWORD not in repr(project) + repr(warehouse) + repr(project.model.project)
    project.close()
