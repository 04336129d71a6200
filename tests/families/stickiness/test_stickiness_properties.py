"""Stickiness over generated worlds, against the oracle, by every strategy; and what holds of its numbers by nature."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from fractions import Fraction
from itertools import groupby
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from families.asking import project_over
from families.engines import on_every_engine
from families.oracles.active_users import Window
from families.oracles.conditions import selector_of, to_sql
from families.oracles.stickiness import Figures, stickiness
from families.strategies import Taking
from families.usage.test_usage_properties import escaped
from families.worlds import conditions, grains, moments, ranges, windows, worlds
from metrics_api.serving.asking import ask

FIGURES = ("value", "average_short", "long", "of_averages")
PARTS = ("rows", "overall", "histogram")


@on_every_engine()
def test_stickiness_is_that_of_the_oracle(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds(event_ids=False))
    moment = data.draw(moments())
    grain = data.draw(grains().filter(lambda one: one != "hour"))
    first, last = data.draw(ranges(world, grain))
    assume((last - first).days <= 100)
    short, long = data.draw(st.tuples(windows(), windows()).filter(lambda both: is_longer(*both)))
    at_least = data.draw(st.sampled_from([1, 1, 2, 3]))
    histogram = data.draw(st.sampled_from(["exact", "at_least"]))
    by = data.draw(st.sampled_from([(), ("country",), ("flag", "level")]))
    where = data.draw(st.one_of(st.none(), conditions()))
    history_start = data.draw(st.sampled_from([None, first, first - timedelta(days=40)]))
    parts = data.draw(st.permutations(PARTS).flatmap(lambda all_: st.sampled_from([all_[:1], all_[:2], all_])))
    strategy = data.draw(st.sampled_from([None, "bitmap", "gaps", "bits", "words", "tally", "levels"]))
    condition = f'\n  where: "{escaped(to_sql(moment.where))}"' if moment.where else ""
    project = project_over(
        world,
        f"sticky:\n  type: stickiness\n  on: {moment.event or 'anything'}{condition}\n  short: {short.words}\n"
        f"  long: {long.words}\n  at_least: {at_least}\n  histogram: {histogram}",
        source=f"history_start: {history_start}" if history_start else "",
        engine=engine,
    )
    question = ask(
        "sticky", start=first, end=last, grain=grain, by=by, measures=FIGURES, parts=parts, limit=50_000,
        where=to_sql(where) if where else None,
    )  # fmt: skip
    with Taking(strategy):
        answer = project.answer(question)
    theirs = stickiness(
        world, moment.selector, first, last, grain, short, long, at_least=at_least, histogram=histogram, breakdown=by,
        where=selector_of(where) if where else None, history_start=history_start,
    )  # fmt: skip
    found = {part: table.to_pylist() for part, table in answer.parts.items()}
    if "rows" in found:
        expected = [(row.bucket.label, *row.labels, *told(row.figures), row.complete) for row in theirs.rows]
        assert_alike(lines(found["rows"], "period", *by, *FIGURES, "complete"), expected, answer.info.sql)
    if "overall" in found:
        # A group that nobody is in as of the last complete bucket may have no row.
        ours = {line[: len(by)]: line[len(by) :] for line in lines(found["overall"], *by, *FIGURES)}
        there = {labels: told(one) for labels, one in theirs.overall.items() if not by or one.long or one.value}
        assert by or set(ours) == {()}
        for labels, figures in there.items():
            assert_alike([ours[labels]], [figures], answer.info.sql)
        assert all(not any(figures) for labels, figures in ours.items() if labels not in there)
    if "histogram" in found:
        expected = [(row.bucket.label, *row.labels, row.active_days, row.users, row.share) for row in theirs.histogram]
        assert_alike(
            lines(found["histogram"], "period", *by, "active_days", "users", "share"), expected, answer.info.sql
        )


@on_every_engine(share=4)
def test_numbers_hold_together(data: st.DataObject, engine: str) -> None:
    """The value is a share; the exact histogram adds up to `long`, and from above to the one of at least so many."""
    world = data.draw(worlds(event_ids=False))
    grain = data.draw(st.sampled_from(["day", "week", "month"]))
    first, last = data.draw(ranges(world, grain))
    by = data.draw(st.sampled_from([(), ("country",)]))
    written = "{type: stickiness, on: anything, short: 2 days, long: 7 days, histogram: %s}"
    project = project_over(world, f"exact: {written % 'exact'}\nat_least: {written % 'at_least'}", engine=engine)
    words = {"start": first, "end": last, "grain": grain, "by": by, "limit": 50_000}
    answer = project.answer(ask("exact", parts=("rows", "histogram"), measures="value,long", **words))
    rows, histogram = (answer.parts[part].to_pylist() for part in ("rows", "histogram"))
    assert all(row["value"] is None or 0 <= row["value"] <= 1 for row in rows)
    longs = {(row["period"], *(row[name] for name in by)): row["long"] for row in rows}

    def by_window(found: list[dict[str, Any]]) -> dict[tuple[Any, ...], list[int | None]]:
        windows = groupby(found, key=lambda row: (row["period"], *(row[name] for name in by)))
        return {window: [row["users"] for row in numbers] for window, numbers in windows}

    exact = by_window(histogram)
    (table,) = project.answer(ask("at_least", parts="histogram", **words)).parts.values()
    at_least = by_window(table.to_pylist())
    assert exact.keys() == at_least.keys()
    for window, users in exact.items():
        counted = [one for one in users if one is not None]
        assert len(users) == 7
        assert longs[window] == (sum(counted) if counted else None), answer.info.sql
        assert [one for one in at_least[window] if one is not None] == [sum(counted[k:]) for k in range(len(counted))]
    assert all(not people for window, people in longs.items() if window not in exact)


def is_longer(short: Window, long: Window) -> bool:
    """Whether the long window is longer on every day, and no longer than a year."""
    ends = [date(2024, 1, 1) + timedelta(days=n) for n in range(800)]
    return all(long.first_day(end) < short.first_day(end) for end in ends)


def told(figures: Figures) -> tuple[Any, ...]:
    return tuple(getattr(figures, name) for name in FIGURES)


def lines(rows: Iterable[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def assert_alike(ours: list[tuple[Any, ...]], theirs: list[tuple[Any, ...]], sql: str) -> None:
    """Equal rows in equal order, fractions up to what floating point can hold."""
    assert len(ours) == len(theirs), sql
    for mine, other in zip(ours, theirs, strict=True):
        for here, there in zip(mine, other, strict=True):
            if isinstance(there, Fraction):
                assert here is not None and abs(here - float(there)) < 1e-9, (mine, other, sql)
            else:
                assert here == there, (mine, other, sql)
