"""Answers as text and bytes: CSV, JSON and Arrow for programs; tables for people are in `tables`."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING

from metrics_api.cli.tables import digits, write_table

if TYPE_CHECKING:
    import pyarrow as pa

    from metrics_api.results import Answer, Info
    from metrics_api.semantic.model import Metric

SAFE_INTEGER = 2**53 - 1


class Format(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    ARROW = "arrow"


def write(answer: Answer, metric: Metric, format_: Format, output: Path | None) -> None:
    """Write the first part of an answer to a file, or to standard output."""
    rows = next(iter(answer.parts.values()))
    if format_ is Format.TABLE:
        with _text(output) as file:
            write_table(rows, answer, metric, file)
        return
    with _binary(output) as file:
        if format_ is Format.CSV:
            file.write(as_csv(rows).encode())
        elif format_ is Format.JSON:
            file.write(as_json(rows, answer.info))
        else:
            _write_arrow(rows, answer.info, file)
        file.flush()


@contextmanager
def _text(output: Path | None) -> Iterator[IO[str]]:
    if output is None:
        yield sys.stdout
        return
    with output.open("w", encoding="utf-8") as file:
        yield file


@contextmanager
def _binary(output: Path | None) -> Iterator[IO[bytes]]:
    if output is None:
        yield sys.stdout.buffer
        return
    with output.open("wb") as file:
        yield file


# -- for programs -----------------------------------------------------------------------------------------------------


def as_csv(rows: pa.Table) -> str:
    """A header and the rows; null is empty, instants are UTC with a `Z`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows.column_names)
    for row in rows.to_pylist():
        writer.writerow([_plain(value) for value in row.values()])
    return text.getvalue()


def _plain(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if not math.isfinite(value):
            return ""
        case datetime():
            return f"{value.isoformat()}Z"
        case date():
            return value.isoformat()
        case Decimal():
            return digits(value)
        case _:
            return str(value)


def as_json(rows: pa.Table, info: Info) -> bytes:
    """`{"rows": [...], "info": {...}}`, with values as GraphQL has them (RULES 42), and hours in UTC.

    Dates are text, instants end with `Z`, decimals are text, and so is a whole number that JavaScript would round.
    """
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps({"rows": exact_rows(rows), "info": about(info)}, option=options)


def exact_rows(rows: pa.Table) -> list[dict[str, object]]:
    """The rows with what JSON's readers would round as text."""
    return [{name: _exact(value) for name, value in row.items()} for row in rows.to_pylist()]


def _exact(value: object) -> object:
    match value:
        case Decimal():
            return digits(value)
        case int() if abs(value) > SAFE_INTEGER:
            return str(value)
        case _:
            return value


def about(info: Info) -> dict[str, object]:
    """How an answer came about."""
    return {
        "metric": info.metric,
        "from": info.first,
        "to": info.last,
        "timezone": info.timezone,
        "as_of": info.as_of,
        "data_through": info.data_through,
        "row_count": info.row_count,
        "truncated": info.truncated,
        "conventions": info.conventions,
        "fingerprint": info.fingerprint,
        "sql": info.sql,
        "seconds": round(info.seconds, 6),
    }


def _write_arrow(rows: pa.Table, info: Info, file: IO[bytes]) -> None:
    """An Arrow IPC stream; how the answer came about is in the schema's metadata, as JSON under `info`."""
    import orjson
    import pyarrow as pa

    told = orjson.dumps(about(info), option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z)
    rows = rows.replace_schema_metadata({"info": told})
    with pa.ipc.new_stream(file, rows.schema) as stream:
        stream.write_table(rows)
