"""`/v1/boards/{name}`: all cards of a board, answered together; one that fails spares the others."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from metrics_api.errors import Code, MetricsError, Problem, did_you_mean
from metrics_api.query.boards import Card, Over, board_label, board_named, cards_of
from metrics_api.results import Answer
from metrics_api.serving.asking import ask
from metrics_api.serving.service import Served
from metrics_api.web.requests import request_id_of
from metrics_api.web.rest.asked import Rest, asking, cache_word
from metrics_api.web.rest.catalog import as_response
from metrics_api.web.rest.endpoint import Endpoint, Operation, path_parameter, query_parameters
from metrics_api.web.rest.formats import about, check_finite, columns_told, json_rows, reaches_end
from metrics_api.web.rest.refusals import Refused, Wrong, sentence
from metrics_api.web.rest.schemas import COLUMN, INFO, ROW, TEXT, listed, maybe, shape
from metrics_api.web.rest.words import (
    LIST_SCHEMA,
    TEXT_SCHEMA,
    Word,
    chained,
    names,
    range_words,
    read_words,
    some_text,
)

_log = logging.getLogger("metrics_api.web")


def endpoints(rest: Rest) -> list[Endpoint]:
    """Every board; none where the project has none."""
    operation = Operation(
        "board",
        "All questions of a board, with their answers",
        "A card that fails has an `error`, and the others their answers. What is given holds for every card.",
        {200: {"application/json": {"$ref": "#/components/schemas/Board"}}},
        (400, 404, 414, 429, 500, 501, 502, 503, 504),
        (
            path_parameter("name", list(rest.model.boards), "The board, as in the definitions."),
            *query_parameters(_words()),
        ),
        tag="boards",
    )
    return [Endpoint("/v1/boards/{name}", partial(_board, rest), {"get": operation}, {"Board": _BOARD})]


def _words() -> tuple[Word, ...]:
    cards = Word("cards", None, names, LIST_SCHEMA, "Only these cards, in this order.", joined=chained)
    cohort = Word(
        "cohort", None, some_text, TEXT_SCHEMA, "Only its people, in every card that does not tell of a cohort."
    )
    return (cards, *range_words(), cohort, cache_word())


async def _board(rest: Rest, request: Request) -> Response:
    name, words = request.path_params["name"], _words()
    if name not in rest.model.boards:
        fix = did_you_mean(name[:80], rest.model.boards, what="boards")
        raise Refused.of(f"there is no board `{name[:80]}`", fix, code=Code.UNKNOWN_NAME, status=404)
    given = read_words(request.query_params.multi_items(), words)
    wrong = list(given.wrong)
    cards: tuple[Card, ...] = ()
    try:
        asked = ask(name, **given.arguments(words))
        over = Over(asked.time, asked.timezone, given.values.get("cohort"), asked.as_of)
        cards = cards_of(rest.model, name, given.values.get("cards"), over)
    except MetricsError as error:
        wrong += [Wrong(one) for one in error.problems]
    if len(cards) > rest.limits.cards:
        wrong.append(Wrong(Problem(f"more than {rest.limits.cards} cards in one request", code=Code.LIMIT_EXCEEDED)))
    if wrong:
        raise Refused(wrong)
    found = await rest.service.answers([one.query for one in cards], asking(request, given))
    request_id = request_id_of(request.scope)
    told = await rest.service.in_thread(
        lambda: [_card(card, one, request_id) for card, one in zip(cards, found, strict=True)]
    )
    return as_response(request, {**_about(rest, name), "cards": told})


def _about(rest: Rest, name: str) -> dict[str, Any]:
    board = board_named(rest.model, name)
    label = board_label(name, board)
    return {"name": name, "label": label, "description": board.description, "owner": board.owner}


def _card(card: Card, found: Served | Exception, request_id: str) -> dict[str, Any]:
    written = card.metric.definition
    told: dict[str, Any] = {
        "name": card.name,
        "label": card.label,
        "description": card.description,
        "question": card.definition.question,
        "metric": card.metric.name,
        "type": card.metric.type,
        "class": card.metric.metric_class.value,
        "unit": written.unit,
        "format": written.format,
        "parts": [],
        "info": None,
        "error": None,
    }
    try:
        if isinstance(found, Exception):
            raise found
        return told | _answered(found.answer)
    except MetricsError as error:
        problems = error.problems
    except Exception:  # noqa: BLE001 - our mistake in one card is told there, as in GraphQL
        _log.exception("request %s: card %s failed", request_id, card.name)
        fix = f"Ask the server's owner about request {request_id}."
        problems = (Problem("internal error", fix=fix, code=Code.INTERNAL),)
    message = "\n".join(sentence(one) for one in problems)
    return told | {"error": {"message": message, "code": problems[0].code.value}}


def _answered(answer: Answer) -> dict[str, Any]:
    """Raises WarehouseError for numbers that JSON does not have."""
    parts = []
    for name, rows in answer.parts.items():
        check_finite(rows)
        columns = answer.columns[name]
        of_rows = orjson.Fragment(json_rows(rows, columns))
        parts.append({"name": name, "columns": columns_told(columns), "rows": of_rows})
    return {"parts": parts, "info": about(answer.info) | {"complete": reaches_end(answer.info)}}


# -- OpenAPI ----------------------------------------------------------------------------------------------------------

_CARD = shape(
    {
        "name": TEXT,
        "label": TEXT,
        "description": maybe("string"),
        "question": maybe("string"),
        "metric": TEXT,
        "type": TEXT,
        "class": {"enum": ["usage", "engagement"]},
        "unit": maybe("string"),
        "format": maybe("string"),
        "parts": listed(shape({"name": TEXT, "columns": listed(COLUMN), "rows": listed(ROW)})),
        "info": {"anyOf": [INFO, {"type": "null"}]},
        "error": {"anyOf": [shape({"message": TEXT, "code": TEXT}), {"type": "null"}]},
    }
)
_BOARD: Mapping[str, Any] = shape(
    {"name": TEXT, "label": TEXT, "description": maybe("string"), "owner": maybe("string"), "cards": listed(_CARD)}
)
