"""The schema itself: valid, shared, the same each time, and quickly built."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from graphql import GraphQLObjectType, validate_schema
from graphql import build_schema as read_sdl

from graphql_schema.asking import project_of, streaming
from metrics_api.graphql_schema import build_schema, print_sdl
from metrics_api.graphql_schema.layout import camel
from metrics_api.graphql_schema.layouts import layout_of
from metrics_api.graphql_schema.names import OWN_TYPES, PEOPLE_TYPES

TYPES = ("string", "number", "integer", "boolean", "string", "decimal", "date", "timestamp")


def big_project(metrics: int, sources: int = 3) -> str:
    """Metrics of every family over sources with properties of every type."""
    lines = ["version: 1", "project: {name: big}", "sources:"]
    for source in range(sources):
        lines += [f"  source_{source}:", f"    table: t{source}", "    time: at", "    event_name: event"]
        lines += ["    identity: {user: user_id}", "    properties:"]
        lines += [f"      property_{number}: {type_}" for number, type_ in enumerate(TYPES)]
    lines.append("events:")
    lines += [
        f"  event_{source}_{number}: {{source: source_{source}}}" for source in range(sources) for number in (0, 1)
    ]
    lines.append("metrics:")
    for number in range(metrics):
        event = f"event_{number % sources}"
        lines.append(f"  metric_{number}:")
        lines += (
            ["    type: usage", f"    event: {event}_0", "    measure: sum(property_5)"],
            ["    type: value_moment", f"    moments: {{did: {{event: {event}_0}}}}", "    depth: sum(property_1)"],
            ["    type: active_users", f"    on: {event}_1", "    window: 7 days"],
            ["    type: funnel", f"    steps: {{first: {{event: {event}_0}}, second: {{event: {event}_1}}}}"],
        )[number % 4]
    return "\n".join(lines) + "\n"


def test_five_hundred_metrics_are_built_in_two_seconds(tmp_path: Path) -> None:
    model = project_of(big_project(500), tmp_path).model
    build_schema(project_of(big_project(4), tmp_path / "small").model)  # what is imported once is not counted
    begun = time.process_time()
    schema = build_schema(model)
    seconds = time.process_time() - begun
    assert len(schema.get_type_by_name("Metrics").fields) == 500
    assert seconds < 2, f"{seconds:.2f} s"


def test_types_do_not_grow_with_metrics(tmp_path: Path) -> None:
    few = build_schema(project_of(big_project(24), tmp_path / "few").model)
    many = build_schema(project_of(big_project(240), tmp_path / "many").model)
    assert set(few.schema_converter.type_map) == set(many.schema_converter.type_map)


def test_the_schema_is_valid_and_its_own_types_are_known() -> None:
    project, schema = streaming()
    text = print_sdl(schema)
    read = read_sdl(text)
    assert validate_schema(read) == []
    assert text.endswith("}\n")
    own = {name for name in read.type_map if not name.startswith(("__", "AppEvents"))}
    statistics = (
        "PerUser",
        "Seconds",
        "SecondsFromEntry",
        "SecondsFromPrevious",
        "EventsPerSession",
        "MinutesPerSession",
        "Score",
    )
    groups = {f"{group}{of}" for group in statistics for of in ("", "Columns")}
    people = [layout_of(metric, project.model).people for metric in project.model.metrics.values()]
    choices = {choice.type_name for one in people if one is not None for choice in one.choices if choice.words}
    assert own - groups - choices - PEOPLE_TYPES <= OWN_TYPES
    assert OWN_TYPES - own == {
        "DecimalFilter", "DateFilter", "Decimal", "Mutation", "Subscription",
    }  # fmt: skip


def test_every_part_says_what_it_is() -> None:
    read = read_sdl(print_sdl(streaming()[1]))
    silent = [
        f"{name}.{field}"
        for name, type_ in read.type_map.items()
        if isinstance(type_, GraphQLObjectType) and not name.startswith(("__", "Catalog", "Query"))
        for field, of in type_.fields.items()
        if not of.description
    ]
    assert silent == []
    metric = read.type_map["Metrics"].fields["videosWatched"]
    assert metric.description == (
        "Videos watched: A video watched for three minutes or more, or one worth sending to somebody else. "
        "The metric's value: total. Owner: product."
    )


def test_descriptions_deprecation_and_visibility(tmp_path: Path) -> None:
    text = """
version: 1
project: {name: p}
sources:
  events:
    table: t
    time: at
    event_name: event
    identity: {user: user_id}
    properties:
      plan: {type: string, label: Plan, description: What they pay for.}
      amount: {type: decimal, unit: EUR}
events:
  e: {source: events}
metrics:
  old: {type: usage, event: e, deprecated: {reason: It counted robots., replaced_by: new_one}}
  new_one: {type: usage, event: e, measure: sum(amount), unit: EUR}
  hidden: {type: usage, event: e, visibility: internal}
"""
    schema = build_schema(project_of(text, tmp_path).model)
    sdl = print_sdl(schema)
    read = read_sdl(sdl)
    fields = read.type_map["Metrics"].fields
    assert list(fields) == ["old", "newOne"]
    assert fields["old"].deprecation_reason == "It counted robots. Use `newOne`."
    assert fields["newOne"].description == "New one. The metric's value: sum(amount). In EUR."
    assert str(read.type_map["EventsUsageDecimalRow"].fields["value"].type) == "Decimal"
    assert str(read.type_map["EventsUsageRow"].fields["value"].type) == "BigInt"
    assert read.type_map["EventsDimension"].values["PLAN"].description == "What they pay for."
    assert read.type_map["EventsFilter"].fields["amount"].description == "In EUR."
    assert str(read.type_map["EventsFilter"].fields["amount"].type) == "DecimalFilter"


def test_a_project_of_nothing(tmp_path: Path) -> None:
    schema = build_schema(project_of("version: 1\nproject: {name: empty}\n", tmp_path).model)
    assert "metrics:" not in print_sdl(schema).partition("type Query")[2].partition("}")[0]


def test_a_source_without_properties(tmp_path: Path) -> None:
    text = """
version: 1
project: {name: p}
sources:
  events: {table: t, time: at, event_name: event, identity: {user: user_id}}
events:
  e: {source: events}
metrics:
  things: {type: usage, event: e}
  path: {type: funnel, steps: {one: {event: e}, two: {event: e}}}
"""
    read = read_sdl(print_sdl(build_schema(project_of(text, tmp_path).model)))
    assert "where" not in read.type_map["Metrics"].fields["things"].args
    assert list(read.type_map["EventsDimension"].values) == ["HOUR_OF_DAY", "WEEKDAY"]
    assert validate_schema(read) == []


def test_metrics_over_several_sources_share_what_the_sources_share(tmp_path: Path) -> None:
    text = """
version: 1
project: {name: p}
sources:
  web: {table: a, time: at, identity: {user: u}, properties: {plan: string, size_: number, only_web: string}}
  app: {table: b, time: at, identity: {user: u}, properties: {plan: string, size_: string, only_app: string}}
events:
  on_web: {source: web, name: any}
  on_app: {source: app, name: any}
metrics:
  both: {type: value_moment, moments: {web: {event: on_web}, app: {event: on_app}}}
  path: {type: funnel, steps: {app: {event: on_app}, web: {event: on_web}}}
"""
    read = read_sdl(print_sdl(build_schema(project_of(text, tmp_path).model)))
    assert list(read.type_map["AppAndWebDimension"].values) == ["PLAN", "HOUR_OF_DAY", "WEEKDAY"]
    fields = read.type_map["Metrics"].fields
    assert str(fields["both"].args["by"].type) == str(fields["path"].args["by"].type) == "[AppAndWebDimension!]"


@pytest.mark.slow
def test_the_schema_is_the_same_in_every_process(tmp_path: Path) -> None:
    (tmp_path / "project.yml").write_text(big_project(30), "utf-8")
    program = (
        "import sys; from pathlib import Path; from metrics_api.compile.project import load_model; "
        "from metrics_api.graphql_schema import build_schema, print_sdl; "
        "print(print_sdl(build_schema(load_model(Path(sys.argv[1]))[0])))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


CAMEL = [("a", "a"), ("a_b", "aB"), ("a__b_", "aB"), ("a_1", "a1"), ("day_7_x", "day7X")]


@pytest.mark.parametrize(("name", "field"), CAMEL)
def test_camel_case(name: str, field: str) -> None:
    assert camel(name) == field
