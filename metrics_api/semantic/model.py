"""The semantic model: every name is an object, every condition is parsed, nothing can change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from metrics_api.definitions.base import MetricDefinition
from metrics_api.definitions.boards import BoardDefinition
from metrics_api.definitions.sources import ProjectDefinition
from metrics_api.definitions.warmups import WarmupDefinition
from metrics_api.errors import SourceSpan
from metrics_api.periods import Calendar, Duration
from metrics_api.plan.expr import Expr, Type
from metrics_api.plan.nodes import View


class MetricClass(StrEnum):
    """What the whole product is about: a count of actions, or of people getting value."""

    USAGE = "usage"
    ENGAGEMENT = "engagement"


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a source's events. With `path` it is read from a JSON column.

    With `entity` it is an attribute of users or accounts as of now: the attribute `plan` of users is `user_plan`.
    """

    name: str
    column: str
    type: Type
    path: str | None = None
    label: str | None = None
    description: str | None = None
    unit: str | None = None
    bins: tuple[Decimal, ...] = ()
    """The edges by which its numbers are broken down."""
    entity: str | None = None
    personal: bool = False

    @property
    def written(self) -> str:
        """How people may write it in a condition: `user.plan`."""
        return self.name if self.entity is None else f"{self.entity}.{self.name.removeprefix(f'{self.entity}_')}"


@dataclass(frozen=True, slots=True)
class IdentityMap:
    """A table of aliases and the ids they stand for, followed once."""

    table: str
    alias: str
    to: str


@dataclass(frozen=True, slots=True, eq=False)
class Attributes:
    """A table with what is known of each entity, by the names of answers (`user_plan`)."""

    table: str
    key: str
    unique: bool
    properties: Mapping[str, Property]
    known_since: tuple[str, Type] | None = None
    """The column of since when each is known, an instant or a local date; without it the table may lack some."""


@dataclass(frozen=True, slots=True, eq=False)
class Entity:
    """Users or accounts."""

    name: str
    identity_map: IdentityMap | None = None
    attributes: Attributes | None = None
    label: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """The column that names the entity of an event. Without a declared type its text decides whether it is empty."""

    entity: str
    column: str
    type: Type | None


@dataclass(frozen=True, slots=True)
class Partition:
    """The column that the warehouse skips by: the date of the event, or one up to `lag_days` later."""

    column: str
    type: Type = Type.DATE
    lag_days: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class EventTable:
    """A table or view with the rows of one event (`event` None: of any), and the properties that it has."""

    name: str
    event: str | None
    properties: Mapping[str, Property]
    view: View | None = None
    """The query that is read instead; `name` is then that of the source."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A stream of events: a table of all of them, or a table for each event. `properties` are those of any table."""

    name: str
    tables: tuple[EventTable, ...]
    time: str
    event_name: str | None
    properties: Mapping[str, Property]
    identities: Mapping[str, Identity]
    entities: Mapping[str, Entity]
    """What is known of those who have an identity here, by the names of `identities`."""
    event_id: str | None = None
    event_id_unique: bool = False
    partition: Partition | None = None
    loaded_at: str | None = None
    late_arrival: Duration | None = None
    history_start: datetime | None = None
    """The instant before which no row is read."""
    tie_breaker: str | None = None
    session_id: str | None = None
    exclude: Expr | None = None
    exclude_text: str | None = None
    description: str | None = None

    @property
    def table(self) -> str:
        """What is read, for people."""
        return ", ".join(one.name for one in self.tables)

    def tables_of(self, events: Collection[str | None]) -> tuple[EventTable, ...]:
        """The tables that hold events of these written names; None: any."""
        return tuple(one for one in self.tables if one.event is None or None in events or one.event in events)

    @property
    def tells_events(self) -> bool:
        """Whether rows say which event they are, by a column or by their table."""
        return self.event_name is not None or any(one.event is not None for one in self.tables)

    @property
    def attributes(self) -> Mapping[str, Property]:
        """The attributes of everyone who has an identity here, personal ones too."""
        tables = (one.attributes for one in self.entities.values())
        return {name: one for table in tables if table for name, one in table.properties.items()}


def fields_of(sources: Sequence[Source]) -> Mapping[str, Property]:
    """What can be filtered and broken down by over all of these sources: properties, then attributes.

    Only what all of them have with the same type, and nothing personal.
    """
    if not sources:
        return {}
    everywhere = [{**one.properties, **one.attributes} for one in sources]
    return {
        name: one
        for name, one in everywhere[0].items()
        if not one.personal and all(name in other and other[name].type is one.type for other in everywhere[1:])
    }


def types_of(fields: Mapping[str, Property]) -> Mapping[str, Type]:
    """The fields as conditions name them: an attribute is `user_plan` and `user.plan`."""
    return {name: one.type for one in fields.values() for name in (one.name, one.written)}


def personal_of(sources: Sequence[Source]) -> frozenset[str]:
    """The personal attributes, as conditions would name them."""
    found = [one for source in sources for one in source.attributes.values() if one.personal]
    return frozenset(name for one in found for name in (one.name, one.written))


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """A named kind of event of one source: `match` holds for its rows. `key` is its written name, None for any."""

    name: str
    source: Source
    match: Expr
    key: str | None
    once_per_user: bool = False
    label: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to qualify: an event, on a further condition."""

    event: Event
    where: Expr


@dataclass(frozen=True, slots=True)
class Selection:
    """What is counted: an event, or the moments of a value moment. Its occurrences are the qualifying events."""

    name: str
    alternatives: tuple[Alternative, ...]
    is_value_moment: bool

    @property
    def sources(self) -> tuple[Source, ...]:
        return tuple(dict.fromkeys(one.event.source for one in self.alternatives))

    def events(self, source: Source) -> tuple[str | None, ...]:
        """The written names of its events in a source; None for any."""
        return tuple(dict.fromkeys(one.event.key for one in self.alternatives if one.event.source is source))

    def is_once_per(self, entity: str) -> bool:
        """Whether each of them does it at most once: promised of users, as long as no two ids become one."""
        if entity != "user" or len(self.alternatives) != 1:
            return False
        event = self.alternatives[0].event
        people = event.source.entities.get(entity)
        return event.once_per_user and (people is None or people.identity_map is None)

    def overlaps(self, other: Selection) -> bool:
        """Whether one event could qualify for both, judged by source and event name alone."""
        return any(
            here.event.source is there.event.source
            and (None in (here.event.key, there.event.key) or here.event.key == there.event.key)
            for here in self.alternatives
            for there in other.alternatives
        )


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A metric whose references are resolved. `spec` is its family's own frozen record."""

    name: str
    type: str
    definition: MetricDefinition
    spec: Any  # The family's own type: only that family reads it.
    metric_class: MetricClass
    sources: tuple[Source, ...]
    depends_on: tuple[str, ...]
    where: SourceSpan
    entity: str = "user"
    """Who is counted."""

    @property
    def label(self) -> str:
        return self.definition.label or self.name.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class CacheTimes:
    """How long an answer is given again, and how much longer while a new one is fetched; None: as the server does."""

    ttl: timedelta | None
    stale: timedelta | None


@dataclass(frozen=True, slots=True, eq=False)
class SemanticModel:
    """Everything a project defines, resolved."""

    project: ProjectDefinition
    calendar: Calendar
    entities: Mapping[str, Entity]
    sources: Mapping[str, Source]
    events: Mapping[str, Event]
    metrics: Mapping[str, Metric]
    cohorts: Mapping[str, Metric]
    """Who belongs together, resolved as metrics of the family `cohort` are; no metric has the name of one."""
    boards: Mapping[str, BoardDefinition]
    """Questions that are asked together, those of templates among them."""
    warmups: Mapping[str, WarmupDefinition]
    """Questions that are asked before people ask them."""
    as_of: datetime | None
    hash: str
    """Changes with any definition that could change an answer."""

    def cache_times(self, metric: Metric) -> CacheTimes:
        """How long answers of a metric or cohort are kept: as it says itself, else as the project says."""
        own, usual = metric.definition.cache, self.project.cache
        ttl = (own and own.ttl) or (usual and usual.ttl)
        stale = (own and own.stale) or (usual and usual.stale)
        return CacheTimes(ttl.elapsed if ttl else None, stale.elapsed if stale else None)

    def dependents(self, name: str) -> tuple[str, ...]:
        """The metrics that rest on an event or a metric, directly or through others."""
        found: dict[str, None] = {}
        waiting = [name]
        while waiting:
            current = waiting.pop()
            for metric in self.metrics.values():
                if current in metric.depends_on and metric.name not in found:
                    found[metric.name] = None
                    waiting.append(metric.name)
        return tuple(sorted(found))
