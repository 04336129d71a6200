"""Errors of the house as responses."""

from __future__ import annotations

import json

import pytest

from metrics_api.errors import Code, MissingDriver, Problem, QueryError, UnsupportedByEngine, WarehouseError
from metrics_api.web.rest.refusals import STATUSES, refused, response_of


@pytest.mark.parametrize("code", Code)
def test_every_code_has_its_status(code: Code) -> None:
    response = response_of(refused(QueryError(Problem("it is so", fix="Do this.", code=code))), "me")
    expected = {
        Code.QUERY_INVALID: 400, Code.UNKNOWN_NAME: 400, Code.LIMIT_EXCEEDED: 400, Code.NOT_KEPT: 404,
        Code.TOO_BUSY: 429, Code.INTERNAL: 500, Code.UNSUPPORTED_BY_ENGINE: 501, Code.WAREHOUSE_ERROR: 502,
        Code.MISSING_DRIVER: 503, Code.DEFINITION_INVALID: 503, Code.QUERY_RUNNING: 503, Code.DEADLINE: 504,
    }  # fmt: skip
    assert response.status_code == expected[code]
    assert STATUSES.items() <= expected.items()
    again = code in (Code.TOO_BUSY, Code.QUERY_RUNNING)
    assert ("retry-after" in response.headers) == again
    extensions = {"code": code.value, "requestId": "me"}
    assert json.loads(response.body) == {"errors": [{"message": "it is so. Do this.", "extensions": extensions}]}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (WarehouseError("it is down"), 502),
        (MissingDriver("psycopg", "postgres"), 503),
        (UnsupportedByEngine("quantile", "redshift"), 501),
        (QueryError([Problem("first", code=Code.LIMIT_EXCEEDED), Problem("second", code=Code.NOT_KEPT)]), 400),
    ],
)
def test_the_first_problem_decides(error: WarehouseError, status: int) -> None:
    response = response_of(refused(error), "me")
    assert response.status_code == status
    assert len(json.loads(response.body)["errors"]) == len(error.problems)
