"""Put a generated world into a real engine and ask our own project about it."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import duckdb
import pyarrow as pa

from families.engines import type_of, warehouse_with
from families.oracles.world import World
from metrics_api.compile.project import load_model
from metrics_api.periods import Weekday
from metrics_api.serving.project import Project

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
  warehouses: {{tests: {{type: {engine}}}}}
sources:
  events:
{reads}
    time: at
    identity: {{user: {identity}}}
{source}
    properties:
      country: string
      minutes: number
      level: integer
      flag: boolean
      order_number: {{type: integer, column: sequence}}
{properties}
events:
  watch: {{source: events}}
  share: {{source: events}}
  open: {{source: events}}
  click: {{source: events}}
  sign_up: {{source: events, once_per_user: true}}
  anything: {{source: events, name: any}}
{events}
{entities}
metrics:
{metrics}
{cohorts}
"""
READS = "table: events\nevent_name: event\npartition: day"


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
    reads: str = READS,
    properties: str = "",
    entities: str = "",
    events: str = "",
    cohorts: str = "",
    tables: Mapping[str, str] | None = None,
    engine: str = "duckdb",
) -> KnownThrough:
    """A project with these metrics over the world's events, on an engine. `tables` are further ones: see `table_of`.

    `reads` says what the source reads, `properties` are further ones, `entities` and `cohorts` are whole blocks;
    `events` are further ones, as JSON.
    """
    text = SOURCE.format(
        timezone=world.timezone,
        week_start=list(Weekday)[world.week_start].value,
        metrics=_indented(metrics, 2),
        source=_indented(source, 4),
        project=_indented(project, 2),
        identity=identity,
        reads=_indented(reads, 4),
        properties=_indented(properties, 6),
        events=_indented(
            "\n".join(f"{name}: {json.dumps(one)}" for name, one in json.loads(events or "{}").items()), 2
        ),
        entities=f"entities:\n{_indented(entities, 2)}" if entities else "",
        cohorts=f"cohorts:\n{_indented(cohorts, 2)}" if cohorts else "",
        engine=type_of(engine),
    )
    model, definitions = _model(text)
    asked = KnownThrough(model, definitions, Path(), clock=lambda: world.data_through)
    asked.through = world.data_through
    further = {name: table_of(rows) for name, rows in (tables or {}).items()}
    asked._warehouse = warehouse_with(engine, {"events": _events(world), **further})
    return asked


def table_of(written: str) -> pa.Table:
    """The rows that lines say; the first has the columns, as `id` or `level:INTEGER` (DuckDB's types); `-` is null."""
    header, *rows = [shlex.split(line) for line in written.strip().splitlines()]
    columns = [(column, type_ or "VARCHAR") for column, _, type_ in (one.partition(":") for one in header)]
    with duckdb.connect() as connection:
        typed = ", ".join(f'"{column}" {type_}' for column, type_ in columns)
        connection.execute(f"CREATE TABLE said ({typed})")
        for row in rows:
            marks = ", ".join("?" for _ in row)
            connection.execute(f"INSERT INTO said VALUES ({marks})", [None if value == "-" else value for value in row])
        return connection.table("said").to_arrow_table()


def _indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.strip("\n").splitlines())


@lru_cache(maxsize=256)
def _model(text: str):  # type: ignore[no-untyped-def]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "project.yml").write_text(text, encoding="utf-8")
        return load_model(Path(folder))


def _events(world: World) -> pa.Table:
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
    return pa.Table.from_pylist(rows, schema=SCHEMA)
