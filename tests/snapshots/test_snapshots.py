"""What is sent to each engine, kept to be read: one statement for each family and engine.

A change of it is made by `SNAPSHOT_UPDATE=1`, and read in review as an expert of that engine would.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from metrics_api.compile.pipeline import compile_query
from metrics_api.compile.project import load_model
from metrics_api.engines import engines
from metrics_api.families import families
from metrics_api.query.bind import bind
from metrics_api.query.limits import Limits
from metrics_api.serving.asking import ask

HERE = Path(__file__).parent
NOW = datetime(2026, 3, 31, 12)
MODEL, _ = load_model(HERE.parents[1] / "metric_definitions" / "streaming")
# Clocks in Berlin are put forward on 29 March.
QUESTIONS = {
    "usage": ask("minutes_watched", start="2026-03-23", end="2026-03-29", by="country", measures="value,per_user_p90"),
    "value_moment": ask("videos_watched", start="2026-03-02", end="2026-03-29", grain="week", parts="rows,overall"),
    "active_users": ask("monthly_actives", start="2026-03-23", end="2026-03-29"),
    "ratio": ask("share_rate", start="2026-03-23", end="2026-03-29", parts="rows,overall"),
    "ratio_of_tiers": ask(
        "share_of_power_users", start="2026-03-02", end="2026-03-29", grain="week", parts="rows,overall"
    ),
    "derived": ask("minutes_per_weekly_active", start="2026-03-02", end="2026-03-29", grain="week", by="country"),
    "stickiness": ask("stickiness", start="2026-03-23", end="2026-03-29", grain="week", parts="rows,overall,histogram"),
    "lifecycle": ask("growth", start="2026-03-02", end="2026-03-29", grain="week", by="country"),
    "sessions": ask(
        "visits",
        start="2026-03-23",
        end="2026-03-29",
        by="platform",
        parts="rows,overall",
        measures="value,users,minutes_per_session_median,bounce_rate",
    ),
    "sessions_with_value": ask("fruitful_visits", start="2026-03-23", end="2026-03-29"),
    "frequency": ask("watch_frequency", start="2026-03-02", end="2026-03-29"),
    "breadth": ask("feature_breadth", start="2026-03-23", end="2026-03-29", grain="week", parts="rows,migration"),
    "depth": ask("minutes_depth", start="2026-03-23", end="2026-03-29", grain="week", parts="rows,thresholds"),
    "score": ask("engagement_score", start="2026-03-23", end="2026-03-29", grain="week", parts="rows,tiers"),
    "cohort": ask("dormant_users", start="2026-03-02", end="2026-03-29", grain="week", by="user_plan"),
    "retention": ask(
        "weekly_retention", start="2026-03-02", end="2026-03-15", by="country", parts="cells,average", limit=100
    ),
    "interval": ask("rhythm", start="2026-01-01", end="2026-03-30", by="country", parts="summary,curve"),
    "drivers": ask("what_makes_power_users", start="2026-01-05", end="2026-02-22", by="platform", parts="rows,summary"),
    "flow": ask(
        "after_signup",
        start="2026-03-23",
        end="2026-03-29",
        by="country",
        parts="rows,nodes,paths",
        measures="seconds_median",
    ),
    "flow_of_the_dropped": ask("instead_of_watching", start="2026-03-23", end="2026-03-29"),
    "funnel": ask("browse_to_watch", start="2026-03-23", end="2026-03-29", by="country"),
    "funnel_from_the_first_ever": ask("first_discovery", start="2026-03-23", end="2026-03-29", parts="steps,trend"),
    "funnel_of_totals": ask("visits_that_watch", start="2026-03-23", end="2026-03-29", by="country"),
}
ENGINES = tuple(engines())


def compiled(family: str, engine: str) -> str:
    bound = bind(QUESTIONS[family], MODEL, families(), now=NOW, limits=Limits())
    assert family.startswith(bound.metric.type)
    return compile_query(bound, engines()[engine].dialect).sql + "\n"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("family", QUESTIONS)
def test_statement(family: str, engine: str) -> None:
    file, sql = HERE / family / f"{engine}.sql", compiled(family, engine)
    if os.environ.get("SNAPSHOT_UPDATE"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(sql, encoding="utf-8")
    assert file.is_file(), f"there is no {file.relative_to(HERE)}; SNAPSHOT_UPDATE=1 writes it"
    assert sql == file.read_text(encoding="utf-8"), (
        f"{file.relative_to(HERE)} has changed; SNAPSHOT_UPDATE=1 rewrites it"
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("family", QUESTIONS)
def test_statement_is_read_back_and_is_the_same_again(family: str, engine: str) -> None:
    sql = compiled(family, engine)
    assert compiled(family, engine) == sql
    trees = sqlglot.parse(sql, dialect=engines()[engine].dialect.sqlglot)
    assert [type(tree) for tree in trees] in ([exp.Select], [exp.Union])


def test_every_family_and_engine_is_kept_and_nothing_else() -> None:
    known = {**MODEL.metrics, **MODEL.cohorts}
    assert {known[one.metric].type for one in QUESTIONS.values()} == set(families())
    kept = {str(file.relative_to(HERE)) for file in HERE.rglob("*.sql")}
    assert kept == {f"{family}/{engine}.sql" for family in QUESTIONS for engine in ENGINES}
