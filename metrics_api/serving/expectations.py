"""The rows that a test expects: read against the columns of an answer, and compared with the rows found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import zip_longest
from typing import Any, TypeAlias

from metrics_api.definitions.base import ExampleDefinition
from metrics_api.definitions.examples import Place, Table, Unreadable, read_table, read_value
from metrics_api.definitions.names import Path
from metrics_api.errors import did_you_mean
from metrics_api.plan.expr import Type

NULL = "-"
KEYS = {"step": "converted", "tier": "users"}
"""Columns that name the rows of a part: rows may be written below these names, and a bare number is this column."""

Cells: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Written:
    """A value to expect, as a person wrote it; where: a path of the definitions, or a place in the table's text."""

    value: object
    at: Path | Place


@dataclass(frozen=True, slots=True)
class Expectation:
    """Rows of named columns. With `key` they are found by it, in any order, and others do not matter."""

    rows: tuple[Mapping[str, Written], ...]
    names: Mapping[str, Path | Place]
    """All columns that are named, and where."""
    key: str | None = None


def read_expectation(test: ExampleDefinition, columns: Iterable[str]) -> Expectation:
    """The expected rows of a part with these columns; raises Unreadable for a table that cannot be read."""
    written = test.expect
    if isinstance(written, str):
        return _of_table(read_table(written))
    if isinstance(written, Mapping):
        key = next((name for name in KEYS if name in columns), None)
        if key is not None:
            return _by_key(written, key)
        return _of_rows([(("expect",), written)])
    return _of_rows([(("expect", index), row) for index, row in enumerate(written)])


def _of_table(table: Table) -> Expectation:
    names = [word.text for word in table.header]
    rows = [[Written(None if one.text == NULL else one.text, one.at) for one in row] for row in table.rows]
    named = tuple(dict(zip(names, row, strict=True)) for row in rows)
    return Expectation(named, {word.text: word.at for word in table.header})


def _of_rows(written: Iterable[tuple[Path, Mapping[str, Any]]]) -> Expectation:
    rows = tuple({name: Written(value, (*path, name)) for name, value in row.items()} for path, row in written)
    return Expectation(rows, _first_places(rows))


def _by_key(written: Mapping[str, Any], key: str) -> Expectation:
    """`watched: 1` is short for `watched: {converted: 1}`."""
    rows = []
    for name, values in written.items():
        path: Path = ("expect", name)
        row = {key: Written(name, path)}
        if isinstance(values, Mapping):
            row |= {column: Written(value, (*path, column)) for column, value in values.items()}
        else:
            row[KEYS[key]] = Written(values, path)
        rows.append(row)
    return Expectation(tuple(rows), _first_places(rows), key)


def _first_places(rows: Iterable[Mapping[str, Written]]) -> Mapping[str, Path | Place]:
    places: dict[str, Path | Place] = {}
    for row in rows:
        for name, written in row.items():
            places.setdefault(name, written.at)
    return places


def check_columns(expected: Expectation, known: Iterable[str]) -> list[Unreadable]:
    """The named columns that the answer does not have."""
    there = list(known)
    return [
        Unreadable(f"the answer has no column `{name}`", did_you_mean(name, there, what="columns"), at, on_key=True)
        for name, at in expected.names.items()
        if name not in there
    ]


def spelled_rows(expected: Expectation, types: Mapping[str, Type]) -> tuple[list[Cells], list[Unreadable]]:
    """The expected values in the spelling of `spell`, and those that are none of their column's type."""
    problems: list[Unreadable] = []
    rows: list[Cells] = []
    for row in expected.rows:
        cells = {}
        for name, written in row.items():
            try:
                cells[name] = _spelled(written.value, types[name])
            except Unreadable as error:
                problems.append(Unreadable(f"{name}: {error.message}", error.fix, written.at))
        rows.append(cells)
    return rows, problems


def _spelled(value: object, type_: Type) -> str:
    if value is None:
        return NULL
    if isinstance(value, Mapping | list | tuple):
        raise Unreadable("expected a single value", "Write a number, a text, `true`, `false` or `null`.")
    word = str(value).lower() if isinstance(value, bool) else str(value)
    wanted = Type.NUMBER if type_.is_numeric else type_
    return spell(read_value(word, wanted))


def spell(value: object) -> str:
    """A value of an answer as a word: numbers to four places, instants to the minute where that is all there is."""
    match value:
        case None:
            return NULL
        case bool():
            return "yes" if value else "no"
        case float() | Decimal():
            short = f"{value:.4f}".rstrip("0").rstrip(".")
            return "0" if short == "-0" else short
        case datetime():
            return value.isoformat(timespec="minutes" if value.second == value.microsecond == 0 else "auto")
        case date():
            return value.isoformat()
        case _:
            return str(value)


def differences(expected: Expectation, wanted: Sequence[Cells], found: Sequence[Cells]) -> tuple[str, ...]:
    """The lines of a table in which `-` is a row that was expected and `+` the one found; none when all is well."""
    names = list(expected.names)
    pairs: list[tuple[Cells | None, Cells | None]]
    if (key := expected.key) is not None:
        pairs = [(row, next((one for one in found if one[key] == row[key]), None)) for row in wanted]
    else:
        pairs = list(zip_longest(wanted, found))
    lines: list[tuple[str, list[str]]] = [(" ", names)]
    for want, got in pairs:
        shown = {name: got[name] for name in want or names} if got else None
        if want == shown:
            lines.append((" ", _words(want or {}, names)))
        else:
            lines += [(sign, _words(row, names)) for sign, row in (("-", want), ("+", shown)) if row is not None]
    if all(sign == " " for sign, _ in lines):
        return ()
    widths = [max(len(words[place]) for _, words in lines) for place in range(len(names))]
    return tuple(
        f"{sign} {'  '.join(word.ljust(width) for word, width in zip(words, widths, strict=True))}".rstrip()
        for sign, words in lines
    )


def _words(row: Cells, names: Iterable[str]) -> list[str]:
    return ["" if name not in row else row[name] or "''" for name in names]
