"""Identities and attributes over generated worlds: as if every event had always held them.

The oracles know neither. They are given the world as it is meant: each event with the id that its own stands for, and
with the attributes of that person as properties. So a join that makes two rows of one shows in every total.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import strategies as st

from families.asking import project_over
from families.engines import on_every_engine
from families.oracles.active_users import Window, active_users
from families.oracles.conditions import Condition, selector_of, to_sql
from families.oracles.funnel import Funnel, Step, funnel
from families.oracles.usage import usage
from families.oracles.world import World, is_person, named
from families.usage.test_usage_properties import of_oracle, same
from families.worlds import DURATIONS, USERS, conditions, grains, ranges, worlds
from metrics_api.serving.asking import ask

PEOPLE = tuple(dict.fromkeys(user for user in USERS if is_person(user)))
MEASURES = ("total", "users", "per_user_average", "sum_minutes", "min_minutes", "per_user_p90")
ENTITIES = """\
user:
  identity_map: {table: aliases, from: alias, to: id}
  attributes: {table: people, key: KEY, columns: {plan: string, tier: {type: integer, column: level}}}
"""
METRICS = """\
counted: {type: usage, event: watch}
active: {type: active_users, on: anything, window: 2 days}
journey: {type: funnel, steps: {signed_up: {event: share}, opened: {event: open}}, within: 2 days}
"""
OF_PEOPLE: tuple[Condition, ...] = (
    ("=", "user_plan", "a"),
    ("!=", "user_plan", "b"),
    ("is_null", "user_tier"),
    (">", "user_tier", 0),
)
Row = tuple[str, str | None, int | None]


def table(header: str, rows: Sequence[Sequence[object]]) -> str:
    return "\n".join(
        [header, *(" ".join("-" if one is None else shlex.quote(str(one)) for one in row) for row in rows)]
    )


def meant(world: World, aliases: Mapping[str, str], people: Sequence[Row]) -> World:
    """The world as the definitions mean it. Of several rows of a person each attribute is the greatest."""
    attributes: dict[str, dict[str, object]] = {}
    for person, *values in people:
        known = attributes.setdefault(person, {"user_plan": None, "user_tier": None})
        for name, value in zip(known, values, strict=True):
            if value is not None and (known[name] is None or value > known[name]):  # type: ignore[operator]
                known[name] = value
    events = []
    for event in world.events:
        who = aliases.get(event.user, event.user) if event.user is not None else None
        has = attributes.get(who or "", {"user_plan": None, "user_tier": None})
        events.append(replace(event, user=who, properties={**event.properties, **has}))
    return replace(world, events=tuple(events))


@on_every_engine(share=2)
def test_people_are_as_if_events_had_always_held_them(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds(event_ids=False))
    grain = data.draw(grains().filter(lambda one: one != "hour"))
    first, last = data.draw(ranges(world, grain))
    aliases = data.draw(st.dictionaries(st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), max_size=3))
    rows = st.tuples(st.sampled_from(PEOPLE), st.sampled_from((None, "a", "b")), st.sampled_from((None, 0, 1)))
    people: list[Row] = data.draw(st.lists(rows, max_size=8))
    unique = len({person for person, *_ in people}) == len(people) and data.draw(st.booleans())
    by = data.draw(st.sampled_from([(), ("user_plan",), ("user_tier", "country")]))
    where = data.draw(st.one_of(st.none(), st.sampled_from(OF_PEOPLE), conditions()))
    repeated = [*aliases.items(), *list(aliases.items())[:1], (None, "ann"), ("", "ann"), ("ann", None)]
    project = project_over(
        world,
        METRICS,
        entities=ENTITIES.replace("KEY", "{column: id, unique: true}" if unique else "id"),
        tables={"aliases": table("alias id", repeated), "people": table("id plan level:INTEGER", people)},
        engine=engine,
    )
    theirs = meant(world, aliases, people)
    selected = selector_of(where) if where else None
    words = {"start": first, "end": last, "grain": grain, "by": by, "where": to_sql(where) if where else None}

    answer = project.answer(ask("counted", measures=MEASURES, parts=("overall",), **words))  # type: ignore[arg-type]
    expected = usage(theirs, named("watch"), first, last, grain, amount="minutes", breakdown=by, where=selected).overall
    found = {tuple(one[name] for name in by): one for one in answer.parts["overall"].to_pylist()}
    assert set(found) == set(expected), answer.info.sql
    for labels, measures in expected.items():
        counted = of_oracle(measures, None)
        assert all(same(found[labels][name], counted[name]) for name in MEASURES), (found, counted, answer.info.sql)

    answer = project.answer(ask("active", **words))  # type: ignore[arg-type]
    actives = active_users(theirs, named(), first, last, grain, Window(2, "day"), breakdown=by, where=selected)
    series = [(one["period"], *(one[name] for name in by), one["value"]) for one in answer.parts["rows"].to_pylist()]
    assert series == [(row.bucket.label, *row.labels, row.users) for row in actives.rows], answer.info.sql

    answer = project.answer(ask("journey", measures=(), **words))  # type: ignore[arg-type]
    spec = Funnel((Step("signed_up", named("share")), Step("opened", named("open"))), DURATIONS["2 days"], False)
    steps = funnel(theirs, spec, first, last, grain, breakdown=by, where=selected)
    assert [
        (*(one[name] for name in by), one["step"], one["entered"], one["converted"], one["pending"])
        for one in answer.parts["steps"].to_pylist()
    ] == [
        (*labels, row.name, row.entered, row.converted, row.pending)
        for labels, rows_ in sorted(steps.items())
        for row in rows_
    ], answer.info.sql
