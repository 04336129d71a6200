"""What is our fault: masked for the caller, whole in the log. And: questions are answered beside each other."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from graphql_schema.asking import NOW, ask, project_of, streaming, streaming_folder
from metrics_api.errors import MetricsError, WarehouseError
from metrics_api.graphql_schema.context import RequestContext
from metrics_api.graphql_schema.schema import build_schema
from metrics_api.results import Answer
from metrics_api.serving.project import Prepared, Project, load_project
from metrics_api.serving.service import Service, ServiceSettings


class _Odd(Project):
    """Fails or waits instead of answering."""

    failing: Exception | None = None
    together: threading.Barrier | None = None

    def answered(self, prepared: Sequence[Prepared], **words: Any) -> list[Answer | MetricsError]:
        if self.failing is not None and any(one.query.metric == "searches" for one in prepared):
            raise self.failing
        if self.together is not None:
            self.together.wait(timeout=10)
        return super().answered(prepared, **words)


@pytest.fixture
def odd() -> _Odd:
    project = load_project(streaming_folder(), clock=lambda: NOW)
    return _Odd(project.model, project.definitions, project.folder, clock=lambda: NOW)


def test_the_unexpected_is_masked_and_logged(odd: _Odd, caplog: pytest.LogCaptureFixture) -> None:
    odd.failing = KeyError("secret password")
    with caplog.at_level(logging.INFO):
        asked = ask(
            "{ metrics { searches { rows { value } } appOpens { overall { value } } } }",
            of=(odd, build_schema(odd.model)),
        )
    assert asked.data["metrics"]["searches"] is None
    assert asked.data["metrics"]["appOpens"]["overall"]["value"] > 0
    code, message = asked.refusal
    request_id = asked.error["extensions"]["requestId"]
    assert code == "INTERNAL"
    assert message == f"internal error. Ask the server's owner about request {request_id}."
    (record,) = caplog.records
    assert record.exc_info
    assert f"request {request_id}: metrics.searches failed" in caplog.text
    assert "secret password" in caplog.text
    assert "secret" not in str(asked)


def test_a_failure_of_the_warehouse_is_told(odd: _Odd, caplog: pytest.LogCaptureFixture) -> None:
    odd.failing = WarehouseError("the warehouse is away", fix="Call it back.")
    asked = ask("{ metrics { searches { rows { value } } } }", of=(odd, build_schema(odd.model)))
    assert asked.refusal == ("WAREHOUSE_ERROR", "the warehouse is away. Call it back.")
    assert not caplog.records


def test_mistakes_of_callers_are_not_logged_as_failures(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        ask('{ metrics { searches(timezone: "Mars") { rows { value } } } }')
        ask("{ nothing }")
    assert not caplog.records


def test_metric_fields_are_answered_at_the_same_time(odd: _Odd) -> None:
    odd.together = threading.Barrier(3)
    asked = ask(
        "{ metrics { searches { rows { value } } dailyActives { rows { value } } activation { steps { step } } } }",
        of=(odd, build_schema(odd.model)),
    )
    assert not asked.errors


def test_only_so_many_at_the_same_time_and_the_loop_stays_free() -> None:
    project, schema = streaming()
    running = most = 0
    lock = threading.Lock()
    release = threading.Event()

    class Counting(Project):
        def answered(self, prepared: Sequence[Prepared], **words: Any) -> list[Answer | MetricsError]:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            release.wait(10)
            with lock:
                running -= 1
            return super().answered(prepared, **words)

    counting = Counting(project.model, project.definitions, project.folder, clock=lambda: NOW)
    body = " ".join(
        f"a{number}: dailyActives(time: {{last: {{n: {number + 1}, unit: DAY}}}}) {{ rows {{ value }} }}"
        for number in range(6)
    )

    async def ask_and_tick() -> Any:
        context = RequestContext(Service(counting, ServiceSettings(statements=2)))
        asked = asyncio.ensure_future(schema.execute(f"{{ metrics {{ {body} }} }}", context_value=context))
        for _ in range(20):
            await asyncio.sleep(0.005)  # would not return if answering blocked the loop
        release.set()
        return await asked

    result = asyncio.run(ask_and_tick())
    assert not result.errors
    assert len(result.data["metrics"]) == 6
    assert most == 2


def test_numbers_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
        warehouse.execute(
            "CREATE TABLE events AS SELECT 'a' AS user_id, 'e' AS event, 1.7e308 AS amount, "
            "TIMESTAMP '2025-11-01 10:00:00' AS at FROM range(5)"
        )
    project = project_of(NUMBERS, tmp_path)
    asked = ask(
        "{ metrics { things { overall { value sum { amount } max { amount } } } fine: things { overall { value } } } }",
        of=(project, build_schema(project.model)),
    )
    project.close()
    assert asked.data["metrics"]["fine"] == {"overall": {"value": 5}}
    assert asked.refusal[0] == "WAREHOUSE_ERROR"


NUMBERS = """
version: 1
project:
  name: numbers
  warehouses: {here: {type: duckdb, path: w.duckdb}}
sources:
  events:
    table: events
    time: at
    event_name: event
    identity: {user: user_id}
    properties: {amount: number}
events:
  e: {source: events}
metrics:
  things: {type: usage, event: e}
"""
