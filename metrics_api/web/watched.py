"""Every request seen from outside: its line in the log, its counters and its span."""

from __future__ import annotations

import logging
import re
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metrics_api.serving import observing
from metrics_api.serving.logs import FIELDS
from metrics_api.web.measured import Measured
from metrics_api.web.requests import request_id_of

_log = logging.getLogger("metrics_api.requests")

PROBES = frozenset(("/healthz", "/readyz", "/metrics"))
"""Asked every few seconds by machines: their lines are for those who look for them (level `debug`)."""

_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class Watched:
    """The middleware around the application, inside of the request's id."""

    def __init__(self, app: ASGIApp, measured: Measured) -> None:
        self.app = app
        self.measured = measured

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        trace = _TRACE.fullmatch(headers.get("traceparent", ""))
        of = observing.Request(request_id_of(scope), "anyone", trace=trace[1] if trace else "")
        begun, status = time.perf_counter(), 499  # Whoever asked was gone before there was an answer.

        async def send_seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        told = {"http.request.method": scope["method"], "url.path": scope["path"], "metrics_api.request_id": of.id}
        self.measured.open.inc()
        try:
            with (
                observing.observed(self.measured, of),
                self.measured.server_span(scope["method"], headers, told) as span,
            ):
                try:
                    await self.app(scope, receive, send_seen)
                except Exception:
                    status = 500
                    raise
                finally:
                    _finish(span, scope, status, of)
        finally:
            self.measured.open.dec()
            self._tell(scope, of, status, time.perf_counter() - begun)

    def _tell(self, scope: Scope, of: observing.Request, status: int, seconds: float) -> None:
        path, method = _template(scope), _method(scope)
        self.measured.requests.labels(method, path, str(status)).inc()
        self.measured.seconds.labels(path).observe(seconds)
        level = logging.DEBUG if path in PROBES and status < 500 else logging.INFO
        if _log.isEnabledFor(level):
            _log.log(level, "request", extra={FIELDS: _fields(scope, of, status, seconds)})


def _fields(scope: Scope, of: observing.Request, status: int, seconds: float) -> dict[str, object]:
    """What the line tells: of what was asked only the name that the caller gave it, never its text or values."""
    cache = ",".join(f"{name}:{count}" for name, count in sorted(of.cache.items()))
    fields: dict[str, object] = {
        "id": of.id,
        "caller": of.caller,
        "method": _method(scope),
        "path": scope["path"][:200],
        "status": status,
        "ms": round(seconds * 1_000, 1),
        "statements": len(of.statements),
    }
    optional = {"operation": of.operation, "cache": cache, "trace": of.trace}
    return fields | {name: value for name, value in optional.items() if value}


def _template(scope: Scope) -> str:
    """`/v1/metrics/{name}` and not each of them; requests that lead nowhere are one."""
    return getattr(scope.get("route"), "path", "") or "other"


def _method(scope: Scope) -> str:
    """Callers may make up others, and each would be a counter."""
    return scope["method"] if scope["method"] in _METHODS else "other"


def _finish(span: object, scope: Scope, status: int, of: observing.Request) -> None:
    """What is known of the request at its end, for its span."""
    if span is None:
        return
    from opentelemetry.trace import Span, StatusCode, format_trace_id

    assert isinstance(span, Span)
    of.trace = format_trace_id(span.get_span_context().trace_id)
    path = _template(scope)
    span.update_name(f"{_method(scope)} {path}")
    span.set_attributes({"http.route": path, "http.response.status_code": status})
    if of.operation:
        span.set_attribute("graphql.operation.name", of.operation)
    if status >= 500:
        span.set_status(StatusCode.ERROR)
