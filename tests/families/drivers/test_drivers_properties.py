"""Drivers over generated worlds, against the oracle; and that no feature sees what it is to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import isclose
from typing import Any

import pytest
from hypothesis import assume
from hypothesis import strategies as st

from families.asking import KnownThrough, plain_rows, project_over
from families.engines import on_every_engine
from families.oracles.calendar import DAY, Bucket, Grain, bucket_of, bucket_starts, day_start, local_date
from families.oracles.conditions import selector_of, to_sql
from families.oracles.drivers import Candidate, Person, Rules, answer, horizon, most_days, people_of
from families.oracles.retention import Mode, Retention, days_after
from families.oracles.tiers import Amount, Days, Features, Percentile, Values
from families.oracles.world import Event, World, named
from families.worlds import ANCHORS, TIMES_OF_DAY, ZONES, conditions, properties_of
from metrics_api.families import driver_plans
from metrics_api.serving.asking import ask

GRAINS: tuple[Grain, ...] = ("day", "day", "day", "week", "month")
MODES: tuple[Mode, ...] = ("on", "on", "on_or_after", "streak", "brackets")
TIERS = "tiers: {high: 3, low: 1}"
CANDIDATES: Mapping[str, tuple[str, Candidate]] = {
    "days": (
        f"{{type: frequency, on: watch, window: 7 days, {TIERS}}}",
        Candidate(Days(named("watch")), tiers=(("high", Fraction(3)), ("low", Fraction(1)))),
    ),
    "busy_days": (
        "{type: frequency, on: watch, at_least: 2, window: 7 days, tiers: {some: p50}}",
        Candidate(Days(named("watch"), 2), tiers=(("some", Percentile(50)),)),
    ),
    "features": (
        "{type: breadth, of: {a: {event: watch}, b: {event: share}, c: {event: click}}, window: 7 days, tiers: {a: 3}}",
        Candidate(
            Features({"a": named("watch"), "b": named("share"), "c": named("click")}), tiers=(("a", Fraction(3)),)
        ),
    ),
    "countries": (
        "{type: breadth, on: watch, property: country, window: 7 days, tiers: {high: 2}}",
        Candidate(Values(named("watch"), "country"), tiers=(("high", Fraction(2)),)),
    ),
    "minutes": (
        "{type: depth, on: watch, measure: sum(minutes), window: 7 days, tiers: {high: p90, low: p10}}",
        Candidate(Amount(named("watch"), "minutes"), tiers=(("high", Percentile(90)), ("low", Percentile(10)))),
    ),
    "levels": (
        f"{{type: depth, on: watch, measure: sum(level), window: 7 days, {TIERS}}}",
        Candidate(Amount(named("watch"), "level"), tiers=(("high", Fraction(3)), ("low", Fraction(1)))),
    ),
    "clicks": ("{type: usage, event: click}", Candidate(Amount(named("click")))),
}
WRITTEN = (Fraction(1), Fraction(5, 2), Fraction(4))


@dataclass(frozen=True)
class Plan:
    """A metric of drivers as it is written, and as the oracle takes it."""

    names: tuple[str, ...]
    written: tuple[str, ...]
    """Candidates with thresholds of their own."""
    grain: Grain
    days: int
    asked: Retention
    period: int

    @property
    def rules(self) -> Rules:
        def of(name: str) -> Candidate:
            one = CANDIDATES[name][1]
            return replace(one, thresholds=WRITTEN) if name in self.written else one

        return Rules(self.asked, self.period, self.days, tuple(map(of, self.names)))

    @property
    def yaml(self) -> str:
        asked = self.asked
        last = asked.cells[-1]
        kept = f"brackets: {list(asked.cells[1:])}" if asked.mode == "brackets" else f"mode: {asked.mode}"
        periods = "" if asked.mode == "brackets" else f", periods: {last}"
        metrics = "\n".join(f"{name}: {CANDIDATES[name][0]}" for name in self.names)
        candidates = ", ".join(
            f"{{metric: {name}, thresholds: [1, 2.5, 4]}}" if name in self.written else name for name in self.names
        )
        return (
            f"{metrics}\nback: {{type: retention, start: open, return: watch, grain: {self.grain}, {kept}{periods}, "
            f"clock: {'rolling' if asked.rolling else 'calendar'}, min_occurrences: {asked.min_occurrences}, "
            f"cohort: {'first_time' if asked.first_time else 'recurring'}}}\n"
            f"why: {{type: drivers, candidates: [{candidates}], feature_window: {self.days} days, min_cell: 1, "
            f"outcome: {{metric: back, period: {self.period}}}}}"
        )


@st.composite
def plans(draw: st.DrawFn, *, event_ids: bool = False) -> Plan:
    mode = draw(st.sampled_from(MODES))
    period = draw(st.sampled_from((2, 3, 1, 5, 8)))
    cells = (0, 1, period) if mode == "brackets" and period > 1 else tuple(range(period + draw(st.integers(0, 2)) + 1))
    if mode == "brackets" and cells[-1] != period:
        cells = (0, period)
    least = draw(st.sampled_from((1, 1, 2)))
    asked = Retention(
        named("open"), named("watch"), cells, mode, draw(st.booleans()), draw(st.booleans()), least,
        copies_matter=event_ids and least > 1,
    )  # fmt: skip
    grain = draw(st.sampled_from(GRAINS))
    most = most_days(asked, period, grain)
    assume(most > 0)
    names = draw(st.lists(st.sampled_from(list(CANDIDATES)), min_size=1, max_size=3, unique=True))
    written = tuple(name for name in names if draw(st.sampled_from((False, False, True))))
    return Plan(tuple(names), written, grain, draw(st.integers(1, most)), asked, period)


@st.composite
def crowds(draw: st.DrawFn, *, zones: Sequence[str] = ZONES, event_ids: bool = True) -> World:
    """Two dozen people who start, do things and return around days on which the clock does something."""
    zone = draw(st.sampled_from(tuple(zones)))
    anchor = draw(st.sampled_from(ANCHORS[zone])) - 8 * DAY
    events: list[Event] = []
    everybody = range(draw(st.sampled_from((24, 12, 3, 0))))
    for who in everybody:
        start = draw(st.integers(0, 12))
        numbers = draw(st.lists(st.integers(0, 10**6), max_size=7))
        events.append(_event(zone, f"p{who}", "open", anchor + start * DAY, draw(st.integers(0, 10**6)), None))
        for place, number in enumerate(numbers):
            name = ("watch", "watch", "watch", "share", "click", "open")[number % 6]
            day = anchor + (start + number // 6 % 16 - 1) * DAY
            event_id = f"{who}-{place}" if event_ids and number % 5 == 0 else None
            events.append(_event(zone, f"p{who}", name, day, number // 96, event_id))
            if event_id is not None and number % 2:
                events.append(replace(events[-1], at=events[-1].at + timedelta(days=number % 3, microseconds=1)))
    through = day_start(anchor + draw(st.sampled_from((40, 40, 14, 20, 5))) * DAY, zone)
    return World(tuple(events), zone, draw(st.sampled_from((0, 0, 6))), through)


def _event(zone: str, user: str, name: str, day: date, number: int, event_id: str | None) -> Event:
    at = day_start(day, zone) + TIMES_OF_DAY[number % len(TIMES_OF_DAY)]
    return Event(name, user, at, properties_of(number * 7_919), event_id)


@st.composite
def asked_ranges(draw: st.DrawFn, world: World) -> tuple[date, date]:
    """The days on which people start, most of them."""
    days = sorted(local_date(one.at, world.timezone) for one in world.events if one.name == "open")
    first = (days or [local_date(world.data_through, world.timezone) - 20 * DAY])[0] + draw(st.integers(-1, 2)) * DAY
    return first, first + draw(st.sampled_from((12, 12, 7, 3, 40))) * DAY


def project_of(world: World, plan: Plan, engine: str, *, event_ids: bool = False) -> KnownThrough:
    return project_over(world, plan.yaml, source="event_id: event_id" if event_ids else "", engine=engine)


PARTS = ("rows", "candidates", "summary")


def answered(project: KnownThrough, **words: Any) -> tuple[dict[str, list[dict[str, Any]]], str]:
    found = project.answer(ask("why", parts=PARTS, limit=50_000, **words))
    return {name: part.to_pylist() for name, part in found.parts.items()}, found.info.sql


@on_every_engine()
def test_drivers_are_those_of_the_oracle(data: st.DataObject, engine: str) -> None:
    event_ids = data.draw(st.booleans())
    world = data.draw(crowds(event_ids=event_ids))
    plan = data.draw(plans(event_ids=event_ids))
    first, last = data.draw(asked_ranges(world))
    by = data.draw(st.sampled_from([(), (), ("flag",), ("level", "flag")]))
    where = data.draw(st.one_of(st.none(), st.none(), conditions()))
    most = data.draw(st.sampled_from((200, 200, 3)))
    project = project_of(world, plan, engine, event_ids=event_ids)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(driver_plans, "MOST_SCORES", most)
        found, sql = answered(project, start=first, end=last, by=by, where=to_sql(where) if where else None)
    theirs = people_of(
        world, plan.rules, first, last, plan.grain, breakdown=by, where=selector_of(where) if where else None
    )
    assert_is(found, theirs.values(), plan, by, most, horizon(world, plan.rules, first, last, plan.grain), sql)


def assert_is(
    found: Mapping[str, list[dict[str, Any]]], people: Any, plan: Plan, by: Sequence[str], most: int, days: int,
    sql: str,
) -> None:  # fmt: skip
    groups: dict[tuple[str, ...], list[Person]] = {} if by else {(): []}
    for one in people:
        groups.setdefault(one.labels, []).append(one)
    summaries, rows, candidates = [], [], []
    for labels, some in sorted(groups.items()):
        labelled = dict(zip(by, labels, strict=True))
        seen = [one for one in some if one.observed]
        returned = sum(one.returned for one in seen)
        summaries.append({
            **labelled, "people": len(some), "observed": len(seen), "unobserved": len(some) - len(seen),
            "held_out": sum(one.held_out for one in seen), "returned": returned,
            "base_rate": returned / len(seen) if seen else None, "horizon": days,
        })  # fmt: skip
        if not seen:
            continue
        told, of_candidates = answer(some, plan.rules, 1, most)
        for one in told:
            # Thresholds are doubles: 0.1 is the double next to it.
            reason = ", ".join(f"{name} < 1" for name in one.suppressed) or None
            row = {**labelled, "candidate": plan.names[one.candidate], "threshold": float(one.threshold),
                   "tier": one.tier, "suppressed": reason}  # fmt: skip
            if one.told:
                row |= {**dict(zip(("n11", "n10", "n01", "n00"), one.cells, strict=True)), **one.told}
            rows.append(row)
        for each in of_candidates:
            small = each["suppressed"]
            assert isinstance(small, tuple)
            shown = {**each, "candidate": plan.names[each["candidate"]]}  # type: ignore[index]
            candidates.append({**labelled, **shown, "suppressed": ", ".join(f"{name} < 1" for name in small) or None})
    assert_alike(found["summary"], summaries, sql)
    assert_alike(found["rows"], rows, sql)
    order = [*by, "candidate"]
    mine = sorted(found["candidates"], key=lambda row: tuple(row[name] for name in order))
    assert_alike(mine, sorted(candidates, key=lambda row: tuple(row[name] for name in order)), sql)
    for row in found["candidates"]:
        group = [one for one in found["rows"] if all(one[name] == row[name] for name in order) and one["rank"]]
        best = min(group, key=lambda one: one["rank"], default=None)
        told_ = ("best_threshold", "best_tier", "phi")
        assert [row[name] for name in told_] == ([best["threshold"], best["tier"], best["phi"]] if best else [None] * 3)


def assert_alike(found: Sequence[Mapping[str, Any]], expected: Sequence[Mapping[str, Any]], sql: str) -> None:
    """Equal rows in equal order, of the columns that are expected; floats as far as a numerical gradient goes."""
    assert len(found) == len(expected), (found, expected, sql)
    for mine, other in zip(found, expected, strict=True):
        for name, there in other.items():
            here = mine[name]
            if isinstance(there, float) and here is not None:
                assert isclose(here, there, rel_tol=1e-6, abs_tol=1e-7), (name, mine, other, sql)
            else:
                assert here == there, (name, mine, other, sql)
        if mine.get("suppressed") and "threshold" in mine:
            told = {name for name, value in mine.items() if value is not None} - other.keys()
            assert not told, (mine, sql)


# -- nothing of the outcome is in the features -------------------------------------------------------------------------


def names_of_people(world: World) -> World:
    """Everybody's events have their name as a country, so that everybody is a group of their own."""
    return replace(
        world, events=tuple(replace(one, properties={**one.properties, "country": one.user}) for one in world.events)
    )


def counted(world: World, plan: Plan, engine: str, words: Mapping[str, Any]) -> dict[str, dict[int, tuple[float, int]]]:
    """Of each person by candidate the score, and whether they returned: what the statement itself says."""
    project = project_of(names_of_people(world), plan, engine)
    sql = project.answer(ask("why", parts="rows", by="country", limit=50_000, **words)).info.sql
    found: dict[str, dict[int, tuple[float, int]]] = {}
    for row in plain_rows(project, sql):
        returned = int(row["returned"] + row["later_returned"])
        assert returned + row["lost"] + row["later_lost"] == 1
        found.setdefault(row["country"], {})[int(row["candidate"])] = (float(row["score"]), returned)
    return found


def starts(world: World, plan: Plan, first: date, last: date) -> dict[str, tuple[datetime, Bucket]]:
    """When everybody started, who did in the range."""
    buckets = bucket_starts(first, last, plan.grain, world.timezone, world.week_start)
    found: dict[str, datetime] = {}
    for one in world.events:
        counts = one.name == "open" and one.user and one.at <= world.data_through
        if counts and one.user and (plan.asked.first_time or bucket_of(one.at, buckets)):
            found[one.user] = min(one.at, found.get(one.user, one.at))
    told = {user: (at, bucket_of(at, buckets)) for user, at in found.items()}
    return {user: (at, bucket) for user, (at, bucket) in told.items() if bucket is not None}


def changed(
    draw: st.DataObject, world: World, spans: Mapping[str, tuple[datetime, datetime]], names: Sequence[str]
) -> World:
    """The world with other events of these people in these half-open spans."""

    def stays(one: Event) -> bool:
        if one.user not in spans or one.name not in names:
            return True
        since, until = spans[one.user]
        return not since <= one.at < until

    events = [one for one in world.events if stays(one)]
    for user, (since, until) in spans.items():
        if since < until:
            seconds = int((until - since).total_seconds())
            for number in draw.draw(st.lists(st.integers(0, 10**6), max_size=3)):
                at = min(since + timedelta(seconds=number % max(seconds, 1)), until - timedelta(microseconds=1))
                events.append(Event(names[number % len(names)], user, at, properties_of(number), None))
    return replace(world, events=tuple(events))


def can_be_answered(data: st.DataObject) -> tuple[World, Plan, dict[str, Any], dict[str, tuple[datetime, Bucket]]]:
    world = data.draw(crowds(event_ids=False))
    plan = data.draw(plans())
    first, last = data.draw(asked_ranges(world))
    found = starts(world, plan, first, last)
    assume(found)
    return world, plan, {"start": first, "end": last}, found


@on_every_engine(share=2)
def test_what_happens_after_the_window_changes_no_score(data: st.DataObject, engine: str) -> None:
    world, plan, words, found = can_be_answered(data)
    zone = world.timezone
    spans = {
        user: (day_start(local_date(at, zone) + plan.days * DAY, zone), world.data_through + DAY)
        for user, (at, _) in found.items()
    }
    other = changed(data, world, spans, ("watch", "share", "click", "open"))
    here, there = (counted(one, plan, engine, words) for one in (world, other))
    assert here.keys() == there.keys()
    for user, scores in here.items():
        assert {place: score for place, (score, _) in scores.items()} == {
            place: score for place, (score, _) in there[user].items()
        }


@on_every_engine(share=2)
def test_what_happens_before_the_outcome_changes_no_outcome(data: st.DataObject, engine: str) -> None:
    """Nor does anything within the feature window, which is over by then."""
    world, plan, words, found = can_be_answered(data)
    zone, asked = world.timezone, plan.asked
    first = {"streak": 1, "brackets": max((one for one in asked.cells if one < plan.period), default=0) + 1}.get(
        asked.mode, plan.period
    )
    lengths = {"day": 1, "week": 7, "month": 30}
    spans = {}
    for user, (at, bucket) in found.items():
        begins = day_start(days_after(bucket.first_day, first, plan.grain, world.week_start), zone)
        if asked.rolling:
            begins = at + timedelta(days=first * lengths[plan.grain])
        assert day_start(local_date(at, zone) + plan.days * DAY, zone) <= begins, "the windows overlap"
        spans[user] = (at + timedelta(microseconds=1), begins)
    other = changed(data, world, spans, ("watch", "share", "click", "open"))
    here, there = (counted(one, plan, engine, words) for one in (world, other))
    assert here.keys() == there.keys()
    for user, scores in here.items():
        assert [returned for _, returned in scores.values()] == [returned for _, returned in there[user].values()]


AHEAD = """\
visits: {type: sessions, source: events, gap: 12 hours}
whole_days: {type: sessions, source: events, gap: 12 hours, cut_at_midnight: true}
converts: {type: funnel, steps: {click: {event: click}, watch: {event: watch}}, within: 36 hours}
back: {type: retention, start: open, return: watch, grain: day, periods: 8}
"""
LOOKS_AHEAD = {"visits": 2, "whole_days": 0, "converts": 3}


@on_every_engine(share=4)
def test_candidates_that_look_ahead_see_no_more_than_they_say(data: st.DataObject, engine: str) -> None:
    world = data.draw(crowds(event_ids=False))
    zone = world.timezone
    name = data.draw(st.sampled_from(list(LOOKS_AHEAD)))
    measure = data.draw(st.sampled_from(("sessions", "minutes", "events"))) if name != "converts" else "converted"
    days = data.draw(st.integers(1, 8 - LOOKS_AHEAD[name]))
    metrics = (
        f"{AHEAD}why: {{type: drivers, candidates: [{{metric: {name}, measure: {measure}}}], min_cell: 1, "
        f"feature_window: {days} days, outcome: {{metric: back, period: 8}}}}"
    )
    first, last = data.draw(asked_ranges(world))
    outcome = Retention(named("open"), named("watch"), (8,), first_time=False)
    found = starts(world, Plan((name,), (), "day", days, outcome, 8), first, last)
    assume(found)
    spans = {
        user: (day_start(local_date(at, zone) + (days + LOOKS_AHEAD[name]) * DAY, zone), world.data_through + DAY)
        for user, (at, _) in found.items()
    }
    other = changed(data, world, spans, ("watch", "share", "click", "open"))

    def scores(of: World) -> dict[str, list[float]]:
        project = project_over(names_of_people(of), metrics, engine=engine)
        answer = project.answer(ask("why", parts="rows", by="country", limit=50_000, start=first, end=last))
        rows = plain_rows(project, answer.info.sql)
        return {row["country"]: [float(row["score"])] for row in rows}

    assert scores(world) == scores(other)
