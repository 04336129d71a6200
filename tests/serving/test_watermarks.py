"""What makes a kept answer old: rows that changed, told by the version of their table, and the time it is kept for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from metrics_api.compile.project import load_model
from metrics_api.query.metric_query import MetricQuery
from metrics_api.serving.asking import ask
from metrics_api.serving.project import Project
from metrics_api.serving.service import CacheStatus, Service, ServiceSettings

T = TypeVar("T")
DEFINITIONS = """
project:
  name: files
  as_of: 2026-02-01
  cache: {ttl: 2 minutes, stale: 1 hour}
  warehouses: {lake: {type: duckdb, tables: {events: events.csv, loads: loads.csv, users: users.csv}}}
sources:
  app: {table: events, time: at, event_name: event, identity: {user: user_id}}
  loads: {table: loads, time: at, event_name: event, loaded_at: loaded, identity: {user: user_id}}
entities:
  user: {attributes: {table: users, key: id, columns: {plan: string}}}
events: {watch: {source: app}, load: {source: loads}}
metrics:
  watched: {type: usage, event: watch}
  loaded: {type: usage, event: load, cache: {ttl: 1 hour}}
"""
EVENTS = "user_id,event,at,loaded\nann,{event},2026-01-05 09:00:00,2026-01-05 10:00:00\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "project.yml").write_text(DEFINITIONS, "utf-8")
    (tmp_path / "events.csv").write_text(EVENTS.format(event="watch"), "utf-8")
    (tmp_path / "loads.csv").write_text(EVENTS.format(event="load"), "utf-8")
    (tmp_path / "users.csv").write_text("id,plan\nann,free\n", "utf-8")
    model, definitions = load_model(tmp_path)
    return Project(model, definitions, tmp_path, freshness_seconds=0)


def served(project: Project, work: Callable[[Service], Awaitable[T]]) -> T:
    async def run() -> T:
        service = Service(project, ServiceSettings())
        try:
            return await work(service)
        finally:
            await service.close()

    try:
        return asyncio.run(run())
    finally:
        project.close()


def query(metric: str, **words: object) -> MetricQuery:
    return ask(metric, start="2026-01-05", end="2026-01-05", **words)


def test_rows_that_change_make_an_answer_old_and_no_other(project: Project) -> None:
    plain, by_plan, loaded = query("watched"), query("watched", by="user_plan"), query("loaded")

    async def work(service: Service) -> None:
        async def statuses() -> list[CacheStatus]:
            return [(await service.answer(one)).status for one in (plain, by_plan, loaded)]

        hit, miss = CacheStatus.HIT, CacheStatus.MISS
        assert await statuses() == [miss, miss, miss]
        assert await statuses() == [hit, hit, hit]
        (project.folder / "users.csv").write_text("id,plan\nann,paid\n", "utf-8")
        found = await service.answer(by_plan)
        assert found.answer.parts["rows"]["user_plan"].to_pylist() == ["paid"]
        assert (found.status, await statuses()) == (miss, [hit, hit, hit])
        # The event is none of the newest: how far events reach does not tell it.
        row = "bob,watch,2026-01-05 08:00:00,2026-01-05 10:00:00\n"
        (project.folder / "events.csv").write_text(EVENTS.format(event="watch") + row, "utf-8")
        assert (await service.answer(plain)).answer.parts["rows"]["value"].to_pylist() == [2]
        assert await statuses() == [hit, miss, hit]
        # Of the source that says when rows were loaded that is what tells.
        (project.folder / "loads.csv").write_text(EVENTS.format(event="load").replace("10:00:00", "11:00:00"), "utf-8")
        assert await statuses() == [hit, hit, miss]

    served(project, work)


def test_a_version_is_asked_every_few_seconds_at_most(project: Project) -> None:
    model, definitions = load_model(project.folder)
    patient = Project(model, definitions, project.folder, freshness_seconds=3_600)

    async def work(service: Service) -> None:
        one = query("watched", by="user_plan")
        await service.answer(one)
        (project.folder / "users.csv").write_text("id,plan\nann,paid\n", "utf-8")
        assert (await service.answer(one)).status is CacheStatus.HIT

    served(patient, work)


def test_answers_are_kept_as_long_as_the_metric_says(project: Project) -> None:
    async def work(service: Service) -> None:
        prepared = [
            await service.in_thread(lambda name=name: project.prepared(query(name))) for name in ("watched", "loaded")
        ]
        assert [service.times(one.bound.metric.name) for one in prepared] == [(120, 3_600), (3_600, 3_600)]

    served(project, work)
