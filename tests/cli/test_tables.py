"""Tables for people: percents, and retention as a triangle."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from graphql_schema.asking import project_of
from metrics_api.cli.tables import percent_cells, write_table
from metrics_api.results import Answer, Info
from metrics_api.semantic.model import Metric

INFO = Info(
    metric="m", as_of=datetime(2026, 3, 1), data_through=datetime(2026, 3, 1), first=date(2026, 1, 5),
    last=date(2026, 1, 18), timezone="UTC", conventions=("Counted.",), sql="", fingerprint="", row_count=1,
    truncated=False, seconds=0.0,
)  # fmt: skip


PROJECT = """
version: 1
project: {name: p}
sources: {events: {table: t, time: at, event_name: event, identity: {user: u}}}
events: {e: {source: events}}
metrics:
  plain: {type: usage, event: e, label: Weekly retention}
  percent: {type: usage, event: e, label: Weekly retention, format: percent}
"""


@lru_cache(maxsize=1)
def metrics() -> Mapping[str, Metric]:
    with TemporaryDirectory() as folder:
        return project_of(PROJECT, Path(folder)).model.metrics


def shown(rows: pa.Table, format_: str = "plain", part: str = "rows") -> list[list[str]]:
    file = io.StringIO()
    write_table(rows, Answer({part: rows}, INFO), metrics()[format_], file)
    return [line.split() for line in file.getvalue().splitlines() if line.strip() and "─" not in line]


def test_cells_of_cohorts_are_a_triangle() -> None:
    monday, next_monday = date(2026, 1, 5), date(2026, 1, 12)
    rows = pa.table({
        "start": [monday] * 3 + [next_monday] * 2,
        "period_index": [0, 1, 2, 0, 1],
        "platform": ["ios"] * 3 + ["tv"] * 2,
        "size": [8] * 3 + [1_000] * 2,
        "users": [8, 2, 1, 250, None],
        "rate": [1.0, 0.25, 0.125, 0.25, None],
        "complete": [True, True, True, True, False],
        "value": [1.0, 0.25, 0.125, 0.25, None],
    })  # fmt: skip
    expected = [
        ["Weekly", "retention,", "2026-01-05", "to", "2026-01-18"],
        ["start", "platform", "size", "0", "1", "2"],
        ["2026-01-05", "ios", "8", "100.0%", "25.0%", "12.5%"],
        ["2026-01-12", "tv", "1,000", "25.0%", "-", "-"],
    ]
    assert shown(rows, "percent", part="cells")[:4] == expected
    assert shown(rows.drop_columns(["value"]), part="cells")[:4] == expected
    minutes = rows.set_column(7, "value", pa.array([40.0, 12.5, 3.0, 9.0, None]))
    assert shown(minutes, part="cells")[2] == ["2026-01-05", "ios", "8", "40", "12.5", "3"]


def test_parts_of_a_whole_are_percents() -> None:
    rows = pa.table({
        "tier": ["power", "core"], "users": [10, 30], "share": [0.25, 0.75], "value": [0.5, None],
        "change": [-0.125, 12.0],
    })  # fmt: skip
    assert shown(rows)[1:4] == [
        ["tier", "users", "share", "value", "change"],
        ["power", "10", "25.0%", "0.5", "-12.5%"],
        ["core", "30", "75.0%", "-", "1,200.0%"],
    ]
    assert shown(rows, "percent")[2] == ["power", "10", "25.0%", "50.0%", "-12.5%"]
    assert percent_cells([-0.0004, float("nan"), None, 0.0]) == ["0.0%", "-", "-", "0.0%"]
