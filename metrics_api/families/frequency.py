"""`frequency`: people by the number of days on which they were active: power, core, casual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from metrics_api.definitions.base import Condition, Selector
from metrics_api.definitions.names import MomentName
from metrics_api.families.scores import ActiveDayCount
from metrics_api.families.tier_plans import members, plan, ranking, series
from metrics_api.families.tiers import (
    PEOPLE,
    Reach,
    TierDefinition,
    TieredDefinition,
    TierName,
    Tiers,
    check,
    check_tiers,
    check_window,
    choices,
    columns_of,
    conventions,
    is_complete,
    measure,
    measures,
    numbers,
    tables,
)
from metrics_api.plan.expr import Type
from metrics_api.query.family import Family, Members, Series
from metrics_api.semantic.resolve import Scope


class FrequencyDefinition(TieredDefinition):
    """Tiers of people by the local days of a window on which they were active."""

    type: Literal["frequency"]
    on: MomentName
    """What makes a person active: an event, or a value moment."""
    where: Condition | None = None
    """Only events for which this SQL condition is true."""
    at_least: int = Field(default=1, ge=1, le=1_000_000)
    """Events that make a day count as active."""
    tiers: Mapping[TierName, TierDefinition]
    """The lowest number of days of each tier, the highest first: `{power: 6, core: 3, casual: 1}`, or percentiles."""


def resolve(definition: FrequencyDefinition, scope: Scope) -> Tiers | None:
    selection = scope.selection(Selector(on=definition.on, where=definition.where))
    window = definition.window
    reach = Reach("active days")
    if check_window(scope, window):
        most = window.day_counts[1]
        reach = Reach("active days", most=most, because=f"the window of {window} has {most}")
    tiers = check_tiers(scope, definition, definition.tiers, reach)
    if selection is None or tiers is None or scope.problems:
        return None
    days = "local days with an event"
    counts = days if definition.at_least == 1 else f"local days with at least {definition.at_least} events"
    score = ActiveDayCount(selection, definition.at_least)
    return Tiers(window, tiers, definition.frozen_at, score, counts, definition.new_people == "exclude")


FAMILY = Family(
    definition=FrequencyDefinition,
    shape="tables",
    parts=tuple(tables(Type.INTEGER)),
    resolve=resolve,
    selections=lambda spec: (spec.score.selection,),
    is_engagement=lambda spec: spec.score.selection.is_value_moment,
    measures=measures,
    measure=measure,
    default_measures=(),
    columns=columns_of(Type.INTEGER),
    plan=plan,
    conventions=conventions,
    overall_is_last=True,
    tables=tables(Type.INTEGER),
    members=Members(choices, members),
    per_entity=PEOPLE,
    ranking=ranking,
    series=Series(numbers, series, is_as_of=True),
    is_complete=is_complete,
    check=check,
    example="""\
watch_frequency:
  type: frequency
  on: videos_watched
  window: 7 days
  tiers: {power: 6, core: 3, casual: 1}
""",
)
