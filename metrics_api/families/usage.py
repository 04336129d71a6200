"""`usage`: how often something is done. Says nothing about value; that is what `value_moment` is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from metrics_api.definitions.base import Condition, MetricDefinition, Selector
from metrics_api.definitions.names import EventName
from metrics_api.families.series import measure_named, offered, plan_series, series_columns, written_measure
from metrics_api.plan.nodes import Plan
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Family, Measure
from metrics_api.semantic.model import Metric, Selection
from metrics_api.semantic.resolve import Scope


class UsageDefinition(MetricDefinition):
    """How often an event happens, by how many people, and sums of its properties."""

    type: Literal["usage"]
    event: EventName
    """The event that is counted."""
    where: Condition | None = None
    """Only events for which this SQL condition is true, such as `minutes >= 3`."""
    measure: str = "total"
    """What `value` is: total, users, per_user(median), sum(PROPERTY), average(PROPERTY), min(..) or max(..)."""


@dataclass(frozen=True, slots=True)
class Usage:
    selection: Selection
    value: Measure


def resolve(definition: UsageDefinition, scope: Scope) -> Usage | None:
    selection = scope.selection(Selector(event=definition.event, where=definition.where))
    if selection is None:
        return None
    value = written_measure(scope, definition.measure, selection.sources, "measure")
    return Usage(selection, value) if value else None


def value_of(metric: Metric) -> Measure:
    value: Measure = metric.spec.value
    return replace(value, name="value", description=f"The metric's value: {metric.definition.measure}.")  # type: ignore[attr-defined]


def measure(metric: Metric, name: str) -> Measure | None:
    return value_of(metric) if name == "value" else measure_named(name, metric.sources)


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    return plan_series(query, query.metric.spec.selection)


def conventions(metric: Metric) -> tuple[str, ...]:
    return ("Events without a user count in totals and sums, not in users.",)


FAMILY = Family(
    definition=UsageDefinition,
    shape="series",
    parts=("rows", "overall"),
    resolve=resolve,
    selections=lambda spec: (spec.selection,),
    is_engagement=lambda spec: spec.selection.is_value_moment,
    measures=lambda metric: (value_of(metric), *offered(metric)),
    measure=measure,
    default_measures=("value",),
    columns=series_columns,
    plan=plan,
    conventions=conventions,
    example="""\
profile_picture_clicks:
  type: usage
  event: clicked_profile_picture
  description: How often a profile picture is clicked. Says nothing about value.
""",
)
