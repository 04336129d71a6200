"""`Service`: answers many callers at once, from what is kept or from the warehouse in fair turns. For asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from hashlib import sha256
from typing import TypeAlias, TypeVar

from metrics_api.errors import Code, MetricsError, Problem, QueryError
from metrics_api.query.metric_query import MetricQuery
from metrics_api.results import Answer
from metrics_api.serving.flights import Flight, Flights
from metrics_api.serving.project import Prepared, Project
from metrics_api.serving.stores import Kept, Memory, Shared
from metrics_api.serving.turns import Turns

T = TypeVar("T")
_Found: TypeAlias = "Kept | Exception"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. The policy is part of every key, so that what one may see is never shown to another."""

    name: str = "anyone"
    policy: str = ""


class Use(StrEnum):
    """What a request says of kept answers."""

    ANY = "ANY"
    FRESH = "FRESH"
    ONLY = "ONLY"


class CacheStatus(StrEnum):
    """Where an answer is from."""

    HIT = "HIT"
    STALE = "STALE"
    MISS = "MISS"
    JOINED = "JOINED"
    BYPASS = "BYPASS"


@dataclass(frozen=True, slots=True)
class Asking:
    """How a request wants to be answered. `deadline` is in seconds from now."""

    caller: Caller = field(default_factory=Caller)
    request_id: str = ""
    use: Use = Use.ANY
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """An answer, where it is from, and the seconds since it was made."""

    answer: Answer
    status: CacheStatus
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """How much is done at once, and how long answers are kept."""

    statements: int = 8
    """Statements at the warehouse at the same time."""
    waiting: int = 1_000
    """Questions that may wait for a turn; further ones are refused."""
    cache_bytes: int = 256 * 1024 * 1024
    """Of answers kept in this process; 0 keeps none."""
    ttl: float = 600.0
    """Seconds for which an answer is served again, as long as the data behind it is known to be the same."""
    stale: float = 0.0
    """Seconds beyond, in which it is served once more while a new one is made."""
    deadline: float | None = 300.0
    """Seconds that a question may take, its wait included."""


class Service:
    """Answers the questions of a project. Made and used in one event loop; the project stays whoever opened it's."""

    def __init__(
        self, project: Project, settings: ServiceSettings | None = None, *, shared: Shared | None = None
    ) -> None:
        self.project = project
        self.settings = settings or ServiceSettings()
        self.turns = Turns(self.settings.statements, self.settings.waiting)
        self._memory = Memory(self.settings.cache_bytes)
        self._shared = shared
        self.heard: Callable[[MetricQuery, Caller], None] | None = None
        """Told of every question, before it is answered."""
        self._flights: Flights[_Found] = Flights()
        self._threads = ThreadPoolExecutor(self.settings.statements + 4, "metrics-api")
        self._behind: set[asyncio.Task[None]] = set()

    async def answer(self, query: MetricQuery, asking: Asking | None = None) -> Served:
        """The answer to a question. Raises QueryError, WarehouseError."""
        (found,) = await self.answers([query], asking)
        if isinstance(found, Exception):
            raise found
        return found

    async def answers(self, queries: Sequence[MetricQuery], asking: Asking | None = None) -> list[Served | Exception]:
        """Each question's answer, or why there is none: a MetricsError, or an error of our own.

        What is not kept and not under way already is asked, in as few statements as is cheapest, all at once as far
        as there are turns. Whoever is cancelled waits no longer; a statement for which nobody waits is ended.
        """
        asking = asking or Asking()
        if self.heard is not None:
            for query in queries:
                self.heard(query, asking.caller)
        found: list[Served | Exception | None] = [self._at_hand(one, asking) for one in queries]
        places = [place for place, one in enumerate(found) if one is None]
        for place, one in zip(places, await self._sought([queries[place] for place in places], asking), strict=True):
            found[place] = one
        return [one for one in found if one is not None]

    async def settled(self) -> None:
        """Wait until what nobody waits for has ended: answers made anew, or on their way to the shared store."""
        while behind := [one for one in self._behind if not one.done()]:
            await asyncio.gather(*behind, return_exceptions=True)

    async def close(self) -> None:
        """End what is under way."""
        for task in self._behind:
            task.cancel()
        await self._flights.close()
        await asyncio.gather(*self._behind, return_exceptions=True)
        self._threads.shutdown(wait=True)
        if self._shared is not None:
            await self._shared.close()

    # -- what is kept -------------------------------------------------------------------------------------------------

    def _at_hand(self, query: MetricQuery, asking: Asking) -> Served | None:
        """The answer, where nothing has to be waited for."""
        if asking.use is Use.FRESH or (ready := self.project.ready(query)) is None:
            return None
        key = self._key(ready, asking)
        kept = self._memory.get(key)
        return None if kept is None else self._served(key, ready, kept, asking)

    async def _sought(self, queries: Sequence[MetricQuery], asking: Asking) -> list[Served | Exception]:
        """The answers to what is not at hand."""
        prepared = await asyncio.gather(*(self._prepared(one, asking) for one in queries))
        missing = {self._key(one, asking): one for one in prepared if isinstance(one, Prepared)}
        found: dict[str, Served | Exception] = {}
        if asking.use is not Use.FRESH:
            kept = await asyncio.gather(*map(self._kept, missing))
            for key, one in zip(missing, kept, strict=True):
                if one is not None and (served := self._served(key, missing[key], one, asking)) is not None:
                    found[key] = served
            missing = {key: one for key, one in missing.items() if key not in found}
        if asking.use is Use.ONLY:
            found |= {key: _not_kept(one) for key, one in missing.items()}
        elif missing:
            found |= await self._from_warehouse(missing, asking)
        return [one if isinstance(one, Exception) else found[self._key(one, asking)] for one in prepared]

    async def _prepared(self, query: MetricQuery, asking: Asking) -> Prepared | Exception:
        try:
            return await self.in_thread(partial(self.project.prepared, query, fresh=asking.use is Use.FRESH))
        except Exception as error:  # noqa: BLE001 - the other questions are answered; whoever asked this one is told
            return error

    def _key(self, prepared: Prepared, asking: Asking) -> str:
        if not asking.caller.policy:
            return prepared.key
        return sha256(f"{prepared.key}\0{asking.caller.policy}".encode()).hexdigest()

    async def _kept(self, key: str) -> Kept | None:
        kept = self._memory.get(key)
        if kept is None and self._shared is not None and (kept := await self._shared.get(key)) is not None:
            self._memory.put(key, kept)
        return kept

    def _served(self, key: str, prepared: Prepared, kept: Kept, asking: Asking) -> Served | None:
        """What is kept, if it may be served; an old one is made anew behind it."""
        ttl, stale = self.times(prepared.bound.metric.name)
        if kept.age <= ttl:
            return Served(kept.answer, CacheStatus.HIT, kept.age)
        if kept.age > ttl + stale:
            return None
        if self._flights.of(key) is None:
            flight = self._begun([key], [prepared], asking)
            self._do_behind(self._flights.join(flight))
        return Served(kept.answer, CacheStatus.STALE, kept.age)

    def times(self, metric: str) -> tuple[float, float]:
        """For how many seconds an answer is served, and for how many more while a new one is made."""
        model = self.project.model
        times = model.cache_times(model.metrics.get(metric) or model.cohorts[metric])
        ttl = self.settings.ttl if times.ttl is None else times.ttl.total_seconds()
        return ttl, self.settings.stale if times.stale is None else times.stale.total_seconds()

    # -- asking the warehouse -----------------------------------------------------------------------------------------

    async def _from_warehouse(self, missing: Mapping[str, Prepared], asking: Asking) -> dict[str, Served | Exception]:
        under_way: dict[str, Flight[_Found]] = {}
        if asking.use is not Use.FRESH:
            under_way = {key: flight for key in missing if (flight := self._flights.of(key)) is not None}
        alone = {key: one for key, one in missing.items() if key not in under_way}
        flights = dict.fromkeys(under_way.values())
        for batch in await self._batches(list(alone.values())):
            keys = [list(alone)[place] for place in batch]
            flights[self._begun(keys, [alone[key] for key in keys], asking)] = None
        landed: dict[str, _Found] = {}
        for values in await asyncio.gather(*(self._landed(one, asking) for one in flights)):
            landed |= values
        status = CacheStatus.BYPASS if asking.use is Use.FRESH else CacheStatus.MISS
        found: dict[str, Served | Exception] = {}
        for key in missing:
            one = landed[key]
            how = CacheStatus.JOINED if key in under_way else status
            found[key] = Served(one.answer, how, one.age) if isinstance(one, Kept) else one
        return found

    async def _batches(self, prepared: Sequence[Prepared]) -> Sequence[Sequence[int]]:
        if len(prepared) < 2:
            return [(place,) for place in range(len(prepared))]
        return await self.in_thread(partial(self.project.put_together, prepared))

    def _begun(self, keys: Sequence[str], prepared: Sequence[Prepared], asking: Asking) -> Flight[_Found]:
        async def fly(flight: Flight[_Found]) -> Mapping[str, _Found]:
            async with self.turns.turn(asking.caller.name):
                flight.is_running = True
                work = partial(self.project.answered, prepared, tag=asking.request_id, stop=flight.stop)
                answers = await self.in_thread(work)
            made = time.time()
            found: dict[str, _Found] = {}
            for key, one, of in zip(keys, answers, prepared, strict=True):
                found[key] = one if isinstance(one, MetricsError) else Kept(one, made)
                if isinstance(one, Answer):
                    self._keep(key, Kept(one, made), of)
            return found

        return self._flights.begin(keys, fly)

    def _keep(self, key: str, kept: Kept, prepared: Prepared) -> None:
        self._memory.put(key, kept)
        if self._shared is not None:
            self._do_behind(self._shared.put(key, kept, sum(self.times(prepared.bound.metric.name))))

    async def _landed(self, flight: Flight[_Found], asking: Asking) -> Mapping[str, _Found]:
        """What a flight found; where it fails or takes too long, why, for each of its keys."""
        limits = [one for one in (asking.deadline, self.settings.deadline) if one is not None]
        seconds = min(limits, default=None)
        try:
            async with asyncio.timeout(seconds):
                return await self._flights.join(flight)
        except TimeoutError:
            told = f"the answer took more than {seconds:g} seconds; nobody waits for it any more"
            error: Exception = QueryError(Problem(told, fix="Ask for less.", code=Code.DEADLINE))
        except Exception as failed:  # noqa: BLE001 - other flights land; whoever asked for these is told
            error = failed
        return dict.fromkeys(flight.keys, error)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Blocking work, so that the event loop stays free."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _do_behind(self, work: Awaitable[object]) -> None:
        """Go on with something that nobody waits for."""

        async def done() -> None:
            await asyncio.gather(work, return_exceptions=True)

        task = asyncio.ensure_future(done())
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)


def _not_kept(prepared: Prepared) -> QueryError:
    told = f"{prepared.bound.metric.name}: no answer is kept, and only a kept one was asked for"
    return QueryError(Problem(told, fix="Ask without `cache: ONLY`, or warm it before.", code=Code.NOT_KEPT))
