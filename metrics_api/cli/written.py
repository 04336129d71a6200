"""Answers as text and bytes: tables for people; CSV, JSON and Arrow for programs."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console
    from rich.table import Table as RichTable

    from metrics_api.results import Answer, Info

FLAGS = ("complete", "provisional")
SAFE_INTEGER = 2**53 - 1
WIDEST = 10_000


class Format(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    ARROW = "arrow"


def write(answer: Answer, label: str, format_: Format, output: Path | None) -> None:
    """Write the first part of an answer to a file, or to standard output."""
    rows = next(iter(answer.parts.values()))
    if format_ is Format.TABLE:
        with _text(output) as file:
            _write_table(rows, answer.info, label, file)
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
            return _digits(value)
        case _:
            return str(value)


def _digits(value: Decimal) -> str:
    """All digits, without the zeros that a fixed scale adds."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def as_json(rows: pa.Table, info: Info) -> bytes:
    """`{"rows": [...], "info": {...}}`, with values as GraphQL has them (RULES 42), and hours in UTC.

    Dates are text, instants end with `Z`, decimals are text, and so is a whole number that JavaScript would round.
    """
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
    exact = [{name: _exact(value) for name, value in row.items()} for row in rows.to_pylist()]
    return orjson.dumps({"rows": exact, "info": _about(info)}, option=options)


def _exact(value: object) -> object:
    match value:
        case Decimal():
            return _digits(value)
        case int() if abs(value) > SAFE_INTEGER:
            return str(value)
        case _:
            return value


def _about(info: Info) -> dict[str, object]:
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

    about = orjson.dumps(_about(info), option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z)
    rows = rows.replace_schema_metadata({"info": about})
    with pa.ipc.new_stream(file, rows.schema) as stream:
        stream.write_table(rows)


# -- for people -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """A column of a table, as people read it."""

    name: str
    cells: Sequence[str]
    is_number: bool


def _write_table(rows: pa.Table, info: Info, label: str, file: IO[str]) -> None:
    from rich.console import Console

    # Into a file or a pipe columns are as wide as they need to be, whatever the terminal is.
    is_terminal = file.isatty()
    console = Console(file=file, markup=False, highlight=False, emoji=False, width=None if is_terminal else WIDEST)
    notes = [_note(row) for row in rows.select([name for name in FLAGS if name in rows.column_names]).to_pylist()]
    columns = [_column(rows, name) for name in rows.column_names if name not in FLAGS]
    if any(notes):
        columns.append(Shown("", notes, is_number=False))
    table = _laid_out(columns)
    if is_terminal and _width(table, console) > console.width:
        # A few wide rows, such as a funnel's steps, read better as columns.
        table = min(table, _laid_out(_turned(columns)), key=lambda one: _width(one, console))
    console.print(f"{label}, {info.first} to {info.last}\n", soft_wrap=True)
    console.print(table)
    console.print()
    for line in footer(info, notes):
        console.print(line, soft_wrap=not is_terminal)


def _laid_out(columns: Sequence[Shown]) -> RichTable:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for one in columns:
        table.add_column(Text(one.name), justify="right" if one.is_number else "left", overflow="fold")
    for row in zip(*(one.cells for one in columns), strict=True):
        table.add_row(*map(Text, row))
    return table


def _width(table: RichTable, console: Console) -> int:
    return console.measure(table, options=console.options.update(width=WIDEST)).maximum


def _turned(columns: Sequence[Shown]) -> list[Shown]:
    """The rows as columns, under the cells of the first column."""
    first, *others = columns
    turned = [Shown(head, [one.cells[row] for one in others], is_number=True) for row, head in enumerate(first.cells)]
    return [Shown(first.name, [one.name for one in others], is_number=False), *turned]


def _column(rows: pa.Table, name: str) -> Shown:
    import pyarrow as pa

    type_ = rows.schema.field(name).type
    is_number = pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    return Shown(name, cells(rows[name].to_pylist()), is_number)


def _note(flags: dict[str, object]) -> str:
    if flags.get("complete") is False:
        return "incomplete"
    return "provisional" if flags.get("provisional") else ""


def cells(values: Sequence[object]) -> list[str]:
    """A column as people read it: numbers with equally many decimals, as few as tell them apart to four."""
    numbers = [one for one in values if isinstance(one, float) and math.isfinite(one)]
    places = 2 if any(abs(one) >= 100 for one in numbers) else 4
    while places and all(f"{one:.{places}f}".endswith("0") for one in numbers):
        places -= 1
    return [_cell(one, places) for one in values]


def _cell(value: object, places: int) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float() if math.isfinite(value):
            return f"{value:,.{places}f}"
        case Decimal():
            return f"{Decimal(_digits(value)):,f}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}Z"
        case None | float():
            return "-"
        case _:
            text = str(value)
            # Control characters in somebody's data are not for the reader's terminal.
            return text if text.isprintable() else ascii(text)[1:-1]


def footer(info: Info, notes: list[str]) -> list[str]:
    """How far the data reaches, what may still change, and how it was counted."""
    counted = {word: notes.count(word) for word in ("incomplete", "provisional")}
    states = [f"{count} of {len(notes)} rows {word}" for word, count in counted.items() if count]
    through = f"Data through {info.data_through:%Y-%m-%d %H:%M} UTC"
    lines = ["; ".join([through, *states]) + "."]
    if info.truncated:
        lines.append(f"Cut at {info.row_count:,} rows; ask for more with --limit.")
    return [*lines, *info.conventions]
