"""A project on Spark Connect, from its definitions to answers, and what is said when something is wrong there.

The client is Spark's own; the server is Sail. Tables are views of the session, since Sail keeps none for others.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

import sail
from families.engines import ENGINES
from metrics_api.engines.spark import SparkWarehouse, _target, connect
from metrics_api.errors import DefinitionError, MissingDriver, WarehouseError
from metrics_api.serving.project import Project, load_project

pytestmark = pytest.mark.skipif("spark" not in ENGINES, reason="Spark is tested by `make test-engines`")

PROJECT = """
version: 1
project:
  name: shop
  timezone: Europe/Berlin
  as_of: 2026-02-01T00:00
  warehouses:
    here: {{type: spark, host: 127.0.0.1, port: {port}{more}}}
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
VIEW = """
CREATE OR REPLACE TEMP VIEW app_events AS SELECT
    CAST(user_id AS BIGINT) AS user_id, event, CAST(at AS TIMESTAMP) AS at, country, CAST(minutes AS FLOAT) AS minutes,
    CAST(price AS DECIMAL(12, 2)) AS price, extra
FROM (VALUES
    (1, 'watch', '2026-01-05 22:30:00', 'DE', 2.5, NULL, '{"plan": {"name": "pro"}}'),
    (2, 'watch', '2026-01-05 23:30:00', 'US', 1, NULL, '{"plan": {"name": "free"}}'),
    (1, 'pay', '2026-01-06 09:00:00', 'DE', NULL, 12345678.91, '{"plan": null}'),
    (3, 'watch', '2026-01-06 10:00:00', 'US', NULL, NULL, NULL),
    (NULL, 'watch', '2026-01-06 10:00:00', NULL, 0.25, NULL, '{}'),
    (9, 'watch', '2200-12-31 23:59:59', 'US', 100, NULL, '{}')
) AS rows(user_id, event, at, country, minutes, price, extra)
"""
SLOW = "SELECT COUNT(*) AS n FROM RANGE(300000) AS a CROSS JOIN RANGE(300000) AS b WHERE a.id % 7 = b.id % 5"


@pytest.fixture(autouse=True)
def _program() -> None:
    sail.name_the_program()


@pytest.fixture
def opened_one() -> Iterator[SparkWarehouse]:
    """A connection of one's own, whose session has the table."""
    warehouse = connect(sail.server().settings, Path())
    warehouse._session.now().sql(VIEW)
    yield warehouse
    warehouse.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path)


def written(folder: Path, **words: str) -> Path:
    usual = {"port": str(sail.server().port), "table": "app_events", "minutes": "minutes", "more": ""}
    (folder / "shop.yml").write_text(PROJECT.format(**{**usual, **words}), "utf-8")
    return folder


def opened(folder: Path, warehouse: SparkWarehouse, **words: str) -> Project:
    project = load_project(written(folder, **words))
    project._warehouse = warehouse
    return project


# -- what works -------------------------------------------------------------------------------------------------------


def test_questions_are_answered(folder: Path, opened_one: SparkWarehouse) -> None:
    project = opened(folder, opened_one)
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


def test_the_project_connects_by_itself(folder: Path) -> None:
    project = load_project(folder)
    assert project.warehouse().run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]
    project.close()


def test_a_session_is_in_utc(opened_one: SparkWarehouse) -> None:
    found = opened_one.run("SELECT CAST(TIMESTAMP '2026-01-31 09:00:00' AS STRING) AS a").table
    assert found["a"].to_pylist() == ["2026-01-31 09:00:00"]
    assert opened_one._session.now().conf.get("spark.sql.session.timeZone") == "UTC"


def test_the_columns_of_a_table(opened_one: SparkWarehouse) -> None:
    every = opened_one.columns("app_events")
    assert every is not None
    assert every[:3] == (("user_id", "bigint"), ("event", "string"), ("at", "timestamp"))
    assert every[5:] == (("price", "decimal(12,2)"), ("extra", "string"))
    assert opened_one.columns("app_event") is None


def test_every_type_comes_as_arrow_has_it(opened_one: SparkWarehouse) -> None:
    found = opened_one.run(
        "SELECT CAST(1 AS SMALLINT) AS c0, 9223372036854775807 AS c1, CAST(0.5 AS FLOAT) AS c2, "
        "CAST('NaN' AS DOUBLE) AS c3, CAST('12345678901234567890.123456789' AS DECIMAL(38, 9)) AS c4, 'x' AS c5, "
        "TRUE AS c6, DATE '2026-01-31' AS c7, TIMESTAMP_NTZ '2026-01-31 09:00:00.000001' AS c8, "
        "TIMESTAMP '2026-01-31 09:00:00' AS c9, CAST(NULL AS TIMESTAMP) AS c10, '5 %s %' AS c11"
    ).table
    assert [str(one) for one in found.schema.types] == [
        *("int64", "int64", "double", "double", "decimal128(38, 9)", "string", "bool", "date32[day]"),
        *("timestamp[us]", "timestamp[us, tz=UTC]", "timestamp[us, tz=UTC]", "string"),
    ]
    row = list(found.to_pylist()[0].values())
    assert row[:3] == [1, 2**63 - 1, 0.5]
    assert row[3] != row[3]
    assert row[4:9] == [
        *(Decimal("12345678901234567890.123456789"), "x", True, date(2026, 1, 31)),
        datetime(2026, 1, 31, 9, 0, 0, 1),
    ]
    assert row[9].isoformat() == "2026-01-31T09:00:00+00:00"
    assert row[10:] == [None, "5 %s %"]
    nothing = opened_one.run("SELECT 1 AS a, 'x' AS b WHERE 1 = 0").table
    assert (nothing.num_rows, nothing.column_names) == (0, ["a", "b"])


def test_many_threads_share_a_session(opened_one: SparkWarehouse) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: opened_one.run(f"SELECT {n} AS n").table["n"][0].as_py(), range(40)))
    assert found == list(range(40))


def test_a_session_that_the_server_ended_is_replaced() -> None:
    warehouse = connect(sail.server().settings, Path())
    first = warehouse._session.now()
    first.client.release_session()
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]
    warehouse.close()


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
def test_missing_tables_and_columns(
    folder: Path, opened_one: SparkWarehouse, words: dict[str, str], message: str
) -> None:
    with pytest.raises(WarehouseError) as raised:
        opened(folder, opened_one, **words).query("watched", start="2026-01-05")
    assert message in str(raised.value)


@pytest.mark.parametrize("place", [{"host": "nowhere.invalid"}, {"url": "sc://127.0.0.1:1/;user_id=me"}])
def test_no_server(place: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics_api.engines.spark._ATTEMPTS", 1)
    with pytest.raises(WarehouseError, match=r"Spark: .*\n    Check `host` and `port`, or `url`") as raised:
        connect({**place, "token": "hunter2"}, Path())
    assert "hunter2" not in str(raised.value)


def test_a_statement_that_takes_too_long() -> None:
    warehouse = connect({**sail.server().settings, "statement_timeout": 1}, Path())
    with pytest.raises(WarehouseError, match="the statement took more than 1 seconds and was ended"):
        warehouse.run(SLOW)
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]
    warehouse.close()


def test_what_spark_refuses_is_told_on_one_line(opened_one: SparkWarehouse) -> None:
    with pytest.raises(WarehouseError, match=r"^Spark: [^\n]*nothing_there[^\n]*$"):
        opened_one.run("SELECT nothing_there FROM app_events")


def test_what_is_closed_is_closed(opened_one: SparkWarehouse) -> None:
    opened_one.close()
    opened_one.close()
    with pytest.raises(WarehouseError, match="Spark: the connection is closed"):
        opened_one.run("SELECT 1")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "spark://host:7077"}, "`url` of the warehouse is no address of Spark Connect"),
        ({"port": "54e2"}, "`port` of the warehouse is not a whole number from 1"),
        ({"tls": "perhaps"}, "`tls` of the warehouse is neither true nor false"),
        ({"token_file": "none"}, "`token_file` of the warehouse: none cannot be read: No such file or directory"),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(WarehouseError) as raised:
        connect(settings, Path())
    assert message in str(raised.value)


def test_a_setting_that_is_not_there(folder: Path) -> None:
    with pytest.raises(DefinitionError, match="spark has no setting `tokn`\n.*`token`"):
        load_project(written(folder, more=", tokn: hunter2")).query("watched")


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyspark.sql.connect.session", None)
    with pytest.raises(MissingDriver, match=r"`pyspark-client` is not installed\s+pip install 'metrics-api\[spark\]'"):
        connect({}, Path())


def test_a_program_that_is_no_file() -> None:
    words = "from pathlib import Path; from metrics_api.engines.spark import connect; connect({}, Path())"
    ran = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=False)
    assert "Spark: its client does not start under `python -c`" in ran.stderr


def test_secrets_are_not_shown(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "token").write_text("s3cret;& token\n", "utf-8")
    settings = {**sail.server().settings, "token_file": "token"}
    target = _target(settings, tmp_path)
    assert target.address().endswith("/;token=s3cret%3B%26%20token")
    monkeypatch.setattr("metrics_api.engines.spark._ATTEMPTS", 0)
    with pytest.raises(WarehouseError) as raised:  # A token is never sent without TLS, which Sail has not.
        connect(settings, tmp_path)
    shown = repr(SparkWarehouse(target)) + repr(target) + caplog.text + str(raised.value)
    assert "s3cret" not in shown
