"""All of REST: the endpoints of every module, and the document that tells of them."""

from __future__ import annotations

from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from metrics_api.graphql_schema.context import RequestLimits
from metrics_api.serving.project import Project
from metrics_api.serving.service import Service
from metrics_api.web.rest import boards, catalog, exports, metrics, openapi
from metrics_api.web.rest.asked import Rest
from metrics_api.web.rest.endpoint import Endpoint, Operation
from metrics_api.web.rest.exports import ExportLimits
from metrics_api.web.rest.kept import Body
from metrics_api.web.rest.metrics import answered
from metrics_api.web.warmups import Warmups


def endpoints(
    service: Service, limits: RequestLimits, export: ExportLimits | None = None, warmups: Warmups | None = None
) -> list[Endpoint]:
    """Whoever adds a module adds its endpoints here."""
    rest = Rest(service, limits)
    found = [
        *catalog.endpoints(rest),
        *metrics.endpoints(rest),
        *exports.endpoints(rest, export or ExportLimits()),
        *(boards.endpoints(rest) if rest.model.boards else ()),
        *(warmups or Warmups(service, None)).endpoints,
    ]
    return [*found, _document(rest, found)]


def openapi_text(project: Project) -> str:
    """The document of a project as a file. Nothing is asked of its warehouse."""
    return openapi.written(project.model, endpoints(Service(project), RequestLimits()))


def _document(rest: Rest, others: list[Endpoint]) -> Endpoint:
    """`/v1/openapi.json`, which tells of itself as well."""
    schema = {"application/json": {"type": "object"}}
    operation = Operation("openapi", "This document", "OpenAPI 3.1.", {200: schema}, (500,), tag="catalog")

    @cache
    def body() -> Body:
        return Body.of(openapi.written(rest.model, [*others, endpoint]).encode())

    async def answer(request: Request) -> Response:
        return answered(request, body(), "application/json; charset=utf-8")

    endpoint = Endpoint("/v1/openapi.json", answer, {"get": operation})
    return endpoint
