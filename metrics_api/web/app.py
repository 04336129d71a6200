"""The ASGI application that serves a project."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route, Router

from metrics_api.errors import Code
from metrics_api.graphql_schema.context import RequestLimits
from metrics_api.graphql_schema.schema import build_schema
from metrics_api.serving.observing import observed
from metrics_api.serving.project import Project
from metrics_api.serving.reloading import Reloading
from metrics_api.serving.service import Service, ServiceSettings
from metrics_api.serving.stores import Shared
from metrics_api.web.graphql_view import GraphQLView
from metrics_api.web.health import healthz, readyz
from metrics_api.web.live import Edition, Live
from metrics_api.web.measured import Measured
from metrics_api.web.reloading import check, reloading
from metrics_api.web.requests import BodyLimit, RequestIds, failure, request_id_of
from metrics_api.web.rest.api import endpoints as rest_endpoints
from metrics_api.web.rest.endpoint import routes as rest_routes
from metrics_api.web.rest.exports import ExportLimits
from metrics_api.web.warmups import Warmups
from metrics_api.web.watched import Watched

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

MOST_BYTES = 64 * 1024
"""Of one request's body."""


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    request_id = request_id_of(request.scope)
    response = failure(error.detail, Code.QUERY_INVALID, status=error.status_code, request_id=request_id)
    response.headers.update(error.headers or {})
    return response


def create_app(
    project: Project,
    limits: RequestLimits | None = None,
    settings: ServiceSettings | None = None,
    *,
    export: ExportLimits | None = None,
    most_bytes: int = MOST_BYTES,
    rows_at_once: bool = True,
    reload: Reloading | None = None,
    shared: Callable[[], Shared] | None = None,
    tracing: TracerProvider | None = None,
) -> Starlette:
    """The application: `/graphql`, `/v1` for REST, `/healthz`, `/readyz`, `/metrics`.

    The project stays open; whoever made it closes it.

    Without `rows_at_once` every value of an answer goes through GraphQL's stock executor, forty times as slowly.
    `reload` tells when the definitions are read again, while the application's lifespan goes on. `shared` opens a store
    of answers that several workers share. `tracing` is where spans go; left out, to the provider that the process has
    set up by now, if any.
    Raises DefinitionError when two names would be one in GraphQL, MissingDriver where `reload` needs what is not there.
    """
    limits = limits or RequestLimits()
    if reload is not None:
        check(reload)
    live: Live
    measured = Measured(tracing)

    def publish(project: Project, before: Edition | None) -> Edition:
        """Raises DefinitionError as `create_app` does."""
        schema = build_schema(project.model, project.definitions)
        store = shared() if shared else None
        service = Service(project, settings, shared=store)
        measured.services.add(service)
        warmups = Warmups(service, store)
        graphql = GraphQLView(service, schema, limits, at_once=rows_at_once)
        routes = [
            Route("/", lambda request: RedirectResponse("/graphql")),
            Route("/graphql", graphql),
            Route("/healthz", healthz),
            Route("/readyz", readyz(project, lambda: live)),
            Route("/metrics", measured.endpoint),
            *rest_routes(rest_endpoints(service, limits, export, warmups)),
        ]

        async def end() -> None:
            await warmups.end()
            await service.close()

        return Edition(project, Router(routes), end, warmups.begin)

    live = Live(project, publish, reload.load if reload else None)
    measured.of(live)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with observed(measured):
            await live.begin()
            try:
                async with reloading(live, reload):
                    yield
            finally:
                await live.close()

    return Starlette(
        routes=[Mount("/", live)],
        exception_handlers={HTTPException: _refused},
        middleware=[
            Middleware(RequestIds),
            Middleware(Watched, measured=measured),
            Middleware(BodyLimit, most_bytes=most_bytes),
        ],
        lifespan=lifespan,
    )
