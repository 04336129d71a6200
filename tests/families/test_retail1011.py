"""A year of real orders and cancellations: what our statements answer is what the oracles find, person by person.

The file is not part of the repository; without it this is skipped. The oracles take their time: one in five people is
looked at, with all that they did; with METRICS_API_RETAIL_SHARE=1 everybody is.
"""

from __future__ import annotations

import os
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from families.asking import KnownThrough
from families.engines import ENGINES, warehouse_with
from families.oracles.active_users import Window, active_users
from families.oracles.funnel import Funnel, Step, funnel
from families.oracles.lifecycle import lifecycle
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
      spend: {type: number, column: value}
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
"""


@cache
def orders() -> pa.Table:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='UTC'")
        columns = "event_id, user_id, event_name, timezone('UTC', event_time) AS event_time, value, category, country"
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
            {"country": row["country"], "category": row["category"], "spend": row["value"]},
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
    assert [row["sum_spend"] for row in found] == pytest.approx([one.measures.sum for one in expected])
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


def test_cancellations_within_a_week(project: KnownThrough) -> None:
    steps = (Step("ordered", named("order_placed")), Step("cancelled", named("order_cancelled")))
    spec = Funnel(steps, timedelta(days=7), overlapping=False)
    (expected,) = funnel(world(), spec, FIRST, LAST).values()
    found = rows(project, "regret", measures="seconds_from_entry_median,seconds_from_entry_p90")
    names = ("entered", "converted", "dropped", "pending", "mature_entered")
    assert [tuple(row[name] for name in names) for row in found] == [
        tuple(getattr(one, name) for name in names) for one in expected
    ]
    assert found[1]["seconds_from_entry_median"] == pytest.approx(expected[1].from_entry.percentiles[0.5])
    assert found[1]["seconds_from_entry_p90"] == pytest.approx(expected[1].from_entry.percentiles[0.9])
