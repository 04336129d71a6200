"""The schema of a project: a field for each metric under `metrics`, and the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import strawberry
from graphql import GraphQLError
from strawberry import UNSET, argument
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import create_type
from strawberry.types.execution import ExecutionContext, ExecutionResult

from metrics_api.definitions.base import ENTITIES
from metrics_api.definitions.loader import Definitions
from metrics_api.errors import DefinitionError
from metrics_api.graphql_schema import print_sdl
from metrics_api.graphql_schema.catalog import Catalog
from metrics_api.graphql_schema.context import RequestContext
from metrics_api.graphql_schema.documents import Documents, KnownDocuments
from metrics_api.graphql_schema.executor import RowsAtOnce
from metrics_api.graphql_schema.failures import told
from metrics_api.graphql_schema.inputs import CacheUse
from metrics_api.graphql_schema.layouts import cohorts_of, layout_of
from metrics_api.graphql_schema.metric_fields import MetricFields
from metrics_api.graphql_schema.names import name_problems, public_metrics
from metrics_api.graphql_schema.object_types import resolved
from metrics_api.graphql_schema.question import CACHE, USE, use_of
from metrics_api.graphql_schema.scalars import SCALARS
from metrics_api.graphql_schema.shapes.boards import board_field
from metrics_api.graphql_schema.shapes.cohorts import cohort_field
from metrics_api.graphql_schema.shapes.jobs import job_field
from metrics_api.semantic.model import SemanticModel


class MetricsSchema(strawberry.Schema):
    """A schema whose errors are made for its callers. The context of a request is a `RequestContext`."""

    async def execute(self, *args: Any, **words: Any) -> ExecutionResult:
        result = await super().execute(*args, **words)
        if result.errors:
            context = words.get("context_value")
            request_id = context.request_id if isinstance(context, RequestContext) else "unknown"
            result.errors = [told(error, request_id) for error in result.errors]
        return result

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Strawberry would log what callers did wrong as errors, with tracebacks; `told` logs what is our fault."""


def build_schema(model: SemanticModel, definitions: Definitions | None = None) -> MetricsSchema:
    """The schema of a model. Raises DefinitionError when two names would be one in GraphQL.

    `definitions` only serve to say where such names are written.
    """
    if problems := name_problems(model, definitions):
        raise DefinitionError(problems)
    known = KnownDocuments()
    return MetricsSchema(
        query=_query_type(model),
        config=StrawberryConfig(scalar_map=SCALARS, default_resolver=_value),
        extensions=[lambda: Documents(known)],
        execution_context_class=RowsAtOnce,
    )


def _query_type(model: SemanticModel) -> Any:
    fields = MetricFields()
    each = [fields.field(one, layout_of(one, model)) for one in public_metrics(model)]

    @resolved(description="What there is to ask.")
    def catalog() -> Catalog:
        return Catalog(model=model)

    roots: list[Any] = [catalog]
    if each:  # An object without fields is no type.
        metrics_type = create_type("Metrics", list(each), description="The metrics, a field for each.")

        @resolved(description="Ask metrics.", of=metrics_type)
        def metrics(cache: Annotated[CacheUse | None, argument(description=CACHE)] = UNSET) -> Mapping[str, Any]:
            return {USE: use_of(cache)}

        roots.insert(0, metrics)
    for entity in ENTITIES:
        if (cohorts := cohorts_of(entity, model)) is not None:
            found = [(model.cohorts[name], layout_of(model.cohorts[name], model)) for name, _ in cohorts.names]
            roots.append(cohort_field(cohorts, found, fields.types))
    roots.append(job_field())
    if model.boards:
        roots.append(board_field(model, cohorts_of("user", model), fields.types))
    return create_type("Query", roots)


def _value(source: object, name: str) -> object:
    """What a field without a resolver shows: answers are mappings, the catalog's things are objects."""
    return source.get(name) if isinstance(source, dict) else getattr(source, name)


__all__ = ["MetricsSchema", "build_schema", "print_sdl"]
