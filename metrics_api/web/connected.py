"""Work that ends with its caller: who has gone waits for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.requests import Request


class Gone(Exception):
    """The caller has closed the connection."""


@asynccontextmanager
async def while_connected(request: Request) -> AsyncIterator[None]:
    """Inside, what is awaited is cancelled when the caller goes. Raises Gone then. The body must be read before."""
    inside = asyncio.current_task()
    assert inside is not None
    has_gone = False

    async def watch() -> None:
        nonlocal has_gone
        while (await request.receive())["type"] != "http.disconnect":
            pass
        has_gone = True
        inside.cancel()

    watching = asyncio.ensure_future(watch())
    try:
        yield
    except asyncio.CancelledError:
        if has_gone and not inside.uncancel():
            raise Gone from None
        raise
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
