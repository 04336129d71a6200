"""Retention that cannot be counted: where it is wrong, and what to write instead."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from families.asking import project_over
from families.oracles.world import World
from metrics_api.compile.project import load_model
from metrics_api.errors import DefinitionError, QueryError

PROJECT = """\
version: 1
project: {name: shop}
sources:
  log:
    table: log
    time: at
    event_name: event
    identity: {user: user_id}
    properties: {minutes: number, country: string}
events: {open: {source: log}, watch: {source: log}}
metrics:
"""
START = "type: retention, start: {event: open, first_ever: true}, return: watch"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (", periods: ^0", "back.periods: expected at least 1, found `0`"),
        (", periods: ^400", "back.periods: expected at most 366, found `400`"),
        (", brackets: [1, 3, ^3]", "3 before 3: brackets grow\n    Write numbers that grow: `[1, 3, 7]`."),
        (", brackets: [7, ^3]", "7 before 3: brackets grow\n    Write numbers that grow: `[1, 3, 7]`."),
        (
            ", brackets: [^0, 3]",
            "a bracket up to 0: the first ends at 1\n    Write numbers that grow: `[1, 3, 7]`.",
        ),
        (", brackets: ^[]", "no brackets\n    Write the last interval of each: `[1, 3, 7]`."),
        (", brackets: ^[1, 500]", "a bracket up to 500; at most 366 intervals are looked through"),
        (", mode: streak, ^brackets: [1, 3]", "back: `mode` and `brackets` are both given\n    Keep one of them."),
        (", periods: 3, ^brackets: [1, 3]", "back: `periods` and `brackets` are both given\n    Keep one of them."),
        (
            ", cohort: ^recurring",
            "a first start ever does not recur\n    Write `cohort: first_time`, or leave `first_ever` out of `start`.",
        ),
        (
            ", measure: ^sum(country)",
            "`sum(country)`: `country` is not one of the numeric properties\n    The numeric properties are `minutes`.",
        ),
        (
            ", measure: ^median(minutes)",
            (
                "`median(minutes)` is not a measure of retention\n"
                "    Write `rate`, `users`, `sum(PROPERTY)` or `average(PROPERTY)`."
            ),
        ),
        (", min_occurrences: ^0", "back.min_occurrences: expected at least 1, found `0`"),
    ],
)
def test_refuses_a_definition(tmp_path: Path, fields: str, message: str) -> None:
    """The caret marks the place."""
    written = f"{PROJECT}  back: {{{START}{fields}}}\n"
    line = next(line for line in written.splitlines() if "^" in line)
    place = f"{written.splitlines().index(line) + 1}:{line.index('^') + 1}"
    (tmp_path / "shop.yml").write_text(written.replace("^", ""), "utf-8")
    with pytest.raises(DefinitionError) as raised:
        load_model(tmp_path)
    assert str(raised.value) == f"shop.yml:{place}  {message}"


def test_tells_all_that_is_wrong_at_once(tmp_path: Path) -> None:
    written = f"{PROJECT}  back: {{{START}, cohort: recurring, brackets: [3, 2], measure: half}}\n"
    (tmp_path / "shop.yml").write_text(written, "utf-8")
    with pytest.raises(DefinitionError) as raised:
        load_model(tmp_path)
    assert str(raised.value).count("shop.yml:12:") == 3


WORLD = World((), "UTC", 0, datetime(2026, 3, 18, 12))
METRICS = """\
back: {type: retention, start: open, return: watch, periods: 3}
wide: {type: retention, start: open, return: watch, grain: day, periods: 20}
marks: {type: retention, start: open, return: watch, brackets: [1, 3, 7]}
"""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"metric": "back", "grain": "hour"},
            "back: retention is counted in whole days\n    Ask for `grain: day` or coarser.",
        ),
        (
            {"metric": "wide", "start": "2001-01-01", "end": "2010-12-31"},
            (
                "wide: 3,652 buckets of 21 cells are 76,692; at most 50,000 are answered\n"
                "    Ask for a shorter range or a coarser grain."
            ),
        ),
        (
            {"metric": "back", "compare": "previous_period"},
            "back: a retention has no value to compare with an earlier one\n    Ask for both ranges by themselves.",
        ),
        (
            {"metric": "back", "parts": "rows"},
            (
                "back: a retention metric has no part `rows`\n"
                "    The parts are `average`, `cells`, `member_count`, `members`."
            ),
        ),
        (
            {"metric": "back", "parts": "members", "members": {"start": "2026-03-04"}},
            "back: no bucket begins on 2026-03-04\n    The weeks asked for begin on 2026-03-02 to 2026-03-09.",
        ),
        (
            {"metric": "marks", "parts": "members", "members": {"period_index": 2}},
            "marks: there is no cell 2\n    There are 0, 1, 3, 7.",
        ),
        (
            {"metric": "back", "parts": "members", "members": {"state": "gone"}},
            "back: there is no state `gone`\n    The values of `state` are `all`, `lost`, `retained`.",
        ),
    ],
)
def test_refuses_a_question(words: dict[str, Any], message: str) -> None:
    asked = {"start": "2026-03-02", "end": "2026-03-15", **words}
    with pytest.raises(QueryError) as raised:
        project_over(WORLD, METRICS).query(asked.pop("metric"), **asked)
    assert str(raised.value) == message
