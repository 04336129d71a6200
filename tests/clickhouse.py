"""A ClickHouse for the tests: chdb, the real engine inside of this process, behind the real driver.

It comes with the extra `engines`, which is large: `make test-engines` installs it. Elsewhere tests of it are skipped.
"""

from __future__ import annotations

import atexit
import base64
import importlib.util
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from metrics_api.engines.clickhouse import SESSION, ClickHouseWarehouse

WHY = "chdb is not installed: make test-engines, or pip install -e '.[dev,engines]'"
IS_THERE = importlib.util.find_spec("chdb") is not None


def needed() -> None:
    """Skip the test where there is no ClickHouse."""
    if not IS_THERE:
        if "clickhouse" in os.environ.get("METRICS_API_ENGINES", ""):
            pytest.fail(WHY)
        pytest.skip(WHY)


def client(settings: Mapping[str, object] | None = None) -> Any:
    """A session of its own at the one engine that a process can have. It ends with the process."""
    needed()
    import clickhouse_connect

    opened = clickhouse_connect.get_client(
        interface="chdb", settings=dict(settings or {}), show_clickhouse_errors="scrub"
    )
    atexit.register(opened.close)
    return opened


@cache
def warehouse(*, materialize: bool = True) -> ClickHouseWarehouse:
    """The connection of the product, with the settings of its sessions; to this release, or as if to an older one."""
    return ClickHouseWarehouse(client(SESSION), materialize=materialize)


# -- tables -----------------------------------------------------------------------------------------------------------

_TYPES = {
    pa.string(): "String",
    pa.int32(): "Int32",
    pa.int64(): "Int64",
    pa.float64(): "Float64",
    pa.bool_(): "Bool",
    pa.date32(): "Date32",
    pa.timestamp("us"): "DateTime64(6)",
    pa.timestamp("us", tz="UTC"): "DateTime64(6, 'UTC')",
}


_ZONES = (None, "UTC", "America/New_York", "Australia/Lord_Howe")


@cache
def _writer() -> Any:
    return client({"session_timezone": "UTC"})


def put(tables: Mapping[str, pa.Table]) -> None:
    """Make these the rows of the tables of these names."""
    for name, table in tables.items():
        _writer().command(f"CREATE OR REPLACE TABLE `{name}` ({columns(table)}) ENGINE = MergeTree ORDER BY tuple()")
        if table.num_rows:
            _writer().insert_arrow(f"`{name}`", table)


def columns(table: pa.Table) -> str:
    """The columns of a table as ClickHouse has them: of the types that people choose, one or the other.

    A column without nulls may be one that cannot hold any, texts may be kept as numbers of a dictionary, instants may
    be shown in any zone, and numbers may be unsigned.
    """
    said = []
    for place, field in enumerate(table.schema):
        type_ = type_of(field.type)
        if field.type == pa.int64() and table.num_rows % 2 and (pc.min(table.column(place)).as_py() or 0) >= 0:
            type_ = f"U{type_}"
        if field.type == pa.timestamp("us") and (zone := _ZONES[table.num_rows % len(_ZONES)]):
            type_ = f"DateTime64(6, '{zone}')"
        if table.column(place).null_count or (table.num_rows + place) % 2:
            type_ = f"Nullable({type_})"
        if field.type == pa.string() and (table.num_rows + place) % 3:
            type_ = f"LowCardinality({type_})"
        said.append(f"`{field.name}` {type_}")
    return ", ".join(said)


def type_of(type_: pa.DataType) -> str:
    return f"Decimal({type_.precision}, {type_.scale})" if pa.types.is_decimal(type_) else _TYPES[type_]


# -- a server ---------------------------------------------------------------------------------------------------------

USER, PASSWORD = "tester", "s3cret and long"
_FORMAT = re.compile(r"\s+FORMAT\s+(\w+)\s*$")
_NAMED = re.compile(r"query_id = '([^']*)'")
_NOT_SETTINGS = ("database", "query", "query_id", "wait_end_of_query", "send_progress_in_http_headers", "compress")


@dataclass(frozen=True)
class Server:
    """ClickHouse's own protocol over HTTP, spoken for the engine inside of this process."""

    port: int

    @property
    def settings(self) -> dict[str, object]:
        """The settings of a warehouse of type `clickhouse`."""
        return {"host": "127.0.0.1", "port": self.port, "user": USER, "password": PASSWORD}


@cache
def server() -> Server:
    """The server of this process, started when first asked for."""
    needed()
    serving = ThreadingHTTPServer(("127.0.0.1", 0), _Spoken)
    serving.daemon_threads = True
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    atexit.register(serving.shutdown)
    return Server(serving.server_address[1])


class _Spoken(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        try:
            self._authenticated()
            answer, code = _answered(asked.get("query", "") + said, asked), 0
        except (RuntimeError, PermissionError) as error:
            words = str(error)[str(error).index("Code: ") :]
            answer, code = f"{words} (version 26.9)".encode(), int(words[6 : words.index(".")])
        self.send_response({0: 200, 516: 403, 60: 404, 81: 404}.get(code, 500))
        if code:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _authenticated(self) -> None:
        kind, _, said = self.headers.get("Authorization", "").partition(" ")
        if kind != "Basic" or base64.b64decode(said).decode() != f"{USER}:{PASSWORD}":
            raise PermissionError(
                "Code: 516. DB::Exception: Authentication failed: password is incorrect, or there is no user with "
                "such name. (AUTHENTICATION_FAILED)"
            )

    def log_message(self, *_: object) -> None:
        """Nothing is written beside what the tests say."""


def _answered(sql: str, asked: Mapping[str, str]) -> bytes:
    """The bytes that a server would send, from a session with the settings of the request."""
    import chdb

    session = chdb.connect(":memory:")
    try:
        if database := asked.get("database"):
            session.query(f"USE `{database}`", "TabSeparated")
        for name, value in asked.items():
            if name not in _NOT_SETTINGS:
                session.query(f"SET {name} = '{value}'", "TabSeparated")
        # A server knows a statement by its name, the engine inside of a process by its text.
        sql = _NAMED.sub(r"query LIKE '/* \1 */%'", sql)
        sql = f"/* {asked['query_id']} */ {sql}" if "query_id" in asked else sql
        format_ = _FORMAT.search(sql)
        return bytes(session.query(_FORMAT.sub("", sql), format_[1] if format_ else "TabSeparated").bytes())
    finally:
        session.close()
