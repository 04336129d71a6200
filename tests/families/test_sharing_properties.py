"""Questions asked together have the answers that each has by itself, from fewer statements."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import strategies as st

from families.asking import KnownThrough, project_over
from families.engines import ENGINES, on_every_engine
from families.oracles.conditions import to_sql
from families.oracles.world import Event, World
from families.usage.test_usage_properties import MEASURES, escaped, yaml_of
from families.worlds import conditions, grains, moments, ranges, worlds
from metrics_api.errors import MetricsError
from metrics_api.query.metric_query import MetricQuery
from metrics_api.results import Answer
from metrics_api.serving.asking import ask

METRICS = ("one", "two", "three", "moments")
SOURCES = ("event_id: event_id", "event_id: {column: event_id, unique: true}")


def equal(ours: object, theirs: object) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return ours == theirs


def assert_same(together: Answer | MetricsError, alone: Answer | MetricsError) -> None:
    if isinstance(alone, MetricsError) or isinstance(together, MetricsError):
        assert str(together) == str(alone)
        return
    assert replace(together.info, sql="", seconds=0) == replace(alone.info, sql="", seconds=0)
    assert list(together.parts) == list(alone.parts)
    for part, table in together.parts.items():
        ours, theirs = table.to_pylist(), alone.parts[part].to_pylist()
        assert table.schema == alone.parts[part].schema
        assert len(ours) == len(theirs), together.info.sql
        for here, there in zip(ours, theirs, strict=True):
            assert all(equal(here[name], there[name]) for name in there), (here, there, together.info.sql)


def by_itself(project: KnownThrough, query: MetricQuery) -> Answer | MetricsError:
    try:
        return project.answer(query)
    except MetricsError as error:
        return error


@on_every_engine()
def test_shared_answers_are_separate_answers(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds())
    grain = data.draw(grains())
    written = "\n".join(yaml_of(name, data.draw(moments())) for name in METRICS[:3])
    extra = data.draw(moments(any_event=False))
    where = f', where: "{escaped(to_sql(extra.where))}"' if extra.where else ""
    project = project_over(
        world,
        f"{written}\nmoments: {{type: value_moment, moments: {{a: {{event: {extra.event}{where}}}, b: share}}}}",
        source=data.draw(st.sampled_from(SOURCES)),
        engine=engine,
    )
    project.share_scans = True
    first, last = data.draw(ranges(world, grain))
    filtered = data.draw(st.one_of(st.none(), st.none(), conditions()))
    by = data.draw(st.sampled_from([(), (), ("country",), ("flag", "level")]))
    queries = []
    for _ in range(data.draw(st.integers(2, 5))):
        moved = data.draw(st.sampled_from([0, 0, 0, -3, 2, 10, 40])) * timedelta(days=1)
        shorter = data.draw(st.sampled_from([last, last, first]))
        measures = data.draw(st.lists(st.sampled_from(MEASURES), min_size=1, max_size=3, unique=True))
        queries.append(
            ask(
                data.draw(st.sampled_from(METRICS)), start=first + moved, end=shorter + moved, grain=grain,
                by=data.draw(st.sampled_from([by, by, by, ("country",)])), measures=measures,
                where=to_sql(filtered) if filtered else None,
                parts=data.draw(st.sampled_from([("rows",), ("rows",), ("overall",), ("rows", "overall")])),
                limit=data.draw(st.sampled_from([None, None, 2])),
                order=data.draw(st.sampled_from([(), (), f"-{measures[0]}"])),
            )
        )  # fmt: skip
    together = project.answers(queries)
    for query, answer in zip(queries, together, strict=True):
        assert_same(answer, by_itself(project, query))


# -- what is shared, and what is not ----------------------------------------------------------------------------------

EVENTS = tuple(
    Event(
        name, user, datetime(2026, 1, 5, 9) + timedelta(hours=hours), {"country": "DE", "minutes": 5.0}, f"id-{hours}"
    )
    for name, user, hours in (("watch", "ann", 0), ("share", "ann", 1), ("watch", "bob", 24), ("open", "cy", 25))
)
BOARD = """
watched: {type: usage, event: watch}
shared: {type: usage, event: share, measure: users}
loved: {type: value_moment, moments: {w: watch, s: share}, depth: sum(minutes)}
actives: {type: active_users, on: watch}
path: {type: funnel, steps: {a: watch, b: share}}
rate: {type: ratio, numerator: shared, denominator: watched}
"""


def project_of(engine: str = "duckdb", source: str = "") -> KnownThrough:
    project = project_over(World(EVENTS, "UTC", 0, datetime(2026, 1, 8)), BOARD, source=source, engine=engine)
    project.share_scans = True
    return project


def question(metric: str, days: tuple[int, int] = (5, 7), **words: object) -> MetricQuery:
    dates = {"start": date(2026, 1, days[0]), "end": date(2026, 1, days[1])}
    return ask(metric, **{**dates, **words})  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_board_of_counts_is_one_statement(engine: str) -> None:
    board = [question("watched"), question("shared"), question("loved", measures="users,depth", parts="rows,overall")]
    project = project_of(engine)
    answers = [one for one in project.answers(board) if isinstance(one, Answer)]
    (sql,) = {one.info.sql for one in answers}
    assert sql.count("FROM events") == 1 or sql.count('FROM "events"') == 1
    assert [one.info.metric for one in answers] == ["watched", "shared", "loved"]
    assert [row["value"] for row in answers[0].parts["rows"].to_pylist()] == [1, 1, 0]
    assert [row["value"] for row in answers[1].parts["rows"].to_pylist()] == [1, 0, 0]
    assert answers[2].parts["overall"].to_pylist() == [{"users": 2, "depth": 15.0}]


@pytest.mark.parametrize(
    ("board", "batches"),
    [
        ([question("watched"), question("actives"), question("shared"), question("path")], [(0, 2), (1,), (3,)]),
        ([question("watched", (5, 6)), question("shared", (6, 7))], [(0, 1)]),
        ([question("watched", (5, 5)), question("shared", (6, 7))], [(0, 1)]),
        ([question("watched", (1, 2)), question("shared", (5, 7))], [(0,), (1,)]),
        ([question("watched", (1, 2)), question("shared", (5, 7)), question("loved", (2, 5))], [(0, 1, 2)]),
        ([question("watched", grain="week"), question("shared")], [(0,), (1,)]),
        ([question("watched", by="country"), question("shared")], [(0,), (1,)]),
        ([question("watched", where="minutes > 1"), question("shared")], [(0,), (1,)]),
        ([question("watched", timezone="Asia/Tokyo"), question("shared")], [(0,), (1,)]),
        ([question("watched", compare="previous_period"), question("shared")], [(0,), (1,)]),
        ([question("watched", by="country", top=1), question("shared", by="country")], [(0,), (1,)]),
        ([question("watched", as_of="2026-01-06T00:00"), question("shared")], [(0,), (1,)]),
        ([question("rate"), question("shared")], [(0,), (1,)]),
        ([question("watched"), question("wached"), question("shared")], [(0, 2), (1,)]),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_put_together(board: list[MetricQuery], batches: list[tuple[int, ...]]) -> None:
    project = project_of()
    assert project.batches(board) == batches
    for query, answer in zip(board, project.answers(board), strict=True):
        assert_same(answer, by_itself(project, query))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_says_whether_it_pays(engine: str) -> None:
    board = [question("watched"), question("shared")]
    project = project_of(engine)
    project.share_scans = None
    assert project.batches(board) == ([(0, 1)] if project.dialect.shares_scans else [(0,), (1,)])
    project.share_scans = False
    assert project.batches(board) == [(0,), (1,)]
    for query, answer in zip(board, project.answers(board), strict=True):
        assert_same(answer, by_itself(project, query))


def test_copies_are_told_apart_only_within_one_range() -> None:
    project = project_of(source="event_id: event_id")
    assert project.batches([question("watched"), question("shared")]) == [(0, 1)]
    assert project.batches([question("watched"), question("shared", (5, 6))]) == [(0,), (1,)]


def test_one_wrong_question_spares_the_others() -> None:
    found = project_of().answers([question("watched"), question("shared", measures="totl"), question("loved")])
    assert isinstance(found[0], Answer) and isinstance(found[2], Answer)
    assert str(found[1]).startswith("shared: there is no measure `totl` on this usage metric")


def test_no_questions_have_no_answers() -> None:
    assert project_of().answers([]) == []


def test_where_the_shared_statement_fails_each_is_asked_by_itself() -> None:
    class Refusing(type(project_of())):  # type: ignore[misc]
        def _run(self, sql: str, *rest: object) -> object:
            asked.append(sql)
            if "metric=watched,shared" in sql or "metric=shared " in sql:
                raise MetricsError("the warehouse is out of memory")
            return super()._run(sql, *rest)

    asked: list[str] = []
    project = project_of()
    project.__class__ = Refusing
    found = project.answers([question("watched"), question("shared")])
    assert isinstance(found[0], Answer) and isinstance(found[1], MetricsError)
    assert [sql.split("metric=")[1].split()[0] for sql in asked] == ["watched,shared", "watched", "shared"]
