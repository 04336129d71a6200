"""Snowflake for the tests: fakesnow's server in an environment of its own, one for each process that asks for one.

fakesnow and the product pin different versions of sqlglot, so it lives in `.engines/fakesnow` (made on first use, kept
between runs). The product speaks to it by the real driver. What the fake lacks is put in by fakesnow_server.py.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import math
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from environments import NotInstalled, missing, python_with
from metrics_api.engines.snowflake import SnowflakeWarehouse, connect

REQUIREMENTS = Path(__file__).with_name("fakesnow_requirements.txt")
USER, PASSWORD, DATABASE, SCHEMA = "tester", "s3cret & long", "TESTS", "PUBLIC"
OAUTH, PAT = "oauth-t0ken-of-tester", "pat-t0ken-of-tester"


@dataclass(frozen=True)
class Server:
    """Where it listens, and the process that it is."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def place(self) -> dict[str, object]:
        """Where a warehouse of type `snowflake` is, without who asks."""
        return {
            "account": "testing",
            "host": "localhost",
            "port": self.port,
            "protocol": "http",
            "database": DATABASE,
            "schema": SCHEMA,
            "warehouse": "SMALL",
        }

    @property
    def settings(self) -> dict[str, object]:
        """The settings of a warehouse of type `snowflake`."""
        return {**self.place, "user": USER, "password": PASSWORD}

    def tell(self, path: str, body: object = None) -> Any:
        """Ask what came over the wire, or break something: see fakesnow_server.py."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"http://localhost:{self.port}/tests/{path}", data, timeout=30) as answer:
            return json.load(answer)

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()  # It ends with its standard input.
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def server() -> Server:
    """The server of this process, started when first asked for. Where there is none: a skip, in CI a failure."""
    try:
        return started()
    except NotInstalled as error:
        missing(error)


def python() -> Path:
    """The Python of fakesnow's environment."""
    return python_with("fakesnow", REQUIREMENTS.read_text("utf-8"))


def started() -> Server:
    """A new server, which ends with this process. Raises NotInstalled."""
    if importlib.util.find_spec("snowflake.connector") is None:
        raise NotInstalled("snowflake-connector-python is not installed: `make test-engines` does it")
    program = python()
    folder = Path(tempfile.mkdtemp(prefix="metrics-api-snowflake-"))
    users = {USER.upper(): {"password": PASSWORD, "public_key": key_pair()[1], "oauth": OAUTH, "pat": PAT}}
    (folder / "users.json").write_text(json.dumps(users), "utf-8")
    script = Path(__file__).with_name("fakesnow_server.py")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, script, folder / "port", folder / "users.json"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    running = Server(folder, _port(folder, process), process)
    atexit.register(running.stop)
    return running


def _port(folder: Path, process: subprocess.Popen[bytes], seconds: float = 120) -> int:
    until = time.monotonic() + seconds
    while not (folder / "port").is_file():
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            raise AssertionError((folder / "log").read_text(errors="replace"))
        time.sleep(0.05)
    return int((folder / "port").read_text("utf-8"))


@cache
def key_pair() -> tuple[Any, str]:
    """A private key, and its public half as PEM."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return key, public.decode()


# -- tables -----------------------------------------------------------------------------------------------------------

_TYPES = {
    pa.string(): "VARCHAR",
    pa.int32(): "NUMBER(10, 0)",
    pa.int64(): "NUMBER(38, 0)",
    pa.float64(): "FLOAT",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.timestamp("us"): "TIMESTAMP_NTZ",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP_LTZ",
}


def column_type(type_: pa.DataType) -> str:
    """The type of a column that holds Arrow's."""
    return f"NUMBER({type_.precision}, {type_.scale})" if pa.types.is_decimal(type_) else _TYPES[type_]


@cache
def warehouse() -> SnowflakeWarehouse:
    """The connection of the product to the server."""
    connected = connect(server().settings, Path())
    atexit.register(connected.close)
    return connected


@cache
def writer() -> Any:
    """A session of the driver's own, which writes."""
    from snowflake.connector import connect as connect_driver

    where = {key: value for key, value in server().settings.items() if key != "warehouse"}
    session = connect_driver(**where, network_timeout=60, platform_detection_timeout_seconds=0.0)
    atexit.register(session.close)
    return session


def put(tables: Mapping[str, pa.Table]) -> None:
    """Make these the rows of the tables of these names."""
    for name, table in tables.items():
        columns = ", ".join(f"{_quoted(one.name)} {column_type(one.type)}" for one in table.schema)
        written = writer().cursor()
        written.execute(f"CREATE OR REPLACE TABLE {_quoted(name)} ({columns})")
        rows = ", ".join(
            f"({', '.join(map(_literal, row))})"
            for row in zip(*(column.to_pylist() for column in table.columns), strict=True)
        )
        if rows:
            written.execute(f"INSERT INTO {_quoted(name)} VALUES {rows}")


def _quoted(name: str) -> str:
    """A name as Snowflake keeps it that is created bare, if it is in lower case; else one that is created in quotes."""
    kept = name.upper() if name.isascii() and name.isidentifier() and name.islower() else name
    return '"' + kept.replace('"', '""') + '"'


def _literal(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case datetime() | date():
            return f"'{value.isoformat(sep=' ') if isinstance(value, datetime) else value.isoformat()}'"
        case str():
            return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
        case float():
            return repr(value) if math.isfinite(value) else f"'{value}'::FLOAT"
    return str(value)
