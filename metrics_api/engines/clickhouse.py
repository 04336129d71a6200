"""ClickHouse 24.8 and later: compiles; the connection comes with a later release.

Columns may be DateTime of any zone or DateTime64: they are instants, and UTC is always said.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import ClassVar

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.plan.expr import Type, Value
from metrics_api.sql.dialect import Dialect, Sql, filter_clause, function, spaces, text, timestamp_text

_UTC = "UTC"
# Without these a missing side of a join and an aggregate of nothing are 0 and '', and an alias hides the column of its
# name from the other expressions of its SELECT.
SETTINGS = ("join_use_nulls", "aggregate_functions_null_for_empty", "prefer_column_name_to_alias")


class ClickHouseDialect(Dialect):
    """Types that say whether they hold null, unsigned numbers, aliases that are seen everywhere."""

    name: ClassVar[str] = "clickhouse"
    sqlglot: ClassVar[str] = "clickhouse"
    bitmap_days: ClassVar[int] = 62
    counts_bits: ClassVar[bool] = True
    forgets_qualifier: ClassVar[bool] = False
    # A day is added by the calendar of the column's own zone.
    interval_units: ClassVar[tuple[str, ...]] = ("HOUR", "MINUTE", "SECOND")
    types: ClassVar[dict[Type, str]] = {
        Type.STRING: "Nullable(String)",
        Type.INTEGER: "Nullable(Int64)",
        Type.NUMBER: "Nullable(Float64)",
        Type.DECIMAL: "Nullable(Decimal(38, 9))",
        Type.BOOLEAN: "Nullable(Bool)",
        Type.TIMESTAMP: "Nullable(DateTime64(6, 'UTC'))",
        # A Date ends in 1970 and 2149 without a word.
        Type.DATE: "Nullable(Date32)",
    }

    def timestamp_literal(self, value: datetime) -> Sql:
        return function("toDateTime64", text(timestamp_text(value)), exp.Literal.number(6), text(_UTC))

    def date_literal(self, value: date) -> Sql:
        return function("toDate32", text(value.isoformat()))

    def mod(self, a: Sql, b: Sql) -> Sql:
        # % takes the digits of a Decimal for whole numbers: right only of two of one scale. Not a plain cast, which
        # fails on infinity even where it is behind a null.
        divisor = exp.Nullif(this=b, expression=exp.Literal.number(0))
        alike = (function("accurateCastOrNull", one, text("Decimal(38, 9)")) for one in (a, divisor))
        return exp.Mod(this=next(alike), expression=next(alike))

    def lower(self, a: Sql) -> Sql:
        # LOWER is of ASCII only.
        return function("lowerUTF8", a)

    # -- time ---------------------------------------------------------------------------------------------------------

    def to_date(self, at: Sql) -> Sql:
        return function("toDate32", at, text(_UTC))

    def hour_of(self, at: Sql) -> Sql:
        return function("toHour", at, text(_UTC))

    def trunc_hour(self, at: Sql) -> Sql:
        # The cast, because the precision is lost.
        return self.cast(function("dateTrunc", text("hour"), at, text(_UTC)), Type.TIMESTAMP)

    def trunc_to(self, grain: str, day: Sql) -> Sql:
        return function("dateTrunc", text(grain), day)

    def days_between(self, first: Sql, last: Sql) -> Sql:
        return function("dateDiff", text("day"), first, last)

    def seconds_between(self, first: Sql, last: Sql) -> Sql:
        micros = function("dateDiff", text("microsecond"), first, last)
        return exp.Div(this=micros, expression=exp.Literal.number("1e6"))

    # -- bits and JSON ------------------------------------------------------------------------------------------------

    def bit(self, n: Sql, width: Sql) -> Sql:
        # A bare 1 has 8 bits.
        return function("bitShiftLeft", function("toUInt64", exp.Literal.number(1)), n)

    def bits_or(self, a: Sql) -> Sql:
        return function("groupBitOr", a)

    def bits_shared(self, a: Sql, b: Sql) -> Sql:
        # Counts are unsigned, and have no type in common with what is signed.
        return self.cast(function("bitCount", function("bitAnd", a, b)), Type.INTEGER)

    def bits_overlap(self, a: Sql, b: Sql) -> Sql:
        return exp.NEQ(this=function("bitAnd", a, b), expression=exp.Literal.number(0))

    def json_text(self, column: Sql, path: Sql) -> Sql:
        return function("JSONExtract", column, *(text(key) for key in path.name.split(".")), text("Nullable(String)"))

    # -- aggregates: counts are unsigned, and have no type in common with what is signed ------------------------------

    def count_rows(self) -> Sql:
        return function("toInt64", super().count_rows())

    def count(self, a: Sql) -> Sql:
        return function("toInt64", super().count(a))

    def quantile(self, a: Sql, fraction: Sql) -> Sql:
        name = exp.Var(this="quantileExactInclusive")
        return exp.ParameterizedAgg(this=name, expressions=[fraction], params=[a])

    def first_by(self, a: Sql, key: Sql) -> Sql:
        return function("argMin", a, key)

    def filtered(self, op: str, args: Sequence[Sql], where: Sql) -> Sql:
        if op in ("count_rows", "count"):
            return function("toInt64", filter_clause(self.windowed(op, args), where))
        return super().filtered(op, args, where)

    # -- windows ------------------------------------------------------------------------------------------------------

    def windowed(self, op: str, args: Sequence[Sql]) -> Sql:
        match op:
            case "count_rows":
                return super().count_rows()
            case "count":
                return super().count(*args)
        return self.call(op, args)

    def lead(self, a: Sql) -> Sql:
        # After the last row comes 0 or '' unless the type knows null.
        return super().lead(function("toNullable", a))

    # -- relations and statements -------------------------------------------------------------------------------------

    def values(self, columns: Sequence[tuple[str, Type]], rows: Sequence[Sequence[Value]], alias: str) -> Sql:
        names = [self.identifier(name).sql("clickhouse") for name, _ in columns]
        structure = ", ".join(f"{name} {self.types[type_]}" for name, (_, type_) in zip(names, columns, strict=True))
        tuples = [exp.Tuple(expressions=[self._constant(value) for value in row]) for row in rows]
        return exp.Table(
            this=function("VALUES", text(structure), *tuples), alias=exp.TableAlias(this=self.identifier(alias))
        )

    def _constant(self, value: Value) -> Sql:
        if value is None:
            return exp.Null()
        if isinstance(value, date):
            return text(timestamp_text(value) if isinstance(value, datetime) else value.isoformat())
        literal = self.literal(value, Type.NUMBER)
        return literal.this if isinstance(literal, exp.Cast) else literal

    def series(
        self, first: Value, last: Value, step: int, unit: str, column: tuple[str, Type], alias: str
    ) -> Sql | None:
        name, type_ = column
        number: Sql = exp.column("number")
        distance = number if step == 1 else exp.Mul(this=exp.Literal.number(step), expression=number)
        label = function(f"add{unit.capitalize()}s", self.literal(first, type_), distance)
        source = exp.Table(this=function("numbers", exp.Literal.number(1 + spaces(first, last, step, unit))))
        return self.selected(label, name, alias, source)

    def order_key(self, name: str, place: int) -> Sql:
        # A name would be that of an input column; see SETTINGS.
        return exp.Literal.number(place)

    def settled(self, statement: exp.Expression) -> exp.Expression:
        on = exp.Literal.number(1)
        statement.set("settings", [exp.EQ(this=exp.Var(this=one), expression=on.copy()) for one in SETTINGS])
        return statement


ENGINE = Engine("clickhouse", ClickHouseDialect())
