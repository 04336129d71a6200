"""Boards are checked when a folder is loaded: whoever opens one is not the one who can mend it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from metrics_api.definitions.boards import CardDefinition
from metrics_api.definitions.loader import Definitions
from metrics_api.definitions.names import Path
from metrics_api.errors import Problem, QueryError
from metrics_api.families import families
from metrics_api.query.bind import bind
from metrics_api.query.boards import question
from metrics_api.query.limits import Limits
from metrics_api.semantic.model import SemanticModel

SOME_DAY = datetime(2026, 1, 15)
"""Ranges are relative to a clock; whether a card means something does not depend on it."""


def board_problems(model: SemanticModel, definitions: Definitions) -> Iterator[Problem]:
    """What no card can be asked, with its place."""
    for board, of in definitions.boards.items():
        for name, card in of.cards.items():
            try:
                bind(question(card), model, families(), now=SOME_DAY, limits=Limits())
            except QueryError as error:
                for problem in error.problems:
                    where = definitions.span("boards", board, "cards", name, *_place(card, problem.message))
                    yield Problem(f"card `{name}`: {problem.message}", where, problem.fix, problem.code)


def _place(card: CardDefinition, message: str) -> Path:
    """The key of the card whose value the message speaks of, as far as that can be told."""
    for key, value in card.model_dump(by_alias=True, exclude_unset=True).items():
        if key == "metric":
            continue
        for path, one in _texts(value):
            if f"`{one.removeprefix('-')}`" in message:
                return (key, *path)
    words = message.replace(":", "").split()
    return tuple(key for key in card.model_dump(by_alias=True, exclude_unset=True) if key in words)[:1]


def _texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for key, one in value.items():
                yield (*path, key), str(key)
                yield from _texts(one, (*path, key))
        case list() | tuple():
            for place, one in enumerate(value):
                yield from _texts(one, (*path, place))
