"""When warmups run by themselves: at the moments of their cron lines, and when new data has been loaded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger
from cronsim import CronSim

from metrics_api.definitions.warmups import WarmupDefinition
from metrics_api.errors import MetricsError
from metrics_api.query.warmups import planned
from metrics_api.semantic.model import SemanticModel
from metrics_api.serving.service import Service
from metrics_api.serving.warmups.running import Run, Runner

_log = logging.getLogger("metrics_api.warmups")

LOOKS_EVERY = 30.0
"""Seconds between two looks for new data, and between two times of telling what was asked."""
LATE = 3_600
"""Seconds after its moment in which a warmup still begins, where the process could not before."""


def moments(cron: str, zone: str, after: datetime) -> Iterator[datetime]:
    """The moments of a cron line after one, in UTC."""
    for one in CronSim(cron, after.astimezone(ZoneInfo(zone))):
        yield one.astimezone(UTC)


def moment_before(cron: str, zone: str, now: datetime) -> datetime:
    """The last moment of a cron line up to now: that for which a run is."""
    return next(CronSim(cron, now.astimezone(ZoneInfo(zone)) + timedelta(seconds=1), reverse=True)).astimezone(UTC)


def zone_of(warmup: WarmupDefinition, model: SemanticModel) -> str:
    return (warmup.schedule and warmup.schedule.timezone) or model.project.timezone


class _Cron(BaseTrigger):  # type: ignore[misc]
    """As Debian's cron has it, and not as APScheduler's own: there Monday is 0, and both kinds of days have to fit."""

    def __init__(self, cron: str, zone: str) -> None:
        self._cron, self._zone = cron, zone

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        return next(moments(self._cron, self._zone, previous or now))


class Schedule:
    """Runs the warmups of one service by themselves, from `start` to `close`; every worker has one.

    A warmup for another target or warehouse than the one that is served is left to those who serve that.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        only: Collection[str] | None = None,
        ended: Callable[[Run], None] | None = None,
        looks_every: float = LOOKS_EVERY,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._runner = runner
        self._only = only
        self._ended = ended or _told
        self._looks_every = looks_every
        self._clock = clock
        self._seen: dict[str, str] = {}
        self._scheduler: Any = AsyncIOScheduler(timezone=UTC)

    @property
    def warmups(self) -> Mapping[str, WarmupDefinition]:
        """Those that run by themselves here."""
        model = self._runner.service.project.model
        return {
            name: one
            for name, one in model.warmups.items()
            if (one.schedule is not None or one.on_new_data) and is_served(one, self._runner.service)
            if self._only is None or name in self._only
        }

    def next_of(self, name: str) -> str:
        """When it runs next, for people."""
        one = self.warmups[name]
        if one.schedule is None:
            return "when there is new data"
        zone = zone_of(one, self._runner.service.project.model)
        moment = next(moments(one.schedule.cron, zone, self._clock())).astimezone(ZoneInfo(zone))
        return f"{moment:%Y-%m-%d %H:%M} {zone}"

    def start(self) -> None:
        model = self._runner.service.project.model
        usual = {"coalesce": True, "max_instances": 1, "misfire_grace_time": LATE}
        for name, one in self.warmups.items():
            if one.schedule is not None:
                trigger = _Cron(one.schedule.cron, zone_of(one, model))
                self._scheduler.add_job(self.on_time, trigger, [name], **usual)
            if one.on_new_data:
                self._scheduler.add_job(self.look, IntervalTrigger(seconds=self._looks_every), [name], **usual)
        if model.warmups:
            every = IntervalTrigger(seconds=self._looks_every)
            self._scheduler.add_job(self._runner.asked.tell, every, **usual)
        self._scheduler.start()

    async def close(self) -> None:
        self._scheduler.shutdown(wait=False)
        await asyncio.sleep(0)  # It ends in the loop's next turn.
        await self._runner.asked.tell()

    async def on_time(self, name: str) -> None:
        """Run it for the last moment of its schedule, unless another worker has."""
        one = self._runner.service.project.model.warmups[name]
        assert one.schedule is not None
        moment = moment_before(one.schedule.cron, zone_of(one, self._runner.service.project.model), self._clock())
        await self._run(name, moment.isoformat())

    async def look(self, name: str) -> None:
        """Run it if data has been loaded since the last look, unless another worker has."""
        try:
            state = await self._state(name)
        except MetricsError as error:
            _log.warning("warmup %s: cannot look for new data: %s", name, error.problems[0].message)
            return
        if state != self._seen.get(name):
            self._seen[name] = state
            await self._run(name, state)

    async def _state(self, name: str) -> str:
        """How far the data reaches of all that it asks; of what people ask that is not known before: all there is."""
        project = self._runner.service.project
        warmup = project.model.warmups[name]
        metrics = {one.query.metric for one in planned(project.model, warmup)}
        if warmup.replay:
            metrics |= set(project.model.metrics)

        def reached() -> str:
            each = (f"{one}:{project.data_through(one).isoformat()}" for one in sorted(metrics))
            # Other definitions have other answers.
            return sha256("\0".join((project.model.hash, *each)).encode()).hexdigest()

        return await self._runner.service.in_thread(reached)

    async def _run(self, name: str, occasion: str) -> None:
        run = await self._runner.run(name, occasion=occasion)
        self._ended(run)


def is_served(warmup: WarmupDefinition, service: Service) -> bool:
    """Whether it asks the target and the warehouse that are served."""
    project = service.project
    return warmup.warehouse in (None, project.warehouse_name) and warmup.target in (None, project.model.project.target)


def _told(run: Run) -> None:
    if run.state == "skipped":
        _log.info("warmup %s: another worker has run it", run.warmup)
        return
    level = logging.WARNING if run.failed else logging.INFO
    told = "warmup %s: %d questions, %d ready, %d statements, %d failed, %.1f s"
    _log.log(level, told, run.warmup, run.questions, run.ready, run.statements, run.failed, run.seconds)
    for one in run.problems:
        _log.warning("warmup %s: %s: %s", run.warmup, one["question"], one["message"])
