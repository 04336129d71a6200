"""The document of OpenAPI 3.1: what the endpoints say of themselves, put together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from metrics_api import __version__
from metrics_api.errors import Code
from metrics_api.semantic.model import SemanticModel
from metrics_api.web.rest.endpoint import Endpoint, Operation
from metrics_api.web.rest.schemas import TEXT, listed, shape

_REFUSALS: Mapping[int, str] = {
    400: "The question cannot be answered as it is asked; all that is wrong with it is told.",
    404: "There is nothing of that name, or, with `cache=only`, no kept answer.",
    406: "`Accept` names no format that there is.",
    413: "The body is too large.",
    414: "The address is too long.",
    415: "The body is not JSON.",
    429: "The server is busy: too many wait for their turn.",
    500: "Our mistake; the server's log has it under `requestId`.",
    501: "The warehouse's engine has no exact form of what is asked.",
    502: "The warehouse refused or failed.",
    503: "The warehouse cannot be reached as the server is set up, or the statement still runs: see `retry-after`.",
    504: "The answer took too long.",
}


def document(model: SemanticModel, endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The document, in the order of the endpoints."""
    told = [one for one in endpoints if one.operations]
    schemas: dict[str, Any] = {"Refusal": _REFUSAL}
    for one in told:
        schemas |= one.schemas
    parameters: dict[str, Any] = {}
    headers = {name: words for one in told for of in one.operations.values() for name, words in of.headers.items()}
    paths = {one.path: {method: _operation(of, parameters) for method, of in one.operations.items()} for one in told}
    label = model.project.label or model.project.name
    return {
        "openapi": "3.1.1",
        "info": {
            "title": f"{label}: metrics",
            "version": __version__,
            "description": model.project.description or "The metrics of a project, beside its GraphQL at `/graphql`.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": parameters,
            "headers": {name: {"description": words, "schema": TEXT} for name, words in headers.items()},
            "responses": {f"Refusal{status}": _refusal(words) for status, words in _REFUSALS.items()},
        },
    }


def written(model: SemanticModel, endpoints: Sequence[Endpoint]) -> str:
    """The document as a file."""
    return json.dumps(document(model, endpoints), indent=2, ensure_ascii=False) + "\n"


def _operation(of: Operation, parameters: dict[str, Any]) -> dict[str, Any]:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in of.headers}
    responses: dict[str, Any] = {
        str(status): {
            "description": HTTPStatus(status).phrase,
            **({"headers": headers} if headers else {}),
            **({"content": {type_: {"schema": schema} for type_, schema in content.items()}} if content else {}),
        }
        for status, content in of.responses.items()
    }
    responses |= {str(status): {"$ref": f"#/components/responses/Refusal{status}"} for status in of.refusals}
    told: dict[str, Any] = {
        "operationId": of.id,
        "summary": of.summary,
        "description": of.description,
        "tags": [of.tag],
        "parameters": [_shared(one, parameters) for one in of.parameters],
        "responses": responses,
    }
    if of.body is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": of.body}}}
    return told


def _shared(parameter: Mapping[str, Any], known: dict[str, Any]) -> dict[str, str]:
    """A reference to the parameter: equal ones of several operations are told once."""
    number, key = 1, parameter["name"]
    while known.setdefault(key, parameter) != parameter:
        number += 1
        key = f"{parameter['name']}_{number}"
    return {"$ref": f"#/components/parameters/{key}"}


def _refusal(words: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    return {"description": words, "content": content}


_EXTENSIONS = shape(
    {"code": {"enum": [one.value for one in Code]}, "requestId": TEXT, "parameter": TEXT}, optional=("parameter",)
)
_REFUSAL = shape({"errors": listed(shape({"message": TEXT, "extensions": _EXTENSIONS}))})
