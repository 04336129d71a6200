"""Cohorts over generated worlds, against the oracle: how many over time, and who."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from families.asking import project_over
from families.cohort.plans import ATTRIBUTES, Plan, conditions, of_person
from families.engines import on_every_engine
from families.oracles.calendar import DAY, bucket_starts, local_date
from families.oracles.cohort import Attributes, members, sizes
from families.oracles.conditions import to_sql
from families.test_people_properties import PEOPLE, Row, table
from families.worlds import grains, ranges, worlds
from metrics_api.serving.asking import ask

ENTITIES = """\
user:
  attributes: {table: people, key: id, columns: {plan: string, tier: {type: integer, column: level}}}
"""


@st.composite
def people(draw: st.DrawFn) -> list[Row]:
    rows = st.tuples(st.sampled_from(PEOPLE), st.sampled_from((None, "a", "b")), st.sampled_from((None, 0, 1)))
    return draw(st.lists(rows, max_size=6, unique_by=lambda row: row[0]))


def known_of(rows: list[Row]) -> Attributes:
    return {who: {"user_plan": plan, "user_tier": tier} for who, plan, tier in rows}


def project_with(world: Any, cohorts: dict[str, Plan], rows: list[Row] | None, engine: str, metrics: str = "{}") -> Any:
    written = {name: {"all_of": [one.written]} for name, one in cohorts.items()}
    return project_over(
        world, metrics, cohorts=json.dumps(written, ensure_ascii=False), engine=engine,
        entities="" if rows is None else ENTITIES,
        tables={} if rows is None else {"people": table("id plan level:INTEGER", rows)},
    )  # fmt: skip


@on_every_engine()
def test_cohorts_are_those_of_the_oracle(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds(event_ids=False))
    rows = data.draw(st.none() | people())
    attributes = None if rows is None else known_of(rows)
    plan = data.draw(conditions(world, attributes=rows is not None))
    grain = data.draw(grains().filter(lambda one: one != "hour"))
    first, last = data.draw(ranges(world, grain))
    by = data.draw(st.sampled_from([(), ("user_plan",), ("user_tier", "user_plan")])) if rows is not None else ()
    where = data.draw(st.sampled_from([None, ATTRIBUTES[0][1], ATTRIBUTES[1][1]])) if rows is not None else None
    holds = of_person(where) if where else lambda known: True
    project = project_with(world, {"some": plan}, rows, engine)
    words = {"start": first, "end": last, "grain": grain, "where": to_sql(where) if where else None}

    answer = project.answer(ask("some", by=by, **words))
    expected = sizes(world, plan.meant, first, last, grain, attributes=attributes, by=by, where=holds)
    found = [(one["period"], *(one[name] for name in by), one["size"]) for one in answer.parts["rows"].to_pylist()]
    assert found == [(one.bucket.label, *one.labels, one.size) for one in expected], answer.info.sql

    day = min(bucket_starts(first, last, grain, world.timezone, world.week_start)[-1].last_day,
              local_date(world.data_through, world.timezone))  # fmt: skip
    theirs = members(world, plan.meant, day, attributes)
    theirs = frozenset(who for who in theirs if holds((attributes or {}).get(who, {})))
    answer = project.answer(ask("some", members={}, **words))
    assert answer.parts["members"]["id"].to_pylist() == sorted(theirs), answer.info.sql
    answer = project.answer(ask("some", parts="member_count", **words))
    assert answer.parts["member_count"]["users"].to_pylist() == [len(theirs)], answer.info.sql


@on_every_engine(share=4)
def test_a_cohort_and_the_rest_are_everyone(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds(event_ids=False))
    rows = data.draw(st.none() | people())
    plan = data.draw(conditions(world, attributes=rows is not None))
    first, last = data.draw(ranges(world, "day"))
    cohorts = {"some": plan, "rest": Plan({"not": plan.written}, plan.meant)}
    project = project_with(world, cohorts, rows, engine)
    ours = [
        {one["id"] for one in project.answer(ask(name, members={}, start=first, end=last)).parts["members"].to_pylist()}
        for name in cohorts
    ]
    assert not ours[0] & ours[1]
    if rows is None:
        day = min(last, local_date(world.data_through, world.timezone))
        seen = {one.user for one in world.events if one.user and one.at <= world.data_through}
        seen = {one.user for one in world.events if one.user in seen and local_date(one.at, world.timezone) < day + DAY
                and one.at <= world.data_through}  # fmt: skip
        assert ours[0] | ours[1] == seen
