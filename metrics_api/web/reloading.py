"""What makes a server read its definitions again: a signal, a change of a file, and commits from elsewhere."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from metrics_api.errors import MetricsError, MissingDriver
from metrics_api.serving.git import NotPulled, pull
from metrics_api.serving.reloading import Reloading
from metrics_api.web.live import Live, Trouble

_log = logging.getLogger("metrics_api.web")


@asynccontextmanager
async def reloading(live: Live, how: Reloading | None) -> AsyncIterator[None]:
    """Inside, the definitions are read again whenever they should be."""
    if how is None:
        yield
        return
    loop = asyncio.get_running_loop()
    async with anyio.create_task_group() as tasks:
        if how.signal:
            reload = partial(tasks.start_soon, live.reload, "SIGHUP")
            loop.add_signal_handler(signal.SIGHUP, partial(_at_hangup, reload, has_terminal=_has_terminal()))
        if how.files:
            tasks.start_soon(_at_changes, live, how.folder)
        if how.git_seconds is not None:
            tasks.start_soon(_at_commits, live, how.folder, how.git_seconds)
        try:
            yield
        finally:
            if how.signal:
                loop.remove_signal_handler(signal.SIGHUP)
            tasks.cancel_scope.cancel()


QUIET_MILLISECONDS = 200
"""An editor writes several files, or one in several steps: it is waited until it is done."""


def _at_hangup(reload: Callable[[], object], *, has_terminal: bool) -> None:
    """The signal means two things: that somebody wants a reload, or that the terminal of the server is gone."""
    if has_terminal and not _has_terminal():
        signal.raise_signal(signal.SIGTERM)
    else:
        reload()


def _has_terminal() -> bool:
    return os.isatty(0)


def check(how: Reloading) -> None:
    """Raises MissingDriver where files are to be watched, and what watches them is not installed."""
    if how.files:
        _watch()


def _watch() -> Callable[..., AsyncIterator[object]]:
    try:
        from watchfiles import awatch
    except ImportError:
        raise MissingDriver("watchfiles", "reload") from None
    return awatch


def _is_definition(_: object, path: str) -> bool:
    # Kubernetes changes the files of a ConfigMap all at once, by a link of this name.
    return path.endswith((".yml", ".yaml", "/..data"))


async def _at_changes(live: Live, folder: Path) -> None:
    watched = _watch()(folder, watch_filter=_is_definition, debounce=1_600, step=QUIET_MILLISECONDS)
    try:
        async for _ in watched:
            await live.reload("a file changed")
    except (OSError, RuntimeError) as error:  # The folder is gone, or the system watches no further file.
        _log.error("files are watched no longer: %s", error)


# -- commits ---------------------------------------------------------------------------------------------------------


async def _at_commits(live: Live, folder: Path, seconds: float) -> None:
    while True:
        try:
            commit = await anyio.to_thread.run_sync(pull, folder, abandon_on_cancel=True)
        except NotPulled as error:
            _fall_behind(live, error)
        else:
            if live.behind is not None:
                _log.info("git: commits can be had again")
                live.behind = None
            if commit is not None:
                await live.reload(f"commit {commit[:12]}")
        await asyncio.sleep(seconds)


def _fall_behind(live: Live, error: MetricsError) -> None:
    """Told once, and again when the reason is another: it may last for days."""
    known = live.behind
    if known is None or known.problems != error.problems:
        _log.error("git: no newer definitions can be had: %s", error)
    live.behind = Trouble(known.since if known else datetime.now(UTC), error.problems)
