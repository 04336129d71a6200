"""What the doctor says of a warehouse, one thing at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from metrics_api.definitions.loader import Definitions
from metrics_api.errors import SourceSpan


class Level(StrEnum):
    """How bad it is."""

    FINE = "fine"
    DOUBTFUL = "doubtful"
    """A person should look: numbers may be other than meant."""
    WRONG = "wrong"
    """Answers fail or cannot be right."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what it is like, and what to do. It names no person and no row."""

    level: Level
    check: str
    """The name of the function that found it."""
    path: tuple[str, ...]
    """What it is about, in the definitions: `("sources", "app", "time")`."""
    message: str
    fix: str | None = None

    def where(self, definitions: Definitions) -> SourceSpan:
        return definitions.key_span(*self.path)


def fine(check: str, path: Sequence[str], message: str) -> Finding:
    return Finding(Level.FINE, check, tuple(path), message)


def doubtful(check: str, path: Sequence[str], message: str, fix: str | None = None) -> Finding:
    return Finding(Level.DOUBTFUL, check, tuple(path), message, fix)


def wrong(check: str, path: Sequence[str], message: str, fix: str | None = None) -> Finding:
    return Finding(Level.WRONG, check, tuple(path), message, fix)


def several(count: int, one: str, many: str | None = None) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def share(part: int, whole: int) -> str:
    """`12 %`; never 0 % of something, nor 100 % of less than all.

    >>> share(1, 3), share(1, 9_999), share(9_999, 10_000)
    ('33 %', 'less than 0.1 %', 'more than 99.9 %')
    """
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "less than 0.1 %"
    if 99.9 < percent < 100 or (percent == 100 and part < whole):
        return "more than 99.9 %"
    return f"{percent:.1f} %" if percent % 1 and percent < 10 else f"{percent:.0f} %"


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names for people, the first few of them."""
    shown = ", ".join(f"`{one}`" for one in names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown
