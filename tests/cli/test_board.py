"""`metrics-api board`, and the whole way: two event names, a folder by `init`, one request to the real server."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from metrics_api import create_app
from metrics_api.compile.project import load_model
from metrics_api.serving.boards import answers_of_board
from metrics_api.serving.project import load_project
from tests.cli.conftest import Invoke

MARCH = datetime(2026, 4, 1, 6)
DOCUMENT = """query Board($asOf: DateTime) { board(name: COMPANY_KPIS, asOf: $asOf) { label cards {
  name label question class metric error { message code } info { asOf from to sql }
  parts { name columns { name type } rows } } } }"""
QUESTIONS = {
    "How many people experience value, and how often?",
    "Who are the most engaged people?",
    "Who are the power, core and casual users?",
    "How many people get to a value moment, and how soon?",
    "What do people do between signing up and value?",
    "What happens to people who do not reach a value moment?",
    "How often is the product used?",
}
"""Those of the guide; the others are about who comes, comes back and does not."""


@pytest.fixture
def mine(streaming: Path, tmp_path: Path, invoke: Invoke) -> Path:
    """A folder of two event names over the streaming data."""
    words = ("--sign-up", "sign_up", "--value-moment", "watched", "--table", "app_events", "--time", "occurred_at")
    return made(
        tmp_path,
        invoke,
        *words,
        "--event-name",
        "event",
        "--property",
        "channel",
        "--path",
        str(streaming / "streaming.duckdb"),
    )


@pytest.fixture
def shop(cdnow: Path, tmp_path: Path, invoke: Invoke) -> Path:
    """The same over real purchases: a sign-up is the first one."""
    words = (
        "--sign-up",
        "first:purchase",
        "--value-moment",
        "purchase",
        "--table",
        "purchases",
        "--time",
        "event_time",
    )
    return made(tmp_path, invoke, *words, "--event-name", "event_name", "--path", str(cdnow / "cdnow.duckdb"))


def made(folder: Path, invoke: Invoke, *words: str) -> Path:
    result = invoke(folder, "init", "mine", *words)
    assert result.exit_code == 0, result.stderr
    assert invoke(folder / "mine", "test").exit_code == 0
    return folder / "mine"


@contextmanager
def served(folder: Path, now: datetime) -> Iterator[str]:
    project = load_project(folder, clock=lambda: now)
    server = uvicorn.Server(uvicorn.Config(create_app(project), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        project.close()


def board(folder: Path, now: datetime, **variables: str) -> dict[str, Any]:
    """All cards in one request, by name."""
    with served(folder, now) as url:
        answer = httpx.post(f"{url}/graphql", json={"query": DOCUMENT, "variables": variables}, timeout=120).json()
    assert "errors" not in answer, answer["errors"]
    cards: dict[str, Any] = {one["name"]: one for one in answer["data"]["board"]["cards"]}
    assert {name: one["error"] for name, one in cards.items() if one["error"]} == {}
    assert {one["question"] for one in cards.values()} >= QUESTIONS
    return cards


def rows(card: Any, part: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = next(one["rows"] for one in card["parts"] if one["name"] == part)
    return found


def test_two_events_and_one_request_over_streaming(mine: Path) -> None:
    cards = board(mine, MARCH)
    project = load_project(mine, clock=lambda: MARCH)
    for one in answers_of_board(project, "company_kpis"):
        alone = project.answer(one.card.query)
        told = cards[one.card.name]
        for part, table in alone.parts.items():
            shown = rows(told, part)
            assert len(shown) == table.num_rows
            for name in table.column_names:
                values = [str(value) if hasattr(value, "isoformat") else value for value in table[name].to_pylist()]
                assert [row[name] for row in shown] == values, (one.card.name, part, name)
    project.close()
    (_, reached) = rows(cards["activation"], "steps")
    assert reached["entered"] > reached["converted"] > 0
    assert reached["seconds_from_entry_median"] > 0
    assert rows(cards["engaged_users_list"], "members")
    assert {"sign_up"} < {row["source"] for row in rows(cards["after_sign_up"], "rows")}
    assert rows(cards["instead_of_value"], "paths")
    channels = rows(cards["sign_ups_by_channel"], "overall")
    assert len(channels) > 1
    assert sum(row["value"] for row in channels) == sum(row["value"] for row in rows(cards["new_users"], "rows"))
    assert rows(cards["usage_interval"], "summary")[0]["zone"] is not None
    assert any(row["change"] is not None for row in rows(cards["new_users"], "rows"))


def test_two_names_of_one_event_and_one_request_over_real_purchases(shop: Path) -> None:
    """Published of this data: 23,570 customers, all of whom first bought in the first quarter of 1997."""
    cards = board(shop, MARCH, asOf="1997-06-30T23:59:59Z")
    (summary,) = rows(cards["usage_interval"], "summary")
    assert summary["returners"] > 0
    assert rows(cards["value_moments"], "overall")[0]["value"] > 0
    assert sum(row["value"] for row in rows(cards["new_users"], "rows")) == 0
    trend = rows(board(shop, MARCH, asOf="1997-03-31T23:59:59Z")["activation_trend"], "trend")
    assert sum(row["entered"] for row in trend) > 20_000
    everybody = load_project(shop).query(
        "company_kpis_activation", start="1997-01-01", end="1997-12-31", as_of="1998-06-30T23:59:59"
    )
    assert everybody["entered"][0].as_py() == 23_570


def test_as_tables(mine: Path, invoke: Invoke) -> None:
    words = ("--as-of", "2026-04-01T06:00:00", "--card", "activation", "--card", "retention")
    result = invoke(mine, "board", "company_kpis", *words)
    assert result.exit_code == 0, result.stderr
    said = result.stdout
    assert said.startswith(
        "ACTIVATION\nHow many people get to a value moment, and how soon?\ncompany_kpis_activation, "
    )
    assert "\nsteps\nstep " in said
    assert "VALUE RETENTION\n" in said
    assert "GROWTH" not in said


def test_as_json_the_numbers_are_those_of_query(mine: Path, invoke: Invoke) -> None:
    moment = ("--as-of", "2026-04-01T06:00:00")
    found = json.loads(invoke(mine, "board", "company_kpis", *moment, "--format", "json").stdout)
    assert found["label"] == "Company KPIs"
    assert [one["name"] for one in found["cards"]] == list(load_model(mine)[0].boards["company_kpis"].cards)
    weekly = next(one for one in found["cards"] if one["name"] == "weekly_actives")["parts"]["rows"]
    words = ("query", "company_kpis_weekly_actives", "--last", "30 days", *moment, "--format", "csv")
    alone = list(csv.DictReader(io.StringIO(invoke(mine, *words).stdout)))
    assert [(row["period"], "" if row["value"] is None else str(row["value"])) for row in weekly] == [
        (row["period"], row["value"]) for row in alone
    ]


def test_its_definitions_are_printed_and_can_be_taken_over(mine: Path, invoke: Invoke) -> None:
    before = load_model(mine)[0]
    text = invoke(mine, "board", "company_kpis", "--yaml").stdout
    assert "template" not in text
    (mine / "boards.yml").write_text(text, "utf-8")
    assert invoke(mine, "validate").exit_code == 0
    after = load_model(mine)[0]
    assert after.metrics.keys() == before.metrics.keys()
    assert {name: one.definition for name, one in after.metrics.items()} == {
        name: one.definition for name, one in before.metrics.items()
    }
    assert after.cohorts.keys() == before.cohorts.keys()
    assert dict(after.boards["company_kpis"].cards) == dict(before.boards["company_kpis"].cards)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["company"], "there is no board `company`\n    Did you mean `company_kpis`?"),
        (["company_kpis", "--card", "retntion"], "board `company_kpis` has no card `retntion`"),
        (["company_kpis", "--last", "7 days", "--from", "2026-01-01"], "a range is either `last` or `from` and `to`"),
    ],
)
def test_what_is_refused(words: list[str], message: str, mine: Path, invoke: Invoke) -> None:
    result = invoke(mine, "board", *words)
    assert result.exit_code == 1
    assert message in result.stderr


def test_a_card_without_an_answer_says_why(mine: Path, invoke: Invoke) -> None:
    words = ("--card", "value_moments", "--card", "growth")
    result = invoke(mine, "board", "company_kpis", *words, "--timezone", "Europe/Berln")
    assert result.exit_code == 1
    assert result.stdout.count("no answer: ") == 2
    assert "Did you mean `Europe/Berlin`?" in result.stdout
