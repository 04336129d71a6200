"""A store in Redis, shared by all workers. Without it everything is slower, and nothing else changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from metrics_api.errors import MissingDriver, QueryError
from metrics_api.serving.breaker import Breaker
from metrics_api.serving.stores import Kept
from metrics_api.serving.wire import Unreadable, read, written

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")
_log = logging.getLogger("metrics_api.store")

SECONDS = 0.1
"""That a step of Redis is waited for, ten times as long for all of them: the warehouse may be as quick."""
MOST_BYTES = 32 * 1024 * 1024
"""Of one answer, written; larger ones are kept in this process only."""
PREFIX = "metrics-api:"


class RedisStore:
    """Answers in Redis, under keys that begin with `prefix`. Used in one event loop.

    Nothing here raises but for a URL that is none: what fails is told once in the log, without the URL, and Redis is
    left alone for a while.
    """

    def __init__(self, url: str, *, prefix: str = PREFIX, seconds: float = SECONDS) -> None:
        """Raises MissingDriver without the `redis` package, QueryError for a URL that is none."""
        self.prefix = prefix
        self._redis = _client(url, seconds)
        self._seconds = seconds
        self._breaker = Breaker()

    def __repr__(self) -> str:
        return f"<RedisStore {self.prefix!r}>"

    async def get(self, key: str) -> Kept | None:
        data = await self.tried(lambda redis: redis.get(self.prefix + key), None)
        if data is None:
            return None
        try:
            return await asyncio.to_thread(read, data) if len(data) > _SMALL else read(data)
        except Unreadable:
            _log.warning("an answer in the shared store cannot be read; it is asked again")
            return None

    async def put(self, key: str, kept: Kept, seconds: float) -> None:
        if seconds < 1 or self._breaker.is_open:
            return
        data = await asyncio.to_thread(written, kept)
        if len(data) <= MOST_BYTES:
            await self.tried(lambda redis: redis.set(self.prefix + key, data, px=int(seconds * 1_000)), None)

    async def lock(self, name: str, seconds: float) -> bool:
        """Also true where Redis is lost: rather twice than never."""
        return bool(
            await self.tried(
                lambda redis: redis.set(f"{self.prefix}lock:{name}", b"1", nx=True, px=int(seconds * 1_000)), True
            )
        )

    async def is_there(self) -> bool:
        """Whether Redis answers."""
        return bool(await self.tried(lambda redis: redis.ping(), False))

    async def close(self) -> None:
        await self._redis.aclose()

    async def tried(self, ask: Callable[[Redis], Awaitable[Any]], without: T) -> Any | T:
        """What Redis says, or `without` where it is lost or was a moment ago."""
        from redis.exceptions import RedisError

        if self._breaker.is_open:
            return without
        try:
            # The driver's own limits are for each step: connecting, each piece of an answer.
            async with asyncio.timeout(10 * self._seconds):
                found = await ask(self._redis)
        except (RedisError, OSError, TimeoutError) as error:
            if self._breaker.failed():
                _log.warning("the shared store is lost (%s); going on without it", type(error).__name__)
            return without
        if self._breaker.succeeded():
            _log.info("the shared store is there again")
        return found


_SMALL = 64 * 1024
"""Bytes that are read faster than a thread takes over."""


def _client(url: str, seconds: float) -> Redis:
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError:
        raise MissingDriver("redis", "redis") from None
    try:
        # One further attempt at once: a connection that was idle may have been ended by the server.
        again = Retry(NoBackoff(), 1)
        return Redis.from_url(
            url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=again, max_connections=64
        )
    except ValueError:
        raise QueryError(
            "the URL of the shared store is not one of Redis",
            fix="Write `redis://HOST:6379/0`, `rediss://...` for TLS, or `unix:///path`.",
        ) from None
