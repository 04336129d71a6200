"""Funnels over generated worlds, against the oracle, by every strategy of `Journey`."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st

from families.asking import project_over
from families.engines import on_every_engine
from families.oracles.conditions import selector_of, to_sql
from families.oracles.funnel import funnel
from families.usage.test_usage_properties import escaped, same
from families.worlds import DURATIONS, FunnelPlan, conditions, funnel_plans, grains, ranges, worlds
from metrics_api.compile.passes import expand_operators
from metrics_api.compile.strategies import journey
from metrics_api.serving.asking import ask

TIMES = tuple(
    f"seconds_from_{origin}_{stat}" for origin in ("entry", "previous") for stat in ("average", "median", "p90")
)
COUNTS = ("entered", "converted", "dropped", "excluded", "pending", "mature_entered")
RATES = ("rate", "step_rate", "mature_rate")


def yaml_of(plan: FunnelPlan) -> str:
    lines = ["journey:", "  type: funnel", f"  within: {plan.within}", "  steps:"]
    for number, step in enumerate(plan.steps, 1):
        where = f', where: "{escaped(to_sql(step.where))}"' if step.where else ""
        lines.append(f"    step_{number}: {{event: {step.event or 'anything'}{where}}}")
    return "\n".join(lines)


@on_every_engine()
def test_funnels_are_those_of_the_oracle(data: st.DataObject, engine: str) -> None:
    plan = data.draw(funnel_plans(min_steps=2).filter(lambda one: one.entry == "any"))
    world = data.draw(worlds(event_ids=False, window=DURATIONS[plan.within]))
    grain = data.draw(grains())
    first, last = data.draw(ranges(world, grain))
    by = data.draw(st.sampled_from([(), (), ("country",), ("flag",)]))
    where = data.draw(st.one_of(st.none(), conditions()))
    measures = data.draw(st.sampled_from([TIMES, ("seconds_from_entry_median",), ()]))
    entries = Counter(one.user for one in world.events if plan.steps[0].selector(one))
    happens_once = max(entries.values(), default=0) <= 1 and not (plan.overlapping and plan.tie_breaker)
    strategy = data.draw(st.sampled_from([None, "carry"] + ["hash"] * 3 * happens_once))
    source = "tie_breaker: sequence" if plan.tie_breaker else ""
    project = project_over(world, yaml_of(plan), source=source, engine=engine)
    question = ask(
        "journey", start=first, end=last, grain=grain, by=by, measures=measures,
        where=to_sql(where) if where else None,
    )  # fmt: skip
    original = expand_operators.expand_journey
    if strategy is not None:  # The engine's own choice is `asof` on DuckDB.
        expand_operators.expand_journey = lambda node, _: journey.STRATEGIES[strategy](node)  # type: ignore[assignment]
    try:
        answer = project.answer(question)
    finally:
        expand_operators.expand_journey = original  # type: ignore[assignment]
    theirs = funnel(
        world, plan.funnel, first, last, grain, breakdown=by, where=selector_of(where) if where else None
    )  # fmt: skip
    shown = answer.info.sql
    ours = answer.parts["steps"].to_pylist()
    expected = [(labels, row) for labels, rows in sorted(theirs.items()) for row in rows]
    assert len(ours) == len(expected), (ours, expected, shown)
    for mine, (labels, row) in zip(ours, expected, strict=True):
        assert (mine["step"], mine["position"]) == (row.name, row.step)
        assert tuple(mine[name] for name in by) == labels, shown
        for name in (*COUNTS, *RATES):
            assert same(mine[name], getattr(row, name)), (name, mine, row, shown)
        for name in measures:
            origin, stat = name.removeprefix("seconds_from_").split("_")
            times = row.from_entry if origin == "entry" else row.from_previous
            theirs_time = {"average": times.average, "median": times.median}.get(stat, times.percentiles.get(0.9))
            assert same(mine[name], theirs_time), (name, mine, row, shown)
