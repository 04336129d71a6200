"""Warmups as questions, what they name that is not there, and how long answers are kept."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from metrics_api.compile.project import load_model
from metrics_api.errors import DefinitionError, QueryError
from metrics_api.periods import Duration, Grain
from metrics_api.query.metric_query import Between, Last, MetricQuery
from metrics_api.query.warmups import planned, warmup_named
from metrics_api.semantic.model import CacheTimes, SemanticModel

PROJECT = """\
project:
  name: shop
  cache: {ttl: 10 minutes, stale: 1 hour}
  warehouses: {here: {type: duckdb}, there: {type: duckdb}}
  default_warehouse: here
  targets: {dev: {schema: a}, production: {schema: b}}
sources:
  app:
    table: events
    time: at
    event_name: event
    identity: {user: person}
    properties: {country: string, colour: string}
events:
  joined: {source: app}
  bought: {source: app}
metrics:
  joins: {type: usage, event: joined, cache: 1 day}
  buys: {type: usage, event: bought, cache: {stale: 2 days}}
  comeback: {type: retention, start: {event: joined}, return: {event: bought}, grain: week}
cohorts:
  buyers: {all_of: [{on: bought}]}
boards:
  shop:
    cards:
      joins: {metric: joins, last: 8 weeks, grain: week}
      buys: {metric: buys, last: 7 days}
"""


def model_of(folder: Path, warmups: str) -> SemanticModel:
    (folder / "project.yml").write_text(PROJECT, "utf-8")
    (folder / "warmups.yml").write_text(f"warmups:\n{warmups}", "utf-8")
    return load_model(folder)[0]


def questions(model: SemanticModel, name: str = "a") -> list[MetricQuery]:
    return [one.query for one in planned(model, warmup_named(model, name))]


def names(model: SemanticModel, name: str = "a") -> list[str]:
    return [one.name for one in planned(model, warmup_named(model, name))]


def test_metrics_are_asked_over_every_range_by_every_grain_and_breakdown(tmp_path: Path) -> None:
    model = model_of(
        tmp_path,
        "  a: {metrics: [joins, buys], ranges: [30 days, {from: 2026-01-01, to: 2026-01-31}], grains: [day, week],"
        " breakdowns: [[], country, [country, colour]]}",
    )
    found = questions(model)
    assert len(found) == len(set(found)) == 2 * 2 * 2 * 3
    assert {one.metric for one in found} == {"joins", "buys"}
    assert {one.grain for one in found} == {Grain.DAY, Grain.WEEK}
    days = Between(date(2026, 1, 1), date(2026, 1, 31))
    assert {one.time for one in found} == {Last(Duration(30, "day")), days}
    assert {one.by for one in found} == {(), ("country",), ("country", "colour")}
    assert names(model)[5] == "joins by week by country, colour, last 30 days"


def test_boards_and_cards_are_asked_as_they_stand(tmp_path: Path) -> None:
    model = model_of(
        tmp_path, "  a: {cards: [shop.buys], boards: [shop], questions: {q: {metric: buys, by: [colour]}}}"
    )
    assert names(model) == ["shop.joins", "shop.buys", "q"]  # The card of the board is asked once.
    joins, buys, by_size = questions(model)
    assert joins == MetricQuery("joins", time=Last(Duration(8, "week")), grain=Grain.WEEK)
    assert buys == MetricQuery("buys", time=Last(Duration(7, "day")))
    assert by_size == MetricQuery("buys", by=("colour",))


def test_ranges_take_the_place_of_those_of_cards(tmp_path: Path) -> None:
    model = model_of(tmp_path, "  a: {boards: [shop], ranges: [1 month, {last: 2 weeks, exclude_current: true}]}")
    month, weeks = Last(Duration(1, "month")), Last(Duration(2, "week"), exclude_current=True)
    assert [(one.metric, one.time) for one in questions(model)] == [
        ("joins", month),
        ("buys", month),
        ("joins", weeks),
        ("buys", weeks),
    ]
    assert names(model)[-1] == "shop.buys, last 2 weeks without the current"


def test_a_plain_warmup_takes_the_short_forms(tmp_path: Path) -> None:
    model = model_of(tmp_path, '  a: {metrics: [buyers], schedule: "*/10 7-19 * * MON-FRI", replay: 3}')
    warmup = model.warmups["a"]
    assert warmup.schedule is not None
    assert (warmup.schedule.cron, warmup.schedule.timezone) == ("*/10 7-19 * * MON-FRI", None)
    assert questions(model) == [MetricQuery("buyers")]
    assert (warmup.replay, warmup.at_once, warmup.on_new_data) == (3, 4, False)


def test_what_warmups_name_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as raised:
        model_of(
            tmp_path,
            "  a: {boards: [shp], metrics: [joiners], target: prod, warehouse: theer}\n"
            "  b: {cards: [shop.joiners, shp.joins], questions: {q: {metric: buy}}}\n",
        )
    assert str(raised.value).splitlines() == [
        "warmups.yml:2:16  there is no board `shp`",
        "    Did you mean `shop`?",
        "warmups.yml:2:32  there is no metric or cohort `joiners`",
        "    Did you mean `joins`?",
        "warmups.yml:2:50  `prod` is not a target of the project",
        "    The targets are `dev`, `production`.",
        "warmups.yml:2:67  `theer` is not a warehouse of the project",
        "    Did you mean `there`?",
        "warmups.yml:3:15  board `shop` has no card `joiners`",
        "    Did you mean `joins`?",
        "warmups.yml:3:29  there is no board `shp`",
        "    Did you mean `shop`?",
        "warmups.yml:3:65  there is no metric or cohort `buy`",
        "    Did you mean `buys`?",
    ]


def test_what_cannot_be_asked_is_told_where_it_stands(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as raised:
        model_of(
            tmp_path,
            "  a: {metrics: [joins], breakdowns: [[], contry, [colour, contry]]}\n"
            "  b: {metrics: [joins, comeback], grains: [week, hour]}\n"
            "  c: {boards: [shop], ranges: [30 days, 90 years]}\n"
            "  d: {questions: {q: {metric: joins, measures: [totl]}}}\n",
        )
    told = str(raised.value).splitlines()
    assert [one.split("  ")[0] for one in told if not one.startswith(" ")] == [
        "warmups.yml:2:42",
        "warmups.yml:2:59",
        "warmups.yml:3:50",
        "warmups.yml:4:41",
        "warmups.yml:5:22",
    ], told
    assert told[:2] == [
        "warmups.yml:2:42  joins: there is no property `contry` to break down by",
        "    Did you mean `country`?",
    ]
    assert told[-2:] == [
        "warmups.yml:5:22  `q`: joins: there is no measure `totl` on this usage metric",
        "    Did you mean `total`?",
    ]


def test_a_warmup_has_an_end(tmp_path: Path) -> None:
    ranges = ", ".join(f"{n} days" for n in range(1, 1_100))
    with pytest.raises(DefinitionError, match="warmup `a` asks more than 2000 questions"):
        model_of(tmp_path, f"  a: {{metrics: [joins, buys], ranges: [{ranges}]}}")


def test_a_warmup_that_is_not_there(tmp_path: Path) -> None:
    model = model_of(tmp_path, "  morning: {boards: [shop]}")
    with pytest.raises(QueryError, match="there is no warmup `mornin`") as raised:
        warmup_named(model, "mornin")
    assert raised.value.problems[0].fix == "Did you mean `morning`?"


def test_how_long_answers_are_kept(tmp_path: Path) -> None:
    model = model_of(tmp_path, "  a: {boards: [shop]}")
    hour, day = timedelta(hours=1), timedelta(days=1)
    assert model.cache_times(model.metrics["joins"]) == CacheTimes(day, hour)
    assert model.cache_times(model.metrics["buys"]) == CacheTimes(timedelta(minutes=10), 2 * day)
    assert model.cache_times(model.cohorts["buyers"]) == CacheTimes(timedelta(minutes=10), hour)


def test_cron_lines_mean_what_the_documentation_says() -> None:
    berlin = ZoneInfo("Europe/Berlin")

    def first(line: str, *after: int) -> datetime:
        return next(CronSim(line, datetime(*after, tzinfo=berlin)))  # type: ignore[arg-type]

    assert first("0 6 * * 0", 2026, 1, 1) == first("0 6 * * 7", 2026, 1, 1) == datetime(2026, 1, 4, 6, tzinfo=berlin)
    assert first("0 6 13 * 5", 2026, 1, 1) == datetime(2026, 1, 2, 6, tzinfo=berlin)  # Either: the Friday before.
    assert first("0 6 * * 1#2", 2026, 1, 1) == datetime(2026, 1, 12, 6, tzinfo=berlin)
    assert first("0 6 L * *", 2026, 2, 1) == datetime(2026, 2, 28, 6, tzinfo=berlin)
    # Half past two does not exist on 29 March 2026, and comes twice on 25 October.
    assert first("30 2 * * *", 2026, 3, 28, 12).astimezone(ZoneInfo("UTC")).isoformat() == "2026-03-29T01:00:00+00:00"
    twice = CronSim("30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=berlin))
    assert [(next(twice)).date() for _ in range(2)] == [date(2026, 10, 25), date(2026, 10, 26)]
