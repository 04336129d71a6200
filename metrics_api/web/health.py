"""`/healthz`: the server runs. `/readyz`: it can answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from metrics_api.errors import MetricsError
from metrics_api.serving.project import Project

_log = logging.getLogger("metrics_api.web")


async def healthz(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def readyz(project: Project) -> Callable[[Request], Awaitable[Response]]:
    """Ready while the warehouse answers; the definitions were loaded, or there would be no project."""

    def reach() -> None:
        project.warehouse().run("SELECT 1")

    async def endpoint(request: Request) -> Response:
        try:
            await anyio.to_thread.run_sync(reach)
        except MetricsError as error:
            # Whoever probes need not know how the warehouse is reached; who reads the log does.
            _log.warning("not ready: %s", error)
            return JSONResponse({"status": "unavailable", "code": error.problems[0].code.value}, status_code=503)
        return JSONResponse({"status": "ok", "metrics": len(project.model.metrics)})

    return endpoint
