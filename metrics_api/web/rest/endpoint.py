"""What a module contributes: a path, who answers it, and what OpenAPI tells of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from metrics_api.errors import Code, MetricsError, Problem
from metrics_api.web.connected import Gone, while_connected
from metrics_api.web.requests import request_id_of
from metrics_api.web.rest.refusals import Refused, Wrong, refused, response_of
from metrics_api.web.rest.words import Word

T = TypeVar("T")
Answerer = Callable[[Request], Awaitable[Response]]
LONGEST_QUERY = 16 * 1024
"""Bytes of an address behind its `?`."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What OpenAPI tells of one method of a path."""

    id: str
    summary: str
    description: str
    responses: Mapping[int, Mapping[str, Any]]
    """Status to media types and schemas (`{"application/json": {...}}`), of answers that are no errors."""
    refusals: tuple[int, ...] = (400,)
    """The statuses of errors, all in one form."""
    parameters: tuple[Mapping[str, Any], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    """What the headers of an answer tell."""
    body: Mapping[str, Any] | None = None
    """The schema of a JSON body."""
    tag: str = "metrics"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path of Starlette's and OpenAPI's (`/v1/boards/{name}`), and its methods: `get` answers HEAD as well.

    Without an operation it only refuses what other endpoints leave, and OpenAPI does not tell of it.
    """

    path: str
    answer: Answerer
    operations: Mapping[str, Operation]
    schemas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Schemas of components that the operations refer to."""


def routes(endpoints: Iterable[Endpoint]) -> list[Route]:
    """The routes, in the order of the endpoints: of two that fit a path the first is taken."""
    return [
        Route(one.path, _Answering(one.answer), methods=[method.upper() for method in one.operations or ("get",)])
        for one in endpoints
    ]


class _Answering:
    """An endpoint whose errors are told in the form of all errors."""

    def __init__(self, answer: Answerer) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            if len(scope["query_string"]) > LONGEST_QUERY:
                told = f"the address is longer than {LONGEST_QUERY:,} bytes"
                raise Refused.of(told, code=Code.LIMIT_EXCEEDED, status=414)
            response = await self._answered(request)
        except Refused as error:
            response = response_of(error, request_id_of(scope))
        except MetricsError as error:
            response = response_of(refused(error), request_id_of(scope))
        except RecursionError:
            problem = Problem("the question is nested too deeply", code=Code.LIMIT_EXCEEDED)
            response = response_of(Refused([Wrong(problem)]), request_id_of(scope))
        if response is not None:
            await response(scope, receive, send)

    async def _answered(self, request: Request) -> Response | None:
        """The answer; None where the caller has gone, for whom nothing is computed any more."""
        if request.method not in ("GET", "HEAD"):  # There is a body, which must be read first.
            return await self._answer(request)
        try:
            return await while_connected(request.receive, self._answer(request))
        except Gone:
            return None


def query_parameters(words: Sequence[Word]) -> tuple[Mapping[str, Any], ...]:
    """The words as OpenAPI has parameters."""
    return tuple(_parameter(one) for one in words)


def _parameter(word: Word) -> Mapping[str, Any]:
    told: dict[str, Any] = {
        "name": word.name,
        "in": "query",
        "required": False,
        "description": word.description,
        "schema": dict(word.schema),
    }
    if word.schema.get("type") == "array":
        # A list is written with commas; where a comma may be inside, the parameter is given again.
        told |= {"style": "form", "explode": word.name == "bins"}
    if word.examples:
        told["examples"] = {name: {"value": value} for name, value in word.examples.items()}
    elif word.example is not None:
        told["example"] = word.example
    return told


def path_parameter(name: str, known: Sequence[str], description: str) -> Mapping[str, Any]:
    schema = {"type": "string", "enum": list(known)} if known else {"type": "string"}
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}
