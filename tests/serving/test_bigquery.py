"""A project on BigQuery, from its definitions to answers, and what is said when something is wrong there.

The driver is the real one, Google's; BigQuery is a server of the tests that speaks its protocol over ZetaSQL
(tests/bigquery_server.py), and another one the Storage API's (tests/bigquery_storage.py).
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

import on_bigquery
from families.engines import ENGINES
from graphql_schema.asking import ask as ask_graphql
from metrics_api.cli.main import app
from metrics_api.engines.bigquery import BigQueryWarehouse, JobCost, connect
from metrics_api.engines.warehouse import MayPass, Stop, Stopped
from metrics_api.errors import MissingDriver, WarehouseError
from metrics_api.graphql_schema.schema import build_schema
from metrics_api.serving.project import Project, load_project

pytestmark = pytest.mark.skipif("bigquery" not in ENGINES, reason="BigQuery is tested by `make test-engines`")

PROJECT = """
version: 1
project:
  name: shop
  timezone: Europe/Berlin
  as_of: 2026-02-01T00:00
  warehouses:
    big:
      type: bigquery
      project: {project}
      dataset: {dataset}
      endpoint: {endpoint}
      token: "${{SHOP_TOKEN}}"
      statement_timeout: 60
{more}
sources:
  app:
    table: {table}
    time: at
    partition: day
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
TOKEN = "ya29.t0ken-of-tester"
COLUMNS = [
    *(("user_id", "INT64"), ("event", "STRING"), ("at", "TIMESTAMP"), ("day", "DATE"), ("country", "STRING")),
    *(("minutes", "NUMERIC"), ("price", "NUMERIC"), ("extra", "JSON"), ("order", "FLOAT64")),
]


def instant(text: str) -> object:
    return on_bigquery._written(datetime.fromisoformat(text))


def row(who: int | None, event: str, at: str, *more: object) -> list[object]:
    return [who, event, instant(at), on_bigquery._written(datetime.fromisoformat(at).date()), *more, None]


ROWS = [
    row(1, "watch", "2026-01-05 22:30", "DE", "2.5", None, '{"plan": {"name": "pro"}}'),
    row(2, "watch", "2026-01-05 23:30", "US", "1", None, '{"plan": {"name": "free"}}'),
    row(1, "pay", "2026-01-06 09:00", "DE", None, "12345678.91", '{"plan": null}'),
    row(3, "watch", "2026-01-06 10:00", "US", None, None, None),
    row(None, "watch", "2026-01-06 10:00", None, "0.25", None, "{}"),
    row(9, "watch", "9999-12-31 23:59:59", "US", "100", None, "{}"),
]
ONE = [{"one": 1}]


@pytest.fixture(autouse=True)
def _server() -> Iterator[None]:
    server = on_bigquery.server()
    tables = {"app_events": {"columns": COLUMNS, "rows": ROWS}}
    server.tell("tables", {"project": on_bigquery.PROJECT, "dataset": on_bigquery.DATASET, "tables": tables})
    server.tell("forget", {})
    yield
    server.tell("tokens", {"tokens": []})
    server.tell("faults", {"faults": []})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    on_bigquery.server().tell("tokens", {"tokens": [TOKEN]})
    return written(tmp_path)


@pytest.fixture
def opened_one() -> Iterator[BigQueryWarehouse]:
    """A connection of one's own."""
    warehouse = connected()
    on_bigquery.server().tell("forget", {})
    yield warehouse
    warehouse.close()


def written(folder: Path, **words: str) -> Path:
    where = {key: str(value) for key, value in on_bigquery.server().settings.items()}
    usual = {**where, "table": "app_events", "minutes": "minutes", "more": ""}
    (folder / "shop.yml").write_text(PROJECT.format(**{**usual, **words}), "utf-8")
    return folder


def opened(folder: Path, **words: str) -> Project:
    return load_project(written(folder, **words))


def run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(args), prog_name="metrics-api")
    return result.exit_code, result.output


def connected(folder: Path = Path(), **words: object) -> BigQueryWarehouse:
    return connect({**on_bigquery.server().settings, **words}, folder)


def heard(on: str | None = None) -> list[Any]:
    return [one for one in on_bigquery.server().tell("heard") if on is None or one["on"] == on]


def breaks(*faults: dict[str, object]) -> None:
    on_bigquery.server().tell("faults", {"faults": faults})


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
    code, said = run("validate", "--project", str(folder), "--warehouse", "big")
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


@pytest.mark.parametrize("table", ["{dataset}.app_events", "{project}.{dataset}.app_events"])
def test_a_table_may_be_named_with_its_dataset_and_project(folder: Path, table: str) -> None:
    named = table.format(project=on_bigquery.PROJECT, dataset=on_bigquery.DATASET)
    project = opened(folder, table=named)
    assert project.query("watched", start="2026-01-05", end="2026-01-06")["value"].to_pylist() == [2.5, 1.25]
    assert project.warehouse().columns(named) is not None
    project.close()


def test_a_job_is_told_what_the_settings_say(folder: Path) -> None:
    more = "\n".join(
        f"      {line}"
        for line in ("location: EU", "priority: batch", "maximum_bytes_billed: 1000000000", "labels: {team: growth}")
    )
    project = opened(folder, more=more)
    project.query("watched", start="2026-01-05", end="2026-01-06")
    sent = heard("insert")[-1]
    assert sent["authorization"] == f"Bearer {TOKEN}"
    assert sent["body"]["jobReference"]["location"] == "EU"
    told = sent["body"]["configuration"]
    assert told["labels"] == {"application": "metrics-api", "team": "growth", "tag": "watched"}
    assert int(told["jobTimeoutMs"]) == 60_000
    query = told["query"]
    assert query.pop("query").startswith("/* metrics-api metric=watched fingerprint=")
    assert query == {
        "defaultDataset": {"projectId": on_bigquery.PROJECT, "datasetId": on_bigquery.DATASET},
        "maximumBytesBilled": "1000000000",
        "priority": "BATCH",
        "useLegacySql": False,
    }
    project.close()


def test_the_same_question_is_the_same_text(folder: Path) -> None:
    texts = []
    for _ in range(2):
        project = opened(folder)
        project.query("active", start="2026-01-05", end="2026-01-06", by="country")
        texts.append(heard("insert")[-1]["body"]["configuration"]["query"]["query"])
        project.close()
    assert texts[0] == texts[1]
    assert not any(word in texts[0].upper() for word in ("CURRENT_", "RAND(", "UUID"))  # Kept answers are used.


def test_a_tag_is_a_label(opened_one: BigQueryWarehouse) -> None:
    opened_one.run("SELECT 1 AS one", tag="metric=Größe of Things, " + "x" * 80)
    label = heard("insert")[-1]["body"]["configuration"]["labels"]["tag"]
    assert label == ("metric_größe_of_things__" + "x" * 80)[:63]


def test_what_a_statement_costs_is_told(opened_one: BigQueryWarehouse) -> None:
    size = len(COLUMNS) * len(ROWS) * 8
    assert opened_one.estimate("SELECT COUNT(*) AS n FROM app_events") == JobCost(bytes=size)
    assert heard("insert")[-1]["body"]["configuration"]["dryRun"] is True
    done = opened_one.run("SELECT COUNT(*) AS n FROM app_events")
    assert done.table.to_pylist() == [{"n": len(ROWS)}]
    assert done.read == JobCost(None, size, 10 << 20, 0.007)
    assert done.statement == heard("insert")[-1]["body"]["jobReference"]["jobId"]
    with pytest.raises(WarehouseError, match="BigQuery: Unrecognized name: nothing_there"):
        opened_one.estimate("SELECT nothing_there")


def test_the_columns_of_a_table(opened_one: BigQueryWarehouse) -> None:
    every = opened_one.columns("app_events")
    assert every == tuple(COLUMNS)
    assert opened_one.columns(f"{on_bigquery.DATASET}.app_events") == every
    assert opened_one.columns(f'"{on_bigquery.PROJECT}".{on_bigquery.DATASET}.app_events') == every
    assert opened_one.columns("app_event") is opened_one.columns("elsewhere.app_events") is None
    anywhere = connected(dataset=f"other-project.{on_bigquery.DATASET}")
    assert anywhere.columns("app_events") is None
    anywhere.close()


def test_the_version_of_a_table_changes_with_its_rows(opened_one: BigQueryWarehouse) -> None:
    def put(*rows: str) -> None:
        names = ("loads", "loads_view", "loads_streaming", "loads_*")
        tables = {name: {"columns": [("id", "STRING")], "rows": [[one] for one in rows]} for name in names}
        place = {"project": on_bigquery.PROJECT, "dataset": on_bigquery.DATASET}
        on_bigquery.server().tell("tables", {**place, "tables": tables})

    put("a")
    first = opened_one.version("loads")
    assert first is not None
    assert opened_one.version("loads") == opened_one.version(f"{on_bigquery.DATASET}.loads") == first
    put("b")
    assert opened_one.version("loads") not in (first, None)
    # A view tells when it was written, and of rows that stream in nothing is known.
    for name in ("loads_view", "loads_streaming", "loads_*", "nothing_there", "elsewhere.loads"):
        assert opened_one.version(name) is None, name


def test_columns_that_tables_have_by_how_they_are_kept(opened_one: BigQueryWarehouse) -> None:
    tables = {name: {"columns": COLUMNS[:1], "rows": []} for name in ("loads_by_arrival", "events_*")}
    on_bigquery.server().tell(
        "tables", {"project": on_bigquery.PROJECT, "dataset": on_bigquery.DATASET, "tables": tables}
    )
    days = (("_PARTITIONTIME", "TIMESTAMP"), ("_PARTITIONDATE", "DATE"))
    assert opened_one.columns("loads_by_arrival") == (("user_id", "INT64"), *days)
    assert opened_one.columns("shop.events_*") == (("user_id", "INT64"), ("_TABLE_SUFFIX", "STRING"))


def test_every_type_comes_as_arrow_has_it(opened_one: BigQueryWarehouse) -> None:
    found = opened_one.run(
        "SELECT 9223372036854775807 AS c0, 0.1 AS c1, CAST('NaN' AS FLOAT64) AS c2, CAST('-inf' AS FLOAT64) AS c3, "
        "NUMERIC '12345678901234567890.123456789' AS c4, BIGNUMERIC '1e-38' AS c5, 'x' AS c6, TRUE AS c7, "
        "DATE '2026-01-31' AS c8, TIMESTAMP '2026-01-31 09:00:00.000001+00' AS c9, "
        "DATETIME '2026-01-31 09:00:00' AS c10, TIMESTAMP '9999-12-31 23:59:59+00' AS c11, "
        "CAST(NULL AS TIMESTAMP) AS c12, JSON '{\"a\": 1}' AS c13"
    ).table
    assert [str(one) for one in found.schema.types] == [
        *("int64", "double", "double", "double", "decimal128(38, 9)", "decimal256(76, 38)", "string", "bool"),
        *("date32[day]", "timestamp[us, tz=UTC]", "timestamp[us]", "timestamp[us, tz=UTC]", "timestamp[us, tz=UTC]"),
        "string",
    ]
    row = list(found.to_pylist()[0].values())
    assert row[:2] == [2**63 - 1, 0.1]
    assert row[2] != row[2]
    assert row[3:9] == [
        *(float("-inf"), Decimal("12345678901234567890.123456789"), Decimal("1e-38"), "x", True, date(2026, 1, 31)),
    ]
    assert row[9].isoformat() == "2026-01-31T09:00:00.000001+00:00"
    assert row[10] == datetime(2026, 1, 31, 9)
    assert row[11].isoformat() == "9999-12-31T23:59:59+00:00"
    assert row[12] is None
    assert json.loads(row[13]) == {"a": 1}


def test_no_rows_have_columns_all_the_same(opened_one: BigQueryWarehouse) -> None:
    nothing = opened_one.run("SELECT * FROM (SELECT 1 AS a, NUMERIC '1.5' AS b, 'x' AS c) WHERE FALSE").table
    assert nothing.num_rows == 0
    assert [str(one) for one in nothing.schema.types] == ["int64", "decimal128(38, 9)", "string"]


def test_many_threads_ask_at_once(opened_one: BigQueryWarehouse) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: opened_one.run(f"SELECT {n} AS n").table["n"][0].as_py(), range(40)))
    assert found == list(range(40))


# -- long answers -----------------------------------------------------------------------------------------------------

MANY = (
    "SELECT n, CAST(n AS STRING) AS text, NUMERIC '0.5' AS price, TIMESTAMP_SECONDS(n) AS seen"
    " FROM (SELECT 2400 * a + b AS n FROM UNNEST(GENERATE_ARRAY(0, 4)) AS a, UNNEST(GENERATE_ARRAY(1, 2400)) AS b)"
    " ORDER BY n"
)


def many(table: pa.Table) -> None:
    assert [str(one) for one in table.schema.types] == [
        *("int64", "string", "decimal128(38, 9)", "timestamp[us, tz=UTC]"),
    ]
    assert table["n"].to_pylist() == list(range(1, 12_001))
    assert table["text"][11_999].as_py() == "12000"


def test_long_answers_come_by_the_storage_api() -> None:
    from bigquery_storage import serving

    with serving() as storage:
        warehouse = connected(storage_endpoint=storage.address)
        warehouse.run("SELECT 1 AS one")
        assert storage.sessions == []  # It came with the answer.
        many(warehouse.run(MANY).table)
        with warehouse.stream(MANY) as stream:
            pieces = list(stream)
        assert len(pieces) == 4
        many(pa.concat_tables(pieces))
        assert len(storage.sessions) == 2
        warehouse.close()


def test_long_answers_come_by_pages_where_the_storage_api_is_closed() -> None:
    import grpc

    from bigquery_storage import serving

    with serving() as storage:
        storage.refuses = grpc.StatusCode.PERMISSION_DENIED
        warehouse = connected(storage_endpoint=storage.address)
        for _ in range(2):
            many(warehouse.run(MANY).table)
        assert {one["on"] for one in heard()} == {"insert", "results"}
        storage.refuses = None
        many(warehouse.run(MANY).table)
        assert storage.sessions == []  # It is not asked again and again.
        warehouse.close()


@pytest.mark.parametrize("without", ["the setting", "the package"])
def test_long_answers_come_by_pages_without(without: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = {"storage_api": False} if without == "the setting" else {}
    if without == "the package":
        monkeypatch.setitem(__import__("sys").modules, "google.cloud.bigquery_storage_v1", None)
    warehouse = connected(**words)
    on_bigquery.server().tell("forget", {})
    many(warehouse.run(MANY).table)
    assert len(heard("results")) == 2
    warehouse.close()


def test_a_stream_that_breaks_is_read_on() -> None:
    import grpc

    from bigquery_storage import serving

    with serving() as storage:
        storage.breaks = [(2, grpc.StatusCode.UNAVAILABLE)]
        warehouse = connected(storage_endpoint=storage.address)
        many(warehouse.run(MANY).table)
        assert len(heard("insert")) == 2  # One of them the check when connecting.
        warehouse.close()


def test_a_stream_that_ends_for_good_gives_no_part_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    import grpc

    from bigquery_storage import serving

    monkeypatch.setattr("metrics_api.engines.warehouse.PAUSES", (0.0,))
    with serving() as storage:
        storage.breaks = [(2, grpc.StatusCode.INTERNAL), (1, grpc.StatusCode.INTERNAL)]
        warehouse = connected(storage_endpoint=storage.address)
        with pytest.raises(WarehouseError, match="BigQuery: the stream broke"):
            warehouse.run(MANY)
        many(warehouse.run(MANY).table)
        warehouse.close()


# -- who asks ---------------------------------------------------------------------------------------------------------


def key_of_a_service_account() -> tuple[dict[str, str], str]:
    """A key as Google gives it, and its public half."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    told = {
        "type": "service_account",
        "project_id": on_bigquery.PROJECT,
        "private_key_id": "k1",
        "private_key": private,
        "client_email": "reader@tests.iam.gserviceaccount.com",
        "token_uri": f"{on_bigquery.server().settings['endpoint']}/token",
    }
    return told, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_a_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth import jwt
    from google.oauth2.service_account import Credentials

    # Beside the token the driver asks Google in which regions the account may be used.
    monkeypatch.setattr(Credentials, "_is_regional_access_boundary_lookup_required", lambda _: False)
    key, public = key_of_a_service_account()
    (tmp_path / "key.json").write_text(json.dumps(key), "utf-8")
    place = {name: value for name, value in on_bigquery.server().settings.items() if name != "project"}
    for words in ({"credentials_file": "key.json"}, {"credentials": json.dumps(key)}):
        warehouse = connect({**place, **words}, tmp_path)
        assert repr(warehouse) == f"BigQueryWarehouse('{on_bigquery.PROJECT}', '{on_bigquery.PROJECT}.shop')"
        asked = heard("token")[-1]["body"]["assertion"]
        claims = jwt.decode(asked, certs=public, audience="https://oauth2.googleapis.com/token")
        assert claims["iss"] == key["client_email"]
        assert heard("insert")[-1]["authorization"] == f"Bearer token-of-{len(asked)}"
        assert key["private_key"] not in repr(vars(warehouse))
        warehouse.close()


def test_a_token_of_a_file_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n", "utf-8")
    on_bigquery.server().tell("tokens", {"tokens": [TOKEN]})
    warehouse = connected(tmp_path, token_file="token")
    on_bigquery.server().tell("tokens", {"tokens": ["another"]})
    (tmp_path / "token").write_text("another", "utf-8")
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == ONE
    (tmp_path / "token").write_text("hunter2", "utf-8")
    on_bigquery.server().tell("tokens", {"tokens": [TOKEN]})
    with pytest.raises(WarehouseError, match="invalid authentication credentials") as raised:
        warehouse.run("SELECT 1 AS one")
    assert "hunter2" not in str(raised.value)
    warehouse.close()


def test_what_the_machine_is_logged_in_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from metrics_api.engines.google_cloud import credentials_of

    key, _ = key_of_a_service_account()
    (tmp_path / "key.json").write_text(json.dumps(key), "utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    credentials, project, _ = credentials_of({}, tmp_path)
    assert (credentials.service_account_email, project) == (key["client_email"], on_bigquery.PROJECT)


def test_a_machine_that_is_not_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    for name, value in (("NO_GCE_CHECK", "true"), ("CLOUDSDK_CONFIG", str(tmp_path)), ("HOME", str(tmp_path))):
        monkeypatch.setenv(name, value)
    told = "this machine is not logged in to Google Cloud\n    Run `gcloud auth application-default login`"
    with pytest.raises(WarehouseError, match=told):
        connect({"project": "p", "dataset": "d"}, tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"token": "hunter2", "credentials_file": "hunter2"},
            "is given `credentials_file` and `token`\n    Keep the one",
        ),
        (
            {"credentials": '{"private_key": "hunter2"}'},
            "`credentials` of the warehouse is no key of a service account",
        ),
        ({"credentials": "hunter2"}, "`credentials` of the warehouse is no key of a service account\n    Create one"),
        ({"credentials_file": "none.json"}, "`credentials_file` of the warehouse: none.json cannot be read: No such"),
        ({"project": ""}, "`project` of the warehouse is not said\n    Write the id of the project that pays."),
        ({"priority": "interactiv"}, "`priority` of the warehouse is not known\n    Did you mean `interactive`?"),
        ({"maximum_bytes_billed": "1 TB"}, "`maximum_bytes_billed` of the warehouse is not a whole number from 1"),
        ({"statement_timeout": "0"}, "`statement_timeout` of the warehouse is not a whole number from 1"),
        ({"storage_api": "maybe"}, "`storage_api` of the warehouse is neither true nor false"),
        ({"labels": {"Team": "x"}}, "`labels` of the warehouse are not labels of BigQuery\n    Write `name: value` in"),
        ({"labels": "team"}, "`labels` of the warehouse are not labels of BigQuery"),
        ({"endpoint": "localhost:9050"}, "`endpoint` of the warehouse is no address\n    Write https://host, or"),
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
    code, said = run("validate", "--project", str(folder), "--warehouse", "big")
    assert code == 1
    assert message in said


def test_a_wrong_token(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "hunter2")
    code, said = run("query", "watched", "--project", str(folder))
    assert code == 3
    assert "Request had invalid authentication credentials." in said
    assert "Check `credentials_file` or the token of the warehouse." in said
    assert "hunter2" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("on", "code", "reason", "words", "fix"),
    [
        (
            "insert",
            403,
            "accessDenied",
            "Access Denied: Project p: User does not have bigquery.jobs.create",
            "Job User",
        ),
        ("job", 403, "accessDenied", "Access Denied: Table p:d.t: permission bigquery.tables.getData", "Data Viewer"),
        ("insert", 403, "quotaExceeded", "Quota exceeded: Your project exceeded quota", "quota is used up"),
        ("insert", 404, "notFound", "Not found: Dataset p:shop was not found in location EU", "`location` of the"),
        ("job", 400, "resourcesExceeded", "Resources exceeded during query execution", None),
        ("job", 400, "invalidQuery", "Cannot query over table 'p.d.t' without a filter over column(s) 'day'", None),
    ],
)
def test_a_refusal_is_told_and_not_asked_again(
    opened_one: BigQueryWarehouse, on: str, code: int, reason: str, words: str, fix: str | None
) -> None:
    breaks({"on": on, "code": code, "reason": reason, "message": words})
    with pytest.raises(WarehouseError) as raised:
        opened_one.run("SELECT 1 AS one")
    assert str(raised.value).startswith(f"BigQuery: {words}")
    assert (fix in str(raised.value)) if fix else ("\n" not in str(raised.value))
    assert len(heard("insert")) == 1


def test_more_bytes_than_may_be_paid_for(opened_one: BigQueryWarehouse) -> None:
    warehouse = connected(maximum_bytes_billed=100)
    words = r"Query exceeded limit for bytes billed: 100\..*\n.*raise `maximum_bytes_billed` of the warehouse"
    with pytest.raises(WarehouseError, match=words):
        warehouse.run("SELECT COUNT(*) AS n FROM app_events")
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == ONE
    warehouse.close()


def test_a_server_that_stumbles_is_asked_again(opened_one: BigQueryWarehouse) -> None:
    stumbles = {"code": 503, "reason": "backendError", "message": "Error encountered during execution."}
    for on in ("insert", "results"):
        breaks({"on": on, **stumbles}, {"on": on, "drops": True})
        assert opened_one.run("SELECT 1 AS one").table.to_pylist() == ONE
    assert len(heard("insert")) == 4
    assert len({one["body"]["jobReference"]["jobId"] for one in heard("insert")}) == 2


def test_a_job_is_begun_once_though_its_answer_is_lost(opened_one: BigQueryWarehouse) -> None:
    breaks({"on": "insert", "after": True, "drops": True})
    assert opened_one.run("SELECT 1 AS one").table.to_pylist() == ONE
    assert len({one["body"]["jobReference"]["jobId"] for one in heard("insert")}) == 1
    assert len(heard("get")) == 1


def test_a_job_that_failed_by_accident_is_begun_anew(
    opened_one: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metrics_api.engines.warehouse.PAUSES", (0.0, 0.0))
    accident = {
        "on": "job",
        "code": 500,
        "reason": "jobInternalError",
        "message": "The job encountered an internal error",
    }
    breaks(accident, accident)
    assert opened_one.run("SELECT 1 AS one").table.to_pylist() == ONE
    assert len({one["body"]["jobReference"]["jobId"] for one in heard("insert")}) == 3
    breaks(accident, accident, accident)
    with pytest.raises(MayPass, match="BigQuery: The job encountered an internal error"):
        opened_one.run("SELECT 1 AS one")


def test_a_connection_dropped_between_pages_gives_all_rows(opened_one: BigQueryWarehouse) -> None:
    warehouse = connected(storage_api=False)
    with warehouse.stream(MANY) as stream:
        first = next(iter(stream))
        breaks({"on": "results", "drops": True})
        many(pa.concat_tables([first, *stream]))
    warehouse.close()


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics_api.engines.bigquery_rows._RETRYING", 0.1)
    with pytest.raises(WarehouseError, match=r"BigQuery: (?s:.*)\n    Check the network, and `endpoint`"):
        connect({"project": "p", "dataset": "d", "endpoint": "http://127.0.0.1:1"}, Path())


def test_a_statement_is_cancelled_when_nobody_waits(opened_one: BigQueryWarehouse) -> None:
    stop = Stop()
    breaks({"on": "job", "hangs": True})
    later = threading.Timer(0.2, stop.now)
    later.start()
    with pytest.raises(Stopped):
        opened_one.run("SELECT 1 AS one", stop=stop)
    assert len(heard("cancel")) == 1
    with pytest.raises(Stopped):
        opened_one.run("SELECT 1 AS one", stop=stop)
    assert len(heard("insert")) == 1
    assert opened_one.run("SELECT 1 AS one").table.to_pylist() == ONE


def test_a_statement_that_takes_too_long_is_cancelled() -> None:
    warehouse = connected(statement_timeout=1)
    told = r"BigQuery: the statement took more than 1 seconds and was ended\n.*raise `statement_timeout`"
    breaks({"on": "job", "hangs": True})
    with pytest.raises(WarehouseError, match=told):
        warehouse.run("SELECT 1 AS one")
    breaks(
        {
            "on": "job",
            "code": 400,
            "reason": "stopped",
            "message": "Job execution was cancelled: Job timed out after 1s",
        }
    )
    with pytest.raises(WarehouseError, match=told):
        warehouse.run("SELECT 1 AS one")
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == ONE
    warehouse.close()


def test_a_job_cancelled_by_somebody_else(opened_one: BigQueryWarehouse) -> None:
    words = "Job execution was cancelled: User requested cancellation"
    breaks({"on": "job", "code": 400, "reason": "stopped", "message": words})
    with pytest.raises(WarehouseError, match=f"BigQuery: {words}\n    The job was cancelled from outside."):
        opened_one.run("SELECT 1 AS one")


def test_what_is_closed_is_closed(opened_one: BigQueryWarehouse) -> None:
    opened_one.close()
    opened_one.close()
    with pytest.raises(WarehouseError, match="BigQuery: the connection is closed"):
        opened_one.run("SELECT 1")


def test_a_setting_that_is_not_there(folder: Path) -> None:
    written(folder, more="      tokn: hunter2")
    code, said = run("validate", "--project", str(folder))
    assert code == 1
    assert "bigquery has no setting `tokn`" in said
    assert "Did you mean `token`?" in said
    assert "hunter2" not in said


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "google.cloud.bigquery", None)
    told = r"`google-cloud-bigquery` is not installed\s+pip install 'metrics-api\[bigquery\]'"
    with pytest.raises(MissingDriver, match=told):
        connect({}, Path())


def test_secrets_are_not_shown(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    project = opened(folder)
    warehouse = project.warehouse()
    assert isinstance(warehouse, BigQueryWarehouse)
    project.query("watched")
    with pytest.raises(WarehouseError):
        warehouse.run("SELECT nothing_there")
    shown = repr(project) + repr(warehouse) + repr(vars(warehouse)) + repr(project.model.project) + caplog.text
    assert TOKEN not in shown
    project.close()
