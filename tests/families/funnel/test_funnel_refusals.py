"""Funnels that mean nothing, and questions about people that nobody can be, with the exact words people get."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from metrics_api.compile.project import load_model
from metrics_api.errors import DefinitionError, QueryError
from metrics_api.families import families
from metrics_api.query.bind import bind
from metrics_api.query.limits import Limits
from metrics_api.serving.asking import ask

PROJECT = """\
version: 1
project: {name: streaming}
sources:
  app_events:
    table: events
    time: at
    event_name: event
    identity: {user: user_id}
    properties: {country: string, level: integer}
  mails:
    table: mails
    time: at
    event_name: event
    identity: {user: user_id}
    properties: {country: string}
entities:
  user: {attributes: {table: users, key: id, columns: {email: {type: string, personal: true}}}}
events:
  open: {source: app_events}
  share: {source: app_events}
  watch: {source: app_events}
  anything: {source: app_events, name: any}
  mailed: {source: mails}
"""


def said(folder: Path, metric: str) -> str:
    (folder / "project.yml").write_text(PROJECT, "utf-8")
    (folder / "m.yml").write_text("metrics:\n  f:\n    type: funnel\n" + metric, "utf-8")
    with pytest.raises(DefinitionError) as caught:
        load_model(folder)
    return "\n".join(str(one) for one in caught.value.problems).replace(f"{folder}/", "")


STEPS = "    steps: {opened: open, shared: share, watched: watch}\n"
LEFT = "    exclude: {out: {event: watch, between: [shared, watched]}}\n"
IN_ANY_ORDER = "    order: unordered\n    hold_constant: [country]\n    attribution: step opened\n    count: totals\n"
REFUSED = {
    "one_step": (
        "    steps: {opened: open}\n",
        ["m.yml:4:12  a funnel of 1 step", "    Give it at least two steps."],
    ),
    "window_of_zero": (
        STEPS + "    within: 0 days\n",
        ["m.yml:5:13  f.within: `0 days` is no time at all", "    Write at least `1 day`."],
    ),
    "same_name_twice": (
        "    steps: {opened: open, opened: watch}\n",
        ["m.yml:4:27  `opened` is written twice; the first is on line 4", "    Keep one of them, or rename one."],
    ),
    "first_step_optional": (
        "    steps: {opened: {event: open, optional: true}, watched: watch}\n",
        [
            "m.yml:4:45  the first step begins every attempt; it cannot be optional",
            "    Leave `optional` out.",
        ],
    ),
    "last_step_optional": (
        "    steps: {opened: open, watched: {event: watch, optional: true}}\n",
        [
            "m.yml:4:61  the last step is what the funnel leads to; it cannot be optional",
            "    Leave `optional` out.",
        ],
    ),
    "optional_step_of_an_event_that_is_another_step_too": (
        "    steps: {opened: open, any: {event: anything, optional: true}, watched: watch}\n",
        [
            "m.yml:4:60  one event could be both `opened` and `any`, and one of them is optional",
            "    Name different events, or leave it out.",
            "m.yml:4:60  one event could be both `any` and `watched`, and one of them is optional",
            "    Name different events, or leave it out.",
        ],
    ),
    "first_ever_later": (
        "    steps: {opened: open, watched: {event: watch, first_ever: true}}\n",
        ["m.yml:4:63  only the first step can be `first_ever`", "    Leave it out here."],
    ),
    "a_window_before_the_first": (
        "    steps: {opened: {event: open, within: 1 day}, watched: watch}\n",
        ["m.yml:4:43  nothing comes before the first step", "    Say it at a later step."],
    ),
    "a_step_window_longer_than_the_funnel": (
        "    steps: {opened: open, watched: {event: watch, within: 2 days}}\n    within: 1 day\n",
        [
            "m.yml:4:59  2 days is longer than the funnel's window of 1 day",
            "    Make it shorter, or the funnel's `within` longer.",
        ],
    ),
    "exclusion_between_unknown_steps": (
        STEPS + "    exclude: {out: {event: watch, between: [opend, watched]}}\n",
        ["m.yml:5:45  there is no step `opend`", "    Did you mean `opened`?"],
    ),
    "exclusion_backwards": (
        STEPS + "    exclude: {out: {event: watch, between: [watched, opened]}}\n",
        [
            "m.yml:5:44  between `watched` and `opened`, which does not come after it",
            "    Name the earlier step first.",
        ],
    ),
    "exclusion_of_one_step": (
        STEPS + "    exclude: {out: {event: watch, between: [opened, opened]}}\n",
        ["m.yml:5:44  between `opened` and `opened`, which does not come after it", "    Name two steps."],
    ),
    "exclusion_from_an_optional_step": (
        "    steps: {opened: open, shared: {event: share, optional: true}, watched: watch}\n" + LEFT,
        [
            "m.yml:5:45  `shared` is optional: an attempt may never come to it",
            "    Name a required step.",
        ],
    ),
    "strict_and_one_event_two_steps": (
        "    steps: {first: watch, second: watch}\n    order: strict\n",
        [
            "m.yml:5:12  one event could be both `first` and `second`, and strict funnels take one event for one step",
            "    Name different events, or leave it out.",
        ],
    ),
    "strict_and_optional": (
        "    steps: {opened: open, shared: {event: share, optional: true}, watched: watch}\n    order: strict\n",
        [
            "m.yml:4:60  an optional step would be another event between the steps of a strict funnel",
            "    Write `order: ordered`, or leave it out.",
        ],
    ),
    "among_what": (
        STEPS + "    among: steps\n",
        ["m.yml:5:12  `among` is for strict funnels", "    Write `order: strict`, or leave it out."],
    ),
    "unordered_and_what_needs_an_order": (
        "    steps: {opened: {event: open, first_ever: true}, watched: {event: watch, within: 1 day}}\n" + IN_ANY_ORDER,
        [
            "m.yml:4:47  `first_ever` needs an order of steps",
            "    Write `order: ordered`, or leave it out.",
            "m.yml:4:86  `within` needs an order of steps",
            "    Write `order: ordered`, or leave it out.",
            "m.yml:6:20  `hold_constant` needs an order of steps",
            "    Write `order: ordered`, or leave it out.",
            "m.yml:7:18  `attribution` by a step needs an order of steps",
            "    Write `order: ordered`, or leave it out.",
            "m.yml:8:12  a person has one first entry ever: totals are users",
            "    Leave out `count`.",
            "m.yml:8:12  `count: totals` needs an order of steps",
            "    Write `order: ordered`, or leave it out.",
        ],
    ),
    "totals_of_the_first": (
        STEPS + "    entry: first\n    count: totals\n",
        ["m.yml:6:12  totals count every entry, not the first", "    Leave out `count` or `entry`."],
    ),
    "grace_and_exclusions": (
        STEPS + "    grace: 2 seconds\n    exclude: {out: {event: mailed}}\n",
        [
            "m.yml:5:12  grace and exclusions: what lies between two steps would depend on which came first",
            "    Leave it out.",
        ],
    ),
    "grace_as_long_as_the_window": (
        STEPS + "    grace: 1 day\n    within: 1 day\n",
        ["m.yml:5:12  a grace of 1 day in a window of 1 day", "    Write some seconds."],
    ),
    "held_constant_what_is_not_there": (
        STEPS + "    hold_constant: [contry, country, country, user_email]\n",
        [
            "m.yml:5:21  there is no property `contry` to hold constant",
            "    Did you mean `country`?",
            "m.yml:5:38  `country` is held constant twice",
            "m.yml:5:47  `user_email` is personal",
        ],
    ),
    "held_constant_what_one_source_lacks": (
        STEPS + "    exclude: {out: {event: mailed}}\n    hold_constant: [level]\n",
        ["m.yml:6:21  there is no property `level` to hold constant"],
    ),
    "attribution_of_no_step": (
        STEPS + "    attribution: step whatched\n",
        ["m.yml:5:18  there is no step `whatched`", "    Did you mean `watched`?"],
    ),
    "attribution_of_nothing": (
        STEPS + "    attribution: middle\n",
        ["m.yml:5:18  f.attribution: `middle` is no attribution", "    Write `first`, `last`, `all` or `step NAME`."],
    ),
    "unknown_effect": (
        STEPS + "    exclude: {out: {event: mailed, effect: ignore}}\n",
        [
            "m.yml:5:44  f.exclude.out.effect: `ignore` is not one of the choices",
            "    The choices are `drop`, `remove`.",
        ],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_definitions(name: str, tmp_path: Path) -> None:
    metric, lines = REFUSED[name]
    found = said(tmp_path, metric)
    for line in lines:
        assert line in found, found


def test_nobody_is_lost_at_the_first_step(tmp_path: Path) -> None:
    (tmp_path / "project.yml").write_text(PROJECT, "utf-8")
    (tmp_path / "m.yml").write_text("metrics:\n  f:\n    type: funnel\n" + STEPS, "utf-8")
    model, _ = load_model(tmp_path)

    def refused(**members: str) -> str:
        asked = ask("f", last="7 days", parts="members", members=members)
        with pytest.raises(QueryError) as caught:
            bind(asked, model, families(), now=datetime(2026, 3, 1), limits=Limits())
        return str(caught.value)

    assert refused(step="opened", state="dropped") == (
        "f: nobody is dropped at the first step\n    Ask for the people of a later step."
    )
    assert refused(step="opend") == "f: there is no step `opend`\n    Did you mean `opened`?"
    assert refused(state="lost").startswith("f: there is no state `lost`")
