"""`/v1/catalog`: what there is to ask and how it is defined, as GraphQL's catalog tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from metrics_api.definitions.base import Described
from metrics_api.families import families
from metrics_api.graphql_schema.layout import camel
from metrics_api.graphql_schema.layouts import people_of, public_cohorts, sources_of, tables_of
from metrics_api.graphql_schema.names import public_metrics
from metrics_api.query.boards import board_label, cards_of
from metrics_api.semantic.model import Metric, SemanticModel
from metrics_api.serving.project import Explained, Project
from metrics_api.web.rest.asked import Rest, metric_named
from metrics_api.web.rest.endpoint import Endpoint, Operation, path_parameter, query_parameters
from metrics_api.web.rest.formats import moment
from metrics_api.web.rest.kept import Body
from metrics_api.web.rest.metrics import answered
from metrics_api.web.rest.refusals import Refused
from metrics_api.web.rest.schemas import MOMENT, TEXT, listed, maybe, shape
from metrics_api.web.rest.words import TEXT_SCHEMA, Word, one_of, read_words, some_text

JSON = "application/json"
JSON_TYPE = f"{JSON}; charset=utf-8"


def endpoints(rest: Rest) -> list[Endpoint]:
    """The catalog as a whole, its metrics, and one of them with its statement."""
    refusals = (400, 414, 500)
    whole = Operation(
        "catalog", "What there is to ask", "Metrics, cohorts, boards, events, sources and the project.",
        {200: {JSON: {"$ref": "#/components/schemas/Catalog"}}}, refusals, tag="catalog",
    )  # fmt: skip
    metrics = Operation(
        "metrics", "The metrics", "Those that all parameters fit. What is `internal` is not listed.",
        {200: {JSON: shape({"metrics": listed({"$ref": "#/components/schemas/Metric"})})}}, refusals,
        query_parameters(_words(rest.model)), tag="catalog",
    )  # fmt: skip
    one = Operation(
        "metric", "How a metric or cohort is defined",
        "With its conventions, the statement of its usual question, what that reads, and how far its data reaches.",
        {200: {JSON: {"$ref": "#/components/schemas/MetricInDetail"}}}, (400, 404, 414, 500, 501, 502, 503),
        (path_parameter("name", list(rest.named), "The metric or cohort, as in the definitions."),),
        tag="catalog",
    )  # fmt: skip
    catalog = Catalog(rest)
    return [
        Endpoint("/v1/catalog", catalog.whole, {"get": whole}, SCHEMAS),
        Endpoint("/v1/metrics", catalog.metrics, {"get": metrics}),
        Endpoint("/v1/catalog/metrics/{name}", catalog.metric, {"get": one}),
    ]


class Catalog:
    """What there is to ask, put together once: it is the same as long as the definitions."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def whole(self, request: Request) -> Response:
        _no_words(request)
        return answered(request, await self._rest.service.in_thread(lambda: self._body), JSON_TYPE)

    async def metrics(self, request: Request) -> Response:
        given = read_words(request.query_params.multi_items(), _words(self._rest.model))
        if given.wrong:
            raise Refused(given.wrong)
        told = await self._rest.service.in_thread(lambda: self._told)
        wanted = given.values
        found = [
            one
            for one in told["metrics"]
            if wanted.get("class", one["class"]) == one["class"]
            and wanted.get("type", one["type"]) == one["type"]
            and ("tag" not in wanted or wanted["tag"] in one["tags"])
        ]
        return as_response(request, {"metrics": found})

    async def metric(self, request: Request) -> Response:
        _no_words(request)
        metric = metric_named(self._rest, request.path_params["name"])
        return as_response(request, await self._rest.service.in_thread(partial(self._in_detail, metric)))

    def _in_detail(self, metric: Metric) -> dict[str, Any]:
        project = self._rest.project
        explained, reached = project.explain(metric.name), project.data_through(metric.name)
        return metric_told(metric, project.model) | _explained(explained) | {"data_through": moment(reached)}

    @cached_property
    def _told(self) -> dict[str, Any]:
        return catalog_of(self._rest.project)

    @cached_property
    def _body(self) -> Body:
        return Body.of(orjson.dumps(self._told, option=orjson.OPT_APPEND_NEWLINE))


def as_response(request: Request, told: Mapping[str, Any]) -> Response:
    return answered(request, Body.of(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)), JSON_TYPE)


def _no_words(request: Request) -> None:
    if wrong := read_words(request.query_params.multi_items(), ()).wrong:
        raise Refused(wrong)


def _words(model: SemanticModel) -> tuple[Word, ...]:
    types = sorted({one.type for one in public_metrics(model)})
    classes = ("usage", "engagement")
    return (
        Word("class", None, one_of(*classes), {"type": "string", "enum": list(classes)}, "Usage or engagement."),
        Word("type", None, one_of(*types), {"type": "string", "enum": types}, "A metric family."),
        Word("tag", None, some_text, TEXT_SCHEMA, "A tag of the definitions."),
    )


# -- what is told -----------------------------------------------------------------------------------------------------


def catalog_of(project: Project) -> dict[str, Any]:
    """Everything that can be told without the warehouse."""
    model, written = project.model, project.definitions
    return {
        "project": {
            "name": model.project.name,
            "label": model.project.label,
            "description": model.project.description,
            "timezone": model.project.timezone,
            "week_start": model.project.week_start.value,
        },
        "metrics": [metric_told(one, model) for one in public_metrics(model)],
        "cohorts": [metric_told(one, model) for one in public_cohorts(model)],
        "boards": [_board(name, model) for name in model.boards],
        "events": [
            {
                **_described(name, written.events[name]),
                "source": one.source.name,
                "stored_as": one.key,
                "dependents": list(model.dependents(name)),
            }
            for name, one in model.events.items()
            if written.events[name].visibility == "public"
        ],
        "sources": [
            {
                **_described(name, written.sources[name]),
                "table": one.table,
                "properties": [
                    {
                        "name": of.name,
                        "type": str(of.type),
                        "label": of.label,
                        "description": of.description,
                        "unit": of.unit,
                    }
                    for of in one.properties.values()
                ],
            }
            for name, one in model.sources.items()
            if written.sources[name].visibility == "public"
        ],
    }


def metric_told(metric: Metric, model: SemanticModel) -> dict[str, Any]:
    """A metric or cohort, as it is defined."""
    family, written = families()[metric.type], metric.definition
    people = people_of(metric, family)
    return {
        **_described(metric.name, written),
        "label": metric.label,
        "field": camel(metric.name),
        "type": metric.type,
        "class": metric.metric_class.value,
        "entity": metric.entity,
        "unit": written.unit,
        "format": written.format,
        "sources": [one.name for one in metric.sources],
        "depends_on": [{"name": name, "kind": _kind(model, name)} for name in metric.depends_on],
        "dependents": list(model.dependents(metric.name)),
        "measures": [
            {"name": one.name, "type": str(one.type), "description": one.description or None}
            for one in family.measures(metric)
        ],
        "parts": [
            {"name": part, "description": one.description, "columns": [of.name for of in (*one.keys, *one.columns)]}
            for part, one in tables_of(family, every=True).items()
        ],
        "member_choices": None
        if people is None
        else [{"name": one.name, "type": one.type, "values": list(one.words) or None} for one in people.choices],
        "dimensions": _dimensions(metric),
    }


def _dimensions(metric: Metric) -> list[dict[str, Any]]:
    sources = sources_of(metric.sources)
    properties = {one.name: one for one in sources.properties}
    return [
        {
            "name": name,
            "type": str(of.type) if of else "string",
            "label": of.label if of else None,
            "description": of.description if of else words,
            "unit": of.unit if of else None,
        }
        for name, words in sources.dimensions
        for of in (properties.get(name),)
    ]


def _explained(explained: Explained) -> dict[str, Any]:
    return {
        "conventions": list(explained.conventions),
        "sql": explained.sql,
        "lineage": [
            {
                "kind": one.kind,
                "name": one.name,
                "table": one.table,
                "columns": [{"name": of.name, "named_by": list(of.named_by)} for of in one.columns],
            }
            for one in explained.lineage
        ],
    }


def _board(name: str, model: SemanticModel) -> dict[str, Any]:
    of = model.boards[name]
    return {
        "name": name,
        "label": board_label(name, of),
        "description": of.description,
        "owner": of.owner,
        "cards": [
            {"name": one.name, "label": one.label, "question": one.definition.question, "metric": one.metric.name}
            for one in cards_of(model, name)
        ],
    }


def _described(name: str, written: Described) -> dict[str, Any]:
    gone = written.deprecated
    return {
        "name": name,
        "label": written.label,
        "description": written.description,
        "owner": written.owner,
        "tags": list(written.tags),
        "deprecated": {"reason": gone.reason, "replaced_by": gone.replaced_by} if gone else None,
    }


def _kind(model: SemanticModel, name: str) -> str:
    if name in model.metrics:
        return "metric"
    return "cohort" if name in model.cohorts else "event"


# -- OpenAPI ----------------------------------------------------------------------------------------------------------

_NAMED = {
    "name": TEXT,
    "label": maybe("string"),
    "description": maybe("string"),
    "owner": maybe("string"),
}
_DESCRIBED = {
    **_NAMED,
    "tags": listed(TEXT),
    "deprecated": {"anyOf": [shape({"reason": TEXT, "replaced_by": maybe("string")}), {"type": "null"}]},
}
_VALUE = {"name": TEXT, "type": TEXT}
_PROPERTY = shape({**_VALUE, "label": maybe("string"), "description": maybe("string"), "unit": maybe("string")})
_METRIC: Mapping[str, Any] = {
    **_DESCRIBED,
    "field": TEXT,
    "type": TEXT,
    "class": {"enum": ["usage", "engagement"]},
    "entity": TEXT,
    "unit": maybe("string"),
    "format": maybe("string"),
    "sources": listed(TEXT),
    "depends_on": listed(shape({"name": TEXT, "kind": {"enum": ["event", "metric", "cohort"]}})),
    "dependents": listed(TEXT),
    "measures": listed(shape({**_VALUE, "description": maybe("string")})),
    "parts": listed(shape({"name": TEXT, "description": TEXT, "columns": listed(TEXT)})),
    "member_choices": {
        "type": ["array", "null"],
        "items": shape({**_VALUE, "values": {"type": ["array", "null"], "items": TEXT}}),
    },
    "dimensions": listed(_PROPERTY),
}
_LINEAGE = shape(
    {
        "kind": {"enum": ["source", "entity"]},
        "name": TEXT,
        "table": TEXT,
        "columns": listed(shape({"name": TEXT, "named_by": listed(TEXT)})),
    }
)


def _refer(names: Sequence[str]) -> Mapping[str, Any]:
    return {name: listed({"$ref": "#/components/schemas/Metric"}) for name in names}


SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "Metric": shape(_METRIC),
    "MetricInDetail": shape(
        {**_METRIC, "conventions": listed(TEXT), "sql": TEXT, "lineage": listed(_LINEAGE), "data_through": MOMENT}
    ),
    "Catalog": shape(
        {
            "project": shape(
                {
                    "name": TEXT,
                    "label": maybe("string"),
                    "description": maybe("string"),
                    "timezone": TEXT,
                    "week_start": TEXT,
                }
            ),
            **_refer(("metrics", "cohorts")),
            "boards": listed(
                shape(
                    {
                        **_NAMED,
                        "cards": listed(
                            shape({"name": TEXT, "label": TEXT, "question": maybe("string"), "metric": TEXT})
                        ),
                    }
                )
            ),
            "events": listed(
                shape({**_DESCRIBED, "source": TEXT, "stored_as": maybe("string"), "dependents": listed(TEXT)})
            ),
            "sources": listed(shape({**_DESCRIBED, "table": TEXT, "properties": listed(_PROPERTY)})),
        }
    ),
}
