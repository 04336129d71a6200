"""Spark for the tests: Sail, which speaks Spark Connect; one server for each process that asks for one.

It answers in milliseconds where Spark on the JVM takes seconds. Where it is not like Spark, `DIFFERENT` says so.
"""

from __future__ import annotations

import atexit
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow as pa

from environments import NotInstalled, missing
from metrics_api.engines.spark import SparkWarehouse, connect


@dataclass(frozen=True)
class Server:
    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def settings(self) -> dict[str, object]:
        """The settings of a warehouse of type `spark`."""
        return {"host": "127.0.0.1", "port": self.port}

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def server() -> Server:
    """The server of this process, started when first asked for. Where there is none: a skip, in CI a failure."""
    try:
        return started()
    except NotInstalled as error:
        missing(error)


def started() -> Server:
    """A new server, which ends with this process. Raises NotInstalled."""
    program = Path(sys.executable).with_name("sail")
    if importlib.util.find_spec("pyspark") is None or not program.is_file():
        raise NotInstalled("pysail and pyspark-client are not installed: `make test-engines` does it")
    folder = Path(tempfile.mkdtemp(prefix="metrics-api-sail-"))
    with (folder / "log").open("wb") as log:
        command = [program, "spark", "server", "--ip", "127.0.0.1", "--port", "0"]
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    running = Server(folder, _port(folder, process), process)
    atexit.register(running.stop)
    return running


def _port(folder: Path, process: subprocess.Popen[bytes], seconds: float = 120) -> int:
    until = time.monotonic() + seconds
    while True:
        said = (folder / "log").read_text(errors="replace")
        if found := re.search(r"server on 127\.0\.0\.1:([1-9]\d*)", said):
            return int(found[1])
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            raise AssertionError(said)
        time.sleep(0.05)


@cache
def warehouse() -> SparkWarehouse:
    """The connection of the product to the server."""
    name_the_program()
    connected = connect(server().settings, Path())
    atexit.register(connected.close)
    return connected


def name_the_program() -> None:
    """pyspark takes a program without a file for its own doctests, and ends it; a worker of pytest-xdist is one."""
    program = sys.modules["__main__"]
    if not hasattr(program, "__file__"):
        program.__file__ = __file__


def put(tables: Mapping[str, pa.Table]) -> None:
    """Make these the rows of the tables of these names, as views of the session."""
    put_into(warehouse(), tables)


def put_into(warehouse: SparkWarehouse, tables: Mapping[str, pa.Table]) -> None:
    session = warehouse._session.now()
    from pyspark.sql.pandas.types import from_arrow_schema

    for name, table in tables.items():
        # Of no rows Spark wants to be told the types.
        schema = from_arrow_schema(table.schema)
        frame = session.createDataFrame(table) if table.num_rows else session.createDataFrame([], schema)
        frame.createOrReplaceTempView(name)
