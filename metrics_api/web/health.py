"""`/healthz`: the server runs. `/readyz`: it can answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from metrics_api.errors import MetricsError
from metrics_api.serving.project import Project
from metrics_api.web.live import Live, written

_log = logging.getLogger("metrics_api.web")


async def healthz(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def readyz(project: Project, live: Callable[[], Live]) -> Callable[[Request], Awaitable[Response]]:
    """Ready while the warehouse answers; the definitions were loaded, or there would be no project.

    A server whose definitions on disk are broken is ready, and says so: those from before answer.
    """

    def reach() -> None:
        project.warehouse().run("SELECT 1", tag="readyz")

    async def endpoint(request: Request) -> Response:
        try:
            await anyio.to_thread.run_sync(reach)
        except MetricsError as error:
            # Whoever probes need not know how the warehouse is reached; who reads the log does.
            _log.warning("not ready: %s", error)
            return JSONResponse({"status": "unavailable", "code": error.problems[0].code.value}, status_code=503)
        return JSONResponse(
            {"status": "ok", "metrics": len(project.model.metrics), "definitions": _definitions(live())}
        )

    return endpoint


def _definitions(live: Live) -> dict[str, Any]:
    """Which are served, and since when those on disk are broken, or newer ones cannot be had."""
    told: dict[str, Any] = {"hash": live.now.project.model.hash, "loadedAt": written(live.now.loaded_at)}
    if live.broken is not None:
        told["broken"] = live.broken.told
    if live.behind is not None:
        told["behind"] = live.behind.told
    return told
