"""The shapes of answers: named, typed columns, the same in GraphQL, Arrow and CSV.

A statement answers one or more *parts* (`rows`, `overall`, `steps`). When there are several, they come as one table
whose `part` column tells them apart; `split` undoes that and casts every column to its declared type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from metrics_api.periods import Period
from metrics_api.plan.expr import Type

if TYPE_CHECKING:
    import pyarrow as pa

PART = "part"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer. `nullable` ones are null where there is nothing to say: x/0, an average of nobody."""

    name: str
    type: Type
    nullable: bool = False
    description: str = ""


FLAGS = (
    Column("complete", Type.BOOLEAN, description="Whether the data reaches the bucket's end."),
    Column("provisional", Type.BOOLEAN, description="Whether late events may still change it."),
)
"""What rows of buckets say of them, beside the columns of the statement."""


@dataclass(frozen=True, slots=True)
class Cache:
    """Where an answer is from (`HIT`, `STALE`, `MISS`, `JOINED`, `BYPASS`), and the seconds since it was made."""

    status: str
    age_seconds: float


@dataclass(frozen=True, slots=True)
class Info:
    """How an answer came about."""

    metric: str
    as_of: datetime
    data_through: datetime
    first: date
    last: date
    timezone: str
    conventions: tuple[str, ...]
    sql: str
    fingerprint: str
    row_count: int
    truncated: bool
    seconds: float
    cache: Cache | None = None
    """None: nobody keeps answers where this one was asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The parts of an answer as Arrow tables, and how they came about."""

    parts: Mapping[str, pa.Table]
    info: Info
    columns: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)
    """What the columns of each part mean, in order."""


def arrow_type(type_: Type) -> pa.DataType:
    import pyarrow as pa

    return {
        Type.STRING: pa.string(),
        Type.INTEGER: pa.int64(),
        Type.NUMBER: pa.float64(),
        Type.DECIMAL: pa.decimal128(38, 9),
        Type.BOOLEAN: pa.bool_(),
        Type.TIMESTAMP: pa.timestamp("us"),
        Type.DATE: pa.date32(),
    }[type_]


def split(table: pa.Table, parts: Mapping[str, Sequence[Column]]) -> dict[str, pa.Table]:
    """Each part of a statement's answer with exactly its own columns, cast to their types.

    Columns are matched by position, because warehouses fold the case of names. Raises OverflowError when a whole
    number does not fit 64 bits.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    names = combined_columns(parts)
    assert table.num_columns == len(names), (table.column_names, names)
    table = table.rename_columns(list(names))
    found = {}
    for number, (part, columns) in enumerate(parts.items()):
        mine = table.filter(pc.equal(table[PART], number)) if len(parts) > 1 else table
        arrays = [_cast(mine[column.name], column) for column in columns]
        schema = pa.schema(
            [pa.field(column.name, array.type, column.nullable) for column, array in zip(columns, arrays, strict=True)]
        )
        found[part] = pa.Table.from_arrays(arrays, schema=schema)
    return found


def combined_columns(parts: Mapping[str, Sequence[Column]]) -> dict[str, Type]:
    """The columns of one statement for all parts: each once; a `part` number first if there are several."""
    names: dict[str, Type] = {PART: Type.INTEGER} if len(parts) > 1 else {}
    for columns in parts.values():
        for column in columns:
            assert names.get(column.name, column.type) is column.type, column
            names[column.name] = column.type
    return names


def usual_order(by: Iterable[str]) -> tuple[str, ...]:
    """The columns by which the rows of a part are in order, those that it has."""
    return (
        "start",
        "period",
        *by,
        "position",
        "source",
        "target",
        "node",
        "rank",
        "period_index",
        "active_days",
        "after",
        "gap",
        "from",
        "to",
        "score",
        "from_points",
        "from_seconds",
        "id",
    )


def _cast(array: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    import pyarrow as pa

    wanted = arrow_type(column.type)
    if array.type == wanted:
        return array
    if pa.types.is_timestamp(array.type) and array.type.tz is not None and column.type is Type.TIMESTAMP:
        array = array.cast(pa.timestamp("us", tz="UTC"))
    try:
        return array.cast(wanted)
    except pa.ArrowInvalid as error:
        raise OverflowError(f"`{column.name}` does not fit a {column.type} of 64 bits") from error


def with_completeness(
    table: pa.Table,
    periods: Sequence[Period],
    is_complete: Callable[[Period], bool],
    *,
    data_through: datetime,
    late: timedelta,
) -> pa.Table:
    """The rows with `complete` (all its data is there) and `provisional` (late events may still change it)."""
    import pyarrow as pa

    known: dict[Any, tuple[bool, bool]] = {
        period.label: (is_complete(period), period.end > data_through - late) for period in periods
    }
    flags = [known[label] for label in table["period"].to_pylist()]
    for index, column in enumerate(FLAGS):
        values = pa.array([flag[index] for flag in flags], pa.bool_())
        table = table.append_column(pa.field(column.name, pa.bool_(), nullable=False), values)
    return table
