"""`active_users`: how many different people were active within a window that ends with each bucket: DAU, WAU, MAU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from pydantic import Field

from metrics_api.definitions.base import Condition, DurationField, MetricDefinition, Selector
from metrics_api.definitions.names import MomentName
from metrics_api.errors import QueryError
from metrics_api.families.relations import (
    AT,
    ENTITY,
    is_known,
    labels,
    local_date,
    may_repeat,
    occurrences,
    on_every_period,
    period,
)
from metrics_api.families.series import series_columns
from metrics_api.periods import MICROSECOND, Duration, Grain, Period, Span
from metrics_api.plan.expr import FALSE, Agg, Case, Col, Expr, Lit, Type, all_of, call, integer
from metrics_api.plan.nodes import ActiveDays, Aggregate, Filter, Named, Plan, Project, keep
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Family, Measure
from metrics_api.results import Column
from metrics_api.semantic.model import Metric, Selection
from metrics_api.semantic.resolve import Scope


class ActiveUsersDefinition(MetricDefinition):
    """Different people active within a window of whole local days that ends with each bucket."""

    type: Literal["active_users"]
    on: MomentName
    """What makes a person active: an event, or a value moment."""
    where: Condition | None = None
    """Only events for which this SQL condition is true."""
    window: DurationField = Duration(1, "day")
    """How far the window reaches back, in whole local days."""
    align: Literal["trailing", "calendar"] = "trailing"
    """`trailing`: the window, ending with the bucket's last day; `calendar`: the bucket itself."""
    at_least: int = Field(default=1, ge=1, le=1_000_000)
    """Events that make a day count as active."""


@dataclass(frozen=True, slots=True)
class ActiveUsers:
    selection: Selection
    window: Duration
    trailing: bool
    at_least: int


VALUE = Measure("value", "users", Type.INTEGER, description="Different people active within the window.")
USERS = Measure("users", "users", Type.INTEGER, description="Different people active within the window.")


def resolve(definition: ActiveUsersDefinition, scope: Scope) -> ActiveUsers | None:
    selection = scope.selection(Selector(on=definition.on, where=definition.where))
    if not definition.window.is_whole_days:
        scope.problem(
            f"a window of {definition.window} is shorter than a day",
            "window",
            fix="Write whole days, such as `7 days`.",
        )
    if selection is None:
        return None
    return ActiveUsers(selection, definition.window, definition.align == "trailing", definition.at_least)


def check(query: BoundQuery) -> None:
    if query.grain is Grain.HOUR:
        raise QueryError(
            f"{query.metric.name}: active users are counted over whole days", fix="Ask for `grain: day` or coarser."
        )


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    by = tuple(one.name for one in query.by)
    begun = [one for one in query.periods if one.start <= query.data_through]
    complete = [one for one in begun if one.end <= query.data_through]
    parts: dict[str, Plan] = {}
    if "rows" in query.parts:
        active = _active(query, begun) if begun else Filter(_active(query, query.periods[:1]), FALSE)
        found = on_every_period(query, Named("active", active))
        # A bucket that has not begun has no active people yet: null, not 0.
        users: Expr = call("coalesce", Col("users"), integer(0))
        if len(begun) < len(query.periods):
            last = Lit(begun[-1].label if begun else date.min, query.period_type, role="last_begun")
            users = Case(((call("le", Col("period"), last), users),)) if begun else Lit(None, Type.INTEGER)
        shown = tuple((one.name, users) for one in query.measures)
        parts["rows"] = Project(found, (*keep("period", *by), *shown))
    if "overall" in query.parts:
        last_complete = _active(query, complete[-1:] or query.periods[:1])
        counted = Aggregate(last_complete, keep(*by), (("users", Agg("sum", (Col("users"),))),))
        users = call("coalesce", Col("users"), integer(0)) if complete else Lit(None, Type.INTEGER)
        parts["overall"] = Project(counted, (*keep(*by), *((one.name, users) for one in query.measures)))
    return {part: parts[part] for part in query.parts}


def _active(query: BoundQuery, periods: Sequence[Period]) -> Plan:
    """(period, breakdowns, users) of the periods; no row for nobody."""
    spec: ActiveUsers = query.metric.spec
    by = tuple(one.name for one in query.by)
    is_bucket = not spec.trailing or (query.grain is Grain.DAY and spec.window == Duration(1, "day"))
    if is_bucket and spec.at_least == 1:
        span = query.clipped(Span(periods[0].start, periods[-1].end))
        projected = {"period": period(query, Col(AT), span), **labels(query, span), "entity": Col(ENTITY)}
        keys = keep("period", *by, "entity")
        people = Named("people", Aggregate(occurrences(query, spec.selection, span, projected), keys, ()))
        there = Filter(people, is_known(query, Col("entity")))
        return Aggregate(there, keep("period", *by), (("users", Agg("count_rows")),))
    windows = [(one.label, *_window(query, one)) for one in periods]
    first, last = min(window[1] for window in windows), max(window[2] for window in windows)
    span = query.clipped(query.calendar.span(first, last))
    origin = Lit(first, Type.DATE, role="first_day")
    projected = {
        "day": call("days_between", origin, local_date(query, Col(AT), span)),
        **labels(query, span),
        "entity": Col(ENTITY),
    }
    known = is_known(query, Col("entity"))
    # One copy of an event is enough to be active once, not enough to be active twice.
    marked = spec.at_least > 1 and any(may_repeat(source) for source in spec.selection.sources)
    events = occurrences(query, spec.selection, span, projected, marked=marked)
    return ActiveDays(
        Filter(events, all_of([known, Col("first_copy")]) if marked else known),
        by,
        tuple((label, (start - first).days, (end - first).days) for label, start, end in windows),
        spec.at_least,
        query.period_type,
    )


def _window(query: BoundQuery, of: Period) -> tuple[date, date]:
    """The inclusive local days of a bucket's window; none is later than the data reaches (RULES 6)."""
    spec: ActiveUsers = query.metric.spec
    end = min(query.calendar.local_date(of.end - MICROSECOND), query.calendar.local_date(query.data_through))
    if spec.trailing:
        return spec.window.calendar_start(end), end
    start = query.calendar.local_date(of.start)
    return min(start, end), end


def measure(metric: Metric, name: str) -> Measure | None:
    return {"value": VALUE, "users": USERS}.get(name)


def columns(query: BoundQuery) -> Mapping[str, tuple[Column, ...]]:
    """As any series, but null where a bucket has not begun."""
    return {
        part: tuple(replace(one, nullable=True) if one.name in ("value", "users") else one for one in found)
        for part, found in series_columns(query).items()
    }


def conventions(metric: Metric, within: Duration | None = None) -> tuple[str, ...]:
    spec: ActiveUsers = metric.spec
    aligned = (
        f"Window: the {spec.window} of whole local days that end with the bucket's last day."
        if spec.trailing
        else "Window: the bucket itself."
    )
    return (aligned, "Overall: as of the last complete bucket.")


FAMILY = Family(
    definition=ActiveUsersDefinition,
    shape="series",
    parts=("rows", "overall"),
    resolve=resolve,
    selections=lambda spec: (spec.selection,),
    is_engagement=lambda spec: spec.selection.is_value_moment,
    measures=lambda metric: (VALUE, USERS),
    measure=measure,
    default_measures=("value",),
    columns=columns,
    plan=plan,
    conventions=conventions,
    overall_is_last=True,
    check=check,
    example="""\
monthly_actives:
  type: active_users
  on: videos_watched
  window: 28 days
""",
)
