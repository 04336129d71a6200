"""Boards as questions: what each card asks, under what a whole board may be asked with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from metrics_api.definitions.boards import BoardDefinition, CardDefinition
from metrics_api.errors import Code, Problem, QueryError, did_you_mean
from metrics_api.periods import Grain
from metrics_api.query.bind import MEMBERS
from metrics_api.query.metric_query import Between, CohortAsOf, Compare, Last, MetricQuery, Page, TimeRange, Written
from metrics_api.semantic.model import Metric, SemanticModel


@dataclass(frozen=True, slots=True)
class Over:
    """What a whole board is asked with, in place of what its cards say; None: as they say."""

    time: TimeRange | None = None
    timezone: str | None = None
    cohort: str | None = None
    """Only its people, in every card that does not tell of a cohort or name one itself."""
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """A card as it is asked, and what it says of itself."""

    name: str
    metric: Metric
    definition: CardDefinition
    query: MetricQuery

    @property
    def label(self) -> str:
        return self.definition.label or self.metric.label

    @property
    def description(self) -> str | None:
        return self.definition.description or self.metric.definition.description


def board_named(model: SemanticModel, name: str) -> BoardDefinition:
    """The board of that name. Raises QueryError."""
    if (found := model.boards.get(name)) is None:
        fix = did_you_mean(name, model.boards, what="boards") if model.boards else "The project defines no board."
        raise QueryError(Problem(f"there is no board `{name}`", fix=fix, code=Code.UNKNOWN_NAME))
    return found


def board_label(name: str, board: BoardDefinition) -> str:
    """What a board is called by people."""
    return board.label or name.replace("_", " ").capitalize()


def cards_of(
    model: SemanticModel, name: str, only: Sequence[str] | None = None, over: Over | None = None
) -> tuple[Card, ...]:
    """The cards of a board, all or some in the order asked for. Raises QueryError for names that are none's."""
    board = board_named(model, name)
    problems = [
        Problem(
            f"board `{name}` has no card `{one}`",
            fix=did_you_mean(one, board.cards, what="cards"),
            code=Code.UNKNOWN_NAME,
        )
        for one in dict.fromkeys(only or ())
        if one not in board.cards
    ]
    if problems:
        raise QueryError(problems)
    names = board.cards if only is None else dict.fromkeys(only)
    return tuple(card_of(model, one, board.cards[one], over or Over()) for one in names)


def card_of(model: SemanticModel, name: str, card: CardDefinition, over: Over) -> Card:
    """A card whose metric is one of the model's."""
    metric = model.metrics.get(card.metric) or model.cohorts[card.metric]
    query = question(card)
    takes_cohort = query.cohort is None and not query.by_cohorts and metric.name not in model.cohorts
    asked = replace(
        query,
        time=over.time or query.time,
        timezone=over.timezone,
        as_of=over.as_of,
        cohort=over.cohort if takes_cohort else query.cohort,
    )
    return Card(name, metric, card, asked)


def question(card: CardDefinition) -> MetricQuery:
    """What a card asks by itself."""
    members = card.members is not None
    return MetricQuery(
        metric=card.metric,
        time=_range(card),
        grain=Grain(card.grain) if card.grain else None,
        by=card.by,
        where=Written(card.where) if card.where else None,
        measures=card.measures,
        parts=(MEMBERS,) if members else card.parts,
        within=card.within,
        order=tuple((name.removeprefix("-"), name.startswith("-")) for name in card.order),
        limit=card.limit,
        top=((card.by[0], card.top),) if card.top is not None else (),
        subtotals=card.subtotals,
        compare=Compare(card.compare) if card.compare else None,
        cohort=card.cohort,
        by_cohorts=card.by_cohorts,
        cohort_as_of=CohortAsOf(card.cohort_as_of) if card.cohort_as_of else CohortAsOf.RANGE_END,
        members=Page(_chosen(card.members or {}), card.first or Page().first, None, card.attributes),
    )


def _chosen(members: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in members.items())


def _range(card: CardDefinition) -> TimeRange | None:
    if card.last is not None:
        return Last(card.last, card.exclude_current)
    return Between(card.from_, card.to) if card.from_ is not None else None
