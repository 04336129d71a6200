"""Editions that follow each other: requests end where they began, and connections are closed when nobody uses them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import duckdb
import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from graphql_schema.asking import project_of
from metrics_api.errors import WarehouseError
from metrics_api.serving.project import Project
from metrics_api.web.live import Edition, Live

TEXT = """\
version: 1
project: {name: p, warehouses: {here: {type: duckdb, path: a.duckdb}}}
sources:
  events: {table: events, time: at, event_name: event, identity: {user: u}}
events: {a: {source: events}}
metrics:
  first: {type: usage, event: a}
"""
MORE = TEXT + "  second: {type: usage, event: a}\n"
ELSEWHERE = MORE.replace("a.duckdb", "b.duckdb")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        duckdb.connect(str(tmp_path / f"{name}.duckdb")).close()
    return tmp_path


class Editions:
    """Applications that wait until they may answer, with the names of their project's metrics."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.ended: list[str] = []

    def publish(self, project: Project, before: Edition | None) -> Edition:
        names = " ".join(project.model.metrics)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self.may_answer.wait()
            await asyncio.to_thread(project.warehouse().run, "SELECT 1")
            await PlainTextResponse(names)(scope, receive, send)

        async def end() -> None:
            self.ended.append(names)

        return Edition(project, app, end)


Act = Callable[[Live, Editions, httpx.AsyncClient], Awaitable[None]]


def in_turn(first: Project, load: Callable[[], Project], act: Act) -> Editions:
    async def acted() -> Editions:
        editions = Editions()
        live = Live(first, editions.publish, load)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(live), base_url="http://metrics") as client:
            await act(live, editions, client)
        editions.may_answer.set()
        await live.close()
        return editions

    return asyncio.run(acted())


async def begun(client: httpx.AsyncClient) -> asyncio.Task[httpx.Response]:
    asked = asyncio.create_task(client.get("/"))
    await asyncio.sleep(0.01)
    return asked


def test_a_request_ends_in_the_edition_it_began_in(folder: Path) -> None:
    first = project_of(TEXT, folder)

    async def act(live: Live, editions: Editions, client: httpx.AsyncClient) -> None:
        early = await begun(client)
        assert await live.reload("test")
        late = await begun(client)
        assert editions.ended == []
        editions.may_answer.set()
        assert (await early).text == "first"
        assert (await late).text == "first second"
        assert editions.ended == ["first"]

    editions = in_turn(first, lambda: project_of(MORE, folder), act)
    assert editions.ended == ["first", "first second"]
    first.close()


def test_an_edition_begins_when_it_is_served(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, began = project_of(TEXT, folder), list[str]()

    async def act(live: Live, editions: Editions, client: httpx.AsyncClient) -> None:
        def publish(project: Project, before: Edition | None) -> Edition:
            async def begin() -> None:
                began.append(" ".join(project.model.metrics))
                raise OSError

            edition = editions.publish(project, before)
            edition.begin = begin
            return edition

        live._publish = publish
        editions.may_answer.set()
        assert await live.reload("test")
        assert began == ["first second"]
        assert (await client.get("/")).text == "first second"  # What goes on beside requests is no matter of theirs.

    in_turn(first, lambda: project_of(MORE, folder), act)
    assert "could not begin" in caplog.text
    first.close()


def test_a_connection_is_kept_where_it_leads_to_the_same_place(folder: Path) -> None:
    first = project_of(TEXT, folder)
    warehouse = first.warehouse()

    async def act(live: Live, editions: Editions, client: httpx.AsyncClient) -> None:
        early = await begun(client)
        assert await live.reload("test")
        assert live.now.project is not first
        assert live.now.project.warehouse() is warehouse
        editions.may_answer.set()
        await early
        await asyncio.sleep(0.05)
        warehouse.run("SELECT 1")  # The first project has ended, and the second goes on with its connection.

    in_turn(first, lambda: project_of(MORE, folder), act)
    with pytest.raises(WarehouseError):
        warehouse.run("SELECT 1")
    first.close()


def test_a_connection_to_elsewhere_is_closed_with_its_last_request(folder: Path) -> None:
    """Two editions use the one, the third another: it lasts as long as a request of either of the first two."""
    first = project_of(TEXT, folder)
    warehouse = first.warehouse()
    texts = iter([MORE, ELSEWHERE])

    async def act(live: Live, editions: Editions, client: httpx.AsyncClient) -> None:
        early = await begun(client)
        assert await live.reload("test")
        assert await live.reload("test")
        assert live.now.project.warehouse() is not warehouse
        for _ in range(100):
            if editions.ended:
                break
            await asyncio.sleep(0.01)
        assert editions.ended == ["first second"]  # Nobody asked it.
        warehouse.run("SELECT 1")
        editions.may_answer.set()
        assert (await early).text == "first"
        for _ in range(100):
            if len(editions.ended) == 2:
                break
            await asyncio.sleep(0.01)
        await asyncio.gather(*live._ending)
        with pytest.raises(WarehouseError):
            warehouse.run("SELECT 1")
        assert (await client.get("/")).text == "first second"

    in_turn(first, lambda: project_of(next(texts), folder), act)
    first.close()


def test_whatever_a_reload_raises_what_there_is_goes_on(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = project_of(TEXT, folder)

    def load() -> Project:
        raise PermissionError("no")

    async def act(live: Live, editions: Editions, client: httpx.AsyncClient) -> None:
        editions.may_answer.set()
        assert not await live.reload("test")
        assert live.broken is not None
        answer = await client.get("/")
        assert answer.text == "first"
        assert "x-definitions-broken-since" in answer.headers

    in_turn(first, load, act)
    assert "definitions could not be loaded again (test)" in caplog.text
    first.close()


def test_an_edition_that_cannot_be_made_leaves_nothing_open(folder: Path) -> None:
    first = project_of(TEXT, folder)
    made: list[Project] = []

    def load() -> Project:
        made.append(project_of(ELSEWHERE, folder))
        return made[0]

    async def act(live: Live, editions: Editions, client: httpx.AsyncClient) -> None:
        def refuses(project: Project, before: Edition | None) -> Edition:
            raise RuntimeError("no")

        live._publish = refuses
        assert not await live.reload("test")
        assert made[0]._warehouse is None
        assert live.now.project is first

    in_turn(first, load, act)
    first.close()
