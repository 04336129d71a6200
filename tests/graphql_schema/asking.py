"""A small streaming project, and asking it through GraphQL without a server."""

import asyncio
import atexit
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from metrics_api.datasets import build_streaming, copy_definitions
from metrics_api.graphql_schema.context import RequestContext, RequestLimits
from metrics_api.graphql_schema.schema import MetricsSchema, build_schema
from metrics_api.serving.project import Project, load_project
from metrics_api.serving.service import Service

LAST_DAY = date(2025, 11, 2)
"""A week after the clocks of Berlin went back."""
NOW = datetime(2025, 11, 3, 9, 30)


@lru_cache(maxsize=1)
def streaming_folder() -> Path:
    folder = Path(mkdtemp(prefix="metrics-api-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    copy_definitions("streaming", folder)
    build_streaming(folder / "streaming.duckdb", users=300, days=60, seed=5, end=LAST_DAY)
    return folder


@lru_cache(maxsize=1)
def streaming() -> tuple[Project, MetricsSchema]:
    project = load_project(streaming_folder(), clock=lambda: NOW)
    return project, build_schema(project.model, project.definitions)


def project_of(text: str, folder: Path, *, clock: Callable[[], datetime] = lambda: NOW) -> Project:
    """A project whose definitions are `text`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "project.yml").write_text(text, "utf-8")
    return load_project(folder, clock=clock)


@dataclass(frozen=True)
class Asked:
    data: Any
    errors: list[dict[str, Any]]

    @property
    def metrics(self) -> Any:
        assert not self.errors, self.errors
        return self.data["metrics"]

    @property
    def error(self) -> dict[str, Any]:
        assert len(self.errors) == 1, self.errors
        return self.errors[0]

    @property
    def refusal(self) -> tuple[str, str]:
        return self.error["extensions"]["code"], self.error["message"]


def ask(
    query: str,
    variables: dict[str, Any] | None = None,
    *,
    of: tuple[Project, MetricsSchema] | None = None,
    limits: RequestLimits | None = None,
) -> Asked:
    project, schema = of or streaming()
    context = RequestContext(Service(project), limits or RequestLimits())
    result = asyncio.run(schema.execute(query, variable_values=variables, context_value=context))
    return Asked(result.data, [dict(error.formatted) for error in result.errors or ()])
