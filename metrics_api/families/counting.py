"""How events are counted over time: the plans of `usage` and `value_moment`, of one question or of several at once.

Shape: where people are counted, events are first reduced to one row for each period, group and person; everything is
aggregated from those. That costs one hash table instead of one for each distinct count, gives per-person statistics
for nothing, and `overall` reads the same step again instead of the events (SQL_SHAPES, families 1 and 3).

Several questions about the same sources share that shape and its one scan (RULES 35): every event is told whose it is
by a flag for each question, and every aggregate looks at its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from metrics_api.definitions.names import LONGEST_NAME
from metrics_api.families.relations import (
    AT,
    ENTITY,
    count_if,
    is_known,
    labels,
    may_repeat,
    occurrences,
    of_people,
    on_every_period,
    period,
    quantile,
    sum_of,
    with_labels_of_people,
    zero_if_missing,
)
from metrics_api.periods import Span
from metrics_api.plan.expr import Agg, Col, Expr, Type, all_of, call, instant, integer
from metrics_api.plan.nodes import Aggregate, Filter, Named, Named_, Plan, Project, keep
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Measure, Sharing
from metrics_api.semantic.model import Alternative, Selection


@dataclass(frozen=True, slots=True)
class Asked:
    """What is computed of some events. `tag` tells them from those of others in the same statement; "" if alone."""

    selection: Selection
    measures: Mapping[str, Measure]
    tag: str = ""
    repeats: bool = False
    """Whether rows can be copies of others."""

    @property
    def flag(self) -> str:
        """The column that is true for its events."""
        return f"is{self.tag}"

    @property
    def own(self) -> Expr | None:
        return Col(self.flag) if self.tag else None

    @property
    def counts(self) -> Expr | None:
        """What is true of the rows that count; None when all do."""
        conditions = [one for one in (self.own, Col("first_copy") if self.repeats else None) if one is not None]
        return all_of(conditions) if conditions else None

    @property
    def events(self) -> str:
        return f"events{self.tag}"

    @property
    def rows(self) -> str:
        """The number of its rows, copies included; where there are none, the number of its events."""
        return f"rows{self.tag}" if self.repeats else self.events

    def part(self, aggregate: str, one: Measure) -> str:
        """What is carried of an aggregate of a property."""
        return f"{aggregate}_of_{one.measured}{self.tag}"


@dataclass(frozen=True, slots=True)
class Tally:
    """What is counted, with the numbers of all questions side by side: by bucket and group, and by group."""

    asked: tuple[Asked, ...]
    rows: Plan | None
    overall: Plan


def plan_counts(query: BoundQuery) -> Mapping[str, Plan]:
    """The plans of the selected parts of one question."""
    return together((query,))


def together(queries: Sequence[BoundQuery]) -> Mapping[str, Plan]:
    """One plan for each part, with the measures of all questions side by side. Their names differ, nothing else does
    but what is counted."""
    first = queries[0]
    counted = _counted(queries, apart=False)
    measures = {name: one for asked in counted.asked for name, one in asked.measures.items()}
    plans: dict[str, Plan] = {}
    for part in first.parts:
        if part == "rows":
            assert counted.rows is not None
            plans[part] = _filled(first, counted.rows, {name: (name, one) for name, one in measures.items()})
        else:
            plans[part] = counted.overall
            if len(counted.asked) > 1:
                plans[part] = Project(counted.overall, keep(*(one.name for one in first.by), *measures))
    return plans


def apart(queries: Sequence[BoundQuery]) -> list[Mapping[str, Plan]]:
    """The plans of each question, by itself: as `plan_counts` gives them, but over one scan."""
    taken = {"period", *(one.name for one in queries[0].by)}
    names = column_names([(one.metric.name, each.name) for one in queries for each in one.measures], taken)
    of_query: list[dict[str, str]] = []
    renamed = []
    rest = iter(names)
    for query in queries:
        own = {one.name: next(rest) for one in query.measures}
        of_query.append(own)
        renamed.append(replace(query, measures=tuple(replace(one, name=own[one.name]) for one in query.measures)))
    counted = _counted(renamed, apart=True)
    overall = Named("counted_overall", counted.overall)
    plans: list[Mapping[str, Plan]] = []
    for query, own in zip(queries, of_query, strict=True):
        asked = next(one for one in counted.asked if set(own.values()) <= one.measures.keys())
        measures = {one.name: (own[one.name], one) for one in query.measures}
        shown: dict[str, Plan] = {}
        for part in query.parts:
            if part == "rows":
                assert counted.rows is not None
                shown[part] = _filled(query, _own(query, counted.rows, asked, own, "period"), measures)
            else:
                mine = tuple((name, Col(wide)) for name, wide in own.items())
                by = keep(*(one.name for one in query.by))
                shown[part] = Project(_own(query, overall, asked, own), (*by, *mine))
        plans.append(shown)
    return plans


def _own(query: BoundQuery, counted: Plan, asked: Asked, names: Mapping[str, str], *keys: str) -> Plan:
    """The rows of the groups that a question has; without breakdowns there is one group, and it has it."""
    if not query.by or not asked.tag:
        return counted
    has = Filter(counted, call("gt", Col(asked.rows), integer(0)))
    shown = keep(*keys, *(one.name for one in query.by), *names.values())
    return Named(f"own{asked.tag}", Project(has, shown))


def sharing_key(query: BoundQuery) -> Hashable:
    """Questions of equal keys and overlapping ranges can share a scan."""
    sources = query.metric.sources
    # Which of several copies is the earliest depends on the range.
    span = query.span if any(may_repeat(source) for source in sources) else None
    return (
        frozenset(sources), query.metric.entity, query.calendar, query.grain, query.by, query.where, query.ranked,
        query.data_through, span,
    )  # fmt: skip


SHARING = Sharing(sharing_key, together, apart)


# -- what is counted --------------------------------------------------------------------------------------------------


def _counted(queries: Sequence[BoundQuery], *, apart: bool) -> Tally:
    """`apart`: so that it can be told which groups each question has."""
    first = queries[0]
    span = Span(min(one.span.start for one in queries), max(one.span.end for one in queries))
    asked = _asked(queries, span)
    by_period = any("rows" in one.parts for one in queries)
    finest = replace(first, by=first.finer or first.by)
    projected: dict[str, Expr] = {"period": period(first, Col(AT), span)} if by_period else {}
    by_person = any(each.of.startswith(("users", "per_user")) for one in asked for each in one.measures.values())
    late = of_people(finest) if by_person else ()
    projected |= labels(replace(finest, by=tuple(one for one in finest.by if one not in late)), span)
    if by_person:
        projected["entity"] = Col(ENTITY)
    for one in asked:
        for each in one.measures.values():
            if each.measured is not None:
                projected[f"of_{each.measured}"] = _finite(each, one.selection)
    alternatives = dict.fromkeys(each for one in asked for each in one.selection.alternatives)
    events = occurrences(
        finest,
        replace(asked[0].selection, alternatives=tuple(alternatives)),
        span,
        projected,
        marked=asked[0].repeats,
        flags={one.flag: one.selection for one in asked if one.tag},
    )
    groups = keep(*(one.name for one in first.by))
    presence = apart and bool(first.by) and len(asked) > 1
    if by_person:
        rows, overall = _by_person(first, events, groups, asked, by_period=by_period, presence=presence)
    else:
        rows, overall = _by_event(first, events, groups, asked, by_period=by_period, presence=presence)
    return Tally(asked, rows, overall)


def _asked(queries: Sequence[BoundQuery], span: Span) -> tuple[Asked, ...]:
    """What is asked of each set of events."""
    found: dict[Selection, tuple[str, dict[str, Measure]]] = {}
    for query in queries:
        selection = _within(query.metric.spec.selection, query.span, span)
        _, measures = found.setdefault(selection, (query.metric.name, {}))
        measures |= {one.name: one for one in query.measures}
    every = [one for _, measures in found.values() for one in measures.values()]
    # Minima, maxima and people do not change when a row comes twice; only what does pays for telling copies apart.
    repeats = any(may_repeat(source) for source in queries[0].metric.sources) and any(
        one.of not in ("users", "min", "max") for one in every
    )
    if len(found) == 1:
        return (Asked(next(iter(found)), dict(next(iter(found.values()))[1]), repeats=repeats),)
    numbered = [
        Asked(selection, measures, f"__{number}", repeats)
        for number, (selection, (_, measures)) in enumerate(found.items(), 1)
    ]
    named = [Asked(selection, measures, f"_{name}", repeats) for selection, (name, measures) in found.items()]
    names = [name for one in named for name in (one.flag, *dict(_carried([one], presence=True)))]
    is_clear = len(set(names)) == len(names) and max(map(len, names)) <= LONGEST_NAME
    return tuple(named if is_clear and not {one.name for one in queries[0].by} & set(names) else numbered)


def _within(selection: Selection, own: Span, whole: Span) -> Selection:
    """The selection, of events of its own span only."""
    bounds = [call("ge", Col(AT), instant(own.start, role="own_start"))] if own.start > whole.start else []
    bounds += [call("lt", Col(AT), instant(own.end, role="own_end"))] if own.end < whole.end else []
    if not bounds:
        return selection
    return replace(
        selection,
        alternatives=tuple(Alternative(one.event, all_of([one.where, *bounds])) for one in selection.alternatives),
    )


_ON_THE_WAY = re.compile(r"(events|rows|(sum|count|min|max)_of)_")


def column_names(outputs: Iterable[tuple[str, str]], taken: Collection[str]) -> list[str]:
    """A column name for each (metric, measure), all different, and different from those of steps on the way."""
    names: dict[str, None] = {}
    for metric, measure in outputs:
        name = metric if measure == "value" else f"{metric}_{measure}"
        if name in names or name in taken or len(name) > LONGEST_NAME or _ON_THE_WAY.match(name):
            name = next(
                free for k in count(len(names) + 1) if (free := f"input_{k}") not in names and free not in taken
            )
        names[name] = None
    return list(names)


def _by_event(
    query: BoundQuery,
    events: Plan,
    groups: tuple[Named_, ...],
    asked: Sequence[Asked],
    *,
    by_period: bool,
    presence: bool,
) -> tuple[Plan | None, Plan]:
    """What is counted, when no measure is about people: events are counted where they are read."""
    there = {one.rows: Agg("count_rows", (), one.own) for one in asked if presence}
    if not by_period and not query.finer:
        return None, Aggregate(events, groups, (*_final(asked), *there.items()))
    finest = keep(*(("period",) if by_period else ()), *(one.name for one in query.finer or query.by))
    grouped = Named("counted", Aggregate(events, finest, (*_direct(asked), *there.items())))
    coarser = [(name, _coarser(name, each, one)) for one in asked for name, each in one.measures.items()]
    more = [(name, Agg("sum", (Col(name),))) for name in there]
    overall = Aggregate(grouped, groups, (*coarser, *more))
    if not by_period or not query.finer:
        return (grouped if by_period else None), overall
    subtotal = Named("counted_subtotal", Aggregate(grouped, (*keep("period"), *groups), (*coarser, *more)))
    return subtotal, overall


def _by_person(
    query: BoundQuery,
    events: Plan,
    groups: tuple[Named_, ...],
    asked: Sequence[Asked],
    *,
    by_period: bool,
    presence: bool,
) -> tuple[Plan | None, Plan]:
    """What is counted, from one row for each (period,) group and person."""
    carried = tuple(_carried(asked, presence=presence))
    aggregates = _of_people(asked, is_known(query, Col("entity")), presence=presence)
    buckets = keep("period") if by_period else ()
    finest = replace(query, by=query.finer or query.by)
    late = of_people(finest)
    early = keep(*(one.name for one in finest.by if one not in late))
    people: Plan = Named("people", Aggregate(events, (*buckets, *early, *keep("entity")), carried))
    if late:
        people = Named("described_people", with_labels_of_people(finest, people, late))
    if query.finer:
        people = Named("people_subtotal", Aggregate(people, (*buckets, *groups, *keep("entity")), _recarried(carried)))
    if not by_period:
        return None, Aggregate(people, groups, aggregates)
    grouped = Named("counted", Aggregate(people, (*keep("period"), *groups), aggregates))
    once = Named("people_overall", Aggregate(people, (*groups, *keep("entity")), _recarried(carried)))
    return grouped, Aggregate(once, groups, aggregates)


def _finite(measure: Measure, selection: Selection) -> Expr:
    assert measure.measured is not None
    type_ = selection.sources[0].properties[measure.measured].type
    column = Col(measure.measured)
    return call("finite", column) if type_ is Type.NUMBER else column


def _filled(query: BoundQuery, grouped: Plan, measures: Mapping[str, tuple[str, Measure]]) -> Plan:
    """Every bucket in order, zeros where nothing was counted. `measures` are by name, with the column that has them."""
    shown = tuple(
        (name, zero_if_missing(column) if one.is_count else Col(column)) for name, (column, one) in measures.items()
    )
    by = keep("period", *(one.name for one in query.by))
    return Project(on_every_period(query, grouped), (*by, *shown))


# -- aggregates straight over events ----------------------------------------------------------------------------------


def _final(asked: Sequence[Asked]) -> list[Named_]:
    """Every measure over events, none of them about people."""
    return [(name, _event_aggregate(each, one)) for one in asked for name, each in one.measures.items()]


def _event_aggregate(one: Measure, asked: Asked) -> Expr:
    if one.of == "total":
        return Agg("count_rows", (), asked.counts)
    counted = asked.counts if one.of in ("sum", "average") else asked.own
    of = Col(f"of_{one.measured}")
    if one.of == "sum":
        return sum_of(of, one.type, counted)
    return Agg({"average": "avg"}.get(one.of, one.of), (of,), counted)


def _direct(asked: Sequence[Asked]) -> list[Named_]:
    """The measures, and for averages what a coarser average is made of."""
    parts: dict[str, Expr] = dict(_final(asked))
    for one in asked:
        for each in one.measures.values():
            if each.of == "average":
                parts |= _parts_of_average(each, one)
    return list(parts.items())


def _parts_of_average(one: Measure, asked: Asked) -> dict[str, Expr]:
    of = Col(f"of_{one.measured}")
    return {asked.part(part, one): Agg(part, (of,), asked.counts) for part in ("sum", "count")}


def _coarser(name: str, one: Measure, asked: Asked) -> Expr:
    """The measure of the whole range from that of its buckets."""
    if one.of == "total":
        return call("coalesce", Agg("sum", (Col(name),)), integer(0))
    if one.of == "average":
        return call("divide", *(Agg("sum", (Col(asked.part(part, one)),)) for part in ("sum", "count")))
    return Agg(one.of, (Col(name),))


# -- aggregates over one row a person ---------------------------------------------------------------------------------


def _carried(asked: Sequence[Asked], *, presence: bool) -> list[Named_]:
    """What is known of each person (in a period and group): events, and the parts of the property aggregates."""
    parts: dict[str, Expr] = {}
    for one in asked:
        of_people = [each.of for each in one.measures.values()]
        if presence or (one.tag and "users" in of_people):
            parts[one.rows] = Agg("count_rows", (), one.own)
        if any(of == "total" or of.startswith("per_user") for of in of_people):
            parts[one.events] = Agg("count_rows", (), one.counts)
        for each in one.measures.values():
            of = Col(f"of_{each.measured}")
            if each.of == "sum":
                parts[one.part("sum", each)] = sum_of(of, each.type, one.counts)
            if each.of == "average":
                parts |= _parts_of_average(each, one)
            if each.of in ("min", "max"):
                parts[one.part(each.of, each)] = Agg(each.of, (of,), one.own)
    return list(parts.items())


def _recarried(carried: Sequence[Named_]) -> tuple[Named_, ...]:
    folded = {"count_rows": "sum", "count": "sum", "sum": "sum", "min": "min", "max": "max"}
    return tuple((name, Agg(folded[agg.op], (Col(name),))) for name, agg in carried if isinstance(agg, Agg))


def _of_people(asked: Sequence[Asked], known: Expr, *, presence: bool) -> tuple[Named_, ...]:
    there = ((one.rows, Agg("sum", (Col(one.rows),))) for one in asked if presence)
    measured = ((name, _person_aggregate(each, one, known)) for one in asked for name, each in one.measures.items())
    return (*measured, *there)


def _person_aggregate(one: Measure, asked: Asked, known: Expr) -> Expr:
    events = Col(asked.events)
    # A person of whom only later copies lie in this bucket was there, but has no events to speak of.
    counted = all_of([known, call("gt", events, integer(0))]) if asked.counts is not None else known
    match one.of:
        case "total":
            return call("coalesce", Agg("sum", (events,)), integer(0))
        case "users":
            return count_if(all_of([known, call("gt", Col(asked.rows), integer(0))]) if asked.tag else known)
        case "per_user":
            assert one.fraction is not None
            return quantile(events, one.fraction, counted)
        case "per_user_average":
            return Agg("avg", (events,), counted)
        case "per_user_min" | "per_user_max":
            return Agg(one.of.removeprefix("per_user_"), (events,), counted)
        case "average":
            return call("divide", *(Agg("sum", (Col(asked.part(part, one)),)) for part in ("sum", "count")))
    return Agg(one.of, (Col(asked.part(one.of, one)),))
