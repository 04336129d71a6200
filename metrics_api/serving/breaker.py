"""A breaker: what cannot be reached is left alone for a while, so that nobody waits for it again and again."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST = 30.0
"""Seconds for which something is left alone at most."""


class Breaker:
    """Open after a failure, for a second at first and twice as long after each further one; closed by a success."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = 0.0
        self._pause = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it is to be left alone now."""
        return self._clock() < self._until

    def failed(self) -> bool:
        """Whether this is the first failure after a success, which is worth telling."""
        first = not self._pause
        self._pause = min(LONGEST, self._pause * 2 or 1.0)
        self._until = self._clock() + self._pause
        return first

    def succeeded(self) -> bool:
        """Whether it had failed before."""
        again = bool(self._pause)
        self._pause = self._until = 0.0
        return again
