"""`board(name)`: all cards of a board by one fixed document, and their metrics as any others."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest

from graphql_schema.asking import NOW, project_of, streaming, streaming_folder
from metrics_api.graphql_schema.context import RequestContext, RequestLimits
from metrics_api.graphql_schema.layout import camel
from metrics_api.graphql_schema.layouts import layout_of
from metrics_api.graphql_schema.scalars import row_values, write_big_integer, write_decimal
from metrics_api.graphql_schema.schema import build_schema
from metrics_api.results import Answer
from metrics_api.serving.boards import answers_of_board
from metrics_api.serving.project import Project, load_project
from metrics_api.serving.service import Service

DOCUMENT = """query Board($name: BoardName!, $cards: [String!], $time: TimeInput, $asOf: DateTime) {
  board(name: $name, cards: $cards, time: $time, asOf: $asOf) {
    name label description owner
    cards {
      name label description question metric type class unit format
      parts { name description columns { name type description } rows }
      info { asOf dataThrough from to timezone conventions sql rowCount truncated }
      error { message code }
    }
  }
}"""


def ask(project: Project, document: str = DOCUMENT, limits: RequestLimits | None = None, **variables: Any) -> Any:
    schema = build_schema(project.model, project.definitions)
    context = RequestContext(Service(project), limits or RequestLimits())
    return asyncio.run(schema.execute(document, variables, context_value=context))


def board(project: Project, **variables: Any) -> dict[str, Any]:
    found = ask(project, **variables)
    assert not found.errors, found.errors
    told: dict[str, Any] = found.data["board"]
    return told


def written(value: object) -> object:
    match value:
        case bool() | None | str() | float():
            return value
        case int():
            return write_big_integer(value)
        case datetime():
            return f"{value.isoformat()}Z"
    return str(value) if hasattr(value, "isoformat") else write_decimal(value)  # type: ignore[arg-type]


def test_one_request_answers_every_card() -> None:
    project, _ = streaming()
    told = board(project, name="ENGAGEMENT")
    assert (told["name"], told["label"], told["owner"]) == ("engagement", "Engagement", "product")
    assert [one["name"] for one in told["cards"]] == list(project.model.boards["engagement"].cards)
    for card, one in zip(told["cards"], answers_of_board(project, "engagement"), strict=True):
        assert card["error"] is None
        assert isinstance(one.answer, Answer)
        assert card["class"] == one.card.metric.metric_class.name
        assert card["type"] == one.card.metric.type
        assert card["question"]
        assert card["info"]["conventions"]
        assert card["info"]["sql"]
        assert [part["name"] for part in card["parts"]] == list(one.answer.parts)
        for part in card["parts"]:
            table = one.answer.parts[part["name"]]
            assert [column["name"] for column in part["columns"]] == table.column_names
            assert all(column["description"] for column in part["columns"] if column["name"] != "channel")
            assert part["description"]
            assert part["rows"] == [{name: written(value) for name, value in row.items()} for row in table.to_pylist()]


def test_only_some_cards_in_another_range() -> None:
    time = {"between": {"from": "2025-10-01", "to": "2025-10-07"}}
    told = board(streaming()[0], name="ENGAGEMENT", cards=["growth", "sign_ups"], time=time)
    assert [one["name"] for one in told["cards"]] == ["growth", "sign_ups"]
    growth, sign_ups = told["cards"]
    assert (growth["info"]["from"], growth["info"]["to"]) == ("2025-09-29", "2025-10-12")
    assert [row["period"] for row in sign_ups["parts"][0]["rows"]][::6] == ["2025-10-01", "2025-10-07"]


def test_what_it_says_of_itself_costs_no_question() -> None:
    project = load_project(streaming_folder(), clock=lambda: NOW)
    document = "{ board(name: ENGAGEMENT) { label cards { name question class } } }"
    found = ask(project, document)
    assert not found.errors
    assert project._warehouse is None
    assert found.data["board"]["cards"][0]["class"] == "ENGAGEMENT"


def test_one_card_that_fails_spares_the_others(tmp_path: Path) -> None:
    text = """\
version: 1
project: {name: shop, warehouses: {here: {type: duckdb, path: shop.duckdb}}}
sources:
  here: {table: events, time: seen, event_name: event, identity: {user: person}}
  there: {table: nowhere, time: seen, event_name: event, identity: {user: person}}
events: {buy: {source: here}, sell: {source: there}}
metrics:
  bought: {type: usage, event: buy}
  sold: {type: usage, event: sell}
boards:
  shop: {cards: {one: {metric: sold}, other: {metric: bought, grain: hour, last: 1 day}}}
"""
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        connection.execute("CREATE TABLE events AS SELECT 'buy' event, 'ann' person, TIMESTAMP '2025-11-03 08:30' seen")
    told = board(project_of(text, tmp_path), name="SHOP")
    failed, well = told["cards"]
    assert failed["error"]["code"] == "WAREHOUSE_ERROR"
    assert "nowhere" in failed["error"]["message"]
    assert (failed["parts"], failed["info"]) == ([], None)
    assert well["error"] is None
    assert well["parts"][0]["rows"][8] == {
        "period": "2025-11-03T08:00:00+00:00", "value": 1, "complete": False, "provisional": True,
    }  # fmt: skip


def test_boards_and_cards_that_are_not_there() -> None:
    project, _ = streaming()
    found = ask(project, name="ENGAGEMENT", cards=["grwoth"])
    (error,) = found.errors
    assert error.message == "board `engagement` has no card `grwoth`. Did you mean `growth`?"
    assert error.extensions["code"] == "UNKNOWN_NAME"
    found = ask(project, "{ board(name: SALES) { label } }")
    assert "Value 'SALES' does not exist in 'BoardName' enum" in found.errors[0].message


def test_cards_are_counted() -> None:
    document = "{ a: board(name: ENGAGEMENT) { cards { error { code } } } b: board(name: ENGAGEMENT) { label } }"
    found = ask(streaming()[0], document, RequestLimits(cards=17))
    (error,) = found.errors
    assert error.message == "more than 17 cards of boards in one request. Send several requests, or name fewer `cards`."
    assert error.extensions["code"] == "LIMIT_EXCEEDED"
    assert found.data == {"a": None, "b": {"label": "Engagement"}}


def test_what_no_json_can_hold_is_refused_and_what_it_would_round_is_text() -> None:
    table = pa.table({
        "count": [2**53 - 1, 2**53, None],
        "at": pa.array([datetime(2026, 1, 1), None, None], pa.timestamp("us")),
        "period": pa.array([datetime(2025, 10, 26, 0), datetime(2025, 10, 26, 1), None], pa.timestamp("us")),
    })  # fmt: skip
    columns = [("count", "integer"), ("at", "timestamp"), ("period", "period")]
    rows = row_values(table, columns, "Europe/Berlin")
    assert [row["count"] for row in rows] == [2**53 - 1, str(2**53), None]
    assert [row["at"] for row in rows] == ["2026-01-01T00:00:00Z", None, None]
    zone = ZoneInfo("Europe/Berlin")
    hours = [datetime(2025, 10, 26, hour, tzinfo=UTC).astimezone(zone).isoformat() for hour in (0, 1)]
    assert [row["period"] for row in rows] == [*hours, None]
    assert hours[0] != hours[1]  # The hour that is there twice.
    with pytest.raises(Exception, match="`rate` is not finite"):
        row_values(pa.table({"rate": [float("inf")]}), [("rate", "number")], "UTC")


def test_the_catalog_tells_of_boards_and_asks_no_warehouse() -> None:
    project, _ = streaming()
    found = ask(project, "{ catalog { boards { name label owner cards { name label question metric } } } }")
    (told,) = found.data["catalog"]["boards"]
    assert (told["name"], told["label"], told["owner"]) == ("engagement", "Engagement", "product")
    assert [one["name"] for one in told["cards"]] == list(project.model.boards["engagement"].cards)
    assert told["cards"][3] == {
        "name": "engaged_users_list",
        "label": "Engaged users, by name",
        "question": "Who are the most engaged people?",
        "metric": "engaged_users",
    }


def test_the_catalog_tells_of_warmups() -> None:
    project, _ = streaming()
    found = ask(project, "{ catalog { warmups { name label owner schedule timezone onNewData } } }")
    morning, breakdowns, asked_most = found.data["catalog"]["warmups"]
    assert morning == {
        "name": "morning",
        "label": "Before the day begins",
        "owner": "product",
        "schedule": "0 6 * * 1-5",
        "timezone": "Europe/Berlin",
        "onNewData": False,
    }
    assert (breakdowns["label"], breakdowns["schedule"], breakdowns["timezone"]) == ("Breakdowns", "30 5 * * *", "UTC")
    assert (asked_most["schedule"], asked_most["onNewData"]) == (None, True)


def test_a_project_without_boards_has_no_such_field(tmp_path: Path) -> None:
    text = "version: 1\nproject: {name: shop, warehouses: {here: {type: duckdb, path: shop.duckdb}}}\n"
    project = project_of(text, tmp_path)
    found = ask(project, "{ board(name: A) { label } }")
    assert "Cannot query field 'board'" in found.errors[0].message


def test_metrics_of_a_template_are_asked_as_any_other(tmp_path: Path) -> None:
    """One ordinary document, typed, with a field for each of them; and their numbers are the board's."""
    text = """\
version: 1
project:
  {name: shop, sign_up: joined, value_moment: bought, warehouses: {here: {type: duckdb, path: shop.duckdb}}}
sources:
  app: {table: events, time: seen, event_name: event, identity: {user: person}, properties: {channel: string}}
events: {joined: {source: app}, bought: {source: app}}
boards: {kpis: {template: company_kpis}}
"""
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        connection.execute(
            "CREATE TABLE events AS SELECT CASE WHEN k % 3 = 0 THEN 'joined' ELSE 'bought' END AS event, "
            "'p' || (k % 17) AS person, TIMESTAMP '2025-11-03 08:00' - INTERVAL (k * 7) HOUR AS seen, "
            "'c' || (k % 3) AS channel FROM range(300) AS t (k)"
        )
    project = project_of(text, tmp_path)
    fields = []
    for metric in project.model.metrics.values():
        layout = layout_of(metric, project.model)
        names = " ".join(f"{camel(one.part)} {{ __typename }}" for one in layout.tables)
        shown = "cohorts { __typename }" if layout.shape == "retention" else names
        fields.append(f"{camel(metric.name)} {{ {shown} info {{ rowCount }} }}")
    assert len(fields) <= RequestLimits().metrics
    found = ask(project, f"{{ metrics {{ {' '.join(fields)} }} }}")
    assert not found.errors, found.errors
    assert all(one["info"] for one in found.data["metrics"].values())
    actives = "{ metrics { kpisDailyActives(time: {last: {n: 30, unit: DAY}}) { rows { value } } } }"
    alone = [row["value"] for row in ask(project, actives).data["metrics"]["kpisDailyActives"]["rows"]]
    (card,) = board(project, name="KPIS", cards=["daily_actives"])["cards"]
    assert [row["value"] for row in card["parts"][0]["rows"]] == alone
    assert any(alone)
