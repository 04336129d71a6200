"""Two small metric families, so that the tests of `definitions` stand on it alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from metrics_api.definitions.base import DurationField, MetricDefinition, Selector
from metrics_api.definitions.names import EventName, Identifier, MetricName


class Usage(MetricDefinition):
    """How often something is done."""

    type: Literal["usage"]
    event: EventName
    """The event that is counted."""
    measure: str = "total"
    """What `value` is."""
    cumulative: bool = False
    """A running total over the range."""


class StartingEvent(Selector):
    """What makes someone a member of a cohort."""

    first_ever: bool = False
    """Only the first one of each person's whole history."""


class Percentile(Selector):
    """A tier's threshold as a share of the active people."""

    shorthand = None

    percentile: int = Field(ge=1, le=99)
    """Of a hundred active people, how many lie below."""


class Retention(MetricDefinition):
    """How many of those who start come back."""

    type: Literal["retention"]
    start: StartingEvent
    """What makes someone a member of a cohort."""
    return_: Selector = Field(alias="return")
    """What counts as coming back."""
    grain: Literal["day", "week", "month"] = "week"
    """The size of a period."""
    periods: int = Field(default=12, ge=1, le=100)
    """How many periods to follow a cohort."""
    mode: Literal["on", "on_or_after", "streak"] | tuple[int, ...] = "on"
    """Which returns count; a list gives brackets."""
    window: DurationField | None = None
    """How long after the start a return counts."""
    tiers: Mapping[Identifier, int | Percentile] = Field(default_factory=dict)
    """Names for how often people return, with the lowest value of each."""
    candidates: tuple[MetricName, ...] = ()
    """Metrics that may explain it."""


FAMILIES: Mapping[str, type[MetricDefinition]] = {"usage": Usage, "retention": Retention}

PROJECT = """\
version: 1
project:
  name: streaming
sources:
  app_events:
    table: analytics.app_events
    time: occurred_at
    event_name: event
    identity: {user: user_id}
events:
  signed_up: {source: app_events, once_per_user: true}
  watched_video: {source: app_events, where: minutes >= 1}
"""
