"""BigQuery for the tests: its REST protocol over ZetaSQL, one server for each process that asks for one.

ZetaSQL is the reference implementation of GoogleSQL, by the people who make BigQuery. It lives in `.engines/zetasql`
(made on first use, kept between runs, with the module translated for this machine). The product speaks to it by the
client of Google's own. See bigquery_server.py and zetasql_engine.py.
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
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from environments import FOLDER, NotInstalled, missing, python_with
from metrics_api.engines.bigquery import BigQueryWarehouse, connect

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "zetasql_requirements.txt"
PROJECT, DATASET = "tests-of-metrics", "shop"


@dataclass(frozen=True)
class Server:
    """Where it listens, and the process that it is."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def settings(self) -> dict[str, object]:
        """The settings of a warehouse of type `bigquery`."""
        return {"project": PROJECT, "dataset": DATASET, "endpoint": f"http://127.0.0.1:{self.port}"}

    def tell(self, path: str, body: object = None) -> Any:
        """Ask what came over the wire, make tables, or break something: see bigquery_server.py."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/tests/{path}", data, timeout=30) as answer:
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


def started() -> Server:
    """A new server, which ends with this process. Raises NotInstalled."""
    if importlib.util.find_spec("google.cloud.bigquery") is None:
        raise NotInstalled("google-cloud-bigquery is not installed: `make test-engines` does it")
    program = python_with("zetasql", REQUIREMENTS.read_text("utf-8"))
    folder = Path(tempfile.mkdtemp(prefix="metrics-api-bigquery-"))
    kept = FOLDER / "zetasql" / "zetasql.translated"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, HERE / "bigquery_server.py", folder / "port", kept],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    running = Server(folder, _port(folder, process), process)
    atexit.register(running.stop)
    return running


def _port(folder: Path, process: subprocess.Popen[bytes], seconds: float = 300) -> int:
    until = time.monotonic() + seconds  # The first one translates the module.
    while not (folder / "port").is_file():
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            raise AssertionError((folder / "log").read_text(errors="replace"))
        time.sleep(0.02)
    return int((folder / "port").read_text("utf-8"))


@cache
def warehouse() -> BigQueryWarehouse:
    """The connection of the product to the server."""
    connected = connect(server().settings, Path())
    atexit.register(connected.close)
    return connected


# -- tables -----------------------------------------------------------------------------------------------------------

_TYPES = {
    pa.string(): "STRING",
    pa.int32(): "INT64",
    pa.int64(): "INT64",
    pa.float64(): "FLOAT64",
    pa.bool_(): "BOOL",
    pa.date32(): "DATE",
    pa.timestamp("us"): "TIMESTAMP",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def column_type(type_: pa.DataType) -> str:
    """The type of a column that holds Arrow's."""
    return "NUMERIC" if pa.types.is_decimal(type_) else _TYPES[type_]


def put(tables: Mapping[str, pa.Table]) -> None:
    """Make these the rows of the tables of these names."""
    written = {
        name: {
            "columns": [(one.name, column_type(one.type)) for one in table.schema],
            "rows": list(
                zip(*([_written(value) for value in column.to_pylist()] for column in table.columns), strict=True)
            ),
        }
        for name, table in tables.items()
    }
    server().tell("tables", {"project": PROJECT, "dataset": DATASET, "tables": written})


def _written(value: object) -> object:
    """A value as zetasql_engine.py reads it."""
    match value:
        case datetime():
            at = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
            return (at - _EPOCH) // (_EPOCH.resolution)
        case date():
            return (value - _EPOCH.date()).days
        case Decimal():
            return str(value)
        case float() if not math.isfinite(value):
            return repr(value)
    return value
