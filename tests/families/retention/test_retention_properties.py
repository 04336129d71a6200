"""Retention over generated worlds, against the oracle; and what holds of its numbers by nature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from families.asking import project_over
from families.engines import on_every_engine
from families.oracles.calendar import Grain
from families.oracles.conditions import selector_of, to_sql
from families.oracles.retention import Mode, Retention, retention
from families.oracles.world import Event, World
from families.strategies import Taking
from families.usage.test_usage_properties import escaped
from families.worlds import Moment, conditions, moments, ranges, worlds
from metrics_api.serving.asking import ask

GRAINS: tuple[Grain, ...] = ("week", "day", "month", "quarter", "year")
MODES: tuple[Mode, ...] = ("on", "on_or_after", "on_or_before", "streak")
AMOUNTS = {"rate": None, "users": None, "sum(level)": "level", "average(level)": "level"}


@dataclass(frozen=True)
class Plan:
    """A retention metric as it is written, and as the oracle takes it."""

    start: Moment
    back: Moment
    grain: Grain
    cells: tuple[int, ...]
    mode: Mode
    rolling: bool
    first_time: bool
    least: int
    measure: str

    @property
    def written(self) -> str:
        kept = f"brackets: {list(self.cells[1:])}" if self.mode == "brackets" else f"mode: {self.mode}"
        periods = "" if self.mode == "brackets" else f"\n  periods: {self.cells[-1]}"
        return (
            f"back:\n  type: retention\n  start: {selector(self.start)}\n  return: {selector(self.back)}\n"
            f"  grain: {self.grain}\n  {kept}{periods}\n  clock: {'rolling' if self.rolling else 'calendar'}\n"
            f"  cohort: {'first_time' if self.first_time else 'recurring'}\n  min_occurrences: {self.least}\n"
            f"  measure: {self.measure}"
        )

    def asked(self, *, event_ids: bool) -> Retention:
        start, back = self.start.event, self.back.event
        overlap = start is None or back is None or start == back
        amount = AMOUNTS[self.measure]
        return Retention(
            self.start.selector, self.back.selector, self.cells, self.mode, self.rolling, self.first_time, self.least,
            amount, copies_matter=event_ids and (overlap or self.least > 1 or amount is not None),
        )  # fmt: skip


def selector(moment: Moment) -> str:
    where = f', where: "{escaped(to_sql(moment.where))}"' if moment.where else ""
    return f"{{event: {moment.event or 'anything'}{where}}}"


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    mode: Mode = draw(st.sampled_from([*MODES, "brackets"]))
    if mode == "brackets":
        ends = draw(st.lists(st.integers(1, 12), min_size=1, max_size=3, unique=True))
        cells = (0, *sorted(ends))
    else:
        # Two engines have bits for 62 intervals or for 126; beyond it is another computation.
        cells = tuple(range(draw(st.sampled_from([1, 2, 3, 4, 8, 70, 130])) + 1))
    return Plan(
        start=draw(moments()),
        back=draw(moments()),
        grain=draw(st.sampled_from(GRAINS)),
        cells=cells,
        mode=mode,
        rolling=draw(st.booleans()),
        first_time=draw(st.booleans()),
        least=draw(st.sampled_from([1, 1, 2])),
        measure=draw(st.sampled_from(["rate", "users", "sum(level)", "average(level)"])),
    )


@on_every_engine()
def test_retention_is_that_of_the_oracle(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds())
    plan = data.draw(plans())
    first, last = data.draw(ranges(world, plan.grain))
    by = data.draw(st.sampled_from([(), (), ("country",), ("flag", "level")]))
    where = data.draw(st.one_of(st.none(), st.none(), conditions()))
    history_start = data.draw(st.sampled_from([None, None, first, first - timedelta(days=40)]))
    event_ids = data.draw(st.booleans())
    parts = data.draw(st.sampled_from(["cells", "average", "cells,average"]))
    strategy = data.draw(st.sampled_from([None, None, "bitmap", "gaps"]))
    source = [f"history_start: {history_start}"] if history_start else []
    source += ["event_id: event_id"] if event_ids else []
    project = project_over(world, plan.written, source="\n".join(source), engine=engine)
    question = ask(
        "back", start=first, end=last, by=by, parts=parts, limit=50_000, where=to_sql(where) if where else None
    )
    with Taking(strategy):
        answer = project.answer(question)
    cells, pooled = retention(
        world, plan.asked(event_ids=event_ids), first, last, plan.grain, breakdown=by,
        where=selector_of(where) if where else None, history_start=history_start,
    )  # fmt: skip
    sql = answer.info.sql
    if "cells" in parts:
        told = ("start", *by, "period_index", "size", "users", "rate", "complete", "value")
        expected = [
            (one.bucket.label, *one.labels, one.index, one.size, one.users, one.rate, one.complete,
             value(plan, one.size, one.users, one.amount))
            for one in cells
        ]  # fmt: skip
        assert_alike(answer.parts["cells"].to_pylist(), told, expected, sql)
    if "average" in parts:
        told = (*by, "period_index", "size", "users", "rate", "cohorts", "value")
        expected = [
            (*one.labels, one.index, one.size, one.users,
             Fraction(one.users, one.size) if one.users is not None and one.size else None, one.cohorts,
             value(plan, one.size, one.users, one.amount))
            for one in pooled
        ]  # fmt: skip
        assert_alike(answer.parts["average"].to_pylist(), told, expected, sql)


def value(plan: Plan, size: int, users: int | None, amount: Fraction | None) -> Fraction | int | None:
    """What the measure of a cell is."""
    match plan.measure:
        case "users":
            return users
        case "rate":
            return Fraction(users, size) if users is not None and size else None
        case "sum(level)":
            return amount
    return amount / users if amount is not None and users else None


def assert_alike(
    found: Sequence[Mapping[str, Any]], names: Sequence[str], expected: Sequence[tuple[Any, ...]], sql: str
) -> None:
    """Equal rows in equal order, fractions up to what floating point can hold."""
    ours = [tuple(row[name] for name in names) for row in found]
    assert len(ours) == len(expected), sql
    for mine, other in zip(ours, expected, strict=True):
        for here, there in zip(mine, other, strict=True):
            if isinstance(there, Fraction):
                assert here is not None and abs(here - float(there)) < 1e-9, (mine, other, sql)
            else:
                assert here == there, (mine, other)


@on_every_engine()
def test_members_are_those_of_the_oracle(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds())
    plan = data.draw(plans())
    first, last = data.draw(ranges(world, plan.grain))
    event_ids = data.draw(st.booleans())
    project = project_over(world, plan.written, source="event_id: event_id" if event_ids else "", engine=engine)
    cells, _ = retention(world, plan.asked(event_ids=event_ids), first, last, plan.grain)
    cell = data.draw(st.sampled_from(cells))
    state = data.draw(st.sampled_from(["retained", "lost", "all"]))
    chosen = {"start": cell.bucket.label, "period_index": cell.index, "state": state}
    answer = project.answer(ask("back", start=first, end=last, parts="members,member_count", members=chosen))
    lost = cell.everybody - cell.people if cell.complete else frozenset[str]()
    expected = {"retained": cell.people, "lost": lost, "all": cell.everybody}[state]
    sql = answer.info.sql
    assert answer.parts["members"]["id"].to_pylist() == sorted(expected, key=lambda one: one.encode()), sql
    assert answer.parts["member_count"].to_pylist() == [{"users": len(expected)}], sql


# -- what holds by nature ---------------------------------------------------------------------------------------------

Rows = dict[tuple[date, int], dict[str, Any]]
METRICS = """\
{mode}_{kind}: {{type: retention, start: open, return: watch, grain: {grain}, periods: 5, mode: {mode}, \
cohort: {kind}, clock: {clock}}}
"""


def of_every_mode(world: World, grain: Grain, clock: str, first: date, last: date, engine: str) -> dict[str, Rows]:
    """The cells of each mode, once for people who start once and once for those who recur."""
    kinds = ("first_time", "recurring")
    written = "".join(
        METRICS.format(mode=mode, kind=kind, grain=grain, clock=clock) for mode in MODES for kind in kinds
    )
    project = project_over(world, written, engine=engine)
    found = {}
    for name in project.model.metrics:
        rows = project.query(name, start=first, end=last, limit=50_000).to_pylist()
        found[name] = {(row["start"], row["period_index"]): row for row in rows}
    return found


@on_every_engine(share=4)
def test_modes_hold_together(data: st.DataObject, engine: str) -> None:
    """streak <= on <= on_or_after and on_or_before <= size; after does not grow along a row, before does not fall."""
    world = data.draw(worlds(event_ids=False))
    grain, clock = data.draw(st.sampled_from(GRAINS)), data.draw(st.sampled_from(["calendar", "rolling"]))
    first, last = data.draw(ranges(world, grain))
    found = of_every_mode(world, grain, clock, first, last, engine)
    for kind in ("first_time", "recurring"):
        on, after, before, streak = (found[f"{mode}_{kind}"] for mode in MODES)
        for key, row in on.items():
            start, index = key
            others = [rows[key] for rows in (after, before, streak)]
            assert {one["size"] for one in others} == {row["size"]}
            assert {one["complete"] for one in others} == {row["complete"]}
            if not row["complete"]:
                assert all(one[name] is None for one in (row, *others) for name in ("users", "rate", "value"))
                continue
            assert streak[key]["users"] <= row["users"] <= min(after[key]["users"], before[key]["users"])
            assert max(after[key]["users"], before[key]["users"]) <= row["size"]
            if index and before[start, index - 1]["complete"]:
                assert before[start, index - 1]["users"] <= before[key]["users"]
                assert after[start, index - 1]["users"] >= after[key]["users"]
    for key, row in found["on_first_time"].items():
        assert row["size"] <= found["on_recurring"][key]["size"]


@on_every_engine(share=4)
def test_every_event_some_weeks_later_is_the_same_some_weeks_later(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds(zones=("UTC", "Asia/Kolkata")))
    plan = data.draw(plans())
    assume(plan.grain in ("day", "week"))
    first, last = data.draw(ranges(world, plan.grain))
    shift = timedelta(weeks=data.draw(st.integers(1, 60)))
    moved = tuple(replace(event, at=event.at + shift) for event in world.events)
    later = replace(world, events=moved, data_through=world.data_through + shift)
    here = project_over(world, plan.written, engine=engine).query("back", start=first, end=last, limit=50_000)
    there = project_over(later, plan.written, engine=engine).query(
        "back", start=first + shift, end=last + shift, limit=50_000
    )
    assert [{**row, "start": row["start"] + shift} for row in here.to_pylist()] == there.to_pylist()


@on_every_engine(share=4)
def test_twice_the_people_are_twice_the_numbers_and_the_same_rates(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds(event_ids=False))
    plan = replace(data.draw(plans()), measure="rate")
    first, last = data.draw(ranges(world, plan.grain))

    def twin(event: Event) -> Event:
        return replace(event, user=f"{event.user} too" if event.user else event.user)

    twice = replace(world, events=(*world.events, *map(twin, world.events)))
    words = {"start": first, "end": last, "parts": "cells,average", "limit": 50_000}
    once = project_over(world, plan.written, engine=engine).answer(ask("back", **words)).parts
    both = project_over(twice, plan.written, engine=engine).answer(ask("back", **words)).parts
    for part in ("cells", "average"):
        for single, double in zip(once[part].to_pylist(), both[part].to_pylist(), strict=True):
            assert double["size"] == 2 * single["size"]
            assert double["users"] == (None if single["users"] is None else 2 * single["users"])
            assert double["rate"] == single["rate"]


@on_every_engine(share=4)
def test_two_who_are_one_are_never_more(data: st.DataObject, engine: str) -> None:
    """An identity map can only take away people, of the first times and of the cohorts they recur in."""
    world = data.draw(worlds(event_ids=False))
    plan = replace(data.draw(plans()), mode="on", cells=(0, 1, 2, 3), least=1, first_time=False)
    first, last = data.draw(ranges(world, plan.grain))
    entities = "user: {identity_map: {table: aliases, from: alias, to: id}}"
    tables = {"aliases": "alias id\nbob ann"}
    words = {"start": first, "end": last, "limit": 50_000}
    apart = project_over(world, plan.written, engine=engine).query("back", **words).to_pylist()
    joined = project_over(world, plan.written, engine=engine, entities=entities, tables=tables)
    for before, after in zip(apart, joined.query("back", **words).to_pylist(), strict=True):
        assert before["size"] - 1 <= after["size"] <= before["size"]
