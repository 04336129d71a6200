"""Which project a command speaks of, and reading it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from metrics_api.compile.project import load_model
from metrics_api.definitions.loader import Definitions, definition_files
from metrics_api.definitions.yaml12 import read_yaml
from metrics_api.semantic.model import SemanticModel

if TYPE_CHECKING:
    from metrics_api.serving.project import Project

_PROJECT = re.compile(rb"^project[ \t]*:", re.MULTILINE)


def find_folder(given: Path | None) -> Path:
    """The folder given; else this one, unless only a folder above it holds a project."""
    if given is not None:
        return given
    here = Path.cwd()
    if any(map(holds_project, _files_in(here))):
        return here
    above = next((folder for folder in here.parents if any(map(holds_project, _files_in(folder)))), None)
    # Below this folder is looked only where the answer matters: it may be large.
    return here if above is None or any(map(holds_project, definition_files(here))) else above


def read_project(given: Path | None, target: str | None = None) -> tuple[SemanticModel, Definitions, Path]:
    """The model, the definitions and their folder. Raises DefinitionError; places are told as seen from here."""
    folder = find_folder(given)
    model, definitions = load_model(folder, shown_from=Path.cwd(), target=target)
    return model, definitions, folder if folder.is_dir() else folder.parent


def open_project(given: Path | None, warehouse: str | None, target: str | None = None) -> Project:
    """The project, ready to be asked; connects at the first question."""
    from metrics_api.serving.project import Project

    model, definitions, folder = read_project(given, target)
    return Project(model, definitions, folder, warehouse)


def project_name(folder: Path) -> str | None:
    """What the project in a folder is called; None where there is none. Raises DefinitionError for unreadable YAML."""
    for file in filter(holds_project, definition_files(folder)):
        written = read_yaml(file, shown_as=str(file)).data
        project = written.get("project") if isinstance(written, dict) else None
        if isinstance(project, dict) and isinstance(project.get("name"), str):
            return str(project["name"])
    return None


def holds_project(file: Path) -> bool:
    """Whether a file has a top-level `project:`, judged without reading it as YAML."""
    return _PROJECT.search(file.read_bytes()) is not None


def _files_in(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if one.suffix in (".yml", ".yaml") and one.is_file())
    except OSError:  # A folder above that may not be listed.
        return []
