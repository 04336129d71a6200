"""Schemas of OpenAPI that several answers share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def shape(properties: Mapping[str, Any], optional: Iterable[str] = ()) -> Mapping[str, Any]:
    """An object of exactly these."""
    return {
        "type": "object",
        "required": [name for name in properties if name not in set(optional)],
        "properties": dict(properties),
        "additionalProperties": False,
    }


def listed(items: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "array", "items": items}


def maybe(type_: str) -> Mapping[str, Any]:
    """A value of a type, or null."""
    return {"type": [type_, "null"]}


TEXT = {"type": "string"}
MOMENT = {"type": "string", "format": "date-time"}
DATE = {"type": "string", "format": "date"}
ROW: Mapping[str, Any] = {
    "type": "object",
    "description": (
        "A value for each column. Whole numbers beyond 2^53 - 1 and decimals are strings with all digits, dates are "
        "`2026-01-31`, instants UTC with a `Z`."
    ),
    "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
}
COLUMN: Mapping[str, Any] = shape(
    {
        "name": TEXT,
        "type": {"enum": ["string", "integer", "number", "decimal", "boolean", "timestamp", "date"]},
        "description": maybe("string"),
    }
)
INFO: Mapping[str, Any] = shape(
    {
        "part": TEXT,
        "metric": TEXT,
        "from": DATE,
        "to": DATE,
        "timezone": TEXT,
        "as_of": MOMENT,
        "data_through": MOMENT,
        "row_count": {"type": "integer"},
        "truncated": {"type": "boolean"},
        "complete": {"type": "boolean"},
        "conventions": listed(TEXT),
        "fingerprint": TEXT,
    },
    optional=("part",),
)
ANSWER: Mapping[str, Any] = shape({"rows": listed(ROW), "columns": listed(COLUMN), "info": INFO})
