"""`funnel`: how many people go from a first step through the others within a window: activation, conversion.

One attempt stands for each person (RULES 25); everything said of a step - converted, dropped, pending, times - is
said of that attempt. A person whose window is still open is pending, not lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from pydantic import Field

from metrics_api.definitions.base import DurationField, MetricDefinition, Selector
from metrics_api.definitions.names import Identifier
from metrics_api.families.relations import (
    AT,
    ENTITY,
    TIE,
    count_if,
    events_of,
    is_known,
    quantile,
    raw_label,
    with_others,
)
from metrics_api.families.series import table_columns
from metrics_api.periods import Duration
from metrics_api.plan.expr import (
    Agg,
    Col,
    Expr,
    Lit,
    Type,
    all_of,
    any_of,
    call,
    instant,
    integer,
    text,
)
from metrics_api.plan.expr import (
    columns as columns_of,
)
from metrics_api.plan.nodes import Aggregate, Filter, Journey, Named, Named_, Plan, Project, Union, keep, output
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Family, Measure, Table
from metrics_api.results import Column
from metrics_api.semantic.model import Metric, Selection
from metrics_api.semantic.resolve import Scope

MAX_STEPS = 10


class FunnelDefinition(MetricDefinition):
    """Ordered steps within a window that begins with the first."""

    type: Literal["funnel"]
    steps: Mapping[Identifier, Selector]
    """The steps in order, by name: `signed_up: {event: sign_up}`, `watched: {on: videos_watched}`."""
    within: DurationField = Field(default=Duration(30, "day"))
    """The conversion window from the entry, inclusive; a day is 24 hours."""
    order: Literal["ordered"] = "ordered"
    """Other events may happen between the steps."""
    entry: Literal["any"] = "any"
    """Every first step starts an attempt; a person's deepest attempt counts."""


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    selection: Selection


@dataclass(frozen=True, slots=True)
class Funnel:
    steps: tuple[Step, ...]
    within: Duration

    @property
    def overlapping(self) -> bool:
        """Whether one event could be two steps."""
        selections = [step.selection for step in self.steps]
        return any(here.overlaps(there) for index, here in enumerate(selections) for there in selections[index + 1 :])


def resolve(definition: FunnelDefinition, scope: Scope) -> Funnel | None:
    count = len(definition.steps)
    if count < 2:
        scope.problem(f"a funnel of {count} step{'s' * (count != 1)}", "steps", fix="Give it at least two steps.")
    if count > MAX_STEPS:
        scope.problem(f"a funnel of {count} steps; at most {MAX_STEPS} are computed", "steps")
    found = [(name, scope.selection(one, "steps", name)) for name, one in definition.steps.items()]
    steps = tuple(Step(name, selection) for name, selection in found if selection is not None)
    return Funnel(steps, definition.within) if len(steps) == count else None


# -- measures: the times to convert are computed only when asked for --------------------------------------------------

_TIMES = re.compile(r"seconds_from_(entry|previous)_(average|median|min|max|p([1-9]|[1-9][0-9]))")
_OFFERED = tuple(
    f"seconds_from_{origin}_{stat}"
    for origin in ("entry", "previous")
    for stat in ("average", "median", "p25", "p75", "p90")
)


def measure(metric: Metric, name: str) -> Measure | None:
    if not (matched := _TIMES.fullmatch(name)):
        return None
    fraction = "0.5" if matched[2] == "median" else str(Decimal(matched[3]) / 100) if matched[3] else None
    since = "the entry" if matched[1] == "entry" else "the previous step"
    return Measure(
        name,
        f"{matched[1]}_{matched[2]}",
        Type.NUMBER,
        None,
        fraction,
        f"Seconds from {since}, over converters: {matched[2]}.",
    )


def measures(metric: Metric) -> tuple[Measure, ...]:
    return tuple(one for name in _OFFERED if (one := measure(metric, name)))


_COUNTS = {
    "entered": "People who reached the previous step; for the first, who entered.",
    "converted": "People who reached this step within the window.",
    "dropped": "People whose window closed before they reached it.",
    "excluded": "People removed by an exclusion.",
    "pending": "People who have not reached it and whose window is still open.",
    "mature_entered": "Of those entered, people whose window has closed.",
}
_RATES = {
    "rate": "Converted, of all who entered the funnel.",
    "step_rate": "Converted, of those who reached the previous step.",
    "mature_rate": "Converted, of all who entered; both only of people whose window has closed.",
}
STEPS = Table(
    (
        Column("step", Type.STRING, description="The step's name."),
        Column("position", Type.INTEGER, description="1 for the entry."),
    ),
    (
        *(Column(name, Type.INTEGER, description=words) for name, words in _COUNTS.items()),
        *(Column(name, Type.NUMBER, nullable=True, description=words) for name, words in _RATES.items()),
    ),
    "A row for each group and step.",
    measured=True,
)


def columns(query: BoundQuery) -> Mapping[str, tuple[Column, ...]]:
    return table_columns(query, FAMILY.tables)


# -- plan -------------------------------------------------------------------------------------------------------------


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    spec: Funnel = query.metric.spec
    by = tuple(one.name for one in query.by)
    attempts = Named("attempts", journey(query))
    if query.ranked:
        times = (name for name in output(attempts) if name.startswith("at_"))
        labelled = Project(attempts, (*keep(*times), *((name, Col(_label(name))) for name in by)))
        totals = Named("totals", Aggregate(with_others(query, labelled), keep(*by), _totals(query)))
    else:
        totals = Named("totals", Aggregate(attempts, tuple((name, Col(_label(name))) for name in by), _totals(query)))
    steps = [
        Project(totals, (("step", text(step.name)), ("position", integer(k)), *keep(*by), *_shown(query, k)))
        for k, step in enumerate(spec.steps, 1)
    ]
    return {"steps": Union(tuple(steps))}


def ranking(query: BoundQuery) -> tuple[Plan, str]:
    """Groups are ranked by those who entered."""
    steps = plan(replace(query, measures=(), parts=("steps",)))["steps"]
    return Filter(steps, call("eq", Col("position"), integer(1))), "entered"


def window(query: BoundQuery) -> timedelta:
    spec: Funnel = query.metric.spec
    return (query.within or spec.within).elapsed


def journey(query: BoundQuery) -> Journey:
    """Each person's best attempt: entity, at_1 .. at_n, labels."""
    spec: Funnel = query.metric.spec
    entries, within = query.span, window(query)
    span = query.clipped(query.calendar.span(query.first, query.last).widened(after=within))
    overlapping = spec.overlapping
    sources = tuple(dict.fromkeys(source for step in spec.steps for source in step.selection.sources))
    tie = overlapping and all(source.tie_breaker for source in sources)
    names = [f"is_{k}" for k in range(1, len(spec.steps) + 1)]
    inputs: list[Plan] = []
    conditions: list[Expr] = []
    for source in sources:
        qualifying = [_qualifies(step.selection, source) for step in spec.steps]
        projected: dict[str, Expr] = {"entity": Col(ENTITY), "at": Col(AT)}
        if tie:
            projected["tie"] = Col(TIE)
        projected |= {_label(one.name): raw_label(query, one, span) for one in query.by}
        known = is_known(query, Col(ENTITY))
        condition = all_of([query.where, known])
        read = {name for expr in (condition, *qualifying, *projected.values()) for name in columns_of(expr)}
        events = {key for step in spec.steps for key in step.selection.events(source)}
        rows: Plan = Filter(events_of(query, source, span, read, events), condition)
        steps_read = {name for expr in qualifying for name in columns_of(expr)}
        # A property that is called as one of these columns is read before it is one of them.
        if len(sources) == 1 and not steps_read & projected.keys():
            conditions = qualifying
            projected |= {name: Col(name) for name in sorted(steps_read)}
        else:
            projected |= dict(zip(names, qualifying, strict=True))
            conditions = [Col(name) for name in names]
        inputs.append(Project(rows, tuple(projected.items())))
    in_range = call("lt", Col("at"), instant(entries.end, role="range_end"))
    conditions[0] = all_of([conditions[0], in_range])
    return Journey(
        input=inputs[0] if len(inputs) == 1 else Union(tuple(inputs)),
        steps=tuple((step.name, one) for step, one in zip(spec.steps, conditions, strict=True)),
        window_seconds=int(within.total_seconds()),
        strict=overlapping,
        tie=tie,
        once_per_entity=spec.steps[0].selection.is_once_per(query.metric.entity),
        times=bool(query.measures) and len(spec.steps) > 2,
        labels=tuple(_label(one.name) for one in query.by),
    )


def _label(name: str) -> str:
    """The column of a breakdown's label: a step's condition may read the property itself beside it."""
    return f"by_{name}"


def _qualifies(selection: Selection, source: object) -> Expr:
    return any_of(all_of([one.event.match, one.where]) for one in selection.alternatives if one.event.source is source)


def _totals(query: BoundQuery) -> tuple[Named_, ...]:
    """One row for the whole funnel (and group): what every step is made of, read in a single pass."""
    spec: Funnel = query.metric.spec
    closed = call("le", Col("at_1"), instant(query.data_through - window(query), role="last_closed_entry"))
    totals: dict[str, Expr] = {}
    for k in range(1, len(spec.steps) + 1):
        reached = call("not_", call("is_null", Col(f"at_{k}")))
        totals[f"reached_{k}"] = Agg("count", (Col(f"at_{k}"),))
        totals[f"mature_{k}"] = count_if(all_of([reached, closed]))
        if k > 1:
            for one in query.measures:
                totals[f"{one.name}_{k}"] = _time(one, k)
    return tuple(totals.items())


def _time(one: Measure, k: int) -> Expr:
    origin, stat = one.of.split("_", 1)
    took = call("seconds_between", Col("at_1" if origin == "entry" else f"at_{k - 1}"), Col(f"at_{k}"))
    if one.fraction is not None:
        return quantile(took, one.fraction)
    return Agg({"average": "avg"}.get(stat, stat), (took,))


def _shown(query: BoundQuery, k: int) -> tuple[Named_, ...]:
    reached, mature = Col(f"reached_{k}"), Col(f"mature_{k}")
    if k == 1:
        zero = integer(0)
        lost: tuple[Expr, ...] = (reached, reached, zero, zero, zero, mature)
        times: tuple[Expr, ...] = tuple(Lit(None, Type.NUMBER) for _ in query.measures)
        previous: Expr = reached
    else:
        previous, mature_previous = Col(f"reached_{k - 1}"), Col(f"mature_{k - 1}")
        dropped = call("sub", mature_previous, mature)
        pending = call("sub", call("sub", previous, reached), dropped)
        lost = (previous, reached, dropped, integer(0), pending, mature_previous)
        times = tuple(Col(f"{one.name}_{k}") for one in query.measures)
    names = ("entered", "converted", "dropped", "excluded", "pending", "mature_entered")
    rates = (
        ("rate", call("divide", reached, Col("reached_1"))),
        ("step_rate", call("divide", reached, previous)),
        ("mature_rate", call("divide", mature, Col("mature_1"))),
    )
    named_times = ((one.name, time) for one, time in zip(query.measures, times, strict=True))
    return (*zip(names, lost, strict=True), *rates, *named_times)


def conventions(metric: Metric, within: Duration | None = None) -> tuple[str, ...]:
    spec: Funnel = metric.spec
    ordering = (
        "One event can be two steps here, so a step must be later than the one before it."
        if spec.overlapping
        else "Steps at the same instant count in their order."
    )
    return (
        "The range filters the entry; conversions may come later.",
        f"Window: {within or spec.within} from the entry, inclusive.",
        "A person counts once, by the deepest attempt, then the earliest completed, then the latest entered.",
        ordering,
        "Broken down by the first value found along the attempt's steps.",
    )


FAMILY = Family(
    definition=FunnelDefinition,
    shape="funnel",
    parts=("steps",),
    resolve=resolve,
    selections=lambda spec: tuple(step.selection for step in spec.steps),
    is_engagement=lambda spec: spec.steps[-1].selection.is_value_moment,
    measures=measures,
    measure=measure,
    default_measures=("seconds_from_entry_average", "seconds_from_entry_median"),
    columns=columns,
    plan=plan,
    ranking=ranking,
    conventions=conventions,
    tables={"steps": STEPS},
    example="""\
activation:
  type: funnel
  steps:
    signed_up: {event: signed_up}
    watched: {on: videos_watched}
  within: 30 days
""",
)
