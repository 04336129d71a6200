"""What an example of a portable operation is, and whether an engine's rows agree with it.

An engine is held to it by whatever runs a statement there (`Runner`). The rows travel inside the statement as
constants, so that no table need be made anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, TypeAlias
from zoneinfo import ZoneInfo

from metrics_api.plan.expr import Col, Expr, Type, Value, call
from metrics_api.plan.nodes import Aggregate, Filter, Plan, Project, Spine, keep
from metrics_api.sql.dialect import Dialect
from metrics_api.sql.lower import lower
from metrics_api.sql.render import render

Rows: TypeAlias = list[tuple[object, ...]]


class Runner(Protocol):
    """A way to run statements on an engine, by the name that METRICS_API_ENGINES has."""

    engine: str
    dialect: Dialect

    def run(self, sql: str) -> Rows: ...


@dataclass(frozen=True)
class Example:
    """A plan over constant rows, the operations it shows, and its rows in any order (`ordered`: in this one)."""

    name: str
    shows: tuple[str, ...]
    plan: Plan
    expected: Rows
    ordered: bool = False

    def __str__(self) -> str:
        return self.name


def answers(example: Example, runner: Runner) -> Rows:
    """The rows of an engine."""
    return runner.run(render(lower(example.plan, runner.dialect), runner.dialect, comment="an example"))


def agree(found: Rows, expected: Rows, *, ordered: bool = False) -> bool:
    """Whether rows are the same, whatever kinds of numbers and truth an engine has, and in whatever order it adds."""
    pairs = [[tuple(map(plain, row)) for row in rows] for rows in (found, expected)]
    if not ordered:
        pairs = [sorted(rows, key=sortable) for rows in pairs]
    return len(pairs[0]) == len(pairs[1]) and all(
        len(here) == len(there) and all(map(alike, here, there)) for here, there in zip(*pairs, strict=True)
    )


def alike(here: object, there: object) -> bool:
    if isinstance(here, float) or isinstance(there, float):
        if not (isinstance(here, int | float) and isinstance(there, int | float)):
            return False
        return math.isclose(here, there, rel_tol=1e-12, abs_tol=1e-12)
    return type(here) is type(there) and here == there


def plain(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)
    return value


def sortable(row: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(f"{value:>40.6g}" if isinstance(value, int | float) else f"{value!r:>40}" for value in row)


def constants(columns: Sequence[tuple[str, Type]], rows: Iterable[Sequence[Any]]) -> Spine:
    """Rows as they stand: more kinds of values, and null, than a plan's own spines have."""
    return Spine(tuple(columns), tuple(tuple(row) for row in rows))


# -- building examples ------------------------------------------------------------------------------------------------

EXAMPLES: list[Example] = []
"""All of them, in order; each file of examples adds its own when it is imported."""


def of_each_row(
    name: str,
    shows: str,
    columns: Sequence[tuple[str, Type]],
    rows: Sequence[Sequence[Value]],
    asked: Expr,
    answer: Callable[..., object],
) -> None:
    """An expression of each row's values."""
    spine = constants((("id", Type.INTEGER), *columns), [(k, *row) for k, row in enumerate(rows)])
    found: Rows = [(k, answer(*row)) for k, row in enumerate(rows)]
    EXAMPLES.append(Example(name, tuple(shows.split()), Project(spine, (*keep("id"), ("answer", asked))), found))


def of_groups(
    name: str,
    shows: str,
    columns: Sequence[tuple[str, Type]],
    rows: Sequence[Sequence[Value]],
    asked: Expr,
    answer: Callable[..., object],
) -> None:
    """An aggregate of the rows of each group (the first column), and of no rows at all."""
    names, spine = [name for name, _ in columns], constants(columns, rows)
    groups = list(dict.fromkeys(row[0] for row in rows))
    found: Rows = [(group, answer([tuple(row[1:]) for row in rows if row[0] == group])) for group in groups]
    plan = Aggregate(spine, keep(names[0]), (("answer", asked),))
    EXAMPLES.append(Example(name, tuple(shows.split()), plan, found))
    nothing = Filter(spine, call("is_null", Col(names[0])))
    EXAMPLES.append(
        Example(
            f"{name} of nothing", tuple(shows.split()), Aggregate(nothing, (), (("answer", asked),)), [(answer([]),)]
        )
    )


def null_if_any(answer: Callable[..., object]) -> Callable[..., object]:
    return lambda *values: None if any(value is None for value in values) else answer(*values)
