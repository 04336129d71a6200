"""DuckDB's own ways to find tables: a database, or files as they lie."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from metrics_api.engines.duckdb import connect
from metrics_api.errors import WarehouseError
from metrics_api.serving.project import load_project

DEFINITIONS = """
project:
  name: files
  timezone: UTC
  as_of: 2026-02-01
  warehouses:
    lake:
      type: duckdb
      tables: {TABLES}
sources:
  app: {table: events, time: at, event_name: event, identity: {user: user_id}}
events: {watch: {source: app}}
metrics: {watched: {type: usage, event: watch}}
"""
EVENTS = """
(SELECT range % 7 AS user_id, 'watch' AS event, TIMESTAMP '2026-01-01' + range * INTERVAL 1 HOUR AS at,
        CAST(TIMESTAMP '2026-01-01' + range * INTERVAL 1 HOUR AS DATE) AS day FROM range(72))
"""


def files(folder: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"COPY {EVENTS} TO '{folder}/events' (FORMAT parquet, PARTITION_BY (day))")
        connection.execute(f"COPY {EVENTS} TO '{folder}/events.csv'")
        connection.execute(f"COPY {EVENTS} TO '{folder}/events.ndjson' (FORMAT json)")


@pytest.mark.parametrize(
    "tables",
    [
        "{events: events/*/*.parquet}",
        "{events: [events/day=2026-01-01/*.parquet, events/day=2026-01-02/*.parquet, events/day=2026-01-03/*.parquet]}",
        "{events: {files: events.csv}}",
        "{events: {files: events.ndjson, format: json}}",
    ],
)
def test_files_are_tables(tmp_path: Path, tables: str) -> None:
    files(tmp_path)
    (tmp_path / "project.yml").write_text(DEFINITIONS.replace("{TABLES}", tables), "utf-8")
    project = load_project(tmp_path)
    rows = project.query("watched", start="2026-01-01", end="2026-01-03", measures="total").to_pylist()
    assert [row["total"] for row in rows] == [24] * 3


def test_a_table_may_have_a_schema(tmp_path: Path) -> None:
    files(tmp_path)
    warehouse = connect({"tables": {"lake.events": "events.csv"}}, tmp_path)
    assert warehouse.run("SELECT count(*) AS n FROM lake.events").table.to_pylist() == [{"n": 72}]
    assert [name for name, _ in warehouse.columns("lake.events") or ()] == ["user_id", "event", "at", "day"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": "a.duckdb"}, "there is no DuckDB file .*a.duckdb"),
        ({"path": "a.duckdb", "tables": {"a": "b.csv"}}, "both `path` and `tables`"),
        ({"tables": ["a.csv"]}, "`tables` of the warehouse is no mapping"),
        ({"tables": {"a": "b.csv"}}, "cannot open :memory:: IO Error: No files found"),
        ({"tables": {"a": "b.xls"}}, "the format of b.xls is not known"),
        ({"tables": {"a": {"files": "b", "format": "parket"}}}, "(?s)no format `parket`.*parquet"),
        ({"tables": {"a": {"file": "b.csv"}}}, "(?s)has no `file`.*files"),
        ({"tables": {"a": {"format": "csv"}}}, "names no `files`"),
        ({"extensions": ["a; DROP"]}, "no name of an extension"),
        ({"object_storage": {"type) --": "s3"}}, "no word of DuckDB's secrets"),
        ({"threads": "many"}, "`threads` of the warehouse is not a whole number"),
        ({"memory_limit": "lots"}, "DuckDB cannot open :memory:: Parser Error"),
        ({"read_only": "perhaps", "path": "there.duckdb"}, "`read_only` of the warehouse is neither true nor false"),
    ],
)
def test_wrong_settings(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    with duckdb.connect(str(tmp_path / "there.duckdb")):
        pass
    with pytest.raises(WarehouseError, match=message):
        connect(settings, tmp_path)


def test_secrets_of_object_storage_are_not_told(tmp_path: Path) -> None:
    wanted = {"type": "no_such_kind", "key_id": "AKIA-very-private", "secret": "hunter2"}
    with pytest.raises(WarehouseError) as raised:
        connect({"object_storage": wanted}, tmp_path)
    assert "AKIA" not in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_statement_that_takes_too_long(tmp_path: Path) -> None:
    warehouse = connect({"statement_timeout": 1}, tmp_path)
    slow = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE hash(a.range, b.range) % 3 = 1"
    with pytest.raises(WarehouseError, match="took more than 1 seconds and was ended\n    Ask for less"):
        warehouse.run(slow)
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]
    warehouse.close()
    with pytest.raises(WarehouseError, match="DuckDB: the connection is closed"):
        warehouse.run("SELECT 1")


# -- versions of tables -----------------------------------------------------------------------------------------------


def write(file: Path, rows: int) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS raw")
        connection.execute(f"CREATE OR REPLACE TABLE raw.events AS SELECT range AS id FROM range({rows})")
        connection.execute("CREATE OR REPLACE TABLE users AS SELECT 1 AS id")
        connection.execute("CREATE OR REPLACE VIEW seen AS FROM users")


def test_the_version_of_a_table_is_that_of_the_file_that_was_opened(tmp_path: Path) -> None:
    file = tmp_path / "shop.duckdb"
    write(file, 10)
    first = connect({"path": "shop.duckdb"}, tmp_path)
    told = first.version("raw.events")
    assert told is not None
    assert first.version("users") == first.version("main.users") == first.version("RAW.Events") == told
    # A view may read files beside it; what is not there has no version.
    assert [first.version(name) for name in ("seen", "events", "raw.users", "nothing")] == [None] * 4
    # Another file in its place is not what is read here.
    write(tmp_path / "new.duckdb", 11)
    (tmp_path / "new.duckdb").replace(file)
    assert first.version("users") == told
    first.close()
    second = connect({"path": "shop.duckdb"}, tmp_path)
    assert second.version("users") not in (told, None)
    second.close()


def test_what_can_be_written_to_has_no_version(tmp_path: Path) -> None:
    write(tmp_path / "shop.duckdb", 10)
    for settings in ({"path": "shop.duckdb", "read_only": False}, {}):
        warehouse = connect(settings, tmp_path)
        assert warehouse.version("users") is None
        warehouse.close()


@pytest.mark.parametrize("change", ["another", "longer", "as_long", "fewer"])
def test_the_version_of_files_changes_with_each_of_them(tmp_path: Path, change: str) -> None:
    files(tmp_path)
    warehouse = connect({"tables": {"events": "events/*/*.parquet", "raw.rows": ["events.csv"]}}, tmp_path)
    told, rows = warehouse.version("events"), warehouse.version("raw.rows")
    assert None not in (told, rows)
    assert warehouse.version("events") == told != rows
    day = tmp_path / "events" / "day=2026-01-02"
    (one,) = day.glob("*.parquet")
    match change:
        case "another":
            (day / "more.parquet").write_bytes(one.read_bytes())
        case "longer":
            with one.open("ab") as opened:
                opened.write(b" ")
        case "as_long":
            said = one.stat()
            one.write_bytes(one.read_bytes())
            os.utime(one, ns=(said.st_atime_ns, said.st_mtime_ns))  # As a copy that keeps times does.
        case "fewer":
            one.unlink()
    assert warehouse.version("events") not in (told, None)
    assert warehouse.version("raw.rows") == rows
    assert warehouse.version("nothing") is None
    warehouse.close()
