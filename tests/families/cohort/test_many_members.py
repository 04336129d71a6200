"""Lists of members are read page by page: no statement returns more than a page, however many there are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa

from families.asking import project_over
from families.oracles.world import Event, World
from metrics_api.engines.warehouse import Warehouse
from metrics_api.serving.asking import ask

MANY = 200_000
PAGE = 10_000
NOW = datetime(2026, 3, 18, 12)


class Counting:
    """A warehouse that remembers how many rows each statement returned."""

    def __init__(self, inner: Warehouse) -> None:
        self.inner, self.returned = inner, list[int]()

    def run(self, sql: str, **words: Any) -> object:
        found = self.inner.run(sql, **words)
        self.returned.append(found.table.num_rows)
        return found

    def version(self, table: str) -> str | None:
        return None


def test_pages_of_many_members() -> None:
    world = World((Event("watch", "somebody", datetime(2026, 3, 1), {}),), "UTC", 0, NOW)
    project = project_over(world, "{}", cohorts="there: {all_of: [{on: watch, within: 30 days}]}")
    warehouse = project.warehouse()
    warehouse._connection.execute(  # type: ignore[attr-defined]
        "CREATE OR REPLACE TABLE events AS SELECT 'watch' AS event, 'u' || range AS user_id, "
        "TIMESTAMP '2026-03-10' AS at, DATE '2026-03-10' AS day, NULL::VARCHAR AS event_id, NULL::VARCHAR AS country, "
        f"NULL::DOUBLE AS minutes, NULL::BIGINT AS level, NULL::BOOLEAN AS flag, 0 AS sequence FROM range({MANY})"
    )
    project._warehouse = counting = Counting(warehouse)  # type: ignore[assignment]
    seen: list[str] = []
    after = None
    while True:
        query = ask("there", members={}, first=PAGE, after=after, start="2026-03-18", end="2026-03-18")
        page = project.answer(query)
        ids: pa.ChunkedArray = page.parts["members"]["id"]
        seen += ids.to_pylist()
        if not page.info.truncated:
            break
        after = seen[-1]
    assert seen == sorted(f"u{number}" for number in range(MANY))
    assert counting.returned == [PAGE + 1] * (MANY // PAGE - 1) + [PAGE]
    count = project.answer(ask("there", parts="member_count", start="2026-03-18", end="2026-03-18"))
    assert count.parts["member_count"]["users"].to_pylist() == [MANY]
