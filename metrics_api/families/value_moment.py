"""`value_moment`: the moments in which people get what the product is for; all engagement rests on one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from metrics_api.definitions.base import MetricDefinition, Selector
from metrics_api.definitions.names import EventName, Identifier
from metrics_api.definitions.base import Condition, Definition
from metrics_api.families.series import measure_named, offered, plan_series, series_columns, written_measure
from metrics_api.plan.nodes import Plan
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Family, Measure
from metrics_api.semantic.model import Metric, Selection
from metrics_api.semantic.resolve import Scope


class MomentDefinition(Definition):
    """One kind of moment: an event, on a condition."""

    shorthand = "event"

    event: EventName
    """The event that is such a moment."""
    where: Condition | None = None
    """Only events for which this SQL condition is true, such as `minutes >= 3`."""


class ValueMomentDefinition(MetricDefinition):
    """The moments that count as value received; `on:` of other metrics takes its name."""

    type: Literal["value_moment"]
    moments: Mapping[Identifier, MomentDefinition] = Field(min_length=1)
    """The events that are such a moment, by name."""
    measure: str = "total"
    """What `value` is: total, users, per_user(median), sum(PROPERTY), average(PROPERTY), min(..) or max(..)."""
    depth: str | None = None
    """How much value a moment holds, such as sum(minutes): offered beside the counts."""


@dataclass(frozen=True, slots=True)
class ValueMoment:
    selection: Selection
    value: Measure
    depth: Measure | None


def resolve(definition: ValueMomentDefinition, scope: Scope) -> ValueMoment | None:
    found = [
        scope.selection(Selector(event=one.event, where=one.where), "moments", name)
        for name, one in definition.moments.items()
    ]
    selections = [one for one in found if one is not None]
    if len(selections) < len(found):
        return None
    alternatives = tuple(one for selection in selections for one in selection.alternatives)
    selection = Selection(str(scope.path[-1]), alternatives, is_value_moment=True)
    value = written_measure(scope, definition.measure, selection.sources, "measure")
    depth = written_measure(scope, definition.depth, selection.sources, "depth") if definition.depth else None
    if value is None or (definition.depth and depth is None):
        return None
    return ValueMoment(selection, value, replace(depth, name="depth") if depth else None)


def value_of(metric: Metric) -> Measure:
    value: Measure = metric.spec.value
    return replace(value, name="value", description=f"The metric's value: {metric.definition.measure}.")  # type: ignore[attr-defined]


def measure(metric: Metric, name: str) -> Measure | None:
    if name == "value":
        return value_of(metric)
    if name == "depth":
        depth: Measure | None = metric.spec.depth
        return depth
    return measure_named(name, metric.sources)


def measures(metric: Metric) -> tuple[Measure, ...]:
    return (value_of(metric), *offered(metric, more=[metric.spec.depth] if metric.spec.depth else []))


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    return plan_series(query, query.metric.spec.selection)


def conventions(metric: Metric) -> tuple[str, ...]:
    return ("Events without a user count in totals and sums, not in users.",)


FAMILY = Family(
    definition=ValueMomentDefinition,
    shape="series",
    parts=("rows", "overall"),
    resolve=resolve,
    selections=lambda spec: (spec.selection,),
    is_engagement=lambda spec: True,
    measures=measures,
    measure=measure,
    default_measures=("value", "users"),
    columns=series_columns,
    plan=plan,
    conventions=conventions,
    example="""\
videos_watched:
  type: value_moment
  moments:
    watched: {event: watched_video, where: minutes >= 3}
    shared: {event: shared_video}
  measure: total
  depth: sum(minutes)
""",
)
