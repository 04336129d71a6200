"""Every metric of every family takes any cohort: as if nobody else had done anything.

The metrics are the examples of all families, so that one that is added is held to this as well.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

from hypothesis import strategies as st

from families.asking import KnownThrough, project_over
from families.cohort.plans import Plan, conditions
from families.engines import on_every_engine
from families.oracles.calendar import bucket_starts, local_date
from families.oracles.cohort import members
from families.oracles.world import World
from families.worlds import NAMES, grains, ranges, worlds
from metrics_api.definitions.names import references
from metrics_api.definitions.yaml12 import parse_yaml
from metrics_api.families import families, metric_types
from metrics_api.query.metric_query import MetricQuery
from metrics_api.serving.asking import ask

PROPERTIES = """\
platform: {type: string, column: country}
channel: {type: string, column: country}
feature: {type: string, column: country}
title: {type: string, column: country}
is_internal: {type: boolean, column: flag}
"""
ENTITIES = """\
user:
  attributes: {table: people, key: id, columns: {plan: string, birth_year: {type: integer, column: level}}}
"""


@cache
def examples() -> tuple[str, str]:
    """The metrics of all families' examples, and the events that they name, as YAML."""
    metrics: dict[str, Any] = {}
    for family in families().values():
        metrics |= {} if family.hidden else parse_yaml(family.example, family.type).data  # type: ignore[operator]
    named: dict[str, None] = {}
    for written in metrics.values():
        definition = metric_types()[written["type"]].model_validate(written)
        for _, reference, name in references(definition):
            if reference.kind in ("event", "moment") and name not in metrics:
                named[name] = None
    events = {f"some_{name}": {"source": "events", "name": NAMES[n % len(NAMES)]} for n, name in enumerate(named)}
    # The project of the tests has one source.
    text = json.dumps(
        {name: {**one, **({"source": "events"} if "source" in one else {})} for name, one in metrics.items()}
    )
    for name in named:  # The project of the tests has events of its own, which must not have these names.
        text = text.replace(f'"{name}"', f'"some_{name}"')
    return text, json.dumps(events)


def project_with(world: World, cohorts: Mapping[str, Plan], engine: str) -> KnownThrough:
    metrics, events = examples()
    written = {name: {"all_of": [one.written]} for name, one in cohorts.items()}
    return project_over(
        world, metrics, events=events, properties=PROPERTIES, entities=ENTITIES, engine=engine,
        cohorts=json.dumps(written, ensure_ascii=False), tables={"people": "id plan level:INTEGER"},
    )  # fmt: skip


def parts_of(project: KnownThrough, query: MetricQuery) -> dict[str, list[dict[str, Any]]]:
    return {name: part.to_pylist() for name, part in project.answer(query).parts.items()}


def same(here: Any, there: Any) -> bool:
    """Whether two answers are equal, sums in any order."""
    match here, there:
        case dict(), dict():
            return here.keys() == there.keys() and all(same(here[key], there[key]) for key in here)
        case list(), list():
            return len(here) == len(there) and all(map(same, here, there))
        case float(), float():
            return math.isclose(here, there, rel_tol=1e-9, abs_tol=1e-9)
    return bool(here == there)


def only(world: World, people: frozenset[str]) -> World:
    return replace(world, events=tuple(one for one in world.events if one.user in people))


@st.composite
def settings_of(draw: st.DrawFn) -> tuple[World, dict[str, Any], date]:
    """A world, a question about it, and the day of which its cohorts are."""
    world = draw(worlds(event_ids=False, max_events=30))
    grain = draw(grains().filter(lambda one: one in ("day", "week", "month")))
    first, last = draw(ranges(world, grain))
    end = bucket_starts(first, last, grain, world.timezone, world.week_start)[-1].last_day
    day = min(end, local_date(world.data_through, world.timezone))
    return world, {"start": first, "end": last, "grain": grain}, day


@on_every_engine(share=2)
def test_a_cohort_is_as_if_nobody_else_had_done_anything(data: st.DataObject, engine: str) -> None:
    world, words, day = data.draw(settings_of())
    plan = data.draw(conditions(world, attributes=False))
    project = project_with(world, {"some": plan}, engine)
    asked = data.draw(st.sampled_from(sorted(project.model.metrics)))
    family = families()[project.model.metrics[asked].type]
    found = parts_of(project, ask(asked, cohort="some", parts=family.parts, **words))
    alone = project_with(only(world, members(world, plan.meant, day, {})), {"some": plan}, engine)
    assert same(found, parts_of(alone, ask(asked, parts=family.parts, **words))), asked


@on_every_engine(share=4)
def test_a_breakdown_by_cohorts_is_each_by_itself_and_the_rest(data: st.DataObject, engine: str) -> None:
    world, words, day = data.draw(settings_of())
    plans = {
        "one": data.draw(conditions(world, attributes=False)),
        "two": data.draw(conditions(world, attributes=False)),
    }
    project = project_with(world, plans, engine)
    asked = data.draw(st.sampled_from(sorted(project.model.metrics)))
    parts = families()[project.model.metrics[asked].type].parts
    names = data.draw(st.sampled_from([("one", "two"), ("two",)]))
    found = parts_of(project, ask(asked, by_cohorts=names, parts=parts, **words))
    expected = {name: parts_of(project, ask(asked, cohort=name, parts=parts, **words)) for name in names}
    inside = frozenset[str]().union(*(members(world, plans[name].meant, day, {}) for name in names))
    others = replace(world, events=tuple(one for one in world.events if one.user not in inside))
    expected["(none)"] = parts_of(project_with(others, plans, engine), ask(asked, parts=parts, **words))
    for part, rows in found.items():
        for label, answer in expected.items():
            mine = [{key: value for key, value in row.items() if key != "cohort"} for row in rows
                    if row["cohort"] == label]  # fmt: skip
            if mine or len(names) > 1:  # Of one cohort a group that nobody is in is not shown.
                assert same(mine, answer[part]), (asked, part, label)


@on_every_engine(share=8)
def test_cohorts_of_each_bucket_are_as_if_each_were_asked_alone(data: st.DataObject, engine: str) -> None:
    world, words, _ = data.draw(settings_of())
    project = project_with(world, {"some": data.draw(conditions(world, attributes=False))}, engine)
    model = project.model
    told = {name: [part for part in families()[one.type].parts if families()[one.type].is_flagged(part)]
            for name, one in model.metrics.items()}  # fmt: skip
    asked = data.draw(st.sampled_from(sorted(name for name, parts in told.items() if parts)))
    (part, *_) = told[asked]
    by = data.draw(st.sampled_from([{"cohort": "some"}, {"by_cohorts": "some"}]))
    found = parts_of(project, ask(asked, parts=part, cohort_as_of="bucket_end", **by, **words))[part]
    buckets = bucket_starts(words["start"], words["end"], words["grain"], world.timezone, world.week_start)
    expected: list[dict[str, Any]] = []
    for bucket in buckets:
        alone = {"start": bucket.first_day, "end": bucket.last_day, "grain": words["grain"]}
        expected += parts_of(project, ask(asked, parts=part, **by, **alone))[part]
    assert same(found, expected), asked
