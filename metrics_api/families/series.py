"""The measures of events over time, shared by `usage` and `value_moment`: totals, people, per-person statistics, sums.

Shape: where people are counted, events are first reduced to one row for each period, group and person; everything is
aggregated from those. That costs one hash table instead of one for each distinct count, gives per-person statistics
for nothing, and `overall` reads the same step again instead of the events (SQL_SHAPES, families 1 and 3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from metrics_api.errors import did_you_mean
from metrics_api.families.relations import (
    AT,
    ENTITY,
    count_if,
    is_known,
    labels,
    may_repeat,
    occurrences,
    on_every_period,
    period,
    quantile,
    zero_if_missing,
)
from metrics_api.plan.expr import Agg, Col, Expr, Type, all_of, call, integer
from metrics_api.plan.nodes import Aggregate, Named, Named_, Plan, Project, keep
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Measure
from metrics_api.results import Column
from metrics_api.semantic.model import Metric, Selection, Source
from metrics_api.semantic.resolve import Scope

_WRITTEN = re.compile(r"(total|users)|(per_user|sum|average|min|max)\(\s*([a-z_0-9]+)\s*\)")
_PER_USER = re.compile(r"per_user_(average|median|min|max|p([1-9]|[1-9][0-9]))")
_PROPERTY = re.compile(r"(sum|average|min|max)_([a-z_0-9]+)")
PROPERTY_AGGREGATES = ("sum", "average", "min", "max")
PER_USER = ("average", "median", "p25", "p75", "p90")

CONVENTIONS = ("Events without a user count in totals and sums, not in users.",)
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
    query: BoundQuery, tables: Mapping[str, tuple[Column, ...]] | None = None
) -> Mapping[str, tuple[Column, ...]]:
    """`rows` and further `tables` by period and breakdowns, `overall` by breakdowns."""
    groups = tuple(Column(one.name, Type.STRING, description=one.description or "") for one in query.by)
    measured = tuple(
        Column(one.name, one.type, nullable=not one.is_count, description=one.description) for one in query.measures
    )
    keys = (Column("period", query.period_type, description="The start of the bucket."), *groups)
    every = {"rows": (*keys, *measured), "overall": (*groups, *measured)}
    every |= {part: (*keys, *own) for part, own in (tables or {}).items()}
    return {part: every[part] for part in query.parts}


def plan_series(query: BoundQuery) -> Mapping[str, Plan]:
    """The plans of the selected parts."""
    selection: Selection = query.metric.spec.selection
    measures = {one.name: one for one in query.measures}
    # Minima, maxima and people do not change when a row comes twice; only what does pays for telling copies apart.
    marked = any(may_repeat(source) for source in selection.sources) and any(
        one.of not in ("users", "min", "max") for one in measures.values()
    )
    counts = Col("first_copy") if marked else None
    by_person = any(one.of.startswith(("users", "per_user")) for one in measures.values())
    projected: dict[str, Expr] = {"period": period(query, Col(AT), query.span)} if "rows" in query.parts else {}
    projected |= labels(query, query.span)
    if by_person:
        projected["entity"] = Col(ENTITY)
    for one in measures.values():
        if one.measured is not None:
            projected[f"of_{one.measured}"] = _finite(one, selection)
    events = occurrences(query, selection, query.span, projected, marked=marked)
    groups = keep(*(one.name for one in query.by))
    if by_person:
        plans = _by_person(query, events, groups, measures, counts)
    else:
        plans = _by_event(query, events, groups, measures, counts)
    return {part: plans[part] for part in query.parts}


def _by_event(
    query: BoundQuery,
    events: Plan,
    groups: tuple[Named_, ...],
    measures: Mapping[str, Measure],
    counts: Expr | None,
) -> dict[str, Plan]:
    """The parts, when no measure is about people: events are counted where they are read."""
    if "rows" not in query.parts:
        return {"overall": Aggregate(events, groups, _final(measures, counts))}
    grouped = Named("counted", Aggregate(events, (*keep("period"), *groups), _direct(measures, counts)))
    coarser = tuple((name, _coarser(name, one)) for name, one in measures.items())
    return {"rows": _filled(query, grouped, measures), "overall": Aggregate(grouped, groups, coarser)}


def _by_person(
    query: BoundQuery,
    events: Plan,
    groups: tuple[Named_, ...],
    measures: Mapping[str, Measure],
    counts: Expr | None,
) -> dict[str, Plan]:
    """The parts from one row for each (period,) group and person."""
    carried = _carried(measures, counts)
    aggregates = _of_people(measures, is_known(query, Col("entity")), marked=counts is not None)
    if "rows" not in query.parts:
        people = Named("people", Aggregate(events, (*groups, *keep("entity")), carried))
        return {"overall": Aggregate(people, groups, aggregates)}
    people = Named("people", Aggregate(events, (*keep("period"), *groups, *keep("entity")), carried))
    grouped = Named("counted", Aggregate(people, (*keep("period"), *groups), aggregates))
    once = Named("people_overall", Aggregate(people, (*groups, *keep("entity")), _recarried(carried)))
    return {"rows": _filled(query, grouped, measures), "overall": Aggregate(once, groups, aggregates)}


def _finite(measure: Measure, selection: Selection) -> Expr:
    assert measure.measured is not None
    type_ = selection.sources[0].properties[measure.measured].type
    column = Col(measure.measured)
    return call("finite", column) if type_ is Type.NUMBER else column


def _filled(query: BoundQuery, grouped: Plan, measures: Mapping[str, Measure]) -> Plan:
    """Every bucket in order, zeros where nothing was counted."""
    shown = tuple((name, zero_if_missing(name) if one.is_count else Col(name)) for name, one in measures.items())
    by = keep("period", *(one.name for one in query.by))
    return Project(on_every_period(query, grouped), (*by, *shown))


# -- aggregates straight over events ----------------------------------------------------------------------------------


def _final(measures: Mapping[str, Measure], counts: Expr | None) -> tuple[Named_, ...]:
    """Every measure over events, none of them about people. `counts` holds for the rows that do (None: for all)."""
    return tuple((name, _event_aggregate(one, counts)) for name, one in measures.items())


def _event_aggregate(one: Measure, counts: Expr | None) -> Expr:
    if one.of == "total":
        return Agg("count_rows", (), counts)
    counted = counts if one.of in ("sum", "average") else None
    return Agg({"average": "avg"}.get(one.of, one.of), (Col(f"of_{one.measured}"),), counted)


def _direct(measures: Mapping[str, Measure], counts: Expr | None) -> tuple[Named_, ...]:
    """The measures, and for averages what a coarser average is made of."""
    parts: dict[str, Expr] = dict(_final(measures, counts))
    for one in measures.values():
        if one.of == "average":
            parts |= _parts_of_average(one, counts)
    return tuple(parts.items())


def _parts_of_average(one: Measure, counts: Expr | None) -> dict[str, Expr]:
    of = Col(f"of_{one.measured}")
    return {f"{part}_of_{one.measured}": Agg(part, (of,), counts) for part in ("sum", "count")}


def _coarser(name: str, one: Measure) -> Expr:
    """The measure of the whole range from that of its buckets."""
    if one.of == "total":
        return call("coalesce", Agg("sum", (Col(name),)), integer(0))
    if one.of == "average":
        return call(
            "divide", Agg("sum", (Col(f"sum_of_{one.measured}"),)), Agg("sum", (Col(f"count_of_{one.measured}"),))
        )
    return Agg(one.of, (Col(name),))


# -- aggregates over one row a person ---------------------------------------------------------------------------------


def _carried(measures: Mapping[str, Measure], counts: Expr | None) -> tuple[Named_, ...]:
    """What is known of each person (in a period and group): events, and the parts of the property aggregates."""
    parts: dict[str, Expr] = {}
    if any(one.of == "total" or one.of.startswith("per_user") for one in measures.values()):
        parts["events"] = Agg("count_rows", (), counts)
    for one in measures.values():
        of = Col(f"of_{one.measured}")
        if one.of == "sum":
            parts[f"sum_of_{one.measured}"] = Agg("sum", (of,), counts)
        if one.of == "average":
            parts |= _parts_of_average(one, counts)
        if one.of in ("min", "max"):
            parts[f"{one.of}_of_{one.measured}"] = Agg(one.of, (of,))
    return tuple(parts.items())


def _recarried(carried: tuple[Named_, ...]) -> tuple[Named_, ...]:
    folded = {"count_rows": "sum", "count": "sum", "sum": "sum", "min": "min", "max": "max"}
    return tuple((name, Agg(folded[agg.op], (Col(name),))) for name, agg in carried if isinstance(agg, Agg))


def _of_people(measures: Mapping[str, Measure], known: Expr, *, marked: bool) -> tuple[Named_, ...]:
    return tuple((name, _person_aggregate(one, known, marked=marked)) for name, one in measures.items())


def _person_aggregate(one: Measure, known: Expr, *, marked: bool) -> Expr:
    events = Col("events")
    # A person of whom only later copies lie in this bucket was there, but has no events to speak of.
    counted = all_of([known, call("gt", events, integer(0))]) if marked else known
    match one.of:
        case "total":
            return call("coalesce", Agg("sum", (events,)), integer(0))
        case "users":
            return count_if(known)
        case "per_user":
            assert one.fraction is not None
            return quantile(events, one.fraction, counted)
        case "per_user_average":
            return Agg("avg", (events,), counted)
        case "per_user_min" | "per_user_max":
            return Agg(one.of.removeprefix("per_user_"), (events,), counted)
        case "average":
            parts = (Agg("sum", (Col(f"{part}_of_{one.measured}"),)) for part in ("sum", "count"))
            return call("divide", *parts)
    return Agg(one.of, (Col(f"{one.of}_of_{one.measured}"),))
