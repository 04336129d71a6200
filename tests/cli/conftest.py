"""Example folders built once by the real program, and both ways to run a command: in this process, as a program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest
from typer.testing import CliRunner, Result

import metrics_api
from metrics_api.cli.main import app

PROGRAM = (sys.executable, "-m", "metrics_api.cli")
ROOT = Path(metrics_api.__file__).parents[1]

Invoke: TypeAlias = Callable[..., Result]


def environment(**more: str) -> dict[str, str]:
    """This process's, without what steers the command line."""
    steering = ("METRICS_API_PROJECT", "METRICS_API_DEBUG", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERMINAL_WIDTH")
    kept = {name: value for name, value in os.environ.items() if name not in steering}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**kept, "PYTHONPATH": path, **more}


def run(
    *args: str, cwd: Path, env: Mapping[str, str] | None = None, input_: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    """The program as people start it, in a folder."""
    return subprocess.run(
        [*PROGRAM, *args],
        cwd=cwd,
        env=environment(**(env or {})),
        input=input_,
        capture_output=True,
        timeout=60,
        check=False,
    )


def demo(folder: Path, *args: str) -> Path:
    done = run("demo", "--no-serve", "--dir", str(folder), *args, cwd=folder.parent)
    assert done.returncode == 0, done.stderr.decode()
    return folder


@pytest.fixture(scope="session")
def streaming(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hundred people over sixty days up to the end of March 2026. Tests leave it as it is."""
    folder = tmp_path_factory.mktemp("demo") / "streaming"
    return demo(folder, "--users", "300", "--days", "60", "--end", "2026-03-31")


@pytest.fixture(scope="session")
def cdnow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo(tmp_path_factory.mktemp("demo") / "cdnow", "--dataset", "cdnow")


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """A command in this process: `invoke(folder, "query", "purchases")`."""
    monkeypatch.delenv("METRICS_API_PROJECT", raising=False)
    # What nobody expects fails the test where it happened.
    monkeypatch.setenv("METRICS_API_DEBUG", "1")
    # Usage errors are drawn into a box as wide as the terminal.
    monkeypatch.setenv("TERMINAL_WIDTH", "300")

    def invoked(folder: Path, *args: str, env: Mapping[str, str] | None = None) -> Result:
        monkeypatch.chdir(folder)
        result: Result = CliRunner().invoke(app, list(args), env=env, prog_name="metrics-api")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoked


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Path]:
    """A folder with one file of definitions: a small project, and whatever a test adds to it."""

    def written(more: str = "") -> Path:
        (tmp_path / "project.yml").write_text(PROJECT + more, "utf-8")
        return tmp_path

    return written


PROJECT = """\
version: 1
project:
  name: small
  warehouses:
    demo: {type: duckdb, path: small.duckdb}
sources:
  log:
    table: log
    time: at
    event_name: event
    identity: {user: person}
    properties:
      minutes: number
      city: string
events:
  watched: {source: log}
"""


def lines(text: str) -> Sequence[str]:
    return [line for line in text.splitlines() if line.strip()]
