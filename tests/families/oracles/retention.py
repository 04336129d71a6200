"""Retention, person by person and return by return."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache
from typing import Literal

from families.oracles.calendar import (
    DAY,
    Bucket,
    Grain,
    bucket_of,
    bucket_starts,
    day_start,
    local_date,
    next_period_start,
    period_start,
)
from families.oracles.world import Event, Selector, World, deduplicated, is_person, labels_of, matching, number_of

Labels = tuple[str, ...]
Mode = Literal["on", "on_or_after", "on_or_before", "streak", "brackets"]
Start = tuple[date, Labels, str, datetime]
"""The bucket's first day, the labels, who, and when."""

DAYS: Mapping[str, int] = {"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}


@dataclass(frozen=True)
class Retention:
    """What is asked; `cells` are the numbers of the intervals told, with `brackets` the last interval of each."""

    start: Selector
    back: Selector
    cells: tuple[int, ...]
    mode: Mode = "on"
    rolling: bool = False
    first_time: bool = True
    min_occurrences: int = 1
    amount: str | None = None
    copies_matter: bool = False
    """Whether returns are told apart by their ids: where they are counted, or the start could be one."""


@dataclass(frozen=True)
class Cell:
    """Of those who started in a bucket: how many are retained, and what their returns amount to."""

    bucket: Bucket
    labels: Labels
    index: int
    size: int
    users: int | None
    amount: Fraction | None
    complete: bool
    people: frozenset[str]
    everybody: frozenset[str]

    @property
    def rate(self) -> Fraction | None:
        return Fraction(self.users, self.size) if self.users is not None and self.size else None


@dataclass(frozen=True)
class Pooled:
    """All complete cells of one number together."""

    labels: Labels
    index: int
    size: int
    users: int | None
    amount: Fraction | None
    cohorts: int


def retention(
    world: World,
    asked: Retention,
    first: date,
    last: date,
    grain: Grain,
    *,
    breakdown: Sequence[str] = (),
    where: Selector | None = None,
    history_start: date | None = None,
) -> tuple[tuple[Cell, ...], tuple[Pooled, ...]]:
    """The cells by bucket, labels and number, and their averages by labels and number."""
    buckets = bucket_starts(first, last, grain, world.timezone, world.week_start)
    known = [
        event for event in world.events if history_start is None or event.at >= day_start(history_start, world.timezone)
    ]
    world = World(tuple(known), world.timezone, world.week_start, world.data_through)
    starts = starts_of(world, asked, buckets, breakdown, where)
    returns = returns_of(world, asked, buckets[0].start_utc, where)
    groups = sorted({labels for _, labels, _, _ in starts}) if breakdown else [()]
    cells = tuple(
        cell_of(world, asked, grain, bucket, labels, index, starts, returns)
        for bucket in buckets
        for labels in groups
        for index in asked.cells
    )
    return cells, tuple(pooled(cells, labels, index) for labels in groups for index in asked.cells)


def starts_of(
    world: World, asked: Retention, buckets: Sequence[Bucket], breakdown: Sequence[str], where: Selector | None
) -> set[Start]:
    """Who started in which bucket: the first time ever, or in every bucket (and group) the first time there."""
    events = [event for event in matching(world, asked.start, where=where) if is_person(event.user)]
    found: set[Start] = set()
    if asked.first_time:
        for user in {event.user for event in events}:
            at = min(event.at for event in events if event.user == user)
            bucket = bucket_of(at, buckets)
            every = [labels_of(event, breakdown) for event in events if event.user == user and event.at == at]
            labels = tuple(min(label) for label in zip(*every, strict=True))
            if bucket is not None:
                assert user is not None and isinstance(bucket.label, date)
                found.add((bucket.label, labels, user, at))
        return found
    earliest: dict[tuple[date, Labels, str], datetime] = {}
    for event in events:
        bucket = bucket_of(event.at, buckets)
        if bucket is not None:
            assert event.user is not None and isinstance(bucket.label, date)
            key = (bucket.label, labels_of(event, breakdown), event.user)
            earliest[key] = min(event.at, earliest.get(key, event.at))
    return {(*key, at) for key, at in earliest.items()}


def returns_of(world: World, asked: Retention, since: datetime, where: Selector | None) -> list[Event]:
    """The return events from the range's first instant on."""
    known = [event for event in world.events if since <= event.at <= world.data_through]
    once = deduplicated(known) if asked.copies_matter else tuple(known)
    return list(matching(World(once, world.timezone, world.week_start, world.data_through), asked.back, where=where))


def cell_of(
    world: World,
    asked: Retention,
    grain: Grain,
    bucket: Bucket,
    labels: Labels,
    index: int,
    starts: set[Start],
    returns: Sequence[Event],
) -> Cell:
    here = [one for one in starts if one[0] == bucket.label and one[1] == labels]
    retained, amounts = set[str](), list[Fraction]()
    for _, _, user, at in here:
        mine = [
            (interval_of(world, asked, grain, bucket, at, event.at), event)
            for event in returns
            if event.user == user and event.at > at
        ]
        counts = Counter(interval for interval, _ in mine)
        active = {interval for interval, count in counts.items() if count >= asked.min_occurrences}
        if is_retained(asked, index, active):
            retained.add(user)
            inside = intervals_of(asked, index, max(active, default=0))
            numbers = [
                number_of(event, asked.amount)
                for interval, event in mine
                if asked.amount is not None and interval in inside and interval in active
            ]
            amounts += [Fraction(number) for number in numbers if number is not None]
    complete = end_of(world, asked, grain, bucket, index) <= world.data_through
    return Cell(
        bucket=bucket,
        labels=labels,
        index=index,
        size=len(here),
        users=len(retained) if complete else None,
        amount=sum(amounts, Fraction(0)) if amounts and complete else None,
        complete=complete,
        people=frozenset(retained),
        everybody=frozenset(user for _, _, user, _ in here),
    )


def intervals_of(asked: Retention, index: int, furthest: int) -> range:
    """The intervals that a cell looks at."""
    match asked.mode:
        case "on_or_after":
            return range(index, max(index, furthest) + 1)
        case "on_or_before":
            return range(index + 1)
        case "brackets":
            before = [one for one in asked.cells if one < index]
            return range(before[-1] + 1 if before else 0, index + 1)
    return range(index, index + 1)


def is_retained(asked: Retention, index: int, active: set[int]) -> bool:
    if asked.mode == "streak":
        return all(one in active for one in range(1, index + 1)) if index else 0 in active
    return any(one in active for one in intervals_of(asked, index, max(active, default=0)))


def interval_of(world: World, asked: Retention, grain: Grain, bucket: Bucket, start: datetime, at: datetime) -> int:
    """How many whole intervals after the start something happened."""
    if asked.rolling:
        return (at - start) // (DAYS[grain] * DAY)
    day = period_start(local_date(at, world.timezone), grain, world.week_start)
    return steps_between(bucket.first_day, day, grain, world.week_start)


@cache
def steps_between(first: date, last: date, grain: Grain, week_start: int) -> int:
    if grain == "day":
        return (last - first).days
    steps = 0
    while first < last:
        first = next_period_start(first, grain, week_start)
        steps += 1
    return steps


@cache
def days_after(first: date, steps: int, grain: Grain, week_start: int) -> date:
    for _ in range(steps):
        first = next_period_start(first, grain, week_start)
    return first


def end_of(world: World, asked: Retention, grain: Grain, bucket: Bucket, index: int) -> datetime:
    """When everybody who started in a bucket has had the whole interval, whenever they started."""
    if asked.rolling:
        return bucket.end_utc + timedelta(days=DAYS[grain] * (index + 1))
    return day_start(days_after(bucket.first_day, index + 1, grain, world.week_start), world.timezone)


def pooled(cells: Sequence[Cell], labels: Labels, index: int) -> Pooled:
    over = [cell for cell in cells if cell.complete and cell.labels == labels and cell.index == index]
    amounts = [cell.amount for cell in over if cell.amount is not None]
    return Pooled(
        labels=labels,
        index=index,
        size=sum(cell.size for cell in over),
        users=sum(cell.users or 0 for cell in over) if over else None,
        amount=sum(amounts, Fraction(0)) if amounts else None,
        cohorts=len(over),
    )
