"""Every portable operation, executed on every engine that is at hand: here DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import duckdb
import pytest

from engines.operations import DIFFERENT, EXAMPLES, Example, Rows, agree, answers, constants
from metrics_api.engines.duckdb import DuckDBDialect
from metrics_api.plan.expr import OPERATIONS, Agg, Col, Type, call, integer
from metrics_api.plan.nodes import Aggregate, Filter, Join
from metrics_api.sql.dialect import Dialect, Sql, function
from metrics_api.sql.lower import lower
from metrics_api.sql.render import render


class OnDuckDB:
    asked = ""

    def __init__(self, dialect: Dialect | None = None) -> None:
        self.dialect = dialect or DuckDBDialect()
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone='UTC'")

    def run(self, sql: str) -> Rows:
        self.asked = sql
        return self.connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def on_duckdb() -> OnDuckDB:
    return OnDuckDB()


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_means_on_duckdb_what_it_says(example: Example, on_duckdb: OnDuckDB) -> None:
    found = answers(example, on_duckdb)
    assert agree(found, example.expected, ordered=example.ordered), (found, example.expected)


class ByWindow(DuckDBDialect):
    """As if quantiles and first values were window functions only, as on BigQuery and Redshift."""

    aggregates_by_window: ClassVar[frozenset[str]] = frozenset(["quantile", "first_by"])

    def windowed(self, op: str, args: Sequence[Sql]) -> Sql:
        return function("FIRST_VALUE", *args) if op == "first_by" else super().windowed(op, args)


@pytest.mark.parametrize("example", [one for one in EXAMPLES if {"quantile", "first_by"} & {*one.shows}], ids=str)
def test_means_the_same_by_a_window(example: Example) -> None:
    by_window = OnDuckDB(ByWindow())
    assert agree(answers(example, by_window), example.expected)
    assert " OVER (" in by_window.asked


def test_bits_reach_as_far_as_the_dialect_says(on_duckdb: OnDuckDB) -> None:
    width = DuckDBDialect.bitmap_days
    days = [0, 61, 62, 63, 64, width - 1]
    rows = constants((("day", Type.INTEGER),), [(day,) for day in days])
    every = Aggregate(rows, (), (("bits", Agg("bits_or", (call("bit", Col("day"), integer(width)),))),))
    masks = constants((("mask", Type.INTEGER),), [(1 << day,) for day in (0, 1, 62, width - 1, width - 2)])
    shared = Filter(Join(masks, every, "cross"), call("bits_overlap", Col("bits"), Col("mask")))
    found = on_duckdb.run(render(lower(shared, on_duckdb.dialect), on_duckdb.dialect, comment="x"))
    assert sorted(found) == [(1 << day, sum(1 << one for one in days)) for day in (0, 62, width - 1)]


def test_every_operation_has_an_example() -> None:
    shown = {operation for example in EXAMPLES for operation in example.shows}
    assert shown == set(OPERATIONS)


def test_what_differs_somewhere_is_an_example() -> None:
    assert {name for _, name in DIFFERENT} <= {example.name for example in EXAMPLES}


def test_examples_have_names_of_their_own() -> None:
    assert len({example.name for example in EXAMPLES}) == len(EXAMPLES)
