"""Turns at the warehouse: so many statements at once, and who waits is served in fair order over callers."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from metrics_api.errors import Code, Problem, QueryError


class Turns:
    """At most `most` at once, and `most_waiting` in line. For one event loop.

    Those who wait stand in a lane for each caller; lanes are served one after the other, so that a caller who asks a
    thousand things does not keep out one who asks a single one.
    """

    def __init__(self, most: int, most_waiting: int) -> None:
        self.most, self.most_waiting = most, most_waiting
        self.running = 0
        self.waiting = 0
        self._lanes: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, lane: str) -> AsyncIterator[float]:
        """Inside, it is one's turn; gives the seconds that one waited. Raises QueryError when too many wait."""
        begun = time.perf_counter()
        await self._taken(lane)
        try:
            yield time.perf_counter() - begun
        finally:
            self._given_back()

    async def _taken(self, lane: str) -> None:
        if self.running < self.most and not self.waiting:
            self.running += 1
            return
        if self.waiting >= self.most_waiting:
            fix = "Ask again in a moment, or raise the server's limit of questions that wait."
            told = f"the server is busy: {self.waiting:,} questions wait for their turn"
            raise QueryError(Problem(told, fix=fix, code=Code.TOO_BUSY))
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lanes.setdefault(lane, deque()).append(place)
        self.waiting += 1
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._given_back()  # It was one's turn just as one left.
            else:
                self._left(lane, place)
            raise

    def _left(self, lane: str, place: asyncio.Future[None]) -> None:
        self._lanes[lane].remove(place)
        self.waiting -= 1
        if not self._lanes[lane]:
            del self._lanes[lane]

    def _given_back(self) -> None:
        """Hand the turn to the first of the next lane."""
        if not self._lanes:
            self.running -= 1
            return
        lane, places = next(iter(self._lanes.items()))
        places.popleft().set_result(None)
        self.waiting -= 1
        if places:
            self._lanes.move_to_end(lane)
        else:
            del self._lanes[lane]
