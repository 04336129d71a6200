"""What families tell of single people (the face `per_entity`), against what their own answers or oracles say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from families.asking import KnownThrough, plain_rows, project_over
from families.engines import on_every_engine
from families.funnel.test_funnel_properties import source_of, yaml_of
from families.oracles.active_users import Window
from families.oracles.calendar import DAY, bucket_starts
from families.oracles.tiers import Amount, Days, Tiered
from families.strategies import Taking
from families.test_tiers_properties import STRATEGIES, metrics, selector
from families.worlds import DURATIONS, funnels_of_any_kind, moments, ranges, worlds
from metrics_api.compile.pipeline import rewritten
from metrics_api.families import families
from metrics_api.plan.expr import Type
from metrics_api.query.bind import bind
from metrics_api.serving.asking import ask
from metrics_api.sql.lower import lower
from metrics_api.sql.render import render

Days_ = list[tuple[date, date]]
Numbers = Mapping[date, Mapping[str, Fraction]]


def told(
    project: KnownThrough,
    metric: str,
    number: str | None,
    windows: Days_,
    strategy: str | None = None,
) -> Numbers:
    """A number of everybody in each window of inclusive days, by its last day; without a name the default one."""
    bound = bind(ask(metric, start=windows[0][0], end=windows[-1][1]), project.model, families(),
                 now=project.clock(), limits=project.limits)  # fmt: skip
    face = families()[bound.metric.type].per_entity
    assert face is not None
    number = number or next(iter(face.numbers(bound.metric)))
    done = face.done(bound, number, min(first for first, _ in windows), windows[-1][1])
    with Taking(strategy):
        plan = rewritten(done.of_people([(last, first, last) for first, last in windows], Type.DATE), project.dialect)
    rows = plain_rows(project, render(lower(plan, project.dialect), project.dialect, comment=""))
    found: dict[date, dict[str, Fraction]] = {last: {} for _, last in windows}
    for row in rows:
        assert row["entity"] not in found[row["period"]], rows
        found[row["period"]][row["entity"]] = Fraction(row["score"]) / done.parts
    return found


def windows_of(data: st.DataObject, first: date, last: date) -> list[tuple[date, date]]:
    """The range, or some days of windows that end in it."""
    length = data.draw(st.sampled_from([None, 1, 2, 7]))
    if length is None:
        return [(first, last)]
    days = [first + n * DAY for n in range(min((last - first).days, 20) + 1)]
    return [(one - (length - 1) * DAY, one) for one in days]


@on_every_engine(share=2)
def test_events_and_sums_and_days_of_each(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds())
    first, last = data.draw(ranges(world, "day"))
    moment = data.draw(moments())
    number, kind = data.draw(
        st.sampled_from(
            [
                ("total", Amount(moment.selector)),
                ("sum_minutes", Amount(moment.selector, "minutes")),
                ("sum_level", Amount(moment.selector, "level")),
                ("active_days", Days(moment.selector)),
            ]
        )
    )
    one = {"event": moment.event or "anything", **({"where": selector(moment)["where"]} if moment.where else {})}
    written = data.draw(st.sampled_from([{"type": "usage", **one}, {"type": "value_moment", "moments": {"only": one}}]))
    project = project_over(world, as_yaml(written), source="event_id: event_id", engine=engine)
    windows = windows_of(data, first, last)
    found = told(project, "asked", number, windows, data.draw(st.sampled_from(STRATEGIES)))
    assert found == by_window(Tiered(world, kind, {}, Window(1, "day"), first, last, "day"), windows)


@on_every_engine(share=2)
def test_scores_of_tiers(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds())
    first, last = data.draw(ranges(world, "day"))
    written = data.draw(metrics(Window(7, "day")))
    project = project_over(world, written.yaml, source="event_id: event_id", engine=engine)
    windows = windows_of(data, first, last)
    found = told(project, "tiered", "score", windows, data.draw(st.sampled_from(STRATEGIES)))
    assert found == by_window(Tiered(world, written.kind, {}, Window(7, "day"), first, last, "day"), windows)


def by_window(theirs: Tiered, windows: Days_) -> Numbers:
    """What the oracle of tiers says; which copy is the earliest is judged since the first window began."""
    found = {}
    for since, until in windows:
        scores = theirs.scores(since, until, windows[0][0]).get((), {})
        found[until] = {user: Fraction(len(one) if isinstance(one, frozenset) else one) for user, one in scores.items()}
    return found


def as_yaml(written: Mapping[str, Any]) -> str:
    import json

    return f"asked: {json.dumps(written, ensure_ascii=False)}"


@on_every_engine(share=4)
def test_sessions_by_the_day_they_began(data: st.DataObject, engine: str) -> None:
    """Added up over all people they are what the metric says of the same days."""
    world = data.draw(worlds())
    first, last = data.draw(ranges(world, "day"))
    yaml = "visits: {type: sessions, source: events, gap: 1 hour, tail: 30 seconds, cut_at_midnight: %s}"
    written = yaml % data.draw(st.sampled_from(["true", "false"]))
    project = project_over(world, written, source="event_id: {column: event_id, unique: true}", engine=engine)
    measures = {"sessions": "value", "minutes": "minutes_spent", "events": "events"}
    (row,) = (
        project.answer(ask("visits", start=first, end=last, parts="overall", measures=("users", *measures.values())))
        .parts["overall"]
        .to_pylist()
    )
    for number, measure in measures.items():
        people = told(project, "visits", number, [(first, last)])[last]
        assert len(people) == row["users"]
        assert abs(sum(people.values()) - Fraction(row[measure] or 0)) < Fraction(1, 10**6)
    windows = windows_of(data, first, last)
    days = told(
        project, "visits", "minutes", [(first + n * DAY, first + n * DAY) for n in range((last - first).days + 1)]
    )
    for (since, until), theirs in zip(windows, told(project, "visits", "minutes", windows).values(), strict=True):
        if since >= first:
            added: dict[str, Fraction] = {}
            for day, people in days.items():
                for user, minutes in people.items():
                    if since <= day <= until:
                        added[user] = added.get(user, Fraction(0)) + minutes
            assert added == theirs


@on_every_engine(share=4)
def test_whoever_entered_and_whether_they_converted(data: st.DataObject, engine: str) -> None:
    """As the funnel says of the window itself, but where only its first entry counts: that is each day's here."""
    plan = data.draw(funnels_of_any_kind())
    world = data.draw(worlds(event_ids=False, window=DURATIONS[plan.within]))
    first, last = data.draw(ranges(world, "day"))
    if plan.entry == "first":
        last = first
        assume(bucket_starts(first, last, "day", world.timezone, 0))  # There is a date that a zone skipped.
    assume(plan.attribution != "all")
    project = project_over(world, yaml_of(plan), source=source_of(plan), engine=engine)
    people = told(project, "journey", None, [(first, last)])[last]
    assert set(people.values()) <= {0, 1}
    words = {"start": first, "end": last, "first": 500}
    for step, expected in ((1, set(people)), (len(plan.steps), {user for user, one in people.items() if one})):
        name = f"any_{step}" if plan.order == "unordered" else f"step_{step}"
        chosen = {"step": name, "state": "converted"}
        asked = project.answer(ask("journey", parts="members", members=chosen, **words))
        assert {row["id"] for row in asked.parts["members"].to_pylist()} == expected, asked.info.sql
