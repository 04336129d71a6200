"""A project on Redshift, from its definitions to answers, and what is said when something is wrong there.

The driver is Amazon's own. Behind the door is PostgreSQL, to which statements are put in its words (on_redshift.py).
"""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

import on_redshift
from families.engines import ENGINES
from metrics_api.engines.redshift import RedshiftWarehouse, _target, connect
from metrics_api.engines.warehouse import Stop, Stopped
from metrics_api.errors import DefinitionError, MissingDriver, WarehouseError
from metrics_api.serving.project import Project, load_project
from on_redshift import DATABASE, USER, Door
from postgres import PASSWORD

pytestmark = [
    pytest.mark.skipif("redshift" not in ENGINES, reason="Redshift is tested by `make test-engines`"),
    # The driver leaves sockets open when it fails to connect; they are collected within the test.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PROJECT = """
version: 1
project:
  name: shop
  timezone: Europe/Berlin
  as_of: 2026-02-01T00:00
  warehouses:
    here: {{type: redshift, host: 127.0.0.1, port: {port}, database: redshift, user: analyst, tls: false{more}}}
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
DROP SCHEMA IF EXISTS shop CASCADE;
CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO analyst;
CREATE TABLE shop.app_events AS SELECT
    CAST(user_id AS BIGINT) AS user_id, CAST(event AS VARCHAR) AS event, CAST(at AS {time}) AS at,
    CAST(country AS VARCHAR) AS country, CAST(minutes AS REAL) AS minutes, CAST(price AS NUMERIC(12, 2)) AS price,
    CAST(extra AS VARCHAR) AS extra
FROM (VALUES
    (1, 'watch', '2026-01-05 22:30:00', 'DE', 2.5, NULL, '{{"plan": {{"name": "pro"}}}}'),
    (2, 'watch', '2026-01-05 23:30:00', 'US', 1, NULL, '{{"plan": {{"name": "free"}}}}'),
    (1, 'pay', '2026-01-06 09:00:00', 'DE', NULL, 12345678.91, '{{"plan": null}}'),
    (3, 'watch', '2026-01-06 10:00:00', 'US', NULL, NULL, NULL),
    (NULL, 'watch', '2026-01-06 10:00:00', NULL, 0.25, NULL, '{{}}'),
    (9, 'watch', '2200-12-31 23:59:59', 'US', 100, NULL, '{{}}')
) AS rows(user_id, event, at, country, minutes, price, extra)
"""
TEN = "(SELECT 0 AS digit" + "".join(f" UNION ALL SELECT {k}" for k in range(1, 10)) + ")"
ENDLESS = "SELECT COUNT(*) AS n FROM " + " CROSS JOIN ".join(f"{TEN} AS t{k}" for k in range(10))
MANY = (
    "SELECT a.digit + 10 * b.digit + 100 * c.digit + 1000 * d.digit + 10000 * e.digit AS n FROM "
    + " CROSS JOIN ".join(f"{TEN} AS {name}" for name in "abcd")
    + " CROSS JOIN (SELECT 0 AS digit UNION ALL SELECT 1 UNION ALL SELECT 2) AS e"
)


@pytest.fixture(autouse=True)
def door() -> Iterator[Door]:
    """The door, of which a test sees what came through since it began."""
    made = on_redshift.door()
    made.seen.clear()
    made.rows_before_end = None
    yield made
    made.rows_before_end = None
    gc.collect()


@pytest.fixture
def warehouse() -> RedshiftWarehouse:
    return on_redshift.warehouse()


def made(time: str = "TIMESTAMP") -> None:
    on_redshift.writer().execute(TABLE.format(time=time).encode())


def written(folder: Path, **words: str) -> Path:
    usual = {"port": str(on_redshift.door().port), "table": "app_events", "minutes": "minutes"}
    usual["more"] = ", schema: shop, password_file: password"
    (folder / "password").write_text(f"{PASSWORD}\n", "utf-8")
    (folder / "shop.yml").write_text(PROJECT.format(**{**usual, **words}), "utf-8")
    return folder


def opened(folder: Path, **words: str) -> Project:
    made()
    return load_project(written(folder, **words))


# -- what works -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("time", ["TIMESTAMP", "TIMESTAMPTZ"])
def test_questions_are_answered(tmp_path: Path, time: str) -> None:
    project = opened(tmp_path)
    on_redshift.writer().execute("SET timezone TO 'UTC'")
    made(time)
    days = {"start": "2026-01-05", "end": "2026-01-06"}
    watched = project.query("watched", measures="value,total,users", **days).to_pylist()
    assert [(row["period"], row["value"], row["total"], row["users"]) for row in watched] == [
        (date(2026, 1, 5), 2.5, 1, 1),
        (date(2026, 1, 6), 1.25, 3, 2),
    ]
    assert project.query("spent", **days)["value"].to_pylist() == [None, Decimal("12345678.91")]
    assert project.query("active", **days)["value"].to_pylist() == [1, 3]
    assert project.query("paid", **days)["converted"].to_pylist() == [3, 1]
    january = {"start": "2026-01-01", "end": "2026-01-31"}
    plans = project.query("watched", by="plan", measures="total", grain="month", **january).to_pylist()
    assert [(row["plan"], row["total"]) for row in plans] == [("(none)", 2), ("free", 1), ("pro", 1)]
    assert project.data_through("watched") == datetime(2026, 1, 6, 10)  # What lies in the future does not count.
    project.close()


def test_what_a_session_is_opened_with(door: Door, tmp_path: Path) -> None:
    settings = {**door.settings, "schema": "shop", "statement_timeout": 90, "query_group": "bi"}
    warehouse = connect(settings, tmp_path)
    warehouse.run("SELECT 1 AS one", tag="watched")
    assert door.started[-1]["application_name"] == "metrics-api"
    assert door.started[-1]["driver_version"].startswith("Redshift Python Driver")
    assert door.seen == [
        *("SET timezone TO 'UTC'", "SET datestyle TO 'ISO'", "SET extra_float_digits TO 2"),
        *("SET statement_timeout TO 90000", 'SET search_path TO "shop"', "SELECT PG_BACKEND_PID()"),
        *("SET query_group TO 'bi watched'", "SELECT 1 AS one"),
    ]
    warehouse.run("SELECT 1 AS one", tag="watched")
    assert len(door.seen) == 9  # The group is as it was.
    warehouse.run("SELECT 1 AS one", tag="it's \\ odd")
    assert door.seen[9:] == ["SET query_group TO 'bi it\\'s \\\\ odd'", "SELECT 1 AS one"]
    warehouse.close()


def test_the_columns_of_a_table(warehouse: RedshiftWarehouse) -> None:
    made("TIMESTAMPTZ")
    assert warehouse.columns("shop.app_events") == (
        *(("user_id", "bigint"), ("event", "varchar"), ("at", "timestamptz"), ("country", "varchar")),
        *(("minutes", "real"), ("price", "decimal"), ("extra", "varchar")),
    )
    assert warehouse.columns('shop."app_events"') == warehouse.columns("shop.app_events")
    assert warehouse.columns("shop.app_event") is None
    assert warehouse.columns("nowhere.app_events") is None


def test_every_type_comes_as_arrow_has_it(warehouse: RedshiftWarehouse) -> None:
    found = warehouse.run(
        "SELECT CAST(1 AS SMALLINT) AS c0, 9223372036854775807 AS c1, CAST(0.5 AS REAL) AS c2, "
        "CAST('NaN' AS DOUBLE PRECISION) AS c3, CAST('12345678901234567890.123456789' AS DECIMAL(38, 9)) AS c4, "
        "CAST('x' AS VARCHAR(1)) AS c5, TRUE AS c6, DATE '2026-01-31' AS c7, "
        "TIMESTAMP '2026-01-31 09:00:00.000001' AS c8, CAST('2026-01-31 09:00:00+01' AS TIMESTAMPTZ) AS c9, "
        "CAST(NULL AS TIMESTAMP) AS c10, CAST('5 %s ü' AS VARCHAR(10)) AS c11, CAST(0.1 AS DOUBLE PRECISION) / 3 AS c12"
    ).table
    assert [str(one) for one in found.schema.types] == [
        *("int64", "int64", "double", "double", "decimal128(29, 9)", "string", "bool", "date32[day]"),
        *("timestamp[us]", "timestamp[us, tz=UTC]", "timestamp[us]", "string", "double"),
    ]
    row = list(found.to_pylist()[0].values())
    assert row[:3] == [1, 2**63 - 1, 0.5]
    assert row[3] != row[3]
    assert row[4:10] == [
        *(Decimal("12345678901234567890.123456789"), "x", True, date(2026, 1, 31)),
        *(datetime(2026, 1, 31, 9, 0, 0, 1), datetime(2026, 1, 31, 8, tzinfo=UTC)),
    ]
    assert row[10:] == [None, "5 %s ü", 0.1 / 3]
    nothing = warehouse.run("SELECT 1 AS a, CAST('x' AS VARCHAR(1)) AS b WHERE 1 = 0").table
    assert (nothing.num_rows, nothing.column_names) == (0, ["a", "b"])
    assert [str(one) for one in nothing.schema.types] == ["int64", "string"]


def test_rows_come_in_pieces(warehouse: RedshiftWarehouse, door: Door) -> None:
    with warehouse.stream(MANY) as stream:
        pieces = list(stream)
    assert [piece.num_rows for piece in pieces] == [10_000, 10_000, 10_000, 0]
    assert sorted(n for piece in pieces for n in piece["n"].to_pylist()) == list(range(30_000))
    assert door.seen[-1] == "COMMIT"
    # A stream that is left leaves nothing open.
    with warehouse.stream(MANY) as stream:
        next(iter(stream))
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]


def test_what_a_statement_would_read(warehouse: RedshiftWarehouse) -> None:
    made()
    on_redshift.writer().execute("ANALYZE shop.app_events")
    cost = warehouse.estimate("SELECT COUNT(user_id) AS n FROM shop.app_events")
    assert cost.rows == 6
    assert cost.bytes is not None and cost.bytes % 6 == 0
    with pytest.raises(WarehouseError, match="does not exist"):
        warehouse.estimate("SELECT COUNT(*) AS n FROM shop.app_event")


def test_a_plan_as_redshift_writes_it() -> None:
    from metrics_api.engines.redshift import _SCAN

    found = _SCAN.search("        ->  XN Seq Scan on app_events  (cost=0.00..1725.00 rows=172500 width=17)")
    assert found is not None
    assert (found["rows"], found["width"]) == ("172500", "17")
    assert _SCAN.search("XN Hash Join DS_DIST_NONE  (cost=2.52..5.00 rows=10 width=8)") is None


def test_many_threads_share_sessions(door: Door) -> None:
    warehouse = connect({**door.settings, "connections": 3}, Path())
    before = len(door.started)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: warehouse.run(f"SELECT {n} AS n").table["n"][0].as_py(), range(40)))
    assert found == list(range(40))
    assert len(door.started) - before <= 2
    warehouse.close()


def test_a_session_is_given_up_before_the_driver_keeps_too_much(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics_api.engines.redshift._MOST_ASKED", 3)
    warehouse = connect(door.settings, Path())
    before = len(door.started)
    for _ in range(6):
        warehouse.run("SELECT 1 AS one")
    assert len(door.started) - before == 2
    warehouse.close()


def test_a_session_that_the_server_ended_is_replaced(door: Door) -> None:
    warehouse = connect(door.settings, Path())
    pid = warehouse._sessions._idle[0].pid
    on_redshift.writer().execute("SELECT PG_TERMINATE_BACKEND(%s)", (pid,))
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
def test_missing_tables_and_columns(tmp_path: Path, words: dict[str, str], message: str) -> None:
    with pytest.raises(WarehouseError) as raised:
        opened(tmp_path, **words).query("watched", start="2026-01-05")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT a FROM nothing_there", 'Redshift: relation "nothing_there" does not exist'),
        ("SELECT nothing_there FROM shop.app_events", 'Redshift: column "nothing_there" does not exist'),
        ("SELECT 1 AS a FROM", "Redshift: "),
        ("SELECT 'x' AS a", 'Redshift: failed to find conversion function from "unknown" to text'),
        ("SELECT CAST(CAST('x' AS VARCHAR(1)) AS BIGINT) AS a", "Redshift: invalid input syntax for type bigint"),
        ("SELECT 9223372036854775807 + 1 AS a", "Redshift: bigint out of range"),
    ],
)
def test_what_redshift_refuses_is_told_on_one_line(warehouse: RedshiftWarehouse, sql: str, message: str) -> None:
    made()
    with pytest.raises(WarehouseError) as raised:
        warehouse.run(sql)
    assert str(raised.value).split("\n")[0].startswith(message)


def test_no_grant(warehouse: RedshiftWarehouse) -> None:
    on_redshift.writer().execute(
        "DROP SCHEMA IF EXISTS vault CASCADE; CREATE SCHEMA vault; CREATE TABLE vault.gold AS SELECT 1 AS n"
    )
    on_redshift.writer().execute("REVOKE pg_read_all_data FROM analyst")
    try:
        with pytest.raises(WarehouseError) as raised:
            warehouse.run("SELECT n FROM vault.gold")
    finally:
        on_redshift.writer().execute("GRANT pg_read_all_data TO analyst")
    assert str(raised.value) == (
        "Redshift: permission denied for schema vault\n    Let the user SELECT from the table, and USE its schema."
    )


@pytest.mark.parametrize("rows", [0, 1, 999])
def test_rows_come_all_or_not_at_all(
    warehouse: RedshiftWarehouse, door: Door, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metrics_api.engines.warehouse.PAUSES", ())
    warehouse.run("SELECT 1 AS one")  # So that there is a session, whose opening has rows as well.
    door.rows_before_end = rows
    with pytest.raises(WarehouseError, match="Redshift: "):
        warehouse.run(MANY)
    door.rows_before_end = None
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]


def test_a_connection_that_ended_is_tried_again(
    warehouse: RedshiftWarehouse, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metrics_api.engines.warehouse.PAUSES", (0.0,))
    warehouse.run("SELECT 1 AS one")
    door.rows_before_end = 5

    def mended(_: float) -> None:
        door.rows_before_end = None

    monkeypatch.setattr(Stop, "wait", lambda _, seconds: mended(seconds))
    assert warehouse.run(MANY).table.num_rows == 30_000


def test_a_statement_that_takes_too_long(door: Door) -> None:
    warehouse = connect({**door.settings, "statement_timeout": 1}, Path())
    with pytest.raises(WarehouseError) as raised:
        warehouse.run(ENDLESS)
    assert str(raised.value) == (
        "Redshift: the statement took more than 1 seconds and was ended\n"
        "    Ask for less, or raise `statement_timeout` of the warehouse."
    )
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]
    warehouse.close()


def test_a_statement_is_cancelled_at_redshift(warehouse: RedshiftWarehouse, door: Door) -> None:
    stop, waiting = Stop(), threading.Event()
    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(warehouse.run, ENDLESS, stop=stop)
        for _ in range(3_000):
            if _running():
                break
            waiting.wait(0.01)
        stop.now()
        with pytest.raises(Stopped):
            asking.result(30)
    assert [one for one in door.seen if one.startswith("SELECT PG_CANCEL_BACKEND(")]
    for _ in range(3_000):
        if not _running():
            break
        waiting.wait(0.01)
    assert _running() == 0
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]


def _running() -> int:
    """How many endless statements the server is at."""
    found = on_redshift.writer().execute(
        "SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'active' AND usename = 'analyst' AND query LIKE %s",
        ("%COUNT(*) AS n FROM (SELECT 0 AS digit%",),
    )
    return int(found.fetchall()[0][0])


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"host": "nowhere.invalid"}, "Redshift: the server cannot be reached: there is no host of that name"),
        ({"port": 1}, "Redshift: the server cannot be reached: the connection is refused"),
        ({"tls": True}, "Redshift: the server cannot be reached: it does not speak TLS"),
        ({"password": "hunter2"}, 'Redshift: password authentication failed for user "analyst"'),
        ({"database": "nothing"}, 'Redshift: database "nothing" does not exist'),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl")  # The driver does not say which TLS it means.
def test_what_cannot_be_reached(
    door: Door, place: dict[str, object], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = {**door.settings, **place}
    with pytest.raises(WarehouseError) as raised:
        connect(settings, Path())
    assert str(raised.value).split("\n")[0].startswith(message)
    target = _target(settings, Path())
    shown = caplog.text + repr(target) + repr(RedshiftWarehouse(target)) + str(raised.value)
    assert "hunter2" not in shown
    assert PASSWORD not in shown


def test_what_is_closed_is_closed(door: Door) -> None:
    warehouse = connect(door.settings, Path())
    warehouse.close()
    warehouse.close()
    with pytest.raises(WarehouseError, match="Redshift: the connection is closed"):
        warehouse.run("SELECT 1 AS one")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"host": ""}, "`host` of the warehouse is not said"),
        ({"user": ""}, "`user` of the warehouse is not said"),
        ({"database": ""}, "`database` of the warehouse is not said"),
        ({"port": "54e2"}, "`port` of the warehouse is not a whole number from 1"),
        ({"tls": "perhaps"}, "`tls` of the warehouse is neither true nor false"),
        ({"password_file": "none"}, "the warehouse is to have one of `password` and `password_file`"),
        ({"iam": True}, "`password` of the warehouse does not go with `iam`"),
    ],
)
def test_wrong_settings(door: Door, settings: dict[str, object], message: str) -> None:
    with pytest.raises(WarehouseError) as raised:
        connect({**door.settings, **settings}, Path())
    assert message in str(raised.value)


def test_who_asks_by_iam_says_which_redshift() -> None:
    with pytest.raises(WarehouseError, match="the warehouse does not say which Redshift"):
        connect({"iam": True, "database": DATABASE, "db_user": USER}, Path())


def test_a_setting_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="redshift has no setting `pasword`\n.*`password`"):
        opened(tmp_path, more=", pasword: hunter2").query("watched")


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "redshift_connector", None)
    with pytest.raises(
        MissingDriver, match=r"`redshift-connector` is not installed\s+pip install 'metrics-api\[redshift\]'"
    ):
        connect({}, Path())
