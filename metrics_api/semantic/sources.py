"""Definitions of entities and sources to the semantic model's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from metrics_api.definitions.base import ENTITIES
from metrics_api.definitions.loader import Definitions
from metrics_api.definitions.names import LONGEST_NAME
from metrics_api.definitions.sources import PartitionColumn, PropertyDefinition, SourceDefinition
from metrics_api.errors import Code, Problem, did_you_mean
from metrics_api.periods import DAY, Calendar
from metrics_api.plan.expr import Type, columns
from metrics_api.plan.nodes import View
from metrics_api.semantic.expressions import ConditionError, parse_condition
from metrics_api.semantic.model import (
    Attributes,
    Entity,
    EventTable,
    Identity,
    IdentityMap,
    Partition,
    Property,
    Source,
)
from metrics_api.semantic.views import DIALECTS, ViewError, check_view


@dataclass
class Sources:
    """The entities and sources that are resolved so far, and the problems met."""

    definitions: Definitions
    calendar: Calendar
    problems: list[Problem]
    entities: dict[str, Entity] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)

    def add_entity(self, name: str) -> None:
        written = self.definitions.entities[name]
        if name not in ENTITIES:
            where = self.definitions.key_span("entities", name)
            fix = did_you_mean(name, ENTITIES, what="entities")
            self.problems.append(Problem(f"there is no entity `{name}`", where, fix, Code.UNKNOWN_NAME))
            return
        ids, about = written.identity_map, written.attributes
        properties: dict[str, Property] = {}
        for key, one in about.columns.items() if about else ():
            full = f"{name}_{key}"
            if len(full) > LONGEST_NAME:
                self.problems.append(
                    Problem(
                        f"the attribute is `{full}` in answers, which is {len(full)} characters long; names have at "
                        f"most {LONGEST_NAME}",
                        self.definitions.key_span("entities", name, "attributes", "columns", key),
                        "Shorten it, and say `column:`.",
                    )
                )
            properties[full] = Property(
                name=full,
                column=one.column,
                type=Type(one.type),
                path=one.json_path,
                label=one.label,
                description=one.description,
                unit=one.unit,
                bins=one.bins or (),
                entity=name,
                personal=one.personal,
            )
        since = about.known_since if about else None
        known_since = (since.column, Type(since.type)) if since else None
        self.entities[name] = Entity(
            name=name,
            identity_map=IdentityMap(ids.table, ids.from_, ids.to) if ids else None,
            attributes=(
                Attributes(about.table, about.key.column, about.key.unique, properties, known_since) if about else None
            ),
            label=written.label,
            description=written.description,
        )

    def _check_clashes(self, source: str, properties: Mapping[str, Property], entities: Iterable[Entity]) -> None:
        """No property may be called as an attribute is in answers."""
        for entity in entities:
            for name in entity.attributes.properties if entity.attributes else ():
                if name in properties:
                    key = name.removeprefix(f"{entity.name}_")
                    there = self.definitions.key_span("entities", entity.name, "attributes", "columns", key)
                    self.problems.append(
                        Problem(
                            f"property `{name}` of source `{source}` is called as the attribute `{key}` of "
                            f"{entity.name}s is in answers ({there})",
                            self.definitions.key_span("sources", source, "properties", name),
                            f"Rename one of them: `event_{name}: {{type: ..., column: {name}}}`.",
                        )
                    )

    def add_source(self, name: str) -> None:
        written = self.definitions.sources[name]
        if written.time.timezone not in ("UTC", None):
            self.problems.append(
                Problem(
                    f"`{written.time.column}` is declared to hold times of {written.time.timezone}",
                    self.definitions.span("sources", name, "time"),
                    "This release reads UTC times: convert the column in a view.",
                )
            )
        properties = _properties(written.properties)
        tables = self._tables(name, written, properties)
        properties = {key: one for table in tables for key, one in table.properties.items()}
        identities: dict[str, Identity] = {
            entity: Identity(entity, one.column, Type(one.type) if one.type else None)
            for entity, one in written.identity.items()
        }
        entities = {entity: self.entities[entity] for entity in identities if entity in self.entities}
        self._check_clashes(name, properties, entities.values())
        exclude = None
        rule = self.definitions.project.exclude
        if rule is not None:
            try:
                exclude = parse_condition(rule, {key: one.type for key, one in properties.items()})
            except ConditionError as error:
                if not self._lacks_property(rule, properties):
                    self.problems.append(Problem(error.message, self.definitions.span("project", "exclude"), error.fix))
        self.sources[name] = Source(
            name=name,
            tables=tables,
            time=written.time.column,
            event_name=written.event_name,
            properties=properties,
            identities=identities,
            entities=entities,
            event_id=written.event_id.column if written.event_id else None,
            event_id_unique=bool(written.event_id and written.event_id.unique),
            partition=_partition(written.partition) if written.partition else None,
            loaded_at=written.loaded_at,
            late_arrival=written.late_arrival,
            history_start=self.calendar.start_of(written.history_start) if written.history_start else None,
            tie_breaker=written.tie_breaker,
            session_id=written.session_id,
            exclude=exclude,
            exclude_text=rule if exclude is not None else None,
            description=written.description,
        )

    def _tables(
        self, name: str, written: SourceDefinition, properties: Mapping[str, Property]
    ) -> tuple[EventTable, ...]:
        """What a source reads: a table, one for each event, or a query."""
        if written.table is not None:
            return (EventTable(written.table, None, properties),)
        if written.sql is None:
            return tuple(
                EventTable(table.table, event, {**properties, **_properties(table.properties)})
                for event, table in written.tables.items()
            )
        home = self.definitions.project.home_warehouse
        engine = self.definitions.project.warehouses[home].type if home is not None else "duckdb"
        dialect = written.sql_dialect or (engine if engine in DIALECTS else "duckdb")
        try:
            check_view(written.sql, dialect)
        except ViewError as error:
            path = ("sources", name)
            where = (
                self.definitions.span_inside((*path, "sql"), error.line, error.column)
                if dialect in DIALECTS
                else self.definitions.span(*path, "sql_dialect")
            )
            self.problems.append(Problem(error.message, where, error.fix))
        return (EventTable(name, None, properties, View(written.sql, dialect)),)

    def _lacks_property(self, rule: str, properties: Mapping[str, Property]) -> bool:
        """Whether the project's `exclude` speaks of properties that this source does not have (it then stays whole)."""
        everywhere = {
            key: Type(one.type)
            for source in self.definitions.sources.values()
            for key, one in source.properties.items()
        }
        try:
            return not set(columns(parse_condition(rule, everywhere))) <= set(properties)
        except ConditionError:
            return False


def _properties(written: Mapping[str, PropertyDefinition]) -> dict[str, Property]:
    return {
        key: Property(
            name=key,
            column=one.column,
            type=Type(one.type),
            path=one.json_path,
            label=one.label,
            description=one.description,
            unit=one.unit,
            bins=one.bins or (),
        )
        for key, one in written.items()
    }


def _partition(written: PartitionColumn) -> Partition:
    days = -(-written.lag.elapsed // DAY) if written.lag else 0
    return Partition(written.column, Type(written.type), days)
