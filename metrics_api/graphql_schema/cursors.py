"""Cursors: where a page of members ends, at which moment it was asked, and of which question it is a page."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from metrics_api.errors import QueryError
from metrics_api.query.metric_query import MetricQuery
from metrics_api.semantic.model import SemanticModel

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Place:
    """The last member known, and the instant that was taken for now when they were found."""

    after: str
    as_of: datetime


def mark_of(query: MetricQuery, model: SemanticModel) -> str:
    """Equal for the pages of one list: of the same question, over the same definitions."""
    return sha256(f"{model.hash} {replace(query, parts=(), measures=())!r}".encode()).hexdigest()[:16]


def cursor(place: Place, mark: str) -> str:
    """A place as text that says nothing to people."""
    written = json.dumps([_VERSION, place.as_of.isoformat(), mark, place.after])
    return urlsafe_b64encode(written.encode()).decode().rstrip("=")


def place_of(written: str, mark: str) -> Place:
    """What a cursor says; raises QueryError for one that was not given, or by a question other than this one."""
    try:
        place, of = _read(written)
    except (ValueError, TypeError, RecursionError):
        raise QueryError(
            "after: this is not a cursor", fix="Give the `endCursor` of the page before, as it is."
        ) from None
    if of != mark:
        raise QueryError(
            "after: this is a cursor of another list, or the definitions have changed since",
            fix="Ask with the same arguments as for the page before, or begin again without `after`.",
        )
    return place


def _read(written: str) -> tuple[Place, str]:
    """A place and the mark of its list; raises ValueError or TypeError for anything else."""
    padded = written.encode("ascii") + b"=" * (-len(written) % 4)
    version, as_of, mark, after = json.loads(urlsafe_b64decode(padded))
    if version != _VERSION or not isinstance(mark, str) or not isinstance(after, str):
        raise ValueError(version)
    moment = datetime.fromisoformat(as_of)
    after.encode()  # Half a surrogate pair is no text.
    if moment.tzinfo is not None or "\0" in after:
        raise ValueError(as_of)
    return Place(after, moment), mark
