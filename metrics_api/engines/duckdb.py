"""DuckDB: the embedded default. A file, or memory; several threads may ask at once, each on its own cursor."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.engines.pool import Pool
from metrics_api.engines.settings import whole, without, yes
from metrics_api.engines.warehouse import Connected, Cost, Stop, Stream, ends
from metrics_api.errors import MissingDriver, WarehouseError, did_you_mean
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
    # Columns lie apart and rows are skipped by what they hold: four small scans are cheaper than one of everything.
    shares_scans: ClassVar[bool] = False

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

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: str,
        timeout: int | None = None,
        *,
        stamp: str | None = None,
        files: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """`stamp` tells apart the states of the database's file, `files` are those of each table."""
        self._stamp = stamp
        self._files = files or {}
        self._connection = connection
        self._path = path
        self._timeout = timeout
        self._cursors = Pool("DuckDB", self._opened, lambda cursor: cursor.close())

    def __repr__(self) -> str:
        return f"DuckDBWarehouse({self._path!r})"

    @contextmanager
    def begun(self, sql: str, tag: str, stop: Stop, *, whole: bool) -> Iterator[Stream]:
        with self._cursor() as cursor, ends(cursor.interrupt, stop, self._timeout, "DuckDB"):
            asked = cursor.sql(sql)
            if whole:
                yield Stream(iter([asked.to_arrow_table()]))
                return
            with closing(
                _pieces(asked)
            ) as pieces:  # Rows that nobody read would keep the cursor from the next statement.
                yield Stream(pieces)

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

    def version(self, table: str) -> str | None:
        """Of a table of a file that nobody can write to while it is open, that file's stamp as it was opened; of local
        files those that there are now. Views may read anything, and object storage is not asked."""
        name = DuckDBDialect().table(table)
        if (patterns := self._files.get(name.sql("duckdb").lower())) is not None:
            return self._version_of(patterns)
        if self._stamp is None:
            return None
        *schema, own = (part.name.lower() for part in name.parts)
        with self._cursor() as cursor:
            asked = "FROM duckdb_tables() WHERE lower(table_name) = ? AND lower(schema_name) = ? AND NOT temporary"
            found = cursor.execute(f"SELECT 1 {asked}", [own, schema[-1] if schema else "main"]).fetchall()
        return self._stamp if found else None

    def _version_of(self, patterns: Sequence[str]) -> str | None:
        """The files of these patterns, each as it lies there now."""
        if any("://" in one for one in patterns):
            return None
        with self._cursor() as cursor:
            found = [row for one in patterns for row in cursor.execute("FROM glob(?)", [one]).fetchall()]
        stamps = [(str(name), _stamp(Path(name))) for (name,) in found]
        return sha256(repr(sorted(stamps)).encode()).hexdigest() if all(stamp for _, stamp in stamps) else None

    def close(self) -> None:
        self._cursors.close()
        self._connection.close()

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor that nobody else has; its failures are ours to tell."""
        import duckdb

        try:
            with self._cursors.lent() as cursor:
                yield cursor
        except duckdb.Error as error:
            raise WarehouseError(f"DuckDB: {_first_line(error)}") from None

    def _opened(self) -> duckdb.DuckDBPyConnection:
        cursor = self._connection.cursor()
        cursor.execute("SET TimeZone='UTC'")
        # A table name must never find a Python variable.
        cursor.execute("SET python_enable_replacements=false")
        return cursor


_PIECE = 65_536
"""Rows of a piece."""


def _pieces(asked: duckdb.DuckDBPyRelation) -> Generator[pa.Table]:
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
    """Open the database `path`, or read the files of `tables`, relative to the project's folder.

    `path` is a file, `:memory:` or `md:` and a database of MotherDuck. Raises WarehouseError when something is missing
    or cannot be read, MissingDriver without the `duckdb` package.
    """
    try:
        import duckdb
    except ImportError:
        raise MissingDriver("duckdb", "duckdb") from None
    timeout = whole(settings, "statement_timeout") if "statement_timeout" in settings else None
    path = str(settings.get("path", _MEMORY))
    secrets = [str(one) for one in (settings.get("token"), *_mapping(settings, "object_storage").values()) if one]
    before = _stamp(folder / path)
    try:
        connection = _opened(path, settings, folder)
        for statement in (*_limits(settings), *_storage(settings), *_views(settings, folder)):
            connection.execute(statement)
    except duckdb.Error as error:
        said = _first_line(error)
        for one in secrets:
            said = without(one, said)
        raise WarehouseError(f"DuckDB cannot open {path}: {said}") from None
    # A file that was replaced just then may be the one or the other.
    sure = before if _is_read_only(settings) and before == _stamp(folder / path) else None
    return DuckDBWarehouse(connection, path, timeout, stamp=sure, files=_local(settings, folder))


def _stamp(file: Path) -> str | None:
    """What tells apart the states of a file; None where there is none."""
    try:
        told = file.stat()
    except OSError:
        return None
    return f"{told.st_dev}:{told.st_ino}:{told.st_size}:{told.st_mtime_ns}:{told.st_ctime_ns}"


def _is_read_only(settings: Mapping[str, object]) -> bool:
    return yes(settings, "read_only") if "read_only" in settings else True


def _local(settings: Mapping[str, object], folder: Path) -> Mapping[str, Sequence[str]]:
    """The patterns of the files of each table, by its name in statements; not those of formats with a log."""
    found = {}
    for name, written in _mapping(settings, "tables").items():
        places, reader = _files(name, written)
        if reader in _ENDINGS.values():
            at = [one if "://" in one else str(folder / one) for one in places]
            found[DuckDBDialect().table(name).sql("duckdb").lower()] = at
    return found


_MEMORY = ":memory:"


def _opened(path: str, settings: Mapping[str, object], folder: Path) -> duckdb.DuckDBPyConnection:
    import duckdb

    if path != _MEMORY and "tables" in settings:
        raise WarehouseError("the warehouse has both `path` and `tables`", fix="Files are read without a database.")
    if path == _MEMORY:
        return duckdb.connect()
    if path.startswith("md:"):
        token = {"motherduck_token": str(settings["token"])} if "token" in settings else {}
        return duckdb.connect(path, config={**token, "custom_user_agent": "metrics-api"})
    file = folder / path
    if not file.is_file():
        raise WarehouseError(
            f"there is no DuckDB file {file}",
            fix="Check `path` of the warehouse; `metrics-api demo` builds an example.",
        )
    return duckdb.connect(str(file), read_only=_is_read_only(settings))


def _mapping(settings: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = settings.get(name, {})
    if not isinstance(value, Mapping):
        raise WarehouseError(f"`{name}` of the warehouse is no mapping of names")
    return value


def _limits(settings: Mapping[str, object]) -> Iterator[str]:
    if "threads" in settings:
        yield f"SET threads = {whole(settings, 'threads')}"
    if "memory_limit" in settings:
        yield f"SET memory_limit = {_quoted(settings['memory_limit'])}"


def _storage(settings: Mapping[str, object]) -> Iterator[str]:
    """What lets DuckDB read where the files are: extensions, and one secret."""
    extensions = settings.get("extensions", [])
    for name in extensions if isinstance(extensions, list) else [extensions]:
        if not re.fullmatch(r"\w+", str(name)):
            raise WarehouseError(f"`extensions` of the warehouse: `{name}` is no name of an extension")
        yield f"INSTALL {name}"
        yield f"LOAD {name}"
    if storage := _mapping(settings, "object_storage"):
        words = []
        for name, value in storage.items():
            if not re.fullmatch(r"\w+", name):
                raise WarehouseError(f"`object_storage` of the warehouse: `{name}` is no word of DuckDB's secrets")
            words.append(f"{name} {_quoted(value)}")
        yield f"CREATE SECRET ({', '.join(words)})"


_READERS = {
    "parquet": "READ_PARQUET({}, union_by_name = TRUE)",
    "csv": "READ_CSV({}, union_by_name = TRUE)",
    "json": "READ_JSON({}, union_by_name = TRUE)",
    "iceberg": "ICEBERG_SCAN({})",
    "delta": "DELTA_SCAN({})",
}
_ENDINGS = {"parquet": "parquet", "csv": "csv", "json": "json", "jsonl": "json", "ndjson": "json"}


def _views(settings: Mapping[str, object], folder: Path) -> Iterator[str]:
    """A view over the files of each table, through which statistics of row groups and folders still prune."""
    for name, written in _mapping(settings, "tables").items():
        places, said = _files(name, written)
        reader = _READERS[said]
        sources = [_quoted(one if "://" in one else folder / one) for one in places]
        listed = sources[0] if len(sources) == 1 else f"[{', '.join(sources)}]"
        *schema, _ = name.split(".")
        if schema:
            yield f"CREATE SCHEMA IF NOT EXISTS {DuckDBDialect().table('.'.join(schema)).sql('duckdb')}"
        view = DuckDBDialect().table(name).sql("duckdb")
        yield f"CREATE VIEW {view} AS FROM {reader.format(listed)}"


def _files(name: str, written: object) -> tuple[list[str], str]:
    """Where the files of a table are, and their format."""
    table = written if isinstance(written, Mapping) else {"files": written}
    if unknown := [word for word in table if word not in ("files", "format")]:
        fix = did_you_mean(unknown[0], ("files", "format"), what="words of a table")
        raise WarehouseError(f"`tables.{name}` of the warehouse has no `{unknown[0]}`", fix=fix)
    files = table.get("files")
    places = [str(one) for one in (files if isinstance(files, list) else [files]) if one]
    if not places:
        raise WarehouseError(f"`tables.{name}` of the warehouse names no `files`")
    return places, _format(name, table, places[0])


def _format(name: str, table: Mapping[str, object], place: str) -> str:
    if "format" in table:
        said = str(table["format"])
        if said not in _READERS:
            fix = did_you_mean(said, _READERS, what="formats")
            raise WarehouseError(f"`tables.{name}` of the warehouse: there is no format `{said}`", fix=fix)
        return said
    ending = place.removesuffix(".gz").removesuffix(".zst").rpartition(".")[2]
    if ending not in _ENDINGS:
        fix = f"Say it: {{files: ..., format: ...}}, one of {', '.join(_READERS)}."
        raise WarehouseError(f"`tables.{name}` of the warehouse: the format of {place} is not known", fix=fix)
    return _ENDINGS[ending]


def _quoted(value: object) -> str:
    return text(str(value)).sql("duckdb")


_SETTINGS = (
    *("path", "read_only", "token", "tables", "extensions", "object_storage"),
    *("threads", "memory_limit", "statement_timeout"),
)
ENGINE = Engine("duckdb", DuckDBDialect(), connect, _SETTINGS)
