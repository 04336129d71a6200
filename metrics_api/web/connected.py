"""Work that ends with its caller: for one who has gone nothing is computed any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.types import Receive

T = TypeVar("T")


class Gone(Exception):
    """The caller has closed the connection."""


async def while_connected(receive: Receive, work: Awaitable[T]) -> T:
    """What the work finds. It is cancelled when the caller goes, and Gone is raised. The body must be read before."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(left(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancelled(leaving)
        has_ended = working.done()
        if not has_ended:
            await cancelled(working)
    if not has_ended:
        raise Gone
    return working.result()


async def left(receive: Receive) -> None:
    """Returns when the caller has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def cancelled(task: asyncio.Future[T]) -> None:
    """Cancel what goes on, and wait until it has ended."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
