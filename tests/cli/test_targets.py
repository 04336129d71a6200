"""One folder of definitions for dev and production."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from metrics_api import load_project
from metrics_api.errors import DefinitionError
from tests.cli.conftest import Invoke

PROJECT = """\
version: 1
project:
  name: shop
  as_of: 2026-01-07
  warehouses:
    here: {type: duckdb, path: here.duckdb}
    there: {type: duckdb, path: there.duckdb}
  default_warehouse: here
  targets:
    dev: {schema: dev}
    production: {schema: main, warehouse: there}
  default_target: dev
sources:
  app:
    table: ${target.schema}.events
    time: at
    event_name: event
    identity: {user: user_id}
  bought:
    sql: SELECT user_id, "at" FROM ${target.schema}.events WHERE event = 'buy'
    time: at
    identity: {user: user_id}
entities:
  user:
    attributes: {table: "${target.schema}.people", key: id, columns: {plan: string}}
events:
  watch: {source: app}
  buy: {source: bought, name: any}
metrics:
  watched: {type: usage, event: watch, where: user.plan = 'pro'}
  purchases: {type: usage, event: buy}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.yml").write_text(PROJECT, "utf-8")
    for file, schema, times in (("here", "dev", 1), ("there", "main", 2)):
        with duckdb.connect(tmp_path / f"{file}.duckdb") as connection:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            connection.execute(f'CREATE TABLE {schema}.events (event VARCHAR, user_id VARCHAR, "at" TIMESTAMP)')
            connection.execute(f"CREATE TABLE {schema}.people AS SELECT 'ann' AS id, 'pro' AS plan")
            for event in ("watch", "buy") * times:
                connection.execute(f"INSERT INTO {schema}.events VALUES ('{event}', 'ann', '2026-01-05')")
    return tmp_path


ASK = ("--from", "2026-01-05", "--to", "2026-01-05", "--format", "csv")


@pytest.mark.parametrize("metric", ["watched", "purchases"])
def test_a_target_is_chosen_by_default_by_option_or_by_environment(folder: Path, invoke: Invoke, metric: str) -> None:
    one, two = "2026-01-05,1,", "2026-01-05,2,"
    assert one in invoke(folder, "query", metric, *ASK).stdout
    assert two in invoke(folder, "query", metric, *ASK, "--target", "production").stdout
    assert two in invoke(folder, "query", metric, *ASK, env={"METRICS_API_TARGET": "production"}).stdout
    assert load_project(folder, target="production").query(metric, start="2026-01-05")["value"].to_pylist()[0] == 2


def test_validate_looks_into_the_warehouse_of_the_target(folder: Path, invoke: Invoke) -> None:
    assert invoke(folder, "validate", "-w", "there", "--target", "production").exit_code == 0
    told = invoke(folder, "validate", "-w", "there")
    assert (told.exit_code, "there is no table `dev.events`" in told.stderr) == (1, True)
    assert "FROM main.events" in invoke(folder, "explain", "watched", "--target", "production").stdout


def test_a_target_that_is_not_there(folder: Path, invoke: Invoke) -> None:
    result = invoke(folder, "validate", "--target", "prodution")
    assert result.exit_code == 1
    assert result.stderr == (
        "shop.yml:9:3  there is no target `prodution`\n    Did you mean `production`?\n\n1 problem in 1 file\n"
    )
    with pytest.raises(DefinitionError, match="there is no target `devel`"):
        load_project(folder, target="devel")


def test_a_project_without_targets(folder: Path, invoke: Invoke) -> None:
    (folder / "shop.yml").write_text("project: {name: shop}\n", "utf-8")
    result = invoke(folder, "validate", "--target", "dev")
    assert result.stderr == (
        "shop.yml:1:10  there is no target `dev`\n    There are no targets yet.\n\n1 problem in 1 file\n"
    )
