"""Warmups as they run: nothing twice, nothing lost by a worker that is killed, one of several workers at a time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import httpx
import pytest
from typer.testing import CliRunner

from metrics_api.cli.main import app
from metrics_api.errors import QueryError
from metrics_api.periods import Duration, Grain
from metrics_api.query.metric_query import (
    AllOf,
    AnyOf,
    Between,
    CohortAsOf,
    Compare,
    Comparison,
    Last,
    MetricQuery,
    NotOf,
    Page,
    Written,
)
from metrics_api.serving.project import Project, load_project
from metrics_api.serving.redis_store import RedisStore
from metrics_api.serving.service import Asking, CacheStatus, Caller, Service, Use
from metrics_api.serving.warmups.ledger import FileLedger, Ledger, RedisLedger
from metrics_api.serving.warmups.running import Runner
from metrics_api.serving.warmups.schedule import Schedule, moment_before, moments
from metrics_api.serving.warmups.spelled import read, spelled
from metrics_api.serving.warmups.workers import runner_of
from metrics_api.web.app import create_app
from redis_server import RedisServer

T = TypeVar("T")
DEFINITIONS = """
project:
  name: shop
  as_of: 2026-02-01
  warehouses:
    here: {type: duckdb, path: shop.duckdb}
    there: {type: duckdb, path: there.duckdb}
  default_warehouse: here
sources:
  app:
    table: events
    time: at
    event_name: event
    loaded_at: at
    identity: {user: person}
    properties: {country: string}
  gone: {table: no_such_table, time: at, identity: {user: person}}
events:
  watch: {source: app}
  lost: {source: gone, name: any}
metrics:
  watched: {type: usage, event: watch}
  daily: {type: active_users, on: watch}
  broken: {type: usage, event: lost}
boards:
  board: {cards: {a: {metric: watched, last: 7 days}, b: {metric: daily, last: 7 days}}}
warmups:
  small: {boards: [board], schedule: {cron: 0 6 * * *, timezone: Europe/Berlin}}
  failing: {metrics: [broken, watched]}
  asked: {replay: 2, on_new_data: true}
  tenants: {metrics: [watched], tenants: [acme, umbrella]}
  elsewhere: {metrics: [watched], warehouse: there, schedule: 0 * * * *}
  many:
    metrics: [watched, daily]
    ranges: [{RANGES}]
    breakdowns: [[], country]
    at_once: 1
""".replace("{RANGES}", ", ".join(f"{n} days" for n in range(1, 31)))


def write(file: Path, until: int = 60) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "CREATE OR REPLACE TABLE events AS SELECT CAST(range % 7 AS VARCHAR) AS person, 'watch' AS event, "
            f"'DE' AS country, TIMESTAMP '2025-12-20' + range * INTERVAL 12 HOUR AS at FROM range({until})"
        )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("METRICS_API_RUN_DIR", str(tmp_path / "run"))
    (tmp_path / "project.yml").write_text(DEFINITIONS, "utf-8")
    for name in ("shop", "there"):
        write(tmp_path / f"{name}.duckdb")
    return tmp_path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


def warming(project: Project, work: Callable[[Runner], Awaitable[T]], store: RedisServer | None = None) -> T:
    async def run() -> T:
        shared = RedisStore(store.url) if store else None
        service = Service(project, shared=shared)
        runner = runner_of(service, shared)
        try:
            return await work(runner)
        finally:
            await runner.close()
            await service.close()

    try:
        return asyncio.run(run())
    finally:
        project.close()


# -- a run ------------------------------------------------------------------------------------------------------------


def test_a_second_run_makes_no_statement(folder: Path) -> None:
    async def work(runner: Runner) -> None:
        seen: list[tuple[str, int, int]] = []
        first = await runner.run("small", lambda run: seen.append((run.state, run.questions, run.done)))
        assert (first.state, first.questions, first.ready, first.statements, first.failed) == ("done", 2, 0, 2, 0)
        assert seen[0] == ("waiting", 0, 0)
        assert seen[-1] == ("done", 2, 2)
        assert first.warm_until is not None
        assert first.warm_until > time.time()
        again = await runner.run("small")
        assert (again.ready, again.statements) == (2, 0)
        # What people ask is ready as well.
        query = MetricQuery("watched", time=Last(Duration(7, "day")))
        assert (await runner.service.answer(query)).status is CacheStatus.HIT

    warming(load_project(folder), work)


def test_questions_that_go_together_are_one_statement(folder: Path) -> None:
    project = load_project(folder)
    project.share_scans = True

    async def work(runner: Runner) -> None:
        apart = MetricQuery("watched", time=Last(Duration(7, "day")))
        run = await runner.run("many")
        assert (run.questions, run.done, run.failed) == (120, 120, 0)
        assert run.statements < 120
        assert (await runner.service.answer(apart)).status is CacheStatus.HIT
        assert (await runner.run("many")).statements == 0

    warming(project, work)


def test_a_question_that_fails_does_not_stop_the_others(folder: Path) -> None:
    async def work(runner: Runner) -> None:
        run = await runner.run("failing")
        assert (run.state, run.questions, run.done, run.failed) == ("done", 2, 2, 1)
        assert {(one["question"], one["code"]) for one in run.problems} == {("broken", "WAREHOUSE_ERROR")}
        assert "no_such_table" in run.problems[0]["message"]

    warming(load_project(folder), work)


def test_a_run_that_cannot_begin_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(runner: Runner) -> None:
        async def lost(n: int) -> None:
            raise OSError("s3cret")

        monkeypatch.setattr(runner.asked, "most", lost)
        run = await runner.run("asked")
        assert (run.state, run.failed) == ("failed", 1)
        assert run.problems == [{"question": "asked", "code": "INTERNAL", "message": "a mistake of our own (OSError)"}]
        monkeypatch.undo()
        monkeypatch.setenv("METRICS_API_RUN_DIR", str(folder / "run"))
        assert (await runner.run("asked")).state == "done"  # It is free for the next.

    warming(load_project(folder), work)


def test_a_run_that_is_interrupted_is_told(folder: Path) -> None:
    async def work(runner: Runner) -> None:
        begun = asyncio.Event()
        run = runner.begin("many", lambda run: begun.set() if run.done else None)
        await asyncio.wait_for(begun.wait(), 60)
        await runner.close()
        told = await runner.told(run.id)
        assert told is not None
        assert told["state"] == "interrupted"
        rest = await runner.run("many")
        assert (rest.state, rest.questions) == ("done", 120)
        assert rest.ready >= 1
        assert rest.statements <= 120 - rest.ready

    warming(load_project(folder), work)


def test_each_tenant_has_its_own_answers(folder: Path) -> None:
    async def work(runner: Runner) -> None:
        run = await runner.run("tenants")
        assert (run.questions, run.statements) == (2, 2)
        for policy, status in (("acme", "HIT"), ("umbrella", "HIT"), ("", "NOT_KEPT")):
            asking = Asking(Caller("x", policy), use=Use.ONLY)
            (found,) = await runner.service.answers([MetricQuery("watched")], asking)
            told = found.problems[0].code if isinstance(found, QueryError) else found.status
            assert str(told) == status

    warming(load_project(folder), work)


def test_what_is_soon_old_is_asked_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(runner: Runner) -> None:
        await runner.run("small")
        now = time.time()
        for seconds, statements in ((299, 0), (301, 2)):  # Of ten minutes.
            monkeypatch.setattr(time, "time", lambda seconds=seconds: now + seconds)
            run = await runner.run("small")
            assert run.statements == statements, seconds

    warming(load_project(folder), work)


def test_what_people_asked_most_is_asked_again(folder: Path) -> None:
    often, seldom = MetricQuery("watched", by=("country",)), MetricQuery("daily")

    async def work(runner: Runner) -> None:
        for query, times in ((often, 3), (MetricQuery("watched"), 1), (seldom, 2)):
            for _ in range(times):
                await runner.service.answer(query)
        past = MetricQuery("watched", as_of=datetime(2026, 1, 5))
        for _ in range(5):
            await runner.service.answer(past)
        assert list(await runner.asked.most(3)) == [(often, ""), (seldom, ""), (MetricQuery("watched"), "")]

    async def another(runner: Runner) -> None:
        run = await runner.run("asked")
        assert (run.questions, run.statements) == (2, 2)
        assert (await runner.service.answer(often)).status is CacheStatus.HIT
        # What a warmup asks is not what people ask.
        await runner.run("many")
        assert len(await runner.asked.most(9)) == 3

    warming(load_project(folder), work)
    warming(load_project(folder), another)


# -- workers ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["file", "redis"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Ledger]]:
    if request.param == "file":
        yield lambda: FileLedger(tmp_path / "run" / "x.warmups")
        return
    server = RedisServer(tmp_path)
    server.start()
    yield lambda: RedisLedger(RedisStore(server.url), "shop")
    server.kill()


def test_one_worker_holds_a_warmup_until_it_is_gone(ledger: Callable[[], Ledger]) -> None:
    async def work() -> None:
        ours, theirs = ledger(), ledger()
        assert [await ours.take("a", "me", 0.3), await theirs.take("a", "you", 9), await ours.take("a", "me", 0.3)] == [
            True,
            False,
            True,
        ]
        await theirs.free("a", "you")  # It is not theirs to free.
        assert not await theirs.take("a", "you", 9)
        await asyncio.sleep(0.5)
        assert await theirs.take("a", "you", 9)
        assert not await ours.take("a", "me", 9)
        await theirs.free("a", "you")
        assert await ours.take("a", "me", 9)
        await ours.write("run:1", "ü", 60)
        assert (await theirs.read("run:1"), await theirs.read("run:2")) == ("ü", None)
        await ours.count({"x": 2, "y": 1})
        await theirs.count({"y": 3})
        assert list(await ours.most(5)) == ["y", "x"]
        assert list(await ours.most(1)) == ["y"]
        for one in (ours, theirs):
            if isinstance(one, RedisLedger):
                await one._store.close()

    asyncio.run(work())


WORKER = """
import asyncio, json, sys
from metrics_api.serving.project import load_project
from metrics_api.serving.redis_store import RedisStore
from metrics_api.serving.service import Service
from metrics_api.serving.warmups.workers import runner_of

async def main(folder, url, name):
    store = RedisStore(url) if url else None
    service = Service(load_project(folder), shared=store)
    runner = runner_of(service, store)
    print("ready", flush=True)
    sys.stdin.readline()
    run = await runner.run(name, occasion="2026-02-01T06:00")
    print(json.dumps(run.told), flush=True)
    sys.stdin.readline()
    await runner.close()
    await service.close()

asyncio.run(main(*sys.argv[1:]))
"""


def worker(folder: Path, name: str, url: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, str(folder), url, name]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert line(process) == "ready\n"
    return process


def line(one: subprocess.Popen[str]) -> str:
    assert one.stdout is not None
    return one.stdout.readline()


def go(one: subprocess.Popen[str]) -> None:
    assert one.stdin is not None
    one.stdin.write("go\n")
    one.stdin.flush()


@pytest.mark.slow
@pytest.mark.parametrize("shares", ["file", "redis"])
def test_of_two_workers_one_runs(folder: Path, shares: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("server").url if shares == "redis" else ""
    workers = [worker(folder, "small", url) for _ in range(2)]
    for one in workers:
        go(one)
    told = [json.loads(line(one)) for one in workers]  # They live until both are done.
    for one in workers:
        one.communicate("end\n", timeout=60)
    assert sorted(one["state"] for one in told) == ["done", "skipped"]
    assert sorted(one["statements"] for one in told) == [0, 2]


@pytest.mark.slow
def test_without_a_shared_store_what_a_worker_did_goes_with_it(folder: Path) -> None:
    for _ in range(2):
        one = worker(folder, "small")
        go(one)
        assert json.loads(line(one))["state"] == "done"
        one.communicate("end\n", timeout=60)


@pytest.mark.slow
def test_a_worker_that_is_killed_leaves_the_rest_to_the_next(folder: Path, server: RedisServer) -> None:
    killed = worker(folder, "many", server.url)
    go(killed)

    async def kept(store: RedisStore) -> int:
        return len([key async for key in store._redis.scan_iter(f"{store.prefix}*") if b"warmups" not in key])

    async def wait() -> None:
        store = RedisStore(server.url)
        while await kept(store) < 10:
            assert killed.poll() is None, "it was done before it could be killed"
            await asyncio.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        await store.close()

    asyncio.run(asyncio.wait_for(wait(), 60))
    for stream in (killed.stdin, killed.stdout):
        assert stream is not None
        stream.close()

    async def rest(runner: Runner) -> None:
        # What the killed one held is free when it has not been heard of for a while.
        run = await runner.run("many", occasion="2026-02-01T06:00")
        assert (run.state, run.questions, run.failed) == ("done", 120, 0)
        assert 10 <= run.ready < 120
        assert run.statements == 120 - run.ready
        again = await runner.run("many")
        assert (again.ready, again.statements) == (120, 0)

    warming(load_project(folder), rest, server)


def test_a_worker_waits_for_another_who_is_at_it(folder: Path) -> None:
    async def work(runner: Runner) -> None:
        other = Runner(runner.service, runner.ledger, lease=0.2)
        await runner.ledger.take("small", "somebody", 0.5)
        begun = time.monotonic()
        run = await other.run("small")
        assert run.state == "done"
        assert time.monotonic() - begun >= 0.5

    warming(load_project(folder), work)


def test_servers_share_answers_and_go_on_without_redis(folder: Path, server: RedisServer) -> None:
    query = MetricQuery("watched", by=("country",))

    async def talk(projects: tuple[Project, Project]) -> None:
        one, other = (Service(each, shared=RedisStore(server.url)) for each in projects)
        try:
            first = await one.answer(query)
            await one.settled()
            second = await other.answer(query)
            assert [first.status, second.status] == [CacheStatus.MISS, CacheStatus.HIT]
            server.kill()
            for service in (one, other):
                assert (await service.answer(query)).status is CacheStatus.HIT  # In memory.
                service._memory.clear()
                again = await service.answer(query)
                assert again.status is CacheStatus.MISS
                assert again.answer.parts["rows"].equals(first.answer.parts["rows"])
            server.start()
            for service in (one, other):
                assert isinstance(service._shared, RedisStore)
                service._shared._breaker._until = 0
            one._memory.clear()
            assert (await one.answer(query)).status is CacheStatus.MISS  # Redis came back empty.
            await one.settled()
            other._memory.clear()
            assert (await other.answer(query)).status is CacheStatus.HIT
        finally:
            await one.close()
            await other.close()

    projects = (load_project(folder), load_project(folder))
    asyncio.run(talk(projects))
    for each in projects:
        each.close()


def test_without_redis_at_last_a_warmup_runs_all_the_same(folder: Path, server: RedisServer) -> None:
    async def work(runner: Runner) -> None:
        await runner.run("small")
        server.kill()
        runner.service._memory.clear()
        run = await runner.run("small", occasion="x")
        assert (run.state, run.statements, run.failed) == ("done", 2, 0)
        told = await runner.told(run.id)
        assert told is not None
        assert told["state"] == "done"

    warming(load_project(folder), work, server)


def test_where_nothing_can_be_written_a_warmup_runs_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(runner: Runner) -> None:
        run = await runner.run("small", occasion="x")
        assert (run.state, run.statements) == ("done", 2)
        told = await runner.told(run.id)
        assert told is not None
        assert told["state"] == "done"
        assert await runner.asked.most(3) == []

    def nowhere() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setenv("METRICS_API_RUN_DIR", "/dev/null/run")
    warming(load_project(folder), work)
    monkeypatch.delenv("METRICS_API_RUN_DIR")
    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    warming(load_project(folder), work)


# -- schedules --------------------------------------------------------------------------------------------------------


def test_the_moments_of_a_schedule() -> None:
    after = datetime(2026, 3, 28, 12, tzinfo=UTC)  # In Berlin clocks go forward in the night.
    told = [one.isoformat() for one in islice(moments("0 6 * * *", "Europe/Berlin", after), 2)]
    assert told == ["2026-03-29T04:00:00+00:00", "2026-03-30T04:00:00+00:00"]
    for now, before in (("05:59:59", 27), ("06:00:00", 28), ("06:00:00.5", 28), ("07:00:00", 28)):
        moment = datetime.fromisoformat(f"2026-03-28T{now}+01:00")
        assert moment_before("0 6 * * *", "Europe/Berlin", moment).isoformat() == f"2026-03-{before}T05:00:00+00:00"


def test_each_moment_has_one_run(folder: Path) -> None:
    now = [datetime(2026, 2, 1, 6, 0, 1, tzinfo=UTC)]

    async def work(runner: Runner) -> None:
        states: list[tuple[str, str]] = []
        workers = [
            Schedule(one, ended=lambda run: states.append((run.warmup, run.state)), clock=lambda: now[0])
            for one in (runner, Runner(runner.service, runner.ledger))
        ]
        assert list(workers[0].warmups) == ["small", "asked"]  # The other one is for another warehouse.
        assert workers[0].next_of("small") == "2026-02-02 06:00 Europe/Berlin"
        await asyncio.gather(*(one.on_time("small") for one in workers))
        assert sorted(states) == [("small", "done"), ("small", "skipped")]
        now[0] = datetime(2026, 2, 2, 6, 0, 1, tzinfo=UTC)
        await workers[0].on_time("small")
        assert states[-1] == ("small", "done")

    warming(load_project(folder), work)


def test_new_data_has_one_run(folder: Path) -> None:
    states: list[tuple[str, int]] = []

    async def work(runner: Runner) -> None:
        runner.service.project._freshness_seconds = 0
        schedule = Schedule(runner, ended=lambda run: states.append((run.state, run.questions)))
        await runner.service.answer(MetricQuery("daily"))
        await schedule.look("asked")
        await schedule.look("asked")

    def project() -> Project:
        text = (folder / "project.yml").read_text("utf-8")
        lines = [one for one in text.splitlines() if not any(word in one for word in ("gone:", "lost", "broken"))]
        (folder / "project.yml").write_text("\n".join(lines), "utf-8")
        return load_project(folder)

    warming(project(), work)
    assert states == [("done", 1)]
    warming(project(), work)  # Another worker, who finds that it was done.
    assert states == [("done", 1), ("skipped", 0)]
    write(folder / "shop.duckdb", 70)
    warming(project(), work)
    assert states[2:] == [("done", 1)]


def test_a_scheduler_runs_in_the_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    async def work(runner: Runner) -> None:
        ended = asyncio.Event()

        def tell(run: Any) -> None:
            ran.append(run.state)
            ended.set()

        schedule = Schedule(runner, ended=tell)
        # The trigger's next moment is almost now.
        monkeypatch.setattr(
            "metrics_api.serving.warmups.schedule.moments", lambda cron, zone, after: iter([datetime.now(UTC)])
        )
        schedule.start()
        await asyncio.wait_for(ended.wait(), 30)
        await schedule.close()

    warming(load_project(folder), work)
    assert ran[0] in ("done", "skipped")


# -- questions as text ------------------------------------------------------------------------------------------------

CONDITION = AllOf(
    (
        Comparison(
            "country", "in", ("DE", None, 3, 0.5, True, Decimal("1.10"), date(2026, 1, 1), datetime(2026, 1, 1, 9))
        ),
        AnyOf((NotOf(Written("minutes > 3")),)),
    )
)


@pytest.mark.parametrize(
    "query",
    [
        MetricQuery("a"),
        MetricQuery(
            "a",
            time=Between(date(2026, 1, 1), None),
            grain=Grain.WEEK,
            by=("country",),
            where=CONDITION,
            measures=("value",),
            parts=("rows", "overall"),
            within=Duration(7, "day"),
            order=(("value", True),),
            top=(("country", 3),),
            bins=(("minutes", (Decimal(1), Decimal("5.50"))),),
            compare=Compare.PREVIOUS_YEAR,
            by_cohorts=("x",),
            cohort_as_of=CohortAsOf.BUCKET_END,
            members=Page((("tier", "power"), ("period", date(2026, 1, 1))), 3, None, ("user_plan",)),
        ),
        MetricQuery("a", time=Last(Duration(2, "week"), exclude_current=True)),
    ],
)
def test_a_question_is_read_as_it_was_written(query: MetricQuery) -> None:
    assert read(spelled(query)) == query
    assert spelled(query) == spelled(read(spelled(query)) or query)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '"a"', '{"is": "MetricQuery"}', '{"is": "Path", "x": 1}', '{"is": "date", "value": "x"}', "{}"],
)
def test_what_is_no_question_is_not_read(text: str) -> None:
    assert read(text) is None


# -- over HTTP --------------------------------------------------------------------------------------------------------


def test_a_run_over_http(folder: Path) -> None:
    project = load_project(folder)
    application = create_app(project)

    async def talk() -> None:
        async with (
            application.router.lifespan_context(application),
            httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://metrics") as client,
        ):
            listed = (await client.get("/v1/warmups")).json()["warmups"]
            assert [one["name"] for one in listed] == ["small", "failing", "asked", "tenants", "elsewhere", "many"]
            assert (listed[0]["schedule"], listed[0]["timezone"]) == ("0 6 * * *", "Europe/Berlin")
            assert listed[0]["next"].endswith("Z")
            assert listed[4]["next"] is None  # Not here.
            answer = await client.post("/v1/warmups", json={"warmup": "failing"})
            assert answer.status_code == 202
            assert answer.headers["location"] == answer.json()["url"]
            told: dict[str, Any] = {"state": ""}
            while told["state"] != "done":
                await asyncio.sleep(0.02)
                told = (await client.get(answer.json()["url"])).json()
            assert (told["questions"], told["done"], told["failed"]) == (2, 2, 1)
            assert told["problems"][0]["question"] == "broken"
            for body, status, message in (
                ({"warmup": "smal"}, 404, "there is no warmup `smal`. Did you mean `small`?"),
                ({"name": "small"}, 400, 'the body names no warmup. Send JSON: `{"warmup": "morning"}`.'),
                ({"warmup": "elsewhere"}, 400, "warmup `elsewhere` is for `there`, which is not what is served here."),
            ):
                refused = await client.post("/v1/warmups", json=body)
                assert refused.status_code == status
                assert refused.json()["errors"][0]["message"].startswith(message)
            assert (await client.post("/v1/warmups", content=b"{")).status_code == 400
            assert (await client.get("/v1/warmups/nothing")).status_code == 404

    asyncio.run(asyncio.wait_for(talk(), 60))
    project.close()


# -- the command ------------------------------------------------------------------------------------------------------


def invoke(*args: str) -> Any:
    return CliRunner().invoke(app, ["warm", *args], prog_name="metrics-api")


def test_the_command_fills_the_store(folder: Path, server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_API_REDIS", server.url)
    first = invoke("small", "elsewhere", "-p", str(folder))
    assert first.exit_code == 0, first.output
    rows = [line.split() for line in first.stdout.splitlines()]
    assert ["small", "2", "0", "2", "0"] in [row[:5] for row in rows]
    assert ["elsewhere", "1", "0", "1", "0"] in [row[:5] for row in rows]
    assert "2 answers are ready, the first to go in 10 minutes." in first.stdout
    again = invoke("small", "-p", str(folder))
    assert ["small", "2", "2", "0", "0"] in [line.split()[:5] for line in again.stdout.splitlines()]

    async def served(runner: Runner) -> None:
        query = MetricQuery("watched", time=Last(Duration(7, "day")))
        assert (await runner.service.answer(query)).status is CacheStatus.HIT

    warming(load_project(folder), served, server)


def test_the_exit_code_tells_of_failures(folder: Path, server: RedisServer) -> None:
    failed = invoke("failing", "-p", str(folder), "--redis", server.url)
    assert failed.exit_code == 3
    assert "failing: broken: " in failed.stderr
    assert invoke("smal", "-p", str(folder)).exit_code == 1
    server.kill()
    lost = invoke("small", "-p", str(folder), "--redis", server.url)
    assert (lost.exit_code, lost.stderr) == (3, "Redis does not answer: nothing could be kept for others.\n")


def test_without_a_shared_store_it_says_so(folder: Path) -> None:
    ran = invoke("small", "-p", str(folder))
    assert ran.exit_code == 0
    assert "There is no store that a server shares" in ran.stderr
    assert "--server http://127.0.0.1:8000" in ran.stderr
    assert "answers are ready" not in ran.stdout


def test_a_server_that_is_not_there() -> None:
    assert invoke("small", "--server", "http://127.0.0.1:9").exit_code == 3
    assert invoke("small", "--server", "127.0.0.1:9").exit_code == 2


@pytest.mark.slow
def test_the_loop_runs_on_every_warehouse_until_it_is_interrupted(folder: Path, server: RedisServer) -> None:
    words = ["warm", "--loop", "small", "asked", "many", "elsewhere", "-p", str(folder)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "METRICS_API_REDIS": server.url}
    command = [sys.executable, "-m", "metrics_api.cli", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        told = dict(line(process).strip().split(": next ") for _ in range(4))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert list(told) == ["small", "asked", "many", "elsewhere"]
    assert told["small"].endswith("06:00 Europe/Berlin")
    assert told["asked"] == "when there is new data"
    assert told["many"] == "only when it is asked for: it has no `schedule`"
    assert told["elsewhere"].endswith(":00 UTC")


@pytest.mark.slow
def test_a_running_server_warms_itself(folder: Path) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "metrics_api.cli", "serve", "-p", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().split(" at ")[1].strip().removesuffix("/graphql")
            first, again = invoke("small", "--server", url), invoke("small", "--server", url)
            assert first.exit_code == 0, first.output
            assert ["small", "2", "0", "2", "0"] in [line.split()[:5] for line in first.stdout.splitlines()]
            assert ["small", "2", "2", "0", "0"] in [line.split()[:5] for line in again.stdout.splitlines()]
            assert invoke("failing", "--server", url).exit_code == 3
            assert invoke("smal", "--server", url).stderr == "there is no warmup `smal`. Did you mean `small`?\n"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
