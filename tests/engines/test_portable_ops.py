"""Every portable operation, executed on every engine that the tests can run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import duckdb
import pytest

from engines.operations import DIFFERENT, EXAMPLES, STANDS_IN, Example, Rows, Runner, agree, answers, constants
from engines.test_every_engine import UNSUPPORTED
from families.engines import ENGINES, type_of, warehouse_with
from metrics_api.engines import engines
from metrics_api.engines.duckdb import DuckDBDialect
from metrics_api.engines.warehouse import spoken_by
from metrics_api.errors import UnsupportedByEngine
from metrics_api.plan.expr import OPERATIONS, Agg, Col, Type, call, integer
from metrics_api.plan.nodes import Aggregate, Filter, Join
from metrics_api.sql.dialect import Dialect, Sql, function
from metrics_api.sql.lower import lower
from metrics_api.sql.render import render


class OnDuckDB:
    engine = "duckdb"
    asked = ""

    def __init__(self, dialect: Dialect | None = None) -> None:
        self.dialect = dialect or DuckDBDialect()
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone='UTC'")

    def run(self, sql: str) -> Rows:
        self.asked = sql
        return self.connection.execute(sql).fetchall()


class OnServer:
    """By the product's own connection, so that what it reads is held to the examples as well."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.warehouse = warehouse_with(engine, {})
        self.dialect = spoken_by(self.warehouse, engines()[type_of(engine)].dialect)

    def run(self, sql: str) -> Rows:
        columns = [column.to_pylist() for column in self.warehouse.run(sql).table.columns]
        return list(zip(*columns, strict=True))


@pytest.fixture(scope="module", params=ENGINES)
def runner(request: pytest.FixtureRequest) -> Runner:
    return OnDuckDB() if request.param == "duckdb" else OnServer(request.param)


@pytest.fixture(scope="module")
def on_duckdb() -> OnDuckDB:
    return OnDuckDB()


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_means_what_it_says(example: Example, runner: Runner, request: pytest.FixtureRequest) -> None:
    where = STANDS_IN.get(runner.engine, runner.engine)
    if reason := DIFFERENT.get((where, example.name)):
        request.applymarker(pytest.mark.xfail(reason=reason))
    if {(one, type_of(runner.engine)) for one in example.shows} & {*UNSUPPORTED}:
        with pytest.raises(UnsupportedByEngine):
            answers(example, runner)
        return
    found = answers(example, runner)
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


def test_bits_reach_as_far_as_the_dialect_says(runner: Runner) -> None:
    width = runner.dialect.bitmap_days
    days = sorted({day for day in (0, 30, 31, 32, 61, 62, 63, 64, width - 1) if day < width})
    rows = constants((("day", Type.INTEGER),), [(day,) for day in days])
    every = Aggregate(rows, (), (("bits", Agg("bits_or", (call("bit", Col("day"), integer(width)),))),))
    masked = {0, 1, 61, width - 1, width - 3}
    masks = constants((("mask", Type.INTEGER),), [(1 << day,) for day in sorted(masked)])
    shared = Filter(Join(masks, every, "cross"), call("bits_overlap", Col("bits"), Col("mask")))
    found = runner.run(render(lower(shared, runner.dialect), runner.dialect, comment="x"))
    assert sorted(found) == [(1 << day, sum(1 << one for one in days)) for day in days if day in masked]


def test_every_operation_has_an_example() -> None:
    shown = {operation for example in EXAMPLES for operation in example.shows}
    assert shown == set(OPERATIONS)


def test_what_differs_somewhere_is_an_example() -> None:
    assert {name for _, name in DIFFERENT} <= {example.name for example in EXAMPLES}


def test_examples_have_names_of_their_own() -> None:
    assert len({example.name for example in EXAMPLES}) == len(EXAMPLES)
