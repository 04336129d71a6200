"""A board in one field: all its cards, by one fixed document whatever they ask."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import strawberry
from strawberry import UNSET
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

from metrics_api.families import families
from metrics_api.graphql_schema.catalog import MetricClass, MetricFormat, ValueType
from metrics_api.graphql_schema.context import RequestContext
from metrics_api.graphql_schema.failures import told_of
from metrics_api.graphql_schema.inputs import CacheUse, TimeInput, listed, optional_argument, words_type
from metrics_api.graphql_schema.layout import Cohorts
from metrics_api.graphql_schema.layouts import tables_of
from metrics_api.graphql_schema.object_types import AnswerInfo, ObjectTypes, not_constructed
from metrics_api.graphql_schema.question import CACHE, time_range, use_of
from metrics_api.graphql_schema.scalars import Row, row_values
from metrics_api.graphql_schema.selection import Document
from metrics_api.query.boards import Card, Over, board_label, board_named, cards_of
from metrics_api.results import Answer, Column

if TYPE_CHECKING:
    from metrics_api.semantic.model import SemanticModel

BUCKETS = ("period", "start")
MEMBERS_PART = "The people, in order of their ids."
COUNT_PART = "How many people there are."


@strawberry.type(description="A column of a card's rows.")
class BoardColumn:
    name: str = strawberry.field(description="Its key in each row.")
    type: ValueType = strawberry.field(description="The type of its values.")
    description: str | None = strawberry.field(description="What it means.")


@strawberry.type(description="A list of rows that a card shows.")
class BoardPart:
    name: str = strawberry.field(description="The part of the metric's answer: `rows`, `overall`, `steps`, `members`.")
    description: str | None = strawberry.field(description="What its rows are.")
    columns: list[BoardColumn] = strawberry.field(description="The keys of the rows, in order.")
    rows: list[Row] = strawberry.field(description="The rows, each a value by column.")


@strawberry.type(description="Why a card has no answer. The other cards do not depend on it.")
class CardError:
    message: str = strawberry.field(description="What is wrong, and what to do about it.")
    code: str = strawberry.field(description="One of the documented codes, such as QUERY_INVALID or WAREHOUSE_ERROR.")


@strawberry.type(description="A question of a board, and its answer.")
class BoardCard:
    name: str = strawberry.field(description="Its name on the board.")
    label: str = strawberry.field(description="The name for people.")
    description: str | None = strawberry.field(description="What it shows.")
    question: str | None = strawberry.field(description="What it answers, in the words of those who ask.")
    metric: str = strawberry.field(description="The metric, or cohort, that is asked.")
    type: str = strawberry.field(description="The metric's type: funnel, retention, cohort ...")
    class_: MetricClass = strawberry.field(name="class", description="Whether it tells of value, or of what is done.")
    unit: str | None = strawberry.field(description="What the numbers count.")
    format: MetricFormat | None = strawberry.field(description="How the metric's value is shown.")
    parts: list[BoardPart] = strawberry.field(description="The answer; empty where there is none.")
    info: AnswerInfo | None = strawberry.field(description="How the answer came about.")
    error: CardError | None = strawberry.field(description="Why there is no answer.")


@strawberry.type(description="Questions that are asked together.")
class Board:
    name: str = strawberry.field(description="The name in the definitions.")
    label: str = strawberry.field(description="The name for people.")
    description: str | None = strawberry.field(description="What it is for.")
    owner: str | None = strawberry.field(description="Who answers for it.")
    cards: list[BoardCard] = strawberry.field(description="The cards, in order.")


class _BoardField(StrawberryField):
    """`board(name: ...)`: the cards are asked at the same time, and share scans as metric fields do."""

    @property
    def is_basic_field(self) -> bool:
        return False

    def get_result(self, source: Any, info: Info | None, args: list[Any], kwargs: Any) -> Any:
        assert info is not None
        return self._answer(info, {key: one for key, one in kwargs.items() if one is not None and one is not UNSET})

    async def _answer(self, info: Info, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        context: RequestContext = info.context
        name = arguments["name"].value
        model = context.project.model
        over = Over(
            time=time_range(arguments.get("time")),
            timezone=arguments.get("timezone"),
            cohort=arguments["cohort"].value if "cohort" in arguments else None,
            as_of=arguments.get("as_of"),
        )
        board, cards = board_named(model, name), cards_of(model, name, arguments.get("cards"), over)
        document = Document.of(info)
        asked = document.fields(info._raw_info.field_nodes)  # noqa: SLF001 - the nodes have no public door
        of_cards = document.fields(asked.get("cards", ()))
        about = {
            "name": name,
            "label": board_label(name, board),
            "description": board.description,
            "owner": board.owner,
        }
        if not {"parts", "info", "error"} & of_cards.keys():
            return {**about, "cards": [_about(one) for one in cards]}
        context.count_cards(len(cards))
        use = use_of(arguments.get("cache"))
        answers = await asyncio.gather(*(context.answer(one.query, use) for one in cards), return_exceptions=True)
        shown = await asyncio.gather(
            *(_shown(one, found, context) for one, found in zip(cards, answers, strict=True))
        )  # fmt: skip
        return {**about, "cards": shown}


async def _shown(card: Card, found: Answer | BaseException, context: RequestContext) -> Mapping[str, Any]:
    shown: Any = found
    if isinstance(found, Answer):
        work = context.in_thread(partial(parts_of, found, card.metric.type))
        (shown,) = await asyncio.gather(work, return_exceptions=True)
    if isinstance(shown, dict):
        return {**_about(card), **shown}
    if not isinstance(shown, Exception):
        raise shown
    message, code = told_of(shown, f"card {card.name}", context.request_id)
    return {**_about(card), "error": {"message": message, "code": code}}


def _about(card: Card) -> dict[str, Any]:
    written = card.metric.definition
    return {
        "name": card.name,
        "label": card.label,
        "description": card.description,
        "question": card.definition.question,
        "metric": card.metric.name,
        "type": card.metric.type,
        "class_": MetricClass(card.metric.metric_class.value),
        "unit": written.unit,
        "format": MetricFormat(written.format) if written.format else None,
        "parts": [],
        "info": None,
        "error": None,
    }


def parts_of(answer: Answer, type_: str) -> dict[str, Any]:
    """An answer by its parts. Raises WarehouseError for numbers that JSON cannot hold."""
    family = families()[type_]
    words = {one: table.description for one, table in tables_of(family, every=True).items()}
    words |= {"members": MEMBERS_PART, "member_count": COUNT_PART}
    parts = [
        {
            "name": name,
            "description": words.get(name),
            "columns": [_column(one) for one in answer.columns[name]],
            "rows": row_values(table, _types(answer.columns[name]), answer.info.timezone),
        }
        for name, table in answer.parts.items()
    ]
    return {"parts": parts, "info": answer.info}


def _column(of: Column) -> Mapping[str, Any]:
    return {"name": of.name, "type": ValueType(str(of.type)), "description": of.description or None}


def _types(columns: Iterable[Column]) -> Sequence[tuple[str, str]]:
    """Names and types; the label of a bucket of an hour is told with its offset."""
    return [(one.name, "period" if one.name in BUCKETS else str(one.type)) for one in columns]


def board_field(model: SemanticModel, cohorts: Cohorts | None, types: ObjectTypes) -> StrawberryField:
    """The field of a query that answers a board."""
    named = [(name, one.description or one.label or "") for name, one in model.boards.items()]
    made = _BoardField(
        python_name="board",
        graphql_name="board",
        type_annotation=StrawberryAnnotation(Board | None, namespace={}),
        description="All questions of a board, answered together.",
    )
    names = words_type("BoardName", "A board that the project defines.", named)
    zone = 'Whose days are counted, such as "Europe/Berlin"; the project\'s when absent.'
    made.arguments = [
        StrawberryArgument(
            python_name="name",
            graphql_name="name",
            type_annotation=StrawberryAnnotation(names, namespace={}),
            description="Which one.",
        ),
        optional_argument("cards", "cards", listed(str), "Only these cards, in this order."),
        optional_argument("time", "time", TimeInput, "The range of all cards, instead of each one's own."),
        optional_argument("timezone", "timezone", str, zone),
        optional_argument("as_of", "asOf", datetime, "Answer as if it were then: no later event counts."),
        optional_argument("cache", "cache", CacheUse, CACHE),
    ]
    if cohorts is not None:
        words = "Only its people, in every card that does not tell of a cohort."
        made.arguments.append(optional_argument("cohort", "cohort", types.cohort_names(cohorts), words))
    return not_constructed(made)
