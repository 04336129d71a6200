"""DuckDB: the embedded default. A file, or memory; several threads may ask at once, each on its own cursor."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.engines.warehouse import Execution
from metrics_api.errors import MissingDriver, WarehouseError
from metrics_api.plan.expr import Type, Value
from metrics_api.sql.dialect import Dialect, Sql, enclosed, function, parenthesized, text

if TYPE_CHECKING:
    import duckdb


class DuckDBDialect(Dialect):
    """DuckDB 1.4 and later: integers of 128 bits, ASOF joins, exact quantiles."""

    name: ClassVar[str] = "duckdb"
    sqlglot: ClassVar[str] = "duckdb"
    bitmap_days: ClassVar[int] = 126
    counts_bits: ClassVar[bool] = True
    has_asof: ClassVar[bool] = True

    def seconds_between(self, first: Sql, last: Sql) -> Sql:
        # Microseconds are whole numbers: their difference is exact, an interval's epoch goes through months.
        micros = exp.Sub(this=function("EPOCH_US", last), expression=function("EPOCH_US", first))
        return exp.Div(this=parenthesized(micros), expression=exp.Literal.number("1e6"))

    def quantile(self, a: Sql, fraction: Sql) -> Sql:
        return function("QUANTILE_CONT", a, fraction)

    def first_by(self, a: Sql, key: Sql) -> Sql:
        return function("ARG_MIN", a, key)

    def bit(self, n: Sql, width: Sql) -> Sql:
        one = exp.Cast(this=exp.Literal.number(1), to=_integer(int(width.name)))
        # The shift's own distance must have the same type.
        return exp.BitwiseLeftShift(this=one, expression=exp.Cast(this=n, to=_integer(int(width.name))))

    def bits_shared(self, a: Sql, b: Sql) -> Sql:
        return function("BIT_COUNT", exp.BitwiseAnd(this=enclosed(a), expression=enclosed(b)))

    def finite(self, a: Sql, type_: Sql | None = None) -> Sql:
        if type_ is not None:
            return super().finite(a, type_)
        return exp.Case(ifs=[exp.If(this=function("ISFINITE", a), true=a.copy())])

    def json_text(self, column: Sql, path: Sql) -> Sql:
        keys = "".join(f'."{key}"' for key in path.name.split("."))
        return function("JSON_EXTRACT_STRING", column, text(f"${keys}"))

    def series(self, first: Value, last: Value, step: int, unit: str, column: tuple[str, Type], alias: str) -> Sql:
        name, type_ = column
        interval = exp.Interval(this=text(str(step)), unit=exp.Var(this=unit.upper()))
        ends = [self.literal(one, type_) for one in (first, last)]
        label = self.cast(function("UNNEST", function("GENERATE_SERIES", *ends, interval)), type_)
        return self.selected(label, name, alias)


def _integer(bits: int) -> exp.DataType:
    return exp.DataType(this=exp.DType.BIGINT if bits <= 62 else exp.DType.INT128)


class DuckDBWarehouse:
    """One database, opened once; each thread has a cursor of its own."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._cursors = threading.local()

    def __repr__(self) -> str:
        return f"DuckDBWarehouse({self._path!r})"

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        cursor: duckdb.DuckDBPyConnection | None = getattr(self._cursors, "own", None)
        if cursor is None:
            cursor = self._connection.cursor()
            cursor.execute("SET TimeZone='UTC'")
            # A table name must never find a Python variable.
            cursor.execute("SET python_enable_replacements=false")
            self._cursors.own = cursor
        return cursor

    def run(self, sql: str) -> Execution:
        import duckdb

        begun = time.perf_counter()
        try:
            table = self._cursor().sql(sql).to_arrow_table()
        except duckdb.Error as error:
            raise WarehouseError(f"DuckDB: {_first_line(error)}") from None
        return Execution(table, time.perf_counter() - begun)

    def columns(self, table: str) -> tuple[tuple[str, str], ...] | None:
        import duckdb

        try:
            described = self._cursor().execute(f"DESCRIBE {DuckDBDialect().table(table).sql('duckdb')}").fetchall()
        except duckdb.CatalogException:
            return None
        except duckdb.Error as error:
            raise WarehouseError(f"DuckDB: {_first_line(error)}") from None
        return tuple((str(row[0]), str(row[1])) for row in described)

    def close(self) -> None:
        self._connection.close()


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


def connect(settings: Mapping[str, object], folder: Path) -> DuckDBWarehouse:
    """Open `path` (relative to the project's folder; absent or `:memory:` for memory), read-only unless told.

    Raises WarehouseError when the file is missing or cannot be read, MissingDriver without the `duckdb` package.
    """
    try:
        import duckdb
    except ImportError:
        raise MissingDriver("duckdb", "duckdb") from None
    written = str(settings.get("path", ":memory:"))
    if written == ":memory:":
        return DuckDBWarehouse(duckdb.connect(), written)
    path = folder / written
    if not path.is_file():
        raise WarehouseError(
            f"there is no DuckDB file {path}",
            fix="Check `path` of the warehouse; `metrics-api demo` builds an example.",
        )
    try:
        connection = duckdb.connect(str(path), read_only=bool(settings.get("read_only", True)))
    except duckdb.Error as error:
        raise WarehouseError(f"DuckDB cannot open {path}: {_first_line(error)}") from None
    return DuckDBWarehouse(connection, str(path))


ENGINE = Engine("duckdb", DuckDBDialect(), connect, ("path", "read_only"))
