"""Where the benchmark runs: an engine with the data, its connection, and how its CPU seconds are read."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from metrics_api import load_project
from metrics_api.engines import engine
from metrics_api.engines.clickhouse import SESSION
from metrics_api.engines.postgres import connect
from metrics_api.serving.project import Project

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
FILE = "streaming.duckdb"


@dataclass(frozen=True)
class Machine:
    """`fetch` runs a statement to its last row; `by_hand` holds the statements written for this engine."""

    said: str
    project: Project
    fetch: Callable[[str], Any]
    cpu: Callable[[], float]
    by_hand: Path
    peak: Callable[[str], int | None] = lambda sql: None
    """The most memory that a statement's buffers took, in bytes, where the engine tells."""

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        columns = [column.to_pylist() for column in self.fetch(sql).columns]
        return list(zip(*columns, strict=True))


def on_duckdb(folder: Path) -> Machine:
    """In this process, with two threads."""
    connection = duckdb.connect(str(folder / FILE), read_only=True)
    connection.execute("SET TimeZone='UTC'")
    connection.execute("SET threads=2")

    def cpu() -> float:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    def peak(sql: str) -> int:
        profile = folder / "profile.json"
        connection.execute(f"SET enable_profiling='json'; SET profiling_output='{profile}'")
        connection.sql(sql).to_arrow_table()
        connection.execute("SET enable_profiling='no_output'")
        found: int = json.loads(profile.read_text("utf-8"))["system"]["peak_buffer_memory"]
        return found

    return Machine(
        f"DuckDB {duckdb.__version__}, 2 threads",
        load_project(folder),
        lambda sql: connection.sql(sql).to_arrow_table(),
        cpu,
        HERE / "by_hand",
        peak,
    )


def on_postgres(folder: Path) -> Machine:
    """A server of its own with the rows of the DuckDB file, one process for each statement."""
    import postgres

    memory = {"shared_buffers": "1GB", "work_mem": "512MB", "max_parallel_workers_per_gather": "0"}
    server = postgres.started({**postgres.SETTINGS, **memory})
    _load(folder, server)
    project, warehouse = load_project(folder), connect({**server.settings, "connections": 1}, folder)
    project._engine, project._warehouse = engine("postgres"), warehouse
    told = warehouse.run("SELECT pg_backend_pid() AS pid, current_setting('server_version') AS version").table
    process, version = (told[name][0].as_py() for name in ("pid", "version"))

    def cpu() -> float:
        """Of the server's process; where there is no /proc, the clock."""
        try:
            spent = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
        except OSError:
            return time.perf_counter()
        return sum(map(int, spent[11:13])) / os.sysconf("SC_CLK_TCK")

    said = f"PostgreSQL {version.split()[0]}, one process, no index"
    return Machine(said, project, lambda sql: warehouse.run(sql).table, cpu, HERE / "by_hand" / "postgres")


CLICKHOUSE_TYPES = {
    "VARCHAR": "LowCardinality(Nullable(String))", "DOUBLE": "Nullable(Float64)", "TIMESTAMP": "DateTime64(6, 'UTC')",
    "DATE": "Date32", "BIGINT": "Int64", "INTEGER": "Nullable(Int32)", "BOOLEAN": "Nullable(Bool)",
}  # fmt: skip
ORDERED = {"app_events": "PARTITION BY toYYYYMM(occurred_at) ORDER BY (event, occurred_at)", "users": "ORDER BY id"}


def on_clickhouse(folder: Path) -> Machine:
    """The engine in this process, with two threads, over tables in the order that an expert would give them."""
    import clickhouse

    writer, threads = clickhouse.client(), {"max_threads": 2}
    with duckdb.connect(str(folder / FILE), read_only=True) as source:
        for table, order in ORDERED.items():
            file = folder / f"{table}.{os.getpid()}.parquet"
            source.execute(f"COPY {table} TO '{file}' (FORMAT parquet)")
            columns = ", ".join(
                f"{name} {_on_clickhouse(name, type_)}"
                for name, type_, *_ in source.execute(f"DESCRIBE {table}").fetchall()
            )
            writer.command(f"CREATE OR REPLACE TABLE {table} ({columns}) ENGINE = MergeTree {order}")
            writer.command(f"INSERT INTO {table} SELECT * FROM file('{file}')")
            file.unlink()
    project, warehouse = load_project(folder), clickhouse.ClickHouseWarehouse(clickhouse.client(SESSION | threads))
    project._engine, project._warehouse = engine("clickhouse"), warehouse

    def cpu() -> float:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    version = warehouse.run("SELECT version() AS version").table["version"][0].as_py()
    said = f"ClickHouse {version} (chdb), 2 threads"
    return Machine(said, project, lambda sql: warehouse.run(sql).table, cpu, HERE / "by_hand" / "clickhouse")


def _on_clickhouse(name: str, type_: str) -> str:
    if name in ("id", "event"):  # Keys of their tables.
        return "String" if name == "id" else "LowCardinality(String)"
    # Ids and titles are too many for a dictionary.
    return "Nullable(String)" if name in ("user_id", "title", "email") else CLICKHOUSE_TYPES[type_]


def _load(folder: Path, server: Any) -> None:
    types = {"VARCHAR": "text", "DOUBLE": "double precision"}
    for table in ORDERED:
        rows = folder / f"{table}.{os.getpid()}.csv"
        with duckdb.connect(str(folder / FILE), read_only=True) as source:
            described = source.execute(f"DESCRIBE {table}").fetchall()
            source.execute(f"COPY {table} TO '{rows}' (HEADER false)")
        columns = ", ".join(f"{name} {types.get(type_, type_)}" for name, type_, *_ in described)
        try:
            with server.session() as session, rows.open("rb") as file:
                session.execute(f"CREATE UNLOGGED TABLE {table} ({columns})")
                with session.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv)") as copy:
                    while some := file.read(1 << 20):
                        copy.write(some)
                session.execute(f"VACUUM ANALYZE {table}")
        finally:
            rows.unlink()


MACHINES: dict[str, Callable[[Path], Machine]] = {
    "clickhouse": on_clickhouse,
    "duckdb": on_duckdb,
    "postgres": on_postgres,
}
