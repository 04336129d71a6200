"""The catalog and the boards: as GraphQL tells them, and all cards of a board whatever becomes of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from graphql_schema.asking import ask as ask_graphql
from graphql_schema.asking import project_of
from metrics_api import create_app
from metrics_api.graphql_schema.layout import camel
from tests.web.rest.asking import get, refusals

DESCRIBED = "name label description owner deprecated { reason replacedBy }"
METRIC = f"""{DESCRIBED} tags type: type entity sources dependsOn {{ name kind }}"""
OF_METRIC = f"""{METRIC} field class unit format dependents measures {{ name type description }}
  parts {{ name description columns }} memberChoices {{ name type values }}
  dimensions {{ name type label description unit }}"""
QUERY = f"""{{ catalog {{
  project {{ name label description timezone weekStart }}
  metrics {{ {OF_METRIC} }}
  boards {{ name label description owner cards {{ name label question metric }} }}
  events {{ {DESCRIBED} tags source storedAs dependents }}
  sources {{ {DESCRIBED} tags table properties {{ name type label description unit }} }}
  cohorts {{ {METRIC.replace("type: type", "")} }}
}} }}"""
ENUMS = ("type", "class", "kind", "format", "weekStart")


def as_graphql(told: Any) -> Any:
    """What REST tells, in GraphQL's spelling: names in camel case, words of enums in capitals."""
    if isinstance(told, list):
        return [as_graphql(one) for one in told]
    if not isinstance(told, dict):
        return told
    return {camel(name): _spelled(camel(name), value) for name, value in told.items()}


def _spelled(name: str, value: Any) -> Any:
    return value.upper() if isinstance(value, str) and name in ENUMS else as_graphql(value)


def test_the_catalog_is_that_of_graphql() -> None:
    told = as_graphql(get("/v1/catalog").json())
    expected = ask_graphql(QUERY).data["catalog"]
    for one in expected["metrics"]:  # A family is a word of ours there, and no enum.
        one["type"] = one["type"].upper()
    for one in told["cohorts"]:
        assert one["type"] == "COHORT"
    assert {name: told[name] for name in ("project", "metrics", "boards", "events", "sources")} == {
        name: expected[name] for name in ("project", "metrics", "boards", "events", "sources")
    }
    assert [{name: one[name] for name in expected["cohorts"][0]} for one in told["cohorts"]] == expected["cohorts"]


def test_metrics_are_listed_by_class_type_and_tag() -> None:
    whole = get("/v1/metrics").json()["metrics"]
    assert whole == get("/v1/catalog").json()["metrics"]
    for name, values in (("class", ("usage", "engagement")), ("type", ("funnel", "ratio"))):
        for value in values:
            found = get(f"/v1/metrics?{name}={value}").json()["metrics"]
            assert found == [one for one in whole if one[name] == value]
            assert found
    assert get("/v1/metrics?tag=nothing").json()["metrics"] == []
    wrong = get("/v1/metrics?class=use&type=funnels&name=x")
    assert wrong.status_code == 400
    assert [parameter for _, parameter, _ in refusals(wrong)] == ["class", "type", "name"]


def test_a_metric_in_detail_is_that_of_graphql() -> None:
    told = as_graphql(get("/v1/catalog/metrics/activation").json())
    fields = f"{OF_METRIC} conventions sql lineage {{ kind name table columns {{ name namedBy }} }}"
    query = f'{{ catalog {{ metrics(name: "activation") {{ {fields} freshness {{ dataThrough }} }} }} }}'
    (expected,) = ask_graphql(query).data["catalog"]["metrics"]
    expected["type"] = expected["type"].upper()
    assert told.pop("dataThrough") == expected.pop("freshness")["dataThrough"]
    assert told == expected
    assert get("/v1/catalog/metrics/activatoin").status_code == 404


# -- boards ------------------------------------------------------------------------------------------------------------


def test_a_board_has_the_rows_of_its_cards() -> None:
    told = get("/v1/boards/engagement?last=3 weeks").json()
    board = """{ board(name: ENGAGEMENT, time: {last: {n: 3, unit: WEEK}}) { name label description owner cards {
      name label description question metric type class unit format error { message code }
      parts { name columns { name type description } rows }
    } } }"""
    expected = ask_graphql(board).data["board"]
    for card in told["cards"]:
        info = card.pop("info")
        assert info["from"] < info["to"]
        card["class"] = card["class"].upper()
        card["format"] = card["format"] and card["format"].upper()
        for part in card["parts"]:
            for column in part["columns"]:
                column["type"] = column["type"].upper()
    assert len(told["cards"]) > 5
    assert told == json.loads(json.dumps(expected))


def test_some_cards_of_a_board_in_another_zone() -> None:
    names = [one["name"] for one in get("/v1/catalog").json()["boards"][0]["cards"]][:2]
    told = get(f"/v1/boards/engagement?cards={names[1]},{names[0]}&from=2025-10-01&to=2025-10-31&timezone=UTC").json()
    assert [one["name"] for one in told["cards"]] == [names[1], names[0]]
    assert {one["info"]["timezone"] for one in told["cards"]} == {"UTC"}


@pytest.mark.parametrize(
    ("url", "status", "told"),
    [
        ("/v1/boards/engagment", 404, "there is no board `engagment`. Did you mean `engagement`?"),
        ("/v1/boards/engagement?cards=x", 400, "board `engagement` has no card `x`."),
        ("/v1/boards/engagement?to=2025-01-01", 400, "`to` is given without `from`."),
        ("/v1/boards/engagement?grain=week", 400, "there is no parameter `grain`."),
    ],
)
def test_boards_are_refused(url: str, status: int, told: str) -> None:
    response = get(url)
    assert response.status_code == status
    assert refusals(response)[0][2].startswith(told)


BOARD = """
project: {name: small, as_of: 2026-02-01, warehouses: {main: {type: duckdb, path: small.duckdb}}}
sources:
  here: {table: here, time: done, identity: {user: who}}
  gone: {table: gone, time: done, identity: {user: who}}
events: {done: {source: here}, lost: {source: gone}}
metrics:
  good: {type: usage, event: done}
  bad: {type: usage, event: lost}
boards:
  both: {cards: {one: {metric: good, last: 1 day}, two: {metric: bad, last: 1 day}}}
"""


def test_a_card_that_fails_spares_the_others(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "small.duckdb")) as connection:
        connection.execute("CREATE TABLE here AS SELECT TIMESTAMP '2026-01-31 10:00:00' AS done, 'ann' AS who")
    response = get("/v1/boards/both", app=create_app(project_of(BOARD, tmp_path)))
    assert response.status_code == 200
    one, two = response.json()["cards"]
    assert one["error"] is None
    assert two["error"]["code"] == "WAREHOUSE_ERROR"
    assert "gone" in two["error"]["message"]
    assert (two["parts"], two["info"]) == ([], None)
