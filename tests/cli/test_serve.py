from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from metrics_api.cli.serve import bound
from tests.cli.conftest import PROGRAM, Invoke, environment
from tests.cli.test_explain import METRICS

try:
    from metrics_api.web.app import create_app as _create_app  # noqa: F401
except ImportError as error:
    NO_SERVER = f"metrics_api.web.app cannot be imported yet: {error}"
else:
    NO_SERVER = ""

served = pytest.mark.skipif(bool(NO_SERVER), reason=NO_SERVER)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "0", "192.0.2.1", "0.0", "::ffff:0.0.0.0"])
def test_only_this_machine_may_call(streaming: Path, invoke: Invoke, host: str) -> None:
    result = invoke(streaming, "serve", "--host", host, "--port", "0")
    assert result.exit_code == 2
    assert "--allow-anonymous" in result.stderr
    assert "callers cannot be told apart yet" in result.stderr


@pytest.mark.parametrize("host", ["", "no.such.host.invalid", "\ud800"])
def test_no_address_at_all(streaming: Path, invoke: Invoke, host: str) -> None:
    result = invoke(streaming, "serve", "--host", host, "--port", "0")
    assert result.exit_code == 2
    assert "is not an address" in result.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_loopback_is_bound(host: str) -> None:
    with bound(host, 0, allow_anonymous=False) as listening:
        assert listening.getsockname()[0].startswith("127.")


def test_any_address_when_told_so() -> None:
    with bound("0.0.0.0", 0, allow_anonymous=True) as listening:
        assert listening.getsockname()[0] == "0.0.0.0"


def test_a_taken_port_is_told(streaming: Path, invoke: Invoke) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = invoke(streaming, "serve", "--port", str(port))
    assert result.exit_code == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in result.stderr


def test_wrong_definitions_are_not_served(streaming: Path, tmp_path: Path, invoke: Invoke) -> None:
    for file in streaming.glob("*.yml"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "more.yml").write_text("metrics:\n  clicks: {type: usage, event: nothing}\n", "utf-8")
    result = invoke(tmp_path, "serve", "--port", "0")
    assert result.exit_code == 1
    assert "more.yml:2:32  there is no event `nothing`" in result.stderr


@contextmanager
def serving(folder: Path, *args: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The running program, its address, and the command it says to paste."""
    with subprocess.Popen(
        [*PROGRAM, *args, "--port", "0"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        said = ""
        try:
            while "Ctrl-C" not in said:
                line = running.stdout.readline()
                assert line, said + running.stderr.read()
                said += line
            url = re.search(r"http://127\.0\.0\.1:\d+", said)
            curl = re.search(r"^curl .*$", said, re.MULTILINE)
            assert url, said
            assert curl, said
            yield running, url[0], curl[0]
        finally:
            running.kill()


def posted(url: str, body: str) -> Any:
    request = urllib.request.Request(
        f"{url}/graphql", body.encode(), {"content-type": "application/json", "accept": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


@served
def test_serves_until_it_is_interrupted(streaming: Path) -> None:
    with serving(streaming, "serve") as (running, url, curl):
        with urllib.request.urlopen(f"{url}/healthz", timeout=30) as health:
            assert health.status == 200
        catalog = posted(url, json.dumps({"query": "{ catalog { metrics { name type class } } }"}))
        found = {one["name"]: one for one in catalog["data"]["catalog"]["metrics"]}
        assert set(found) == set(METRICS)
        assert found["videos_watched"]["class"] == "ENGAGEMENT"
        assert found["profile_picture_clicks"]["class"] == "USAGE"
        pasted = shlex.split(curl)
        assert pasted[2] == f"{url}/graphql"
        answer = posted(url, pasted[-1])
        assert "errors" not in answer
        assert len(answer["data"]["metrics"]["videosWatched"]["rows"]) == 7
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
        assert running.stdout is not None
        assert running.stdout.read().endswith("Stopped.\n")
        assert running.stderr is not None
        assert "Traceback" not in running.stderr.read()


@served
def test_the_demo_is_served(tmp_path: Path) -> None:
    with serving(tmp_path, "demo", "--users", "40", "--days", "20") as (running, url, curl):
        assert "errors" not in posted(url, shlex.split(curl)[-1])
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) in (0, -signal.SIGTERM)
