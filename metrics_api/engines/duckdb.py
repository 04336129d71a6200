"""DuckDB: the embedded default. A file, or memory; several threads may ask at once, each on its own cursor."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.engines.settings import whole
from metrics_api.engines.warehouse import Connected, Cost, Stop, Stream, ends
from metrics_api.errors import MissingDriver, WarehouseError
from metrics_api.plan.expr import Type, Value
from metrics_api.sql.dialect import Dialect, Sql, enclosed, function, parenthesized, text

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


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


class DuckDBWarehouse(Connected):
    """One database, opened once; each statement has a cursor of its own."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: str, timeout: int | None = None) -> None:
        self._connection = connection
        self._path = path
        self._timeout = timeout
        self._changing = threading.Lock()
        self._idle: list[duckdb.DuckDBPyConnection] = []
        self._closed = False

    def __repr__(self) -> str:
        return f"DuckDBWarehouse({self._path!r})"

    @contextmanager
    def begun(self, sql: str, tag: str, stop: Stop, *, whole: bool) -> Iterator[Stream]:
        with self._cursor() as cursor, ends(cursor.interrupt, stop, self._timeout, "DuckDB"):
            asked = cursor.sql(sql)
            yield Stream(iter([asked.to_arrow_table()]) if whole else _pieces(asked))

    def estimate(self, sql: str) -> Cost:
        """Rows that the scans are expected to read; bytes are not told."""
        with self._cursor() as cursor:
            found = cursor.execute(f"EXPLAIN (FORMAT json) {sql}").fetchall()
        return Cost(rows=sum(_scanned(node) for node in json.loads(found[0][1])))

    def columns(self, table: str) -> tuple[tuple[str, str], ...] | None:
        import duckdb

        with self._cursor() as cursor:
            try:
                described = cursor.execute(f"DESCRIBE {DuckDBDialect().table(table).sql('duckdb')}").fetchall()
            except duckdb.CatalogException:
                return None
        return tuple((str(row[0]), str(row[1])) for row in described)

    def close(self) -> None:
        with self._changing:
            self._closed = True
            for one in (*self._idle, self._connection):
                one.close()
            self._idle.clear()

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor that nobody else has; its failures are ours to tell."""
        import duckdb

        with self._changing:
            if self._closed:
                raise WarehouseError("DuckDB: the connection is closed")
            cursor = self._idle.pop() if self._idle else self._opened()
        try:
            yield cursor
        except duckdb.Error as error:
            raise WarehouseError(f"DuckDB: {_first_line(error)}") from None
        finally:
            self._put_back(cursor)

    def _put_back(self, cursor: duckdb.DuckDBPyConnection) -> None:
        with self._changing:
            if self._closed:
                cursor.close()
            else:
                self._idle.append(cursor)

    def _opened(self) -> duckdb.DuckDBPyConnection:
        cursor = self._connection.cursor()
        cursor.execute("SET TimeZone='UTC'")
        # A table name must never find a Python variable.
        cursor.execute("SET python_enable_replacements=false")
        return cursor


_PIECE = 65_536
"""Rows of a piece."""


def _pieces(asked: duckdb.DuckDBPyRelation) -> Iterator[pa.Table]:
    import pyarrow as pa

    reader = asked.to_arrow_reader(_PIECE)
    none = True
    for batch in reader:
        none = False
        yield pa.Table.from_batches([batch])
    if none:
        yield reader.schema.empty_table()


def _scanned(node: Mapping[str, Any]) -> int:
    """The rows that the scans of a plan are expected to read."""
    own = node["extra_info"].get("Estimated Cardinality", 0) if node["name"].strip().endswith("SCAN") else 0
    return int(own) + sum(_scanned(child) for child in node["children"])


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
    timeout = whole(settings, "statement_timeout") if "statement_timeout" in settings else None
    if written == ":memory:":
        return DuckDBWarehouse(duckdb.connect(), written, timeout)
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
    return DuckDBWarehouse(connection, str(path), timeout)


ENGINE = Engine("duckdb", DuckDBDialect(), connect, ("path", "read_only", "statement_timeout"))
