"""What is being served, which may change while it is: a new edition takes the place of the one before at once.

A request ends in the edition that it began in. Definitions that are broken are told, and the edition there is goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio.to_thread
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metrics_api.errors import MetricsError, Problem
from metrics_api.serving.observing import observer
from metrics_api.serving.project import Project

_log = logging.getLogger("metrics_api.web")

BROKEN_SINCE = "x-definitions-broken-since"
"""The header of every answer while the definitions on disk are broken: the moment since when, in UTC."""


@dataclass(eq=False)
class Edition:
    """One reading of the definitions and all that is made of it. Nothing of it changes once it is served."""

    project: Project
    app: ASGIApp
    """Answers every request."""
    end: Callable[[], Awaitable[None]] | None = None
    """Ends what goes on without a request; called after the last one, before the project is closed."""
    begin: Callable[[], Awaitable[None]] | None = None
    """Begins what goes on without a request, once it is served."""
    loaded_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _requests: int = 0
    _is_past: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why what is served is not what the files say: since when, in UTC, and all that is wrong."""

    since: datetime
    problems: tuple[Problem, ...]

    @property
    def told(self) -> Mapping[str, Any]:
        """For `/readyz`. What the problems are is for those who read the log."""
        return {"since": written(self.since), "problems": len(self.problems)}


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


Publish = Callable[[Project, Edition | None], Edition]
"""Makes an edition of a project; the edition before it may hand on what outlives it. Runs in a thread of its own."""


class Live:
    """The edition that is served, as an ASGI application. Of one event loop, but for `publish` and `load`.

    `load` reads the project anew and raises MetricsError with all that is wrong; without it nothing is ever reloaded.
    The first project is closed by whoever made it, later ones here, each with its last request.
    """

    def __init__(self, project: Project, publish: Publish, load: Callable[[], Project] | None = None) -> None:
        self._publish = publish
        self._load = load
        self._first = project
        self._now = publish(project, None)
        self._reloading = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()
        self.broken: Trouble | None = None
        """What is wrong with the definitions on disk; None while they are those that are served."""
        self.behind: Trouble | None = None
        """Why newer definitions cannot be had from where they come from."""

    @property
    def now(self) -> Edition:
        return self._now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        edition = self._now
        edition._requests += 1  # noqa: SLF001 - counted here alone
        try:
            await edition.app(scope, receive, self._with_trouble(send) if self.broken else send)
        finally:
            edition._requests -= 1  # noqa: SLF001
            self._end_if_done(edition)

    def _with_trouble(self, send: Send) -> Send:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and self.broken is not None:
                MutableHeaders(scope=message)[BROKEN_SINCE] = written(self.broken.since)
            await send(message)

        return told

    async def reload(self, why: str) -> bool:
        """Read the definitions again; whether they are served now. Never raises: what is wrong is logged and kept."""
        if self._load is None:
            return False
        async with self._reloading:
            try:
                edition = await anyio.to_thread.run_sync(self._made)
            except MetricsError as error:
                self._keep(error.problems, why)
                return False
            except Exception as error:  # noqa: BLE001 - whatever a file does to us, what there is goes on
                _log.exception("definitions could not be loaded again (%s)", why)
                self._keep((Problem(f"{type(error).__name__}: see the log"),), why, is_told=True)
                return False
            mended, self.broken = self.broken is not None, None
            observer().reloaded(worked=True)
            if edition is not None:
                self._swap(edition)
                await self.begin()
                count = len(edition.project.model.metrics)
                _log.info("definitions loaded (%s): %d metrics, %s", why, count, edition.project.model.hash[:12])
            elif mended:
                _log.info("definitions mended (%s): they are those that are served", why)
            return True

    def _made(self) -> Edition | None:
        """The next edition; None where the definitions say what they said. Blocks."""
        assert self._load is not None
        project = self._load()
        if project.model.hash == self._now.project.model.hash:
            return None
        try:
            # Another warehouse has to be there before anybody is sent to it.
            if not project.share_warehouse_of(self._now.project):
                project.warehouse()
            return self._publish(project, self._now)
        except BaseException:
            project.close()
            raise

    def _keep(self, problems: tuple[Problem, ...], why: str, *, is_told: bool = False) -> None:
        since = self.broken.since if self.broken else datetime.now(UTC)
        self.broken = Trouble(since, problems)
        observer().reloaded(worked=False)
        if not is_told:
            told = "\n".join(map(str, problems))
            _log.error("definitions are broken (%s), those from before are served on:\n%s", why, told)

    def _swap(self, edition: Edition) -> None:
        past, self._now = self._now, edition
        past._is_past = True  # noqa: SLF001
        self._end_if_done(past)

    def _end_if_done(self, edition: Edition) -> None:
        if edition._is_past and not edition._requests:  # noqa: SLF001
            ending = asyncio.create_task(self._end(edition))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def _end(self, edition: Edition, *, closes: bool = True) -> None:
        with suppress(MetricsError):
            if edition.end is not None:
                await edition.end()
            if closes:
                await anyio.to_thread.run_sync(edition.project.close)

    async def begin(self) -> None:
        """What is served now begins what goes on without a request."""
        if self._now.begin is None:
            return
        try:
            await self._now.begin()
        except Exception:  # noqa: BLE001 - requests are answered all the same
            _log.exception("what goes on beside requests could not begin")

    async def close(self) -> None:
        """End all editions. The first project is left to whoever made it."""
        await asyncio.gather(*self._ending)
        await self._end(self._now, closes=self._now.project is not self._first)
