"""Put events into an engine, and ask a project of some metrics about them."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from metrics_api.compile.project import load_model
from metrics_api.definitions.loader import Definitions
from metrics_api.engines import engine as engine_of
from metrics_api.semantic.model import SemanticModel, Source
from metrics_api.serving.project import Project

if TYPE_CHECKING:
    from metrics_api.engines.warehouse import Warehouse

Filled: TypeAlias = "Callable[[Mapping[str, pa.Table]], Warehouse]"
"""Makes these the rows of the tables of these names, and gives a connection to them."""

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
"""The columns of the table `events`; `at` is UTC, `day` its date."""

DEFINITIONS = """
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

    def _data_through(self, source: Source, as_of: datetime) -> datetime:
        return min(self.through, as_of)


def definitions_of(
    metrics: str,
    *,
    engine: str,
    timezone: str = "UTC",
    week_start: str = "monday",
    source: str = "",
    project: str = "",
    identity: str = "user_id",
    reads: str = READS,
    properties: str = "",
    entities: str = "",
    events: str = "",
    cohorts: str = "",
) -> str:
    """A project with these metrics over the table `events`, on an engine.

    `reads` says what the source reads, `properties` and `events` are further ones, `entities` and `cohorts` are whole
    blocks.
    """
    return DEFINITIONS.format(
        timezone=timezone,
        week_start=week_start,
        metrics=_indented(metrics, 2),
        source=_indented(source, 4),
        project=_indented(project, 2),
        identity=identity,
        reads=_indented(reads, 4),
        properties=_indented(properties, 6),
        events=_indented(events, 2),
        entities=f"entities:\n{_indented(entities, 2)}" if entities else "",
        cohorts=f"cohorts:\n{_indented(cohorts, 2)}" if cohorts else "",
        engine=engine,
    )


def project_of(definitions: str, warehouse: Warehouse, through: datetime) -> KnownThrough:
    """The project of these definitions on a warehouse, whose data and clock have reached an instant."""
    model, written = _model(definitions)
    asked = KnownThrough(model, written, Path(), clock=lambda: through)
    asked.through = through
    asked._warehouse = warehouse  # noqa: SLF001 - it is not reached by settings
    return asked


def table_of(written: str) -> pa.Table:
    """The rows that lines say; the first has the columns, as `id` or `level:INTEGER` (DuckDB's types); `-` is null."""
    header, *lines = [shlex.split(line) for line in written.strip().splitlines()]
    columns = [(column, type_ or "VARCHAR") for column, _, type_ in (one.partition(":") for one in header)]
    rows = [[None if value == "-" else value for value in line] for line in lines]
    duckdb = engine_of("duckdb")
    assert duckdb.connect is not None
    warehouse = duckdb.connect({}, Path())
    try:
        selects = " UNION ALL ".join(_select(columns, row) for row in rows or [[None] * len(columns)])
        return warehouse.run(selects).table.slice(0, len(rows))
    finally:
        warehouse.close()


def _select(columns: Sequence[tuple[str, str]], row: Sequence[str | None]) -> str:
    """The row in DuckDB's words: the types are written in them, too."""
    values = ("NULL" if value is None else "'" + value.replace("'", "''") + "'" for value in row)
    cast = (f'CAST({value} AS {type_}) AS "{name}"' for value, (name, type_) in zip(values, columns, strict=True))
    return f"SELECT {', '.join(cast)}"


def _indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.strip("\n").splitlines())


@lru_cache(maxsize=256)
def _model(definitions: str) -> tuple[SemanticModel, Definitions]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "project.yml").write_text(definitions, encoding="utf-8")
        return load_model(Path(folder))
