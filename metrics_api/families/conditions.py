"""What the conditions of a cohort mean: a tree of tests on numbers, sequences, attributes and members of metrics.

All that is asked of events becomes a number for each person as of a day: how many qualifying events (or the sum of a
property of theirs) lie in a window that ends with the day. How they are found is in `membership`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

from metrics_api.definitions.cohorts import (
    CohortCondition,
    DidCondition,
    GroupCondition,
    MetricCondition,
    PropertyCondition,
    Regularly,
    SequenceCondition,
    WhereCondition,
)
from metrics_api.errors import Code, did_you_mean
from metrics_api.families import families
from metrics_api.periods import DAY, Duration, Grain
from metrics_api.plan.expr import Call, Col, Expr, Type, negated
from metrics_api.query.choices import read_choices, wrong_choice
from metrics_api.query.filters import fitting
from metrics_api.semantic.expressions import ConditionError
from metrics_api.semantic.model import Metric, Property, Selection, Source
from metrics_api.semantic.resolve import Scope

MOST_PERIODS = 60
"""Periods that `regularly` looks at."""
MOST_CONDITIONS = 100
"""Conditions of one cohort, those of the cohorts in it too."""
PERIOD = "period"


@dataclass(frozen=True, slots=True)
class Window:
    """Local days as of a day: they begin before the lengths of `since` that end with it (None: with all history), and
    end before those of `until`. Or the fixed dates from `first` to `last`, but none after the day."""

    since: tuple[Duration, ...] | None = None
    until: tuple[Duration, ...] = ()
    first: date | None = None
    last: date | None = None

    def days(self, day: date) -> tuple[date | None, date]:
        """The inclusive local days as of a day; no first one: all of history."""
        begin = None if self.since is None else _begin(self.since, day)
        return begin or self.first, min(_begin(self.until, day) - DAY, self.last or day)

    @property
    def moves(self) -> bool:
        """Whether it has a first day that depends on the as-of day."""
        return self.since is not None

    @property
    def is_of_days(self) -> bool:
        """Whether it is equally long as of any day."""
        return all(one.unit in ("day", "week") for one in (*(self.since or ()), *self.until))


def _begin(lengths: Sequence[Duration], day: date) -> date:
    """The first day of the last of these lengths, each of which ends where the one before begins."""
    begin = day + DAY
    for one in lengths:
        begin = one.calendar_start(begin - DAY)
    return begin


@dataclass(frozen=True, slots=True)
class Tally:
    """A number for each person: events in a window, or an aggregate of a property of theirs.

    With `first_ever` the number is 1 if the first event of all history lies in the window.
    """

    selection: Selection
    window: Window
    first_ever: bool = False
    aggregate: str | None = None
    measured: Property | None = None


@dataclass(frozen=True, slots=True)
class Test:
    """Who has a number, and one within these bounds, inclusive."""

    tally: Tally
    low: Decimal | None = Decimal(1)
    high: Decimal | None = None


@dataclass(frozen=True, slots=True)
class InOrder:
    """Who did these steps one after another, within a time from the first."""

    steps: tuple[Selection, ...]
    within: Duration | None

    @property
    def overlapping(self) -> bool:
        """Whether one event could be two steps."""
        return any(one.overlaps(other) for n, one in enumerate(self.steps) for other in self.steps[n + 1 :])


@dataclass(frozen=True, slots=True)
class Known:
    """Of whom a condition over attributes is true."""

    where: Expr


@dataclass(frozen=True, slots=True)
class Chosen:
    """The people behind a metric that these choices tell, in the last bucket of this grain that is over."""

    metric: Metric
    of: tuple[tuple[str, str | int | date], ...]
    grain: Grain


@dataclass(frozen=True, slots=True)
class Some:
    """For whom at least so many of the parts hold."""

    least: int
    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """For whom the part does not hold."""

    part: Tree


@dataclass(frozen=True, slots=True)
class Pattern:
    """One condition of several tests: regularly, stopped, restarted."""

    tests: Tree


Leaf: TypeAlias = Test | InOrder | Known | Chosen
Tree: TypeAlias = Leaf | Pattern | Some | Not


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """What a cohort resolves to."""

    tree: Tree
    sources: tuple[Source, ...]
    """What is read; of a cohort without events a source that tells how far the data reaches."""

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return tuple(dict.fromkeys(leaves(self.tree)))

    @property
    def is_open(self) -> bool:
        """Whether somebody who did nothing of what it asks can be in it."""
        return True in _possible(self.tree)

    @property
    def events(self) -> tuple[Selection, ...]:
        """The events that it asks for itself."""
        found: list[Selection] = []
        for one in self.leaves:
            match one:
                case Test(tally):
                    found.append(tally.selection)
                case InOrder(steps):
                    found += steps
        return tuple(dict.fromkeys(found))


def leaves(tree: Tree) -> Iterator[Leaf]:
    match tree:
        case Some(parts=parts):
            for part in parts:
                yield from leaves(part)
        case Not(part) | Pattern(part):
            yield from leaves(part)
        case leaf:
            yield leaf


def done(tree: Tree) -> Iterator[Tree]:
    """The conditions on what somebody did, each as a whole."""
    match tree:
        case Some(parts=parts):
            for part in parts:
                yield from done(part)
        case Not(part):
            yield from done(part)
        case Known():
            return
        case leaf:
            yield leaf


def _possible(tree: Tree) -> set[bool]:
    """What may hold for somebody who did nothing, whatever is known of them."""
    match tree:
        case Known():
            return {True, False}
        case Not(part):
            return {not one for one in _possible(part)}
        case Pattern(tests):
            return _possible(tests)
        case Some(least, parts):
            each = [_possible(part) for part in parts]
            fewest, most = sum(False not in one for one in each), sum(True in one for one in each)
            return {count >= least for count in (fewest, most)}
        case _:
            return {False}


# -- resolving --------------------------------------------------------------------------------------------------------


def resolve_conditions(definition: Any, scope: Scope, entity: str) -> Cohort | None:
    """What a cohort's definition means; None, and problems, when it means nothing."""
    resolving = _Resolving(scope, entity)
    tree = resolving.group(definition)
    if tree is None or scope.problems:
        return None
    if (count := len(dict.fromkeys(leaves(tree)))) > MOST_CONDITIONS:
        scope.problem(f"{count} conditions, with those of the cohorts in it; at most {MOST_CONDITIONS} are computed")
        return None
    read = dict.fromkeys(_sources(tree))
    if not read:
        read = dict.fromkeys(scope.sources_of(entity)[:1])
    if not read:
        scope.problem(f"no source says who the {entity} is", fix=f"Write `identity: {{{entity}: COLUMN}}` at a source.")
        return None
    return Cohort(tree, tuple(read))


def _sources(tree: Tree) -> Iterator[Source]:
    for one in leaves(tree):
        match one:
            case Test(tally):
                yield from tally.selection.sources
            case InOrder(steps):
                for step in steps:
                    yield from step.sources
            case Chosen(metric):
                yield from metric.sources


@dataclass
class _Resolving:
    """The conditions of one cohort; what is wrong is told to the scope."""

    scope: Scope
    entity: str

    def group(self, written: Any, *path: str | int) -> Tree | None:
        found: list[Tree | None] = []
        if written.all_of is not None:
            found += self.each(written.all_of, *path, "all_of")
        if written.any_of is not None:
            found.append(self.some(1, self.each(written.any_of, *path, "any_of")))
        if written.none_of is not None:
            found += [None if one is None else Not(one) for one in self.each(written.none_of, *path, "none_of")]
        if written.not_ is not None:
            inner = self.condition(written.not_, *path, "not")
            found.append(None if inner is None else Not(inner))
        return self.some(len(found), found)

    def each(self, written: Sequence[Any], *path: str | int) -> list[Tree | None]:
        return [self.condition(one, *path, number) for number, one in enumerate(written)]

    def some(self, least: int, parts: Sequence[Tree | None]) -> Tree | None:
        whole = [one for one in parts if one is not None]
        if len(whole) < len(parts):
            return None
        return whole[0] if len(whole) == 1 else Some(least, tuple(whole))

    def condition(self, written: Any, *path: str | int) -> Tree | None:
        match written:
            case DidCondition():
                return self.did(written, *path)
            case SequenceCondition():
                return self.sequence(written, *path)
            case PropertyCondition():
                return self.known(written, *path)
            case WhereCondition():
                where = self.scope.attribute_condition(written.where, self.entity, *path, "where")
                return None if where is None else Known(where)
            case MetricCondition():
                return self.chosen(written, *path)
            case CohortCondition():
                return self.cohort(written, *path)
            case GroupCondition():
                return self.group(written, *path)
        raise AssertionError(written)

    # What was done

    def did(self, written: DidCondition, *path: str | int) -> Tree | None:
        selection = self.scope.selection(written, *path)
        if selection is None or not self.has_whole_days(written, *path):
            return None
        if written.regularly is not None:
            return self.regularly(selection, written.regularly, *path)
        if (stopped := written.stopped) is not None:
            quiet, before = stopped.quiet_for, stopped.active_before
            was = _did(selection, Window((quiet, before), (quiet,)))
            return Pattern(Some(2, (was, Not(_did(selection, Window((quiet,)))))))
        if (restarted := written.restarted) is not None:
            active, quiet = restarted.active_within, restarted.quiet_for
            back, once = _did(selection, Window((active,))), _did(selection, Window(None, (active, quiet)))
            return Pattern(Some(3, (back, Not(_did(selection, Window((active, quiet), (active,)))), once)))
        since = (written.within,) if written.within is not None else None
        window = Window(since, first=written.from_, last=written.to)
        tally = Tally(selection, window, written.first_ever)
        if (measured := written.measured) is not None:
            of = self.measured(selection, measured[1], *path, measured[0])
            if of is None:
                return None
            tally = Tally(selection, window, aggregate=measured[0], measured=of)
        low, high = (_bound(one) for one in (written.at_least, written.at_most))
        if written.exactly is not None:
            low = high = _bound(written.exactly)
        return Test(tally, low if low is not None or measured else Decimal(1), high)

    def has_whole_days(self, written: DidCondition, *path: str | int) -> bool:
        windows: dict[tuple[str, ...], Duration | None] = {("within",): written.within}
        for word in ("stopped", "restarted"):
            if (one := getattr(written, word)) is not None:
                windows |= {(word, name): getattr(one, name) for name in type(one).model_fields}
        if written.regularly is not None:
            windows["regularly", "of"] = written.regularly.of
        fine = True
        for name, window in windows.items():
            if window is not None and not window.is_whole_days:
                fix = "Write days, such as `7 days`."
                self.scope.problem(f"a window of {window} is not one of whole days", *path, *name, fix=fix)
                fine = False
        return fine

    def regularly(self, selection: Selection, written: Regularly, *path: str | int) -> Tree | None:
        count, unit = written.of.n, written.of.unit
        if written.in_ > count:
            self.scope.problem(
                f"in {written.in_} of {written.of}: there are only {count}", *path, "regularly", "in",
                fix=f"Write at most `in: {count}`, or look at more {unit}s.",
            )  # fmt: skip
            return None
        if count > MOST_PERIODS:
            self.scope.problem(
                f"{count} periods; at most {MOST_PERIODS} are looked at", *path, "regularly", "of",
                fix="Look at weeks or months instead.",
            )  # fmt: skip
            return None
        tests = []
        for number in range(1, count + 1):
            until = (Duration(number - 1, unit),) if number > 1 else ()
            tests.append(Test(Tally(selection, Window((Duration(number, unit),), until)), Decimal(written.at_least)))
        return Pattern(Some(written.in_, tuple(tests)))

    def measured(self, selection: Selection, name: str, *path: str | int) -> Property | None:
        """The number that is added up, which every source of the selection must have with one type."""
        found = [source.properties.get(name) for source in selection.sources]
        first = found[0]
        if first is not None and first.type.is_numeric and all(one and one.type is first.type for one in found):
            return first
        if first is not None and not first.type.is_numeric:
            self.scope.problem(f"`{name}` is a {first.type}; only numbers have a {path[-1]}", *path)
            return None
        numeric = [one.name for one in selection.sources[0].properties.values() if one.type.is_numeric]
        fix = did_you_mean(name, numeric, what="numeric properties")
        self.scope.problem(f"`{name}` is not one of the numeric properties", *path, fix=fix, code=Code.UNKNOWN_NAME)
        return None

    def sequence(self, written: SequenceCondition, *path: str | int) -> Tree | None:
        steps = [self.scope.selection(one, *path, "sequence", n) for n, one in enumerate(written.sequence)]
        found = tuple(one for one in steps if one is not None)
        return InOrder(found, written.within) if len(found) == len(steps) else None

    # What is known

    def known(self, written: PropertyCondition, *path: str | int) -> Tree | None:
        name = written.property
        attributes = self.scope.attributes(self.entity)
        of = next((one for one in attributes.values() if name in (one.name, one.written)), None)
        if of is None:
            self.refuse_property(name, [one.written for one in attributes.values() if not one.personal], *path)
            return None
        if of.personal:
            self.scope.problem(
                f"`{name}` is personal: this release offers it neither as a filter nor as a breakdown",
                *path, "property", fix="Use an attribute that does not say who somebody is.",
            )  # fmt: skip
            return None
        word, values = ("in", written.in_) if written.in_ is not None else ("not_in", written.not_in or ())
        try:
            one_of = Call("in_", (Col(of.name), *(fitting(one, of) for one in values)))
        except ConditionError as error:
            self.scope.problem(error.message, *path, word, fix=error.fix)
            return None
        return Known(one_of if word == "in" else negated(one_of))

    def refuse_property(self, name: str, attributes: Sequence[str], *path: str | int) -> None:
        if name in self.scope.properties():
            self.scope.problem(
                f"`{name}` is a property of events, and nobody has it by themselves", *path, "property",
                fix=f"Say which events: `{{on: EVENT, where: {name} in (..)}}`.",
            )  # fmt: skip
            return
        fix = did_you_mean(name, attributes, what=f"attributes of {self.entity}s")
        told = f"there is no attribute `{name}` of {self.entity}s"
        self.scope.problem(told, *path, "property", fix=fix, code=Code.UNKNOWN_NAME)

    # What others tell

    def chosen(self, written: MetricCondition, *path: str | int) -> Tree | None:
        metric = self.scope.metric(written.metric)
        if metric is None:
            return None
        family = families()[metric.type]
        if family.members is None:
            self.scope.problem(f"{metric.definition.noun()} does not tell its people", *path, "metric",
                               fix="Name a metric that does, or write what they did: `{on: EVENT}`.")  # fmt: skip
            return None
        if metric.entity != self.entity:
            told = f"`{metric.name}` counts {metric.entity}s; this cohort is one of {self.entity}s"
            self.scope.problem(told, *path, "metric")
            return None
        choices = family.members.choices(metric)
        written_choices = _spelled(dict(written.model_extra or {}), choices)
        for name, value in written_choices.items():
            if name == PERIOD or name not in choices:
                offered = [one for one in choices if one != PERIOD]
                fix = did_you_mean(name, offered, what=f"choices of `{metric.name}`")
                self.scope.problem(f"`{metric.name}` does not tell its people by `{name}`", *path, name, fix=fix)
            elif wrong := wrong_choice(name, value, choices[name]):
                self.scope.problem(wrong[0], *path, name, fix=wrong[1])
        if not written_choices and set(choices) - {PERIOD}:
            offered_words = " or ".join(f"`{name}: ...`" for name in choices if name != PERIOD)
            self.scope.problem(f"does not say which people of `{metric.name}`", *path, fix=f"Write {offered_words}.")
        dated = [name for name, one in choices.items() if one is Type.DATE]
        for name in dated:
            if name != PERIOD and name not in written_choices:
                fix = f"Write `{name}: 2026-01-05`, the first day of a bucket."
                self.scope.problem(
                    f"does not say by which `{name}` the people of `{metric.name}` are meant", *path, fix=fix
                )
        if written.grain is not None and not dated:
            told = f"`{metric.name}` does not tell its people by bucket"
            self.scope.problem(told, *path, "grain", fix="Leave `grain` out.")
        of, _ = read_choices(tuple(written_choices.items()), choices, metric.name)
        return Chosen(metric, of, Grain(written.grain) if written.grain else family.grain(metric))

    def cohort(self, written: CohortCondition, *path: str | int) -> Tree | None:
        found = self.scope.cohort(written.cohort)
        if found is None:
            return None
        if found.entity != self.entity:
            told = f"`{found.name}` is one of {found.entity}s; this cohort is one of {self.entity}s"
            self.scope.problem(told, *path, "cohort")
            return None
        spec: Cohort = found.spec
        return spec.tree


def _spelled(written: dict[str, Any], choices: Mapping[str, tuple[str, ...] | Type]) -> dict[str, Any]:
    """The choices as the family offers them: `dropped_at: paid` is the step `paid` in the state `dropped`."""
    states = choices.get("state", ())
    for name in [name for name in written if name.endswith("_at") and name not in choices]:
        state = name.removesuffix("_at")
        if "step" in choices and isinstance(states, tuple) and state in states:
            written |= {"step": written.pop(name), "state": state}
    return written


def _did(selection: Selection, window: Window) -> Test:
    return Test(Tally(selection, window))


def _bound(written: float | None) -> Decimal | None:
    return None if written is None else Decimal(str(written))
