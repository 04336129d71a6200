"""Put a generated world into a real engine and ask our own project about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from families.engines import type_of, warehouse_with
from families.oracles.world import World
from metrics_api.periods import Weekday
from metrics_api.serving.project import Project
from metrics_api.testkit.projects import READS, SCHEMA, KnownThrough, definitions_of, project_of, table_of


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
    further = {name: json.dumps(one) for name, one in json.loads(events or "{}").items()}
    definitions = definitions_of(
        metrics,
        engine=type_of(engine),
        timezone=world.timezone,
        week_start=list(Weekday)[world.week_start].value,
        source=source,
        project=project,
        identity=identity,
        reads=reads,
        properties=properties,
        entities=entities,
        events="\n".join(f"{name}: {one}" for name, one in further.items()),
        cohorts=cohorts,
    )
    put = {"events": _events(world), **{name: table_of(rows) for name, rows in (tables or {}).items()}}
    return project_of(definitions, warehouse_with(engine, put), world.data_through)


def plain_rows(project: Project, sql: str) -> list[dict[str, Any]]:
    """What a statement of ours gives, as it comes; warehouses fold the names of columns."""
    table = project.warehouse().run(sql).table
    return table.rename_columns([name.lower() for name in table.column_names]).to_pylist()


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


__all__ = ["KnownThrough", "project_over", "table_of"]
