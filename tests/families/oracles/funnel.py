"""Funnels, by trying every entry of every person."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from families.oracles.calendar import Bucket, Grain, bucket_starts, widened
from families.oracles.distribution import PERCENTILES, Distribution, distribution
from families.oracles.world import NONE_LABEL, Event, Selector, World, is_person, label_of, matching, value_of

Labels = tuple[str, ...]
Position = tuple[datetime, int]


@dataclass(frozen=True)
class Step:
    """A named step and the events that reach it."""

    name: str
    selector: Selector


@dataclass(frozen=True)
class Funnel:
    """An ordered funnel; `overlapping` declares that two of its steps can match the same event (RULES 24).

    The tie breaker orders equal times, in an overlapping funnel only: otherwise equal times are in step order anyway.
    """

    steps: tuple[Step, ...]
    window: timedelta
    overlapping: bool
    entry: Literal["any", "first"] = "any"
    tie_breaker: Callable[[Event], int] | None = None


@dataclass(frozen=True)
class Attempt:
    """One person's way through the funnel: for each step reached, the events that tie for having reached it."""

    person: str
    reached: tuple[tuple[Event, ...], ...]

    @property
    def depth(self) -> int:
        """How many steps were reached."""
        return len(self.reached)

    @property
    def times(self) -> tuple[datetime, ...]:
        """When each step was reached."""
        return tuple(events[0].at for events in self.reached)


@dataclass(frozen=True)
class StepRow:
    """One step of the answer (RULES 26); `step` counts from 1, rates are None where nothing is divided by.

    The times are in seconds and over those who converted; the first step has none, as nobody takes time to enter.
    """

    step: int
    name: str
    entered: int
    converted: int
    dropped: int
    excluded: int
    pending: int
    rate: float | None
    step_rate: float | None
    mature_entered: int
    mature_converted: int
    mature_rate: float | None
    from_entry: Distribution
    from_previous: Distribution


FunnelAnswer = Mapping[Labels, tuple[StepRow, ...]]


def funnel(
    world: World,
    spec: Funnel,
    first: date,
    last: date,
    grain: Grain = "day",
    *,
    count: Literal["users", "totals"] = "users",
    breakdown: Sequence[str] = (),
    where: Selector | None = None,
    exclude: Selector | None = None,
    percentiles: Sequence[float] = PERCENTILES,
) -> FunnelAnswer:
    """The steps of the funnel for entries in the widened range, per combination of labels.

    RULES 27: `where` filters every step. The range bounds the entry only (SEMANTICS 4, Right-censoring). Without a
    breakdown there is one answer, also when nobody entered; with one, only labels that occur have an answer.
    """
    start, end = widened(first, last, grain, world.timezone, world.week_start)
    events = matching(world, lambda _: True, where=where, exclude=exclude)
    attempts = counted_attempts(events, spec, start, end, count)
    return answered(attempts, spec, world.data_through, breakdown, percentiles)


def funnel_trend(
    world: World,
    spec: Funnel,
    first: date,
    last: date,
    grain: Grain,
    *,
    count: Literal["users", "totals"] = "users",
    breakdown: Sequence[str] = (),
    where: Selector | None = None,
    exclude: Selector | None = None,
    percentiles: Sequence[float] = PERCENTILES,
) -> list[tuple[Bucket, FunnelAnswer]]:
    """The funnel by bucket of entry: RULES 25, one attempt per person *per entry bucket*, as if each were the range."""
    events = matching(world, lambda _: True, where=where, exclude=exclude)
    trend: list[tuple[Bucket, FunnelAnswer]] = []
    for bucket in bucket_starts(first, last, grain, world.timezone, world.week_start):
        attempts = counted_attempts(events, spec, bucket.start_utc, bucket.end_utc, count)
        trend.append((bucket, answered(attempts, spec, world.data_through, breakdown, percentiles)))
    return trend


def counted_attempts(
    events: Sequence[Event],
    spec: Funnel,
    start: datetime,
    end: datetime,
    count: Literal["users", "totals"] = "users",
) -> list[Attempt]:
    """The attempts that are counted: one per person who entered in [start, end), or with `totals` every entry's.

    RULES 10: null and empty users never enter. RULES 25: totals count every entry as an attempt.
    """
    if not spec.overlapping:
        ambiguous = [event for event in events if sum(step.selector(event) for step in spec.steps) > 1]
        assert not ambiguous, f"declared not to overlap, but two steps match {ambiguous[0]}"
    counted: list[Attempt] = []
    for person in sorted({event.user for event in events if event.user is not None and is_person(event.user)}):
        own = [event for event in events if event.user == person]
        entries = [event for event in own if spec.steps[0].selector(event) and start <= event.at < end]
        if not entries:
            continue
        if spec.entry == "first":
            earliest = min(position(event, spec) for event in entries)
            entries = [event for event in entries if position(event, spec) == earliest]
        if count == "totals":
            counted.extend(attempt_from((entry,), own, spec) for entry in entries)
        else:
            ties = [tuple(other for other in entries if position(other, spec) == position(e, spec)) for e in entries]
            counted.append(kept([attempt_from(entry, own, spec) for entry in ties], spec))
    return counted


def position(event: Event, spec: Funnel) -> Position:
    """Where an event stands in the order: its time, and its tie breaker if one is declared and needed."""
    if spec.overlapping and spec.tie_breaker is not None:
        return event.at, spec.tie_breaker(event)
    return event.at, 0


def may_follow(later: Event, earlier: Event, spec: Funnel) -> bool:
    """Whether an event can be the next step after another.

    RULES 24: where no event can be two steps, equal times are allowed in step order. Where one can, the next step must
    be strictly later by (time, tie breaker), so that no event is ever used twice in an attempt.
    """
    if spec.overlapping:
        return position(later, spec) > position(earlier, spec)
    return later.at >= earlier.at


def attempt_from(entries: tuple[Event, ...], own: Sequence[Event], spec: Funnel) -> Attempt:
    """The attempt that starts with an entry (or entries that tie), among all events of the person.

    RULES 24: each step takes the earliest eligible event after the previous step's; the window counts from the entry
    and its end is inside.
    """
    entry = entries[0]
    reached = [entries]
    for step in spec.steps[1:]:
        eligible = [
            event
            for event in own
            if step.selector(event) and may_follow(event, reached[-1][0], spec) and event.at <= entry.at + spec.window
        ]
        if not eligible:
            break
        earliest = min(position(event, spec) for event in eligible)
        reached.append(tuple(event for event in eligible if position(event, spec) == earliest))
    return Attempt(entry.user or "", tuple(reached))


def kept(attempts: Sequence[Attempt], spec: Funnel) -> Attempt:
    """The attempt that stands for a person: RULES 25, deepest, then earliest completed, then latest entry."""
    deepest = max(attempt.depth for attempt in attempts)
    attempts = [attempt for attempt in attempts if attempt.depth == deepest]
    completed = min(position(attempt.reached[-1][0], spec) for attempt in attempts)
    attempts = [attempt for attempt in attempts if position(attempt.reached[-1][0], spec) == completed]
    return max(attempts, key=lambda attempt: position(attempt.reached[0][0], spec))


def labels_of_attempt(attempt: Attempt, breakdown: Sequence[str]) -> Labels:
    """The labels an attempt falls under, each property for itself.

    SEMANTICS 4, Breakdown attribution: the first non-null value over the steps; the smallest label of a step's ties.
    """
    return tuple(first_label(attempt, name) for name in breakdown)


def first_label(attempt: Attempt, name: str) -> str:
    """The first non-null label of one property over the steps of an attempt."""
    for events in attempt.reached:
        values = [value_of(event, name) for event in events]
        label = min((label_of(one) for one in values if one is not None), default=NONE_LABEL)
        if label != NONE_LABEL:  # RULES 16: `(none)` is a missing value, also where a property spells it out.
            return label
    return NONE_LABEL


def answered(
    attempts: Sequence[Attempt],
    spec: Funnel,
    data_through: datetime,
    breakdown: Sequence[str],
    percentiles: Sequence[float],
) -> FunnelAnswer:
    """The step rows of every combination of labels."""
    combinations = sorted({labels_of_attempt(attempt, breakdown) for attempt in attempts}) if breakdown else [()]
    return {
        labels: tuple(
            step_row(
                k,
                [attempt for attempt in attempts if labels_of_attempt(attempt, breakdown) == labels],
                spec,
                data_through,
                percentiles,
            )
            for k in range(1, len(spec.steps) + 1)
        )
        for labels in combinations
    }


def step_row(
    k: int, attempts: Sequence[Attempt], spec: Funnel, data_through: datetime, percentiles: Sequence[float]
) -> StepRow:
    """What is said of step k: RULES 26, and status comes from the counted attempt alone.

    An attempt is mature when its whole window has been seen: entry + window <= data_through.
    """

    def is_mature(attempt: Attempt) -> bool:
        return attempt.times[0] + spec.window <= data_through

    entered = [attempt for attempt in attempts if attempt.depth >= max(k - 1, 1)]
    converted = [attempt for attempt in entered if attempt.depth >= k]
    stopped = [attempt for attempt in entered if attempt.depth < k]
    mature_converted = len([attempt for attempt in converted if is_mature(attempt)])
    timed = converted if k > 1 else []
    return StepRow(
        step=k,
        name=spec.steps[k - 1].name,
        entered=len(entered),
        converted=len(converted),
        dropped=len([attempt for attempt in stopped if is_mature(attempt)]),
        excluded=0,
        pending=len([attempt for attempt in stopped if not is_mature(attempt)]),
        rate=quotient(len(converted), len(attempts)),
        step_rate=quotient(len(converted), len(entered)),
        mature_entered=len([attempt for attempt in entered if is_mature(attempt)]),
        mature_converted=mature_converted,
        mature_rate=quotient(mature_converted, len([attempt for attempt in attempts if is_mature(attempt)])),
        from_entry=distribution([seconds(attempt, 0, k - 1) for attempt in timed], percentiles),
        from_previous=distribution([seconds(attempt, k - 2, k - 1) for attempt in timed], percentiles),
    )


def seconds(attempt: Attempt, earlier: int, later: int) -> float:
    """The seconds between two reached steps, numbered from 0."""
    return (attempt.times[later] - attempt.times[earlier]).total_seconds()


def quotient(part: int, whole: int) -> float | None:
    """SEMANTICS 0, Division: nothing divided by 0 is None."""
    return part / whole if whole else None
