"""ClickHouse 24.8 and later, over HTTP. Every session runs in UTC and only reads.

A time column may be DateTime of any zone or DateTime64: both are instants, and UTC is always said. Columns may be
Nullable, LowCardinality, or neither.
"""

from __future__ import annotations

import importlib
import itertools
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.engines.clickhouse_rows import UTC, is_ambiguous, plain
from metrics_api.engines.settings import secret, whole, without, yes
from metrics_api.engines.warehouse import ASK_FOR_LESS, Connected, Cost, MayPass, Stop, Stream, asked_again, ends
from metrics_api.errors import MissingDriver, WarehouseError
from metrics_api.plan.expr import Type, Value
from metrics_api.sql.dialect import Dialect, Sql, filter_clause, function, spaces, text, timestamp_text

if TYPE_CHECKING:
    import pyarrow as pa

# Without these a missing side of a join and an aggregate of nothing are 0 and '', and an alias hides the column of its
# name from the other expressions of its SELECT.
SETTINGS = ("join_use_nulls", "aggregate_functions_null_for_empty", "prefer_column_name_to_alias")
MATERIALIZES = "enable_materialized_cte"


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
        return function("toDateTime64", text(timestamp_text(value)), exp.Literal.number(6), text(UTC))

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

    def to_text(self, a: Sql, type_: Sql | None = None) -> Sql:
        # A comparison is the number 0 or 1, and so is a truth that was kept before there was Bool.
        is_truth = type_ is not None and type_.name == Type.BOOLEAN
        return super().to_text(self.cast(a, Type.BOOLEAN) if is_truth else a, type_)

    # -- time ---------------------------------------------------------------------------------------------------------

    def to_date(self, at: Sql) -> Sql:
        return function("toDate32", at, text(UTC))

    def hour_of(self, at: Sql) -> Sql:
        return function("toHour", at, text(UTC))

    def trunc_hour(self, at: Sql) -> Sql:
        # dateTrunc puts the last second before 1970 into 1970; microseconds are counted from there in both directions.
        hour = function("toIntervalMicrosecond", exp.Literal.number(3_600_000_000))
        return function("toStartOfInterval", self.cast(at, Type.TIMESTAMP), hour, text(UTC))

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
        one = function("toUInt64" if int(width.name) <= 62 else "toUInt128", exp.Literal.number(1))
        return function("bitShiftLeft", one, n)

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

    def sum(self, a: Sql, type_: Sql | None = None) -> Sql:
        # In 64 bits a sum wraps around without a word; one of 128 is refused when it is read, if it does not fit.
        said = super().sum(a if type_ is None else function("toInt128", a))
        return function("toInt64", said) if _is_constant(a) else said

    def quantile(self, a: Sql, fraction: Sql) -> Sql:
        name = exp.Var(this="quantileExactInclusive")
        return exp.ParameterizedAgg(this=name, expressions=[fraction], params=[a])

    def first_by(self, a: Sql, key: Sql) -> Sql:
        return function("argMin", a, key)

    def filtered(self, op: str, args: Sequence[Sql], where: Sql) -> Sql:
        if op in ("count_rows", "count") or (op == "sum" and _is_constant(args[0])):
            return function("toInt64", filter_clause(self.windowed(op, args), where))
        return super().filtered(op, args, where)

    # -- windows ------------------------------------------------------------------------------------------------------

    def windowed(self, op: str, args: Sequence[Sql]) -> Sql:
        match op:
            case "count_rows":
                return super().count_rows()
            case "count":
                return super().count(*args)
            case "sum":
                return super().sum(*args)
        return self.call(op, args)

    def over(self, op: str, args: Sequence[Sql], window: Sql) -> Sql:
        is_unsigned = op in ("count_rows", "count", "row_number", "dense_rank")
        return function("toInt64", window) if is_unsigned or (op == "sum" and _is_constant(args[0])) else window

    def lead(self, a: Sql, rows: Sql | None = None) -> Sql:
        # After the last row comes 0 or '' unless the type knows null.
        return super().lead(function("toNullable", a), rows)

    # -- relations and statements -------------------------------------------------------------------------------------

    def values(self, columns: Sequence[tuple[str, Type]], rows: Sequence[Sequence[Value]], alias: str) -> Sql:
        names = [self.identifier(name).sql("clickhouse") for name, _ in columns]
        types = [
            "UInt128" if any(_is_wide(row[place]) for row in rows) else self.types[type_]
            for place, (_, type_) in enumerate(columns)
        ]
        structure = ", ".join(f"{name} {type_}" for name, type_ in zip(names, types, strict=True))
        tuples = [exp.Tuple(expressions=[self._constant(value) for value in row]) for row in rows]
        return exp.Table(
            this=function("VALUES", text(structure), *tuples), alias=exp.TableAlias(this=self.identifier(alias))
        )

    def _constant(self, value: Value) -> Sql:
        if value is None:
            return exp.Null()
        if isinstance(value, date):
            return text(timestamp_text(value) if isinstance(value, datetime) else value.isoformat())
        if _is_wide(value):  # A bare one is read as a double.
            return text(str(value))
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
        return _with_settings(statement, SETTINGS)


def _is_constant(a: Sql) -> bool:
    """Whether the values are whole numbers that are written down; those are unsigned."""
    if isinstance(a, exp.Case):
        return all(
            _is_constant(one) for one in (*(when.args["true"] for when in a.args["ifs"]), a.args.get("default")) if one
        )
    return isinstance(a, exp.Literal) and not a.is_string


def _is_wide(value: Value) -> bool:
    """Whether a mask has more than the 64 bits of a whole number."""
    return isinstance(value, int) and value >= 1 << 63


class RecentClickHouseDialect(ClickHouseDialect):
    """ClickHouse 26.3 and later, where it may: what is read several times is computed once; bits in numbers of 128.

    Without that a step is computed again wherever its name is read, and all that it reads as well: a chain of joins
    such as `Journey`'s by ASOF takes twice as long with each link.
    """

    bitmap_days: ClassVar[int] = 126
    has_asof: ClassVar[bool] = True

    def settled(self, statement: exp.Expression) -> exp.Expression:
        read = Counter(table.name for table in statement.find_all(exp.Table))
        steps = statement.args["with_"].expressions if statement.args.get("with_") else []
        shared = [step for step in steps if read[step.alias] > 1]
        for step in shared:
            step.set("materialized", True)
        return _with_settings(statement, (*SETTINGS, *((MATERIALIZES,) if shared else ())))


def _with_settings(statement: exp.Expression, names: Sequence[str]) -> exp.Expression:
    on = exp.Literal.number(1)
    statement.set("settings", [exp.EQ(this=exp.Var(this=one), expression=on.copy()) for one in names])
    return statement


# -- the connection -------------------------------------------------------------------------------------------------

SESSION: Mapping[str, object] = {
    "readonly": 2,  # Nothing is written, settings may be made: each statement makes its own.
    "session_timezone": UTC,
    "group_by_use_nulls": 1,
    "cancel_http_readonly_queries_on_client_close": 1,
    "max_query_size": 16 * 2**20,  # The usual quarter of a megabyte is less than some thousand constant rows.
    "output_format_arrow_string_as_string": 1,
    "output_format_arrow_fixed_string_as_fixed_byte_array": 0,
}
_CONNECT_TIMEOUT = 10
_GRACE = 5
"""Seconds after its own timeout in which the server should have said so."""
_PASSING = frozenset(
    ("TOO_MANY_SIMULTANEOUS_QUERIES", "NETWORK_ERROR", "SOCKET_TIMEOUT", "ALL_CONNECTION_TRIES_FAILED")
)
_TABLE_MISSING = frozenset(("UNKNOWN_TABLE", "UNKNOWN_DATABASE"))
_TOO_STRICT = "Let the profile of the user have `readonly = 2`: statements are sent with settings of their own."


class ClickHouseWarehouse(Connected):
    """One server. The driver's client is safe to use from several threads: each statement has a connection of its own.

    `secrets` are kept out of messages; `dialect` is what the server's release understands.
    """

    def __init__(self, client: Any, secrets: Sequence[str] = (), *, materialize: bool = True) -> None:
        self._client = client
        self._secrets = secrets
        self._closed = False
        known = client.server_settings.get(MATERIALIZES)
        may = materialize and known is not None and not known.readonly
        self.dialect: Dialect = RecentClickHouseDialect() if may else ClickHouseDialect()

    def __repr__(self) -> str:
        return f"ClickHouseWarehouse({self._client.uri!r}, {self._client.database!r})"

    @contextmanager
    def begun(self, sql: str, tag: str, stop: Stop, *, whole: bool) -> Iterator[Stream]:
        import pyarrow as pa
        from urllib3.exceptions import HTTPError

        name = str(uuid4())
        words = {"query_id": name, "log_comment": f"metrics-api {tag}".strip()}
        with (
            self._told(),
            ends(lambda: self._kill(name), stop),
            self._client.raw_stream(sql, settings=words, fmt="ArrowStream") as source,
        ):
            read = _summary(getattr(source, "headers", {}))
            try:
                yield Stream(self._pieces(pa.ipc.open_stream(source), sql), read, name)
            except (pa.ArrowInvalid, OSError, HTTPError) as error:
                raise MayPass(f"ClickHouse: the answer came to an early end: {error}") from None

    def _pieces(self, reader: pa.RecordBatchReader, sql: str) -> Iterator[pa.Table]:
        import pyarrow as pa

        unclear = any(is_ambiguous(one) for one in reader.schema.types)
        types = [type_ for _, type_ in self._described(f"({sql})")] if unclear else []
        batches = iter(reader)
        first = next(batches, None)
        for batch in itertools.chain([first] if first else [], batches):
            yield plain(pa.Table.from_batches([batch]), types)
        if first is None:
            yield plain(pa.Table.from_batches([], schema=reader.schema), types)

    @asked_again
    def estimate(self, sql: str) -> Cost:
        """Rows of the parts of tables that the statement would read, after pruning; bytes are not told."""
        with self._told():
            found = self._client.query(f"EXPLAIN ESTIMATE {sql}")
        if "rows" not in found.column_names:  # No table of these keeps an index.
            return Cost()
        place = found.column_names.index("rows")
        return Cost(rows=sum(int(row[place]) for row in found.result_rows))

    @asked_again
    def columns(self, table: str) -> tuple[tuple[str, str], ...] | None:
        named = ClickHouseDialect().table(table).sql("clickhouse")
        try:
            with self._told():
                return self._described(named)
        except _NoSuchTable:
            return None

    @asked_again
    def keys(self, table: str) -> frozenset[str] | None:
        """The columns of the partition and sorting keys, as such or within functions such as toYYYYMM."""
        *database, name = (part.name for part in ClickHouseDialect().table(table).parts)
        where = text(database[-1]).sql("clickhouse") if database else "currentDatabase()"
        asked = f"database = {where} AND table = {text(name).sql('clickhouse')}"
        columns = f"is_in_partition_key OR is_in_sorting_key FROM system.columns WHERE {asked}"
        with self._told():
            rows = self._client.query(f"SELECT name, {columns}").result_rows
        return frozenset(str(name).lower() for name, is_key in rows if is_key)

    @asked_again
    def version(self, table: str) -> str | None:
        """Of a table of the MergeTree family its parts and what is in them, as the server knows by heart."""
        *database, name = (part.name for part in ClickHouseDialect().table(table).parts)
        where = text(database[-1]).sql("clickhouse") if database else "currentDatabase()"
        named = text(name).sql("clickhouse")
        kind = f"toString(uuid), engine FROM system.tables WHERE database = {where} AND name = {named}"
        each = "arraySort(groupArray((name, hash_of_all_files, toString(modification_time))))"
        parts = f"hex(sipHash128({each})) FROM system.parts WHERE active AND database = {where} AND table = {named}"
        try:
            with self._told():
                found = self._client.query(f"SELECT {kind}").result_rows
                if not found or not str(found[0][1]).endswith("MergeTree"):
                    return None
                told = self._client.query(f"SELECT {parts}").result_rows
        except MayPass:
            raise
        except WarehouseError:  # Whoever may read a table need not be one who may read of its parts.
            return None
        return ":".join(str(one) for one in (found[0][0], *told[0]))

    def close(self) -> None:
        self._closed = True
        self._client.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        if self._closed:
            raise WarehouseError("ClickHouse: the connection is closed")
        try:
            yield
        except ClickHouseError as error:
            raise _refusal(error, self._secrets) from None

    def _kill(self, name: str) -> None:
        # Everyone may end what is his own, whoever only reads as well.
        self._client.command(f"KILL QUERY WHERE query_id = '{name}' ASYNC")

    def _described(self, what: str) -> tuple[tuple[str, str], ...]:
        rows = self._client.query_arrow(f"DESCRIBE TABLE {what}").select(["name", "type"]).to_pylist()
        return tuple((row["name"], row["type"]) for row in rows)


def _summary(headers: Mapping[str, str]) -> Cost:
    """What had been read when the answer began; for answers of the usual size that is all."""
    said = json.loads(headers.get("X-ClickHouse-Summary", "{}"))
    return Cost(*(int(said[name]) if name in said else None for name in ("read_rows", "read_bytes")))


class _NoSuchTable(WarehouseError):
    """Told apart, because `columns` is asked in order to find out."""


def _refusal(error: Any, secrets: Sequence[str]) -> WarehouseError:
    """What the server or the driver says, without the statement that everyone knows, and without secrets."""
    said, name, fix, unanswered = str(error), error.name or "", None, None
    if found := re.search(r"DB::Exception: (.*)", said, re.DOTALL):
        said = re.split(r":? (?:In scope|[Ww]hile (?:executing|processing)) | \([A-Z_]+\)", found[1])[0]
        said = f"{said.strip(' .')}{f' ({name})' if name else ''}"
    elif unanswered := getattr(error.__cause__, "reason", None):
        reached = re.sub(r"^HTTPS?Connection\(host='(.*?)', port=(\d+)\)", r"\1:\2", str(unanswered))
        said = f"the server cannot be reached: {reached}"
    if re.search(r"[Ss]etting .*readonly", said):
        fix = _TOO_STRICT
    elif name == "TIMEOUT_EXCEEDED":
        fix = ASK_FOR_LESS
    for one in secrets:
        said = without(one, said)
    kind = _NoSuchTable if name in _TABLE_MISSING else MayPass if unanswered or name in _PASSING else WarehouseError
    return kind(f"ClickHouse: {said}", fix=fix)


def connect(settings: Mapping[str, object], folder: Path) -> ClickHouseWarehouse:
    """Reach the server of `url`, or of `host`, `port` and `secure`, as `user` with `password` or `access_token`.

    `password_file` and certificates are relative to the folder. Raises WarehouseError when the server cannot be
    reached or refuses, MissingDriver without the `clickhouse-connect` package.
    """
    try:
        driver = importlib.import_module("clickhouse_connect")
        errors = importlib.import_module("clickhouse_connect.driver.exceptions")
    except ImportError:
        raise MissingDriver("clickhouse-connect", "clickhouse") from None
    # The driver logs what it raises.
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
    target = _target(settings, folder)
    secrets = [str(target[name]) for name in ("password", "access_token") if target.get(name)]
    try:
        client = driver.get_client(**target)
    except errors.ClickHouseError as error:
        raise _refusal(error, secrets) from None
    except OSError as error:
        raise WarehouseError(f"ClickHouse: a certificate cannot be read: {error.strerror or error}") from None
    materialize = yes(settings, "materialize") if "materialize" in settings else True
    return ClickHouseWarehouse(client, secrets, materialize=materialize)


_TEXTS = ("host", "database", "password", "access_token")
_FILES = ("ca_cert", "client_cert", "client_cert_key")
_NUMBERS = ("port", "connect_timeout")


def _target(settings: Mapping[str, object], folder: Path) -> dict[str, Any]:
    """What the driver is told: the parts stand above those of the `url`."""
    target: dict[str, Any] = {
        "settings": dict(SESSION),
        "client_name": "metrics-api",
        "connect_timeout": _CONNECT_TIMEOUT,
        "show_clickhouse_errors": "scrub",
        # Statements of one session wait for each other; there is nothing that they share.
        "autogenerate_session_id": False,
    }
    if "url" in settings:
        target |= _parts(str(settings["url"]))
    target |= {name: str(settings[name]) for name in _TEXTS if name in settings}
    target |= {name: _file(folder / str(settings[name]), name) for name in _FILES if name in settings}
    target |= {name: whole(settings, name) for name in _NUMBERS if name in settings}
    target |= {name: yes(settings, name) for name in ("secure", "verify") if name in settings}
    if "user" in settings:
        target["username"] = str(settings["user"])
    if "password_file" in settings:
        target["password"] = secret(folder / str(settings["password_file"]))
    if "statement_timeout" in settings:
        seconds = whole(settings, "statement_timeout")
        # The clock counts, not what the server expects the statement to take.
        target["settings"] |= {"max_execution_time": seconds, "timeout_before_checking_execution_speed": 0}
        target["send_receive_timeout"] = seconds + _GRACE
    return target


def _file(path: Path, name: str) -> str:
    if not path.is_file():
        raise WarehouseError(f"`{name}` of the warehouse: there is no file {path}")
    return str(path)


def _parts(url: str) -> dict[str, Any]:
    """Host, port, user, password and database of `https://user:password@host:port/database`."""
    try:
        found = urlsplit(url)
        port = found.port
    except ValueError:  # whose words repeat the url
        port, found = None, urlsplit("")
    if found.scheme not in ("http", "https") or not found.hostname:
        raise WarehouseError(
            "`url` of the warehouse is no address of a ClickHouse server",
            fix="Write https://user:password@host:port/database, special characters as %-codes.",
        )
    read = {"host": found.hostname, "port": port, "database": unquote(found.path.strip("/"))}
    read |= {"username": unquote(found.username or ""), "password": unquote(found.password or "")}
    return {"secure": found.scheme == "https"} | {name: value for name, value in read.items() if value}


_SETTINGS = (
    *("url", "host", "port", "database", "user", "password", "password_file", "access_token", "secure", "verify"),
    *(*_FILES, "connect_timeout", "statement_timeout", "materialize"),
)
ENGINE = Engine("clickhouse", ClickHouseDialect(), connect, _SETTINGS)
