"""Dates and instants as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from metrics_api.definitions.refusal import Refusal


def _text(written: object) -> str:
    """A text as it is; anything else is no date: `20260131` would be a number of seconds to some."""
    return written if isinstance(written, str) else ""


def _parse_date(written: object) -> date:
    if isinstance(written, date) and not isinstance(written, datetime):
        return written
    try:
        return date.fromisoformat(_text(written))
    except ValueError:
        raise Refusal(f"expected a date, found `{written}`", "Write year, month and day: `2026-01-31`.") from None


DateField = Annotated[
    date,
    PlainValidator(_parse_date),
    PlainSerializer(date.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-01-31"]}),
]


def _parse_instant(written: object) -> datetime:
    """Naive UTC; a text without an offset is UTC already, a date its first instant."""
    try:
        instant = written if isinstance(written, datetime) else datetime.fromisoformat(_text(written))
        return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant
    except (ValueError, OverflowError):
        raise Refusal(
            f"expected an instant, found `{written}`",
            "Write a date or `2026-01-31T12:00:00Z`; without a zone it is UTC.",
        ) from None


InstantField = Annotated[
    datetime,
    PlainValidator(_parse_instant),
    PlainSerializer(datetime.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2026-01-31", "2026-01-31T12:00:00Z"]}),
]
