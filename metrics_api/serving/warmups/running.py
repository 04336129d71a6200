"""A warmup as it runs: each question once, so many at a time, and none that is answered well already."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import orjson

from metrics_api.engines.warehouse import Execution
from metrics_api.errors import MetricsError
from metrics_api.query.metric_query import MetricQuery
from metrics_api.query.warmups import planned, warmup_named
from metrics_api.serving.project import Prepared
from metrics_api.serving.service import Asking, CacheStatus, Caller, Served, Service, Use
from metrics_api.serving.warmups.asked import Asked
from metrics_api.serving.warmups.ledger import Ledger

WARMER = "warmup"
"""The caller of all that nobody asked."""
LEASE = 10.0
"""Seconds for which a worker holds a warmup without a sign of life."""
KNOWN = 86_400.0
"""Seconds for which one can ask how a run went."""
MOST_TOLD = 20
"""Problems that are told of a run."""

Tell = Callable[["Run"], None]


@dataclass
class Run:
    """How far a warmup is."""

    id: str
    warmup: str
    state: str = "waiting"
    """`waiting` for another worker who is at it, `running`, `done`, `skipped`: another worker did it, `failed` as a
    whole, or `interrupted` by the end of its process."""
    questions: int = 0
    done: int = 0
    ready: int = 0
    """Answers that were kept already."""
    failed: int = 0
    statements: int = 0
    rows_read: int | None = None
    """By these statements; None: the warehouse does not tell."""
    bytes_read: int | None = None
    begun: float = field(default_factory=time.time)
    """In seconds since 1970."""
    seconds: float = 0.0
    warm_until: float | None = None
    """Until when the first of the answers is given again; None: there is none."""
    problems: list[dict[str, str]] = field(default_factory=list)
    """What went wrong with which question, the first of them."""

    @property
    def told(self) -> dict[str, Any]:
        return asdict(self)

    def count(self, executions: Sequence[Execution]) -> None:
        """These are its statements so far."""
        rows = [one.read.rows for one in executions if one.read.rows is not None]
        sizes = [one.read.bytes for one in executions if one.read.bytes is not None]
        self.statements = len(executions)
        self.rows_read, self.bytes_read = sum(rows) if rows else None, sum(sizes) if sizes else None


@dataclass(frozen=True, slots=True)
class _Question:
    name: str
    query: MetricQuery
    policy: str


class Runner:
    """Runs the warmups of a project through its service. For one event loop; `lease` is for tests.

    Where answers are kept by this process alone (`shares_answers` false), what another did counts while it lives: an
    answer that went with its process is asked again.
    """

    def __init__(
        self,
        service: Service,
        ledger: Ledger,
        asked: Asked | None = None,
        *,
        shares_answers: bool = False,
        lease: float = LEASE,
    ) -> None:
        self.service = service
        self.ledger = ledger
        self.asked = asked or Asked(ledger)
        self._shares_answers = shares_answers
        self._lease = lease
        self._runs: dict[str, Run] = {}
        self._tasks: set[asyncio.Task[Run]] = set()

    def begin(self, name: str, tell: Tell | None = None) -> Run:
        """Start a run that goes on by itself. Raises QueryError where there is no such warmup."""
        warmup_named(self.service.project.model, name)
        run = Run(uuid.uuid4().hex[:16], name)
        task = asyncio.ensure_future(self._whole(run, run.id, tell))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return run

    async def run(self, name: str, tell: Tell | None = None, *, occasion: str | None = None) -> Run:
        """Run it to its end. With an `occasion`, such as a moment of its schedule, one of the workers does, once.

        Raises QueryError where there is no such warmup; what goes wrong with a question is told by the run.
        """
        warmup_named(self.service.project.model, name)
        run = Run(uuid.uuid4().hex[:16], name)
        return await self._whole(run, occasion or run.id, tell)

    async def told(self, run: str) -> Mapping[str, Any] | None:
        """How far a run is, whichever worker it is at; None for none that is known."""
        if run in self._runs:
            return self._runs[run].told
        text = await self.ledger.read(f"run:{run}")
        return None if text is None else dict(orjson.loads(text))

    async def close(self) -> None:
        """End what runs here; what it holds is free for another worker."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- a run --------------------------------------------------------------------------------------------------------

    async def _whole(self, run: Run, occasion: str, tell: Tell | None) -> Run:
        self._runs[run.id] = run
        for old in list(self._runs)[:-200]:
            del self._runs[old]
        await self._tell(run, tell)
        while not await self.ledger.take(run.warmup, run.id, self._lease):
            if await self._is_done(run, occasion):
                break
            await asyncio.sleep(min(1.0, self._lease / 4))
        holding = asyncio.ensure_future(self._hold(run))
        try:
            if await self._is_done(run, occasion):
                run.state = "skipped"
            else:
                await self._ask_all(run, tell)
                await self.ledger.write(f"done:{run.warmup}:{occasion}", str(os.getpid()), KNOWN)
        except asyncio.CancelledError:
            run.state = "interrupted"
            raise
        except Exception as error:  # noqa: BLE001 - whoever asks how it went is told; the next run may go better
            run.state = "failed"
            self._failed(run, run.warmup, error)
        finally:
            await self._tell(run, tell)
            holding.cancel()
            with suppress(asyncio.CancelledError):
                await holding
            await self.ledger.free(run.warmup, run.id)
        return run

    async def _is_done(self, run: Run, occasion: str) -> bool:
        """Whether a worker has run it for this occasion, and the answers are still there."""
        by = await self.ledger.read(f"done:{run.warmup}:{occasion}")
        return by is not None and (self._shares_answers or _is_alive(by))

    async def _hold(self, run: Run) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            await self.ledger.take(run.warmup, run.id, self._lease)

    async def _ask_all(self, run: Run, tell: Tell | None) -> None:
        project = self.service.project
        warmup = warmup_named(project.model, run.warmup)
        begun = time.perf_counter()
        run.state = "running"
        every = await self._questions(run.warmup)
        run.questions = len(every)
        await self._tell(run, tell)
        executions: list[Execution] = []
        project.listeners[run.id] = executions.append  # From several threads.
        turns = asyncio.Semaphore(warmup.at_once)

        async def ask(group: Sequence[_Question]) -> None:
            async with turns:
                await self._ask(run, group)
                run.count(executions)
                run.seconds = time.perf_counter() - begun
                await self._tell(run, tell)

        try:
            await asyncio.gather(*(ask(group) for group in await self._groups(every)))
            # Whoever asks next, here or elsewhere, finds what was answered.
            await self.service.settled()
        finally:
            project.listeners.pop(run.id, None)
        run.seconds = time.perf_counter() - begun
        run.state = "done"

    async def _questions(self, name: str) -> list[_Question]:
        """What is asked, for each of its policies, and of what was asked before what still means something."""
        model = self.service.project.model
        warmup = warmup_named(model, name)
        tenants = warmup.tenants or ("",)
        found = {(one.query, policy): one.name for one in planned(model, warmup) for policy in tenants}
        if warmup.replay:
            for query, policy in await self.asked.most(warmup.replay):
                if not warmup.tenants or policy in tenants:
                    found.setdefault((query, policy), f"{query.metric}, asked before")
        return [_Question(told, query, policy) for (query, policy), told in found.items()]

    async def _groups(self, every: Sequence[_Question]) -> list[list[_Question]]:
        """Those together that one statement can answer. What cannot be asked any more is by itself, and tells why."""

        def grouped() -> list[list[_Question]]:
            project = self.service.project
            prepared: dict[str, list[tuple[_Question, Prepared]]] = {}
            groups: list[list[_Question]] = []
            for one in every:
                try:
                    prepared.setdefault(one.policy, []).append((one, project.prepared(one.query)))
                except Exception:  # noqa: BLE001 - told when it is asked
                    groups.append([one])
            for of_policy in prepared.values():
                places = project.put_together([ready for _, ready in of_policy])
                groups += [[of_policy[place][0] for place in batch] for batch in places]
            return groups

        return await self.service.in_thread(grouped)

    async def _ask(self, run: Run, group: Sequence[_Question]) -> None:
        asking = Asking(Caller(WARMER, group[0].policy), request_id=run.id)
        queries = [one.query for one in group]
        found = dict(enumerate(await self.service.answers(queries, asking)))
        if any(isinstance(one, Served) and one.status is CacheStatus.STALE for one in found.values()):
            await self.service.settled()  # They are being made anew.
            found = dict(enumerate(await self.service.answers(queries, asking)))
        for place, one in found.items():
            if isinstance(one, Served) and self._is_old(one):
                found[place] = (await self.service.answers([queries[place]], _fresh(asking)))[0]
        for place, one in found.items():
            run.done += 1
            if isinstance(one, Exception):
                self._failed(run, group[place].name, one)
                continue
            run.ready += one.status is CacheStatus.HIT
            ttl, _ = self.service.times(one.answer.info.metric)
            until = time.time() + ttl - one.age
            run.warm_until = until if run.warm_until is None else min(until, run.warm_until)

    def _is_old(self, served: Served) -> bool:
        """Whether it is soon given no longer: not what one is to find at nine."""
        ttl, _ = self.service.times(served.answer.info.metric)
        return served.status is CacheStatus.STALE or served.age > ttl / 2

    def _failed(self, run: Run, name: str, error: Exception) -> None:
        run.failed += 1
        if len(run.problems) >= MOST_TOLD:
            return
        problems: Iterable[tuple[str, str]] = [("INTERNAL", f"a mistake of our own ({type(error).__name__})")]
        if isinstance(error, MetricsError):
            problems = [(one.code.value, one.message) for one in error.problems]
        run.problems += [{"question": name, "code": code, "message": message} for code, message in problems]

    async def _tell(self, run: Run, tell: Tell | None) -> None:
        if tell is not None:
            tell(run)
        await self.ledger.write(f"run:{run.id}", orjson.dumps(run.told).decode(), KNOWN)


def _is_alive(pid: str) -> bool:
    """Whether a process of this machine goes on."""
    if os.name == "nt":  # There a signal ends it, whichever it is.
        return True
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _fresh(asking: Asking) -> Asking:
    return replace(asking, use=Use.FRESH)
