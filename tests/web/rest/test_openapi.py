"""The document of OpenAPI: right by its own schema, true of the server, and asked by schemathesis."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from graphql_schema.asking import NOW, streaming, streaming_folder
from metrics_api import create_app, openapi_document
from metrics_api.errors import Code
from metrics_api.graphql_schema.context import RequestLimits
from metrics_api.serving.project import load_project
from metrics_api.serving.service import Service
from metrics_api.web.rest.api import endpoints
from metrics_api.web.rest.refusals import STATUSES
from tests.web.rest.asking import get, running

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return get("/v1/openapi.json").json()


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    errors = [one.message for one in OpenAPIV31SpecValidator(document).iter_errors()]
    assert errors == []


def test_it_is_what_the_command_writes(document: dict[str, Any]) -> None:
    assert json.loads(openapi_document(streaming()[0])) == document


def test_every_route_below_v1_is_told(document: dict[str, Any]) -> None:
    found = endpoints(Service(streaming()[0]), RequestLimits())
    assert [one.path for one in found if not one.operations] == ["/v1/exports/{name}"]
    assert [one.path for one in found if one.operations] == list(document["paths"])
    ids = [of["operationId"] for methods in document["paths"].values() for of in methods.values()]
    assert len(ids) == len(set(ids))


def test_every_code_has_a_status_that_is_told(document: dict[str, Any]) -> None:
    codes = document["components"]["schemas"]["Refusal"]["properties"]["errors"]["items"]["properties"]["extensions"]
    assert set(codes["properties"]["code"]["enum"]) == set(Code)
    told = {int(name) for name in document["paths"]["/v1/metrics/{name}"]["get"]["responses"]}
    assert set(STATUSES.values()) <= told


def test_metrics_and_cohorts_are_named(document: dict[str, Any]) -> None:
    (names,) = (
        one["schema"]["enum"]
        for one in document["components"]["parameters"].values()
        if one["name"] == "name" and "activation" in one["schema"]["enum"]
    )
    catalog = get("/v1/catalog").json()
    assert names == [one["name"] for kind in ("metrics", "cohorts") for one in catalog[kind]]


@pytest.mark.slow
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    project = load_project(streaming_folder(), clock=lambda: NOW)
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--no-color",
        "--config-file",
        str(HERE / "schemathesis.toml"),
        "run",
    ]
    asked = ["--checks", "all", "--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--seed", "1"]
    try:
        with running(create_app(project)) as url:
            ran = subprocess.run(
                [*command, f"{url}/v1/openapi.json", *asked, "--continue-on-failure"],
                capture_output=True, text=True, check=False, timeout=600, cwd=tmp_path,
            )  # fmt: skip
    finally:
        project.close()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    generated, passed = map(int, re.search(r"(\d+) generated, (\d+) passed", ran.stdout).groups())  # type: ignore[union-attr]
    assert generated == passed > 1_000
