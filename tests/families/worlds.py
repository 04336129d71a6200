"""Hypothesis strategies for small nasty worlds and for questions to ask of them.

A world is drawn as a few integers per event, each decoded by place value, so that hundreds of worlds take seconds and
shrink towards a plain one (UTC, one event of `ann` at a local midnight, no properties).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Literal

from hypothesis import assume
from hypothesis import strategies as st

from families.oracles.active_users import Window
from families.oracles.calendar import DAY, Grain, bucket_starts, day_start, local_date
from families.oracles.conditions import Condition, selector_of
from families.oracles.funnel import Exclusion, Funnel, Step
from families.oracles.world import Event, Selector, World, named

# Dates around which the clock or the calendar does something; every zone also meets a year end.
ANCHORS: Mapping[str, tuple[date, ...]] = {
    "UTC": (date(2025, 3, 31), date(2024, 2, 29), date(2024, 12, 31)),
    "Europe/Berlin": (date(2025, 3, 30), date(2025, 10, 26), date(2024, 12, 31)),
    "America/New_York": (date(2025, 3, 9), date(2025, 11, 2), date(2024, 12, 31)),
    "Asia/Kolkata": (date(2025, 6, 30), date(2025, 12, 31)),
    "Australia/Lord_Howe": (date(2025, 4, 6), date(2025, 10, 5), date(2024, 12, 31)),  # moves by half an hour
    "America/Santiago": (date(2025, 4, 6), date(2025, 9, 7), date(2024, 12, 31)),  # no midnight on September 7
    "Pacific/Apia": (date(2011, 12, 30), date(2011, 12, 31), date(2021, 4, 4)),  # 2011-12-30 never happened
    "Asia/Kathmandu": (date(2025, 1, 31), date(2025, 12, 31)),
}
ZONES = tuple(ANCHORS)

NAMES = ("watch", "share", "open", "click")
# Two people do most of what happens, so that somebody gets through a funnel.
USERS = ("ann", "bob", "ann", "bob", "ann", "cy", None, "", "NA", "ö'\"ß 😀", "Ann")
COUNTRIES = (None, "DE", "US", "", "de", "(none)", "Côte d'Ivoire", 'a"b', "😀", "x\\y")
MINUTES = (None, 0.0, 1.0, 2.5, 3.0, 60.0, -1.5, float("nan"), float("inf"), float("-inf"))
LEVELS = (None, 0, 1, 2, 10, -1)
FLAGS = (None, True, False)
SEQUENCES = (0, 1, 2)  # never null and often tied: a tie breaker for funnels

# The words of the YAML files and what they last. The funnel windows below equal the distances between many instants.
DURATIONS: Mapping[str, timedelta] = {
    "1 hour": timedelta(hours=1),
    "1 second": timedelta(seconds=1),
    "30 minutes": timedelta(minutes=30),
    "90 minutes": timedelta(minutes=90),
    "1 day": timedelta(days=1),
    "2 days": timedelta(days=2),
    "7 days": timedelta(days=7),
    "30 days": timedelta(days=30),
}

DAY_OFFSETS = (0, 1, -1, 2, -2, 7, -7, 6, -6, 8, 28, -28, 30, -30, 31, 90)
TIMES_OF_DAY = (
    timedelta(0),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=12),
    timedelta(minutes=30),
    timedelta(hours=1, minutes=30),
    timedelta(hours=2, minutes=30),
    timedelta(hours=3),
    timedelta(seconds=1),
    timedelta(microseconds=1),
    timedelta(microseconds=-1),
    timedelta(hours=2, microseconds=-1),
    timedelta(hours=23),
    timedelta(hours=24),
    timedelta(hours=23, minutes=59, seconds=59, microseconds=999_999),
)
DELAYS = (timedelta(0), timedelta(microseconds=1), timedelta(hours=1), timedelta(days=1), timedelta(days=7))


def decoded(number: int, *sizes: int) -> tuple[int, ...]:
    """The digits of a number whose places have these sizes, the fastest first."""
    digits: list[int] = []
    for size in sizes:
        number, digit = divmod(number, size)
        digits.append(digit)
    return tuple(digits)


@cache
def instants_of(zone: str, anchor: date) -> tuple[datetime, ...]:
    """Naive UTC instants around an anchor: local midnights near and far, and times where the clock may jump."""
    return tuple(day_start(anchor + days * DAY, zone) + time for time in TIMES_OF_DAY for days in DAY_OFFSETS)


PROPERTY_SIZES = (len(COUNTRIES), len(MINUTES), len(LEVELS), len(FLAGS), len(SEQUENCES))


@cache
def properties_of(number: int) -> Mapping[str, object]:
    """The properties that a number stands for."""
    country, minutes, level, flag, sequence = decoded(number, *PROPERTY_SIZES)
    return {
        "country": COUNTRIES[country],
        "minutes": MINUTES[minutes],
        "level": LEVELS[level],
        "flag": FLAGS[flag],
        "sequence": SEQUENCES[sequence],
    }


@st.composite
def worlds(
    draw: st.DrawFn,
    *,
    zones: Sequence[str] = ZONES,
    max_events: int = 60,
    max_instants: int = 12,
    event_ids: bool = True,
    late_duplicates: bool = True,
    window: timedelta | None = None,
) -> World:
    """A small world, with many ties: its events share a handful of instants.

    Some events repeat an earlier one exactly. With `event_ids`, ids are unique per event name, equal across names, and
    shared by a repetition, which with `late_duplicates` may come later than its original; rows with one name and id are
    otherwise alike. Give the `window` of a funnel to have events exactly that far apart. Some worlds are loaded only up
    to a time in their midst.
    """
    zone = draw(st.sampled_from(tuple(zones)))
    available = instants_of(zone, draw(st.sampled_from(ANCHORS[zone])))
    numbers = draw(st.lists(st.integers(0, len(available) - 1), min_size=1, max_size=max_instants))
    instants = [available[number] for number in numbers]
    # Where a funnel window that opens at the first instant ends, and the instant after.
    end_of_window = instants[0] + (window or draw(st.sampled_from(tuple(DURATIONS.values()))))
    instants += [end_of_window, end_of_window + timedelta(microseconds=1)]
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, len(NAMES) * len(USERS) * 2 - 1),
                st.integers(0, len(instants) - 1),
                st.integers(0, _product(PROPERTY_SIZES) - 1),
            ),
            min_size=min(draw(st.sampled_from((0, 4, 12, 30))), max_events // 2),
            max_size=max_events,
        )
    )
    events: list[Event] = []
    seen: Counter[str] = Counter()
    for who_and_what, when, properties in rows:
        user, name, with_id = decoded(who_and_what, len(USERS), len(NAMES), 2)
        seen[NAMES[name]] += 1
        event_id = f"id-{seen[NAMES[name]]}" if with_id and event_ids else None
        events.append(Event(NAMES[name], USERS[user], instants[when], properties_of(properties), event_id))
    if events:
        repeats = st.tuples(st.integers(0, len(events) - 1), st.sampled_from(DELAYS))
        room = min(6, max_events - len(events))
        for original, delay in draw(st.lists(repeats, max_size=room)):
            late = delay if late_duplicates and events[original].event_id is not None else timedelta(0)
            events.append(replace(events[original], at=events[original].at + late))
    end = max((event.at for event in events), default=instants[0])
    data_through = draw(
        st.sampled_from([end, end + 40 * DAY, end + DAY, end, *instants[:4], instants[0] - timedelta(microseconds=1)])
    )
    return World(tuple(events), zone, draw(st.integers(0, 6)), data_through)


def _product(sizes: Sequence[int]) -> int:
    result = 1
    for size in sizes:
        result *= size
    return result


def grains() -> st.SearchStrategy[Grain]:
    """Any grain, the day first."""
    every: tuple[Grain, ...] = ("day", "hour", "week", "month", "quarter", "year")
    return st.sampled_from(every)


LONGEST: Mapping[Grain, int] = {"hour": 2, "day": 9, "week": 30, "month": 70, "quarter": 200, "year": 400}


@st.composite
def ranges(draw: st.DrawFn, world: World, grain: Grain) -> tuple[date, date]:
    """An inclusive range of local dates near what happened, with at most a dozen buckets (hours: three days)."""
    days = sorted({local_date(event.at, world.timezone) for event in world.events[:8]})
    first = draw(st.sampled_from(days or [local_date(world.data_through, world.timezone)]))
    first -= draw(st.integers(0, 2)) * DAY
    last = first + draw(st.integers(0, LONGEST[grain])) * DAY
    assume(bucket_starts(first, last, "day", world.timezone, 0))  # A range of one date that a zone skipped is none.
    return first, last


def windows() -> st.SearchStrategy[Window]:
    """A window of whole local days for active users."""
    return st.sampled_from(
        [
            Window(1, "day"),
            Window(2, "day"),
            Window(7, "day"),
            Window(28, "day"),
            Window(30, "day"),
            Window(1, "week"),
            Window(2, "week"),
            Window(1, "month"),
            Window(3, "month"),
        ]
    )


def durations() -> st.SearchStrategy[str]:
    """The words of a duration; what it lasts is in `DURATIONS`."""
    return st.sampled_from(tuple(DURATIONS))


def percentiles() -> st.SearchStrategy[float]:
    """A share between 0 and 1, in whole hundredths."""
    return st.integers(0, 100).map(lambda hundredths: hundredths / 100)


_COUNTRIES = [country for country in COUNTRIES if country is not None]
_LEAVES: tuple[Condition, ...] = (
    *(("=", "country", country) for country in _COUNTRIES),
    *(("!=", "country", country) for country in _COUNTRIES),
    ("in", "country", ("DE", "", "Côte d'Ivoire")),
    ("in", "level", (1, 10)),
    *(("=", "flag", flag) for flag in (True, False)),
    ("!=", "flag", True),
    *((comparator, "minutes", 2.5) for comparator in ("=", "!=", "<", "<=", ">", ">=")),
    (">", "minutes", -1.5),
    *((comparator, "level", 1) for comparator in ("=", "!=", "<", "<=", ">", ">=")),
    *(("is_null", name) for name in ("country", "minutes", "level", "flag")),
)


def conditions() -> st.SearchStrategy[Condition]:
    """A condition over the worlds' properties, a few levels deep."""
    leaves: st.SearchStrategy[Condition] = st.sampled_from(_LEAVES)
    return st.recursive(leaves, _combined, max_leaves=4)


def _combined(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    words: tuple[Literal["and", "or"], ...] = ("and", "or")
    negated: tuple[Literal["not"], ...] = ("not",)
    return st.one_of(st.tuples(st.sampled_from(negated), inner), st.tuples(st.sampled_from(words), inner, inner))


@dataclass(frozen=True)
class Moment:
    """Events of one name (None: of any), perhaps with a condition; the ingredient of metrics and funnel steps."""

    event: str | None
    where: Condition | None = None

    @property
    def selector(self) -> Selector:
        """The moment as a selector."""
        by_name = named(self.event) if self.event is not None else named()
        if self.where is None:
            return by_name
        holds = selector_of(self.where)
        return lambda event: by_name(event) and holds(event)


def moments(*, any_event: bool = True) -> st.SearchStrategy[Moment]:
    """A moment, mostly without a condition."""
    names = [*NAMES, None] if any_event else list(NAMES)
    some = st.one_of(st.none(), st.none(), st.none(), conditions())
    return st.builds(Moment, st.sampled_from(names), some)


@dataclass(frozen=True)
class Excluding:
    """Events that end an attempt between two steps, numbered from 1."""

    moment: Moment
    after: int
    before: int
    removes: bool


@dataclass(frozen=True)
class FunnelPlan:
    """A funnel that can be written as YAML and handed to the oracle; step k is named `step_k`."""

    steps: tuple[Moment, ...]
    within: str
    entry: Literal["any", "first"]
    tie_breaker: bool
    order: Literal["ordered", "strict", "unordered"] = "ordered"
    among: Literal["all_events", "steps"] = "all_events"
    first_ever: bool = False
    optional: frozenset[int] = frozenset()
    """The numbers of the steps that are optional."""
    step_windows: tuple[tuple[int, str], ...] = ()
    """A step's number, and how long after the required step before it counts."""
    held: tuple[str, ...] = ()
    exclusions: tuple[Excluding, ...] = ()
    attribution: Literal["first", "last", "all"] | int = "first"
    grace: str | None = None
    count: Literal["users", "totals"] = "users"

    @property
    def overlapping(self) -> bool:
        """Whether two steps can match one event, judged by event names alone: conditions are taken to be compatible."""
        names = [step.event for step in self.steps]
        return len(names) > 1 and (None in names or len(set(names)) < len(names))

    @property
    def funnel(self) -> Funnel:
        """The funnel for the oracle; its tie breaker is the property `sequence`."""
        windows = dict(self.step_windows)
        return Funnel(
            steps=tuple(
                Step(f"step_{k}", step.selector, k in self.optional, DURATIONS[windows[k]] if k in windows else None)
                for k, step in enumerate(self.steps, start=1)
            ),
            window=DURATIONS[self.within],
            overlapping=self.overlapping,
            entry=self.entry,
            tie_breaker=sequence_of if self.tie_breaker else None,
            order=self.order,
            among=self.among,
            first_ever=self.first_ever,
            held=self.held,
            exclusions=tuple(Exclusion(x.moment.selector, x.after, x.before, x.removes) for x in self.exclusions),
            attribution=self.attribution,
            grace=DURATIONS[self.grace] if self.grace else timedelta(0),
        )


def sequence_of(event: Event) -> int:
    """The tie breaker of the generated worlds."""
    value = event.properties["sequence"]
    assert isinstance(value, int)
    return value


@st.composite
def funnel_plans(
    draw: st.DrawFn, *, min_steps: int = 1, max_steps: int = 4, repeated: bool = True, tie_breakers: bool = True
) -> FunnelPlan:
    """A funnel of a few steps; without `repeated` no two steps share an event name."""
    may_repeat = repeated and draw(st.booleans())
    steps = st.lists(
        moments(any_event=may_repeat),
        min_size=min_steps,
        max_size=max_steps,
        unique_by=None if may_repeat else (lambda moment: moment.event),
    )
    entries: tuple[Literal["any", "first"], ...] = ("any", "first")
    return FunnelPlan(
        steps=tuple(draw(steps)),
        within=draw(durations()),
        entry=draw(st.sampled_from(entries)),
        tie_breaker=tie_breakers and draw(st.booleans()),
    )


@st.composite
def funnels_of_any_kind(draw: st.DrawFn) -> FunnelPlan:
    """A funnel with whatever a definition can say of it, as far as it can be said together."""
    plan = draw(funnel_plans(min_steps=2))
    plan = replace(plan, attribution=draw(st.sampled_from(("first", "first", "last", "all", 1, 2))))
    orders = ("ordered", "ordered", "ordered", "strict", "unordered")
    order = "ordered" if plan.overlapping else draw(st.sampled_from(orders))
    if order == "unordered":
        return replace(plan, order=order, attribution="last" if isinstance(plan.attribution, int) else plan.attribution)
    plan = replace(plan, order=order, among=draw(st.sampled_from(("all_events", "steps"))))
    plan = replace(plan, first_ever=draw(st.sampled_from((False, False, True))))
    if not plan.first_ever and draw(st.sampled_from((False, False, True))):
        plan = replace(plan, count="totals", entry="any")
    plan = replace(plan, held=draw(st.sampled_from(((), (), ("country",), ("flag",), ("country", "level")))))
    middle = range(2, len(plan.steps))
    if order == "ordered" and not plan.overlapping:
        plan = replace(plan, optional=frozenset(k for k in middle if draw(st.booleans())))
    longest = DURATIONS[plan.within]
    shorter = [one for one, lasts in DURATIONS.items() if lasts <= longest]
    windows = [(k, draw(st.sampled_from(shorter))) for k in range(2, len(plan.steps) + 1) if draw(st.booleans())]
    plan = replace(plan, step_windows=tuple(windows) if draw(st.booleans()) else ())
    if order == "ordered" and not plan.overlapping and draw(st.sampled_from((False, False, False, True))):
        graces = [one for one in ("1 second", "30 minutes", "1 hour", "1 day") if DURATIONS[one] < longest]
        return replace(plan, grace=draw(st.sampled_from(graces))) if graces else plan
    required = [k for k in range(1, len(plan.steps) + 1) if k not in plan.optional]
    pairs = st.sampled_from([(i, j) for i in required for j in required if i < j])
    for _ in range(draw(st.sampled_from((0, 0, 1, 2)))):
        after, before = draw(pairs)
        plan = replace(
            plan, exclusions=(*plan.exclusions, Excluding(draw(moments()), after, before, draw(st.booleans())))
        )
    return plan
