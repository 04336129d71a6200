"""`metrics-api test`: the tests of the definitions, as people run them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from metrics_api.definitions.yaml12 import read_yaml
from tests.cli.conftest import ROOT, Invoke, lines

METRIC = """\
metrics:
  hours_watched:
    type: usage
    event: watched
    measure: sum(minutes)
    tests:
      adds_up:
        events: |
          watched  ann  2026-01-05 09:00  minutes=60
          watched  bob  2026-01-05 10:00  minutes=30
        expect: {value: 90, users: 2}
      wrong:
        events: watched ann 2026-01-05 minutes=1
        expect: {value: 2}
"""


def test_the_example_has_tests_of_several_families(invoke: Invoke) -> None:
    folder = ROOT / "metric_definitions" / "streaming"
    written: list[Any] = [read_yaml(file).data for file in folder.glob("*.yml")]
    metrics = [one for data in written for one in data.get("metrics", {}).values()]
    assert {one["type"] for one in metrics if "tests" in one} >= {
        "usage", "value_moment", "active_users", "funnel", "ratio", "derived", "stickiness", "lifecycle",
        "frequency", "breadth", "depth", "retention", "sessions", "flow",
    }  # fmt: skip
    result = invoke(folder, "test")
    assert result.exit_code == 0, result.stdout
    said = lines(result.stdout)
    assert all(line.startswith("passed  ") for line in said[:-1])
    assert said[-1].startswith(f"{len(said) - 1} passed in ")


def test_a_failure_shows_what_differs(project: Callable[[str], Path], invoke: Invoke, tmp_path: Path) -> None:
    folder = project(METRIC)
    result = invoke(folder, "test", "--junit", str(tmp_path / "report.xml"))
    assert result.exit_code == 1
    said = lines(result.stdout)
    assert said[:5] == [
        "passed  hours_watched.adds_up",
        "FAILED  hours_watched.wrong",
        "      value",
        "    - 2",
        "    + 1",
    ]
    assert said[5].startswith("1 passed, 1 failed in ")
    suite = ET.parse(tmp_path / "report.xml").getroot()
    assert {name: suite.get(name) for name in ("name", "tests", "failures", "errors")} == {
        "name": "small",
        "tests": "2",
        "failures": "1",
        "errors": "0",
    }
    passed, failed = suite
    assert (passed.get("classname"), passed.get("name"), len(passed)) == ("hours_watched", "adds_up", 0)
    assert failed[0].tag == "failure"
    assert failed[0].text == "  value\n- 2\n+ 1"
    assert invoke(folder, "test", "hours_watched.adds_up").exit_code == 0


def test_no_tests(project: Callable[[str], Path], invoke: Invoke) -> None:
    result = invoke(project("metrics:\n  times: {type: usage, event: watched}\n"), "test")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "small: there are no tests"


def test_a_test_that_cannot_be_read_fails_validate_as_well(project: Callable[[str], Path], invoke: Invoke) -> None:
    folder = project(METRIC.replace("watched  bob", "wached   bob"))
    told = "project.yml:26:11  hours_watched.tests.adds_up: there is no event `wached`\n    Did you mean `watched`?\n"
    for command in ("test", "validate"):
        result = invoke(folder, command)
        assert result.exit_code == 1
        assert result.stderr.startswith(told)


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["nothing"], 1, "there is no metric `nothing`"),
        (["--warehouse", "dem"], 1, "there is no warehouse `dem`"),
        (["--warehouse", "demo"], 3, "there is no DuckDB file"),
    ],
)
def test_what_cannot_be_run(
    args: list[str], code: int, message: str, project: Callable[[str], Path], invoke: Invoke
) -> None:
    result = invoke(project(METRIC), "test", *args)
    assert result.exit_code == code
    assert message in result.stderr


def test_a_warehouse_is_not_read(streaming: Path, invoke: Invoke) -> None:
    result = invoke(streaming, "test", "--warehouse", "demo")
    assert result.exit_code == 0, result.stdout
