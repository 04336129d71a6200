"""`lifecycle`: who is new, came back, went away or stays away, bucket by bucket: growth accounting.

Shape: buckets are places in a row, and all that lies before the bucket before the range is one of them; for each place
three counts (people, those who are new, those who were at the place before: `Attendance`), of which every measure is
made. Only what the asked measures rest on is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal

from pydantic import Field

from metrics_api.definitions.base import Condition, MetricDefinition, Selector
from metrics_api.definitions.names import MomentName
from metrics_api.errors import QueryError
from metrics_api.families.relations import (
    AT,
    ENTITY,
    count_if,
    is_known,
    labels,
    may_repeat,
    occurrences,
    of_people,
    period,
    with_labels_of_people,
    zero_if_missing,
)
from metrics_api.families.series import PERIOD, table_columns
from metrics_api.families.windows import begun, has_history, once_begun
from metrics_api.periods import DAY, Duration, Grain, Period, Span
from metrics_api.plan.expr import FALSE, Agg, Case, Col, Expr, Lit, Over, Type, all_of, call, instant, integer
from metrics_api.plan.nodes import (
    Aggregate,
    Attendance,
    Filter,
    Join,
    Named,
    Named_,
    Plan,
    Project,
    Spine,
    keep,
    output,
)
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Family, Measure, Members, Series, Table
from metrics_api.results import Column
from metrics_api.semantic.model import Metric, Selection
from metrics_api.semantic.resolve import Scope

EVER, BEFORE, FIRST = 0, 1, 2
"""The places of buckets: the range's own are 2, 3, ...; 1 is the one before them; 0 is all that was before that."""

FEW = 16
"""Buckets up to which an event is compared with the start of each."""

LONG_AGO = datetime(1900, 1, 1)
"""Where a source does not say where its history begins."""


class LifecycleDefinition(MetricDefinition):
    """New, returning, resurrecting and dormant people of each bucket: where growth comes from, and where it goes."""

    type: Literal["lifecycle"]
    on: MomentName
    """What makes a person active: an event, or a value moment."""
    where: Condition | None = None
    """Only events for which this SQL condition is true."""
    at_least: int = Field(default=1, ge=1, le=1_000_000)
    """Events within a bucket that make a person active in it."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    selection: Selection
    at_least: int


MEASURES = {
    one.name: one
    for one in (
        Measure("new", "users", Type.INTEGER, description="Active for the first time ever."),
        Measure("returning", "users", Type.INTEGER, description="Active, and in the bucket before as well."),
        Measure("resurrecting", "users", Type.INTEGER, description="Active, not in the bucket before, but earlier."),
        Measure("dormant", "users", Type.INTEGER, description="Active in the bucket before, and not in this one."),
        Measure("dormant_stock", "users", Type.INTEGER, description="Ever active before, and not in this bucket."),
        Measure("active", "users", Type.INTEGER, description="Active: new, returning and resurrecting people."),
        Measure("quick_ratio", "ratio", Type.NUMBER, description="New and resurrecting people by dormant ones."),
        Measure("net_change", "users", Type.INTEGER, description="New and resurrecting people less dormant ones."),
    )
}  # fmt: skip
ROWS = Table((PERIOD,), (), "A row for each bucket and group.", measured=True, flagged=True)

OF_HISTORY = frozenset(("new", "resurrecting", "dormant_stock"))
OF_BUCKET_BEFORE = frozenset(("returning", "dormant", "quick_ratio", "net_change"))
"""The measures (and states) that rest on more than the bucket itself."""


def resolve(definition: LifecycleDefinition, scope: Scope) -> Lifecycle | None:
    selection = scope.selection(Selector(on=definition.on, where=definition.where))
    return None if selection is None else Lifecycle(selection, definition.at_least)


def check(query: BoundQuery) -> None:
    name = query.metric.name
    if query.grain is Grain.HOUR:
        raise QueryError(f"{name}: a lifecycle is one of whole days", fix="Ask for `grain: day` or coarser.")
    chosen = query.chosen.get("period")
    if isinstance(chosen, date) and not query.first <= chosen <= query.last:
        raise QueryError(
            f"{name}: the members of {chosen} are asked for, and the range is {query.first} to {query.last}",
            fix="Ask for a range that holds the day.",
        )


def is_complete(query: BoundQuery, of: Period) -> bool:
    """Whether the data reaches the bucket's end, and the beginning of the bucket before it."""
    since = query.calendar.local_date(_before(query, of).start)
    return of.end <= query.data_through and has_history(query, since)


def _before(query: BoundQuery, of: Period) -> Period:
    """The bucket before another; a date that the zone skipped is none."""
    day = query.calendar.local_date(of.start) - DAY
    while not (found := query.calendar.periods(day, day, query.grain)):
        day -= DAY
    return found[-1]


# -- rows -------------------------------------------------------------------------------------------------------------


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    names = {one.name for one in query.measures}
    by = tuple(one.name for one in query.by)
    counted = Named("counted", _counted(query, names))
    on = (("place", "place"), *((name, name) for name in by))
    grid = Join(_buckets(query, _since(names), counted), counted, "left", on=on)
    counts = ((name, zero_if_missing(name)) for name in ("count_of_active", *_counts(names)))
    filled = Project(grid, (*keep("period", "place", *by), *counts))
    rows = _beside_earlier_buckets(filled, by, names)
    if _since(names) < FIRST:
        rows = Filter(rows, call("ge", Col("place"), integer(FIRST)))
    values = tuple((one.name, once_begun(query, VALUES[one.name], one.type)) for one in query.measures)
    return {"rows": Project(rows, (*keep("period", *by), *values))}


def series(query: BoundQuery) -> Mapping[str, Plan]:
    """The rows; of a whole range there is no lifecycle, and so no number."""
    rows, by = plan(replace(query, parts=("rows",)))["rows"], keep(*(one.name for one in query.by))
    numbers = ((f"number_{k}", Col(one.name)) for k, one in enumerate(query.measures, 1))
    found: dict[str, Plan] = {"rows": Project(rows, (*keep("period"), *by, *numbers))}
    if "overall" in query.parts:
        groups = Aggregate(rows, by, ()) if by else Spine((("number", Type.INTEGER),), ((1,),))
        nothing = ((f"number_{k}", Lit(None, one.type)) for k, one in enumerate(query.measures, 1))
        found["overall"] = Project(groups, (*by, *nothing))
    return {part: found[part] for part in query.parts}


def _since(names: Collection[str]) -> int:
    """The earliest place that some measures rest on."""
    if OF_HISTORY.intersection(names):
        return EVER
    return BEFORE if OF_BUCKET_BEFORE.intersection(names) else FIRST


def _counts(names: Collection[str]) -> tuple[Literal["count_of_new", "count_of_returning"], ...]:
    """What some measures rest on, beside the people of each bucket."""
    found: list[Literal["count_of_new", "count_of_returning"]] = []
    if OF_HISTORY.intersection(names):
        found.append("count_of_new")
    if {"returning", "resurrecting", "dormant", "quick_ratio"}.intersection(names):
        found.append("count_of_returning")
    return tuple(found)


ACTIVE, NEW, RETURNING = Col("count_of_active"), Col("count_of_new"), Col("count_of_returning")
VALUES: Mapping[str, Expr] = {
    "new": NEW,
    "returning": RETURNING,
    "resurrecting": call("sub", call("sub", ACTIVE, NEW), RETURNING),
    "dormant": call("sub", Col("active_then"), RETURNING),
    "dormant_stock": call("sub", Col("sum_of_new"), call("sub", ACTIVE, NEW)),
    "active": ACTIVE,
    "quick_ratio": call("divide", call("sub", ACTIVE, RETURNING), call("sub", Col("active_then"), RETURNING)),
    "net_change": call("sub", ACTIVE, Col("active_then")),
}


def _counted(query: BoundQuery, names: Collection[str]) -> Plan:
    """(place, breakdowns, counts) of the places that anybody was active in."""
    by = tuple(one.name for one in query.by)
    rows, is_distinct = _active(query, _since(names))
    return Attendance(rows, by, FIRST + len(query.periods), _counts(names), is_distinct)


def _buckets(query: BoundQuery, since: int, counted: Plan) -> Plan:
    """(period, place) from a place on, for every group that occurs."""
    typed = (("period", query.period_type), ("place", Type.INTEGER))
    grid: Plan = Spine(typed, tuple((label, place) for label, place in _places(query).items() if place >= since))
    by = keep(*(one.name for one in query.by))
    return Join(grid, Named("segments", Aggregate(counted, by, ())), "cross") if by else grid


def _beside_earlier_buckets(rows: Plan, by: Sequence[str], names: Collection[str]) -> Plan:
    """The rows with `active_then`, the people of the bucket before, and `sum_of_new`, those of all before."""
    groups, order = tuple(Col(name) for name in by), (Col("place"),)
    beside: list[Named_] = []
    if {"dormant", "quick_ratio", "net_change"}.intersection(names):
        beside.append(("active_then", Over("lead", (ACTIVE,), groups, order, frozenset((0,)))))
    if "dormant_stock" in names:
        beside.append(("sum_of_new", Over("sum", (NEW,), groups, order)))
    return Project(rows, (*keep(*output(rows)), *beside)) if beside else rows


# -- people -----------------------------------------------------------------------------------------------------------


def _active(query: BoundQuery, since: int) -> tuple[Plan, bool]:
    """(place, breakdowns, entity) of the known people active in each bucket, from a place on.

    And whether nobody is twice at one place, which costs nothing where people have to be told apart before.
    """
    spec: Lifecycle = query.metric.spec
    by = tuple(one.name for one in query.by)
    finest = replace(query, by=query.finer or query.by)
    late = of_people(finest)
    rows = _events(replace(finest, by=tuple(one for one in finest.by if one not in late)), since)
    rows = Filter(rows, is_known(query, Col("entity")))
    often = spec.at_least > 1
    is_grouped = bool(late or query.finer or often)
    if is_grouped:
        events = (("events", Agg("count_rows")),) if often else ()
        rows = Named("people", Aggregate(rows, keep(*output(rows)), events))
    if late:
        rows = Named("described_people", with_labels_of_people(finest, rows, late))
    if query.finer:
        summed = (("events", Agg("sum", (Col("events"),))),) if often else ()
        rows = Aggregate(rows, keep("bucket", *by, "entity"), summed)
    if often:
        rows = Filter(rows, call("ge", Col("events"), integer(spec.at_least)))
    place: Expr = Col("bucket")
    if not _is_numbered(query):
        # Where buckets are counted one by one, those of long ago are none of these.
        placed = Spine((("period", query.period_type), ("number", Type.INTEGER)), tuple(_places(query).items()))
        rows = Join(rows, placed, "left" if often else "inner", on=(("bucket", "period"),))
        place = call("coalesce", Col("number"), integer(EVER)) if often else Col("number")
    rows = Project(rows, (("place", place), *keep(*by, "entity")))
    if since > EVER and _reads_copies(query):
        rows = Filter(rows, call("ge", Col("place"), integer(since)))
    return rows, is_grouped and not often


def _places(query: BoundQuery) -> dict[date | datetime, int]:
    """The labels of the buckets with their places; EVER has that of a day before them all."""
    before = _before(query, query.periods[0])
    labels_ = [before.label - DAY, before.label, *(one.label for one in query.periods)]
    return {label: place for place, label in enumerate(labels_, EVER)}


def _events(query: BoundQuery, since: int) -> Plan:
    """(bucket, breakdowns, entity) of the events from a place on: the bucket by its label, or by its place if numbered.

    Where one event makes a person active, all events of long ago are of one bucket: whose label is that of EVER.
    """
    spec: Lifecycle = query.metric.spec
    marked = _reads_copies(query)
    before = _before(query, query.periods[0])
    start = query.periods[0].start if since == FIRST else before.start
    # Which copy of an event is the earliest does not depend on what is asked for: then all are read.
    span = query.clipped(Span(_beginning(query) if since == EVER or marked else start, query.periods[-1].end))
    recent = Span(min(start, span.end), span.end)
    bucket = period(query, Col(AT), recent if spec.at_least == 1 else span)
    if _is_numbered(query):
        bucket = _place(query)
    elif spec.at_least == 1 and since == EVER:
        long_ago = call("lt", Col(AT), instant(before.start, role="bucket_before"))
        label = next(iter(_places(query)))
        bucket = Case(((long_ago, Lit(label, query.period_type, role="long_ago")),), bucket)
    projected = {"bucket": bucket, **labels(query, span), "entity": Col(ENTITY)}
    events = occurrences(query, spec.selection, span, projected, marked=marked)
    if not marked:
        return events
    return Project(Filter(events, Col("first_copy")), keep(*projected))


def _is_numbered(query: BoundQuery) -> bool:
    """Whether events are put at their place at once: a few comparisons cost less than local dates and a join."""
    spec: Lifecycle = query.metric.spec
    return spec.at_least == 1 and len(query.periods) <= FEW


def _place(query: BoundQuery) -> Expr:
    """The place of an event's bucket, the latest asked first: most events are of late."""
    buckets = enumerate((_before(query, query.periods[0]), *query.periods), BEFORE)
    branches = [(call("ge", Col(AT), instant(one.start, role="bucket")), integer(place)) for place, one in buckets]
    return Case(tuple(reversed(branches)), integer(EVER))


def _reads_copies(query: BoundQuery) -> bool:
    """Whether copies of an event are to be told apart: one is enough to be active once, not to be active twice."""
    spec: Lifecycle = query.metric.spec
    return spec.at_least > 1 and any(may_repeat(source) for source in spec.selection.sources)


def _beginning(query: BoundQuery) -> datetime:
    """No source holds anything earlier."""
    return min(one.history_start or LONG_AGO for one in query.metric.sources)


def ranking(query: BoundQuery) -> tuple[Plan, str]:
    """The groups by their people who were active in any bucket of the range."""
    by = tuple(one.name for one in query.by)
    active, _ = _active(query, FIRST)
    people = Aggregate(active, keep(*by, "entity"), ())
    return Aggregate(people, keep(*by), (("users", Agg("count_rows")),)), "users"


def members(query: BoundQuery) -> Plan:
    """Who is in the chosen state (else active) in the chosen bucket.

    That is the bucket that holds the chosen day, else the last complete one, else the last that has begun.
    """
    state = str(query.chosen.get("state", "active"))
    of = _chosen(query)
    day = query.calendar.local_date(of.start)
    first, last = query.calendar.widen(day, day, query.grain)
    active, _ = _active(replace(query, first=first, last=last), _since((state,)))
    there = {name: count_if(call("eq", Col("place"), integer(place))) for name, place in PLACES.items()}
    seen = Aggregate(active, keep("entity"), tuple(there.items()))
    is_ = {name: call("gt", Col(name), integer(0)) for name in PLACES}
    condition = all_of(is_[name] if wanted else call("not_", is_[name]) for name, wanted in IN_STATE[state].items())
    return Project(Filter(seen, condition if of.start <= query.data_through else FALSE), keep("entity"))


PLACES = {"rows_here": FIRST, "rows_before": BEFORE, "rows_ever": EVER}
IN_STATE: Mapping[str, Mapping[str, bool]] = {
    "new": {"rows_here": True, "rows_before": False, "rows_ever": False},
    "returning": {"rows_here": True, "rows_before": True},
    "resurrecting": {"rows_here": True, "rows_before": False, "rows_ever": True},
    "dormant": {"rows_here": False, "rows_before": True},
    "dormant_stock": {"rows_here": False},
    "active": {"rows_here": True},
}
"""Where people of a state were active and where not, of those who were active anywhere as far back as it looks."""
STATES = tuple(IN_STATE)


def _chosen(query: BoundQuery) -> Period:
    """The bucket whose members are meant."""
    day = query.chosen.get("period")
    if isinstance(day, date):
        return next(one for one in query.periods if day < query.calendar.local_date(one.end))
    reached = begun(query) or query.periods[:1]
    return next((one for one in reversed(reached) if is_complete(query, one)), reached[-1])


# -- answers ----------------------------------------------------------------------------------------------------------


def columns(query: BoundQuery) -> Mapping[str, tuple[Column, ...]]:
    """As any series' rows, but null where a bucket has not begun."""
    kept = {PERIOD.name, *(one.name for one in query.by)}
    return {
        part: tuple(one if one.name in kept else replace(one, nullable=True) for one in found)
        for part, found in table_columns(query, {"rows": ROWS}).items()
    }


def conventions(metric: Metric, within: Duration | None = None) -> tuple[str, ...]:
    spec: Lifecycle = metric.spec
    starts = [one.history_start for one in metric.sources if one.history_start is not None]
    known = f", from {min(starts):%Y-%m-%d} on" if len(starts) == len(metric.sources) else ""
    events = "one event" if spec.at_least == 1 else f"{spec.at_least:,} events"
    return (
        f"Active in a bucket: at least {events} in it. New: for the first time in all history{known}.",
        "Dormant: active in the bucket before and not in this one. Dormant stock: ever active before, not in this one.",
    )


FAMILY = Family(
    definition=LifecycleDefinition,
    shape="series",
    parts=("rows",),
    resolve=resolve,
    selections=lambda spec: (spec.selection,),
    is_engagement=lambda spec: spec.selection.is_value_moment,
    measures=lambda metric: tuple(MEASURES.values()),
    measure=lambda metric, name: MEASURES.get(name),
    default_measures=tuple(MEASURES),
    columns=columns,
    plan=plan,
    conventions=conventions,
    members=Members(lambda metric: {"state": STATES, "period": Type.DATE}, members, fixed=("state",)),
    is_complete=is_complete,
    ranking=ranking,
    series=Series(lambda metric: tuple(MEASURES.values()), series, is_as_of=True, has_overall=False),
    check=check,
    example="""\
growth:
  type: lifecycle
  on: videos_watched
""",
)
