"""The people of the synthetic video app: who they are, when they are about, how much they do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum, auto

import numpy as np

from metrics_api.datasets.draws import (
    Flags,
    Floats,
    Ints,
    Keys,
    below,
    chance,
    child,
    choice,
    lognormal,
    root,
    slots,
    uniform,
)

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
BEFORE = np.int64(-(2**62))  # at some time before the window
NEVER = np.int64(2**62)

# Country, share of people, hours from UTC: a daily rhythm needs no daylight saving.
COUNTRIES = (
    ("US", 30.0, -6),
    ("DE", 16.0, 1),
    ("GB", 12.0, 0),
    ("BR", 10.0, -3),
    ("FR", 8.0, 1),
    ("IN", 7.0, 5),
    ("JP", 5.0, 9),
    ("ES", 4.0, 1),
    ("CA", 3.5, -5),
    ("MX", 2.5, -6),
    ("NL", 1.5, 1),
    ("SE", 0.5, 1),
)
CHANNELS = ("organic_search", "paid_search", "social", "referral", "app_store", "affiliate")
CHANNEL_SHARES = (26.0, 16.0, 15.0, 10.0, 8.0, 3.0, 22.0)  # the last: nobody knows, NULL
PLATFORMS = ("ios", "android", "web", "tv")
PLATFORM_SHARES = (30.0, 34.0, 22.0, 14.0)

WEEKDAY_RHYTHM = (0.90, 0.87, 0.89, 0.94, 1.12, 1.20, 1.08)  # from Monday
HOUR_RHYTHM = (
    *(2.0, 1.0, 0.6, 0.4, 0.4, 0.8, 2.0, 4.0, 4.5, 3.5, 3.0, 3.5),
    *(5.0, 4.5, 3.5, 3.5, 4.0, 5.5, 7.5, 9.5, 12.0, 12.0, 8.5, 4.5),
)


class PersonDraw(IntEnum):
    """What a child of a person's key is for. Changing a number changes every data set.

    A person's local days are children too, numbered from `DAYS` on.
    """

    COUNTRY = 1
    CHANNEL = auto()
    PLATFORM = auto()
    INTERNAL = auto()
    JOINS = auto()
    JOIN_DAY = auto()
    JOIN_TIME = auto()
    ACTIVATES = auto()
    ACTIVATION_DELAY = auto()
    HABIT = auto()
    PATIENCE = auto()
    TASTE = auto()
    STARTS_AWAY = auto()
    STAYS = auto()
    COMES_BACK = auto()
    AWAY = auto()
    BACK = auto()
    STAYS_AGAIN = auto()
    SEEN = auto()
    JOIN_VISIT = auto()
    ACTIVATION_VISIT = auto()
    SEEN_VISIT = auto()
    DAYS = 1_000


@dataclass(frozen=True, slots=True)
class Window:
    """The whole UTC days that the data covers. Times are microseconds from its start."""

    end: date
    days: int

    @property
    def first(self) -> date:
        return self.end - timedelta(days=self.days - 1)

    @property
    def length(self) -> int:
        return self.days * DAY

    def rhythm(self, first_day: int, days: int) -> Floats:
        """How lively each of `days` days is, counted from day `first_day` of the window; 1 on average."""
        weekdays = (np.arange(first_day, first_day + days) + self.first.weekday()) % 7
        return np.array(WEEKDAY_RHYTHM)[weekdays]


@dataclass(frozen=True, slots=True)
class Viewers:
    """People, one per place of each array, about from their sign-up to `away` and from `back` to `gone`."""

    number: Ints
    key: Keys
    country: Ints
    channel: Ints
    platform: Ints
    internal: Flags
    offset: Ints  # of local time from UTC
    signed_up: Ints  # or BEFORE
    activated: Ints  # when the first video is begun; BEFORE, or NEVER
    away: Ints
    back: Ints
    gone: Ints
    seen: Ints  # a visit of those who signed up before the window, so that everybody appears in it; else NEVER
    daily_chance: Floats
    more_visits: Floats
    more_events: Floats
    watches: Floats


def viewers(seed: int, first: int, count: int, window: Window) -> Viewers:
    """The people numbered from `first` on: three in five sign up within the window, the others did before it."""
    number = np.arange(first, first + count, dtype=np.int64)
    key = root(seed, number)
    country = choice(tuple(share for _, share, _ in COUNTRIES))[slots(key, PersonDraw.COUNTRY)]
    offset = np.array([hours * HOUR for _, _, hours in COUNTRIES])[country]

    joins = chance(key, PersonDraw.JOINS, 0.6)
    signed_up = np.where(joins, _sign_up(key, offset, window), BEFORE)
    activates = chance(key, PersonDraw.ACTIVATES, 0.745)
    delay = np.maximum(_days(lognormal(0.25, 2.2)[slots(key, PersonDraw.ACTIVATION_DELAY)]), 2 * MINUTE)
    activated = np.where(joins, np.where(activates, signed_up + delay, NEVER), BEFORE)

    # One trait, the habit, makes people come often, do more and stay: that is what gives the heavy tail.
    habit = slots(key, PersonDraw.HABIT)
    away, back, gone = _presence(key, habit, signed_up, activated, window)
    seen = np.where(away < 0, back, (uniform(key, PersonDraw.SEEN) * np.minimum(away, window.length)).astype(np.int64))
    return Viewers(
        number=number,
        key=key,
        country=country,
        channel=choice(CHANNEL_SHARES)[slots(key, PersonDraw.CHANNEL)],
        platform=choice(PLATFORM_SHARES)[slots(key, PersonDraw.PLATFORM)],
        internal=chance(key, PersonDraw.INTERNAL, 0.005),
        offset=offset,
        signed_up=signed_up,
        activated=activated,
        away=away,
        back=back,
        gone=gone,
        seen=np.where(joins, NEVER, seen),
        daily_chance=np.minimum(lognormal(0.065, 1.2)[habit], 0.9),
        more_visits=np.minimum(lognormal(0.2, 0.6)[habit], 2.5),
        more_events=lognormal(2.6, 0.25)[habit] * lognormal(1.0, 0.35)[slots(key, PersonDraw.PATIENCE)],
        watches=0.25 + 0.3 * uniform(key, PersonDraw.TASTE),
    )


def present(people: Viewers, person: Ints, time: Ints) -> Flags:
    """Whether each person is about at that time."""
    here = (time < people.away[person]) | (time >= people.back[person])
    return here & (time > people.signed_up[person]) & (time < people.gone[person])


def time_of_day(keys: Keys) -> Ints:
    """A local time of day, mostly in the evening, for keys that are used for nothing else."""
    return choice(HOUR_RHYTHM)[slots(keys, 0)] * HOUR + below(keys, 1, HOUR)


def _sign_up(key: Keys, offset: Ints, window: Window) -> Ints:
    """A time within the window; sign-ups follow the week and grow by two fifths over the window."""
    growth = 1 + 0.4 * np.arange(window.days) / window.days
    by_day = choice(tuple((window.rhythm(0, window.days) * growth).tolist()))
    return (
        by_day[slots(key, PersonDraw.JOIN_DAY)] * DAY + (time_of_day(child(key, PersonDraw.JOIN_TIME)) - offset) % DAY
    )


def _presence(key: Keys, habit: Ints, signed_up: Ints, activated: Ints, window: Window) -> tuple[Ints, Ints, Ints]:
    """When each person goes away, comes back (some do) and is gone for good.

    Those who never saw a video leave sooner. Of those who signed up before the window some are away when it starts.
    """
    joins = signed_up >= 0
    stays = _days(lognormal(20.0, 1.2)[slots(key, PersonDraw.STAYS)] * lognormal(1.0, 0.8)[habit])
    stays = np.where(joins, np.where(activated == NEVER, stays // 4, stays), stays * 2)
    away = np.maximum(signed_up, 0) + stays
    back = away + _days(lognormal(16.0, 0.9)[slots(key, PersonDraw.AWAY)])
    back = np.where(chance(key, PersonDraw.COMES_BACK, 0.45), back, NEVER)

    starts_away = ~joins & chance(key, PersonDraw.STARTS_AWAY, 0.18)
    away = np.where(starts_away, BEFORE, away)
    back = np.where(starts_away, (uniform(key, PersonDraw.BACK) * (0.85 * window.length)).astype(np.int64), back)
    gone = back + _days(lognormal(12.0, 1.1)[slots(key, PersonDraw.STAYS_AGAIN)] * lognormal(1.0, 0.5)[habit])
    return away, back, gone


def _days(days: Floats) -> Ints:
    return (days * DAY).astype(np.int64)
