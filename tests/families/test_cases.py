"""Every case file of every family gives the rows that were worked out by hand, on every engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from families.cases import Case, cases_below, expected, found
from families.engines import ENGINES


@pytest.mark.parametrize("case", list(cases_below(Path(__file__).parent)), ids=str)
@pytest.mark.parametrize("engine", ENGINES)
def test_case(case: Case, engine: str) -> None:
    header, rows = expected(case)
    assert found(case, header, engine) == rows
