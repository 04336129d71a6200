"""The local calendar, found by looking at the clock minute by minute.

Assumes that zones change their offset on whole minutes, which holds everywhere since 1973.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

Grain = Literal["hour", "day", "week", "month", "quarter", "year"]

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Bucket:
    """One bucket, [start_utc, end_utc) in naive UTC; the label is a local date, or a naive UTC hour for hours."""

    label: date | datetime
    start_utc: datetime
    end_utc: datetime
    first_day: date
    last_day: date


def wall_clock(instant: datetime, zone: str) -> datetime:
    """What a clock on the wall shows at a naive UTC instant, without its zone."""
    return instant.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def local_date(instant: datetime, zone: str) -> date:
    """The local date of a naive UTC instant."""
    return wall_clock(instant, zone).date()


def hour_label(instant: datetime, zone: str) -> datetime:
    """The hour an instant belongs to: RULES 7, hour buckets are real hours, grouped by their UTC start.

    The wall's hour minus the offset in force: two 01:00 in autumn have two labels. Where the offset moves by half an
    hour, the hour cut short keeps its own alignment, so that its label may lie before its first instant.
    """
    wall = wall_clock(instant, zone)
    offset = wall - instant
    return wall.replace(minute=0, second=0, microsecond=0) - offset


@cache
def day_start(day: date, zone: str) -> datetime:
    """The first instant whose local date is `day`, in naive UTC.

    For a date that never happened (Apia, 2011-12-30) it is the first instant of the next one. Midnights that the clock
    jumps over (Santiago, Beirut, Cairo) need no care: the first minute of the date is looked for, whatever it shows.
    """
    midnight = datetime.combine(day, time())
    nearby = [midnight + hours * HOUR for hours in range(-48, 49)]
    # No instant of the date can come before its midnight at the most eastern offset in force around it.
    instant = midnight - max(wall_clock(moment, zone) - moment for moment in nearby)
    while local_date(instant, zone) < day:
        instant += MINUTE
    return instant


@cache
def hours_of(day: date, zone: str) -> tuple[Bucket, ...]:
    """The hours of a local date, one to a label, each from its first minute to its last."""
    minutes_by_label: dict[datetime, list[datetime]] = {}
    instant = day_start(day, zone)
    while instant < day_start(day + DAY, zone):
        minutes_by_label.setdefault(hour_label(instant, zone), []).append(instant)
        instant += MINUTE
    return tuple(
        Bucket(label, minutes[0], minutes[-1] + MINUTE, day, day) for label, minutes in minutes_by_label.items()
    )


def period_start(day: date, grain: Grain, week_start: int) -> date:
    """The first day of the calendar period that holds a date (an hour's is the date itself)."""
    match grain:
        case "hour" | "day":
            return day
        case "week":
            while day.weekday() != week_start:
                day -= DAY
            return day
        case "month":
            return day.replace(day=1)
        case "quarter":
            return date(
                day.year, {1: 1, 2: 1, 3: 1, 4: 4, 5: 4, 6: 4, 7: 7, 8: 7, 9: 7, 10: 10, 11: 10, 12: 10}[day.month], 1
            )
        case "year":
            return date(day.year, 1, 1)


def next_period_start(day: date, grain: Grain, week_start: int) -> date:
    """The first day of the period after the one that holds a date, reached a day at a time."""
    this = period_start(day, grain, week_start)
    while period_start(day, grain, week_start) == this:
        day += DAY
    return day


def bucket_starts(first: date, last: date, grain: Grain, zone: str, week_start: int) -> list[Bucket]:
    """The buckets of an inclusive range of local dates, in order.

    RULES 1 and 2: people write inclusive dates, buckets are half-open, and the range is widened to whole buckets. A
    local date that never happened has no instants and therefore no bucket.
    """
    found: list[Bucket] = []
    start = period_start(first, grain, week_start)
    while start <= last:
        end = next_period_start(start, grain, week_start)
        if grain == "hour":
            found.extend(hours_of(start, zone))
        elif day_start(start, zone) < day_start(end, zone):
            found.append(Bucket(start, day_start(start, zone), day_start(end, zone), start, end - DAY))
        start = end
    return found


def widened(first: date, last: date, grain: Grain, zone: str, week_start: int) -> tuple[datetime, datetime]:
    """The half-open range of instants that the buckets of a range cover (RULES 2)."""
    start = period_start(first, grain, week_start)
    end = next_period_start(last, grain, week_start)
    return day_start(start, zone), day_start(end, zone)


def bucket_of(instant: datetime, buckets: Sequence[Bucket]) -> Bucket | None:
    """The bucket an instant falls in: start <= t < end (SEMANTICS 0)."""
    for bucket in buckets:
        if bucket.start_utc <= instant < bucket.end_utc:
            return bucket
    return None


def label_at(instant: datetime, grain: Grain, zone: str, week_start: int) -> date | datetime:
    """The label of the bucket an instant falls in, read from the clock on the wall instead of from bucket bounds."""
    if grain == "hour":
        return hour_label(instant, zone)
    return period_start(local_date(instant, zone), grain, week_start)


def months_before(day: date, months: int) -> date:
    """The same day of the month, `months` earlier, or that month's last day if it is shorter."""
    first = day.replace(day=1)
    for _ in range(months):
        first = (first - DAY).replace(day=1)
    result = first
    while result.day < day.day and (result + DAY).month == first.month:
        result += DAY
    return result
