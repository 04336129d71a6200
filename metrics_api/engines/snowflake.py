"""Snowflake: compiles; the connection comes with a later release.

The session has to run in UTC (`ALTER SESSION SET TIMEZONE = 'UTC'`). Time columns are TIMESTAMP_NTZ in UTC, or
TIMESTAMP_LTZ; TIMESTAMP_TZ, which brings an offset of its own into every cast, needs a view.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.plan.expr import Type, Value
from metrics_api.sql.dialect import Dialect, Sql, enclosed, function, spaces, text, timestamp_text


class SnowflakeDialect(Dialect):
    """Upper-case names, no FILTER; bits in numbers of up to 38 digits, of which 62 bits are safe everywhere."""

    name: ClassVar[str] = "snowflake"
    sqlglot: ClassVar[str] = "snowflake"
    bitmap_days: ClassVar[int] = 62
    has_filter: ClassVar[bool] = False
    types: ClassVar[dict[Type, str]] = {**Dialect.types, Type.TIMESTAMP: "TIMESTAMP_NTZ"}

    def reserved_word(self, name: str) -> str:
        # A bare name is folded to upper case, a quoted one is not.
        return name.upper()

    def timestamp_literal(self, value: datetime) -> Sql:
        # What TIMESTAMP '...' means is a session's setting.
        return self.cast(text(timestamp_text(value)), Type.TIMESTAMP)

    # -- time ---------------------------------------------------------------------------------------------------------

    def trunc_to(self, grain: str, day: Sql) -> Sql:
        if grain == "week":
            # Where weeks start is a session's setting (WEEK_START): the Monday before tomorrow is not.
            return function("PREVIOUS_DAY", self.add_days(day, 1), text("mo"))
        return super().trunc_to(grain, day)

    def days_between(self, first: Sql, last: Sql) -> Sql:
        return function("DATEDIFF", exp.Var(this="DAY"), first, last)

    def seconds_between(self, first: Sql, last: Sql) -> Sql:
        micros = self.cast(function("DATEDIFF", exp.Var(this="MICROSECOND"), first, last), Type.NUMBER)
        return exp.Div(this=micros, expression=exp.Literal.number(1_000_000))

    # -- bits and JSON ------------------------------------------------------------------------------------------------

    def bit(self, n: Sql, width: Sql) -> Sql:
        return function("BITSHIFTLEFT", exp.Literal.number(1), n)

    def bits_or(self, a: Sql) -> Sql:
        return function("BITOR_AGG", a)

    def bits_overlap(self, a: Sql, b: Sql) -> Sql:
        return exp.NEQ(this=function("BITAND", a, b), expression=exp.Literal.number(0))

    def json_text(self, column: Sql, path: Sql) -> Sql:
        keys = path.name.split(".")
        plain = all(re.fullmatch(r"[A-Za-z_]\w*", key, re.ASCII) for key in keys)
        written = path.name if plain else "".join(f'["{key}"]' for key in keys)
        return self.cast(function("GET_PATH", column, text(written)), Type.STRING)

    # -- aggregates ---------------------------------------------------------------------------------------------------

    def quantile(self, a: Sql, fraction: Sql) -> Sql:
        # Of a NUMBER the result would be a NUMBER of three more digits.
        return super().quantile(self.number(a), fraction)

    # -- relations ----------------------------------------------------------------------------------------------------

    def values(self, columns: Sequence[tuple[str, Type]], rows: Sequence[Sequence[Value]], alias: str) -> Sql:
        # VALUES takes plain constants only; the types are given in the SELECT around it.
        names = [self.identifier(name) for name, _ in columns]
        constants = exp.Values(
            expressions=[exp.Tuple(expressions=[_constant(value) for value in row]) for row in rows],
            alias=exp.TableAlias(this=self.identifier("constants"), columns=names),
        )
        casts = [self.cast(self.column(name), type_) for name, type_ in columns]
        typed = [exp.Alias(this=cast, alias=name.copy()) for cast, name in zip(casts, names, strict=True)]
        query = exp.Select(expressions=typed).from_(constants)
        return exp.Subquery(this=query, alias=exp.TableAlias(this=self.identifier(alias)))

    def series(
        self, first: Value, last: Value, step: int, unit: str, column: tuple[str, Type], alias: str
    ) -> Sql | None:
        name, type_ = column
        how_many = exp.Literal.number(1 + spaces(first, last, step, unit))
        generator = function("GENERATOR", exp.Kwarg(this=exp.Var(this="ROWCOUNT"), expression=how_many))
        rows = exp.Table(this=function("TABLE", generator))
        numbered = exp.Window(this=exp.RowNumber(), order=exp.Order(expressions=[exp.Ordered(this=exp.Null())]))
        number = exp.Sub(this=numbered, expression=exp.Literal.number(1))
        distance = number if step == 1 else exp.Mul(this=exp.Literal.number(step), expression=enclosed(number))
        label = function("DATEADD", exp.Var(this=unit.upper()), distance, self.literal(first, type_))
        return self.selected(label, name, alias, rows)


def _constant(value: Value) -> Sql:
    if value is None:
        return exp.Null()
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, int):
        return exp.Literal.number(value)
    # Fractions too: the column would be as wide as the first of them.
    return text(timestamp_text(value) if isinstance(value, datetime) else str(value))


ENGINE = Engine("snowflake", SnowflakeDialect())
