"""Calculated metrics over generated worlds: against the oracle, and against their inputs asked one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from hypothesis import strategies as st

from families.asking import project_over
from families.engines import on_every_engine
from families.oracles.active_users import Window, active_users
from families.oracles.calendar import Grain, bucket_starts
from families.oracles.conditions import Condition, selector_of, to_sql
from families.oracles.derived import Formula, Numbers, derived, names, written
from families.oracles.usage import Measures, usage
from families.oracles.world import World
from families.usage.test_usage_properties import yaml_of
from families.worlds import Moment, conditions, grains, moments, ranges, worlds
from metrics_api.serving.asking import ask

COUNTS = ("total", "users")
MEASURES = (*COUNTS, "sum_minutes", "average_minutes", "max_minutes", "per_user_median")


@dataclass(frozen=True)
class Asked:
    """A question to a world, in the oracles' words."""

    world: World
    first: date
    last: date
    grain: Grain
    by: Sequence[str]
    where: Condition | None


def number_of(found: Measures, measure: str) -> float | None:
    if measure == "per_user_median":
        return found.per_user.median
    return {
        "total": found.total,
        "users": found.users,
        "sum_minutes": found.sum,
        "average_minutes": found.average,
        "max_minutes": found.max,
    }[measure]


def counted(asked: Asked, moment: Moment, measure: str) -> Numbers:
    answer = usage(
        asked.world, moment.selector, asked.first, asked.last, asked.grain, amount="minutes", breakdown=asked.by,
        where=selector_of(asked.where) if asked.where else None,
    )  # fmt: skip
    cells: dict[tuple[object, tuple[str, ...]], float | None] = {
        (row.bucket.label, row.labels): number_of(row.measures, measure) for row in answer.rows
    }
    cells |= {(None, labels): number_of(found, measure) for labels, found in answer.overall.items()}
    return Numbers(cells, lambda key: 0 if measure in COUNTS else None)


def active(asked: Asked, moment: Moment) -> Numbers:
    world = asked.world
    answer = active_users(
        world, moment.selector, asked.first, asked.last, asked.grain, Window(2, "day"), breakdown=asked.by,
        where=selector_of(asked.where) if asked.where else None,
    )  # fmt: skip
    cells: dict[tuple[object, tuple[str, ...]], float | None] = {
        (row.bucket.label, row.labels): row.users for row in answer.rows
    }
    cells |= {(None, labels): users for labels, users in answer.overall.items()}
    buckets = bucket_starts(asked.first, asked.last, asked.grain, world.timezone, world.week_start)
    known: dict[object, bool] = {one.label: one.start_utc <= world.data_through for one in buckets}
    known[None] = any(one.end_utc <= world.data_through for one in buckets)
    return Numbers(cells, lambda key: 0 if known[key[0]] else None)


def formulas(inputs: Sequence[str]) -> st.SearchStrategy[Formula]:
    """Divided is only by an input or a number: what has been rounded is never exactly 0."""
    leaves: st.SearchStrategy[Formula] = st.sampled_from([*inputs, *inputs, 0, 1, 2.5, 100])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(["+", "-", "*"]), inner, inner), st.tuples(st.just("/"), inner, leaves)
        ),
        max_leaves=5,
    )


def same(ours: float | None, theirs: float | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-6)


@on_every_engine()
def test_calculated_metrics_are_arithmetic_over_their_inputs(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds(event_ids=False))
    grain = data.draw(grains())
    first, last = data.draw(ranges(world, grain))
    by = data.draw(st.sampled_from([(), ("country",), ("flag", "level")]))
    where = data.draw(st.one_of(st.none(), conditions()))
    asked = Asked(world, first, last, grain, by, where)
    one, other = data.draw(moments()), data.draw(moments())
    read = {
        f"{metric}.{measure}": counted(asked, moment, measure)
        for metric, moment in (("one", one), ("other", other))
        for measure in data.draw(st.lists(st.sampled_from(MEASURES), min_size=1, max_size=2, unique=True))
    }
    if grain != "hour" and data.draw(st.booleans()):
        read["actives.users"] = active(asked, one)
    above, below = data.draw(st.sampled_from(sorted(read))), data.draw(st.sampled_from(sorted(read)))
    formula = data.draw(formulas(sorted(read)).filter(lambda found: bool(names(found))))
    actives = yaml_of("actives", one).replace("usage", "active_users").replace("event:", "on:")
    project = project_over(
        world,
        f"nested: {{type: derived, expression: 'calculated + rate'}}\n"
        f"rate: {{type: ratio, numerator: {above}, denominator: {below}}}\n"
        f"calculated: {{type: derived, expression: '{written(formula)}'}}\n"
        f"{yaml_of('one', one)}\n{yaml_of('other', other)}\n{actives}\n  window: 2 days",
        engine=engine,
    )

    def cells(metric: str, measure: str) -> tuple[Mapping[tuple[object, tuple[str, ...]], float | None], str]:
        answer = project.answer(
            ask(
                metric, start=first, end=last, grain=grain, by=by, measures=measure, parts="rows,overall",
                where=to_sql(where) if where else None,
            )
        )  # fmt: skip
        found = [(part, row) for part in ("rows", "overall") for row in answer.parts[part].to_pylist()]
        return {(row.get("period"), tuple(row[name] for name in by)): row[measure] for _, row in found}, answer.info.sql

    rate: Formula = ("/", above, below)
    for metric, meant in (("calculated", formula), ("rate", rate), ("nested", ("+", formula, rate))):
        ours, sql = cells(metric, "value")
        expected = derived(meant, read)
        # Active users as of the last complete bucket: who was active only before has no line in it, and where there
        # is no such bucket the first one's lines are null.
        assert all(key[0] is None for key in expected.keys() ^ ours.keys()), sql
        for key, value in ours.items():
            assert same(value, expected.get(key)), (written(meant), key, value, expected.get(key), sql)

    separate = {name: cells(*name.split("."))[0] for name in read}
    ours, sql = cells("calculated", "value")
    again = derived(formula, {name: Numbers(found, read[name].missing) for name, found in separate.items()})
    assert ours.keys() == again.keys(), sql
    assert all(same(value, again[key]) for key, value in ours.items()), sql
