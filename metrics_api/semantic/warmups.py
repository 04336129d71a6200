"""What warmups name that is no definition of its own: cards of boards, targets and warehouses of the project."""

from __future__ import annotations

from collections.abc import Iterator

from metrics_api.definitions.loader import Definitions
from metrics_api.errors import Code, Problem, did_you_mean


def warmup_names(definitions: Definitions) -> Iterator[Problem]:
    """Each such name that leads nowhere, with its place."""
    for name in definitions.warmups:
        yield from _places(name, definitions)
        yield from _cards(name, definitions)


def _places(name: str, definitions: Definitions) -> Iterator[Problem]:
    project, warmup = definitions.project, definitions.warmups[name]
    for word, wanted, known in (
        ("target", warmup.target, project.targets),
        ("warehouse", warmup.warehouse, project.warehouses),
    ):
        if wanted is not None and wanted not in known:
            fix = did_you_mean(wanted, known, what=f"{word}s") if known else f"The project has no {word}s."
            where = definitions.span("warmups", name, word)
            yield Problem(f"`{wanted}` is not a {word} of the project", where, fix, Code.UNKNOWN_NAME)


def _cards(name: str, definitions: Definitions) -> Iterator[Problem]:
    for place, path in enumerate(definitions.warmups[name].cards):
        board, _, card = path.partition(".")
        where = definitions.span("warmups", name, "cards", place)
        if (found := definitions.boards.get(board)) is None:
            boards = definitions.boards
            fix = did_you_mean(board, boards, what="boards") if boards else "The project defines no board."
            yield Problem(f"there is no board `{board}`", where, fix, Code.UNKNOWN_NAME)
        elif card not in found.cards:
            fix = did_you_mean(card, found.cards, what="cards")
            yield Problem(f"board `{board}` has no card `{card}`", where, fix, Code.UNKNOWN_NAME)
