"""The scalars: what they look like in JSON, and what is read back."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NewType
from zoneinfo import ZoneInfo

import strawberry
from strawberry.types.scalar import ScalarDefinition

from metrics_api.errors import WarehouseError

if TYPE_CHECKING:
    import pyarrow as pa

BigInt = NewType("BigInt", int)
Period = NewType("Period", date)
Row = NewType("Row", dict[str, Any])

SAFE_INTEGER = 2**53 - 1
"""The largest whole number that JSON's readers (JavaScript's, foremost) keep exact."""
_LARGEST = 2**63 - 1
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})?)?")


class Unreadable(ValueError):
    """A written value that is none of its type."""


def write_big_integer(value: int) -> int | str:
    """A JSON number as long as every reader keeps it exact, else a string (RULES 42)."""
    return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(value)


def read_big_integer(written: Any) -> int:
    whole = isinstance(written, float) and written.is_integer() and abs(written) <= SAFE_INTEGER
    if isinstance(written, bool) or not (whole or isinstance(written, int | str)):
        raise Unreadable(f"`{_shown(written)}` is not a whole number.")
    if isinstance(written, str) and not re.fullmatch(r"-?\d{1,19}", written, re.ASCII):
        raise Unreadable(f"`{_shown(written)}` is not a whole number.")
    value = int(written)
    if abs(value) > _LARGEST:
        raise Unreadable(f"`{_shown(written)}` does not fit 64 bits.")
    return value


def write_decimal(value: Decimal) -> str:
    """All digits, without an exponent or zeros that say nothing."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_decimal(written: Any) -> Decimal:
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        raise Unreadable(f"`{_shown(written)}` is not a decimal number.")
    try:
        value = Decimal(str(written))
    except InvalidOperation:
        raise Unreadable(f'`{_shown(written)}` is not a decimal number. Write it as `"12.50"`.') from None
    if not value.is_finite() or abs(value) >= Decimal(10) ** 29:
        raise Unreadable(f"`{_shown(written)}` is not a number of at most 29 digits.")
    return value


def read_date(written: Any) -> date:
    if isinstance(written, str) and _DATE.fullmatch(written):
        try:
            return date.fromisoformat(written)
        except ValueError:
            pass
    raise Unreadable(f'`{_shown(written)}` is not a date. Write year, month and day: `"2026-01-31"`.')


def write_datetime(value: datetime) -> str:
    """Naive UTC inside, `Z` outside."""
    return f"{value.isoformat()}Z"


def read_datetime(written: Any) -> datetime:
    if isinstance(written, str) and _DATETIME.fullmatch(written):
        try:
            value = datetime.fromisoformat(written)
            return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        except (ValueError, OverflowError):
            pass
    raise Unreadable(f'`{_shown(written)}` is not an instant. Write it as `"2026-01-31T12:00:00Z"`.')


def write_period(value: date) -> str:
    """Dates for days and coarser; hours arrive as date-times that know their offset."""
    return value.isoformat()


def row_values(table: pa.Table, columns: Sequence[tuple[str, str]], timezone: str) -> list[dict[str, Any]]:
    """The rows as JSON has them, each value as a field of its type would be written.

    `columns` are names and types, `period` that of a bucket's label. Raises WarehouseError for a number beyond the
    range of JSON.
    """
    names = [name for name, _ in columns]
    written = [_written(name, of, table[name].to_pylist(), timezone) for name, of in columns]
    return [dict(zip(names, values, strict=True)) for values in zip(*written, strict=True)]


def _written(name: str, of: str, values: Sequence[Any], timezone: str) -> Sequence[Any]:
    if of == "number" and not all(one is None or math.isfinite(one) for one in values):
        raise WarehouseError(f"`{name}` is not finite: it is beyond the range of the warehouse's numbers")
    if of == "period" and any(isinstance(one, datetime) for one in values):
        zone = ZoneInfo(timezone)
        return [one and one.replace(tzinfo=UTC).astimezone(zone).isoformat() for one in values]
    write = _WRITERS.get(of)
    return values if write is None else [None if one is None else write(one) for one in values]


_WRITERS: Mapping[str, Callable[[Any], Any]] = {
    "integer": write_big_integer,
    "decimal": write_decimal,
    "date": date.isoformat,
    "period": date.isoformat,
    "timestamp": write_datetime,
}


def _shown(written: Any) -> str:
    text = str(written)
    return text if len(text) <= 80 else f"{text[:80]}..."


SCALARS: dict[object, ScalarDefinition] = {
    BigInt: strawberry.scalar(
        name="BigInt",
        description=(
            "A whole number of 64 bits. A JSON number up to 2^53 - 1 in size, beyond it a string, so that no reader "
            "rounds it; both are accepted."
        ),
        serialize=write_big_integer,
        parse_value=read_big_integer,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number, as a string: "12.5".',
        serialize=write_decimal,
        parse_value=read_decimal,
    ),
    date: strawberry.scalar(
        name="Date",
        description='A local date: "2026-01-31".',
        serialize=date.isoformat,
        parse_value=read_date,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description='An instant, in UTC: "2026-01-31T12:00:00Z". Other offsets are accepted; without one it is UTC.',
        serialize=write_datetime,
        parse_value=read_datetime,
    ),
    Row: strawberry.scalar(
        name="Row",
        description=(
            "A row of a card as a JSON object, its keys the names of the part's columns. Values are written as those "
            "of the types elsewhere: INTEGER as BigInt, DECIMAL as a string, NUMBER as a number, DATE and TIMESTAMP as "
            "Date and DateTime, the label of a bucket as Period; what is not known is null."
        ),
        serialize=lambda value: value,
    ),
    Period: strawberry.scalar(
        name="Period",
        description=(
            'The start of a bucket: a local date ("2026-01-31") for days and coarser, a date-time with its offset '
            '("2026-01-31T09:00:00+01:00") for hours.'
        ),
        serialize=write_period,
    ),
}
