"""`funnel`: how many people go from a first step through the others within a window: activation, conversion.

One attempt stands for each person (RULES 25) unless totals are counted; everything said of a step - converted,
dropped, pending, times - is said of that attempt. A person whose window is still open is pending, not lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from metrics_api.definitions.base import DurationField, EntrySelector, MetricDefinition, Selector
from metrics_api.definitions.names import Identifier
from metrics_api.definitions.refusal import Refusal
from metrics_api.errors import QueryError, did_you_mean
from metrics_api.families import conversions
from metrics_api.families.journeys import Exclusion, Funnel, Step, overlaps
from metrics_api.families.series import table_columns
from metrics_api.periods import Duration
from metrics_api.plan.nodes import Plan
from metrics_api.query.bind import MEMBER_COUNT, MEMBERS, BoundQuery
from metrics_api.query.family import Family, Members, Series
from metrics_api.results import Column
from metrics_api.semantic.expressions import personal_refusal
from metrics_api.semantic.model import Metric, fields_of, personal_of
from metrics_api.semantic.resolve import Scope

MAX_STEPS = 10


_ATTRIBUTION = r"first|last|all|step +[a-z][a-z0-9_]*"


def _check_attribution(written: str) -> str:
    if not re.fullmatch(_ATTRIBUTION, written):
        raise Refusal(f"`{written}` is no attribution", "Write `first`, `last`, `all` or `step NAME`.")
    return written


Attribution = Annotated[
    str, AfterValidator(_check_attribution), Field(json_schema_extra={"pattern": f"^({_ATTRIBUTION})$"})
]


class StepSelector(EntrySelector):
    """A step: an event or value moment, and how it counts among the others."""

    optional: bool = False
    """Whether people can go on without it."""
    within: DurationField | None = None
    """How long after the required step before it, inclusive; beside the funnel's own window."""

    @classmethod
    def noun(cls) -> str:
        return "a funnel step"


class ExclusionSelector(Selector):
    """Events that end an attempt if they happen between two steps."""

    between: tuple[Identifier, Identifier] | None = None
    """The steps between which it is looked for, both required ones; from the first to the last unless said."""
    effect: Literal["drop", "remove"] = "drop"
    """`drop`: the steps before it stand, the attempt ends there; `remove`: there was no attempt at all."""

    @classmethod
    def noun(cls) -> str:
        return "an exclusion"


class FunnelDefinition(MetricDefinition):
    """Steps within a window that begins with the first."""

    type: Literal["funnel"]
    steps: Mapping[Identifier, StepSelector]
    """The steps in order, by name: `signed_up: {event: sign_up}`, `watched: {on: videos_watched}`."""
    within: DurationField = Field(default=Duration(30, "day"))
    """The conversion window from the entry, inclusive; a day is 24 hours."""
    order: Literal["ordered", "strict", "unordered"] = "ordered"
    """`ordered`: other events may happen between the steps; `strict`: none may; `unordered`: in whatever order."""
    among: Literal["all_events", "steps"] | None = None
    """Which events may not happen between the steps of a strict funnel: `all_events` of the sources unless said."""
    entry: Literal["any", "first"] = "any"
    """`any`: every first step starts an attempt, and the deepest counts; `first`: only the first one of the range."""
    count: Literal["users", "totals"] = "users"
    """`users`: one attempt for each person; `totals`: every entry is an attempt."""
    hold_constant: tuple[Identifier, ...] = ()
    """Properties that are equal in all steps of an attempt; a missing value is equal to nothing."""
    exclude: Mapping[Identifier, ExclusionSelector] = Field(default_factory=dict)
    """Events that end an attempt, by name: `deleted: {event: account_deleted, between: [signed_up, watched]}`."""
    attribution: Attribution = "first"
    """Which value breaks an attempt down: the `first` or `last` of its steps, that of `step NAME`, or `all`."""
    grace: DurationField | None = None
    """How much earlier than the step before it a step may be recorded."""


# -- resolving --------------------------------------------------------------------------------------------------------


def resolve(definition: FunnelDefinition, scope: Scope) -> Funnel | None:
    count = len(definition.steps)
    if count < 2:
        scope.problem(f"a funnel of {count} step{'s' * (count != 1)}", "steps", fix="Give it at least two steps.")
    if count > MAX_STEPS:
        scope.problem(f"a funnel of {count} steps; at most {MAX_STEPS} are computed", "steps")
    found = [(name, one, scope.selection(one, "steps", name)) for name, one in definition.steps.items()]
    steps = tuple(
        Step(name, selection, one.optional, one.within) for name, one, selection in found if selection is not None
    )
    exclusions = tuple(_exclusions(definition, scope))
    _check_steps(definition, scope)
    _check_choices(definition, scope)
    if len(steps) != count or len(exclusions) != len(definition.exclude) or count < 2:
        return None
    _check_overlaps(definition, steps, scope)
    spec = Funnel(
        steps=steps,
        within=definition.within,
        order=definition.order,
        among=definition.among or "all_events",
        first_ever=next(iter(definition.steps.values())).first_ever,
        entry=definition.entry,
        count=definition.count,
        hold_constant=definition.hold_constant,
        exclusions=exclusions,
        attribution=_attribution(definition, scope),
        grace=definition.grace,
    )
    _check_properties(definition, spec, scope)
    return spec


def _exclusions(definition: FunnelDefinition, scope: Scope) -> Iterator[Exclusion]:
    names = list(definition.steps)
    for name, one in definition.exclude.items():
        selection = scope.selection(one, "exclude", name)
        between = one.between or (names[0], names[-1]) if names else None
        if between is None:
            continue
        known = True
        for index, step in enumerate(between):
            at = ("exclude", name, "between", index)
            if step not in definition.steps:
                scope.problem(f"there is no step `{step}`", *at, fix=did_you_mean(step, names, what="steps"))
                known = False
            elif definition.steps[step].optional:
                scope.problem(
                    f"`{step}` is optional: an attempt may never come to it", *at, fix="Name a required step."
                )
                known = False
        if not known:
            continue
        after, before = (names.index(step) + 1 for step in between)
        if after >= before:
            scope.problem(
                f"between `{between[0]}` and `{between[1]}`, which does not come after it",
                *("exclude", name, "between"),
                fix="Name the earlier step first." if after > before else "Name two steps.",
            )
        elif selection is not None:
            yield Exclusion(name, selection, after, before, one.effect == "remove")


def _check_steps(definition: FunnelDefinition, scope: Scope) -> None:
    steps = list(definition.steps.items())
    for position, (name, one) in enumerate(steps):
        is_first, is_last = position == 0, position == len(steps) - 1
        if one.optional and (is_first or is_last):
            words = "the first step begins every attempt" if is_first else "the last step is what the funnel leads to"
            scope.problem(f"{words}; it cannot be optional", "steps", name, "optional", fix="Leave `optional` out.")
        if one.first_ever and not is_first:
            scope.problem(
                "only the first step can be `first_ever`", "steps", name, "first_ever", fix="Leave it out here."
            )
        if one.within is None:
            continue
        if is_first:
            scope.problem("nothing comes before the first step", "steps", name, "within", fix="Say it at a later step.")
        elif one.within.elapsed > definition.within.elapsed:
            scope.problem(
                f"{one.within} is longer than the funnel's window of {definition.within}",
                *("steps", name, "within"),
                fix="Make it shorter, or the funnel's `within` longer.",
            )


def _check_choices(definition: FunnelDefinition, scope: Scope) -> None:
    """What cannot be meant together."""
    first_ever = any(one.first_ever for one in definition.steps.values())
    if definition.among is not None and definition.order != "strict":
        scope.problem("`among` is for strict funnels", "among", fix="Write `order: strict`, or leave it out.")
    if definition.count == "totals" and definition.entry == "first":
        scope.problem("totals count every entry, not the first", "count", fix="Leave out `count` or `entry`.")
    if definition.count == "totals" and first_ever:
        scope.problem("a person has one first entry ever: totals are users", "count", fix="Leave out `count`.")
    for name, one in definition.steps.items():
        if one.optional and definition.order == "strict":
            scope.problem(
                "an optional step would be another event between the steps of a strict funnel",
                *("steps", name, "optional"),
                fix="Write `order: ordered`, or leave it out.",
            )
    if definition.order == "unordered":
        for what, path in _in_order_only(definition):
            scope.problem(f"{what} needs an order of steps", *path, fix="Write `order: ordered`, or leave it out.")
    if definition.grace is not None:
        _check_grace(definition, scope)


def _in_order_only(definition: FunnelDefinition) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What an unordered funnel cannot have."""
    for name, one in definition.steps.items():
        for word in ("optional", "within", "first_ever"):
            if getattr(one, word):
                yield f"`{word}`", ("steps", name, word)
    if definition.count == "totals":
        yield "`count: totals`", ("count",)
    if definition.exclude:
        yield "`exclude`", ("exclude",)
    if definition.hold_constant:
        yield "`hold_constant`", ("hold_constant",)
    if definition.grace is not None:
        yield "`grace`", ("grace",)
    if definition.attribution.startswith("step"):
        yield "`attribution` by a step", ("attribution",)


def _check_grace(definition: FunnelDefinition, scope: Scope) -> None:
    assert definition.grace is not None
    if definition.grace.elapsed >= definition.within.elapsed:
        scope.problem(
            f"a grace of {definition.grace} in a window of {definition.within}", "grace", fix="Write some seconds."
        )
    if definition.order == "strict" or definition.exclude:
        other = "a strict order" if definition.order == "strict" else "exclusions"
        scope.problem(
            f"grace and {other}: what lies between two steps would depend on which came first",
            "grace",
            fix="Leave it out.",
        )


def _check_overlaps(definition: FunnelDefinition, steps: tuple[Step, ...], scope: Scope) -> None:
    """One event that could be two steps must be later than the one before: what that leaves no meaning."""
    reasons = []
    if definition.order != "ordered":
        reasons.append((f"{definition.order} funnels take one event for one step", ("order",)))
    if definition.grace is not None:
        reasons.append(("with `grace` they could come in either order", ("grace",)))
    pairs = list(overlaps(steps))
    for why, path in reasons if pairs else ():
        here, there = pairs[0]
        scope.problem(
            f"one event could be both `{here.name}` and `{there.name}`, and {why}",
            *path,
            fix="Name different events, or leave it out.",
        )
    for here, there in pairs:
        for one in (here, there):
            if one.optional:
                scope.problem(
                    f"one event could be both `{here.name}` and `{there.name}`, and one of them is optional",
                    *("steps", one.name, "optional"),
                    fix="Name different events, or leave it out.",
                )


def _attribution(definition: FunnelDefinition, scope: Scope) -> Literal["first", "last", "all"] | int:
    word, _, step = definition.attribution.partition(" ")
    if word != "step":
        return word  # type: ignore[return-value]
    names = list(definition.steps)
    if step.strip() in names:
        return names.index(step.strip()) + 1
    scope.problem(
        f"there is no step `{step.strip()}`", "attribution", fix=did_you_mean(step.strip(), names, what="steps")
    )
    return "first"


def _check_properties(definition: FunnelDefinition, spec: Funnel, scope: Scope) -> None:
    sources = tuple(dict.fromkeys(source for one in spec.selections for source in one.sources))
    known, personal = fields_of(sources), personal_of(sources)
    for index, name in enumerate(definition.hold_constant):
        if name in personal:
            refused = personal_refusal(name)
            scope.problem(refused.message, "hold_constant", index, fix=refused.fix)
        elif name not in known:
            fix = did_you_mean(name, known, what="properties")
            scope.problem(f"there is no property `{name}` to hold constant", "hold_constant", index, fix=fix)
        elif name in definition.hold_constant[:index]:
            scope.problem(f"`{name}` is held constant twice", "hold_constant", index)


# -- answers ----------------------------------------------------------------------------------------------------------

TABLES = {"steps": conversions.STEPS, "trend": conversions.TREND, "histogram": conversions.HISTOGRAM}
PARTS = {"steps": conversions.steps, "trend": conversions.trend, "histogram": conversions.histogram}


def columns(query: BoundQuery) -> Mapping[str, tuple[Column, ...]]:
    return table_columns(query, TABLES)


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    return {part: PARTS[part](query) for part in query.parts}


def check(query: BoundQuery) -> None:
    if not {MEMBERS, MEMBER_COUNT} & set(query.parts):
        return
    k, state = conversions.chosen(query)
    if k == 1 and state != "converted":
        name = query.metric.name
        raise QueryError(f"{name}: nobody is {state} at the first step", fix="Ask for the people of a later step.")


def conventions(metric: Metric, within: Duration | None = None) -> tuple[str, ...]:
    spec: Funnel = metric.spec
    if spec.overlapping:
        ordering = "One event can be two steps here, so a step must be later than the one before it."
    elif spec.order == "unordered":
        ordering = "The steps count in whatever order: step k is reached when k different ones are done."
    else:
        ordering = "Steps at the same instant count in their order."
    return (
        "The range filters the entry; conversions may come later.",
        f"Window: {within or spec.within} from the entry, inclusive.",
        _counted(spec),
        ordering,
        *_further(spec),
        _broken_down(spec),
    )


def _counted(spec: Funnel) -> str:
    if spec.count == "totals":
        return "Every entry is an attempt and counts by itself."
    if spec.first_ever:
        return "A person counts once: by the first entry ever, if it lies in the range."
    if spec.entry == "first":
        return "A person counts once, by the first entry of the range."
    return "A person counts once, by the deepest attempt, then the earliest completed, then the latest entered."


def _further(spec: Funnel) -> Iterator[str]:
    if spec.order == "strict":
        which = "other event" if spec.among == "all_events" else "other event of the steps"
        yield f"Strict: no {which} of the person lies between two steps."
    if optional := [one.name for one in spec.steps if one.optional]:
        yield f"Optional: {', '.join(optional)}; later steps count from the required step before."
    for one in spec.steps:
        if one.within is not None:
            yield f"`{one.name}`: within {one.within} of the required step before it."
    for exclusion in spec.exclusions:
        here, there = spec.steps[exclusion.after - 1].name, spec.steps[exclusion.before - 1].name
        effect = "removes the attempt" if exclusion.removes else "ends the attempt"
        yield f"`{exclusion.name}` between `{here}` and `{there}` {effect}."
    if spec.hold_constant:
        yield f"Equal in all steps of an attempt: {', '.join(spec.hold_constant)}."
    if spec.grace is not None:
        yield f"A step may be recorded up to {spec.grace} before the one it follows."


def _broken_down(spec: Funnel) -> str:
    match spec.attribution:
        case "first":
            return "Broken down by the first value found along the attempt's steps."
        case "last":
            return "Broken down by the last value found along the attempt's steps."
        case "all":
            return "Broken down by a value that all steps share: a person counts once for each."
        case number:
            return f"Broken down by the value at `{spec.steps[number - 1].name}`."


FAMILY = Family(
    definition=FunnelDefinition,
    shape="funnel",
    parts=("steps", "trend", "histogram"),
    resolve=resolve,
    selections=lambda spec: spec.selections,
    is_engagement=lambda spec: spec.steps[-1].selection.is_value_moment,
    measures=conversions.measures,
    measure=conversions.measure,
    default_measures=("seconds_from_entry_average", "seconds_from_entry_median"),
    columns=columns,
    plan=plan,
    check=check,
    tables=TABLES,
    members=Members(conversions.choices, conversions.members, fixed=("state",)),
    per_entity=conversions.PEOPLE,
    is_complete=conversions.is_complete,
    ranking=conversions.ranking,
    series=Series(conversions.numbers, conversions.series, outcomes=frozenset(("converted", "rate", "mature_rate"))),
    conventions=conventions,
    example="""\
activation:
  type: funnel
  steps:
    signed_up: {event: signed_up}
    watched: {on: videos_watched}
  within: 30 days
""",
)
