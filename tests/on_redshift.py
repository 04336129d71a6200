"""Redshift for the tests: PostgreSQL behind a door that speaks as Redshift does (redshift_on_postgres.py).

The driver is Amazon's own, and so is all that it sends: the door takes from the first packet what only Redshift knows,
and puts each statement into PostgreSQL's words. Passwords, types, limits of time and cancelling are PostgreSQL's.
"""

from __future__ import annotations

import atexit
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

import postgres
from metrics_api.engines.redshift import RedshiftWarehouse, connect
from postgres import PASSWORD
from redshift_on_postgres import PREPARATION, SESSION, Refused, on_postgres

WHY = "the driver of Redshift is not installed: make test-engines, or pip install -e '.[dev,engines]'"
USER, DATABASE = "analyst", "redshift"
_OURS = ("user", "database", "application_name")


@dataclass
class Door:
    """Where it listens, and what came through."""

    port: int
    folder: Path
    tls: ssl.SSLContext | None = None
    seen: list[str] = field(default_factory=list)
    """The statements as they were sent."""
    started: list[Mapping[str, str]] = field(default_factory=list)
    """What sessions were opened with."""
    rows_before_end: int | None = None
    """So many rows are let through, then the connection ends; None: all."""

    @property
    def settings(self) -> dict[str, object]:
        """The settings of a warehouse of type `redshift`."""
        place: dict[str, object] = {"host": "127.0.0.1", "port": self.port, "database": DATABASE, "tls": False}
        return {**place, "user": USER, "password": PASSWORD}


@cache
def door() -> Door:
    """The one of this process, opened when first asked for."""
    pytest.importorskip("redshift_connector", reason=WHY)
    prepared()
    return opened()


@cache
def prepared() -> None:
    """Make the database, once: texts in order of their bytes, functions of Redshift's, sessions not in UTC."""
    # The driver logs in as Redshift wants it, by MD5; its SCRAM does not go with PostgreSQL's.
    rules = postgres.server().folder / "data" / "pg_hba.conf"
    rules.write_text(f"local all {USER} md5\n{rules.read_text('utf-8')}", "utf-8")
    with postgres.server().session() as session:
        session.execute("SET password_encryption TO 'md5'")
        session.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'; GRANT pg_read_all_data TO {USER}")
        session.execute("SELECT PG_RELOAD_CONF()")
        session.execute(
            f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER libc "
            "LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
        )
        session.execute(f"ALTER DATABASE {DATABASE} SET timezone TO 'Pacific/Auckland'")
    with session_of_its_own() as session:
        session.execute(PREPARATION)
        session.execute(f"GRANT USAGE ON SCHEMA redshift TO {USER}")


def opened(tls: ssl.SSLContext | None = None) -> Door:
    listening = socket.create_server(("127.0.0.1", 0))
    made = Door(listening.getsockname()[1], postgres.server().folder, tls)
    threading.Thread(target=_listen, args=(listening, made), daemon=True).start()
    atexit.register(listening.close)
    return made


def session_of_its_own() -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=str(postgres.server().folder), user=postgres.USER, password=PASSWORD, dbname=DATABASE, autocommit=True
    )


# -- the door ---------------------------------------------------------------------------------------------------------

_TLS_WANTED, _END_WANTED = 80_877_103, 80_877_102


def _listen(listening: socket.socket, made: Door) -> None:
    while True:
        try:
            client, _ = listening.accept()
        except OSError:  # It is closed.
            return
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(client, made), daemon=True).start()


def _serve(client: socket.socket, made: Door) -> None:
    with suppress(OSError, EOFError), socket.socket(socket.AF_UNIX) as server:
        (length,) = struct.unpack("!I", _read(client, 4))
        packet = _read(client, length - 4)
        if struct.unpack("!I", packet[:4])[0] == _TLS_WANTED:
            client.sendall(b"N" if made.tls is None else b"S")
            if made.tls is None:
                return
            client = made.tls.wrap_socket(client, server_side=True)
            (length,) = struct.unpack("!I", _read(client, 4))
            packet = _read(client, length - 4)
        server.connect(str(made.folder / ".s.PGSQL.5432"))
        server.sendall(_first(packet, made))
        threading.Thread(target=_back, args=(server, client, made), daemon=True).start()
        while True:
            kind, (length,) = _read(client, 1), struct.unpack("!I", _read(client, 4))
            body = _read(client, length - 4)
            if kind == b"P":
                body = _parsed(body, made)
            server.sendall(kind + struct.pack("!I", len(body) + 4) + body)
    client.close()


def _first(packet: bytes, made: Door) -> bytes:
    """The first packet, of which PostgreSQL knows a part, with the settings of a session as Redshift's are."""
    words = packet[4:].rstrip(b"\0").decode().split("\0")
    said = dict(zip(words[::2], words[1::2], strict=True))
    made.started.append(said)
    options = {**SESSION, "search_path": "redshift,public"}
    kept = {name: value for name, value in said.items() if name in _OURS}
    kept["options"] = " ".join(f"-c {name}={value}" for name, value in options.items())
    body = packet[:4] + "".join(f"{name}\0{value}\0" for name, value in kept.items()).encode() + b"\0"
    return struct.pack("!I", len(body) + 4) + body


def _parsed(body: bytes, made: Door) -> bytes:
    name, sql, rest = body.split(b"\0", 2)
    made.seen.append(sql.decode())
    try:
        said = on_postgres(sql.decode())
    except Refused as error:
        said = f"SELECT refused('{str(error).replace(chr(39), chr(39) * 2)}')"
    return name + b"\0" + said.encode() + b"\0" + rest


def _back(server: socket.socket, client: socket.socket, made: Door) -> None:
    with suppress(OSError, EOFError), server.makefile("rb") as incoming, client.makefile("wb") as outgoing:
        while head := incoming.read(5):
            body = incoming.read(struct.unpack("!I", head[1:])[0] - 4)
            if head[:1] == b"S":
                name, value, _ = body.split(b"\0")
                body = b"\0".join((name, _STATUS.get(name, value), b""))
                head = head[:1] + struct.pack("!I", len(body) + 4)
            if head[:1] == b"D" and made.rows_before_end is not None:
                made.rows_before_end -= 1
                if made.rows_before_end < 0:
                    break
            outgoing.write(head + body)
            if head[:1] != b"D":  # Something always comes after rows.
                outgoing.flush()
    for one in (client, server):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


_STATUS = {b"server_version": b"8.0.2", b"client_encoding": b"UNICODE"}
"""What Redshift tells of itself."""


def _read(client: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = client.recv(size - len(found))
        if not piece:
            raise EOFError
        found += piece
    return found


# -- tables -----------------------------------------------------------------------------------------------------------


@cache
def writer() -> psycopg.Connection[Any]:
    """A session that may write, without the door, in UTC."""
    prepared()
    session = session_of_its_own()
    session.execute("SET timezone TO 'UTC'")
    atexit.register(session.close)
    return session


_made: dict[str, pa.Schema] = {}


def put(tables: Mapping[str, pa.Table]) -> None:
    """Make these the rows of the tables of these names, which are made where they are not there or of other columns."""
    with writer().transaction(), writer().cursor() as cursor:
        for name, table in tables.items():
            quoted = '"' + name.replace('"', '""') + '"'
            if _made.get(name) == table.schema:
                cursor.execute(f"TRUNCATE public.{quoted}")
            else:
                columns = ", ".join(f'"{one.name}" {_type(one.type)}' for one in table.schema)
                cursor.execute(
                    f"DROP TABLE IF EXISTS public.{quoted}; CREATE UNLOGGED TABLE public.{quoted} ({columns})"
                )
                _made[name] = table.schema
            with cursor.copy(f"COPY public.{quoted} FROM STDIN") as copy:
                for row in _rows(table):
                    copy.write_row(row)


def _type(type_: pa.DataType) -> str:
    return "varchar" if pa.types.is_string(type_) else postgres.column_type(type_)


def _rows(table: pa.Table) -> Iterator[tuple[object, ...]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


@cache
def warehouse() -> RedshiftWarehouse:
    """The connection of the product to the server."""
    connected = connect(door().settings, Path())
    atexit.register(connected.close)
    return connected
