from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from metrics_api.cli.schema import EDITOR_SCHEMA
from metrics_api.definitions.yaml12 import parse_yaml, read_yaml
from tests.cli.conftest import Invoke

try:
    from metrics_api.graphql_schema import print_sdl as _print_sdl  # noqa: F401
    from metrics_api.graphql_schema.schema import build_schema as _build_schema  # noqa: F401
except ImportError as error:
    pytest.skip(f"metrics_api.graphql_schema cannot be imported yet: {error}", allow_module_level=True)


def test_writes_both_files_and_knows_when_they_are_stale(streaming: Path, tmp_path: Path, invoke: Invoke) -> None:
    out = ("--out", str(tmp_path / "generated"))
    missing = invoke(streaming, "schema", *out, "--check")
    assert missing.exit_code == 1
    assert "definitions.schema.json is missing" in missing.stderr
    assert "schema.graphql is missing" in missing.stderr
    assert not (tmp_path / "generated").exists()

    assert invoke(streaming, "schema", *out).exit_code == 0
    assert invoke(streaming, "schema", *out, "--check").exit_code == 0
    assert "is up to date" in invoke(streaming, "schema", *out).stdout

    sdl = tmp_path / "generated" / "schema.graphql"
    sdl.write_text(sdl.read_text("utf-8").replace("videosWatched", "videosSeen"), "utf-8")
    stale = invoke(streaming, "schema", *out, "--check")
    assert stale.exit_code == 1
    assert "schema.graphql is stale" in stale.stderr
    assert "definitions.schema.json" not in stale.stderr


def test_the_written_schema_accepts_the_example_projects(
    streaming: Path, cdnow: Path, tmp_path: Path, invoke: Invoke
) -> None:
    assert invoke(streaming, "schema", "--out", str(tmp_path)).exit_code == 0
    schema = json.loads((tmp_path / "definitions.schema.json").read_text("utf-8"))
    for file in (*streaming.glob("*.yml"), *cdnow.glob("*.yml")):
        jsonschema.validate(read_yaml(file).data, schema)


def test_the_sdl_is_that_of_the_project(cdnow: Path, tmp_path: Path, invoke: Invoke) -> None:
    assert invoke(cdnow, "schema", "--out", str(tmp_path)).exit_code == 0
    sdl = (tmp_path / "schema.graphql").read_text("utf-8")
    assert "repeatPurchase" in sdl
    assert "videosWatched" not in sdl


# -- the schema that knows the names of a project ----------------------------------------------------------------------


def editor_schema(folder: Path, invoke: Invoke) -> jsonschema.Draft202012Validator:
    result = invoke(folder, "schema", "--editor")
    assert result.exit_code == 0, result.stderr
    schema = json.loads((folder / EDITOR_SCHEMA).read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def refusals(validator: jsonschema.Draft202012Validator, text: str) -> set[tuple[str, str]]:
    """The keyword and value of everything refused, alternatives included."""
    found: set[tuple[str, str]] = set()
    waiting = list(validator.iter_errors(parse_yaml(text, "a.yml").data))
    while waiting:
        error = waiting.pop()
        waiting += error.context or ()
        found.add((str(error.validator), str(error.instance)))
    return found


@pytest.mark.parametrize("name", ["streaming", "cdnow"])
def test_a_projects_own_files_are_valid(name: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(name)
    schema = json.loads((folder / EDITOR_SCHEMA).read_text("utf-8"))  # `demo` wrote it.
    validator = jsonschema.Draft202012Validator(schema)
    for file in folder.glob("*.yml"):
        assert file.read_text("utf-8").startswith(f"# yaml-language-server: $schema={EDITOR_SCHEMA}\n")
        assert list(validator.iter_errors(read_yaml(file).data)) == []


def test_misspelled_names_are_refused_and_new_ones_known(
    project: Callable[[str], Path], invoke: Invoke, tmp_path: Path
) -> None:
    folder = project("metrics:\n  times: {type: usage, event: watched}\n")
    validator = editor_schema(folder, invoke)
    active = "metrics: {actives: {type: active_users, on: NAME}}"
    assert refusals(validator, active.replace("NAME", "watched")) == set()
    for text, wrong in {
        active: "NAME",
        "metrics: {a: {type: usage, event: wached}}": "wached",
        "metrics: {a: {type: active_users, on: times}}": "times",  # A metric, but no value moment.
        "metrics: {a: {type: funnel, steps: {one: wached, two: {on: watched}}}}": "wached",
        "metrics: {a: {type: funnel, steps: {one: {event: wached}, two: {on: watched}}}}": "wached",
        "events: {a: {source: logg}}": "logg",
        "project: {name: a, default_warehouse: dmeo}": "dmeo",
        "project: {name: a, targets: {dev: {warehouse: dmeo}}}": "dmeo",
        "project: {name: a, warehouses: {demo: {type: duckbd}}}": "duckbd",
    }.items():
        assert ("enum", wrong) in refusals(validator, text), text
    ratio = "metrics: {a: {type: ratio, numerator: NAME, denominator: times.users}}"
    assert refusals(validator, ratio.replace("NAME", "times")) == set()
    assert ("pattern", "tims.users") in refusals(validator, ratio.replace("NAME", "tims.users"))
    (folder / "more.yml").write_text(
        "events: {shared: {source: log}}\nmetrics:\n  moments: {type: value_moment, moments: {one: shared}}\n", "utf-8"
    )
    assert ("enum", "moments") in refusals(validator, active.replace("NAME", "moments"))
    validator = editor_schema(folder, invoke)
    for name in ("moments", "shared", "watched"):
        assert refusals(validator, active.replace("NAME", name)) == set()


def test_what_helps_while_one_types(project: Callable[[str], Path], invoke: Invoke) -> None:
    more = """\
metrics:
  times: {type: usage, event: watchd}
entities:
  user: {attributes: {table: people, key: id, columns: {plan: string, email: {type: string, personal: true}}}}
"""
    schema = editor_schema(project(more), invoke).schema
    fields = schema["$defs"]["UsageDefinition"]["properties"]  # type: ignore[index]
    assert fields["event"]["enum"] == ["watched"]
    assert "sum(minutes)" in fields["measure"]["examples"]
    assert fields["where"]["description"].endswith(
        "Properties: `city` (string), `minutes` (number), `user.plan` (string)."
    )


def test_a_project_without_names_yet(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "project.yml").write_text("project: {name: new}\n", "utf-8")
    validator = editor_schema(tmp_path, invoke)
    assert refusals(validator, "project: {name: new}") == set()
    assert ("not", "anything") in refusals(validator, "events: {a: {source: anything}}")


def test_what_editors_read_is_not_for_version_control(project: Callable[[str], Path], invoke: Invoke) -> None:
    folder = project("")
    editor_schema(folder, invoke)
    assert (folder / ".metrics-api" / ".gitignore").read_text("utf-8") == "*\n"
    assert invoke(folder, "validate").exit_code == 0
    assert invoke(folder, "schema", "--editor", "--check").exit_code == 2
