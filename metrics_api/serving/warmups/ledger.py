"""What workers tell each other of warmups: who is at one, how far it is, and what people ask."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Protocol, TypeVar

from metrics_api.serving.redis_store import RedisStore

T = TypeVar("T")
DAYS = 7
"""For so many days it is known what was asked."""
_DAY = 86_400.0


class Ledger(Protocol):
    """Shared by all workers of a project. Nothing here raises for being lost: each then goes by itself."""

    async def take(self, name: str, owner: str, seconds: float) -> bool:
        """Whether the owner is the one who holds the name from now on, for so long: who holds it keeps it."""
        ...

    async def free(self, name: str, owner: str) -> None:
        """Hold it no longer, if one does."""
        ...

    async def write(self, name: str, text: str, seconds: float) -> None: ...

    async def read(self, name: str) -> str | None: ...

    async def count(self, asked: Mapping[str, int]) -> None:
        """These were asked so often today."""
        ...

    async def most(self, n: int) -> Sequence[str]:
        """What was asked most in the last days, the most first."""
        ...


_TABLES = """
CREATE TABLE IF NOT EXISTS held (name TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS told (name TEXT PRIMARY KEY, text TEXT NOT NULL, until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS asked (day INTEGER, question TEXT, times INTEGER, PRIMARY KEY (day, question));
"""
_TAKE = """
INSERT INTO held VALUES (:name, :owner, :until) ON CONFLICT (name) DO UPDATE SET owner = :owner, until = :until
WHERE owner = :owner OR until < :now
"""


class FileLedger:
    """A file of SQLite in a folder of this machine, which its workers share. What a killed one held ends by itself."""

    def __init__(self, file: Path, clock: Callable[[], float] = time.time) -> None:
        self.file = file
        self._clock = clock

    async def take(self, name: str, owner: str, seconds: float) -> bool:
        now = self._clock()
        words = {"name": name, "owner": owner, "until": now + seconds, "now": now}
        return await self._done(lambda session: session.execute(_TAKE, words).rowcount > 0, True)

    async def free(self, name: str, owner: str) -> None:
        await self._done(
            lambda session: session.execute("DELETE FROM held WHERE name = ? AND owner = ?", (name, owner)), None
        )

    async def write(self, name: str, text: str, seconds: float) -> None:
        now = self._clock()

        def written(session: sqlite3.Connection) -> None:
            session.execute("DELETE FROM told WHERE until < ?", (now,))
            session.execute("INSERT OR REPLACE INTO told VALUES (?, ?, ?)", (name, text, now + seconds))

        await self._done(written, None)

    async def read(self, name: str) -> str | None:
        asked = "SELECT text FROM told WHERE name = ? AND until >= ?"
        found = await self._done(lambda session: session.execute(asked, (name, self._clock())).fetchone(), None)
        return str(found[0]) if found else None

    async def count(self, asked: Mapping[str, int]) -> None:
        today = int(self._clock() // _DAY)
        add = "INSERT INTO asked VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET times = times + excluded.times"

        def counted(session: sqlite3.Connection) -> None:
            session.execute("DELETE FROM asked WHERE day <= ?", (today - DAYS,))
            session.executemany(add, [(today, question, times) for question, times in asked.items()])

        await self._done(counted, None)

    async def most(self, n: int) -> Sequence[str]:
        first = int(self._clock() // _DAY) - DAYS
        asked = "SELECT question FROM asked WHERE day > ? GROUP BY question ORDER BY sum(times) DESC, question LIMIT ?"
        nothing: list[tuple[str]] = []
        found = await self._done(lambda session: session.execute(asked, (first, n)).fetchall(), nothing)
        return [str(question) for (question,) in found]

    async def _done(self, work: Callable[[sqlite3.Connection], T], without: T) -> T:
        """The work in a transaction and a thread of its own; `without` where the file cannot be had."""

        def run() -> T:
            with self._session() as session:
                return work(session)

        try:
            return await asyncio.to_thread(run)
        except (sqlite3.Error, OSError):
            return without

    @contextlib.contextmanager
    def _session(self) -> Iterator[sqlite3.Connection]:
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if hasattr(os, "getuid") and self.file.parent.stat().st_uid not in (0, os.getuid()):  # Anybody's, in /tmp.
            raise PermissionError(self.file.parent)
        with contextlib.closing(sqlite3.connect(self.file, timeout=5)) as session:
            session.executescript(_TABLES)
            with session:
                yield session


_TAKE_IN_REDIS = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_FREE_IN_REDIS = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class RedisLedger:
    """In the Redis of the store, under names of its own."""

    def __init__(self, store: RedisStore, place: str, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._prefix = f"{store.prefix}warmups:{place}:"
        self._clock = clock

    async def take(self, name: str, owner: str, seconds: float) -> bool:
        words = (f"{self._prefix}held:{name}", owner, str(int(seconds * 1_000)))
        return bool(await self._store.tried(lambda redis: redis.eval(_TAKE_IN_REDIS, 1, *words), True))

    async def free(self, name: str, owner: str) -> None:
        words = (f"{self._prefix}held:{name}", owner)
        await self._store.tried(lambda redis: redis.eval(_FREE_IN_REDIS, 1, *words), None)

    async def write(self, name: str, text: str, seconds: float) -> None:
        key, milliseconds = f"{self._prefix}told:{name}", int(seconds * 1_000)
        await self._store.tried(lambda redis: redis.set(key, text, px=milliseconds), None)

    async def read(self, name: str) -> str | None:
        found = await self._store.tried(lambda redis: redis.get(f"{self._prefix}told:{name}"), None)
        return found.decode() if isinstance(found, bytes) else None

    async def count(self, asked: Mapping[str, int]) -> None:
        async def counted(redis: object) -> None:
            async with redis.pipeline(transaction=False) as steps:  # type: ignore[attr-defined]
                for question, times in asked.items():
                    steps.zincrby(self._day(0), times, question)
                steps.expire(self._day(0), int((DAYS + 1) * _DAY))
                await steps.execute()

        if asked:
            await self._store.tried(counted, None)

    async def most(self, n: int) -> Sequence[str]:
        days = [self._day(back) for back in range(DAYS)]
        nothing: list[tuple[bytes, float]] = []
        found = await self._store.tried(lambda redis: redis.zunion(days, withscores=True), nothing)
        ordered = sorted(((-score, question.decode()) for question, score in found))
        return [question for _, question in ordered[:n]]

    def _day(self, back: int) -> str:
        return f"{self._prefix}asked:{int(self._clock() // _DAY) - back}"


def file_ledger(project: Path, warehouse: str | None, folder: Path | None = None) -> FileLedger:
    """The file for the workers of a project on a warehouse.

    It is in the folder given, in `METRICS_API_RUN_DIR`, or else in a temporary folder of the user's own.
    """
    name = sha256(f"{project.resolve()}\0{warehouse}".encode()).hexdigest()[:16]
    usual = os.environ.get("METRICS_API_RUN_DIR")
    return FileLedger((folder or (Path(usual) if usual else _temporary())) / f"{name}.warmups")


def _temporary() -> Path:
    try:
        return Path(tempfile.gettempdir(), f"metrics-api-{_user()}")
    except OSError:  # Nothing can be written to here: each worker goes by itself.
        return Path(os.devnull)


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
