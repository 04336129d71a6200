"""The GraphQL schema of a project: typed fields for its metrics, and the catalog. Imports strawberry when used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import strawberry

    from metrics_api.definitions.loader import Definitions
    from metrics_api.semantic.model import SemanticModel

__all__ = ["build_schema", "print_sdl"]


def build_schema(model: SemanticModel, definitions: Definitions | None = None) -> strawberry.Schema:
    """The schema of a model. Raises DefinitionError when two names would be one in GraphQL."""
    from metrics_api.graphql_schema.schema import build_schema

    return build_schema(model, definitions)


def print_sdl(schema: strawberry.Schema) -> str:
    """The schema in GraphQL's own language, the same for the same definitions."""
    return schema.as_str().rstrip("\n") + "\n"
