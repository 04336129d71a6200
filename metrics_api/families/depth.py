"""`depth`: people by how much they did: events, or the sum of a property such as minutes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from metrics_api.definitions.base import Condition, Selector, Text
from metrics_api.definitions.names import MomentName
from metrics_api.families.scores import AmountSum
from metrics_api.families.series import written_measure
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
from metrics_api.semantic.model import Property, Selection
from metrics_api.semantic.resolve import Scope


class DepthDefinition(TieredDefinition):
    """Tiers of people by how often they did something in a window, or by how much of it."""

    type: Literal["depth"]
    on: MomentName
    """What is counted: an event, or a value moment."""
    where: Condition | None = None
    """Only events for which this SQL condition is true."""
    measure: Text = "count"
    """`count` for the number of events, or `sum(PROPERTY)`; negative amounts are taken off."""
    tiers: Mapping[TierName, TierDefinition]
    """The lowest amount of each tier, the highest first: `{power: 500, core: 100}`, or percentiles (`p90`)."""


def resolve(definition: DepthDefinition, scope: Scope) -> Tiers | None:
    selection = scope.selection(Selector(on=definition.on, where=definition.where))
    check_window(scope, definition.window)
    counts = definition.measure == "count"
    of = None if counts or selection is None else _summed(definition.measure, selection, scope)
    reach = Reach("events") if counts else Reach("amounts", is_whole=False)
    tiers = check_tiers(scope, definition, definition.tiers, reach)
    if selection is None or tiers is None or scope.problems:
        return None
    told = "events" if of is None else f"the sum of {of.name}"
    frozen_at, excludes_new = definition.frozen_at, definition.new_people == "exclude"
    return Tiers(definition.window, tiers, frozen_at, AmountSum(selection, of), told, excludes_new)


def _summed(written: str, selection: Selection, scope: Scope) -> Property | None:
    """The property that `sum(minutes)` adds up; None, and a problem, where it is none."""
    if not written.replace(" ", "").startswith("sum("):
        fix = "Write `count`, or `sum(PROPERTY)`."
        scope.problem(f"`{written}` is not what a depth is measured by", "measure", fix=fix)
        return None
    measure = written_measure(scope, written, selection.sources, "measure")
    if measure is None or measure.measured is None:
        return None
    return selection.sources[0].properties[measure.measured]


FAMILY = Family(
    definition=DepthDefinition,
    shape="tables",
    parts=tuple(tables(Type.NUMBER)),
    resolve=resolve,
    selections=lambda spec: (spec.score.selection,),
    is_engagement=lambda spec: spec.score.selection.is_value_moment,
    measures=measures,
    measure=measure,
    default_measures=(),
    columns=columns_of(Type.NUMBER),
    plan=plan,
    conventions=conventions,
    overall_is_last=True,
    tables=tables(Type.NUMBER),
    members=Members(choices, members),
    per_entity=PEOPLE,
    ranking=ranking,
    series=Series(numbers, series, is_as_of=True),
    is_complete=is_complete,
    check=check,
    example="""\
minutes_depth:
  type: depth
  on: videos_watched
  measure: sum(minutes)
  window: 28 days
  tiers: {power: p90, core: p50, casual: p25}
""",
)
