from __future__ import annotations

import json
import socket
from pathlib import Path

import duckdb
import pytest

from tests.cli.conftest import Invoke

FEW = ("--no-serve", "--users", "40", "--days", "20", "--end", "2026-03-31")


def test_writes_a_project_with_its_warehouse(tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "metrics-api"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n", "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    result = invoke(tmp_path, "demo", *FEW)
    assert result.exit_code == 0, result.stderr
    written = {file.name for file in (tmp_path / "demo").iterdir()}
    assert written == {
        "boards.yml", "cohorts.yml", "engagement.yml", "events.yml", "journeys.yml", "project.yml", "tiers.yml",
        "usage.yml", "warmups.yml", "streaming.duckdb", ".metrics-demo.json", ".metrics-api",
    }  # fmt: skip
    assert "of 40 people, 2026-03-12 to 2026-03-31 (UTC)" in result.stdout
    assert '  metrics-api query videos_watched --last "7 days"\n' in result.stdout
    assert "curl -s http://127.0.0.1:8000/graphql" in result.stdout


def test_a_program_that_is_not_on_the_path_is_named_with_its_place(
    tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "env" / "python"))
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "metrics-api").touch()
    result = invoke(tmp_path, "demo", *FEW)
    assert f"  {tmp_path / 'env' / 'metrics-api'} validate\n" in result.stdout


def test_the_commands_it_names_work(cdnow: Path, invoke: Invoke) -> None:
    for args in (["validate"], ["query", "purchases", "--last", "7 days"], ["explain", "purchases"]):
        assert invoke(cdnow, *args).exit_code == 0


def test_what_is_there_stays(tmp_path: Path, invoke: Invoke) -> None:
    invoke(tmp_path, "demo", *FEW)
    edited = tmp_path / "demo" / "usage.yml"
    edited.write_text(edited.read_text("utf-8") + "# mine\n", "utf-8")
    warehouse = tmp_path / "demo" / "streaming.duckdb"
    built = warehouse.stat()
    again = invoke(tmp_path, "demo", *FEW)
    assert "is there already" in again.stdout
    assert warehouse.stat().st_ino == built.st_ino
    assert edited.read_text("utf-8").endswith("# mine\n")
    invoke(tmp_path, "demo", *FEW, "--rebuild")
    assert warehouse.stat().st_ino != built.st_ino


def test_other_options_build_it_again(tmp_path: Path, invoke: Invoke) -> None:
    invoke(tmp_path, "demo", *FEW)
    assert "50 people" in invoke(tmp_path, "demo", *FEW, "--users", "50").stdout
    mark = json.loads((tmp_path / "demo" / ".metrics-demo.json").read_text("utf-8"))
    assert (mark["users"], mark["days"], mark["end"], mark["seed"]) == (50, 20, "2026-03-31", 7)


def test_another_project_is_not_mixed_in(tmp_path: Path, invoke: Invoke) -> None:
    invoke(tmp_path, "demo", *FEW)
    result = invoke(tmp_path, "demo", "--no-serve", "--dataset", "cdnow")
    assert result.exit_code == 2
    assert "demo holds the project `streaming`" in result.stderr
    assert "--dir demo-cdnow" in result.stderr
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "project.yml").write_text("project: {name: shop}\n", "utf-8")
    result = invoke(tmp_path, "demo", *FEW, "--dir", "own")
    assert result.exit_code == 2
    assert "own holds the project `shop`" in result.stderr
    assert [file.name for file in (tmp_path / "own").iterdir()] == ["project.yml"]


def test_a_file_of_somebody_else_is_not_replaced(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "demo").mkdir()
    with duckdb.connect(tmp_path / "demo" / "streaming.duckdb") as connection:
        connection.execute("CREATE TABLE precious (a INTEGER)")
    result = invoke(tmp_path, "demo", *FEW)
    assert result.exit_code == 2
    assert "was not built by this command" in result.stderr
    with duckdb.connect(tmp_path / "demo" / "streaming.duckdb") as connection:
        assert connection.execute("SHOW TABLES").fetchall() == [("precious",)]


@pytest.mark.parametrize("option", [("--users", "5"), ("--days", "5"), ("--end", "2026-01-01"), ("--seed", "1")])
def test_cdnow_is_as_it_is(tmp_path: Path, invoke: Invoke, option: tuple[str, str]) -> None:
    result = invoke(tmp_path, "demo", "--no-serve", "--dataset", "cdnow", *option)
    assert result.exit_code == 2
    assert "only streaming has" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_too_many_people_is_told(tmp_path: Path, invoke: Invoke) -> None:
    result = invoke(tmp_path, "demo", "--no-serve", "--users", "0")
    assert result.exit_code == 1
    assert "`users` is 0" in result.stderr


def test_a_taken_port_is_told_before_anything_is_built(tmp_path: Path, invoke: Invoke) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = invoke(tmp_path, "demo", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 2
    assert "Address already in use" in result.stderr
    assert list(tmp_path.iterdir()) == []
