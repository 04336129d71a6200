"""Stickiness, counted day by day and person by person."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Literal

from families.oracles.active_users import Labels, Window
from families.oracles.calendar import Bucket, Grain, bucket_starts, day_start, local_date
from families.oracles.world import Selector, World, is_person, labels_of, matching


@dataclass(frozen=True)
class Figures:
    """The numbers of one bucket; None where there is nothing to say."""

    value: Fraction | None
    average_short: Fraction | None
    long: int | None
    of_averages: Fraction | None


NOTHING = Figures(None, None, None, None)


@dataclass(frozen=True)
class StickyRow:
    bucket: Bucket
    labels: Labels
    figures: Figures
    complete: bool


@dataclass(frozen=True)
class HistogramRow:
    bucket: Bucket
    labels: Labels
    active_days: int
    users: int | None
    share: Fraction | None


@dataclass(frozen=True)
class StickyAnswer:
    """Rows by bucket then labels; per label the last complete bucket's figures; the histogram, by days within those."""

    rows: tuple[StickyRow, ...]
    overall: Mapping[Labels, Figures]
    histogram: tuple[HistogramRow, ...]


def stickiness(
    world: World,
    selector: Selector,
    first: date,
    last: date,
    grain: Grain,
    short: Window,
    long: Window,
    *,
    at_least: int = 1,
    histogram: Literal["exact", "at_least"] = "exact",
    breakdown: Sequence[str] = (),
    where: Selector | None = None,
    history_start: date | None = None,
) -> StickyAnswer:
    """Average each bucket's days, and count the active days of everybody in its last long window.

    A day d of a bucket is one that has begun by `data_through`; short(d) and long(d) are the people active in the
    windows of local days that end with it. Days with nobody in the long one have no quotient. A bucket is complete if
    `data_through` reaches its end and `history_start` is not after the first day of its first long window. What
    happened before `history_start` counts nowhere.
    """
    counts = Counter(
        (event.user, labels_of(event, breakdown), local_date(event.at, world.timezone))
        for event in matching(world, selector, where=where)
        if is_person(event.user) and (history_start is None or event.at >= day_start(history_start, world.timezone))
    )
    active: dict[Labels, dict[date, set[str | None]]] = {}
    for (user, labels, day), count in counts.items():
        if count >= at_least:
            active.setdefault(labels, {}).setdefault(day, set()).add(user)

    def days_of(bucket: Bucket) -> list[date]:
        return [
            day.label
            for day in bucket_starts(bucket.first_day, bucket.last_day, "day", world.timezone, 0)
            if day.start_utc <= world.data_through and isinstance(day.label, date)
        ]

    def people(labels: Labels, window: Window, day: date) -> set[str | None]:
        here = active.get(labels, {})
        return {user for one, users in here.items() if window.first_day(day) <= one <= day for user in users}

    def figures(bucket: Bucket, labels: Labels) -> Figures:
        days = days_of(bucket)
        if not days:
            return NOTHING
        shorts = [len(people(labels, short, day)) for day in days]
        longs = [len(people(labels, long, day)) for day in days]
        ratios = [Fraction(here, there) for here, there in zip(shorts, longs, strict=True) if there]
        average = Fraction(sum(shorts), len(days))
        return Figures(
            value=sum(ratios, Fraction(0)) / len(ratios) if ratios else None,
            average_short=average,
            long=longs[-1],
            of_averages=average / longs[-1] if longs[-1] else None,
        )

    def last_day(bucket: Bucket) -> date:
        return min(bucket.last_day, local_date(world.data_through, world.timezone))

    def active_days(bucket: Bucket, labels: Labels) -> Counter[str | None]:
        if not days_of(bucket):
            return Counter()
        day, here = last_day(bucket), active.get(labels, {})
        return Counter(user for one, users in here.items() if long.first_day(day) <= one <= day for user in users)

    def histogram_of(bucket: Bucket, labels: Labels) -> list[HistogramRow]:
        end = last_day(bucket)
        numbers = range(1, (end - long.first_day(end)).days + 2)
        if not days_of(bucket):
            return [HistogramRow(bucket, labels, number, None, None) for number in numbers]
        per_person = active_days(bucket, labels)
        rows = []
        for number in numbers:
            users = sum(
                1 for days in per_person.values() if days == number or (histogram == "at_least" and days > number)
            )
            share = Fraction(users, len(per_person)) if per_person else None
            rows.append(HistogramRow(bucket, labels, number, users, share))
        return rows

    def complete(bucket: Bucket) -> bool:
        has_history = history_start is None or history_start <= long.first_day(bucket.first_day)
        return bucket.end_utc <= world.data_through and has_history

    buckets = bucket_starts(first, last, grain, world.timezone, world.week_start)
    averaged = counted = [()] if not breakdown else sorted(active)
    if breakdown:
        averaged = [
            one for one in averaged if any(people(one, long, day) for bucket in buckets for day in days_of(bucket))
        ]
        counted = [one for one in counted if any(active_days(bucket, one) for bucket in buckets)]
    rows = tuple(
        StickyRow(bucket, labels, figures(bucket, labels), complete(bucket))
        for bucket in buckets
        for labels in averaged
    )
    overall: dict[Labels, Figures] = dict.fromkeys(averaged, NOTHING)
    overall.update((row.labels, row.figures) for row in rows if row.complete)
    every = tuple(row for bucket in buckets for labels in counted for row in histogram_of(bucket, labels))
    return StickyAnswer(rows, overall, every)
