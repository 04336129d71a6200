"""Errors as a caller meets them: a documented code, the remedy, the request's id; never a traceback."""

from __future__ import annotations

import logging

from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.exceptions import StrawberryInputCoercionError

from metrics_api.errors import Code, MetricsError, Problem
from metrics_api.graphql_schema.scalars import Unreadable
from metrics_api.serving.jobs import QueryRunning

_log = logging.getLogger("metrics_api.graphql")

INTERNAL = "internal error"


def told(error: GraphQLError, request_id: str) -> GraphQLError:
    """The error for the caller. What is our fault is logged, and becomes a number to ask about."""
    problems = _problems(error)
    if problems is None:
        _log.error("request %s: %s failed", request_id, _path(error), exc_info=error.original_error or error)
        problems = (Problem(INTERNAL, fix=f"Ask the server's owner about request {request_id}.", code=Code.INTERNAL),)
    return GraphQLError(
        "\n".join(_sentence(one) for one in problems),
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions={"code": problems[0].code.value, "requestId": request_id, **_job(error)},
    )


def _job(error: GraphQLError) -> dict[str, str]:
    """By what a question that goes on will be asked for."""
    cause = error.original_error
    return {"job": cause.job} if isinstance(cause, QueryRunning) else {}


def told_of(error: Exception, what: str, request_id: str) -> tuple[str, str]:
    """The same for a card of a board or a job, as its message and code: what is around it is told."""
    problems = error.problems if isinstance(error, MetricsError) else None
    if problems is None:
        _log.error("request %s: %s failed", request_id, what, exc_info=error)
        problems = (Problem(INTERNAL, fix=f"Ask the server's owner about request {request_id}.", code=Code.INTERNAL),)
    return "\n".join(_sentence(one) for one in problems), problems[0].code.value


def _problems(error: GraphQLError) -> tuple[Problem, ...] | None:
    """What a caller can mend; None for what they cannot."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if isinstance(cause, MetricsError):
        return cause.problems
    if isinstance(cause, RecursionError):
        return (Problem("the request is nested too deeply", code=Code.LIMIT_EXCEEDED),)
    if isinstance(cause, Unreadable):
        # For a variable, the library's words before say which one.
        variable, _, _ = error.message.partition("Expected value of type")
        return (Problem(f"{variable}{cause}", code=Code.QUERY_INVALID),)
    if isinstance(cause, GraphQLError | StrawberryInputCoercionError) or cause is None:
        is_limit = isinstance(error, GraphQLSyntaxError) and error.message.endswith("Parsing aborted.")
        code = (error.extensions or {}).get("code", Code.LIMIT_EXCEEDED if is_limit else Code.QUERY_INVALID)
        return (Problem(error.message, code=Code(code)),)
    return None


def _sentence(problem: Problem) -> str:
    if not problem.fix:
        return problem.message
    end = "" if problem.message.endswith((".", "!", "?")) else "."
    return f"{problem.message}{end} {problem.fix}"


def _path(error: GraphQLError) -> str:
    return ".".join(str(part) for part in error.path or ()) or "the request"
