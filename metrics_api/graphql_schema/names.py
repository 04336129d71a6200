"""Names that cannot stand beside each other in GraphQL, told with the places of both definitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from metrics_api.errors import Problem, SourceSpan
from metrics_api.families import families
from metrics_api.graphql_schema.layout import Group, Layout, Sources, Table, camel, cohort_type, measured_columns
from metrics_api.graphql_schema.layouts import BY_COHORTS, layout_of
from metrics_api.semantic.model import Metric, Property, SemanticModel

if TYPE_CHECKING:
    from metrics_api.definitions.loader import Definitions

FILTER_WORDS = ("and", "or", "not")
"""What combines the conditions of a filter."""

# Types that every schema may have, then those of lists of people and of cohorts; a test compares this with what is
# built.
# fmt: off
OWN_TYPES = frozenset((
    "Query", "Metrics", "AnswerInfo", "CacheInfo", "CacheStatus", "CacheUse", "Job", "JobStatus",
    "TimeInput", "BetweenInput", "LastInput",
    "DurationInput", "TimeUnit",
    "DurationUnit", "Grain", "Direction", "StringFilter", "NumberFilter", "IntegerFilter", "DecimalFilter",
    "BooleanFilter", "DateFilter", "DateTimeFilter", "Catalog", "CatalogMetric", "CatalogMeasure", "CatalogDimension",
    "CatalogSource", "CatalogProperty", "CatalogDependency", "CatalogDeprecation", "CatalogFreshness",
    "CatalogProject", "CatalogColumn", "CatalogLineage", "CatalogEvent", "TableKind",
    "CatalogCohort", "CatalogPart", "CatalogChoice", "Row",
    "CatalogBoard", "CatalogCard", "CatalogWarmup",
    "Board", "BoardCard", "BoardColumn", "BoardName", "BoardPart", "CardError",
    "CohortAsOf", "Compare", "MetricClass", "MetricFormat", "ValueType", "DependencyKind", "Weekday", "Date",
    "DateTime", "BigInt", "Decimal", "Period", "String", "Int", "Float", "Boolean", "ID", "Mutation", "Subscription",
))
PEOPLE_TYPES = frozenset((
    "UserAttributes", "UserMember", "UserMemberEdge", "UserMembers", "AccountAttributes", "AccountMember",
    "AccountMemberEdge", "AccountMembers", "PageInfo", "CohortName", "AccountCohortName", "Cohort", "AccountCohort",
    "CohortSize", "AccountCohortSize",
))
# fmt: on


@dataclass(frozen=True, slots=True)
class _Owner:
    """Who has a name: in words, and where it is defined if a person defined it."""

    words: str
    where: SourceSpan | None = None

    def __str__(self) -> str:
        return f"{self.words} ({self.where})" if self.where else self.words


_Claim: TypeAlias = tuple[str, object, _Owner]
"""A name, what it stands for, and who wants it."""


def public_metrics(model: SemanticModel) -> list[Metric]:
    """The metrics that are offered by themselves, in the order they are written."""
    return [one for one in model.metrics.values() if one.definition.visibility == "public"]


def first_series(model: SemanticModel) -> Metric | None:
    """The metric a newcomer is shown: a value moment, else whatever has a value over time."""
    series = [one for one in public_metrics(model) if _has_value(one)]
    return min(series, key=lambda one: one.type != "value_moment", default=None)


def _has_value(metric: Metric) -> bool:
    family = families()[metric.type]
    return family.shape == "series" and any(one.name == "value" for one in family.measures(metric))


def name_problems(model: SemanticModel, definitions: Definitions | None = None) -> tuple[Problem, ...]:
    """Every collision of names in the project's GraphQL schema. Without `definitions`, properties have no place."""
    metrics = public_metrics(model)
    by_layout: dict[Layout, Metric] = {}
    for metric in metrics:
        by_layout.setdefault(layout_of(metric, model), metric)
    found = list(_clashes((camel(one.name), one.name, _Owner(f"metric `{one.name}`", one.where)) for one in metrics))
    found += _clashes(_type_claims(by_layout))
    for layout in by_layout:
        for table in layout.tables:
            found += _clashes(_field_claims(layout, table, definitions))
        found += _clashes(_filter_claims(layout.sources, definitions))
        found += _clashes(_order_claims(layout, definitions))
    return tuple(dict.fromkeys(found))


def _clashes(claims: Iterator[_Claim]) -> Iterator[Problem]:
    taken: dict[str, tuple[object, _Owner]] = {}
    for name, meaning, owner in claims:
        first, holder = taken.setdefault(name, (meaning, owner))
        if first == meaning:
            continue
        (late, early) = (owner, holder) if owner.where else (holder, owner)
        yield Problem(
            f"{late.words} would be called `{name}` in GraphQL, as {early} is", late.where, "Rename one of them."
        )


def _property(of: Property, sources: Sources, definitions: Definitions | None) -> _Owner:
    if of.entity is not None:
        path = ("entities", of.entity, "attributes", "columns", of.written.partition(".")[2])
        return _Owner(f"attribute `{of.written}`", definitions.key_span(*path) if definitions else None)
    where = definitions.key_span("sources", sources.names[0], "properties", of.name) if definitions else None
    return _Owner(f"property `{of.name}` of source `{sources.names[0]}`", where)


def _field_claims(layout: Layout, table: Table, definitions: Definitions | None) -> Iterator[_Claim]:
    own = _Owner(f"a field of every answer ({table.row_type})")
    for one in (*table.keys, *table.cells, *table.measures, *table.compared, *table.flags):
        yield one.name, one, own
    yield from _breakdown_claims(layout, own, definitions)


def _breakdown_claims(layout: Layout, own: _Owner, definitions: Definitions | None) -> Iterator[_Claim]:
    properties = {of.name: of for of in layout.sources.properties}
    for cell in layout.main.breakdowns:
        of = properties.get(cell.column) if cell is not BY_COHORTS else None
        yield cell.name, (cell, of), _property(of, layout.sources, definitions) if of else own


def _order_claims(layout: Layout, definitions: Definitions | None) -> Iterator[_Claim]:
    main = layout.main
    own = _Owner(f"a column of every answer ({main.row_type})")
    for cell in (*main.keys, *main.cells, *main.compared):
        yield cell.column.upper(), "key", own
    for column in measured_columns(main.measures):
        yield column.upper(), "measure", own
    for of in layout.sources.properties:
        yield of.name.upper(), "property", _property(of, layout.sources, definitions)


def _filter_claims(sources: Sources, definitions: Definitions | None) -> Iterator[_Claim]:
    for word in FILTER_WORDS:
        yield word, word, _Owner(f"the `{word}` of filters")
    for of in sources.properties:
        yield camel(of.name), of, _property(of, sources, definitions)


def _type_claims(by_layout: Mapping[Layout, Metric]) -> Iterator[_Claim]:
    for name in OWN_TYPES | PEOPLE_TYPES:
        yield name, name, _Owner("a type of every schema")
    for layout, metric in by_layout.items():
        owner = _Owner(
            f"a type of metric `{metric.name}` over {' and '.join(f'`{one}`' for one in layout.sources.names)}",
            metric.where,
        )
        of_sources = layout.sources
        for name in (of_sources.dimension_type, of_sources.filter_type, of_sources.top_type, of_sources.bins_type):
            yield name, (name, of_sources), owner
        yield layout.result_type, (layout.tables, layout.people), owner
        of_whole = (layout.overall_type, layout.group_type) if layout.has_overall else ()
        for name in (layout.columns_type, *of_whole, layout.order_type, layout.order_by_type):
            yield name, (name, layout.main), owner
        for table in layout.tables:
            yield table.row_type, table, owner
        if layout.shape == "retention":
            yield cohort_type(layout), (layout.main, "cohort"), owner
        for group in layout.main.measures:
            if isinstance(group, Group):
                yield group.type_name, group.cells, owner
                yield f"{group.type_name}Columns", (group.cells, "columns"), owner
        for choice in layout.people.choices if layout.people else ():
            if choice.words:
                yield choice.type_name, choice.words, owner
