"""Definitions that change while the real program serves them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from tests.cli.conftest import PROGRAM, environment

PROJECT = """\
version: 1
project: {name: shop, warehouses: {here: {type: duckdb, path: shop.duckdb}}}
sources:
  events: {table: events, time: at, event_name: event, identity: {user: who}}
events: {bought: {source: events}, looked: {source: events}}
"""
BOUGHT = "metrics:\n  purchases: {type: usage, event: bought}\n"
LOOKED = "  looks: {type: usage, event: looked}\n"
BROKEN = "metrics:\n  purchases: {type: usage, event: boght}\n  looks: {type: usage, event: lookd}\n"
PURCHASES = '{ metrics { purchases(time: {between: {from: "2026-03-01", to: "2026-03-01"}}) { overall { value } } } }'
LOOKS = PURCHASES.replace("purchases", "looks")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    with duckdb.connect(str(folder / "shop.duckdb")) as warehouse:
        warehouse.execute(
            """CREATE TABLE events AS SELECT TIMESTAMP '2026-03-01 09:00' AS at, 'u' || i AS who,
               CASE WHEN i < 7 THEN 'bought' ELSE 'looked' END AS event FROM range(10) AS t(i)"""
        )
    (folder / "project.yml").write_text(PROJECT, "utf-8")
    (folder / "metrics.yml").write_text(BOUGHT, "utf-8")
    return folder


@dataclass
class Server:
    running: subprocess.Popen[str]
    client: httpx.Client
    log: Path

    def ready(self) -> dict[str, Any]:
        told: dict[str, Any] = self.client.get("/readyz").json()
        return told

    def ask(self, query: str) -> httpx.Response:
        return self.client.post("/graphql", json={"query": query})

    def value(self, field: str, query: str) -> Any:
        told = self.ask(query).json()
        return told.get("errors") or told["data"]["metrics"][field]["overall"]["value"]

    def until(self, happened: Callable[[], bool], seconds: float = 30) -> None:
        """Waits for what is to come; a test that waits in vain fails with what the server said."""
        end = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < end, self.log.read_text("utf-8")
            assert self.running.poll() is None, self.log.read_text("utf-8")
            time.sleep(0.02)


@contextmanager
def served(folder: Path, *options: str, **environ: str) -> Iterator[Server]:
    log = folder.parent / "server.log"
    with log.open("w") as errors:
        running = subprocess.Popen(
            [*PROGRAM, "serve", "--port", "0", *options],
            cwd=folder,
            env=environment(**environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with running:
        assert running.stdout is not None
        try:
            said = running.stdout.readline()
            assert " at http://" in said, log.read_text("utf-8")
            url = said.split()[-1].removesuffix("/graphql")
            with httpx.Client(base_url=url, timeout=30) as client:
                server = Server(running, client, log)
                server.until(lambda: client.get("/healthz").status_code == 200)
                yield server
            running.terminate()
            running.stdout.read()
            running.wait(30)
            assert "Traceback" not in log.read_text("utf-8")
        finally:
            running.kill()


def test_a_signal_brings_what_is_new_and_what_is_broken_is_told(shop: Path) -> None:
    with served(shop) as server:
        before = server.ready()["definitions"]
        assert server.value("purchases", PURCHASES) == 7
        (shop / "metrics.yml").write_text(BROKEN, "utf-8")
        server.running.send_signal(signal.SIGHUP)
        server.until(lambda: "broken" in server.ready()["definitions"])

        told = server.ready()["definitions"]
        assert told["broken"].keys() == {"since", "problems"}
        assert told["broken"]["problems"] == 2
        assert {name: told[name] for name in before} == before
        answer = server.ask(PURCHASES)
        assert answer.headers["x-definitions-broken-since"] == told["broken"]["since"]
        assert answer.json()["data"]["metrics"]["purchases"]["overall"]["value"] == 7
        assert "\nmetrics_api_definitions_broken 1.0\n" in server.client.get("/metrics").text
        log = server.log.read_text("utf-8")
        assert "metrics.yml:2:35  " in log and "Did you mean `bought`?" in log
        assert "metrics.yml:3:31  " in log and "Did you mean `looked`?" in log

        (shop / "metrics.yml").write_text(BOUGHT + LOOKED, "utf-8")
        server.running.send_signal(signal.SIGHUP)
        server.until(lambda: "broken" not in server.ready()["definitions"])
        assert server.value("looks", LOOKS) == 3
        assert server.value("purchases", PURCHASES) == 7
        assert "x-definitions-broken-since" not in server.ask(LOOKS).headers
        told_of = server.client.get("/metrics").text
        assert "\nmetrics_api_definitions_broken 0.0\n" in told_of
        for outcome in ("broken", "loaded"):
            assert f'metrics_api_definitions_reloads_total{{outcome="{outcome}"}} 1.0' in told_of
        after = server.ready()
        assert after["metrics"] == 2
        assert after["definitions"]["hash"] != before["hash"]


def test_the_log_is_json_where_machines_read_it(shop: Path) -> None:
    with served(shop, "--log", "json", "--log-level", "debug") as server:
        (shop / "metrics.yml").write_text(BROKEN, "utf-8")
        server.running.send_signal(signal.SIGHUP)
        server.until(lambda: "broken" in server.ready()["definitions"])
        server.ask(PURCHASES)
        server.until(lambda: '"POST"' in server.log.read_text("utf-8"))
        lines = [json.loads(line) for line in server.log.read_text("utf-8").splitlines()]
        (told,) = [one for one in lines if one["level"] == "error"]
        assert told["message"].startswith("definitions are broken (SIGHUP)")
        assert "metrics.yml:3:31  there is no event `lookd`" in told["message"]
        assert {one["path"] for one in lines if one["level"] == "debug"} == {"/healthz", "/readyz"}
        (asked,) = [one for one in lines if one.get("path") == "/graphql"]
        assert (asked["status"], asked["cache"], asked["level"]) == (200, "MISS:1", "info")


def test_mended_definitions_that_say_what_they_said_are_no_new_ones(shop: Path) -> None:
    with served(shop) as server:
        before = server.ready()["definitions"]
        for text in (BROKEN, "# Mended.\n" + BOUGHT):
            (shop / "metrics.yml").write_text(text, "utf-8")
            server.running.send_signal(signal.SIGHUP)
            server.until(lambda text=text: ("broken" in server.ready()["definitions"]) is (text is BROKEN))  # type: ignore[misc]
        assert server.ready()["definitions"] == before


def test_names_that_clash_in_graphql_alone_are_broken_definitions(shop: Path) -> None:
    with served(shop) as server:
        more = "  a_b: {type: usage, event: bought}\n  a__b: {type: usage, event: bought}\n"
        (shop / "metrics.yml").write_text(BOUGHT + more, "utf-8")
        server.running.send_signal(signal.SIGHUP)
        server.until(lambda: "broken" in server.ready()["definitions"])
        assert server.value("purchases", PURCHASES) == 7


def test_a_warehouse_that_cannot_be_reached_is_not_switched_to(shop: Path) -> None:
    with served(shop) as server:
        (shop / "project.yml").write_text(PROJECT.replace("shop.duckdb", "nowhere.duckdb"), "utf-8")
        server.running.send_signal(signal.SIGHUP)
        server.until(lambda: "broken" in server.ready()["definitions"])
        assert server.value("purchases", PURCHASES) == 7
        (shop / "project.yml").write_text(PROJECT.replace("shop.duckdb", '"${NOT_SET}.duckdb"'), "utf-8")
        server.running.send_signal(signal.SIGHUP)
        server.until(lambda: "NOT_SET" in server.log.read_text("utf-8"))
        assert server.value("purchases", PURCHASES) == 7


def test_another_warehouse_takes_over(shop: Path) -> None:
    with duckdb.connect(str(shop / "other.duckdb")) as warehouse:
        warehouse.execute("CREATE TABLE events AS SELECT TIMESTAMP '2026-03-01' AS at, 'x' AS who, 'bought' AS event")
    with served(shop) as server:
        assert server.value("purchases", PURCHASES) == 7
        (shop / "project.yml").write_text(PROJECT.replace("shop.duckdb", "other.duckdb"), "utf-8")
        server.running.send_signal(signal.SIGHUP)
        server.until(lambda: server.value("purchases", PURCHASES) == 1)
        # The file of the old one is free: its connection was closed with its last request.
        server.until(lambda: not _is_open(server.running.pid, shop / "shop.duckdb"))


def _is_open(pid: int, file: Path) -> bool:
    folder = Path(f"/proc/{pid}/fd")
    if not folder.is_dir():
        pytest.skip("needs /proc")
    found = set()
    for one in folder.iterdir():
        try:
            found.add(str(one.readlink()))
        except FileNotFoundError:
            continue
    return str(file) in found


def test_files_are_watched_where_they_are_edited(shop: Path) -> None:
    with served(shop, "--reload") as server:
        (shop / "metrics.yml").write_text(BROKEN, "utf-8")
        server.until(lambda: "broken" in server.ready()["definitions"])
        # As many editors write: beside, and then in its place.
        (shop / ".metrics.yml.new").write_text(BOUGHT + LOOKED, "utf-8")
        (shop / ".metrics.yml.new").replace(shop / "metrics.yml")
        server.until(lambda: server.ready()["metrics"] == 2)
        (shop / "more.yml").write_text("metrics:\n  views: {type: usage, event: looked}\n", "utf-8")
        server.until(lambda: server.ready()["metrics"] == 3)
        (shop / "more.yml").unlink()
        server.until(lambda: server.ready()["metrics"] == 2)
        assert server.value("looks", LOOKS) == 3


def test_no_request_is_lost_while_definitions_change(shop: Path) -> None:
    """Eight callers ask on and on; each gets the number, whichever edition answers."""
    with served(shop) as server:
        done = threading.Event()
        wrong: list[str] = []
        answered = [0] * 8

        def call(caller: int) -> None:
            with httpx.Client(base_url=server.client.base_url, timeout=60) as client:
                while not done.is_set():
                    answer = client.post("/graphql", json={"query": PURCHASES})
                    if '{"overall":{"value":7}}' not in answer.text:
                        wrong.append(answer.text)
                    answered[caller] += 1

        callers = [threading.Thread(target=call, args=(one,)) for one in range(8)]
        for one in callers:
            one.start()
        try:
            for turn in range(1, 7):
                text = BROKEN if turn % 3 == 0 else BOUGHT + f"  looks_{turn}: {{type: usage, event: looked}}\n"
                (shop / "metrics.yml").write_text(text, "utf-8")
                server.running.send_signal(signal.SIGHUP)
                server.until(lambda text=text: _is_served(server, text))  # type: ignore[misc]
        finally:
            done.set()
            for one in callers:
                one.join()
        assert wrong == []
        assert all(number > 3 for number in answered)


def _is_served(server: Server, text: str) -> bool:
    if text is BROKEN:
        return "broken" in server.ready()["definitions"]
    name = text.splitlines()[-1].partition(":")[0].strip()
    told = server.ask("{ catalog { metrics { name } } }").json()
    return name in [one["name"] for one in told["data"]["catalog"]["metrics"]]


def git(folder: Path, *words: str) -> str:
    settings = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main")
    alone = environment(GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_SYSTEM=os.devnull)
    return subprocess.run(
        ["git", "-C", str(folder), *settings, *words], env=alone, capture_output=True, text=True, check=True
    ).stdout


def test_commits_are_fetched(shop: Path, tmp_path: Path) -> None:
    origin, desk = tmp_path / "origin.git", tmp_path / "desk"
    (shop / ".gitignore").write_text("*.duckdb*\n", "utf-8")
    git(shop, "init", "--quiet")
    git(shop, "add", ".")
    git(shop, "commit", "--quiet", "-m", "first")
    git(tmp_path, "clone", "--quiet", "--bare", str(shop), str(origin))
    git(shop, "remote", "add", "origin", str(origin))
    git(shop, "fetch", "--quiet", "origin")
    git(shop, "branch", "--quiet", "--set-upstream-to=origin/main")
    git(tmp_path, "clone", "--quiet", str(origin), str(desk))

    def commit(text: str, *more: str) -> None:
        (desk / "metrics.yml").write_text(text, "utf-8")
        git(desk, "commit", "--quiet", "-a", "-m", "next", *more)
        git(desk, "push", "--quiet")

    with served(shop, "--git-pull", "1s") as server:
        commit(BOUGHT + LOOKED)
        server.until(lambda: server.value("looks", LOOKS) == 3)
        commit(BROKEN)
        server.until(lambda: "broken" in server.ready()["definitions"])
        assert server.value("looks", LOOKS) == 3
        commit(BOUGHT)
        server.until(lambda: server.ready()["metrics"] == 1)
        assert "broken" not in server.ready()["definitions"]

        # Somebody changed the server's own copy: nothing is merged, nothing is lost, and it is told.
        (shop / "local.yml").write_text("# here alone\n", "utf-8")
        git(shop, "add", ".")
        git(shop, "commit", "--quiet", "-m", "here")
        commit(BOUGHT + LOOKED)
        server.until(lambda: "behind" in server.ready()["definitions"])
        assert server.ready()["definitions"]["behind"]["problems"] == 1
        assert server.value("purchases", PURCHASES) == 7
        assert (shop / "local.yml").exists()
        log = server.log.read_text("utf-8")
        assert log.count("git: no newer definitions can be had: `git merge`: Not possible to fast-forward") == 1

        git(shop, "reset", "--quiet", "--hard", "HEAD~1")
        server.until(lambda: server.ready()["metrics"] == 2)
        assert "behind" not in server.ready()["definitions"]


@pytest.mark.parametrize("written", ["0s", "sixty", "60", "-1s", "5 days", "1s; rm -rf /"])
def test_how_often_has_to_be_a_time(shop: Path, written: str) -> None:
    ran = subprocess.run(
        [*PROGRAM, "serve", "--git-pull", written, "--port", "0"],
        cwd=shop,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 2
    assert "write it as 60s" in ran.stderr


def test_a_server_whose_terminal_is_closed_ends(shop: Path) -> None:
    terminal, inside = os.openpty()
    with subprocess.Popen(
        ["setsid", "--ctty", *PROGRAM, "serve", "--port", "0"],
        cwd=shop,
        env=environment(),
        stdin=inside,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            assert running.stdout is not None
            url = running.stdout.readline().split()[-1].removesuffix("/graphql")
            assert httpx.get(f"{url}/healthz", timeout=30).json() == {"status": "ok"}
            running.send_signal(signal.SIGHUP)  # Wanted by somebody: the terminal is there.
            assert httpx.get(f"{url}/healthz", timeout=30).json() == {"status": "ok"}
            os.close(inside)
            os.close(terminal)
            assert running.wait(30) in (0, -signal.SIGTERM)
        finally:
            running.kill()
