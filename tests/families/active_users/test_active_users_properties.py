"""Active users over generated worlds, against the oracle; and every strategy of `ActiveDays` against the others."""

from __future__ import annotations

from hypothesis import strategies as st

from families.asking import project_over
from families.engines import on_every_engine
from families.oracles.active_users import active_users
from families.oracles.conditions import selector_of, to_sql
from families.strategies import Taking
from families.usage.test_usage_properties import escaped
from families.worlds import conditions, grains, moments, ranges, windows, worlds
from metrics_api.serving.asking import ask


@on_every_engine()
def test_active_users_are_those_of_the_oracle(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds(event_ids=False))
    moment = data.draw(moments())
    grain = data.draw(grains().filter(lambda one: one != "hour"))
    first, last = data.draw(ranges(world, grain))
    window = data.draw(windows())
    align = data.draw(st.sampled_from(["trailing", "calendar"]))
    at_least = data.draw(st.sampled_from([1, 1, 2, 3]))
    by = data.draw(st.sampled_from([(), ("country",), ("flag", "level")]))
    where = data.draw(st.one_of(st.none(), conditions()))
    strategy = data.draw(st.sampled_from([None, "bitmap", "gaps"]))
    condition = f'\n  where: "{escaped(to_sql(moment.where))}"' if moment.where else ""
    project = project_over(
        world,
        f"active:\n  type: active_users\n  on: {moment.event or 'anything'}{condition}\n"
        f"  window: {window.words}\n  align: {align}\n  at_least: {at_least}",
        engine=engine,
    )
    question = ask(
        "active", start=first, end=last, grain=grain, by=by, parts=("rows", "overall"),
        where=to_sql(where) if where else None,
    )  # fmt: skip
    with Taking(strategy):
        answer = project.answer(question)
    theirs = active_users(
        world, moment.selector, first, last, grain, window, align=align, at_least=at_least, breakdown=by,
        where=selector_of(where) if where else None,
    )  # fmt: skip
    ours = [
        (row["period"], *(row[name] for name in by), row["value"], row["complete"])
        for row in answer.parts["rows"].to_pylist()
    ]
    expected = [(row.bucket.label, *row.labels, row.users, row.complete) for row in theirs.rows]
    assert ours == expected, answer.info.sql
    assert all(row["value"] is None or row["value"] >= 0 for row in answer.parts["rows"].to_pylist())
    overall = {tuple(one[name] for name in by): one["value"] for one in answer.parts["overall"].to_pylist()}
    assert {k: v for k, v in overall.items() if v} == {k: v for k, v in theirs.overall.items() if v}, answer.info.sql
    if not by:
        assert overall == theirs.overall, answer.info.sql
