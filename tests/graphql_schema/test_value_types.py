"""Properties of every type: filtered exactly, broken down by, summed, and large."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from graphql_schema.asking import Asked, ask, project_of
from metrics_api.graphql_schema.schema import MetricsSchema, build_schema
from metrics_api.serving.project import Project

TEXT = """
version: 1
project:
  name: types
  warehouses: {here: {type: duckdb, path: w.duckdb}}
sources:
  events:
    table: events
    time: at
    event_name: event
    identity: {user: user_id}
    properties:
      word: string
      ratio: number
      count: integer
      price: decimal
      flag: boolean
      paid_at: timestamp
      born_on: date
events:
  e: {source: events}
metrics:
  things: {type: usage, event: e}
  revenue: {type: usage, event: e, measure: sum(price)}
  counted: {type: usage, event: e, measure: sum(count)}
"""

ROWS = """
CREATE TABLE events AS
SELECT 'u' || n AS user_id, 'e' AS event, TIMESTAMP '2025-11-01 10:00:00' AS at, word, ratio, count, price, flag,
    CAST(paid_at AS TIMESTAMP) AS paid_at, CAST(born_on AS DATE) AS born_on
FROM (VALUES
    (1, 'a', 0.5::DOUBLE, 9007199254740991::BIGINT, 0.10::DECIMAL(18, 2), true, '2025-01-01 00:00:00', '2000-02-29'),
    (2, 'b', 1.5, 9007199254740992, 0.20, false, '2025-01-01 12:00:00', '1999-12-31'),
    (3, 'ç', -2.0, 7, 19.99, NULL, NULL, NULL)
) AS found(n, word, ratio, count, price, flag, paid_at, born_on)
"""


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, MetricsSchema]]:
    folder: Path = tmp_path_factory.mktemp("types")
    with duckdb.connect(str(folder / "w.duckdb")) as warehouse:
        warehouse.execute(ROWS)
    project = project_of(TEXT, folder)
    yield project, build_schema(project.model)
    project.close()


def things(types: tuple[Project, MetricsSchema], where: dict[str, Any]) -> Asked:
    query = "query ($where: EventsFilter) { metrics { things(where: $where) { overall { value } } } }"
    return ask(query, {"where": where}, of=types)


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ({"word": {"in": ["a", "ç"]}}, 2),
        ({"word": {"like": "_"}}, 3),
        ({"word": {"ge": "b"}}, 2),
        ({"ratio": {"lt": 0.5}}, 1),
        ({"ratio": {"eq": 1.5}}, 1),
        ({"count": {"eq": 9007199254740991}}, 1),
        ({"count": {"gt": "9007199254740991"}}, 1),
        ({"count": {"in": ["9007199254740992", 7]}}, 2),
        ({"price": {"eq": "0.1"}}, 1),
        ({"price": {"gt": "0.10", "le": 19.99}}, 2),
        ({"price": {"in": ["0.2", "19.99", "1"]}}, 2),
        ({"flag": {"eq": True}}, 1),
        ({"flag": {"ne": True}}, 2),
        ({"flag": {"isNull": True}}, 1),
        ({"flag": {"isNull": False}}, 2),
        ({"paidAt": {"ge": "2025-01-01T13:00:00+01:00"}}, 1),
        ({"paidAt": {"lt": "2025-01-01T12:00:00Z"}}, 1),
        ({"bornOn": {"eq": "2000-02-29"}}, 1),
        ({"bornOn": {"notIn": ["2000-02-29"]}}, 2),
        ({"or": [{"flag": {"eq": True}}, {"word": {"eq": "b"}}], "not": {"ratio": {"gt": 1}}}, 1),
    ],
)
def test_filters_of_every_type(types: tuple[Project, MetricsSchema], where: dict[str, Any], count: int) -> None:
    assert things(types, where).metrics == {"things": {"overall": {"value": count}}}


@pytest.mark.parametrize(
    "where",
    [
        {"count": {"eq": 1.5}},
        {"count": {"eq": "1e3"}},
        {"price": {"eq": "a lot"}},
        {"flag": {"eq": "true"}},
        {"flag": {"lt": True}},
        {"paidAt": {"eq": "noon"}},
        {"bornOn": {"eq": "29.02.2000"}},
        {"ratio": {"eq": "0.5"}},
        {"ratio": {"like": "%"}},
        {"word": {"eq": 1}},
    ],
)
def test_values_of_another_type(types: tuple[Project, MetricsSchema], where: dict[str, Any]) -> None:
    assert things(types, where).refusal[0] == "QUERY_INVALID"


def test_large_and_exact_numbers(types: tuple[Project, MetricsSchema]) -> None:
    body = "overall { value sum { count price } max { count price } average { price } } columns { value }"
    answer = ask(f"{{ metrics {{ revenue {{ {body} }} counted {{ overall {{ value }} }} }} }}", of=types).metrics
    overall = answer["revenue"]["overall"]
    assert overall["value"] == overall["sum"]["price"] == "20.29"
    assert overall["max"] == {"count": "9007199254740992", "price": "19.99"}
    assert overall["average"]["price"] == pytest.approx(20.29 / 3)
    assert overall["sum"]["count"] == str(9007199254740991 + 9007199254740992 + 7)
    assert answer["counted"]["overall"]["value"] == overall["sum"]["count"]
    assert "20.29" in answer["revenue"]["columns"]["value"]


@pytest.mark.parametrize("name", ["word", "ratio", "count", "price", "flag", "paidAt", "bornOn"])
def test_breakdowns_of_every_type_are_text(types: tuple[Project, MetricsSchema], name: str) -> None:
    value = {"paidAt": "PAID_AT", "bornOn": "BORN_ON"}.get(name, name.upper())
    groups = ask(f"{{ metrics {{ things(by: [{value}]) {{ overallBy {{ {name} value }} }} }} }}", of=types).metrics
    labels = [one[name] for one in groups["things"]["overallBy"]]
    assert len(labels) == 3
    assert all(isinstance(label, str) for label in labels)
    assert ("(none)" in labels) is (name in ("flag", "paidAt", "bornOn"))
