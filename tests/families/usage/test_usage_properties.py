"""Usage and value moments over generated worlds, against the oracle."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from families.asking import project_over
from families.engines import on_every_engine
from families.oracles.conditions import selector_of, to_sql
from families.oracles.usage import Measures, usage
from families.worlds import Moment, conditions, grains, moments, ranges, worlds
from metrics_api.serving.asking import ask

MEASURES = (
    "value", "total", "users", "per_user_average", "per_user_median", "per_user_p25", "per_user_p90",
    "sum_minutes", "average_minutes", "min_minutes", "max_minutes", "sum_level",
)  # fmt: skip
EXCLUDED = ("=", "flag", True)


def yaml_of(name: str, moment: Moment) -> str:
    where = f'\n  where: "{escaped(to_sql(moment.where))}"' if moment.where else ""
    return f"{name}:\n  type: usage\n  event: {moment.event or 'anything'}{where}"


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def of_oracle(found: Measures, level_sum: float | None) -> dict[str, object]:
    per_user = found.per_user
    return {
        "value": found.total,
        "total": found.total,
        "users": found.users,
        "per_user_average": per_user.average,
        "per_user_median": per_user.median,
        "per_user_p25": per_user.percentiles[0.25],
        "per_user_p90": per_user.percentiles[0.9],
        "sum_minutes": found.sum,
        "average_minutes": found.average,
        "min_minutes": found.min,
        "max_minutes": found.max,
        "sum_level": level_sum,
    }


def same(ours: object, theirs: object) -> bool:
    if isinstance(ours, float) and isinstance(theirs, int | float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return ours == theirs


@on_every_engine()
def test_usage_is_what_the_oracle_counts(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds())
    moment = data.draw(moments())
    grain = data.draw(grains())
    first, last = data.draw(ranges(world, grain))
    by = data.draw(st.sampled_from([(), ("country",), ("flag",), ("level", "country")]))
    where = data.draw(st.one_of(st.none(), conditions()))
    excluded = data.draw(st.booleans())
    event_ids = data.draw(st.booleans())
    measures = data.draw(st.lists(st.sampled_from(MEASURES), min_size=1, max_size=4, unique=True))
    parts = data.draw(st.sampled_from([("rows",), ("rows", "overall"), ("overall",)]))
    project = project_over(
        world,
        yaml_of("counted", moment),
        source="event_id: event_id" if event_ids else "event_id: {column: event_id, unique: true}",
        project="exclude: flag = true" if excluded else "",
        engine=engine,
    )
    question = ask(
        "counted", start=first, end=last, grain=grain, by=by, measures=measures, parts=parts,
        where=to_sql(where) if where else None,
    )  # fmt: skip
    answer = project.answer(question)

    def oracle(amount: str):  # type: ignore[no-untyped-def]
        return usage(
            world, moment.selector, first, last, grain, amount=amount, breakdown=by,
            where=selector_of(where) if where else None, exclude=selector_of(EXCLUDED) if excluded else None,
            event_ids=event_ids,
        )  # fmt: skip

    minutes, level = oracle("minutes"), oracle("level")
    shown = answer.info.sql
    if "rows" in parts:
        expected = [
            (row.bucket.label, *row.labels, row.complete, of_oracle(row.measures, other.measures.sum))
            for row, other in zip(minutes.rows, level.rows, strict=True)
        ]
        found = answer.parts["rows"].to_pylist()
        assert len(found) == len(expected), shown
        for ours, (label, *labels, complete, theirs) in zip(found, expected, strict=True):
            assert [ours["period"], *(ours[name] for name in by)] == [label, *labels], shown
            assert ours["complete"] is complete
            for name in measures:
                assert same(ours[name], theirs[name]), (name, ours, theirs, shown)
    if "overall" in parts:
        ours_by = {tuple(one[name] for name in by): one for one in answer.parts["overall"].to_pylist()}
        assert set(ours_by) == set(minutes.overall), shown
        for labels, found_measures in minutes.overall.items():
            theirs = of_oracle(found_measures, level.overall[labels].sum)
            for name in measures:
                assert same(ours_by[labels][name], theirs[name]), (name, ours_by[labels], theirs, shown)
