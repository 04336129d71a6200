"""What those did instead whom a funnel lost, against the oracles of both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from hypothesis import strategies as st

from families.asking import project_over
from families.engines import on_every_engine
from families.flow.test_flow_properties import alike, paths_of, rows_of
from families.funnel.test_funnel_properties import yaml_of
from families.oracles.calendar import widened
from families.oracles.conditions import selector_of, to_sql
from families.oracles.flow import Flow, paths, told
from families.oracles.funnel import counted_attempts, state_at
from families.oracles.world import Selector, World, matching
from families.worlds import DURATIONS, FunnelPlan, conditions, funnels_of_any_kind, ranges, sequence_of, worlds
from metrics_api.serving.asking import ask


def lost(
    world: World, plan: FunnelPlan, k: int, first: date, last: date, where: Selector | None
) -> Mapping[str, datetime]:
    """When the people dropped at step k had come to the required step before it, of several attempts the earliest."""
    start, end = widened(first, last, "day", world.timezone, world.week_start)
    events = matching(world, lambda _: True, where=where)
    found: dict[str, datetime] = {}
    for attempt in counted_attempts(events, plan.funnel, start, end, plan.count):
        if state_at(k, attempt, plan.funnel, world.data_through) == "dropped":
            at = attempt.at(plan.funnel.required_before(k))
            assert at is not None
            found[attempt.person] = min(at, found.get(attempt.person, at))
    return found


@on_every_engine(share=2)
def test_those_whom_a_funnel_lost_are_followed(data: st.DataObject, engine: str) -> None:
    plan = data.draw(funnels_of_any_kind().filter(lambda one: one.grace is None))
    world = data.draw(worlds(event_ids=False, window=DURATIONS[plan.within]))
    first, last = data.draw(ranges(world, "month"))
    where = data.draw(st.one_of(st.none(), st.none(), conditions()))
    where_of = selector_of(where) if where else None
    k = data.draw(st.integers(2, len(plan.steps)))
    p = k - 1 if plan.order == "unordered" else plan.funnel.required_before(k)
    steps = [one.selector for one in plan.steps]
    name = f"any_{p}" if plan.order == "unordered" else f"step_{p}"
    before = data.draw(st.sampled_from((0, 0, 2)))
    gap = data.draw(st.sampled_from((None, None, "1 hour")))

    def anchor(event: Any) -> bool:
        return any(one(event) for one in steps) if plan.order == "unordered" else steps[p - 1](event)

    flow = Flow(
        anchor=anchor,
        anchor_name=name,
        after=2,
        before=before,
        gap=DURATIONS[gap] if gap else None,
        within=DURATIONS["7 days"],
        tie_breaker=sequence_of if plan.tie_breaker else None,
        lost=lambda world: lost(world, plan, k, first, last, where_of),
        further=DURATIONS[plan.within],
    )
    dropped_at = f"any_{k}" if plan.order == "unordered" else f"step_{k}"
    metrics = (
        f"{yaml_of(plan)}\nnext:\n  type: flow\n  anchor: {{funnel: journey, dropped_at: {dropped_at}}}\n  after: 2\n"
        f"  before: {before}\n  within: 7 days\n" + (f"  session_gap: {gap}\n" if gap else "")
    )
    project = project_over(world, metrics, source="tie_breaker: sequence" if plan.tie_breaker else "", engine=engine)
    words: dict[str, Any] = {"start": first, "end": last, "where": to_sql(where) if where else None}
    answer = project.answer(ask("next", parts="rows,paths", measures="seconds_median", **words))
    theirs = told(paths(world, flow, first, last, where=where_of), flow)
    ours = {part: rows.to_pylist() for part, rows in answer.parts.items()}
    assert alike(ours["rows"], rows_of(theirs, (), "users", ["seconds_median"])), answer.info.sql
    assert alike(ours["paths"], paths_of(theirs, (), "users")), answer.info.sql
