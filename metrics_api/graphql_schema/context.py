"""What the resolvers of one request share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar
from uuid import uuid4

from metrics_api.errors import Code, Problem, QueryError
from metrics_api.query.metric_query import MetricQuery
from metrics_api.results import Answer, Cache
from metrics_api.serving.project import Explained, Project
from metrics_api.serving.service import Asking, Served, Service, Use

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


@dataclass(eq=False)
class _Turn:
    """What is asked in one turn of the event loop, and once all have asked, the answers to come."""

    queries: list[tuple[MetricQuery, Use | None]] = field(default_factory=list)
    answers: asyncio.Task[list[Answer | Exception]] | None = None


@dataclass
class RequestContext:
    """The service that answers, who asks, and what is counted while they do."""

    service: Service
    limits: RequestLimits = field(default_factory=RequestLimits)
    asking: Asking = field(default_factory=lambda: Asking(request_id=uuid4().hex))
    writes_json: bool = False
    """Whether lists of an answer may be JSON already (`orjson.Fragment`): whoever asks writes it with orjson."""
    is_lasting: bool = True
    """Whether the same request has the same answer while `served` is what it is."""
    served: list[Served] = field(default_factory=list)
    """What the answer rests on."""
    _asked: int = 0
    _cards: int = 0
    _explaining: dict[str, asyncio.Task[Explained]] = field(default_factory=dict)
    _turn: _Turn = field(default_factory=_Turn)

    @property
    def project(self) -> Project:
        return self.service.project

    @property
    def request_id(self) -> str:
        return self.asking.request_id

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
        """Blocking work, so that the event loop stays free for others."""
        return await self.service.in_thread(work)

    async def answer(self, query: MetricQuery, use: Use | None = None) -> Answer:
        """The answer to a question. Raises what `Service.answer` raises.

        What all fields of a request ask in one turn of the event loop is answered together, in as few statements as
        it can be. `use` is what the field says of kept answers, above what the request says.
        """
        turn = self._turn
        turn.queries.append((query, use))
        place = len(turn.queries) - 1
        await asyncio.sleep(0)  # Until every field of this turn has asked.
        if turn is self._turn:
            self._turn = _Turn()
            turn.answers = asyncio.ensure_future(self._answers(turn.queries))
        assert turn.answers is not None
        found = (await turn.answers)[place]
        if isinstance(found, Exception):
            raise found
        return found

    async def _answers(self, asked: Sequence[tuple[MetricQuery, Use | None]]) -> list[Answer | Exception]:
        """Each question's answer, with word of where it is from, or why there is none."""
        uses = [use or self.asking.use for _, use in asked]
        found: dict[int, Answer | Exception] = {}
        for use in dict.fromkeys(uses):
            places = [place for place, one in enumerate(uses) if one is use]
            served = await self.service.answers([asked[place][0] for place in places], replace(self.asking, use=use))
            found |= {place: self._told(one) for place, one in zip(places, served, strict=True)}
            self.is_lasting = self.is_lasting and use is Use.ANY
        return [found[place] for place in range(len(asked))]

    def _told(self, served: Served | Exception) -> Answer | Exception:
        if isinstance(served, Exception):
            return served
        self.served.append(served)
        cache = Cache(served.status, served.age)
        return replace(served.answer, info=replace(served.answer.info, cache=cache))

    async def explained(self, metric: str) -> Explained:
        """How a metric is computed, compiled once for a request. Raises what `Project.explain` raises."""
        self.is_lasting = False  # Its dates are those of today.
        if metric not in self._explaining:
            work = self.in_thread(partial(self.project.explain, metric))
            self._explaining[metric] = asyncio.ensure_future(work)
        return await self._explaining[metric]
