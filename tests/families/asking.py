"""Put a generated world into a real engine and ask our own project about it."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import duckdb
import pyarrow as pa

from families.oracles.world import World
from metrics_api.compile.project import load_model
from metrics_api.engines.duckdb import DuckDBWarehouse
from metrics_api.periods import Weekday
from metrics_api.serving.project import Project

EXAMPLES = int(os.environ.get("METRICS_API_EXAMPLES", "250"))
"""Generated worlds for each property; more of them on a long evening."""

SCHEMA = pa.schema(
    [
        ("event", pa.string()),
        ("user_id", pa.string()),
        ("at", pa.timestamp("us")),
        ("event_id", pa.string()),
        ("country", pa.string()),
        ("minutes", pa.float64()),
        ("level", pa.int64()),
        ("flag", pa.bool_()),
        ("sequence", pa.int64()),
        ("day", pa.date32()),
    ]
)
SOURCE = """
version: 1
project:
  name: generated
  timezone: {timezone}
  week_start: {week_start}
{project}
  warehouses: {{memory: {{type: duckdb}}}}
sources:
  events:
    table: events
    time: at
    event_name: event
    partition: day
    identity: {{user: {identity}}}
{source}
    properties:
      country: string
      minutes: number
      level: integer
      flag: boolean
      order_number: {{type: integer, column: sequence}}
events:
  watch: {{source: events}}
  share: {{source: events}}
  open: {{source: events}}
  click: {{source: events}}
  sign_up: {{source: events, once_per_user: true}}
  anything: {{source: events, name: any}}
{entities}
metrics:
{metrics}
"""


class KnownThrough(Project):
    """A project that is told how far its data reaches."""

    through: datetime

    def _data_through(self, source: object, as_of: datetime) -> datetime:
        return min(self.through, as_of)


def project_over(
    world: World,
    metrics: str,
    *,
    source: str = "",
    project: str = "",
    identity: str = "user_id",
    entities: str = "",
    tables: Mapping[str, str] | None = None,
) -> KnownThrough:
    """A project with these metrics over the world's events, in DuckDB. `tables` are further ones, as `table_of` reads.

    `entities` is the whole block.
    """
    text = SOURCE.format(
        timezone=world.timezone,
        week_start=list(Weekday)[world.week_start].value,
        metrics=_indented(metrics, 2),
        source=_indented(source, 4),
        project=_indented(project, 2),
        identity=identity,
        entities=f"entities:\n{_indented(entities, 2)}" if entities else "",
    )
    model, definitions = _model(text)
    asked = KnownThrough(model, definitions, Path(), clock=lambda: world.data_through)
    asked.through = world.data_through
    asked._warehouse = _warehouse(world)
    for name, rows in (tables or {}).items():
        for statement in table_of(name, rows):
            _connection().execute(statement)
    return asked


def table_of(name: str, written: str) -> Iterator[str]:
    """The statements that make a table of lines; the first has its columns, as `id` or `level:INTEGER`; `-` is null."""
    header, *rows = [shlex.split(line) for line in written.strip().splitlines()]
    columns = [(column, type_ or "VARCHAR") for column, _, type_ in (one.partition(":") for one in header)]
    yield f"DROP TABLE IF EXISTS {name}"
    yield f"CREATE TABLE {name} ({', '.join(f'{column} {type_}' for column, type_ in columns)})"
    for row in rows:
        values = ["NULL" if value == "-" else "'{}'".format(value.replace("'", "''")) for value in row]
        yield f"INSERT INTO {name} VALUES ({', '.join(values)})"


def _indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.strip("\n").splitlines())


@lru_cache(maxsize=256)
def _model(text: str):  # type: ignore[no-untyped-def]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "project.yml").write_text(text, encoding="utf-8")
        return load_model(Path(folder))


@lru_cache(maxsize=1)
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET threads=2")
    return connection


def _warehouse(world: World) -> DuckDBWarehouse:
    rows = [
        {
            "event": one.name,
            "user_id": one.user,
            "at": one.at,
            "event_id": one.event_id,
            "day": one.at.date(),
            **one.properties,
        }
        for one in world.events
    ]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    connection = _connection()
    connection.register("incoming", table)
    connection.execute("CREATE OR REPLACE TABLE events AS SELECT * FROM incoming")
    connection.unregister("incoming")
    return DuckDBWarehouse(connection, ":memory:")
