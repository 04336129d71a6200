"""Tiers over generated worlds, against the oracle, by every strategy; and what holds of their numbers by nature."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import yaml
from hypothesis import assume
from hypothesis import strategies as st

from families.asking import project_over
from families.engines import on_every_engine
from families.oracles.active_users import Window
from families.oracles.calendar import local_date
from families.oracles.conditions import selector_of, to_sql
from families.oracles.tiers import INACTIVE, Amount, Days, Features, Kind, Needs, Percentile, Tiered, Values
from families.oracles.world import World
from families.strategies import Taking
from families.worlds import Moment, conditions, grains, moments, ranges, windows, worlds
from metrics_api.serving.asking import ask
from metrics_api.serving.project import Project

PARTS = ("rows", "overall", "thresholds", "migration", "distribution")
NAMES = ("power", "core", "casual")
STRATEGIES = (None, "bits", "words", "tally", "levels")


@dataclass(frozen=True)
class Written:
    """A metric of tiers, as YAML has it and as the oracle does."""

    definition: Mapping[str, Any]
    kind: Kind
    tiers: Mapping[str, Needs]

    @property
    def yaml(self) -> str:
        return yaml.safe_dump({"tiered": dict(self.definition)}, sort_keys=False)


@st.composite
def metrics(draw: st.DrawFn, window: Window) -> Written:
    """A metric of tiers over a window."""
    moment = draw(moments())
    on: dict[str, Any] = {"on": moment.event or "anything"}
    if moment.where is not None:
        on["where"] = to_sql(moment.where)
    fewest = min(
        (date(2024, 1, 1) + timedelta(days=n) - window.first_day(date(2024, 1, 1) + timedelta(days=n))).days + 1
        for n in range(800)
    )
    plain: dict[str, Any] = {"window": window.words}
    which = draw(st.sampled_from(["days", "values", "features", "sets", "count", "sum"]))
    if which == "days":
        at_least = draw(st.sampled_from([1, 1, 2]))
        kind: Kind = Days(moment.selector, at_least)
        plain |= {"type": "frequency", **on, "at_least": at_least}
        numbers: Any = st.integers(1, min(fewest, 5))
    elif which == "values":
        name = draw(st.sampled_from(["country", "level", "flag"]))
        kind = Values(moment.selector, name)
        plain |= {"type": "breadth", **on, "property": name}
        numbers = st.integers(1, 4)
    elif which in ("features", "sets"):
        named = {f"f{k}": one for k, one in enumerate(draw(st.lists(moments(), min_size=1, max_size=4)))}
        kind = Features({name: one.selector for name, one in named.items()})
        plain |= {"type": "breadth", "of": {name: selector(one) for name, one in named.items()}}
        numbers = st.integers(1, len(named))
        if which == "sets":
            return _of_sets(draw, plain, kind, sorted(named))
    else:
        name = draw(st.sampled_from(["minutes", "level"])) if which == "sum" else None
        kind = Amount(moment.selector, name)
        plain |= {"type": "depth", **on, "measure": f"sum({name})" if name else "count"}
        numbers = st.sampled_from([-1, 0, 1, 2, 2.5, 5, 60]) if name else st.integers(1, 5)
    if draw(st.booleans()):
        numbers = st.sampled_from([1, 25, 33, 50, 55, 75, 90, 99]).map(Percentile)
    chosen = draw(st.lists(numbers, min_size=1, max_size=3, unique=True))
    falling = sorted(chosen, key=lambda one: one.n if isinstance(one, Percentile) else one, reverse=True)
    needs = dict(zip(NAMES, falling, strict=False))
    plain["tiers"] = {name: f"p{one.n}" if isinstance(one, Percentile) else one for name, one in needs.items()}
    exact = {name: one if isinstance(one, Percentile) else Fraction(one) for name, one in needs.items()}
    return Written(plain, kind, exact)


def _of_sets(draw: st.DrawFn, plain: dict[str, Any], kind: Kind, features: list[str]) -> Written:
    sets = draw(st.lists(st.sets(st.sampled_from(features), min_size=1), min_size=1, max_size=3))
    kept: list[set[str]] = []
    for one in sets:
        if not any(higher <= one for higher in kept):
            kept.append(one)
    needs = {name: frozenset(one) for name, one in zip(NAMES, kept, strict=False)}
    plain["tiers"] = {name: {"all_of": sorted(one)} for name, one in needs.items()}
    return Written(plain, kind, needs)


def selector(moment: Moment) -> dict[str, Any]:
    found = {"on": moment.event or "anything"}
    return found if moment.where is None else {**found, "where": to_sql(moment.where)}


@st.composite
def everybody(draw: st.DrawFn, world: World) -> dict[str, list[datetime | date]]:
    """Since when people are known: before, between and after what they do; some twice, some who do nothing."""
    instants = sorted({event.at for event in world.events} | {world.data_through})
    near = st.sampled_from(instants), st.sampled_from([0, 0, -1, 1, -7, -40])
    since = draw(st.lists(st.tuples(st.sampled_from(["ann", "bob", "cy", "dee", ""]), *near), max_size=8))
    as_dates = draw(st.booleans())
    found: dict[str, list[datetime | date]] = defaultdict(list)
    for user, instant, days in since:
        at = instant + timedelta(days=days)
        found[user].append(local_date(at, world.timezone) if as_dates else at)
    return dict(found)


def asked_project(theirs: Tiered, written: Written, source: str, engine: str) -> Project:
    """A project of the metric, with a table of everybody where they are known."""
    if theirs.known is None:
        return project_over(theirs.world, written.yaml, source=source, engine=engine)
    rows = [(user, one) for user, instants in theirs.known.items() for one in instants]
    as_dates = any(not isinstance(one, datetime) for _, one in rows)
    table = "\n".join(
        [
            f"id since:{'DATE' if as_dates else 'TIMESTAMP'} plan",
            *(f"{user!r} {one.isoformat()} -" for user, one in rows),
        ]
    )
    since = "{column: since, type: date}" if as_dates else "since"
    people = f"user: {{attributes: {{table: people, key: id, known_since: {since}, columns: {{plan: string}}}}}}"
    return project_over(
        theirs.world, written.yaml, source=source, entities=people, tables={"people": table}, engine=engine
    )


def asked_of(data: st.DataObject, world: World) -> tuple[Written, Tiered, dict[str, Any], str]:
    """A metric and a question, for both sides."""
    grain = data.draw(grains().filter(lambda one: one != "hour"))
    first, last = data.draw(ranges(world, grain))
    assume((last - first).days <= 100)
    window = data.draw(windows())
    written = data.draw(metrics(window))
    by = data.draw(st.sampled_from([(), (), ("country",), ("flag", "level")]))
    where = data.draw(st.one_of(st.none(), conditions()))
    history_start = data.draw(st.sampled_from([None, None, first, first - timedelta(days=40)]))
    frozen_at = None
    if any(isinstance(one, Percentile) for one in written.tiers.values()):
        frozen_at = data.draw(st.sampled_from([None, None, first, first - timedelta(days=3), last]))
    excludes_new = data.draw(st.sampled_from([False, False, True]))
    definition = {**written.definition, **({"frozen_at": str(frozen_at)} if frozen_at else {})}
    definition |= {"new_people": "exclude"} if excludes_new else {}
    known = data.draw(st.one_of(st.none(), everybody(world)))
    asked = Tiered(
        world, written.kind, written.tiers, window, first, last, grain, by,
        selector_of(where) if where else None, history_start, frozen_at, excludes_new, known,
    )  # fmt: skip
    question = {"start": first, "end": last, "grain": grain, "by": by, "where": to_sql(where) if where else None}
    source = "event_id: event_id" + (f"\nhistory_start: {history_start}" if history_start else "")
    return Written(definition, written.kind, written.tiers), asked, question, source


@on_every_engine()
def test_tiers_are_those_of_the_oracle(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds())
    written, theirs, question, source = asked_of(data, world)
    parts = data.draw(st.permutations(PARTS).flatmap(lambda all_: st.sampled_from([all_[:1], all_[:2], all_])))
    strategy = data.draw(st.sampled_from(STRATEGIES))
    newer = data.draw(st.booleans())
    project = asked_project(theirs, written, source, engine)
    with Taking(strategy):
        answer = project.answer(ask("tiered", parts=parts, limit=50_000, measures="newer" if newer else "", **question))
    by, sql = theirs.breakdown, answer.info.sql
    found = {part: table.to_pylist() for part, table in answer.parts.items()}
    measured = ("newer",) if newer else ()
    for part, more in (("rows", ("complete",)), ("overall", ())):
        if part in found:
            keys = ("period", *by) if part == "rows" else by
            expected = theirs.rows() if part == "rows" else theirs.overall()
            at = len(keys) + 3
            expected = [line if newer else (*line[:at], *line[at + 1 :]) for line in expected]
            assert_alike(lines(found[part], *keys, "tier", "users", "share", *measured, *more), expected, sql)
    if "thresholds" in found:
        ours = lines(found["thresholds"], "period", *by, "tier", "at_least", "degenerate")
        assert_alike(ours, theirs.all_thresholds(), sql)
    if "distribution" in found:
        assert_alike(lines(found["distribution"], "period", *by, "score", "users"), theirs.distribution(), sql)
    if "migration" in found:
        ours_by = {line[:-1]: line[-1] for line in lines(found["migration"], "period", *by, "from", "to", "users")}
        assert len(ours_by) == len(found["migration"])
        assert ours_by == theirs.migration(), sql


@on_every_engine(share=2)
def test_members_are_those_of_the_oracle(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds())
    written, theirs, question, source = asked_of(data, world)
    assume(not theirs.breakdown)
    tier = data.draw(st.sampled_from([None, *theirs.names]))
    bucket = data.draw(st.sampled_from([None, *theirs.buckets]))
    chosen = {"tier": tier, "period": bucket.label if bucket else None}
    project = asked_project(theirs, written, source, engine)
    with Taking(data.draw(st.sampled_from(STRATEGIES))):
        answer = project.answer(
            ask("tiered", **question, members={k: v for k, v in chosen.items() if v is not None}, first=100)
        )
    (people,) = answer.parts.values()
    wanted = theirs.members(tier, bucket or theirs.last_complete)
    assert sorted(row["id"] for row in people.to_pylist()) == wanted, answer.info.sql


@on_every_engine(share=2)
def test_numbers_hold_together(data: st.DataObject, engine: str) -> None:
    """Tiers and none are all who are active, shares add up to 1, and migration to the sizes before and after."""
    world = data.draw(worlds())
    written, theirs, question, source = asked_of(data, world)
    by = theirs.breakdown
    project = asked_project(theirs, written, source, engine)
    answer = project.answer(ask("tiered", parts=PARTS, limit=50_000, **question))
    found = {part: table.to_pylist() for part, table in answer.parts.items()}
    sizes: dict[tuple[Any, ...], int | None] = {}
    active: dict[tuple[Any, ...], int] = defaultdict(int)
    shares: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for row in found["rows"]:
        group = (row["period"], *(row[name] for name in by))
        sizes[*group, row["tier"]] = row["users"]
        if row["tier"] != INACTIVE:
            active[group] += row["users"] or 0
        if row["share"] is not None:
            shares[group].append(row["share"])
    scored: dict[tuple[Any, ...], int] = defaultdict(int)
    for row in found["distribution"]:
        scored[row["period"], *(row[name] for name in by)] += row["users"]
    assert {group: users for group, users in active.items() if users} == dict(scored)
    assert all(math.isclose(sum(each), 1) for each in shares.values())
    labels = [bucket.label for bucket in theirs.buckets]
    arrived: dict[tuple[Any, ...], int] = defaultdict(int)
    left: dict[tuple[Any, ...], int] = defaultdict(int)
    for row in found["migration"]:
        group = tuple(row[name] for name in by)
        place = labels.index(row["period"])
        if row["users"] is not None:
            arrived[row["period"], *group, row["to"]] += row["users"]
            if place:
                left[labels[place - 1], *group, row["from"]] += row["users"]
    assert all((sizes.get(key) or 0) == users for key, users in arrived.items() if key[-1] != INACTIVE)
    assert all((sizes.get(key) or 0) == users for key, users in left.items() if key[-1] != INACTIVE)


def lines(rows: Iterable[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def assert_alike(ours: list[tuple[Any, ...]], theirs: list[tuple[Any, ...]], sql: str) -> None:
    """Equal rows in equal order, fractions up to what floating point can hold."""
    assert len(ours) == len(theirs), (ours, theirs, sql)
    for mine, other in zip(ours, theirs, strict=True):
        for here, there in zip(mine, other, strict=True):
            if isinstance(there, Fraction):
                assert here is not None and abs(here - float(there)) < 1e-9, (mine, other, sql)
            else:
                assert here == there, (mine, other, sql)
