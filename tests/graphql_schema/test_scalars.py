"""Scalars: what is written, what is read back, and what is refused."""

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics_api.graphql_schema.scalars import (
    Unreadable,
    read_big_integer,
    read_date,
    read_datetime,
    read_decimal,
    write_big_integer,
    write_datetime,
    write_decimal,
)


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_big_integers_come_back_exactly(value: int) -> None:
    written = write_big_integer(value)
    assert isinstance(written, int) is (abs(value) <= 9_007_199_254_740_991)
    assert read_big_integer(written) == value


@pytest.mark.parametrize("written", [True, 1.5, "1.5", "", "1e3", "٣", "9" * 30, 2**63, "-9223372036854775808", None])
def test_what_is_no_big_integer(written: object) -> None:
    with pytest.raises(Unreadable):
        read_big_integer(written)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**28), max_value=10**28))
def test_decimals_come_back_exactly(value: Decimal) -> None:
    written = write_decimal(value)
    assert "e" not in written.lower()
    assert read_decimal(written) == value


def test_decimals_say_no_more_than_they_know() -> None:
    written = [write_decimal(Decimal(text)) for text in ("12.500000000", "0E-9", "100", "1E+3", "-0.10")]
    assert written == ["12.5", "0", "100", "1000", "-0.1"]


@pytest.mark.parametrize("written", ["", "NaN", "Infinity", "1,5", True, "1e99", None, "9" * 30])
def test_what_is_no_decimal(written: object) -> None:
    with pytest.raises(Unreadable):
        read_decimal(written)


@pytest.mark.parametrize(
    "written",
    ["2026-02-30", "20260131", "2026-W05-1", "2026-1-31", "31.01.2026", "", "2026-01-31T00:00", 20260131, None],
)
def test_what_is_no_date(written: object) -> None:
    with pytest.raises(Unreadable, match="is not a date"):
        read_date(written)


def test_dates_and_instants() -> None:
    assert read_date("2024-02-29") == date(2024, 2, 29)
    noon = datetime(2026, 1, 31, 12)
    for text in ("2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00", "2026-01-31T12:00", "2026-01-31 06:30-05:30"):
        assert read_datetime(text) == noon
    assert write_datetime(noon) == "2026-01-31T12:00:00Z"
    assert read_datetime("2026-01-31") == datetime(2026, 1, 31)


@pytest.mark.parametrize(
    "written", ["now", "2026-01-31T25:00Z", "9999-12-31T23:00:00-05:00", "2026-01-31T12:00:00+99:00", 1, None]
)
def test_what_is_no_instant(written: object) -> None:
    with pytest.raises(Unreadable, match="is not an instant"):
        read_datetime(written)
