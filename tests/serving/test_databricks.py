"""A project on Databricks, from its definitions to answers, and what is said when something is wrong there.

The driver is Databricks' own; the service at the other end is its protocol, and Sail (tests/on_databricks.py).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import on_databricks
from families.engines import ENGINES
from metrics_api.engines import databricks
from metrics_api.engines.databricks import DatabricksWarehouse, connect
from metrics_api.engines.warehouse import Stop, Stopped
from metrics_api.errors import DefinitionError, MissingDriver, WarehouseError
from metrics_api.serving.project import Project, load_project
from on_databricks import CLIENT, CLIENT_SECRET, TOKEN, Server

pytestmark = [
    pytest.mark.skipif("databricks" not in ENGINES, reason="Databricks is tested by `make test-engines`"),
    # The driver leaves the sockets of answers that broke off to the collector of what is not needed any more.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PROJECT = """
version: 1
project:
  name: shop
  timezone: Europe/Berlin
  as_of: 2026-02-01T00:00
  warehouses:
    here:
      {{type: databricks, host: localhost, port: {port}, http_path: {path}, ca_cert: {ca_cert}, token: {token}{more}}}
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
ROWS = """
SELECT user_id::BIGINT AS user_id, event, "at"::TIMESTAMPTZ AS "at", country, minutes::FLOAT AS minutes,
    price::DECIMAL(12, 2) AS price, extra
FROM (VALUES
    (1, 'watch', '2026-01-05 22:30:00Z', 'DE', 2.5, NULL, '{"plan": {"name": "pro"}}'),
    (2, 'watch', '2026-01-05 23:30:00Z', 'US', 1, NULL, '{"plan": {"name": "free"}}'),
    (1, 'pay', '2026-01-06 09:00:00Z', 'DE', NULL, 12345678.91, '{"plan": null}'),
    (3, 'watch', '2026-01-06 10:00:00Z', 'US', NULL, NULL, NULL),
    (NULL, 'watch', '2026-01-06 10:00:00Z', NULL, 0.25, NULL, '{}'),
    (9, 'watch', '2200-12-31 23:59:59Z', 'US', 100, NULL, '{}')
) AS rows(user_id, event, "at", country, minutes, price, extra)
"""
SLOW = "SELECT COUNT(*) AS n FROM RANGE(400000) AS a CROSS JOIN RANGE(400000) AS b WHERE a.id % 7 = b.id % 5"
QUICK = {"_retry_stop_after_attempts_count": 1, "_retry_delay_min": 0.1, "_retry_delay_max": 5}
"""How often the driver itself tries again."""
INLINE, IN_FILES = "SELECT id FROM RANGE(2500)", "SELECT id FROM RANGE(25000)"


@pytest.fixture
def server() -> Iterator[Server]:
    running = on_databricks.server()
    running.seen.clear()
    yield running
    running.faults.clear()


@pytest.fixture
def warehouse(server: Server) -> Iterator[DatabricksWarehouse]:
    """A connection of one's own."""
    opened = connect(server.settings, Path())
    yield opened
    opened.close()


@pytest.fixture
def folder(server: Server, tmp_path: Path) -> Path:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        table = connection.sql(ROWS).to_arrow_table()
    server.service.put({"app_events": table})
    return written(tmp_path)


def written(folder: Path, **words: str) -> Path:
    at = on_databricks.server()
    usual = {"port": str(at.port), "path": on_databricks.PATH, "ca_cert": str(at.certificate), "token": TOKEN}
    places = {"table": "app_events", "minutes": "minutes", "more": ""}
    (folder / "shop.yml").write_text(PROJECT.format(**{**usual, **places, **words}), "utf-8")
    return folder


def numbers(table: pa.Table) -> list[int]:
    return table["id"].to_pylist()  # type: ignore[no-any-return]


# -- what works -------------------------------------------------------------------------------------------------------


def test_questions_are_answered(folder: Path) -> None:
    project = load_project(folder)
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


def test_sessions_are_in_utc_and_in_ansi_mode(server: Server, warehouse: DatabricksWarehouse) -> None:
    found = warehouse.run("SELECT CAST(TIMESTAMP '2026-01-31 09:00:00' AS STRING) AS a").table
    assert found["a"].to_pylist() == ["2026-01-31 09:00:00"]
    told = server.service.opened[-1].configuration
    assert (told["timezone"], told["ansi_mode"]) == ("UTC", "true")
    assert server.agents == {next(iter(server.agents))}
    assert "(metrics-api)" in next(iter(server.agents))


def test_a_cluster_is_told_the_same_in_its_own_names(server: Server) -> None:
    warehouse = connect({**server.settings, "http_path": on_databricks.CLUSTER}, Path())
    told = server.service.opened[-1].configuration
    assert (told["spark.sql.session.timeZone"], told["spark.sql.ansi.enabled"]) == ("UTC", "true")
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]
    warehouse.close()


def test_a_zone_that_cannot_be_had_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databricks, "_OF_WAREHOUSES", {"ansi_mode": "true"})
    with pytest.raises(WarehouseError, match="sessions are in the zone America/New_York, and cannot be had in UTC"):
        connect(server.settings, Path())


def test_catalog_and_schema_and_tags(server: Server) -> None:
    names = {"catalog": on_databricks.CATALOG, "schema": on_databricks.SCHEMA, "query_tags": True}
    warehouse = connect({**server.settings, **names}, Path())
    asked = server.service.opened[-1]
    assert (asked.initialNamespace.catalogName, asked.initialNamespace.schemaName) == ("main", "analytics")
    assert asked.configuration["query_tags"] == "app:metrics-api"
    warehouse.run("SELECT 1 AS one", tag="watched: a, b")
    assert server.service.last.options.confOverlay["query_tags"] == r"metrics_api:watched\: a\, b"
    warehouse.close()


def test_the_columns_of_a_table(folder: Path, warehouse: DatabricksWarehouse) -> None:
    every = warehouse.columns("app_events")
    assert every is not None
    assert every[:3] == (("user_id", "bigint"), ("event", "string"), ("at", "timestamp"))
    assert every[5:] == (("price", "decimal(12,2)"), ("extra", "string"))
    assert warehouse.columns("app_event") is None


def test_every_type_comes_as_arrow_has_it(warehouse: DatabricksWarehouse) -> None:
    found = warehouse.run(
        "SELECT CAST(1 AS SMALLINT) AS c0, 9223372036854775807 AS c1, CAST(0.5 AS FLOAT) AS c2, "
        "CAST('NaN' AS DOUBLE) AS c3, CAST('12345678901234567890.123456789' AS DECIMAL(38, 9)) AS c4, 'x' AS c5, "
        "TRUE AS c6, DATE '2026-01-31' AS c7, TIMESTAMP_NTZ '2026-01-31 09:00:00.000001' AS c8, "
        "TIMESTAMP '2026-01-31 09:00:00' AS c9, CAST(NULL AS TIMESTAMP) AS c10, '5 %s %' AS c11, ARRAY(1, 2) AS c12"
    ).table
    assert [str(one) for one in found.schema.types] == [
        *("int64", "int64", "double", "double", "decimal128(38, 9)", "string", "bool", "date32[day]"),
        *("timestamp[us]", "timestamp[us, tz=UTC]", "timestamp[us, tz=UTC]", "string", "string"),
    ]
    row = list(found.to_pylist()[0].values())
    assert row[:3] == [1, 2**63 - 1, 0.5]
    assert row[3] != row[3]
    assert row[4:9] == [
        *(Decimal("12345678901234567890.123456789"), "x", True, date(2026, 1, 31)),
        datetime(2026, 1, 31, 9, 0, 0, 1),
    ]
    assert row[9].isoformat() == "2026-01-31T09:00:00+00:00"
    assert row[10:] == [None, "5 %s %", "[1, 2]"]
    nothing = warehouse.run("SELECT 1 AS a, 'x' AS b WHERE 1 = 0").table
    assert (nothing.num_rows, nothing.column_names) == (0, ["a", "b"])


@pytest.mark.parametrize(("sql", "rows", "by"), [(INLINE, 2_500, "FetchResults"), (IN_FILES, 25_000, "download")])
def test_results_in_many_pieces(
    server: Server, warehouse: DatabricksWarehouse, monkeypatch: pytest.MonkeyPatch, sql: str, rows: int, by: str
) -> None:
    found = warehouse.run(sql)
    assert numbers(found.table) == list(range(rows))
    assert found.statement
    assert server.seen[by] > 1
    monkeypatch.setattr(databricks, "_ROWS", 900)
    with warehouse.stream(sql) as stream:
        pieces = list(stream)
    assert [number for piece in pieces for number in numbers(piece)] == list(range(rows))
    assert {piece.num_rows for piece in pieces[:-1]} == {900}


def test_a_small_answer_is_one_request(server: Server, warehouse: DatabricksWarehouse) -> None:
    server.seen.clear()
    warehouse.run("SELECT 1 AS one")
    assert server.seen == {"ExecuteStatement": 1}


def test_what_is_left_half_read_is_closed(server: Server, warehouse: DatabricksWarehouse) -> None:
    before = len(server.service.operations)
    with warehouse.stream(INLINE) as stream:
        next(iter(stream))
        assert len(server.service.operations) == before + 1
    assert len(server.service.operations) == before
    assert warehouse.run("SELECT 1 AS one").table.num_rows == 1


def test_an_estimate_compiles_and_does_not_run(folder: Path, warehouse: DatabricksWarehouse) -> None:
    assert warehouse.estimate(SLOW).rows is None
    with pytest.raises(WarehouseError, match="TABLE_OR_VIEW_NOT_FOUND"):
        warehouse.estimate("SELECT * FROM nowhere")


def test_threads_take_a_session_each_and_leave_it_for_others(server: Server) -> None:
    warehouse = connect({**server.settings, "connections": 3}, Path())
    server.seen.clear()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: warehouse.run(f"SELECT {n} AS n").table["n"][0].as_py(), range(40)))
    assert found == list(range(40))
    assert server.seen["OpenSession"] <= 2
    warehouse.close()
    assert server.seen["CloseSession"] == server.seen["OpenSession"] + 1


def test_a_session_that_the_service_ended_is_replaced(server: Server, warehouse: DatabricksWarehouse) -> None:
    server.service.end_sessions()
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]


# -- who asks ---------------------------------------------------------------------------------------------------------


def test_a_token_in_a_file_is_read_for_each_session(server: Server, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n", "utf-8")
    warehouse = connect({**server.place, "token_file": "token"}, tmp_path)
    server.tokens -= {TOKEN}
    server.tokens.add("renewed")
    try:
        (tmp_path / "token").write_text("renewed\n", "utf-8")
        assert warehouse.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]
    finally:
        server.tokens.add(TOKEN)
        warehouse.close()


def test_a_client_of_oauth(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text(f"{CLIENT_SECRET}\n", "utf-8")
    settings = {**server.place, "client_id": CLIENT, "client_secret_file": "secret", "connections": 2}
    warehouse = connect(settings, tmp_path)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: warehouse.run("SELECT 1"), range(4)))
    assert server.seen["token"] == 1  # One token is enough for all sessions.
    warehouse.close()
    monkeypatch.setattr(server, "token_seconds", 30)
    short = connect(settings, tmp_path)
    before = server.seen["token"]
    server.service.end_sessions()
    short.run("SELECT 1")
    assert server.seen["token"] > before
    short.close()


@pytest.mark.parametrize(
    ("who", "message"),
    [
        ({"token": "hunter2"}, "Databricks: Invalid access token.\n    Check the `token`"),
        (
            {"client_id": CLIENT, "client_secret": "hunter2"},
            "Databricks: OAuth grants no token (401)\n    Check `client_id` and `client_secret` of the warehouse.",
        ),
    ],
)
def test_a_wrong_secret(server: Server, who: dict[str, object], message: str) -> None:
    with pytest.raises(WarehouseError) as raised:
        connect({**server.place, **who}, Path())
    assert message in str(raised.value)
    assert "hunter2" not in str(raised.value)


# -- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"host": "nowhere.invalid"}, "Databricks: there is no host nowhere.invalid\n    Check `host`"),
        ({"port": 1}, "Databricks: no whole answer came from localhost: "),
        ({"http_path": "/sql/1.0/warehouses/gone"}, "The warehouse does not exist.\n    Check `http_path`"),
        ({"schema": "analytcs"}, "[SCHEMA_NOT_FOUND] The schema `analytcs` cannot be found"),
        ({"ca_cert": None}, "Databricks: the certificate of localhost is not trusted\n    Say `ca_cert`."),
    ],
)
def test_no_way_there(server: Server, place: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databricks, "_RETRIES", QUICK)
    settings = {name: value for name, value in {**server.settings, **place}.items() if value is not None}
    with pytest.raises(WarehouseError) as raised:
        connect(settings, Path())
    assert message in str(raised.value)
    assert TOKEN not in str(raised.value)


def test_a_warehouse_that_is_stopped_is_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    # The driver by itself pauses for five seconds at least.
    monkeypatch.setattr(databricks, "_RETRIES", {"_retry_stop_after_attempts_duration": 1})
    monkeypatch.setattr(databricks, "_STARTING", 0.01)
    server.fault("OpenSession", "503", times=3)
    connect(server.settings, Path()).close()
    assert server.seen["OpenSession"] == 4
    server.fault("OpenSession", "503", times=1_000)
    with pytest.raises(WarehouseError, match=r"the warehouse cannot be had \(503\), not in 1 seconds either"):
        connect({**server.settings, "connect_timeout": 1}, Path())


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
    project: Project = load_project(written(folder, **words))
    with pytest.raises(WarehouseError) as raised:
        project.query("watched", start="2026-01-05")
    assert message in str(raised.value)
    project.close()


@pytest.mark.parametrize(
    ("sql", "method", "kind"),
    [
        (INLINE, "ExecuteStatement", "half"),
        (INLINE, "FetchResults", "half"),
        (INLINE, "FetchResults", "drop"),
        (INLINE, "FetchResults", "500"),
        (IN_FILES, "FetchResults", "half"),
        (IN_FILES, "download", "half"),
        (IN_FILES, "download", "drop"),
        (IN_FILES, "download", "403"),
    ],
)
def test_a_connection_that_drops_within_a_result(
    server: Server, warehouse: DatabricksWarehouse, sql: str, method: str, kind: str
) -> None:
    server.fault(method, kind)
    assert numbers(warehouse.run(sql).table) == list(range(2_500 if sql is INLINE else 25_000))
    assert not server.faults


@pytest.mark.parametrize(("sql", "method"), [(INLINE, "FetchResults"), (IN_FILES, "download")])
def test_a_connection_that_keeps_dropping(
    server: Server, monkeypatch: pytest.MonkeyPatch, sql: str, method: str
) -> None:
    monkeypatch.setattr("metrics_api.engines.warehouse.PAUSES", (0.01,))
    monkeypatch.setattr(databricks, "_RETRIES", QUICK)
    warehouse = connect(server.settings, Path())
    server.fault(method, "half", times=1_000)
    with pytest.raises(WarehouseError, match="Databricks: no whole answer came from localhost"):
        warehouse.run(sql)
    server.faults.clear()
    assert warehouse.run("SELECT 1 AS one").table.num_rows == 1
    warehouse.close()


def test_a_stream_that_breaks_off_is_an_error(
    server: Server, warehouse: DatabricksWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databricks, "_ROWS", 900)
    with pytest.raises(WarehouseError, match="no whole answer"), warehouse.stream(INLINE) as stream:
        assert next(iter(stream)).num_rows == 900
        server.fault("FetchResults", "half", times=2)
        list(stream)


def test_a_statement_that_takes_too_long(server: Server) -> None:
    warehouse = connect({**server.settings, "statement_timeout": 3}, Path())
    assert server.service.opened[-1].configuration["statement_timeout"] == "3"
    with pytest.raises(WarehouseError, match="(?s)Statement timed out.*raise `statement_timeout` of the warehouse"):
        warehouse.run(SLOW)
    warehouse.close()


def test_a_statement_that_databricks_does_not_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """On clusters nothing ends it but we."""
    cluster = {"http_path": on_databricks.CLUSTER, "statement_timeout": 1}
    warehouse = connect({**server.settings, **cluster}, Path())
    monkeypatch.setattr(databricks, "_GRACE", 0)  # Not while it connects, which may take longer here.
    cancelled = len(server.service.cancelled)
    with pytest.raises(WarehouseError, match="the statement took more than 1 seconds and was ended"):
        warehouse.run(SLOW)
    assert len(server.service.cancelled) == cancelled + 1
    warehouse.close()


@pytest.mark.parametrize("late", [0.0, 0.6])
def test_a_statement_is_cancelled_when_nobody_waits(
    server: Server, warehouse: DatabricksWarehouse, late: float
) -> None:
    """Before Databricks has said what it is called, and while the driver asks how it is doing."""
    stop, cancelled = Stop(), len(server.service.cancelled)

    def end() -> None:
        wait_for(lambda: server.seen["ExecuteStatement"] > 1)
        time.sleep(late)
        stop.now()

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(Stopped):
        warehouse.run(SLOW, stop=stop)
    thread.join()
    assert len(server.service.cancelled) == cancelled + 1
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]


def test_a_statement_that_somebody_else_cancels_is_no_empty_answer(
    server: Server, warehouse: DatabricksWarehouse
) -> None:
    def end() -> None:
        wait_for(lambda: server.seen["ExecuteStatement"] > 1)
        server.service.cancel_all()

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(WarehouseError, match="Databricks: "):
        warehouse.run(SLOW)
    thread.join()


def wait_for(true: Any, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_what_databricks_refuses_is_told_on_one_line(folder: Path, warehouse: DatabricksWarehouse) -> None:
    with pytest.raises(WarehouseError, match=r"^Databricks: [^\n]*nothing_there[^\n]*$"):
        warehouse.run("SELECT nothing_there FROM app_events")


def test_what_is_closed_is_closed(warehouse: DatabricksWarehouse) -> None:
    warehouse.close()
    warehouse.close()
    with pytest.raises(WarehouseError, match="Databricks: the connection is closed"):
        warehouse.run("SELECT 1")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"host": None}, "`host` of the warehouse is not said"),
        ({"http_path": None}, "`http_path` of the warehouse is not said"),
        ({"host": "https://x.cloud.example.com/"}, "`host` of the warehouse is no name of a host"),
        ({"port": "54e2"}, "`port` of the warehouse is not a whole number from 1"),
        ({"token": None}, "the warehouse does not say how to log in"),
        ({"client_id": "me"}, "the warehouse is given `token` and `client_id`"),
        ({"token": None, "client_id": "me"}, "`client_id` of the warehouse needs `client_secret`, or"),
        ({"query_tags": "perhaps"}, "`query_tags` of the warehouse is neither true nor false"),
        ({"token": None, "token_file": "none"}, "`token_file` of the warehouse: none cannot be read: No such file"),
        ({"ca_cert": "none"}, "`ca_cert` of the warehouse: none cannot be read: No such file"),
    ],
)
def test_wrong_settings(server: Server, settings: dict[str, object], message: str) -> None:
    said = {name: value for name, value in {**server.settings, **settings}.items() if value is not None}
    with pytest.raises(WarehouseError) as raised:
        connect(said, Path())
    assert message in str(raised.value)


def test_a_setting_that_is_not_there(folder: Path) -> None:
    with pytest.raises(DefinitionError, match="databricks has no setting `tokn`\n.*`token`"):
        load_project(written(folder, more=", tokn: hunter2")).query("watched")


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "databricks.sql", None)
    with pytest.raises(
        MissingDriver, match=r"`databricks-sql-connector` is not installed\s+pip install 'metrics-api\[databricks\]'"
    ):
        connect({}, Path())


def test_secrets_are_not_shown(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    by_token = connect(server.settings, Path())
    by_client = connect({**server.place, "client_id": CLIENT, "client_secret": CLIENT_SECRET}, Path())
    server.fault("ExecuteStatement", "401", times=2)
    with pytest.raises(WarehouseError) as raised:
        by_client.run("SELECT 1")
    shown = caplog.text + str(raised.value)
    for warehouse in (by_token, by_client):
        shown += repr(warehouse) + repr(warehouse._target)
        warehouse.close()
    assert "metrics-api" in shown
    for hidden in (TOKEN, CLIENT_SECRET, "oauth-t0ken"):
        assert hidden not in shown
