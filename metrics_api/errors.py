"""What goes wrong, told to the person who can mend it.

Every error a user may see is a `MetricsError` that carries one or more `Problem`s: what is wrong, where, and what
to write instead. Our own mistakes are `assert`s and never reach a user as such.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Code(StrEnum):
    """The documented codes, the same in `extensions.code` of GraphQL and in the CLI's JSON output."""

    DEFINITION_INVALID = "DEFINITION_INVALID"
    QUERY_INVALID = "QUERY_INVALID"
    UNKNOWN_NAME = "UNKNOWN_NAME"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    UNSUPPORTED_BY_ENGINE = "UNSUPPORTED_BY_ENGINE"
    WAREHOUSE_ERROR = "WAREHOUSE_ERROR"
    MISSING_DRIVER = "MISSING_DRIVER"
    DEADLINE = "DEADLINE"
    TOO_BUSY = "TOO_BUSY"
    NOT_KEPT = "NOT_KEPT"
    QUERY_RUNNING = "QUERY_RUNNING"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True, order=True)
class SourceSpan:
    """A place in a person's file. Lines and columns count from 1, as editors do."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, what, and the remedy."""

    message: str
    where: SourceSpan | None = None
    fix: str | None = None
    code: Code = Code.DEFINITION_INVALID

    def __str__(self) -> str:
        head = f"{self.where}  {self.message}" if self.where else self.message
        return f"{head}\n    {self.fix}" if self.fix else head


class MetricsError(Exception):
    """A user's error, with all its problems at once. `code` is the default of the class."""

    code: ClassVar[Code] = Code.INTERNAL

    def __init__(self, problems: str | Problem | Sequence[Problem], *, fix: str | None = None) -> None:
        if isinstance(problems, str):
            problems = Problem(problems, fix=fix, code=self.code)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        assert self.problems, "an error without a problem"
        super().__init__(str(self))

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class DefinitionError(MetricsError):
    """The YAML is wrong: every problem of every file, in order of place."""

    code = Code.DEFINITION_INVALID


class QueryError(MetricsError):
    """A question that cannot be answered as asked; raised by `bind`, and by nothing after it."""

    code = Code.QUERY_INVALID


class UnsupportedByEngine(MetricsError):
    """An operation that this engine has no exact form for; named at compile time, never silently different."""

    code = Code.UNSUPPORTED_BY_ENGINE

    def __init__(self, operation: str, engine: str, fix: str | None = None) -> None:
        super().__init__(f"`{operation}` has no exact form on {engine}", fix=fix)


class WarehouseError(MetricsError):
    """The warehouse refused or failed: its own words, without secrets."""

    code = Code.WAREHOUSE_ERROR


class MissingDriver(MetricsError):
    """The driver of a warehouse is not installed."""

    code = Code.MISSING_DRIVER

    def __init__(self, driver: str, extra: str) -> None:
        super().__init__(f"the driver `{driver}` is not installed", fix=f"pip install 'metrics-api[{extra}]'")


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate a person most likely meant, or None when none is close."""
    by_folded = {candidate.casefold(): candidate for candidate in sorted(candidates, reverse=True)}
    matches = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def did_you_mean(name: str, candidates: Iterable[str], *, what: str = "known names") -> str | None:
    """The remedy for an unknown name: the nearest one, else the list there is to choose from."""
    known = sorted(set(candidates))
    if close := nearest(name, known):
        return f"Did you mean `{close}`?"
    if not known:
        return f"There are no {what} yet."
    shown = ", ".join(f"`{one}`" for one in known[:12])
    return f"The {what} are {shown}{', ...' if len(known) > 12 else ''}."
