"""A small project on a DuckDB of its own that tells what it was asked, and that more can be loaded into."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from metrics_api.compile.project import load_model
from metrics_api.engines.duckdb import DuckDBWarehouse
from metrics_api.engines.warehouse import Execution, Stop, Stopped
from metrics_api.semantic.model import Source
from metrics_api.serving.project import Project

NOW = datetime(2026, 3, 20, 12)
DEFINITIONS = """
version: 1
project:
  name: shop
  warehouses: {here: {type: duckdb}}
sources:
  app: {table: visits, time: happened, loaded_at: loaded_at, event_name: event, identity: {user: person}}
  mail: {table: letters, time: happened, event_name: event, identity: {user: person}}
  endless:
    sql: |
      SELECT happened, event, person
      FROM visits, range(1000000) AS a, range(1000000) AS b WHERE hash(a.range * b.range) = 7
    time: happened
    event_name: event
    identity: {user: person}
events:
  bought: {source: app}
  read: {source: mail, name: read}
  ended: {source: endless, name: bought}
metrics:
  sales: {type: usage, event: bought}
  buyers: {type: active_users, on: bought, window: 7 days}
  letters: {type: usage, event: read}
  ends: {type: usage, event: ended}
"""


class Telling(DuckDBWarehouse):
    """Remembers its statements of metrics, and how many ran at once. `slowly` makes each wait, or until it is ended."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(connection, ":memory:")
        self.asked: list[str] = []
        self.stopped: list[str] = []
        self.running = self.most = 0
        self.go = threading.Event()
        self.go.set()
        self._lock = threading.Lock()

    def run(self, sql: str, *, tag: str = "", stop: Stop | None = None) -> Execution:
        if "metric=" not in sql:
            return super().run(sql, tag=tag, stop=stop)
        with self._lock:
            self.asked.append(tag)
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            assert self.go.wait(30)
            return super().run(sql, tag=tag, stop=stop)
        except Stopped:
            self.stopped.append(tag)
            raise
        finally:
            with self._lock:
                self.running -= 1


class Shop(Project):
    """A project whose source `endless` takes forever, but for how far it reaches."""

    connection: duckdb.DuckDBPyConnection
    told: Telling

    def _data_through(self, source: Source, as_of: datetime) -> datetime:
        return as_of if source.name == "endless" else super()._data_through(source, as_of)

    def load(self, event: str, person: str, at: datetime, table: str = "visits") -> None:
        self.connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", [event, person, at, at])


@contextmanager
def shop(*, freshness_seconds: float = 0.0, **words: Any) -> Iterator[Shop]:
    with TemporaryDirectory() as folder:
        Path(folder, "shop.yml").write_text(DEFINITIONS, "utf-8")
        model, definitions = load_model(Path(folder))
    connection = duckdb.connect()
    project = Shop(
        model, definitions, Path(), clock=lambda: NOW, freshness_seconds=freshness_seconds, share_scans=False, **words
    )
    for table in ("visits", "letters"):
        connection.execute(
            f"CREATE TABLE {table} (event VARCHAR, person VARCHAR, happened TIMESTAMP, loaded_at TIMESTAMP)"
        )
    project.connection, project.told = connection, Telling(connection)
    project._warehouse = project.told
    for day in range(10):
        project.load("bought", f"p{day % 3}", NOW - timedelta(days=day, hours=1))
        project.load("read", f"p{day % 3}", NOW - timedelta(days=day, hours=1), "letters")
    try:
        yield project
    finally:
        project.close()
