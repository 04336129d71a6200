"""Active users, counted day by day."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from families.oracles.calendar import DAY, Bucket, Grain, bucket_starts, local_date, months_before
from families.oracles.world import Selector, World, is_person, labels_of, matching

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Window:
    """A window of whole local days: n days, n times seven days, or n calendar months."""

    n: int
    unit: Literal["day", "week", "month"]

    @property
    def words(self) -> str:
        """The window as the YAML files write it."""
        return f"{self.n} {self.unit}" if self.n == 1 else f"{self.n} {self.unit}s"

    def first_day(self, last_day: date) -> date:
        """The first day of the window that ends on a day.

        Months go back by the calendar: the window ends on `last_day` and starts the day after the same day n months
        earlier, which is that month's last day where it is shorter.
        """
        if self.unit == "month":
            return months_before(last_day, self.n) + DAY
        return last_day - (self.n * (7 if self.unit == "week" else 1) - 1) * DAY


@dataclass(frozen=True)
class ActiveRow:
    """The people active in a bucket's window; None when the bucket starts after `data_through`."""

    bucket: Bucket
    labels: Labels
    users: int | None
    complete: bool


@dataclass(frozen=True)
class ActiveAnswer:
    """Rows by bucket then labels, and per label the value of the last complete bucket (RULES 15), None without one."""

    rows: tuple[ActiveRow, ...]
    overall: Mapping[Labels, int | None]


def active_users(
    world: World,
    selector: Selector,
    first: date,
    last: date,
    grain: Grain,
    window: Window,
    *,
    align: Literal["trailing", "calendar"] = "trailing",
    at_least: int = 1,
    breakdown: Sequence[str] = (),
    where: Selector | None = None,
    exclude: Selector | None = None,
) -> ActiveAnswer:
    """Count the people active on at least one day of every bucket's window.

    RULES 6: a trailing window is of whole local days and ends on the bucket's last day, but never after the local day
    of `data_through`; `calendar` uses the bucket itself and no window. A person is active on a day with `at_least`
    events on it, under each label apart (RULES 22). Labels that no row counts anybody under are not shown.
    """
    if align == "calendar" and grain == "hour":
        raise ValueError("a calendar window needs days or longer buckets")
    day_counts = Counter(
        (event.user, labels_of(event, breakdown), local_date(event.at, world.timezone))
        for event in matching(world, selector, where=where, exclude=exclude)
        if is_person(event.user)
    )
    active = {(user, labels, day) for (user, labels, day), count in day_counts.items() if count >= at_least}

    def days_of(bucket: Bucket) -> tuple[date, date]:
        last_day = min(bucket.last_day, local_date(world.data_through, world.timezone))
        return (bucket.first_day if align == "calendar" else window.first_day(last_day)), last_day

    def people(bucket: Bucket, labels: Labels) -> int | None:
        if bucket.start_utc > world.data_through:
            return None
        first_day, last_day = days_of(bucket)
        return len({user for user, under, day in active if under == labels and first_day <= day <= last_day})

    buckets = bucket_starts(first, last, grain, world.timezone, world.week_start)
    combinations: list[Labels] = [()]
    if breakdown:
        combinations = sorted({labels for _, labels, _ in active if any(people(bucket, labels) for bucket in buckets)})
    rows = tuple(
        ActiveRow(bucket, labels, people(bucket, labels), bucket.end_utc <= world.data_through)
        for bucket in buckets
        for labels in combinations
    )
    overall: dict[Labels, int | None] = dict.fromkeys(combinations)
    overall.update((row.labels, row.users) for row in rows if row.complete)
    return ActiveAnswer(rows, overall)
