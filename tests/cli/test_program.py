"""What holds for every command: help, exit codes, errors, interruptions, readers that go away."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from metrics_api import __version__
from tests.cli.conftest import PROGRAM, Invoke, environment, run

COMMANDS = ("init", "validate", "test", "schema", "explain", "query", "serve", "demo")
HEAVY = ("strawberry", "graphql", "duckdb", "pyarrow", "numpy", "uvicorn", "starlette")


def test_version(tmp_path: Path, invoke: Invoke) -> None:
    assert invoke(tmp_path, "--version").output == f"metrics-api {__version__}\n"


def test_help_lists_the_commands_and_the_exit_codes(tmp_path: Path, invoke: Invoke) -> None:
    said = invoke(tmp_path, "--help").output
    for command in COMMANDS:
        assert f" {command} " in said
    for code in (
        "0    well",
        "1    the definitions",
        "2    the command",
        "3    the warehouse",
        "4    something",
        "130",
    ):
        assert code in said


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_examples(tmp_path: Path, invoke: Invoke, command: str) -> None:
    result = invoke(tmp_path, command, "--help")
    assert result.exit_code == 0
    assert result.output.count(f"metrics-api {command}") >= 3  # The usage line, and two examples at least.


@pytest.mark.parametrize("args", [["--help"], ["validate"], ["explain", "--all"]])
def test_what_asks_nothing_of_a_warehouse_loads_nothing_heavy(streaming: Path, args: list[str]) -> None:
    script = (
        "import sys\nfrom metrics_api.cli.main import app\n"
        f"try:\n    app({args!r})\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\nassert not loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=streaming, env=environment(), capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("args", [[], ["frobnicate"], ["query"], ["query", "app_opens", "--limit", "many"]])
def test_a_command_not_understood_is_2(streaming: Path, invoke: Invoke, args: list[str]) -> None:
    assert invoke(streaming, *args).exit_code == 2


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["query", "app_open"], "Did you mean `app_opens`?"),
        (["query", "app_opens", "--by", "cuntry"], "Did you mean `country`?"),
        (["query", "app_opens", "--grain", "dya"], "Did you mean `day`?"),
        (["query", "app_opens", "--from", "March"], "write it as `2026-01-31`"),
        (["query", "app_opens", "--where", "minuts > 3"], "Did you mean `minutes`?"),
        (["query", "app_opens", "--warehouse", "prod"], "there is no warehouse `prod`"),
        (["explain", "app_open"], "Did you mean `app_opens`?"),
        (["explain", "app_opens", "--dialect", "duckbd"], "Did you mean `duckdb`?"),
        (["validate", "--warehouse", "prod"], "there is no warehouse `prod`"),
        (["validate", "--project", "elsewhere"], "there is no folder `elsewhere`"),
    ],
)
def test_a_wrong_question_is_1_and_told_with_its_remedy(
    streaming: Path, invoke: Invoke, args: list[str], said: str
) -> None:
    result = invoke(streaming, *args)
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stdout == ""


def test_a_warehouse_that_is_not_there_is_3(project, invoke: Invoke) -> None:
    folder = project("metrics:\n  views: {type: usage, event: watched}\n")
    result = invoke(folder, "query", "views")
    assert result.exit_code == 3
    assert "there is no DuckDB file" in result.stderr
    assert "Traceback" not in result.stderr


def test_what_nobody_expects_is_4_in_words_and_in_full_when_asked(streaming: Path, invoke: Invoke) -> None:
    args = ("query", "app_opens", "--format", "csv", "--output", "no/such/folder.csv")
    told = run(*args, cwd=streaming)
    assert (told.returncode, told.stdout) == (4, b"")
    assert told.stderr.decode().splitlines() == [
        "no/such/folder.csv: No such file or directory",
        "    Set METRICS_API_DEBUG=1 to see where it happened.",
    ]
    with pytest.raises(FileNotFoundError):
        invoke(streaming, *args, env={"METRICS_API_DEBUG": "1"})


def test_a_reader_who_goes_away_is_no_complaint(streaming: Path) -> None:
    with subprocess.Popen(
        [*PROGRAM, "explain", "--all"], cwd=streaming, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(60) == 141


def test_an_interruption_is_130_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*PROGRAM, "demo", "--no-serve", "--users", "2000000"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Tests that run in a shell's background inherit that SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (no threads here)
    ) as running:
        deadline = time.monotonic() + 30
        while not list(tmp_path.glob("demo/.streaming.duckdb.*/*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert b"Traceback" not in said
    assert not list((tmp_path / "demo").iterdir())


def test_no_colour_into_a_pipe(streaming: Path) -> None:
    for args in (("query", "app_opens", "--from", "2026-03-30"), ("explain", "activation", "nothing")):
        done = run(*args, cwd=streaming)
        assert b"\x1b" not in done.stdout + done.stderr
