"""A project on Trino, from its definitions to answers, and what is said when something is wrong there.

The driver is Trino's own. The server speaks its protocol, and computes by DuckDB what Trino's documentation says.
"""

from __future__ import annotations

import json
import logging
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

import on_trino
from families.engines import ENGINES
from metrics_api.engines.trino import TrinoWarehouse, _table, _target, connect
from metrics_api.engines.warehouse import Cost, Stop, Stopped
from metrics_api.errors import DefinitionError, MissingDriver, WarehouseError
from metrics_api.serving.project import Project, load_project
from on_trino import PASSWORD, TOKEN, USER, Faults, Server

pytestmark = pytest.mark.skipif("trino" not in ENGINES, reason="Trino is tested by `make test-engines`")

PROJECT = """
version: 1
project:
  name: shop
  timezone: Europe/Berlin
  as_of: 2026-02-01T00:00
  warehouses:
    here: {{type: trino, host: 127.0.0.1, port: {port}, user: tester, catalog: lake, schema: analytics{more}}}
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
CREATE OR REPLACE TABLE lake.analytics.app_events AS SELECT
    CAST(user_id AS VARCHAR) AS user_id, event, CAST(happened AS {time}) AS "at", country,
    CAST(minutes AS FLOAT) AS minutes, CAST(price AS DECIMAL(12, 2)) AS price, extra
FROM (VALUES
    (1, 'watch', '2026-01-05 22:30:00', 'DE', 2.5, NULL, '{{"plan": {{"name": "pro"}}}}'),
    (2, 'watch', '2026-01-05 23:30:00', 'US', 1, NULL, '{{"plan": {{"name": "free"}}}}'),
    (1, 'pay', '2026-01-06 09:00:00', 'DE', NULL, 12345678.91, '{{"plan": null}}'),
    (3, 'watch', '2026-01-06 10:00:00', 'US', NULL, NULL, NULL),
    (NULL, 'watch', '2026-01-06 10:00:00', NULL, 0.25, NULL, '{{}}'),
    (9, 'watch', '2200-12-31 23:59:59', 'US', 100, NULL, '{{}}')
) AS rows(user_id, event, happened, country, minutes, price, extra)
"""
MANY = "SELECT n FROM UNNEST(SEQUENCE(DATE '2000-01-01', DATE '2025-12-31', INTERVAL '1' DAY)) AS days(n)"
SLOW = (
    "SELECT COUNT(*) AS n FROM UNNEST(SEQUENCE(DATE '2000-01-01', DATE '2025-12-31', INTERVAL '1' DAY)) AS a(x) "
    + " ".join(
        f"CROSS JOIN UNNEST(SEQUENCE(DATE '2000-01-01', DATE '2025-12-31', INTERVAL '1' DAY)) AS {one}(x)"
        for one in ("b", "c", "d")
    )
    + " WHERE a.x < b.x AND c.x > d.x"
)


@pytest.fixture(scope="module", params=["TIMESTAMP", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMPTZ"])
def time_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def faults() -> Iterator[Faults]:
    """What the server does wrong in a test, and in no other."""
    serving = on_trino.server()
    serving.faults = Faults()
    serving.seen.clear()
    yield serving.faults
    serving.faults = Faults()


@pytest.fixture
def warehouse() -> TrinoWarehouse:
    return on_trino.warehouse()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path)


def written(folder: Path, **words: str) -> Path:
    usual = {"port": str(on_trino.server().port), "table": "app_events", "minutes": "minutes", "more": ""}
    (folder / "shop.yml").write_text(PROJECT.format(**{**usual, **words}), "utf-8")
    return folder


def made(time_type: str = "TIMESTAMP") -> None:
    with on_trino.server().cursor() as cursor:
        cursor.execute(TABLE.format(time=time_type))


def opened(folder: Path, **words: str) -> Project:
    made()
    return load_project(written(folder, **words))


def asked(path: str = "/v1/statement") -> list[dict[str, str]]:
    """The headers of the requests for a path."""
    return [dict(headers) for _, seen, headers in on_trino.server().seen if seen.startswith(path)]


def cancelled() -> list[str]:
    return [path for method, path, _ in on_trino.server().seen if method == "DELETE"]


# -- what works -------------------------------------------------------------------------------------------------------


def test_questions_are_answered(folder: Path, time_type: str) -> None:
    made(time_type)
    project = load_project(folder)
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


def test_what_a_statement_is_sent_with(folder: Path) -> None:
    project = opened(
        folder,
        more=", role: analyst, client_tags: [bi, daily], session_properties: {join_distribution_type: PARTITIONED, "
        "spill_enabled: true}, statement_timeout: 90",
    )
    project.warehouse().run("SELECT 1 AS one", tag="watched")
    sent = asked()[-3]
    assert {name: sent[f"X-Trino-{name}"] for name in ("User", "Catalog", "Schema", "Time-Zone", "Source")} == {
        "User": USER,
        "Catalog": "lake",
        "Schema": "analytics",
        "Time-Zone": "UTC",
        "Source": "metrics-api",
    }
    assert sent["X-Trino-Client-Tags"] == "bi,daily"
    assert sent["X-Trino-Client-Info"] == "watched"
    assert sent["X-Trino-Role"] == "system=ROLE%7Banalyst%7D"
    assert sent["X-Trino-Session"].split(",") == [
        "join_distribution_type=PARTITIONED",
        "spill_enabled=true",
        "query_max_run_time=90s",
    ]
    project.close()


def test_the_columns_of_a_table(warehouse: TrinoWarehouse) -> None:
    made("TIMESTAMPTZ")
    assert warehouse.columns("app_events") == (
        *(("user_id", "varchar"), ("event", "varchar"), ("at", "timestamp(6) with time zone")),
        *(("country", "varchar"), ("minutes", "real"), ("price", "decimal(12,2)"), ("extra", "varchar")),
    )
    assert warehouse.columns('lake.analytics."app_events"') == warehouse.columns("app_events")
    assert warehouse.columns("app_event") is None


def test_every_type_comes_as_arrow_has_it(warehouse: TrinoWarehouse) -> None:
    found = warehouse.run(
        "SELECT CAST(1 AS SMALLINT) AS c0, 9223372036854775807 AS c1, CAST(0.5 AS REAL) AS c2, "
        "CAST('NaN' AS DOUBLE) AS c3, CAST('12345678901234567890.123456789' AS DECIMAL(38, 9)) AS c4, 'x' AS c5, "
        "TRUE AS c6, DATE '2026-01-31' AS c7, TIMESTAMP '2026-01-31 09:00:00.000001' AS c8, "
        "CAST(NULL AS TIMESTAMP) AS c9, ARRAY[1, 2] AS c10, '5 %s ü' AS c11, CAST('-Infinity' AS DOUBLE) AS c12"
    ).table
    assert [str(one) for one in found.schema.types] == [
        *("int64", "int64", "double", "double", "decimal128(38, 9)", "string", "bool", "date32[day]"),
        *("timestamp[us]", "timestamp[us]", "string", "string", "double"),
    ]
    row = list(found.to_pylist()[0].values())
    assert row[:3] == [1, 2**63 - 1, 0.5]
    assert row[3] != row[3]
    assert row[4:9] == [
        *(Decimal("12345678901234567890.123456789"), "x", True, date(2026, 1, 31)),
        datetime(2026, 1, 31, 9, 0, 0, 1),
    ]
    assert row[9:] == [None, "[1, 2]", "5 %s ü", float("-inf")]
    nothing = warehouse.run("SELECT 1 AS a, 'x' AS b WHERE 1 = 0").table
    assert (nothing.num_rows, nothing.column_names) == (0, ["a", "b"])
    assert [str(one) for one in nothing.schema.types] == ["int64", "string"]


@pytest.mark.parametrize(
    ("type_", "written", "at"),
    [
        ("timestamp(0)", "2026-03-29 01:30:00", datetime(2026, 3, 29, 1, 30)),
        ("timestamp(3)", "2026-03-29 01:30:00.123", datetime(2026, 3, 29, 1, 30, 0, 123_000)),
        ("timestamp(9)", "1969-12-31 23:59:59.123456789", datetime(1969, 12, 31, 23, 59, 59, 123_456)),
        ("timestamp(12)", "2026-03-29 01:30:00.999999999999", datetime(2026, 3, 29, 1, 30, 0, 999_999)),
        ("timestamp(3) with time zone", "2026-03-29 01:30:00.000 UTC", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        (
            "timestamp(12) with time zone",
            "2026-03-29 03:30:00.123456789012 Europe/Berlin",
            datetime(2026, 3, 29, 1, 30, 0, 123_456, tzinfo=UTC),
        ),
        ("timestamp(0) with time zone", "2026-03-29 01:30:00 -05:30", datetime(2026, 3, 29, 7, tzinfo=UTC)),
        ("decimal(38,0)", "-99999999999999999999999999999999999999", Decimal(-(10**38) + 1)),
        ("char(3)", "x  ", "x  "),
        ("varchar(5)", "x", "x"),
        ("json", '{"a":1}', '{"a":1}'),
        ("map(varchar, bigint)", {"ü": 1}, '{"ü": 1}'),
        ("row(a bigint, b timestamp(3) with time zone)", [1, "x"], '[1, "x"]'),
        ("unknown", None, None),
    ],
)
def test_what_comes_over_the_wire(type_: str, written: object, at: object) -> None:
    table = _table([{"name": "a", "type": type_}], [[written], [None]])
    assert table["a"].to_pylist() == [at, None]


def test_rows_come_in_pieces(warehouse: TrinoWarehouse, faults: Faults) -> None:
    faults.rows = 2_500
    with warehouse.stream(MANY.replace("DATE '2025-12-31'", "DATE '2026-12-31'")) as stream:
        pieces = [piece.num_rows for piece in stream]
        assert pieces == [9_862]
    with warehouse.stream(f"{MANY} UNION ALL {MANY}") as stream:
        assert [piece.num_rows for piece in stream] == [10_000, 8_994]
        assert stream.read.rows == 18_994
        assert stream.statement is not None
        assert stream.statement.endswith("_tests")
    assert cancelled() == []


def test_a_stream_that_is_left_is_ended(warehouse: TrinoWarehouse, faults: Faults) -> None:
    faults.rows = 1_000
    with warehouse.stream(f"{MANY} UNION ALL {MANY}") as stream:
        next(iter(stream))
    assert len(cancelled()) == 1


def test_what_was_read_is_told(warehouse: TrinoWarehouse) -> None:
    done = warehouse.run(MANY)
    assert done.table.num_rows == 9_497
    assert done.read == Cost(9_497, 949_700)


def test_what_a_statement_would_read(warehouse: TrinoWarehouse) -> None:
    made()
    assert warehouse.estimate("SELECT COUNT(*) AS n FROM app_events") == Cost(6, 600)
    with pytest.raises(WarehouseError, match=r"Table 'lake\.analytics\.app_event' does not exist"):
        warehouse.estimate("SELECT COUNT(*) AS n FROM app_event")


def test_many_threads_ask_at_once(warehouse: TrinoWarehouse) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: warehouse.run(f"SELECT {n} AS n").table["n"][0].as_py(), range(40)))
    assert found == list(range(40))


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_passes_is_asked_again(warehouse: TrinoWarehouse, faults: Faults, status: int) -> None:
    faults.status = [status, 0, status]
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]


def test_a_statement_whose_worker_is_gone_is_asked_again(warehouse: TrinoWarehouse, faults: Faults) -> None:
    faults.page = {0: "error once"}
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]
    assert len([path for method, path, _ in on_trino.server().seen if method == "POST"]) == 2


# -- who asks ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for this machine, signed by itself, and its key beside it."""
    pytest.importorskip("cryptography")
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    (folder / "ca.pem").write_bytes(signed.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "ca.pem"


@pytest.fixture(scope="module")
def guarded(certificate: Path) -> Server:
    """A server that wants to know who asks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return on_trino.started(Server(context))


@pytest.mark.parametrize("secret", [{"password": PASSWORD}, {"token": TOKEN}, {"token_file": "token"}])
def test_ways_to_log_in(guarded: Server, certificate: Path, secret: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n", "utf-8")
    warehouse = connect({**guarded.settings, "ca_cert": str(certificate), **secret}, tmp_path)
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]
    warehouse.close()


def test_a_renewed_token_is_the_next_one_sent(guarded: Server, certificate: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN, "utf-8")
    warehouse = connect({**guarded.settings, "ca_cert": str(certificate), "token_file": "token"}, tmp_path)
    (tmp_path / "token").write_text("one-that-ended", "utf-8")
    with pytest.raises(WarehouseError, match="401"):
        warehouse.run("SELECT 1 AS one")
    (tmp_path / "token").write_text(TOKEN, "utf-8")
    assert warehouse.run("SELECT 1 AS one").table.num_rows == 1
    warehouse.close()


@pytest.mark.parametrize("secret", [{"password": "hunter2"}, {"token": "hunter2"}])
def test_wrong_secrets(
    guarded: Server, certificate: Path, secret: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = {**guarded.settings, "ca_cert": str(certificate), **secret}
    with pytest.raises(WarehouseError) as raised:
        connect(settings, Path())
    assert str(raised.value) == (
        "Trino: error 401: Unauthorized\n    Check `user` and the password or token of the warehouse."
    )
    target = _target(settings, Path())
    assert "hunter2" not in caplog.text + repr(target) + repr(TrinoWarehouse(target)) + str(raised.value)


def test_a_certificate_that_nobody_vouches_for(guarded: Server) -> None:
    with pytest.raises(WarehouseError, match=r"Trino: https://127\.0\.0\.1:\d+ cannot be reached: its certificate"):
        connect({**guarded.settings, "password": PASSWORD}, Path())


def test_certificates_need_not_be_verified(guarded: Server) -> None:
    with pytest.warns(match="Unverified HTTPS request"):
        connect({**guarded.settings, "password": PASSWORD, "verify": False}, Path()).close()


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
    with pytest.raises(WarehouseError) as raised:
        opened(folder, **words).query("watched", start="2026-01-05")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT a FROM nothing_there", "Trino: line 1:15: Table 'lake.analytics.nothing_there' does not exist"),
        ("SELECT nothing_there FROM app_events", "Column 'nothing_there' cannot be resolved (COLUMN_NOT_FOUND)"),
        ("SELECT MEDIAN(1) AS a", "(FUNCTION_NOT_FOUND)"),
        ("SELECT 1 FROM", "(SYNTAX_ERROR)"),
        ("SELECT SUM(a) AS a FROM (VALUES (9223372036854775807), (1)) AS t(a)", "(NUMERIC_VALUE_OUT_OF_RANGE)"),
        ("SELECT CAST('x' AS BIGINT) AS a", "(INVALID_CAST_ARGUMENT)"),
    ],
)
def test_what_trino_refuses_is_told_on_one_line(warehouse: TrinoWarehouse, sql: str, message: str) -> None:
    made()
    with pytest.raises(WarehouseError) as raised:
        warehouse.run(sql)
    first = str(raised.value).split("\n")[0]
    assert first.startswith("Trino: ")
    assert message in first


@pytest.mark.parametrize("how", ["error", "drop", "cut"])
@pytest.mark.parametrize("page", [0, 2, 9])
def test_rows_come_all_or_not_at_all(
    warehouse: TrinoWarehouse, faults: Faults, how: str, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metrics_api.engines.warehouse.PAUSES", ())
    monkeypatch.setattr("metrics_api.engines.trino._ATTEMPTS", 1)
    faults.page = {page: how}
    with pytest.raises(WarehouseError, match="REMOTE_TASK_ERROR|it ended the connection"):
        warehouse.run(MANY)


def test_a_page_that_is_lost_is_asked_for_again(warehouse: TrinoWarehouse, faults: Faults) -> None:
    faults.page = {3: "drop once"}
    assert warehouse.run(MANY).table.num_rows == 9_497


def test_a_statement_that_takes_too_long() -> None:
    warehouse = connect({**on_trino.server().settings, "statement_timeout": 1}, Path())
    with pytest.raises(WarehouseError) as raised:
        warehouse.run(SLOW)
    assert str(raised.value) == (
        "Trino: the statement took more than 1 seconds and was ended\n"
        "    Ask for less, or raise `statement_timeout` of the warehouse."
    )
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]
    warehouse.close()


def test_a_statement_is_cancelled_at_trino(warehouse: TrinoWarehouse) -> None:
    stop = Stop()
    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(warehouse.run, SLOW, stop=stop)
        _until(lambda: on_trino.server().running())
        (statement,) = on_trino.server().running()
        stop.now()
        with pytest.raises(Stopped):
            asking.result(30)
    assert statement.done.wait(30)
    assert statement.ended == "USER_CANCELED"
    assert [path.split("/")[-2] for path in cancelled()].count(statement.id) >= 1


def test_what_is_stopped_before_is_not_sent(warehouse: TrinoWarehouse) -> None:
    stop = Stop()
    stop.now()
    with pytest.raises(Stopped):
        warehouse.run("SELECT 1 AS one", stop=stop)
    assert asked() == []


def _until(holds: object, seconds: float = 30) -> None:
    assert callable(holds)
    waiting = threading.Event()
    for _ in range(int(seconds * 100)):
        if holds():
            return
        waiting.wait(0.01)
    raise AssertionError("it never was so")


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (
            {"host": "nowhere.invalid"},
            "Trino: http://nowhere.invalid:8080 cannot be reached: there is no host of that name",
        ),
        ({"port": 1}, "Trino: http://127.0.0.1:1 cannot be reached: the connection is refused"),
    ],
)
def test_no_server(place: dict[str, object], message: str) -> None:
    with pytest.raises(WarehouseError) as raised:
        connect({"host": "127.0.0.1", "user": "me", **place}, Path())
    assert str(raised.value).split("\n")[0] == message


def test_a_server_that_is_no_trino(faults: Faults) -> None:
    faults.status = [404]
    with pytest.raises(WarehouseError, match="what is there is no Trino"):
        connect(on_trino.server().settings, Path())


def test_what_is_closed_is_closed() -> None:
    warehouse = connect(on_trino.server().settings, Path())
    warehouse.close()
    warehouse.close()
    with pytest.raises(WarehouseError, match="Trino: the connection is closed"):
        warehouse.run("SELECT 1 AS one")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"host": ""}, "`host` of the warehouse is not said"),
        ({"user": ""}, "`user` of the warehouse is not said"),
        ({"port": "54e2"}, "`port` of the warehouse is not a whole number from 1"),
        ({"tls": "perhaps"}, "`tls` of the warehouse is neither true nor false"),
        ({"password": "x", "token": "y"}, "the warehouse is given `password` and `token`"),
        ({"password": "x", "tls": False}, "`password` of the warehouse is not sent without TLS"),
        ({"token_file": "none"}, "`token_file` of the warehouse: none cannot be read: No such file or directory"),
        ({"ca_cert": "none"}, "`ca_cert` of the warehouse: there is no file none"),
        ({"client_cert": "none"}, "`client_cert` of the warehouse: there is no file none"),
        ({"session_properties": "x"}, "`session_properties` of the warehouse are not names with values"),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(WarehouseError) as raised:
        connect({**on_trino.server().settings, **settings}, Path())
    assert message in str(raised.value)


def test_a_setting_that_is_not_there(folder: Path) -> None:
    with pytest.raises(DefinitionError, match="trino has no setting `pasword`\n.*`password`"):
        opened(folder, more=", pasword: hunter2").query("watched")


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "trino.client", None)
    with pytest.raises(MissingDriver, match=r"`trino` is not installed\s+pip install 'metrics-api\[trino\]'"):
        connect({}, Path())


def test_sums_of_estimates_with_gaps() -> None:
    from metrics_api.engines.trino import _total

    assert _total(json.loads('[{"a": 5.0}, {"a": 7}]'), "a") == 12
    assert _total(json.loads('[{"a": 5.0}, {"a": "NaN"}]'), "a") is None
    assert _total([], "a") == 0
