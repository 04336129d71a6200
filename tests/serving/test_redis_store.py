"""Answers in a store that several share: written and read as they are, and no harm when the store is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics_api.errors import QueryError
from metrics_api.plan.expr import Type
from metrics_api.results import Answer, Cache, Column, Info
from metrics_api.serving.breaker import LONGEST, Breaker
from metrics_api.serving.redis_store import RedisStore
from metrics_api.serving.stores import Kept
from metrics_api.serving.wire import Unreadable, read, written
from redis_server import PASSWORD, RedisServer

T = TypeVar("T")
INFO = Info(
    metric="watched",
    as_of=datetime(2026, 1, 5, 12, 30, 0, 1),
    data_through=datetime(2026, 1, 5, 12),
    first=date(2026, 1, 1),
    last=date(2026, 1, 5),
    timezone="Europe/Berlin",
    conventions=("Days of Europe/Berlin.", "ü"),
    sql="SELECT 1",
    fingerprint="abc",
    row_count=3,
    truncated=False,
    seconds=0.25,
)
COLUMNS = (Column("period", Type.DATE), Column("value", Type.DECIMAL, nullable=True, description="So many."))


def kept_of(rows: pa.Table, made: float = 1_700_000_000.5) -> Kept:
    parts = {"rows": rows, "overall": pa.table({"value": pa.array([None], pa.int64())})}
    return Kept(Answer(parts, INFO, {"rows": COLUMNS, "overall": COLUMNS[1:]}), made)


ROWS = pa.table(
    {
        "period": pa.array([date(2026, 1, 1), None, date(2026, 1, 3)]),
        "value": pa.array([Decimal("1.5"), None, Decimal("-12345678901234567890.123456789")], pa.decimal128(38, 9)),
        "country": pa.array(["DE", "", None]),
        "rate": pa.array([0.1, float("nan"), None]),
        "many": pa.array([2**63 - 1, -(2**63), 0]),
        "at": pa.array([datetime(2026, 1, 5, 12, 30, 0, 1), None, None], pa.timestamp("us")),
        "complete": [True, False, None],
    }
)


def run(store: RedisStore, work: Callable[[], Awaitable[T]]) -> T:
    async def whole() -> T:
        try:
            return await work()
        finally:
            await store.close()

    return asyncio.run(whole())


# -- the form ---------------------------------------------------------------------------------------------------------


def test_an_answer_comes_back_as_it_was() -> None:
    kept = kept_of(ROWS)
    back = read(written(kept))
    assert back.made == kept.made
    assert back.answer.info == INFO
    assert back.answer.columns == kept.answer.columns
    assert list(back.answer.parts) == ["rows", "overall"]
    for name, table in kept.answer.parts.items():
        assert back.answer.parts[name].schema == table.schema
        assert repr(back.answer.parts[name].to_pylist()) == repr(table.to_pylist())
    assert written(Kept(Answer({}, INFO), 1.0))


def test_where_an_answer_was_from_is_not_kept() -> None:
    of_cache = Info(**{name: getattr(INFO, name) for name in INFO.__slots__ if name != "cache"}, cache=Cache("HIT", 3))
    assert read(written(Kept(Answer({"rows": ROWS}, of_cache), 1.0))).answer.info == INFO


def test_columns_are_compressed() -> None:
    rows = pa.table({"country": ["Germany"] * 100_000})
    assert len(written(kept_of(rows))) < rows.nbytes / 3


@settings(deadline=None)
@given(st.data())
def test_what_is_torn_or_changed_is_no_answer(data: st.DataObject) -> None:
    whole = written(kept_of(ROWS))
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= data.draw(st.integers(1, 255))
    for torn in (whole[:place], bytes(changed), whole + b"x"):
        with pytest.raises(Unreadable):
            read(torn)


@given(st.binary(max_size=200))
def test_what_somebody_else_wrote_is_no_answer(foreign: bytes) -> None:
    with pytest.raises(Unreadable):
        read(foreign)


# -- Redis ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


def test_what_one_puts_another_gets(server: RedisServer) -> None:
    one, other, elsewhere = (RedisStore(server.url, prefix=prefix) for prefix in ("a:", "a:", "b:"))

    async def work() -> None:
        assert await other.get("key") is None
        await one.put("key", kept_of(ROWS), 60)
        found = await other.get("key")
        assert found is not None
        assert repr(found.answer.parts["rows"].to_pylist()) == repr(ROWS.to_pylist())
        assert await elsewhere.get("key") is None
        left = await one._redis.pttl("a:key")
        assert 50_000 < left <= 60_000
        await one.put("gone", kept_of(ROWS), 0)
        assert await one.get("gone") is None
        await other.close()
        await elsewhere.close()

    run(one, work)


def test_one_holds_a_lock(server: RedisServer) -> None:
    one, other = RedisStore(server.url), RedisStore(server.url)

    async def work() -> None:
        assert [await one.lock("x", 60), await other.lock("x", 60), await other.lock("y", 60)] == [True, False, True]
        await other.close()

    run(one, work)


def test_what_is_torn_in_the_store_is_a_miss(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    store = RedisStore(server.url)

    async def work() -> None:
        await store.put("key", kept_of(ROWS), 60)
        whole = await store._redis.get("metrics-api:key")
        for torn in (whole[:-1], b"", b"something else", b"MA\x02" + whole[3:]):
            await store._redis.set("metrics-api:key", torn)
            assert await store.get("key") is None
        await store._redis.lpush("metrics-api:list", "a")
        assert await store.get("list") is None  # Redis refuses: another type.

    run(store, work)
    assert "cannot be read" in caplog.text


def test_a_store_that_is_lost_is_a_miss_and_comes_back(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "metrics_api.store")
    store = RedisStore(server.url)

    async def work() -> None:
        await store.put("key", kept_of(ROWS), 60)
        assert await store.get("key") is not None
        server.kill()
        assert [await store.get("key") for _ in range(50)] == [None] * 50
        await store.put("key", kept_of(ROWS), 60)
        assert await store.lock("x", 60)  # Rather twice than never.
        assert not await store.is_there()
        server.start()
        store._breaker._until = 0  # The pause is over.
        assert await store.get("key") is None
        await store.put("key", kept_of(ROWS), 60)
        assert await store.get("key") is not None

    run(store, work)
    told = [one.message for one in caplog.records if one.name == "metrics_api.store"]
    assert told == [
        "the shared store is lost (ConnectionError); going on without it",
        "the shared store is there again",
    ]


def test_a_store_that_says_nothing_is_left_alone(server: RedisServer) -> None:
    store = RedisStore(server.url)

    async def work() -> None:
        await store.put("key", kept_of(ROWS), 60)
        server.freeze(still=True)
        assert await store.get("key") is None
        assert store._breaker.is_open
        assert [await store.get("key") for _ in range(1_000)] == [None] * 1_000
        server.freeze(still=False)
        store._breaker._until = 0
        assert await store.get("key") is not None

    run(store, work)


def test_a_wrong_password_is_a_store_that_is_lost(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    store = RedisStore(server.url.replace(PASSWORD, "wr0ng-one"))

    async def work() -> None:
        assert not await store.is_there()
        assert await store.get("key") is None

    run(store, work)
    assert "wr0ng-one" not in caplog.text
    assert "the shared store is lost (AuthenticationError)" in caplog.text


def test_secrets_are_not_shown(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    store = RedisStore(server.url)

    async def work() -> None:
        server.kill()
        await store.get("key")

    run(store, work)
    assert PASSWORD not in repr(store) + repr(vars(store).keys()) + caplog.text
    for url in ("http://user:s3cret@host", "s3cret", ""):
        with pytest.raises(QueryError) as raised:
            RedisStore(url)
        assert "s3cret" not in str(raised.value)
        assert "redis://HOST" in str(raised.value)


def test_a_breaker_waits_longer_each_time() -> None:
    now = [100.0]
    breaker = Breaker(lambda: now[0])
    pauses = []
    for _ in range(8):
        assert not breaker.is_open
        assert breaker.failed() is not bool(pauses)
        begun = now[0]
        while breaker.is_open:
            now[0] += 0.5
        pauses.append(now[0] - begun)
    assert pauses == [1, 2, 4, 8, 16, LONGEST, LONGEST, LONGEST]
    assert breaker.succeeded()
    assert not breaker.succeeded()
    breaker.failed()
    now[0] += 1
    assert not breaker.is_open
