"""What is told of the work while it is done: counters, spans and the record of a request. Without an observer, nothing.

Who observes stands in a context variable, so that neither questions nor answers carry it about; work in a thread is
given its caller's context (`carried`).
"""

from __future__ import annotations

import contextvars
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from metrics_api.engines.warehouse import Cost, Stopped

if TYPE_CHECKING:
    from metrics_api.engines.warehouse import Execution, Stop, Warehouse

T = TypeVar("T")
Attributes = Mapping[str, str | int | float | bool]

SEVERAL = "(several)"
"""Counted as the metric of a statement that answers several."""


@dataclass
class Request:
    """What becomes known of a request while it is answered; written in the log at its end."""

    id: str = ""
    caller: str = ""
    operation: str = ""
    trace: str = ""
    statements: list[str] = field(default_factory=list)
    """What was asked of the warehouse for it."""
    cache: Counter[str] = field(default_factory=Counter)
    """Its answers by their status in the cache."""


class Observer:
    """Sees what happens; this one looks away. Called from several threads, and never raises."""

    def span(self, name: str, attributes: Attributes | None = None) -> AbstractContextManager[object]:
        """A step of the work, as tracing calls it: `compile`, `queue`, `warehouse`, `encode`."""
        return nullcontext()

    def ran(self, metric: str, engine: str, outcome: str, seconds: float, read: Cost) -> None:
        """A statement: `ok`, `failed`, or `stopped` since nobody waited any more."""

    def waited(self, seconds: float) -> None:
        """For a turn at the warehouse."""

    def looked_up(self, tier: str, outcome: str) -> None:
        """In a tier of the cache (`memory`, `shared`, `response`): `hit`, `miss`, `stale`."""

    def answered(self, status: str) -> None:
        """A question, by where its answer is from."""

    def reloaded(self, *, worked: bool) -> None:
        """The definitions were read again."""

    def warmed(self, name: str, outcome: str, seconds: float) -> None:
        """A run of a warmup: `ok`, `failed`, `skipped`."""


_observer: ContextVar[Observer] = ContextVar("observer", default=Observer())  # noqa: B039 - it holds nothing
_request: ContextVar[Request | None] = ContextVar("request", default=None)


def observer() -> Observer:
    """Who observes here."""
    return _observer.get()


def request() -> Request | None:
    """The request that is answered here."""
    return _request.get()


@contextmanager
def observed(by: Observer, of: Request | None = None) -> Iterator[None]:
    """Inside, and in what is begun inside, `by` observes the work, which is that of a request where one is given."""
    before, request_before = _observer.set(by), _request.set(of)
    try:
        yield
    finally:
        _observer.reset(before)
        _request.reset(request_before)


def carried(work: Callable[[], T]) -> Callable[[], T]:
    """The work as it is to be done in another thread: seen by who observes here."""
    context = contextvars.copy_context()
    return lambda: context.run(work)


def answered(status: str) -> None:
    """Tell where an answer is from, in the counters and in the request's line."""
    observer().answered(status)
    if (of := request()) is not None:
        of.cache[status] += 1


def run(
    warehouse: Warehouse,
    sql: str,
    *,
    engine: str,
    what: str,
    metric: str | None = None,
    request_id: str = "",
    stop: Stop | None = None,
) -> Execution:
    """Run a statement, seen: its tag in the warehouse's history is what it is for, and the request's id.

    `metric` is how it is counted, where `what` tells more. Raises what `Warehouse.run` raises.
    """
    by, of = observer(), request()
    tag = f"{what} {request_id or (of.id if of else '')}".strip()
    if of is not None:
        of.statements.append(what)
    begun, outcome, read = time.perf_counter(), "failed", Cost()
    try:
        with by.span("warehouse", {"db.system.name": engine, "metrics_api.metric": what}):
            done = warehouse.run(sql, tag=tag, stop=stop)
        outcome, read = "ok", done.read
        return done
    except Stopped:
        outcome = "stopped"
        raise
    finally:
        by.ran(metric or what, engine, outcome, time.perf_counter() - begun, read)
