"""The measures of events over time, shared by `usage` and `value_moment`: totals, people, per-person statistics, sums.

How they are counted is in `counting`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType

from metrics_api.errors import did_you_mean
from metrics_api.plan.expr import Type
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Measure, Table
from metrics_api.results import Column
from metrics_api.semantic.model import Metric, Selection, Source
from metrics_api.semantic.resolve import Scope

_WRITTEN = re.compile(r"(total|users)|(per_user|sum|average|min|max)\(\s*([a-z_0-9]+)\s*\)")
_PER_USER = re.compile(r"per_user_(average|median|min|max|p([1-9]|[1-9][0-9]))")
_PROPERTY = re.compile(r"(sum|average|min|max)_([a-z_0-9]+)")
PROPERTY_AGGREGATES = ("sum", "average", "min", "max")
PER_USER = ("average", "median", "p25", "p75", "p90")

CONVENTIONS = ("Events without a user count in totals and sums, not in users.",)
PERIOD = Column("period", Type.DATE, description="The start of the bucket.")
SERIES: Mapping[str, Table] = {
    "rows": Table((PERIOD,), (), "A row for each bucket and group.", measured=True, flagged=True),
    "overall": Table((), (), "The whole range.", measured=True),
}
TOTAL = Measure("total", "total", Type.INTEGER, description="Matching events.")
USERS = Measure("users", "users", Type.INTEGER, description="Different people with at least one matching event.")


@dataclass(frozen=True, slots=True)
class Counted:
    """What a counting family resolves to: which events, what `value` is, and how much an event holds."""

    selection: Selection
    value: Measure
    depth: Measure | None = None


def measures_of(metric: Metric) -> tuple[Measure, ...]:
    """What can be asked of a counting metric, in a stable order."""
    spec: Counted = metric.spec
    names = [f"per_user_{stat}" for stat in PER_USER]
    for one in metric.sources[0].properties.values():
        if one.type.is_numeric:
            names += [f"{aggregate}_{one.name}" for aggregate in PROPERTY_AGGREGATES]
    found = (measure_named(name, metric.sources) for name in names)
    depth = () if spec.depth is None else (spec.depth,)
    return (spec.value, TOTAL, USERS, *depth, *(one for one in found if one is not None))


def measure_of(metric: Metric, name: str) -> Measure | None:
    """The measure of that name, percentiles by pattern included."""
    spec: Counted = metric.spec
    own = {"value": spec.value, "depth": spec.depth}
    return own[name] if name in own else measure_named(name, metric.sources)


def counted(scope: Scope, selection: Selection, *, measure: str, depth: str | None = None) -> Counted | None:
    """The spec of a counting family from what is written; None, and problems, when it means nothing."""
    value = written_measure(scope, measure, selection.sources, "measure")
    held = written_measure(scope, depth, selection.sources, "depth") if depth is not None else None
    if value is None or (depth is not None and held is None):
        return None
    value = replace(value, name="value", description=f"The metric's value: {measure}.")
    return Counted(selection, value, replace(held, name="depth") if held else None)


def written_measure(scope: Scope, written: str, sources: Sequence[Source], *path: str | int) -> Measure | None:
    """The measure that a definition's `measure: sum(minutes)` means; None, and a problem, when it means nothing."""
    matched = _WRITTEN.fullmatch(written.strip())
    if not matched:
        forms = "Write `total`, `users`, `per_user(median)` or `sum(PROPERTY)`, `average(..)`, `min(..)`, `max(..)`."
        scope.problem(f"`{written}` is not a measure", *path, fix=forms)
        return None
    measure = measure_named(matched[1] or f"{matched[2]}_{matched[3]}", sources)
    if measure is None:
        numeric = [one for one in sources[0].properties.values() if one.type.is_numeric]
        candidates = PER_USER if matched[2] == "per_user" else [one.name for one in numeric]
        what = "per-person statistics" if matched[2] == "per_user" else "numeric properties"
        fix = did_you_mean(matched[3], candidates, what=what)
        scope.problem(f"`{written}`: `{matched[3]}` is not one of the {what}", *path, fix=fix)
    return measure


def measure_named(name: str, sources: Sequence[Source]) -> Measure | None:
    """`total`, `users`, `per_user_p90`, `sum_minutes`; None when these sources offer no such thing."""
    if name in ("total", "users"):
        return TOTAL if name == "total" else USERS
    if matched := _PER_USER.fullmatch(name):
        stat = matched[1]
        fraction = "0.5" if stat == "median" else str(Decimal(matched[2]) / 100) if matched[2] else None
        described = f"Events per person with at least one: {stat}."
        type_ = Type.INTEGER if stat in ("min", "max") else Type.NUMBER
        return Measure(name, f"per_user_{stat}" if fraction is None else "per_user", type_, None, fraction, described)
    if matched := _PROPERTY.fullmatch(name):
        aggregate, of = matched[1], matched[2]
        found = [source.properties.get(of) for source in sources]
        if all(one is not None and one.type.is_numeric for one in found) and found[0] is not None:
            type_ = Type.NUMBER if aggregate == "average" else found[0].type
            return Measure(name, aggregate, type_, of, None, f"{aggregate.capitalize()} of {of} over matching events.")
    return None


def series_columns(
    query: BoundQuery, tables: Mapping[str, Table] = MappingProxyType({})
) -> Mapping[str, tuple[Column, ...]]:
    """`rows` by period and breakdowns, `overall` by breakdowns, and further tables."""
    return table_columns(query, {**SERIES, **tables})


def table_columns(query: BoundQuery, tables: Mapping[str, Table]) -> Mapping[str, tuple[Column, ...]]:
    """The columns of the parts asked for: keys, breakdowns, own columns, measures."""
    groups = tuple(Column(one.name, Type.STRING, description=one.description or "") for one in query.by)
    measured = tuple(
        Column(one.name, one.type, nullable=not one.is_count, description=one.description) for one in query.measures
    )
    found = {}
    for part in query.parts:
        one = tables[part]
        keys = tuple(replace(key, type=query.period_type) if key == PERIOD else key for key in one.keys)
        found[part] = (*keys, *groups, *one.columns, *(measured if one.measured else ()))
    return found
