"""What a metric reads: the tables and their columns, told by its plan and not by what its definition looks like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from metrics_api.plan.expr import columns
from metrics_api.plan.nodes import Plan, Scan
from metrics_api.plan.walk import nodes
from metrics_api.semantic.model import Entity, SemanticModel, Source


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """A column of a table, and the fields of the definition that name it: `time`, `properties.minutes`."""

    name: str
    named_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadTable:
    """A table, and the columns that are read of it, in the order of their names."""

    kind: Literal["source", "entity"]
    name: str
    table: str
    columns: tuple[ReadColumn, ...]


def lineage(plan: Plan, model: SemanticModel) -> tuple[ReadTable, ...]:
    """Every table that a plan reads, once."""
    found: dict[tuple[str, str], dict[str, set[str]]] = {}
    for scan in nodes(plan):
        if isinstance(scan, Scan):
            read = found.setdefault((scan.source, scan.table), {})
            for logical, expr in scan.columns:
                for column in columns(expr):
                    read.setdefault(column, set()).add(logical)
    return tuple(_table(model, *key, read) for key, read in found.items())


def versioned_tables(plan: Plan, model: SemanticModel) -> tuple[str, ...]:
    """The tables of a plan whose own version tells that rows have changed: those without a column that does.

    That is sources without `loaded_at` and tables of entities. A view's text says nothing of its rows.
    """
    scans = (one for one in nodes(plan) if isinstance(one, Scan) and one.view is None)
    without = (one.table for one in scans if one.source not in model.sources or not model.sources[one.source].loaded_at)
    return tuple(dict.fromkeys(without))


def _table(model: SemanticModel, name: str, table: str, read: dict[str, set[str]]) -> ReadTable:
    source = model.sources.get(name)
    named = list(_fields_of_source(source, table) if source else _fields_of_entity(model.entities[name], table))
    found = tuple(
        ReadColumn(
            column,
            tuple(field for field, of, logical in named if of == column and (logical is None or logical in names)),
        )
        for column, names in sorted(read.items())
    )
    return ReadTable("source" if source else "entity", name, table, found)


def _fields_of_source(source: Source, table: str) -> Iterator[tuple[str, str | None, str | None]]:
    """Fields of the definition, the column each names, and of a property also its name in plans."""
    yield "time", source.time, None
    yield "event_name", source.event_name, None
    yield "event_id", source.event_id, None
    yield "partition", source.partition.column if source.partition else None, None
    yield "loaded_at", source.loaded_at, None
    yield "tie_breaker", source.tie_breaker, None
    yield "session_id", source.session_id, None
    for identity in source.identities.values():
        yield f"identity.{identity.entity}", identity.column, None
    for here in source.tables:
        for one in here.properties.values() if here.name == table else ():
            shared = all(other.properties.get(one.name) == one for other in source.tables)
            yield f"{'' if shared else f'tables.{here.event}.'}properties.{one.name}", one.column, one.name


def _fields_of_entity(entity: Entity, table: str) -> Iterator[tuple[str, str | None, str | None]]:
    if (ids := entity.identity_map) is not None and ids.table == table:
        yield "identity_map.from", ids.alias, None
        yield "identity_map.to", ids.to, None
    if (attributes := entity.attributes) is not None and attributes.table == table:
        yield "attributes.key", attributes.key, None
        if attributes.known_since is not None:
            yield "attributes.known_since", attributes.known_since[0], None
        for one in attributes.properties.values():
            yield f"attributes.columns.{one.written.partition('.')[2]}", one.column, one.name
