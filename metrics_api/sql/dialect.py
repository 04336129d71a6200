"""What an engine has to say: one method for each portable operation, and what it is good at.

The defaults are standard SQL as most engines take it. An engine's file in `engines/` overrides what differs there; an
operation with no exact form raises `UnsupportedByEngine` and is never replaced by something close.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import reduce
from math import isfinite, isnan
from typing import ClassVar, cast

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as SqlglotDialect

from metrics_api.definitions.written import exact, parts
from metrics_api.errors import UnsupportedByEngine
from metrics_api.plan.expr import OPERATIONS, Type, Value

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Words that at least one engine refuses as a bare name. Quoting one is allowed on every engine (see
# `Dialect.reserved_word`), so the list may be long.
_RESERVED = frozenset(
    """account aes128 aes256 all allowoverwrite alter analyse analyze and anti any array as asc asof
    assert_rows_modified asymmetric at authorization az64 backup between binary blanksasnull both by bytedict bzip2
    case cast check collate collation column concurrently connect connection constraint contains create credentials
    cross cube current current_catalog current_date current_path current_role current_schema current_time
    current_timestamp current_user current_user_id database date day deallocate default deferrable define deflate
    defrag delete delta delta32k desc describe disable distinct do drop else emptyasnull enable encode encrypt
    encryption end enum escape except exclude execute exists explicit extract false fetch filter final following for
    foreign format freeze from full function global globaldict256 globaldict64k grant graph_table group grouping
    groups gzip hash having hour identity if ignore ilike in increment index initially inner insert intersect interval
    into is isnull issue join json_array json_exists json_object json_query json_table json_value language lateral
    leading left like limit listagg localtime localtimestamp lookup lun luns lzo lzop match merge minus minute month
    mostly16 mostly32 mostly8 natural new no normalize not notnull null nulls of off offline offset oid old on only
    open or order organization outer over overlaps parallel partition paste percent permissions pivot placing
    preceding prepare prewhere primary proto qualify range raw readratio recover recursive references regexp rejectlog
    resort respect restore returning right rlike rollup row rows sample schema second select semi session session_user
    set settings show similar skip snapshot some start struct symmetric sysdate system table tablesample tag tdes
    text255 text32k then time timestamp to top trailing treat trigger trim true truncatecolumns try uescape unbounded
    union unique unnest unpivot update user using values variadic verbose view wallet when where window with within
    without year""".split()
)

Sql = exp.Expression


class Dialect:
    """Standard SQL. Subclass the nearest relative and override only what differs."""

    name: ClassVar[str] = "standard"
    sqlglot: ClassVar[str] = ""
    bitmap_days: ClassVar[int] = 0
    """How many days fit an integer that the engine can OR together; 0: it cannot."""
    counts_bits: ClassVar[bool] = False
    """Whether it counts the bits of such an integer (`bits_shared`)."""
    has_asof: ClassVar[bool] = False
    """Whether an ASOF join is there and fast: the backward chain of `Journey`."""
    shares_scans: ClassVar[bool] = True
    """Whether several questions cost less in one statement than in one each: so where a scan is what costs."""
    has_filter: ClassVar[bool] = True
    """Whether aggregates take FILTER (WHERE ...)."""
    aggregates_by_window: ClassVar[frozenset[str]] = frozenset()
    """Aggregates that are there as window functions only, of `quantile` and `first_by`."""
    forgets_qualifier: ClassVar[bool] = True
    """Whether `t.a` in a select list comes out as `a`; otherwise it has to be said."""
    relations_hide_columns: ClassVar[bool] = False
    """Whether a name alone is first what is read FROM, as a whole row, and a column of that name only then."""
    folds_case: ClassVar[bool] = False
    """Whether a name in mixed case is another one in quotes than bare."""
    interval_units: ClassVar[tuple[str, ...]] = ("DAY", "HOUR", "MINUTE", "SECOND")
    """The units of an interval that are always as many seconds."""
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
        """A name, quoted only where it must be, so that an engine's own folding of case stays in force.

        One that is written in double quotes is exactly what is in them.
        """
        if (found := exact(name)) is not None:
            return exp.Identifier(this=found, quoted=True)
        if not _PLAIN.fullmatch(name):
            return exp.Identifier(this=name, quoted=True)
        if name.lower() in _RESERVED:
            return exp.Identifier(this=self.reserved_word(name), quoted=True)
        return exp.Identifier(this=name, quoted=False)

    def reserved_word(self, name: str) -> str:
        """How a name that has to be quoted is spelled, so that it still means what it would mean bare."""
        return name

    def column(self, name: str, table: str | None = None) -> Sql:
        return exp.Column(this=self.identifier(name), table=self.identifier(table) if table else None)

    def table(self, path: str) -> exp.Table:
        """A table from `database.schema.table`; parts may be written in double quotes."""
        named: list[exp.Expression] = [self.identifier(part) for part in parts(path)]
        assert named, path
        if len(named) > 3:
            named = [*named[:2], exp.Dot.build(named[2:])]
        return exp.Table(**dict(zip(("this", "db", "catalog"), reversed(named), strict=False)))

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
            return text(value)
        if isinstance(value, float) and not isfinite(value):
            return self.cast(text("NaN" if isnan(value) else f"{'-' * (value < 0)}Infinity"), Type.NUMBER)
        return self.number_literal(value) if value >= 0 else exp.Neg(this=self.number_literal(-value))

    def number_literal(self, value: object) -> Sql:
        return exp.Literal(this=str(value), is_string=False)

    def timestamp_literal(self, value: datetime) -> Sql:
        """A naive UTC instant, to the microsecond."""
        return typed_literal("TIMESTAMP", timestamp_text(value))

    def date_literal(self, value: date) -> Sql:
        return typed_literal("DATE", value.isoformat())

    def type(self, type_: Type) -> exp.DataType:
        return _data_type(self.types[type_], self.sqlglot)

    def cast(self, value: Sql, type_: Type) -> Sql:
        return exp.Cast(this=value, to=self.type(type_))

    def number(self, value: Sql) -> Sql:
        """A double, so that whole numbers and decimals are divided without rounding. A quotient here is one already."""
        return value if isinstance(value, exp.Div) else self.cast(value, Type.NUMBER)

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
        if isinstance(a, exp.Is) and isinstance(a.expression, exp.Null):
            return exp.Is(this=a.this, expression=exp.Not(this=exp.Null()))
        return exp.Not(this=enclosed(a))

    def is_null(self, a: Sql) -> Sql:
        return exp.Is(this=enclosed(a, _SUMS), expression=exp.Null())

    def eq(self, a: Sql, b: Sql) -> Sql:
        return exp.EQ(this=enclosed(a, _SUMS), expression=enclosed(b, _SUMS))

    def ne(self, a: Sql, b: Sql) -> Sql:
        return exp.NEQ(this=enclosed(a, _SUMS), expression=enclosed(b, _SUMS))

    def lt(self, a: Sql, b: Sql) -> Sql:
        return exp.LT(this=enclosed(a, _SUMS), expression=enclosed(b, _SUMS))

    def le(self, a: Sql, b: Sql) -> Sql:
        return exp.LTE(this=enclosed(a, _SUMS), expression=enclosed(b, _SUMS))

    def gt(self, a: Sql, b: Sql) -> Sql:
        return exp.GT(this=enclosed(a, _SUMS), expression=enclosed(b, _SUMS))

    def ge(self, a: Sql, b: Sql) -> Sql:
        return exp.GTE(this=enclosed(a, _SUMS), expression=enclosed(b, _SUMS))

    def in_(self, a: Sql, *choices: Sql) -> Sql:
        return exp.In(this=enclosed(a, _SUMS), expressions=list(choices))

    def like(self, a: Sql, pattern: Sql) -> Sql:
        return exp.Like(this=enclosed(a), expression=pattern)

    def coalesce(self, *args: Sql) -> Sql:
        return exp.Coalesce(this=args[0], expressions=list(args[1:]))

    # -- numbers ------------------------------------------------------------------------------------------------------

    def add(self, a: Sql, b: Sql) -> Sql:
        return exp.Add(this=enclosed(a, _SUMS), expression=enclosed(b, _PRODUCTS))

    def sub(self, a: Sql, b: Sql | None = None) -> Sql:
        if b is None:
            return exp.Neg(this=enclosed(a))
        return exp.Sub(this=enclosed(a, _SUMS), expression=enclosed(b, _PRODUCTS))

    def mul(self, a: Sql, b: Sql) -> Sql:
        return exp.Mul(this=enclosed(a), expression=enclosed(b))

    def divide(self, a: Sql, b: Sql, word: Sql | None = None) -> Sql:
        """The quotient; with the word `whole`, by a number above 0, the greatest integer that is not above it."""
        if word is not None:
            quotient = exp.Div(this=self.cast(a, Type.NUMBER), expression=b, typed=False, safe=False)
            return self.cast(function("FLOOR", quotient), Type.INTEGER)
        divisor = exp.Nullif(this=b, expression=exp.Literal.number(0))
        return exp.Div(this=self.cast(a, Type.NUMBER), expression=divisor, typed=False, safe=False)

    def mod(self, a: Sql, b: Sql) -> Sql:
        return exp.Mod(this=enclosed(a), expression=exp.Nullif(this=b, expression=exp.Literal.number(0)))

    def abs(self, a: Sql) -> Sql:
        return exp.Abs(this=a)

    def finite(self, a: Sql, type_: Sql | None = None) -> Sql:
        """NaN sorts above infinity or compares false, so a range test refuses both on every engine."""
        is_decimal = type_ is not None and type_.name == Type.DECIMAL
        largest = self.number_literal("1e20" if is_decimal else "1.7976931348623157e308")
        within = exp.Between(this=enclosed(a, _SUMS), low=exp.Neg(this=largest), high=largest.copy())
        return exp.Case(ifs=[exp.If(this=within, true=self.cast(a.copy(), Type.DECIMAL) if is_decimal else a.copy())])

    # -- text ---------------------------------------------------------------------------------------------------------

    def lower(self, a: Sql) -> Sql:
        return exp.Lower(this=a)

    def to_text(self, a: Sql, type_: Sql | None = None) -> Sql:
        """'true' and 'false', whole numbers in plain digits, dates as 2026-01-31; fractions as the engine likes.

        `type_` is a literal, for engines on which it matters what is spelled; a string is one already.
        """
        return a if type_ is not None and type_.name == Type.STRING else self.cast(a, Type.STRING)

    # -- time ---------------------------------------------------------------------------------------------------------

    def add_seconds(self, at: Sql, seconds: Sql) -> Sql:
        """`seconds` is a literal, possibly negative; said in the largest unit that divides it. A day is 24 hours."""
        amount, unit = in_largest_unit(literal_number(seconds), self.interval_units)
        interval = exp.Interval(this=text(str(abs(amount))), unit=exp.Var(this=unit))
        return (exp.Sub if amount < 0 else exp.Add)(this=enclosed(at, _SUMS), expression=interval)

    def to_date(self, at: Sql) -> Sql:
        return self.cast(at, Type.DATE)

    def hour_of(self, at: Sql) -> Sql:
        return exp.Extract(this=exp.Var(this="HOUR"), expression=at)

    def trunc_hour(self, at: Sql) -> Sql:
        return function("DATE_TRUNC", text("hour"), at)

    def trunc_date(self, day: Sql, grain: Sql, week_start: Sql) -> Sql:
        """`grain` and `week_start` (Monday 0) are literals. Weeks of other starts are Monday's weeks, shifted."""
        shift = (7 - int(week_start.name)) % 7 if grain.name == "week" else 0
        truncated = self.trunc_to(grain.name, self.add_days(day, shift) if shift else day)
        return self.add_days(truncated, -shift) if shift else truncated

    def trunc_to(self, grain: str, day: Sql) -> Sql:
        """The first day of the Monday week, month, quarter or year: a date again, whatever DATE_TRUNC returns."""
        return self.cast(function("DATE_TRUNC", text(grain), day), Type.DATE)

    def add_days(self, day: Sql, days: int) -> Sql:
        node = exp.Add if days >= 0 else exp.Sub
        return node(this=enclosed(day, _SUMS), expression=exp.Literal.number(abs(days)))

    def days_between(self, first: Sql, last: Sql) -> Sql:
        return self.sub(last, first)

    def seconds_between(self, first: Sql, last: Sql) -> Sql:
        gap = self.sub(last, first)
        return exp.Extract(this=exp.Var(this="EPOCH"), expression=parenthesized(gap))

    # -- bits ---------------------------------------------------------------------------------------------------------

    def bit(self, n: Sql, width: Sql) -> Sql:
        """`width` is a literal: how many bits there are at most, up to `bitmap_days`."""
        one = self.cast(exp.Literal.number(1), Type.INTEGER)
        return exp.BitwiseLeftShift(this=one, expression=enclosed(n))

    def bits_overlap(self, a: Sql, b: Sql) -> Sql:
        shared = exp.BitwiseAnd(this=enclosed(a), expression=enclosed(b))
        return exp.NEQ(this=parenthesized(shared), expression=exp.Literal.number(0))

    # -- aggregates ---------------------------------------------------------------------------------------------------

    def count_rows(self) -> Sql:
        return exp.Count(this=exp.Star())

    def count(self, a: Sql) -> Sql:
        return exp.Count(this=a)

    def sum(self, a: Sql, type_: Sql | None = None) -> Sql:
        """`type_` is a literal, of values that may add up beyond what they are kept in, where that is not refused."""
        return exp.Sum(this=a)

    def min(self, a: Sql) -> Sql:
        return exp.Min(this=a)

    def max(self, a: Sql) -> Sql:
        return exp.Max(this=a)

    def avg(self, a: Sql) -> Sql:
        return exp.Avg(this=self.number(a))

    def bits_or(self, a: Sql) -> Sql:
        return function("BIT_OR", a)

    def quantile(self, a: Sql, fraction: Sql) -> Sql:
        return beside(function("PERCENTILE_CONT", fraction), function("WITHIN GROUP", beside("ORDER BY", a)))

    def first_by(self, a: Sql, key: Sql) -> Sql:
        return function("MIN_BY", a, key)

    def filtered(self, op: str, args: Sequence[Sql], where: Sql) -> Sql:
        """An aggregate over the rows for which `where` is true."""
        if self.has_filter:
            return filter_clause(self.call(op, args), where)
        if op == "count_rows":
            return self.count(exp.Case(ifs=[exp.If(this=where, true=exp.Literal.number(1))]))
        kept = [exp.Case(ifs=[exp.If(this=where.copy(), true=args[0])]), *args[1:]]
        if op == "first_by":
            kept[1] = exp.Case(ifs=[exp.If(this=where.copy(), true=args[1])])
        return self.call(op, kept)

    # -- windows ------------------------------------------------------------------------------------------------------

    def row_number(self) -> Sql:
        return exp.RowNumber()

    def dense_rank(self) -> Sql:
        return exp.Anonymous(this="DENSE_RANK", expressions=[])

    def lead(self, a: Sql, rows: Sql | None = None) -> Sql:
        if rows is None:
            return exp.Lead(this=a)
        away = literal_number(rows)
        there = None if abs(away) == 1 else exp.Literal.number(abs(away))
        return exp.Lag(this=a, offset=there) if away < 0 else exp.Lead(this=a, offset=there)

    def unsaid_nulls(self, *, descending: bool) -> dict[str, bool | None]:
        """How a window is ordered: by what is never null, so that nothing need be said of nulls."""
        are_small = generator(self).NULL_ORDERING == "nulls_are_small"
        are_large = generator(self).NULL_ORDERING == "nulls_are_large"
        return {"desc": descending or None, "nulls_first": are_large if descending else are_small}

    def windowed(self, op: str, args: Sequence[Sql]) -> Sql:
        """An operation as it stands before OVER."""
        return self.call(op, args)

    def over(self, op: str, args: Sequence[Sql], window: Sql) -> Sql:
        """The whole window, OVER and all, as the value that the operation means."""
        return window

    # -- relations and statements -------------------------------------------------------------------------------------

    def order_key(self, name: str, place: int) -> Sql:
        """What ORDER BY says for the output column `name`, which is the `place`-th from 1."""
        return self.column(name)

    def settled(self, statement: exp.Expression) -> exp.Expression:
        """The finished statement with whatever settings its meaning depends on."""
        return statement

    def series(
        self, first: Value, last: Value, step: int, unit: str, column: tuple[str, Type], alias: str
    ) -> Sql | None:
        """A relation of evenly spaced dates or timestamps, both ends included; None where constant rows serve as well.

        `unit` is hour, day or month.
        """
        return None

    def selected(self, value: Sql, name: str, alias: str, source: Sql | None = None) -> Sql:
        """`(SELECT value AS name FROM source) AS alias`: what most series come down to."""
        is_named = isinstance(value, exp.Column) and value.name == name
        query = exp.Select(expressions=[value if is_named else exp.Alias(this=value, alias=self.identifier(name))])
        if source is not None:
            query.set("from_", exp.From(this=source))
        return exp.Subquery(this=query, alias=exp.TableAlias(this=self.identifier(alias)))

    def values(self, columns: Sequence[tuple[str, Type]], rows: Sequence[Sequence[Value]], alias: str) -> Sql:
        """Constant rows as a relation named `alias`."""
        tuples = [
            exp.Tuple(expressions=[self.literal(value, type_) for value, (_, type_) in zip(row, columns, strict=True)])
            for row in rows
        ]
        # The first row says the types: `5.0` alone would be a decimal of two digits.
        for place, (_, type_) in enumerate(columns):
            if type_ in (Type.NUMBER, Type.DECIMAL) and rows[0][place] is not None:
                tuples[0].expressions[place] = self.cast(tuples[0].expressions[place], type_)
        names = [self.identifier(name) for name, _ in columns]
        return exp.Values(expressions=tuples, alias=exp.TableAlias(this=self.identifier(alias), columns=names))


_PRODUCTS = (exp.Mul, exp.Div, exp.Mod)
_SUMS = (exp.Add, exp.Sub, *_PRODUCTS)


def enclosed(value: Sql, bare: tuple[type[exp.Expression], ...] = ()) -> Sql:
    """In parentheses where an operand would otherwise read differently; `bare` binds tighter than what is around."""
    loose = (exp.Binary, exp.Unary, exp.Between, exp.In)
    is_loose = isinstance(value, loose) and not isinstance(value, (exp.Paren, exp.Dot, exp.Neg))
    return parenthesized(value) if is_loose and not isinstance(value, bare) else value


def parenthesized(value: Sql) -> Sql:
    """In parentheses. Short ones as a tuple of one, which reads the same and which sqlglot keeps on one line."""
    is_short = not isinstance(value, exp.Connector)
    return exp.Tuple(expressions=[value]) if is_short else exp.Paren(this=value)


def _connected(node: type[exp.Connector], args: Sequence[Sql]) -> Sql:
    """The conditions side by side, each once."""
    flat = (part for arg in args for part in (arg.flatten() if isinstance(arg, node) else (arg,)))
    first, *others = (exp.Paren(this=one) if isinstance(one, exp.Connector) else one for one in dict.fromkeys(flat))
    return cast(Sql, reduce(lambda joined, other: node(this=joined, expression=other), others, first))


def function(name: str, *args: Sql) -> exp.Anonymous:
    """A call that sqlglot passes on as it is."""
    return exp.Anonymous(this=name, expressions=list(args))


def text(value: str) -> exp.Literal:
    return exp.Literal.string(value)


def beside(first: str | Sql, second: Sql) -> Sql:
    """Two things with a space between, as in `DATE '2026-01-31'`; a text is words of SQL.

    sqlglot has a node that prints so, under the name of MySQL's `_utf8'a'`. It stands for what sqlglot would spell in
    another way (DATE '...') or spread over lines (WHERE and ORDER BY within a call).
    """
    return exp.Introducer(this=exp.Var(this=first) if isinstance(first, str) else first, expression=second)


def typed_literal(type_: str, written: str) -> Sql:
    """`DATE '2026-01-31'`."""
    return beside(type_, text(written))


def timestamp_text(value: datetime) -> str:
    """`2026-01-31 09:30:00`, with six digits of fraction where there is one."""
    return value.isoformat(sep=" ")


def filter_clause(aggregate: Sql, where: Sql) -> Sql:
    """`COUNT(*) FILTER(WHERE ...)`."""
    return beside(aggregate, function("FILTER", beside("WHERE", where)))


def literal_number(value: Sql) -> int:
    """The whole number that a literal says."""
    return -int(value.this.name) if isinstance(value, exp.Neg) else int(value.name)


SECONDS = {"DAY": 86_400, "HOUR": 3_600, "MINUTE": 60, "SECOND": 1}


def spaces(first: Value, last: Value, step: int, unit: str) -> int:
    """How many steps of hours, days or months lead from the first to the last label of a series.

    >>> spaces(date(2026, 1, 1), date(2026, 7, 1), 3, "month")
    2
    """
    assert isinstance(first, date) and isinstance(last, date)
    if unit == "month":
        return (12 * (last.year - first.year) + last.month - first.month) // step
    return (last - first) // timedelta(**{f"{unit}s": step})


def in_largest_unit(seconds: int, units: Sequence[str]) -> tuple[int, str]:
    """So many seconds as a whole number of the first unit that allows it.

    >>> in_largest_unit(7200, ("DAY", "HOUR", "MINUTE", "SECOND"))
    (2, 'HOUR')
    """
    unit = next(unit for unit in units if seconds % SECONDS[unit] == 0)
    return seconds // SECONDS[unit], unit


_TYPES: dict[tuple[str, str], exp.DataType] = {}


def _data_type(written: str, dialect: str) -> exp.DataType:
    if (written, dialect) not in _TYPES:
        _TYPES[written, dialect] = exp.DataType.build(written, dialect=dialect or None)
    return _TYPES[written, dialect].copy()


def generator(dialect: Dialect) -> SqlglotDialect:
    """sqlglot's own dialect for printing."""
    return SqlglotDialect.get_or_raise(dialect.sqlglot or None)
