"""Hypothesis strategies for cohorts: each as it is written in YAML, and as the oracle knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from hypothesis import strategies as st

from families.oracles import cohort as oracle
from families.oracles.active_users import Window
from families.oracles.calendar import DAY, local_date
from families.oracles.conditions import Condition, selector_of, to_sql
from families.oracles.world import Event, World
from families.worlds import DURATIONS, Moment, moments


@dataclass(frozen=True)
class Plan:
    """A condition in two languages."""

    written: dict[str, Any]
    meant: oracle.Condition


def on(moment: Moment) -> dict[str, Any]:
    where = {} if moment.where is None else {"where": to_sql(moment.where)}
    return {"on": moment.event or "anything", **where}


def windows() -> st.SearchStrategy[Window]:
    return st.sampled_from([
        Window(1, "day"), Window(2, "day"), Window(7, "day"), Window(30, "day"), Window(1, "week"), Window(1, "month"),
    ])  # fmt: skip


@st.composite
def times(draw: st.DrawFn, world: World, *, ever: bool = True) -> tuple[dict[str, Any], oracle.Time]:
    """When something was done, near what happened."""
    days = sorted({local_date(event.at, world.timezone) for event in world.events[:8]}) or [date(2025, 3, 30)]
    match draw(st.sampled_from(["ever", "within", "within", "from", "to", "both"])):
        case "within":
            within = draw(windows())
            return {"within": within.words}, oracle.Time(within)
        case "ever" if ever:
            return {}, oracle.Time()
        case "to":
            last = draw(st.sampled_from(days))
            return {"to": last.isoformat()}, oracle.Time(last=last)
        case "both":
            first = draw(st.sampled_from(days))
            last = first + draw(st.integers(0, 9)) * DAY
            return {"from": first.isoformat(), "to": last.isoformat()}, oracle.Time(first=first, last=last)
    first = draw(st.sampled_from(days)) - draw(st.integers(0, 2)) * DAY
    return {"from": first.isoformat()}, oracle.Time(first=first)


@st.composite
def counted(draw: st.DrawFn, world: World) -> Plan:
    moment, (when, time) = draw(moments()), draw(times(world))
    bounds = draw(st.sampled_from([{}, {"at_least": 2}, {"at_most": 2}, {"exactly": 1}, {"at_least": 2, "at_most": 3}]))
    low = bounds.get("at_least", bounds.get("exactly", 1))
    high = bounds.get("at_most", bounds.get("exactly"))
    return Plan({**on(moment), **bounds, **when}, oracle.Did(moment.selector, time, low, high))


@st.composite
def first_times(draw: st.DrawFn, world: World) -> Plan:
    moment, (when, time) = draw(moments()), draw(times(world, ever=False))
    return Plan({**on(moment), "first_ever": True, **when}, oracle.FirstTime(moment.selector, time))


@st.composite
def amounts(draw: st.DrawFn, world: World) -> Plan:
    moment, (when, time) = draw(moments()), draw(times(world))
    how = draw(st.sampled_from(["sum", "average", "min", "max"]))
    name = draw(st.sampled_from(["minutes", "level"]))
    low, high = draw(st.sampled_from([(1, None), (2.5, None), (None, 3), (0, 10), (-1.5, 2.5)]))
    bounds = {key: value for key, value in (("at_least", low), ("at_most", high)) if value is not None}
    meant = oracle.Amount(moment.selector, time, how, name, low, high)  # type: ignore[arg-type]
    return Plan({**on(moment), how: name, **bounds, **when}, meant)


@st.composite
def patterns(draw: st.DrawFn) -> Plan:
    moment = draw(moments())
    first, second = draw(windows()), draw(windows())
    match draw(st.sampled_from(["regularly", "stopped", "restarted"])):
        case "regularly":
            of = draw(st.sampled_from([Window(4, "day"), Window(3, "week"), Window(2, "month"), Window(1, "day")]))
            periods, low = draw(st.integers(1, of.n)), draw(st.integers(1, 2))
            written: dict[str, Any] = {"at_least": low, "in": periods, "of": of.words}
            return Plan({**on(moment), "regularly": written}, oracle.Regularly(moment.selector, low, periods, of))
        case "stopped":
            written = {"active_before": first.words, "quiet_for": second.words}
            return Plan({**on(moment), "stopped": written}, oracle.Stopped(moment.selector, first, second))
        case _:
            written = {"quiet_for": first.words, "active_within": second.words}
            return Plan({**on(moment), "restarted": written}, oracle.Restarted(moment.selector, first, second))


@st.composite
def sequences(draw: st.DrawFn) -> Plan:
    steps = draw(st.lists(moments(), min_size=2, max_size=3))
    within = draw(st.sampled_from([None, *DURATIONS]))
    names = [one.event for one in steps]
    strict = None in names or len(set(names)) < len(names)
    written = {"sequence": [on(one) for one in steps], **({"within": within} if within else {})}
    steps_meant = tuple(one.selector for one in steps)
    return Plan(written, oracle.Followed(steps_meant, DURATIONS[within] if within else None, strict))


ATTRIBUTES: tuple[tuple[dict[str, Any], Condition], ...] = (
    ({"property": "user.plan", "in": ["a"]}, ("=", "user_plan", "a")),
    ({"property": "user_plan", "not_in": ["b"]}, ("!=", "user_plan", "b")),
    ({"where": "user.tier is null"}, ("is_null", "user_tier")),
    ({"where": "user.tier > 0 and user.plan = 'b'"}, ("and", (">", "user_tier", 0), ("=", "user_plan", "b"))),
)


def of_person(condition: Condition):  # type: ignore[no-untyped-def]
    """The condition on what is known of somebody."""
    selector = selector_of(condition)

    def holds(known: Mapping[str, object]) -> bool:
        return selector(Event("", None, NEVER, known))

    return holds


NEVER = date.min  # type: ignore[assignment]


def known() -> st.SearchStrategy[Plan]:
    return st.sampled_from([Plan(written, oracle.Known(of_person(meant))) for written, meant in ATTRIBUTES])


def conditions(world: World, *, attributes: bool) -> st.SearchStrategy[Plan]:
    """Any condition, a few levels deep."""
    every = [counted(world), counted(world), first_times(world), amounts(world), patterns(), sequences()]
    leaves = st.one_of(*every, *([known()] if attributes else []))
    return st.recursive(leaves, _grouped, max_leaves=4)


def _grouped(inner: st.SearchStrategy[Plan]) -> st.SearchStrategy[Plan]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        inner.map(lambda one: Plan({"not": one.written}, oracle.Not(one.meant))),
        several.map(lambda some: Plan({"all_of": _written(some)}, oracle.All(_meant(some)))),
        several.map(lambda some: Plan({"any_of": _written(some)}, oracle.Any(_meant(some)))),
        several.map(lambda some: Plan({"none_of": _written(some)}, oracle.Not(oracle.Any(_meant(some))))),
    )


def _written(some: list[Plan]) -> list[dict[str, Any]]:
    return [one.written for one in some]


def _meant(some: list[Plan]) -> tuple[oracle.Condition, ...]:
    return tuple(one.meant for one in some)
