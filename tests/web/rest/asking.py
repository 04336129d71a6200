"""Asking the REST interface, without a server and with one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette

from graphql_schema.asking import streaming
from metrics_api import create_app


@lru_cache(maxsize=1)
def streaming_app() -> Starlette:
    """One application for all questions that have nothing to do with what is kept."""
    return create_app(streaming()[0])


def get(url: str, *, app: Any = None, method: str = "GET", **words: Any) -> httpx.Response:
    """One request to the application (of the streaming project, unless told otherwise)."""

    async def sent() -> httpx.Response:
        transport = httpx.ASGITransport(app or streaming_app(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://metrics") as client:
            return await client.request(method, url, **words)

    return asyncio.run(sent())


def refusals(response: httpx.Response) -> list[tuple[str, str | None, str]]:
    """The code, the parameter and the words of each error."""
    errors = response.json()["errors"]
    assert {one["extensions"]["requestId"] for one in errors} == {response.headers["x-request-id"]}
    return [(one["extensions"]["code"], one["extensions"].get("parameter"), one["message"]) for one in errors]


@contextmanager
def running(app: Starlette) -> Iterator[str]:
    """A real server on a free port of this machine; its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
    assert not thread.is_alive()
