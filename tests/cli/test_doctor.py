"""`metrics-api doctor` as people and machines read it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from tests.cli.conftest import Invoke


def test_a_healthy_project(streaming: Path, invoke: Invoke) -> None:
    result = invoke(streaming, "doctor", "--since", "2026-03-01")
    assert result.exit_code == 0
    assert result.stderr == ""
    said = result.stdout.splitlines()
    assert said[0] == "  fine      connected to `demo`"
    assert said[2].startswith("source app_events  project.yml:")
    assert said[-1].endswith(" fine, 1 doubtful, 0 wrong")
    (stale,) = [line for line in said if line.startswith("  doubtful")]
    assert "the newest row was loaded" in stale


@pytest.fixture
def broken(streaming: Path, tmp_path: Path) -> Path:
    """The same project, some days of whose rows lie in another partition."""
    folder = tmp_path / "broken"
    shutil.copytree(streaming, folder)
    with duckdb.connect(folder / "streaming.duckdb") as connection:
        connection.execute("UPDATE app_events SET occurred_on = occurred_on - 5 WHERE occurred_on = '2026-03-20'")
    return folder


def test_what_is_wrong_has_a_place_and_a_remedy(broken: Path, invoke: Invoke) -> None:
    result = invoke(broken, "doctor", "--since", "2026-03-01")
    assert result.exit_code == 1
    wrong = [line for line in result.stdout.splitlines() if line.startswith("  wrong")]
    assert len(wrong) == 1
    assert "project.yml:" in wrong[0]
    assert "lie more than a day from their time by `occurred_on`" in wrong[0]
    assert "            Say `lag` of the partition, or name the column of the event's own date." in result.stdout


def test_for_machines(broken: Path, invoke: Invoke) -> None:
    result = invoke(broken, "doctor", "--since", "2026-03-01", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["healthy"], told["warehouse"], told["engine"]) == (False, "demo", "duckdb")
    assert told["counts"]["wrong"] == 1
    (wrong,) = [one for one in told["findings"] if one["level"] == "wrong"]
    assert (wrong["check"], wrong["about"]) == ("partition_follows_time", "sources.app_events.partition")
    assert (wrong["file"], wrong["line"] > 1, wrong["column"] > 1) == ("project.yml", True, True)


def test_a_warehouse_that_cannot_be_reached(broken: Path, invoke: Invoke) -> None:
    (broken / "streaming.duckdb").unlink()
    result = invoke(broken, "doctor")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("there is no DuckDB file")


def test_a_date_that_is_none(streaming: Path, invoke: Invoke) -> None:
    assert invoke(streaming, "doctor", "--since", "yesterday").exit_code == 2
