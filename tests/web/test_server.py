"""A real server on a free port of this machine, asked over the network."""

import asyncio
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from graphql import (
    GraphQLObjectType,
    GraphQLOutputType,
    build_client_schema,
    get_introspection_query,
    get_named_type,
    is_required_argument,
)

from environments import NotInstalled, missing, node_modules_with
from graphql_schema.asking import NOW, streaming_folder
from metrics_api import create_app
from metrics_api.definitions.yaml12 import read_yaml
from metrics_api.families import metric_types
from metrics_api.graphql_schema.layout import camel
from metrics_api.graphql_schema.layouts import layout_of, public_cohorts
from metrics_api.graphql_schema.names import public_metrics
from metrics_api.serving.project import load_project


@pytest.fixture
def server() -> Iterator[str]:
    project = load_project(streaming_folder(), clock=lambda: NOW)
    running = uvicorn.Server(uvicorn.Config(create_app(project), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        while not running.started:
            assert thread.is_alive()
            thread.join(0.01)
        port = running.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        running.should_exit = True
        thread.join(timeout=10)
        project.close()
    assert not thread.is_alive()


AUDIT = Path(__file__).parent / "audit"


def test_graphql_over_http_is_as_its_specification_says(server: str) -> None:
    try:
        folder = node_modules_with("graphql-http", AUDIT / "package.json")
    except NotInstalled as error:
        missing(error)
    script = shutil.copy(AUDIT / "audit.mjs", folder)
    told = subprocess.run(
        ["node", script, f"{server}/graphql"], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    audits = [json.loads(line) for line in told.splitlines()]
    assert len(audits) == 61
    assert [one for one in audits if one["status"] != "ok"] == []


def test_a_server_answers_many_at_once(server: str) -> None:
    project = load_project(streaming_folder(), clock=lambda: NOW)
    expected = [row["value"] for row in project.query("videos_watched", last="7 days").to_pylist()]
    project.close()
    query = """{ metrics {
      videosWatched(time: {last: {n: 7, unit: DAY}}) { rows { value } }
      activation { steps { rate } }
    } }"""

    async def ask_together() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=server, timeout=30) as client:
            return await asyncio.gather(*(client.post("/graphql", json={"query": query}) for _ in range(12)))

    for response in asyncio.run(ask_together()):
        assert response.status_code == 200
        metrics = response.json()["data"]["metrics"]
        assert [row["value"] for row in metrics["videosWatched"]["rows"]] == expected
        assert metrics["activation"]["steps"][0]["rate"] == 1.0


def test_a_server_tells_the_people_of_every_metric_and_cohort(server: str) -> None:
    project = load_project(streaming_folder(), clock=lambda: NOW)
    model = project.model
    project.close()
    people = "members(first: 3) { nodes { id attributes { plan } } totalCount pageInfo { hasNextPage } }"
    with httpx.Client(base_url=server, timeout=60) as client:

        def ask(query: str) -> Any:
            told = client.post("/graphql", json={"query": query}).json()
            assert "errors" not in told, (query, told["errors"])
            return told["data"]

        asked = [camel(one.name) for one in public_metrics(model) if layout_of(one, model).people is not None]
        assert len(asked) > 8
        for field in asked:
            members = ask(f"{{ metrics {{ {field} {{ {people} }} }} }}")["metrics"][field]["members"]
            assert len(members["nodes"]) == min(3, members["totalCount"]), field
            assert members["pageInfo"]["hasNextPage"] is (members["totalCount"] > 3), field
        for cohort in public_cohorts(model):
            field = "cohort" if cohort.entity == "user" else f"{cohort.entity}Cohort"
            body = f"name size rows {{ period size complete }} {people}"
            found = ask(f"{{ {field}(name: {cohort.name.upper()}) {{ {body} }} }}")[field]
            assert (found["name"], found["rows"][-1]["size"]) == (cohort.name, found["size"])
            assert found["members"]["totalCount"] == found["size"] >= len(found["members"]["nodes"])


def test_a_server_refuses_what_is_too_large(server: str) -> None:
    with httpx.Client(base_url=server, timeout=30) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        large = b'{"query": "' + b"x" * 300_000 + b'"}'
        response = client.post("/graphql", content=large, headers={"content-type": "application/json"})
        assert response.status_code == 413
        assert client.get("/readyz").status_code == 200


def written_types() -> dict[str, str]:
    """The type of every metric that the example's files define, read as plain YAML."""
    found: dict[str, str] = {}
    for file in sorted(streaming_folder().glob("*.yml")):
        read: Any = read_yaml(file).data
        found |= {name: one["type"] for name, one in read.get("metrics", {}).items()}
    return found


def everything(of: GraphQLOutputType) -> str:
    """All that can be selected of a type without an argument that has to be given."""
    named = get_named_type(of)
    if not isinstance(named, GraphQLObjectType):
        return ""
    selected = [
        f"{name}{everything(field.type)}"
        for name, field in named.fields.items()
        if not any(is_required_argument(one) for one in field.args.values())
    ]
    return f" {{ {' '.join(selected)} }}"


def test_a_server_answers_every_metric_of_every_type(server: str) -> None:
    """Asked for all that its own schema offers, so that no family and no part of an answer is forgotten."""
    written = written_types()
    assert set(written.values()) == metric_types().keys()
    with httpx.Client(base_url=server, timeout=120) as client:

        def ask(query: str) -> Any:
            response = client.post("/graphql", json={"query": query})
            assert response.status_code == 200, response.text
            told = response.json()
            assert "errors" not in told, (query, told["errors"])
            return told["data"]

        schema = build_client_schema(ask(get_introspection_query(descriptions=False)))
        metrics = schema.type_map["Metrics"]
        assert isinstance(metrics, GraphQLObjectType)
        listed = {one["name"]: one for one in ask("{ catalog { metrics { name field type } } }")["catalog"]["metrics"]}
        assert {name: one["type"] for name, one in listed.items()} == written
        assert {one["field"] for one in listed.values()} == metrics.fields.keys()
        for name, field in metrics.fields.items():
            answer = ask(f"{{ metrics {{ {name}{everything(field.type)} }} }}")["metrics"][name]
            lists = {part: rows for part, rows in answer.items() if isinstance(rows, list)}
            assert lists and all(lists.values()), (name, {part: len(rows) for part, rows in lists.items()})
            assert answer["info"]["rowCount"] > 0, name
