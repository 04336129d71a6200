"""`${target.schema}` in the names of tables: one folder of definitions for dev and production."""

from __future__ import annotations

import re
from collections.abc import Callable

from metrics_api.definitions.names import Path
from metrics_api.definitions.sources import ProjectDefinition
from metrics_api.definitions.yaml12 import Document, Plain
from metrics_api.errors import Problem, did_you_mean

_PLACEHOLDER = re.compile(r"\$\{target\.([a-z][a-z0-9_]*)\}")


def may_hold_target(path: Path) -> bool:
    """Whether a value names a table, or holds the SQL of one."""
    match path:
        case ("sources", _, "table" | "sql") | ("sources", _, "tables", _) | ("sources", _, "tables", _, "table"):
            return True
        case ("entities", _, "identity_map" | "attributes", "table"):
            return True
    return False


def is_target_text(text: str) -> bool:
    """Whether every `${` of a text is a key of the target."""
    return "${" not in _PLACEHOLDER.sub("", text)


def filled(
    written: Plain, document: Document, path: Path, project: ProjectDefinition, tell: Callable[[Problem], None]
) -> Plain:
    """What is written at a path, with the values of the project's target; tells of each that is not there."""
    if isinstance(written, dict):
        return {key: filled(value, document, (*path, key), project, tell) for key, value in written.items()}
    if not isinstance(written, str) or "${" not in written or not may_hold_target(path):
        return written
    values = project.target_values

    def value(found: re.Match[str]) -> str:
        key = found[1]
        if key not in values:
            if project.target is None:
                message, fix = (
                    f"`{found[0]}`: no target is chosen",
                    "Give `--target`, or the project a `default_target`.",
                )
            else:
                message = f"`{found[0]}`: target `{project.target}` has no `{key}`"
                fix = did_you_mean(key, values, what=f"keys of `{project.target}`") or ""
            tell(Problem(message, document.span(*path), fix))
        return values.get(key, "missing")

    return _PLACEHOLDER.sub(value, written)
