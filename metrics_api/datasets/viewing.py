"""What the people of the synthetic video app do: visits, and the events of each visit, as Arrow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from functools import cache

import numpy as np
import pyarrow as pa

from metrics_api.datasets.draws import (
    TABLE_SIZE,
    Floats,
    Ints,
    Keys,
    below,
    chance,
    child,
    choice,
    exponential,
    lognormal,
    slots,
    uniform,
)
from metrics_api.datasets.viewers import (
    CHANNELS,
    COUNTRIES,
    DAY,
    HOUR,
    MINUTE,
    NEVER,
    PLATFORMS,
    SECOND,
    PersonDraw,
    Viewers,
    Window,
    present,
    time_of_day,
    viewers,
)

EVENTS_PER_USER = 1 << 20  # event_id = number of the person * this + number of the event
MOST_VISITS_A_DAY = 8
MOST_EVENTS_A_VISIT = 40
LOAD_EVERY = 10 * MINUTE


class Event(IntEnum):
    """The app's events, numbered in the order of their names, in which rows are sorted."""

    added_to_list = 0
    clicked_profile_picture = 1
    opened_app = 2
    rated = 3
    searched = 4
    shared = 5
    sign_up = 6
    watched = 7


BESIDES_WATCHING = {
    Event.added_to_list: 26.0,
    Event.clicked_profile_picture: 17.0,
    Event.rated: 9.0,
    Event.searched: 38.0,
    Event.shared: 10.0,
}
FEATURES = ("downloads", "home", "kids", "live", "profiles", "search")
NO_FEATURE = len(FEATURES)  # NULL
FEATURE_SHARES: Mapping[Event, tuple[float, ...]] = {
    Event.added_to_list: (0, 55, 10, 0, 0, 35, 0),
    Event.clicked_profile_picture: (0, 0, 0, 0, 1, 0, 0),
    Event.opened_app: (8, 92, 0, 0, 0, 0, 0),
    Event.rated: (0, 0, 0, 0, 0, 0, 1),
    Event.searched: (0, 0, 0, 0, 0, 1, 0),
    Event.shared: (0, 40, 0, 10, 0, 0, 50),
    Event.sign_up: (0, 0, 0, 0, 0, 0, 1),
    Event.watched: (12, 48, 8, 10, 0, 22, 0),
}
TITLES = tuple(f"Made-up title {number:03d}" for number in range(1, 301))
NO_TITLE = len(TITLES)  # NULL
TITLED = (Event.added_to_list, Event.rated, Event.shared, Event.watched)
AFTER_THE_FIRST_VIDEO = (Event.rated, Event.shared, Event.watched)


class Reason(IntEnum):
    """Why a visit takes place."""

    HABIT = 0
    JOIN = 1  # begins with sign_up
    ACTIVATION = 2  # holds the first video
    SEEN = 3


class VisitDraw(IntEnum):
    """What a child of a day's or visit's key is for; a day's visits, and a visit's events, are numbered from 0."""

    VISITS = 1_000
    TIME = 1_001
    LENGTH = 1_002
    ELSEWHERE = 1_003
    PLATFORM = 1_004


class EventDraw(IntEnum):
    """What a child of an event's key is for."""

    WATCHES = 1
    OTHERWISE = 2
    MINUTES = 3
    PAUSE = 4
    MICROSECONDS = 5
    SIMULTANEOUS = 6
    FEATURE = 7
    TITLE = 8
    LATE = 9
    DELAY = 10


@dataclass(frozen=True, slots=True)
class Visits:
    """Visits, one per place of each array, by person and then time. `person` is a place in `Viewers`."""

    person: Ints
    key: Keys
    start: Ints
    reason: Ints


@dataclass(frozen=True, slots=True)
class Events:
    """Events within the window, one per place of each array. `visit` is a place in `Visits`."""

    visit: Ints
    key: Keys
    number: Ints
    time: Ints
    event: Ints
    minutes: Floats  # NaN unless watched


def app_events(seed: int, first: int, count: int, window: Window) -> pa.Table:
    """The events of the people numbered from `first` on, by UTC date, event name and event id.

    Deterministic: a person's rows depend on the seed, the person's number, the window's length and the weekday of its
    end; moving the window by whole weeks moves the rows with it and changes nothing else.
    """
    people = viewers(seed, first, count, window)
    visits = visits_of(people, window)
    return _table(people, visits, events_of(people, visits, window), window)


def visits_of(people: Viewers, window: Window) -> Visits:
    """All visits that may reach into the window."""
    person, key, start = _habitual(people, window)
    joining = np.flatnonzero(people.signed_up >= 0)
    activating = np.flatnonzero((people.activated >= 0) & (people.activated < window.length))
    seen = np.flatnonzero(people.seen != NEVER)
    parts = (
        (person, key, start, Reason.HABIT),
        (joining, child(people.key[joining], PersonDraw.JOIN_VISIT), people.signed_up[joining], Reason.JOIN),
        (
            activating,
            child(people.key[activating], PersonDraw.ACTIVATION_VISIT),
            people.activated[activating],
            Reason.ACTIVATION,
        ),
        (seen, child(people.key[seen], PersonDraw.SEEN_VISIT), people.seen[seen], Reason.SEEN),
    )
    person = np.concatenate([part[0] for part in parts])
    start = np.concatenate([part[2] for part in parts])
    order = np.lexsort((start, person))
    return Visits(
        person=person[order],
        key=np.concatenate([part[1] for part in parts])[order],
        start=start[order],
        reason=np.concatenate([np.full(len(part[0]), part[3], dtype=np.int64) for part in parts])[order],
    )


def events_of(people: Viewers, visits: Visits, window: Window) -> Events:
    """The events of the visits, cut at the window's ends."""
    person = visits.person
    more = exponential()[slots(visits.key, VisitDraw.LENGTH)] * people.more_events[person]
    scripted = np.where((visits.reason == Reason.JOIN) | (visits.reason == Reason.ACTIVATION), 2, 1)
    visit, nth = _numbered(np.minimum(scripted + more.astype(np.int64), MOST_EVENTS_A_VISIT))
    key = child(visits.key[visit], nth)

    event = _what(people, visits, visit, nth, key)
    watched = event == Event.watched
    minutes = np.where(watched, _minutes()[slots(key, EventDraw.MINUTES)], np.nan)
    first_video = watched & (visits.reason[visit] == Reason.ACTIVATION) & (nth == 1)
    minutes[first_video] = np.maximum(minutes[first_video], 3.0)

    # A video is logged when it stops. Every other event follows the one before by seconds, or comes at the same time.
    pause = _pauses()[slots(key, EventDraw.PAUSE)] + below(key, EventDraw.MICROSECONDS, SECOND)
    pause[~watched & (event != Event.opened_app) & chance(key, EventDraw.SIMULTANEOUS, 0.04)] = 0
    pause[watched] += (minutes[watched] * MINUTE).astype(np.int64)
    pause[nth == 0] = 0
    elapsed = np.cumsum(pause)
    time = visits.start[visit] + elapsed - elapsed[nth == 0][visit]

    number = np.arange(len(visit)) - np.searchsorted(person[visit], person[visit])
    inside = (time >= 0) & (time < window.length)
    return Events(
        visit=visit[inside],
        key=key[inside],
        number=number[inside],
        time=time[inside],
        event=event[inside],
        minutes=minutes[inside],
    )


def _habitual(people: Viewers, window: Window) -> tuple[Ints, Keys, Ints]:
    """Visits on the days a person happens to come: person, key, start.

    Days are the person's local ones, so that two that stick out of the window at its ends belong to it.
    """
    days = np.arange(-1, window.days + 1)
    keys = child(people.key[:, np.newaxis], PersonDraw.DAYS + days + 1)
    comes = uniform(keys, 0) < people.daily_chance[:, np.newaxis] * window.rhythm(-1, len(days))
    person, column = np.nonzero(comes)
    key = keys[comes]

    more = exponential()[slots(key, VisitDraw.VISITS)] * people.more_visits[person]
    came, nth = _numbered(np.minimum(1 + more.astype(np.int64), MOST_VISITS_A_DAY))
    person, key = person[came], child(key[came], nth + 1)
    start = days[column[came]] * DAY + time_of_day(child(key, VisitDraw.TIME)) - people.offset[person]
    kept = present(people, person, start) & (start < window.length)
    return person[kept], key[kept], start[kept]


def _what(people: Viewers, visits: Visits, visit: Ints, nth: Ints, key: Keys) -> Ints:
    """Which event each is: a visit opens the app, then watches or does something else."""
    person, reason = visits.person[visit], visits.reason[visit]
    otherwise = np.array(list(BESIDES_WATCHING))[choice(tuple(BESIDES_WATCHING.values()))]
    event = otherwise[slots(key, EventDraw.OTHERWISE)]
    event[uniform(key, EventDraw.WATCHES) < people.watches[person]] = Event.watched
    too_early = (visits.start < people.activated[visits.person])[visit]
    event[too_early & np.isin(event, AFTER_THE_FIRST_VIDEO)] = Event.searched
    event[(nth == 0) | ((nth == 1) & (reason == Reason.JOIN))] = Event.opened_app
    event[(nth == 0) & (reason == Reason.JOIN)] = Event.sign_up
    event[(nth == 1) & (reason == Reason.ACTIVATION)] = Event.watched
    return event


def _numbered(counts: Ints) -> tuple[Ints, Ints]:
    """For each of so many things per place: its place, and its number there from 0.

    >>> _numbered(np.array([2, 1]))
    (array([0, 0, 1]), array([0, 1, 0]))
    """
    place = np.repeat(np.arange(len(counts)), counts)
    return place, np.arange(len(place)) - (np.cumsum(counts) - counts)[place]


@cache
def _minutes() -> Floats:
    """Quantiles of the minutes of a video, in quarters: sums of them are exact in any order."""
    return np.clip(np.round(lognormal(14.0, 1.1) * 4) / 4, 0.25, 240.0)


@cache
def _pauses() -> Ints:
    """Quantiles of the time between two events of a visit, in microseconds."""
    return (lognormal(20.0, 1.2) * SECOND).astype(np.int64)


@cache
def _features() -> Ints:
    """Event by slot: a place in FEATURES, or NO_FEATURE."""
    return np.stack([choice(FEATURE_SHARES[event]) for event in Event])


@cache
def _delays() -> Ints:
    """On time or late by slot: how long after an event it is loaded, in microseconds; late ones are spread evenly."""
    on_time = (lognormal(3.0, 0.7) * MINUTE).astype(np.int64)
    late = np.linspace(HOUR, 2 * DAY - LOAD_EVERY, TABLE_SIZE).astype(np.int64)
    return np.stack([np.minimum(on_time, HOUR), late])


def _loaded(key: Keys, time: Ints, window: Window) -> Ints:
    """When each event reached the warehouse: with a load every ten minutes, the last just after the window's end."""
    late = chance(key, EventDraw.LATE, 0.025).astype(np.int64)
    ready = time + _delays()[late, slots(key, EventDraw.DELAY)]
    loaded: Ints = (ready // LOAD_EVERY + 1) * LOAD_EVERY
    return np.minimum(loaded, window.length + LOAD_EVERY)


def _table(people: Viewers, visits: Visits, events: Events, window: Window) -> pa.Table:
    """The events as rows, sorted; user numbers ascend within the arrays, so that a stable sort leaves ids ascending."""
    day = events.time // DAY
    order = np.argsort((day * len(Event) + events.event).astype(np.uint16), kind="stable")
    visit, key, time, event = events.visit[order], events.key[order], events.time[order], events.event[order]
    person = visits.person[visit]
    titled = np.isin(event, TITLED)
    title = choice(tuple(1 / (rank + 8) for rank in range(len(TITLES))))[slots(key, EventDraw.TITLE)]
    minutes = events.minutes[order]
    ids = pa.array([f"u{number:07d}" for number in people.number.tolist()])
    names = tuple(name.name for name in Event)
    return pa.table(
        {
            "event_id": people.number[person] * EVENTS_PER_USER + events.number[order],
            "user_id": pa.DictionaryArray.from_arrays(pa.array(person.astype(np.int32)), ids),
            "event": _labels(event, names),
            "occurred_at": _timestamps(time, window.first),
            "occurred_on": _dates(day[order], window.first),
            "platform": _labels(_platforms(people, visits)[visit], PLATFORMS),
            "country": _labels(people.country[person], tuple(name for name, _, _ in COUNTRIES)),
            "channel": _labels(people.channel[person], CHANNELS),
            "feature": _labels(_features()[event, slots(key, EventDraw.FEATURE)], FEATURES),
            "title": _labels(np.where(titled, title, NO_TITLE), TITLES),
            "minutes": pa.array(minutes, mask=np.isnan(minutes)),
            "is_internal": people.internal[person],
            "loaded_at": _timestamps(_loaded(key, time, window), window.first),
        }
    )


def _platforms(people: Viewers, visits: Visits) -> Ints:
    """Where each visit takes place: six in seven on the person's usual platform."""
    elsewhere = chance(visits.key, VisitDraw.ELSEWHERE, 0.15)
    any_platform = below(visits.key, VisitDraw.PLATFORM, len(PLATFORMS))
    return np.where(elsewhere, any_platform, people.platform[visits.person])


def _labels(places: Ints, labels: tuple[str, ...]) -> pa.DictionaryArray:
    """Text by its place in `labels`; the place after the last is NULL."""
    codes = pa.array(places.astype(np.int16), mask=places == len(labels))
    return pa.DictionaryArray.from_arrays(codes, pa.array(labels))


def _timestamps(times: Ints, first: date) -> pa.Array:
    return pa.array(np.datetime64(first, "us") + times.astype("timedelta64[us]"))


def _dates(days: Ints, first: date) -> pa.Array:
    return pa.array(np.datetime64(first, "D") + days.astype("timedelta64[D]"))
