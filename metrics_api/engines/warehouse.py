"""What every warehouse offers once connected: rows, rows in pieces, what a statement would cost, and an end to it."""

from __future__ import annotations

import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Protocol, TypeVar

from metrics_api.errors import WarehouseError

if TYPE_CHECKING:
    import pyarrow as pa

    from metrics_api.sql.dialect import Dialect

T = TypeVar("T")
W = TypeVar("W")


class MayPass(WarehouseError):
    """A failure that another attempt may not meet: no answer, a session that is gone, a server that is too busy."""


class Stopped(WarehouseError):
    """The statement was ended because whoever asked wanted no answer any more."""


class Stop:
    """Ends a statement from another thread: `now` makes the warehouse cancel it, and its `run` raises `Stopped`.

    One may be given to several statements, one after the other or at once. Once said, no further one begins.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._cancels: list[Callable[[], None]] = []
        self._said = threading.Event()

    @property
    def is_said(self) -> bool:
        return self._said.is_set()

    def now(self) -> None:
        """Cancel what runs. Returns when the warehouse was told, not when it is done; never raises."""
        with self._changing:
            self._said.set()
            cancels, self._cancels = self._cancels, []
        for cancel in cancels:
            _quietly(cancel)

    @contextmanager
    def by(self, cancel: Callable[[], None]) -> Iterator[None]:
        """While inside, `now` calls `cancel`, and what fails then is `Stopped`, as it is if it was said before."""
        with self._changing:
            if self.is_said:
                raise Stopped(_ENDED)
            self._cancels.append(cancel)
        try:
            yield
        except Exception:
            if self.is_said:
                raise Stopped(_ENDED) from None
            raise
        finally:
            with self._changing:
                if cancel in self._cancels:
                    self._cancels.remove(cancel)

    def wait(self, seconds: float) -> None:
        """Pause so long, or until it is said."""
        self._said.wait(seconds)


_ENDED = "the statement was ended, since nobody waits for it any more"


def _quietly(cancel: Callable[[], None]) -> None:
    try:
        cancel()
    except Exception:  # noqa: BLE001 - drivers raise what they like for a statement that is over
        return


@dataclass(frozen=True, slots=True)
class Cost:
    """What a statement read. None: the warehouse does not tell."""

    rows: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """What came back of a statement. `seconds` is wall-clock time at the warehouse, waiting included."""

    table: pa.Table
    seconds: float
    read: Cost = Cost()
    statement: str | None = None
    """The name by which the warehouse's own history knows the statement."""


@dataclass(slots=True)
class Stream:
    """The rows of a statement, in pieces as they come: of the same columns, though a decimal's width may differ.

    `read` and `statement` are filled in as soon as the warehouse tells, at the latest after the last piece. A failure
    between two pieces is raised from the iteration, and whoever holds pieces by then has not got all rows.
    """

    pieces: Iterator[pa.Table]
    """Each a table; one at least, which may be empty, so that there are always columns."""
    read: Cost = Cost()
    statement: str | None = None

    def __iter__(self) -> Iterator[pa.Table]:
        return self.pieces


class Warehouse(Protocol):
    """A connection, safe to use from several threads. Failures are `WarehouseError`s, without secrets.

    A `tag` (a metric and a request's id) is shown in the warehouse's own history where it has a place for it; it is
    never part of the text, by which caches of results know a statement.
    """

    def run(self, sql: str, *, tag: str = "", stop: Stop | None = None) -> Execution:
        """All rows of a statement, never a part of them. What may pass is tried again. Raises `Stopped` too."""
        ...

    def stream(self, sql: str, *, tag: str = "", stop: Stop | None = None) -> AbstractContextManager[Stream]:
        """The rows in pieces, for answers that do not fit in memory. Only the start is tried again."""
        ...

    def estimate(self, sql: str) -> Cost:
        """What the statement would read, as far as the warehouse tells without running it; raises its refusal."""
        ...

    def columns(self, table: str) -> tuple[tuple[str, str], ...] | None:
        """The (name, type) pairs of a table, or None if there is no such table."""
        ...

    def keys(self, table: str) -> frozenset[str] | None:
        """The columns by which the warehouse skips what it need not read of a table: those that it is partitioned,
        clustered, sorted or indexed by, in small letters. None: it does not tell."""
        ...

    def version(self, table: str) -> str | None:
        """A text that is another one whenever the rows of a table may be others than when it was told. None: the
        warehouse does not tell, or there is no such table. Never one that could miss a change."""
        ...

    def close(self) -> None:
        """Release everything; further calls fail."""
        ...


class Connected(ABC):
    """A warehouse by what its driver does with one statement: reading all, attempts and ends are alike everywhere."""

    @abstractmethod
    def begun(self, sql: str, tag: str, stop: Stop, *, whole: bool) -> AbstractContextManager[Stream]:
        """Send a statement; inside, read its rows; at the end, leave nothing open.

        `whole`: all rows are read at once, which some drivers do faster. Raises WarehouseError inside and out,
        `MayPass` where another attempt may help.
        """

    def run(self, sql: str, *, tag: str = "", stop: Stop | None = None) -> Execution:
        begun = time.perf_counter()
        end = stop or Stop()

        def asked() -> Execution:
            import pyarrow as pa

            with self.begun(sql, tag, end, whole=True) as stream:
                pieces = list(stream)
                table = pieces[0] if len(pieces) == 1 else pa.concat_tables(pieces, promote_options="permissive")
            return Execution(table, time.perf_counter() - begun, stream.read, stream.statement)

        return retried(asked, end)

    def keys(self, table: str) -> frozenset[str] | None:
        return None

    def version(self, table: str) -> str | None:
        return None

    @contextmanager
    def stream(self, sql: str, *, tag: str = "", stop: Stop | None = None) -> Iterator[Stream]:
        end = stop or Stop()
        with ExitStack() as held:
            yield retried(lambda: held.enter_context(self.begun(sql, tag, end, whole=False)), end)


@contextmanager
def ends(cancel: Callable[[], None], stop: Stop, seconds: int | None = None, engine: str = "") -> Iterator[None]:
    """Inside, `cancel` is called when `stop` is said, or after so many seconds where the engine keeps no time limit.

    Raises `Stopped`, or a WarehouseError that tells the limit, in place of what fails inside for that reason.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        _quietly(cancel)

    timer = threading.Timer(seconds or 0, end)
    timer.daemon = True
    if seconds is not None:
        timer.start()
    try:
        with stop.by(cancel):
            yield
    except Exception:
        if late.is_set():
            raise too_long(engine, seconds) from None
        raise
    finally:
        timer.cancel()


def too_long(engine: str, seconds: int | None) -> WarehouseError:
    took = f"more than {seconds} seconds" if seconds else "too long"
    return WarehouseError(
        f"{engine}: the statement took {took} and was ended",
        fix=ASK_FOR_LESS,
    )


ASK_FOR_LESS = "Ask for less, or raise `statement_timeout` of the warehouse."


PAUSES: Sequence[float] = (0.25, 1.0, 4.0)
"""Seconds before each further attempt, made longer or shorter by up to a half."""


def retried(ask: Callable[[], T], stop: Stop) -> T:
    """What `ask` returns, asked again after `MayPass`. Raises the last failure, or `Stopped` if that was said."""
    for pause in (*PAUSES, None):
        try:
            return ask()
        except MayPass:
            if stop.is_said:
                raise Stopped(_ENDED) from None
            if pause is None:
                raise
        stop.wait(pause * random.uniform(0.5, 1.5))  # noqa: S311 - that many callers do not come back at once
    raise AssertionError


def asked_again(ask: Callable[[W, str], T]) -> Callable[[W, str], T]:
    """A method that asks a warehouse about a table or statement, tried again where that may help."""

    @wraps(ask)
    def asked(self: W, about: str) -> T:
        return retried(lambda: ask(self, about), Stop())

    return asked


def shortened(tag: str, most: int) -> str:
    """The tag in so many characters: of `metric request` the request's id stays whole as long as it can.

    >>> shortened("weekly_retention 4f2a", 18)
    'weekly_reten~ 4f2a'
    """
    if len(tag) <= most:
        return tag
    what, _, request = tag.rpartition(" ")
    room = most - len(request) - 2
    return f"{what[:room]}~ {request}" if what and room > 0 else tag[:most]


def spoken_by(warehouse: Warehouse | None, usual: Dialect) -> Dialect:
    """How a warehouse says things: once connected, its release may know more than its engine's dialect rests on."""
    found: Dialect = getattr(warehouse, "dialect", usual)
    return found


@contextmanager
def closing(warehouse: Warehouse) -> Iterator[Warehouse]:
    try:
        yield warehouse
    finally:
        warehouse.close()
