"""What people ask, counted: the most asked is worth asking beforehand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import orjson

from metrics_api.query.metric_query import MetricQuery
from metrics_api.serving.warmups.ledger import Ledger
from metrics_api.serving.warmups.spelled import read, spelled

MOST = 5_000
"""Different questions that are counted between two times of telling; further ones are not."""
LONGEST = 10_000
"""Letters of a question that is counted."""


class Asked:
    """Questions and how often they were asked, told to the ledger now and then. For one event loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._counts: Counter[tuple[MetricQuery, str]] = Counter()
        self._telling = asyncio.Lock()

    def note(self, query: MetricQuery, policy: str) -> None:
        """It was asked by a caller of this policy. What is asked as of a moment of the past is not asked again."""
        key = (query, policy)
        if query.as_of is None and query.members.after is None and (key in self._counts or len(self._counts) < MOST):
            self._counts[key] += 1

    async def tell(self) -> None:
        """Add what was counted to what the other workers counted."""
        async with self._telling:
            counts, self._counts = self._counts, Counter()
            texts = {_text(query, policy): times for (query, policy), times in counts.items()}
            if told := {text: times for text, times in texts.items() if len(text) <= LONGEST}:
                await self._ledger.count(told)

    async def most(self, n: int) -> Sequence[tuple[MetricQuery, str]]:
        """The questions asked most in the last days, with the policies of those who asked."""
        await self.tell()
        found = (_question(text) for text in await self._ledger.most(n))
        return [one for one in found if one is not None]


def _text(query: MetricQuery, policy: str) -> str:
    return orjson.dumps([policy, spelled(query)]).decode()


def _question(text: str) -> tuple[MetricQuery, str] | None:
    try:
        policy, query = orjson.loads(text)
    except ValueError:
        return None
    found = read(str(query))
    return None if found is None else (found, str(policy))
