"""Sessions that statements take one after the other, for drivers of which a session does one thing at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Generic, TypeVar

from metrics_api.errors import WarehouseError

S = TypeVar("S")


class Pool(Generic[S]):
    """Up to `most` sessions, opened when they are needed: whoever wants one more waits. Safe between threads.

    `open_` makes one and `end` closes one for good; `end` never raises. `engine` is what errors call the warehouse.
    """

    def __init__(self, engine: str, open_: Callable[[], S], end: Callable[[S], None], most: int | None = None) -> None:
        self._engine = engine
        self._open = open_
        self._end = end
        self._places = nullcontext() if most is None else threading.BoundedSemaphore(most)
        self._changing = threading.Lock()
        self._idle: list[S] = []
        self._closed = False

    @contextmanager
    def lent(self, keeps: Callable[[S], bool] = lambda session: True) -> Iterator[S]:
        """A session that nobody else has. Afterwards it is kept for others where `keeps` says so, failed or not.

        Raises WarehouseError once the pool is closed, and what `open_` raises.
        """
        with self._places, self.beyond(keeps) as session:
            yield session

    @contextmanager
    def beyond(self, keeps: Callable[[S], bool] = lambda session: True) -> Iterator[S]:
        """As `lent`, beyond the limit if need be: for what must not wait, such as ending another's statement."""
        session = self._taken()
        try:
            yield session
        finally:
            kept = keeps(session)
            with self._changing:
                kept = kept and not self._closed
                if kept:
                    self._idle.append(session)
            if not kept:
                self._end(session)

    def forget_idle(self) -> None:
        """End those that nobody has: what ended one session, such as a restart, has mostly ended them all."""
        with self._changing:
            idle, self._idle = self._idle, []
        for session in idle:
            self._end(session)

    def close(self) -> None:
        """End every session, those in use as soon as they are given back. No further one is lent."""
        with self._changing:
            self._closed = True
        self.forget_idle()

    def _taken(self) -> S:
        with self._changing:
            if self._closed:
                raise WarehouseError(f"{self._engine}: the connection is closed")
            if self._idle:
                return self._idle.pop()
        return self._open()


class Common(Generic[S]):
    """One session that all statements share, for drivers of which a session can do several things at a time.

    It is opened when it is needed, and again when the warehouse has ended it. Safe between threads. `end` never raises.
    """

    def __init__(self, engine: str, open_: Callable[[], S], end: Callable[[S], None]) -> None:
        self._engine = engine
        self._open = open_
        self._end = end
        self._changing = threading.Lock()
        self._session: S | None = None
        self._closed = False

    def now(self) -> S:
        """The session there is, or a new one. Raises WarehouseError once it is closed, and what `open_` raises."""
        with self._changing:
            if self._closed:
                raise WarehouseError(f"{self._engine}: the connection is closed")
            if self._session is None:
                self._session = self._open()
            return self._session

    def give_up(self, session: S) -> None:
        """End a session that is of no use any more: the next who asks has a new one."""
        with self._changing:
            if self._session is session:
                self._session = None
        self._end(session)

    def close(self) -> None:
        """End the session. No further one is opened."""
        with self._changing:
            self._closed = True
            session, self._session = self._session, None
        if session is not None:
            self._end(session)
