"""The answers of a board, card by card: one that fails spares the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metrics_api.errors import MetricsError
from metrics_api.query.boards import Card, Over, cards_of
from metrics_api.results import Answer
from metrics_api.serving.project import Project


@dataclass(frozen=True, slots=True)
class Answered:
    """A card and its answer, or why there is none."""

    card: Card
    answer: Answer | MetricsError


def answers_of_board(
    project: Project, name: str, only: Sequence[str] | None = None, over: Over | None = None
) -> tuple[Answered, ...]:
    """All cards of a board, or some. Raises QueryError for names that are none's."""
    cards = cards_of(project.model, name, only, over)
    answers = project.answers([one.query for one in cards])
    return tuple(Answered(card, answer) for card, answer in zip(cards, answers, strict=True))
