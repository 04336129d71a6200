"""What happened, as the oracles see it: events, the project's calendar settings, and how far the data reach."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite


@dataclass(frozen=True)
class Event:
    """One row of the event table; `at` is naive UTC with microseconds.

    Two rows with equal contents are two events: the oracles tell events apart by their place, never by content.
    """

    name: str
    user: str | None
    at: datetime
    properties: Mapping[str, object]
    event_id: str | None = None


@dataclass(frozen=True)
class World:
    """All events and the settings that give them a calendar; `week_start` is 0 for Monday to 6 for Sunday."""

    events: tuple[Event, ...]
    timezone: str
    week_start: int
    data_through: datetime


Selector = Callable[[Event], bool]


def named(*names: str) -> Selector:
    """The selector of the events with one of these names; without names, of any event."""
    return lambda event: not names or event.name in names


def is_person(user: str | None) -> bool:
    """Whether an entity can be counted: RULES 10, null and empty entities count in totals and sums only."""
    return user is not None and user != ""


def value_of(event: Event, name: str) -> object:
    """The value of a property, None when missing: RULES 12, NaN and infinities count as null."""
    value = event.properties.get(name)
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def number_of(event: Event, name: str) -> float | None:
    """The value of a numeric property, None when null."""
    value = value_of(event, name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is not a number: {value!r}")
    return value


NONE_LABEL = "(none)"


def label_of(value: object) -> str:
    """The breakdown label of a value: RULES 16, breakdown columns are strings and `(none)` is a missing value."""
    if value is None:
        return NONE_LABEL
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    raise TypeError(f"no label for {value!r}: engines spell fractions differently")


def labels_of(event: Event, breakdown: Iterable[str]) -> tuple[str, ...]:
    """The labels of an event under the properties of a breakdown; the empty tuple when there is none."""
    return tuple(label_of(value_of(event, name)) for name in breakdown)


def matching(
    world: World,
    selector: Selector,
    *,
    where: Selector | None = None,
    exclude: Selector | None = None,
) -> tuple[Event, ...]:
    """The events a metric may see: selected, kept by `where`, not excluded (RULES 11), and loaded.

    Events later than `data_through` do not exist; one exactly at `data_through` does.
    """
    return tuple(
        event
        for event in world.events
        if event.at <= world.data_through
        and selector(event)
        and (where is None or where(event))
        and not (exclude is not None and exclude(event))
    )


def deduplicated(events: Iterable[Event]) -> tuple[Event, ...]:
    """RULES 13: rows of one event name with one non-null `event_id` count once, the earliest of those given.

    Give only the scanned range: the earliest *in the range* counts. Rows that share an id and a time are taken to be
    alike, so which of them stays does not matter.
    """
    earliest: dict[tuple[str, str], Event] = {}
    kept: list[Event] = []
    for event in events:
        if event.event_id is None:
            kept.append(event)
            continue
        known = earliest.get((event.name, event.event_id))
        if known is None or event.at < known.at:
            earliest[event.name, event.event_id] = event
    return (*kept, *earliest.values())
