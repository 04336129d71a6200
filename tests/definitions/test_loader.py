"""Reading folders: which files, where things stand, what changes the hash, and how long it takes."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from definitions.stand_ins import FAMILIES, PROJECT, Retention, Usage
from metrics_api.definitions.loader import Definitions, read_definitions
from metrics_api.errors import DefinitionError, SourceSpan
from metrics_api.periods import Duration

METRICS = """\
# Who comes back.
metrics:
  comeback:
    type: retention
    class: engagement
    start: {event: signed_up, first_ever: true}
    return: watched_video
    window: 30 days
    mode: [1, 3, 7]
    tiers:
      power: 6
      core: {percentile: 50, on: watched_video}
  signups: {type: usage, event: signed_up}
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(textwrap.dedent(text), encoding="utf-8")
    return folder


@pytest.fixture
def read(tmp_path: Path) -> Definitions:
    return read_definitions(write(tmp_path, project=PROJECT, metrics=METRICS), FAMILIES)


def test_what_is_read(read: Definitions) -> None:
    assert (read.version, read.project.name) == (1, "streaming")
    assert list(read.sources) == ["app_events"]
    assert list(read.events) == ["signed_up", "watched_video"]
    assert list(read.metrics) == ["comeback", "signups"]
    assert [file.name for file in read.files] == ["metrics.yml", "project.yml"]
    comeback = read.metrics["comeback"]
    assert isinstance(comeback, Retention)
    assert isinstance(read.metrics["signups"], Usage)
    assert comeback.class_ == "engagement"
    assert comeback.start.first_ever
    assert comeback.return_.name == "watched_video"
    assert comeback.window == Duration(30, "day")
    assert comeback.mode == (1, 3, 7)
    assert comeback.tiers["power"] == 6


def test_an_event_is_called_as_its_key_unless_it_says_otherwise(tmp_path: Path) -> None:
    more = "events:\n  opened: {source: app_events, name: app_open}\n"
    read = read_definitions(write(tmp_path, project=PROJECT, more=more), FAMILIES)
    assert (read.events["signed_up"].name, read.events["opened"].name) == ("signed_up", "app_open")


def test_places(read: Definitions) -> None:
    assert read.span("metrics", "comeback", "window") == SourceSpan("metrics.yml", 8, 13)
    assert read.key_span("metrics", "comeback", "window") == SourceSpan("metrics.yml", 8, 5)
    assert read.key_span("metrics", "comeback") == SourceSpan("metrics.yml", 3, 3)
    assert read.span("metrics", "comeback", "tiers", "core", "on") == SourceSpan("metrics.yml", 12, 34)
    assert read.span("events", "signed_up", "source") == SourceSpan("project.yml", 11, 23)
    assert read.span("project", "name") == SourceSpan("project.yml", 3, 9)
    # Unwritten: the nearest that is.
    assert read.span("metrics", "comeback", "return", "on") == SourceSpan("metrics.yml", 7, 13)
    assert read.key_span("metrics", "comeback", "label") == SourceSpan("metrics.yml", 4, 5)
    assert read.span("metrics", "unknown").file == read.folder


def test_which_files_are_read(tmp_path: Path) -> None:
    write(tmp_path, project=PROJECT)
    for place in (".git", ".venv", "venv", "node_modules", "web/node_modules"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "a.yml").write_text("nonsense: true")
    (tmp_path / ".pre-commit-config.yaml").write_text("repos: []")
    (tmp_path / "notes.txt").write_text("{")
    (tmp_path / "web" / "b.yaml").write_text(METRICS)
    read = read_definitions(tmp_path, FAMILIES)
    assert [file.relative_to(tmp_path).as_posix() for file in read.files] == ["project.yml", "web/b.yaml"]
    assert read.key_span("metrics", "signups").file == "web/b.yaml"


def test_one_file(tmp_path: Path) -> None:
    write(tmp_path, everything=PROJECT + METRICS, other="nonsense: true")
    read = read_definitions(tmp_path / "everything.yml", FAMILIES)
    assert list(read.metrics) == ["comeback", "signups"]
    assert read.key_span("project").file == "everything.yml"


def test_files_are_named_as_seen_from_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, project=PROJECT)
    read = read_definitions(tmp_path, FAMILIES, shown_from=tmp_path.parent)
    assert read.key_span("project").file == f"{tmp_path.name}/project.yml"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="there is no folder `.*missing`"):
        read_definitions(tmp_path / "missing", FAMILIES)


def test_words_without_names_are_empty(tmp_path: Path) -> None:
    read = read_definitions(write(tmp_path, project="project: {name: x}\nmetrics:\nevents: {}\n"), FAMILIES)
    assert not read.metrics


def test_a_file_that_cannot_be_read_hides_no_other_problem(tmp_path: Path) -> None:
    """And a project that may stand in it is not said to be missing."""
    with pytest.raises(DefinitionError) as caught:
        read_definitions(write(tmp_path, a="project: {", b="metrics: {signups: {type: usge}}"), FAMILIES)
    assert [str(problem.where) for problem in caught.value.problems] == ["a.yml:2:1", "b.yml:1:27"]


def hash_of(folder: Path, **files: str) -> str:
    folder.mkdir()
    return read_definitions(write(folder, **files), FAMILIES).hash


def test_the_hash_is_about_content(tmp_path: Path, read: Definitions) -> None:
    as_flow = METRICS.replace("type: retention\n", "type: 'retention'   # as before\n\n")
    assert hash_of(tmp_path / "comments", other=PROJECT, file=as_flow) == read.hash
    assert hash_of(tmp_path / "one", all=PROJECT + METRICS) == read.hash
    changed = (
        METRICS.replace("30 days", "31 days"),
        METRICS.replace("signups:", "sign_ups:"),
        METRICS.replace("signups: {", "signups: {label: Signups, "),
        METRICS.replace("[1, 3, 7]", "[1, 7, 3]"),
    )
    hashes = {hash_of(tmp_path / str(number), a=PROJECT, b=text) for number, text in enumerate(changed)}
    assert len(hashes | {read.hash}) == len(changed) + 1


def test_the_hash_holds_no_secret(tmp_path: Path) -> None:
    def project(password: str, host: str) -> str:
        return f"project: {{name: x, warehouses: {{a: {{type: postgres, host: {host}, password: {password}}}}}}}"

    first = hash_of(tmp_path / "1", project=project("hunter2", "db"))
    assert hash_of(tmp_path / "2", project=project("hunter3", "db")) == first
    assert hash_of(tmp_path / "3", project=project("hunter2", "other")) != first


def test_order_of_steps_counts(tmp_path: Path) -> None:
    """Tiers and steps are mappings whose order may mean something; only definitions themselves have none."""
    swapped = METRICS.replace("  signups: {type: usage, event: signed_up}\n", "").replace(
        "metrics:\n", "metrics:\n  signups: {type: usage, event: signed_up}\n"
    )
    assert hash_of(tmp_path / "a", p=PROJECT, m=swapped) == hash_of(tmp_path / "b", p=PROJECT, m=METRICS)
    tiers = METRICS.replace("      power: 6\n", "").replace("watched_video}\n", "watched_video}\n      power: 6\n")
    assert hash_of(tmp_path / "c", p=PROJECT, m=tiers) != hash_of(tmp_path / "d", p=PROJECT, m=METRICS)


def test_500_metrics_in_less_than_a_third_of_a_second(tmp_path: Path) -> None:
    (one,) = [
        """\
  name_{}:
    type: retention
    label: Weekly retention {}
    description: Of those who signed up, how many watch a video in the weeks after it.
    start: {{event: signed_up, first_ever: true}}
    return:
      on: watched_video
      where: minutes >= 3
    grain: week
    periods: 12
"""
    ]
    for file in range(10):
        block = "".join(one.format(number, number) for number in range(file * 50, file * 50 + 50))
        (tmp_path / f"m{file}.yml").write_text(f"metrics:\n{block}")
    write(tmp_path, project=PROJECT)
    read_definitions(tmp_path, FAMILIES)
    spent = []
    for _ in range(4):  # The least: whoever else computes here slows the others down.
        started = time.process_time()
        assert len(read_definitions(tmp_path, FAMILIES).metrics) == 500
        spent.append(time.process_time() - started)
    assert min(spent) < 0.3


def test_importing_is_light() -> None:
    heavy = "sqlglot strawberry duckdb pyarrow numpy starlette rich typer"
    program = f"""
import sys, types, importlib.util
import metrics_api.definitions.loader, metrics_api.definitions.json_schema
print(*(name for name in {heavy.split()!r} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["usage", "retention", "a", "7 days"])
)
# fmt: off
FIELDS = st.sampled_from([
    "type", "event", "start", "return", "on", "where", "periods", "mode", "tiers", "window", "tags", "tests", "class",
    "deprecated", "reason", "name", "table", "time", "identity", "user", "properties", "column", "json", "source",
    "warehouses", "password", "percentile",
])
# fmt: on
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5), max_leaves=12
)


@settings(max_examples=300, deadline=None)
@given(metric=st.dictionaries(FIELDS, ANYTHING, max_size=6), source=ANYTHING, project=ANYTHING, event=ANYTHING)
def test_any_content_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, metric: dict[str, object], source: object, project: object, event: object
) -> None:
    """No traceback reaches a user, and every problem has its place."""
    content = {
        "project": project,
        "metrics": {"a": {**metric, "type": "retention"}, "b": {**metric, "type": "usage"}, "c": metric},
        "sources": {"s": source},
        "events": {"e": event},
    }
    folder = tmp_path_factory.mktemp("any")
    (folder / "a.yml").write_text(yaml.safe_dump(content))
    try:
        read_definitions(folder, FAMILIES)
    except DefinitionError as error:
        assert all(problem.where for problem in error.problems)
        assert "cannot be read here" not in str(error)
        assert "function-" not in str(error)
