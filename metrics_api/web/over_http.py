"""GraphQL over HTTP, as its specification says: what a request asks, and in which form the answer goes back.

https://graphql.github.io/graphql-over-http/draft/. Nothing here knows what is asked for; `graphql_view` answers it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request

from metrics_api.serving.service import Use
from metrics_api.web.accept import liked

GRAPHQL_TYPE = "application/graphql-response+json"
JSON_TYPE = "application/json"
HTML_TYPE = "text/html"
"""The page for people, where there is nothing to answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a caller."""

    query: str
    variables: dict[str, Any] | None = None
    operation: str | None = None
    extensions: dict[str, Any] | None = None


_NAME = re.compile(r"[_A-Za-z]\w{0,63}", re.ASCII)
_FIRST_OPERATION = re.compile(r"\s*query\s+([_A-Za-z]\w{0,63})\b", re.ASCII)


def operation_name(asked: Asked) -> str:
    """What the caller calls the question, for the log; nothing for one without a name, or with none that may be one."""
    if asked.operation is not None:
        return asked.operation if _NAME.fullmatch(asked.operation) else ""
    first = _FIRST_OPERATION.match(asked.query)
    return first[1] if first else ""


class NotOverHttp(Exception):
    """A request that is none, with the status to refuse it by."""

    def __init__(self, message: str, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.headers = headers or {}


@lru_cache(256)
def answer_type(accepted: str) -> str:
    """The media type that a caller likes best of those there are, by what it accepts; JSON where any will do.

    Raises NotOverHttp (406) for one who accepts none of them.
    """
    accepted = accepted.strip()
    if not accepted:
        return JSON_TYPE
    if (found := liked(accepted, _MEANT)) is None:
        told = f"answers are {GRAPHQL_TYPE} or {JSON_TYPE}, and `{accepted[:200]}` accepts neither"
        raise NotOverHttp(told, 406)
    return found


_MEANT = {
    GRAPHQL_TYPE: GRAPHQL_TYPE,
    JSON_TYPE: JSON_TYPE,
    "application/*": JSON_TYPE,
    "*/*": JSON_TYPE,
    HTML_TYPE: HTML_TYPE,
}


def use_of(headers: Headers) -> Use:
    """What a request says of kept answers, in HTTP's words."""
    said = headers.get("cache-control", "").lower()
    if "only-if-cached" in said:
        return Use.ONLY
    return Use.FRESH if "no-cache" in said or "no-store" in said else Use.ANY


async def sent_by(request: Request) -> bytes:
    """All that the request's question is made of. Raises NotOverHttp with what is wrong with how it is sent."""
    if request.method == "GET":
        query: bytes = request.scope["query_string"]
        return query
    if request.method != "POST":
        raise NotOverHttp(f"{request.method} is not for questions: send GET or POST", 405, {"allow": "GET, POST"})
    _check_content(request.headers)
    return await request.body()


def asked_by(request: Request, sent: bytes) -> Asked:
    """What a request asks. Raises NotOverHttp with what is wrong with it."""
    if request.method == "GET":
        given: dict[str, Any] = dict(request.query_params)
        for name in ("variables", "extensions"):
            if name in given:
                given[name] = _json(given[name], f"the parameter `{name}`") if given[name] else None
        return _asked(given, "Send a parameter `query`, or POST one as JSON.")
    body = _json(sent, "the body")
    if not isinstance(body, dict):
        several = isinstance(body, list)
        raise NotOverHttp("batches are not answered: send one question" if several else "the body is no JSON object")
    return _asked(body, 'Send `{"query": "..."}`.')


def _check_content(headers: Headers) -> None:
    name, *parameters = (part.strip().lower() for part in headers.get("content-type", "").split(";"))
    if name != JSON_TYPE:
        said = f"`{name[:100]}`" if name else "of no said type"
        raise NotOverHttp(f"the body is {said}; questions are sent as {JSON_TYPE}", 415)
    for one in parameters:
        word, _, charset = one.partition("=")
        if word.strip() == "charset" and charset.strip(' "') not in ("utf-8", "utf8"):
            raise NotOverHttp(f"the body is in `{charset[:50]}`; JSON is sent in UTF-8", 415)


def _json(written: str | bytes, what: str) -> Any:
    try:
        return json.loads(written if isinstance(written, str) else written.decode("utf-8"))
    except (ValueError, RecursionError):
        raise NotOverHttp(f"{what} is no JSON") from None


def _asked(given: Mapping[str, Any], fix: str) -> Asked:
    query = given.get("query")
    if query is None or query == "":
        raise NotOverHttp(f"there is no `query`. {fix}")
    if not isinstance(query, str):
        raise NotOverHttp("`query` is not a string")
    operation = given.get("operationName")
    if not isinstance(operation, str | None):
        raise NotOverHttp("`operationName` is not a string")
    for name in ("variables", "extensions"):
        if not isinstance(given.get(name), dict | None):
            raise NotOverHttp(f"`{name}` is not a JSON object")
    return Asked(query, given.get("variables"), operation or None, given.get("extensions"))
