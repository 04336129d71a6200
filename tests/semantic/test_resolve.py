"""What no single definition can know: names, value moments, conditions over a source's properties."""

from __future__ import annotations

from pathlib import Path

import pytest

from metrics_api.compile.project import load_model
from metrics_api.errors import DefinitionError
from metrics_api.semantic.model import MetricClass

BASE = """\
version: 1
project: {name: shop, value_moment: VALUE}
sources:
  app:
    table: app_events
    time: at
    event_name: event
    identity: {user: user_id}
    properties: {minutes: number, country: string}
events:
  watch: {source: app}
  click: {source: app}
metrics:
"""


def model(tmp_path: Path, metrics: str, *, project: str = "watch"):  # type: ignore[no-untyped-def]
    text = BASE.replace("VALUE", project) + "".join(f"  {line}\n" for line in metrics.splitlines())
    (tmp_path / "shop.yml").write_text(text, encoding="utf-8")
    return load_model(tmp_path)[0]


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (
            "clicks: {type: usage, event: clik}",
            "shop.yml:14:32  there is no event `clik`\n    Did you mean `click`?",
        ),
        (
            "daily: {type: active_users, on: watc}",
            "shop.yml:14:35  there is no event or value moment `watc`\n    Did you mean `watch`?",
        ),
        (
            "clicks: {type: usage, event: click, class: engagement}",
            (
                "shop.yml:14:46  `clicks` counts actions, not value: it is usage. Engagement is a value moment "
                "reached, and a click says nothing about value\n"
                "    Rest the metric on a value moment (`on: NAME` of a metric of type value_moment), "
                "or write `class: usage`."
            ),
        ),
        (
            "watched: {type: value_moment, moments: {w: watch}, class: usage}",
            (
                "shop.yml:14:61  `watched` counts a value moment, so it is engagement, not usage\n"
                "    Write `class: engagement`, or leave the line out."
            ),
        ),
        (
            "clicks: {type: usage, event: click, where: minuts > 3}",
            "shop.yml:14:46  `minuts` is not a declared property\n    Did you mean `minutes`?",
        ),
        (
            "clicks: {type: usage, event: click, measure: sum(contry)}",
            (
                "shop.yml:14:48  `sum(contry)`: `contry` is not one of the numeric properties\n"
                "    The numeric properties are `minutes`."
            ),
        ),
        (
            "clicks: {type: usage, event: click, measure: totl}",
            (
                "shop.yml:14:48  `totl` is not a measure\n"
                "    Write `total`, `users`, `per_user(median)` or `sum(PROPERTY)`, `average(..)`, `min(..)`, "
                "`max(..)`."
            ),
        ),
        (
            "one: {type: funnel, steps: {a: click}}",
            "shop.yml:14:30  a funnel of 1 step\n    Give it at least two steps.",
        ),
        (
            "daily: {type: active_users, on: watch, window: 5 hours}",
            "shop.yml:14:50  a window of 5 hours is not one of whole days\n    Write days, such as `7 days`.",
        ),
        (
            "sticky: {type: stickiness, on: watch, short: 36 hours, long: 7 days}",
            "shop.yml:14:48  a window of 36 hours is not one of whole days\n    Write days, such as `7 days`.",
        ),
        (
            "sticky: {type: stickiness, on: watch, long: 1 day}",
            (
                "shop.yml:14:47  a long window of 1 day is not always longer than a short one of 1 day\n"
                "    Make `long` longer, or `short` shorter."
            ),
        ),
        (
            "sticky: {type: stickiness, on: watch, short: 4 weeks}",
            (
                "shop.yml:14:48  a long window of 28 days is not always longer than a short one of 4 weeks\n"
                "    Make `long` longer, or `short` shorter."
            ),
        ),
        (
            "sticky: {type: stickiness, on: watch, short: 28 days, long: 1 month}",
            (
                "shop.yml:14:63  a long window of 1 month is not always longer than a short one of 28 days\n"
                "    Make `long` longer, or `short` shorter."
            ),
        ),
        (
            "sticky: {type: stickiness, on: watch, long: 2 years}",
            "shop.yml:14:47  a long window of 2 years; at most 366 days are counted\n    Write a shorter one.",
        ),
    ],
)
def test_refuses_in_full(tmp_path: Path, metrics: str, message: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        model(tmp_path, metrics)
    assert str(raised.value) == message


def test_tells_everything_at_once(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as raised:
        model(tmp_path, "a: {type: usage, event: clik}\nb: {type: usage, event: click, where: x > 1}", project="wach")
    assert [problem.where.line for problem in raised.value.problems if problem.where] == [2, 14, 15]


def test_an_event_and_a_value_moment_may_not_share_a_name(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="`watch` is both an event and a value moment"):
        model(tmp_path, "watch: {type: value_moment, moments: {w: watch}}")


def test_class_follows_from_what_is_counted(tmp_path: Path) -> None:
    found = model(
        tmp_path,
        "clicks: {type: usage, event: click}\n"
        "watched: {type: value_moment, moments: {w: {event: watch, where: minutes > 3}}}\n"
        "active: {type: active_users, on: watched}\n"
        "clickers: {type: active_users, on: click}\n"
        "to_value: {type: funnel, steps: {c: click, w: watched}, class: engagement}\n"
        "to_click: {type: funnel, steps: {w: watched, c: click}}\n"
        "plays: {type: usage, event: watch}",
    )
    classes = {name: metric.metric_class for name, metric in found.metrics.items()}
    engaged = {name for name, one in classes.items() if one is MetricClass.ENGAGEMENT}
    assert engaged == {"watched", "active", "to_value", "plays"}
    assert found.dependents("watch") == ("active", "plays", "to_click", "to_value", "watched")
