"""`usage`: how often something is done. Says nothing about value; that is what `value_moment` is for."""

from __future__ import annotations

from typing import Literal

from metrics_api.definitions.base import Condition, MetricDefinition, Selector
from metrics_api.definitions.names import EventName
from metrics_api.families.counting import SHARING, plan_counts
from metrics_api.families.scores import COUNTED
from metrics_api.families.series import (
    CONVENTIONS,
    Counted,
    counted,
    measure_of,
    measures_of,
    series_columns,
)
from metrics_api.query.family import Family
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


def resolve(definition: UsageDefinition, scope: Scope) -> Counted | None:
    selection = scope.selection(Selector(event=definition.event, where=definition.where))
    return counted(scope, selection, measure=definition.measure) if selection else None


FAMILY = Family(
    definition=UsageDefinition,
    shape="series",
    parts=("rows", "overall"),
    resolve=resolve,
    selections=lambda spec: (spec.selection,),
    is_engagement=lambda spec: spec.selection.is_value_moment,
    measures=measures_of,
    measure=measure_of,
    default_measures=("value",),
    columns=series_columns,
    plan=plan_counts,
    conventions=lambda metric, within: CONVENTIONS,
    sharing=SHARING,
    per_entity=COUNTED,
    example="""\
profile_picture_clicks:
  type: usage
  event: clicked_profile_picture
  description: How often a profile picture is clicked. Says nothing about value.
""",
)
