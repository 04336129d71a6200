"""From a folder of definitions to the semantic model."""

from __future__ import annotations

from pathlib import Path

from metrics_api.definitions.loader import Definitions, read_definitions
from metrics_api.families import families
from metrics_api.semantic.model import SemanticModel
from metrics_api.semantic.resolve import resolve


def load_model(folder: Path) -> tuple[SemanticModel, Definitions]:
    """The model of a folder; raises DefinitionError with every problem of every file."""
    known = families()
    definitions = read_definitions(folder, {name: family.definition for name, family in known.items()})
    return resolve(definitions, known), definitions
