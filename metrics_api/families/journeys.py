"""Attempts at steps within a window: what a funnel means, and its `Journey` (shared by the parts of a funnel)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from metrics_api.families.relations import (
    AT,
    ENTITY,
    TIE,
    events_of,
    is_known,
    period,
    raw_label,
    with_others,
)
from metrics_api.periods import Duration, Span
from metrics_api.plan.expr import (
    TRUE,
    Agg,
    Case,
    Col,
    Expr,
    Over,
    Type,
    all_of,
    any_of,
    call,
    instant,
    integer,
    text,
)
from metrics_api.plan.expr import columns as columns_of
from metrics_api.plan.nodes import Aggregate, Filter, Journey, JourneyStep, Plan, Project, Union, keep, output
from metrics_api.plan.nodes import Exclusion as ExcludedRows
from metrics_api.query.bind import BoundQuery
from metrics_api.query.dimension import NONE
from metrics_api.semantic.model import Property, Selection, Source, fields_of

HISTORY_BEGINS = datetime(1900, 1, 1)
"""Before any event, where a source does not say when its history starts."""


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    selection: Selection
    optional: bool = False
    within: Duration | None = None


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Events that end an attempt between two steps (by their numbers, from 1)."""

    name: str
    selection: Selection
    after: int
    before: int
    removes: bool = False


@dataclass(frozen=True, slots=True)
class Funnel:
    steps: tuple[Step, ...]
    within: Duration
    order: Literal["ordered", "strict", "unordered"] = "ordered"
    among: Literal["all_events", "steps"] = "all_events"
    """Which events may not lie between the steps of a strict one."""
    first_ever: bool = False
    entry: Literal["any", "first"] = "any"
    count: Literal["users", "totals"] = "users"
    hold_constant: tuple[str, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    attribution: Literal["first", "last", "all"] | int = "first"
    grace: Duration | None = None

    @property
    def overlapping(self) -> bool:
        """Whether one event could be two steps."""
        return any(True for _ in overlaps(self.steps))

    @property
    def names(self) -> tuple[str, ...]:
        """What the steps are called in answers: in any order they are told apart by their number only."""
        if self.order == "unordered":
            return tuple(f"any_{k}" for k in range(1, len(self.steps) + 1))
        return tuple(step.name for step in self.steps)

    @property
    def selections(self) -> tuple[Selection, ...]:
        return (*(one.selection for one in self.steps), *(one.selection for one in self.exclusions))

    def required_before(self, k: int) -> int:
        """The number of the last required step before step k (both from 1)."""
        return next(j for j in range(k - 1, 0, -1) if not self.steps[j - 1].optional)

    def required_after(self, k: int) -> int | None:
        """The number of the first required step after step k, if there is one."""
        count = len(self.steps)
        return next((j for j in range(k + 1, count + 1) if not self.steps[j - 1].optional), None)


def overlaps(steps: tuple[Step, ...]) -> Iterator[tuple[Step, Step]]:
    """The pairs of steps that one event could be."""
    for index, here in enumerate(steps):
        for there in steps[index + 1 :]:
            if here.selection.overlaps(there.selection):
                yield here, there


def window(query: BoundQuery) -> timedelta:
    """How long after the entry steps count: the question's own `within`, else the definition's."""
    spec: Funnel = query.metric.spec
    return (query.within or spec.within).elapsed


def attempts(query: BoundQuery, *, per_bucket: bool = False, times: bool = False) -> Plan:
    """The attempts that count: entity, at_1 .. at_n, [excluded_at], the breakdowns, and per bucket also `period`.

    With top values the other labels are `(other)`.
    """
    spec: Funnel = query.metric.spec
    by = [one.name for one in query.by]
    found: Plan = journey(query, per_bucket=per_bucket, times=times)
    if not by:
        return found
    shown = {_label(name): name for name in by}
    found = Project(found, tuple((shown.get(name, name), Col(name)) for name in output(found)))
    return found if spec.attribution == "all" else with_others(query, found)


def journey(query: BoundQuery, *, per_bucket: bool = False, times: bool = False) -> Journey:
    """The attempts of a question, with labels under names of their own (`by_NAME`)."""
    spec: Funnel = query.metric.spec
    labels = tuple(_label(one.name) for one in query.by)
    apart = spec.attribution == "all"
    rows = _Rows(query, spec)
    each_entry = spec.count == "totals"
    return Journey(
        input=rows.plan,
        steps=tuple(
            JourneyStep(one.name, condition, one.optional, _seconds(one.within))
            for one, condition in zip(spec.steps, rows.steps, strict=True)
        ),
        window_seconds=int(window(query).total_seconds()),
        enters=rows.enters,
        entered=rows.entered,
        take="every" if each_entry else "first" if spec.entry == "first" else "best",
        per=period(query, Col("at_1"), query.span) if per_bucket else None,
        overlapping=spec.overlapping,
        tie=rows.tie,
        unordered=spec.order == "unordered",
        breaks=rows.breaks,
        exclusions=tuple(
            ExcludedRows(condition, one.after, one.before, one.removes)
            for one, condition in zip(spec.exclusions, rows.exclusions, strict=True)
        ),
        grace_seconds=_seconds(spec.grace) or 0,
        once_per_entity=spec.steps[0].selection.is_once_per(query.metric.entity),
        times=times and len(spec.steps) > 2,
        labels=() if apart else labels,
        attribution="first" if spec.attribution == "all" else spec.attribution,
        same=rows.same,
        keys=labels if apart else (),
    )


def _label(name: str) -> str:
    """The column of a breakdown's label: a step's condition may read the property itself beside it."""
    return f"by_{name}"


def _seconds(duration: Duration | None) -> int | None:
    return None if duration is None else int(duration.elapsed.total_seconds())


class _Rows:
    """The rows that a journey goes through, and the conditions on them that are its steps.

    Columns: entity, at, [tie], a label for each breakdown, `held` and `same_N` for what is held constant, and what the
    conditions read: with one source the properties themselves, else one column for each condition.
    """

    def __init__(self, query: BoundQuery, spec: Funnel) -> None:
        self.query, self.spec = query, spec
        within = window(query)
        grace = spec.grace.elapsed if spec.grace else timedelta(0)
        whole = query.calendar.span(query.first, query.last)
        self.span = query.clipped(whole.widened(before=grace, after=within))
        self.sources = tuple(dict.fromkeys(source for one in spec.selections for source in one.sources))
        self.tie = spec.overlapping and all(source.tie_breaker for source in self.sources)
        looks_back = spec.first_ever and not spec.steps[0].selection.is_once_per(query.metric.entity)
        self.same = (
            ("held", *(f"same_{n}" for n in range(1, len(spec.hold_constant) + 1))) if spec.hold_constant else ()
        )
        inputs = [self._of_source(source) for source in self.sources]
        told = len(inputs) == 1 and not self._clashes(inputs[0])
        conditions = inputs[0][1] if told else {name: Col(name) for name in inputs[0][1]}
        rows = [self._projected(*one, told=told) for one in inputs]
        self.plan = self._settled(rows[0] if len(rows) == 1 else Union(tuple(rows)))
        self.entered = self._settled(self._first_ever()) if looks_back else None
        self.enters = TRUE if looks_back else self._in_range(grace)
        count = len(spec.steps)
        found = list(conditions.values())
        self.steps = [found[0], *(self._held(one) for one in found[1:count])]
        self.exclusions = found[count:]
        self.breaks = self._breaks(found[:count])

    def _of_source(self, source: Source) -> tuple[Source, dict[str, Expr]]:
        """A source, and for each step and exclusion whether a row of it is one."""
        steps = {f"is_{k}": _qualifies(one.selection, source) for k, one in enumerate(self.spec.steps, 1)}
        out = {f"is_out_{m}": _qualifies(one.selection, source) for m, one in enumerate(self.spec.exclusions, 1)}
        return source, steps | out

    def _columns(self, source: Source, span: Span) -> dict[str, Expr]:
        query = self.query
        found: dict[str, Expr] = {"entity": Col(ENTITY), "at": Col(AT)}
        if self.tie:
            found["tie"] = Col(TIE)
        apart = self.spec.attribution == "all"
        for one in query.by:
            label = raw_label(query, one, span)
            found[_label(one.name)] = call("coalesce", label, text(NONE)) if apart else label
        if self.same:
            values = [_value(fields_of([source])[name]) for name in self.spec.hold_constant]
            missing = any_of(call("is_null", one) for one in values)
            found["held"] = Case(((missing, text("no")),), text("yes"))
            found |= {name: call("coalesce", one, text("")) for name, one in zip(self.same[1:], values, strict=True)}
        return found

    def _clashes(self, one: tuple[Source, dict[str, Expr]]) -> bool:
        """Whether a condition reads a property that is called as one of the columns here."""
        read = {name for expr in one[1].values() for name in columns_of(expr)}
        return bool(read & self._columns(one[0], self.span).keys())

    def _projected(self, source: Source, conditions: Mapping[str, Expr], *, told: bool) -> Plan:
        shown = self._columns(source, self.span)
        read = {name for expr in conditions.values() for name in columns_of(expr)}
        shown |= {name: Col(name) for name in sorted(read)} if told else dict(conditions)
        every = self.spec.order == "strict" and self.spec.among == "all_events"
        wanted = self.spec.selections
        if every:
            events: set[str | None] = {None}
        else:
            events = {key for one in wanted for key in one.events(source)}
        return self._read(source, self.span, shown, events)

    def _read(
        self, source: Source, span: Span, shown: Mapping[str, Expr], events: set[str | None], only: Expr = TRUE
    ) -> Plan:
        query = self.query
        condition = all_of([only, query.where, is_known(query, Col(ENTITY))])
        read = {name for expr in (condition, *shown.values()) for name in columns_of(expr)}
        return Project(Filter(events_of(query, source, span, read, events), condition), tuple(shown.items()))

    def _first_ever(self) -> Plan:
        """Each person's first event of the first step over all history, where it lies in the range.

        Several at one instant are all there: which of them was first cannot be told.
        """
        query, selection = self.query, self.spec.steps[0].selection
        history = Span(HISTORY_BEGINS, query.span.end)
        inputs = []
        for source in selection.sources:
            shown = self._columns(source, history)
            qualifies = _qualifies(selection, source)
            inputs.append(self._read(source, history, shown, set(selection.events(source)), qualifies))
        every = inputs[0] if len(inputs) == 1 else Union(tuple(inputs))
        names = output(every)
        if names == ("entity", "at"):
            first: Plan = Aggregate(every, keep("entity"), (("at", Agg("min", (Col("at"),))),))
        else:
            moment = (Col("at"), *((Col("tie"),) if self.tie else ()))
            ranked = Project(every, (*keep(*names), ("place", Over("dense_rank", (), (Col("entity"),), moment))))
            first = Filter(ranked, call("eq", Col("place"), integer(1)))
        in_range = Filter(first, call("ge", Col("at"), instant(query.span.start, role="range_start")))
        return Project(in_range, keep(*names))

    def _settled(self, rows: Plan) -> Plan:
        """Where each value is a funnel of its own: what is beyond the top ones is told of every event."""
        if self.spec.attribution != "all" or not self.query.ranked:
            return rows
        by = {one.name: _label(one.name) for one in self.query.by}
        labels = {label: name for name, label in by.items()}
        named = Project(rows, tuple((labels.get(name, name), Col(name)) for name in output(rows)))
        others = with_others(self.query, named)
        return Project(others, tuple((by.get(name, name), Col(name)) for name in output(others)))

    def _in_range(self, grace: timedelta) -> Expr:
        begins = call("ge", Col("at"), instant(self.query.span.start, role="range_start"))
        ends = call("lt", Col("at"), instant(self.query.span.end, role="range_end"))
        return all_of([begins if grace else None, ends])

    def _held(self, condition: Expr) -> Expr:
        """A step after the entry: what is held constant must be known, for nothing is equal to null."""
        return all_of([condition, call("eq", Col("held"), text("yes"))]) if self.same else condition

    def _breaks(self, steps: list[Expr]) -> Expr | None:
        if self.spec.order != "strict":
            return None
        return TRUE if self.spec.among == "all_events" else any_of(steps)


def _value(of: Property) -> Expr:
    """A property as text, null where it is missing."""
    value = Col(of.name)
    return call("to_text", call("finite", value) if of.type is Type.NUMBER else value, text(of.type))


def _qualifies(selection: Selection, source: Source) -> Expr:
    return any_of(all_of([one.event.match, one.where]) for one in selection.alternatives if one.event.source is source)
