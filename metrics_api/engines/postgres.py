"""PostgreSQL 14 and later. Every session runs in UTC and only reads.

A time column may be `timestamptz` or a naive one that holds UTC: in such a session both read alike. Texts are ordered
and compared by their code points, whatever the database's collation is.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.engines.pool import Pool
from metrics_api.engines.settings import secret, whole, without
from metrics_api.engines.warehouse import Connected, Cost, MayPass, Stop, Stream, asked_again, ends, shortened
from metrics_api.errors import MissingDriver, WarehouseError
from metrics_api.plan.expr import Type, Value
from metrics_api.sql.dialect import Dialect, Sql, enclosed, filter_clause, function, parenthesized, text

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa


class PostgresDialect(Dialect):
    """Integers of 64 bits, ordered aggregates, FILTER; no ASOF join, no MIN_BY."""

    name: ClassVar[str] = "postgres"
    sqlglot: ClassVar[str] = "postgres"
    bitmap_days: ClassVar[int] = 62
    counts_bits: ClassVar[bool] = True
    folds_case: ClassVar[bool] = True
    types: ClassVar[dict[Type, str]] = {
        **Dialect.types,
        Type.STRING: "TEXT",
        Type.NUMBER: "DOUBLE PRECISION",
        Type.DECIMAL: "NUMERIC",
    }

    def reserved_word(self, name: str) -> str:
        # A bare name is folded to lower case, a quoted one is not.
        return name.lower()

    # -- texts: in order of their code points, which no database's collation need be -----------------------------------

    def bits_shared(self, a: Sql, b: Sql) -> Sql:
        shared = exp.BitwiseAnd(this=enclosed(a), expression=enclosed(b))
        return function("BIT_COUNT", exp.Cast(this=parenthesized(shared), to=exp.DataType.build("BIT(64)", "postgres")))

    def by_code_point(self, a: Sql) -> Sql:
        """The text under a collation that every database has."""
        return a if isinstance(a, exp.Collate) else exp.Collate(this=enclosed(a), expression=_CODE_POINTS.copy())

    def _comparable(self, a: Sql, b: Sql) -> tuple[Sql, Sql]:
        return (self.by_code_point(a), b) if _is_text(a) or _is_text(b) else (a, b)

    def lt(self, a: Sql, b: Sql) -> Sql:
        return super().lt(*self._comparable(a, b))

    def le(self, a: Sql, b: Sql) -> Sql:
        return super().le(*self._comparable(a, b))

    def gt(self, a: Sql, b: Sql) -> Sql:
        return super().gt(*self._comparable(a, b))

    def ge(self, a: Sql, b: Sql) -> Sql:
        return super().ge(*self._comparable(a, b))

    def coalesce(self, *args: Sql) -> Sql:
        said = super().coalesce(*args)
        return self.by_code_point(said) if any(_is_text(one) for one in args) else said

    def to_text(self, a: Sql, type_: Sql | None = None) -> Sql:
        return self.by_code_point(super().to_text(a, type_))

    # -- time, numbers, bits and JSON ---------------------------------------------------------------------------------

    def hour_of(self, at: Sql) -> Sql:
        return self.cast(super().hour_of(at), Type.INTEGER)  # A numeric otherwise.

    def mod(self, a: Sql, b: Sql) -> Sql:
        # There is no % of double precision; a numeric holds every integer and decimal, and 15 digits of a double.
        whole, divisor = (self.cast(one, Type.DECIMAL) for one in (a, b))
        return super().mod(whole, divisor)

    def bit(self, n: Sql, width: Sql) -> Sql:
        # A bigint is shifted by an integer only.
        distance = exp.Cast(this=n, to=exp.DataType.build("INT"))
        return super().bit(distance, width)

    def json_text(self, column: Sql, path: Sql) -> Sql:
        # The cast makes one of json, jsonb and text.
        document = exp.Cast(this=column, to=exp.DataType.build("JSONB", dialect="postgres"))
        return function("JSONB_EXTRACT_PATH_TEXT", document, *(text(key) for key in path.name.split(".")))

    # -- aggregates and relations -------------------------------------------------------------------------------------

    def first_by(self, a: Sql, key: Sql) -> Sql:
        return self._first(_in_order(a, key))

    def filtered(self, op: str, args: Sequence[Sql], where: Sql) -> Sql:
        if op == "first_by":
            return self._first(filter_clause(_in_order(*args), where))
        return super().filtered(op, args, where)

    def _first(self, array: Sql) -> Sql:
        # The place is a word to sqlglot, which would move the number of an index from 0 to 1.
        return exp.Bracket(this=parenthesized(array), expressions=[exp.Var(this="1")])

    def series(
        self, first: Value, last: Value, step: int, unit: str, column: tuple[str, Type], alias: str
    ) -> Sql | None:
        name, type_ = column
        interval = exp.Interval(this=text(str(step)), unit=exp.Var(this=unit.upper()))
        ends = [self.literal(one, type_) for one in (first, last)]
        return self.selected(self.cast(function("GENERATE_SERIES", *ends, interval), type_), name, alias)


_CODE_POINTS = exp.Identifier(this="C", quoted=True)


def _is_text(a: Sql) -> bool:
    return isinstance(a, exp.Literal) and a.is_string


def _in_order(a: Sql, key: Sql) -> Sql:
    return function("ARRAY_AGG", exp.Order(this=a, expressions=[exp.Ordered(this=key, nulls_first=False)]))


# -- the connection -------------------------------------------------------------------------------------------------

_COLUMNS = """
SELECT attname, FORMAT_TYPE(atttypid, atttypmod)
FROM (SELECT TO_REGCLASS(%s) AS oid) AS found
LEFT JOIN pg_attribute ON attrelid = found.oid AND attnum > 0 AND NOT attisdropped
WHERE found.oid IS NOT NULL ORDER BY attnum
"""
_KEYS = """
WITH found AS (SELECT TO_REGCLASS(%s)::oid AS oid),
     keys AS (
         SELECT partrelid AS oid, UNNEST(partattrs) AS place FROM pg_partitioned_table
         UNION SELECT indrelid, indkey[0] FROM pg_index
     )
SELECT attname FROM found JOIN keys USING (oid) JOIN pg_attribute ON attrelid = found.oid AND attnum = place
"""
# How values are spelled and read follows the session; nobody's defaults may change an answer.
_SESSION = (
    "SET TimeZone = 'UTC';SET DateStyle = 'ISO';SET extra_float_digits = 1;SET standard_conforming_strings = on;"
    "SET default_transaction_read_only = on"
)
_TEXTS = ("host", "user", "password", "sslmode", "sslrootcert", "sslcert", "sslkey")
_IDLE = 0  # psycopg.pq.TransactionStatus.IDLE
_CONNECT_TIMEOUT = 10
_LONGEST_NAME = 63
_NAME = "metrics-api"
"""Bytes of a session's name that PostgreSQL keeps."""
_PIECE = 10_000
"""Rows of a piece."""
_CONNECTIONS = 8


class PostgresWarehouse(Connected):
    """One database, with up to `most` sessions: a statement takes an idle one or opens another, or waits."""

    def __init__(self, target: Mapping[str, Any], session: str, *, most: int) -> None:
        self._target = target
        self._session = session
        self._sessions = Pool("Postgres", self._opened, lambda one: one.close(), most)

    def __repr__(self) -> str:
        return f"PostgresWarehouse({self._target.get('host', '')!r}, {self._target.get('dbname', '')!r})"

    @contextmanager
    def begun(self, sql: str, tag: str, stop: Stop, *, whole: bool) -> Iterator[Stream]:
        with self._taken() as session, ends(session.cancel_safe, stop):
            _tagged(session, tag)
            if whole:
                yield Stream(iter([_arrow(session.execute(sql.encode()))]))
                return
            # Rows stay on the server until they are read; nothing but the first of them need be fast.
            with session.transaction(), session.cursor(name="stream") as cursor:
                session.execute(b"SET LOCAL cursor_tuple_fraction = 1")
                yield Stream(_pieces(cursor.execute(sql.encode())))

    @asked_again
    def estimate(self, sql: str) -> Cost:
        """Rows, and bytes of them, that the planner expects its scans to return."""
        with self._taken() as session:
            found = session.execute(f"EXPLAIN (FORMAT json) {sql}".encode()).fetchall()
        scans = list(_scans(found[0][0][0]["Plan"]))
        rows = sum(scan["Plan Rows"] for scan in scans)
        return Cost(rows, sum(scan["Plan Rows"] * scan["Plan Width"] for scan in scans))

    @asked_again
    def columns(self, table: str) -> tuple[tuple[str, str], ...] | None:
        named = PostgresDialect().table(table).sql("postgres")
        with self._taken() as session:
            rows = session.execute(_COLUMNS, (named,)).fetchall()
        return tuple((str(name), str(type_)) for name, type_ in rows if name is not None) if rows else None

    @asked_again
    def keys(self, table: str) -> frozenset[str] | None:
        """The columns of the partition key, and the first of each index."""
        named = PostgresDialect().table(table).sql("postgres")
        with self._taken() as session:
            rows = session.execute(_KEYS, (named,)).fetchall()
        return frozenset(str(name).lower() for (name,) in rows)

    def check(self) -> None:
        """Open a session, once: whoever has just written the settings is told at once what is wrong."""
        with self._taken():
            return

    def close(self) -> None:
        self._sessions.close()

    @contextmanager
    def _taken(self) -> Iterator[psycopg.Connection[Any]]:
        """A session that nobody else has. One that the server has ended meanwhile `MayPass`: the next is another."""
        import psycopg

        # One that was interrupted may still be at it.
        with self._sessions.lent(lambda one: one.info.transaction_status == _IDLE) as session:
            try:
                yield session
            except psycopg.Error as error:
                if session.broken:
                    self._sessions.forget_idle()
                raise _refusal(error, self._target, may_pass=session.broken) from None

    def _opened(self) -> psycopg.Connection[Any]:
        import psycopg

        try:
            session = psycopg.connect(**self._target, autocommit=True, prepare_threshold=None)
        except psycopg.Error as error:
            raise _refusal(error, self._target, may_pass=error.sqlstate is None) from None
        try:
            session.execute(self._session.encode())
        except psycopg.Error as error:
            session.close()
            raise _refusal(error, self._target) from None
        _bound_times(session)
        return session


def _tagged(session: psycopg.Connection[Any], tag: str) -> None:
    """Let the session be called after what it does, as the server's list and log show it."""
    name = f"{_NAME} {shortened(tag, _LONGEST_NAME - len(_NAME) - 1)}".strip()
    if session.info.parameter_status("application_name") != name.encode("ascii", "replace").decode()[:_LONGEST_NAME]:
        session.execute("SELECT SET_CONFIG('application_name', %s, FALSE)", (name,))


def _scans(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The parts of a plan that read tables."""
    if "Relation Name" in node:
        yield node
    for child in node.get("Plans", ()):
        yield from _scans(child)


_PASSING = frozenset(("40001", "40P01", "53300", "57P03"))
"""A conflict with recovery, a deadlock, too many sessions, a server that is starting."""


def _refusal(error: psycopg.Error, target: Mapping[str, Any], *, may_pass: bool = False) -> WarehouseError:
    """What the server or the driver says, and its hint, without the password."""
    kind = MayPass if may_pass or error.sqlstate in _PASSING else WarehouseError
    first, *more = [line.strip() for line in str(error).strip().split("\n")]
    said, hint = error.diag.message_primary or first, error.diag.message_hint
    if error.diag.message_primary is None:
        hint = " ".join(more)
    password = target.get("password")
    shown, hinted = without(password, said), without(password, hint) if hint else None
    return kind(f"Postgres: {shown or type(error).__name__}", fix=hinted)


def _bound_times(session: psycopg.Connection[Any]) -> None:
    """Read an instant beyond Python's years, such as `infinity`, as the last or the first there is."""
    import psycopg
    from psycopg.types.datetime import TimestampLoader, TimestamptzLoader

    for type_, loader in (("timestamp", TimestampLoader), ("timestamptz", TimestamptzLoader)):

        class Bounded(loader):  # type: ignore[misc,valid-type]
            def load(self, data: bytes) -> datetime:
                try:
                    return super().load(data)  # type: ignore[no-any-return]
                except psycopg.DataError:
                    written = bytes(data)
                    return datetime.min if written.startswith(b"-") or written.endswith(b"BC") else datetime.max

        session.adapters.register_loader(type_, Bounded)


def _arrow(cursor: psycopg.Cursor[Any]) -> pa.Table:
    """The rows as Arrow, each column by its type on the server."""
    return _table(cursor, cursor.fetchall())


def _pieces(cursor: psycopg.Cursor[Any]) -> Iterator[pa.Table]:
    yield _table(cursor, rows := cursor.fetchmany(_PIECE))
    while len(rows) == _PIECE:
        yield _table(cursor, rows := cursor.fetchmany(_PIECE))


def _table(cursor: psycopg.Cursor[Any], rows: Sequence[Sequence[Any]]) -> pa.Table:
    import pyarrow as pa

    described = cursor.description or ()
    values = zip(*rows, strict=True) if rows else ((),) * len(described)
    arrays = [array(column.type_code, one) for column, one in zip(described, values, strict=True)]
    return pa.Table.from_arrays(arrays, names=[column.name for column in described])


_NUMERIC = 1700


def array(oid: int, values: Sequence[Any]) -> pa.Array:
    import pyarrow as pa

    known: dict[int, pa.DataType] = {
        16: pa.bool_(),
        **dict.fromkeys((20, 21, 23), pa.int64()),
        **dict.fromkeys((700, 701), pa.float64()),
        1082: pa.date32(),
        1114: pa.timestamp("us"),
        1184: pa.timestamp("us", tz="UTC"),
    }
    if oid == _NUMERIC:
        return _numeric(values)
    if oid in known:
        return pa.array(values, known[oid])
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _numeric(values: Sequence[Any]) -> pa.Array:
    """A decimal as wide as the values; numbers that none can hold (NaN, or too many digits) make it a double."""
    import pyarrow as pa

    present = [value for value in values if value is not None]
    if not present:
        return pa.array(values, pa.decimal128(38, 9))
    if all(value.is_finite() and value.adjusted() < 38 for value in present):
        with suppress(pa.ArrowInvalid):
            return pa.array(values)
    return pa.array([None if value is None else float(value) for value in values], pa.float64())


def connect(settings: Mapping[str, object], folder: Path) -> PostgresWarehouse:
    """Reach the database of `url`, or of `host`, `port`, `database`, `user` and `password`, and open a first session.

    What is not said is taken from libpq's own places (PGHOST, ~/.pgpass). `password_file` is relative to the folder.
    Raises WarehouseError when the server cannot be reached or refuses, MissingDriver without the `psycopg` package.
    """
    try:
        importlib.import_module("psycopg")
    except ImportError:
        raise MissingDriver("psycopg", "postgres") from None
    session = [_SESSION]
    if "statement_timeout" in settings:
        session.append(f"SET statement_timeout = '{whole(settings, 'statement_timeout')}s'")
    if "schema" in settings:
        name = exp.Identifier(this=str(settings["schema"]), quoted=True)
        session.append(f"SET search_path = {name.sql('postgres')}")
    most = whole(settings, "connections") if "connections" in settings else _CONNECTIONS
    warehouse = PostgresWarehouse(_target(settings, folder), ";".join(session), most=most)
    warehouse.check()
    return warehouse


def _target(settings: Mapping[str, object], folder: Path) -> dict[str, Any]:
    """What the driver is told: the parts stand above those of the `url`."""
    import psycopg

    target: dict[str, Any] = {"connect_timeout": _CONNECT_TIMEOUT, "application_name": "metrics-api"}
    if "url" in settings:
        try:
            target |= psycopg.conninfo.conninfo_to_dict(str(settings["url"]))
        except psycopg.Error:  # whose words repeat the url
            raise WarehouseError(
                "`url` of the warehouse is no address of a PostgreSQL database",
                fix="Write postgresql://user:password@host:port/database, special characters as %-codes.",
            ) from None
    for name in ("port", "connect_timeout"):
        if name in settings:
            target[name] = whole(settings, name)
    target |= {name: str(settings[name]) for name in _TEXTS if name in settings}
    if "database" in settings:
        target["dbname"] = str(settings["database"])
    if "password_file" in settings:
        target["password"] = secret(folder / str(settings["password_file"]))
    return target


_SETTINGS = (
    *("url", "port", "database", *_TEXTS, "password_file", "schema"),
    *("connect_timeout", "statement_timeout", "connections"),
)
ENGINE = Engine("postgres", PostgresDialect(), connect, _SETTINGS)
