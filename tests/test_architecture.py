"""The house rules that no single module can keep alone: layers, fast starts, completeness, freshness."""

from __future__ import annotations

import ast
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import metrics_api
from metrics_api.compile.project import load_model
from metrics_api.definitions.json_schema import definitions_schema
from metrics_api.definitions.loader import read_definitions
from metrics_api.definitions.names import references
from metrics_api.definitions.yaml12 import parse_yaml, read_yaml
from metrics_api.engines import engines
from metrics_api.families import families, metric_types
from metrics_api.plan import nodes
from metrics_api.plan.expr import OPERATIONS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "metrics_api"
EXAMPLE = ROOT / "metric_definitions" / "streaming"
CASES = PACKAGE / "testkit" / "case_files"
FAMILY_TESTS = ROOT / "tests" / "families"
PYPROJECT: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

# Families whose oracle is written in the file of another.
ORACLES = {"value_moment": "usage", "ratio": "derived", "frequency": "tiers", "breadth": "tiers", "depth": "tiers"}

HEAVY = ("duckdb", "graphql", "numpy", "pyarrow", "strawberry", "uvicorn")
LIGHT = ("cli", "compile", "definitions", "engines", "families", "plan", "query", "semantic", "sql")

LONG, TOO_LONG = 500, 700


def python(*arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a fresh interpreter, in which nothing is imported yet, on the package below `root`."""
    environment = {**os.environ, "PYTHONPATH": str(root), "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# -- who imports whom --------------------------------------------------------------------------------------------------

LINT_IMPORTS = "import sys, importlinter.cli as cli; sys.exit(cli.lint_imports(no_cache=True, no_logo=True))"


def test_imports_keep_to_the_layers() -> None:
    linted = python("-c", LINT_IMPORTS)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_the_contracts_notice_wrong_imports(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "metrics_api", ignore=shutil.ignore_patterns("__pycache__", "*.parquet"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    planted = {
        "layers": ("plan/walk.py", "import metrics_api.families.usage"),
        "sqlglot": ("query/limits.py", "import sqlglot.expressions"),
        "drivers": ("serving/project.py", "import duckdb"),
        "families-and-sql": ("families/relations.py", "import metrics_api.sql.render"),
        "families-apart": ("families/usage.py", "import metrics_api.families.funnel"),
        "graphql-and-sql": ("graphql_schema/__init__.py", "import metrics_api.plan.expr"),
        "graphql-door": ("compile/pipeline.py", "import strawberry"),
        "datasets": ("serving/project.py", "import metrics_api.datasets"),
    }
    contracts = {one["id"]: one["name"] for one in PYPROJECT["tool"]["importlinter"]["contracts"]}
    assert planted.keys() == contracts.keys()
    for file, line in planted.values():
        with (tmp_path / "metrics_api" / file).open("a", encoding="utf-8") as opened:
            opened.write(f"\n{line}\n")
    linted = python("-c", LINT_IMPORTS, root=tmp_path)
    told = " ".join(linted.stdout.split())
    missed = [name for name in contracts.values() if not re.search(rf"{re.escape(name)} ?BROKEN", told)]
    assert not missed, linted.stdout + linted.stderr


def test_only_the_surface_uses_the_public_names() -> None:
    """They lead, lazily, to the top of the house; the contracts let that pass (see `ignore_imports` of the layers)."""
    public = re.compile(r"^\s*(from metrics_api import|import metrics_api($|,| as ))", re.MULTILINE)
    users = {file.relative_to(PACKAGE).parts[0] for file in files_of(PACKAGE) if public.search(file.read_text("utf-8"))}
    assert users <= {"cli", "web"}


# -- fast starts -------------------------------------------------------------------------------------------------------

WHICH_ARE_LOADED = "; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def drivers() -> set[str]:
    """The modules that the contract on drivers names."""
    contracts = {one["id"]: one for one in PYPROJECT["tool"]["importlinter"]["contracts"]}
    return set(contracts["drivers"]["forbidden_modules"])


def heavy_among(loaded: str) -> set[str]:
    return {*HEAVY, *drivers()} & set(loaded.split())


@pytest.mark.parametrize("layer", LIGHT)
def test_nothing_heavy_is_imported_early(layer: str) -> None:
    modules = [module_of(file) for file in files_of(PACKAGE / layer) if file.name != "__main__.py"]
    ran = python("-c", f"import sys, {', '.join(modules)}{WHICH_ARE_LOADED}")
    assert ran.returncode == 0, ran.stderr
    assert heavy_among(ran.stdout) == set()


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["validate", "--help"], ["validate", "--project", str(EXAMPLE)]],
    ids=["help", "help of a command", "validate"],
)
def test_validate_starts_light(arguments: list[str]) -> None:
    run = f"import sys; from metrics_api.cli.main import app; app({arguments!r}, standalone_mode=False)"
    ran = python("-c", run + WHICH_ARE_LOADED)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert heavy_among(ran.stdout.splitlines()[-1]) == set()


# -- every family is complete ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", sorted(families()))
def test_a_family_has_cases_and_an_oracle(family: str) -> None:
    assert list((CASES / family).glob("*.case.yml")), f"{CASES.relative_to(ROOT)}/{family}/ has no case file"
    oracle = FAMILY_TESTS / "oracles" / f"{ORACLES.get(family, family)}.py"
    assert oracle.is_file(), f"{oracle.relative_to(ROOT)} is missing"


def test_no_cases_are_left_of_a_family_that_is_gone() -> None:
    folders = {file.parent.name for file in CASES.rglob("*.case.yml")}
    assert folders <= families().keys()


def test_oracles_know_nothing_of_the_product() -> None:
    for file in files_of(FAMILY_TESTS / "oracles"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            named: list[str] = []
            if isinstance(node, ast.Import):
                named = [one.name for one in node.names]
            elif isinstance(node, ast.ImportFrom):
                named = [node.module or ""]
            assert "metrics_api" not in {one.partition(".")[0] for one in named}, file.name


def test_the_examples_of_all_families_make_a_project(tmp_path: Path) -> None:
    written: Any = read_yaml(EXAMPLE / "project.yml").data
    for reference in ("sign_up", "value_moment"):
        written["project"].pop(reference, None)
    metrics: dict[str, Any] = {}
    cohorts: dict[str, Any] = {}
    for family in families().values():
        example: Any = parse_yaml(family.example, family.type).data
        assert {one.get("type", "cohort") for one in example.values()} == {family.type}
        assert family.hidden is (family.type == "cohort")
        kind = cohorts if family.hidden else metrics
        assert not example.keys() & kind.keys(), family.type
        kind |= example
    source = next(iter(written["sources"]))
    # JSON is YAML, and leaves no doubt about `on`.
    (tmp_path / "project.yml").write_text(json.dumps({**written, "metrics": metrics, "cohorts": cohorts}), "utf-8")
    read = read_definitions(tmp_path, metric_types())
    events = {
        name: {"source": source}
        for metric in (*read.metrics.values(), *read.cohorts.values())
        for _, reference, name in references(metric)
        if reference.kind == "event" or (reference.kind == "moment" and name not in metrics)
    }
    (tmp_path / "events.yml").write_text(json.dumps({"events": events}), "utf-8")
    model, _ = load_model(tmp_path)
    assert model.metrics.keys() == metrics.keys()
    assert model.cohorts.keys() == cohorts.keys()


# -- the plan language stays small -------------------------------------------------------------------------------------


def test_the_plan_language_stays_small() -> None:
    plans = get_args(nodes.Plan)
    logical = [one for one in plans if (one.__doc__ or "").startswith("Logical")]
    assert len(OPERATIONS) <= 45
    assert len(plans) - len(logical) <= 12
    assert len(logical) <= 6
    assert all(dataclasses.is_dataclass(one) and hasattr(one, "__slots__") for one in plans)


def test_some_engine_says_every_operation() -> None:
    dialects = [engine.dialect for engine in engines().values()]
    unsaid = [op for op in OPERATIONS if not any(callable(getattr(dialect, op, None)) for dialect in dialects)]
    assert unsaid == []


# -- what is generated is fresh ----------------------------------------------------------------------------------------


def test_the_schema_of_definitions_is_fresh() -> None:
    known = metric_types()
    file = ROOT / "openapi" / "definitions.schema.json"
    assert file.is_file(), "run `make schema`"
    assert json.loads(file.read_text("utf-8")) == definitions_schema(known), "run `make schema`"


def test_generated_files_are_fresh() -> None:
    arguments = ["schema", "--project", str(EXAMPLE), "--out", str(ROOT / "openapi"), "--check"]
    checked = python("-m", "metrics_api.cli", *arguments)
    assert checked.returncode == 0, checked.stdout + checked.stderr


# -- the house itself --------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("default::UserWarning")
def test_files_are_short_enough_to_be_read() -> None:
    lengths = {file.relative_to(ROOT): file.read_text("utf-8").count("\n") for file in files_of(PACKAGE)}
    if long := [f"{file} ({lines})" for file, lines in lengths.items() if lines > LONG]:
        warnings.warn(f"ask what these are really two of: {', '.join(long)}", UserWarning, stacklevel=1)
    assert {file: lines for file, lines in lengths.items() if lines > TOO_LONG} == {}


def text_files() -> Iterator[Path]:
    """The texts of the project: what git knows or would take, else what is not obviously a tool's."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0 and listed.stdout:
        found = (ROOT / name for name in sorted(listed.stdout.split("\0")) if name)
    else:
        inside = (file for file in sorted(ROOT.rglob("*")) if file.is_file())
        found = (one for one in inside if not {".venv", ".git", "__pycache__", "demo"} & set(one.parts))
    for file in found:
        if file.is_file() and b"\0" not in file.read_bytes()[:8_000]:
            yield file


def test_no_file_names_a_package_index() -> None:
    # In pieces, or this file would be the first to be found.
    hosts = (("py", "pi.org"), ("python", "hosted.org"), ("npm", "js.org"), ("npm", "js.com"), ("crates", ".io"))
    hosts += (("ana", "conda.org"), ("arti", "factory"), ("docker", ".io"), ("gh", "cr.io"), ("proxy.go", "lang.org"))
    options = (("index", "-url"), ("index", "_url"), ("find", "-links"), ("trusted", "-host"))
    pattern = re.compile("|".join(re.escape("".join(parts)) for parts in (*hosts, *options)), re.IGNORECASE)
    named = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in text_files()
        for number, line in enumerate(file.read_text("utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert named == []


def test_constraints_pin_all_that_is_asked_for() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if line[:1] not in ("", "#")]
    pins = {canonicalize_name(one.name): one for one in map(Requirement, lines)}
    assert all(re.fullmatch(r"==[^=*,]+", str(one.specifier)) for one in pins.values())
    project = PYPROJECT["project"]
    asked = [*map(Requirement, project["dependencies"]), *map(Requirement, project["optional-dependencies"]["dev"])]
    for one in asked:
        pin = pins[canonicalize_name(one.name)]
        assert one.specifier.contains(str(pin.specifier)[2:]), f"{one} is pinned to {pin}"


def test_what_the_wheel_carries_is_there() -> None:
    for source in PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]:
        assert (ROOT / source).is_dir()
    assert (PACKAGE / "datasets" / "cdnow.parquet").is_file()


def test_every_engine_has_an_extra() -> None:
    """`MissingDriver` tells people to install it."""
    assert engines().keys() <= PYPROJECT["project"]["optional-dependencies"].keys()


# -- the docs tell of everything ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def docs() -> str:
    pages = sorted((ROOT / "docs").rglob("*.md"))
    if not pages:
        pytest.skip("docs/ has no pages yet")
    readme = ROOT / "README.md"
    return "\n".join(page.read_text("utf-8") for page in [*pages, readme] if page.is_file())


@pytest.mark.parametrize("family", sorted(families()))
def test_the_docs_tell_of_a_family(family: str, docs: str) -> None:
    assert re.search(rf"\b{family}\b", docs), f"no page tells of `{family}`"


def test_the_docs_tell_of_every_command(docs: str) -> None:
    import typer.main

    from metrics_api.cli.main import app

    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    untold = [name for name in commands if not re.search(rf"metrics-api {name}\b", docs)]
    assert untold == []


def test_the_changelog_tells_of_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert "## [Unreleased]" in changelog
    assert f"## [{metrics_api.__version__}]" in changelog
