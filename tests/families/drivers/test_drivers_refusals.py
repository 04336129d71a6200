"""Drivers that cannot be told: where they are wrong, and what to write instead."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from families.asking import project_over
from families.oracles.calendar import Grain as Word
from families.oracles.drivers import most_days as most_days_by_trying
from families.oracles.retention import Retention as Asked
from families.oracles.world import World, named
from metrics_api.compile.project import load_model
from metrics_api.errors import DefinitionError, QueryError
from metrics_api.families.drivers import most_days
from metrics_api.periods import Grain

PROJECT = """\
version: 1
project: {name: shop}
sources:
  log:
    table: log
    time: at
    event_name: event
    identity: {user: user_id, account: company}
    properties: {minutes: number, country: string}
events: {open: {source: log}, watch: {source: log}}
metrics:
  often: {type: frequency, on: watch, window: 28 days, tiers: {power: 6}}
  visits: {type: sessions, source: log}
  at_once: {type: sessions, source: log, cut_at_midnight: true}
  activation: {type: funnel, steps: {open: {event: open}, watch: {event: watch}}, within: 7 days}
  growth: {type: lifecycle, on: watch}
  back: {type: retention, start: open, return: watch, grain: week, periods: 12}
  by_month: {type: retention, start: open, return: watch, grain: month, periods: 6}
  own_clock: {type: retention, start: open, return: watch, grain: week, periods: 6, clock: rolling}
  before: {type: retention, start: open, return: watch, mode: on_or_before}
  streak: {type: retention, start: open, return: watch, mode: streak}
  brackets: {type: retention, start: open, return: watch, brackets: [1, 4, 8]}
  of_accounts: {type: retention, start: open, return: watch, entity: account}
"""
LAPPING = "what is to be told would be told by itself"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            "[often], feature_window: ^23 days, outcome: {metric: back, period: 4}",
            (
                f"a feature window of 23 days, and period 4 of `back` can begin after 22 days of it: {LAPPING}\n"
                "    Write at most 22 days, or choose period 5 or later."
            ),
        ),
        (
            "[often], feature_window: ^4 weeks, outcome: {metric: by_month, period: 1}",
            (
                f"a feature window of 28 days, and period 1 of `by_month` can begin after 1 day of it: {LAPPING}"
                "\n    Write at most 1 day, or choose period 2 or later."
            ),
        ),
        (
            "[often], feature_window: ^30 days, outcome: {metric: by_month, period: 2}",
            (
                f"a feature window of 30 days, and period 2 of `by_month` can begin after 29 days of it: {LAPPING}"
                "\n    Write at most 29 days, or choose period 3 or later."
            ),
        ),
        (
            "[often], feature_window: ^14 days, outcome: {metric: own_clock, period: 2}",
            (
                f"a feature window of 14 days, and period 2 of `own_clock` can begin after 13 days of it: {LAPPING}"
                "\n    Write at most 13 days, or choose period 3 or later."
            ),
        ),
        (
            "[often], feature_window: ^1 day, outcome: {metric: back, period: 0}",
            (
                f"a feature window of 1 day, and period 0 of `back` can begin after 0 days of it: {LAPPING}\n"
                "    Choose period 1 or later."
            ),
        ),
        (
            "[often], feature_window: ^1 day, outcome: {metric: before, period: 4}",
            (
                f"a feature window of 1 day, and period 4 of `before` can begin after 0 days of it: {LAPPING}\n"
                "    Choose another outcome, whose periods are longer or later."
            ),
        ),
        (
            "[often], feature_window: ^2 days, outcome: {metric: streak, period: 4}",
            (
                f"a feature window of 2 days, and period 4 of `streak` can begin after 1 day of it: {LAPPING}\n"
                "    Write at most 1 day."
            ),
        ),
        (
            "[often], feature_window: ^9 days, outcome: {metric: brackets, period: 4}",
            (
                f"a feature window of 9 days, and period 4 of `brackets` can begin after 8 days of it: {LAPPING}\n"
                "    Write at most 8 days, or choose period 8 or later."
            ),
        ),
        (
            "[often, activation], feature_window: ^15 days, outcome: {metric: back, period: 4}",
            (
                "a feature window of 15 days, and up to 8 more that `activation` looks ahead, and period 4 of `back` "
                f"can begin after 22 days of it: {LAPPING}\n    Write at most 14 days, or choose period 5 or later."
            ),
        ),
        (
            "[visits], feature_window: ^21 days, outcome: {metric: back, period: 4}",
            (
                "a feature window of 21 days, and up to 2 more that `visits` looks ahead, and period 4 of `back` can "
                f"begin after 22 days of it: {LAPPING}\n    Write at most 20 days, or choose period 5 or later."
            ),
        ),
        (
            "[often], feature_window: ^36 hours, outcome: {metric: back, period: 4}",
            (
                "a feature window of 36 hours is not one of as many local days for everybody\n"
                "    Write days or weeks, such as `14 days`."
            ),
        ),
        (
            "[often], feature_window: ^1 month, outcome: {metric: back, period: 4}",
            (
                "a feature window of 1 month is not one of as many local days for everybody\n"
                "    Write days or weeks, such as `14 days`."
            ),
        ),
        (
            "[often, ^oftn], feature_window: 7 days, outcome: {metric: back, period: 4}",
            "there is no metric `oftn`\n    Did you mean `often`?",
        ),
        (
            "[often], feature_window: 7 days, outcome: {metric: ^bakc, period: 4}",
            "there is no metric `bakc`\n    Did you mean `back`?",
        ),
        (
            "[often, ^growth], feature_window: 7 days, outcome: {metric: back, period: 4}",
            (
                "`growth` is a lifecycle metric, which tells no number of single people\n    Name a metric of type "
                "breadth, depth, frequency, funnel, sessions, usage or value_moment."
            ),
        ),
        (
            "[often], feature_window: 7 days, outcome: {metric: ^growth, period: 4}",
            (
                "`growth` is a lifecycle metric, and an outcome is whether people return\n"
                "    Name a metric of type retention."
            ),
        ),
        (
            "[often], feature_window: 7 days, outcome: {metric: back, period: ^13}",
            "`back` has no period 13\n    There are 0 to 12.",
        ),
        (
            "[often], feature_window: 7 days, outcome: {metric: brackets, period: ^3}",
            "`brackets` has no period 3\n    There are 0, 1, 4, 8.",
        ),
        (
            "[often, ^often], feature_window: 7 days, outcome: {metric: back, period: 4}",
            "`often` is a candidate already\n    Name it once.",
        ),
        (
            "[visits, ^{metric: visits, measure: sessions}], feature_window: 1 day, outcome: {metric: back, period: 5}",
            "`visits.sessions` is a candidate already\n    Name it once.",
        ),
        (
            "[{metric: visits, measure: ^minute}], feature_window: 7 days, outcome: {metric: back, period: 4}",
            "`visits` has no number `minute` of single people\n    Did you mean `minutes`?",
        ),
        (
            "[{metric: often, thresholds: [3, ^3]}], feature_window: 7 days, outcome: {metric: back, period: 4}",
            "3 after 3: thresholds grow\n    Write numbers that grow: `[1, 3, 5]`.",
        ),
        (
            "[{metric: often, thresholds: ^[]}], feature_window: 7 days, outcome: {metric: back, period: 4}",
            "no thresholds\n    Write some, such as `[1, 3, 5]`, or leave the line out.",
        ),
        (
            "[{metric: often, thresholds: [^p90]}], feature_window: 7 days, outcome: {metric: back, period: 4}",
            "why.candidates.thresholds: expected a number, found `p90`\n    Write a number, such as `3`.",
        ),
        (
            "[often], feature_window: 7 days, outcome: {metric: ^of_accounts, period: 4}",
            (
                "`of_accounts` counts accounts, and this users\n"
                "    Write `entity: account`, if all of its metrics count accounts."
            ),
        ),
        (
            "^[], feature_window: 7 days, outcome: {metric: back, period: 4}",
            "there are no candidates\n    Name metrics, such as `[watch_frequency]`.",
        ),
        (
            "[often], feature_window: 7 days, outcome: {metric: back, period: 4}, min_cell: ^0",
            "why.min_cell: expected at least 1, found `0`",
        ),
    ],
)
def test_refuses_a_definition(tmp_path: Path, fields: str, message: str) -> None:
    """The caret marks the place."""
    written = f"{PROJECT}  why: {{type: drivers, candidates: {fields}}}\n"
    line = next(line for line in written.splitlines() if "^" in line)
    place = f"{written.splitlines().index(line) + 1}:{line.index('^') + 1}"
    (tmp_path / "shop.yml").write_text(written.replace("^", ""), "utf-8")
    with pytest.raises(DefinitionError) as raised:
        load_model(tmp_path)
    assert str(raised.value) == f"shop.yml:{place}  {message}"


def test_takes_what_only_just_does(tmp_path: Path) -> None:
    metrics = [
        "[often, at_once], feature_window: 22 days, outcome: {metric: back, period: 4}",
        "[visits], feature_window: 20 days, outcome: {metric: back, period: 4}",
        "[activation], feature_window: 2 weeks, outcome: {metric: back, period: 4}",
        "[often], feature_window: 13 days, outcome: {metric: own_clock, period: 2}",
        "[often], feature_window: 1 day, outcome: {metric: streak, period: 4}",
        "[{metric: visits, measure: minutes}, visits], feature_window: 6 days, outcome: {metric: brackets, period: 4}",
    ]
    written = "".join(f"  why_{n}: {{type: drivers, candidates: {one}}}\n" for n, one in enumerate(metrics))
    (tmp_path / "shop.yml").write_text(PROJECT + written, "utf-8")
    assert len(load_model(tmp_path)[0].metrics) == 12 + len(metrics)


def test_tells_all_that_is_wrong_at_once(tmp_path: Path) -> None:
    fields = "candidates: [growth, often, often], feature_window: 1 hour, outcome: {metric: back, period: 13}"
    (tmp_path / "shop.yml").write_text(f"{PROJECT}  why: {{type: drivers, {fields}}}\n", "utf-8")
    with pytest.raises(DefinitionError) as raised:
        load_model(tmp_path)
    assert str(raised.value).count("shop.yml:") == 4


@pytest.mark.parametrize("mode", ["on", "on_or_after", "on_or_before", "streak", "brackets"])
@pytest.mark.parametrize("rolling", [False, True])
@pytest.mark.parametrize("grain", ["day", "week", "month", "quarter", "year"])
def test_the_longest_window_is_that_found_by_trying(
    grain: Word, rolling: bool, mode: Any, tmp_path: Path
) -> None:  # fmt: skip
    kept = "brackets: [1, 4]" if mode == "brackets" else f"mode: {mode}, periods: 4"
    clock = "rolling" if rolling else "calendar"
    (tmp_path / "shop.yml").write_text(
        f"{PROJECT}  it: {{type: retention, start: open, return: watch, grain: {grain}, clock: {clock}, {kept}}}\n"
    )
    spec = load_model(tmp_path)[0].metrics["it"].spec
    asked = Asked(named("open"), named("watch"), tuple(one.index for one in spec.cells), mode, rolling)
    found = {one.index: most_days(spec, one, Grain(grain)) for one in spec.cells}
    assert found == {one.index: most_days_by_trying(asked, one.index, grain) for one in spec.cells}


WORLD = World((), "UTC", 0, datetime(2026, 3, 18, 12))
METRICS = """\
often: {type: frequency, on: watch, window: 28 days, tiers: {power: 6}}
back: {type: retention, start: open, return: watch, grain: week, periods: 12}
why: {type: drivers, candidates: [often], feature_window: 14 days, outcome: {metric: back, period: 4}}
"""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"grain": "day"},
            (
                "why: by day, a feature window of 14 days, and period 4 of `back` can begin after 4 days of it: "
                f"{LAPPING}\n    Ask for `grain: week` or coarser."
            ),
        ),
        ({"grain": "hour"}, "why: retention is counted in whole days\n    Ask for `grain: day` or coarser."),
        (
            {"compare": "previous_period"},
            "why: a drivers has no value to compare with an earlier one\n    Ask for both ranges by themselves.",
        ),
        (
            {"parts": "members"},
            "why: a drivers metric has no part `members`\n    The parts are `candidates`, `rows`, `summary`.",
        ),
        (
            {"measures": "phi"},
            "why: there is no measure `phi` on this drivers metric\n    There are no measures yet.",
        ),
        (
            {"order": "-ph"},
            "why: cannot order by `ph`\n    Did you mean `phi`?",
        ),
    ],
)
def test_refuses_a_question(words: dict[str, Any], message: str) -> None:
    asked = {"start": "2026-01-05", "end": "2026-03-15", **words}
    with pytest.raises(QueryError) as raised:
        project_over(WORLD, METRICS).query("why", **asked)
    assert str(raised.value) == message
