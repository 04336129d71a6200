"""What holds of every metric of every family, whatever it counts (SEMANTICS 13).

The metrics are the examples of all families, so that one that is added is held to this as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from families.asking import KnownThrough
from families.engines import on_every_engine
from families.oracles.world import World
from families.test_cohorts_everywhere_properties import parts_of, project_with, same
from families.worlds import ranges, worlds
from metrics_api.families import families
from metrics_api.query.bind import answer_columns, bind
from metrics_api.query.metric_query import MetricQuery
from metrics_api.serving.asking import ask

Rows = list[dict[str, Any]]

BY = ((), (), ("country",), ("user_plan", "weekday"))


def question(data: st.DataObject, project: KnownThrough, words: Mapping[str, Any]) -> MetricQuery:
    """All parts and measures of any one metric."""
    name = data.draw(st.sampled_from(sorted(project.model.metrics)))
    metric = project.model.metrics[name]
    family = families()[metric.type]
    measures = [one.name for one in family.measures(metric)]
    return ask(name, parts=family.parts, measures=measures, **words)


def drawn(data: st.DataObject, **settings: Any) -> tuple[World, dict[str, Any]]:
    """A world, and a question about it by days or weeks."""
    world = data.draw(worlds(max_events=30, **settings))
    grain = data.draw(st.sampled_from(("day", "week")))
    first, last = data.draw(ranges(world, grain))
    return world, {"start": first, "end": last, "grain": grain, "by": data.draw(st.sampled_from(BY))}


# -- weeks later -------------------------------------------------------------------------------------------------------


def later(rows: Rows, by: timedelta) -> Rows:
    """The rows with every date so much later."""
    return [{key: value + by if isinstance(value, date) else value for key, value in row.items()} for row in rows]


@on_every_engine(share=2)
def test_what_happens_weeks_later_is_told_weeks_later(data: st.DataObject, engine: str) -> None:
    """In UTC no clock is put forward in between. Days of a month differ, so only days and weeks are asked for."""
    world, words = drawn(data, zones=("UTC",))
    by = timedelta(weeks=data.draw(st.sampled_from((-57, -1, 1, 8, 53))))
    moved = replace(
        world,
        events=tuple(replace(one, at=one.at + by) for one in world.events),
        data_through=world.data_through + by,
    )
    project = project_with(world, {}, engine)
    asked = question(data, project, words)
    then = replace(asked, time=ask(asked.metric, start=words["start"] + by, end=words["end"] + by).time)
    expected = {part: later(rows, by) for part, rows in parts_of(project, asked).items()}
    assert same(parts_of(project_with(moved, {}, engine), then), expected), asked


# -- in any order ------------------------------------------------------------------------------------------------------


@on_every_engine(share=2)
def test_the_order_in_which_rows_were_stored_means_nothing(data: st.DataObject, engine: str) -> None:
    world, words = drawn(data)
    shuffled = replace(world, events=tuple(data.draw(st.permutations(world.events))))
    project = project_with(world, {}, engine)
    asked = question(data, project, words)
    found = parts_of(project, asked)
    assert same(parts_of(project_with(shuffled, {}, engine), asked), found), asked


# -- everybody twice ---------------------------------------------------------------------------------------------------

SUMMED = frozenset(("total", "users", "sum", "average_short", "long"))
"""What measures are computed of (`Measure.of`) that are twice as much."""
DOUBLED = frozenset(
    (
        "users", "size", "entered", "converted", "dropped", "excluded", "pending", "mature_entered", "mature_converted",
        "numerator", "denominator", "newer", "minutes_spent", "returners", "at_risk", "returned", "censored", "gaps",
        "people", "observed", "unobserved", "held_out", "n11", "n10", "n01", "n00",
        "inflow", "starts", "outflow", "exits", "total",
        "present",
    )
)  # fmt: skip
KEPT = frozenset(
    (
        "period", "start", "step", "position", "tier", "from", "to", "period_index", "cohorts", "active_days", "score",
        "at_least", "degenerate", "from_seconds", "to_seconds", "complete", "provisional", "rate", "step_rate",
        "mature_rate", "share", "interval_of_returners", "interval_of_all", "median_gap", "zone", "lookback",
        "lookback_too_short", "after", "gap", "share_of_all", "share_of_returners",
        # Of drivers; what so few people tell is null.
        "candidate", "threshold", "phi", "phi_low", "phi_high", "p_value", "lift", "precision", "precision_low",
        "precision_high", "recall", "auc", "rank", "spearman", "suppressed", "best_threshold", "best_tier", "base_rate",
        "horizon",
        "source", "target", "node", "rank", "path",
        # Of scores.
        "from_points", "component", "points", "full_at",
    )
)  # fmt: skip
PERCENTILE = re.compile(r".+_p[0-9]+")
OF_PERCENTILES = {"depth": ("distribution",)}
"""Parts of examples whose tiers are percentiles that do not rest on these."""


def doubled(row: Mapping[str, Any], factors: Mapping[str, int]) -> dict[str, Any]:
    return {name: value * 2 if factors[name] == 2 and value is not None else value for name, value in row.items()}


def factors_of(project: KnownThrough, asked: MetricQuery) -> dict[str, dict[str, int]]:
    """What each column of each part is multiplied by when everybody is there twice."""
    bound = bind(asked, project.model, families(), now=project.clock(), limits=project.limits)
    measures = {one.name: 2 if one.of in SUMMED or one.name in DOUBLED else 1 for one in bound.measures}
    kept = {*KEPT, *(one.name for one in bound.by)}
    found: dict[str, dict[str, int]] = {}
    for part, columns in answer_columns(bound, families()[bound.metric.type]).items():
        names = {*(one.name for one in columns), "complete", "provisional"}
        unknown = names - measures.keys() - DOUBLED - kept
        assert not unknown, f"say in DOUBLED or KEPT what becomes of {unknown} ({part} of {bound.metric.type})"
        found[part] = {name: measures.get(name, 2 if name in DOUBLED else 1) for name in names}
    return found


@on_every_engine(share=2)
def test_everybody_twice_is_twice_as_many_and_no_other_rate(data: st.DataObject, engine: str) -> None:
    """Percentiles are interpolated between two people, so that but for the median they move a little."""
    world, words = drawn(data)
    again = (
        replace(
            one, user=f"{one.user}'" if one.user else one.user, event_id=f"{one.event_id}'" if one.event_id else None
        )
        for one in world.events
    )
    project = project_with(world, {}, engine)
    asked = question(data, project, words)
    kind = project.model.metrics[asked.metric].type
    asked = replace(
        asked,
        measures=tuple(name for name in asked.measures or () if not PERCENTILE.fullmatch(name)),
        parts=OF_PERCENTILES.get(kind, asked.parts),
    )
    factors = factors_of(project, asked)
    expected = {part: [doubled(row, factors[part]) for row in rows] for part, rows in parts_of(project, asked).items()}
    twice = replace(world, events=(*world.events, *again))
    assert same(parts_of(project_with(twice, {}, engine), asked), expected), asked
