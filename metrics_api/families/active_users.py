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
    occurrences,
    on_every_period,
    period,
    zero_if_missing,
)
from metrics_api.families.series import series_columns
from metrics_api.families.windows import activity, begun, check_whole_days, has_history, last_day, once_begun
from metrics_api.periods import Duration, Grain, Period, Span
from metrics_api.plan.expr import FALSE, Agg, Col, Lit, Type, call
from metrics_api.plan.nodes import Aggregate, Filter, Named, Plan, Project, keep
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
    if not check_whole_days(scope, definition.window, "window") or selection is None:
        return None
    return ActiveUsers(selection, definition.window, definition.align == "trailing", definition.at_least)


def check(query: BoundQuery) -> None:
    if query.grain is Grain.HOUR:
        raise QueryError(
            f"{query.metric.name}: active users are counted over whole days", fix="Ask for `grain: day` or coarser."
        )


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    by = keep(*(one.name for one in query.by))
    reached = begun(query)
    over = [one for one in reached if is_complete(query, one)]
    users = zero_if_missing("users")
    parts: dict[str, Plan] = {}
    last = over[-1] if over else query.periods[0]
    as_of_last: Plan | None = None
    if "rows" in query.parts:
        active = Named("active", _active(query, reached or query.periods[:1]))
        as_of_last = Filter(active, call("eq", Col("period"), Lit(last.label, query.period_type, role="last_over")))
        found = on_every_period(query, active if reached else Filter(active, FALSE))
        shown = once_begun(query, users, Type.INTEGER)
        parts["rows"] = Project(found, (*keep("period"), *by, *((one.name, shown) for one in query.measures)))
    if "overall" in query.parts:
        rows = as_of_last or _active(query, [last])
        counted = Aggregate(rows, by, (("users", Agg("sum", (Col("users"),))),))
        value = users if over else Lit(None, Type.INTEGER)
        parts["overall"] = Project(counted, (*by, *((one.name, value) for one in query.measures)))
    return {part: parts[part] for part in query.parts}


def is_complete(query: BoundQuery, of: Period) -> bool:
    """Whether the data reaches the bucket's end, and the beginning of its window."""
    return of.end <= query.data_through and has_history(query, _window(query, of)[0])


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
    # Which copy of an event is the earliest is judged over the whole range, whatever part of it is asked for.
    first, _ = _window(query, query.periods[0]) if spec.at_least > 1 else windows[0][1:]
    active = activity(query, spec.selection, first, windows[-1][2], at_least=spec.at_least)
    return active.within(windows, query.period_type)


def _window(query: BoundQuery, of: Period) -> tuple[date, date]:
    """The inclusive local days of a bucket's window; none is later than the data reaches (RULES 6)."""
    spec: ActiveUsers = query.metric.spec
    end = last_day(query, of)
    if spec.trailing:
        return spec.window.calendar_start(end), end
    return min(query.calendar.local_date(of.start), end), end


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
    is_complete=is_complete,
    check=check,
    example="""\
monthly_actives:
  type: active_users
  on: videos_watched
  window: 28 days
""",
)
