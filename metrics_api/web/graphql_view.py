"""`/graphql`: strawberry's view, with our context, errors in GraphQL's form, and a page that needs no network."""

from __future__ import annotations

import anyio
from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL

from metrics_api.errors import Code
from metrics_api.graphql_schema.context import RequestContext, RequestLimits
from metrics_api.graphql_schema.schema import MetricsSchema
from metrics_api.serving.project import Project
from metrics_api.web.query_page import query_page
from metrics_api.web.requests import failure, request_id_of


class GraphQLView(GraphQL[RequestContext, None]):
    """The endpoint of one project."""

    def __init__(self, project: Project, schema: MetricsSchema, limits: RequestLimits) -> None:
        super().__init__(schema, subscription_protocols=())
        self._project = project
        self._limits = limits
        self._threads = anyio.CapacityLimiter(limits.threads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self.run(Request(scope, receive))
        except HTTPException as error:
            request_id = request_id_of(scope)
            response = failure(error.reason, Code.QUERY_INVALID, status=error.status_code, request_id=request_id)
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> RequestContext:
        return RequestContext(self._project, self._limits, self._threads, request_id_of(request.scope))

    def decode_json(self, data: str | bytes) -> object:
        try:
            return super().decode_json(data)
        except (RecursionError, UnicodeDecodeError):
            raise HTTPException(400, "Unable to parse request body as JSON") from None

    async def render_graphql_ide(self, request: Request) -> Response:
        return query_page(self._project.model)
