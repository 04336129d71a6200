"""What tiers cannot be, and what cannot be asked of them: the exact words, and where."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from families.asking import project_over
from families.oracles.world import Event, World
from metrics_api.compile.project import load_model
from metrics_api.errors import DefinitionError, QueryError
from metrics_api.serving.asking import ask
from metrics_api.serving.project import Project

BASE = """\
version: 1
project: {name: shop, warehouses: {here: {type: duckdb, path: shop.duckdb}}}
sources:
  app:
    table: app_events
    time: at
    event_name: event
    identity: {user: user_id}
    properties: {minutes: number, country: string}
events:
  watch: {source: app}
  share: {source: app}
metrics:
"""
FIRST = BASE.count("\n") + 1
OFTEN = "tiered: {type: frequency, on: watch, window: 7 days, tiers: %s}"


def told(folder: Path, written: str) -> str:
    """Every problem, with the place after the file's first line of metrics."""
    (folder / "shop.yml").write_text(f"{BASE}  {written}\n", encoding="utf-8")
    with pytest.raises(DefinitionError) as refused:
        load_model(folder)
    return str(refused.value)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "tiered: {type: frequency, on: watch, window: 7 days, tiers: {power: 3, core: ^6}}",
            ("tier `core` (6) is not below `power` (3)\n    Write the highest tier first."),
        ),
        (
            "tiered: {type: frequency, on: watch, window: 7 days, tiers: {power: 3, core: ^3}}",
            ("tier `core` (3) is not below `power` (3)\n    Write the highest tier first."),
        ),
        (
            "tiered: {type: frequency, on: watch, window: 7 days, tiers: {power: p50, core: ^p90}}",
            ("tier `core` (p90) is not below `power` (p50)\n    Write the highest tier first."),
        ),
        (
            "tiered: {type: frequency, on: watch, window: 7 days, tiers: {power: p90, core: ^3}}",
            ("tier `core` is a number, and `power` is a percentile\n    Write all tiers in one way."),
        ),
        (
            "tiered: {type: frequency, on: watch, window: 7 days, tiers: {power: ^8, core: 3}}",
            ("tier `power` needs 8 active days, and the window of 7 days has 7\n    Write at most 7."),
        ),
        (
            "tiered: {type: frequency, on: watch, window: 7 days, tiers: {power: ^2.5}}",
            ("tier `power` at 2.5, and active days are counted\n    Write a whole number of at least 1."),
        ),
        (
            "tiered: {type: frequency, on: watch, window: 7 days, tiers: {power: ^0}}",
            ("tier `power` at 0, and active days are counted\n    Write a whole number of at least 1."),
        ),
        (
            "tiered: {type: frequency, on: watch, window: 7 days, tiers: ^{}}",
            ("there are no tiers\n    Write at least one, such as `power: 6`."),
        ),
        (
            "tiered: {type: frequency, on: watch, window: 7 days, tiers: {power: 6, ^none: 1}}",
            (
                "tiered.tiers: no tier can be called `none`: answers call people below the lowest tier so\n"
                "    Give it another name."
            ),
        ),
        (
            "tiered: {type: frequency, on: watch, window: 7 days, tiers: {^inactive: 1}}",
            (
                "tiered.tiers: no tier can be called `inactive`: answers call people who did nothing so\n"
                "    Give it another name."
            ),
        ),
        (
            "tiered: {type: frequency, on: watch, window: 7 days, tiers: {power: ^p100}}",
            (
                "tiered.tiers.power: expected a number, or a percentile from `p1` to `p99`, found `p100`\n"
                "    Write `6`, or `p90`."
            ),
        ),
        (
            "tiered: {type: frequency, on: watch, window: 7 days, tiers: {power: 6, ^power: 5}}",
            ("`power` is written twice; the first is on line 14\n    Keep one of them, or rename one."),
        ),
        (
            "tiered: {type: frequency, on: watch, window: ^0 days, tiers: {power: 1}}",
            ("tiered.window: `0 days` is no time at all\n    Write at least `1 day`."),
        ),
        (
            "tiered: {type: frequency, on: watch, window: ^36 hours, tiers: {power: 1}}",
            ("a window of 36 hours is not one of whole days\n    Write days, such as `7 days`."),
        ),
        (
            "tiered: {type: depth, on: watch, window: ^20 years, tiers: {power: 1}}",
            ("a window of 20 years; at most 3,660 days are counted\n    Write less."),
        ),
        (
            "tiered: {type: depth, on: watch, window: 7 days, frozen_at: ^2026-01-05, tiers: {power: 1}}",
            (
                "`frozen_at` freezes percentiles, and these tiers have none\n"
                "    Leave `frozen_at` out, or write percentiles such as `p90`."
            ),
        ),
        (
            "tiered: {type: breadth, of: {a: watch, b: share}, window: 1 day, tiers: {power: {all_of: [a, ^c]}}}",
            ("there is no feature `c`\n    The features are `a`, `b`."),
        ),
        (
            "tiered: {type: breadth, of: {a: watch, b: share}, window: 1 day, tiers: {power: {all_of: [a, ^a]}}}",
            ("`a` is named twice\n    Name it once."),
        ),
        (
            "tiered: {type: breadth, of: {a: watch, b: share}, window: 1 day, tiers: {power: {all_of: ^[]}}}",
            ("tiered.tiers.power.all_of: is empty\n    Write a value, or leave the line out."),
        ),
        (
            "tiered: {type: breadth, of: {a: watch}, window: 1 day, tiers: {top: ^{at_least: 1, all_of: [a]}}}",
            ("tier `top`: `at_least` and `all_of` are both given\n    Write one of them."),
        ),
        (
            (
                "tiered: {type: breadth, of: {a: watch, b: share}, window: 1 day, "
                "tiers: {p: {all_of: [a]}, c: ^{all_of: [a, b]}}}"
            ),
            ("tier `c` (a, b) is not below `p` (a)\n    Write the highest tier first."),
        ),
        (
            "tiered: {type: breadth, of: {a: watch, b: share}, window: 1 day, tiers: {power: {all_of: [a]}, it: ^1}}",
            ("tier `it` is a number, and `power` is a set of features\n    Write all tiers in one way."),
        ),
        (
            "tiered: {type: breadth, of: {a: watch, b: share}, window: 1 day, tiers: {power: ^3}}",
            ("tier `power` needs 3 features, and `of` has 2\n    Write at most 2."),
        ),
        (
            "tiered: ^{type: breadth, window: 7 days, tiers: {power: 3}}",
            ("says not what a feature is\n    Write `of` with a name for each, or `on` and `property`."),
        ),
        (
            "tiered: {type: breadth, of: {a: watch}, on: ^share, window: 7 days, tiers: {power: 1}}",
            ("`of` and `on` are both given\n    Keep `of`, or write `on` and `property`."),
        ),
        (
            "tiered: {type: breadth, on: share, property: ^contry, window: 7 days, tiers: {power: 1}}",
            ("`share` has no property `contry`\n    Did you mean `country`?"),
        ),
        (
            "tiered: {type: breadth, on: share, property: country, window: 7 days, tiers: {power: {all_of: ^[de]}}}",
            (
                "tier `power` needs features by name, and the values of a property have none here\n"
                "    Write a number, or name the features in `of`."
            ),
        ),
        (
            "tiered: {type: depth, on: watch, window: 7 days, measure: ^minutes, tiers: {power: 5}}",
            ("`minutes` is not what a depth is measured by\n    Write `count`, or `sum(PROPERTY)`."),
        ),
        (
            "tiered: {type: depth, on: watch, window: 7 days, measure: ^sum(minuts), tiers: {power: 5}}",
            ("`sum(minuts)`: `minuts` is not one of the numeric properties\n    Did you mean `minutes`?"),
        ),
        (
            "tiered: {type: depth, on: watch, window: 7 days, tiers: {power: ^0.5}}",
            ("tier `power` at 0.5, and events are counted\n    Write a whole number of at least 1."),
        ),
        (
            "tiered: {type: depth, on: ^wach, window: 7 days, tiers: {power: 1}}",
            ("there is no event or value moment `wach`\n    Did you mean `watch`?"),
        ),
    ],
)
def test_what_tiers_cannot_be(tmp_path: Path, written: str, message: str) -> None:
    """The mark in what is written is the place that is told."""
    place = written.index("^")
    assert told(tmp_path, written.replace("^", "")) == f"shop.yml:{FIRST}:{place + 3}  {message}"


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    found = told(tmp_path, "tiered: {type: frequency, on: watch, window: 36 hours, tiers: {power: 1.5, core: 0}}")
    assert [line.split("  ")[0] for line in found.splitlines() if "shop.yml" in line] == [
        f"shop.yml:{FIRST}:48", f"shop.yml:{FIRST}:73", f"shop.yml:{FIRST}:84",
    ]  # fmt: skip


def test_the_class_of_breadth_is_that_of_all_its_features(tmp_path: Path) -> None:
    value = "watched: {type: value_moment, moments: {w: watch}}\n  "
    (tmp_path / "shop.yml").write_text(
        f"{BASE}  {value}one: {{type: breadth, of: {{a: {{on: watched}}}}, window: 7 days, tiers: {{x: 1}}}}\n"
        "  both: {type: breadth, of: {a: {on: watched}, b: share}, window: 7 days, tiers: {x: 1}}\n"
    )
    model = load_model(tmp_path)[0]
    assert {name: str(one.metric_class) for name, one in model.metrics.items()} == {
        "watched": "engagement", "one": "engagement", "both": "usage",
    }  # fmt: skip


PROPERTIES = {"country": "DE", "minutes": 5.0, "level": 1, "flag": True, "sequence": 1}
NOW = datetime(2026, 3, 18, 12)
WORLD = World((Event("watch", "ann", datetime(2026, 3, 17, 9), PROPERTIES),), "UTC", 0, NOW)


@pytest.fixture(scope="module")
def project() -> Project:
    return project_over(WORLD, OFTEN % "{power: 6, core: 3}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"grain": "hour"}, "tiered: tiers are told apart over whole days\n    Ask for `grain: day` or coarser."),
        (
            {"members": {"tier": "powr"}},
            "tiered: there is no tier `powr`\n    Did you mean `power`?",
        ),
        (
            {"members": {"tier": "power", "period": "2026-03-01"}, "start": "2026-03-10", "end": "2026-03-12"},
            "tiered: 2026-03-01 is in no day of the range\n    Choose a day from 2026-03-10 to 2026-03-12.",
        ),
        (
            {"parts": "histogram"},
            (
                "tiered: a frequency metric has no part `histogram`\n    The parts are `distribution`, `member_count`, "
                "`members`, `migration`, `overall`, `rows`, `thresholds`."
            ),
        ),
        (
            {"compare": "previous_period"},
            "tiered: a frequency has no value to compare with an earlier one\n    Ask for both ranges by themselves.",
        ),
        (
            {"measures": "value"},
            "tiered: there is no measure `value` on this frequency metric\n    The measures are `newer`.",
        ),
    ],
)
def test_what_cannot_be_asked(project: Project, words: dict[str, Any], message: str) -> None:
    with pytest.raises(QueryError) as refused:
        project.answer(ask("tiered", **words))
    assert str(refused.value) == message
