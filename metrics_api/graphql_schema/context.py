"""What the resolvers of one request share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from uuid import uuid4

import anyio
import anyio.to_thread

from metrics_api.errors import Code, Problem, QueryError
from metrics_api.query.metric_query import MetricQuery
from metrics_api.results import Answer
from metrics_api.serving.project import Explained, Project

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How much one request may ask for. Beyond a limit the answer is a refusal that names it."""

    depth: int = 12
    """Fields inside fields; introspection aside."""
    aliases: int = 30
    tokens: int = 4_000
    selections: int = 100
    """Fields of one selection set, those of its fragments included."""
    metrics: int = 20
    """Metric fields of one request."""
    cards: int = 60
    """Cards of boards in one request."""
    conditions: int = 200
    """Comparisons and combinations of one filter."""
    nesting: int = 16
    """Filters inside filters, and objects inside the request's variables."""
    threads: int = 8
    """Questions that are answered at the same time, over all requests."""


@dataclass(eq=False)
class _Turn:
    """What is asked in one turn of the event loop, and once all have asked, the answers to come."""

    queries: list[MetricQuery] = field(default_factory=list)
    answers: asyncio.Task[list[Answer | BaseException]] | None = None


@dataclass
class RequestContext:
    """The project that answers, and what is counted while it does."""

    project: Project
    limits: RequestLimits = field(default_factory=RequestLimits)
    threads: anyio.CapacityLimiter | None = None
    """Shared by all requests of a server; one of its own otherwise."""
    request_id: str = field(default_factory=lambda: uuid4().hex)
    writes_json: bool = False
    """Whether lists of an answer may be JSON already (`orjson.Fragment`): whoever asks writes it with orjson."""
    _asked: int = 0
    _cards: int = 0
    _explaining: dict[str, asyncio.Task[Explained]] = field(default_factory=dict)
    _turn: _Turn = field(default_factory=_Turn)

    def count_metric(self) -> None:
        """Counts a metric field, or a list of all of them; raises QueryError beyond the limit."""
        self._asked += 1
        if self._asked > self.limits.metrics:
            raise QueryError(
                Problem(
                    f"more than {self.limits.metrics} metric fields in one request",
                    fix="Send several requests.",
                    code=Code.LIMIT_EXCEEDED,
                )
            )

    def count_cards(self, number: int) -> None:
        """Counts the cards of a board, which the project has chosen; raises QueryError beyond the limit."""
        self._cards += number
        if self._cards > self.limits.cards:
            raise QueryError(
                Problem(
                    f"more than {self.limits.cards} cards of boards in one request",
                    fix="Send several requests, or name fewer `cards`.",
                    code=Code.LIMIT_EXCEEDED,
                )
            )

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Blocking work, so that the event loop stays free for others; only so much of it at the same time."""
        if self.threads is None:
            self.threads = anyio.CapacityLimiter(self.limits.threads)
        return await anyio.to_thread.run_sync(work, limiter=self.threads)

    async def answer(self, query: MetricQuery) -> Answer:
        """The answer to a question. Raises what `Project.answer` raises.

        What all fields of a request ask in one turn of the event loop is answered together, in as few statements as
        it can be.
        """
        turn = self._turn
        turn.queries.append(query)
        place = len(turn.queries) - 1
        await asyncio.sleep(0)  # Until every field of this turn has asked.
        if turn is self._turn:
            self._turn = _Turn()
            turn.answers = asyncio.ensure_future(self._answers(turn.queries))
        assert turn.answers is not None
        found = (await turn.answers)[place]
        if isinstance(found, BaseException):
            raise found
        return found

    async def _answers(self, queries: Sequence[MetricQuery]) -> list[Answer | BaseException]:
        """Each question's answer, or why there is none. Batches are answered at the same time."""
        batches: Sequence[tuple[int, ...]] = [(place,) for place in range(len(queries))]
        if len(queries) > 1:
            put_together = await self._tried(partial(self.project.batches, queries))
            # Where that fails, each question by itself tells why.
            batches = batches if isinstance(put_together, BaseException) else put_together
        of_each = await asyncio.gather(*(self._batch([queries[place] for place in batch]) for batch in batches))
        found = {
            place: one
            for batch, answers in zip(batches, of_each, strict=True)
            for place, one in zip(batch, answers, strict=True)
        }
        return [found[place] for place in range(len(queries))]

    async def _batch(self, queries: Sequence[MetricQuery]) -> Sequence[Answer | BaseException]:
        if len(queries) > 1:
            together = await self._tried(partial(self.project.answers, queries))
            if not isinstance(together, BaseException):
                return together
        return await asyncio.gather(*(self._tried(partial(self.project.answer, query)) for query in queries))

    async def _tried(self, work: Callable[[], T]) -> T | BaseException:
        (found,) = await asyncio.gather(self.in_thread(work), return_exceptions=True)
        return found

    async def explained(self, metric: str) -> Explained:
        """How a metric is computed, compiled once for a request. Raises what `Project.explain` raises."""
        if metric not in self._explaining:
            work = self.in_thread(partial(self.project.explain, metric))
            self._explaining[metric] = asyncio.ensure_future(work)
        return await self._explaining[metric]
