"""Every case file of every family gives the rows that were worked out by hand, on every engine."""

from __future__ import annotations

from functools import partial

import pytest

from families.engines import DIFFERENT_CASES, ENGINES, type_of, warehouse_with
from metrics_api.testkit.cases import Case, cases_below, expected, found


@pytest.mark.parametrize("case", list(cases_below()), ids=str)
@pytest.mark.parametrize("engine", ENGINES)
def test_case(case: Case, engine: str, request: pytest.FixtureRequest) -> None:
    if reason := DIFFERENT_CASES.get((engine, str(case))):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    header, rows = expected(case)
    assert found(case, header, type_of(engine), partial(warehouse_with, engine)) == rows
