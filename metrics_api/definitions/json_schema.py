"""The file format as JSON Schema: what an editor completes, explains on hover and underlines while one types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from metrics_api.definitions.base import ENTITIES, Definition, MetricDefinition
from metrics_api.definitions.entities import EntityDefinition
from metrics_api.definitions.loader import VERSION
from metrics_api.definitions.names import IDENTIFIER_PATTERN, LONGEST_NAME
from metrics_api.definitions.sources import EventDefinition, ProjectDefinition, SourceDefinition
from metrics_api.periods import Duration

Schema: TypeAlias = dict[str, Any]

_NAME: Schema = {"pattern": IDENTIFIER_PATTERN, "maxLength": LONGEST_NAME}


def definitions_schema(families: Mapping[str, type[MetricDefinition]]) -> Schema:
    """The schema of one definition file, for the metric families given; equal for equal families."""
    classes: list[type[Definition]] = [
        ProjectDefinition,
        SourceDefinition,
        EntityDefinition,
        EventDefinition,
        *(families[word] for word in sorted(families)),
    ]
    references, generated = models_json_schema(
        [(one, "validation") for one in classes], schema_generator=_WrittenSchema, ref_template="#/$defs/{model}"
    )
    ref = {one: references[one, "validation"] for one in classes}
    metrics = [ref[families[word]] for word in sorted(families)]
    schema: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Definitions of metrics-api",
        "description": "One file of definitions; a folder of them makes a project.",
        "type": "object",
        "properties": {
            "version": {"const": VERSION, "description": "The version of the file format."},
            "project": ref[ProjectDefinition],
            "sources": _named(ref[SourceDefinition], "Tables and views with one row per event, by name."),
            "entities": {
                **_named(ref[EntityDefinition], "Users and accounts, and what is known of them."),
                "propertyNames": {"enum": list(ENTITIES)},
            },
            "events": _named(ref[EventDefinition], "The things people do, by name."),
            "metrics": _named(
                {"type": "object", "required": ["type"], "oneOf": metrics},
                "The metrics, by name; `type` picks the family.",
            ),
        },
        "additionalProperties": False,
        "$defs": generated["$defs"],
    }
    tidied = _tidied(schema)
    assert isinstance(tidied, dict)
    for word, family in families.items():
        _require_type(tidied["$defs"][ref[family]["$ref"].rpartition("/")[2]], word)
    return tidied


def _named(definition: Schema, description: str) -> Schema:
    return {
        "description": description,
        "type": ["object", "null"],
        "propertyNames": _NAME,
        "additionalProperties": definition,
    }


def _require_type(family: Schema, word: str) -> None:
    """A default of `type` is for Python; in a file the type is always written, and explains the family on hover."""
    explained = {key: family[key] for key in ("description",) if key in family}
    family["properties"]["type"] = {"const": word, "type": "string", **explained}
    family["required"] = sorted({*family.get("required", ()), "type"})


class _WrittenSchema(GenerateJsonSchema):
    """As pydantic's, but without what nobody writes: nulls, and titles that repeat the field."""

    def nullable_schema(self, schema: Any) -> Schema:
        """An optional field is left out, never null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> Schema:
        """Defaults that only mean "not given" are no help to a reader; durations are words."""
        generated = super().default_schema(schema)
        if isinstance(default := schema.get("default"), Duration):
            generated["default"] = str(default)
        if generated.get("default") in (None, "", [], {}):
            generated.pop("default", None)
        return generated

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _tidied(part: Any) -> Any:
    """The same with only the allowed names in every mapping; pydantic leaves other names open beside a pattern."""
    if isinstance(part, list):
        return [_tidied(one) for one in part]
    if not isinstance(part, dict):
        return part
    tidied = {key: _tidied(value) for key, value in part.items()}
    if "patternProperties" in tidied and "additionalProperties" not in tidied:
        ((pattern, value),) = tidied.pop("patternProperties").items()
        tidied["propertyNames"] = {"pattern": pattern, **tidied.get("propertyNames", {})}
        tidied["additionalProperties"] = value
    return tidied
