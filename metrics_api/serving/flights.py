"""Single flight: what several want at the same time is computed once, and stopped when nobody wants it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from metrics_api.engines.warehouse import Stop, Stopped
from metrics_api.errors import Code, Problem, QueryError

V = TypeVar("V")

_EVER = 7 * 24 * 3600.0


def too_late(seconds: float) -> QueryError:
    told = f"the answer took more than {seconds:g} seconds; nobody waits for it any more"
    return QueryError(Problem(told, fix="Ask for less.", code=Code.DEADLINE))


class Flight(Generic[V]):
    """Work that finds the values of some keys together. It lives as long as somebody waits for it."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)
        self.stop = Stop()
        self.waiting = 0
        self.is_running = False
        """Whether it is past the point where it can simply be cancelled: a thread is at work for it."""
        self.task: asyncio.Task[Mapping[str, V]]


class Flights(Generic[V]):
    """The flights under way, by key. For one event loop."""

    def __init__(self) -> None:
        self._by_key: dict[str, Flight[V]] = {}
        self._ending: set[asyncio.Future[Any]] = set()

    def of(self, key: str) -> Flight[V] | None:
        return self._by_key.get(key)

    def begin(self, keys: Sequence[str], work: Callable[[Flight[V]], Awaitable[Mapping[str, V]]]) -> Flight[V]:
        """Start the work. It must be joined, or it goes on for nobody."""
        flight = Flight[V](keys)

        async def fly() -> Mapping[str, V]:
            try:
                return await work(flight)
            finally:
                self._forget(flight)

        for key in keys:
            self._by_key[key] = flight
        flight.task = asyncio.ensure_future(fly())
        return flight

    @contextmanager
    def boarded(self, flight: Flight[V]) -> Iterator[None]:
        """Inside, one waits for it. The last one to leave before it lands ends the work, in the warehouse too."""
        flight.waiting += 1
        try:
            yield
        finally:
            self._leave(flight)

    async def join(self, flight: Flight[V]) -> Mapping[str, V]:
        """What it finds. Who is cancelled leaves."""
        with self.boarded(flight):
            return await asyncio.shield(flight.task)

    def hold(
        self, flight: Flight[V], landed: Callable[[Mapping[str, V] | Exception], None], seconds: float | None
    ) -> None:
        """Wait for it without a coroutine, at most so long; `landed` is told what it found or why there is nothing."""
        flight.waiting += 1

        def done(values: Mapping[str, V] | Exception) -> None:
            if not late.cancelled():
                late.cancel()
                flight.task.remove_done_callback(ended)
                landed(values)
                self._leave(flight)

        def ended(task: asyncio.Task[Mapping[str, V]]) -> None:
            if task.cancelled():
                done(Stopped("it was ended"))
            else:
                failed = task.exception()
                done(task.result() if failed is None else failed if isinstance(failed, Exception) else Stopped("ended"))

        loop = asyncio.get_running_loop()
        most = _EVER if seconds is None else seconds
        late = loop.call_later(most, lambda: done(too_late(most)))
        flight.task.add_done_callback(ended)

    def _leave(self, flight: Flight[V]) -> None:
        flight.waiting -= 1
        if not flight.waiting and not flight.task.done():
            self._end(flight)

    async def close(self) -> None:
        """End all that is under way, and wait until it has ended."""
        flights = set(self._by_key.values())
        for flight in flights:
            self._end(flight)
        await asyncio.gather(*(one.task for one in flights), *self._ending, return_exceptions=True)

    def _end(self, flight: Flight[V]) -> None:
        self._forget(flight)
        if not flight.is_running:
            flight.task.cancel()
            return
        # Telling the warehouse takes its time: not on the event loop.
        ending = asyncio.get_running_loop().run_in_executor(None, flight.stop.now)
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        # Nobody waits for it: what it raises is not missed.
        flight.task.add_done_callback(lambda task: task.cancelled() or task.exception())

    def _forget(self, flight: Flight[V]) -> None:
        for key in flight.keys:
            if self._by_key.get(key) is flight:
                del self._by_key[key]
