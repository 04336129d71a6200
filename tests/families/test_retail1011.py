"""A year of real orders and cancellations: what our statements answer is what the oracles find, person by person.

The file is not part of the repository; without it this is skipped. The oracles take their time: one in five people is
looked at, with all that they did; with METRICS_API_RETAIL_SHARE=1 everybody is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pytest

from families.asking import KnownThrough
from families.engines import ENGINES, warehouse_with
from families.oracles.active_users import Window, active_users
from families.oracles.funnel import Funnel, Step, StepRow, funnel
from families.oracles.lifecycle import lifecycle
from families.oracles.retention import Retention, retention
from families.oracles.tiers import Amount, Days, Kind, Needs, Percentile, Tiered, Values
from families.oracles.usage import usage
from families.oracles.world import Event, World, named
from metrics_api.compile.project import load_model
from metrics_api.serving.asking import ask
from real_data import retail

SHARE = int(os.environ.get("METRICS_API_RETAIL_SHARE", "5"))
LAST_EVENT = datetime(2011, 12, 9, 12, 50)
FIRST, LAST = date(2011, 1, 3), date(2011, 12, 11)
"""Weeks, the first of which has another before it, up to the one the data ends in."""
DEFINITIONS = """\
version: 1
project:
  name: retail
  timezone: Europe/London
  warehouses: {tests: {type: ENGINE}}
sources:
  orders:
    table: orders
    time: event_time
    event_name: event_name
    event_id: {column: event_id, unique: true}
    identity: {user: {column: user_id, type: string}}
    properties:
      country: string
      category: string
      spend: {type: integer, column: pence}
events:
  order_placed: {source: orders}
  order_cancelled: {source: orders}
metrics:
  ordered: {type: usage, event: order_placed, measure: users}
  buyers: {type: active_users, on: order_placed, window: 28 days}
  growth: {type: lifecycle, on: order_placed}
  regulars: {type: lifecycle, on: order_placed, at_least: 2}
  regret:
    type: funnel
    steps: {ordered: {event: order_placed}, cancelled: {event: order_cancelled}}
    within: 7 days
  regret_of_first:
    type: funnel
    steps: {ordered: {event: order_placed}, cancelled: {event: order_cancelled}}
    within: 7 days
    entry: first
  habits:
    type: frequency
    on: order_placed
    window: 90 days
    tiers: {power: 6, core: 3, casual: 1}
  kinds:
    type: breadth
    on: order_placed
    property: category
    window: 90 days
    tiers: {all_sizes: 3, some_sizes: 2}
  spenders:
    type: depth
    on: order_placed
    measure: sum(spend)
    window: 90 days
    tiers: {power: p90, core: p50, casual: p25}
  weekly_return:
    type: retention
    start: {event: order_placed}
    return: {event: order_placed}
    grain: week
    periods: 12
    cohort: first_time
  rolling_return:
    type: retention
    start: {event: order_placed}
    return: {event: order_placed}
    grain: week
    periods: 12
    clock: rolling
    cohort: recurring
    mode: on_or_after
"""


@cache
def orders() -> pa.Table:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='UTC'")
        # Whole pence: sums of doubles differ in their last digit by the order in which they are added.
        columns = (
            "event_id, user_id, event_name, timezone('UTC', event_time) AS event_time, "
            "CAST(ROUND(value * 100) AS BIGINT) AS pence, category, country"
        )
        some = f"CAST(user_id AS INTEGER) % {SHARE} = 0"
        return connection.sql(f"SELECT {columns} FROM '{retail()}' WHERE {some}").to_arrow_table()


@cache
def world() -> World:
    """The orders as the oracles see them."""
    events = tuple(
        Event(
            row["event_name"],
            row["user_id"],
            row["event_time"],
            {"country": row["country"], "category": row["category"], "spend": row["pence"]},
        )
        for row in orders().to_pylist()
    )
    assert max(one.at for one in events) == LAST_EVENT
    return World(events, "Europe/London", 0, LAST_EVENT)


@pytest.fixture(scope="module", params=ENGINES)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> KnownThrough:
    table = orders()
    folder = tmp_path_factory.mktemp("retail")
    (folder / "project.yml").write_text(DEFINITIONS.replace("ENGINE", request.param), "utf-8")
    model, definitions = load_model(folder)
    asked = KnownThrough(model, definitions, Path(), clock=lambda: LAST_EVENT)
    asked.through = LAST_EVENT
    asked._warehouse = warehouse_with(request.param, {"orders": table})
    return asked


def rows(project: KnownThrough, metric: str, **words: Any) -> list[dict[str, Any]]:
    answer = project.answer(ask(metric, start=FIRST, end=LAST, **words))
    return next(iter(answer.parts.values())).to_pylist()  # type: ignore[no-any-return]


def test_weekly_uniques(project: KnownThrough) -> None:
    found = rows(project, "ordered", grain="week", measures="value,total,sum_spend,per_user_median", by="category")
    expected = usage(
        world(), named("order_placed"), FIRST, LAST, "week", amount="spend", breakdown=("category",), percentiles=(0.5,)
    ).rows
    assert [(row["period"], row["category"], row["value"], row["total"], row["complete"]) for row in found] == [
        (one.bucket.label, *one.labels, one.measures.users, one.measures.total, one.complete) for one in expected
    ]
    assert [row["sum_spend"] for row in found] == [one.measures.sum for one in expected]
    medians = [one.measures.per_user.percentiles[0.5] for one in expected]
    assert [row["per_user_median"] for row in found] == medians


def test_buyers_of_four_weeks(project: KnownThrough) -> None:
    found = rows(project, "buyers", grain="week")
    expected = active_users(world(), named("order_placed"), FIRST, LAST, "week", Window(28, "day")).rows
    assert [(row["period"], row["value"]) for row in found] == [(one.bucket.label, one.users) for one in expected]


@pytest.mark.parametrize("grain", ["week", "month"])
@pytest.mark.parametrize(("metric", "at_least"), [("growth", 1), ("regulars", 2)])
@pytest.mark.parametrize("by", [(), ("category",)])
def test_lifecycle(project: KnownThrough, metric: str, at_least: int, grain: Any, by: tuple[str, ...]) -> None:
    names = ("new", "returning", "resurrecting", "dormant", "dormant_stock", "active")
    found = rows(project, metric, grain=grain, by=by)
    expected = lifecycle(world(), named("order_placed"), FIRST, LAST, grain, at_least=at_least, breakdown=by)
    assert [(row["period"], *(row[name] for name in (*by, *names)), row["complete"]) for row in found] == [
        (one.bucket.label, *one.labels, *(len(getattr(one.states, name)) for name in names), one.complete)
        for one in expected
    ]
    assert any(row["resurrecting"] > row["new"] for row in found)


def steps_within_a_week(entry: Literal["any", "first"]) -> tuple[StepRow, ...]:
    steps = (Step("ordered", named("order_placed")), Step("cancelled", named("order_cancelled")))
    spec = Funnel(steps, timedelta(days=7), overlapping=False, entry=entry)
    (found,) = funnel(world(), spec, FIRST, LAST).values()
    return found


@pytest.mark.parametrize(("metric", "entry"), [("regret", "any"), ("regret_of_first", "first")])
def test_cancellations_within_a_week(project: KnownThrough, metric: str, entry: Literal["any", "first"]) -> None:
    expected = steps_within_a_week(entry)
    found = rows(project, metric, measures="seconds_from_entry_median,seconds_from_entry_p90")
    names = ("entered", "converted", "dropped", "pending", "mature_entered")
    assert [tuple(row[name] for name in names) for row in found] == [
        tuple(getattr(one, name) for name in names) for one in expected
    ]
    assert found[1]["seconds_from_entry_median"] == pytest.approx(expected[1].from_entry.percentiles[0.5])
    assert found[1]["seconds_from_entry_p90"] == pytest.approx(expected[1].from_entry.percentiles[0.9])


def test_the_best_attempt_and_the_first_one_differ_widely(project: KnownThrough) -> None:
    """Who orders often cancels some order some day, and seldom the first: the choice of attempt is no detail."""
    best, first = (rows(project, metric)[1] for metric in ("regret", "regret_of_first"))
    assert best["entered"] == first["entered"]
    assert best["converted"] > 2 * first["converted"] > 0


TIERS: Mapping[str, tuple[Kind, Mapping[str, Needs]]] = {
    "habits": (
        Days(named("order_placed")),
        {"power": Fraction(6), "core": Fraction(3), "casual": Fraction(1)},
    ),
    "kinds": (Values(named("order_placed"), "category"), {"all_sizes": Fraction(3), "some_sizes": Fraction(2)}),
    "spenders": (
        Amount(named("order_placed"), "spend"),
        {"power": Percentile(90), "core": Percentile(50), "casual": Percentile(25)},
    ),
}


@pytest.mark.parametrize("metric", TIERS)
def test_tiers(project: KnownThrough, metric: str) -> None:
    kind, tiers = TIERS[metric]
    asked = Tiered(world(), kind, tiers, Window(90, "day"), date(2011, 4, 1), date(2011, 11, 30), "month")
    words = {"start": asked.first, "end": asked.last, "grain": "month"}
    answer = project.answer(ask(metric, parts="rows,thresholds,migration", **words))  # type: ignore[arg-type]
    found = {part: table.to_pylist() for part, table in answer.parts.items()}
    assert [(row["period"], row["tier"], row["users"], row["complete"]) for row in found["rows"]] == [
        (period, tier, users, complete) for period, tier, users, *_, complete in asked.rows()
    ]
    assert [row["at_least"] for row in found["thresholds"]] == pytest.approx(
        [float(least) for _, _, least, _ in asked.all_thresholds()]
    )
    moved = {(row["period"], row["from"], row["to"]): row["users"] for row in found["migration"]}
    assert moved == asked.migration()
    assert all(row["users"] for row in found["rows"] if row["tier"] in tiers)


RETENTION: Mapping[str, Retention] = {
    "weekly_return": Retention(
        named("order_placed"), named("order_placed"), tuple(range(13)), first_time=True, copies_matter=False
    ),
    "rolling_return": Retention(
        named("order_placed"), named("order_placed"), tuple(range(13)), "on_or_after", rolling=True, first_time=False
    ),
}


@pytest.mark.parametrize("metric", RETENTION)
def test_retention(project: KnownThrough, metric: str) -> None:
    first, last = date(2011, 6, 6), date(2011, 11, 27)
    cells, pooled = retention(world(), RETENTION[metric], first, last, "week")
    answer = project.answer(ask(metric, start=first, end=last, parts="cells,average"))
    names = ("period_index", "size", "users", "complete")
    assert [(row["start"], *(row[name] for name in names)) for row in answer.parts["cells"].to_pylist()] == [
        (one.bucket.label, one.index, one.size, one.users, one.complete) for one in cells
    ]
    average = answer.parts["average"].to_pylist()
    assert [(row["period_index"], row["cohorts"]) for row in average] == [(one.index, one.cohorts) for one in pooled]
    assert [row["rate"] for row in average] == pytest.approx([one.users / one.size for one in pooled if one.users])
