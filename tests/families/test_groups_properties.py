"""What every family's breakdowns and comparisons have in common, against the same question asked in plainer ways.

The plain questions are held against the oracles elsewhere; here an event's label is written into a property beforehand,
and an earlier range is asked by itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import strategies as st

from families.asking import project_over
from families.engines import on_every_engine
from families.oracles.calendar import local_date
from families.oracles.world import Event, World, label_of
from families.worlds import grains, ranges, worlds
from metrics_api.compile.comparison import earlier_buckets, earlier_dates
from metrics_api.families import families
from metrics_api.query.bind import bind
from metrics_api.query.limits import Limits
from metrics_api.serving.asking import ask
from metrics_api.serving.project import Project

METRICS = """
watched: {type: usage, event: watch, measure: users}
typical: {type: usage, event: anything, measure: per_user(median)}
active: {type: active_users, on: watch, window: 7 days}
share: {type: ratio, numerator: watched, denominator: anything_done.users}
sum: {type: derived, expression: "anything_done + 2 * watched"}
sticky: {type: stickiness, on: watch, long: 7 days}
anything_done: {type: usage, event: anything}
path: {type: funnel, steps: {one: {event: open}, two: {event: watch}}, within: 1 day}
"""
SERIES = ("watched", "typical", "active", "sum", "sticky")
OF_DAYS = ("active", "sticky")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def relabelled(world: World, label: dict[int, str]) -> World:
    """The world with each event's label as its country."""
    events = (replace(one, properties={**one.properties, "country": label[n]}) for n, one in enumerate(world.events))
    return replace(world, events=tuple(events))


def rows_of(project: Project, metric: str, **words: object) -> list[dict[str, object]]:
    table = next(iter(project.answer(ask(metric, **words)).parts.values()))  # type: ignore[arg-type]
    return table.to_pylist()  # type: ignore[no-any-return]


def as_label(rows: list[dict[str, object]], name: str) -> list[dict[str, object]]:
    return [{("label" if key == name else key): value for key, value in row.items()} for row in rows]


def local(event: Event, world: World) -> datetime:
    return event.at.replace(tzinfo=UTC).astimezone(ZoneInfo(world.timezone))


@on_every_engine(share=4)
def test_the_clock_is_a_property_of_events(data: st.DataObject, engine: str) -> None:
    metric = data.draw(st.sampled_from((*SERIES, "share", "path")))
    world = data.draw(worlds(event_ids=False))
    grain = "day" if metric in OF_DAYS else data.draw(grains())
    first, last = data.draw(ranges(world, "day" if metric in OF_DAYS else grain))  # type: ignore[arg-type]
    asked = {"start": first, "end": last, "grain": grain}
    for name, label in {
        "hour_of_day": lambda one: f"{local(one, world).hour:02}",
        "weekday": lambda one: f"{local(one, world).isoweekday()}: {WEEKDAYS[local(one, world).weekday()]}",
    }.items():
        ours = rows_of(project_over(world, METRICS, engine=engine), metric, by=name, **asked)
        plain = relabelled(world, {n: label(one) for n, one in enumerate(world.events)})
        theirs = rows_of(project_over(plain, METRICS, engine=engine), metric, by="country", **asked)
        assert as_label(ours, name) == as_label(theirs, "country")


@on_every_engine(share=4)
def test_top_values_and_the_rest(data: st.DataObject, engine: str) -> None:
    metric = data.draw(st.sampled_from(SERIES))
    count = data.draw(st.integers(1, 3))
    world = data.draw(worlds(event_ids=False))
    first, last = data.draw(ranges(world, "day"))
    project = project_over(world, METRICS, engine=engine)
    asked = {"start": first, "end": last, "by": "country"}
    measure = "long" if metric == "sticky" else "value"
    overall = rows_of(project, metric, parts="overall", measures=measure, **asked)
    ranked = sorted(
        (row for row in overall if row["country"] != "(none)"),
        key=lambda row: (-(row[measure] or 0), row["country"]),  # type: ignore[operator]
    )
    kept = {row["country"] for row in ranked[:count]} | {"(none)"}
    labels = {n: label_of(one.properties["country"]) for n, one in enumerate(world.events)}
    plain = relabelled(world, {n: label if label in kept else "(other)" for n, label in labels.items()})
    for parts in ("rows", "overall"):
        project = project_over(world, METRICS, engine=engine)
        ours = rows_of(project, metric, parts=parts, top=count, **asked)
        assert ours == rows_of(project_over(plain, METRICS, engine=engine), metric, parts=parts, **asked)


@on_every_engine(share=4)
def test_subtotals_are_the_coarser_questions(data: st.DataObject, engine: str) -> None:
    metric = data.draw(st.sampled_from((*SERIES, "share", "path")))
    world = data.draw(worlds(event_ids=False))
    first, last = data.draw(ranges(world, "day"))
    project = project_over(world, METRICS, engine=engine)
    asked = {"start": first, "end": last}
    ours = rows_of(project, metric, by="country,flag", subtotals=True, **asked)
    separate = rows_of(project, metric, by="country,flag", **asked)
    separate += [{**row, "flag": "(all)"} for row in rows_of(project, metric, by="country", **asked)]
    separate += [{**row, "flag": "(all)", "country": "(all)"} for row in rows_of(project, metric, **asked)]
    assert Counter(map(repr, map(sorted_items, ours))) == Counter(map(repr, map(sorted_items, separate)))


def sorted_items(row: dict[str, object]) -> list[tuple[str, object]]:
    return sorted(row.items())


@on_every_engine(share=4)
def test_an_earlier_range_is_that_range_asked_by_itself(data: st.DataObject, engine: str) -> None:
    metric = data.draw(st.sampled_from((*SERIES, "share")))
    compare = data.draw(st.sampled_from(["previous_period", "previous_year"]))
    world = data.draw(worlds(event_ids=False))
    grain = data.draw(grains().filter(lambda one: metric not in OF_DAYS or one != "hour"))
    first, last = data.draw(ranges(world, grain))
    if compare == "previous_year":  # Half of what happened is a year earlier.
        moved = (replace(one, at=one.at - timedelta(days=365 if n % 2 else 0)) for n, one in enumerate(world.events))
        world = replace(world, events=tuple(sorted(moved, key=lambda one: one.at)))
    project = project_over(world, METRICS, engine=engine)
    query = ask(metric, start=first, end=last, grain=grain, by="flag", compare=compare)
    bound = bind(query, project.model, families(), now=world.data_through, limits=Limits())
    bound = bound.known_through(world.data_through)
    matched = earlier_buckets(bound)
    then = {}
    if matched:  # None where the earlier date is one that the zone skipped.
        then_first, then_last = earlier_dates(bound)
        earlier_rows = rows_of(project, metric, start=then_first, end=then_last, grain=grain, by="flag")
        then = {(row["period"], row["flag"]): row["value"] for row in earlier_rows}
    is_count = metric in ("watched", "active")
    for row in project.answer(query).parts["rows"].to_pylist():
        earlier = matched.get(row["period"])
        previous = then.get((earlier, row["flag"]), 0 if is_count else None) if earlier else None
        assert row["previous"] == previous
        change = (
            None
            if not row["complete"] or not previous
            else (row["value"] - previous) / previous
            if row["value"] is not None
            else None
        )
        assert row["change"] == (None if change is None else pytest.approx(change))


@pytest.mark.parametrize(
    ("grain", "first", "last", "compare", "expected"),
    [
        ("day", "2026-03-01", "2026-03-07", "previous_period", ("2026-02-22", "2026-02-28")),
        ("week", "2026-03-02", "2026-03-15", "previous_period", ("2026-02-16", "2026-03-01")),
        ("month", "2026-01-01", "2026-03-31", "previous_period", ("2025-10-01", "2025-12-31")),
        ("quarter", "2026-01-01", "2026-03-31", "previous_period", ("2025-10-01", "2025-12-31")),
        ("year", "2024-01-01", "2025-12-31", "previous_period", ("2022-01-01", "2023-12-31")),
        ("day", "2024-02-29", "2024-02-29", "previous_year", ("2023-02-28", "2023-02-28")),
        ("week", "2026-01-05", "2026-01-11", "previous_year", ("2025-01-06", "2025-01-12")),
        ("month", "2026-02-01", "2026-02-28", "previous_year", ("2025-02-01", "2025-02-28")),
        ("hour", "2026-02-01", "2026-02-02", "previous_period", ("2026-01-30", "2026-01-31")),
    ],
)
def test_earlier_dates(grain: str, first: str, last: str, compare: str, expected: tuple[str, str]) -> None:
    world = World(events=(), timezone="UTC", week_start=0, data_through=datetime(2026, 6, 1))
    query = ask("watched", start=first, end=last, grain=grain, compare=compare)
    bound = bind(query, project_over(world, METRICS).model, families(), now=world.data_through, limits=Limits())
    assert earlier_dates(bound) == tuple(map(date.fromisoformat, expected))


def test_local_dates_are_the_oracles() -> None:
    world = World(events=(), timezone="Asia/Kolkata", week_start=0, data_through=datetime(2026, 6, 1))
    event = Event("watch", "ann", datetime(2026, 1, 1, 20), {}, None)
    assert local(event, world).date() == local_date(event.at, world.timezone)
