from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from metrics_api.definitions.yaml12 import read_yaml
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
