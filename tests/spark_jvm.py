"""Spark itself, on the JVM, for `make test-engines-slow`: its Connect server, one for each process that asks for one.

It lives in `.engines/spark-jvm` (400 MB, made on first use) and needs Java 17 or later. The product speaks to it by
Spark Connect, as it does to Sail, which stands in for it daily.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow as pa

import sail
from environments import NotInstalled, missing, python_with
from metrics_api.engines.spark import SparkWarehouse, connect

REQUIREMENTS = Path(__file__).with_name("spark_jvm_requirements.txt")
_LOGGED = """
rootLogger.level = warn
rootLogger.appenderRef.written.ref = written
appender.written.type = Console
appender.written.name = written
appender.written.target = SYSTEM_ERR
appender.written.layout.type = PatternLayout
appender.written.layout.pattern = %p %c{1}: %m%n
logger.connect.name = org.apache.spark.sql.connect.service
logger.connect.level = info
"""
_SETTINGS = {
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.connect.grpc.binding.port": "0",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    # Of a handful of rows, more pieces are only slower.
    "spark.sql.shuffle.partitions": "2",
}


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
    if shutil.which("java") is None:
        raise NotInstalled("Spark needs Java 17 or later, and there is no `java`")
    python = python_with("spark-jvm", REQUIREMENTS.read_text("utf-8"))
    home = next(python.parent.parent.glob("lib/python*/site-packages/pyspark"))
    folder = Path(tempfile.mkdtemp(prefix="metrics-api-spark-jvm-"))
    (folder / "log4j2.properties").write_text(_LOGGED, "utf-8")
    settings = {
        **_SETTINGS,
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile=file:{folder / 'log4j2.properties'}",
        "spark.sql.warehouse.dir": str(folder / "tables"),
        "spark.local.dir": str(folder / "work"),
    }
    command = [
        *(str(home / "bin" / "spark-submit"), "--master", "local[2]", "--driver-memory", "2g"),
        *(word for name, value in settings.items() for word in ("--conf", f"{name}={value}")),
        *("--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"),
    ]
    with (folder / "log").open("wb") as log:
        # The script becomes the JVM, so that ending the process ends all.
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env={**os.environ, "SPARK_HOME": str(home)}
        )
    running = Server(folder, _port(folder, process), process)
    atexit.register(running.stop)
    return running


def _port(folder: Path, process: subprocess.Popen[bytes], seconds: float = 300) -> int:
    until = time.monotonic() + seconds
    while True:
        said = (folder / "log").read_text(errors="replace")
        if found := re.search(r"server started at: 127\.0\.0\.1:([1-9]\d*)", said):
            return int(found[1])
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            raise AssertionError(said)
        time.sleep(0.1)


@cache
def warehouse() -> SparkWarehouse:
    """The connection of the product to the server."""
    sail.name_the_program()
    connected = connect(server().settings, Path())
    atexit.register(connected.close)
    return connected


def put(tables: Mapping[str, pa.Table]) -> None:
    """Make these the rows of the tables of these names, as views of the session."""
    sail.put_into(warehouse(), tables)
