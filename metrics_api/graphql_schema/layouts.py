"""The layouts of metrics: what their families answer with, as fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from metrics_api.families import families
from metrics_api.families.series import SERIES
from metrics_api.graphql_schema.layout import (
    PERIOD,
    SMALL,
    Cell,
    Choice,
    Cohorts,
    Field,
    Group,
    Layout,
    People,
    Sources,
    Table,
    camel,
    described,
    pascal,
)
from metrics_api.query.dimension import COHORT
from metrics_api.query.family import Family, Measure
from metrics_api.query.family import Table as CoreTable
from metrics_api.results import Column
from metrics_api.semantic.model import Metric, SemanticModel, Source, fields_of

_STATISTIC = re.compile(r"(.+)_(average|median|min|max|p[1-9][0-9]?)")
_STATISTICS = ("average", "median", "p25", "p75", "p90", "min", "max")
_BUCKETS = ("period", "start")
"""Keys that are labels of buckets."""
_SMALL = ("position", "rank", "period_index", "after", "gap", "interval_of_returners", "interval_of_all", "lookback")
_ROWS: Mapping[str, str] = {"rows": "Row", "steps": "Step", "cells": "Cell"}
"""How the types of some parts' rows end; others are called as the part."""
_FLAGS = (
    Cell("complete", "complete", "boolean", "Whether the data reaches the bucket's end.", required=True),
    Cell("provisional", "provisional", "boolean", "Whether late events may still change it.", required=True),
)


@lru_cache(maxsize=1_024)
def sources_of(sources: tuple[Source, ...]) -> Sources:
    """The sources of a metric, in order of name so that equal sets are one."""
    ordered = sorted(sources, key=lambda one: one.name)
    return Sources(tuple(one.name for one in ordered), tuple(fields_of(ordered).values()))


def layout_of(metric: Metric, model: SemanticModel) -> Layout:
    """The layout of a metric's answers."""
    family = families()[metric.type]
    sources = sources_of(metric.sources)
    offered = {one.name: one for one in family.measures(metric)}
    base = f"{sources.base}{pascal(metric.type)}{_kinds(offered, family)}"
    fields = measure_fields(metric, family, sources)
    breakdowns = (*_breakdowns(sources), *((BY_COHORTS,) if public_cohorts(model) else ()))
    return Layout(
        base=base,
        shape=family.shape,
        sources=sources,
        tables=tuple(_table(base, part, one, family, fields, breakdowns) for part, one in tables_of(family).items()),
        has_overall=family.shape == "series" and "overall" in family.parts,
        has_window=family.shape == "funnel",
        has_top=family.ranking is not None or "overall" in family.parts,
        people=people_of(metric, family),
        cohorts=cohorts_of(metric.entity, model),
    )


def tables_of(family: Family, *, every: bool = False) -> Mapping[str, CoreTable]:
    """The parts that are lists of rows, the default one first: of a series, all but `overall`, unless it is asked."""
    is_series = family.shape == "series"
    known = {**SERIES, **family.tables} if is_series else family.tables
    return {part: known[part] for part in family.parts if every or not (is_series and part == "overall")}


def _table(
    base: str,
    part: str,
    table: CoreTable,
    family: Family,
    measures: tuple[Field, ...],
    breakdowns: tuple[Cell, ...],
) -> Table:
    is_main = part == family.parts[0]
    compares = family.shape == "series" and is_main
    value = next((one for one in measures if one.name == "value" and isinstance(one, Cell)), None)
    return Table(
        part=part,
        row_type=f"{base}{_ROWS.get(part, pascal(part))}",
        description=table.description,
        keys=tuple(map(_cell, table.keys)),
        breakdowns=breakdowns,
        cells=tuple(map(_cell, table.columns)),
        measures=measures if table.measured else (),
        compared=_compared(value) if compares and value is not None else (),
        flags=_FLAGS if table.flagged else (),
    )


def _cell(column: Column) -> Cell:
    kind = PERIOD if column.name in _BUCKETS else SMALL if column.name in _SMALL else str(column.type)
    return Cell(camel(column.name), column.name, kind, column.description, required=not column.nullable)


def people_of(metric: Metric, family: Family) -> People | None:
    """Who can be told, of families that can."""
    if family.members is None:
        return None
    fixed = family.members.fixed
    choices = (
        Choice(name, "string", of, family.type if name in fixed else "")
        if isinstance(of, tuple)
        else Choice(name, str(of))
        for name, of in family.members.choices(metric).items()
    )
    known = (one for one in fields_of(metric.sources).values() if one.entity == metric.entity)
    attributes = (
        Cell(camel(one.written.partition(".")[2]), one.name, str(one.type), described(one) or f"Its {one.written}.")
        for one in known
    )
    return People(metric.entity, tuple(attributes), tuple(choices))


def cohorts_of(entity: str, model: SemanticModel) -> Cohorts | None:
    """The cohorts of an entity, if there are any."""
    found = [one for one in public_cohorts(model) if one.entity == entity]
    return (
        Cohorts(entity, tuple((one.name, one.definition.description or one.label) for one in found)) if found else None
    )


def public_cohorts(model: SemanticModel) -> list[Metric]:
    """The cohorts that are offered by themselves, in the order they are written."""
    return [one for one in model.cohorts.values() if one.definition.visibility == "public"]


def _kinds(offered: Mapping[str, Measure], family: Family) -> str:
    """What tells apart the types of metrics of one family whose measures are of other types."""
    kinds = [_kind(offered["value"], usual=family.usual_value)] if "value" in offered else []
    kinds += [
        f"{pascal(one.name)}{_kind(one, usual='number')}"
        for one in offered.values()
        if one.name not in ("value", "total", "users") and one.measured is not None and not _is_of_property(one)
    ]
    return "".join(kinds)


def _breakdowns(sources: Sources) -> tuple[Cell, ...]:
    return tuple(
        Cell(camel(name), name, "string", f"{words} Null unless `by` asks for it.".lstrip(), is_breakdown=True)
        for name, words in sources.dimensions
    )


BY_COHORTS = Cell(COHORT, COHORT, "string", "The cohort. Null unless `byCohorts` asks for it.", is_breakdown=True)


def _compared(value: Cell) -> tuple[Cell, ...]:
    return (
        Cell("previous", "previous", value.type, "`value` then, if `compare` asks.", is_compared=True),
        Cell(
            "change",
            "change",
            "number",
            "From `previous` to `value`, relative to it: 0.1 is a tenth more. Null while incomplete, and from 0.",
            is_compared=True,
        ),
    )


# -- measures ----------------------------------------------------------------------------------------------------------

_OWN_MEASURES: Mapping[str, str] = {
    "value": "The metric's value, by its own measure.",
    "depth": "How much value the moments hold, by the metric's own measure.",
}
"""Measures that each metric defines for itself: the type's words hold for all of them."""

_GROUPS: Mapping[str, str] = {
    "per_user": "Statistics over people with at least one event.",
    "events_per_session": "Statistics of the events of a session.",
    "minutes_per_session": "Statistics of how long a session lasts, in minutes.",
    "score": "Statistics of the scores of people.",
    "seconds_from_entry": "Seconds from the entry to this step, over those who reached it.",
    "seconds_from_previous": "Seconds from the previous step to this one, over those who reached it.",
    "seconds": "Seconds from the source to the target.",
    "sum": "Sums of properties over the events.",
    "average": "Averages of properties over the events.",
    "min": "Least values of properties over the events.",
    "max": "Greatest values of properties over the events.",
}


def measure_fields(metric: Metric, family: Family, sources: Sources) -> tuple[Field, ...]:
    """A family's measures as fields: plain ones by themselves, statistics and aggregates of properties in groups."""
    common = {one.name: one for one in sources.properties}
    cells: dict[str, Cell] = {}
    groups: dict[str, list[Cell]] = {}
    statistics: set[str] = set()
    for one in family.measures(metric):
        if _is_of_property(one):
            if one.measured in common:
                of = common[one.measured]
                groups.setdefault(one.of, []).append(Cell(camel(of.name), of.name, str(one.type), described(of)))
        elif matched := _STATISTIC.fullmatch(one.name):
            groups.setdefault(matched[1], [])
            statistics.add(matched[1])
        else:
            words = _OWN_MEASURES.get(one.name, one.description)
            cells[one.name] = Cell(camel(one.name), one.name, str(one.type), words)
    for prefix in statistics:
        groups[prefix] = _statistics(metric, family, prefix)
    grouped = [
        Group(
            name=camel(prefix),
            prefix=prefix,
            type_name=pascal(prefix) if prefix in statistics else f"{sources.base}{pascal(prefix)}",
            cells=tuple(members),
            description=_GROUPS.get(prefix, ""),
            percentiles=prefix in statistics,
        )
        for prefix, members in groups.items()
    ]
    return (*cells.values(), *grouped)


def _statistics(metric: Metric, family: Family, prefix: str) -> list[Cell]:
    found = ((name, family.measure(metric, f"{prefix}_{name}")) for name in _STATISTICS)
    return [Cell(name, name, str(one.type), one.description) for name, one in found if one is not None]


def _is_of_property(one: Measure) -> bool:
    return one.measured is not None and one.name == f"{one.of}_{one.measured}"


def _kind(one: Measure, *, usual: str) -> str:
    return "" if one.type == usual else pascal(str(one.type))
