"""The ASGI application that serves a project."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from metrics_api.errors import Code
from metrics_api.graphql_schema.context import RequestLimits
from metrics_api.graphql_schema.schema import build_schema
from metrics_api.serving.project import Project
from metrics_api.serving.service import Service, ServiceSettings
from metrics_api.web.graphql_view import GraphQLView
from metrics_api.web.health import healthz, readyz
from metrics_api.web.requests import BodyLimit, RequestIds, failure, request_id_of

MOST_BYTES = 64 * 1024
"""Of one request's body."""


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    request_id = request_id_of(request.scope)
    return failure(error.detail, Code.QUERY_INVALID, status=error.status_code, request_id=request_id)


def create_app(
    project: Project,
    limits: RequestLimits | None = None,
    settings: ServiceSettings | None = None,
    *,
    most_bytes: int = MOST_BYTES,
    rows_at_once: bool = True,
) -> Starlette:
    """The application: `/graphql`, `/healthz`, `/readyz`. The project stays open; whoever made it closes it.

    Without `rows_at_once` every value of an answer goes through GraphQL's stock executor, forty times as slowly.
    Raises DefinitionError when two names would be one in GraphQL.
    """
    schema = build_schema(project.model, project.definitions)
    service = Service(project, settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await service.close()

    return Starlette(
        routes=[
            Route("/", lambda request: RedirectResponse("/graphql")),
            Route("/graphql", GraphQLView(service, schema, limits or RequestLimits(), at_once=rows_at_once)),
            Route("/healthz", healthz),
            Route("/readyz", readyz(project)),
        ],
        exception_handlers={HTTPException: _refused},
        lifespan=lifespan,
        middleware=[Middleware(RequestIds), Middleware(BodyLimit, most_bytes=most_bytes)],
    )
