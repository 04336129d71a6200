"""`/graphql`: what GraphQL over HTTP asks, answered by the schema; and a page for people that needs no network."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from metrics_api.errors import Code
from metrics_api.graphql_schema.context import RequestContext, RequestLimits
from metrics_api.graphql_schema.schema import MetricsSchema
from metrics_api.serving.service import Asking, Service
from metrics_api.web.over_http import GRAPHQL_TYPE, HTML_TYPE, JSON_TYPE, Asked, NotOverHttp, answer_type, asked_by
from metrics_api.web.query_page import query_page
from metrics_api.web.requests import failure, request_id_of


class GraphQLView:
    """The endpoint of one project, as an ASGI application."""

    def __init__(self, service: Service, schema: MetricsSchema, limits: RequestLimits, *, at_once: bool = True) -> None:
        self._service = service
        self._schema = schema
        self._limits = limits
        self._at_once = at_once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        media_type = JSON_TYPE
        try:
            media_type = answer_type(request.headers)
            response = await self._response(request, media_type)
        except NotOverHttp as refused:
            response = failure(
                refused.message, Code.QUERY_INVALID, status=refused.status, request_id=request_id_of(scope)
            )
            response.headers.update(refused.headers)
            if media_type == GRAPHQL_TYPE:
                response.headers["content-type"] = f"{GRAPHQL_TYPE}; charset=utf-8"
        await response(scope, receive, send)

    async def _response(self, request: Request, media_type: str) -> Response:
        if media_type == HTML_TYPE:
            if request.method == "GET" and "query" not in request.query_params:
                return query_page(self._service.project.model)
            media_type = JSON_TYPE
        asked = await asked_by(request)
        try:
            result = await self._result(asked, request_id_of(request.scope))
        except CannotGetOperationTypeError as error:
            raise NotOverHttp(error.as_http_error_reason()) from None
        except InvalidOperationTypeError:
            told = "there are only queries to ask"
            raise NotOverHttp(told, *((405, {"allow": "POST"}) if request.method == "GET" else ())) from None
        return _written(result, media_type)

    async def _result(self, asked: Asked, request_id: str) -> ExecutionResult:
        asking = Asking(request_id=request_id)
        context = RequestContext(self._service, self._limits, asking, writes_json=self._at_once)
        return await self._schema.execute(
            asked.query,
            variable_values=asked.variables,
            operation_name=asked.operation,
            context_value=context,
            allowed_operation_types=(OperationType.QUERY,),
            operation_extensions=asked.extensions,
        )


def _written(result: ExecutionResult, media_type: str) -> Response:
    """The answer's bytes. A request that was never begun has no `data`, and in GraphQL's own type a status of 400."""
    errors = result.errors or []
    is_refused = result.data is None and all(one.path is None for one in errors)
    answer: dict[str, Any] = {} if is_refused else {"data": result.data}
    if errors:
        answer["errors"] = [one.formatted for one in errors]
    status = 400 if is_refused and media_type == GRAPHQL_TYPE else 200
    return Response(orjson.dumps(answer), status, media_type=f"{media_type}; charset=utf-8")
