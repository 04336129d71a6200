from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.cli.conftest import Invoke

WRONG = """\
metrics:
  views:
    type: usage
    event: wached
  minutes:
    type: usage
    event: watched
    mesure: sum(minutes)
"""


def test_counts_what_it_read(streaming: Path, invoke: Invoke) -> None:
    result = invoke(streaming, "validate")
    assert result.exit_code == 0
    assert result.stdout == (
        "streaming: no problems in 9 files, 1 source, 8 events, 34 metrics, 8 cohorts\n"
        "metrics by type: 3 active_users, 1 breadth, 1 depth, 1 derived, 1 drivers, 2 flow, 1 frequency, 4 funnel, "
        "1 interval, 1 lifecycle, 3 ratio, 3 retention, 1 score, 2 sessions, 1 stickiness, 7 usage, 1 value_moment\n"
    )


def test_tells_every_problem_with_its_place(project: Callable[[str], Path], invoke: Invoke) -> None:
    folder = project("")
    (folder / "metrics").mkdir()
    (folder / "metrics" / "views.yml").write_text(WRONG, "utf-8")
    (folder / "events.yml").write_text("events:\n  Shared: {source: log}\n", "utf-8")
    result = invoke(folder, "validate")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        "events.yml:2:3  events: `Shared` cannot be a name: names are lower-case letters, digits and `_`, "
        "and begin with a letter\n"
        "    Write `shared`.\n"
        "metrics/views.yml:8:5  minutes: `mesure` is not a field of a usage metric\n"
        "    Did you mean `measure`?\n"
        "\n2 problems in 2 files\n"
    )


def test_places_are_told_as_seen_from_here(project: Callable[[str], Path], invoke: Invoke) -> None:
    folder = project("metrics:\n  views: {type: usage, event: wached}\n")
    below = folder / "notes" / "more"
    below.mkdir(parents=True)
    assert "../../project.yml:18:31  there is no event `wached`" in invoke(below, "validate").stderr


def test_as_json(project: Callable[[str], Path], invoke: Invoke) -> None:
    folder = project("metrics:\n  views: {type: usage, event: wached}\n")
    result = invoke(folder, "validate", "--format", "json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["valid"] is False
    assert told["problems"] == [
        {
            "file": "project.yml",
            "line": 18,
            "column": 31,
            "message": "there is no event `wached`",
            "fix": "Did you mean `watched`?",
            "code": "UNKNOWN_NAME",
        }
    ]
    well = json.loads(
        invoke(project("metrics:\n  views: {type: usage, event: watched}\n"), "validate", "--format", "json").stdout
    )
    assert well == {
        "valid": True,
        "project": "small",
        "counts": {"files": 1, "sources": 1, "events": 1, "metrics": 1},
        "metric_types": {"usage": 1},
        "problems": [],
        "warnings": [],
    }


def test_a_warehouse_of_an_unknown_engine(project: Callable[[str], Path], invoke: Invoke) -> None:
    folder = project("")
    file = folder / "project.yml"
    file.write_text(file.read_text("utf-8").replace("type: duckdb", "type: duckbd"), "utf-8")
    result = invoke(folder, "validate")
    assert result.exit_code == 1
    assert result.stderr.startswith("project.yml:5:18  project.warehouses.demo: there is no engine `duckbd`\n")
    assert "Did you mean `duckdb`?" in result.stderr


def test_names_that_are_one_in_graphql(project: Callable[[str], Path], invoke: Invoke) -> None:
    folder = project("metrics:\n  top_10: {type: usage, event: watched}\n  top10: {type: usage, event: watched}\n")
    result = invoke(folder, "validate")
    assert result.exit_code == 1
    assert result.stderr.startswith("project.yml:19:3  metric `top10` would be called `top10` in GraphQL")


def test_looks_into_the_warehouse_when_one_is_named(project: Callable[[str], Path], invoke: Invoke) -> None:
    folder = project("metrics:\n  views: {type: usage, event: watched}\n")
    with duckdb.connect(folder / "small.duckdb") as connection:
        connection.execute(
            'CREATE TABLE log ("at" TIMESTAMP, event VARCHAR, person VARCHAR, minute DOUBLE, city VARCHAR)'
        )
    assert invoke(folder, "validate").exit_code == 0
    result = invoke(folder, "validate", "--warehouse", "demo")
    assert result.exit_code == 1
    assert result.stderr == (
        "project.yml:7:3  source `log`: table `log` has no column `minutes` (property `minutes`)\n"
        "    Did you mean `minute`?\n"
        "\n1 problem in 1 file\n"
    )


def test_with_a_warehouse_that_has_everything(streaming: Path, invoke: Invoke) -> None:
    assert invoke(streaming, "validate", "-w", "demo").exit_code == 0


@pytest.mark.parametrize("place", ["above", "environment", "option", "below"])
def test_finds_the_project(streaming: Path, tmp_path: Path, invoke: Invoke, place: str) -> None:
    def validated(folder: Path, *args: str, env: dict[str, str] | None = None) -> str:
        result = invoke(folder, "validate", *args, env=env)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    match place:
        case "above":
            (tmp_path / "project.yml").write_bytes((streaming / "project.yml").read_bytes())
            (tmp_path / "events.yml").write_bytes((streaming / "events.yml").read_bytes())
            folder = tmp_path / "src" / "deep"
            folder.mkdir(parents=True)
            said = validated(folder)
            assert "2 files" in said
        case "environment":
            assert "1 source, 8 events" in validated(tmp_path, env={"METRICS_API_PROJECT": str(streaming)})
        case "option":
            assert "1 source, 8 events" in validated(tmp_path, "-p", str(streaming))
        case "below":
            # Below this folder stands a project, so the one above is not meant.
            (tmp_path / "project.yml").write_text("project: {name: other}\n", "utf-8")
            inner = tmp_path / "repo" / "metrics"
            inner.mkdir(parents=True)
            (inner / "project.yml").write_text("project: {name: inner}\n", "utf-8")
            assert validated(tmp_path / "repo").startswith("inner:")
