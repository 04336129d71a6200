"""Apache Spark 3.4 and later: compiles; the connection comes with a later release.

The session has to run in UTC (`spark.sql.session.timeZone`). Instants are TIMESTAMPs, the usual type of columns, which
in such a session read as UTC clocks do; TIMESTAMP_NTZ columns in UTC are compared with them as the same instants.
"""

from __future__ import annotations

import re
from typing import ClassVar

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.plan.expr import Type, Value
from metrics_api.sql.dialect import Dialect, Sql, enclosed, function, parenthesized, text


class SparkDialect(Dialect):
    """Integers of 64 bits, FILTER, an exact PERCENTILE; a difference of dates is an interval, so it is never said."""

    name: ClassVar[str] = "spark"
    sqlglot: ClassVar[str] = "spark"
    bitmap_days: ClassVar[int] = 62
    counts_bits: ClassVar[bool] = True
    types: ClassVar[dict[Type, str]] = {**Dialect.types, Type.STRING: "STRING"}

    def trunc_to(self, grain: str, day: Sql) -> Sql:
        return function("TRUNC", day, text(grain.upper()))

    def add_days(self, day: Sql, days: int) -> Sql:
        return function("DATE_SUB" if days < 0 else "DATE_ADD", day, exp.Literal.number(abs(days)))

    def days_between(self, first: Sql, last: Sql) -> Sql:
        return function("DATEDIFF", last, first)

    def seconds_between(self, first: Sql, last: Sql) -> Sql:
        micros = exp.Sub(this=function("UNIX_MICROS", last), expression=function("UNIX_MICROS", first))
        return exp.Div(this=parenthesized(micros), expression=exp.Literal.number("1e6"))

    def bits_shared(self, a: Sql, b: Sql) -> Sql:
        return function("BIT_COUNT", exp.BitwiseAnd(this=enclosed(a), expression=enclosed(b)))

    def bit(self, n: Sql, width: Sql) -> Sql:
        one = self.cast(exp.Literal.number(1), Type.INTEGER)
        return function("SHIFTLEFT", one, exp.Cast(this=n, to=exp.DataType.build("INT")))

    def json_text(self, column: Sql, path: Sql) -> Sql:
        return function("GET_JSON_OBJECT", column, text("".join(("$", *map(_step, path.name.split("."))))))

    def quantile(self, a: Sql, fraction: Sql) -> Sql:
        # Not PERCENTILE_CONT, of which sqlglot makes PERCENTILE_APPROX.
        return function("PERCENTILE", a, fraction)

    def series(
        self, first: Value, last: Value, step: int, unit: str, column: tuple[str, Type], alias: str
    ) -> Sql | None:
        name, type_ = column
        interval = exp.Interval(this=text(str(step)), unit=exp.Var(this=unit.upper()))
        ends = [self.literal(one, type_) for one in (first, last)]
        return self.selected(function("EXPLODE", function("SEQUENCE", *ends, interval)), name, alias)


def _step(key: str) -> str:
    return f".{key}" if re.fullmatch(r"\w+", key, re.ASCII) else f"['{key}']"


ENGINE = Engine("spark", SparkDialect())
