"""Questions as text, so that one process can tell another what was asked. Nothing else can be made of such a text."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

import orjson

from metrics_api.periods import Duration, Grain
from metrics_api.query.metric_query import (
    AllOf,
    AnyOf,
    Between,
    CohortAsOf,
    Compare,
    Comparison,
    Last,
    MetricQuery,
    NotOf,
    Page,
    Written,
)

_RECORDS: dict[str, Any] = {
    one.__name__: one for one in (MetricQuery, Between, Last, Duration, Comparison, AllOf, AnyOf, NotOf, Written, Page)
}
_WORDS: dict[str, Any] = {one.__name__: one for one in (Grain, Compare, CohortAsOf)}
_KIND = "is"


def spelled(query: MetricQuery) -> str:
    """The same for equal questions."""
    return orjson.dumps(_plain(query), option=orjson.OPT_SORT_KEYS).decode()


def read(text: str) -> MetricQuery | None:
    """The question; None for a text that is none of this release's."""
    try:
        found = _made(orjson.loads(text))
    except (ValueError, TypeError, KeyError, InvalidOperation):
        return None
    return found if isinstance(found, MetricQuery) else None


def _plain(value: Any) -> Any:
    match value:
        case Enum():
            return {_KIND: type(value).__name__, "value": value.value}
        case None | bool() | int() | float() | str():
            return value
        case datetime() | date():
            return {_KIND: type(value).__name__, "value": value.isoformat()}
        case Decimal():
            return {_KIND: "Decimal", "value": str(value)}
        case tuple():
            return [_plain(one) for one in value]
        case _ if is_dataclass(value):
            told = {one.name: getattr(value, one.name) for one in fields(value)}
            return {_KIND: type(value).__name__, **{name: _plain(one) for name, one in told.items()}}
    raise TypeError(type(value).__name__)


def _made(plain: Any) -> Any:
    match plain:
        case list():
            return tuple(_made(one) for one in plain)
        case {"is": "datetime", "value": str(text)}:
            return datetime.fromisoformat(text)
        case {"is": "date", "value": str(text)}:
            return date.fromisoformat(text)
        case {"is": "Decimal", "value": str(text)}:
            return Decimal(text)
        case {"is": str(kind), "value": value} if kind in _WORDS:
            return _WORDS[kind](value)
        case {"is": str(kind)}:
            return _RECORDS[kind](**{name: _made(one) for name, one in plain.items() if name != _KIND})
        case dict():
            raise TypeError
    return plain
