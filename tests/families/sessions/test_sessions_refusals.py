"""What sessions cannot be, and what cannot be asked of them: the exact words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from families.asking import project_over
from families.oracles.world import Event, World
from metrics_api.errors import DefinitionError, QueryError
from metrics_api.semantic.model import MetricClass

PROPERTIES = {"country": "DE", "minutes": 5.0, "level": 1, "flag": True, "sequence": 1}
NOW = datetime(2026, 3, 18, 12)
WORLD = World((Event("watch", "ann", datetime(2026, 3, 17, 9), PROPERTIES),), "UTC", 0, NOW)
MOMENTS = "moments: {type: value_moment, moments: {watched: {event: watch}}}\n"


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("{type: sessions}", "says neither `source`, `on` nor `events`\n    Write one of them: what sessions are"),
        ("{type: sessions, source: events, on: watch}", "`source` and `on` are both given\n    Keep one."),
        ("{type: sessions, source: event}", "there is no source `event`\n    Did you mean `events`?"),
        ("{type: sessions, on: wach}", "there is no event or value moment `wach`\n    Did you mean `watch`?"),
        ("{type: sessions, events: [watch, opne]}", "there is no event `opne`\n    Did you mean `open`?"),
        ("{type: sessions, on: watch, hide: [click]}", "`hide` is given without `source`\n    Leave it out, or write"),
        ("{type: sessions, source: events, hide: [clik]}", "there is no event `clik`\n    Did you mean `click`?"),
        ("{type: sessions, source: events, gap: 30}", "expected a duration such as `7 days`, found `30`"),
        ("{type: sessions, source: events, gap: 25 hours}", "a gap of 25 hours; at most 24 hours\n    Write less"),
        ("{type: sessions, source: events, tail: 2 days}", "a tail of 2 days; at most 24 hours"),
        (
            "{type: sessions, source: events, gap: 1 hour, by: session_id}",
            "`gap` and `by` are both given\n    Keep one of them.",
        ),
        ("{type: sessions, source: events, by: visit}", "visits.by: expected `session_id`, found `visit`"),
        (
            "{type: sessions, source: events, by: session_id}",
            (
                "source `events` does not say which session an event is of\n    Write `session_id: COLUMN` at the "
                "source, or a `gap` here."
            ),
        ),
        ("{type: sessions, source: events, where: minuts > 1}", "`minuts` is not a declared property"),
        (
            "{type: sessions, on: watch, containing: {event: click}}",
            "no session has `click` in it: they are made of other events\n    Name an event that sessions are made of.",
        ),
        (
            "{type: sessions, source: events, hide: [click], containing: click}",
            "no session has `click` in it: it is hidden",
        ),
        (
            "{type: sessions, source: events, class: engagement}",
            "`visits` counts actions, not value: it is usage.",
        ),
    ],
)  # fmt: skip
def test_definitions_are_refused(definition: str, message: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        project_over(WORLD, f"visits: {definition}")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"measures": "minutes_per_session_p0"},
            "there is no measure `minutes_per_session_p0` on this sessions metric",
        ),
        ({"measures": "bounce"}, "Did you mean `bounces`?"),
        ({"parts": "steps"}, "visits: a sessions metric has no part `steps`"),
        ({"parts": "members"}, "has no part `members`"),
    ],
)
def test_questions_are_refused(words: dict[str, Any], message: str) -> None:
    with pytest.raises(QueryError) as raised:
        project_over(WORLD, "visits: {type: sessions, source: events}").query("visits", **words)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("definition", "class_"),
    [
        ("source: events", MetricClass.USAGE),
        ("source: events, containing: watch", MetricClass.USAGE),
        ("source: events, containing: moments", MetricClass.ENGAGEMENT),
        ("on: moments", MetricClass.ENGAGEMENT),
        ("events: [watch, open]", MetricClass.USAGE),
    ],
)
def test_sessions_are_engagement_if_value_is_in_them(definition: str, class_: MetricClass) -> None:
    project = project_over(WORLD, f"{MOMENTS}visits: {{type: sessions, {definition}}}")
    assert project.model.metrics["visits"].metric_class is class_
