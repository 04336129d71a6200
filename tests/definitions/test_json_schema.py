"""The schema accepts what the loader accepts, and refuses what it refuses, as far as a schema can."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from definitions.stand_ins import FAMILIES, PROJECT
from definitions.test_loader import METRICS
from metrics_api.definitions.json_schema import definitions_schema
from metrics_api.definitions.loader import read_definitions
from metrics_api.definitions.yaml12 import parse_yaml
from metrics_api.errors import DefinitionError

jsonschema = pytest.importorskip("jsonschema")

SCHEMA = definitions_schema(FAMILIES)


def is_valid(data: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(data))


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_it_is_the_same_each_time() -> None:
    reordered = dict(sorted(FAMILIES.items(), reverse=True))
    assert list(reordered) != sorted(FAMILIES)
    assert json.dumps(definitions_schema(reordered)) == json.dumps(SCHEMA)


GOOD = {
    "project": PROJECT,
    "metrics": METRICS,
    "empty": "metrics:\n",
    "source": """\
        sources:
          orders:
            table: shop.orders
            time: {column: at, timezone: Europe/Berlin}
            event_id: {column: id, unique: true}
            identity: {user: {column: uid, type: integer}, account: org}
            late_arrival: 2 days
            history_start: 2022-01-01
            properties:
              country: string
              feature: {type: string, json: payload.feature, description: What was used.}
        """,
    "warehouses": """\
        project:
          name: shop
          as_of: 2026-01-31
          warehouses: {demo: {type: duckdb, path: demo.duckdb, threads: 2, config: {a: [1, ~]}}}
        """,
    "described": """\
        metrics:
          signups:
            type: usage
            event: signed_up
            label: Sign-ups
            tags: [growth]
            format: number
            deprecated: {reason: Counts robots.}
            visibility: internal
            tests: {one: {events: "...", query: {grain: week}, expect: [{value: 1}]}}
        """,
}

BAD = {
    "word": "metric: {}",
    "later word": "policies: {}",
    "version": "version: 2",
    "type": "metrics: {a: {type: heatmap}}",
    "no type": "metrics: {a: {event: signed_up}}",
    "field": "metrics: {a: {type: usage, event: e, evnt: e}}",
    "missing": "metrics: {a: {type: usage}}",
    "null": "metrics: {a: {type: usage, event: e, label: ~}}",
    "number": "metrics: {a: {type: retention, start: s, return: r, periods: '12'}}",
    "bound": "metrics: {a: {type: retention, start: s, return: r, periods: 0}}",
    "choice": "metrics: {a: {type: retention, start: s, return: r, grain: weekly}}",
    "duration": "metrics: {a: {type: retention, start: s, return: r, window: 7d}}",
    "no duration": "metrics: {a: {type: retention, start: s, return: r, window: 0 days}}",
    "selector": "metrics: {a: {type: retention, start: {first_ever: true}, return: r}}",
    "both": "metrics: {a: {type: retention, start: {event: a, on: b}, return: r}}",
    "tier": "metrics: {a: {type: retention, start: s, return: r, tiers: {Power: 1}}}",
    "name": "metrics: {SignUps: {type: usage, event: e}}",
    "reserved": "sources: {a: {table: t, time: t, identity: {user: u}, properties: {value: number}}}",
    "property": "sources: {a: {table: t, time: t, identity: {user: u}, properties: {amount: money}}}",
    "table": "sources: {a: {table: SELECT 1, time: t, identity: {user: u}}}",
    "identity": "sources: {a: {table: t, time: t, identity: {users: u}}}",
    "nobody": "sources: {a: {table: t, time: t, identity: {}}}",
    "json": "sources: {a: {table: t, time: t, identity: {user: u}, properties: {f: {type: string, json: payload}}}}",
    "test": "metrics: {a: {type: usage, event: e, tests: {one: {expect: {value: 1}}}}}",
    "rows of a test": "metrics: {a: {type: usage, event: e, tests: {one: {events: '', expect: [1]}}}}",
    "engine": "project: {name: x, warehouses: {demo: {path: a}}}",
    "week": "project: {name: x, week_start: mon}",
}


def dedented(text: str) -> str:
    lines = text.splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indent:] for line in lines) + "\n"


@pytest.mark.parametrize("name", GOOD)
def test_good_files(name: str, tmp_path: Path) -> None:
    text = dedented(GOOD[name])
    assert is_valid(parse_yaml(text, "a.yml").data)
    (tmp_path / "a.yml").write_text(text if "project:" in text else f"project: {{name: x}}\n{text}")
    read_definitions(tmp_path, FAMILIES)


@pytest.mark.parametrize("name", BAD)
def test_bad_files(name: str, tmp_path: Path) -> None:
    assert not is_valid(parse_yaml(BAD[name], "a.yml").data)
    (tmp_path / "a.yml").write_text(BAD[name] if "project:" in BAD[name] else f"project: {{name: x}}\n{BAD[name]}")
    with pytest.raises(DefinitionError):
        read_definitions(tmp_path, FAMILIES)


def descriptions_missing(part: Any, path: str = "") -> list[str]:
    if isinstance(part, list):
        return [one for index, item in enumerate(part) for one in descriptions_missing(item, f"{path}/{index}")]
    if not isinstance(part, dict):
        return []
    missing = []
    if isinstance(fields := part.get("properties"), dict) and part.get("type") == "object":
        for name, one in fields.items():
            explained = "description" in one or "description" in SCHEMA["$defs"].get(one.get("$ref", "")[8:], {})
            if not explained and "const" not in one:
                missing.append(f"{path}/{name}")
    return missing + [one for key, item in part.items() for one in descriptions_missing(item, f"{path}/{key}")]


def test_every_field_explains_itself_on_hover() -> None:
    assert descriptions_missing(SCHEMA) == []


def test_fields_are_as_people_write_them() -> None:
    fields = SCHEMA["$defs"]["Retention"]["properties"]
    assert {"class", "return"} <= set(fields)
    assert fields["type"] == {
        "const": "retention",
        "type": "string",
        "description": "How many of those who start come back.",
    }
    assert SCHEMA["$defs"]["ProjectDefinition"]["properties"]["default_range"]["default"] == "30 days"
    assert SCHEMA["$defs"]["Usage"]["properties"]["event"]["x-reference"] == "event"
    assert "null" not in json.dumps(SCHEMA["$defs"])
