"""Answers as tables for people."""

from __future__ import annotations

import math
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console
    from rich.table import Table as RichTable

    from metrics_api.results import Answer
    from metrics_api.semantic.model import Metric

FLAGS = ("complete", "provisional")
MEMBERS = "members"
WIDEST = 10_000
SHARES = frozenset(("share", "rate", "step_rate", "mature_rate", "change"))
"""Columns that are parts of a whole, whatever the metric."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A column of a table, as people read it."""

    name: str
    cells: Sequence[str]
    is_number: bool


def write_table(rows: pa.Table, answer: Answer, metric: Metric, file: IO[str]) -> None:
    """The rows, and below them how far the data reaches and how it was counted."""
    from rich.console import Console

    # Into a file or a pipe columns are as wide as they need to be, whatever the terminal is.
    is_terminal = file.isatty()
    console = Console(file=file, markup=False, highlight=False, emoji=False, width=None if is_terminal else WIDEST)
    table, notes = _table_of(rows, metric, console if is_terminal else None)
    info = answer.info
    console.print(f"{metric.label}, {info.first} to {info.last}\n", soft_wrap=True)
    console.print(table)
    console.print()
    for line in footer(answer, notes):
        console.print(line, soft_wrap=not is_terminal)


def part_table(rows: pa.Table, metric: Metric, console: Console | None) -> RichTable:
    """The rows of a part of an answer; turned if that fits a terminal better."""
    return _table_of(rows, metric, console)[0]


def _table_of(rows: pa.Table, metric: Metric, console: Console | None) -> tuple[RichTable, list[str]]:
    """The table, and what is to be said of each row."""
    notes = [_note(row) for row in rows.select([name for name in FLAGS if name in rows.column_names]).to_pylist()]
    percents = SHARES | ({"value", "previous"} if metric.definition.format == "percent" else set())
    if is_triangle := {"start", "period_index"} <= set(rows.column_names):
        columns = _triangle(rows, percents)
    else:
        columns = [_column(rows, name, percents) for name in rows.column_names if name not in FLAGS]
    if any(notes) and not is_triangle:
        columns.append(Shown("", notes, is_number=False))
    table = _laid_out(columns)
    if console is not None and _width(table, console) > console.width:
        # A few wide rows, such as a funnel's steps, read better as columns.
        table = min(table, _laid_out(_turned(columns)), key=lambda one: _width(one, console))
    return table, notes


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


def _triangle(rows: pa.Table, percents: Collection[str]) -> list[Shown]:
    """Cells as a row for each cohort and a column for each interval since its start."""
    names = rows.column_names
    value = "value" if "value" in names else "rate"
    heads = ["start", *(name for name in names[: names.index("size")] if name not in ("start", "period_index")), "size"]
    found: dict[tuple[object, ...], dict[int, object]] = {}
    for row in rows.to_pylist():
        found.setdefault(tuple(row[name] for name in heads), {})[row["period_index"]] = row[value]
    shown = [
        Shown(name, cells([cohort[place] for cohort in found]), is_number=name == "size")
        for place, name in enumerate(heads)
    ]
    intervals = sorted({interval for cohort in found.values() for interval in cohort})
    values = [[cohort.get(interval) for cohort in found.values()] for interval in intervals]
    written = [percent_cells(one) if value in percents else cells(one) for one in values]
    return [
        *shown,
        *(Shown(str(interval), one, is_number=True) for interval, one in zip(intervals, written, strict=True)),
    ]


def _column(rows: pa.Table, name: str, percents: Collection[str]) -> Shown:
    import pyarrow as pa

    type_ = rows.schema.field(name).type
    is_number = pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    is_percent = name in percents and pa.types.is_floating(type_)
    values = rows[name].to_pylist()
    return Shown(name, percent_cells(values) if is_percent else cells(values), is_number)


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


def percent_cells(values: Sequence[object]) -> list[str]:
    """A column of parts of a whole: 0.125 is `12.5%`."""
    return [
        # Added to 0.0, a zero has no sign.
        f"{round(100 * one, 1) + 0.0:,.1f}%" if isinstance(one, float) and math.isfinite(one) else "-"
        for one in values
    ]


def digits(value: Decimal) -> str:
    """All digits, without the zeros that a fixed scale adds."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _cell(value: object, places: int) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float() if math.isfinite(value):
            return f"{value:,.{places}f}"
        case Decimal():
            return f"{Decimal(digits(value)):,f}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}Z"
        case None | float():
            return "-"
        case _:
            text = str(value)
            # Control characters in somebody's data are not for the reader's terminal.
            return text if text.isprintable() else ascii(text)[1:-1]


def more(answer: Answer) -> str:
    """How to see what was cut off."""
    part, rows = next(iter(answer.parts.items()))
    if part == MEMBERS:
        moment = f"{answer.info.as_of:%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip(".")
        return f"there are more: ask with --after {shlex.quote(rows['id'][-1].as_py())} --as-of {moment}"
    return f"cut at {answer.info.row_count:,} rows; ask for more with --limit"


def footer(answer: Answer, notes: list[str]) -> list[str]:
    """How far the data reaches, what may still change, and how it was counted."""
    counted = {word: notes.count(word) for word in ("incomplete", "provisional")}
    states = [f"{count} of {len(notes)} rows {word}" for word, count in counted.items() if count]
    info = answer.info
    through = f"Data through {info.data_through:%Y-%m-%d %H:%M} UTC"
    lines = ["; ".join([through, *states]) + "."]
    if info.truncated:
        told = more(answer)
        lines.append(f"{told[0].upper()}{told[1:]}.")
    return [*lines, *info.conventions]
