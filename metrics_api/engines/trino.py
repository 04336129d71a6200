"""Trino: compiles; the connection comes with a later release.

The session has to run in UTC (`SET TIME ZONE 'UTC'`). No Trino could be run here: every form is the documented one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.plan.expr import Type, Value
from metrics_api.sql.dialect import (
    Dialect,
    Sql,
    filter_clause,
    function,
    parenthesized,
    text,
    typed_literal,
)


class TrinoDialect(Dialect):
    """Bits by functions, FILTER, MIN_BY; percentiles are approximate, unless made of an array."""

    name: ClassVar[str] = "trino"
    sqlglot: ClassVar[str] = "trino"
    bitmap_days: ClassVar[int] = 62
    counts_bits: ClassVar[bool] = True
    types: ClassVar[dict[Type, str]] = {**Dialect.types, Type.TIMESTAMP: "TIMESTAMP(6)"}

    # -- time ---------------------------------------------------------------------------------------------------------

    def trunc_to(self, grain: str, day: Sql) -> Sql:
        return function("DATE_TRUNC", text(grain), day)

    def add_days(self, day: Sql, days: int) -> Sql:
        return function("DATE_ADD", text("day"), self.literal(days, Type.INTEGER), day)

    def days_between(self, first: Sql, last: Sql) -> Sql:
        return function("DATE_DIFF", text("day"), first, last)

    def seconds_between(self, first: Sql, last: Sql) -> Sql:
        # DATE_DIFF ends at milliseconds. A double of seconds is off by less than a quarter of a microsecond.
        gap = exp.Sub(this=function("TO_UNIXTIME", last), expression=function("TO_UNIXTIME", first))
        return function("ROUND", gap, exp.Literal.number(6))

    # -- bits and JSON ------------------------------------------------------------------------------------------------

    def bit(self, n: Sql, width: Sql) -> Sql:
        return function("BITWISE_LEFT_SHIFT", typed_literal("BIGINT", "1"), n)

    def bits_or(self, a: Sql) -> Sql:
        return function("BITWISE_OR_AGG", a)

    def bits_shared(self, a: Sql, b: Sql) -> Sql:
        return function("BIT_COUNT", function("BITWISE_AND", a, b), exp.Literal.number(64))

    def bits_overlap(self, a: Sql, b: Sql) -> Sql:
        return exp.NEQ(this=function("BITWISE_AND", a, b), expression=exp.Literal.number(0))

    def json_text(self, column: Sql, path: Sql) -> Sql:
        return function("JSON_EXTRACT_SCALAR", column, text("".join(("$", *map(_step, path.name.split("."))))))

    # -- aggregates ---------------------------------------------------------------------------------------------------

    def quantile(self, a: Sql, fraction: Sql) -> Sql:
        return self._percentile(a, fraction)

    def filtered(self, op: str, args: Sequence[Sql], where: Sql) -> Sql:
        return self._percentile(args[0], args[1], where) if op == "quantile" else super().filtered(op, args, where)

    def _percentile(self, a: Sql, fraction: Sql, where: Sql | None = None) -> Sql:
        # APPROX_PERCENTILE is not exact: the values in order, and between two neighbours in proportion. The function
        # around them is there to say the array once.
        present = self.not_(self.is_null(a))
        ordered = exp.Order(this=a.copy(), expressions=[exp.Ordered(this=a.copy(), nulls_first=False)])
        kept = present if where is None else self.and_(present, where)
        values = filter_clause(function("ARRAY_AGG", ordered), kept)

        v, one = exp.column("v"), exp.Literal.number(1)
        last = parenthesized(self.sub(function("CARDINALITY", v), one))
        place = self.mul(typed_literal("DOUBLE", fraction.name), last)
        below, above = (self._at(v, function(rounding, place.copy())) for rounding in ("FLOOR", "CEIL"))
        beyond = parenthesized(exp.Mod(this=place, expression=one.copy()))
        share = self.mul(parenthesized(self.sub(above, below)), beyond)
        between = exp.Lambda(this=self.add(below.copy(), share), expressions=[exp.Identifier(this="v")])
        return function("ELEMENT_AT", function("TRANSFORM", exp.Array(expressions=[values]), between), one.copy())

    def _at(self, array: Sql, place: Sql) -> Sql:
        index = exp.Cast(this=place, to=self.type(Type.INTEGER))
        return function("ELEMENT_AT", array.copy(), exp.Add(this=index, expression=exp.Literal.number(1)))

    # -- relations ----------------------------------------------------------------------------------------------------

    def series(
        self, first: Value, last: Value, step: int, unit: str, column: tuple[str, Type], alias: str
    ) -> Sql | None:
        name, type_ = column
        interval = exp.Interval(this=text(str(step)), unit=exp.Var(this=unit.upper()))
        ends = [self.literal(one, type_) for one in (first, last)]
        names = exp.TableAlias(this=self.identifier(alias), columns=[self.identifier(name)])
        return exp.Unnest(expressions=[function("SEQUENCE", *ends, interval)], alias=names)


def _step(key: str) -> str:
    return f".{key}" if re.fullmatch(r"\w+", key, re.ASCII) else f'["{key}"]'


ENGINE = Engine("trino", TrinoDialect())
