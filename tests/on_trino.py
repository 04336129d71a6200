"""Trino for the tests: its client protocol over HTTP, spoken for DuckDB with Trino's functions (trino_on_duckdb.py).

The driver is the real one. The server checks what came over the wire, keeps statements that can be cancelled and are
ended at their time limit, gives rows in pages of Trino's own spelling, and breaks on request.
"""

from __future__ import annotations

import atexit
import base64
import json
import math
import re
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import pyarrow as pa
import pytest

from metrics_api.engines.trino import TrinoWarehouse, connect
from trino_on_duckdb import Refused, on_duckdb, prepared

WHY = "the driver of Trino is not installed: make test-engines, or pip install -e '.[dev,engines]'"
USER, PASSWORD, TOKEN = "tester", "s3cret & long", "t0ken-of-tester"
CATALOG, SCHEMA = "lake", "analytics"


@dataclass
class Faults:
    """What the server is to do wrong."""

    status: list[int] = field(default_factory=list)
    """Statuses with which the next requests are answered, one each; 0: as usual."""
    page: Mapping[int, str] = field(default_factory=dict)
    """What happens to pages of rows, by their number from 0: `error`, `drop` (no body comes) or `cut` (half of it);
    with ` once` the first time only."""
    rows: int = 1_000
    """Rows of a page."""


class Server(ThreadingHTTPServer):
    """Trino, as far as a client sees it."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Spoken)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.scheme = "http" if tls is None else "https"
        self.port = self.server_address[1]
        self.faults = Faults()
        self.seen: list[tuple[str, str, Mapping[str, str]]] = []
        """The method, path and headers of every request."""
        self.statements: dict[str, Statement] = {}
        self.numbers = count()
        self.database = prepared(duckdb.connect())
        self.database.execute(f"SET threads = 2; ATTACH ':memory:' AS {CATALOG}; CREATE SCHEMA {CATALOG}.{SCHEMA}")

    def cursor(self, catalog: str = CATALOG, schema: str = SCHEMA) -> duckdb.DuckDBPyConnection:
        cursor = self.database.cursor()
        cursor.execute("SET python_enable_replacements = false")
        if catalog and schema:
            cursor.execute(f"SET search_path = '{catalog}.{schema},memory.main'")
        return cursor

    def running(self) -> list[Statement]:
        return [one for one in self.statements.values() if not one.done.is_set()]

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self.statements.clear()
        self.database.close()
        del self.database

    @property
    def settings(self) -> dict[str, object]:
        """The settings of a warehouse of type `trino`, without a secret."""
        return {"host": "127.0.0.1", "port": self.port, "user": USER, "catalog": CATALOG, "schema": SCHEMA}


@cache
def server() -> Server:
    """The server of this process, started when first asked for."""
    pytest.importorskip("trino.client", reason=WHY)
    return started(Server())


def started(serving: Server) -> Server:
    threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    atexit.register(serving.stop)
    return serving


@cache
def warehouse() -> TrinoWarehouse:
    """The connection of the product to the server."""
    connected = connect(server().settings, Path())
    atexit.register(connected.close)
    return connected


def put(tables: Mapping[str, pa.Table]) -> None:
    """Make these the rows of the tables of these names."""
    cursor = server().cursor()
    for name, table in tables.items():
        cursor.register("incoming", table)
        quoted = name.replace('"', '""')
        cursor.execute(f'CREATE OR REPLACE TABLE {CATALOG}.{SCHEMA}."{quoted}" AS SELECT * FROM incoming')
        cursor.unregister("incoming")
    cursor.close()


# -- statements -------------------------------------------------------------------------------------------------------


class Statement:
    """One that runs, or ran, in a thread of its own."""

    def __init__(self, serving: Server, sql: str, headers: Mapping[str, str]) -> None:
        self.id = f"20260323_120000_{next(serving.numbers):05}_tests"
        self.sql = sql
        self.done = threading.Event()
        self.columns: list[dict[str, Any]] = []
        self.rows: list[list[Any]] = []
        self.error: dict[str, Any] | None = None
        self.ended: str | None = None
        """The error's name, where it did not end by itself."""
        self._cursor = serving.cursor(headers.get("X-Trino-Catalog", ""), headers.get("X-Trino-Schema", ""))
        self._properties = dict(one.split("=", 1) for one in headers.get("X-Trino-Session", "").split(",") if one)
        threading.Thread(target=self._run, daemon=True).start()

    def end(self, name: str) -> None:
        with suppress(AttributeError):  # It is over.
            self.ended = name
            self._cursor.interrupt()

    def _run(self) -> None:
        seconds = int(self._properties.get("query_max_run_time", "3600s").removesuffix("s"))
        timer = threading.Timer(seconds, self.end, ("EXCEEDED_TIME_LIMIT",))
        timer.daemon = True
        timer.start()
        try:
            self.columns, self.rows = _answer(self._cursor, self.sql)
        except (Refused, duckdb.Error) as error:
            self.error = _error(error, self.ended, seconds)
        finally:
            timer.cancel()
            self._cursor.close()
            del self._cursor
            self.done.set()


def _answer(cursor: duckdb.DuckDBPyConnection, sql: str) -> tuple[list[dict[str, Any]], list[list[Any]]]:
    """The columns and rows as the protocol has them."""
    if found := re.match(r"SHOW COLUMNS FROM (.+)", sql):
        cursor.execute(f"SELECT * FROM {found[1]} LIMIT 0")
        columns = [[name, _trino_type(str(type_)), "", ""] for name, type_, *_ in cursor.description or ()]
        return [_column(name, "varchar") for name in ("Column", "Type", "Extra", "Comment")], columns
    if found := re.match(r"EXPLAIN \(TYPE IO, FORMAT JSON\) (.+)", sql, re.DOTALL):
        return [_column("Query Plan", "varchar")], [[json.dumps(_inputs(cursor, found[1]))]]
    _validated(sql)
    cursor.execute(on_duckdb(sql))
    columns = [_column(name, _trino_type(str(type_))) for name, type_, *_ in cursor.description or ()]
    types = [str(column["type"]) for column in columns]
    return columns, [
        [_spelled(value, type_) for value, type_ in zip(row, types, strict=True)] for row in cursor.fetchall()
    ]


def _validated(sql: str) -> None:
    """Every statement is read by a parser of Trino's grammar, which knows its functions and types. Raises Refused."""
    from trino_sql_validator import validate

    found = validate(sql)
    # What follows a column called `returns` is no type: the parser thinks of CREATE FUNCTION.
    if wrong := [one for one in found.warnings if getattr(one, "name", "") != "from"]:
        raise Refused("FUNCTION_NOT_FOUND", str(wrong[0]))
    # The parser's own limit is some hundred constant rows.
    if found.error is not None and "maximum SQL statement complexity" not in found.error.message:
        raise Refused("SYNTAX_ERROR", found.error.message)


def _inputs(cursor: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    """What EXPLAIN tells of the tables that are read: their rows, of 100 bytes each."""
    cursor.execute(f"EXPLAIN {on_duckdb(sql)}")
    names = cursor.execute(
        "SELECT table_name, estimated_size FROM duckdb_tables() WHERE database_name = ? AND schema_name = ?",
        [CATALOG, SCHEMA],
    ).fetchall()
    read = [(name, rows) for name, rows in names if re.search(rf"\b{name}\b", sql)]
    return {
        "inputTableColumnInfos": [
            {
                "table": {"catalog": CATALOG, "schemaTable": {"schema": SCHEMA, "table": name}},
                "estimate": {"outputRowCount": float(rows), "outputSizeInBytes": 100.0 * rows if rows else "NaN"},
            }
            for name, rows in read
        ]
    }


_TYPES = {
    "VARCHAR": "varchar", "BOOLEAN": "boolean", "INTEGER": "integer", "BIGINT": "bigint", "DOUBLE": "double",
    "DATE": "date", "TIMESTAMP": "timestamp(6)", "TIMESTAMP WITH TIME ZONE": "timestamp(6) with time zone",
    # Sums are of the type of their numbers, and may be too large for it.
    "HUGEINT": "bigint", "FLOAT": "real", "SMALLINT": "smallint", "TINYINT": "tinyint", "TIMESTAMP_MS": "timestamp(3)",
    "TIMESTAMP_NS": "timestamp(9)", "TIMESTAMP_S": "timestamp(0)", "JSON": "json", "UUID": "uuid",
    "\"NULL\"": "unknown",
}  # fmt: skip


def _trino_type(type_: str) -> str:
    if found := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", type_):
        return f"decimal({found[1]},{found[2]})"
    if type_.endswith("[]"):
        return f"array({_trino_type(type_[:-2])})"
    return _TYPES[type_]


def _column(name: str, type_: str) -> dict[str, Any]:
    found = re.fullmatch(r"(\w+)(?:\(([\d,]+)\))?( with time zone)?", type_)
    raw, arguments = (f"{found[1]}{found[3] or ''}", found[2]) if found else (type_.partition("(")[0], None)
    values = [{"kind": "LONG", "value": int(one)} for one in arguments.split(",")] if arguments else []
    return {"name": name, "type": type_, "typeSignature": {"rawType": raw, "arguments": values}}


def _spelled(value: Any, type_: str) -> Any:
    """A value as Trino writes it in JSON."""
    match value:
        case bool() | None:
            return value
        case int():
            if not -(2**63) <= value < 2**63:
                raise Refused("NUMERIC_VALUE_OUT_OF_RANGE", "bigint addition overflow")
            return value
        case float():
            return value if math.isfinite(value) else _not_finite(value)
        case datetime():
            digits = int(type_[10 : type_.index(")")])
            fraction = f"{value.microsecond:06}".ljust(12, "0")[:digits]
            zone = " UTC" if type_.endswith("zone") else ""
            return f"{value.replace(tzinfo=None, microsecond=0).isoformat(' ')}{'.' if digits else ''}{fraction}{zone}"
        case date():
            return value.isoformat()
        case list():
            return [_spelled(one, type_[6:-1]) for one in value]
    return str(value)


def _not_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


_CODES = {
    "SYNTAX_ERROR": 1, "USER_CANCELED": 3, "PERMISSION_DENIED": 4, "FUNCTION_NOT_FOUND": 6,
    "INVALID_FUNCTION_ARGUMENT": 7, "INVALID_CAST_ARGUMENT": 9, "NUMERIC_VALUE_OUT_OF_RANGE": 19,
    "QUERY_TEXT_TOO_LARGE": 35, "SCHEMA_NOT_FOUND": 45, "TABLE_NOT_FOUND": 46, "COLUMN_NOT_FOUND": 47,
    "TYPE_MISMATCH": 58, "GENERIC_INTERNAL_ERROR": 65_536, "REMOTE_TASK_ERROR": 65_542, "EXCEEDED_TIME_LIMIT": 131_075,
}  # fmt: skip


def _error(error: Exception, ended: str | None, seconds: int) -> dict[str, Any]:
    """A failure as Trino tells it."""
    said = str(error)
    if ended == "EXCEEDED_TIME_LIMIT":
        return failure(ended, f"Query exceeded the maximum run time limit of {seconds:.2f}s")
    if ended is not None:
        return failure(ended, "Query was canceled")
    if isinstance(error, Refused):
        return failure(error.code, f"line 1:1: {said}")
    if found := re.search(r"Table with name (\S+) does not exist", said):
        return failure("TABLE_NOT_FOUND", f"line 1:15: Table '{CATALOG}.{SCHEMA}.{found[1]}' does not exist")
    if found := re.search(r'Referenced column "(.+?)" not found', said):
        return failure("COLUMN_NOT_FOUND", f"line 1:8: Column '{found[1]}' cannot be resolved")
    kinds = {
        duckdb.ParserException: "SYNTAX_ERROR",
        duckdb.BinderException: "TYPE_MISMATCH",
        duckdb.OutOfRangeException: "NUMERIC_VALUE_OUT_OF_RANGE",
        duckdb.ConversionException: "INVALID_CAST_ARGUMENT",
        duckdb.InvalidInputException: "INVALID_FUNCTION_ARGUMENT",
    }
    name = next((name for kind, name in kinds.items() if isinstance(error, kind)), "GENERIC_INTERNAL_ERROR")
    return failure(name, said)


def failure(name: str, said: str) -> dict[str, Any]:
    code = _CODES[name]
    kind = ("USER_ERROR", "INTERNAL_ERROR", "INSUFFICIENT_RESOURCES")[code >> 16]
    return {"message": said, "errorCode": code, "errorName": name, "errorType": kind, "failureInfo": {"type": "tests"}}


# -- the protocol -----------------------------------------------------------------------------------------------------

_PATIENCE = 1.0
"""Seconds that a request for a page waits for rows, as Trino's do."""


class _Spoken(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Server

    def do_POST(self) -> None:
        sql = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self._is_usual():
            statement = Statement(self.server, sql, {name: unquote(value) for name, value in self.headers.items()})
            self.server.statements[statement.id] = statement
            self._say(200, _told(statement, "QUEUED", self._uri(statement, 0)))

    def do_GET(self) -> None:
        if self._is_usual():
            identity, page = self.path.removeprefix("/v1/statement/executing/").split("/")
            statement = self.server.statements.get(identity)
            if statement is None:
                self._say(404, "Query not found")
            elif not statement.done.wait(_PATIENCE):
                self._say(200, _told(statement, "RUNNING", self._uri(statement, int(page))))
            elif statement.error is not None:
                self._say(200, {**_told(statement, "FAILED"), "error": statement.error})
            else:
                self._page(statement, int(page))

    def do_DELETE(self) -> None:
        if self._is_usual():
            identity = self.path.removeprefix("/v1/statement/executing/").partition("/")[0]
            self.server.statements[identity].end("USER_CANCELED")
            self._say(204)

    def _page(self, statement: Statement, page: int) -> None:
        rows = self.server.faults.rows
        last = (len(statement.rows) - 1) // rows if statement.rows else -1
        told = _told(statement, "FINISHED" if page > last else "RUNNING")
        told["columns"] = statement.columns
        if page <= last:
            told |= {"data": statement.rows[page * rows : (page + 1) * rows], "nextUri": self._uri(statement, page + 1)}
        how = self.server.faults.page.get(page, "")
        if how.endswith(" once"):
            self.server.faults.page = {}
        match how.removesuffix(" once"):
            case "error":
                lost = failure("REMOTE_TASK_ERROR", "Encountered too many errors talking to a worker node")
                self._say(200, {**_told(statement, "FAILED"), "error": lost})
            case "drop" | "cut" as how:
                self._say(200, told, cut=2 if how == "cut" else 10**9)
            case _:
                self._say(200, told)

    def _is_usual(self) -> bool:
        """Note the request; answer it here where who asks is not known, or a fault is wanted."""
        self.server.seen.append((self.command, self.path, dict(self.headers.items())))
        status = self.server.faults.status.pop(0) if self.server.faults.status else 0
        if status:
            self._say(status)
        elif not self._is_known():
            self._say(401, "Unauthorized")
            return False
        return not status

    def _is_known(self) -> bool:
        if self.server.scheme == "http":
            return "Authorization" not in self.headers
        kind, _, said = self.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            return base64.b64decode(said).decode() == f"{USER}:{PASSWORD}"
        return (kind, said) == ("Bearer", TOKEN)

    def _uri(self, statement: Statement, page: int) -> str:
        return f"{self.server.scheme}://127.0.0.1:{self.server.port}/v1/statement/executing/{statement.id}/{page}"

    def _say(self, status: int, body: object = None, cut: int = 1) -> None:
        written = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(written)))
        if cut > 1:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(written[: len(written) // cut])
        self.wfile.flush()
        self.close_connection = cut > 1

    def log_message(self, *_: object) -> None:
        """Nothing is written beside what the tests say."""


def _told(statement: Statement, state: str, following: str | None = None) -> dict[str, Any]:
    done = len(statement.rows)
    stats = {"state": state, "processedRows": done, "processedBytes": 100 * done, "nodes": 1}
    told = {"id": statement.id, "infoUri": f"http://127.0.0.1/ui/query.html?{statement.id}", "stats": stats}
    return {**told, "nextUri": following} if following else told
