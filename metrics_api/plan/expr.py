"""Expressions: six frozen nodes, and `OPERATIONS`, the whole vocabulary that an engine has to know.

An operation has one meaning on every engine, written beside its name here; how an engine says it is the business of
`sql.dialect`. Conditions are two-valued where people write them (`semantic.expressions` sees to that), and dates,
instants and weeks never meet an engine's own idea of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias


class Type(StrEnum):
    """The types of properties and columns. A `timestamp` is an instant, handled as naive UTC."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    DATE = "date"

    @property
    def is_numeric(self) -> bool:
        return self in (Type.INTEGER, Type.NUMBER, Type.DECIMAL)


OPERATIONS: dict[str, str] = {
    # Logic: SQL's three values; `ne` and `not_` are made two-valued by who builds them.
    "and_": "both",
    "or_": "either",
    "not_": "the opposite",
    "is_null": "is missing",
    "eq": "equal",
    "ne": "different",
    "lt": "less",
    "le": "at most",
    "gt": "greater",
    "ge": "at least",
    "in_": "the first is one of the rest",
    "like": "matches a pattern with % and _, backslash is a plain character",
    "coalesce": "the first that is not null",
    # Numbers: `divide` never rounds and is null by zero; with the word `whole` it is the integer below the quotient.
    "add": "sum",
    "sub": "difference; of a single number, minus it",
    "mul": "product",
    "divide": "quotient, null by 0; with the word `whole` the greatest integer that is not above it",
    "mod": "remainder",
    "abs": "size without sign",
    "finite": "the number, or null if it is NaN or infinite; told `decimal` as one, null also beyond 10^20",
    # Text.
    "lower": "lower case",
    "to_text": "as a string, which is compared and ordered by code points, as are a constant and what it is beside",
    # Time: every timestamp is naive UTC or a wall clock made of it by `add_seconds`.
    "add_seconds": "a timestamp some whole seconds later",
    "to_date": "the date of a timestamp",
    "hour_of": "the hour of a timestamp, 0 to 23",
    "trunc_hour": "the full hour before a timestamp",
    "trunc_date": "the first day of the week (of its start), month, quarter or year of a date",
    "days_between": "days from the first date to the second",
    "seconds_between": "seconds, with their fraction, from the first timestamp to the second",
    # Bits: up to `Dialect.bitmap_days` of them.
    "bit": "the integer with only bit n set",
    "bits_overlap": "whether two integers share a bit",
    "bits_shared": "how many bits two integers share",
    # Semi-structured columns.
    "json_text": "the text at a path of a JSON column, null when missing",
    # Aggregates: null is ignored; of nothing `count*` is 0, the others null.
    "count_rows": "rows",
    "count": "values",
    "sum": "sum; told `integer` as one of whole numbers that may need room",
    "min": "least",
    "max": "greatest",
    "avg": "mean",
    "bits_or": "all bits of all integers",
    "quantile": "the exact continuous percentile (PERCENTILE_CONT) of the first, at the fraction of the second",
    "first_by": "the first argument of the row where the second is least (unique in its group, first never null)",
    # Windows only.
    "row_number": "1, 2, ... in order",
    "dense_rank": "1, 2, ... in order, equals alike",
    "lead": "the value of the next row; told a whole number, of the row so many after it (before it, if below 0)",
}
AGGREGATES = frozenset(("count_rows", "count", "sum", "min", "max", "avg", "bits_or", "quantile", "first_by"))
assert len(OPERATIONS) <= 45, "beyond 45 operations we are rebuilding Ibis: stop and reconsider (ARCHITECTURE.md)"

Value: TypeAlias = str | int | float | Decimal | bool | date | datetime | None


@dataclass(frozen=True, slots=True)
class Col:
    """A column of the input."""

    name: str


@dataclass(frozen=True, slots=True)
class Lit:
    """A constant. With a `role` it is a parameter: the fingerprint sees the role instead of the value."""

    value: Value
    type: Type
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A portable operation."""

    op: str
    args: tuple[Expr, ...]

    def __post_init__(self) -> None:
        assert self.op in OPERATIONS, self.op


@dataclass(frozen=True, slots=True)
class Case:
    """The value of the first branch whose condition is true."""

    branches: tuple[tuple[Expr, Expr], ...]
    otherwise: Expr | None = None


@dataclass(frozen=True, slots=True)
class Agg:
    """An aggregate over the rows for which `where` is true."""

    op: str
    args: tuple[Expr, ...] = ()
    where: Expr | None = None

    def __post_init__(self) -> None:
        assert self.op in AGGREGATES, self.op


@dataclass(frozen=True, slots=True)
class Over:
    """A window: `op` over the partition in order; aggregates look at all rows before this one, without it.

    The order is never null.
    """

    op: str
    args: tuple[Expr, ...]
    partition: tuple[Expr, ...]
    order: tuple[Expr, ...]
    descending: frozenset[int] = frozenset()
    including_current: bool = False


Expr: TypeAlias = Col | Lit | Call | Case | Agg | Over

TRUE = Lit(True, Type.BOOLEAN)
FALSE = Lit(False, Type.BOOLEAN)


def call(op: str, *args: Expr) -> Call:
    return Call(op, args)


def whole(first: Expr, second: int) -> Call:
    """How often a number above 0 goes into one that is not negative."""
    return call("divide", first, integer(second), text("whole"))


def text(value: str) -> Lit:
    return Lit(value, Type.STRING)


def integer(value: int) -> Lit:
    return Lit(value, Type.INTEGER)


def instant(value: datetime, role: str | None = None) -> Lit:
    return Lit(value, Type.TIMESTAMP, role)


def all_of(conditions: Iterable[Expr | None]) -> Expr:
    """The conjunction, each condition once; TRUE when there is nothing to ask."""
    listed = [one for one in _flat("and_", conditions) if one != TRUE]
    return Call("and_", tuple(listed)) if len(listed) > 1 else listed[0] if listed else TRUE


def any_of(conditions: Iterable[Expr]) -> Expr:
    """The disjunction, each condition once; FALSE of nothing, TRUE as soon as one is."""
    listed = _flat("or_", conditions)
    if TRUE in listed:
        return TRUE
    return Call("or_", tuple(listed)) if len(listed) > 1 else listed[0] if listed else FALSE


def _flat(op: str, conditions: Iterable[Expr | None]) -> list[Expr]:
    found: dict[Expr, None] = {}
    for one in conditions:
        parts = one.args if isinstance(one, Call) and one.op == op else (one,)
        found.update((part, None) for part in parts if part is not None)
    return list(found)


def negated(condition: Expr) -> Expr:
    """Two-valued `not`: true wherever the condition is not true, nulls included."""
    return call("not_", call("coalesce", condition, FALSE))


def operands(expr: Expr) -> tuple[Expr, ...]:
    """The direct parts of an expression."""
    match expr:
        case Col() | Lit():
            return ()
        case Call(_, args):
            return args
        case Case(branches, otherwise):
            parts = tuple(part for branch in branches for part in branch)
            return parts if otherwise is None else (*parts, otherwise)
        case Agg(_, args, where):
            return args if where is None else (*args, where)
        case Over(_, args, partition, order):
            return (*args, *partition, *order)


def chosen_by(branches: Sequence[tuple[Expr, Expr]]) -> tuple[Expr | None, Sequence[Expr]]:
    """What all branches compare with a constant of their own, if they do, and what each asks: `CASE x WHEN 1 ...`."""
    asked = [when for when, _ in branches]
    if len(asked) > 2 and all(isinstance(one, Call) and one.op == "eq" for one in asked):
        values = {one.args[0] for one in asked if isinstance(one, Call)}
        if len(values) == 1:
            return values.pop(), [one.args[1] for one in asked if isinstance(one, Call)]
    return None, asked


def columns(expr: Expr) -> Iterator[str]:
    """The names of the columns an expression reads, with repeats."""
    if isinstance(expr, Col):
        yield expr.name
    else:
        for part in operands(expr):
            yield from columns(part)
