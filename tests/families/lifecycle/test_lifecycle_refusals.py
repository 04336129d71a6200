"""What a lifecycle cannot be, and what cannot be asked of one: the exact words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from families.asking import project_over
from families.oracles.world import Event, World
from metrics_api.errors import DefinitionError, QueryError
from metrics_api.serving.project import Project

PROPERTIES = {"country": "DE", "minutes": 5.0, "level": 1, "flag": True, "sequence": 1}
NOW = datetime(2026, 3, 18, 12)  # a Wednesday
WORLD = World((Event("watch", "ann", datetime(2026, 3, 17, 9), PROPERTIES),), "UTC", 0, NOW)


@pytest.fixture(scope="module")
def project() -> Project:
    return project_over(WORLD, "growth: {type: lifecycle, on: watch}")


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (
            "growth: {type: lifecycle}",
            (
                "growth: `on` is missing\n    A lifecycle metric needs it: what makes a person active: an event, "
                "or a value moment."
            ),
        ),
        ("growth: {type: lifecycle, on: wach}", "there is no event or value moment `wach`\n    Did you mean `watch`?"),
        ("growth: {type: lifecycle, on: watch, at_least: 0}", "growth.at_least: expected at least 1, found `0`"),
        ("growth: {type: lifecycle, on: watch, at_least: two}", "growth.at_least: expected a whole number"),
        ("growth: {type: lifecycle, on: watch, window: 7 days}", "`window` is not a field of a lifecycle metric"),
        ("growth: {type: lifecycle, on: watch, where: minuts > 1}", "`minuts` is not a declared property"),
        (
            "growth: {type: lifecycle, on: watch}\nrate: {type: ratio, numerator: growth.new, denominator: growth}",
            "`growth` is a lifecycle metric, which has no `value`",
        ),
    ],
)
def test_definitions_are_refused(definition: str, message: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        project_over(WORLD, definition)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"grain": "hour"},
            "growth: a lifecycle is one of whole days\n    Ask for `grain: day` or coarser.",
        ),
        (
            {"compare": "previous_period"},
            "growth: a lifecycle has no value to compare with an earlier one\n    Ask for both ranges by themselves.",
        ),
        ({"parts": "overall"}, "growth: a lifecycle metric has no part `overall`"),
        ({"measures": "value"}, "growth: there is no measure `value` on this lifecycle metric"),
        ({"measures": "returnin"}, "Did you mean `returning`?"),
        ({"members": {"state": "gone"}}, "growth: there is no state `gone`"),
        ({"members": {"tier": "new"}}, "growth: members cannot be chosen by `tier`"),
        ({"members": {"period": "next week"}}, "growth: `period` is a date; `next week` is not"),
        (
            {"members": {"period": "2026-03-30"}, "start": "2026-03-01", "end": "2026-03-17", "grain": "week"},
            (
                "growth: the members of 2026-03-30 are asked for, and the range is 2026-02-23 to 2026-03-22\n"
                "    Ask for a range that holds the day."
            ),
        ),
        ({"members": {"state": "new"}, "parts": "members,rows"}, "growth: `members` beside other parts"),
    ],
)
def test_questions_are_refused(project: Project, words: dict[str, Any], message: str) -> None:
    with pytest.raises(QueryError) as raised:
        project.query("growth", **words)
    assert message in str(raised.value)
