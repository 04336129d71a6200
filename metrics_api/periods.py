"""All calendar arithmetic: grains, durations, ranges, buckets and the offsets of time zones.

Pure Python and the only place that knows what a day, a week or a month is. People write inclusive local dates;
from here on every interval is half-open and every instant is a naive `datetime` in UTC.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


class Grain(StrEnum):
    """The size of a bucket."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"

    @property
    def months(self) -> int:
        """How many months a bucket spans; 0 for weeks and shorter."""
        return {Grain.MONTH: 1, Grain.QUARTER: 3, Grain.YEAR: 12}.get(self, 0)


class Weekday(StrEnum):
    """The day on which a week starts."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"

    @property
    def number(self) -> int:
        """Monday is 0, as in `date.weekday`."""
        return list(Weekday).index(self)


_UNITS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": HOUR,
    "day": DAY,
    "week": 7 * DAY,
}
LONGEST = timedelta(days=36_525)
_DURATION = re.compile(r"\s*(\d+)\s+([a-z]+?)s?\s*")


@dataclass(frozen=True, slots=True)
class Duration:
    """A number of units, as a person wrote it: `7 days`, `30 minutes`, `1 month`.

    As *elapsed* time (a conversion window) a day is 24 hours and a month 30 days; as a *calendar* window it is
    whole local days (`calendar_start`).
    """

    n: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read `7 days`; raises ValueError with the remedy."""
        matched = _DURATION.fullmatch(text.lower())
        units = (*_UNITS, "month", "quarter", "year")
        if not matched or matched[2] not in units:
            raise ValueError(
                f"`{text}` is not a duration; write a whole number and a unit, such as `7 days`, "
                f"with one of {', '.join(units)}"
            )
        if int(matched[1]) == 0:
            raise ValueError(f"`{text}` is no time at all; write at least `1 {matched[2]}`")
        found = cls(int(matched[1][-9:]), matched[2])
        if len(matched[1]) > 9 or found.elapsed > LONGEST:
            raise ValueError(f"`{text}` is longer than any window can be: a hundred years")
        return found

    def __str__(self) -> str:
        return f"{self.n} {self.unit}{'' if self.n == 1 else 's'}"

    @property
    def elapsed(self) -> timedelta:
        """The duration as elapsed time; months, quarters and years count 30, 91 and 365 days."""
        days = {"month": 30, "quarter": 91, "year": 365}.get(self.unit)
        return self.n * (days * DAY if days else _UNITS[self.unit])

    @property
    def is_whole_days(self) -> bool:
        return self.unit not in ("second", "minute", "hour")

    def calendar_start(self, last: date) -> date:
        """The first of the local days of this window that ends on `last`."""
        assert self.is_whole_days, self
        if self.unit in ("day", "week"):
            return last - (self.n * (7 if self.unit == "week" else 1) - 1) * DAY
        months = self.n * {"month": 1, "quarter": 3, "year": 12}[self.unit]
        return add_months(last, -months) + DAY

    @property
    def day_counts(self) -> tuple[int, int]:
        """The fewest and the most local days that such a window has."""
        return _day_counts(self)


@lru_cache(maxsize=256)
def _day_counts(window: Duration) -> tuple[int, int]:
    ends = (date(2096, 1, 1) + n * DAY for n in range(0 if window.unit in ("day", "week") else 9 * 366, -1, -1))
    lengths = {(end - window.calendar_start(end)).days + 1 for end in ends}
    return min(lengths), max(lengths)


def add_months(day: date, months: int) -> date:
    """The same day some months away, or that month's last day when it has no such day."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open stretch of time, `start <= t < end`, in naive UTC."""

    start: datetime
    end: datetime

    def widened(self, *, before: timedelta = timedelta(0), after: timedelta = timedelta(0)) -> Span:
        return Span(self.start - before, self.end + after)


@dataclass(frozen=True, slots=True)
class Period:
    """One bucket: its label (a local date, or for hours the UTC start) and the instants it holds."""

    label: date | datetime
    start: datetime
    end: datetime

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Offset:
    """A zone is `seconds` ahead of UTC for instants from `start` on, until the next one."""

    start: datetime
    seconds: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """The project's calendar: its time zone and the day its weeks start on."""

    timezone: str = "UTC"
    week_start: Weekday = Weekday.MONDAY

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def local(self, instant: datetime) -> datetime:
        """The wall clock (naive) at a UTC instant."""
        return instant.replace(tzinfo=UTC).astimezone(self.zone).replace(tzinfo=None)

    def local_date(self, instant: datetime) -> date:
        return self.local(instant).date()

    def start_of(self, day: date) -> datetime:
        """The first instant of a local date: midnight, or the end of the gap that swallowed it."""
        return _start_of_day(day, self.timezone)

    def floor(self, day: date, grain: Grain) -> date:
        """The first day of the bucket that holds `day`; hours are a day's here."""
        if grain in (Grain.HOUR, Grain.DAY):
            return day
        if grain is Grain.WEEK:
            return day - ((day.weekday() - self.week_start.number) % 7) * DAY
        return date(day.year, (day.month - 1) // grain.months * grain.months + 1, 1)

    def next(self, first: date, grain: Grain) -> date:
        """The first day of the following bucket, given the first day of one."""
        if grain in (Grain.HOUR, Grain.DAY):
            return first + DAY
        return first + 7 * DAY if grain is Grain.WEEK else add_months(first, grain.months)

    def widen(self, first: date, last: date, grain: Grain) -> tuple[date, date]:
        """The inclusive dates of the whole buckets that touch `first..last`."""
        return self.floor(first, grain), self.next(self.floor(last, grain), grain) - DAY

    def span(self, first: date, last: date) -> Span:
        """The instants of the inclusive local dates."""
        return Span(self.start_of(first), self.start_of(last + DAY))

    def count(self, first: date, last: date, grain: Grain) -> int:
        """About how many buckets there are: a cheap guard before `periods` makes them all."""
        days = (last - first).days + 1
        sizes = {Grain.HOUR: 1 / 24, Grain.DAY: 1, Grain.WEEK: 7, Grain.MONTH: 30.4, Grain.QUARTER: 91.3}
        return int(days / sizes.get(grain, 365.2)) + 1

    def periods(self, first: date, last: date, grain: Grain) -> tuple[Period, ...]:
        """Every whole bucket that touches the inclusive local dates, in order."""
        return _periods(self, first, last, grain)

    def offsets(self, span: Span) -> tuple[Offset, ...]:
        """The zone's offsets from UTC within a span: the first holds from its start, each until the next."""
        return _offsets(self.timezone, span)


@lru_cache(maxsize=65_536)
def _start_of_day(day: date, timezone: str) -> datetime:
    zone = ZoneInfo(timezone)
    midnight = datetime.combine(day, time(), tzinfo=zone)
    instant = midnight.astimezone(UTC).replace(tzinfo=None)
    # In a gap `fold=0` reads the offset before it, so the instant may fall on the wall clock after the gap or, where
    # a whole date is missing, on the next date: the first instant of the day is the change itself.
    if instant.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) != datetime.combine(day, time()):
        changes = _offsets(timezone, Span(instant - DAY, instant + DAY))[1:]
        return changes[0].start if changes else instant
    return instant


@lru_cache(maxsize=4_096)
def _offsets(timezone: str, span: Span) -> tuple[Offset, ...]:
    zone = ZoneInfo(timezone)

    def seconds_at(instant: datetime) -> int:
        offset = instant.replace(tzinfo=UTC).astimezone(zone).utcoffset()
        assert offset is not None
        return round(offset.total_seconds())

    found = [Offset(span.start, seconds_at(span.start))]
    at = span.start
    while at < span.end:
        probe = min(at + 7 * DAY, span.end)  # No zone has changed twice within a week since 1970 and come back.
        if seconds_at(probe) != found[-1].seconds:
            low, high = at, probe
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if seconds_at(middle) == found[-1].seconds else (low, middle)
            change = high.replace(microsecond=0)
            if change >= span.end:
                break
            found.append(Offset(change, seconds_at(change)))
            probe = change
        at = probe
    return tuple(found)


@lru_cache(maxsize=256)
def _periods(calendar: Calendar, first: date, last: date, grain: Grain) -> tuple[Period, ...]:
    first, last = calendar.widen(first, last, grain)
    if grain is Grain.HOUR:
        return tuple(_hours(calendar, calendar.span(first, last)))
    starts = [first]
    while starts[-1] <= last:
        starts.append(calendar.next(starts[-1], grain))
    instants = [calendar.start_of(day) for day in starts]
    return tuple(
        Period(label, start, end)
        for label, start, end in zip(starts, instants, instants[1:], strict=False)
        if start < end  # A date that a zone skipped (Apia, 2011-12-30) holds no instant.
    )


def _hours(calendar: Calendar, span: Span) -> Iterator[Period]:
    """Real hours that begin on the local clock's full hours, in each stretch of equal offset by itself."""
    offsets = calendar.offsets(span)
    ends = [offset.start for offset in offsets[1:]] + [span.end]
    pending: Period | None = None
    for offset, end in zip(offsets, ends, strict=True):
        shift = timedelta(seconds=offset.seconds)
        label = (offset.start + shift).replace(minute=0, second=0, microsecond=0) - shift
        while label < end:
            hour = Period(label, max(label, offset.start), min(label + HOUR, end))
            if pending and pending.label == hour.label:
                hour = Period(label, pending.start, hour.end)
            elif pending:
                yield pending
            pending = hour
            label += HOUR
    if pending:
        yield pending


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def is_timezone(name: str) -> bool:
    return name in _timezones()
