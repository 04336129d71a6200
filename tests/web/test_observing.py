"""What a real server tells of its work: its log, its counters, its spans."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from graphql_schema.asking import NOW, streaming_folder
from metrics_api.serving.logs import JsonLines, Lines
from metrics_api.serving.project import load_project
from metrics_api.web.app import create_app
from metrics_api.web.watched import PROBES

SEARCHES = """query ASearch($time: TimeInput) {
  metrics { searches(time: $time) { rows { period value } } uploads: videosWatched { overall { value } } } }"""
VALUES = {"time": {"last": {"n": 3, "unit": "DAY"}}}
TRACE = "0af7651916cd43dd8448eb211c80319c"


@dataclass
class Server:
    url: str
    spans: InMemorySpanExporter
    log: io.StringIO

    def send(self, method: str, path: str, **words: Any) -> httpx.Response:
        """The answer, once the server has told of it: that comes last."""
        answer = httpx.request(method, self.url + path, timeout=60, **words)
        end = time.monotonic() + 30
        while path not in PROBES and answer.headers["x-request-id"] not in self.log.getvalue():
            assert time.monotonic() < end
            time.sleep(0.005)
        return answer

    def ask(self, query: str = SEARCHES, **headers: str) -> httpx.Response:
        body = {"query": query, "variables": VALUES} if "$time" in query else {"query": query}
        return self.send("POST", "/graphql", json=body, headers=headers)

    def samples(self) -> dict[tuple[str, ...], float]:
        """`(name, label, value, ...)` and how much."""
        text = httpx.get(f"{self.url}/metrics", timeout=30).text
        return {
            (one.name, *(word for label in sorted(one.labels.items()) for word in label)): one.value
            for family in text_string_to_metric_families(text)
            for one in family.samples
        }

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@contextmanager
def written(formatter: logging.Formatter) -> Iterator[io.StringIO]:
    log = io.StringIO()
    handler, logger = logging.StreamHandler(log), logging.getLogger("metrics_api")
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        yield log
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@pytest.fixture
def server() -> Iterator[Server]:
    project = load_project(streaming_folder(), clock=lambda: NOW)
    spans, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    app = create_app(project, tracing=provider)
    running = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=running.run)
    with written(JsonLines()) as log:
        thread.start()
        try:
            while not running.started:
                assert thread.is_alive()
                thread.join(0.01)
            port = running.servers[0].sockets[0].getsockname()[1]
            yield Server(f"http://127.0.0.1:{port}", spans, log)
        finally:
            running.should_exit = True
            thread.join(timeout=10)
            project.close()
            provider.shutdown()


# -- the log ---------------------------------------------------------------------------------------------------------


def test_a_request_is_a_line(server: Server) -> None:
    for name in ("board-42", "board-43"):
        assert "errors" not in server.ask(**{"x-request-id": name}).json()
    first, second = server.lines()
    assert first.pop("ms") > 0
    assert first.pop("time").endswith("Z")
    # One statement may answer both; how far the data reaches is asked before.
    assert 2 <= first.pop("statements") <= 3
    trace = first.pop("trace")
    assert len(trace) == 32
    assert first == {
        "level": "info",
        "logger": "metrics_api.requests",
        "message": "request",
        "id": "board-42",
        "caller": "anyone",
        "method": "POST",
        "path": "/graphql",
        "status": 200,
        "operation": "ASearch",
        "cache": "MISS:2",
    }
    assert (second["cache"], second["statements"]) == ("HIT:2", 0)
    assert second["trace"] != trace


def test_what_callers_send_is_not_in_the_log(server: Server) -> None:
    asked = {
        "query": 'query Q($c: String) { metrics { searches(filter: {country: {eq: "sesame"}}) { nothing } } }',
        "variables": {"c": "opensesame"},
        "operationName": 'Q" injected=1\n{}',
    }
    server.send("POST", "/graphql", json=asked, headers={"authorization": "Bearer sesame"})
    server.send("GET", "/graphql", params={"query": "{ sesame }", "token": "sesame"})
    server.send("GET", "/no%0Asuch%22%20thing")
    assert [one["status"] for one in server.lines()] == [400, 200, 404]
    assert "operation" not in server.lines()[0]
    assert "sesame" not in server.log.getvalue()
    assert "injected" not in server.log.getvalue()


def test_probes_are_told_to_those_who_look_for_them(server: Server) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert httpx.get(server.url + path, timeout=30).status_code == 200
    assert server.lines() == []


def test_lines_for_people_are_one_each() -> None:
    with written(Lines()) as log:
        fields = {"path": '/a\n"b" c=d', "status": 404, "operation": ""}
        logging.getLogger("metrics_api.test").info("request %s", "it", extra={"fields": fields})
        try:
            raise ValueError("odd")
        except ValueError:
            logging.getLogger("metrics_api.test").exception("it failed")
    first, second, *trace = log.getvalue().splitlines()
    assert first[24:] == r' info    request it path="/a\n\"b\" c=d" status=404 operation=""'
    assert second[24:] == " error   it failed"
    assert trace[-1] == "ValueError: odd"


# -- counters --------------------------------------------------------------------------------------------------------


def test_counters(server: Server) -> None:
    server.ask()
    server.ask()
    server.ask("{ nothing }")
    server.send("GET", "/nowhere/at/all")
    server.send("BREW", "/healthz")
    told = server.samples()

    def requests(method: str, path: str, status: int) -> float:
        return told["metrics_api_http_requests_total", "method", method, "path", path, "status", str(status)]

    assert requests("POST", "/graphql", 200) == 3
    assert requests("GET", "other", 404) == 1
    assert requests("other", "/healthz", 405) == 1
    assert told["metrics_api_http_request_seconds_count", "path", "/graphql"] == 3
    assert told[("metrics_api_http_requests_open",)] == 1  # This one.
    assert told["metrics_api_answers_total", "cache", "MISS"] == 2
    assert told["metrics_api_answers_total", "cache", "HIT"] == 2
    assert told["metrics_api_cache_lookups_total", "outcome", "miss", "tier", "memory"] == 2
    assert told["metrics_api_cache_lookups_total", "outcome", "hit", "tier", "response"] == 1
    statements = {name: count for name, count in told.items() if name[0] == "metrics_api_statements_total"}
    assert {name[1:] for name in statements} >= {
        ("engine", "duckdb", "metric", "(freshness)", "outcome", "ok"),
    }
    assert {name[4] for name in statements} - {"(freshness)"} in ({"searches", "videos_watched"}, {"(several)"})
    assert told["metrics_api_statement_seconds_count", "engine", "duckdb"] == sum(statements.values())
    assert told[("metrics_api_queue_wait_seconds_count",)] in (1, 2)
    assert told[("metrics_api_queue_running",)] == told[("metrics_api_queue_waiting",)] == 0
    assert told[("metrics_api_definitions_broken",)] == told[("metrics_api_definitions_behind",)] == 0
    assert told[("metrics_api_definitions_metrics",)] > 20
    assert told[("process_open_fds",)] > 0


def test_openmetrics_for_those_who_accept_it(server: Server) -> None:
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    answer = httpx.get(f"{server.url}/metrics", headers=accept, timeout=30)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_servers_count_for_themselves() -> None:
    """Two in one process, as in tests: no counter is registered twice."""
    project = load_project(streaming_folder(), clock=lambda: NOW)

    async def counted(app: Any) -> str:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://metrics") as client:
            await client.get("/healthz")
            return (await client.get("/metrics")).text

    for _ in range(2):
        told = asyncio.run(counted(create_app(project)))
        assert 'metrics_api_http_requests_total{method="GET",path="/healthz",status="200"} 1.0' in told
    project.close()


# -- spans -----------------------------------------------------------------------------------------------------------


def test_spans_continue_the_callers_trace(server: Server) -> None:
    parent = "b7ad6b7169203331"
    server.ask(traceparent=f"00-{TRACE}-{parent}-01", **{"x-request-id": "of-a-trace"})
    spans = server.spans.get_finished_spans()
    assert {format(one.context.trace_id, "032x") for one in spans} == {TRACE}
    by_name: dict[str, list[ReadableSpan]] = {}
    for one in spans:
        by_name.setdefault(one.name, []).append(one)
    assert set(by_name) == {
        "POST /graphql",
        *(f"metrics_api.{step}" for step in ("compile", "queue", "warehouse", "encode")),
    }
    (request,) = by_name["POST /graphql"]
    assert request.parent is not None and format(request.parent.span_id, "016x") == parent
    assert request.attributes is not None
    assert dict(request.attributes) == {
        "http.request.method": "POST",
        "url.path": "/graphql",
        "metrics_api.request_id": "of-a-trace",
        "http.route": "/graphql",
        "http.response.status_code": 200,
        "graphql.operation.name": "ASearch",
    }
    assert all(one.parent and one.parent.span_id == request.context.span_id for one in spans if one is not request)
    (line,) = server.lines()
    assert line["trace"] == TRACE
    assert (
        sum(one.attributes["db.system.name"] == "duckdb" for one in by_name["metrics_api.warehouse"])
        == line["statements"]
    )


def test_what_a_caller_does_wrong_is_no_failure_of_the_server(server: Server) -> None:
    server.spans.clear()
    server.ask(
        '{ metrics { searches(time: {between: {from: "2025-11-01"}}, timezone: "Mars/Base") { rows { value } } } }'
    )
    (request,) = [one for one in server.spans.get_finished_spans() if one.name == "POST /graphql"]
    assert request.status.is_unset  # The caller's error is none of the server's.


def test_without_an_sdk_there_are_no_spans() -> None:
    from metrics_api.web.measured import Measured

    assert Measured().tracer is None
