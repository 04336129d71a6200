"""What flows cannot be, and what cannot be asked of them: the exact words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from families.asking import project_over
from families.oracles.world import Event, World
from metrics_api.errors import DefinitionError, QueryError
from metrics_api.semantic.model import MetricClass
from metrics_api.serving.asking import ask

PROPERTIES = {"country": "DE", "minutes": 5.0, "level": 1, "flag": True, "sequence": 1}
NOW = datetime(2026, 3, 18, 12)
WORLD = World((Event("watch", "ann", datetime(2026, 3, 17, 9), PROPERTIES),), "UTC", 0, NOW)
MOMENTS = "moments: {type: value_moment, moments: {watched: {event: watch}}}\n"
WAY = "way: {type: funnel, steps: {opened: {event: open}, watched: {event: watch}}}\n"
LOOSE = "way: {type: funnel, steps: {opened: {event: open}, watched: {event: watch}}, grace: 2 seconds}\n"


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("anchor: {event: open}, after: 10", "10 steps after the anchor; at most 5 are followed\n    Write 5 or less"),
        ("anchor: {event: open}, before: 6", "6 steps before the anchor; at most 5 are followed"),
        ("anchor: {event: open}, after: 0", "a flow of no steps\n    Write `after: 3`, or `before: 3`."),
        ("anchor: {event: open}, after: -1", "next.after: "),
        ("anchor: {event: opne}", "there is no event `opne`\n    Did you mean `open`?"),
        ("anchor: opne", "there is no event or value moment `opne`\n    Did you mean `open`?"),
        ("anchor: {event: open}, hide: [clik]", "there is no event `clik`\n    Did you mean `click`?"),
        ("anchor: {event: open}, hide: [open]", "`open` is hidden, and paths start from it\n    Leave it out."),
        ("anchor: {event: open}, events: [wach]", "there is no event `wach`\n    Did you mean `watch`?"),
        ("anchor: {event: open}, events: [watch], hide: [click]", "`hide` is given beside `events`"),
        ("anchor: {event: open}, events: [watch], source: events", "`source` and `events` are both given"),
        ("anchor: {event: open}, source: event", "there is no source `event`\n    Did you mean `events`?"),
        ("anchor: {event: open}, top: 0", "0 nodes of each column; it can be 1 to 50"),
        ("anchor: {event: open}, top: 51", "51 nodes of each column; it can be 1 to 50"),
        ("anchor: {event: open}, paths: 2000", "2,000 paths; it can be 1 to 1,000"),
        (
            "anchor: {event: open}, node: contry",
            "there is no property `contry` to call steps by\n    Did you mean `country`?",
        ),
        ("anchor: {event: open, first_ever: true}, count: totals", "a person has one first anchor ever: totals are"),
        ("anchor: {funnel: way, dropped_at: watched}, count: totals", "a funnel loses people, and each of them once"),
        ("anchor: {funnel: way}", "does not say which step people were lost at\n    Write `dropped_at: STEP`."),
        ("anchor: {event: open, dropped_at: watched}", "`dropped_at` is given without `funnel`"),
        ("anchor: {event: open, funnel: way}", "`event` and `funnel` are both given\n    Keep one."),
        ("anchor: {funnel: way, dropped_at: watchd}", "`way` has no step `watchd`\n    Did you mean `watched`?"),
        (
            "anchor: {funnel: way, dropped_at: opened}",
            "nobody is lost at `opened`, the first step\n    Name a later step",
        ),
        ("anchor: {funnel: wey, dropped_at: opened}", "there is no metric `wey`\n    Did you mean `way`?"),
        ("anchor: {funnel: moments, dropped_at: opened}", "`moments` is a value_moment metric, not a funnel"),
        ("anchor: {funnel: way, dropped_at: watched, first_ever: true}", "`first_ever` is given beside `funnel`"),
        ("anchor: {where: minutes > 1}", "says neither `event`, `on` nor `funnel`"),
        ("anchor: {event: open, where: minuts > 1}", "`minuts` is not a declared property"),
        ("anchor: {event: open}, class: engagement", "`next` counts actions, not value: it is usage."),
    ],
)
def test_definitions_are_refused(definition: str, message: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        project_over(WORLD, f"{MOMENTS}{WAY}next: {{type: flow, {definition}}}")
    assert message in str(raised.value)


def test_steps_that_are_not_where_they_were_recorded_are_refused() -> None:
    with pytest.raises(DefinitionError) as raised:
        project_over(WORLD, f"{LOOSE}next: {{type: flow, anchor: {{funnel: way, dropped_at: watched}}}}")
    assert "`way` has a grace: its steps are not where they were recorded" in str(raised.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"measures": "seconds_p0"}, "there is no measure `seconds_p0` on this flow metric"),
        ({"measures": "seconds_medain"}, "Did you mean `seconds_median`?"),
        ({"parts": "steps"}, "next: a flow metric has no part `steps`"),
        ({"by": "path"}, "next: answers have a column `path`\n    Call the property otherwise"),
        ({"compare": "previous_period"}, "next: a flow has no value to compare with an earlier one"),
    ],
)
def test_questions_are_refused(words: dict[str, Any], message: str) -> None:
    project = project_over(
        WORLD, "next: {type: flow, anchor: {event: open}}", properties="path: {type: string, column: country}"
    )
    with pytest.raises(QueryError) as raised:
        project.query("next", **words)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("anchor", "class_"),
    [
        ("{event: watch}", MetricClass.USAGE),
        ("{on: moments}", MetricClass.ENGAGEMENT),
        ("{funnel: way, dropped_at: watched}", MetricClass.USAGE),
    ],
)
def test_flows_from_value_are_engagement(anchor: str, class_: MetricClass) -> None:
    project = project_over(WORLD, f"{MOMENTS}{WAY}next: {{type: flow, anchor: {anchor}}}")
    assert project.model.metrics["next"].metric_class is class_


def test_of_those_a_funnel_lost_the_usual_range_is_twice_its_window() -> None:
    project = project_over(WORLD, f"{WAY}next: {{type: flow, anchor: {{funnel: way, dropped_at: watched}}}}")
    info = project.answer(ask("next")).info
    assert (info.last - info.first).days == 59
