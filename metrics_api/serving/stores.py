"""Where answers are kept: in this process, and where one is given, in a store that several workers share."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, replace
from typing import Protocol

from cachetools import LRUCache

from metrics_api.results import Answer


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer and when it was made, in seconds since 1970."""

    answer: Answer
    made: float

    @property
    def age(self) -> float:
        """In seconds."""
        return max(0.0, time.time() - self.made)


class Shared(Protocol):
    """A store that several workers share. It never raises: what is lost is asked again."""

    async def get(self, key: str) -> Kept | None:
        """What is kept under the key; None also where it cannot be read."""
        ...

    async def put(self, key: str, kept: Kept, seconds: float) -> None:
        """Keep it for so long."""
        ...

    async def lock(self, name: str, seconds: float) -> bool:
        """Whether one is the only one who holds the name, for so long."""
        ...

    async def close(self) -> None: ...


class Memory:
    """Up to so many bytes of answers; those that were not asked for the longest go first. Safe between threads."""

    def __init__(self, most_bytes: int) -> None:
        self._kept: LRUCache[str, Kept] = LRUCache(most_bytes, getsizeof=_size)
        self._lock = threading.Lock()

    def get(self, key: str) -> Kept | None:
        with self._lock:
            return self._kept.get(key)

    def put(self, key: str, kept: Kept) -> None:
        """Keep it, unless it is larger than all there is room for."""
        # A slice of a table holds on to the whole of it: only what is told is kept.
        parts = {name: table.combine_chunks() for name, table in kept.answer.parts.items()}
        kept = replace(kept, answer=replace(kept.answer, parts=parts))
        with self._lock:
            if _size(kept) <= self._kept.maxsize:
                self._kept[key] = kept

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes(self) -> int:
        return int(self._kept.currsize)


_OVERHEAD = 2_000
"""Bytes of an answer beside its columns and its statement, about."""


def _size(kept: Kept) -> int:
    columns = sum(table.get_total_buffer_size() for table in kept.answer.parts.values())
    return int(columns) + sys.getsizeof(kept.answer.info.sql) + _OVERHEAD
