"""The product usage interval over generated worlds, against the oracle; its members; and what must hold of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from math import ceil
from typing import Any

from hypothesis import strategies as st

from families.asking import KnownThrough, project_over
from families.engines import on_every_engine
from families.oracles.conditions import selector_of, to_sql
from families.oracles.interval import Rhythm, Unit, interval, zone
from families.oracles.world import World
from families.usage.test_usage_properties import escaped
from families.worlds import Moment, conditions, moments, ranges, worlds
from metrics_api.serving.asking import ask

Rows = list[dict[str, Any]]
UNITS: tuple[Unit, ...] = ("day", "day", "hour")
PARTS = ("summary", "curve", "gaps")


def project_of(
    world: World, moment: Moment, engine: str, unit: Unit = "day", follow_up: int | None = None, share: int = 80
) -> KnownThrough:
    condition = f'\n  where: "{escaped(to_sql(moment.where))}"' if moment.where else ""
    followed = f"\n  follow_up: {follow_up} {unit}" if follow_up else ""
    return project_over(
        world,
        f"rhythm:\n  type: interval\n  on: {moment.event or 'anything'}{condition}\n  unit: {unit}"
        f"{followed}\n  share: {share}",
        source="event_id: event_id",
        engine=engine,
    )


@st.composite
def lookbacks(draw: st.DrawFn, world: World) -> tuple[date, date]:
    """Some weeks around what happened, or days."""
    if draw(st.booleans()):
        return draw(ranges(world, "month"))
    return draw(ranges(world, "day"))


def answered(project: KnownThrough, **words: Any) -> tuple[dict[str, Rows], str]:
    answer = project.answer(ask("rhythm", parts=PARTS, **words))
    return {name: part.to_pylist() for name, part in answer.parts.items()}, answer.info.sql


def told(rhythm: Rhythm, unit: Unit) -> dict[str, Any]:
    """A row of the summary."""
    return {
        "users": len(rhythm.people),
        "returners": rhythm.returners,
        "interval_of_returners": rhythm.interval_of_returners,
        "interval_of_all": rhythm.interval_of_all,
        "median_gap": None if rhythm.median_gap is None else float(rhythm.median_gap),
        "zone": zone(rhythm.median_gap, unit),
        "lookback": rhythm.lookback,
        "lookback_too_short": rhythm.too_short,
    }


def curve_of(rhythm: Rhythm) -> Rows:
    return [
        {
            "after": step.after,
            "at_risk": step.at_risk,
            "returned": step.returned,
            "censored": step.censored,
            # Quotients of whole numbers: to the last bit.
            "share_of_all": float(step.share_of_all),
            "share_of_returners": None if step.share_of_returners is None else float(step.share_of_returners),
        }
        for step in rhythm.curve
    ]


def gaps_of(rhythm: Rhythm) -> Rows:
    medians = [ceil(one) for one in rhythm.medians.values()]
    lengths = sorted({*rhythm.gaps, *medians})
    return [{"gap": one, "gaps": rhythm.gaps.get(one, 0), "users": medians.count(one)} for one in lengths]


@on_every_engine()
def test_intervals_are_those_of_the_oracle(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds())
    moment = data.draw(moments())
    first, last = data.draw(lookbacks(world))
    unit = data.draw(st.sampled_from(UNITS))
    follow_up = data.draw(st.sampled_from((None, None, 1, 2, 9)))
    share = data.draw(st.sampled_from((80, 80, 50, 1, 99)))
    by = data.draw(st.sampled_from([(), (), ("country",), ("flag", "level")]))
    where = data.draw(st.one_of(st.none(), st.none(), conditions()))
    found, sql = answered(
        project_of(world, moment, engine, unit, follow_up, share),
        start=first, end=last, by=by, where=to_sql(where) if where else None,
    )  # fmt: skip
    theirs = interval(
        world, moment.selector, first, last, unit=unit, follow_up=follow_up, share=share, breakdown=by,
        where=selector_of(where) if where else None,
    )  # fmt: skip

    def expected(rows_of: Any) -> Rows:
        listed = ({**row, **dict(zip(by, labels, strict=True))} for labels in theirs for row in rows_of(theirs[labels]))
        return sorted(listed, key=lambda row: (*(row[name] for name in by), row.get("after", row.get("gap"))))

    assert found["summary"] == expected(lambda rhythm: [told(rhythm, unit)]), sql
    assert found["curve"] == expected(curve_of), sql
    assert found["gaps"] == expected(gaps_of), sql


@on_every_engine(share=2)
def test_members_are_those_whose_own_gaps_make_the_habit(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds())
    moment = data.draw(moments())
    first, last = data.draw(lookbacks(world))
    unit = data.draw(st.sampled_from(UNITS))
    zones = ("daily", "weekly", "monthly", "quarterly", "beyond", "one_time", *(("hourly",) if unit == "hour" else ()))
    chosen = data.draw(st.one_of(st.none(), st.sampled_from(zones)))
    answer = project_of(world, moment, engine, unit, 1).answer(
        ask("rhythm", start=first, end=last, parts="members,member_count", members={"zone": chosen} if chosen else {})
    )
    (rhythm,) = interval(world, moment.selector, first, last, unit=unit, follow_up=1).values()
    habits = {who: zone(rhythm.medians.get(who), unit) or "one_time" for who in rhythm.people}
    people = sorted(who for who, habit in habits.items() if chosen in (None, habit))
    assert [row["id"] for row in answer.parts["members"].to_pylist()] == people, answer.info.sql
    assert answer.parts["member_count"].to_pylist() == [{"users": len(people)}], answer.info.sql


@on_every_engine(share=2)
def test_what_is_told_goes_together(data: st.DataObject, engine: str) -> None:
    """Curves only rise, nobody is lost between the parts, and without anybody censored both shares tell the same."""
    world = data.draw(worlds())
    moment = data.draw(moments())
    first, last = data.draw(lookbacks(world))
    unit = data.draw(st.sampled_from(UNITS))
    found, sql = answered(project_of(world, moment, engine, unit, 1), start=first, end=last)
    (summary,), curve, gaps = found["summary"], found["curve"], found["gaps"]
    at_risk = summary["users"]
    for row in curve:
        assert row["at_risk"] == at_risk, sql
        at_risk -= row["returned"] + row["censored"]
    assert at_risk == 0, sql
    for name in ("share_of_all", "share_of_returners"):
        shares = [row[name] for row in curve if row[name] is not None]
        assert shares == sorted(shares), sql
        assert all(0 <= one <= 1 for one in shares), sql
    # Whoever is watched for longer than the others may only add to those who return.
    for row in curve:
        returned = sum(one["returned"] for one in curve if one["after"] <= row["after"])
        assert Fraction(row["share_of_all"]) >= Fraction(returned / summary["users"]) - Fraction(1, 10**12), sql
    if not any(row["censored"] for row in curve):
        assert summary["interval_of_all"] == summary["interval_of_returners"], sql
    assert sum(row["returned"] for row in curve) == summary["returners"] == sum(row["users"] for row in gaps), sql
    assert sum(row["gaps"] for row in gaps) >= summary["returners"], sql
    assert all(1 <= row["gap"] < summary["lookback"] for row in gaps), sql


@on_every_engine(share=4)
def test_twice_the_people_are_the_same_rhythm(data: st.DataObject, engine: str) -> None:
    """And so is everything weeks later, in UTC (SEMANTICS 13)."""
    world = data.draw(worlds(zones=("UTC",)))
    moment = data.draw(moments())
    first, last = data.draw(lookbacks(world))
    unit = data.draw(st.sampled_from(UNITS))
    others = (replace(one, user=one.user and f"{one.user} too") for one in world.events)
    by = timedelta(weeks=data.draw(st.sampled_from((-9, 1, 53))))
    late = tuple(replace(one, at=one.at + by) for one in (*world.events, *others))
    twice = World(late, "UTC", world.week_start, world.data_through + by)
    once, sql = answered(project_of(world, moment, engine, unit), start=first, end=last)
    found, _ = answered(project_of(twice, moment, engine, unit), start=first + by, end=last + by)
    counts = ("users", "returners", "at_risk", "returned", "censored", "gaps")
    assert found == {
        part: [{name: 2 * value if name in counts else value for name, value in row.items()} for row in rows]
        for part, rows in once.items()
    }, sql
