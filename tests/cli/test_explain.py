from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from metrics_api.compile.project import load_model
from metrics_api.engines import engines
from tests.cli.conftest import Invoke

METRICS = (
    "activation",
    "after_signup",
    "app_opens",
    "browse_to_watch",
    "daily_actives",
    "engagement_score",
    "feature_breadth",
    "first_discovery",
    "first_month_by_day",
    "fruitful_visits",
    "growth",
    "instead_of_watching",
    "list_additions",
    "minutes_depth",
    "minutes_per_weekly_active",
    "minutes_watched",
    "monthly_actives",
    "profile_picture_clicks",
    "rhythm",
    "searches",
    "share_of_power_users",
    "share_rate",
    "sign_ups",
    "stickiness",
    "value_per_visit",
    "videos_shared",
    "videos_watched",
    "visits",
    "visits_that_watch",
    "watch_frequency",
    "watching_again",
    "weekly_actives",
    "weekly_retention",
    "what_makes_power_users",
)  # fmt: skip


@pytest.mark.parametrize("dialect", sorted(engines()))
def test_every_metric_in_every_dialect(streaming: Path, cdnow: Path, invoke: Invoke, dialect: str) -> None:
    for folder, count in ((streaming, len(METRICS)), (cdnow, len(load_model(cdnow)[0].metrics))):
        assert count > 5
        result = invoke(folder, "explain", "--all", "--dialect", dialect, "--no-plan")
        assert result.exit_code == 0, result.stderr
        assert result.stdout.count("/* metrics-api metric=") == count
        assert "--" not in result.stdout


def test_what_is_written_runs_as_it_is(streaming: Path, invoke: Invoke) -> None:
    """With the plan in it: comments may not swallow SQL, and statements end."""
    script = invoke(streaming, "explain", "--all", "--from", "2026-03-01", "--by", "platform").stdout
    for name in METRICS:
        assert f"-- {name} on duckdb\n" in script
    with duckdb.connect(streaming / "streaming.duckdb", read_only=True) as connection:
        statements = connection.extract_statements(script)
        assert len(statements) == len(METRICS)
        for statement in statements:
            assert connection.execute(statement).fetchall()


def test_the_plan_is_told_first(streaming: Path, invoke: Invoke) -> None:
    said = invoke(streaming, "explain", "activation").stdout
    story, sql = said.split("/* metrics-api metric=activation", 1)
    assert "best attempt at signed_up -> added_to_list -> watched" in story
    assert all(line.startswith("--") for line in story.splitlines())
    assert "WITH " in sql


def test_names_or_all(streaming: Path, invoke: Invoke) -> None:
    assert invoke(streaming, "explain").exit_code == 2
    assert invoke(streaming, "explain", "activation", "--all").exit_code == 2


def test_a_wrong_name_does_not_hide_the_others(streaming: Path, invoke: Invoke) -> None:
    result = invoke(streaming, "explain", "app_opens", "nothing_like_it", "serches")
    assert result.exit_code == 1
    assert "metric=app_opens" in result.stdout
    assert result.stderr.count("there is no metric") == 2
    assert "Did you mean `searches`?" in result.stderr


def test_asks_nothing_of_the_warehouse(streaming: Path, tmp_path: Path, invoke: Invoke) -> None:
    for file in streaming.glob("*.yml"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert invoke(tmp_path, "explain", "--all").exit_code == 0
    assert invoke(tmp_path, "query", "app_opens").exit_code == 3
