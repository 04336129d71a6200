"""PostgreSQL 14 and later: compiles; the connection comes with a later release.

The session has to run in UTC (`SET TimeZone = 'UTC'`): then `timestamptz` columns and naive ones read alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.plan.expr import Type, Value
from metrics_api.sql.dialect import Dialect, Sql, filter_clause, function, parenthesized, text


class PostgresDialect(Dialect):
    """Integers of 64 bits, ordered aggregates, FILTER; no ASOF join, no MIN_BY."""

    name: ClassVar[str] = "postgres"
    sqlglot: ClassVar[str] = "postgres"
    bitmap_days: ClassVar[int] = 62
    types: ClassVar[dict[Type, str]] = {
        **Dialect.types,
        Type.STRING: "TEXT",
        Type.NUMBER: "DOUBLE PRECISION",
        Type.DECIMAL: "NUMERIC",
    }

    def hour_of(self, at: Sql) -> Sql:
        return self.cast(super().hour_of(at), Type.INTEGER)  # A numeric otherwise.

    def mod(self, a: Sql, b: Sql) -> Sql:
        # There is no % of double precision; a numeric holds every integer and decimal, and 15 digits of a double.
        whole, divisor = (self.cast(one, Type.DECIMAL) for one in (a, b))
        return super().mod(whole, divisor)

    def bit(self, n: Sql, width: Sql) -> Sql:
        # A bigint is shifted by an integer only.
        distance = exp.Cast(this=n, to=exp.DataType.build("INT"))
        return super().bit(distance, width)

    def json_text(self, column: Sql, path: Sql) -> Sql:
        # The cast makes one of json, jsonb and text.
        document = exp.Cast(this=column, to=exp.DataType.build("JSONB", dialect="postgres"))
        return function("JSONB_EXTRACT_PATH_TEXT", document, *(text(key) for key in path.name.split(".")))

    def first_by(self, a: Sql, key: Sql) -> Sql:
        return self._first(_in_order(a, key))

    def filtered(self, op: str, args: Sequence[Sql], where: Sql) -> Sql:
        if op == "first_by":
            return self._first(filter_clause(_in_order(*args), where))
        return super().filtered(op, args, where)

    def _first(self, array: Sql) -> Sql:
        # The place is a word to sqlglot, which would move the number of an index from 0 to 1.
        return exp.Bracket(this=parenthesized(array), expressions=[exp.Var(this="1")])

    def series(
        self, first: Value, last: Value, step: int, unit: str, column: tuple[str, Type], alias: str
    ) -> Sql | None:
        name, type_ = column
        interval = exp.Interval(this=text(str(step)), unit=exp.Var(this=unit.upper()))
        ends = [self.literal(one, type_) for one in (first, last)]
        return self.selected(self.cast(function("GENERATE_SERIES", *ends, interval), type_), name, alias)


def _in_order(a: Sql, key: Sql) -> Sql:
    return function("ARRAY_AGG", exp.Order(this=a, expressions=[exp.Ordered(this=key, nulls_first=False)]))


ENGINE = Engine("postgres", PostgresDialect())
