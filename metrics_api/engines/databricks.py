"""Databricks SQL: a SQL warehouse, or a cluster, by sessions of which each runs one statement at a time.

What is said of Spark's session and time columns holds here too. The driver waits for a statement with its session held
fast, so that an end to it goes by another session.
"""

from __future__ import annotations

import importlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar
from urllib.request import getproxies

from metrics_api.engines import Engine
from metrics_api.engines.oauth import Tokens
from metrics_api.engines.pool import Pool
from metrics_api.engines.settings import secret, whole, yes
from metrics_api.engines.spark import SparkDialect, cost_of, of_usual_types
from metrics_api.engines.warehouse import ASK_FOR_LESS, Connected, Cost, MayPass, Stop, Stream, ends, shortened
from metrics_api.errors import MissingDriver, WarehouseError

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

_LONGEST_TAG = 128


class DatabricksDialect(SparkDialect):
    """Spark's SQL."""

    name: ClassVar[str] = "databricks"
    sqlglot: ClassVar[str] = "databricks"


# -- the connection -------------------------------------------------------------------------------------------------

_ENGINE = "Databricks"
_CONNECTIONS = 8
_CONNECT_TIMEOUT = 600
"""Seconds in which a warehouse that is stopped may start."""
_STARTING = 5.0
"""Seconds before it is asked again."""
_ROWS = 100_000
"""Rows of a piece of a result at most."""
_RETRIES: Mapping[str, object] = {
    "_retry_stop_after_attempts_count": 3,
    "_retry_stop_after_attempts_duration": 30,
    "_retry_delay_min": 0.5,
    "_retry_delay_max": 5,
    # An answer that says nothing yet comes after seconds, whatever the statement takes.
    "_socket_timeout": 120,
}
"""How often and how long the driver itself sends a request again that found no answer."""
_GRACE = 5
"""Seconds after which a statement is cancelled that Databricks should have ended."""
_OF_WAREHOUSES = {"timezone": "UTC", "ansi_mode": "true"}
_OF_CLUSTERS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    "spark.sql.parser.escapedStringLiterals": "false",
}
"""What statements mean follows the session; nobody's defaults may change an answer. The two have names of their own."""
_USER_AGENT = "metrics-api"


@dataclass(frozen=True)
class _Target:
    """What a session is opened with. Who asks is read anew for each, since files of tokens are renewed."""

    words: Mapping[str, Any]
    tokens: Tokens
    most: int
    tags: bool
    connect_timeout: int
    statement_timeout: int | None

    @property
    def place(self) -> str:
        return str(self.words["server_hostname"])


class DatabricksWarehouse(Connected):
    """One SQL warehouse or cluster, with a limited number of sessions: a statement takes an idle one, or opens another.

    Where all are taken it waits.
    """

    def __init__(self, target: _Target) -> None:
        self._target = target
        self._sessions = Pool(_ENGINE, self._opened, _Held.end, target.most)

    def __repr__(self) -> str:
        return f"DatabricksWarehouse({self._target.place!r}, {self._target.words['http_path']!r})"

    @contextmanager
    def begun(self, sql: str, tag: str, stop: Stop, *, whole: bool) -> Iterator[Stream]:
        limit = self._target.statement_timeout
        seconds = None if limit is None else limit + _GRACE
        with self._session() as held:
            cursor, over = held.cursor, threading.Event()
            try:
                with ends(lambda: self._cancel(cursor, over), stop, seconds, _ENGINE):
                    value = {"metrics_api": shortened(tag, _LONGEST_TAG)}
                    tags = {"query_tags": value} if tag and self._target.tags else {}
                    held.driver(lambda: _executed(cursor, sql, tags))
                    pieces = _all_rows(cursor) if whole else _pieces(cursor)
                    yield Stream(held.each(pieces), statement=cursor.query_id)
            finally:
                over.set()
                held.leave()

    def estimate(self, sql: str) -> Cost:
        """Bytes of the tables that the statement would read, as far as Databricks knows their size."""
        return cost_of(self.run(f"EXPLAIN COST {sql}").table.column(0).to_pylist(), _ENGINE)

    def columns(self, table: str) -> tuple[tuple[str, str], ...] | None:
        named = DatabricksDialect().table(table).sql("databricks")
        try:
            rows = self.run(f"DESCRIBE TABLE {named}").table
        except _NotThere:
            return None
        found = []
        for name, type_ in zip(rows["col_name"].to_pylist(), rows["data_type"].to_pylist(), strict=True):
            if not name or name.startswith("#"):  # What follows tells of partitions.
                break
            found.append((name, type_))
        return tuple(found)

    def check(self) -> None:
        """Open a session, and see that it is in UTC."""
        zone = self.run("SELECT CURRENT_TIMEZONE() AS zone").table["zone"][0].as_py()
        if zone not in ("UTC", "Etc/UTC", "Z", "GMT"):
            raise WarehouseError(f"{_ENGINE}: sessions are in the zone {zone}, and cannot be had in UTC")

    def close(self) -> None:
        self._sessions.close()

    # -- sessions -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _session(self) -> Iterator[_Held]:
        """A session of one's own, which is kept for others unless it failed."""
        with self._sessions.lent(_Held.is_of_use) as held:
            try:
                yield held
            finally:
                held.is_new = False
                if held.is_broken:
                    self._sessions.forget_idle()

    def _opened(self) -> _Held:
        session = _opened(self._target)
        return _Held(self._target, session, session.cursor(arraysize=_ROWS))

    def _cancel(self, cursor: Any, over: threading.Event) -> None:
        """End a statement, once Databricks has said what it is called, by a session that is not waiting for it."""
        while cursor.active_command_id is None:
            if over.wait(0.02):
                return
        with self._sessions.beyond(_Held.is_of_use) as other:
            other.session.session.backend.cancel_command(cursor.active_command_id)


@dataclass
class _Held:
    """A session, whose one cursor runs one statement after the other."""

    target: _Target
    session: Any
    cursor: Any
    is_new: bool = True
    is_broken: bool = False

    def driver(self, do: Callable[[], T]) -> T:
        """What the driver does; its failures in our words."""
        try:
            return do()
        except WarehouseError:
            raise
        except Exception as error:  # noqa: BLE001 - pieces that cannot be had or read are errors of any kind
            self._fail(error)

    def each(self, pieces: Iterator[pa.Table]) -> Iterator[pa.Table]:
        while (piece := self.driver(lambda: next(pieces, None))) is not None:
            yield piece

    def leave(self) -> None:
        """Leave nothing of the statement behind. Whatever fails now, the rows are there or an error was told."""
        result, self.cursor.active_result_set = self.cursor.active_result_set, None
        self.cursor.active_command_id = None
        if result is not None:
            try:
                result.close()
            except Exception:  # noqa: BLE001
                self.is_broken = True

    def is_of_use(self) -> bool:
        return not self.is_broken

    def end(self) -> None:
        with suppress(Exception):  # It may be gone already.
            self.session.close()

    def _fail(self, error: Exception) -> NoReturn:
        told = _Told.of(error)
        self.is_broken = told.is_of_the_way or told.says(_GONE)
        passes = told.is_of_the_way and told.code not in _REFUSING
        # A token may have ended since the session was opened.
        again = passes or told.says(_GONE) or (told.code in (401, 403) and not self.is_new)
        raise told.refusal(self.target, MayPass if again else WarehouseError) from None


def _executed(cursor: Any, sql: str, tags: Mapping[str, Any]) -> None:
    from databricks.sql.backend.types import CommandState

    cursor.execute(sql, **tags)
    # The driver takes a statement that somebody cancelled for one with no rows.
    if (state := cursor.active_result_set.status) not in (CommandState.SUCCEEDED, CommandState.CLOSED):
        raise WarehouseError(f"{_ENGINE}: the statement was ended there ({state.name.lower()})")


def _all_rows(cursor: Any) -> Iterator[pa.Table]:
    yield of_usual_types(cursor.fetchall_arrow())


def _pieces(cursor: Any) -> Iterator[pa.Table]:
    piece = cursor.fetchmany_arrow(_ROWS)
    yield of_usual_types(piece)
    while piece.num_rows and (piece := cursor.fetchmany_arrow(_ROWS)).num_rows:
        yield of_usual_types(piece)


def _opened(target: _Target) -> Any:
    """A new session. A warehouse that is stopped starts, and says until then that it cannot be had."""
    from databricks import sql

    _found(target)
    target.tokens.token()  # The driver would say of a refusal that no answer came.
    until = time.monotonic() + target.connect_timeout
    while True:
        try:
            return sql.connect(**target.words, credentials_provider=target.tokens)
        except WarehouseError:
            raise
        except Exception as error:  # noqa: BLE001 - of the network's libraries too
            told = _Told.of(error)
            if told.code not in _STARTS or time.monotonic() + _STARTING > until:
                raise told.refusal(target, MayPass if told.code in _STARTS else WarehouseError) from None
        time.sleep(_STARTING)


def _found(target: _Target) -> None:
    """Raises WarehouseError for a host without an address: the driver would look for it for long."""
    if getproxies().get("https"):
        return  # It finds the host.
    try:
        socket.getaddrinfo(target.place, target.words["_port"])
    except OSError:
        raise WarehouseError(f"{_ENGINE}: there is no host {target.place}", fix=_FIX_HOST) from None


# -- what went wrong ------------------------------------------------------------------------------------------------

_FIX_HOST = "Check `host` of the warehouse, as its connection details have it."
_FIXES: Mapping[int | None, str] = {
    401: "Check the `token`, or `client_id` and `client_secret`, of the warehouse.",
    403: "Check the `token`, or `client_id` and `client_secret`, of the warehouse, and what they may use.",
    404: "Check `http_path` of the warehouse, as its connection details have it.",
}
_REFUSING = frozenset([400, 401, 403, 404])
_STARTS = frozenset([429, 503])
_GONE = ("Invalid SessionHandle", "Invalid OperationHandle", "INVALID_HANDLE", "session is not there")
_MISSING = ("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "CATALOG_NOT_FOUND", "NO_SUCH_CATALOG")
_TIMED_OUT = ("STATEMENT_TIMEOUT", "timed out", "TIMEDOUT")
_TOO_MANY = re.compile(r"too many (\d{3}) error responses|HTTP (\d{3})\b|exceed Retry policy max retry duration")


class _NotThere(WarehouseError):
    """No such table, or none that may be seen."""


@dataclass(frozen=True)
class _Told:
    """A failure of the driver: the words, the code of HTTP if there was one, and whether an answer came at all."""

    said: str
    code: int | None
    is_of_the_way: bool
    """Not of the statement: no answer, half of one, or one that is not Databricks' own."""

    @classmethod
    def of(cls, error: Exception) -> _Told:
        from databricks.sql import exc

        of_the_way = isinstance(error, exc.RequestError | exc.DataError) or not isinstance(error, exc.Error)
        context = getattr(error, "context", None) or {}
        code = context.get("http-code")
        said = str(context.get("error-message") or error).strip().lstrip(": ").split("\n")[0]
        if found := _TOO_MANY.search(str(error)):
            code = int(found[1] or found[2] or 503)
        return cls(said or type(error).__name__, code if code != 200 else None, of_the_way)

    def says(self, words: tuple[str, ...]) -> bool:
        return any(one in self.said for one in words)

    def refusal(self, target: _Target, usual: type[WarehouseError]) -> WarehouseError:
        said = target.tokens.hidden(self.said)
        if not self.is_of_the_way:
            kind = _NotThere if self.says(_MISSING) else usual
            late = ASK_FOR_LESS if self.says(_TIMED_OUT) else None
            return kind(f"{_ENGINE}: {said}", fix=late)
        if "CERTIFICATE_VERIFY_FAILED" in said:
            return WarehouseError(f"{_ENGINE}: the certificate of {target.place} is not trusted", fix="Say `ca_cert`.")
        if self.code in _STARTS:
            seconds = target.connect_timeout
            return usual(f"{_ENGINE}: the warehouse cannot be had ({self.code}), not in {seconds} seconds either")
        if self.code is None:
            return usual(f"{_ENGINE}: no whole answer came from {target.place}: {said}")
        return usual(f"{_ENGINE}: {said}", fix=_FIXES.get(self.code))


# -- settings ---------------------------------------------------------------------------------------------------------


def connect(settings: Mapping[str, object], folder: Path) -> DatabricksWarehouse:
    """Reach the SQL warehouse or cluster of `host` and `http_path` by a token or as a client of OAuth, and try it.

    Files are relative to the folder. Raises WarehouseError when it cannot be reached or refuses, MissingDriver without
    the `databricks-sql-connector` package.
    """
    try:
        importlib.import_module("databricks.sql")
    except ImportError:
        raise MissingDriver("databricks-sql-connector", "databricks") from None
    warehouse = DatabricksWarehouse(_target(settings, folder))
    warehouse.check()
    return warehouse


_WHERE = "Copy it from the connection details of the SQL warehouse or the cluster."


def _target(settings: Mapping[str, object], folder: Path) -> _Target:
    for name in ("host", "http_path"):
        if not settings.get(name):
            raise WarehouseError(f"`{name}` of the warehouse is not said", fix=_WHERE)
    host, path = _host(settings), str(settings["http_path"])
    ca_cert = _file(folder / str(settings["ca_cert"]), "ca_cert") if "ca_cert" in settings else None
    port = whole(settings, "port") if "port" in settings else 443
    timeout = whole(settings, "statement_timeout") if "statement_timeout" in settings else None
    tags = "query_tags" in settings and yes(settings, "query_tags")
    words: dict[str, Any] = {
        "server_hostname": host,
        "http_path": path,
        "_port": port,
        "catalog": str(settings["catalog"]) if "catalog" in settings else None,
        "schema": str(settings["schema"]) if "schema" in settings else None,
        "session_configuration": _session(path, timeout, tags=tags),
        "user_agent_entry": _USER_AGENT,
        # Values of lists and structures come as texts.
        "_use_arrow_native_complex_types": False,
        "enable_telemetry": False,
        **_RETRIES,
    }
    if ca_cert is not None:
        words["_tls_trusted_ca_file"] = ca_cert
    return _Target(
        words=words,
        tokens=_tokens(settings, folder, f"https://{host}:{port}/oidc/v1/token", ca_cert),
        most=whole(settings, "connections") if "connections" in settings else _CONNECTIONS,
        tags=tags,
        connect_timeout=whole(settings, "connect_timeout") if "connect_timeout" in settings else _CONNECT_TIMEOUT,
        statement_timeout=timeout,
    )


def _host(settings: Mapping[str, object]) -> str:
    written = str(settings["host"])
    if not re.fullmatch(r"[A-Za-z0-9.-]+", written):
        raise WarehouseError("`host` of the warehouse is no name of a host", fix="Write it without https:// and path.")
    return written


def _file(file: Path, name: str) -> str:
    """Where a file is that others will read. Raises WarehouseError where nobody can."""
    secret(file, name)
    return str(file)


def _session(path: str, timeout: int | None, *, tags: bool) -> dict[str, str]:
    """The session's own settings, in the names that a SQL warehouse has for them, or a cluster."""
    if not re.search(r"/(warehouses|endpoints)/", path):
        return dict(_OF_CLUSTERS)
    limit = {} if timeout is None else {"statement_timeout": str(timeout)}
    return {**_OF_WAREHOUSES, **limit, **({"query_tags": f"app:{_USER_AGENT}"} if tags else {})}


def _tokens(settings: Mapping[str, object], folder: Path, address: str, ca_cert: str | None) -> Tokens:
    """Who asks. Raises WarehouseError where that is not one way."""
    given = [name for name in ("token", "token_file", "client_id") if name in settings]
    if len(given) != 1:
        both = f"the warehouse is given {' and '.join(f'`{name}`' for name in given)}"
        raise WarehouseError(
            both if given else "the warehouse does not say how to log in",
            fix="Say one of `token`, `token_file`, and `client_id` with its `client_secret`.",
        )
    if given != ["client_id"]:
        return Tokens(_ENGINE, _reader(settings, "token", folder))
    if ("client_secret" in settings) == ("client_secret_file" in settings):
        raise WarehouseError("`client_id` of the warehouse needs `client_secret`, or `client_secret_file`")
    secret_of = _reader(settings, "client_secret", folder)
    return Tokens(_ENGINE, None, str(settings["client_id"]), secret_of, address, ca_cert)


def _reader(settings: Mapping[str, object], name: str, folder: Path) -> Callable[[], str]:
    """Reads a setting, or its file each time: such files are renewed."""
    if name in settings:
        return lambda: str(settings[name])
    return lambda: secret(folder / str(settings[f"{name}_file"]), f"{name}_file").strip()


_SETTINGS = (
    *("host", "port", "http_path", "catalog", "schema", "token", "token_file"),
    *("client_id", "client_secret", "client_secret_file", "ca_cert", "query_tags"),
    *("connect_timeout", "statement_timeout", "connections"),
)
ENGINE = Engine("databricks", DatabricksDialect(), connect, _SETTINGS)
