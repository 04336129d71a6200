"""A project on ClickHouse, from its definitions to answers, and what is said when something is wrong there.

The engine is the real one, in this process; what goes over HTTP is spoken for it by `clickhouse.server`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

import clickhouse
from metrics_api.cli.main import app
from metrics_api.engines.clickhouse import ClickHouseWarehouse, connect
from metrics_api.errors import DefinitionError, MissingDriver, WarehouseError
from metrics_api.serving.asking import ask
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
    click:
      type: clickhouse
      host: {host}
      port: {port}
      database: {database}
      user: {user}
      password: "${{SHOP_PASSWORD}}"
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
      level: integer
      plan: {{type: string, json: extra.plan.name}}
      beta: boolean
events: {{watch: {{source: app}}, pay: {{source: app}}}}
metrics:
  watched: {{type: usage, event: watch, measure: sum(minutes)}}
  spent: {{type: usage, event: pay, measure: sum(price)}}
  levels: {{type: usage, event: watch, measure: sum(level)}}
  active: {{type: active_users, on: watch, window: 7 days}}
  paid: {{type: funnel, steps: {{watched: watch, paid: pay}}}}
"""
TABLE = """
DROP DATABASE IF EXISTS `The Shop`; CREATE DATABASE `The Shop`;
CREATE TABLE `The Shop`.app_events (
    user_id UInt32, event Enum8('watch' = 1, 'pay' = 2, 'it''s \\\\ odd' = -3), at DateTime('Asia/Kathmandu'),
    country LowCardinality(String), minutes Nullable(Decimal(10, 2)), price Nullable(Decimal(12, 2)),
    level Nullable(Int64), extra String, beta UInt8
) ENGINE = MergeTree ORDER BY (event, at);
INSERT INTO `The Shop`.app_events VALUES
    (1, 'watch', toDateTime('2026-01-05 22:30:00', 'UTC'), 'DE', 2.5, NULL, 1, '{"plan": {"name": "pro"}}', 1),
    (2, 'watch', toDateTime('2026-01-05 23:30:00', 'UTC'), 'US', 1, NULL, 2, '{"plan": {"name": "free"}}', 0),
    (1, 'pay', toDateTime('2026-01-06 09:00:00', 'UTC'), 'DE', NULL, 12345678.91, 0, '{"plan": null}', 1),
    (3, 'watch', toDateTime('2026-01-06 10:00:00', 'UTC'), 'US', NULL, NULL, NULL, '', 0),
    (4, 'watch', toDateTime('2026-01-06 10:00:00', 'UTC'), '', 0.25, NULL, NULL, '{}', 1);
"""
DAYS = {"start": "2026-01-05", "end": "2026-01-06"}


@pytest.fixture(scope="module", autouse=True)
def _table() -> Iterator[None]:
    session = clickhouse.client()
    for one in TABLE.split(";\n"):
        for statement in one.split("; "):
            if statement.strip():
                session.command(statement)
    yield
    session.command("DROP DATABASE `The Shop`")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHOP_PASSWORD", clickhouse.PASSWORD)
    return written(tmp_path)


def written(folder: Path, **words: str) -> Path:
    where = {key: str(value) for key, value in clickhouse.server().settings.items()}
    usual = {**where, "database": "The Shop", "table": "app_events", "minutes": "minutes", "more": ""}
    (folder / "shop.yml").write_text(PROJECT.format(**{**usual, **words}), "utf-8")
    return folder


def opened(folder: Path, **words: str) -> Project:
    return load_project(written(folder, **words), warehouse="click")


def reached(**settings: object) -> ClickHouseWarehouse:
    return connect({**clickhouse.server().settings, **settings}, Path())


def run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(args), prog_name="metrics-api")
    return result.exit_code, result.output


# -- what works -------------------------------------------------------------------------------------------------------


def test_questions_are_answered(folder: Path) -> None:
    project = opened(folder)
    watched = project.query("watched", measures="value,total,users", **DAYS).to_pylist()
    assert [(row["period"], row["value"], row["total"], row["users"]) for row in watched] == [
        (date(2026, 1, 5), 2.5, 1, 1),
        (date(2026, 1, 6), 1.25, 3, 3),
    ]
    assert project.query("spent", **DAYS)["value"].to_pylist() == [None, Decimal("12345678.91")]
    assert project.query("active", **DAYS)["value"].to_pylist() == [1, 4]
    assert project.query("paid", **DAYS)["converted"].to_pylist() == [4, 1]
    january = {"start": "2026-01-01", "end": "2026-01-31"}
    plans = project.query("watched", by="plan", measures="total", grain="month", **january).to_pylist()
    assert [(row["plan"], row["total"]) for row in plans] == [("(none)", 2), ("free", 1), ("pro", 1)]
    beta = project.query("watched", by="beta", measures="total", grain="month", **january).to_pylist()
    assert [(row["beta"], row["total"]) for row in beta] == [("false", 2), ("true", 2)]
    assert project.data_through("watched") == datetime(2026, 1, 6, 10)
    project.close()


def test_the_command_line(folder: Path) -> None:
    code, said = run("validate", "--project", str(folder), "--warehouse", "click")
    assert code == 0, said
    assert "shop: no problems" in said
    code, said = run(
        "query", "watched", "--project", str(folder), "--warehouse", "click", "--from", "2026-01-05", "--to",
        "2026-01-06", "--format", "json",
    )  # fmt: skip
    assert code == 0, said
    assert [row["value"] for row in json.loads(said)["rows"]] == [2.5, 1.25]


PEOPLE = """
entities:
  user: {attributes: {table: app_events, key: {column: user_id, unique: true}, columns: {level: integer}}}
"""


def test_what_breaks_the_promises_of_the_files(folder: Path) -> None:
    file = folder / "shop.yml"
    text = file.read_text("utf-8").replace("watch: {source: app}", "watch: {source: app, once_per_user: true}")
    file.write_text(text + PEOPLE, "utf-8")
    code, said = run("validate", "--project", str(folder), "--warehouse", "click")
    assert code == 1
    assert "the attributes of `user`: 1 key of `app_events` has more than one row, such as `1` (2 rows)" in said
    assert "once_per_user" not in said  # Everybody watched but once.


def test_a_session_is_in_utc_and_only_reads(folder: Path) -> None:
    warehouse = opened(folder).warehouse()
    told = "SELECT timezone() AS a, getSetting('readonly') AS b, getSetting('max_execution_time') AS c"
    assert list(warehouse.run(told).table.to_pylist()[0].values()) == ["UTC", 2, 60]
    with pytest.raises(WarehouseError, match="Cannot execute query in readonly mode"):
        warehouse.run("DROP TABLE app_events")
    warehouse.close()


def test_the_columns_of_a_table(folder: Path) -> None:
    warehouse = opened(folder).warehouse()
    every = warehouse.columns("app_events")
    assert every is not None
    assert every[2:4] == (("at", "DateTime('Asia/Kathmandu')"), ("country", "LowCardinality(String)"))
    assert warehouse.columns('"The Shop".app_events') == every
    assert warehouse.columns("app_event") is warehouse.columns("nowhere.app_events") is None
    assert warehouse.columns("\"100% 'odd'; `name`\"") is None
    warehouse.close()


def test_the_version_of_a_table_changes_with_its_rows() -> None:
    session = clickhouse.client()
    session.command(
        "CREATE TABLE versioned (id Int64, n Int64, day Date) ENGINE = MergeTree PARTITION BY day ORDER BY id"
    )
    session.command("CREATE VIEW versioned_view AS SELECT * FROM versioned")
    session.command("CREATE TABLE versioned_memory (id Int64) ENGINE = Memory")
    warehouse = reached(database="default")
    seen = [warehouse.version("versioned")]
    for change in (
        "INSERT INTO versioned VALUES (1, 1, '2026-01-01')",
        "INSERT INTO versioned VALUES (1, 1, '2026-01-01')",
        "ALTER TABLE versioned UPDATE n = 2 WHERE id = 1 SETTINGS mutations_sync = 2",
        "DELETE FROM versioned WHERE id = 1 SETTINGS mutations_sync = 2",
        "INSERT INTO versioned VALUES (3, 1, '2026-01-02')",
    ):
        session.command(change)
        found = warehouse.version("versioned")
        assert found not in seen, change
        assert warehouse.version("default.versioned") == found
        seen.append(found)
    session.command("ALTER TABLE versioned DROP PARTITION '2026-01-02'")
    assert warehouse.version("versioned") == seen[-2]  # The same parts as before the last rows came.
    session.command("DROP TABLE versioned SYNC")
    assert warehouse.version("versioned") is None
    assert [warehouse.version(name) for name in ("versioned_view", "versioned_memory", "nowhere.at_all")] == [None] * 3
    assert warehouse.version("\"{odd} 'name'\"") is None
    session.command("DROP TABLE versioned_view")
    session.command("DROP TABLE versioned_memory")
    warehouse.close()


TYPED = """
SELECT toInt8(-1), toUInt64(2), 0.5::Float32, nan, toDecimal128('12345678901234567890.5', 9), 'x',
    toFixedString('ab', 2), true, toDate('2026-01-31'), toDate32('1960-01-31'),
    toDateTime('2026-01-31 09:00:00', 'Asia/Kathmandu'), toDateTime64('2026-01-31 09:00:00.000001', 6, 'UTC'),
    toLowCardinality('low'), NULL, toInt128('-9223372036854775809'), toUInt256(7),
    CAST('it\\'s', 'Enum16(\\'it\\\\\\'s\\' = -7, \\'b\\' = 2)'), toNullable(toUInt32(4000000000)),
    toUUID('00000000-0000-0000-0000-00000000000a'), [1, 2], CAST(NULL, 'Nullable(DateTime)')
"""


def test_every_type_comes_as_arrow_has_it() -> None:
    table = clickhouse.warehouse().run(TYPED).table
    assert [str(one) for one in table.schema.types] == [
        *("int8", "uint64", "float", "double", "decimal128(38, 9)", "string", "string", "bool", "date32[day]"),
        *("date32[day]", "timestamp[us, tz=UTC]", "timestamp[us, tz=UTC]", "string", "string", "decimal256(76, 0)"),
        *("decimal256(76, 0)", "string", "uint32", "string", "string", "timestamp[us, tz=UTC]"),
    ]
    row = list(table.to_pylist()[0].values())
    assert row[4:10] == [Decimal("12345678901234567890.5"), "x", "ab", True, date(2026, 1, 31), date(1960, 1, 31)]
    assert [one.isoformat() for one in row[10:12]] == ["2026-01-31T03:15:00+00:00", "2026-01-31T09:00:00.000001+00:00"]
    assert row[12:16] == ["low", None, Decimal(-9223372036854775809), Decimal(7)]
    assert row[16:] == ["it's", 4_000_000_000, "00000000-0000-0000-0000-00000000000a", "[1, 2]", None]
    nothing = clickhouse.warehouse().run("SELECT 1 AS a, 'x' AS b, now() AS c WHERE 0").table
    assert (nothing.num_rows, nothing.column_names) == (0, ["a", "b", "c"])
    assert nothing.schema.types[2] == pa.timestamp("us", tz="UTC")


def test_what_is_read_several_times_is_computed_once(folder: Path) -> None:
    project = opened(folder)
    connected = project.answer(ask("paid", **DAYS)).info.sql
    assert "WITH entered_watched AS MATERIALIZED (" in connected
    assert connected.endswith("prefer_column_name_to_alias = 1, enable_materialized_cte = 1")
    assert "\n), attempts AS (\n" in connected  # Read once.
    older = opened(folder, more="      materialize: false")
    plain = older.answer(ask("paid", **DAYS))
    assert "MATERIALIZED" not in plain.info.sql
    assert plain.parts["steps"].to_pylist() == project.answer(ask("paid", **DAYS)).parts["steps"].to_pylist()
    assert "MATERIALIZED" not in project.sql("paid", dialect="clickhouse", **DAYS)
    for one in (project, older):
        one.close()


def test_many_threads_share_a_warehouse() -> None:
    warehouse = reached()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: warehouse.run(f"SELECT {n} AS n").table["n"][0].as_py(), range(40)))
    assert found == list(range(40))
    warehouse.close()


def test_the_password_may_stand_in_a_file_and_all_in_a_url(tmp_path: Path) -> None:
    where = clickhouse.server().settings
    (tmp_path / "secret").write_text(f"{clickhouse.PASSWORD}\n", "utf-8")
    without = {key: value for key, value in where.items() if key != "password"}
    connect({**without, "password_file": "secret"}, tmp_path).close()
    url = f"http://{clickhouse.USER}:s3cret%20and%20long@127.0.0.1:{where['port']}/The%20Shop"
    warehouse = connect({"url": url}, tmp_path)
    assert warehouse.columns("app_events")
    assert "s3cret" not in repr(warehouse)
    warehouse.close()
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
    code, said = run("validate", "--project", str(folder), "--warehouse", "click")
    assert code == 1
    assert message in said


def test_a_wrong_password(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    code, said = run("query", "watched", "--project", str(folder), "--warehouse", "click")
    assert code == 3
    assert "ClickHouse: Authentication failed: password is incorrect" in said
    assert "hunter2" not in said
    assert "Traceback" not in said


def test_no_server(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    written(folder, port="1")
    code, said = run("query", "watched", "--project", str(folder), "--warehouse", "click")
    assert code == 3
    assert "ClickHouse: the server cannot be reached: 127.0.0.1:1: Failed to establish a new connection" in said
    assert clickhouse.PASSWORD not in said + caplog.text
    # What nobody listens to must not be printed: logging's last resort is standard error.
    assert logging.getLogger("clickhouse_connect").hasHandlers()


def test_a_database_that_is_not_there(folder: Path) -> None:
    with pytest.raises(WarehouseError, match="ClickHouse: Database nowhere does not exist"):
        opened(folder, database="nowhere").query("watched")


def test_a_statement_that_takes_too_long() -> None:
    warehouse = reached(statement_timeout=1)
    with pytest.raises(WarehouseError, match=r"ClickHouse: Timeout exceeded: .*\(TIMEOUT_EXCEEDED\)\n    Ask for less"):
        warehouse.run("SELECT sum(cityHash64(number)) FROM numbers(1000000000000)")
    assert warehouse.run("SELECT 1 AS one").table["one"][0].as_py() == 1
    warehouse.close()
    with pytest.raises(WarehouseError, match="ClickHouse: the connection is closed"):
        warehouse.run("SELECT 1")


def test_what_went_wrong_is_told_without_the_statement() -> None:
    with pytest.raises(WarehouseError) as raised:
        clickhouse.warehouse().run("SELECT nothing FROM system.one")
    assert str(raised.value) == "ClickHouse: Unknown expression identifier `nothing` (UNKNOWN_IDENTIFIER)"
    with pytest.raises(WarehouseError, match=r"^ClickHouse: Division by zero \(ILLEGAL_DIVISION\)$"):
        clickhouse.warehouse().run("SELECT intDiv(1, number) FROM numbers(3)")


def test_a_user_who_may_not_make_settings() -> None:
    strict = ClickHouseWarehouse(clickhouse.client({"readonly": 1}))
    with pytest.raises(WarehouseError, match="Let the profile of the user have `readonly = 2`"):
        strict.run("SELECT 1 SETTINGS join_use_nulls = 1")
    strict.close()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "http://me:hunter2@host:port/db"}, "`url` of the warehouse is no address of a ClickHouse server"),
        ({"url": "clickhouse://me:hunter2@host/db"}, "`url` of the warehouse is no address of a ClickHouse server"),
        ({"port": "54e2"}, "`port` of the warehouse is not a whole number from 1"),
        ({"secure": "perhaps"}, "`secure` of the warehouse is neither true nor false"),
        (
            {"secure": True, "ca_cert": "nowhere.pem", "password": "hunter2"},
            "`ca_cert` of the warehouse: there is no file nowhere.pem",
        ),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(WarehouseError) as raised:
        connect(settings, Path())
    assert message in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_setting_that_is_not_there(folder: Path) -> None:
    with pytest.raises(DefinitionError) as raised:
        opened(folder, more="      pasword: hunter2").query("watched")
    message = "project.warehouses.click: clickhouse has no setting `pasword`\n    Did you mean `password`?"
    assert message in str(raised.value)


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "clickhouse_connect", None)
    message = r"`clickhouse-connect` is not installed\s+pip install 'metrics-api\[clickhouse\]'"
    with pytest.raises(MissingDriver, match=message):
        connect({}, Path())


def test_secrets_are_not_shown(folder: Path) -> None:
    project = opened(folder)
    warehouse = project.warehouse()
    assert isinstance(warehouse, ClickHouseWarehouse)
    assert clickhouse.PASSWORD not in repr(project) + repr(warehouse) + repr(project.model.project)
    project.close()
