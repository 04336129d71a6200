"""`score`: from 0 to 100, how much people do over several numbers of theirs together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from metrics_api.definitions.base import Definition, DurationField, MetricDefinition, Text
from metrics_api.definitions.dates import DateField
from metrics_api.definitions.names import Identifier, MetricName, Path
from metrics_api.errors import Code, QueryError, did_you_mean
from metrics_api.families import families
from metrics_api.families.composites import UNIT, Component, Composite, is_complete, members, plan
from metrics_api.families.series import PERIOD, measure_named, series_columns
from metrics_api.families.tiers import (
    Percentile,
    Threshold,
    Tier,
    TierDefinition,
    TierName,
    check_window,
)
from metrics_api.families.tiers import check as check_tiers
from metrics_api.families.tiers import tables as tables_of_tiers
from metrics_api.periods import Duration, Grain
from metrics_api.plan.expr import Type
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Family, Measure, Members, Table
from metrics_api.results import Column
from metrics_api.semantic.model import Metric, MetricClass, Selection
from metrics_api.semantic.resolve import Scope

MOST_COMPONENTS, MOST_TIERS = 20, 20
USUAL_FULL = Percentile(95)

Weight = Annotated[Decimal, Field(le=1_000_000)]


class ComponentDefinition(Definition):
    """A part of a score: a number of each person's, and how much it weighs."""

    metric: MetricName
    """Whose number of each person it is: usage, a value moment, tiers, sessions or a funnel."""
    measure: Text | None = None
    """Which number: such as `sum_minutes` of a value moment, or `minutes` of sessions; unless said, its first one."""
    weight: Weight
    """How much it counts beside the other components: any number above 0."""
    full_at: Threshold | None = None
    """The number that counts in full: a number, or a percentile of all people who have one; `p95` unless said."""
    scale: Literal["capped", "rank"] = "capped"
    """`capped`: the part of `full_at` that is reached; `rank`: the share of people who are below."""

    @classmethod
    def noun(cls) -> str:
        return "a component"


class ScoreDefinition(MetricDefinition):
    """What people do over several numbers of theirs, from 0 to 100."""

    type: Literal["score"]
    components: Mapping[Identifier, ComponentDefinition]
    """What it is made of, by name: `time_spent: {metric: visits, measure: minutes, weight: 25, full_at: p95}`."""
    window: DurationField
    """The window that is looked at, in whole local days, whatever the components' own are: it ends with the bucket's
    last day."""
    tiers: Mapping[TierName, TierDefinition] = Field(default_factory=dict)
    """The lowest score of each tier: `{at_risk: 0, healthy: 40, champion: 75}`."""
    frozen_at: DateField | None = None
    """Percentiles are those of the window that ends on this day, whatever period is looked at."""


# -- resolving --------------------------------------------------------------------------------------------------------


def resolve(definition: ScoreDefinition, scope: Scope) -> Composite | None:
    check_window(scope, definition.window)
    count = len(definition.components)
    if not count:
        scope.problem("there are no components", "components", fix="Name at least one.")
    elif count > MOST_COMPONENTS:
        scope.problem(f"{count} components; at most {MOST_COMPONENTS} are put together", "components")
    _check_weights(definition, scope)
    found = [_component(definition, scope, name) for name in definition.components]
    components = tuple(one for one in found if one is not None)
    tiers = _tiers(definition, scope)
    if definition.frozen_at is not None and len(components) == count:
        _check_frozen(components, scope)
    if len(components) < count or scope.problems:
        return None
    return Composite(definition.window, tiers, definition.frozen_at, components)


def _check_weights(definition: ScoreDefinition, scope: Scope) -> None:
    for name, one in definition.components.items():
        if one.weight <= 0:
            told = f"component `{name}` weighs {one.weight}"
            scope.problem(told, "components", name, "weight", fix="Write a number above 0, or leave the component out.")


def _component(definition: ScoreDefinition, scope: Scope, name: str) -> Component | None:
    one, at = definition.components[name], ("components", name)
    before, metric = len(scope.problems), scope.metric(one.metric)
    if one.scale == "rank" and one.full_at is not None:
        fix = "Leave it out, or write `scale: capped`."
        scope.problem("`full_at` is given with `scale: rank`", *at, "full_at", fix=fix)
    if isinstance(one.full_at, Decimal) and one.full_at <= 0:
        fix = "Write a number above 0, or a percentile such as `p95`."
        scope.problem(f"component `{name}` is full at {one.full_at}", *at, "full_at", fix=fix)
    if metric is None:  # What is wrong with it is told where it stands.
        return None
    number = _number(one, metric, scope, at)
    if metric.entity != definition.entity:
        told = f"`{metric.name}` tells of {metric.entity}s, and this score is of {definition.entity}s"
        scope.problem(told, *at, "metric", fix=f"Write `entity: {metric.entity}`, or name another metric.")
    if number is None or len(scope.problems) > before or (total := sum(_weights(definition))) <= 0:
        return None
    face = families()[metric.type].per_entity
    full_at = None if one.scale == "rank" else one.full_at or (face.most if face else None) or USUAL_FULL
    return Component(name, metric, number, Fraction(one.weight) / total, full_at)


def _weights(definition: ScoreDefinition) -> list[Fraction]:
    return [Fraction(one.weight) for one in definition.components.values()]


def _number(one: ComponentDefinition, metric: Metric, scope: Scope, at: tuple[str, str]) -> str | None:
    """The name of the number that is meant; None, and a problem, where the metric has no such."""
    face = families()[metric.type].per_entity
    if face is None:
        others = sorted(name for name, family in families().items() if family.per_entity is not None)
        fix = f"Name a metric of one of these types: {', '.join(others)}."
        told = f"`{metric.name}` is {metric.definition.noun()}, which tells nothing of single people"
        scope.problem(told, *at, "metric", fix=fix)
        return None
    numbers = face.numbers(metric)
    if one.measure is None:
        return next(iter(numbers))
    wanted = one.measure.replace("(", "_").removesuffix(")")  # `sum(minutes)`, as measures are written elsewhere.
    if wanted in numbers:
        return wanted
    scope.problem(
        f"`{metric.name}` has no number `{one.measure}` of each person",
        *at, "measure", fix=did_you_mean(one.measure, numbers, what=f"numbers of {metric.name}"),
        code=Code.UNKNOWN_NAME,
    )  # fmt: skip
    return None


def _tiers(definition: ScoreDefinition, scope: Scope) -> tuple[Tier, ...]:
    """The tiers in parts of points, the highest first, in whatever order they are written."""
    if len(definition.tiers) > MOST_TIERS:
        scope.problem(f"{len(definition.tiers)} tiers; at most {MOST_TIERS} are told apart", "tiers")
    found: dict[Decimal, str] = {}
    for name, one in definition.tiers.items():
        if not isinstance(one.at_least, Decimal) or not 0 <= one.at_least <= 100:
            told = f"tier `{name}` begins at {one.at_least}, and a score is a number from 0 to 100"
            scope.problem(told, "tiers", name, fix="Write such a number.")
        elif one.at_least in found:
            told = f"tiers `{found[one.at_least]}` and `{name}` both begin at {one.at_least}"
            scope.problem(told, "tiers", name, fix="Give each a lowest score of its own.")
        else:
            found[one.at_least] = name
    return tuple(Tier(found[least], least * UNIT) for least in sorted(found, reverse=True))


def _check_frozen(components: Sequence[Component], scope: Scope) -> None:
    if not any(isinstance(one.full_at, Percentile) for one in components):
        fix = "Leave `frozen_at` out, or write percentiles such as `p95`."
        scope.problem("`frozen_at` freezes percentiles, and no component has one", "frozen_at", fix=fix)


def selections(spec: Composite) -> tuple[Selection, ...]:
    """What all components are made of."""
    metrics = dict.fromkeys(one.metric for one in spec.components)
    return tuple(one for metric in metrics for one in families()[metric.type].selections(metric.spec))


def inputs(definition: ScoreDefinition) -> Sequence[tuple[Path, str]]:
    return [(("components", name, "metric"), one.metric) for name, one in definition.components.items()]


def check(query: BoundQuery) -> None:
    if query.grain is Grain.HOUR:
        name = query.metric.name
        raise QueryError(f"{name}: scores are of whole days", fix="Ask for `grain: day` or coarser.")
    check_tiers(query)


# -- answers ----------------------------------------------------------------------------------------------------------

PERCENTILES = ("median", "p25", "p75", "p90")


def measures(metric: Metric) -> tuple[Measure, ...]:
    """What all scores offer; `component_NAME` beside them by its name only, so that all are of one type in GraphQL."""
    names = ("value", "users", *(f"score_{one}" for one in PERCENTILES))
    return tuple(found for name in names if (found := measure(metric, name)) is not None)


def measure(metric: Metric, name: str) -> Measure | None:
    spec: Composite = metric.spec
    if name == "value":
        return Measure("value", "mean", Type.NUMBER, description="The average score.")
    if name == "users":
        return Measure("users", "people", Type.INTEGER, description="Whoever has a score: did anything of it at all.")
    found = next((one for one in spec.components if name == f"component_{one.name}"), None)
    if found is not None:
        described = f"What `{found.name}` gives on average, in points of the score."
        return Measure(name, "component", Type.NUMBER, measured=found.name, description=described)
    stat = name.removeprefix("score_")
    like = measure_named(f"per_user_{stat}", metric.sources) if name.startswith("score_") else None
    if like is None or like.fraction is None:
        return None
    return Measure(name, "percentile", Type.NUMBER, fraction=like.fraction, description=f"Score: {stat}.")


OF_TIERS = tables_of_tiers(Type.NUMBER)
TABLES: Mapping[str, Table] = {
    "tiers": Table((PERIOD,), OF_TIERS["rows"].columns, "A row for each bucket, group and tier.", flagged=True),
    "migration": OF_TIERS["migration"],
    "distribution": Table(
        (PERIOD,),
        (
            Column("from_points", Type.INTEGER, description="The least score; ten points on, 100 among the last."),
            Column("users", Type.INTEGER, nullable=True, description="The people who scored that much."),
        ),
        "A row for each ten points.",
    ),
    "components": Table(
        (PERIOD,),
        (
            Column("component", Type.STRING, description="The component's name."),
            Column("position", Type.INTEGER, description="Its place in the definition, from 1."),
            Column("points", Type.NUMBER, nullable=True, description="What it gives on average."),
            Column("present", Type.INTEGER, nullable=True, description="The people who have it at all."),
            Column("full_at", Type.NUMBER, nullable=True, description="The number that counts in full; none of ranks."),
            Column(
                "degenerate", Type.BOOLEAN, nullable=True,
                description="Whether it tells nobody apart: its full number is 0 or less, or all ranks are equal.",
            ),
        ),
        "A row for each component.",
        flagged=True,
    ),
}  # fmt: skip


def columns(query: BoundQuery) -> Mapping[str, tuple[Column, ...]]:
    return series_columns(query, TABLES)


def choices(metric: Metric) -> Mapping[str, tuple[str, ...] | Type]:
    spec: Composite = metric.spec
    return {"tier": spec.names, "period": Type.DATE}


def conventions(metric: Metric, within: Duration | None = None) -> tuple[str, ...]:
    spec: Composite = metric.spec
    since = f"as of {spec.frozen_at}" if spec.frozen_at else "of the same window"
    told = [_in_words(one) for one in spec.components]
    percentiles = f"Percentiles: of all people with the component, {since} (of each group by itself)."
    return (
        f"Score: of the {spec.window} of whole local days that end with the bucket's last day, 0 to 100.",
        f"Weights: {', '.join(told)}.",
        "A missing component is 0; whoever has any component counts.",
        *((percentiles,) if any(isinstance(one.full_at, Percentile) for one in spec.components) else ()),
        "Scores are rounded to four digits; tiers begin at their lowest score.",
        "Overall: as of the last complete bucket.",
    )


def _in_words(one: Component) -> str:
    how = "by rank" if one.full_at is None else f"full at {one.full_at}"
    return f"{one.name} {float(one.weight * 100):.4g} % ({how})"


FAMILY = Family(
    definition=ScoreDefinition,
    shape="series",
    parts=("rows", "overall", *TABLES),
    resolve=resolve,
    selections=selections,
    is_engagement=lambda spec: any(one.metric.metric_class is MetricClass.ENGAGEMENT for one in spec.components),
    measures=measures,
    measure=measure,
    default_measures=("value", "users"),
    columns=columns,
    plan=plan,
    conventions=conventions,
    overall_is_last=True,
    usual_value=Type.NUMBER,
    tables=TABLES,
    members=Members(choices, members),
    ranked_by="users",
    is_complete=is_complete,
    check=check,
    inputs=inputs,
    example="""\
engagement_score:
  type: score
  window: 28 days
  components:
    value: {metric: videos_watched, weight: 40, full_at: 20}
    time_spent: {metric: visits, measure: minutes, weight: 25, full_at: 300}
    returns: {metric: watch_frequency, weight: 35, full_at: 20}
  tiers: {at_risk: 0, healthy: 40, champion: 75}
""",
)
