"""The application as a caller of HTTP meets it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from starlette.types import Receive, Scope, Send

from graphql_schema.asking import project_of, streaming
from metrics_api import create_app
from metrics_api.graphql_schema.context import RequestLimits
from metrics_api.serving.project import Project
from metrics_api.web.query_page import example_query
from metrics_api.web.requests import RequestIds

QUERY = "{ metrics { searches(time: {last: {n: 3, unit: DAY}}) { rows { period value } } } }"


def send(request: httpx.Request | None = None, *, app: Any = None, **words: Any) -> httpx.Response:
    """One request to the application (of the streaming project, unless told otherwise)."""

    async def sent() -> httpx.Response:
        transport = httpx.ASGITransport(app or create_app(streaming()[0]), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://metrics") as client:
            return await client.request(**{"method": "POST", "url": "/graphql", **words})

    return asyncio.run(sent())


def code(response: httpx.Response) -> str:
    (error,) = response.json()["errors"]
    assert error["extensions"]["requestId"] == response.headers["x-request-id"]
    return str(error["extensions"]["code"])


def test_a_query() -> None:
    response = send(json={"query": QUERY})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    expected = streaming()[0].query("searches", last="3 days").to_pylist()
    assert response.json() == {
        "data": {
            "metrics": {
                "searches": {"rows": [{"period": str(row["period"]), "value": row["value"]} for row in expected]}
            }
        }
    }


def test_variables_operations_and_get() -> None:
    query = """
      query A($time: TimeInput) { metrics { searches(time: $time) { overall { value } } } }
      query B { catalog { project { name } } }
    """
    time = {"last": {"n": 3, "unit": "DAY"}}
    posted = send(json={"query": query, "variables": {"time": time}, "operationName": "A"})
    (overall,) = streaming()[0].query("searches", last="3 days", parts="overall").to_pylist()
    assert posted.json()["data"]["metrics"]["searches"]["overall"] == overall
    assert send(json={"query": query, "operationName": "B"}).json()["data"]["catalog"]["project"]["name"] == "streaming"
    got = send(method="GET", params={"query": query, "variables": json.dumps({"time": time}), "operationName": "A"})
    assert got.json() == posted.json()


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ({"content": b""}, 400),
        ({"content": b"{"}, 400),
        ({"content": b"\xff\xfe"}, 400),
        ({"content": b"[" * 20_000}, 400),
        ({"content": b'{"query": "{ catalog { project { name } } }", "variables": ' + b'{"a":' * 5_000}, 400),
        ({"content": b"{}"}, 400),
        ({"content": b'{"query": 1}'}, 400),
        ({"content": b'{"query": "{ catalog { project { name } } }", "variables": []}'}, 400),
        ({"content": b'[{"query": "{ catalog { project { name } } }"}]'}, 400),
        ({"content": b"query=1", "headers": {"content-type": "application/x-www-form-urlencoded"}}, 415),
        ({"content": b"{}", "headers": {"content-type": "application/json; charset=utf-16"}}, 415),
        ({"content": b"{}", "headers": {"accept": "image/png", "content-type": "application/json"}}, 406),
        ({"method": "GET", "params": {"query": "{ __typename }", "variables": "{"}}, 400),
        ({"method": "GET", "params": {"query": "mutation { x }"}}, 405),
        ({"method": "PUT", "json": {"query": QUERY}}, 405),
        ({"method": "DELETE"}, 405),
        ({"method": "GET", "headers": {"accept": "application/json"}}, 400),
        ({"method": "GET", "url": "/nothing"}, 404),
        ({"method": "POST", "url": "/healthz"}, 405),
    ],
)
def test_requests_that_are_none(words: dict[str, Any], status: int) -> None:
    response = send(**{"headers": {"content-type": "application/json"}, **words})
    assert response.status_code == status
    assert code(response) == "QUERY_INVALID"
    assert "Traceback" not in response.text


def test_bodies_are_limited_whatever_they_claim() -> None:
    large = json.dumps({"query": QUERY, "variables": {"a": "x" * 70_000}}).encode()
    json_type = {"content-type": "application/json"}
    assert code(refused := send(content=large, headers=json_type)) == "LIMIT_EXCEEDED"
    assert refused.status_code == 413

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 1_000):
            yield large[start : start + 1_000]

    assert send(content=in_pieces(), headers=json_type).status_code == 413
    lying = {**json_type, "content-length": "10"}
    assert send(content=large, headers=lying).status_code == 413
    assert send(content=b"{}", headers={**json_type, "content-length": "99999999"}).status_code == 413
    fits = json.dumps({"query": QUERY, "extensions": {"a": "x" * 65_000}}).encode()
    assert send(content=fits, headers=json_type).status_code == 200


def test_request_ids() -> None:
    given = send(json={"query": "{ nothing }"}, headers={"x-request-id": "board-42"})
    assert given.headers["x-request-id"] == "board-42"
    assert code(given) == "QUERY_INVALID"
    for odd in ("a b", "x" * 65, "a/b", ""):
        made = send(json={"query": QUERY}, headers={"x-request-id": odd}).headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", made)


def test_what_breaks_outside_of_graphql_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("secret")

    response = send(app=RequestIds(broken), url="/a%0Ab")
    assert response.status_code == 500
    assert code(response) == "INTERNAL"
    assert "secret" not in response.text
    assert "secret" in caplog.text


def test_limits_are_settings() -> None:
    app = create_app_with(RequestLimits(metrics=1))
    query = "{ metrics { a: searches { __typename } b: searches { __typename } } }"
    response = send(app=app, json={"query": query})
    assert code(response) == "LIMIT_EXCEEDED"


def create_app_with(limits: RequestLimits) -> Any:
    from metrics_api.web.app import create_app

    return create_app(streaming()[0], limits)


# -- beside GraphQL ----------------------------------------------------------------------------------------------------


def test_the_way_in() -> None:
    response = send(method="GET", url="/")
    assert response.status_code == 307
    assert response.headers["location"] == "/graphql"


def test_health() -> None:
    assert send(method="GET", url="/healthz").json() == {"status": "ok"}
    ready = send(method="GET", url="/readyz").json()
    definitions = ready.pop("definitions")
    model = streaming()[0].model
    assert ready == {"status": "ok", "metrics": len(model.metrics)}
    assert definitions.keys() == {"hash", "loadedAt"}
    assert definitions["hash"] == model.hash


def test_not_ready_without_a_warehouse(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = "version: 1\nproject: {name: p, warehouses: {here: {type: duckdb, path: secret.duckdb}}}\n"
    app = create_app(project_of(text, tmp_path))
    response = send(app=app, method="GET", url="/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "code": "WAREHOUSE_ERROR"}
    assert "secret.duckdb" in caplog.text
    duckdb.connect(str(tmp_path / "secret.duckdb")).close()
    assert send(app=app, method="GET", url="/readyz").status_code == 200


def test_the_page_needs_no_network_and_its_query_works() -> None:
    response = send(method="GET", headers={"accept": "text/html,*/*"})
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert re.findall(r"""(?:src|href)\s*=|https?://|@import|url\(""", response.text) == []
    policy = response.headers["content-security-policy"]
    (nonce,) = set(re.findall(r'nonce="([^"]+)"', response.text))
    assert f"script-src 'nonce-{nonce}'" in policy
    assert "default-src 'none'" in policy
    again = send(method="GET", headers={"accept": "text/html"})
    assert nonce not in again.text
    query = example_query(streaming()[0].model)
    answered = send(json={"query": query}).json()
    assert "errors" not in answered
    assert len(answered["data"]["metrics"]["videosWatched"]["rows"]) == 14


def test_the_page_of_a_project_without_values(tmp_path: Path) -> None:
    text = """
version: 1
project: {name: p, warehouses: {here: {type: duckdb, path: w.duckdb}}}
sources:
  events: {table: events, time: at, event_name: event, identity: {user: u}, properties: {country: string}}
events: {a: {source: events}, b: {source: events}}
metrics:
  path: {type: funnel, steps: {first: {event: a}, second: {event: b}}}
"""
    with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
        warehouse.execute(
            "CREATE TABLE events AS SELECT now()::TIMESTAMP AS at, 'a' AS event, 'x' AS u, 'DE' AS country"
        )
    project = project_of(text, tmp_path)
    query = example_query(project.model)
    assert "columns { step position entered converted" in query
    answered = send(app=create_app(project), json={"query": query}).json()
    assert answered["data"]["metrics"]["path"]["columns"]["step"] == ["first", "second"]
    project.close()


def test_the_page_of_a_project_with_an_odd_name(tmp_path: Path) -> None:
    text = "version: 1\nproject: {name: '</title><script>alert(1)</script>$nonce$'}\n"
    project: Project = project_of(text, tmp_path)
    page = send(app=create_app(project), method="GET", headers={"accept": "text/html"}).text
    assert "<script>alert" not in page
    assert example_query(project.model) == "{ catalog { metrics { name type class } } }"
