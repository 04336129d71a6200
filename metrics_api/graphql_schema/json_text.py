"""Arrow's columns as JSON: the text of each value, made column by column, and rows or lists put together of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson

from metrics_api.graphql_schema.layout import PERIOD, SMALL
from metrics_api.graphql_schema.scalars import SAFE_INTEGER, write_datetime, write_decimal, write_period

if TYPE_CHECKING:
    import pyarrow as pa

_INT = 2**31


class NoText(Exception):
    """A value that its type does not have: the usual way finds out which, and says so."""


def texts(values: pa.Array, type_: str, timezone: str) -> pa.Array:
    """The JSON of each value of a cell's type as its scalar writes it, and `null` for nulls. Raises NoText."""
    import pyarrow as pa
    import pyarrow.compute as pc

    match type_:
        case "integer" | "small":
            found = _integers(values, type_)
        case "number":
            found = _numbers(pc.cast(values, pa.float64(), safe=False))
        case "boolean":
            found = pc.if_else(values, "true", "false")
        case _:
            found = _by_value(values, _writer(type_, values.type, timezone))
    return pc.fill_null(found, "null")


def _integers(values: pa.Array, type_: str) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_integer(values.type):
        raise NoText
    written = pc.cast(values, pa.string())
    bounds = pc.min_max(values).as_py()
    largest = max((abs(one) for one in bounds.values() if one is not None), default=0)
    if type_ == SMALL and largest >= _INT:
        raise NoText
    if largest > SAFE_INTEGER:
        is_safe = pc.and_(pc.less_equal(values, SAFE_INTEGER), pc.greater_equal(values, -SAFE_INTEGER))
        quoted = pc.binary_join_element_wise('"', written, '"', "")
        return pc.if_else(is_safe, written, quoted)
    return written


def _numbers(values: pa.Array) -> pa.Array:
    """Whole ones with a `.0`, as Python writes them: readers that tell integers and floats apart shall not guess."""
    import pyarrow as pa
    import pyarrow.compute as pc

    written = pc.cast(values, pa.string())
    is_whole = pc.equal(values, pc.trunc(values))
    if not pc.any(is_whole).as_py():
        return written
    has_no_exponent = pc.equal(pc.find_substring(written, "e"), -1)
    return pc.if_else(pc.and_(is_whole, has_no_exponent), pc.binary_join_element_wise(written, ".0", ""), written)


def _by_value(values: pa.Array, write: Callable[[Any], str]) -> pa.Array:
    """Each different value is written once."""
    import pyarrow as pa

    encoded = values.dictionary_encode()
    different = [orjson.dumps(write(one)).decode() for one in encoded.dictionary.to_pylist()]
    return pa.array(different, pa.string()).take(encoded.indices)


def _writer(type_: str, stored: pa.DataType, timezone: str) -> Callable[[Any], str]:
    import pyarrow as pa

    match type_:
        case "string" if pa.types.is_string(stored) or pa.types.is_large_string(stored):
            return str
        case "decimal" if pa.types.is_decimal(stored):
            return write_decimal
        case "date" if pa.types.is_date(stored):
            return write_period
        case "timestamp" if pa.types.is_timestamp(stored):
            return write_datetime
        case _ if type_ == PERIOD and pa.types.is_date(stored):
            return write_period
        case _ if type_ == PERIOD and pa.types.is_timestamp(stored):
            zone = ZoneInfo(timezone)

            def write(at: datetime) -> str:
                return write_period(at.replace(tzinfo=UTC).astimezone(zone))

            return write
    raise NoText


def objects(pieces: Sequence[str | pa.Array], count: int) -> bytes:
    """A list of so many objects, each of the pieces: a text that is the same in all, or one for each."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if all(isinstance(one, str) for one in pieces):
        return b"[" + ",".join(["".join(str(one) for one in pieces)] * count).encode() + b"]"
    rows = pc.binary_join_element_wise(*(pa.scalar(one) if isinstance(one, str) else one for one in pieces), "")
    return listed(rows)


def listed(rows: pa.Array) -> bytes:
    """A list of values that are JSON already."""
    return b"[" + joined(rows, ",") + b"]"


def joined(rows: pa.Array, between: str) -> bytes:
    """All texts of a column as one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = pa.LargeListArray.from_arrays(pa.array([0, len(rows)], pa.int64()), rows.cast(pa.large_string()))
    found: bytes = pc.binary_join(whole, pa.scalar(between, pa.large_string()))[0].as_buffer().to_pybytes()
    return found
