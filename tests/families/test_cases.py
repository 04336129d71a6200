"""Every case file of every family gives the rows that were worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from families.cases import Case, cases_below, expected, found


@pytest.mark.parametrize("case", list(cases_below(Path(__file__).parent)), ids=str)
def test_case(case: Case) -> None:
    header, rows = expected(case)
    assert found(case, header) == rows
