"""The doctor: asks a warehouse whether it is as the definitions say, and whether answers from it can be trusted.

Counts and instants are asked for, never rows; of a partitioned source the last days only. What is asked is planned and
compiled as questions are, so that it runs wherever they do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from metrics_api.definitions.written import unquoted
from metrics_api.errors import MetricsError, WarehouseError
from metrics_api.plan.nodes import Plan
from metrics_api.semantic.model import Attributes, Entity, EventTable, IdentityMap, Source
from metrics_api.serving.doctor import columns, rows, times
from metrics_api.serving.doctor.examined import Examined
from metrics_api.serving.doctor.findings import Finding, Level, fine, wrong
from metrics_api.serving.doctor.kinds import Kind, kind_of
from metrics_api.serving.doctor.survey import copies_plan, events_plan, read_copies, read_survey, survey_plan
from metrics_api.serving.inspection import Inspection, rows_of
from metrics_api.serving.missing import missing_columns, missing_of_entity
from metrics_api.serving.project import Project
from metrics_api.sql.dialect import Dialect

Check: TypeAlias = Callable[[Examined], Iterator[Finding]]

OF_COLUMNS: tuple[Check, ...] = (
    columns.time_column,
    columns.id_columns,
    columns.named_columns,
    columns.partition_column,
    columns.property_columns,
)
"""Asked of the catalog alone. Where one of them finds something wrong no row is read."""
OF_ROWS: tuple[Check, ...] = (
    rows.has_rows,
    rows.times_are_there,
    times.is_fresh,
    times.nothing_of_tomorrow,
    times.loaded_after_it_happened,
    times.late_as_declared,
    times.every_hour_of_the_day,
    times.when_clocks_change,
    times.partition_follows_time,
    rows.ids_are_there,
    rows.columns_are_filled,
    rows.properties_are_filled,
    rows.events_occur,
    rows.events_are_defined,
    rows.copies_are_few,
    rows.skips_what_is_not_asked,
)
USUAL_DAYS = 30
"""How far back a partitioned source is read unless somebody asks for more."""


def examine(project: Project, since: datetime | None = None) -> Iterator[Finding]:
    """Everything that is found, source by source; rows from `since` on (naive UTC).

    Connects first: raises WarehouseError and MissingDriver where that fails. What fails later is a finding.
    """
    warehouse = project.warehouse()
    yield fine("connects", ("project", "warehouses"), f"connected to `{project.warehouse_name or 'DuckDB in memory'}`")
    asking = _Asking(project, Inspection(project.model, warehouse, project.dialect, examples=False), since)
    for source in project.model.sources.values():
        yield from asking.of_source(source)
    for entity in project.model.entities.values():
        yield from asking.of_entity(entity)


@dataclass(frozen=True)
class _Asking:
    project: Project
    inspection: Inspection
    since: datetime | None

    # -- sources ------------------------------------------------------------------------------------------------------

    def of_source(self, source: Source) -> Iterator[Finding]:
        path = ("sources", source.name)
        for table in source.tables:
            try:
                one = self.examined(source, table)
                missing = missing_columns(replace(source, tables=(table,)), self.inspection.warehouse, self.dialect)
            except WarehouseError as error:
                yield refused(path, table.name, error)
                continue
            yield from (wrong("columns_are_there", path, problem.message, problem.fix) for problem in missing)
            if not missing:
                yield fine("columns_are_there", path, f"{one.what} has all columns that the definitions name")
            found = [finding for check in OF_COLUMNS for finding in check(one)]
            yield from found
            if missing or any(finding.level is Level.WRONG for finding in found):
                continue
            try:
                one = self.surveyed(one)
            except MetricsError as error:
                yield refused(path, table.name, error)
                continue
            for check in OF_ROWS:
                yield from check(one)

    def examined(self, source: Source, table: EventTable) -> Examined:
        """The table with the types of its columns."""
        model, now = self.project.model, self.project.clock()
        by_default = source.partition is not None and self.since is None
        now = model.as_of or now
        events = {name: event for name, event in model.events.items() if event.source is source}
        if table.event is not None:
            events = {name: event for name, event in events.items() if event.key in (None, table.event)}
        return Examined(
            source=source,
            table=table,
            events=events,
            types=self.types(table),
            keys=None if table.view is not None else self.inspection.warehouse.keys(table.name),
            calendar=model.calendar,
            now=now,
            since=_midnight(now - timedelta(days=USUAL_DAYS)) if by_default else self.since,
        )

    def types(self, table: EventTable) -> Mapping[str, str]:
        # Of a query the types are known when it has run, and then as Arrow has them.
        return self.types_of(table.name) if table.view is None else {}

    def surveyed(self, one: Examined) -> Examined:
        """With what its rows are like. Raises WarehouseError."""
        source, table = one.source, one.table
        survey = read_survey(source, table, self.rows(survey_plan(source, table, one.since, one.now)))
        names = None
        if source.event_name is not None:
            counted = self.rows(events_plan(source, table, one.since))
            names = {str(row["event"]): int(row["rows"]) for row in counted}
        elif table.event is not None:
            names = {table.event: survey.rows} if survey.rows else {}
        copies = None
        if source.event_id is not None:
            copies = read_copies(self.rows(copies_plan(source, table, one.since)))
        return replace(one, survey=survey, names=names, copies=copies)

    # -- entities -----------------------------------------------------------------------------------------------------

    def of_entity(self, entity: Entity) -> Iterator[Finding]:
        path = ("entities", entity.name)
        try:
            if missing := missing_of_entity(entity, self.inspection.warehouse, self.dialect):
                yield from (wrong("columns_are_there", path, one.message, one.fix) for one in missing)
                return
            if entity.identity_map is not None:
                yield from self.of_identity_map(entity, entity.identity_map)
            if entity.attributes is not None:
                yield from self.of_attributes(entity, entity.attributes)
        except MetricsError as error:
            yield refused(path, f"what is known of {entity.name}s", error)

    def of_identity_map(self, entity: Entity, ids: IdentityMap) -> Iterator[Finding]:
        path = ("entities", entity.name, "identity_map")
        alien = [*self.alien_ids(entity, ids.table, ids.alias), *self.alien_ids(entity, ids.table, ids.to)]
        yield from (
            wrong("ids_match", path, one, "Convert it in a view, so that ids are of one type.") for one in alien
        )
        if alien:
            return
        found = list(self.inspection.of_identities(entity, ids))
        for message, fix in found:
            yield wrong("aliases_are_clear", path, f"the identity map `{ids.table}`: {message}", fix)
        if not found:
            yield fine(
                "aliases_are_clear", path, f"each alias of `{ids.table}` stands for one id, which is none itself"
            )

    def of_attributes(self, entity: Entity, about: Attributes) -> Iterator[Finding]:
        path = ("entities", entity.name, "attributes")
        yield from columns.attribute_columns(entity.name, about, self.types_of(about.table))
        alien = self.alien_ids(entity, about.table, about.key)
        yield from (
            wrong("ids_match", path, one, "Convert it in a view, so that ids are of one type.") for one in alien
        )
        key = (*path, "key")
        repeated = next(self.inspection.of_attributes(entity, about), None)
        if repeated is None:
            yield fine("keys_are_unique", key, f"each key of `{about.table}` has one row")
        elif about.unique:
            yield wrong("keys_are_unique", key, repeated.problem.message, repeated.problem.fix)
        else:
            meaning = "of each attribute the greatest value counts"
            yield fine("keys_are_unique", key, f"{repeated.problem.message}: {meaning}")

    def alien_ids(self, entity: Entity, table: str, column: str) -> Iterator[str]:
        """Where ids of events and those of a table of people are not of one type."""
        here = self.types_of(table).get(unquoted(column).casefold(), "")
        for source in self.project.model.sources.values():
            identity = source.identities.get(entity.name)
            for one in source.tables if identity is not None else ():
                assert identity is not None
                there = self.types(one).get(unquoted(identity.column).casefold(), "")
                kinds = {kind_of(here), kind_of(there)}
                if len(kinds) == 2 and kinds <= {Kind.TEXT, Kind.WHOLE}:
                    yield f"`{column}` of `{table}` is `{here}`, and `{identity.column}` of `{one.name}` is `{there}`"

    def types_of(self, table: str) -> Mapping[str, str]:
        return {name.casefold(): type_ for name, type_ in self.inspection.warehouse.columns(table) or ()}

    # -- asking -------------------------------------------------------------------------------------------------------

    @property
    def dialect(self) -> Dialect:
        return self.inspection.dialect

    def rows(self, plan: Plan) -> list[dict[str, Any]]:
        return rows_of(plan, self.inspection.warehouse, self.dialect, "metrics-api doctor")


_DENIED = re.compile(
    r"permission denied|not authorized|access denied|access_denied|insufficient|not enough privileges|"
    r"does not have .*(permission|privilege)|unauthorized|forbidden",
    re.IGNORECASE,
)


def refused(path: tuple[str, ...], table: str, error: MetricsError) -> Finding:
    """The warehouse did not let it be read, in its own words."""
    problem = error.problems[0]
    fix = problem.fix
    if fix is None and _DENIED.search(problem.message):
        fix = f"Let the user of the warehouse SELECT from `{table}`."
    return wrong("can_be_read", path, f"`{table}` cannot be read: {problem.message}", fix)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
