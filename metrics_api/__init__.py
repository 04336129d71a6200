"""A warehouse-native metrics API: definitions in YAML, SQL in the warehouse, answers through typed GraphQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metrics_api.errors import MetricsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.applications import Starlette

    from metrics_api.query.metric_query import MetricQuery as MetricQuery
    from metrics_api.serving.project import Project
    from metrics_api.serving.reloading import Reloading
    from metrics_api.serving.stores import Shared

__version__ = "0.1.0"
__all__ = ["MetricsError", "Project", "__version__", "create_app", "load_project", "openapi_document"]


def load_project(path: str | Path, warehouse: str | None = None, target: str | None = None) -> Project:
    """Read and check a folder of definitions; connects to the warehouse at the first query.

    `warehouse` and `target` are names of the project's, instead of its defaults. Raises DefinitionError with every
    problem of every file.
    """
    from metrics_api.serving.project import load_project

    return load_project(path, warehouse, target)


def create_app(
    project: Project, *, reload: Reloading | None = None, shared: Callable[[], Shared] | None = None
) -> Starlette:
    """The ASGI application that serves a project at `/graphql` and `/v1`.

    `reload` tells when its definitions are read again; `shared` opens a store of answers that several workers share,
    such as `serving.redis_store.RedisStore`.
    """
    from metrics_api.web.app import create_app

    return create_app(project, reload=reload, shared=shared)


def openapi_document(project: Project) -> str:
    """What OpenAPI tells of a project's REST interface, as JSON. Asks the warehouse nothing."""
    from metrics_api.web.rest.api import openapi_text

    return openapi_text(project)


def __getattr__(name: str) -> object:
    if name == "Project":
        from metrics_api.serving.project import Project

        return Project
    raise AttributeError(name)
