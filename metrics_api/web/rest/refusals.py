"""Errors as callers of REST meet them: in GraphQL's form, all of a request at once, under the status that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse

from metrics_api.errors import Code, MetricsError, Problem

STATUSES: Mapping[Code, int] = {
    Code.UNSUPPORTED_BY_ENGINE: 501,
    Code.WAREHOUSE_ERROR: 502,
    Code.MISSING_DRIVER: 503,
    Code.DEFINITION_INVALID: 503,
    Code.INTERNAL: 500,
    Code.NOT_KEPT: 404,
    Code.TOO_BUSY: 429,
    Code.QUERY_RUNNING: 503,
    Code.DEADLINE: 504,
}
"""All others are the question's: 400."""
_HEADERS: Mapping[Code, Mapping[str, str]] = {
    code: {"retry-after": "5"} for code in (Code.TOO_BUSY, Code.QUERY_RUNNING)
}
"""Asked again then, an answer that was under way may be there; if not, it is waited for again."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A problem, and the parameter that has it, where it is one's."""

    problem: Problem
    parameter: str | None = None


class Refused(Exception):
    """A request that is not answered, with all that is wrong with it."""

    def __init__(
        self, wrong: Sequence[Wrong], status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        assert wrong
        super().__init__("; ".join(one.problem.message for one in wrong))
        self.wrong = tuple(wrong)
        self.status = status or status_of(wrong[0].problem.code)
        self.headers = headers or _HEADERS.get(wrong[0].problem.code, {})

    @classmethod
    def of(
        cls,
        message: str,
        fix: str | None = None,
        *,
        code: Code = Code.QUERY_INVALID,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Refused:
        """A refusal for one reason."""
        return cls([Wrong(Problem(message, fix=fix, code=code))], status, headers)


def status_of(code: Code) -> int:
    return STATUSES.get(code, 400)


def refused(error: MetricsError) -> Refused:
    """An error of the house, as a refusal."""
    return Refused([Wrong(one) for one in error.problems])


def sentence(problem: Problem) -> str:
    """What is wrong, and what to do."""
    if not problem.fix:
        return problem.message
    end = "" if problem.message.endswith((".", "!", "?")) else "."
    return f"{problem.message}{end} {problem.fix}"


def response_of(refused_: Refused, request_id: str) -> JSONResponse:
    errors: list[dict[str, Any]] = []
    for one in refused_.wrong:
        told = {"code": one.problem.code.value, "requestId": request_id}
        if one.parameter is not None:
            told["parameter"] = one.parameter
        errors.append({"message": sentence(one.problem), "extensions": told})
    headers = {"cache-control": "no-store", **refused_.headers}
    return JSONResponse({"errors": errors}, status_code=refused_.status, headers=headers)
