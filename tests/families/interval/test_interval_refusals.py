"""Intervals that cannot be counted: where they are wrong, and what to write instead."""

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


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            ", lookback: ^12 hours",
            "a lookback of 12 hours is not one of whole days\n    Write `90 days`.",
        ),
        (
            ", unit: hour, lookback: ^2 years",
            ("a lookback of 2 years is 17,520 hours; at most 10,000 are looked through\n    Write a shorter one."),
        ),
        (
            ", follow_up: ^36 hours",
            ("a follow-up of 36 hours is not one of whole days\n    Write days, such as `30 days`."),
        ),
        (
            ", unit: hour, follow_up: ^90 minutes",
            ("a follow-up of 90 minutes is not one of whole hours\n    Write hours, such as `30 hours`."),
        ),
        (
            ", lookback: 30 days, follow_up: ^30 days",
            (
                "nobody can be followed for 30 days within a lookback of 30 days\n"
                "    Write a shorter one, or a longer `lookback`."
            ),
        ),
        (", share: ^100", "rhythm.share: expected at most 99, found `100`"),
        (", share: ^0", "rhythm.share: expected at least 1, found `0`"),
        (
            ", ^lookbak: 30 days",
            "rhythm: `lookbak` is not a field of an interval metric\n    Did you mean `lookback`?",
        ),
        (", class: ^engagement", None),
    ],
)
def test_refuses_a_definition(tmp_path: Path, fields: str, message: str | None) -> None:
    """The caret marks the place."""
    written = f"{PROJECT}  rhythm: {{type: interval, on: watch{fields}}}\n"
    line = next(line for line in written.splitlines() if "^" in line)
    place = f"{written.splitlines().index(line) + 1}:{line.index('^') + 1}"
    (tmp_path / "shop.yml").write_text(written.replace("^", ""), "utf-8")
    with pytest.raises(DefinitionError) as raised:
        load_model(tmp_path)
    assert str(raised.value).startswith(f"shop.yml:{place}  ")
    if message is not None:
        assert str(raised.value) == f"shop.yml:{place}  {message}"


def test_tells_all_that_is_wrong_at_once(tmp_path: Path) -> None:
    written = f"{PROJECT}  rhythm: {{type: interval, on: watch, where: a > 3, lookback: 1 hour, follow_up: 36 hours}}\n"
    (tmp_path / "shop.yml").write_text(written, "utf-8")
    with pytest.raises(DefinitionError) as raised:
        load_model(tmp_path)
    assert str(raised.value).count("shop.yml:12:") == 3


WORLD = World((), "UTC", 0, datetime(2026, 3, 18, 12))
METRICS = """\
rhythm: {type: interval, on: watch}
by_hour: {type: interval, on: watch, unit: hour}
"""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"metric": "by_hour", "start": "2024-01-01", "end": "2025-12-31", "grain": "month"},
            (
                "by_hour: 2024-01-01 to 2025-12-31 is 17,544 hours; at most 10,000 are looked through\n"
                "    Ask for a shorter range."
            ),
        ),
        (
            {"metric": "rhythm", "compare": "previous_period"},
            "rhythm: an interval has no value to compare with an earlier one\n    Ask for both ranges by themselves.",
        ),
        (
            {"metric": "rhythm", "parts": "rows"},
            (
                "rhythm: an interval metric has no part `rows`\n"
                "    The parts are `curve`, `gaps`, `member_count`, `members`, `summary`."
            ),
        ),
        (
            {"metric": "rhythm", "parts": "members", "members": {"zone": "hourly"}},
            ("rhythm: gaps of days make no hourly habit\n    Ask for another, or write `unit: hour` in the metric."),
        ),
        (
            {"metric": "rhythm", "parts": "members", "members": {"zone": "weekl"}},
            "rhythm: there is no zone `weekl`\n    Did you mean `weekly`?",
        ),
        (
            {"metric": "rhythm", "measures": "value"},
            "rhythm: there is no measure `value` on this interval metric\n    There are no measures yet.",
        ),
        (
            {"metric": "rhythm", "order": "after"},
            (
                "rhythm: cannot order by `after`\n    The columns are `interval_of_all`, `interval_of_returners`, "
                "`lookback`, `lookback_too_short`, `median_gap`, `returners`, `users`, `zone`."
            ),
        ),
    ],
)
def test_refuses_a_question(words: dict[str, Any], message: str) -> None:
    asked = {"start": "2026-03-02", "end": "2026-03-15", **words}
    with pytest.raises(QueryError) as raised:
        project_over(WORLD, METRICS).query(asked.pop("metric"), **asked)
    assert str(raised.value) == message
