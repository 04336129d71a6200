"""The oracles, tested by hand-computed examples, by each other, and by what must hold whatever happens."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import inf, nan
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from families.oracles.active_users import Window, active_users
from families.oracles.calendar import (
    DAY,
    HOUR,
    Grain,
    bucket_of,
    bucket_starts,
    day_start,
    label_at,
    local_date,
    months_before,
    period_start,
    widened,
)
from families.oracles.conditions import Condition, evaluate, to_sql
from families.oracles.distribution import percentile
from families.oracles.funnel import (
    Attempt,
    Funnel,
    Step,
    counted_attempts,
    funnel,
    funnel_trend,
    labels_of_attempt,
)
from families.oracles.funnel_by_enumeration import best_choices, label_of_choices
from families.oracles.usage import usage
from families.oracles.world import Event, World, deduplicated, is_person, named
from families.worlds import (
    ANCHORS,
    DURATIONS,
    ZONES,
    FunnelPlan,
    Moment,
    conditions,
    funnel_plans,
    grains,
    instants_of,
    moments,
    ranges,
    windows,
    worlds,
)

plenty = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def at(text: str) -> datetime:
    """A naive UTC instant."""
    return datetime.fromisoformat(text)


def event(name: str, user: str | None, when: str, event_id: str | None = None, **properties: object) -> Event:
    """One event, shortly."""
    return Event(name, user, at(when), properties, event_id)


def world(*events: Event, zone: str = "UTC", through: str = "2030-01-01", week_start: int = 0) -> World:
    """One world, shortly."""
    return World(events, zone, week_start, at(through))


# --- calendar ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "day", "start", "hours"),
    [
        ("UTC", date(2025, 3, 30), "2025-03-30 00:00", 24),
        ("Europe/Berlin", date(2025, 3, 30), "2025-03-29 23:00", 23),
        ("Europe/Berlin", date(2025, 10, 26), "2025-10-25 22:00", 25),
        ("America/New_York", date(2025, 3, 9), "2025-03-09 05:00", 23),
        ("America/New_York", date(2025, 11, 2), "2025-11-02 04:00", 25),
        ("Asia/Kolkata", date(2025, 1, 1), "2024-12-31 18:30", 24),
        ("Asia/Kathmandu", date(2025, 1, 1), "2024-12-31 18:15", 24),
        ("America/Santiago", date(2025, 9, 7), "2025-09-07 04:00", 23),  # 00:00 does not exist, the day starts at 01:00
        ("America/Santiago", date(2025, 4, 5), "2025-04-05 03:00", 25),  # 23:00 comes twice
        ("Asia/Beirut", date(2025, 3, 30), "2025-03-29 22:00", 23),
        ("Africa/Cairo", date(2025, 4, 25), "2025-04-24 22:00", 23),
        ("Pacific/Apia", date(2011, 12, 29), "2011-12-29 10:00", 24),
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-30 10:00", 0),  # never happened
        ("Pacific/Apia", date(2011, 12, 31), "2011-12-30 10:00", 24),
        ("Australia/Lord_Howe", date(2025, 4, 6), "2025-04-05 13:00", 24.5),
        ("Australia/Lord_Howe", date(2025, 10, 5), "2025-10-04 13:30", 23.5),
    ],
)
def test_local_days_start_and_last(zone: str, day: date, start: str, hours: float) -> None:
    assert day_start(day, zone) == at(start)
    assert day_start(day + DAY, zone) - day_start(day, zone) == hours * HOUR


def hours_between(zone: str, day: date, start: str, end: str) -> list[tuple[str, str, str]]:
    """The hour buckets that start in a stretch of UTC, as times of day: label, start, end."""
    return [
        (f"{hour.label:%H:%M}", f"{hour.start_utc:%H:%M}", f"{hour.end_utc:%H:%M}")
        for hour in bucket_starts(day, day, "hour", zone, 0)
        if at(start) <= hour.start_utc < at(end)
    ]


def test_hours_are_real_hours() -> None:
    assert len(bucket_starts(date(2025, 10, 26), date(2025, 10, 26), "hour", "Europe/Berlin", 0)) == 25
    assert len(bucket_starts(date(2025, 3, 30), date(2025, 3, 30), "hour", "Europe/Berlin", 0)) == 23
    assert hours_between("Asia/Kolkata", date(2025, 1, 2), "2025-01-01 18:00", "2025-01-01 20:00") == [
        ("18:30", "18:30", "19:30"),
        ("19:30", "19:30", "20:30"),
    ]


def test_hours_around_a_shift_of_half_an_hour() -> None:
    # Autumn: 01:00-02:00 at +11, then the clock shows 01:30 again at +10:30; that half hour has an hour of its own.
    assert hours_between("Australia/Lord_Howe", date(2025, 4, 6), "2025-04-05 13:30", "2025-04-05 16:00") == [
        ("14:00", "14:00", "15:00"),
        ("14:30", "15:00", "15:30"),
        ("15:30", "15:30", "16:30"),
    ]
    # Spring: from 02:00 at +10:30 to 02:30 at +11; the hour from 02:00 has only its second half.
    assert hours_between("Australia/Lord_Howe", date(2025, 10, 5), "2025-10-04 14:00", "2025-10-04 17:00") == [
        ("14:30", "14:30", "15:30"),
        ("15:00", "15:30", "16:00"),
        ("16:00", "16:00", "17:00"),
    ]


def labels(first: date, last: date, grain: Grain, week_start: int = 0) -> list[str]:
    """Bucket labels in UTC."""
    return [str(bucket.label) for bucket in bucket_starts(first, last, grain, "UTC", week_start)]


def test_ranges_are_widened_to_whole_buckets() -> None:
    new_year, mid_month = date(2025, 1, 1), date(2025, 2, 15)
    assert labels(new_year, date(2025, 1, 7), "week") == ["2024-12-30", "2025-01-06"]
    assert labels(new_year, date(2025, 1, 7), "week", week_start=6) == ["2024-12-29", "2025-01-05"]
    assert labels(date(2025, 1, 31), mid_month, "month") == ["2025-01-01", "2025-02-01"]
    assert labels(mid_month, date(2025, 4, 1), "quarter") == ["2025-01-01", "2025-04-01"]
    assert labels(date(2024, 12, 31), new_year, "year") == ["2024-01-01", "2025-01-01"]
    assert widened(mid_month, mid_month, "quarter", "UTC", 0) == (at("2025-01-01"), at("2025-04-01"))


def test_a_date_that_never_happened_has_no_bucket() -> None:
    found = bucket_starts(date(2011, 12, 29), date(2011, 12, 31), "day", "Pacific/Apia", 0)
    assert [bucket.label for bucket in found] == [date(2011, 12, 29), date(2011, 12, 31)]
    assert bucket_starts(date(2011, 12, 30), date(2011, 12, 30), "hour", "Pacific/Apia", 0) == []


def test_months_back_stop_at_the_end_of_the_month() -> None:
    assert months_before(date(2025, 3, 31), 1) == date(2025, 2, 28)
    assert months_before(date(2024, 3, 30), 1) == date(2024, 2, 29)
    assert months_before(date(2025, 1, 15), 3) == date(2024, 10, 15)
    assert Window(1, "month").first_day(date(2025, 3, 31)) == date(2025, 3, 1)
    assert Window(1, "month").first_day(date(2025, 2, 28)) == date(2025, 1, 29)
    assert Window(2, "week").first_day(date(2025, 1, 14)) == date(2025, 1, 1)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("grain", ["hour", "day", "week", "month", "quarter", "year"])
def test_buckets_touch_and_agree_with_the_wall(zone: str, grain: Grain) -> None:
    for anchor in ANCHORS[zone]:
        buckets = bucket_starts(anchor - DAY, anchor + DAY, grain, zone, 6)
        for earlier, later in pairwise(buckets):
            assert earlier.end_utc == later.start_utc
        assert len({bucket.label for bucket in buckets}) == len(buckets)
        assert (buckets[0].start_utc, buckets[-1].end_utc) == widened(anchor - DAY, anchor + DAY, grain, zone, 6)
        for instant in instants_of(zone, anchor):
            label = label_at(instant, grain, zone, 6)
            bucket = bucket_of(instant, buckets)
            assert (label in {bucket.label for bucket in buckets}) == (bucket is not None)
            assert bucket is None or bucket.label == label
            assert bucket is None or bucket.first_day <= local_date(instant, zone) <= bucket.last_day


@given(st.sampled_from([*ZONES, "Africa/Cairo", "Asia/Beirut"]), st.dates(date(2005, 1, 1), date(2029, 1, 1)))
def test_local_days_agree_with_zoneinfo_where_midnight_exists(zone: str, day: date) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)
    assume(local_date(midnight, zone) == day)
    assert day_start(day, zone) == midnight


# --- conditions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "properties", "expected", "sql"),
    [
        (("=", "x", "a"), {"x": None}, False, "x = 'a'"),
        (("!=", "x", "a"), {"x": None}, True, "x != 'a'"),
        (("not", ("=", "x", 1)), {}, True, "NOT (x = 1)"),
        (("not", ("!=", "x", 1)), {}, False, "NOT (x != 1)"),
        (("<", "x", 5), {"x": nan}, False, "x < 5"),
        ((">", "x", 2.5), {"x": inf}, False, "x > 2.5"),
        ((">=", "x", -1.5), {"x": -1.5}, True, "x >= -1.5"),
        (("is_null", "x"), {"x": nan}, True, "x IS NULL"),
        (("is_null", "x"), {"x": ""}, False, "x IS NULL"),
        (("in", "x", ["it's", ""]), {"x": ""}, True, "x IN ('it''s', '')"),
        (("in", "x", [1, 2]), {"x": None}, False, "x IN (1, 2)"),
        (("or", ("=", "x", True), ("is_null", "x")), {"x": None}, True, "(x = true) OR (x IS NULL)"),
        (("and", ("=", "x", True), ("!=", "y", 1)), {"x": True, "y": 2}, True, "(x = true) AND (y != 1)"),
    ],
)
def test_conditions_are_two_valued(
    condition: Condition, properties: Mapping[str, object], expected: bool, sql: str
) -> None:
    assert evaluate(condition, Event("e", "u", at("2025-01-01"), properties)) is expected
    assert to_sql(condition) == sql


# --- usage ------------------------------------------------------------------------------------------------------------


def test_percentiles_lie_between_neighbours() -> None:
    assert percentile([1, 2, 3, 10], 0.5) == 2.5
    assert percentile([4, 1], 0.25) == 1.75
    assert percentile([7], 0.9) == 7
    assert percentile([1, 2, 3], 1.0) == 3
    assert percentile([], 0.5) is None


def test_usage_by_hand() -> None:
    minutes = [5.0, nan, None, 1.0, -2.0, inf]
    users = ["ann", "ann", "ann", "bob", None, ""]
    answer = usage(
        world(
            *(event("watch", user, "2025-01-01 10:00", minutes=m) for user, m in zip(users, minutes, strict=True)),
            event("watch", "cy", "2025-01-03 00:00", minutes=9.0),
            event("share", "cy", "2025-01-01 10:00", minutes=9.0),
            through="2025-01-02 12:00",
        ),
        named("watch"),
        date(2025, 1, 1),
        date(2025, 1, 3),
        "day",
        amount="minutes",
    )
    first, second, third = answer.rows
    assert (first.measures.total, first.measures.users) == (6, 2)
    assert (first.measures.per_user.average, first.measures.per_user.median) == (2.0, 2.0)
    assert first.measures.per_user.percentiles[0.75] == 2.5
    assert (first.measures.sum, first.measures.min, first.measures.max, first.measures.distinct) == (4.0, -2.0, 5.0, 3)
    assert first.measures.average == pytest.approx(4 / 3)
    assert [row.complete for row in answer.rows] == [True, False, False]
    for row in (second, third):  # nothing on the second, and the event of the third is not loaded
        assert (row.measures.total, row.measures.users, row.measures.distinct) == (0, 0, 0)
        assert row.measures.sum is row.measures.average is row.measures.per_user.median is None
    assert answer.overall == {(): first.measures}


def test_usage_shows_every_label_in_every_bucket() -> None:
    answer = usage(
        world(
            event("watch", "ann", "2025-01-01", country="DE", flag=True),
            event("watch", "ann", "2025-01-02", country=None, flag=None),
            event("watch", "bob", "2025-01-02", country="", flag=False),
            event("watch", "bob", "2025-01-04", country="US", flag=False),
        ),
        named("watch"),
        date(2025, 1, 1),
        date(2025, 1, 2),
        "day",
        breakdown=("country", "flag"),
    )
    assert [(str(row.bucket.label), *row.labels, row.measures.total) for row in answer.rows] == [
        ("2025-01-01", "", "false", 0),
        ("2025-01-01", "(none)", "(none)", 0),
        ("2025-01-01", "DE", "true", 1),
        ("2025-01-02", "", "false", 1),
        ("2025-01-02", "(none)", "(none)", 1),
        ("2025-01-02", "DE", "true", 0),
    ]
    assert {labels: measures.users for labels, measures in answer.overall.items()} == {
        ("", "false"): 1,
        ("(none)", "(none)"): 1,
        ("DE", "true"): 1,
    }


def test_duplicates_count_at_their_earliest_in_the_range() -> None:
    first, last = date(2025, 1, 1), date(2025, 1, 2)
    duplicated = world(
        event("watch", "ann", "2024-12-31 23:00", "a"),  # before the range: does not take the place of the others
        event("watch", "ann", "2025-01-02 10:00", "a"),
        event("watch", "ann", "2025-01-01 10:00", "a"),
        event("share", "ann", "2025-01-01 10:00", "a"),
        event("watch", "ann", "2025-01-02 10:00"),
        event("watch", "ann", "2025-01-02 10:00"),
    )
    answer = usage(duplicated, named("watch", "share"), first, last, "day", event_ids=True)
    assert [(row.measures.total, row.measures.users) for row in answer.rows] == [(2, 1), (2, 1)]
    only_watch = usage(
        duplicated, lambda e: e.event_id == "a" and e.name == "watch", first, last, "day", event_ids=True
    )
    assert [(row.measures.total, row.measures.users) for row in only_watch.rows] == [(1, 1), (0, 1)]
    assert usage(duplicated, named("watch", "share"), first, last, "day").overall[()].total == 5


def test_duplicates_add_nothing_to_sums_and_averages() -> None:
    duplicated = world(
        event("watch", "ann", "2025-01-01 10:00", "a", minutes=6.0),
        event("watch", "ann", "2025-01-02 00:00", "a", minutes=6.0),
        event("watch", "ann", "2025-01-01 11:00", "b", minutes=1.0),
        through="2025-01-02",
    )
    days = date(2025, 1, 1), date(2025, 1, 2)
    answer = usage(duplicated, named(), *days, "day", amount="minutes", event_ids=True)
    first, second = answer.rows
    assert answer.overall[()] == first.measures
    assert (first.measures.sum, first.measures.average, first.measures.per_user.average) == (7.0, 3.5, 2.0)
    assert (second.measures.sum, second.measures.average, second.measures.per_user.average) == (None, None, None)
    assert (second.measures.total, second.measures.users, second.measures.max, second.measures.distinct) == (
        0,
        1,
        6.0,
        1,
    )
    assert (first.complete, second.complete) == (True, False)  # a bucket that ends exactly with the data is complete
    cut = usage(duplicated, named(), days[0], days[0], "day", amount="minutes")
    assert (cut.overall[()].total, cut.overall[()].sum) == (2, 7.0)  # the midnight that ends the range is outside


@plenty
@given(st.data())
def test_usage_invariants(data: st.DataObject) -> None:
    drawn, grain, moment = data.draw(worlds()), data.draw(grains()), data.draw(moments())
    first, last = data.draw(ranges(drawn, grain))
    ids = data.draw(st.booleans())
    answer = usage(drawn, moment.selector, first, last, grain, amount="minutes", event_ids=ids)
    broken = usage(drawn, moment.selector, first, last, grain, breakdown=("country", "level"), event_ids=ids)
    start, end = widened(first, last, grain, drawn.timezone, drawn.week_start)
    seen = [e for e in drawn.events if moment.selector(e) and start <= e.at < end and e.at <= drawn.data_through]
    overall = answer.overall[()]
    assert sum(row.measures.total for row in answer.rows) == overall.total
    assert overall.total == len(deduplicated(seen) if ids else seen)
    assert overall.users == len({e.user for e in seen} - {None, ""})
    assert sum(row.measures.total for row in broken.rows) == overall.total
    assert sum(measures.total for measures in broken.overall.values()) == overall.total
    for row in answer.rows:
        held = [e for e in seen if row.bucket.start_utc <= e.at < row.bucket.end_utc]
        assert row.measures.users == len({e.user for e in held} - {None, ""})
        assert ids or row.measures.total == len(held)
        assert ids or row.measures.users <= row.measures.total
    shuffled = replace(drawn, events=tuple(data.draw(st.permutations(drawn.events))))
    assert usage(shuffled, moment.selector, first, last, grain, amount="minutes", event_ids=ids) == answer


@plenty
@given(worlds(max_events=10), conditions(), grains())
def test_a_condition_and_its_negation_share_the_events(drawn: World, condition: Condition, grain: Grain) -> None:
    for drawn_event in drawn.events:
        assert evaluate(condition, drawn_event) is not evaluate(("not", condition), drawn_event)
    assert to_sql(("not", condition)) == f"NOT ({to_sql(condition)})"
    day = local_date(drawn.data_through, drawn.timezone)
    kept, dropped = (
        usage(drawn, named(), day, day, grain, where=where, exclude=exclude).overall[()].total
        for where, exclude in (
            (lambda e: evaluate(condition, e), None),
            (None, lambda e: evaluate(condition, e)),
        )
    )
    assert kept + dropped == usage(drawn, named(), day, day, grain).overall[()].total


# --- active users -----------------------------------------------------------------------------------------------------


def test_active_users_by_hand() -> None:
    happened = world(
        event("watch", "ann", "2025-01-01 10:00", country="DE"),
        event("watch", "ann", "2025-01-01 11:00", country="US"),
        event("watch", "bob", "2025-01-03 10:00", country="DE"),
        event("watch", None, "2025-01-03 10:00", country="DE"),
        event("watch", "", "2025-01-03 10:00", country="DE"),
        event("watch", "cy", "2025-01-05 23:00", country="DE"),
        through="2025-01-05 12:00",
    )

    def counted(first: int, last: int, grain: Grain = "day", **options: object) -> list[int | None]:
        days = date(2025, 1, first), date(2025, 1, last)
        answer = active_users(happened, named("watch"), *days, grain, Window(3, "day"), **options)  # type: ignore[arg-type]
        return [row.users for row in answer.rows]

    assert counted(1, 7) == [1, 1, 2, 1, 1, None, None]
    assert counted(1, 7, at_least=2) == [1, 1, 1, 0, 0, None, None]
    assert counted(1, 1, "week") == [1]  # the week of December 30 ends on January 5: bob
    assert counted(1, 1, "week", align="calendar") == [2]
    assert counted(1, 1, "month") == [1]  # ends with January 5, the day of `data_through`
    days = date(2025, 1, 3), date(2025, 1, 5)
    answer = active_users(happened, named("watch"), *days, "day", Window(3, "day"), breakdown=("country",))
    assert [(row.labels, row.users) for row in answer.rows] == [
        (("DE",), 2),
        (("US",), 1),
        (("DE",), 1),
        (("US",), 0),
        (("DE",), 1),
        (("US",), 0),
    ]
    assert answer.overall == {("DE",): 1, ("US",): 0}
    assert [row.complete for row in answer.rows[::2]] == [True, True, False]


def test_active_users_without_a_complete_bucket_have_no_overall() -> None:
    happened = world(event("watch", "ann", "2025-01-01 10:00"), through="2025-01-01 12:00")
    answer = active_users(happened, named(), date(2025, 1, 1), date(2025, 1, 2), "day", Window(1, "day"))
    assert [row.users for row in answer.rows] == [1, None]
    assert answer.overall == {(): None}
    to_the_end = replace(happened, data_through=at("2025-01-02"))
    assert (
        active_users(to_the_end, named(), date(2025, 1, 1), date(2025, 1, 1), "day", Window(1, "day")).overall[()] == 1
    )


@plenty
@given(st.data())
def test_active_users_against_sets_of_people(data: st.DataObject) -> None:
    drawn, grain, window = data.draw(worlds()), data.draw(grains()), data.draw(windows())
    first, last = data.draw(ranges(drawn, grain))
    today = local_date(drawn.data_through, drawn.timezone)
    answer = active_users(drawn, named("watch"), first, last, grain, window)
    for row in answer.rows:
        if row.bucket.start_utc > drawn.data_through:
            assert row.users is None
            continue
        last_day = min(row.bucket.last_day, today)
        from_utc = day_start(window.first_day(last_day), drawn.timezone)
        to_utc = day_start(last_day + DAY, drawn.timezone)
        people = {
            e.user
            for e in drawn.events
            if e.name == "watch" and is_person(e.user) and from_utc <= e.at < to_utc and e.at <= drawn.data_through
        }
        assert row.users == len(people)
    complete = [row.users for row in answer.rows if row.complete]
    assert answer.overall == {(): complete[-1] if complete else None}
    if grain != "hour":
        calendar = active_users(drawn, named("watch"), first, last, grain, window, align="calendar")
        counted = usage(drawn, named("watch"), first, last, grain)
        for active, used in zip(calendar.rows, counted.rows, strict=True):
            assert active.users == (used.measures.users if active.bucket.start_utc <= drawn.data_through else None)


# --- funnel -----------------------------------------------------------------------------------------------------------


def of(*names: str, hours: float = 24, entry: Literal["any", "first"] = "any", tied: bool = False) -> Funnel:
    """A funnel over event names, overlapping if a name is repeated."""
    return Funnel(
        steps=tuple(Step(f"step_{k}", named(name)) for k, name in enumerate(names, start=1)),
        window=hours * HOUR,
        overlapping=len(set(names)) < len(names),
        entry=entry,
        tie_breaker=(lambda e: int(str(e.properties["n"]))) if tied else None,
    )


def attempt_of(spec: Funnel, *events: Event) -> Attempt:
    """The counted attempt of the only person."""
    (attempt,) = counted_attempts(events, spec, at("2025-01-01"), at("2025-02-01"))
    return attempt


def clock(attempt: Attempt) -> list[str]:
    """When the steps were reached."""
    return [f"{time:%d %H:%M}" for time in attempt.times]


def test_funnel_keeps_deepest_then_earliest_completed_then_latest_entry() -> None:
    a1, a2, a3 = (event("a", "ann", f"2025-01-0{day} 10:00") for day in (1, 2, 4))
    assert clock(attempt_of(of("a", "b"), a1, a2, a3)) == ["01 10:00"]  # nothing deeper: the earliest entry
    assert clock(attempt_of(of("a", "b"), a1, a2, a3, event("b", "ann", "2025-01-04 11:00"))) == [
        "04 10:00",
        "04 11:00",
    ]
    near = event("b", "ann", "2025-01-02 10:00"), event("b", "ann", "2025-01-04 11:00")
    assert clock(attempt_of(of("a", "b"), a1, a2, a3, *near)) == ["02 10:00", "02 10:00"]
    assert clock(attempt_of(of("a", "b", entry="first"), a1, a2, a3, *near)) == ["01 10:00", "02 10:00"]
    assert clock(attempt_of(of("a", "b", hours=1, entry="first"), a1, a2, *near)) == ["01 10:00"]


def test_funnel_window_ends_inside() -> None:
    a, b = event("a", "ann", "2025-01-01 10:00"), event("b", "ann", "2025-01-02 10:00")
    late = replace(b, at=b.at + timedelta(microseconds=1))
    assert attempt_of(of("a", "b"), a, b).depth == 2
    assert attempt_of(of("a", "b"), a, late).depth == 1


def test_funnel_equal_times() -> None:
    a, b, c = (event(name, "ann", "2025-01-01 10:00") for name in "abc")
    assert attempt_of(of("a", "b", "c"), c, b, a).depth == 3
    again = event("a", "ann", "2025-01-01 10:00")
    assert attempt_of(of("a", "a"), a, again).depth == 1
    assert attempt_of(of("a", "a"), a, replace(again, at=again.at + timedelta(microseconds=1))).depth == 2
    first, second = (event("a", "ann", "2025-01-01 10:00", n=n) for n in (1, 2))
    assert attempt_of(of("a", "a", tied=True), second, first).depth == 2
    assert attempt_of(of("a", "a", tied=True), first, first).depth == 1
    between = event("b", "ann", "2025-01-01 10:00", n=3)
    assert attempt_of(of("a", "b", "a", tied=True), first, second, between).depth == 2


def test_funnel_does_not_count_what_is_declared_apart_and_is_not() -> None:
    with pytest.raises(AssertionError, match="two steps match"):
        attempt_of(replace(of("a", "a"), overlapping=False), event("a", "ann", "2025-01-01"))


def test_funnel_rows_by_hand() -> None:
    happened = world(
        event("a", "ann", "2025-01-01 00:00", country="DE"),
        event("b", "ann", "2025-01-01 06:00"),
        event("c", "ann", "2025-01-02 00:00"),
        event("a", "bob", "2025-01-01 00:00"),
        event("b", "bob", "2025-01-01 12:00", country="US"),
        event("a", "cy", "2025-01-01 00:00"),
        event("a", "dan", "2025-01-03 00:00", country="DE"),  # closes on January 4, after the data end
        event("b", "dan", "2025-01-03 02:00"),
        event("c", "dan", "2025-01-03 13:00"),  # not loaded
        event("a", "eve", "2025-01-02 12:00"),  # closes exactly with the data
        event("a", None, "2025-01-01 00:00"),
        event("a", "", "2025-01-01 00:00"),
        event("b", "fay", "2025-01-01 00:00"),
        event("a", "gus", "2024-12-31 23:59"),
        through="2025-01-03 12:00",
    )
    answer = funnel(happened, of("a", "b", "c"), date(2025, 1, 1), date(2025, 1, 31))
    one, two, three = answer[()]
    assert (one.entered, one.converted, one.dropped, one.pending) == (5, 5, 0, 0)
    assert (two.entered, two.converted, two.dropped, two.pending) == (5, 3, 2, 0)
    assert (three.entered, three.converted, three.dropped, three.pending) == (3, 1, 1, 1)
    assert (one.rate, two.rate, three.rate) == (1.0, 3 / 5, 1 / 5)
    assert (one.step_rate, two.step_rate, three.step_rate) == (1.0, 3 / 5, 1 / 3)
    assert (one.mature_entered, two.mature_entered, three.mature_entered) == (4, 4, 2)
    assert (one.mature_rate, two.mature_rate, three.mature_rate) == (1.0, 2 / 4, 1 / 4)
    assert one.from_entry.average is one.from_previous.median is None
    hour = 3600.0
    assert two.from_entry.average == pytest.approx((6 + 12 + 2) / 3 * hour)
    assert two.from_entry.median == 6 * hour
    assert (three.from_entry.average, three.from_previous.average) == (24 * hour, 18 * hour)
    broken = funnel(happened, of("a", "b", "c"), date(2025, 1, 1), date(2025, 1, 31), breakdown=("country",))
    assert {labels: [row.converted for row in rows] for labels, rows in broken.items()} == {
        ("(none)",): [2, 0, 0],
        ("DE",): [2, 2, 1],
        ("US",): [1, 1, 0],
    }
    trend = funnel_trend(happened, of("a", "b", "c"), date(2025, 1, 1), date(2025, 1, 3), "day")
    assert [[row.converted for row in answer[()]] for _, answer in trend] == [[3, 2, 1], [1, 0, 0], [1, 1, 0]]


def test_funnel_of_nobody_has_rows_of_zero() -> None:
    (row, _) = funnel(world(), of("a", "b"), date(2025, 1, 1), date(2025, 1, 1))[()]
    assert (row.entered, row.converted, row.rate, row.step_rate, row.mature_rate) == (0, 0, None, None, None)
    assert funnel(world(), of("a"), date(2025, 1, 1), date(2025, 1, 1), breakdown=("country",)) == {}


def test_funnel_labels_come_from_the_smallest_of_a_tie() -> None:
    a = event("a", "ann", "2025-01-01 10:00")
    ties = [event("b", "ann", "2025-01-01 11:00", country=country) for country in ("US", None, "DE")]
    assert labels_of_attempt(attempt_of(of("a", "b"), a, *ties), ("country",)) == ("DE",)
    assert labels_of_attempt(attempt_of(of("a", "b"), a), ("country",)) == ("(none)",)
    empty = event("a", "ann", "2025-01-01 10:00", country="")
    assert labels_of_attempt(attempt_of(of("a", "b"), a, empty, *ties), ("country",)) == ("",)


def test_funnel_totals_count_every_entry() -> None:
    happened = [event("a", "ann", f"2025-01-01 {time}") for time in ("10:00", "10:00", "11:00", "12:30")]
    happened.append(event("b", "ann", "2025-01-01 12:00"))
    answer = funnel(world(*happened), of("a", "b", hours=1), date(2025, 1, 1), date(2025, 1, 1), count="totals")
    assert [(row.entered, row.converted) for row in answer[()]] == [(4, 4), (4, 1)]


@settings(plenty, max_examples=500)
@given(st.data(), funnel_plans(min_steps=2), st.integers(-1, 1))
def test_funnel_agrees_with_all_tuples_of_events(data: st.DataObject, plan: FunnelPlan, shift: int) -> None:
    # Everything is given to one person, and the range is cut near the first event, so that entries fall on both sides.
    drawn = data.draw(worlds(max_events=7, max_instants=4, window=DURATIONS[plan.within]))
    spec = plan.funnel
    events = [replace(e, user="ann") for e in drawn.events]
    start = min((e.at for e in events), default=drawn.data_through) + shift * timedelta(microseconds=1)
    end = start + 3 * DAY
    best = best_choices(events, spec, start, end)
    attempts = counted_attempts(events, spec, start, end)
    assert len(attempts) == (1 if best else 0)
    for attempt in attempts:
        assert attempt.times == tuple(e.at for e in best[0].events)
        for name in ("country", "level", "flag"):
            assert labels_of_attempt(attempt, (name,)) == (label_of_choices(best, name),)


@plenty
@given(st.data())
def test_funnel_invariants(data: st.DataObject) -> None:
    plan, grain = data.draw(funnel_plans()), data.draw(grains())
    drawn = data.draw(worlds(max_events=25, window=DURATIONS[plan.within]))
    first, last = data.draw(ranges(drawn, grain))
    rows = funnel(drawn, plan.funnel, first, last, grain)[()]
    broken = funnel(drawn, plan.funnel, first, last, grain, breakdown=("country",))
    for k, row in enumerate(rows):
        assert row.entered == (rows[k - 1].converted if k else row.converted)
        assert row.entered == row.converted + row.dropped + row.excluded + row.pending
        assert row.mature_entered <= row.entered
        assert sum(group[k].converted for group in broken.values()) == row.converted
        assert sum(group[k].pending for group in broken.values()) == row.pending
    entered = usage(drawn, plan.steps[0].selector, first, last, grain).overall[()]
    assert rows[0].entered == entered.users
    longer = replace(plan.funnel, window=plan.funnel.window + DAY)
    for row, wider in zip(rows, funnel(drawn, longer, first, last, grain)[()], strict=True):
        assert row.converted <= wider.converted
    firsts = funnel(drawn, replace(plan.funnel, entry="first"), first, last, grain)[()]
    anys = funnel(drawn, replace(plan.funnel, entry="any"), first, last, grain)[()]
    assert firsts[0].converted == anys[0].converted
    assert all(one.converted <= any_.converted for one, any_ in zip(firsts, anys, strict=True))
    shuffled = replace(drawn, events=tuple(data.draw(st.permutations(drawn.events))))
    assert funnel(shuffled, plan.funnel, first, last, grain, breakdown=("country",)) == broken
    doubled = replace(drawn, events=drawn.events + tuple(_twin(e) for e in drawn.events))
    for row, twice in zip(rows, funnel(doubled, plan.funnel, first, last, grain)[()], strict=True):
        assert (twice.converted, twice.pending) == (2 * row.converted, 2 * row.pending)
        assert (twice.rate, twice.mature_rate, twice.from_entry.median) == (
            row.rate,
            row.mature_rate,
            row.from_entry.median,
        )


def _twin(original: Event) -> Event:
    return replace(original, user=f"{original.user} again") if is_person(original.user) else original


# --- worlds -----------------------------------------------------------------------------------------------------------


def test_worlds_keep_their_promises() -> None:
    seen: dict[str, int] = {}

    @settings(plenty, max_examples=500, database=None, derandomize=True)
    @given(worlds())
    def look(drawn: World) -> None:
        ids = [(e.name, e.event_id) for e in drawn.events if e.event_id is not None]
        facts = {
            "duplicate ids": len(set(ids)) < len(ids),
            "ids across names": len({event_id for _, event_id in ids}) < len(set(ids)),
            "ties": len({e.at for e in drawn.events}) < len(drawn.events),
            "not all loaded": any(e.at > drawn.data_through for e in drawn.events),
            "not people": not all(is_person(e.user) for e in drawn.events),
            "empty": not drawn.events,
            "ten or more": len(drawn.events) >= 10,
            **{zone: drawn.timezone == zone for zone in ZONES},
        }
        assert len(drawn.events) <= 60
        alike: dict[tuple[str, str], tuple[object, ...]] = {}
        for e in drawn.events:
            if e.event_id is not None:
                content = (e.user, *map(repr, e.properties.values()))
                assert alike.setdefault((e.name, e.event_id), content) == content
        for fact, holds in facts.items():
            seen[fact] = seen.get(fact, 0) + holds

    look()
    assert all(seen.values()), seen


def test_anchors_are_where_the_clock_moves() -> None:
    lasting = {zone: [day_start(day + DAY, zone) - day_start(day, zone) for day in ANCHORS[zone]] for zone in ZONES}
    assert lasting["Europe/Berlin"][:2] == lasting["America/New_York"][:2] == [23 * HOUR, 25 * HOUR]
    assert lasting["America/Santiago"][1] == 23 * HOUR
    assert period_start(date(2024, 12, 31), "week", 6) == date(2024, 12, 29)
    assert DURATIONS["30 days"] == 30 * DAY
    assert Moment("watch").selector(event("watch", None, "2025-01-01"))
