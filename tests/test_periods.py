"""The calendar: buckets against an independent one, and the edges by hand."""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from families.oracles.calendar import bucket_starts
from families.worlds import ANCHORS, grains
from metrics_api.periods import Calendar, Duration, Grain, Span, Weekday, add_months, is_timezone


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_buckets_are_those_of_the_oracle(data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(sorted(ANCHORS)))
    first = data.draw(st.sampled_from(ANCHORS[zone])) + timedelta(days=data.draw(st.integers(-40, 40)))
    grain = data.draw(grains())
    last = first + timedelta(days=data.draw(st.integers(0, 3 if grain == "hour" else 90)))
    week_start = data.draw(st.integers(0, 6))
    ours = Calendar(zone, list(Weekday)[week_start]).periods(first, last, Grain(grain))
    theirs = bucket_starts(first, last, grain, zone, week_start)
    assert [(one.label, one.start, one.end) for one in ours] == [(b.label, b.start_utc, b.end_utc) for b in theirs]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_buckets_leave_no_gap_and_offsets_agree_with_the_zone(data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(sorted(ANCHORS)))
    first = data.draw(st.sampled_from(ANCHORS[zone])) + timedelta(days=data.draw(st.integers(-200, 200)))
    calendar = Calendar(zone)
    span = calendar.span(first, first + timedelta(days=data.draw(st.integers(0, 400))))
    assume(span.start < span.end)
    offsets = calendar.offsets(span)
    assert offsets[0].start == span.start
    for one, following in itertools.pairwise(offsets):
        assert one.seconds != following.seconds
    for instant in data.draw(st.lists(st.datetimes(span.start, span.end - timedelta(microseconds=1)), max_size=20)):
        known = [one for one in offsets if one.start <= instant][-1]
        assert calendar.local(instant) - instant == timedelta(seconds=known.seconds)


@pytest.mark.parametrize(
    ("written", "n", "unit"),
    [("7 days", 7, "day"), ("1 week", 1, "week"), (" 30  Minutes ", 30, "minute"), ("2 quarters", 2, "quarter")],
)
def test_durations(written: str, n: int, unit: str) -> None:
    assert Duration.parse(written) == Duration(n, unit)


@pytest.mark.parametrize(
    "written", ["7", "days", "7days", "0 days", "-1 days", "1.5 days", "7 fortnights", "", "9" * 9 + " days"]
)
def test_no_durations(written: str) -> None:
    with pytest.raises(ValueError, match="duration|no time|longer"):
        Duration.parse(written)


def test_months_end_where_they_must() -> None:
    assert add_months(date(2024, 1, 31), 1) == date(2024, 2, 29)
    assert add_months(date(2026, 3, 31), -1) == date(2026, 2, 28)
    assert Duration(1, "month").calendar_start(date(2026, 2, 28)) == date(2026, 1, 29)
    assert Duration(28, "day").calendar_start(date(2026, 2, 28)) == date(2026, 2, 1)


def test_a_date_may_begin_after_midnight_or_not_at_all() -> None:
    assert Calendar("America/Santiago").start_of(date(2025, 9, 7)) == datetime(2025, 9, 7, 4)
    labels = [one.label for one in Calendar("Pacific/Apia").periods(date(2011, 12, 29), date(2011, 12, 31), Grain.DAY)]
    assert labels == [date(2011, 12, 29), date(2011, 12, 31)]


def test_a_zone_without_changes_has_one_offset() -> None:
    span = Span(datetime(2026, 1, 1), datetime(2027, 1, 1))
    assert [one.seconds for one in Calendar("Asia/Kolkata").offsets(span)] == [19_800]
    assert [one.seconds for one in Calendar("Europe/Berlin").offsets(span)] == [3_600, 7_200, 3_600]


def test_a_change_of_offset_is_found_between_instants_with_fractions_of_seconds() -> None:
    change = datetime(2026, 3, 29, 1)
    span = Span(change - timedelta(seconds=1.3), change + timedelta(seconds=2.4))
    assert [one.start for one in Calendar("Europe/Berlin").offsets(span)] == [span.start, change]


def test_zone_names() -> None:
    assert is_timezone("Europe/Berlin")
    assert not is_timezone("Berlin/Europe")
