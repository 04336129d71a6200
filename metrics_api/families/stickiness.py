"""`stickiness`: how many of the people of a long window come on a day (or within a short one), and on how many days.

Shape: the people of both windows are counted for each day, and averaged per bucket. The long window holds the short
one, so its days are all there are: no full join. The histogram counts each person's active days in one long window per
bucket.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from pydantic import Field

from metrics_api.definitions.base import Condition, DurationField, MetricDefinition, Selector
from metrics_api.definitions.names import MomentName
from metrics_api.errors import Code, Problem, QueryError
from metrics_api.families.relations import zero_if_missing
from metrics_api.families.series import PERIOD, series_columns
from metrics_api.families.windows import (
    Activity,
    activity,
    begun,
    check_whole_days,
    has_history,
    last_day,
    once_begun,
)
from metrics_api.periods import Duration, Grain, Period
from metrics_api.plan.expr import FALSE, Agg, Col, Expr, Lit, Over, Type, call, integer, text
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Plan, Project, Spine, keep
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Family, Measure, Table
from metrics_api.query.scored import Window
from metrics_api.results import Column
from metrics_api.semantic.model import Metric, Selection
from metrics_api.semantic.resolve import Scope

LONGEST = 366
MOST_DAYS = 3_660


class StickinessDefinition(MetricDefinition):
    """Of the people active in a long window, how many are active in a short one; and on how many days each is."""

    type: Literal["stickiness"]
    on: MomentName
    """What makes a person active: an event, or a value moment."""
    where: Condition | None = None
    """Only events for which this SQL condition is true."""
    short: DurationField = Duration(1, "day")
    """The short window, in whole local days."""
    long: DurationField = Duration(28, "day")
    """The long window, in whole local days: at most 366."""
    at_least: int = Field(default=1, ge=1, le=1_000_000)
    """Events that make a day count as active."""
    histogram: Literal["exact", "at_least"] = "exact"
    """`exact`: people active on exactly so many days of the long window; `at_least`: on so many or more."""


@dataclass(frozen=True, slots=True)
class Stickiness:
    selection: Selection
    short: Duration
    long: Duration
    at_least: int
    cumulative: bool


MEASURES = {
    one.name: one
    for one in (
        Measure(
            "value", "ratio", Type.NUMBER,
            description="The mean over the bucket's days of the people of the short window by those of the long one.",
        ),
        Measure(
            "average_short", "average_short", Type.NUMBER,
            description="The mean over the bucket's days of the people of the short window.",
        ),
        Measure("long", "long", Type.INTEGER, description="The people of the long window as of the bucket's last day."),
        Measure("of_averages", "of_averages", Type.NUMBER, description="`average_short` by `long`."),
    )
}  # fmt: skip
HISTOGRAM = Table(
    (PERIOD,),
    (
        Column("active_days", Type.INTEGER, description="Days of the long window on which a person was active."),
        Column("users", Type.INTEGER, nullable=True, description="The people active on so many days of it."),
        Column("share", Type.NUMBER, nullable=True, description="Of the people active in the window."),
    ),
    "A row for each bucket, group and number of days.",
)


def resolve(definition: StickinessDefinition, scope: Scope) -> Stickiness | None:
    selection = scope.selection(Selector(on=definition.on, where=definition.where))
    short, long = definition.short, definition.long
    windows = [check_whole_days(scope, short, "short"), check_whole_days(scope, long, "long")]
    if all(windows):
        _check_lengths(definition, scope)
    if selection is None or scope.problems:
        return None
    return Stickiness(selection, short, long, definition.at_least, definition.histogram == "at_least")


def _check_lengths(definition: StickinessDefinition, scope: Scope) -> None:
    short, long = definition.short, definition.long
    at = "long" if "long" in definition.model_fields_set else "short"
    if long.day_counts[1] > LONGEST:
        scope.problem(f"a long window of {long}; at most {LONGEST} days are counted", at, fix="Write a shorter one.")
    elif short.day_counts[1] >= long.day_counts[0]:
        scope.problem(
            f"a long window of {long} is not always longer than a short one of {short}",
            at,
            fix="Make `long` longer, or `short` shorter.",
        )


def check(query: BoundQuery) -> None:
    name = query.metric.name
    if query.grain is Grain.HOUR:
        raise QueryError(f"{name}: stickiness is counted over whole days", fix="Ask for `grain: day` or coarser.")
    if (days := (query.last - query.first).days + 1) > MOST_DAYS:
        raise QueryError(
            Problem(
                f"{name}: {query.first} to {query.last} are {days:,} days; at most {MOST_DAYS:,} are averaged",
                fix="Ask for a shorter range.",
                code=Code.LIMIT_EXCEEDED,
            )
        )


def is_complete(query: BoundQuery, of: Period) -> bool:
    """Whether the data reaches the bucket's end, and the beginning of its first day's long window."""
    spec: Stickiness = query.metric.spec
    since = spec.long.calendar_start(query.calendar.local_date(of.start))
    return of.end <= query.data_through and has_history(query, since)


# -- plans ------------------------------------------------------------------------------------------------------------


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    spec: Stickiness = query.metric.spec
    over = [one for one in query.periods if is_complete(query, one)]
    last = over[-1] if over else query.periods[0]
    # Of a range that has not begun its first bucket stands in, and no row of it is kept.
    reached = begun(query) or query.periods[:1]
    averaged = reached if "rows" in query.parts else (last,) if "overall" in query.parts else ()
    days = [day for one in averaged for day in _days(query, one)]
    ends = [(one.label, last_day(query, one)) for one in reached] if "histogram" in query.parts else []
    daily, of_buckets = _windows(spec.long, [(day, day) for day in days]), _windows(spec.long, ends)
    first = min(start for _, start, _ in (*daily, *of_buckets))
    if spec.at_least > 1:
        # Which copy of an event is the earliest is judged over the whole range, whatever part of it is asked for.
        first = min(first, spec.long.calendar_start(query.first))
    final = max(end for _, _, end in (*daily, *of_buckets))
    distinct = bool(days and of_buckets)  # Read several times: only then are days put together beforehand.
    active = activity(query, spec.selection, first, final, at_least=spec.at_least, distinct=distinct)
    parts: dict[str, Plan] = {}
    if days:
        short = _people(active, _windows(spec.short, [(day, day) for day in days]), "short")
        long = _people(active, daily, "long")
        counted = _averaged(query, long, short)
        if "rows" in query.parts:
            parts["rows"] = _rows(query, counted, long)
        if "overall" in query.parts:
            parts["overall"] = _overall(query, counted, long, last, is_over=bool(over))
    if of_buckets:
        parts["histogram"] = _histogram(query, active, of_buckets)
    return {part: parts[part] for part in query.parts}


def _days(query: BoundQuery, of: Period) -> list[date]:
    """The local days of a bucket that the data reaches, at least one."""
    end = last_day(query, of)
    first = min(query.calendar.local_date(of.start), end)
    return [query.calendar.local_date(day.start) for day in query.calendar.periods(first, end, Grain.DAY)]


def _windows(window: Duration, ends: Sequence[tuple[date | datetime, date]]) -> list[Window]:
    return [(label, window.calendar_start(end), end) for label, end in ends]


def _people(active: Activity, windows: Sequence[Window], which: str) -> Plan:
    """The people of each day's window: (day, breakdowns, in_long or in_short)."""
    by = (one.name for one in active.query.by)
    shown = (("day", Col("period")), *keep(*by), (f"in_{which}", Col("users")))
    return Named(f"{which}_windows", Project(active.within(windows, Type.DATE), shown))


def _averaged(query: BoundQuery, long: Plan, short: Plan) -> Plan:
    """(period, breakdowns, mean_ratio, sum_short) over the days of each bucket; days of nobody are left out."""
    by = tuple(one.name for one in query.by)
    joined = Join(long, short, "left", on=tuple((name, name) for name in ("day", *by)))
    day: Expr = Col("day")
    if query.grain is not Grain.DAY:
        day = call("trunc_date", day, text(query.grain.value), integer(query.calendar.week_start.number))
    in_short = zero_if_missing("in_short")
    means = (
        ("mean_ratio", Agg("avg", (call("divide", in_short, Col("in_long")),))),
        ("sum_short", Agg("sum", (in_short,))),
    )
    averaged = Named("averaged", Aggregate(joined, (("period", day), *keep(*by)), means))
    return averaged if begun(query) else Filter(averaged, FALSE)


def _rows(query: BoundQuery, averaged: Plan, long: Plan) -> Plan:
    by = keep("period", *(one.name for one in query.by))
    values = tuple((one.name, once_begun(query, VALUES[one.name], one.type)) for one in query.measures)
    return Project(_beside_long(query, query.periods, averaged, long), (*by, *values))


def _overall(query: BoundQuery, averaged: Plan, long: Plan, last: Period, *, is_over: bool) -> Plan:
    """As of the last complete bucket; null where there is none."""
    of_last = Filter(averaged, call("eq", Col("period"), Lit(last.label, query.period_type, role="last_over")))
    values = tuple((one.name, VALUES[one.name] if is_over else Lit(None, one.type)) for one in query.measures)
    by = keep(*(one.name for one in query.by))
    return Project(_beside_long(query, (last,), of_last, long), (*by, *values))


def _beside_long(query: BoundQuery, buckets: Sequence[Period], averaged: Plan, long: Plan) -> Plan:
    """Each bucket (for each group that occurs) with its means, its days, and, if asked for, its last long window."""
    by = tuple(one.name for one in query.by)
    typed = (("period", query.period_type), ("last_day", Type.DATE), ("days", Type.INTEGER))
    rows = tuple((one.label, last_day(query, one), len(_days(query, one))) for one in buckets)
    grid: Plan = Spine(typed, rows)
    if by:
        grid = Join(grid, Named("segments", Aggregate(averaged, keep(*by), ())), "cross")
    means = Join(grid, averaged, "left", on=tuple((name, name) for name in ("period", *by)))
    if not any(one.name in ("long", "of_averages") for one in query.measures):
        return means
    return Join(means, long, "left", on=(("last_day", "day"), *((name, name) for name in by)))


IN_LONG = zero_if_missing("in_long")
AVERAGE_SHORT = call("divide", zero_if_missing("sum_short"), Col("days"))
VALUES: Mapping[str, Expr] = {
    "value": Col("mean_ratio"),
    "average_short": AVERAGE_SHORT,
    "long": IN_LONG,
    "of_averages": call("divide", AVERAGE_SHORT, IN_LONG),
}


def _histogram(query: BoundQuery, active: Activity, windows: Sequence[Window]) -> Plan:
    """For each bucket (and group that occurs) and number of days that its long window can hold, the people."""
    spec: Stickiness = query.metric.spec
    by = tuple(one.name for one in query.by)
    found: Plan = active.by_number_of_days(windows, query.period_type)
    counted = Named("by_active_days", found if begun(query) else Filter(found, FALSE))
    keys = ("period", *by, "active_days")
    joined = Join(_numbers_of_days(query, counted), counted, "left", on=tuple((name, name) for name in keys))
    filled = Project(joined, (*keep(*keys), ("users", zero_if_missing("users"))))
    window = tuple(Col(name) for name in ("period", *by))
    number: Expr = Col("users")
    if spec.cumulative:
        descending = frozenset((0,))
        number = Over("sum", (Col("users"),), window, (Col("active_days"),), descending, including_current=True)
    beside = Project(
        filled, (*keep(*keys), ("people", number), ("of_window", Over("sum", (Col("users"),), window, ())))
    )
    users = once_begun(query, Col("people"), Type.INTEGER)
    share = once_begun(query, call("divide", Col("people"), Col("of_window")), Type.NUMBER)
    return Project(beside, (*keep(*keys), ("users", users), ("share", share)))


def _numbers_of_days(query: BoundQuery, counted: Plan) -> Plan:
    """1 to the days of the long window, for every bucket and every group that occurs."""
    spec: Stickiness = query.metric.spec
    windows = _windows(spec.long, [(one.label, last_day(query, one)) for one in query.periods])
    lengths = tuple((label, (end - start).days + 1) for label, start, end in windows)
    buckets = Spine((("period", query.period_type), ("window_days", Type.INTEGER)), lengths)
    most = max(length for _, length in lengths)
    numbers = Spine((("active_days", Type.INTEGER),), tuple((number,) for number in range(1, most + 1)))
    grid: Plan = Join(buckets, numbers, "inner", where=call("le", Col("active_days"), Col("window_days")))
    by = keep(*(one.name for one in query.by))
    return Join(grid, Named("segments", Aggregate(counted, by, ())), "cross") if by else grid


# -- answers ----------------------------------------------------------------------------------------------------------


def columns(query: BoundQuery) -> Mapping[str, tuple[Column, ...]]:
    """As any series, and the histogram's."""
    return series_columns(query, FAMILY.tables)


def conventions(metric: Metric, within: Duration | None = None) -> tuple[str, ...]:
    spec: Stickiness = metric.spec
    value = f"the people of the {spec.short} that end with a day, by those of the {spec.long}"
    number = "at least so many days" if spec.cumulative else "exactly so many days"
    return (
        f"Value: the mean of {value}, over the bucket's days; days of nobody are left out.",
        f"Histogram: the people active on {number} of the {spec.long} that end with the bucket's last day.",
        "Overall: as of the last complete bucket.",
    )


FAMILY = Family(
    definition=StickinessDefinition,
    shape="series",
    parts=("rows", "overall", "histogram"),
    resolve=resolve,
    selections=lambda spec: (spec.selection,),
    is_engagement=lambda spec: spec.selection.is_value_moment,
    measures=lambda metric: tuple(MEASURES.values()),
    measure=lambda metric, name: MEASURES.get(name),
    default_measures=("value",),
    columns=columns,
    plan=plan,
    conventions=conventions,
    usual_value=Type.NUMBER,
    tables={"histogram": HISTOGRAM},
    overall_is_last=True,
    is_complete=is_complete,
    ranked_by="long",
    check=check,
    example="""\
stickiness:
  type: stickiness
  on: videos_watched
  short: 1 day
  long: 28 days
""",
)
