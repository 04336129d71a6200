from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from metrics_api import datasets
from metrics_api.datasets import DATASETS, copy_definitions, dataset
from metrics_api.errors import Code, MetricsError


def test_importing_the_data_sets_loads_nothing_heavy() -> None:
    script = "import sys, metrics_api.datasets; print(*{'duckdb', 'numpy', 'pyarrow'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


@pytest.mark.parametrize("name", DATASETS)
def test_the_example_project_reads_the_warehouse_that_is_built(name: str, tmp_path: Path) -> None:
    copied = copy_definitions(name, tmp_path / "project")
    project = yaml.safe_load((tmp_path / "project" / "project.yml").read_text(encoding="utf-8"))["project"]
    warehouse = project["warehouses"][project["default_warehouse"]]
    assert warehouse == {"type": "duckdb", "path": DATASETS[name].warehouse_file}
    assert project["name"] == name
    assert len(copied) >= 3


@pytest.mark.parametrize("name", DATASETS)
def test_copies_do_not_point_into_the_repository(name: str, tmp_path: Path) -> None:
    for copy in copy_definitions(name, tmp_path):
        hint = "# yaml-language-server: $schema=.metrics-api/definitions.schema.json\n"
        assert copy.read_text(encoding="utf-8").startswith(hint)
        assert "openapi" not in copy.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DATASETS)
def test_every_definition_is_described(name: str, tmp_path: Path) -> None:
    for copy in copy_definitions(name, tmp_path):
        written = yaml.safe_load(copy.read_text(encoding="utf-8"))
        for kind in ("sources", "events", "metrics"):
            for definition in written.get(kind, {}).values():
                assert {"label", "description", "owner"} <= set(definition)


def test_files_that_were_edited_are_kept(tmp_path: Path) -> None:
    (tmp_path / "events.yml").write_text("events: {}\n", encoding="utf-8")
    copied = copy_definitions("cdnow", tmp_path)
    assert (tmp_path / "events.yml").read_text(encoding="utf-8") == "events: {}\n"
    assert tmp_path / "events.yml" not in copied
    assert copy_definitions("cdnow", tmp_path) == ()


def test_the_definitions_inside_the_package_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = tmp_path / "_definitions"
    (packaged / "cdnow").mkdir(parents=True)
    (packaged / "cdnow" / "only.yml").write_text("events: {}\n", encoding="utf-8")
    monkeypatch.setattr(datasets, "_DEFINITIONS", (packaged, *datasets._DEFINITIONS))
    assert copy_definitions("cdnow", tmp_path / "here") == (tmp_path / "here" / "only.yml",)
    assert len(copy_definitions("streaming", tmp_path / "there")) > 1


def test_a_misspelt_name_is_corrected() -> None:
    with pytest.raises(MetricsError, match="Did you mean `streaming`") as refused:
        dataset("steaming")
    assert refused.value.problems[0].code is Code.UNKNOWN_NAME


def test_an_installation_without_the_example_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "_DEFINITIONS", (tmp_path / "nowhere",))
    with pytest.raises(MetricsError, match="missing from this installation"):
        copy_definitions("cdnow", tmp_path)
