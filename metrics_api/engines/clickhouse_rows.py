"""The rows of ClickHouse as Arrow: what comes as it is kept, as what the server calls it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

UTC = "UTC"


def is_ambiguous(type_: pa.DataType) -> bool:
    """Whether this may be a DateTime, an Enum or a number of 128 bits, which come as they are kept."""
    import pyarrow as pa

    kept: tuple[Callable[[pa.DataType], bool], ...] = (pa.types.is_uint32, pa.types.is_int8, pa.types.is_int16)
    return any(is_(type_) for is_ in kept) or pa.types.is_fixed_size_binary(type_)


def _meant(column: pa.ChunkedArray, type_: str) -> pa.ChunkedArray:
    """The column as what the server calls it."""
    import pyarrow as pa

    kind = re.sub(r"^(?:(?:LowCardinality|Nullable)\()*", "", type_)
    if kind.startswith("DateTime") and pa.types.is_uint32(column.type):
        return column.cast(pa.int64()).cast(pa.timestamp("s", tz=UTC)).cast(pa.timestamp("us", tz=UTC))
    if kind.startswith("Enum"):
        words = {int(number): _unescaped(word) for word, number in _ENUM.findall(kind)}
        return pa.chunked_array([[words.get(value) for value in column.to_pylist()]], pa.string())
    if pa.types.is_fixed_size_binary(column.type) and (found := re.match(r"(U?)Int(?:128|256)", kind)):
        numbers = [
            None if value is None else Decimal(int.from_bytes(value, "little", signed=not found[1]))
            for value in column.to_pylist()
        ]
        return pa.chunked_array([numbers], pa.decimal256(76, 0))
    return column


_ENUM = re.compile(r"'((?:[^'\\]|\\.)*)' = (-?\d+)")


def _unescaped(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word)


def plain(table: pa.Table, types: Sequence[str]) -> pa.Table:
    """The columns as what the server calls them, if that is told, of types that every warehouse has."""
    import pyarrow as pa

    meant = [_meant(one, type_) for one, type_ in zip(table.columns, types, strict=True)] if types else table.columns
    return pa.Table.from_arrays([_known(one) for one in meant], names=table.column_names)


def _known(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as one of the types that every warehouse has; what has none becomes a text."""
    import pyarrow as pa

    type_ = column.type
    known = (
        *(pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_string),
        *(pa.types.is_date, pa.types.is_timestamp),
    )
    if any(is_(type_) for is_ in known):
        return column
    if pa.types.is_null(type_) or pa.types.is_binary(type_) or pa.types.is_dictionary(type_):
        return column.cast(pa.string())
    return pa.chunked_array([[None if value is None else str(value) for value in column.to_pylist()]], pa.string())
