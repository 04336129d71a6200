"""All the people behind a number, page by page, whatever their ids are."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from graphql_schema.asking import project_of
from metrics_api.errors import QueryError
from metrics_api.serving.project import Project

IDS = ("9", "10", "a", "B", "Ä", "o'hara", "ß", "🦊", "a b", "%", "\\", '"', "ann", "an", "null", "-1")
TEXT = """
version: 1
project: {name: p, warehouses: {here: {type: duckdb, path: w.duckdb}}}
sources:
  events: {table: events, time: at, event_name: event, identity: {user: {column: u}}}
entities:
  user: {attributes: {table: people, key: id, columns: {plan: string, mail: {type: string, personal: true}}}}
events: {e: {source: events}}
metrics:
  days: {type: frequency, on: e, window: 7 days, tiers: {often: 2, once: 1}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
        warehouse.execute('CREATE TABLE events ("at" TIMESTAMP, event VARCHAR, u VARCHAR)')
        warehouse.execute("CREATE TABLE people (id VARCHAR, plan VARCHAR, mail VARCHAR)")
        for number, name in enumerate([*IDS, "", None]):
            days = ("2026-01-05", "2026-01-06")[: 1 + number % 2]
            for day in days:
                warehouse.execute("INSERT INTO events VALUES (?, 'e', ?)", [f"{day} 09:00", name])
            warehouse.execute("INSERT INTO people VALUES (?, ?, 'm')", [name, f"plan {name}"])
        warehouse.execute("INSERT INTO events VALUES ('2026-01-07', 'e', NULL), ('2026-02-05', 'e', 'late')")
    return project_of(TEXT, tmp_path, clock=lambda: datetime(2026, 1, 7))


@pytest.mark.parametrize("size", [1, 3, 5, 15, 16, 17, 10_000])
def test_every_page(size: int, project: Project) -> None:
    pages = list(project.members("days", start="2026-01-06", end="2026-01-06", first=size, attributes="plan"))
    rows = [row for page in pages for row in page.to_pylist()]
    assert [row["id"] for row in rows] == sorted(IDS)  # by code points
    assert all(row["user_plan"] == f"plan {row['id']}" for row in rows)
    assert [page.num_rows for page in pages[:-1]] == [size] * (len(pages) - 1)
    assert len(pages) == -(-len(IDS) // size)
    project.close()


def test_pages_tell_one_moment_and_one_choice(project: Project) -> None:
    pages = project.members("days", last="7 days", members={"tier": "often"}, first=2)
    first = next(pages)
    project.clock = lambda: datetime(2026, 3, 1)
    rest = [name for page in pages for name in page["id"].to_pylist()]
    assert [*first["id"].to_pylist(), *rest] == sorted(IDS[1::2])
    assert [page.num_rows for page in project.members("days", last="7 days")] == [0]
    project.close()


def test_nobody_is_listed_by_what_there_is_not(project: Project) -> None:
    with pytest.raises(QueryError, match=r"days: there is no tier `ofen`"):
        next(project.members("days", members={"tier": "ofen"}))
    with pytest.raises(QueryError, match=r"days: `mail` is personal: it is not told in this release"):
        next(project.members("days", attributes=["user.mail", "mail"]))
    project.close()
