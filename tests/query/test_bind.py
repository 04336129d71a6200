"""What a question may ask, and how it is refused: all of what is wrong, with the nearest name and the limit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import pytest

from families.asking import project_over
from families.oracles.world import Event, World
from metrics_api.errors import Code, QueryError
from metrics_api.periods import Duration
from metrics_api.query.metric_query import Last
from metrics_api.serving.asking import ask
from metrics_api.serving.project import Project

PROPERTIES = {"country": "DE", "minutes": 5.0, "level": 1, "flag": True, "sequence": 1}
NOW = datetime(2026, 3, 18, 12)  # a Wednesday
METRICS = """
watched: {type: usage, event: watch}
daily: {type: active_users, on: watch}
way: {type: funnel, steps: {a: watch, b: share}}
"""


@pytest.fixture(scope="module")
def project() -> Project:
    event = Event("watch", "ann", datetime(2026, 3, 17, 9), PROPERTIES)
    return project_over(World((event,), "UTC", 0, NOW), METRICS)


def refusal(project: Project, metric: str, **words: Any) -> QueryError:
    with pytest.raises(QueryError) as raised:
        project.query(metric, **words)
    return raised.value


@pytest.mark.parametrize(
    ("words", "message", "fix"),
    [
        ({"metric": "wached"}, "there is no metric `wached`", "Did you mean `watched`?"),
        ({"by": "contry"}, "there is no property `contry` to break down by", "Did you mean `country`?"),
        ({"by": "country,country"}, "`country` is asked for twice", None),
        ({"measures": "totl"}, "there is no measure `totl`", "Did you mean `total`?"),
        ({"measures": "sum_country"}, "there is no measure `sum_country`", None),
        ({"measures": "per_user_p0"}, "there is no measure `per_user_p0`", None),
        ({"parts": "row"}, "has no part `row`", "Did you mean `rows`?"),
        ({"start": "2026-03-02", "end": "2026-03-01"}, "ends (2026-03-01) before it begins", "Swap"),
        ({"start": "1926-01-01", "end": "2026-01-01", "grain": "hour"}, "buckets; at most 10,000", "coarser"),
        ({"start": "0001-01-01", "end": "9999-12-31"}, "leaves the years 1900 to 2199", None),
        ({"start": "01/02/2026"}, "`01/02/2026` is not a date", None),
        ({"end": "2026-01-01"}, "`to` is given without `from`", None),
        ({"start": "2026-01-01", "last": "3 days"}, "either `last` or `from` and `to`", None),
        ({"last": "3 fortnights"}, "is not a duration", None),
        ({"last": "0 days"}, "is no time at all", None),
        ({"last": "5 hours"}, "shorter than a day", "grain: hour"),
        ({"grain": "dy"}, "`dy` is not a grain", "Did you mean `day`?"),
        ({"timezone": "Europe/Berln"}, "there is no time zone `Europe/Berln`", "Did you mean `Europe/Berlin`?"),
        ({"start": "2011-12-30", "end": "2011-12-30", "timezone": "Pacific/Apia"}, "2011-12-30 never happened", None),
        ({"where": "contry = 'DE'"}, "`contry` is not a declared property", "Did you mean `country`?"),
        ({"where": {"contry": {"eq": "DE"}}}, "`contry` is not a declared property", "Did you mean `country`?"),
        ({"where": {"country": {"equals": "DE"}}}, "there is no operator `equals`", None),
        ({"where": {"country": {"eq": 3}}}, "`country` is a string; it cannot be compared with 3", None),
        ({"where": {"level": {"ge": "3"}}}, "`level` is an integer; it cannot be compared with '3'", None),
        ({"where": {"level": {"eq": None}}}, "cannot be compared with null", "is_null"),
        ({"where": {"minutes": {"gt": float("nan")}}}, "cannot be compared with nan", None),
        ({"where": {"country": {"in": []}}}, "an empty list", None),
        ({"where": {"level": {"in": list(range(1001))}}}, "1,001 choices; at most 1,000", None),
        ({"order": "valu"}, "cannot order by `valu`", "Did you mean `value`?"),
        ({"limit": 0}, "a limit of 0 rows", None),
        ({"limit": 10**9}, "a limit of 1000000000 rows", None),
        ({"metric": "daily", "grain": "hour"}, "counted over whole days", "grain: day"),
        ({"metric": "way", "measures": "users"}, "there is no measure `users` on this funnel metric", None),
        ({"metric": "way", "parts": "overall"}, "has no part `overall`", None),
        ({"as_of": "now"}, "`now` is not an instant", None),
        ({"by": "country", "top": 0}, "the top 0 of `country`; it can be 1 to 1,000", None),
        ({"by": "country", "top": {"flag": 2}}, "the top 2 of `flag`, which is not a breakdown", "Add `flag`."),
        ({"top": 2}, "top: the greatest of what? Give `by`", None),
        (
            {"by": "minutes", "bins": {"minutes": [5, 1]}},
            "bins of `minutes`: 5 before 1: edges grow",
            "numbers that grow",
        ),
        ({"by": "minutes", "bins": {"minutes": [5, 5.0]}}, "bins of `minutes`: 5 before 5: edges grow", None),
        ({"by": "minutes", "bins": {"minutes": []}}, "bins of `minutes`: no edges", None),
        ({"by": "minutes", "bins": {"minutes": ["x"]}}, "bins: `x` is not a number", None),
        ({"by": "minutes", "bins": {"minutes": [float("inf")]}}, "an edge that is not a number", None),
        ({"by": "country", "bins": {"country": [1]}}, "bins of `country`, which is a string", "Only numbers"),
        ({"bins": {"minutes": [1]}}, "bins of `minutes`, which is not a breakdown", "Add `minutes`."),
        ({"by": "weekdy"}, "there is no property `weekdy`", "Did you mean `weekday`?"),
        ({"compare": "last_year"}, "`last_year` is nothing to compare with", "previous_year"),
        ({"metric": "way", "compare": "previous_year"}, "a funnel has no value to compare", "by themselves"),
        ({"order": "change"}, "cannot order by `change`", None),
    ],
)
def test_refuses(project: Project, words: Mapping[str, Any], message: str, fix: str | None) -> None:
    error = refusal(project, **{"metric": "watched", **words})
    assert message in str(error)
    assert fix is None or any(fix in (problem.fix or "") for problem in error.problems)


def test_limits_have_their_own_code(project: Project) -> None:
    error = refusal(project, "watched", start="1926-01-01", end="2026-01-01", grain="hour")
    assert [problem.code for problem in error.problems] == [Code.LIMIT_EXCEEDED]


def test_tells_everything_at_once(project: Project) -> None:
    error = refusal(project, "watched", by="contry", measures="totl", timezone="Mars", limit=0)
    assert len(error.problems) == 4


@pytest.mark.parametrize(
    ("last", "exclude_current", "first", "final"),
    [
        ("7 days", False, date(2026, 3, 12), date(2026, 3, 18)),
        ("7 days", True, date(2026, 3, 11), date(2026, 3, 17)),
        ("2 weeks", False, date(2026, 3, 9), date(2026, 3, 22)),
        ("1 week", True, date(2026, 3, 9), date(2026, 3, 15)),
        ("3 months", False, date(2026, 1, 1), date(2026, 3, 31)),
        ("1 quarter", True, date(2025, 10, 1), date(2025, 12, 31)),
        ("1 year", False, date(2026, 1, 1), date(2026, 12, 31)),
    ],
)
def test_last_units(project: Project, last: str, exclude_current: bool, first: date, final: date) -> None:
    question = ask("watched", last=last, exclude_current=exclude_current)
    assert question.time == Last(Duration.parse(last), exclude_current)
    info = project.answer(question).info
    assert (info.first, info.last) == (first, final)


HOSTILE = [
    "'; DROP TABLE events; --",
    "x' OR '1'='1",
    "\\'; SELECT 1 --",
    "😀",
    'a"b',
    "/* */",
    "a\nb",
    "%s",
    "{x}",
    "$1",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_filter_values_are_data(project: Project, value: str) -> None:
    for where in ({"country": {"eq": value}}, {"country": {"in": [value, "DE"]}}):
        rows = project.query("watched", start="2026-03-17", end="2026-03-17", where=where).to_pylist()
        assert rows[0]["value"] == (1 if "in" in where["country"] else 0)
    assert project.query("watched", start="2026-03-17", end="2026-03-17").to_pylist()[0]["value"] == 1


@pytest.mark.parametrize("value", HOSTILE)
def test_labels_come_back_as_they_are(value: str) -> None:
    event = Event("watch", value, datetime(2026, 3, 17, 9), {**PROPERTIES, "country": value})
    project = project_over(World((event,), "UTC", 0, NOW), METRICS)
    (row,) = project.query(
        "watched", start="2026-03-17", end="2026-03-17", by="country", measures="users", where={"country": value}
    ).to_pylist()
    assert (row["country"], row["users"]) == (value, 1)


def test_a_number_is_not_too_large_for_its_column() -> None:
    events = tuple(Event("watch", "ann", datetime(2026, 3, 17, 9), {**PROPERTIES, "level": 2**62}) for _ in range(3))
    project = project_over(World(events, "UTC", 0, NOW), METRICS)
    with pytest.raises(Exception, match="`sum_level` does not fit"):
        project.query("watched", start="2026-03-17", end="2026-03-17", measures="sum_level")


def test_as_of_sees_nothing_later(project: Project) -> None:
    table = project.query("watched", start="2026-03-17", end="2026-03-17", as_of="2026-03-17T08:59:59")
    assert table.to_pylist() == [{"period": date(2026, 3, 17), "value": 0, "complete": False, "provisional": True}]
