"""`breadth`: people by how much of what is offered they use: features, or values of a property."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from metrics_api.definitions.base import Condition, Selector
from metrics_api.definitions.names import Identifier, MomentName
from metrics_api.errors import did_you_mean
from metrics_api.families.scores import FeatureCount, Score, ValueCount
from metrics_api.families.tier_plans import members, plan, ranking, series
from metrics_api.families.tiers import (
    PEOPLE,
    FeatureTierDefinition,
    Reach,
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
from metrics_api.semantic.model import Selection
from metrics_api.semantic.resolve import Scope

MOST_FEATURES = 60


class BreadthDefinition(TieredDefinition):
    """Tiers of people by the different features of a window that they touched: named ones, or values of a property."""

    type: Literal["breadth"]
    of: Mapping[Identifier, Selector] | None = None
    """The features by name, each an event or a value moment: `vanpool: {event: ride, where: product = 'vanpool'}`."""
    on: MomentName | None = None
    """Instead of `of`: the event or value moment whose `property` tells the feature."""
    property: Identifier | None = None
    """The property whose different values are counted."""
    where: Condition | None = None
    """With `property`: only events for which this SQL condition is true."""
    tiers: Mapping[TierName, FeatureTierDefinition]
    """What each tier needs, the highest first: a number of features (`3`, `p90`), or which: `{all_of: [a, b]}`."""


def resolve(definition: BreadthDefinition, scope: Scope) -> Tiers | None:
    window = definition.window
    check_window(scope, window)
    features = tuple(definition.of or ())
    if not _is_told_once(definition, scope):
        return None
    most = len(features) or None
    reach = Reach("features", most=most, because=f"`of` has {most}")
    tiers = check_tiers(scope, definition, definition.tiers, reach, features)
    score = _values(definition, scope) if definition.of is None else _features(definition, scope)
    if score is None or tiers is None or scope.problems:
        return None
    if isinstance(score, FeatureCount):
        counts = f"of {', '.join(features)}, how many were touched"
        if isinstance(tiers[0].needs, tuple):
            score = FeatureCount(score.features, tuple(1 << k for k in range(len(features))))
    else:
        counts = f"different values of {definition.property}"
    return Tiers(window, tiers, definition.frozen_at, score, counts, definition.new_people == "exclude")


def _is_told_once(definition: BreadthDefinition, scope: Scope) -> bool:
    """Whether it is clear what a feature is."""
    named = [name for name in ("on", "property", "where") if getattr(definition, name) is not None]
    if definition.of is not None:
        for name in named:
            scope.problem(f"`of` and `{name}` are both given", name, fix="Keep `of`, or write `on` and `property`.")
        if not definition.of:
            scope.problem("there are no features", "of", fix="Name at least one.")
        elif len(definition.of) > MOST_FEATURES:
            scope.problem(f"{len(definition.of)} features; at most {MOST_FEATURES} are told apart", "of")
        return not named and bool(definition.of)
    for name in ("on", "property"):
        if name not in named:
            told = "says not what a feature is" if not named else f"`{name}` is missing"
            scope.problem(told, fix="Write `of` with a name for each, or `on` and `property`.")
            return False
    return True


def _features(definition: BreadthDefinition, scope: Scope) -> Score | None:
    written = definition.of or {}
    found = [(name, scope.selection(one, "of", name)) for name, one in written.items()]
    there: list[tuple[str, Selection]] = [(name, one) for name, one in found if one is not None]
    return FeatureCount(tuple(there), (1,) * len(there)) if len(there) == len(found) else None


def _values(definition: BreadthDefinition, scope: Scope) -> Score | None:
    assert definition.on is not None and definition.property is not None
    selection = scope.selection(Selector(on=definition.on, where=definition.where))
    if selection is None:
        return None
    properties = [source.properties for source in selection.sources]
    known = [name for name, one in properties[0].items() if all(_same(one.type, name, each) for each in properties)]
    if definition.property not in known:
        fix = did_you_mean(definition.property, known, what="properties")
        scope.problem(f"`{definition.on}` has no property `{definition.property}`", "property", fix=fix)
        return None
    return ValueCount(selection, properties[0][definition.property])


def _same(type_: Type, name: str, properties: Mapping[str, object]) -> bool:
    return getattr(properties.get(name), "type", None) is type_


def _is_engagement(score: Score) -> bool:
    if isinstance(score, FeatureCount):
        return all(one.is_value_moment for _, one in score.features)
    return score.selection.is_value_moment


FAMILY = Family(
    definition=BreadthDefinition,
    shape="tables",
    parts=tuple(tables(Type.INTEGER)),
    resolve=resolve,
    selections=lambda spec: (spec.score.selection,),
    is_engagement=lambda spec: _is_engagement(spec.score),
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
feature_breadth:
  type: breadth
  of:
    watched: {on: videos_watched}
    searched: {event: searched}
    shared: {event: shared_video}
  window: 28 days
  tiers:
    power: {all_of: [watched, searched, shared]}
    core: {all_of: [watched, searched]}
    casual: {all_of: [watched]}
""",
)
