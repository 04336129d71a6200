"""Answers that are kept as bytes: what headers say of them, when they are no longer told, and who has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import uvicorn

from metrics_api.serving.service import ServiceSettings
from metrics_api.web.app import create_app
from serving.shop import NOW, Shop, shop

SALES = "{ metrics { sales(time: {last: {n: 7, unit: DAY}}) { overall { value } } } }"
Client = httpx.AsyncClient


def asking(work: Callable[[Client, Shop], Awaitable[None]], **words: Any) -> None:
    async def done(project: Shop) -> None:
        app = create_app(project, settings=words.get("settings"))
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with Client(transport=transport, base_url="http://shop") as client:
                await asyncio.wait_for(work(client, project), 60)

    with shop(freshness_seconds=words.get("freshness_seconds", 60.0)) as project:
        asyncio.run(done(project))


async def post(client: Client, query: str = SALES, **headers: str) -> httpx.Response:
    return await client.post("/graphql", json={"query": query}, headers=headers)


def total(response: httpx.Response) -> int:
    value: int = response.json()["data"]["metrics"]["sales"]["overall"]["value"]
    return value


def test_the_same_request_is_answered_with_the_same_bytes() -> None:
    async def work(client: Client, project: Shop) -> None:
        first, second = await post(client), await post(client)
        assert total(first) == 7 and first.content == second.content
        assert [one.headers["cache-status"] for one in (first, second)] == [
            "metrics-api; fwd=miss; stored",
            "metrics-api; hit",
        ]
        assert first.headers["etag"] == second.headers["etag"]
        assert 50 <= int(first.headers["cache-control"].removeprefix("private, max-age=")) <= 60
        assert first.headers["x-request-id"] != second.headers["x-request-id"]

    asking(work)


def test_who_has_it_already_is_told_so() -> None:
    async def work(client: Client, project: Shop) -> None:
        first = await client.get("/graphql", params={"query": SALES})
        again = await client.get("/graphql", params={"query": SALES}, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        other = await client.get("/graphql", params={"query": SALES}, headers={"if-none-match": '"other"'})
        assert other.status_code == 200 and total(other) == 7

    asking(work)


def test_what_was_loaded_is_told_once_it_is_known() -> None:
    async def work(client: Client, project: Shop) -> None:
        before = await post(client)
        project.load("bought", "new", NOW - timedelta(minutes=5))
        assert before.headers["cache-control"] == "private, max-age=0"
        after = await post(client)
        assert (total(before), total(after)) == (7, 8)
        assert before.headers["etag"] != after.headers["etag"]

    asking(work, freshness_seconds=0.0)


def test_a_request_may_ask_for_fresh_answers_or_only_for_kept_ones() -> None:
    async def work(client: Client, project: Shop) -> None:
        only = await post(client, **{"cache-control": "only-if-cached"})
        assert only.json()["errors"][0]["extensions"]["code"] == "NOT_KEPT"
        assert total(await post(client)) == 7
        project.load("bought", "new", NOW - timedelta(minutes=5))
        assert total(await post(client)) == 7
        assert total(await post(client, **{"cache-control": "only-if-cached"})) == 7
        assert total(await post(client, **{"cache-control": "no-cache"})) == 8
        project.load("bought", "newer", NOW - timedelta(minutes=4))
        fresh = SALES.replace("metrics", "metrics(cache: FRESH)")
        assert [total(await post(client, fresh)) for _ in range(2)] == [9, 9]
        assert len(project.told.asked) == 4
        assert total(await post(client)) == 9

    asking(work)


def test_each_part_of_a_request_may_want_another() -> None:
    async def work(client: Client, project: Shop) -> None:
        sales = SALES[SALES.index("{ sales") :].removesuffix(" }")
        query = f"{{ a: metrics(cache: ONLY) {sales} b: metrics {sales} c: metrics(cache: FRESH) {sales} }}"
        told = (await post(client, query)).json()
        assert told["data"]["a"]["sales"] is None
        assert told["data"]["b"] == told["data"]["c"] == {"sales": {"overall": {"value": 7}}}
        assert [one["path"] for one in told["errors"]] == [["a", "sales"]]

    asking(work)


def test_how_old_an_answer_is_is_never_kept() -> None:
    query = SALES.replace("overall { value }", "info { cache { status ageSeconds } }")

    async def work(client: Client, project: Shop) -> None:
        told = [(await post(client, query)).json()["data"]["metrics"]["sales"]["info"]["cache"] for _ in range(2)]
        assert [one["status"] for one in told] == ["MISS", "HIT"]
        assert 0 <= told[0]["ageSeconds"] <= told[1]["ageSeconds"]

    asking(work)


def test_errors_are_not_kept() -> None:
    async def work(client: Client, project: Shop) -> None:
        query = SALES.replace("7", "0")
        for _ in range(2):
            response = await post(client, query)
            assert response.json()["errors"]
            assert response.headers["cache-control"] == "no-store"
            assert "etag" not in response.headers

    asking(work)


def test_a_new_day_has_another_answer() -> None:
    async def work(client: Client, project: Shop) -> None:
        query = "{ metrics { sales(time: {last: {n: 1, unit: DAY}}) { overall { value } } } }"
        assert total(await post(client, query)) == 1
        project.clock = lambda: NOW + timedelta(days=1)
        assert total(await post(client, query)) == 0

    asking(work)


def test_a_long_question_goes_on_as_a_job() -> None:
    job = '{{ job(id: "{}") {{ metric status seconds parts {{ name rows }} error {{ code message }} }} }}'

    async def work(client: Client, project: Shop) -> None:
        project.told.go.clear()
        (error,) = (await post(client)).json()["errors"]
        assert error["extensions"]["code"] == "QUERY_RUNNING"
        asked = job.format(error["extensions"]["job"])
        assert asked.split('"')[1] in error["message"]
        assert (await post(client, asked)).json()["data"]["job"]["status"] == "RUNNING"
        project.told.go.set()
        for _ in range(1_000):
            told = (await post(client, asked)).json()["data"]["job"]
            if told["status"] != "RUNNING":
                break
            await asyncio.sleep(0.01)
        assert told["status"] == "DONE" and told["error"] is None and told["metric"] == "sales"
        assert told["parts"] == [{"name": "overall", "rows": [{"value": 7}]}]
        assert total(await post(client)) == 7
        unknown = (await post(client, job.format("none"))).json()["errors"][0]
        assert unknown["extensions"]["code"] == "UNKNOWN_NAME"

    asking(work, settings=ServiceSettings(inline_timeout=0.2))


def test_who_hangs_up_ends_the_statement() -> None:
    """A real server and a real connection, since only those are closed."""
    query = "{ metrics { ends(time: {last: {n: 7, unit: DAY}}) { overall { value } } } }"

    async def done(project: Shop) -> None:
        running = uvicorn.Server(uvicorn.Config(create_app(project), host="127.0.0.1", port=0, log_level="warning"))
        serving = asyncio.ensure_future(running.serve())
        while not running.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        port = running.servers[0].sockets[0].getsockname()[1]
        async with Client(base_url=f"http://127.0.0.1:{port}") as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post("/graphql", json={"query": query}, timeout=1.0)
            for _ in range(2_000):
                if project.told.stopped:
                    break
                await asyncio.sleep(0.01)
            assert len(project.told.stopped) == 1
            assert total(await post(client)) == 7
        running.should_exit = True
        await serving

    with shop(freshness_seconds=60.0) as project:
        asyncio.run(asyncio.wait_for(done(project), 60))
