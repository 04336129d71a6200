"""Funnels over generated worlds, against the oracle, by every strategy of `Journey`."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from hypothesis import strategies as st

from families.asking import project_over
from families.engines import on_every_engine
from families.oracles.conditions import selector_of, to_sql
from families.oracles.funnel import funnel, funnel_trend_rows, people_at, times_to_convert
from families.oracles.world import World
from families.strategies import TakingJourney
from families.usage.test_usage_properties import escaped, same
from families.worlds import (
    DURATIONS,
    FunnelPlan,
    Moment,
    conditions,
    funnel_plans,
    funnels_of_any_kind,
    grains,
    ranges,
    worlds,
)
from metrics_api.families.conversions import stretches
from metrics_api.serving.asking import ask

TIMES = tuple(
    f"seconds_from_{origin}_{stat}" for origin in ("entry", "previous") for stat in ("average", "median", "p90")
)
COUNTS = ("entered", "converted", "dropped", "excluded", "pending", "mature_entered")
RATES = ("rate", "step_rate", "mature_rate")
STATES = ("converted", "dropped", "excluded", "pending")


def yaml_of(plan: FunnelPlan, name: str = "journey") -> str:
    windows = dict(plan.step_windows)
    lines = [f"{name}:", "  type: funnel", f"  within: {plan.within}", "  steps:"]
    for k, step in enumerate(plan.steps, 1):
        more = ["optional: true"] * (k in plan.optional) + ["first_ever: true"] * (plan.first_ever and k == 1)
        more += [f"within: {windows[k]}"] if k in windows else []
        lines.append(f"    step_{k}: {{{', '.join([selected(step), *more])}}}")
    if plan.exclusions:
        lines.append("  exclude:")
    for m, one in enumerate(plan.exclusions, 1):
        between = f"between: [step_{one.after}, step_{one.before}]"
        effect = f"effect: {'remove' if one.removes else 'drop'}"
        lines.append(f"    out_{m}: {{{selected(one.moment)}, {between}, {effect}}}")
    by_step = isinstance(plan.attribution, int)
    lines += [
        f"  order: {plan.order}",
        f"  entry: {plan.entry}",
        f"  count: {plan.count}",
        f"  hold_constant: [{', '.join(plan.held)}]",
        f"  attribution: {f'step step_{plan.attribution}' if by_step else plan.attribution}",
    ]
    lines += [f"  among: {plan.among}"] if plan.order == "strict" else []
    lines += [f"  grace: {plan.grace}"] if plan.grace else []
    return "\n".join(lines)


def selected(step: Moment) -> str:
    where = f', where: "{escaped(to_sql(step.where))}"' if step.where else ""
    return f"event: {step.event or 'anything'}{where}"


def source_of(plan: FunnelPlan) -> str:
    return "tie_breaker: sequence" if plan.tie_breaker else ""


@on_every_engine()
def test_plain_funnels_are_those_of_the_oracle(data: st.DataObject, engine: str) -> None:
    plan = data.draw(funnel_plans(min_steps=2))
    check_steps(data, engine, plan, data.draw(worlds(event_ids=False, window=DURATIONS[plan.within])))


@on_every_engine(share=2)
def test_funnels_of_any_kind_are_those_of_the_oracle(data: st.DataObject, engine: str) -> None:
    plan = data.draw(funnels_of_any_kind())
    check_steps(data, engine, plan, data.draw(worlds(event_ids=False, window=DURATIONS[plan.within])))


def check_steps(data: st.DataObject, engine: str, plan: FunnelPlan, world: World) -> None:
    grain = data.draw(grains())
    first, last = data.draw(ranges(world, grain))
    by = data.draw(st.sampled_from([(), (), ("country",), ("flag",)]))
    where = data.draw(st.one_of(st.none(), conditions()))
    measures = data.draw(st.sampled_from([TIMES, ("seconds_from_entry_median",), ()]))
    project = project_over(world, yaml_of(plan), source=source_of(plan), engine=engine)
    question = ask(
        "journey", start=first, end=last, grain=grain, by=by, measures=measures,
        where=to_sql(where) if where else None,
    )  # fmt: skip
    with TakingJourney(data.draw(st.integers(0, 3))):
        answer = project.answer(question)
    theirs = funnel(
        world, plan.funnel, first, last, grain, count=plan.count, breakdown=by,
        where=selector_of(where) if where else None,
    )  # fmt: skip
    shown = answer.info.sql
    ours = answer.parts["steps"].to_pylist()
    expected = [(labels, row) for labels, rows in sorted(theirs.items()) for row in rows]
    assert len(ours) == len(expected), (ours, expected, shown)
    for mine, (labels, row) in zip(ours, expected, strict=True):
        assert (mine["step"], mine["position"]) == (row.name, row.step)
        assert tuple(mine[name] for name in by) == labels, shown
        assert mine["entered"] == sum(mine[state] for state in STATES), (mine, shown)
        for name in (*COUNTS, *RATES):
            assert same(mine[name], getattr(row, name)), (name, mine, row, shown)
        for name in measures:
            origin, stat = name.removeprefix("seconds_from_").split("_")
            times = row.from_entry if origin == "entry" else row.from_previous
            theirs_time = {"average": times.average, "median": times.median}.get(stat, times.percentiles.get(0.9))
            assert same(mine[name], theirs_time), (name, mine, row, shown)


@on_every_engine(share=3)
def test_trends_histograms_and_people_are_those_of_the_oracle(data: st.DataObject, engine: str) -> None:
    plan = data.draw(st.one_of(funnel_plans(min_steps=2), funnels_of_any_kind()))
    world = data.draw(worlds(event_ids=False, window=DURATIONS[plan.within]))
    grain = data.draw(grains())
    first, last = data.draw(ranges(world, grain))
    by = data.draw(st.sampled_from([(), (), ("country",)]))
    project = project_over(world, yaml_of(plan), source=source_of(plan), engine=engine)
    words = {"start": first, "end": last, "grain": grain}
    with TakingJourney(data.draw(st.integers(0, 3))):
        trend = project.answer(ask("journey", **words, by=by, parts="trend"))
        histogram = project.answer(ask("journey", **words, parts="histogram"))
    theirs = funnel_trend_rows(world, plan.funnel, first, last, grain, count=plan.count, breakdown=by)
    mine = {(row["period"], tuple(row[name] for name in by)): row for row in trend.parts["trend"].to_pylist()}
    assert mine.keys() == theirs.keys(), trend.info.sql
    for key, expected in theirs.items():
        for name in (*COUNTS, "rate", "mature_rate"):
            assert same(mine[key][name], getattr(expected, name)), (key, name, mine[key], expected, trend.info.sql)
    times = times_to_convert(world, plan.funnel, first, last, grain, count=plan.count)
    for row in histogram.parts["histogram"].to_pylist():
        is_last = row["to_seconds"] == DURATIONS[plan.within].total_seconds()
        taken = [one for one in times[row["position"] - 2] if row["from_seconds"] <= one]
        taken = [one for one in taken if one < row["to_seconds"] or (is_last and one == row["to_seconds"])]
        assert row["users"] == len(taken), (row, times, histogram.info.sql)
    k = data.draw(st.integers(2, len(plan.steps)))
    state = data.draw(st.sampled_from(STATES))
    step = f"any_{k}" if plan.order == "unordered" else f"step_{k}"
    found = project.answer(ask("journey", **words, parts="members", members={"step": step, "state": state}, first=500))
    people = people_at(world, plan.funnel, first, last, grain, k, state, count=plan.count)
    assert [row["id"] for row in found.parts["members"].to_pylist()] == sorted(people), found.info.sql


@on_every_engine(share=5)
def test_the_invariants_of_funnels(data: st.DataObject, engine: str) -> None:
    """SEMANTICS 13: counts never grow along required steps; strict <= ordered <= unordered; longer windows lose nobody;
    each person twice is twice of everything."""
    plan = replace(data.draw(funnel_plans(min_steps=2, repeated=False)), entry="any")
    world = data.draw(worlds(event_ids=False, window=DURATIONS[plan.within]))
    grain = data.draw(grains())
    first, last = data.draw(ranges(world, grain))
    longer = next((one for one, lasts in sorted(DURATIONS.items(), key=lambda one: one[1])
                   if lasts > DURATIONS[plan.within]), plan.within)  # fmt: skip
    metrics = "\n".join(
        yaml_of(one, name)
        for name, one in {
            "ordered": plan,
            "strict": replace(plan, order="strict", among="steps"),
            "strictest": replace(plan, order="strict"),
            "unordered": replace(plan, order="unordered"),
            "longer": replace(plan, within=longer),
            "totals": replace(plan, count="totals"),
        }.items()
    )

    def converted(of: World, metric: str) -> list[int]:
        project = project_over(of, metrics, source=source_of(plan), engine=engine)
        return [row["converted"] for row in project.query(metric, start=first, end=last, grain=grain).to_pylist()]

    ordered = converted(world, "ordered")
    assert ordered == sorted(ordered, reverse=True)
    assert converted(world, "strictest")[-1] <= converted(world, "strict")[-1] <= ordered[-1]
    assert ordered[-1] <= converted(world, "unordered")[-1]
    assert all(here <= there for here, there in zip(ordered, converted(world, "longer"), strict=True))
    assert all(here <= there for here, there in zip(ordered, converted(world, "totals"), strict=True))
    others = tuple(replace(one, user=one.user and f"{one.user} again") for one in world.events)
    doubled = replace(world, events=(*world.events, *others))
    assert converted(doubled, "ordered") == [2 * count for count in ordered]


def test_stretches_of_time_reach_the_end_of_the_window() -> None:
    for lasts in (timedelta(seconds=1), timedelta(minutes=1), timedelta(days=30), timedelta(days=3_000)):
        spans = stretches(lasts)
        assert spans[0][0] == 0 and spans[-1][1] == lasts.total_seconds()
        assert all(here[1] == there[0] for here, there in pairwise(spans))


def test_every_strategy_is_named_in_its_file() -> None:
    from metrics_api.compile.strategies import journey

    told = journey.__doc__ or ""
    assert [name for name in journey.STRATEGIES if not re.search(rf"^- `{name}`", told, re.MULTILINE)] == []
