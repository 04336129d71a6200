"""The tests that stand beside a metric: how events, a question and the expected rows are written.

Events are lines of `event  entity  time  property=value ...`; expected rows a table of the same kind of words, or
YAML. What the words mean is known to `semantic.examples` (events) and to `serving.testing` (rows).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from metrics_api.definitions.names import Path

Value: TypeAlias = str | int | float | Decimal | bool | date | datetime

LINE = "EVENT  WHO  TIME  property=value ..."


@dataclass(frozen=True, slots=True)
class Place:
    """A place inside a text; both count from 1."""

    line: int
    column: int


class Unreadable(ValueError):
    """A word that cannot be read: what is wrong, what to write instead, and where: in a text, or below the test.

    With `on_key` it is the name at that path that is wrong, and not its value.
    """

    def __init__(
        self, message: str, fix: str | None = None, at: Place | Path | None = None, *, on_key: bool = False
    ) -> None:
        super().__init__(message)
        self.message, self.fix, self.at, self.on_key = message, fix, at, on_key


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a line, without its quotes."""

    text: str
    at: Place

    @property
    def is_assignment(self) -> bool:
        return re.match(r"[A-Za-z_]\w*=", self.text) is not None


@dataclass(frozen=True, slots=True)
class EventLine:
    """An event as it was written. Without a `who` nobody did it; `at` is naive UTC."""

    event: Word
    who: str | None
    at: datetime
    values: Mapping[str, Word]


_WORD = re.compile(r"""(?:[^\s'"]|'[^']*'|"(?:\\.|[^"\\])*")+|['"]""")


def lines_of(text: str) -> Iterator[tuple[Word, ...] | Unreadable]:
    """The words of each line that has any; quotes hold blanks together, `#` begins a comment of a line's own."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = [(one.group(), Place(number, one.start() + 1)) for one in _WORD.finditer(line)]
        if open_quote := next((at for word, at in found if word in ("'", '"')), None):
            yield Unreadable("this quote is not closed", "Close it on the same line.", open_quote)
        else:
            yield tuple(Word(shlex.split(word)[0], at) for word, at in found)


def read_events(text: str) -> Iterator[EventLine | Unreadable]:
    """Every line as an event, or what is wrong with it."""
    for words in lines_of(text):
        yield words if isinstance(words, Unreadable) else _event_line(words)


def _event_line(words: tuple[Word, ...]) -> EventLine | Unreadable:
    if len(words) < 3 or any(one.is_assignment for one in words[:3]):
        return Unreadable("expected an event, who did it, and when", f"Write `{LINE}`.", words[0].at)
    event, who, day, *rest = words
    moment = day.text
    if rest and re.fullmatch(r"\d\d?:\S*", rest[0].text):  # `2026-01-05 09:00` are two words.
        moment = f"{moment} {rest.pop(0).text}"
    try:
        at = read_instant(moment)
    except Unreadable as error:
        return Unreadable(error.message, error.fix, day.at)
    values: dict[str, Word] = {}
    for word in rest:
        name, equals, value = word.text.partition("=")
        if not equals:
            return Unreadable(f"`{word.text}` is no `property=value`", "Quote a value that holds blanks.", word.at)
        if name in values:
            return Unreadable(f"`{name}` is given twice", "Keep one of them.", word.at)
        values[name] = Word(value, word.at)
    return EventLine(event, None if who.text == "-" else who.text, at, values)


def read_instant(written: str) -> datetime:
    """Naive UTC, which it is without an offset; raises Unreadable."""
    try:
        instant = datetime.fromisoformat(written)
        return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant
    except (ValueError, OverflowError):
        raise Unreadable(f"`{written}` is not a time", "Write it as `2026-01-31 09:30`; it is UTC.") from None


def read_value(written: str, type_: str) -> Value:
    """A word as a value of a type (`string`, `number` ...); raises Unreadable."""
    try:
        match type_:
            case "number":
                return float(written)
            case "integer":
                return int(written)
            case "decimal":
                return Decimal(written)
            case "boolean":
                return {"true": True, "false": False, "yes": True, "no": False}[written.lower()]
            case "timestamp":
                return read_instant(written)
            case "date":
                return date.fromisoformat(written)
            case _:
                return written
    except (ValueError, KeyError, InvalidOperation):
        article = "an" if type_ == "integer" else "a"
        remedy = {"boolean": "true", "timestamp": "2026-01-31T09:30", "date": "2026-01-31"}.get(type_, "12")
        raise Unreadable(f"`{written}` is not {article} {type_}", f"Write it as `{remedy}`.") from None


@dataclass(frozen=True, slots=True)
class Table:
    """Expected rows as words: a header, and as many words in each row."""

    header: tuple[Word, ...]
    rows: tuple[tuple[Word, ...], ...]


def read_table(text: str) -> Table:
    """A header and rows of words, where `-` is null; raises Unreadable for what does not fit."""
    read: list[tuple[Word, ...]] = []
    for words in lines_of(text):
        if isinstance(words, Unreadable):
            raise words
        if read and len(words) != len(read[0]):
            raise Unreadable(
                f"a row of {len(words)} below a header of {len(read[0])}",
                "Write `-` where there is nothing.",
                words[0].at,
            )
        read.append(words)
    if not read:
        raise Unreadable("the table is empty", "Begin it with the names of the columns.", Place(1, 1))
    return Table(read[0], tuple(read[1:]))
