"""Trino, over HTTP. Every session runs in UTC.

A time column is a TIMESTAMP of any precision that holds UTC, or a TIMESTAMP WITH TIME ZONE whose zone is UTC, as that
of Iceberg, Delta Lake and PostgreSQL is. No Trino could be run here: every form is the documented one, and executed as
documented (tests/trino_on_duckdb.py).
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.engines.pool import Pool
from metrics_api.engines.settings import secret, whole, without, yes
from metrics_api.engines.warehouse import Connected, Cost, MayPass, Stop, Stream, asked_again, ends, too_long
from metrics_api.errors import MissingDriver, WarehouseError
from metrics_api.plan.expr import Type, Value
from metrics_api.sql.dialect import (
    Dialect,
    Sql,
    filter_clause,
    function,
    parenthesized,
    spaces,
    text,
    typed_literal,
)

if TYPE_CHECKING:
    import pyarrow as pa


class TrinoDialect(Dialect):
    """Bits by functions, FILTER, MIN_BY; percentiles are approximate, unless made of an array."""

    name: ClassVar[str] = "trino"
    sqlglot: ClassVar[str] = "trino"
    bitmap_days: ClassVar[int] = 62
    counts_bits: ClassVar[bool] = True
    # A step of WITH is put in wherever its name is read: a scan that is shared is as many scans, of more.
    shares_scans: ClassVar[bool] = False
    types: ClassVar[dict[Type, str]] = {**Dialect.types, Type.TIMESTAMP: "TIMESTAMP(6)"}

    # -- time ---------------------------------------------------------------------------------------------------------

    def trunc_to(self, grain: str, day: Sql) -> Sql:
        return function("DATE_TRUNC", text(grain), day)

    def add_days(self, day: Sql, days: int) -> Sql:
        return function("DATE_ADD", text("day"), self.literal(days, Type.INTEGER), day)

    def days_between(self, first: Sql, last: Sql) -> Sql:
        return function("DATE_DIFF", text("day"), first, last)

    def seconds_between(self, first: Sql, last: Sql) -> Sql:
        # DATE_DIFF ends at milliseconds. A double of seconds is off by less than a quarter of a microsecond.
        gap = exp.Sub(this=function("TO_UNIXTIME", last), expression=function("TO_UNIXTIME", first))
        return function("ROUND", gap, exp.Literal.number(6))

    # -- bits and JSON ------------------------------------------------------------------------------------------------

    def bit(self, n: Sql, width: Sql) -> Sql:
        return function("BITWISE_LEFT_SHIFT", typed_literal("BIGINT", "1"), n)

    def bits_or(self, a: Sql) -> Sql:
        return function("BITWISE_OR_AGG", a)

    def bits_shared(self, a: Sql, b: Sql) -> Sql:
        return function("BIT_COUNT", function("BITWISE_AND", a, b), exp.Literal.number(64))

    def bits_overlap(self, a: Sql, b: Sql) -> Sql:
        return exp.NEQ(this=function("BITWISE_AND", a, b), expression=exp.Literal.number(0))

    def json_text(self, column: Sql, path: Sql) -> Sql:
        return function("JSON_EXTRACT_SCALAR", column, text("".join(("$", *map(_step, path.name.split("."))))))

    # -- aggregates ---------------------------------------------------------------------------------------------------

    def quantile(self, a: Sql, fraction: Sql) -> Sql:
        return self._percentile(a, fraction)

    def filtered(self, op: str, args: Sequence[Sql], where: Sql) -> Sql:
        return self._percentile(args[0], args[1], where) if op == "quantile" else super().filtered(op, args, where)

    def _percentile(self, a: Sql, fraction: Sql, where: Sql | None = None) -> Sql:
        # APPROX_PERCENTILE is not exact: the values in order, and between two neighbours in proportion. The function
        # around them is there to say the array once.
        present = self.not_(self.is_null(a))
        kept = present if where is None else self.and_(present, where)
        values = function("ARRAY_SORT", filter_clause(function("ARRAY_AGG", a.copy()), kept))

        v, one = exp.column("v"), exp.Literal.number(1)
        last = parenthesized(self.sub(function("CARDINALITY", v), one))
        place = self.mul(typed_literal("DOUBLE", fraction.name), last)
        below, above = (self._at(v, function(rounding, place.copy())) for rounding in ("FLOOR", "CEIL"))
        beyond = parenthesized(exp.Mod(this=place, expression=one.copy()))
        share = self.mul(parenthesized(self.sub(above, below)), beyond)
        between = exp.Lambda(this=self.add(below.copy(), share), expressions=[exp.Identifier(this="v")])
        return function("ELEMENT_AT", function("TRANSFORM", exp.Array(expressions=[values]), between), one.copy())

    def _at(self, array: Sql, place: Sql) -> Sql:
        index = exp.Cast(this=place, to=self.type(Type.INTEGER))
        return function("ELEMENT_AT", array.copy(), exp.Add(this=index, expression=exp.Literal.number(1)))

    # -- relations ----------------------------------------------------------------------------------------------------

    def series(
        self, first: Value, last: Value, step: int, unit: str, column: tuple[str, Type], alias: str
    ) -> Sql | None:
        if spaces(first, last, step, unit) >= _MAX_SEQUENCE:
            return None
        name, type_ = column
        interval = exp.Interval(this=text(str(step)), unit=exp.Var(this=unit.upper()))
        ends = [self.literal(one, type_) for one in (first, last)]
        names = exp.TableAlias(this=self.identifier(alias), columns=[self.identifier(name)])
        return exp.Unnest(expressions=[function("SEQUENCE", *ends, interval)], alias=names)


_MAX_SEQUENCE = 10_000
"""Entries that SEQUENCE makes at most."""


def _step(key: str) -> str:
    return f".{key}" if re.fullmatch(r"\w+", key, re.ASCII) else f'["{key}"]'


# -- the connection -------------------------------------------------------------------------------------------------

_CONNECT_TIMEOUT = 10
_READ_TIMEOUT = 60
"""Seconds without any answer. Trino answers within a second, even if only that there are no rows yet."""
_ATTEMPTS = 3
"""How often the driver asks for a page, when there is no answer or one of 429, 502, 503, 504."""
_GRACE = 5
"""Seconds after its own limit in which Trino should have ended a statement."""
_PIECE = 10_000
"""Rows of a piece."""


@dataclass(frozen=True)
class _Target:
    """Where Trino is, and what a statement is sent with. Secrets are read anew for each, since files are renewed."""

    host: str
    port: int
    scheme: str
    session: Mapping[str, Any]
    verify: bool | str
    authentication: Callable[[], Any] = field(repr=False)
    secrets: Callable[[], Sequence[str]] = field(repr=False)
    connect_timeout: int = _CONNECT_TIMEOUT
    statement_timeout: int | None = None

    @property
    def place(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


class TrinoWarehouse(Connected):
    """One Trino. Statements are independent requests; what is kept between them are open connections of HTTP."""

    def __init__(self, target: _Target) -> None:
        self._target = target
        self._connections = Pool("Trino", lambda: _http_session(verify=target.verify), lambda http: http.close())

    def __repr__(self) -> str:
        return f"TrinoWarehouse({self._target.place!r}, {self._target.session.get('catalog', '')!r})"

    @contextmanager
    def begun(self, sql: str, tag: str, stop: Stop, *, whole: bool) -> Iterator[Stream]:
        limit = self._target.statement_timeout

        def told(_: object) -> None:
            # Said before there was anything to cancel.
            if stop.is_said:
                raise _ended()

        with self._asked(sql, tag, told) as query, ends(query.cancel, stop, limit and limit + _GRACE, "Trino"):
            stream = Stream(iter(()))
            stream.pieces = _pieces(query, iter(query.execute()), stream)
            stream.statement = query.query_id
            yield stream

    @asked_again
    def estimate(self, sql: str) -> Cost:
        """What the tables hold of what is to be read, by their statistics where there are any."""
        with self._asked(f"EXPLAIN (TYPE IO, FORMAT JSON) {sql}") as query:
            read = json.loads(next(iter(query.execute()))[0])
        estimates = [one.get("estimate", {}) for one in read.get("inputTableColumnInfos", ())]
        return Cost(_total(estimates, "outputRowCount"), _total(estimates, "outputSizeInBytes"))

    @asked_again
    def columns(self, table: str) -> tuple[tuple[str, str], ...] | None:
        named = TrinoDialect().table(table).sql("trino")
        try:
            with self._asked(f"SHOW COLUMNS FROM {named}") as query:
                return tuple((str(row[0]), str(row[1])) for row in query.execute())
        except _NotThere:
            return None

    def check(self) -> None:
        """Ask for nothing, once: whoever has just written the settings is told at once what is wrong."""
        with self._asked("SELECT 1 AS one") as query:
            list(query.execute())

    def close(self) -> None:
        self._connections.close()

    @contextmanager
    def _asked(self, sql: str, tag: str = "", told: Callable[[object], None] | None = None) -> Iterator[Any]:
        """A statement that is not yet sent. At the end it is over at Trino as well, read or not.

        `told` is called with every answer of Trino.
        """
        import requests
        from trino import exceptions

        try:
            with self._connections.lent() as http:
                query = _query(self._target, http, sql, tag, told)
                try:
                    yield query
                finally:
                    if not query.finished:
                        with suppress(exceptions.Error, exceptions.HttpError, requests.RequestException):
                            query.cancel()
        except (exceptions.Error, exceptions.HttpError, requests.RequestException, OSError, ValueError) as error:
            raise _refusal(error, self._target) from None


def _http_session(*, verify: bool | str) -> Any:
    """With `verify` above what the environment says (REQUESTS_CA_BUNDLE), which a session of requests has below it."""
    import requests

    http: Any = requests.Session()
    http.verify = verify
    merged = http.merge_environment_settings

    def merge(url: Any, proxies: Any, stream: Any, asked: Any, cert: Any) -> Any:
        return merged(url, proxies, stream, verify if asked is None else asked, cert)

    http.merge_environment_settings = merge
    return http


def _query(target: _Target, http: Any, sql: str, tag: str, told: Callable[[object], None] | None) -> Any:
    """The driver's own query, one level below its cursors: what Trino tells of it can be had while it runs."""
    from trino.client import ENCODINGS, ClientSession, TrinoQuery, TrinoRequest

    headers = {"X-Trino-Client-Info": tag.encode("ascii", "replace").decode()} if tag else None
    session = ClientSession(**target.session, headers=headers, timezone="UTC", encoding=ENCODINGS)
    request = TrinoRequest(
        target.host,
        target.port,
        session,
        http_session=http,
        http_scheme=target.scheme,
        auth=target.authentication(),
        max_attempts=_ATTEMPTS,
        request_timeout=(target.connect_timeout, _READ_TIMEOUT),
    )
    return TrinoQuery(request, sql, legacy_primitive_types=True, stats_callback=told)


def _ended() -> WarehouseError:
    return WarehouseError("Trino: the statement was ended before all rows came")


def _pieces(query: Any, rows: Iterator[Any], stream: Stream) -> Iterator[pa.Table]:
    """The rows as they come. One piece at least; what was cancelled between two pages raises, and is not the end."""
    columns = query.columns
    while columns:
        piece = list(islice(rows, _PIECE))
        stream.read = Cost(query.stats.get("processedRows"), query.stats.get("processedBytes"))
        is_last = len(piece) < _PIECE
        if is_last and query.cancelled:
            break
        yield _table(columns, piece)
        if is_last:
            return
    raise _ended()


def _total(estimates: Sequence[Mapping[str, Any]], name: str) -> int | None:
    """The sum over all tables, or None where one is not known (NaN)."""
    found = [one.get(name) for one in estimates]
    known = [float(one) for one in found if isinstance(one, int | float) and isfinite(one)]
    return int(sum(known)) if len(known) == len(found) else None


# -- refusals -------------------------------------------------------------------------------------------------------


class _NotThere(WarehouseError):
    """No such table."""


_MISSING = frozenset(("TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND", "CATALOG_NOT_FOUND"))
_PASSING = frozenset(
    """SERVER_STARTING_UP SERVER_SHUTTING_DOWN NO_NODES_AVAILABLE REMOTE_TASK_ERROR REMOTE_HOST_GONE
    TOO_MANY_REQUESTS_FAILED PAGE_TRANSPORT_ERROR PAGE_TRANSPORT_TIMEOUT QUERY_QUEUE_FULL ABANDONED_TASK""".split()
)
"""A cluster that starts or ends, workers that are gone, too many statements at once."""
_LATE = frozenset(("EXCEEDED_TIME_LIMIT",))
_FIXES: Mapping[str, str] = {
    "401": "Check `user` and the password or token of the warehouse.",
    "403": "Check what `user` and `role` of the warehouse may do.",
    "404": "Check `host` and `port` of the warehouse: what is there is no Trino.",
    "TABLE_NOT_FOUND": "Check `catalog` and `schema` of the warehouse, and what `user` may see.",
    "SCHEMA_NOT_FOUND": "Check `catalog` and `schema` of the warehouse.",
    "CATALOG_NOT_FOUND": "Check `catalog` of the warehouse.",
    "MISSING_CATALOG_NAME": "Say `catalog` of the warehouse.",
    "MISSING_SCHEMA_NAME": "Say `schema` of the warehouse.",
    "EXCEEDED_LOCAL_MEMORY_LIMIT": "Ask for less at once: a shorter time, fewer dimensions, no percentile.",
    "EXCEEDED_GLOBAL_MEMORY_LIMIT": "Ask for less at once: a shorter time, fewer dimensions, no percentile.",
    "QUERY_HAS_TOO_MANY_STAGES": "Ask for fewer parts or steps at once, or let query_max_stage_count be greater.",
}


def _refusal(error: Exception, target: _Target) -> WarehouseError:
    """What Trino or the driver says on one line, and what to do about it, without secrets."""
    from trino.exceptions import HttpError, TrinoQueryError

    if isinstance(error, TrinoQueryError):
        name, said = str(error.error_name), f"{error.message} ({error.error_name})"
        if name in _LATE and target.statement_timeout is not None:
            return too_long("Trino", target.statement_timeout)
        kind = _NotThere if name in _MISSING else MayPass if name in _PASSING else WarehouseError
    elif isinstance(error, HttpError):
        found = re.match(r"error (\d+)", str(error))
        name, said = found[1] if found else "", _status(str(error))
        kind = MayPass if name in ("429", "502", "503", "504") else WarehouseError
    else:
        name, said = "", _reached(str(error), target)
        kind = WarehouseError if isinstance(error, ValueError) and "Certificate" not in said else MayPass
    for hidden in target.secrets():
        said = without(hidden, said)
    return kind(f"Trino: {' '.join(said.split())}", fix=_FIXES.get(name))


def _status(said: str) -> str:
    """`error 401: b'...'` without the bytes' own spelling, and not longer than a line."""
    code, _, body = said.partition(": ")
    written = re.sub(r"^b['\"]|['\"]$", "", body)
    return f"{code}: {written[:200]}" if written and not written.lstrip().startswith("<") else code


def _reached(said: str, target: _Target) -> str:
    """Why there is no answer, in few words: the driver's have the names of its objects."""
    reasons = {
        "CERTIFICATE_VERIFY_FAILED": "its certificate cannot be verified",
        "NameResolutionError": "there is no host of that name",
        "Name or service not known": "there is no host of that name",
        "nodename nor servname": "there is no host of that name",
        "refused": "the connection is refused",
        "WRONG_VERSION_NUMBER": "it does not speak TLS",
        "timed out": "it does not answer",
        "Connection aborted": "it ended the connection",
        "IncompleteRead": "it ended the connection",
    }
    why = next((words for found, words in reasons.items() if found in said), None)
    return f"{target.place} cannot be reached: {why}" if why else said


# -- rows -------------------------------------------------------------------------------------------------------------


def _table(columns: Sequence[Mapping[str, Any]], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """The rows as Arrow, each column by its type at Trino, from the protocol's own JSON."""
    import pyarrow as pa

    values = zip(*rows, strict=True) if rows else ((),) * len(columns)
    arrays = [_array(str(column["type"]), one) for column, one in zip(columns, values, strict=True)]
    return pa.Table.from_arrays(arrays, names=[str(column["name"]) for column in columns])


_NAMED = re.compile(r"(?P<name>[a-z]+)(\((?P<arguments>[\d, ]+)\))?(?P<zone> with time zone)?")


def _array(type_: str, values: Sequence[Any]) -> pa.Array:
    import pyarrow as pa

    found = _NAMED.fullmatch(type_)
    name = found["name"] if found else ""
    match name:
        case "boolean":
            return pa.array(values, pa.bool_())
        case "tinyint" | "smallint" | "integer" | "bigint":
            return pa.array(values, pa.int64())
        case "real" | "double":
            # NaN and Infinity come as texts.
            return pa.array([None if one is None else float(one) for one in values], pa.float64())
        case "decimal" if found:
            precision, scale = map(int, found["arguments"].split(","))
            return pa.array(values, pa.string()).cast(pa.decimal128(precision, scale))
        case "date":
            return pa.array(values, pa.string()).cast(pa.date32())
        case "timestamp" if found:
            plain = [None if one is None else _instant(one) for one in values]
            kind = pa.timestamp("us", tz="UTC") if found["zone"] else pa.timestamp("us")
            return pa.array(plain, pa.string()).cast(pa.timestamp("us")).cast(kind)
    return pa.array([None if one is None else _text(one) for one in values], pa.string())


_SECONDS, _MICROSECONDS = 19, 26
"""How long `2026-01-31 09:30:00` is, and with six digits of a fraction."""


def _instant(written: str) -> str:
    """An instant in UTC to the microsecond, from up to twelve digits of a second and any zone."""
    local, _, zone = written[_SECONDS:].partition(" ")
    at = (written[:_SECONDS] + local)[:_MICROSECONDS]
    if zone in ("", "UTC"):
        return at
    if zone[0] in "+-":
        return datetime.fromisoformat(f"{at}{zone}").astimezone(_UTC).replace(tzinfo=None).isoformat(sep=" ")
    return (
        datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(zone)).astimezone(_UTC).replace(tzinfo=None).isoformat(" ")
    )


_UTC = ZoneInfo("UTC")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# -- settings ---------------------------------------------------------------------------------------------------------


def connect(settings: Mapping[str, object], folder: Path) -> TrinoWarehouse:
    """Reach Trino at `host` and `port` as `user`, by a password, a token or a certificate, or by name alone.

    Files are relative to the folder; those of secrets are read for every statement. Raises WarehouseError when Trino
    cannot be reached or refuses, MissingDriver without the `trino` package.
    """
    try:
        importlib.import_module("trino.client")
    except ImportError:
        raise MissingDriver("trino", "trino") from None
    warehouse = TrinoWarehouse(_target(settings, folder))
    warehouse.check()
    return warehouse


_TEXTS = ("user", "catalog", "schema", "source")
_SECRETS = ("password", "password_file", "token", "token_file", "client_cert")


def _target(settings: Mapping[str, object], folder: Path) -> _Target:
    for name in ("host", "user"):
        if not settings.get(name):
            raise WarehouseError(f"`{name}` of the warehouse is not said")
    given = [name for name in _SECRETS if name in settings]
    if len(given) > 1:
        listed = " and ".join(f"`{name}`" for name in given)
        raise WarehouseError(f"the warehouse is given {listed}", fix="Keep the one to log in with.")
    port = whole(settings, "port") if "port" in settings else None
    tls = yes(settings, "tls") if "tls" in settings else bool(given) or port in (443, 8443)
    if given and not tls:
        raise WarehouseError(
            f"`{given[0]}` of the warehouse is not sent without TLS", fix="Leave out `tls: false`, or the secret."
        )
    return _Target(
        host=str(settings["host"]),
        port=port or (443 if tls else 8080),
        scheme="https" if tls else "http",
        session=_session(settings),
        verify=_verify(settings, folder),
        authentication=_authentication(settings, folder),
        secrets=lambda: [
            one for one in (_secret(settings, "password", folder), _secret(settings, "token", folder)) if one
        ],
        connect_timeout=whole(settings, "connect_timeout") if "connect_timeout" in settings else _CONNECT_TIMEOUT,
        statement_timeout=whole(settings, "statement_timeout") if "statement_timeout" in settings else None,
    )


def _session(settings: Mapping[str, object]) -> dict[str, Any]:
    """What every statement is sent with."""
    said: dict[str, Any] = {"source": "metrics-api"}
    said |= {name: str(settings[name]) for name in _TEXTS if name in settings}
    properties = settings.get("session_properties", {})
    if not isinstance(properties, Mapping):
        raise WarehouseError("`session_properties` of the warehouse are not names with values")
    said["properties"] = {str(name): _property(value) for name, value in properties.items()}
    if "statement_timeout" in settings:
        said["properties"]["query_max_run_time"] = f"{whole(settings, 'statement_timeout')}s"
    if "client_tags" in settings:
        tags = settings["client_tags"]
        said["client_tags"] = [str(one) for one in tags] if isinstance(tags, list) else str(tags).split(",")
    if "role" in settings:
        said["roles"] = str(settings["role"])
    return said


def _property(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _verify(settings: Mapping[str, object], folder: Path) -> bool | str:
    if "ca_cert" in settings:
        return _file(settings, "ca_cert", folder)
    return yes(settings, "verify") if "verify" in settings else True


def _file(settings: Mapping[str, object], name: str, folder: Path) -> str:
    path = folder / str(settings[name])
    if not path.is_file():
        raise WarehouseError(f"`{name}` of the warehouse: there is no file {path}")
    return str(path)


def _secret(settings: Mapping[str, object], name: str, folder: Path) -> str | None:
    if name in settings:
        return str(settings[name])
    file = f"{name}_file"
    return secret(folder / str(settings[file]), file) if file in settings else None


def _authentication(settings: Mapping[str, object], folder: Path) -> Callable[[], Any]:
    """Who asks, as the driver has it: files are read whenever it is called."""

    def read() -> Any:
        from trino import auth

        if password := _secret(settings, "password", folder):
            return auth.BasicAuthentication(str(settings["user"]), password)
        if token := _secret(settings, "token", folder):
            return auth.JWTAuthentication(token)
        if "client_cert" in settings:
            files = (_file(settings, name, folder) for name in ("client_cert", "client_cert_key"))
            return auth.CertificateAuthentication(*files)
        return None

    return read


_SETTINGS = (
    *("host", "port", "tls", "verify", "ca_cert", *_TEXTS, "role", *_SECRETS, "client_cert_key"),
    *("client_tags", "session_properties", "connect_timeout", "statement_timeout"),
)
ENGINE = Engine("trino", TrinoDialect(), connect, _SETTINGS)
