"""A family that can tell its people, built from one that cannot: those who did something often, or rarely."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import httpx
from anyio import run

from metrics_api import create_app
from metrics_api.families import families
from metrics_api.families.relations import ENTITY, is_known, occurrences
from metrics_api.families.series import PERIOD, table_columns
from metrics_api.plan.expr import Agg, Col, Type, call, integer
from metrics_api.plan.nodes import Aggregate, Filter, Plan, Project, keep
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Family, Members, Table
from metrics_api.results import Column
from metrics_api.semantic.model import Metric
from metrics_api.serving.project import Project as Served

OFTEN = 3


def choices(metric: Metric) -> Mapping[str, tuple[str, ...] | Type]:
    return {"habit": ("often", "rarely"), "at_least": Type.INTEGER, "day": Type.DATE}


def people(query: BoundQuery) -> Plan:
    """Those active in the range: `often` from three times on."""
    rows = occurrences(query, query.metric.spec.selection, query.span, {"entity": Col(ENTITY)})
    counted = Aggregate(Filter(rows, is_known(query, Col("entity"))), keep("entity"), (("users", Agg("count_rows")),))
    least = query.chosen.get("at_least", 1)
    assert isinstance(least, int)
    found: Plan = Filter(counted, call("ge", Col("users"), integer(least)))
    if (habit := query.chosen.get("habit")) is not None:
        found = Filter(found, call("ge" if habit == "often" else "lt", Col("users"), integer(OFTEN)))
    return Project(found, keep("entity"))


def with_people() -> Family:
    return replace(families()["active_users"], members=Members(choices, people))


@lru_cache(maxsize=4)
def _app(project: Served) -> Any:
    return create_app(project)


def over_http(project: Served, query: str, variables: dict[str, Any] | None = None) -> Any:
    """What the application answers to a request."""

    async def sent() -> httpx.Response:
        transport = httpx.ASGITransport(_app(project))
        async with httpx.AsyncClient(transport=transport, base_url="http://metrics") as client:
            return await client.post("/graphql", json={"query": query, "variables": variables or {}})

    return run(sent).json()


def sizes(query: BoundQuery) -> Mapping[str, Plan]:
    """The people active in each bucket, as the size of a cohort."""
    measure = families()["active_users"].measure(query.metric, "users")
    assert measure is not None
    rows = families()["active_users"].plan(replace(query, measures=(measure,)))["rows"]
    by = keep("period", *(one.name for one in query.by))
    return {"rows": Project(rows, (*by, ("size", Col("users"))))}


def cohort_family() -> Family:
    """As the family of cohorts: those active on the last day."""
    size = Column("size", Type.INTEGER, nullable=True, description="People in it.")
    tables = {"rows": Table((PERIOD,), (size,), "A row for each bucket.", flagged=True)}
    return replace(
        with_people(), shape="tables", parts=("rows",), tables=tables, measures=lambda metric: (), default_measures=(),
        columns=lambda query: table_columns(query, tables), plan=sizes,
        members=Members(lambda metric: {}, lambda query: people(replace(query, first=query.last))),
    )  # fmt: skip


def with_cohorts(base: Served, cohorts: Mapping[str, Metric]) -> Served:
    """The project with these cohorts."""
    return Served(replace(base.model, cohorts=cohorts), base.definitions, base.folder, clock=base.clock)
