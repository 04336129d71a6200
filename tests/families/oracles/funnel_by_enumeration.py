"""The counted attempt of a person, found among all tuples of their events: a check on `funnel` in tiny worlds.

Nothing is walked step by step here. Every ordered choice of distinct events that fits the rules is an attempt, however
unreasonable; the rules of preference alone decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise, permutations

from families.oracles.funnel import Funnel
from families.oracles.world import NONE_LABEL, Event, label_of, value_of

Key = tuple[datetime, int, int]


@dataclass(frozen=True)
class Choice:
    """Distinct events taken as steps 1 to their number."""

    events: tuple[Event, ...]

    def keys(self, spec: Funnel) -> tuple[Key, ...]:
        """RULES 24, the order key: (time, step ascending); where steps overlap (time, tie breaker, step descending)."""
        if not spec.overlapping:
            return tuple((event.at, 0, step) for step, event in enumerate(self.events))
        tie_breaker = spec.tie_breaker or (lambda _: 0)
        return tuple((event.at, tie_breaker(event), -step) for step, event in enumerate(self.events))


def choices(own: Sequence[Event], spec: Funnel, start: datetime, end: datetime) -> list[Choice]:
    """Every choice of a person's events that fits selectors, order, window and range."""
    found: list[Choice] = []
    for depth in range(1, len(spec.steps) + 1):
        for events in permutations(own, depth):
            choice = Choice(events)
            keys = choice.keys(spec)
            if (
                all(step.selector(event) for step, event in zip(spec.steps, events, strict=False))
                and all(earlier < later for earlier, later in pairwise(keys))
                and all(event.at - events[0].at <= spec.window for event in events)
                and start <= events[0].at < end
            ):
                found.append(choice)
    return found


def best_choices(own: Sequence[Event], spec: Funnel, start: datetime, end: datetime) -> list[Choice]:
    """The choices that stand for a person, which differ only in events with equal keys; empty if they never entered.

    RULES 25: with `entry: first` only choices from the first entry are looked at. Then the deepest, of these the
    earliest completed, of these the latest entry, of these the earliest step after step.
    """
    found = choices(own, spec, start, end)
    if not found:
        return []
    if spec.entry == "first":
        first = min(choice.keys(spec)[0] for choice in found)
        found = [choice for choice in found if choice.keys(spec)[0] == first]
    deepest = max(len(choice.events) for choice in found)
    found = [choice for choice in found if len(choice.events) == deepest]
    completed = min(choice.keys(spec)[-1] for choice in found)
    found = [choice for choice in found if choice.keys(spec)[-1] == completed]
    latest = max(choice.keys(spec)[0] for choice in found)
    found = [choice for choice in found if choice.keys(spec)[0] == latest]
    earliest = min(choice.keys(spec) for choice in found)
    return [choice for choice in found if choice.keys(spec) == earliest]


def label_of_choices(best: Sequence[Choice], name: str) -> str:
    """The first non-null label over the steps, the smallest where events tie."""
    for events in zip(*(choice.events for choice in best), strict=True):
        there = [label_of(value_of(event, name)) for event in events if value_of(event, name) is not None]
        if there and min(there) != NONE_LABEL:
            return min(there)
    return NONE_LABEL
