"""Sessions, person by person and event by event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import fmean

from families.oracles.calendar import DAY, Bucket, Grain, bucket_of, bucket_starts, day_start, local_date, widened
from families.oracles.distribution import percentile
from families.oracles.world import (
    NONE_LABEL,
    Event,
    Selector,
    World,
    deduplicated,
    is_person,
    labels_of,
    matching,
)

Labels = tuple[str, ...]
SessionId = Callable[[Event], str | None]


@dataclass(frozen=True)
class Session:
    """What one person did without a longer pause, in order of time."""

    user: str
    events: tuple[Event, ...]
    tail: timedelta

    @property
    def began(self) -> datetime:
        return self.events[0].at

    @property
    def minutes(self) -> float:
        return (self.events[-1].at - self.events[0].at + self.tail) / timedelta(minutes=1)

    def labels(self, breakdown: Sequence[str]) -> Labels:
        """Of each property the first value in time that is not missing, of those of one instant the least."""
        return tuple(self._label(name) for name in breakdown)

    def _label(self, name: str) -> str:
        told = [(event.at, label) for event in self.events for (label,) in [labels_of(event, [name])]]
        return min((one for one in told if one[1] != NONE_LABEL), default=(self.began, NONE_LABEL))[1]


@dataclass(frozen=True)
class SessionsRow:
    """The sessions that began in a bucket (None: in the whole range), under labels."""

    bucket: Bucket | None
    labels: Labels
    sessions: tuple[Session, ...]
    complete: bool = False

    @property
    def value(self) -> int:
        return len(self.sessions)

    @property
    def users(self) -> int:
        return len({one.user for one in self.sessions})

    @property
    def events(self) -> int:
        return sum(len(one.events) for one in self.sessions)

    @property
    def minutes_spent(self) -> float | None:
        return sum(one.minutes for one in self.sessions) if self.sessions else None

    @property
    def bounces(self) -> int:
        return sum(len(one.events) == 1 for one in self.sessions)

    @property
    def bounce_rate(self) -> float | None:
        return self.bounces / self.value if self.sessions else None

    @property
    def sessions_per_user(self) -> float | None:
        return self.value / self.users if self.sessions else None

    @property
    def minutes_per_user(self) -> float | None:
        return sum(one.minutes for one in self.sessions) / self.users if self.sessions else None

    def per_session(self, of: str, stat: str) -> float | None:
        """A statistic of what a session has: its events, or its minutes."""
        values = [float(len(one.events)) if of == "events" else one.minutes for one in self.sessions]
        if not values:
            return None
        if stat in ("average", "min", "max"):
            return {"average": fmean, "min": min, "max": max}[stat](values)
        return percentile(values, 0.5 if stat == "median" else int(stat.removeprefix("p")) / 100)


def sessions(
    world: World,
    selector: Selector,
    first: date,
    last: date,
    grain: Grain,
    *,
    gap: timedelta | None = None,
    session_id: SessionId = lambda event: None,
    cut_at_midnight: bool = False,
    tail: timedelta = timedelta(0),
    containing: Selector | None = None,
    breakdown: Sequence[str] = (),
    where: Selector | None = None,
    copies: bool = False,
) -> tuple[tuple[SessionsRow, ...], tuple[SessionsRow, ...]]:
    """The rows of every bucket, and those of the whole range; without a gap `session_id` tells the sessions.

    SEMANTICS 10 and RULES 30: a gap is strictly longer; a session belongs to the bucket in which it starts. What is
    read begins 24 hours and a gap before the range, and ends as much after it, or is the range alone where midnight
    cuts. Rows with one `event_id` are one event, unless `copies` count (RULES 13).
    """
    start, end = widened(first, last, grain, world.timezone, world.week_start)
    around = timedelta(0) if cut_at_midnight else DAY + (gap or timedelta(0))
    read = [event for event in matching(world, selector, where=where) if start - around <= event.at < end + around]
    found: list[Session] = []
    read = read if copies else list(deduplicated(read))
    people = sorted({event.user for event in read if event.user is not None and is_person(event.user)})
    for user in people:
        mine = sorted((event for event in read if event.user == user), key=lambda event: event.at)
        for island in _divided(mine, gap) if gap is not None else _told(mine, session_id):
            found += [Session(user, piece, tail) for piece in _cut(island, world.timezone, always=cut_at_midnight)]
    kept = [
        one for one in found if start <= one.began < end and (containing is None or any(map(containing, one.events)))
    ]
    buckets = bucket_starts(first, last, grain, world.timezone, world.week_start)
    combinations: list[Labels] = sorted({one.labels(breakdown) for one in kept}) if breakdown else [()]

    def row(bucket: Bucket | None, labels: Labels) -> SessionsRow:
        mine = tuple(
            one
            for one in kept
            if one.labels(breakdown) == labels and (bucket is None or bucket_of(one.began, buckets) == bucket)
        )
        return SessionsRow(bucket, labels, mine, bucket is not None and _is_complete(bucket))

    def _is_complete(bucket: Bucket) -> bool:
        ends = bucket.end_utc + DAY
        if cut_at_midnight:
            ends = day_start(
                local_date(bucket.end_utc - timedelta(microseconds=1), world.timezone) + DAY, world.timezone
            )
        return ends <= world.data_through

    return (
        tuple(row(bucket, labels) for bucket in buckets for labels in combinations),
        tuple(row(None, labels) for labels in combinations),
    )


def _divided(events: Sequence[Event], gap: timedelta) -> list[list[Event]]:
    """Events in order of time, divided where a pause is longer than the gap."""
    found: list[list[Event]] = []
    for event in events:
        if found and event.at - found[-1][-1].at <= gap:
            found[-1].append(event)
        else:
            found.append([event])
    return found


def _told(events: Sequence[Event], session_id: SessionId) -> list[list[Event]]:
    """Events by their session; those without one are of none."""
    found: dict[str, list[Event]] = {}
    for event in events:
        if told := session_id(event):
            found.setdefault(told, []).append(event)
    return list(found.values())


def _cut(events: Sequence[Event], zone: str, *, always: bool) -> list[tuple[Event, ...]]:
    """What lasts 24 hours is cut at every midnight in it; `always`: whatever it lasts."""
    if not always and events[-1].at - events[0].at < DAY:
        return [tuple(events)]
    found: dict[date, list[Event]] = {}
    for event in events:
        found.setdefault(local_date(event.at, zone), []).append(event)
    return [tuple(one) for one in found.values()]
