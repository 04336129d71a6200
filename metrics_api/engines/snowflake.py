"""Snowflake. One session in UTC, which several threads use at once.

Time columns are TIMESTAMP_NTZ in UTC, or TIMESTAMP_LTZ; TIMESTAMP_TZ, which brings an offset of its own into every
cast, needs a view. A question is the same text each time, so that Snowflake's cache of results serves it again.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID, uuid4

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.engines.pool import Common
from metrics_api.engines.settings import whole, without
from metrics_api.engines.snowflake_login import secrets
from metrics_api.engines.warehouse import ASK_FOR_LESS, Connected, Cost, MayPass, Stop, Stream, asked_again, ends
from metrics_api.errors import MissingDriver, WarehouseError
from metrics_api.plan.expr import Type, Value
from metrics_api.sql.dialect import Dialect, Sql, enclosed, function, spaces, text, timestamp_text

if TYPE_CHECKING:
    import pyarrow as pa


class SnowflakeDialect(Dialect):
    """Upper-case names, no FILTER; bits in numbers of up to 38 digits, of which 62 bits are safe everywhere."""

    name: ClassVar[str] = "snowflake"
    sqlglot: ClassVar[str] = "snowflake"
    bitmap_days: ClassVar[int] = 62
    has_filter: ClassVar[bool] = False
    types: ClassVar[dict[Type, str]] = {**Dialect.types, Type.TIMESTAMP: "TIMESTAMP_NTZ"}

    folds_case: ClassVar[bool] = True

    def reserved_word(self, name: str) -> str:
        # A bare name is folded to upper case, a quoted one is not.
        return name.upper()

    def timestamp_literal(self, value: datetime) -> Sql:
        # What TIMESTAMP '...' means is a session's setting.
        return self.cast(text(timestamp_text(value)), Type.TIMESTAMP)

    # -- time ---------------------------------------------------------------------------------------------------------

    def trunc_to(self, grain: str, day: Sql) -> Sql:
        if grain == "week":
            # Where weeks start is a session's setting (WEEK_START): the Monday before tomorrow is not.
            return function("PREVIOUS_DAY", self.add_days(day, 1), text("mo"))
        return super().trunc_to(grain, day)

    def days_between(self, first: Sql, last: Sql) -> Sql:
        return function("DATEDIFF", exp.Var(this="DAY"), first, last)

    def seconds_between(self, first: Sql, last: Sql) -> Sql:
        micros = self.cast(function("DATEDIFF", exp.Var(this="MICROSECOND"), first, last), Type.NUMBER)
        return exp.Div(this=micros, expression=exp.Literal.number(1_000_000))

    # -- bits and JSON ------------------------------------------------------------------------------------------------

    def bit(self, n: Sql, width: Sql) -> Sql:
        return function("BITSHIFTLEFT", exp.Literal.number(1), n)

    def bits_or(self, a: Sql) -> Sql:
        return function("BITOR_AGG", a)

    def bits_overlap(self, a: Sql, b: Sql) -> Sql:
        return exp.NEQ(this=function("BITAND", a, b), expression=exp.Literal.number(0))

    def json_text(self, column: Sql, path: Sql) -> Sql:
        keys = path.name.split(".")
        plain = all(re.fullmatch(r"[A-Za-z_]\w*", key, re.ASCII) for key in keys)
        written = path.name if plain else "".join(f'["{key}"]' for key in keys)
        return self.cast(function("GET_PATH", column, text(written)), Type.STRING)

    # -- aggregates ---------------------------------------------------------------------------------------------------

    def quantile(self, a: Sql, fraction: Sql) -> Sql:
        # Of a NUMBER the result would be a NUMBER of three more digits.
        return super().quantile(self.number(a), fraction)

    # -- relations ----------------------------------------------------------------------------------------------------

    def values(self, columns: Sequence[tuple[str, Type]], rows: Sequence[Sequence[Value]], alias: str) -> Sql:
        # VALUES takes plain constants only; the types are given in the SELECT around it.
        names = [self.identifier(name) for name, _ in columns]
        constants = exp.Values(
            expressions=[exp.Tuple(expressions=[_constant(value) for value in row]) for row in rows],
            alias=exp.TableAlias(this=self.identifier("constants"), columns=names),
        )
        casts = [self.cast(self.column(name), type_) for name, type_ in columns]
        typed = [exp.Alias(this=cast, alias=name.copy()) for cast, name in zip(casts, names, strict=True)]
        query = exp.Select(expressions=typed).from_(constants)
        return exp.Subquery(this=query, alias=exp.TableAlias(this=self.identifier(alias)))

    def series(
        self, first: Value, last: Value, step: int, unit: str, column: tuple[str, Type], alias: str
    ) -> Sql | None:
        name, type_ = column
        how_many = exp.Literal.number(1 + spaces(first, last, step, unit))
        generator = function("GENERATOR", exp.Kwarg(this=exp.Var(this="ROWCOUNT"), expression=how_many))
        rows = exp.Table(this=function("TABLE", generator))
        numbered = exp.Window(this=exp.RowNumber(), order=exp.Order(expressions=[exp.Ordered(this=exp.Null())]))
        number = exp.Sub(this=numbered, expression=exp.Literal.number(1))
        distance = number if step == 1 else exp.Mul(this=exp.Literal.number(step), expression=enclosed(number))
        label = function("DATEADD", exp.Var(this=unit.upper()), distance, self.literal(first, type_))
        return self.selected(label, name, alias, rows)


def _constant(value: Value) -> Sql:
    if value is None:
        return exp.Null()
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, int):
        return exp.Literal.number(value)
    # Fractions too: the column would be as wide as the first of them.
    return text(timestamp_text(value) if isinstance(value, datetime) else str(value))


# -- the connection -------------------------------------------------------------------------------------------------

# What statements mean and how values are spelled follows the session; nobody's defaults may change an answer.
_SESSION: Mapping[str, object] = {
    "TIMEZONE": "UTC",
    "WEEK_START": 1,
    "WEEK_OF_YEAR_POLICY": 0,
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
    "DATE_INPUT_FORMAT": "AUTO",
    "TIMESTAMP_INPUT_FORMAT": "AUTO",
    "DATE_OUTPUT_FORMAT": "YYYY-MM-DD",
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    "ROWS_PER_RESULTSET": 0,
    "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "ARROW",
    # A statement whose asker is gone ends.
    "ABORT_DETACHED_QUERY": True,
    "CLIENT_TELEMETRY_ENABLED": False,
}
_QUERY_TAG = "metrics-api"
_CONNECT_TIMEOUT = 30
_RETRYING = 60
"""For so many seconds the driver itself tries a request again that found no answer."""
_LONGEST = 604_800
"""Seconds that a statement may take at most, which is Snowflake's own limit."""
_GRACE = 5
"""Seconds after which the driver ends a statement that Snowflake should have ended."""
_LONGEST_TAG = 2000
_SESSION_IS_GONE = frozenset([390104, 390110, 390111, 390112, 390113, 390114, 390115, 250002, 252007])
_MAY_PASS = frozenset([250003, 252010, 252013])
"""No answer, a piece of a result that could not be had, and one that came short."""


@dataclass(frozen=True)
class _Target:
    """What a session is opened with. Secrets are read anew for each, since files of tokens are renewed."""

    words: Mapping[str, object]
    secrets: Callable[[], Mapping[str, object]] = field(repr=False)
    statement_timeout: int | None = None
    tag: str = ""

    @property
    def place(self) -> str:
        return str(self.words.get("account", ""))


class SnowflakeWarehouse(Connected):
    """One account and database. The session is opened again when Snowflake has ended it."""

    def __init__(self, target: _Target) -> None:
        self._target = target
        self._session: Common[Any] = Common("Snowflake", self._opened, _end)

    def __repr__(self) -> str:
        return f"SnowflakeWarehouse({self._target.place!r}, {self._target.words.get('database', '')!r})"

    @contextmanager
    def begun(self, sql: str, tag: str, stop: Stop, *, whole: bool) -> Iterator[Stream]:
        request = uuid4()
        words = {"requestId": str(request), "QUERY_TAG": f"{self._target.tag} {tag}".strip()[:_LONGEST_TAG]}
        with (
            self._told() as session,
            session.cursor() as cursor,
            ends(lambda: _abort(session, cursor, request), stop),
        ):
            cursor.execute(sql, timeout=self._timeout, _statement_params=words)
            pieces = iter([_arrow(cursor)]) if whole else _pieces(cursor)
            yield Stream(pieces, statement=cursor.sfqid)

    @asked_again
    def estimate(self, sql: str) -> Cost:
        """Bytes of the micro-partitions that the statement would read, after pruning; rows are not told."""
        with self._told() as session, session.cursor() as cursor:
            row = cursor.execute(f"EXPLAIN USING JSON {sql}", timeout=self._timeout).fetchone()
        told = json.loads(row[0]).get("GlobalStats", {}) if row else {}
        return Cost(bytes=told.get("bytesAssigned"))

    @asked_again
    def columns(self, table: str) -> tuple[tuple[str, str], ...] | None:
        named = SnowflakeDialect().table(table).sql("snowflake")
        try:
            with self._told() as session, session.cursor() as cursor:
                rows = cursor.execute(f"DESCRIBE TABLE {named}", timeout=self._timeout).fetchall()
        except _NotThere:
            return None
        # A name in upper case is what is meant by the same one in lower case.
        return tuple((str(row[0]).lower() if str(row[0]).isupper() else str(row[0]), str(row[1])) for row in rows)

    def check(self) -> None:
        """Open the session: whoever has just written the settings is told at once what is wrong."""
        self._session.now()

    def close(self) -> None:
        self._session.close()

    @property
    def _timeout(self) -> int:
        return (self._target.statement_timeout or _LONGEST) + _GRACE

    @contextmanager
    def _told(self) -> Iterator[Any]:
        """The session, for as long as it lives; what fails is told in our words."""
        from snowflake.connector.errors import Error

        session = self._session.now()
        try:
            yield session
        except Error as error:
            if error.errno in _SESSION_IS_GONE:
                self._session.give_up(session)
            raise self._refusal(error) from None

    def _opened(self) -> Any:
        import snowflake.connector
        from snowflake.connector.errors import Error

        secrets = self._target.secrets()
        try:
            return snowflake.connector.connect(**self._target.words, **secrets)
        except Error as error:
            raise self._refusal(error, secrets) from None

    def _refusal(self, error: Any, secrets: Mapping[str, object] | None = None) -> WarehouseError:
        return _refusal(error, self._target.secrets() if secrets is None else secrets, self._target)


class _NotThere(WarehouseError):
    """No such table, or none that this role may see."""


def _abort(session: Any, cursor: Any, request: UUID) -> None:
    """End what the cursor has begun: by Snowflake's name for it, or, before it is told that, by our request's."""
    if cursor.sfqid:
        session.cursor().abort_query(cursor.sfqid)
    else:
        session._cancel_query("", request)  # noqa: SLF001 - no public way knows requests


def _end(session: Any) -> None:
    from snowflake.connector.errors import Error

    with suppress(Error):  # It may be gone already.
        session.close(retry=False)


_FIXES: Mapping[int, str] = {
    250001: "Check `account` of the warehouse (organization-account), and `host` if it is said.",
    390100: "Check `user` and the password of the warehouse.",
    390144: "Check that the user has the public half of the key: ALTER USER ... SET RSA_PUBLIC_KEY.",
    606: "Say a `warehouse` that the role may use.",
    604: "The statement was ended from outside, or at `statement_timeout` of the warehouse.",
    630: ASK_FOR_LESS,
    2003: "Check `database`, `schema` and what `role` may see.",
    90105: "Say `database` of the warehouse.",
    90106: "Say `schema` of the warehouse.",
}
_MISSING = frozenset([2003, 2043])
_NUMBER = re.compile(r"\b\d{6} \(\w{5}\): (None: )?")


def _refusal(error: Any, secrets: Mapping[str, object], target: _Target) -> WarehouseError:
    """What Snowflake or the driver says on one line, and what to do about it, without secrets."""
    said = _NUMBER.sub("", " ".join(str(error.raw_msg or error).split())) or type(error).__name__
    for hidden in secrets.values():
        said = without(hidden, said) if isinstance(hidden, str) else said
    passes = error.errno in _SESSION_IS_GONE | _MAY_PASS
    kind = _NotThere if error.errno in _MISSING else MayPass if passes else WarehouseError
    return kind(f"Snowflake: {said}", fix=_FIXES.get(error.errno or 0))


# -- rows -------------------------------------------------------------------------------------------------------------


def _arrow(cursor: Any) -> pa.Table:
    """All rows, each column by its type on the server: pieces of a result may differ in width."""

    pieces = [] if cursor.rowcount == 0 else list(cursor.fetch_arrow_batches(force_microsecond_precision=True))
    table = _table(cursor, pieces)
    if cursor.rowcount is not None and table.num_rows != cursor.rowcount:
        raise MayPass(f"Snowflake: {table.num_rows} of {cursor.rowcount} rows came")
    return table


def _pieces(cursor: Any) -> Iterator[pa.Table]:
    """The rows in the pieces that Snowflake keeps of them."""
    came, wanted = 0, cursor.rowcount
    if wanted == 0:
        yield _table(cursor, [])
        return
    for piece in cursor.fetch_arrow_batches(force_microsecond_precision=True):
        came += piece.num_rows
        yield _table(cursor, [piece])
    if wanted is not None and came != wanted:
        raise WarehouseError(f"Snowflake: {came} of {wanted} rows came")


def _table(cursor: Any, pieces: Sequence[pa.Table]) -> pa.Table:
    import pyarrow as pa

    described = cursor.description or ()
    arrays = [
        _array(column, [chunk for piece in pieces for chunk in piece.column(place).chunks])
        for place, column in enumerate(described)
    ]
    return pa.Table.from_arrays(arrays, names=[column.name for column in described])


def _array(column: Any, chunks: Sequence[pa.Array]) -> pa.ChunkedArray:
    import pyarrow as pa

    wanted = _arrow_type(column)
    try:
        return pa.chunked_array([chunk.cast(wanted) for chunk in chunks], wanted)
    except pa.ArrowInvalid:
        # A whole number of more than 64 bits.
        return pa.chunked_array([chunk.cast(pa.decimal128(38, 0)) for chunk in chunks], pa.decimal128(38, 0))


def _arrow_type(column: Any) -> pa.DataType:
    import pyarrow as pa
    from snowflake.connector.constants import FIELD_ID_TO_NAME

    match FIELD_ID_TO_NAME[column.type_code]:
        case "FIXED":
            return pa.decimal128(38, column.scale) if column.scale else pa.int64()
        case "REAL":
            return pa.float64()
        case "DATE":
            return pa.date32()
        case "BOOLEAN":
            return pa.bool_()
        case "TIMESTAMP" | "TIMESTAMP_NTZ":
            return pa.timestamp("us")
        case "TIMESTAMP_LTZ" | "TIMESTAMP_TZ":
            return pa.timestamp("us", tz="UTC")
        case "BINARY":
            return pa.binary()
        case "TIME":
            return pa.time64("us")
    return pa.string()


# -- settings ---------------------------------------------------------------------------------------------------------


def connect(settings: Mapping[str, object], folder: Path) -> SnowflakeWarehouse:
    """Reach `account` as `user` by a password, a private key, a token or the browser, and open the session.

    Files of secrets are relative to the folder, and read for every session. Raises WarehouseError when Snowflake cannot
    be reached or refuses, MissingDriver without the `snowflake-connector-python` package.
    """
    try:
        importlib.import_module("snowflake.connector")
    except ImportError:
        raise MissingDriver("snowflake-connector-python", "snowflake") from None
    if not settings.get("account"):
        raise WarehouseError("`account` of the warehouse is not said", fix="Write it as organization-account.")
    timeout = whole(settings, "statement_timeout") if "statement_timeout" in settings else None
    warehouse = SnowflakeWarehouse(
        _Target(_words(settings, timeout), secrets(settings, folder), timeout, _tag(settings))
    )
    warehouse.check()
    return warehouse


_TEXTS = ("account", "host", "protocol", "user", "database", "schema", "warehouse", "role")


def _words(settings: Mapping[str, object], timeout: int | None) -> dict[str, object]:
    """What the driver is told, but for secrets."""
    session: dict[str, object] = {**_SESSION, "QUERY_TAG": _tag(settings)}
    if timeout is not None:
        session["STATEMENT_TIMEOUT_IN_SECONDS"] = timeout
    words: dict[str, object] = {name: str(settings[name]) for name in _TEXTS if name in settings}
    if "port" in settings:
        words["port"] = whole(settings, "port")
    return {
        **words,
        "application": "metrics_api",
        "session_parameters": session,
        "login_timeout": whole(settings, "connect_timeout") if "connect_timeout" in settings else _CONNECT_TIMEOUT,
        "network_timeout": _RETRYING,
        # Names of a database, schema, warehouse or role that is not there are refused, not passed over.
        "validate_default_parameters": True,
        "arrow_number_to_decimal": True,
        # Not asked for: whose cloud this program runs in.
        "platform_detection_timeout_seconds": 0.0,
    }


def _tag(settings: Mapping[str, object]) -> str:
    return str(settings.get("query_tag", _QUERY_TAG))


_SETTINGS = (
    *(*_TEXTS, "port", "authenticator", "password", "password_file", "private_key", "private_key_file"),
    *("private_key_passphrase", "token", "token_file", "query_tag", "connect_timeout", "statement_timeout"),
)
ENGINE = Engine("snowflake", SnowflakeDialect(), connect, _SETTINGS)
