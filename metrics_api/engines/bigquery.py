"""Google BigQuery: compiles; the connection comes with a later release.

Time columns are TIMESTAMPs. UTC is always said, for a project can have another default time zone. DATETIME columns need
a view that says which zone they are in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.plan.expr import Type, Value
from metrics_api.sql.dialect import (
    Dialect,
    Sql,
    enclosed,
    function,
    in_largest_unit,
    literal_number,
    text,
    timestamp_text,
    typed_literal,
)

_UTC = "UTC"


class BigQueryDialect(Dialect):
    """GoogleSQL: no FILTER, no aggregate percentile, weeks that begin on Sunday unless told."""

    name: ClassVar[str] = "bigquery"
    sqlglot: ClassVar[str] = "bigquery"
    bitmap_days: ClassVar[int] = 62
    counts_bits: ClassVar[bool] = True
    has_filter: ClassVar[bool] = False
    aggregates_by_window: ClassVar[frozenset[str]] = frozenset(["quantile"])
    types: ClassVar[dict[Type, str]] = {
        Type.STRING: "STRING",
        Type.INTEGER: "INT64",
        Type.NUMBER: "FLOAT64",
        Type.DECIMAL: "NUMERIC",
        Type.BOOLEAN: "BOOL",
        Type.TIMESTAMP: "TIMESTAMP",
        Type.DATE: "DATE",
    }

    def number_literal(self, value: object) -> Sql:
        # A literal takes the type of what it is compared with, and a NUMERIC ends at 38 digits.
        if "E" in str(value).upper():
            return self.cast(text(str(value)), Type.NUMBER)
        return super().number_literal(value)

    def timestamp_literal(self, value: datetime) -> Sql:
        return typed_literal("TIMESTAMP", f"{timestamp_text(value)}+00")

    def mod(self, a: Sql, b: Sql) -> Sql:
        # MOD takes no FLOAT64. A BIGNUMERIC holds every integer and decimal, and floats of up to 38 digits.
        divisor = exp.Nullif(this=b, expression=exp.Literal.number(0))
        wide = exp.DataType.build("BIGNUMERIC", dialect="bigquery")
        return function("MOD", exp.Cast(this=a, to=wide), exp.Cast(this=divisor, to=wide.copy()))

    # -- time ---------------------------------------------------------------------------------------------------------

    def add_seconds(self, at: Sql, seconds: Sql) -> Sql:
        amount, unit = in_largest_unit(literal_number(seconds), self.interval_units)
        interval = exp.Interval(this=exp.Literal.number(abs(amount)), unit=exp.Var(this=unit))
        return function("TIMESTAMP_SUB" if amount < 0 else "TIMESTAMP_ADD", at, interval)

    def to_date(self, at: Sql) -> Sql:
        return function("DATE", at, text(_UTC))

    def trunc_hour(self, at: Sql) -> Sql:
        return function("TIMESTAMP_TRUNC", at, exp.Var(this="HOUR"), text(_UTC))

    def trunc_to(self, grain: str, day: Sql) -> Sql:
        return function("DATE_TRUNC", day, exp.Var(this="ISOWEEK" if grain == "week" else grain.upper()))

    def add_days(self, day: Sql, days: int) -> Sql:
        interval = exp.Interval(this=exp.Literal.number(abs(days)), unit=exp.Var(this="DAY"))
        return function("DATE_SUB" if days < 0 else "DATE_ADD", day, interval)

    def days_between(self, first: Sql, last: Sql) -> Sql:
        return function("DATE_DIFF", last, first, exp.Var(this="DAY"))

    def seconds_between(self, first: Sql, last: Sql) -> Sql:
        micros = function("TIMESTAMP_DIFF", last, first, exp.Var(this="MICROSECOND"))
        return exp.Div(this=micros, expression=exp.Literal.number("1e6"))

    # -- bits, JSON and aggregates ------------------------------------------------------------------------------------

    def bits_shared(self, a: Sql, b: Sql) -> Sql:
        return function("BIT_COUNT", exp.BitwiseAnd(this=enclosed(a), expression=enclosed(b)))

    def bit(self, n: Sql, width: Sql) -> Sql:
        return exp.BitwiseLeftShift(this=exp.Literal.number(1), expression=enclosed(n))

    def json_text(self, column: Sql, path: Sql) -> Sql:
        keys = (key if re.fullmatch(r"\w+", key, re.ASCII) else f'"{key}"' for key in path.name.split("."))
        return function("JSON_VALUE", column, text(".".join(("$", *keys))))

    def quantile(self, a: Sql, fraction: Sql) -> Sql:
        # A window function only; and APPROX_QUANTILES is not exact.
        return function("PERCENTILE_CONT", a, fraction)

    def first_by(self, a: Sql, key: Sql) -> Sql:
        return exp.AnyValue(this=exp.HavingMax(this=a, expression=key, max=False))

    def filtered(self, op: str, args: Sequence[Sql], where: Sql) -> Sql:
        return function("COUNTIF", where) if op == "count_rows" else super().filtered(op, args, where)

    # -- relations ----------------------------------------------------------------------------------------------------

    def series(
        self, first: Value, last: Value, step: int, unit: str, column: tuple[str, Type], alias: str
    ) -> Sql | None:
        name, type_ = column
        interval = exp.Interval(this=exp.Literal.number(step), unit=exp.Var(this=unit.upper()))
        ends = [self.literal(one, type_) for one in (first, last)]
        array = function(f"GENERATE_{type_.upper()}_ARRAY", *ends, interval)
        # The alias of an UNNEST names its values, not a table.
        values = exp.Unnest(expressions=[array], alias=exp.TableAlias(columns=[self.identifier(name)]))
        return self.selected(self.column(name), name, alias, values)


ENGINE = Engine("bigquery", BigQueryDialect())
