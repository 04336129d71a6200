"""Lifecycle over generated worlds, against the oracle; its members; and the laws of growth accounting."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from families.asking import KnownThrough, project_over
from families.engines import on_every_engine
from families.oracles.calendar import DAY, Grain
from families.oracles.conditions import selector_of, to_sql
from families.oracles.lifecycle import LifecycleRow, lifecycle
from families.oracles.world import World
from families.strategies import Attending
from families.usage.test_usage_properties import escaped
from families.worlds import Moment, conditions, grains, moments, ranges, worlds
from metrics_api.serving.asking import ask

STATES = ("new", "returning", "resurrecting", "dormant", "dormant_stock", "active")
MEASURES = (*STATES, "quick_ratio", "net_change")
OF_HISTORY = {"new", "resurrecting", "dormant_stock"}


def whole_days() -> st.SearchStrategy[Grain]:
    return grains().filter(lambda one: one != "hour")


def project_of(
    world: World, moment: Moment, at_least: int, engine: str, history_start: datetime | None = None
) -> KnownThrough:
    condition = f'\n  where: "{escaped(to_sql(moment.where))}"' if moment.where else ""
    return project_over(
        world,
        f"growth:\n  type: lifecycle\n  on: {moment.event or 'anything'}{condition}\n  at_least: {at_least}",
        source="event_id: event_id" + (f"\nhistory_start: {history_start.date()}" if history_start else ""),
        engine=engine,
    )


def expected(row: LifecycleRow, name: str) -> float | int | None:
    if row.states is None:
        return None
    value: Any = getattr(row.states, name)
    return len(value) if name in STATES else value


@on_every_engine()
def test_lifecycles_are_those_of_the_oracle(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds())
    moment = data.draw(moments())
    grain = data.draw(whole_days())
    first, last = data.draw(ranges(world, grain))
    at_least = data.draw(st.sampled_from([1, 1, 2, 3]))
    by = data.draw(st.sampled_from([(), ("country",), ("flag", "level")]))
    where = data.draw(st.one_of(st.none(), conditions()))
    names = tuple(data.draw(st.one_of(st.just(MEASURES), st.lists(st.sampled_from(MEASURES), min_size=1, unique=True))))
    looks_at = "history" if OF_HISTORY & {*names} else "range" if names == ("active",) else "bucket before"
    words = {"measures": names, "where": to_sql(where) if where else None}
    with Attending(data.draw(st.sampled_from([None, "bitmap", "ordered"]))):
        answer = project_of(world, moment, at_least, engine).answer(
            ask("growth", start=first, end=last, grain=grain, by=by, **words)  # type: ignore[arg-type]
        )
    theirs = lifecycle(
        world, moment.selector, first, last, grain, at_least=at_least, breakdown=by, looks_at=looks_at,
        where=selector_of(where) if where else None,
    )  # fmt: skip
    ours = [
        (row["period"], *(row[name] for name in by), *(row[name] for name in names), row["complete"])
        for row in answer.parts["rows"].to_pylist()
    ]
    assert ours == [
        (row.bucket.label, *row.labels, *(expected(row, name) for name in names), row.complete) for row in theirs
    ], answer.info.sql


@on_every_engine(share=2)
def test_a_history_that_begins_late_is_known_to(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds(zones=("UTC",)))
    moment = data.draw(moments())
    grain = data.draw(whole_days())
    first, last = data.draw(ranges(world, grain))
    at_least = data.draw(st.sampled_from([1, 2]))
    start = datetime.combine(first - data.draw(st.integers(-2, 40)) * DAY, datetime.min.time())
    answer = project_of(world, moment, at_least, engine, start).answer(
        ask("growth", start=first, end=last, grain=grain)
    )
    theirs = lifecycle(world, moment.selector, first, last, grain, at_least=at_least, history_start=start)
    ours = [(*(row[name] for name in MEASURES), row["complete"]) for row in answer.parts["rows"].to_pylist()]
    assert ours == [(*(expected(row, name) for name in MEASURES), row.complete) for row in theirs], answer.info.sql


@on_every_engine(share=2)
def test_members_are_the_people_of_the_states(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds())
    moment = data.draw(moments())
    grain = data.draw(whole_days())
    first, last = data.draw(ranges(world, grain))
    at_least = data.draw(st.sampled_from([1, 1, 2]))
    state = data.draw(st.sampled_from(STATES))
    project = project_of(world, moment, at_least, engine)
    rows = lifecycle(world, moment.selector, first, last, grain, at_least=at_least)
    chosen = data.draw(st.one_of(st.none(), st.sampled_from(rows)))
    members: dict[str, Any] = {"state": state}
    if chosen is not None:
        members["period"] = data.draw(st.sampled_from([chosen.bucket.first_day, chosen.bucket.last_day]))
    answer = project.answer(
        ask("growth", start=first, end=last, grain=grain, parts="members,member_count", members=members)
    )
    begun = [row for row in rows if row.states is not None]
    usual = next((row for row in reversed(begun) if row.complete), begun[-1] if begun else None)
    of = chosen or usual
    people = getattr(of.states, state) if of is not None and of.states is not None else frozenset()
    assert [row["id"] for row in answer.parts["members"].to_pylist()] == sorted(people), answer.info.sql
    assert answer.parts["member_count"].to_pylist() == [{"users": len(people)}], answer.info.sql


@on_every_engine(share=2)
def test_people_are_conserved(data: st.DataObject, engine: str) -> None:
    """Nobody appears from nowhere: every bucket's people follow from those of the bucket before and the changes."""
    world = data.draw(worlds())
    moment = data.draw(moments())
    grain = data.draw(whole_days())
    first, last = data.draw(ranges(world, grain))
    by = data.draw(st.sampled_from([(), ("country",)]))
    answer = project_of(world, moment, data.draw(st.sampled_from([1, 2])), engine).answer(
        ask("growth", start=first, end=last, grain=grain, by=by)
    )
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in answer.parts["rows"].to_pylist():
        if row["active"] is not None:
            groups.setdefault(tuple(row[name] for name in by), []).append(row)
    for rows in groups.values():
        for row in rows:
            assert row["active"] == row["new"] + row["returning"] + row["resurrecting"], answer.info.sql
            assert row["net_change"] == row["new"] + row["resurrecting"] - row["dormant"], answer.info.sql
            assert all(row[name] >= 0 for name in STATES), answer.info.sql
            assert row["dormant"] <= row["dormant_stock"], answer.info.sql
        for then, row in pairwise(rows):
            assert row["active"] - then["active"] == row["net_change"], answer.info.sql
            assert row["returning"] + row["dormant"] == then["active"], answer.info.sql
            stock = then["dormant_stock"] + row["dormant"] - row["resurrecting"]
            assert row["dormant_stock"] == stock, answer.info.sql
