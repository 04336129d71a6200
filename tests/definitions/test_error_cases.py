"""Wrong files and the exact words people get for them: `tests/errors/*.case.yml`.

A case has `metrics` (the text of `metrics.yml`) or `files`, `hex` for files that are no text, and the `error`. A plain
project stands beside them as `project.yml` unless the case brings its own or says `alone`. With `environment` the
files are right and the settings of the warehouse `production` are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from definitions.stand_ins import FAMILIES, PROJECT
from metrics_api.definitions.loader import read_definitions
from metrics_api.definitions.warehouses import resolve_environment
from metrics_api.definitions.yaml12 import read_yaml
from metrics_api.errors import DefinitionError

CASES = Path(__file__).parents[1] / "errors"


def cases() -> Iterator[Any]:
    for file in sorted(CASES.glob("*.case.yml")):
        written = read_yaml(file).data
        assert isinstance(written, dict), file
        for name, case in written.items():
            yield pytest.param(case, id=f"{file.name.removesuffix('.case.yml')}-{name}")


@pytest.mark.parametrize("case", list(cases()))
def test_error(case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("metric_definitions")
    folder.mkdir()
    files = {"metrics.yml": case["metrics"]} if "metrics" in case else case.get("files", {})
    if not case.get("alone") and "project.yml" not in files:
        files = {"project.yml": PROJECT, **files}
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for name, digits in case.get("hex", {}).items():
        (folder / name).write_bytes(bytes.fromhex(digits))
    with pytest.raises(DefinitionError) as caught:
        definitions = read_definitions(folder, FAMILIES)
        assert "environment" in case, "the files were read without an error"
        resolve_environment(definitions.project.warehouses["production"], case["environment"])
    assert str(caught.value) == case["error"].rstrip("\n")
    assert "pydantic" not in str(caught.value)
