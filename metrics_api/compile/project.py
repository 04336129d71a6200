"""From a folder of definitions to the semantic model."""

from __future__ import annotations

from pathlib import Path

from metrics_api.compile.boards import SOME_DAY, board_problems
from metrics_api.compile.warmups import warmup_problems
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
    problems = tuple(board_problems(model, definitions))
    problems += tuple(warmup_problems(model, definitions, SOME_DAY))
    if problems:
        raise DefinitionError(problems)
    return model, definitions
