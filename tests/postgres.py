"""A PostgreSQL server for the tests: one for each process that asks for one, gone when that process ends.

It listens on a socket in a folder of its own only. Its collation is a language's where the build has any, because a
database of a company is ordered that way: answers must not depend on it.
"""

from __future__ import annotations

import atexit
import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from metrics_api.engines.postgres import PostgresWarehouse, connect

USER, PASSWORD, DATABASE = "tester", "s3cret and long", "tests"
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "listen_addresses": "",
    # Not UTC, and not the driver's spelling of dates: a session has to see to both itself.
    "timezone": "Pacific/Auckland",
    "datestyle": "German",
}
_LOCALES = (("--locale-provider=icu", "--icu-locale=en-US", "--locale=C"), ("--locale=C.UTF-8",), ("--locale=C",))


@dataclass(frozen=True)
class Server:
    """Where it is, and the process that it is."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def settings(self) -> dict[str, object]:
        """The settings of a warehouse of type `postgres`."""
        return {"host": str(self.folder), "user": USER, "password": PASSWORD, "database": DATABASE}

    def session(self) -> psycopg.Connection[Any]:
        """A session that may write."""
        return psycopg.connect(
            host=str(self.folder),
            user=USER,
            password=PASSWORD,
            dbname=DATABASE,
            autocommit=True,
            options="-c TimeZone=UTC",
        )

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class NotInstalled(Exception):
    """There is no PostgreSQL here."""


@cache
def server() -> Server:
    """The server of this process, started when first asked for. Where there is none: a skip, in CI a failure."""
    try:
        return started(SETTINGS)
    except NotInstalled as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


def started(configuration: Mapping[str, str]) -> Server:
    """A new server, which ends with this process. Raises NotInstalled."""
    programs = _programs()
    if programs is None:
        raise NotInstalled(
            "PostgreSQL's initdb and postgres are not installed (Debian, Ubuntu: apt install postgresql)"
        )
    # Short, because the path of a socket ends at about a hundred characters.
    folder = Path(tempfile.mkdtemp(prefix="metrics-api-pg-", dir="/tmp"))
    owner = _owner()
    if owner:
        os.chown(folder, pwd.getpwnam(owner).pw_uid, -1)
    as_owner: dict[str, Any] = {"user": owner, "extra_groups": []} if owner else {}
    _initialized(programs, folder, as_owner)
    options = [part for name, value in configuration.items() for part in ("-c", f"{name}={value}")]
    command = [programs / "postgres", "-D", folder / "data", "-k", folder, *options]
    with Path(folder, "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **as_owner)
    running = Server(folder, process)
    atexit.register(running.stop)
    _ready(running)
    return running


def _programs() -> Path | None:
    """The folder that has initdb and postgres: on PATH, or where Debian and Homebrew put them."""
    found = shutil.which("postgres")
    folders = [Path(found).resolve().parent] if found else []
    for place in ("/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt"):
        folders += sorted(Path(place).glob("*/bin"), reverse=True)
    return next((one for one in folders if (one / "initdb").is_file() and (one / "postgres").is_file()), None)


def _owner() -> str | None:
    """The user that the server runs as; None: this one. PostgreSQL refuses to be root."""
    if getpass.getuser() != "root" and os.geteuid() != 0:
        return None
    known = {one.pw_name for one in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _initialized(programs: Path, folder: Path, as_owner: Mapping[str, Any]) -> None:
    password = folder / "password"
    password.write_text(PASSWORD, encoding="utf-8")
    said = b""
    for locale in _LOCALES:
        command = [
            programs / "initdb", "-D", folder / "data", "-U", USER, "-A", "scram-sha-256", f"--pwfile={password}",
            "-E", "UTF8", "--no-sync", "--no-instructions", *locale,
        ]  # fmt: skip
        ran = subprocess.run(command, capture_output=True, cwd=folder, check=False, **as_owner)
        if ran.returncode == 0:
            return
        said = ran.stderr
        shutil.rmtree(folder / "data", ignore_errors=True)
    raise AssertionError(said.decode(errors="replace"))


def _ready(running: Server, seconds: float = 60) -> None:
    where = {"host": str(running.folder), "user": USER, "password": PASSWORD, "dbname": "postgres"}
    until = time.monotonic() + seconds
    while True:
        try:
            with psycopg.connect(**where, autocommit=True) as session:
                session.execute(f"CREATE DATABASE {DATABASE}")
            return
        except psycopg.OperationalError:
            if running.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(Path(running.folder, "log").read_text(errors="replace")) from None
            time.sleep(0.02)


# -- tables -----------------------------------------------------------------------------------------------------------

_TYPES = {
    pa.string(): "text",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float64(): "double precision",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.timestamp("us"): "timestamp",
    pa.timestamp("us", tz="UTC"): "timestamptz",
}


def column_type(type_: pa.DataType) -> str:
    """The type of a column that holds Arrow's."""
    return f"numeric({type_.precision}, {type_.scale})" if pa.types.is_decimal(type_) else _TYPES[type_]


@cache
def _writer() -> psycopg.Connection[Any]:
    session = server().session()
    atexit.register(session.close)
    return session


_made: dict[str, pa.Schema] = {}


def put(tables: Mapping[str, pa.Table]) -> None:
    """Make these the rows of the tables of these names, which are made where they are not there or of other columns."""
    with _writer().transaction(), _writer().cursor() as cursor:
        for name, table in tables.items():
            quoted = '"' + name.replace('"', '""') + '"'
            if _made.get(name) == table.schema:
                cursor.execute(f"TRUNCATE {quoted}")
            else:
                columns = ", ".join(f'"{one.name}" {column_type(one.type)}' for one in table.schema)
                cursor.execute(f"DROP TABLE IF EXISTS {quoted}; CREATE UNLOGGED TABLE {quoted} ({columns})")
                _made[name] = table.schema
            with cursor.copy(f"COPY {quoted} FROM STDIN") as copy:
                for row in _rows(table):
                    copy.write_row(row)


def _rows(table: pa.Table) -> Iterator[tuple[object, ...]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


@cache
def warehouse() -> PostgresWarehouse:
    """The connection of the product to the server."""
    connected = connect(server().settings, Path())
    atexit.register(connected.close)
    return connected
