"""What is done with every request before it is read: an id for it, and a limit on its size."""

from __future__ import annotations

import logging
import re
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metrics_api.errors import Code

_log = logging.getLogger("metrics_api.web")

REQUEST_ID = "x-request-id"
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id_of(scope: Scope) -> str:
    """The request's id, as `RequestIds` gave it."""
    found = scope.get("state", {}).get("request_id", "unknown")
    assert isinstance(found, str)
    return found


def failure(message: str, code: Code, *, status: int, request_id: str) -> JSONResponse:
    """An error outside of GraphQL, in GraphQL's form."""
    error = {"message": message, "extensions": {"code": code.value, "requestId": request_id}}
    return JSONResponse({"errors": [error]}, status_code=status)


class RequestIds:
    """Each request has an id, the caller's if it is a decent one: in the answer's header, in errors and in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _GIVEN_ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        begun = False

        async def send_with_id(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            _log.exception("request %s: %s %r failed", request_id, scope["method"], scope["path"])
            if begun:
                raise
            told = f"internal error. Ask the server's owner about request {request_id}."
            response = failure(told, Code.INTERNAL, status=500, request_id=request_id)
            await response(scope, receive, send_with_id)


class BodyLimit:
    """Refuses bodies beyond a size with 413, whatever length they claim, before anything reads them."""

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self.app = app
        self.most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        claimed = Headers(scope=scope).get("content-length", "")
        body = b""
        is_whole = claimed.isdecimal() and int(claimed) > self.most_bytes
        while not is_whole:
            message = await receive()
            if message["type"] != "http.request":
                return  # The caller has gone.
            body += message.get("body", b"")
            is_whole = not message.get("more_body", False) or len(body) > self.most_bytes
        if len(body) > self.most_bytes or (claimed.isdecimal() and int(claimed) > self.most_bytes):
            told = f"the request is larger than {self.most_bytes:,} bytes"
            response = failure(told, Code.LIMIT_EXCEEDED, status=413, request_id=request_id_of(scope))
            response.headers["connection"] = "close"  # The rest of the body is not waited for.
            await response(scope, receive, send)
            return
        await self.app(scope, _first(body, receive), send)


def _first(body: bytes, receive: Receive) -> Receive:
    """The body that was read already; afterwards what the server says, which is that the caller has gone."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
