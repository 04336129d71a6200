"""Answers as bytes, kept beside the answers themselves: one that is served again is not written again."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from cachetools import LRUCache

from metrics_api.results import Answer
from metrics_api.web.rest.formats import Format

MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of an answer, and a mark that is equal for equal bytes."""

    data: bytes
    etag: str

    @classmethod
    def of(cls, data: bytes) -> Body:
        return cls(data, f'"{sha256(data).hexdigest()[:32]}"')


class Bodies:
    """Up to so many bytes of them; those that were not asked for the longest go first. For one event loop.

    What an answer is written as depends on nothing but the answer and the format, so that it is never out of date: it
    is no longer asked for once the service has another answer.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        # The answer is held as well, so that its identity is nobody else's meanwhile.
        self._kept: LRUCache[tuple[int, Format], tuple[Answer, Body]] = LRUCache(most_bytes, getsizeof=_size)

    def get(self, answer: Answer, format_: Format) -> Body | None:
        found = self._kept.get((id(answer), format_))
        return None if found is None else found[1]

    def put(self, answer: Answer, format_: Format, body: Body) -> None:
        entry = (answer, body)
        if _size(entry) <= self._kept.maxsize:
            self._kept[(id(answer), format_)] = entry


def _size(entry: tuple[Answer, Body]) -> int:
    answer, body = entry
    tables: int = sum(one.nbytes for one in answer.parts.values())
    return len(body.data) + tables + 1_000
