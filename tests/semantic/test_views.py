"""The `sql:` of a source: one query that only reads."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from metrics_api.compile.project import load_model
from metrics_api.errors import DefinitionError
from metrics_api.serving.project import load_project

PROJECT = """\
version: 1
project: {name: shop, warehouses: {here: {type: WAREHOUSE}}}
sources:
  app:
    sql: |
SQL
    time: at
    identity: {user: user_id}
    properties: {amount: number}
EXTRA
events: {buy: {source: app, name: any}}
metrics: {bought: {type: usage, event: buy, measure: sum(amount)}}
"""
ANOTHER = "Write one SELECT, or name another `sql_dialect`."
READS = "Write one SELECT that only reads."
QUERY = "Write one SELECT, or WITH ... SELECT."


def written(folder: Path, sql: str, *, warehouse: str = "duckdb", extra: str = "") -> Path:
    text = PROJECT.replace("SQL", "\n".join(f"      {line}" for line in sql.splitlines()))
    (folder / "shop.yml").write_text(text.replace("WAREHOUSE", warehouse).replace("EXTRA", extra), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("sql", "message", "fix"),
    [
        ("SELECT 1; DROP TABLE users", "`sql` holds 2 statements", "Write one SELECT."),
        ("DROP TABLE users", "`sql` is not a query", QUERY),
        ("INSERT INTO a SELECT 1", "`sql` is not a query", QUERY),
        ("CALL something()", "`sql` is not a query", QUERY),
        ("users", "`sql` is not a query", QUERY),
        (
            "WITH gone AS (DELETE FROM users RETURNING *) SELECT * FROM gone",
            "`sql` would do more than read: `DELETE FROM users RETURNING *`",
            READS,
        ),
        ("SELECT 1 INTO copy", "`sql` would do more than read: `INTO copy`", READS),
        ("SELECT *\nFROM (a", "this is not SQL of duckdb: Expecting )", ANOTHER),
        ("SELECT 'a", "this is not SQL of duckdb", ANOTHER),
    ],
)
def test_refuses_in_full(tmp_path: Path, caplog: pytest.LogCaptureFixture, sql: str, message: str, fix: str) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(DefinitionError) as raised:
        load_model(written(tmp_path, sql))
    place = "7:13" if "Expecting" in message else "6:7"
    assert str(raised.value) == f"shop.yml:{place}  {message}\n    {fix}"
    assert not caplog.records


def test_a_dialect_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as raised:
        load_model(written(tmp_path, "SELECT 1", extra="    sql_dialect: postgresql"))
    assert str(raised.value) == "shop.yml:10:18  `postgresql` is not an SQL dialect\n    Did you mean `postgres`?"


@pytest.mark.parametrize("warehouse", ["snowflake", "duckdb"])
def test_is_read_in_the_dialect_of_the_default_warehouse_and_said_in_others(tmp_path: Path, warehouse: str) -> None:
    sql = {
        "snowflake": "SELECT user_id, at, IFF(a > 0, a, 0) AS amount FROM db.raw.orders",
        "duckdb": "SELECT user_id, at, IF(a > 0, a, 0) AS amount FROM db.raw.orders",
    }[warehouse]
    project = load_project(written(tmp_path, sql, warehouse=warehouse))
    assert "CASE WHEN a > 0 THEN a ELSE 0 END AS amount" in project.sql("bought", dialect="postgres")
    assert "IF(a > 0, a, 0) AS amount" in project.sql("bought", dialect="bigquery")
