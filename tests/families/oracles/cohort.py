"""Who is in a cohort, found person by person: each condition is a set of people, put together as sets.

SEMANTICS 8 and RULES 18: as of the end of a local day. `not` is everyone else: of the entity's table if there is one,
or else of those ever seen; and of those for whom any of the cohort's own conditions holds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Literal, TypeAlias

from families.oracles.active_users import Window
from families.oracles.calendar import DAY, Bucket, Grain, bucket_starts, day_start, local_date
from families.oracles.world import Event, Selector, World, is_person, label_of, number_of

People: TypeAlias = frozenset[str]
Attributes: TypeAlias = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Time:
    """`within` so many whole local days, or between two local dates, or ever."""

    within: Window | None = None
    first: date | None = None
    last: date | None = None

    def holds(self, day: date, as_of: date) -> bool:
        if self.within is not None and day < self.within.first_day(as_of):
            return False
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


@dataclass(frozen=True)
class Did:
    """So many events within a time."""

    selector: Selector
    time: Time = Time()
    low: int = 1
    high: int | None = None


@dataclass(frozen=True)
class FirstTime:
    """The first event of all history within a time."""

    selector: Selector
    time: Time


@dataclass(frozen=True)
class Amount:
    """An aggregate of a property, over the events that have it."""

    selector: Selector
    time: Time
    how: Literal["sum", "average", "min", "max"]
    name: str
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Regularly:
    """At least `low` events in at least `periods` of the n units that end with the day."""

    selector: Selector
    low: int
    periods: int
    of: Window


@dataclass(frozen=True)
class Stopped:
    selector: Selector
    active_before: Window
    quiet_for: Window


@dataclass(frozen=True)
class Restarted:
    selector: Selector
    quiet_for: Window
    active_within: Window


@dataclass(frozen=True)
class Followed:
    """Steps one after another, the last no later than `within` after the first."""

    steps: tuple[Selector, ...]
    within: timedelta | None
    strict: bool
    """Whether one event could be two steps, so that each must be later than the one before."""


@dataclass(frozen=True)
class Known:
    """What is known of somebody; nothing is known of who is not in the table."""

    holds: Callable[[Mapping[str, object]], bool]


@dataclass(frozen=True)
class All:
    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Any:
    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Not:
    part: "Condition"


Leaf: TypeAlias = Did | FirstTime | Amount | Regularly | Stopped | Restarted | Followed
Condition: TypeAlias = Leaf | Known | All | Any | Not


def leaves(condition: Condition) -> Iterator[Leaf]:
    """The conditions on what was done."""
    match condition:
        case All(parts) | Any(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case Known():
            pass
        case leaf:
            yield leaf


def members(world: World, condition: Condition, day: date, attributes: Attributes | None = None) -> People:
    """Who is in the cohort at the end of a local day. Without `attributes` there is no table of people."""
    end = day_start(day + DAY, world.timezone)
    seen = [one for one in world.events if one.at < end and one.at <= world.data_through and is_person(one.user)]
    people = frozenset(attributes) if attributes is not None else frozenset(one.user for one in seen if one.user)
    by_person = {who: [one for one in seen if one.user == who] for who in {one.user for one in seen if one.user}}

    def who_did(leaf: Leaf) -> People:
        return frozenset(who for who, events in by_person.items() if _did(leaf, events, day, world.timezone))

    universe = people.union(*(who_did(leaf) for leaf in leaves(condition)))

    def found(one: Condition) -> People:
        match one:
            case All(parts):
                return universe.intersection(*(found(part) for part in parts))
            case Any(parts):
                return frozenset[str]().union(*(found(part) for part in parts))
            case Not(part):
                return universe - found(part)
            case Known(holds):
                return frozenset(who for who in universe if holds((attributes or {}).get(who, {})))
            case leaf:
                return who_did(leaf)

    return found(condition)


def _did(leaf: Leaf, events: Sequence[Event], day: date, zone: str) -> bool:
    def on_days(selector: Selector, first: date | None, last: date) -> list[Event]:
        dated = ((one, local_date(one.at, zone)) for one in events if selector(one))
        return [one for one, when in dated if (first is None or first <= when) and when <= last]

    match leaf:
        case Did(selector, time, low, high):
            count = sum(selector(one) and time.holds(local_date(one.at, zone), day) for one in events)
            return low <= count and (high is None or count <= high)
        case FirstTime(selector, time):
            instants = [one.at for one in events if selector(one)]
            return bool(instants) and time.holds(local_date(min(instants), zone), day)
        case Amount(selector, time, how, name, low, high):
            inside = (one for one in events if selector(one) and time.holds(local_date(one.at, zone), day))
            values = [value for one in inside if (value := number_of(one, name)) is not None]
            return bool(values) and _is_between(_aggregate(how, values), low, high)
        case Regularly(selector, low, periods, of):
            begins = [Window(n, of.unit).first_day(day) if n else day + DAY for n in range(of.n + 1)]
            counts = [len(on_days(selector, first, after - DAY)) for after, first in pairwise(begins)]
            return sum(count >= low for count in counts) >= periods
        case Stopped(selector, before, quiet):
            since = quiet.first_day(day)
            last = since - DAY
            return not on_days(selector, since, day) and bool(on_days(selector, before.first_day(last), last))
        case Restarted(selector, quiet, active):
            back = active.first_day(day)
            gone = quiet.first_day(back - DAY)
            return (
                bool(on_days(selector, back, day))
                and not on_days(selector, gone, back - DAY)
                and bool(on_days(selector, None, gone - DAY))
            )
        case Followed(steps, within, strict):
            return any(_follows(events, steps[1:], one.at, within, (one,), strict=strict)
                       for one in events if steps[0](one))  # fmt: skip


def _follows(
    events: Sequence[Event], steps: Sequence[Selector], entry: datetime, within: timedelta | None,
    before: tuple[Event, ...], *, strict: bool,
) -> bool:  # fmt: skip
    if not steps:
        return True
    last = before[-1].at
    return any(
        _follows(events, steps[1:], entry, within, (*before, one), strict=strict)
        for one in events
        if steps[0](one)
        and (one.at > last if strict else one.at >= last)
        and (within is None or one.at - entry <= within)
        and not any(one is other for other in before)
    )


def _aggregate(how: str, values: Sequence[float]) -> float:
    if how == "average":
        return sum(values) / len(values)
    return {"sum": sum, "min": min, "max": max}[how](values)


def _is_between(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or low <= value) and (high is None or value <= high)


@dataclass(frozen=True)
class SizeRow:
    """A bucket's size under its labels; None when the bucket starts after `data_through`."""

    bucket: Bucket
    labels: tuple[str, ...]
    size: int | None


def sizes(
    world: World,
    condition: Condition,
    first: date,
    last: date,
    grain: Grain,
    *,
    attributes: Attributes | None = None,
    by: Iterable[str] = (),
    where: Callable[[Mapping[str, object]], bool] = lambda known: True,
) -> list[SizeRow]:
    """How many are in at the end of each bucket, or at `data_through` in the one that holds it."""
    names, known = tuple(by), attributes or {}
    found: dict[Bucket, dict[tuple[str, ...], int] | None] = {}
    for bucket in bucket_starts(first, last, grain, world.timezone, world.week_start):
        if bucket.start_utc > world.data_through:
            found[bucket] = None
            continue
        day = min(bucket.last_day, local_date(world.data_through, world.timezone))
        counts: dict[tuple[str, ...], int] = {}
        for who in members(world, condition, day, attributes):
            if where(known.get(who, {})):
                labels = tuple(label_of(known.get(who, {}).get(name)) for name in names)
                counts[labels] = counts.get(labels, 0) + 1
        found[bucket] = counts
    groups = sorted({labels for counts in found.values() for labels in counts or ()}) if names else [()]
    return [
        SizeRow(bucket, labels, None if counts is None else counts.get(labels, 0))
        for bucket, counts in found.items()
        for labels in groups
    ]
