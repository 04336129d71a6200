"""`docs/rest.md`: its commands are run as they are printed, against a real server over the README's warehouse."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from graphql_schema.asking import streaming
from metrics_api import create_app
from metrics_api.cli.main import app
from metrics_api.graphql_schema.context import RequestLimits
from metrics_api.serving.project import load_project
from metrics_api.serving.service import Service
from metrics_api.web.rest.api import endpoints
from metrics_api.web.rest.asked import Rest
from metrics_api.web.rest.exports import ExportLimits
from metrics_api.web.rest.metrics import HEADERS
from metrics_api.web.rest.refusals import STATUSES
from tests.cli.test_pages import FENCED, commands, page
from tests.web.rest.asking import running

PAGE = page("rest.md")
ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("docs") / "first"
    built = CliRunner().invoke(app, ["demo", "--dir", str(folder), "--end", "2026-03-31", "--no-serve"])
    assert built.exit_code == 0, built.output
    project = load_project(folder)
    with running(create_app(project)) as url:
        yield url
    project.close()


@pytest.mark.slow
def test_what_the_page_shows(server: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None and not os.environ.get("CI"):
        pytest.skip("curl is not installed")
    compared = 0
    for language, text in FENCED.findall(PAGE):
        if language == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(text.replace(ADDRESS, server), "rest.md", "exec"), {})
            assert int(printed.getvalue()) > 100
        for command, expected in commands(text) if language == "console" else ():
            ran = subprocess.run(
                ["bash", "-c", command.replace(ADDRESS, server)],
                capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60,
            )  # fmt: skip
            assert ran.stdout.split("\n")[:-1] == expected, command
            compared += 1
    assert compared == 4


def test_the_page_has_every_word_address_header_and_status() -> None:
    project = streaming()[0]
    service = Service(project)
    limits = RequestLimits()
    words = Rest(service, limits).answer_words
    assert [one.name for one in words if not re.search(rf"`{one.name}[`=]", PAGE)] == []
    paths = {re.sub(r"\{(\w+)\}.*", lambda found: found[1].upper(), one.path) for one in endpoints(service, limits)}
    assert [one for one in paths if f"`{one}" not in PAGE] == []
    assert [name for name in HEADERS if f"`{name}`" not in PAGE] == []
    assert [status for status in STATUSES.values() if str(status) not in PAGE] == []
    export = ExportLimits()
    assert f"{export.patience:g} seconds" in PAGE
    assert f"{export.waiting} wait" in PAGE
