"""What a score cannot be, and what cannot be asked of one: the exact words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from families.asking import project_over
from families.oracles.world import Event, World
from metrics_api.errors import DefinitionError, QueryError
from metrics_api.graphql_schema.schema import build_schema, print_sdl
from metrics_api.semantic.model import MetricClass
from metrics_api.serving.asking import ask

PROPERTIES = {"country": "DE", "minutes": 5.0, "level": 1, "flag": True, "sequence": 1}
NOW = datetime(2026, 3, 18, 12)
WORLD = World((Event("watch", "ann", datetime(2026, 3, 17, 9), PROPERTIES),), "UTC", 0, NOW)
OTHERS = """\
watches: {type: usage, event: watch}
visits: {type: sessions, source: events}
moments: {type: value_moment, moments: {watched: {event: watch}}}
actives: {type: active_users, on: watch, window: 7 days}
"""
SCORE = "scored: {type: score, window: 7 days, components: {%s}}"


def project_with(components: str, more: str = "") -> Any:
    return project_over(WORLD, OTHERS + (SCORE % components)[:-1] + more + "}")


@pytest.mark.parametrize(
    ("components", "more", "message"),
    [
        ("", "", "there are no components\n    Name at least one."),
        (
            "a: {metric: wachtes, weight: 1}", "",
            "there is no metric `wachtes`\n    Did you mean `watches`?",
        ),
        (
            "a: {metric: actives, weight: 1}", "",
            (
                "`actives` is an active_users metric, which tells nothing of single people\n    Name a metric of one "
                "of these types: breadth, depth, frequency, funnel, sessions, usage, value_moment."
            ),
        ),
        (
            "a: {metric: visits, measure: minuts, weight: 1}", "",
            "`visits` has no number `minuts` of each person\n    Did you mean `minutes`?",
        ),
        (
            "a: {metric: watches, measure: average(minutes), weight: 1}", "",
            "`watches` has no number `average(minutes)` of each person",
        ),
        (
            "a: {metric: watches, weight: 0}, b: {metric: visits, weight: 0}", "",
            "component `a` weighs 0\n    Write a number above 0, or leave the component out.",
        ),
        ("a: {metric: watches, weight: -2}", "", "component `a` weighs -2\n    Write a number above 0"),
        ("a: {metric: watches, weight: 2e9}", "", "scored.components.a.weight: "),
        ("a: {metric: watches, weight: .nan}", "", "scored.components.a.weight: "),
        ("a: {metric: watches}", "", "`weight`"),
        ("a: {weight: 1}", "", "`metric`"),
        (
            "a: {metric: watches, weight: 1, full_at: p0}", "",
            "expected a number, or a percentile from `p1` to `p99`, found `p0`\n    Write `6`, or `p90`.",
        ),
        (
            "a: {metric: watches, weight: 1, full_at: 0}", "",
            "component `a` is full at 0\n    Write a number above 0, or a percentile such as `p95`.",
        ),
        (
            "a: {metric: watches, weight: 1, full_at: 5, scale: rank}", "",
            "`full_at` is given with `scale: rank`\n    Leave it out, or write `scale: capped`.",
        ),
        ("a: {metric: watches, weight: 1, scale: z}", "", "a.scale: `z` is not one of the choices\n    The choices"),
        (
            "a: {metric: watches, weight: 1}", ", tiers: {low: 10, high: 10.0}",
            "tiers `low` and `high` both begin at 10.0\n    Give each a lowest score of its own.",
        ),
        (
            "a: {metric: watches, weight: 1}", ", tiers: {high: 101}",
            "tier `high` begins at 101, and a score is a number from 0 to 100\n    Write such a number.",
        ),
        ("a: {metric: watches, weight: 1}", ", tiers: {high: -1}", "tier `high` begins at -1, and a score is"),
        ("a: {metric: watches, weight: 1}", ", tiers: {high: p90}", "tier `high` begins at p90, and a score is"),
        ("a: {metric: watches, weight: 1}", ", tiers: {none: 1}", "no tier can be called `none`"),
        (
            "a: {metric: watches, weight: 1, full_at: 3}", ", frozen_at: 2026-01-01",
            "`frozen_at` freezes percentiles, and no component has one\n    Leave `frozen_at` out, or write",
        ),
        (
            "a: {metric: watches, weight: 1}", ", entity: account",
            "`watches` tells of users, and this score is of accounts\n    Write `entity: user`, or",
        ),
        (
            "a: {metric: watches, weight: 1}, b: {metric: visits, weight: 1}", ", class: engagement",
            "`scored` counts actions, not value: it is usage.",
        ),
        ("a: {metric: scored, weight: 1}", "", "scored"),
    ],
)  # fmt: skip
def test_definitions_are_refused(components: str, more: str, message: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        project_with(components, more)
    assert message in str(raised.value)


def test_scores_of_other_components_are_of_one_type_in_graphql() -> None:
    two = "other: {type: score, window: 7 days, components: {minutes: {metric: visits, weight: 1}}, tiers: {low: 1}}"
    project = project_over(WORLD, OTHERS + SCORE % "a: {metric: watches, weight: 1}" + "\n" + two)
    text = print_sdl(build_schema(project.model))
    assert text.count("type EventsScoreRow {") == 1
    assert text.count("type EventsScoreComponents {") == 1


def test_a_window_is_of_whole_days() -> None:
    with pytest.raises(DefinitionError, match="a window of 36 hours is not one of whole days"):
        project_over(
            WORLD, OTHERS + "scored: {type: score, window: 36 hours, components: {a: {metric: watches, weight: 1}}}"
        )


def test_one_component_of_value_is_enough_to_be_engagement() -> None:
    project = project_with("a: {metric: moments, weight: 1}, b: {metric: watches, weight: 99}")
    assert project.model.metrics["scored"].metric_class is MetricClass.ENGAGEMENT
    plain = project_with("b: {metric: watches, weight: 99}")
    assert plain.model.metrics["scored"].metric_class is MetricClass.USAGE


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"grain": "hour"}, "scored: scores are of whole days\n    Ask for `grain: day` or coarser."),
        ({"measures": "component_b"}, "there is no measure `component_b` on this score metric"),
        ({"measures": "score_p100"}, "there is no measure `score_p100` on this score metric"),
        ({"measures": "score_average"}, "there is no measure `score_average` on this score metric"),
        ({"parts": "thresholds"}, "scored: a score metric has no part `thresholds`"),
        ({"members": {"tier": "hihg"}}, "scored: there is no tier `hihg`\n    Did you mean `high`?"),
        (
            {"members": {"tier": "high", "period": "2026-03-01"}, "start": "2026-03-10", "end": "2026-03-12"},
            "scored: 2026-03-01 is in no day of the range\n    Choose a day from 2026-03-10 to 2026-03-12.",
        ),
    ],
)
def test_questions_are_refused(words: dict[str, Any], message: str) -> None:
    project = project_with("a: {metric: watches, weight: 1}", ", tiers: {high: 50}")
    with pytest.raises(QueryError) as raised:
        project.answer(ask("scored", **words))
    assert message in str(raised.value)
