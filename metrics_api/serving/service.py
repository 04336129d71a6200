"""`Service`: answers many callers at once, from what is kept or from the warehouse in fair turns. For asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from hashlib import sha256
from typing import TypeAlias, TypeVar

from metrics_api.errors import Code, MetricsError, Problem, QueryError
from metrics_api.query.metric_query import MetricQuery
from metrics_api.results import Answer
from metrics_api.serving import observing
from metrics_api.serving.flights import Flight, Flights, too_late
from metrics_api.serving.jobs import Job, Jobs, QueryRunning
from metrics_api.serving.project import Depends, Prepared, Project
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
    query: MetricQuery | None = None
    depends: Depends | None = None
    """While that holds, and until `until`, it is the answer to the same question. None: it is not to be kept."""
    until: float = 0.0
    """In seconds since 1970."""


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """How much is done at once, and how long answers are kept."""

    statements: int = 8
    """Statements at the warehouse at the same time."""
    waiting: int = 1_000
    """Questions that may wait for a turn; further ones are refused."""
    cache_bytes: int = 256 * 1024 * 1024
    """Of answers kept in this process; 0 keeps none."""
    response_bytes: int = 64 * 1024 * 1024
    """Of answers kept as they were sent; 0 keeps none."""
    ttl: float = 600.0
    """Seconds for which an answer is served again, as long as the data behind it is known to be the same."""
    stale: float = 0.0
    """Seconds beyond, in which it is served once more while a new one is made."""
    deadline: float | None = 300.0
    """Seconds that a question may take, its wait included; its statement is ended then."""
    inline_timeout: float | None = 45.0
    """Seconds that a request waits for a question. It then goes on as a job, whose answer is asked for later."""


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
        self._jobs = Jobs(self._flights)
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
        self.note(queries, asking.caller)
        found: list[Served | Exception | None] = [self._at_hand(one, asking) for one in queries]
        places = [place for place, one in enumerate(found) if one is None]
        for place, one in zip(places, await self._sought([queries[place] for place in places], asking), strict=True):
            found[place] = one
        told = [one for one in found if one is not None]
        for one in told:
            observing.answered(one.status.value if isinstance(one, Served) else "ERROR")
        return told

    async def settled(self) -> None:
        """Wait until what nobody waits for has ended: answers made anew, or on their way to the shared store."""
        while behind := [one for one in self._behind if not one.done()]:
            await asyncio.gather(*behind, return_exceptions=True)

    def note(self, queries: Sequence[MetricQuery], caller: Caller) -> None:
        """Tell who keeps count of what is asked."""
        if self.heard is not None:
            for query in queries:
                self.heard(query, caller)

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
        if (kept := self._memory.get(key)) is None:
            return None
        served = self._served(key, ready, kept, asking)
        if served is not None:
            observing.observer().looked_up("memory", _outcome(served))
        return served

    async def _sought(self, queries: Sequence[MetricQuery], asking: Asking) -> list[Served | Exception]:
        """The answers to what is not at hand."""
        prepared = await asyncio.gather(*(self._prepared(one, asking) for one in queries))
        missing = {self._key(one, asking): one for one in prepared if isinstance(one, Prepared)}
        found: dict[str, Served | Exception] = {}
        if asking.use is not Use.FRESH:
            kept = await asyncio.gather(*map(self._kept, missing))
            for key, one in zip(missing, kept, strict=True):
                tier, value = one
                served = None if value is None else self._served(key, missing[key], value, asking)
                observing.observer().looked_up(tier, _outcome(served))
                if served is not None:
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

    async def _kept(self, key: str) -> tuple[str, Kept | None]:
        """What is kept, and the tier that was asked last."""
        kept = self._memory.get(key)
        if kept is not None or self._shared is None:
            return "memory", kept
        observing.observer().looked_up("memory", "miss")
        if (kept := await self._shared.get(key)) is not None:
            self._memory.put(key, kept)
        return "shared", kept

    def _served(self, key: str, prepared: Prepared, kept: Kept, asking: Asking) -> Served | None:
        """What is kept, if it may be served; an old one is made anew behind it."""
        ttl, stale = self.times(prepared.bound.metric.name)
        if kept.age <= ttl:
            return self._told(prepared, kept, CacheStatus.HIT)
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
        found: dict[str, Served | Exception] = {}
        flights: dict[Flight[_Found], None] = {}
        joined: set[str] = set()

        def is_at_hand(key: str) -> bool:
            """Whether somebody has asked for it, or has been told, while this one waited."""
            if asking.use is Use.FRESH:
                return False
            if (flight := self._flights.of(key)) is not None:
                flights[flight] = None
                joined.add(key)
            elif (kept := self._memory.get(key)) and (served := self._served(key, missing[key], kept, asking)):
                found[key] = served
            return flight is not None or key in found

        alone = [key for key in missing if not is_at_hand(key)]
        for batch in await self._batches([missing[key] for key in alone]):
            # No waiting from here on until they are under way.
            if keys := [alone[place] for place in batch if not is_at_hand(alone[place])]:
                flights[self._begun(keys, [missing[key] for key in keys], asking)] = None
        landed: dict[str, _Found] = {}
        for values in await asyncio.gather(*(self._landed(one, missing, asking) for one in flights)):
            landed |= values
        status = CacheStatus.BYPASS if asking.use is Use.FRESH else CacheStatus.MISS
        for key in missing.keys() - found.keys():
            one, how = landed[key], CacheStatus.JOINED if key in joined else status
            found[key] = self._told(missing[key], one, how) if isinstance(one, Kept) else one
        return found

    def _told(self, prepared: Prepared, kept: Kept, status: CacheStatus) -> Served:
        until = kept.made + self.times(prepared.bound.metric.name)[0]
        return Served(kept.answer, status, kept.age, prepared.query, self.project.depends(prepared), until)

    async def _batches(self, prepared: Sequence[Prepared]) -> Sequence[Sequence[int]]:
        if len(prepared) < 2:
            return [(place,) for place in range(len(prepared))]
        return await self.in_thread(partial(self.project.put_together, prepared))

    def _begun(self, keys: Sequence[str], prepared: Sequence[Prepared], asking: Asking) -> Flight[_Found]:
        async def fly(flight: Flight[_Found]) -> Mapping[str, _Found]:
            async with AsyncExitStack() as held:
                with observing.observer().span("queue"):
                    waited = await held.enter_async_context(self.turns.turn(asking.caller.name))
                observing.observer().waited(waited)
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

    async def _landed(
        self, flight: Flight[_Found], wanted: Mapping[str, Prepared], asking: Asking
    ) -> Mapping[str, _Found]:
        """What a flight found of what is wanted; where it fails or takes too long, why."""
        keys = [key for key in flight.keys if key in wanted]
        deadline = _least(asking.deadline, self.settings.deadline)
        inline = self.settings.inline_timeout
        becomes_job = inline is not None and (deadline is None or inline < deadline)
        with self._flights.boarded(flight):
            try:
                async with asyncio.timeout(inline if becomes_job else deadline):
                    return await asyncio.shield(flight.task)
            except TimeoutError:
                if becomes_job:
                    return {key: self._as_job(wanted[key], key, flight, asking) for key in keys}
                assert deadline is not None
                error: Exception = too_late(deadline)
            except Exception as failed:  # noqa: BLE001 - other flights land; whoever asked for these is told
                error = failed
        return dict.fromkeys(keys, error)

    def _as_job(self, prepared: Prepared, key: str, flight: Flight[_Found], asking: Asking) -> QueryRunning:
        name, inline, deadline = prepared.bound.metric.name, self.settings.inline_timeout or 0, self.settings.deadline
        left = None if deadline is None else max(0.0, deadline - inline)
        job = self._jobs.begin(name, key, flight, repr(asking.caller), left)
        return QueryRunning(name, job.id, inline)

    def job(self, id_: str, caller: Caller | None = None) -> Job:
        """A question that went on after its request. Raises QueryError where the caller has none of that id."""
        if (found := self._jobs.get(id_, repr(caller or Caller()))) is None:
            told = f"there is no job `{id_[:50]}`"
            fix = "It is long over, or another's: ask the question again."
            raise QueryError(Problem(told, fix=fix, code=Code.UNKNOWN_NAME))
        return found

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Blocking work, so that the event loop stays free."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, observing.carried(work))

    def _do_behind(self, work: Awaitable[object]) -> None:
        """Go on with something that nobody waits for."""

        async def done() -> None:
            await asyncio.gather(work, return_exceptions=True)

        task = asyncio.ensure_future(done())
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)


def _least(*seconds: float | None) -> float | None:
    return min((one for one in seconds if one is not None), default=None)


def _outcome(served: Served | None) -> str:
    """How a look into the cache ended."""
    if served is None:
        return "miss"
    return "stale" if served.status is CacheStatus.STALE else "hit"


def _not_kept(prepared: Prepared) -> QueryError:
    told = f"{prepared.bound.metric.name}: no answer is kept, and only a kept one was asked for"
    return QueryError(Problem(told, fix="Ask without `cache: ONLY`, or warm it before.", code=Code.NOT_KEPT))
