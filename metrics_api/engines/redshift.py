"""Amazon Redshift: compiles; the connection comes with a later release.

The session has to run in UTC. Nothing here could be executed without an AWS account: every form is the documented one,
and those that PostgreSQL has as well were run there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.engines.postgres import PostgresDialect
from metrics_api.errors import UnsupportedByEngine
from metrics_api.plan.expr import Type, Value
from metrics_api.sql.dialect import Dialect, Sql, function, text


class RedshiftDialect(PostgresDialect):
    """PostgreSQL 8's grammar: no FILTER, no arrays, no VALUES in FROM, no generate_series on the compute nodes."""

    name: ClassVar[str] = "redshift"
    sqlglot: ClassVar[str] = "redshift"
    has_filter: ClassVar[bool] = False
    counts_bits: ClassVar[bool] = False
    # Sorted aggregates of one SELECT have to be of the same values, windows need not; of MIN_BY there is none.
    aggregates_by_window: ClassVar[frozenset[str]] = frozenset(["quantile", "first_by"])
    types: ClassVar[dict[Type, str]] = {
        **PostgresDialect.types,
        Type.STRING: "VARCHAR",
        Type.DECIMAL: "DECIMAL(38, 9)",
    }

    def bits_shared(self, a: Sql, b: Sql) -> Sql:
        raise UnsupportedByEngine("bits_shared", self.name)

    def by_code_point(self, a: Sql) -> Sql:
        # There is no other order.
        return a

    def number_literal(self, value: object) -> Sql:
        # A number with an exponent is read as a decimal, which ends at 38 digits.
        if "E" in str(value).upper():
            return self.cast(text(str(value)), Type.NUMBER)
        return super().number_literal(value)

    def to_text(self, a: Sql, type_: Sql | None = None) -> Sql:
        # A boolean cannot be cast to text.
        if type_ is not None and type_.name == Type.BOOLEAN:
            branches = [exp.If(this=a, true=text("true")), exp.If(this=self.not_(a.copy()), true=text("false"))]
            return exp.Case(ifs=branches)
        return super().to_text(a, type_)

    def seconds_between(self, first: Sql, last: Sql) -> Sql:
        micros = self.cast(function("DATEDIFF", exp.Var(this="MICROSECOND"), first, last), Type.NUMBER)
        return exp.Div(this=micros, expression=exp.Literal.number(1_000_000))

    def json_text(self, column: Sql, path: Sql) -> Sql:
        # What is missing comes back as an empty text; the last argument makes null of what is no JSON.
        keys = (text(key) for key in path.name.split("."))
        found = function("JSON_EXTRACT_PATH_TEXT", column, *keys, exp.true())
        return exp.Nullif(this=found, expression=text(""))

    def quantile(self, a: Sql, fraction: Sql) -> Sql:
        # Of integers and decimals it would be a rounded decimal.
        return super().quantile(self.number(a), fraction)

    def first_by(self, a: Sql, key: Sql) -> Sql:
        # PostgreSQL's array of one is not there; see `aggregates_by_window`.
        raise UnsupportedByEngine("first_by", self.name)

    def filtered(self, op: str, args: Sequence[Sql], where: Sql) -> Sql:
        return Dialect.filtered(self, op, args, where)

    def windowed(self, op: str, args: Sequence[Sql]) -> Sql:
        return function("FIRST_VALUE", *args) if op == "first_by" else super().windowed(op, args)

    def series(
        self, first: Value, last: Value, step: int, unit: str, column: tuple[str, Type], alias: str
    ) -> Sql | None:
        # GENERATE_SERIES runs on the leader node only, and cannot be joined with tables.
        return None


ENGINE = Engine("redshift", RedshiftDialect())
