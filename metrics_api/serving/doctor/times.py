"""Checks of the time column: is it really UTC, how far does it reach, and does the partition follow it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from metrics_api.periods import DAY, HOUR, Calendar, Span
from metrics_api.serving.doctor.examined import Examined
from metrics_api.serving.doctor.findings import Finding, doubtful, fine, listed, several, share, wrong

ENOUGH = 20
"""Rows an hour usually has before its absence tells something."""
WEEK = 7
NOT_UTC = "Is `{column}` the clock of a place? Convert it to UTC in a view, or in the source's `sql`."


def nothing_of_tomorrow(one: Examined) -> Iterator[Finding]:
    """No event is of the future; if some are, by how much tells which clock was written."""
    seen = one.survey
    if seen is None or not seen.rows:
        return
    path = (*one.path, "time")
    if not seen.future:
        yield fine("nothing_of_tomorrow", path, "no event lies in the future")
        return
    assert seen.newest is not None
    ahead = seen.newest - one.now
    hours = round(ahead / HOUR)
    message = f"{several(seen.future, 'event')} ({share(seen.future, seen.rows)}) lie in the future"
    if ahead < DAY and hours and abs(ahead - hours * HOUR) < HOUR / 4:
        message += f", up to about {several(hours, 'hour')}"
        fix = f"That is what the clock of UTC+{hours} looks like. {NOT_UTC.format(column=one.source.time)}"
    else:
        message += f", up to {seen.newest:%Y-%m-%d %H:%M}"
        fix = "They are not counted before their time; see who writes them."
    yield doubtful("nothing_of_tomorrow", path, message, fix)


def loaded_after_it_happened(one: Examined) -> Iterator[Finding]:
    """No row is loaded before it happened: two clocks of different zones show here."""
    seen = one.survey
    if seen is None or one.source.loaded_at is None or not seen.rows:
        return
    path = (*one.path, "loaded_at")
    if not seen.early:
        yield fine("loaded_after_it_happened", path, "no row was loaded before it happened")
        return
    message = (
        f"{several(seen.early, 'row')} ({share(seen.early, seen.rows)}) were loaded, by `{one.source.loaded_at}`, "
        "more than 5 minutes before they happened"
    )
    yield doubtful("loaded_after_it_happened", path, message, NOT_UTC.format(column=one.source.time))


def every_hour_of_the_day(one: Examined) -> Iterator[Finding]:
    """Events are spread over the day. All at midnight: only dates were kept; an empty hour amid others: a clock."""
    seen = one.survey
    if seen is None or not seen.hours:
        return
    path, by_hour = (*one.path, "time"), [0] * 24
    for moment, rows in seen.hours.items():
        by_hour[moment.hour] += rows
    days = len({moment.date() for moment in seen.hours})
    if days >= WEEK and sum(map(bool, by_hour)) == 1:
        message = (
            f"all events happen between {by_hour.index(sum(by_hour)):02}:00 and the next hour: only their date is known"
        )
        yield doubtful(
            "every_hour_of_the_day", path, message, "Name a column that has the time of day, if there is one."
        )
        return
    around = [min(by_hour[hour - 1], by_hour[(hour + 1) % 24]) / days for hour in range(24)]
    empty = [f"{hour:02}:00" for hour in range(24) if not by_hour[hour] and around[hour] >= ENOUGH and days >= WEEK]
    if empty:
        message = f"no event ever happens in the hour from {listed(empty)} UTC, and many do around it"
        yield doubtful("every_hour_of_the_day", path, message, "See whether rows of that hour are lost on their way.")
    else:
        yield fine("every_hour_of_the_day", path, "no hour of the day is missing among others")


def when_clocks_change(one: Examined) -> Iterator[Finding]:
    """A column of UTC has its usual rows in the hour that the project's clocks skip, and not twice as many in the
    hour that they repeat."""
    seen = one.survey
    if seen is None or not seen.hours:
        return
    path, zone = (*one.path, "time"), one.calendar.timezone
    found, looked = [], 0
    for moment, is_skipped in wall_changes(one.calendar, min(seen.hours), max(seen.hours)):
        usual = _usual(seen.hours, moment)
        if usual < ENOUGH:
            continue
        looked += 1
        rows = seen.hours.get(moment, 0)
        if is_skipped and not rows:
            found.append(f"the hour from {moment:%Y-%m-%d %H:%M}, which the clocks of {zone} skipped, has no event")
        if not is_skipped and rows > 1.7 * usual:
            found.append(
                f"the hour from {moment:%Y-%m-%d %H:%M}, which the clocks of {zone} had twice, has twice as many"
            )
    for message in found:
        yield doubtful("when_clocks_change", path, message, NOT_UTC.format(column=one.source.time))
    if looked and not found:
        said = f"the clocks of {zone} changed, and the events do not show it"
        yield fine("when_clocks_change", path, said)


def wall_changes(calendar: Calendar, first: datetime, last: datetime) -> Iterator[tuple[datetime, bool]]:
    """The hours of the wall clock that a zone skipped (true) or had twice (false) between two instants.

    >>> list(wall_changes(Calendar("Europe/Berlin"), datetime(2026, 3, 1), datetime(2026, 4, 1)))
    [(datetime.datetime(2026, 3, 29, 2, 0), True)]
    """
    offsets = calendar.offsets(Span(first, last)) if first < last else ()
    for before, after in pairwise(offsets):
        gained = after.seconds - before.seconds
        if abs(gained) == HOUR.total_seconds():
            wall = after.start + timedelta(seconds=min(before.seconds, after.seconds))
            yield wall.replace(minute=0), gained > 0


def _usual(hours: Mapping[datetime, int], moment: datetime) -> float:
    """The rows of the same hour on the days around, weekdays and all."""
    around = [hours.get(moment + days * DAY, 0) for days in (-7, -2, -1, 1, 2, 7)]
    return median(around)


def is_fresh(one: Examined) -> Iterator[Finding]:
    """Rows still come: the newest is no older than a day, or than rows may be late."""
    seen = one.survey
    if seen is None or not seen.rows:
        return
    path = (*one.path, "loaded_at" if one.source.loaded_at else "time")
    newest = seen.loaded or seen.newest
    if newest is None:
        return
    late = one.source.late_arrival.elapsed if one.source.late_arrival else timedelta(0)
    allowed = max(DAY, late)
    behind = max(one.now - newest, timedelta(0))
    word = "was loaded" if seen.loaded else "happened"
    message = f"the newest row {word} {ago(behind)} ago, at {newest:%Y-%m-%d %H:%M} UTC"
    if behind > allowed:
        fix = "See whether loading still runs; for data that no longer grows say `as_of` of the project."
        yield doubtful("is_fresh", path, message, fix)
    else:
        yield fine("is_fresh", path, message)


def ago(gap: timedelta) -> str:
    """`3 hours`, `2 days`: the largest unit of which there are at least two."""
    for size, word in ((DAY, "day"), (HOUR, "hour")):
        if gap >= 2 * size:
            return several(int(gap / size), word)
    return several(int(gap.total_seconds() // 60), "minute")


def late_as_declared(one: Examined) -> Iterator[Finding]:
    """Rows are no later than declared, or buckets called final change."""
    seen, late = one.survey, one.source.late_arrival
    if seen is None or late is None or one.source.loaded_at is None or not seen.rows:
        return
    path = (*one.path, "late_arrival")
    if not seen.late:
        yield fine("late_as_declared", path, f"no row was loaded later than {late} after it happened")
        return
    message = (
        f"{several(seen.late, 'row')} ({share(seen.late, seen.rows)}) were loaded later than {late} after they happened"
    )
    yield doubtful(
        "late_as_declared", path, message, "Buckets that are called final still change: say a longer `late_arrival`."
    )


def partition_follows_time(one: Examined) -> Iterator[Finding]:
    """Each row lies in the partition of its day, or up to `lag` later: elsewhere no answer finds it."""
    seen, partition = one.survey, one.source.partition
    if seen is None or partition is None or not seen.rows:
        return
    path = (*one.path, "partition")
    lost = seen.displaced
    if not lost:
        yield fine(
            "partition_follows_time", path, f"every row lies in the partition of its time (`{partition.column}`)"
        )
        return
    message = (
        f"{several(lost, 'row')} ({share(lost, seen.rows)}) lie more than a day from their time by "
        f"`{partition.column}`, and are missed by answers"
    )
    yield wrong(
        "partition_follows_time",
        path,
        message,
        "Say `lag` of the partition, or name the column of the event's own date.",
    )
