"""What an engine has to say: one method for each portable operation, and what it is good at.

The defaults are standard SQL as most engines take it. An engine's file in `engines/` overrides what differs there; an
operation with no exact form raises `UnsupportedByEngine` and is never replaced by something close.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as SqlglotDialect

from metrics_api.errors import UnsupportedByEngine
from metrics_api.plan.expr import OPERATIONS, Type, Value

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Words that at least one engine refuses as a bare column name. Quoting one is always allowed, so the list may be long.
_RESERVED = frozenset(
    """all analyze and any array as asc at authorization between both by case cast check collate column constraint
    create cross cube current current_date current_time current_timestamp current_user date day default delete desc
    describe distinct drop else end escape except exists extract false fetch filter following for foreign from full
    function grant group grouping groups having hour if ilike in index inner insert intersect interval into is join
    language lateral leading left like limit localtime localtimestamp match merge minute month natural new no not null
    nulls of offset old on only or order outer over overlaps partition percent pivot position preceding primary
    qualify range recursive references regexp respect right rlike rollup row rows sample second select semi session
    session_user set show similar some start symmetric system table tablesample then time timestamp to top trailing
    trigger true try unbounded union unique unnest unpivot update user using values view when where window with within
    without year""".split()
)

Sql = exp.Expression


class Dialect:
    """Standard SQL. Subclass the nearest relative and override only what differs."""

    name: ClassVar[str] = "standard"
    sqlglot: ClassVar[str] = ""
    bitmap_days: ClassVar[int] = 0
    """How many days fit an integer that the engine can OR together; 0: it cannot."""
    has_asof: ClassVar[bool] = False
    """Whether an ASOF join is there and fast: the backward chain of `Journey`."""
    has_filter: ClassVar[bool] = True
    """Whether aggregates take FILTER (WHERE ...)."""
    types: ClassVar[dict[Type, str]] = {
        Type.STRING: "VARCHAR",
        Type.INTEGER: "BIGINT",
        Type.NUMBER: "DOUBLE",
        Type.DECIMAL: "DECIMAL(38, 9)",
        Type.BOOLEAN: "BOOLEAN",
        Type.TIMESTAMP: "TIMESTAMP",
        Type.DATE: "DATE",
    }

    # -- names and constants ------------------------------------------------------------------------------------------

    def identifier(self, name: str) -> exp.Identifier:
        """A name, quoted only where it must be, so that an engine's own folding of case stays in force."""
        plain = _PLAIN.fullmatch(name) is not None and name.lower() not in _RESERVED
        return exp.Identifier(this=name, quoted=not plain)

    def column(self, name: str, table: str | None = None) -> Sql:
        """A column; a dotted path is a field of a struct."""
        return exp.Column(this=self.identifier(name), table=self.identifier(table) if table else None)

    def table(self, path: str) -> exp.Table:
        """A table from `database.schema.table`; parts may be written in double quotes."""
        parts = [
            exp.Identifier(this=quoted.replace('""', '"'), quoted=True) if quoted else self.identifier(bare)
            for quoted, bare in re.findall(r'"((?:[^"]|"")+)"|([^."]+)', path)
        ]
        keys = ("this", "db", "catalog")
        assert 1 <= len(parts) <= len(keys), path
        return exp.Table(**dict(zip(keys, reversed(parts), strict=False)))

    def literal(self, value: Value, type_: Type) -> Sql:
        if value is None:
            return self.cast(exp.Null(), type_)
        if isinstance(value, bool):
            return exp.Boolean(this=value)
        if isinstance(value, datetime):
            return self.timestamp_literal(value)
        if isinstance(value, date):
            return self.date_literal(value)
        if isinstance(value, str):
            return exp.Literal.string(value)
        return self.number_literal(value) if value >= 0 else exp.Neg(this=self.number_literal(-value))

    def number_literal(self, value: object) -> Sql:
        return exp.Literal(this=str(value), is_string=False)

    def timestamp_literal(self, value: datetime) -> Sql:
        """A naive UTC instant, to the microsecond."""
        written = value.strftime("%Y-%m-%d %H:%M:%S") + (f".{value.microsecond:06d}" if value.microsecond else "")
        return self.cast(exp.Literal.string(written), Type.TIMESTAMP)

    def date_literal(self, value: date) -> Sql:
        return self.cast(exp.Literal.string(value.isoformat()), Type.DATE)

    def type(self, type_: Type) -> exp.DataType:
        return _data_type(self.types[type_], self.sqlglot)

    def cast(self, value: Sql, type_: Type) -> Sql:
        return exp.Cast(this=value, to=self.type(type_))

    # -- calling an operation -----------------------------------------------------------------------------------------

    def call(self, op: str, args: Sequence[Sql]) -> Sql:
        """Say a portable operation; raises UnsupportedByEngine when this engine has no exact form."""
        method = getattr(self, op, None)
        if method is None:
            assert op in OPERATIONS, op
            raise UnsupportedByEngine(op, self.name)
        said: Sql = method(*args)
        return said

    # -- logic --------------------------------------------------------------------------------------------------------

    def and_(self, *args: Sql) -> Sql:
        return _connected(exp.And, args)

    def or_(self, *args: Sql) -> Sql:
        return _connected(exp.Or, args)

    def not_(self, a: Sql) -> Sql:
        return exp.Not(this=enclosed(a))

    def is_null(self, a: Sql) -> Sql:
        return exp.Is(this=enclosed(a), expression=exp.Null())

    def eq(self, a: Sql, b: Sql) -> Sql:
        return exp.EQ(this=enclosed(a), expression=enclosed(b))

    def ne(self, a: Sql, b: Sql) -> Sql:
        return exp.NEQ(this=enclosed(a), expression=enclosed(b))

    def lt(self, a: Sql, b: Sql) -> Sql:
        return exp.LT(this=enclosed(a), expression=enclosed(b))

    def le(self, a: Sql, b: Sql) -> Sql:
        return exp.LTE(this=enclosed(a), expression=enclosed(b))

    def gt(self, a: Sql, b: Sql) -> Sql:
        return exp.GT(this=enclosed(a), expression=enclosed(b))

    def ge(self, a: Sql, b: Sql) -> Sql:
        return exp.GTE(this=enclosed(a), expression=enclosed(b))

    def in_(self, a: Sql, *choices: Sql) -> Sql:
        return exp.In(this=enclosed(a), expressions=list(choices))

    def like(self, a: Sql, pattern: Sql) -> Sql:
        return exp.Like(this=enclosed(a), expression=pattern)

    def coalesce(self, *args: Sql) -> Sql:
        return exp.Coalesce(this=args[0], expressions=list(args[1:]))

    # -- numbers ------------------------------------------------------------------------------------------------------

    def add(self, a: Sql, b: Sql) -> Sql:
        return exp.Add(this=enclosed(a), expression=enclosed(b))

    def sub(self, a: Sql, b: Sql) -> Sql:
        return exp.Sub(this=enclosed(a), expression=enclosed(b))

    def mul(self, a: Sql, b: Sql) -> Sql:
        return exp.Mul(this=enclosed(a), expression=enclosed(b))

    def divide(self, a: Sql, b: Sql) -> Sql:
        zero = exp.Literal.number(0)
        divisor = exp.Nullif(this=b, expression=zero)
        return exp.Div(this=self.cast(a, Type.NUMBER), expression=divisor, typed=False, safe=False)

    def mod(self, a: Sql, b: Sql) -> Sql:
        return exp.Mod(this=enclosed(a), expression=exp.Nullif(this=b, expression=exp.Literal.number(0)))

    def neg(self, a: Sql) -> Sql:
        return exp.Neg(this=enclosed(a))

    def abs(self, a: Sql) -> Sql:
        return exp.Abs(this=a)

    def finite(self, a: Sql) -> Sql:
        """NaN sorts above infinity or compares false, so a range test refuses both on every engine."""
        largest = exp.Literal.number("1.7976931348623157e308")
        within = exp.Between(this=enclosed(a), low=exp.Neg(this=largest), high=largest.copy())
        return exp.Case(ifs=[exp.If(this=within, true=a.copy())])

    # -- text ---------------------------------------------------------------------------------------------------------

    def lower(self, a: Sql) -> Sql:
        return exp.Lower(this=a)

    def to_text(self, a: Sql) -> Sql:
        return self.cast(a, Type.STRING)

    # -- time ---------------------------------------------------------------------------------------------------------

    def add_seconds(self, at: Sql, seconds: Sql) -> Sql:
        """`seconds` is a literal, possibly negative."""
        amount, negative = _whole(seconds)
        interval = exp.Interval(this=exp.Literal.string(str(amount)), unit=exp.Var(this="SECOND"))
        return (exp.Sub if negative else exp.Add)(this=enclosed(at), expression=interval)

    def to_date(self, at: Sql) -> Sql:
        return self.cast(at, Type.DATE)

    def trunc_hour(self, at: Sql) -> Sql:
        return exp.Anonymous(this="DATE_TRUNC", expressions=[exp.Literal.string("hour"), at])

    def trunc_date(self, day: Sql, grain: Sql, week_start: Sql) -> Sql:
        """`grain` and `week_start` (Monday 0) are literals. Weeks of other starts are Monday's weeks, shifted."""
        shift = (7 - int(week_start.name)) % 7 if grain.name == "week" else 0
        truncated = self.trunc_to(grain.name, self.add_days(day, shift) if shift else day)
        return self.add_days(truncated, -shift) if shift else truncated

    def trunc_to(self, grain: str, day: Sql) -> Sql:
        """The first day of the Monday week, month, quarter or year: a date again, whatever DATE_TRUNC returns."""
        return self.cast(exp.Anonymous(this="DATE_TRUNC", expressions=[exp.Literal.string(grain), day]), Type.DATE)

    def add_days(self, day: Sql, days: int) -> Sql:
        node = exp.Add if days >= 0 else exp.Sub
        return node(this=enclosed(day), expression=exp.Literal.number(abs(days)))

    def days_between(self, first: Sql, last: Sql) -> Sql:
        return exp.Sub(this=enclosed(last), expression=enclosed(first))

    def seconds_between(self, first: Sql, last: Sql) -> Sql:
        gap = exp.Sub(this=enclosed(last), expression=enclosed(first))
        return exp.Extract(this=exp.Var(this="EPOCH"), expression=exp.Paren(this=gap))

    # -- bits ---------------------------------------------------------------------------------------------------------

    def bit(self, n: Sql) -> Sql:
        one = self.cast(exp.Literal.number(1), Type.INTEGER)
        return exp.BitwiseLeftShift(this=one, expression=enclosed(n))

    def bits_overlap(self, a: Sql, b: Sql) -> Sql:
        shared = exp.BitwiseAnd(this=enclosed(a), expression=enclosed(b))
        return exp.NEQ(this=exp.Paren(this=shared), expression=exp.Literal.number(0))

    def bits_literal(self, value: int) -> Sql:
        """A mask of up to `bitmap_days` bits."""
        return exp.Literal.number(value)

    # -- aggregates ---------------------------------------------------------------------------------------------------

    def count_rows(self) -> Sql:
        return exp.Count(this=exp.Star())

    def count(self, a: Sql) -> Sql:
        return exp.Count(this=a)

    def sum(self, a: Sql) -> Sql:
        return exp.Sum(this=a)

    def min(self, a: Sql) -> Sql:
        return exp.Min(this=a)

    def max(self, a: Sql) -> Sql:
        return exp.Max(this=a)

    def avg(self, a: Sql) -> Sql:
        return exp.Avg(this=self.cast(a, Type.NUMBER))

    def bits_or(self, a: Sql) -> Sql:
        return exp.Anonymous(this="BIT_OR", expressions=[a])

    def quantile(self, a: Sql, fraction: Sql) -> Sql:
        ordered = exp.Order(expressions=[exp.Ordered(this=a, nulls_first=False)])
        return exp.WithinGroup(this=exp.Anonymous(this="PERCENTILE_CONT", expressions=[fraction]), expression=ordered)

    def first_by(self, a: Sql, key: Sql) -> Sql:
        return exp.Anonymous(this="MIN_BY", expressions=[a, key])

    def filtered(self, op: str, args: Sequence[Sql], where: Sql) -> Sql:
        """An aggregate over the rows for which `where` is true."""
        if self.has_filter:
            return exp.Filter(this=self.call(op, args), expression=exp.Where(this=where))
        if op == "count_rows":
            return self.count(exp.Case(ifs=[exp.If(this=where, true=exp.Literal.number(1))]))
        kept = [exp.Case(ifs=[exp.If(this=where.copy(), true=args[0])]), *args[1:]]
        if op == "first_by":
            kept[1] = exp.Case(ifs=[exp.If(this=where.copy(), true=args[1])])
        return self.call(op, kept)

    # -- windows ------------------------------------------------------------------------------------------------------

    def row_number(self) -> Sql:
        return exp.RowNumber()

    def lead(self, a: Sql) -> Sql:
        return exp.Lead(this=a)

    # -- relations ----------------------------------------------------------------------------------------------------

    def values(self, columns: Sequence[tuple[str, Type]], rows: Sequence[Sequence[Value]], alias: str) -> Sql:
        """Constant rows as a relation named `alias`."""
        tuples = [
            exp.Tuple(expressions=[self.literal(value, type_) for value, (_, type_) in zip(row, columns, strict=True)])
            for row in rows
        ]
        names = [self.identifier(name) for name, _ in columns]
        return exp.Values(
            expressions=tuples, alias=exp.TableAlias(this=self.identifier(alias), columns=names)
        )


def enclosed(value: Sql) -> Sql:
    """In parentheses where an operand would otherwise read differently."""
    loose = (exp.Binary, exp.Unary, exp.Between, exp.In, exp.Is, exp.Not, exp.Case)
    atoms = (exp.Paren, exp.Dot, exp.Neg, exp.Case)
    return exp.Paren(this=value) if isinstance(value, loose) and not isinstance(value, atoms) else value


def _connected(node: type[exp.Connector], args: Sequence[Sql]) -> Sql:
    parts = [exp.Paren(this=a) if isinstance(a, exp.Connector) and not isinstance(a, node) else a for a in args]
    joined = parts[0]
    for part in parts[1:]:
        joined = node(this=joined, expression=part)
    return joined


def _whole(seconds: Sql) -> tuple[int, bool]:
    negative = isinstance(seconds, exp.Neg)
    return int(seconds.this.name if negative else seconds.name), negative


_TYPES: dict[tuple[str, str], exp.DataType] = {}


def _data_type(written: str, dialect: str) -> exp.DataType:
    if (written, dialect) not in _TYPES:
        _TYPES[written, dialect] = exp.DataType.build(written, dialect=dialect or None)
    return _TYPES[written, dialect].copy()


def generator(dialect: Dialect) -> SqlglotDialect:
    """sqlglot's own dialect for printing."""
    return SqlglotDialect.get_or_raise(dialect.sqlglot or None)
