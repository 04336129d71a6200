"""Answers as bytes, kept by what was asked: a request that was answered a moment ago is not read again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

from cachetools import LRUCache

from metrics_api.query.metric_query import MetricQuery
from metrics_api.serving.project import Depends, Project
from metrics_api.serving.service import Served


@dataclass(frozen=True, slots=True)
class Response:
    """The body of an answer, and for how long it is the answer."""

    body: bytes
    etag: str
    depends: frozenset[Depends]
    """While all of it holds, and until `until`, in seconds since 1970. Nothing: as long as the definitions."""
    until: float
    made: float
    queries: tuple[MetricQuery, ...]
    """What it answers."""

    @property
    def age(self) -> int:
        """In whole seconds."""
        return max(0, int(time.time() - self.made))


_OVERHEAD = 500
"""Bytes of an entry beside its body, about."""


class Responses:
    """Up to so many bytes of them; those that were not asked for the longest go first."""

    def __init__(self, project: Project, most_bytes: int) -> None:
        self._project = project
        self._kept: LRUCache[bytes, Response] = LRUCache(most_bytes, getsizeof=lambda one: len(one.body) + _OVERHEAD)
        self._lock = threading.Lock()
        self.hits = self.misses = 0

    def get(self, key: bytes) -> Response | None:
        """What the same request was answered, if it is known to be so still."""
        with self._lock:
            found = self._kept.get(key)
        if found is None or not self._holds(found):
            self.misses += 1
            return None
        self.hits += 1
        return found

    def put(self, key: bytes, body: bytes, served: Iterable[Served]) -> Response | None:
        """Keep an answer that rests on these; None where it may not be kept, or there is no room for it."""
        each = list(served)
        now = time.time()
        until = min((one.until for one in each), default=float("inf"))
        depends = frozenset(one.depends for one in each if one.depends is not None)
        if until <= now or any(one.depends is None for one in each):
            return None
        made = now - max((one.age for one in each), default=0.0)
        queries = tuple(one.query for one in each if one.query is not None)
        response = Response(body, f'"{blake2b(body, digest_size=12).hexdigest()}"', depends, until, made, queries)
        with self._lock:
            if len(body) + _OVERHEAD <= self._kept.maxsize:
                self._kept[key] = response
        return response

    def seconds_left(self, response: Response) -> int:
        """For how long it needs not be asked for again, in whole seconds."""
        left = min((self._project.known_for(one) for one in response.depends), default=0.0)
        return max(0, int(min(left, response.until - time.time())))

    def _holds(self, response: Response) -> bool:
        return response.until > time.time() and all(map(self._project.still_holds, response.depends))


def key_of(*parts: bytes) -> bytes:
    """The name of a request, of all that its answer depends on."""
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
