"""`docs/warmups.md`: its cron line is run as cron runs it, and its CronJob as a container would be."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from metrics_api.cli.main import app
from redis_server import RedisServer

PAGE = (Path(__file__).parents[2] / "docs" / "warmups.md").read_text("utf-8")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAM = f"{shlex.quote(sys.executable)} -m metrics_api.cli"


@pytest.fixture
def place(tmp_path: Path) -> Any:
    folder = tmp_path / "metrics"
    built = CliRunner().invoke(app, ["demo", "--dir", str(folder), "--no-serve"])
    assert built.exit_code == 0, built.output
    server = RedisServer(tmp_path)
    server.start()
    yield folder, server
    server.kill()


def shape(table: str) -> list[list[str]]:
    """What is printed, without its numbers."""
    return [[word for word in line.split() if not re.fullmatch(r"[\d.,]+", word)] for line in table.splitlines()]


@pytest.mark.slow
def test_the_cron_line(place: tuple[Path, RedisServer], tmp_path: Path) -> None:
    folder, server = place
    (written,) = (text for _, text in FENCED.findall(PAGE) if "/etc/cron.d" in text)
    log = tmp_path / "warm.log"
    named = dict(re.findall(r"^(\w+)=(.*)$", written, re.MULTILINE))
    assert list(named) == ["METRICS_API_PROJECT", "METRICS_API_REDIS"]
    (line,) = re.findall(r"^0 6 \* \* 1-5  metrics  (.*)$", written, re.MULTILINE)
    line = line.replace("/srv/metrics/.venv/bin/metrics-api", PROGRAM).replace(
        "/var/log/metrics-api/warm.log", str(log)
    )
    # As cron does: its own environment, /bin/sh, no terminal.
    environment = {"HOME": str(tmp_path), "SHELL": "/bin/sh", "LOGNAME": "metrics", "PATH": "/usr/bin:/bin"}
    environment |= {"METRICS_API_PROJECT": str(folder), "METRICS_API_REDIS": server.url}
    environment |= {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    for _ in range(2):
        subprocess.run(["/bin/sh", "-c", line], env=environment, check=True, timeout=120, stdin=subprocess.DEVNULL)
    first, again = re.split(r"(?<=minutes\.)\n", log.read_text("utf-8"))[:2]
    (shown,) = (text for _, text in FENCED.findall(PAGE) if text.startswith("warmup "))
    assert shape(first) == shape(again) == shape(shown.rstrip())
    assert first.splitlines()[1].split()[:5] == ["morning", "20", "0", "20", "0"]
    assert again.splitlines()[1].split()[:5] == ["morning", "20", "20", "0", "0"]


@pytest.mark.slow
def test_the_cron_job(place: tuple[Path, RedisServer], tmp_path: Path) -> None:
    folder, server = place
    (job,) = (
        found for kind, text in FENCED.findall(PAGE) if kind == "yaml" and (found := yaml.safe_load(text)).get("kind")
    )
    assert (job["kind"], job["apiVersion"]) == ("CronJob", "batch/v1")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    values = {"METRICS_API_PROJECT": str(folder), "METRICS_API_REDIS": server.url}
    environment = {one["name"]: values[one["name"]] for one in container["env"]}
    environment |= {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    command = [sys.executable, "-m", "metrics_api.cli", *container["args"]]
    ran = subprocess.run(command, env=environment, check=False, timeout=120, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[1].split()[:5] == ["morning", "20", "0", "20", "0"]
