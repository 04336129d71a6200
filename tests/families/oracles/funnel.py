"""Funnels, by trying every entry of every person."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from families.oracles.calendar import Bucket, Grain, bucket_starts, widened
from families.oracles.distribution import PERCENTILES, Distribution, distribution
from families.oracles.world import (
    NONE_LABEL,
    Event,
    Selector,
    World,
    is_person,
    label_of,
    labels_of,
    matching,
    value_of,
)

Labels = tuple[str, ...]
Position = tuple[datetime, int]


@dataclass(frozen=True)
class Step:
    """A named step and the events that reach it; `within` counts from the required step before it."""

    name: str
    selector: Selector
    optional: bool = False
    within: timedelta | None = None


@dataclass(frozen=True)
class Exclusion:
    """Events that end an attempt between two required steps, numbered from 1; with `removes` there was none."""

    selector: Selector
    after: int
    before: int
    removes: bool = False


@dataclass(frozen=True)
class Funnel:
    """A funnel; `overlapping` declares that two of its steps can match the same event (RULES 24).

    The tie breaker orders equal times, in an overlapping funnel only: otherwise equal times are in step order anyway.
    """

    steps: tuple[Step, ...]
    window: timedelta
    overlapping: bool
    entry: Literal["any", "first"] = "any"
    tie_breaker: Callable[[Event], int] | None = None
    order: Literal["ordered", "strict", "unordered"] = "ordered"
    among: Literal["all_events", "steps"] = "all_events"
    first_ever: bool = False
    held: tuple[str, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    attribution: Literal["first", "last", "all"] | int = "first"
    grace: timedelta = timedelta(0)

    def required_before(self, k: int) -> int:
        """The number of the last required step before step k, both from 1."""
        return max(j for j in range(1, k) if not self.steps[j - 1].optional)

    @property
    def required(self) -> list[int]:
        """The numbers of the required steps."""
        return [k for k, step in enumerate(self.steps, 1) if not step.optional]


@dataclass(frozen=True)
class Attempt:
    """One person's way through the funnel.

    For each step the events that tie for having reached it, none where it was not; and the moment at which it counts.
    `depth` is the number of the last required step that was reached.
    """

    person: str
    reached: tuple[tuple[Event, ...], ...]
    moments: tuple[datetime | None, ...]
    depth: int
    excluded_at: datetime | None = None
    labels: Labels | None = None
    """Where every value is a funnel of its own, the values of this one."""

    @property
    def times(self) -> tuple[datetime, ...]:
        """When each step was reached, of those that were."""
        return tuple(moment for moment in self.moments if moment is not None)

    def at(self, k: int) -> datetime | None:
        """When step k, from 1, was reached."""
        return self.moments[k - 1]


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
    attempts = counted_attempts(events, spec, start, end, count, breakdown)
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
        attempts = counted_attempts(events, spec, bucket.start_utc, bucket.end_utc, count, breakdown)
        trend.append((bucket, answered(attempts, spec, world.data_through, breakdown, percentiles)))
    return trend


def counted_attempts(
    events: Sequence[Event],
    spec: Funnel,
    start: datetime,
    end: datetime,
    count: Literal["users", "totals"] = "users",
    breakdown: Sequence[str] = (),
) -> list[Attempt]:
    """The attempts that are counted: one per person who entered in [start, end), or with `totals` every entry's.

    RULES 10: null and empty users never enter. RULES 25: totals count every entry as an attempt. With `attribution:
    all` the events of each combination of values are a funnel of their own.
    """
    if not spec.overlapping:
        ambiguous = [event for event in events if sum(step.selector(event) for step in spec.steps) > 1]
        assert not ambiguous, f"declared not to overlap, but two steps match {ambiguous[0]}"
    counted: list[Attempt] = []
    for person in sorted({event.user for event in events if event.user is not None and is_person(event.user)}):
        own = [event for event in events if event.user == person]
        entries = entries_of(own, spec, start, end)
        if spec.attribution != "all":
            counted.extend(attempts_of(entries, own, own, spec, count))
            continue
        for labels in sorted({labels_of(event, breakdown) for event in own}):
            alike = [event for event in own if labels_of(event, breakdown) == labels]
            found = attempts_of([event for event in entries if event in alike], alike, own, spec, count)
            counted.extend(replace(attempt, labels=labels) for attempt in found)
    return counted


def entries_of(own: Sequence[Event], spec: Funnel, start: datetime, end: datetime) -> list[Event]:
    """A person's events in [start, end) that begin an attempt; `first_ever` looks at all of the person's events."""
    if spec.order == "unordered":
        entries = [event for event in own if any(step.selector(event) for step in spec.steps)]
    else:
        entries = [event for event in own if spec.steps[0].selector(event)]
    if spec.first_ever and entries:
        earliest = min(position(event, spec) for event in entries)
        entries = [event for event in entries if position(event, spec) == earliest]
    return [event for event in entries if start <= event.at < end]


def attempts_of(
    entries: Sequence[Event],
    own: Sequence[Event],
    around: Sequence[Event],
    spec: Funnel,
    count: Literal["users", "totals"],
) -> list[Attempt]:
    """One person's attempts that count. `own` may be steps, and whatever is `around` may come in between."""
    if not entries:
        return []
    if spec.entry == "first":
        earliest = min(position(event, spec) for event in entries)
        entries = [event for event in entries if position(event, spec) == earliest]
    if count == "totals":
        tried = [attempt_from((entry,), own, around, spec) for entry in entries]
        return [attempt for attempt in tried if attempt is not None]
    found: list[tuple[Event, Attempt]] = []
    for entry in entries:
        tied = tuple(
            other
            for other in entries
            if position(other, spec) == position(entry, spec) and held(other, spec) == held(entry, spec)
        )
        attempt = attempt_from(tied, own, around, spec)
        if attempt is not None:
            found.append((entry, attempt))
    return [kept(found, spec)] if found else []


def position(event: Event, spec: Funnel) -> Position:
    """Where an event stands in the order: its time, and its tie breaker if one is declared and needed."""
    if spec.overlapping and spec.tie_breaker is not None:
        return event.at, spec.tie_breaker(event)
    return event.at, 0


def held(event: Event, spec: Funnel) -> tuple[int, tuple[str, ...]]:
    """What is held constant of an event, and first 1 if something of it is missing."""
    values = [value_of(event, name) for name in spec.held]
    return int(None in values), tuple("" if value is None else label_of(value) for value in values)


def is_alike(event: Event, entry: Event, spec: Funnel) -> bool:
    """SEMANTICS 4, Hold property constant: equal to the entry's values, and null equals nothing."""
    values = [value_of(entry, name) for name in spec.held]
    return None not in values and values == [value_of(event, name) for name in spec.held] if spec.held else True


def may_follow(later: Event, earlier: Event, moment: datetime, spec: Funnel) -> bool:
    """Whether an event can be the next step after another, which counted at a moment.

    RULES 24: where no event can be two steps, equal times are allowed in step order. Where one can, the next step must
    be strictly later by (time, tie breaker), so that no event is ever used twice in an attempt.
    """
    if spec.overlapping:
        return position(later, spec) > position(earlier, spec)
    return later.at >= moment - spec.grace


def attempt_from(
    entries: tuple[Event, ...], own: Sequence[Event], around: Sequence[Event], spec: Funnel
) -> Attempt | None:
    """The attempt that starts with an entry (or entries that tie); None where an exclusion removes it.

    RULES 24: each step takes the earliest eligible event after the previous required step's; the window counts from
    the entry and its end is inside.
    """
    if spec.order == "unordered":
        return attempt_in_any_order(entries, own, spec)
    entry = entries[0]
    reached: list[tuple[Event, ...]] = [()] * len(spec.steps)
    reached[0] = entries
    moments: list[datetime | None] = [None] * len(spec.steps)
    moments[0] = entry.at
    for k in [*spec.required[1:], *(k for k, step in enumerate(spec.steps, 1) if step.optional)]:
        p = spec.required_before(k)
        since = moments[p - 1]
        if since is None:
            continue
        step = spec.steps[k - 1]
        eligible = [
            event
            for event in own
            if step.selector(event)
            and is_alike(event, entry, spec)
            and may_follow(event, reached[p - 1][0], since, spec)
            and event.at <= entry.at + spec.window
            and (step.within is None or event.at <= since + step.within)
            and not is_broken(since, event.at, around, spec)
        ]
        if step.optional:  # It is in order only before the next required step.
            following = moments[min(j for j in spec.required if j > k) - 1]
            eligible = [event for event in eligible if following is None or max(event.at, since) <= following]
        if eligible:
            earliest = min(position(event, spec) for event in eligible)
            reached[k - 1] = tuple(event for event in eligible if position(event, spec) == earliest)
            moments[k - 1] = max(reached[k - 1][0].at, since)
    return without_excluded(reached, moments, around, spec)


def is_broken(since: datetime, until: datetime, around: Sequence[Event], spec: Funnel) -> bool:
    """Whether something lies strictly between two steps of a strict funnel."""
    if spec.order != "strict":
        return False
    counts = [event for event in around if spec.among == "all_events" or any(s.selector(event) for s in spec.steps)]
    return any(since < event.at < until for event in counts)


def without_excluded(
    reached: Sequence[tuple[Event, ...]], moments: Sequence[datetime | None], around: Sequence[Event], spec: Funnel
) -> Attempt | None:
    """The attempt up to its first exclusion: strictly between the two steps, or while the second may still come."""
    begun = moments[0]
    assert begun is not None
    last = max(k for k in spec.required if moments[k - 1] is not None)
    ends = begun + spec.window
    following = [k for k in spec.required if k > last]
    if following and (within := spec.steps[following[0] - 1].within) is not None:
        since = moments[last - 1]
        assert since is not None
        ends = min(ends, since + within)
    found: list[tuple[datetime, bool]] = []
    for one in spec.exclusions:
        since, until = moments[one.after - 1], moments[one.before - 1]
        if since is not None:
            found += [
                (event.at, one.removes)
                for event in around
                if one.selector(event)
                and since < event.at
                and (event.at <= ends if until is None else event.at < until)
            ]
    excluded_at = min((at for at, _ in found), default=None)
    if (excluded_at, True) in found:
        return None
    stands = [moment is not None and (excluded_at is None or moment <= excluded_at) for moment in moments]
    return Attempt(
        person=reached[0][0].user or "",
        reached=tuple(events if stays else () for events, stays in zip(reached, stands, strict=True)),
        moments=tuple(moment if stays else None for moment, stays in zip(moments, stands, strict=True)),
        depth=max(k for k in spec.required if stands[k - 1]),
        excluded_at=excluded_at,
    )


def attempt_in_any_order(entries: tuple[Event, ...], own: Sequence[Event], spec: Funnel) -> Attempt:
    """Each step at its first event since the entry, within the window; step k is reached when k of them are."""
    since = entries[0].at
    done: list[tuple[datetime, int, tuple[Event, ...]]] = []
    for number, step in enumerate(spec.steps):
        times = [event.at for event in own if step.selector(event) and since <= event.at <= since + spec.window]
        if times:
            there = tuple(event for event in own if step.selector(event) and event.at == min(times))
            done.append((min(times), number, there))
    done.sort(key=lambda one: one[:2])
    missing = len(spec.steps) - len(done)
    return Attempt(
        person=entries[0].user or "",
        reached=(*(events for _, _, events in done), *([()] * missing)),
        moments=(*(at for at, _, _ in done), *([None] * missing)),
        depth=len(done),
    )


def kept(attempts: Sequence[tuple[Event, Attempt]], spec: Funnel) -> Attempt:
    """The attempt that stands for a person: RULES 25, deepest, then earliest completed, then latest entry.

    Where several still stand for it, those with something to hold, then those that hold the least.
    """

    def completed(attempt: Attempt) -> Position:
        if spec.grace or spec.order == "unordered":
            moment = attempt.at(attempt.depth)
            assert moment is not None
            return moment, 0
        return position(attempt.reached[attempt.depth - 1][0], spec)

    deepest = max(attempt.depth for _, attempt in attempts)
    attempts = [one for one in attempts if one[1].depth == deepest]
    earliest = min(completed(attempt) for _, attempt in attempts)
    attempts = [one for one in attempts if completed(one[1]) == earliest]
    latest = max(position(entry, spec) for entry, _ in attempts)
    attempts = [one for one in attempts if position(one[0], spec) == latest]
    return min(attempts, key=lambda one: held(one[0], spec))[1]


def labels_of_attempt(attempt: Attempt, breakdown: Sequence[str], spec: Funnel | None = None) -> Labels:
    """The labels an attempt falls under, each property for itself.

    SEMANTICS 4, Breakdown attribution: by default the first non-null value over the steps; the smallest label of a
    step's ties.
    """
    if attempt.labels is not None:
        return attempt.labels
    attribution = spec.attribution if spec else "first"
    return tuple(label_along(attempt, name, attribution) for name in breakdown)


def label_along(attempt: Attempt, name: str, attribution: Literal["first", "last", "all"] | int) -> str:
    """The first (last) non-null label of one property over the steps of an attempt, or that of one step."""
    steps = list(attempt.reached)
    if isinstance(attribution, int):
        steps = [steps[attribution - 1]]
    elif attribution == "last":
        steps.reverse()
    for events in steps:
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
    combinations = sorted({labels_of_attempt(attempt, breakdown, spec) for attempt in attempts}) if breakdown else [()]
    return {
        labels: tuple(
            step_row(
                k,
                [attempt for attempt in attempts if labels_of_attempt(attempt, breakdown, spec) == labels],
                spec,
                data_through,
                percentiles,
            )
            for k in range(1, len(spec.steps) + 1)
        )
        for labels in combinations
    }


def is_mature(attempt: Attempt, spec: Funnel, data_through: datetime) -> bool:
    """Whether the whole window has been seen: entry + window <= data_through."""
    return attempt.times[0] + spec.window <= data_through


def state_at(k: int, attempt: Attempt, spec: Funnel, data_through: datetime) -> str | None:
    """What became of an attempt at step k; None if it never came to the required step before."""
    if attempt.at(k) is not None:
        return "converted"
    since = attempt.at(spec.required_before(k))
    if since is None:
        return None
    step = spec.steps[k - 1]
    if step.optional and attempt.at(min(j for j in spec.required if j > k)) is not None:
        return "dropped"  # It went on without it.
    if attempt.excluded_at is not None:
        return "excluded"
    if is_mature(attempt, spec, data_through) or (step.within is not None and since + step.within <= data_through):
        return "dropped"
    return "pending"


def step_row(
    k: int, attempts: Sequence[Attempt], spec: Funnel, data_through: datetime, percentiles: Sequence[float]
) -> StepRow:
    """What is said of step k: RULES 26, and status comes from the counted attempt alone."""
    p = 1 if k == 1 else spec.required_before(k)
    entered = [attempt for attempt in attempts if attempt.at(p) is not None]
    states = [state_at(k, attempt, spec, data_through) for attempt in entered]
    converted = [attempt for attempt in entered if attempt.at(k) is not None]
    mature_converted = len([attempt for attempt in converted if is_mature(attempt, spec, data_through)])
    timed = converted if k > 1 else []
    return StepRow(
        step=k,
        name=f"any_{k}" if spec.order == "unordered" else spec.steps[k - 1].name,
        entered=len(entered),
        converted=len(converted),
        dropped=states.count("dropped"),
        excluded=states.count("excluded"),
        pending=states.count("pending"),
        rate=quotient(len(converted), len(attempts)),
        step_rate=quotient(len(converted), len(entered)),
        mature_entered=len([attempt for attempt in entered if is_mature(attempt, spec, data_through)]),
        mature_converted=mature_converted,
        mature_rate=quotient(
            mature_converted, len([attempt for attempt in attempts if is_mature(attempt, spec, data_through)])
        ),
        from_entry=distribution([seconds(attempt, 1, k) for attempt in timed], percentiles),
        from_previous=distribution([seconds(attempt, p, k) for attempt in timed], percentiles),
    )


def people_at(
    world: World,
    spec: Funnel,
    first: date,
    last: date,
    grain: Grain,
    k: int,
    state: str,
    *,
    count: Literal["users", "totals"] = "users",
    where: Selector | None = None,
) -> set[str]:
    """Who is in a state at step k."""
    start, end = widened(first, last, grain, world.timezone, world.week_start)
    attempts = counted_attempts(matching(world, lambda _: True, where=where), spec, start, end, count)
    return {one.person for one in attempts if state_at(k, one, spec, world.data_through) == state}


@dataclass(frozen=True)
class TrendRow:
    """What became of all who entered in a bucket."""

    entered: int
    converted: int
    dropped: int
    excluded: int
    pending: int
    rate: float | None
    mature_entered: int
    mature_rate: float | None


def trend_row(attempts: Sequence[Attempt], spec: Funnel, data_through: datetime) -> TrendRow:
    """From the entry to the last step: whoever did not get there is what they are at the step they did not reach."""
    outcomes = []
    for attempt in attempts:
        following = [k for k in spec.required if k > attempt.depth]
        outcomes.append(state_at(following[0], attempt, spec, data_through) if following else "converted")
    mature = [o for one, o in zip(attempts, outcomes, strict=True) if is_mature(one, spec, data_through)]
    return TrendRow(
        entered=len(attempts),
        converted=outcomes.count("converted"),
        dropped=outcomes.count("dropped"),
        excluded=outcomes.count("excluded"),
        pending=outcomes.count("pending"),
        rate=quotient(outcomes.count("converted"), len(attempts)),
        mature_entered=len(mature),
        mature_rate=quotient(mature.count("converted"), len(mature)),
    )


def funnel_trend_rows(
    world: World,
    spec: Funnel,
    first: date,
    last: date,
    grain: Grain,
    *,
    count: Literal["users", "totals"] = "users",
    breakdown: Sequence[str] = (),
    where: Selector | None = None,
) -> dict[tuple[date | datetime, Labels], TrendRow]:
    """A row for every bucket and every combination of labels that occurs in the range."""
    events = matching(world, lambda _: True, where=where)
    buckets = bucket_starts(first, last, grain, world.timezone, world.week_start)
    found: dict[date | datetime, list[Attempt]] = {
        bucket.label: counted_attempts(events, spec, bucket.start_utc, bucket.end_utc, count, breakdown)
        for bucket in buckets
    }
    occurring = {labels_of_attempt(one, breakdown, spec) for attempts in found.values() for one in attempts}
    return {
        (label, labels): trend_row(
            [one for one in attempts if labels_of_attempt(one, breakdown, spec) == labels], spec, world.data_through
        )
        for label, attempts in found.items()
        for labels in (occurring if breakdown else {()})
    }


def times_to_convert(
    world: World,
    spec: Funnel,
    first: date,
    last: date,
    grain: Grain,
    *,
    count: Literal["users", "totals"] = "users",
    where: Selector | None = None,
) -> list[list[float]]:
    """For each step after the first, the seconds that those who reached it took from their entry."""
    start, end = widened(first, last, grain, world.timezone, world.week_start)
    attempts = counted_attempts(matching(world, lambda _: True, where=where), spec, start, end, count)
    return [
        [seconds(attempt, 1, k) for attempt in attempts if attempt.at(k) is not None]
        for k in range(2, len(spec.steps) + 1)
    ]


def seconds(attempt: Attempt, earlier: int, later: int) -> float:
    """The seconds between two reached steps, numbered from 1."""
    begins, ends = attempt.at(earlier), attempt.at(later)
    assert begins is not None and ends is not None
    return (ends - begins).total_seconds()


def quotient(part: int, whole: int) -> float | None:
    """SEMANTICS 0, Division: nothing divided by 0 is None."""
    return part / whole if whole else None
