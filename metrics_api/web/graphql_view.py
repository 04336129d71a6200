"""`/graphql`: what GraphQL over HTTP asks, answered by the schema; and a page for people that needs no network."""

from __future__ import annotations

import logging
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
from metrics_api.serving import observing
from metrics_api.serving.service import Asking, Caller, Service, Use
from metrics_api.web.connected import Gone, while_connected
from metrics_api.web.over_http import (
    GRAPHQL_TYPE,
    HTML_TYPE,
    JSON_TYPE,
    Asked,
    NotOverHttp,
    answer_type,
    asked_by,
    operation_name,
    sent_by,
    use_of,
)
from metrics_api.web.query_page import query_page
from metrics_api.web.requests import failure, request_id_of
from metrics_api.web.responses import Response as Kept
from metrics_api.web.responses import Responses, key_of

_log = logging.getLogger("metrics_api.web")


class GraphQLView:
    """The endpoint of one project, as an ASGI application."""

    def __init__(
        self,
        service: Service,
        schema: MetricsSchema,
        limits: RequestLimits,
        *,
        at_once: bool = True,
    ) -> None:
        self._service = service
        self._schema = schema
        self._limits = limits
        self._at_once = at_once
        self.responses = Responses(service.project, service.settings.response_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        media_type = JSON_TYPE
        try:
            media_type = answer_type(request.headers.get("accept", ""))
            response = await self._response(request, media_type)
        except Gone:
            _log.info("request %s: the caller has gone", request_id_of(scope))
            return
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
        use, caller = use_of(request.headers), Caller()
        sent = await sent_by(request)
        key = key_of(media_type.encode(), caller.policy.encode(), request.method.encode(), sent)
        kept = self.responses.get(key) if use is Use.ANY else None
        observing.observer().looked_up("response", "miss" if kept is None else "hit")
        if kept is not None:
            self._service.note(kept.queries, caller)
            for _ in kept.queries:
                observing.answered("HIT")
            return self._kept(kept, request, media_type, is_hit=True)
        asked = asked_by(request, sent)
        asking = Asking(caller, request_id_of(request.scope), use)
        if (of := observing.request()) is not None:
            of.operation = operation_name(asked)
        context = RequestContext(self._service, self._limits, asking, writes_json=self._at_once)
        result = await while_connected(request.receive, self._result(asked, request.method, context))
        body, status = _written(result, media_type)
        is_kept = status == 200 and not result.errors and context.is_lasting
        if is_kept and (made := self.responses.put(key, body, context.served)) is not None:
            return self._kept(made, request, media_type, is_hit=False)
        return Response(body, status, {"cache-control": "no-store"}, f"{media_type}; charset=utf-8")

    def _kept(self, found: Kept, request: Request, media_type: str, *, is_hit: bool) -> Response:
        """The answer with what caches on the way may know; nothing but its headers for who has it already."""
        headers = {
            "etag": found.etag,
            "cache-control": f"private, max-age={self.responses.seconds_left(found)}",
            "age": str(found.age),
            "vary": "accept",
            "cache-status": f"metrics-api; {'hit' if is_hit else 'fwd=miss; stored'}",
        }
        if request.method == "GET" and found.etag in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        return Response(found.body, 200, headers, f"{media_type}; charset=utf-8")

    async def _result(self, asked: Asked, method: str, context: RequestContext) -> ExecutionResult:
        try:
            return await self._schema.execute(
                asked.query,
                variable_values=asked.variables,
                operation_name=asked.operation,
                context_value=context,
                allowed_operation_types=(OperationType.QUERY,),
                operation_extensions=asked.extensions,
            )
        except CannotGetOperationTypeError as error:
            raise NotOverHttp(error.as_http_error_reason()) from None
        except InvalidOperationTypeError:
            told = "there are only queries to ask"
            raise NotOverHttp(told, *((405, {"allow": "POST"}) if method == "GET" else ())) from None


def _written(result: ExecutionResult, media_type: str) -> tuple[bytes, int]:
    """The answer's bytes and status. A request that was never begun has no `data`, and in GraphQL's own type a 400."""
    errors = result.errors or []
    is_refused = result.data is None and all(one.path is None for one in errors)
    answer: dict[str, Any] = {} if is_refused else {"data": result.data}
    if errors:
        answer["errors"] = [one.formatted for one in errors]
    with observing.observer().span("encode"):
        body = orjson.dumps(answer)
    return body, 400 if is_refused and media_type == GRAPHQL_TYPE else 200
