"""A real server on a free port of this machine, asked over the network."""

import asyncio
import threading
from collections.abc import Iterator

import httpx
import pytest
import uvicorn

from graphql_schema.asking import NOW, streaming_folder
from metrics_api import create_app
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


def test_a_server_refuses_what_is_too_large(server: str) -> None:
    with httpx.Client(base_url=server, timeout=30) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        large = b'{"query": "' + b"x" * 300_000 + b'"}'
        response = client.post("/graphql", content=large, headers={"content-type": "application/json"})
        assert response.status_code == 413
        assert client.get("/readyz").status_code == 200
