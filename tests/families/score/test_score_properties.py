"""Scores over generated worlds, against the oracle; and what must hold of them whatever happened."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any

import yaml
from hypothesis import assume
from hypothesis import strategies as st

from families.asking import project_over
from families.engines import on_every_engine
from families.funnel.test_funnel_properties import yaml_of
from families.oracles.active_users import Window
from families.oracles.conditions import selector_of, to_sql
from families.oracles.score import Component, Composed, Conversion, Visits
from families.oracles.tiers import Amount, Kind, Needs, Percentile
from families.oracles.world import World, named
from families.strategies import Taking
from families.test_tiers_properties import STRATEGIES, assert_alike, lines, metrics, selector
from families.worlds import conditions, funnel_plans, grains, moments, ranges, windows, worlds
from metrics_api.serving.asking import ask

PARTS = ("rows", "overall", "tiers", "migration", "distribution", "components")
NAMES = ("a", "b", "c")
LEAST = (0, 10, 25, Fraction("33.3333"), Fraction("37.5"), 50, Fraction("66.6667"), 75, 100)
GAPS = {"30 minutes": timedelta(minutes=30), "1 hour": timedelta(hours=1)}


@dataclass(frozen=True)
class Drawn:
    """A metric with the face, as YAML has it; its number; and the same for the oracle."""

    yaml: str
    number: str | None
    kind: Kind | Visits | Conversion


@st.composite
def numbers(draw: st.DrawFn, name: str) -> Drawn:
    which = draw(st.sampled_from(["usage", "value_moment", "tiers", "sessions", "funnel"]))
    if which == "tiers":
        written = draw(metrics(Window(7, "day")))
        return Drawn(written.yaml.replace("tiered:", f"{name}:", 1), None, written.kind)
    if which == "sessions":
        gap, number = draw(st.sampled_from(sorted(GAPS))), draw(st.sampled_from(["sessions", "minutes", "events"]))
        return Drawn(f"{name}: {{type: sessions, source: events, gap: {gap}}}", number, Visits(GAPS[gap], number))
    if which == "funnel":
        plan = draw(funnel_plans(min_steps=2, max_steps=3, repeated=False, tie_breakers=False))
        return Drawn(yaml_of(plan, name), None, Conversion(plan.funnel))
    moment = draw(moments())
    one = selector(moment)
    one["event"] = one.pop("on")
    of = draw(st.sampled_from([None, "minutes", "level"]))
    if which == "usage":
        written_as: dict[str, Any] = {"type": "usage", **one}
    else:
        written_as = {"type": "value_moment", "moments": {"only": one}}
    number = f"sum({of})" if of else draw(st.sampled_from([None, "total"]))
    return Drawn(f"{name}: {json.dumps(written_as, ensure_ascii=False)}", number, Amount(moment.selector, of))


@st.composite
def scores(draw: st.DrawFn, window: Window) -> tuple[dict[str, Any], str, list[Component], dict[str, Needs]]:
    """A score's definition, those of its metrics, and both for the oracle."""
    found = [draw(numbers(name)) for name in NAMES[: draw(st.integers(1, 3))]]
    written: dict[str, Any] = {}
    components = []
    for name, one in zip(NAMES, found, strict=False):
        weight = draw(st.sampled_from(["1", "2", "25", "30", "0.5", "7"]))
        full = draw(st.sampled_from([None, "rank", 0.5, 1, 2, 5, 60, "p1", "p50", "p75", "p95"]))
        usual = Fraction(1) if isinstance(one.kind, Conversion) else Percentile(95)
        meant = (
            usual if full is None else None if full == "rank"
            else Percentile(int(full[1:])) if isinstance(full, str) else Fraction(full)
        )  # fmt: skip
        written[name] = {"metric": name, "weight": float(weight)} | ({"measure": one.number} if one.number else {})
        written[name] |= {"scale": "rank"} if full == "rank" else {"full_at": full} if full is not None else {}
        components.append(Component(one.kind, Fraction(weight), meant))
    least = draw(st.lists(st.sampled_from(LEAST), max_size=3, unique=True))
    falling = {f"t{n}": Fraction(one) for n, one in enumerate(sorted(least, reverse=True))}
    tiers = {name: float(falling[name]) for name in draw(st.permutations(sorted(falling)))}
    definition = {"type": "score", "window": window.words, "components": written, "tiers": tiers}
    return definition, "\n".join(one.yaml for one in found), components, dict(falling)


def asked_of(data: st.DataObject, world: World) -> tuple[str, Composed, dict[str, Any]]:
    """The definitions and a question, for both sides."""
    grain = data.draw(grains().filter(lambda one: one != "hour"))
    first, last = data.draw(ranges(world, grain))
    assume((last - first).days <= 70)
    window = data.draw(windows())
    definition, others, components, tiers = data.draw(scores(window))
    by = data.draw(st.sampled_from([(), (), (), ("country",), ("flag", "level")]))
    where = data.draw(st.one_of(st.none(), st.none(), conditions()))
    frozen_at = None
    if any(isinstance(one.full_at, Percentile) for one in components):
        frozen_at = data.draw(st.sampled_from([None, None, first, first - timedelta(days=3), last]))
    definition |= {"frozen_at": str(frozen_at)} if frozen_at else {}
    theirs = Composed(
        world, Amount(named()), tiers, window, first, last, grain, by,
        selector_of(where) if where else None, None, frozen_at, components=components,
    )  # fmt: skip
    question = {"start": first, "end": last, "grain": grain, "by": by, "where": to_sql(where) if where else None}
    return yaml.safe_dump({"composed": definition}, sort_keys=False) + others, theirs, question


@on_every_engine()
def test_scores_are_those_of_the_oracle(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds(max_events=40))
    written, theirs, question = asked_of(data, world)
    parts = data.draw(st.permutations(PARTS).flatmap(lambda all_: st.sampled_from([all_[:1], all_[:2], all_])))
    project = project_over(world, written, source="event_id: event_id", engine=engine)
    measures = ("value", "users", "score_median")
    with Taking(data.draw(st.sampled_from(STRATEGIES))):
        answer = project.answer(ask("composed", parts=parts, measures=measures, limit=50_000, **question))
    by, sql = theirs.breakdown, answer.info.sql
    found = {part: table.to_pylist() for part, table in answer.parts.items()}
    if "rows" in found:
        assert_alike(lines(found["rows"], "period", *by, *measures, "complete"), theirs.averages(), sql)
    if "overall" in found:
        assert_alike(lines(found["overall"], *by, *measures), theirs.last_averages(), sql)
    if "tiers" in found:
        expected = [(*line[: len(by) + 4], line[-1]) for line in theirs.rows()]
        assert_alike(lines(found["tiers"], "period", *by, "tier", "users", "share", "complete"), expected, sql)
    if "distribution" in found:
        assert_alike(lines(found["distribution"], "period", *by, "from_points", "users"), theirs.bins(), sql)
    if "components" in found:
        ours = lines(found["components"], "period", *by, "position", "points", "present", "full_at", "degenerate")
        expected = [
            (*line[: len(by) + 1], line[len(by) + 1] + 1, *line[len(by) + 2 :]) for line in theirs.of_components()
        ]
        assert_alike(ours, expected, sql)
    if "migration" in found:
        ours_by = {line[:-1]: line[-1] for line in lines(found["migration"], "period", *by, "from", "to", "users")}
        assert len(ours_by) == len(found["migration"])
        assert ours_by == theirs.migration(), sql


@on_every_engine(share=4)
def test_members_are_those_of_the_oracle(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds(max_events=40))
    written, theirs, question = asked_of(data, world)
    assume(not theirs.breakdown)
    tier = data.draw(st.sampled_from([None, *theirs.names]))
    bucket = data.draw(st.sampled_from([None, *theirs.buckets]))
    chosen = {"tier": tier, "period": bucket.label if bucket else None}
    project = project_over(world, written, source="event_id: event_id", engine=engine)
    answer = project.answer(
        ask("composed", **question, members={k: v for k, v in chosen.items() if v is not None}, first=100)
    )
    (people,) = answer.parts.values()
    wanted = theirs.members(tier, bucket or theirs.last_complete)
    assert sorted(row["id"] for row in people.to_pylist()) == wanted, answer.info.sql


@on_every_engine(share=4)
def test_numbers_hold_together(data: st.DataObject, engine: str) -> None:
    """Scores lie from 0 to 100; what components give adds up to the value; tiers and bins hold everybody once."""
    world = data.draw(worlds(max_events=40))
    written, theirs, question = asked_of(data, world)
    project = project_over(world, written, source="event_id: event_id", engine=engine)
    names = [f"component_{name}" for name, _ in zip(NAMES, theirs.components, strict=False)]
    measures = ("value", "users", "score_p1", "score_p99", *names)
    answer = project.answer(
        ask("composed", parts=("rows", "tiers", "distribution"), measures=measures, limit=50_000, **question)
    )
    found = {part: table.to_pylist() for part, table in answer.parts.items()}
    by = theirs.breakdown
    users: dict[tuple[Any, ...], int] = {}
    for row in found["rows"]:
        users[row["period"], *(row[name] for name in by)] = row["users"] or 0
        if row["value"] is not None:
            assert 0 <= row["score_p1"] <= row["score_p99"] <= 100
            assert abs(sum(row[name] for name in names) - row["value"]) < 0.001
    for part in ("tiers", "distribution"):
        added = dict.fromkeys(users, 0)
        for row in found[part]:
            added[row["period"], *(row[name] for name in by)] += row["users"] or 0
        assert added == users
