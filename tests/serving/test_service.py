"""Many callers: what is kept, what is asked once, who waits, and what is ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from metrics_api.errors import Code, MetricsError, QueryError
from metrics_api.serving import stores
from metrics_api.serving.asking import ask
from metrics_api.serving.jobs import QueryRunning
from metrics_api.serving.service import Asking, CacheStatus, Caller, Served, Service, ServiceSettings, Use
from metrics_api.serving.stores import Kept
from metrics_api.serving.turns import Turns
from serving.shop import NOW, Shop, shop

SALES = ask("sales", last="7 days")


def with_service(
    work: Callable[[Service, Shop], Awaitable[None]], settings: ServiceSettings | None = None, **words: Any
) -> None:
    """Do it with a service over a shop, and close both."""

    async def done(project: Shop) -> None:
        service = Service(project, settings)
        try:
            await asyncio.wait_for(work(service, project), 60)
        finally:
            await service.close()

    with shop(**words) as project:
        asyncio.run(done(project))


def value(served: Served) -> int:
    total: int = sum(row["value"] for row in served.answer.parts["rows"].to_pylist())
    return total


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_the_second_time_the_warehouse_is_asked_nothing() -> None:
    async def work(service: Service, project: Shop) -> None:
        first, second = await service.answer(SALES), await service.answer(SALES)
        assert (first.status, second.status) == (CacheStatus.MISS, CacheStatus.HIT)
        assert first.answer.parts["rows"].equals(second.answer.parts["rows"])
        assert len(project.told.asked) == 1

    with_service(work)


@pytest.mark.parametrize("seconds", [0.0, 3_600.0])
def test_what_is_loaded_ends_what_rests_on_it_and_nothing_else(seconds: float) -> None:
    """A source that was loaded makes its own answers anew, as soon as one knows of it."""

    async def work(service: Service, project: Shop) -> None:
        letters = ask("letters", last="7 days")
        before = [value(one) for one in (await service.answer(SALES), await service.answer(letters))]
        project.load("bought", "new", NOW - timedelta(minutes=5))
        sales, mail = await service.answer(SALES), await service.answer(letters)
        assert mail.status is CacheStatus.HIT
        knows = seconds == 0
        assert sales.status is (CacheStatus.MISS if knows else CacheStatus.HIT)
        assert [value(sales), value(mail)] == [before[0] + knows, before[1]]
        fresh = await service.answer(SALES, Asking(use=Use.FRESH))
        assert (fresh.status, value(fresh)) == (CacheStatus.BYPASS, before[0] + 1)
        again = await service.answer(SALES)
        assert (again.status, value(again)) == (CacheStatus.HIT, before[0] + 1)

    with_service(work, freshness_seconds=seconds)


def test_an_old_answer_is_served_once_more_while_a_new_one_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(service: Service, project: Shop) -> None:
        assert value(await service.answer(SALES)) == 7
        # Late rows that no watermark tells.
        project.connection.execute(
            "INSERT INTO visits SELECT event, 'late', happened - INTERVAL 1 HOUR, loaded_at FROM visits"
        )
        now = stores.time.time()
        monkeypatch.setattr(stores.time, "time", lambda: now + shift[0])
        shift[0] = 90.0
        stale = await service.answer(SALES)
        assert (stale.status, value(stale)) == (CacheStatus.STALE, 7)
        await until(lambda: len(project.told.asked) == 2 and not service._behind)
        made = await service.answer(SALES)
        assert (made.status, value(made)) == (CacheStatus.HIT, 14)
        shift[0] = 90.0 + 60.0 + 61.0
        assert (await service.answer(SALES)).status is CacheStatus.MISS

    shift = [0.0]
    with_service(work, ServiceSettings(ttl=60, stale=60))


def test_only_what_is_kept() -> None:
    async def work(service: Service, project: Shop) -> None:
        with pytest.raises(QueryError, match="no answer is kept") as caught:
            await service.answer(SALES, Asking(use=Use.ONLY))
        assert caught.value.problems[0].code is Code.NOT_KEPT
        assert project.told.asked == []
        await service.answer(SALES)
        assert (await service.answer(SALES, Asking(use=Use.ONLY))).status is CacheStatus.HIT

    with_service(work)


def test_what_one_may_see_is_not_shown_to_another() -> None:
    async def work(service: Service, project: Shop) -> None:
        for policy in ("", "europe", "asia", "europe"):
            await service.answer(SALES, Asking(Caller("x", policy)))
        assert len(project.told.asked) == 3

    with_service(work)


def test_there_is_room_for_so_many_bytes() -> None:
    async def work(service: Service, project: Shop) -> None:
        for days in range(1, 40):
            await service.answer(ask("sales", last=f"{days} days"))
        assert service._memory.bytes <= 20_000
        assert 0 < len(service._memory) < 10
        assert (await service.answer(ask("sales", last="39 days"))).status is CacheStatus.HIT
        assert (await service.answer(ask("sales", last="1 days"))).status is CacheStatus.MISS

    with_service(work, ServiceSettings(cache_bytes=20_000))


def test_failures_are_told_each_and_not_kept() -> None:
    async def work(service: Service, project: Shop) -> None:
        wrong = ask("salles", last="7 days")
        broken = ask("letters", last="7 days")
        project.connection.execute("ALTER TABLE letters DROP COLUMN event")
        for _ in range(2):
            found = await service.answers([SALES, wrong, broken])
            assert isinstance(found[0], Served)
            assert isinstance(found[1], MetricsError) and "Did you mean `sales`?" in str(found[1])
            assert isinstance(found[2], MetricsError) and "event" in str(found[2])
        assert len(project.told.asked) == 3

    with_service(work)


# -- at the same time --------------------------------------------------------------------------------------------------


def test_five_hundred_who_ask_the_same_are_one_statement() -> None:
    async def work(service: Service, project: Shop) -> None:
        project.told.go.clear()
        asking = [asyncio.ensure_future(service.answer(SALES)) for _ in range(500)]
        await asyncio.sleep(0.1)
        project.told.go.set()
        found = await asyncio.gather(*asking)
        assert {value(one) for one in found} == {7}
        assert len(project.told.asked) == 1
        assert {one.status for one in found} <= {CacheStatus.MISS, CacheStatus.JOINED, CacheStatus.HIT}

    with_service(work, freshness_seconds=60)


def test_five_hundred_different_ones_wait_for_their_turn_or_are_told() -> None:
    async def work(service: Service, project: Shop) -> None:
        queries = [ask("sales", last=f"{days} days") for days in range(1, 501)]
        found = await asyncio.gather(*(service.answer(one) for one in queries), return_exceptions=True)
        answered = [one for one in found if isinstance(one, Served)]
        refused = [one for one in found if isinstance(one, QueryError)]
        assert len(answered) + len(refused) == 500
        assert len(answered) >= 104
        assert {one.problems[0].code for one in refused} <= {Code.TOO_BUSY}
        assert 1 <= project.told.most <= 4

    with_service(work, ServiceSettings(statements=4, waiting=100), freshness_seconds=60)


def test_turns_go_round_the_callers() -> None:
    async def work() -> list[str]:
        turns = Turns(1, 100)
        order: list[str] = []

        async def one(lane: str) -> None:
            async with turns.turn(lane):
                order.append(lane)
                await asyncio.sleep(0)

        await asyncio.gather(*(one("greedy") for _ in range(5)), *(one("modest") for _ in range(2)))
        assert (turns.running, turns.waiting) == (0, 0)
        return order

    assert asyncio.run(work()) == ["greedy", "greedy", "modest", "greedy", "modest", "greedy", "greedy"]


def test_who_leaves_the_queue_holds_up_nobody() -> None:
    async def work() -> None:
        turns = Turns(1, 100)

        async def one() -> None:
            async with turns.turn("a"):
                await asyncio.sleep(0.01)

        tasks = [asyncio.ensure_future(one()) for _ in range(6)]
        await asyncio.sleep(0)
        for place in (1, 3, 5):
            tasks[place].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert [one.cancelled() for one in tasks] == [False, True] * 3
        assert (turns.running, turns.waiting) == (0, 0)

    asyncio.run(work())


# -- what is ended -----------------------------------------------------------------------------------------------------


async def until(condition: Callable[[], object]) -> None:
    for _ in range(2_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to pass")


ENDS = ask("ends", last="7 days")


def test_a_statement_for_which_nobody_waits_is_ended_in_the_warehouse() -> None:
    async def work(service: Service, project: Shop) -> None:
        both = [asyncio.ensure_future(service.answer(ENDS)) for _ in range(2)]
        await until(lambda: project.told.running and [one.waiting for one in service._flights._by_key.values()] == [2])
        both[0].cancel()
        await asyncio.sleep(0.2)
        assert project.told.running == 1, "somebody still waits"
        both[1].cancel()
        await until(lambda: not project.told.running)
        assert len(project.told.stopped) == 1
        assert value(await service.answer(SALES)) == 7

    with_service(work, freshness_seconds=60)


def test_a_deadline_ends_it() -> None:
    async def work(service: Service, project: Shop) -> None:
        with pytest.raises(QueryError, match=r"more than 0\.2 seconds") as caught:
            await service.answer(ENDS, Asking(deadline=0.2))
        assert caught.value.problems[0].code is Code.DEADLINE
        await until(lambda: not project.told.running)
        assert len(project.told.stopped) == 1

    with_service(work, freshness_seconds=60)


def test_a_slow_card_does_not_hold_up_the_others_beyond_its_deadline() -> None:
    async def work(service: Service, project: Shop) -> None:
        sales, ends = await service.answers([SALES, ENDS], Asking(deadline=0.5))
        assert isinstance(sales, Served) and value(sales) == 7
        assert isinstance(ends, QueryError)

    with_service(work, freshness_seconds=60)


def test_what_takes_longer_than_a_request_waits_goes_on_as_a_job() -> None:
    async def work(service: Service, project: Shop) -> None:
        project.told.go.clear()
        me = Caller("me", "mine")
        ids = []
        for _ in range(2):
            with pytest.raises(QueryRunning, match="still runs after 0.1 seconds") as caught:
                await service.answer(SALES, Asking(me))
            ids.append(caught.value.job)
        assert ids[0] == ids[1], "the same question is the same job"
        job = service.job(ids[0], me)
        assert job.found is None and job.metric == "sales"
        with pytest.raises(QueryError, match="there is no job"):
            service.job(ids[0], Caller("you", "yours"))
        project.told.go.set()
        await until(lambda: job.ended)
        assert isinstance(job.found, Kept)
        assert job.found.answer.parts["rows"].num_rows == 7
        assert (await service.answer(SALES, Asking(me))).status is CacheStatus.HIT
        assert len(project.told.asked) == 1

    with_service(work, ServiceSettings(inline_timeout=0.1), freshness_seconds=60)


def test_a_job_ends_at_the_services_deadline() -> None:
    async def work(service: Service, project: Shop) -> None:
        with pytest.raises(QueryRunning) as caught:
            await service.answer(ENDS)
        job = service.job(caught.value.job)
        await until(lambda: job.ended)
        assert isinstance(job.found, QueryError) and job.found.problems[0].code is Code.DEADLINE
        await until(lambda: project.told.stopped)

    with_service(work, ServiceSettings(inline_timeout=0.1, deadline=0.4), freshness_seconds=60)


def test_closing_ends_what_runs() -> None:
    async def work(service: Service, project: Shop) -> None:
        asking = asyncio.ensure_future(service.answer(ENDS))
        await until(lambda: project.told.running)
        await service.close()
        assert project.told.running == 0
        with pytest.raises(MetricsError):
            await asking

    with_service(work, freshness_seconds=60)
