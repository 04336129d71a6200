"""Values of filters as constants of a property's type."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from metrics_api.plan.expr import Lit, Type
from metrics_api.query.filters import fitting
from metrics_api.semantic.expressions import ConditionError
from metrics_api.semantic.model import Property


@pytest.mark.parametrize(
    ("written", "type_", "value"),
    [
        ("2026-01-31T12:00:00", Type.TIMESTAMP, datetime(2026, 1, 31, 12)),
        ("2026-01-31T12:00:00Z", Type.TIMESTAMP, datetime(2026, 1, 31, 12)),
        ("2026-01-31T12:00:00+02:00", Type.TIMESTAMP, datetime(2026, 1, 31, 10)),
        ("2026-01-31", Type.DATE, date(2026, 1, 31)),
    ],
)
def test_instants_are_utc_and_offsets_count(written: str, type_: Type, value: object) -> None:
    assert fitting(written, Property("seen", "seen", type_)) == Lit(value, type_)


@pytest.mark.parametrize("written", ["yesterday", "0001-01-01T00:00:00+23:00"])
def test_what_is_no_instant_is_refused(written: str) -> None:
    with pytest.raises(ConditionError, match="`seen` is a timestamp"):
        fitting(written, Property("seen", "seen", Type.TIMESTAMP))
