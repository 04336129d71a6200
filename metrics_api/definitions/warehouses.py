"""Where the tables are, and how settings with `${NAME}` get their values without anyone seeing them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import ConfigDict, PrivateAttr

from metrics_api.definitions.base import Definition, Text
from metrics_api.definitions.names import Path
from metrics_api.errors import DefinitionError, Problem, SourceSpan


class WarehouseDefinition(Definition):
    """Where the tables are: `type` and the engine's own settings, in which `${NAME}` is an environment variable."""

    model_config = ConfigDict(extra="allow")

    type: Text
    """The engine: duckdb, postgres, snowflake, bigquery, ..."""

    _places: dict[Path, SourceSpan] = PrivateAttr(default_factory=dict)

    @property
    def settings(self) -> Mapping[str, object]:
        """The engine's own settings as they were written, placeholders and all."""
        return dict(self.model_extra or {})

    def placed(self, places: Mapping[Path, SourceSpan]) -> Self:
        """The same, knowing where its settings stand in the file; for errors about the environment."""
        placed = self.model_copy()
        placed._places = dict(places)
        return placed

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        yield "type", self.type
        yield from without_secrets(self.settings).items()


_SECRET = re.compile(r"pass|pwd|token|secret|key|private|credential|auth|dsn|connection", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
HIDDEN = "********"


def without_secrets(settings: Mapping[str, object]) -> dict[str, object]:
    """The settings with all values hidden that may be secret, by their key or because they are addresses."""

    def shown(key: str, value: object) -> object:
        if _SECRET.search(key) or (isinstance(value, str) and "://" in value):
            return HIDDEN
        if isinstance(value, Mapping):
            return without_secrets(value)
        return [shown(key, one) for one in value] if isinstance(value, list) else value

    return {key: shown(key, value) for key, value in settings.items()}


def resolve_environment(definition: WarehouseDefinition, environ: Mapping[str, str]) -> dict[str, object]:
    """The warehouse's settings (without `type`) with the environment's values in place of `${NAME}`.

    Raises DefinitionError with the place of every variable that is not set. Values, set or not, are never shown.
    """
    problems: list[Problem] = []

    def filled(value: object, path: Path) -> object:
        match value:
            case str():
                for name in _PLACEHOLDER.findall(value):
                    if name not in environ:
                        problems.append(
                            Problem(
                                f"{path[-1]}: the environment variable `{name}` is not set",
                                definition._places.get(path),
                                "Set it where metrics-api runs, or choose another warehouse.",
                            )
                        )
                return _PLACEHOLDER.sub(lambda found: environ.get(found[1], ""), value)
            case Mapping():
                return {key: filled(one, (*path, key)) for key, one in value.items()}
            case list():
                return [filled(one, (*path, index)) for index, one in enumerate(value)]
            case _:
                return value

    settings = {key: filled(value, (key,)) for key, value in definition.settings.items()}
    if problems:
        raise DefinitionError(problems)
    return settings


def is_placeholder_text(text: str) -> bool:
    """Whether every `${` of a setting holds the name of an environment variable."""
    return "${" not in _PLACEHOLDER.sub("", text)
