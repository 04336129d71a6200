"""From a folder of definitions to the semantic model."""

from __future__ import annotations

from pathlib import Path

from metrics_api.compile.boards import board_problems
from metrics_api.definitions.loader import Definitions, read_definitions
from metrics_api.errors import DefinitionError
from metrics_api.families import families, metric_types
from metrics_api.semantic.model import SemanticModel
from metrics_api.semantic.resolve import resolve


def load_model(
    folder: Path, shown_from: Path | None = None, target: str | None = None
) -> tuple[SemanticModel, Definitions]:
    """The model of a folder; raises DefinitionError with every problem of every file.

    Places are told as seen from the folder, or from `shown_from`. `target` is one of the project's, not its default.
    """
    definitions = read_definitions(folder, metric_types(), shown_from=shown_from, target=target)
    model = resolve(definitions, families())
    if problems := tuple(board_problems(model, definitions)):
        raise DefinitionError(problems)
    return model, definitions
