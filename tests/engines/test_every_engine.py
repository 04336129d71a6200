"""Every operation on every engine: it compiles to that engine's SQL, or refuses in so many words."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from engines.operations import EXAMPLES, Example
from families.engines import EVERY
from metrics_api.engines import Engine, engines
from metrics_api.errors import UnsupportedByEngine
from metrics_api.plan.expr import OPERATIONS
from metrics_api.sql.lower import lower
from metrics_api.sql.render import render

ENGINES = ("bigquery", "clickhouse", "databricks", "duckdb", "postgres", "redshift", "snowflake", "spark", "trino")
UNSUPPORTED: dict[tuple[str, str], str] = {
    ("bits_shared", "redshift"): "no function counts the bits of an integer",
    ("bits_shared", "snowflake"): "no function counts the bits of an integer",
}
"""(operation, engine): why it has no exact form there. What is not listed has one."""


def test_the_engines_are_all_there() -> None:
    assert tuple(engines()) == ENGINES
    assert all(one.name == one.dialect.name == name for name, one in engines().items())


def test_what_can_be_connected_to_is_executed_by_the_tests() -> None:
    assert [one.name for one in engines().values() if one.connect is not None] == list(EVERY)


def test_only_duckdb_joins_asof() -> None:
    assert [one.name for one in engines().values() if one.dialect.has_asof] == ["duckdb"]
    assert [one.name for one in engines().values() if not one.dialect.shares_scans] == ["duckdb", "trino"]


@pytest.mark.parametrize("name", ENGINES)
def test_every_operation_is_said_or_refused(name: str) -> None:
    of = engines()[name]
    refused = {operation for operation in OPERATIONS if not all(_compiles(one, of) for one in _examples(operation))}
    assert refused == {operation for operation, where in UNSUPPORTED if where == name}


def test_what_is_unsupported_is_an_operation_of_an_engine() -> None:
    assert {operation for operation, _ in UNSUPPORTED} <= set(OPERATIONS)
    assert {name for _, name in UNSUPPORTED} <= set(ENGINES)


@pytest.mark.parametrize("name", ENGINES)
def test_statements_are_read_back_by_sqlglot(name: str) -> None:
    of = engines()[name]
    for example in _said(of):
        sql = _sql(example, of)
        tree = sqlglot.parse_one(sql, dialect=of.dialect.sqlglot)
        assert not list(tree.find_all(exp.Command)), sql


@pytest.mark.parametrize("name", ENGINES)
def test_statements_are_the_same_each_time(name: str) -> None:
    of = engines()[name]
    for example in _said(of):
        assert _sql(example, of) == _sql(example, of)


def test_an_operation_that_an_engine_lacks_is_named() -> None:
    class Mute(type(engines()["postgres"].dialect)):  # type: ignore[misc]
        json_text = None

    with pytest.raises(UnsupportedByEngine, match="`json_text` has no exact form on postgres"):
        Mute().call("json_text", [exp.column("a"), exp.Literal.string("b")])


def _examples(operation: str) -> list[Example]:
    return [example for example in EXAMPLES if operation in example.shows]


def _said(of: Engine) -> list[Example]:
    """The examples of what the engine can say."""
    return [one for one in EXAMPLES if not any((shown, of.name) in UNSUPPORTED for shown in one.shows)]


def _compiles(example: Example, of: Engine) -> bool:
    try:
        _sql(example, of)
    except UnsupportedByEngine:
        return False
    return True


def _sql(example: Example, of: Engine) -> str:
    return render(lower(example.plan, of.dialect), of.dialect, comment="an example")
