"""Real purchases give the figures that were published of them, and the numbers an independent count gives."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest

import real_data
from metrics_api.compile.pipeline import rewritten
from metrics_api.datasets import copy_definitions, dataset
from metrics_api.families import families
from metrics_api.families.relations import AT, ENTITY, local_date, occurrences
from metrics_api.plan.expr import Agg, Col
from metrics_api.plan.nodes import Aggregate, Named, keep
from metrics_api.query.bind import bind
from metrics_api.serving.asking import ask
from metrics_api.serving.project import Project, load_project
from metrics_api.sql.lower import lower
from metrics_api.sql.render import render


@pytest.fixture(scope="module")
def cdnow(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("cdnow")
    chosen = dataset("cdnow")
    chosen.build(folder / chosen.warehouse_file)
    copy_definitions("cdnow", folder)
    return load_project(folder)


def test_cdnow_has_its_customers_and_transactions(cdnow: Project) -> None:
    answer = cdnow.answer(
        ask("purchases", start="1997-01-01", end="1998-06-30", grain="year", measures="total,users", parts="overall")
    )
    assert answer.parts["overall"].to_pylist() == [{"total": 69_659, "users": 23_570}]


def test_cdnow_sample_repeats_as_published(cdnow: Project) -> None:
    """Customers of the 1/10 sample by repeat purchase days up to 1997-09-30: 0..6 and 7 or more."""
    question = ask("purchases", start="1997-01-01", end="1997-09-30", where="in_sample")
    bound = bind(question, cdnow.model, families(), now=cdnow.clock(), limits=cdnow.limits)
    columns = {"entity": Col(ENTITY), "day": local_date(bound, Col(AT), bound.span)}
    events = occurrences(bound, bound.metric.spec.selection, bound.span, columns)
    days = Named("active_days", Aggregate(events, keep("entity", "day"), ()))
    people = Named("people", Aggregate(days, keep("entity"), (("days", Agg("count_rows")),)))
    histogram = Aggregate(people, keep("days"), (("users", Agg("count_rows")),))
    dialect = cdnow._engine.dialect
    sql = render(lower(rewritten(histogram, dialect), dialect), dialect, comment="days active")
    found: Counter[int] = Counter()
    for row in cdnow.warehouse().run(sql).table.to_pylist():
        found[min(row["days"] - 1, 7)] += row["users"]
    assert [found[k] for k in range(8)] == [1411, 439, 214, 100, 62, 38, 29, 64]


RETAIL_PROJECT = """
version: 1
project:
  name: retail
  timezone: Europe/London
  as_of: 2011-12-09T12:50:00
  warehouses: {here: {type: duckdb, path: retail.duckdb}}
sources:
  orders:
    table: orders
    time: event_time
    event_name: event_name
    event_id: {column: event_id, unique: true}
    identity: {user: user_id}
    properties: {country: string, spend: {type: number, column: value}}
events: {order_placed: {source: orders}, order_cancelled: {source: orders}}
metrics:
  orders_placed: {type: value_moment, moments: {placed: order_placed}, depth: sum(spend)}
  buyers: {type: active_users, on: orders_placed, window: 28 days}
  regret: {type: funnel, steps: {placed: order_placed, cancelled: order_cancelled}, within: 7 days}
"""


@pytest.fixture(scope="module")
def retail(tmp_path_factory: pytest.TempPathFactory) -> Project:
    file = real_data.retail()
    import duckdb

    folder = tmp_path_factory.mktemp("retail")
    with duckdb.connect(str(folder / "retail.duckdb")) as connection:
        connection.execute("SET TimeZone='UTC'")
        connection.execute(f"CREATE TABLE orders AS SELECT * FROM '{file}'")
    (folder / "project.yml").write_text(RETAIL_PROJECT, encoding="utf-8")
    return load_project(folder)


def events_of(project: Project) -> list[tuple[str, str, datetime]]:
    table = project.warehouse().run("SELECT user_id, event_name, event_time FROM orders").table
    return [(row["user_id"], row["event_name"], utc(row["event_time"])) for row in table.to_pylist()]


def utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant


def test_retail_weekly_people_are_those_of_a_plain_count(retail: Project) -> None:
    table = retail.query("orders_placed", start="2011-01-03", end="2011-10-30", grain="week", measures="total,users")
    people: dict[date, set[str]] = defaultdict(set)
    orders: Counter[date] = Counter()
    for user, name, at in events_of(retail):
        day = retail.model.calendar.local_date(at)
        if name == "order_placed" and date(2011, 1, 3) <= day <= date(2011, 10, 30):
            week = day - timedelta(days=day.weekday())
            people[week].add(user)
            orders[week] += 1
    assert [(row["period"], row["total"], row["users"]) for row in table.to_pylist()] == [
        (week, orders[week], len(people[week])) for week in sorted(orders)
    ]


def test_retail_buyers_of_four_weeks(retail: Project) -> None:
    days: dict[date, set[str]] = defaultdict(set)
    for user, name, at in events_of(retail):
        if name == "order_placed":
            days[retail.model.calendar.local_date(at)].add(user)
    for row in retail.query("buyers", start="2011-03-20", end="2011-08-20").to_pylist():
        window = [row["period"] - timedelta(days=back) for back in range(28)]
        assert row["value"] == len(set().union(*(days[day] for day in window))), row


def test_retail_cancellations_by_the_best_attempt(retail: Project) -> None:
    placed: dict[str, list[datetime]] = defaultdict(list)
    cancelled: dict[str, list[datetime]] = defaultdict(list)
    for user, name, at in events_of(retail):
        (placed if name == "order_placed" else cancelled)[user].append(at)
    week = timedelta(days=7)
    took = []
    for user, orders in placed.items():
        pairs = [(c, o) for c in cancelled[user] for o in orders if timedelta(0) <= c - o <= week]
        if pairs:
            first = min(c for c, _ in pairs)
            took.append((first - max(o for c, o in pairs if c == first)).total_seconds())
    steps = retail.query("regret", start="2010-12-01", end="2011-12-09").to_pylist()
    assert steps[0]["converted"] == len(placed)
    assert steps[1]["converted"] == len(took)
    assert steps[1]["seconds_from_entry_average"] == pytest.approx(sum(took) / len(took))
    assert steps[1]["entered"] == steps[1]["converted"] + steps[1]["dropped"] + steps[1]["pending"]
