"""The product usage interval, person by person: gaps between active days, and the curve of first returns.

The curve is the estimate of Kaplan and Meier (1958) as textbooks have it, in fractions.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from families.oracles.calendar import DAY, day_start, local_date
from families.oracles.world import Event, Selector, World, is_person, labels_of, matching

Labels = tuple[str, ...]
Unit = Literal["day", "hour"]
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Step:
    """A time at which somebody returned or was censored."""

    after: int
    at_risk: int
    returned: int
    censored: int
    share_of_all: Fraction
    share_of_returners: Fraction | None


@dataclass(frozen=True)
class Rhythm:
    """What is told of a group of people; `medians` by person, of those who returned."""

    people: frozenset[str]
    curve: tuple[Step, ...]
    interval_of_returners: int | None
    interval_of_all: int | None
    gaps: Mapping[int, int]
    medians: Mapping[str, Fraction]
    median_gap: Fraction | None
    lookback: int
    too_short: bool | None

    @property
    def returners(self) -> int:
        return len(self.medians)


def median(values: Iterable[int | Fraction]) -> Fraction | None:
    """The middle value, or halfway between the two in the middle."""
    listed = sorted(values)
    if not listed:
        return None
    return (Fraction(listed[(len(listed) - 1) // 2]) + Fraction(listed[len(listed) // 2])) / 2


def kaplan_meier(followed: Sequence[tuple[int, bool]]) -> tuple[Step, ...]:
    """The curve of (how long somebody was watched, whether they returned then), a step for each time.

    Whoever is censored at a time is at risk at it.
    """
    steps, staying = [], Fraction(1)
    returners = sum(returned for _, returned in followed)
    for after in sorted({time for time, _ in followed}):
        at_risk = sum(time >= after for time, _ in followed)
        returned = sum(time == after and came for time, came in followed)
        censored = sum(time == after and not came for time, came in followed)
        staying *= 1 - Fraction(returned, at_risk)
        so_far = sum(time <= after and came for time, came in followed)
        of_returners = Fraction(so_far, returners) if returners else None
        steps.append(Step(after, at_risk, returned, censored, 1 - staying, of_returners))
    return tuple(steps)


def units_of(world: World, first: date, last: date, unit: Unit) -> tuple[datetime, list[datetime]]:
    """The beginning of the range, and the ends of its days (hours) that are over by `data_through`."""
    start, end = day_start(first, world.timezone), day_start(last + DAY, world.timezone)
    if unit == "hour":
        ends = [start + (n + 1) * HOUR for n in range((end - start) // HOUR)]
    else:
        ends = [day_start(first + (n + 1) * DAY, world.timezone) for n in range((last - first).days + 1)]
    return start, [one for one in ends if one <= world.data_through]


def interval(
    world: World,
    selector: Selector,
    first: date,
    last: date,
    *,
    unit: Unit = "day",
    follow_up: int | None = None,
    share: int = 80,
    breakdown: Sequence[str] = (),
    where: Selector | None = None,
) -> dict[Labels, Rhythm]:
    """What is told of each group: by the labels of a person's first event, of several at one instant the least each.

    Copies of an event are events here: a day on which somebody was active once is one however often they were.
    """
    start, ends = units_of(world, first, last, unit)
    events: dict[str, list[Event]] = {}
    for event in matching(world, selector, where=where):
        if ends and start <= event.at < ends[-1] and event.user is not None and is_person(event.user):
            events.setdefault(event.user, []).append(event)

    def number(at: datetime) -> int:
        return (at - start) // HOUR if unit == "hour" else (local_date(at, world.timezone) - first).days

    least = follow_up if follow_up is not None else max(len(ends) // 3, 1)
    active = {who: sorted({number(one.at) for one in theirs}) for who, theirs in events.items()}
    followed = {who: days for who, days in active.items() if len(ends) - 1 - days[0] >= least}
    groups: dict[Labels, list[str]] = {} if breakdown else {(): []}
    for who in followed:
        earliest = min(one.at for one in events[who])
        told = [labels_of(one, breakdown) for one in events[who] if one.at == earliest]
        groups.setdefault(tuple(min(column) for column in zip(*told, strict=True)), []).append(who)
    return {labels: _rhythm({who: followed[who] for who in who_}, len(ends), share) for labels, who_ in groups.items()}


def _rhythm(active: Mapping[str, Sequence[int]], units: int, share: int) -> Rhythm:
    gaps = {who: [after - day for day, after in pairwise(days)] for who, days in active.items()}
    curve = kaplan_meier([(gaps[who][0], True) if gaps[who] else (units - 1 - active[who][0], False) for who in active])
    enough = Fraction(share, 100)
    of_all = next((step.after for step in curve if step.share_of_all >= enough), None)
    of_returners = next((step.after for step in curve if (step.share_of_returners or 0) >= enough), None)
    medians = {who: found for who, theirs in gaps.items() if (found := median(theirs)) is not None}
    answers = [one for one in (of_all, of_returners) if one is not None]
    return Rhythm(
        people=frozenset(active),
        curve=curve,
        interval_of_returners=of_returners,
        interval_of_all=of_all,
        gaps=Counter(gap for theirs in gaps.values() for gap in theirs),
        medians=medians,
        median_gap=median(medians.values()),
        lookback=units,
        too_short=max(answers) * 3 > units if answers else None,
    )


DAYS = {"daily": 1, "weekly": 7, "monthly": 31, "quarterly": 92, "half_yearly": 183, "yearly": 366}


def zone(gap: Fraction | None, unit: Unit) -> str | None:
    """The habit that gaps of such a length make; None of no gap."""
    if gap is None:
        return None
    if unit == "hour" and gap <= 1:
        return "hourly"
    days = gap / 24 if unit == "hour" else gap
    return next((name for name, longest in DAYS.items() if days <= longest), "beyond")
