"""Every scan of a table in partitions is bounded by constants, as `require_partition_filter` of BigQuery wants it.

What BigQuery's planner wants of a statement is not executed anywhere here, so that statements are read instead: those
of every case of every family, of the example project, and of how far data reaches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlglot
from sqlglot import exp

from metrics_api.compile.pipeline import compile_query
from metrics_api.compile.project import load_model
from metrics_api.engines import engine
from metrics_api.engines.warehouse import Execution
from metrics_api.families import families
from metrics_api.query.bind import bind
from metrics_api.query.limits import Limits
from metrics_api.serving.asking import ask
from metrics_api.serving.freshness import NOTHING, newest
from metrics_api.testkit.cases import Case, cases_below, expected, found

STREAMING = Path(__file__).parents[2] / "metric_definitions" / "streaming"
MODEL, _ = load_model(STREAMING)
NOW = datetime(2026, 3, 31, 12)
DIALECT = engine("bigquery").dialect
USUAL = ({"events"}, "day")
"""The tables of a case's source, and their partition."""


class _Heard(Exception):
    """A statement that was to be run."""


class Hearing:
    """A warehouse that hears the first statement, and answers none."""

    def run(self, sql: str, **_: object) -> Execution:
        raise _Heard(sql)

    def version(self, table: str) -> None:
        """It tells no versions."""


def heard(case: Case) -> str:
    with pytest.raises(_Heard) as raised:
        found(case, expected(case)[0], "bigquery", lambda _: Hearing())  # type: ignore[arg-type, return-value]
    return str(raised.value)


def tables_of(case: Case) -> tuple[set[str], str] | None:
    """The tables of a case's source and their partition; None where it has none."""
    reads: Any = case.setting.get("reads")
    if reads is None:
        return USUAL
    if "partition" not in reads or "sql" in reads:
        return None
    tables = {reads["table"]} if "table" in reads else {*reads["tables"].values()}
    partition = reads["partition"]
    return tables, partition if isinstance(partition, str) else partition["column"]


def selects_over(sql: str, tables: set[str]) -> Iterator[exp.Select]:
    """The innermost query around each place where one of the tables is read."""
    for table in sqlglot.parse_one(sql, dialect="bigquery").find_all(exp.Table):
        if table.name in tables:
            select = table.find_ancestor(exp.Select)
            assert select is not None
            yield select


def is_bounded(select: exp.Select, column: str) -> bool:
    """Whether rows are asked for from one constant up to another of a column, whatever else is asked."""
    where = select.args.get("where")
    asked = list(where.this.flatten()) if isinstance(where and where.this, exp.And) else [where and where.this]
    ends = {exp.GTE: False, exp.LTE: False, exp.LT: False}
    for one in asked:
        if type(one) in ends and one.this.name == column and not list(one.expression.find_all(exp.Column)):
            ends[type(one)] = True
    return ends[exp.GTE] and (ends[exp.LTE] or ends[exp.LT])


def compares_both_sides(join: exp.Join) -> bool:
    """Whether a join asks for a column of what it adds to be equal to one of what was there."""
    alias, on = join.this.args.get("alias"), join.args.get("on")
    # The alias of an UNNEST names its values.
    added = alias.columns[0].name if alias is not None and alias.columns else join.this.alias_or_name
    for one in on.flatten() if isinstance(on, exp.And) else [on]:
        if isinstance(one, exp.EQ):
            sides = [{column.table for column in side.find_all(exp.Column)} for side in (one.this, one.expression)]
            if {added} in sides and any(side and added not in side for side in sides):
                return True
    return False


CASES = [one for one in cases_below() if tables_of(one) is not None]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_case_is_as_bigquery_wants_it(case: Case) -> None:
    """Scans of tables in partitions are bounded, and outer joins compare columns of both sides: it refuses others."""
    asked = tables_of(case)
    assert asked is not None
    sql = heard(case)
    selects = list(selects_over(sql, asked[0]))
    assert selects or not re.search(r"\bFROM\s+(?!\(|UNNEST|found)", sql)  # One answer is known without a table.
    for select in selects:
        assert is_bounded(select, asked[1]), select.sql("bigquery", pretty=True)
    for join in sqlglot.parse_one(sql, dialect="bigquery").find_all(exp.Join):
        assert not join.side or compares_both_sides(join), join.sql("bigquery")


def test_the_cases_are_of_every_family_and_of_every_kind_of_partition() -> None:
    assert {one.family for one in CASES} >= set(families())
    assert len(CASES) > 300


def test_a_scan_without_bounds_is_noticed() -> None:
    bounded = "SELECT a FROM events WHERE day >= DATE '2026-01-01' AND day <= DATE '2026-01-31' AND a = 1"
    for sql, holds in (
        (bounded, True),
        ("SELECT a FROM events WHERE day >= DATE '2026-01-01' AND a = 1", False),
        ("SELECT a FROM events WHERE (day >= DATE '2026-01-01' AND day <= DATE '2026-01-31') OR a = 1", False),
        ("SELECT a FROM events WHERE day >= other AND day <= DATE '2026-01-31'", False),
        ("SELECT a FROM events", False),
        (f"SELECT b.a FROM ({bounded}) AS b JOIN events ON events.a = b.a", False),
    ):
        assert all(is_bounded(one, "day") for one in selects_over(sql, {"events"})) is holds, sql


@pytest.mark.parametrize("metric", [*MODEL.metrics, *MODEL.cohorts])
@pytest.mark.parametrize("grain", ["day", "week"])
def test_every_scan_of_the_example_is_bounded(metric: str, grain: str) -> None:
    tables = {table.name for source in MODEL.sources.values() if source.partition for table in source.tables}
    kind = MODEL.metrics[metric].type if metric in MODEL.metrics else "cohort"
    words = {} if kind in ("retention", "drivers") else {"grain": grain}
    question = ask(metric, start="2026-03-02", end="2026-03-29", **words)  # type: ignore[arg-type]
    bound = bind(question, MODEL, families(), now=NOW, limits=Limits())
    selects = list(selects_over(compile_query(bound, DIALECT).sql, tables))
    assert selects
    assert all(is_bounded(one, "occurred_on") for one in selects)


def test_an_outer_join_that_compares_nothing_is_noticed() -> None:
    for on, holds in (
        ("a.x = b.x AND a.y < b.y", True),
        ("a.x < b.x", False),
        ("b.x = 1", False),
        ("b.x = b.y AND a.x < b.x", False),
        ("a.x = b.x OR a.y = b.y", False),
    ):
        join = sqlglot.parse_one(f"SELECT 1 FROM a LEFT JOIN b ON {on}", dialect="bigquery").find(exp.Join)
        assert join is not None
        assert compares_both_sides(join) is holds, on


# -- how far data reaches ---------------------------------------------------------------------------------------------


class Reaching:
    """A warehouse whose tables reach to what is said, one statement after the other."""

    def __init__(self, *answers: datetime | None) -> None:
        self.answers, self.heard = list(answers), list[str]()

    def run(self, sql: str, **_: object) -> Execution:
        self.heard.append(sql)
        return Execution(pa.table({"reaches": pa.array([self.answers.pop(0)], pa.timestamp("us"))}), 0)


def reached(*answers: datetime | None) -> tuple[datetime, list[str]]:
    (source,) = (replace(one, loaded_at=None) for one in MODEL.sources.values() if one.partition is not None)
    warehouse = Reaching(*answers)
    at = newest(source, warehouse, DIALECT, NOW)  # type: ignore[arg-type]
    assert not warehouse.answers
    for sql in warehouse.heard:
        assert all(is_bounded(one, "occurred_on") for one in selects_over(sql, {"app_events"}))
    return at, warehouse.heard


def test_how_far_data_reaches_is_asked_of_the_latest_partitions() -> None:
    at, (sql,) = reached(datetime(2026, 3, 30, 9))
    assert at == datetime(2026, 3, 30, 9)
    assert "occurred_on >= DATE '2026-03-23'" in sql
    assert "occurred_on <= DATE '2026-04-02'" in sql


def test_how_far_old_data_reaches_is_asked_further_back() -> None:
    at, heard = reached(None, datetime(2026, 1, 1))
    assert at == datetime(2026, 1, 1)
    assert "occurred_on >= DATE '2025-12-21'" in heard[1]
    assert reached(None, None, None)[0] == NOTHING


def test_rows_of_the_future_are_left_out_of_how_far_data_reaches() -> None:
    at, (_, second) = reached(datetime(2026, 3, 31, 20), datetime(2026, 3, 31, 11))
    assert at == datetime(2026, 3, 31, 11)
    assert "<= TIMESTAMP '2026-03-31 12:00:00+00'" in second
    assert reached(datetime(2026, 3, 31, 20), None, None, None)[0] == NOTHING
