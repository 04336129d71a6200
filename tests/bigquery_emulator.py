"""bqemulator for the tests: another one's idea of BigQuery's protocol, in `.engines/bqemulator` (370 MB).

It computes with DuckDB, and lets pass what BigQuery refuses: it is for the connection only. Without a network it starts
only where the extension that it would download is in its home already.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from functools import cache
from pathlib import Path
from urllib.error import URLError

from environments import FOLDER, NotInstalled, missing, python_with

REQUIREMENTS = Path(__file__).with_name("bqemulator_requirements.txt")
PROJECT = "tests-of-metrics"


@cache
def address() -> str:
    """Where the emulator of this process listens. Where there is none: a skip, in CI a failure."""
    try:
        python = python_with("bqemulator", REQUIREMENTS.read_text("utf-8"))
    except NotInstalled as error:
        missing(error)
    home = Path(tempfile.mkdtemp(prefix="metrics-api-bqemulator-"))
    (extension,) = (FOLDER / "bqemulator").rglob("spatial.duckdb_extension")
    kept = home / ".duckdb" / "extensions" / extension.parent.name / "linux_amd64"
    kept.mkdir(parents=True)
    shutil.copy(extension, kept)
    ports = [str(_free_port()) for _ in range(2)]
    command = [python.with_name("bqemulator"), "start", "--project", PROJECT]
    command += ["--rest-port", ports[0], "--grpc-port", ports[1]]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=home, env={**os.environ, "HOME": str(home)})
    atexit.register(_stop, process, home)
    found = f"http://127.0.0.1:{ports[0]}"
    _wait(found, process, home / "log")
    return found


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait(found: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 180) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(f"{found}/bigquery/v2/projects/{PROJECT}/datasets", timeout=10).close()
        except (URLError, OSError):
            if process.poll() is not None or time.monotonic() > until:
                process.kill()
                raise AssertionError(log.read_text(errors="replace")) from None
            time.sleep(0.2)
        else:
            return


def _stop(process: subprocess.Popen[bytes], home: Path) -> None:
    process.kill()
    process.wait()
    shutil.rmtree(home, ignore_errors=True)
