"""`value_moment`: the moments in which people get what the product is for; all engagement rests on one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from metrics_api.definitions.base import Condition, Definition, MetricDefinition, Selector
from metrics_api.definitions.names import EventName, Identifier
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
from metrics_api.semantic.model import Selection
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


def resolve(definition: ValueMomentDefinition, scope: Scope) -> Counted | None:
    found = [
        scope.selection(Selector(event=one.event, where=one.where), "moments", name)
        for name, one in definition.moments.items()
    ]
    selections = [one for one in found if one is not None]
    if len(selections) < len(found):
        return None
    alternatives = tuple(one for selection in selections for one in selection.alternatives)
    moments = Selection(str(scope.path[-1]), alternatives, is_value_moment=True)
    return counted(scope, moments, measure=definition.measure, depth=definition.depth)


FAMILY = Family(
    definition=ValueMomentDefinition,
    shape="series",
    parts=("rows", "overall"),
    resolve=resolve,
    selections=lambda spec: (spec.selection,),
    is_engagement=lambda spec: True,
    measures=measures_of,
    measure=measure_of,
    default_measures=("value", "users"),
    columns=series_columns,
    plan=plan_counts,
    conventions=lambda metric, within: CONVENTIONS,
    sharing=SHARING,
    per_entity=COUNTED,
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
