"""The catalog: what there is to ask, and how it is defined."""

from __future__ import annotations

import enum
from datetime import datetime
from functools import partial
from typing import Annotated

import strawberry
from strawberry import UNSET
from strawberry.types.info import Info

from metrics_api.definitions.base import Described
from metrics_api.definitions.loader import Definitions
from metrics_api.definitions.sources import EventDefinition, SourceDefinition
from metrics_api.families import families
from metrics_api.graphql_schema.context import RequestContext
from metrics_api.graphql_schema.layout import camel
from metrics_api.graphql_schema.layouts import people_of, public_cohorts, sources_of, tables_of
from metrics_api.graphql_schema.names import public_metrics
from metrics_api.graphql_schema.object_types import resolved
from metrics_api.periods import Weekday as CoreWeekday
from metrics_api.query.boards import board_label, cards_of
from metrics_api.semantic.model import Event, Metric, Property, SemanticModel, Source
from metrics_api.serving.project import Explained


@strawberry.enum(description="What a metric speaks about.")
class MetricClass(enum.Enum):
    USAGE = strawberry.enum_value("usage", description="How often something is done; says nothing about value.")
    ENGAGEMENT = strawberry.enum_value("engagement", description="People getting what the product is for.")


@strawberry.enum(description="How numbers are shown.")
class MetricFormat(enum.Enum):
    NUMBER = "number"
    PERCENT = "percent"
    DURATION = "duration"


@strawberry.enum(description="The type of a property or a measure.")
class ValueType(enum.Enum):
    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    DATE = "date"


@strawberry.enum(description="What a metric rests on.")
class DependencyKind(enum.Enum):
    EVENT = "event"
    METRIC = "metric"
    COHORT = "cohort"


@strawberry.enum(description="What a table holds.")
class TableKind(enum.Enum):
    SOURCE = strawberry.enum_value("source", description="A row for each event.")
    ENTITY = strawberry.enum_value("entity", description="What is known of users or accounts, or their ids.")


Weekday = strawberry.enum(
    enum.Enum("Weekday", {one.name: one.value for one in CoreWeekday}),  # type: ignore[call-overload]
    description="A day of the week.",
)


@strawberry.type(description="Why something should no longer be used.")
class CatalogDeprecation:
    reason: str
    replaced_by: str | None = strawberry.field(description="The name of what takes its place.")


@strawberry.type(description="An event or a metric that a metric rests on.")
class CatalogDependency:
    name: str
    kind: DependencyKind


@strawberry.type(description="Something a metric can compute.")
class CatalogMeasure:
    name: str
    type: ValueType
    description: str | None


@strawberry.type(description="A list of rows that a metric answers with.")
class CatalogPart:
    name: str
    description: str
    columns: list[str] = strawberry.field(description="Beside the breakdowns and measures that are asked for.")


@strawberry.type(description="Something that the people behind a metric are chosen by.")
class CatalogChoice:
    name: str
    type: ValueType
    values: list[str] | None = strawberry.field(description="What it can be; null where it can be any of its type.")


@strawberry.type(description="Something a metric can be broken down and filtered by.")
class CatalogDimension:
    name: str
    type: ValueType
    label: str | None
    description: str | None
    unit: str | None


@strawberry.type(description="A column that a metric reads.")
class CatalogColumn:
    name: str = strawberry.field(description="As the warehouse calls it.")
    named_by: list[str] = strawberry.field(
        description="The fields of the definition that name it: `time`, `identity.user`, `properties.minutes`."
    )


@strawberry.type(description="A table that a metric reads.")
class CatalogLineage:
    kind: TableKind
    name: str = strawberry.field(description="The source or the entity.")
    table: str = strawberry.field(description="As the warehouse calls it.")
    columns: list[CatalogColumn]


@strawberry.type(description="How far the data of a metric reaches.")
class CatalogFreshness:
    data_through: datetime = strawberry.field(description="No event after it is known yet.")


@strawberry.type(description="A metric, as it is defined.")
class CatalogMetric:
    metric: strawberry.Private[Metric]
    model: strawberry.Private[SemanticModel]

    name: str = strawberry.field(description="The name in the definitions.")
    field: str = strawberry.field(description="The name of its field in `metrics`.")
    type: str = strawberry.field(description="The family: what kind of metric it is.")
    class_: MetricClass = strawberry.field(name="class", description="Whether it speaks of usage or of engagement.")
    label: str
    description: str | None
    owner: str | None = strawberry.field(description="Who answers for it.")
    tags: list[str]
    unit: str | None
    format: MetricFormat | None
    deprecated: CatalogDeprecation | None
    sources: list[str] = strawberry.field(description="The sources whose events it counts.")

    entity: str = strawberry.field(description="Who is counted: user or account.")

    @resolved(description="The tables and columns that `sql` reads. Breakdowns and filters may read more of them.")
    async def lineage(self, info: Info) -> list[CatalogLineage] | None:
        return [
            CatalogLineage(
                kind=TableKind(one.kind),
                name=one.name,
                table=one.table,
                columns=[CatalogColumn(name=of.name, named_by=list(of.named_by)) for of in one.columns],
            )
            for one in (await self._explained(info)).lineage
        ]

    @resolved(description="The events and metrics it rests on.")
    def depends_on(self) -> list[CatalogDependency]:
        return [CatalogDependency(name=name, kind=_kind(self.model, name)) for name in self.metric.depends_on]

    @resolved(description="The metrics that rest on it, directly or through others.")
    def dependents(self) -> list[str]:
        return list(self.model.dependents(self.metric.name))

    @resolved(description="What it can compute.")
    def measures(self) -> list[CatalogMeasure]:
        offered = families()[self.metric.type].measures(self.metric)
        return [
            CatalogMeasure(name=one.name, type=ValueType(str(one.type)), description=one.description or None)
            for one in offered
        ]

    @resolved(description="What it answers with, the usual part first.")
    def parts(self) -> list[CatalogPart]:
        return [
            CatalogPart(
                name=part,
                description=one.description,
                columns=[column.name for column in (*one.keys, *one.columns)],
            )
            for part, one in tables_of(families()[self.metric.type], every=True).items()
        ]

    @resolved(description="What the people behind it are chosen by; null if it cannot tell them.")
    def member_choices(self) -> list[CatalogChoice] | None:
        people = people_of(self.metric, families()[self.metric.type])
        if people is None:
            return None
        return [
            CatalogChoice(name=one.name, type=ValueType(one.type), values=list(one.words) or None)
            for one in people.choices
        ]

    @resolved(description="What it can be broken down by; but for the local clock, filtered by as well.")
    def dimensions(self) -> list[CatalogDimension]:
        sources = sources_of(self.metric.sources)
        properties = {one.name: one for one in sources.properties}
        return [
            CatalogDimension(
                name=name,
                type=ValueType(str(of.type)) if of else ValueType("string"),
                label=of.label if of else None,
                description=of.description if of else words,
                unit=of.unit if of else None,
            )
            for name, words in sources.dimensions
            for of in (properties.get(name),)
        ]

    @resolved(description="How it is counted, in words.")
    async def conventions(self, info: Info) -> list[str] | None:
        return list((await self._explained(info)).conventions)

    @resolved(description="The statement that would answer for the project's usual range.")
    async def sql(self, info: Info) -> str | None:
        return (await self._explained(info)).sql

    @resolved(description="How fresh its data is.")
    async def freshness(self, info: Info) -> CatalogFreshness | None:
        context: RequestContext = info.context
        context.is_lasting = False
        reached = await context.in_thread(partial(context.project.data_through, self.metric.name))
        return CatalogFreshness(data_through=reached)

    async def _explained(self, info: Info) -> Explained:
        context: RequestContext = info.context
        return await context.explained(self.metric.name)


@strawberry.type(description="What is known of each event of a source.")
class CatalogProperty:
    name: str
    type: ValueType
    label: str | None
    description: str | None
    unit: str | None


@strawberry.type(description="A table of events.")
class CatalogSource:
    name: str
    table: str
    label: str | None
    description: str | None
    owner: str | None = strawberry.field(description="Who answers for it.")
    tags: list[str]
    deprecated: CatalogDeprecation | None
    properties: list[CatalogProperty]


@strawberry.type(description="Something that people do.")
class CatalogEvent:
    name: str
    source: str
    label: str | None
    description: str | None
    owner: str | None = strawberry.field(description="Who answers for it.")
    tags: list[str]
    deprecated: CatalogDeprecation | None
    stored_as: str | None = strawberry.field(description="What the source calls it; null for any event of it.")
    dependents: list[str] = strawberry.field(description="The metrics that rest on it, directly or through others.")


@strawberry.type(description="People who belong together: any metric can be asked of them alone, and by them.")
class CatalogCohort:
    cohort: strawberry.Private[Metric]
    model: strawberry.Private[SemanticModel]

    name: str = strawberry.field(description="The name in the definitions; in capitals, its name in questions.")
    label: str
    description: str | None
    owner: str | None = strawberry.field(description="Who answers for it.")
    tags: list[str]
    deprecated: CatalogDeprecation | None
    entity: str = strawberry.field(description="Who is in it: users or accounts.")
    sources: list[str] = strawberry.field(description="The sources whose events it looks at.")

    @resolved(description="The events, metrics and cohorts it rests on.")
    def depends_on(self) -> list[CatalogDependency]:
        return [CatalogDependency(name=name, kind=_kind(self.model, name)) for name in self.cohort.depends_on]

    @resolved(description="How it is evaluated, in words.")
    async def conventions(self, info: Info) -> list[str] | None:
        context: RequestContext = info.context
        return list((await context.explained(self.cohort.name)).conventions)

    @resolved(description="The statement that would tell its size over the project's usual range.")
    async def sql(self, info: Info) -> str | None:
        context: RequestContext = info.context
        return (await context.explained(self.cohort.name)).sql


@strawberry.type(description="The project as a whole.")
class CatalogProject:
    name: str
    label: str | None
    description: str | None
    timezone: str = strawberry.field(description="The time zone whose days are counted.")
    week_start: Weekday = strawberry.field(description="The day on which weeks start.")  # type: ignore[valid-type]


@strawberry.type(description="A question of a board.")
class CatalogCard:
    name: str
    label: str
    question: str | None = strawberry.field(description="What it answers, in the words of those who ask.")
    metric: str = strawberry.field(description="The metric, or cohort, that is asked.")


@strawberry.type(description="Questions that are asked together.")
class CatalogBoard:
    name: str = strawberry.field(description="The name in the definitions; in capitals, its name in questions.")
    label: str
    description: str | None
    owner: str | None = strawberry.field(description="Who answers for it.")
    cards: list[CatalogCard]


@strawberry.type(description="Questions that are asked before people ask them.")
class CatalogWarmup:
    name: str
    label: str
    description: str | None
    owner: str | None = strawberry.field(description="Who answers for it.")
    schedule: str | None = strawberry.field(description="When it runs, as a cron line; null: on demand.")
    timezone: str = strawberry.field(description="The time zone of the schedule.")
    on_new_data: bool = strawberry.field(description="Whether it also runs when data has been loaded.")


@strawberry.type(description="What there is to ask, and how it is defined.")
class Catalog:
    model: strawberry.Private[SemanticModel]

    @resolved(description="The metrics, those that all given arguments fit.")
    def metrics(
        self,
        info: Info,
        class_: Annotated[MetricClass | None, strawberry.argument(name="class")] = UNSET,
        type: str | None = UNSET,  # noqa: A002 - the argument's name
        tag: str | None = UNSET,
        name: str | None = UNSET,
    ) -> list[CatalogMetric]:
        context: RequestContext = info.context
        context.count_metric()
        return [
            catalog_metric(one, self.model)
            for one in public_metrics(self.model)
            if (not class_ or one.metric_class.value == str(class_.value))
            and (not type or one.type == type)
            and (not tag or tag in one.definition.tags)
            and (not name or one.name == name)
        ]

    @resolved(description="The cohorts that questions can name.")
    def cohorts(self) -> list[CatalogCohort]:
        return [_cohort(one, self.model) for one in public_cohorts(self.model)]

    @resolved(description="The boards.")
    def boards(self) -> list[CatalogBoard]:
        return [_board(name, self.model) for name in self.model.boards]

    @resolved(description="What is asked before people ask it.")
    def warmups(self) -> list[CatalogWarmup]:
        return [
            CatalogWarmup(
                name=name,
                label=one.label or name.replace("_", " ").capitalize(),
                description=one.description,
                owner=one.owner,
                schedule=one.schedule.cron if one.schedule else None,
                timezone=(one.schedule and one.schedule.timezone) or self.model.project.timezone,
                on_new_data=one.on_new_data,
            )
            for name, one in self.model.warmups.items()
        ]

    @resolved(description="The tables of events.")
    def sources(self, info: Info) -> list[CatalogSource]:
        written = _definitions(info).sources
        return [
            _source(one, written[name])
            for name, one in self.model.sources.items()
            if written[name].visibility == "public"
        ]

    @resolved(description="What people do.")
    def events(self, info: Info) -> list[CatalogEvent]:
        written = _definitions(info).events
        return [
            _event(one, written[name], self.model)
            for name, one in self.model.events.items()
            if written[name].visibility == "public"
        ]

    @resolved(description="The project as a whole.")
    def project(self) -> CatalogProject:
        project = self.model.project
        return CatalogProject(
            name=project.name,
            label=project.label,
            description=project.description,
            timezone=project.timezone,
            week_start=Weekday(project.week_start.value),
        )


def _board(name: str, model: SemanticModel) -> CatalogBoard:
    of = model.boards[name]
    cards = [
        CatalogCard(name=one.name, label=one.label, question=one.definition.question, metric=one.metric.name)
        for one in cards_of(model, name)
    ]
    return CatalogBoard(name=name, label=board_label(name, of), description=of.description, owner=of.owner, cards=cards)


def catalog_metric(metric: Metric, model: SemanticModel) -> CatalogMetric:
    written = metric.definition
    return CatalogMetric(
        metric=metric,
        model=model,
        name=metric.name,
        field=camel(metric.name),
        type=metric.type,
        class_=MetricClass(metric.metric_class.value),
        label=metric.label,
        description=written.description,
        owner=written.owner,
        tags=list(written.tags),
        unit=written.unit,
        format=MetricFormat(written.format) if written.format else None,
        deprecated=_deprecation(written),
        entity=metric.entity,
        sources=[one.name for one in metric.sources],
    )


def _cohort(cohort: Metric, model: SemanticModel) -> CatalogCohort:
    written = cohort.definition
    return CatalogCohort(
        cohort=cohort,
        model=model,
        name=cohort.name,
        label=cohort.label,
        description=written.description,
        owner=written.owner,
        tags=list(written.tags),
        deprecated=_deprecation(written),
        entity=cohort.entity,
        sources=[one.name for one in cohort.sources],
    )


def _kind(model: SemanticModel, name: str) -> DependencyKind:
    if name in model.metrics:
        return DependencyKind.METRIC
    return DependencyKind.COHORT if name in model.cohorts else DependencyKind.EVENT


def _definitions(info: Info) -> Definitions:
    context: RequestContext = info.context
    return context.project.definitions


def _deprecation(written: Described) -> CatalogDeprecation | None:
    found = written.deprecated
    return CatalogDeprecation(reason=found.reason, replaced_by=found.replaced_by) if found else None


def _source(one: Source, written: SourceDefinition) -> CatalogSource:
    return CatalogSource(
        name=one.name,
        table=one.table,
        label=written.label,
        description=written.description,
        owner=written.owner,
        tags=list(written.tags),
        deprecated=_deprecation(written),
        properties=[_property(of) for of in one.properties.values()],
    )


def _event(one: Event, written: EventDefinition, model: SemanticModel) -> CatalogEvent:
    return CatalogEvent(
        name=one.name,
        source=one.source.name,
        label=written.label,
        description=written.description,
        owner=written.owner,
        tags=list(written.tags),
        deprecated=_deprecation(written),
        stored_as=one.key,
        dependents=list(model.dependents(one.name)),
    )


def _property(one: Property) -> CatalogProperty:
    type_ = ValueType(str(one.type))
    return CatalogProperty(name=one.name, type=type_, label=one.label, description=one.description, unit=one.unit)
