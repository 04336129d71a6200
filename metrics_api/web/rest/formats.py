"""Answers as bytes: CSV, JSON, Arrow and Parquet, with the same names and the same values in each (RULES 42).

Names are those of the core. In text an instant, and so an hour's label, is UTC with a `Z`, a date is a date, a decimal
has all its digits; what is not known is null, in CSV nothing. JSON writes decimals, and whole numbers that its readers
would round, as strings; CSV writes all digits of both, and Arrow and Parquet have types for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from metrics_api.errors import WarehouseError
from metrics_api.graphql_schema.json_text import joined, objects, texts
from metrics_api.graphql_schema.scalars import write_datetime
from metrics_api.periods import Calendar
from metrics_api.results import Answer, Column, Info

UTC_INSTANT = pa.timestamp("us", tz="UTC")


class Format(StrEnum):
    """The endings of addresses."""

    CSV = "csv"
    JSON = "json"
    ARROW = "arrow"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self]

    @property
    def content_type(self) -> str:
        """The media type as a header says it."""
        return f"{self.media_type}; charset=utf-8" if self in (Format.CSV, Format.JSON) else self.media_type


MEDIA_TYPES: Mapping[Format, str] = {
    Format.CSV: "text/csv",
    Format.JSON: "application/json",
    Format.ARROW: "application/vnd.apache.arrow.stream",
    Format.PARQUET: "application/vnd.apache.parquet",
}


@dataclass(frozen=True, slots=True)
class Told:
    """One part of an answer, and how it came about."""

    part: str
    rows: pa.Table
    columns: tuple[Column, ...]
    info: Info

    @classmethod
    def of(cls, answer: Answer) -> Told:
        """The first part: the one that was asked for."""
        part, rows = next(iter(answer.parts.items()))
        return cls(part, rows, answer.columns[part], answer.info)

    @property
    def complete(self) -> bool:
        """Whether all data is there, up to the end of the range and of every row that tells of its own."""
        told = "complete" in self.rows.column_names
        return reaches_end(self.info) and not (told and pc.all(self.rows["complete"]).as_py() is False)


def reaches_end(info: Info) -> bool:
    """Whether the data reaches the end of the range."""
    return Calendar(info.timezone).span(info.first, info.last).end <= info.data_through


def written(told: Told, format_: Format) -> bytes:
    """The whole answer. Raises WarehouseError where a number is not finite."""
    check_finite(told.rows)
    match format_:
        case Format.CSV:
            return csv_header(told.columns) + csv_rows(told.rows)
        case Format.JSON:
            return as_json(told)
        case Format.ARROW:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, arrow_schema(told)) as stream:
                stream.write_table(as_utc(told.rows).cast(arrow_schema(told)))
            return bytes(sink.getvalue())
        case Format.PARQUET:
            import pyarrow.parquet as pq

            sink = pa.BufferOutputStream()
            pq.write_table(as_utc(told.rows).cast(arrow_schema(told)), sink)
            return bytes(sink.getvalue())


def check_finite(rows: pa.Table) -> None:
    """Raises WarehouseError: NaN and the infinities are no answer in any format."""
    for name in rows.column_names:
        if pa.types.is_floating(rows[name].type) and pc.all(pc.is_finite(rows[name])).as_py() is False:
            raise WarehouseError(f"`{name}` is not finite: it is beyond the range of the warehouse's numbers")


# -- JSON -------------------------------------------------------------------------------------------------------------


def as_json(told: Told) -> bytes:
    """`{"rows": [{...}], "columns": [...], "info": {...}}`."""
    whole = {
        "rows": orjson.Fragment(json_rows(told.rows, told.columns)),
        "columns": columns_told(told.columns),
        "info": {"part": told.part, **about(told.info), "complete": told.complete},
    }
    return orjson.dumps(whole, option=orjson.OPT_APPEND_NEWLINE)


def json_rows(rows: pa.Table, columns: Sequence[Column]) -> bytes:
    """The rows as a list of objects, made column by column."""
    pieces: list[str | pa.Array] = []
    for place, one in enumerate(columns):
        pieces += [f"{',' if place else '{'}{orjson.dumps(one.name).decode()}:", _json(rows[one.name], one)]
    return objects([*pieces, "}"], rows.num_rows)


def _json(values: pa.ChunkedArray, column: Column) -> pa.Array:
    return texts(values.combine_chunks(), str(column.type), "UTC")


def columns_told(columns: Sequence[Column]) -> list[dict[str, str | None]]:
    return [{"name": one.name, "type": str(one.type), "description": one.description or None} for one in columns]


def about(info: Info) -> dict[str, Any]:
    """How an answer came about: what is the same however often and fast it is answered."""
    return {
        "metric": info.metric,
        "from": info.first.isoformat(),
        "to": info.last.isoformat(),
        "timezone": info.timezone,
        "as_of": moment(info.as_of),
        "data_through": moment(info.data_through),
        "row_count": info.row_count,
        "truncated": info.truncated,
        "conventions": list(info.conventions),
        "fingerprint": info.fingerprint,
    }


def moment(at: datetime) -> str:
    return write_datetime(at)


# -- CSV --------------------------------------------------------------------------------------------------------------


def csv_header(columns: Sequence[Column]) -> bytes:
    return ",".join(one.name for one in columns).encode() + b"\n"


def csv_rows(rows: pa.Table) -> bytes:
    """The rows without a header, each ended by a line feed. Texts are quoted only where they must be."""
    if not rows.num_rows:
        return b""
    cells = [_cells(rows[name].combine_chunks()) for name in rows.column_names]
    if len(cells) == 1:  # A line of nothing would be skipped by those who read it.
        cells = [pc.if_else(pc.equal(cells[0], ""), '""', cells[0])]
    lines = cells[0] if len(cells) == 1 else pc.binary_join_element_wise(*cells, ",")
    return joined(lines, "\n") + b"\n"


def _cells(values: pa.Array) -> pa.Array:
    """The text of each value; nothing for null."""
    type_ = values.type
    if pa.types.is_integer(type_):
        found = pc.cast(values, pa.string())
    elif pa.types.is_string(type_):
        must = pc.match_substring_regex(values, '[",\r\n]')
        quoted = pc.binary_join_element_wise('"', pc.replace_substring(values, '"', '""'), '"', "")
        found = pc.if_else(must, quoted, values)
    elif pa.types.is_decimal(type_) or pa.types.is_date(type_) or pa.types.is_timestamp(type_):
        found = pc.utf8_slice_codeunits(texts(values, _named(type_), "UTC"), 1, -1)
    else:
        found = texts(values, _named(type_), "UTC")
    return pc.if_else(pc.is_valid(values), found, "")


def _named(type_: pa.DataType) -> str:
    if pa.types.is_decimal(type_):
        return "decimal"
    if pa.types.is_date(type_):
        return "date"
    if pa.types.is_timestamp(type_):
        return "timestamp"
    return "boolean" if pa.types.is_boolean(type_) else "number"


# -- Arrow ------------------------------------------------------------------------------------------------------------


def arrow_schema(told: Told) -> pa.Schema:
    """The columns; how the answer came about is in the metadata, as JSON under `info`."""
    info = {"part": told.part, **about(told.info), "complete": told.complete}
    return with_info(told.rows.schema, info)


def with_info(schema: pa.Schema, info: Mapping[str, Any]) -> pa.Schema:
    fields = [one.with_type(UTC_INSTANT) if pa.types.is_timestamp(one.type) else one for one in schema]
    return pa.schema(fields, metadata={"info": orjson.dumps(info)})


def as_utc(rows: pa.Table) -> pa.Table:
    """The rows with instants that say that they are UTC."""
    for place, one in enumerate(rows.schema):
        if pa.types.is_timestamp(one.type):
            rows = rows.set_column(place, one.with_type(UTC_INSTANT), rows[one.name].cast(UTC_INSTANT))
    return rows


def pieces_of(rows: pa.Table, most: int) -> Iterator[pa.Table]:
    """The rows, so many at a time."""
    for first in range(0, rows.num_rows, most):
        yield rows.slice(first, most)
