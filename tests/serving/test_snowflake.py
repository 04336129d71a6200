"""A project on Snowflake, from its definitions to answers, and what is said when something is wrong there.

The driver is the real one; Snowflake is fakesnow's server (tests/fakesnow_server.py).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import on_snowflake
from families.engines import ENGINES
from graphql_schema.asking import ask as ask_graphql
from metrics_api.cli.main import app
from metrics_api.engines.snowflake import SnowflakeWarehouse, connect
from metrics_api.errors import MissingDriver, WarehouseError
from metrics_api.graphql_schema.schema import build_schema
from metrics_api.serving.project import Project, load_project

pytestmark = pytest.mark.skipif("snowflake" not in ENGINES, reason="Snowflake is tested by `make test-engines`")

PROJECT = """
version: 1
project:
  name: shop
  timezone: Europe/Berlin
  as_of: 2026-02-01T00:00
  warehouses:
    snow:
      type: snowflake
      account: testing
      host: {host}
      port: {port}
      protocol: http
      database: tests
      schema: shop
      warehouse: small
      user: tester
      password: "${{SHOP_PASSWORD}}"
      query_tag: shop metrics
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
TABLE = (
    "CREATE SCHEMA IF NOT EXISTS SHOP",
    """CREATE OR REPLACE TABLE TESTS.SHOP.APP_EVENTS (
    USER_ID NUMBER(38, 0), EVENT VARCHAR(20), "AT" TIMESTAMP_LTZ, COUNTRY VARCHAR(2), MINUTES NUMBER(10, 2),
    PRICE NUMBER(12, 2), EXTRA VARIANT, "ORDER" FLOAT)""",
    """INSERT INTO TESTS.SHOP.APP_EVENTS SELECT
    column1, column2, column3, column4, column5, column6, PARSE_JSON(column7), NULL FROM VALUES
    (1, 'watch', '2026-01-05 22:30', 'DE', 2.5, NULL, '{"plan": {"name": "pro"}}'),
    (2, 'watch', '2026-01-05 23:30', 'US', 1, NULL, '{"plan": {"name": "free"}}'),
    (1, 'pay', '2026-01-06 09:00', 'DE', NULL, 12345678.91, '{"plan": null}'),
    (3, 'watch', '2026-01-06 10:00', 'US', NULL, NULL, NULL),
    (NULL, 'watch', '2026-01-06 10:00', NULL, 0.25, NULL, '{}'),
    (9, 'watch', '9999-12-31 23:59:59', 'US', 100, NULL, '{}')""",
)
SLOW = "SELECT COUNT(*) AS n FROM " + " CROSS JOIN ".join(
    f"(SELECT SEQ4() AS i FROM TABLE(GENERATOR(ROWCOUNT => 100000))) AS t{k}" for k in range(3)
)


@pytest.fixture(scope="module", autouse=True)
def _table() -> None:
    cursor = on_snowflake.writer().cursor()
    for statement in TABLE:
        cursor.execute(statement)
    cursor.execute("USE SCHEMA TESTS.PUBLIC")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHOP_PASSWORD", on_snowflake.PASSWORD)
    return written(tmp_path)


@pytest.fixture
def opened_one() -> Iterator[SnowflakeWarehouse]:
    """A connection of one's own."""
    warehouse = connect(on_snowflake.server().settings, Path())
    yield warehouse
    warehouse.close()


def written(folder: Path, **words: str) -> Path:
    where = {key: str(value) for key, value in on_snowflake.server().place.items()}
    usual = {**where, "table": "app_events", "minutes": "minutes", "more": ""}
    (folder / "shop.yml").write_text(PROJECT.format(**{**usual, **words}), "utf-8")
    return folder


def opened(folder: Path, **words: str) -> Project:
    return load_project(written(folder, **words))


def run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(args), prog_name="metrics-api")
    return result.exit_code, result.output


def connected(**words: object) -> SnowflakeWarehouse:
    """A connection with these words in place of the password."""
    return connect({**on_snowflake.server().place, "user": on_snowflake.USER, **words}, Path())


def seen() -> Any:
    return on_snowflake.server().tell("seen")


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
    assert project.data_through("watched") == datetime(2026, 1, 6, 10)  # What lies in the future does not count.
    project.close()


def test_the_command_line(folder: Path) -> None:
    code, said = run("validate", "--project", str(folder), "--warehouse", "snow")
    assert code == 0, said
    assert "shop: no problems" in said
    code, said = run(
        "query", "watched", "--project", str(folder), "--from", "2026-01-05", "--to", "2026-01-06", "--format", "json"
    )
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


def test_a_session_is_what_answers_need(folder: Path) -> None:
    project = opened(folder, more="      role: analyst")
    project.warehouse()
    login = seen()["logins"][-1]
    assert (
        login["SESSION_PARAMETERS"]
        | {
            "TIMEZONE": "UTC",
            "WEEK_START": 1,
            "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
            "DATE_OUTPUT_FORMAT": "YYYY-MM-DD",
            "QUERY_TAG": "shop metrics",
            "STATEMENT_TIMEOUT_IN_SECONDS": 60,
            "CLIENT_TELEMETRY_ENABLED": False,
            "CLIENT_VALIDATE_DEFAULT_PARAMETERS": True,
        }
        == login["SESSION_PARAMETERS"]
    )
    there = [login[key] for key in ("databaseName", "schemaName", "warehouse", "roleName", "APPLICATION")]
    assert there == ["tests", "shop", "small", "analyst", "metrics_api"]
    project.close()


def test_the_same_question_is_the_same_text(folder: Path) -> None:
    texts = []
    for _ in range(2):
        project = opened(folder)
        project.query("active", start="2026-01-05", end="2026-01-06", by="country")
        texts.append(seen()["statements"][-1])
        project.close()
    assert texts[0] == texts[1]
    assert texts[0].startswith("/* metrics-api metric=active fingerprint=")
    assert not any(word in texts[0].upper() for word in ("CURRENT_", "RANDOM", "UUID", "SYSDATE"))


def test_the_columns_of_a_table(opened_one: SnowflakeWarehouse) -> None:
    every = opened_one.columns("tests.shop.app_events")
    assert every is not None
    names = ["user_id", "event", "at", "country", "minutes", "price", "extra", "order"]
    assert [name for name, _ in every] == names
    assert every[:2] == (("user_id", "NUMBER(38,0)"), ("event", "VARCHAR(20)"))
    assert opened_one.columns("shop.app_events") == opened_one.columns('"SHOP"."APP_EVENTS"') == every
    assert opened_one.columns("no_events") is opened_one.columns('tests.shop."app_event"') is None


def test_every_type_comes_as_arrow_has_it(opened_one: SnowflakeWarehouse) -> None:
    found = opened_one.run(
        "SELECT 1::NUMBER(2, 0) AS c0, 9223372036854775807::NUMBER(38, 0) AS c1, 0.1::FLOAT AS c2, 'NaN'::FLOAT AS c3, "
        "12345678901234567890.123456789::NUMBER(38, 9) AS c4, 'x' AS c5, TRUE AS c6, '2026-01-31'::DATE AS c7, "
        "'2026-01-31 09:00:00.000001'::TIMESTAMP_NTZ AS c8, '2026-01-31 09:00:00'::TIMESTAMP_LTZ AS c9, "
        "'9999-12-31 23:59:59'::TIMESTAMP_NTZ AS c10, NULL::TIMESTAMP_NTZ AS c11, NULL::NUMBER(38, 0) AS c12, "
        "PARSE_JSON('{\"a\": 1}') AS c13, '5 %s %' AS c14, NULL AS c15"
    ).table
    assert [str(one) for one in found.schema.types] == [
        *("int64", "int64", "double", "double", "decimal128(38, 9)", "string", "bool", "date32[day]"),
        *("timestamp[us]", "timestamp[us, tz=UTC]", "timestamp[us]", "timestamp[us]", "int64", "string"),
        *("string", "string"),
    ]
    row = list(found.to_pylist()[0].values())
    assert row[:3] == [1, 2**63 - 1, 0.1]
    assert row[3] != row[3]
    assert row[4:8] == [Decimal("12345678901234567890.123456789"), "x", True, date(2026, 1, 31)]
    assert row[8] == datetime(2026, 1, 31, 9, 0, 0, 1)
    assert row[9].isoformat() == "2026-01-31T09:00:00+00:00"
    assert row[10:13] == [datetime(9999, 12, 31, 23, 59, 59), None, None]
    assert json.loads(row[13]) == {"a": 1}
    assert row[14:] == ["5 %s %", None]


def test_no_rows_have_columns_all_the_same(opened_one: SnowflakeWarehouse) -> None:
    nothing = opened_one.run("SELECT 1 AS a, 1.5::NUMBER(3, 1) AS b, 'x' AS c WHERE FALSE").table
    assert nothing.num_rows == 0
    assert [str(one) for one in nothing.schema.types] == ["int64", "decimal128(38, 1)", "string"]


def test_whole_numbers_of_more_than_64_bits(opened_one: SnowflakeWarehouse) -> None:
    found = opened_one.run("SELECT SUM(x) AS a FROM (VALUES (9223372036854775807), (1)) AS t(x)").table
    assert found["A"].to_pylist() == [2**63]


def test_many_threads_share_a_session() -> None:
    warehouse = connect(on_snowflake.server().settings, Path())
    logins = len(seen()["logins"])
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: warehouse.run(f"SELECT {n} AS n").table["N"][0].as_py(), range(40)))
    assert found == list(range(40))
    assert len(seen()["logins"]) == logins
    warehouse.close()


# -- who asks ---------------------------------------------------------------------------------------------------------


def pem(passphrase: bytes | None = None) -> str:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    how = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return str(on_snowflake.key_pair()[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode())


def test_a_key_pair(tmp_path: Path) -> None:
    (tmp_path / "key.p8").write_text(pem(), "utf-8")
    (tmp_path / "locked.p8").write_text(pem(b"open sesame"), "utf-8")
    place = {**on_snowflake.server().place, "user": on_snowflake.USER}
    connect({**place, "private_key_file": "key.p8"}, tmp_path).close()
    assert seen()["logins"][-1]["AUTHENTICATOR"] == "SNOWFLAKE_JWT"
    locked = {**place, "private_key_file": "locked.p8"}
    connect({**locked, "private_key_passphrase": "open sesame"}, tmp_path).close()
    connect({**place, "private_key": pem()}, tmp_path).close()
    for settings in (locked, {**locked, "private_key_passphrase": "hunter2"}, {**place, "private_key": "hunter2"}):
        with pytest.raises(WarehouseError, match="the private key of the warehouse cannot be read") as raised:
            connect(settings, tmp_path)
        assert "hunter2" not in str(raised.value)
    with pytest.raises(WarehouseError, match=r"`private_key_file` of the warehouse: .*none cannot be read: No such"):
        connect({**place, "private_key_file": "none"}, tmp_path)


def test_a_key_that_is_not_the_users() -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    another = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(WarehouseError, match=r"JWT token is invalid\..*\n.*SET RSA_PUBLIC_KEY"):
        connected(private_key=another)


def test_tokens(tmp_path: Path) -> None:
    for way, token in (("oauth", on_snowflake.OAUTH), ("programmatic_access_token", on_snowflake.PAT)):
        connected(authenticator=way, token=token).close()
        assert seen()["logins"][-1]["AUTHENTICATOR"] == way.upper()
        with pytest.raises(WarehouseError, match="Invalid OAuth access token|access token is invalid") as raised:
            connected(authenticator=way, token="hunter2")
        assert "hunter2" not in str(raised.value)


def test_a_file_of_a_token_is_read_for_every_session(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{on_snowflake.OAUTH}\n", "utf-8")
    settings = {**on_snowflake.server().place, "authenticator": "oauth", "token_file": "token"}
    warehouse = connect(settings, tmp_path)
    (tmp_path / "token").write_text("hunter2", "utf-8")
    assert warehouse.run("SELECT 1 AS one").table.num_rows == 1
    on_snowflake.server().tell("break", [{"code": "390111", "message": "Session no longer exists."}])
    with pytest.raises(WarehouseError, match="Invalid OAuth access token"):
        warehouse.run("SELECT 1")
    (tmp_path / "token").write_text(on_snowflake.OAUTH, "utf-8")
    assert warehouse.run("SELECT 1 AS one").table.num_rows == 1
    warehouse.close()


def test_the_password_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{on_snowflake.PASSWORD}\n", "utf-8")
    settings = {**on_snowflake.server().place, "user": on_snowflake.USER, "password_file": "secret"}
    connect(settings, tmp_path).close()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "the warehouse does not say how to log in\n    Say `password`, `password_file`, `private_key`,"),
        ({"authenticator": "pasword"}, "`authenticator` of the warehouse is not known\n    Did you mean `password`?"),
        (
            {"password": "hunter2", "token": "hunter2"},
            "the warehouse is given `password` and `token`\n    Keep the one",
        ),
        (
            {"token": "hunter2"},
            "of two kinds\n    Say one of `authenticator: oauth` and `authenticator: programmatic_access_token`.",
        ),
        ({"authenticator": "oauth"}, "`authenticator: oauth` of the warehouse needs `token` or `token_file`"),
        (
            {"authenticator": "externalbrowser", "password": "hunter2"},
            "`authenticator: externalbrowser` of the warehouse does not go with `password`",
        ),
        ({"account": "", "password": "hunter2"}, "`account` of the warehouse is not said"),
        ({"password": "hunter2", "port": "54e2"}, "`port` of the warehouse is not a whole number from 1"),
        (
            {"password": "hunter2", "statement_timeout": "0"},
            "`statement_timeout` of the warehouse is not a whole number from 1",
        ),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(WarehouseError) as raised:
        connected(**settings)
    assert message in str(raised.value)
    assert "hunter2" not in str(raised.value)


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
    code, said = run("validate", "--project", str(folder), "--warehouse", "snow")
    assert code == 1
    assert message in said


def test_a_wrong_password(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    code, said = run("query", "watched", "--project", str(folder))
    assert code == 3
    assert "Incorrect username or password was specified" in said
    assert "Check `user` and the password of the warehouse." in said
    assert "hunter2" not in said
    assert "Traceback" not in said


def test_no_server() -> None:
    with pytest.raises(WarehouseError, match=r"Snowflake: .*\n.*Check `account` of the warehouse"):
        connected(password=on_snowflake.PASSWORD, host="nowhere.invalid", connect_timeout=1)


def test_a_statement_that_takes_too_long() -> None:
    warehouse = connected(password=on_snowflake.PASSWORD, statement_timeout=1)
    with pytest.raises(WarehouseError, match=r"timeout of 1 second\(s\) and was canceled.*\n.*`statement_timeout`"):
        warehouse.run(SLOW)
    assert warehouse.run("SELECT 1 AS one").table["ONE"].to_pylist() == [1]
    warehouse.close()


def test_the_driver_ends_what_snowflake_did_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics_api.engines.snowflake._GRACE", 0)
    on_snowflake.server().tell("end-late", False)
    warehouse = connected(password=on_snowflake.PASSWORD, statement_timeout=1)
    try:
        with pytest.raises(WarehouseError, match="was cancelled by the client due to a timeout"):
            warehouse.run(SLOW)
        assert seen()["running"] == 0
        assert warehouse.run("SELECT 1 AS one").table["ONE"].to_pylist() == [1]
    finally:
        on_snowflake.server().tell("end-late", True)
        warehouse.close()


def test_a_session_that_snowflake_ended_is_replaced(
    opened_one: SnowflakeWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metrics_api.engines.warehouse.PAUSES", (0.0, 0.0, 0.0))
    logins = len(seen()["logins"])
    on_snowflake.server().tell("break", [{"code": "390111", "message": "Session no longer exists."}] * 2)
    assert opened_one.run("SELECT 1 AS one").table["ONE"].to_pylist() == [1]
    assert len(seen()["logins"]) == logins + 2
    on_snowflake.server().tell("break", [{"code": "390111", "message": "Session no longer exists."}] * 4)
    with pytest.raises(WarehouseError, match=r"Snowflake: Session no longer exists\."):
        opened_one.run("SELECT 1")


def test_a_server_that_stumbles_is_asked_again(opened_one: SnowflakeWarehouse) -> None:
    on_snowflake.server().tell("break", [{"status": 503}])
    assert opened_one.run("SELECT 1 AS one").table["ONE"].to_pylist() == [1]


def test_a_refusal_is_not_asked_again(opened_one: SnowflakeWarehouse) -> None:
    before = seen()["asked"]
    on_snowflake.server().tell("break", [{"code": "000606", "message": "No active warehouse selected."}])
    with pytest.raises(WarehouseError, match=r"No active warehouse selected\.\n    Say a `warehouse` that the role"):
        opened_one.run("SELECT 1")
    assert seen()["asked"] == before + 1


def test_what_is_closed_is_closed(opened_one: SnowflakeWarehouse) -> None:
    opened_one.close()
    opened_one.close()
    with pytest.raises(WarehouseError, match="Snowflake: the connection is closed"):
        opened_one.run("SELECT 1")


def test_a_setting_that_is_not_there(folder: Path) -> None:
    written(folder, more="      pasword: hunter2")
    code, said = run("validate", "--project", str(folder))
    assert code == 1
    assert "snowflake has no setting `pasword`" in said
    assert "Did you mean `password`?" in said
    assert "hunter2" not in said


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "snowflake.connector", None)
    told = r"`snowflake-connector-python` is not installed\s+pip install 'metrics-api\[snowflake\]'"
    with pytest.raises(MissingDriver, match=told):
        connect({}, Path())


def test_secrets_are_not_shown(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    project = opened(folder)
    warehouse = project.warehouse()
    assert isinstance(warehouse, SnowflakeWarehouse)
    project.query("watched")
    with pytest.raises(WarehouseError):
        warehouse.run("SELECT nothing_there")
    shown = repr(project) + repr(warehouse) + repr(vars(warehouse)) + repr(project.model.project) + caplog.text
    assert on_snowflake.PASSWORD not in shown
    assert json.dumps(on_snowflake.PASSWORD) not in shown
    project.close()
