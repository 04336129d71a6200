"""Plans keep their invariants through every pass, and fingerprints name computations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from metrics_api.compile.pipeline import compile_query, passes, plan_of
from metrics_api.compile.project import load_model
from metrics_api.compile.strategies import Abilities
from metrics_api.engines import engine, engines
from metrics_api.families import families
from metrics_api.plan.expr import Col
from metrics_api.plan.fingerprint import fingerprint
from metrics_api.plan.nodes import ActiveDays, Aggregate, Journey, Named, Scores, keep
from metrics_api.plan.verify import faults
from metrics_api.plan.walk import nodes
from metrics_api.query.bind import BoundQuery, bind
from metrics_api.query.limits import Limits
from metrics_api.serving.asking import ask

STREAMING = Path(__file__).parents[2] / "metric_definitions" / "streaming"
NOW = datetime(2026, 3, 31, 12)
MODEL, _ = load_model(STREAMING)
SERIES = (
    {},
    {"by": "country,platform", "measures": "total,users,per_user_p90,sum_minutes,average_minutes"},
    {"grain": "hour", "parts": "rows,overall", "where": "country != 'DE'"},
    {"grain": "week", "parts": "overall,rows", "order": "-value", "limit": 5},
)
OTHERS = ({}, {"by": "country"}, {"grain": "month"})
CALCULATED = (
    {},
    {"by": "country,platform", "parts": "rows,overall"},
    {"grain": "week", "parts": "overall,rows", "order": "-value", "limit": 5, "where": "country != 'DE'"},
)
TIERS = (
    *OTHERS,
    {"parts": "rows,overall,thresholds,migration,distribution", "by": "country", "top": 3, "subtotals": True},
    {"parts": "overall", "by": "user_plan", "grain": "week"},
    {"parts": "distribution", "last": "2 days"},
    {"parts": "members,member_count", "members": {"tier": "power"}, "grain": "week"},
)
WORDS = {
    "usage": SERIES,
    "value_moment": SERIES,
    "active_users": (*OTHERS, {"parts": "rows,overall"}),
    "ratio": (*CALCULATED, {"by": "country", "measures": "value,numerator,denominator"}, {"grain": "hour"}),
    "derived": CALCULATED,
    "stickiness": (
        *OTHERS,
        {"parts": "rows,overall,histogram", "by": "country"},
        {"grain": "week", "parts": "histogram"},
    ),
    "interval": (
        {},
        {"parts": "summary,curve,gaps", "by": "country,user_plan", "subtotals": True, "limit": 5},
        {"parts": "gaps", "by": "user_plan", "where": "country != 'DE'"},
        {"parts": "curve", "by": "platform", "top": 2, "last": "6 weeks"},
        {"parts": "members,member_count", "members": {"zone": "weekly"}},
    ),
    "score": (
        *OTHERS,
        {"parts": "rows,overall,tiers,migration,distribution,components", "by": "country", "top": 3, "subtotals": True},
        {"parts": "overall", "by": "user_plan", "grain": "week", "measures": "value,score_p90,component_returns"},
        {"parts": "components", "last": "2 days"},
        {"parts": "members,member_count", "members": {"tier": "healthy"}, "grain": "week"},
    ),
    "drivers": (
        {"grain": "week", "last": "20 weeks"},
        {"parts": "rows,candidates,summary", "by": "country,user_plan", "subtotals": True, "grain": "month"},
        {"parts": "summary", "by": "platform", "top": 2, "grain": "week", "where": "country != 'DE'"},
        {"parts": "candidates", "grain": "week", "last": "2 weeks", "order": "-auc", "limit": 2},
    ),
    "lifecycle": (
        *OTHERS,
        {"measures": "active"},
        {"measures": "dormant,quick_ratio", "grain": "week", "order": "-quick_ratio"},
        {"by": "user_plan,country", "subtotals": True, "top": 3},
        {"parts": "members,member_count", "members": {"state": "resurrecting"}, "grain": "week"},
    ),
    "flow": (
        *OTHERS,
        {"parts": "rows,nodes,paths", "by": "country,user_plan", "subtotals": True, "limit": 5},
        {"parts": "rows", "by": "platform", "top": 2, "measures": "seconds_median,seconds_p90"},
        {"parts": "nodes", "where": "country != 'DE'", "within": "2 hours", "by": "user_plan"},
    ),
    "sessions": (
        *OTHERS,
        {
            "measures": "value,users,events,minutes_per_session_p90,bounce_rate",
            "parts": "rows,overall",
            "by": "country",
        },
        {"measures": "minutes_per_user,minutes_per_session_average", "grain": "hour", "last": "2 days"},
        {"by": "user_plan,country", "subtotals": True, "top": 3, "parts": "rows,overall", "measures": "users"},
    ),
    **dict.fromkeys(("frequency", "breadth", "depth"), TIERS),
    "cohort": (
        {},
        {"last": "1 day"},
        {"grain": "month", "by": "user_plan,user_birth_year", "subtotals": True, "where": "user.plan != 'free'"},
        {"parts": "members,member_count", "members": {}, "attributes": "user_plan", "first": 10, "after": "a"},
    ),
    "retention": (
        *OTHERS,
        {"parts": "cells,average", "by": "country,platform", "order": "-size", "limit": 5},
        {"grain": "day", "parts": "average", "where": "country != 'DE'"},
        {"parts": "members,member_count", "members": {"period_index": 2, "state": "lost"}},
    ),
    "funnel": (
        *OTHERS,
        {"measures": ""},
        {"measures": "seconds_from_previous_p90"},
        {"parts": "trend,steps,histogram", "by": "country", "grain": "week"},
        {"parts": "members", "members": {"state": "dropped"}},
    ),
}


OF_DAYS = {"share_of_power_users"}
"""Ratios over what there is by day only."""


def bound(metric: str, **words: object) -> BoundQuery:
    asked = ask(metric, **{"last": "40 days", **words})  # type: ignore[arg-type]
    return bind(asked, MODEL, families(), now=NOW, limits=Limits())


def questions() -> Iterator[tuple[str, BoundQuery]]:
    for name, metric in {**MODEL.metrics, **MODEL.cohorts}.items():
        for number, words in enumerate(WORDS[metric.type]):
            if name in OF_DAYS and words.get("grain") == "hour":
                continue
            yield f"{name}-{number}", bound(name, **words)


@pytest.mark.parametrize("query", [pytest.param(query, id=name) for name, query in questions()])
@pytest.mark.parametrize("abilities", [Abilities(126, True, True), Abilities(62, False), Abilities(0, False)], ids=str)
def test_every_pass_keeps_the_invariants(query: BoundQuery, abilities: Abilities) -> None:
    plan = plan_of(query)
    assert faults(plan) == []
    for one in passes(abilities):
        plan = one(plan)
        assert faults(plan) == [], one
    assert not any(isinstance(node, ActiveDays | Scores | Journey) for node in nodes(plan))


def test_faults_are_found() -> None:
    plan = plan_of(bound("app_opens"))
    assert faults(Aggregate(plan, keep("nobody"), (("n", Col("period")),))) != []


@pytest.mark.parametrize("name", sorted(engines()))
def test_every_question_compiles_for_every_engine_the_same_each_time(name: str) -> None:
    dialect = engine(name).dialect
    for _, query in questions():
        first, second = compile_query(query, dialect), compile_query(query, dialect)
        assert first.sql == second.sql
        assert first.sql.startswith(f"/* metrics-api metric={query.metric.name} fingerprint={first.fingerprint} */")


def test_a_fingerprint_is_blind_to_dates_and_sees_everything_else() -> None:
    mark = fingerprint(plan_of(bound("videos_watched")))
    assert fingerprint(plan_of(bound("videos_watched", last="20 days"))) == mark
    others = [
        bound("videos_watched", by="country"),
        bound("videos_watched", grain="week"),
        bound("videos_watched", where="country = 'DE'"),
        bound("videos_watched", where="country = 'FR'"),
        bound("videos_watched", measures="total"),
        bound("videos_watched", parts="rows,overall"),
        bound("app_opens"),
    ]
    marks = {fingerprint(plan_of(query)) for query in others}
    assert len(marks) == len(others) and mark not in marks


def test_a_step_read_twice_is_computed_once() -> None:
    plan = plan_of(bound("activation"))
    assert sum(isinstance(node, Named) and node.name == "totals" for node in nodes(plan)) == 1
    text = compile_query(bound("activation"), engine("duckdb").dialect).sql
    assert text.count("totals AS (") == 1
