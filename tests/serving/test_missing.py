"""A warehouse that is not what the definitions say: named, with what there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from metrics_api.engines import Engine, engines
from metrics_api.errors import DefinitionError, QueryError, WarehouseError
from metrics_api.serving.project import load_project

PROJECT = """
version: 1
project:
  name: shop
  as_of: 2026-02-01
  warehouses:
    here: {{type: duckdb, path: shop.duckdb}}
    nowhere: {{type: duckdb, path: "${{SHOP_WAREHOUSE_PATH}}"}}
    later: {{type: snowflake, account: x, password: hunter2}}
  default_warehouse: here
sources:
  app:
    table: {table}
    time: {time}
    event_name: event
    identity: {{user: {user}}}
    properties: {{country: string, minutes: {{type: number, column: {minutes}}}}}
events: {{watch: {{source: app}}}}
metrics:
  watched: {{type: usage, event: watch, measure: sum(minutes)}}
  people: {{type: usage, event: watch, measure: users}}
  again: {{type: funnel, steps: {{a: watch, b: watch}}}}
  active: {{type: active_users, on: watch, window: 7 days}}
"""


def project(folder: Path, warehouse: str | None = None, **names: str):  # type: ignore[no-untyped-def]
    words = {"table": "app_events", "time": "at", "user": "user_id", "minutes": "minutes", **names}
    (folder / "shop.yml").write_text(PROJECT.format(**words), encoding="utf-8")
    if not (folder / "shop.duckdb").exists():
        with duckdb.connect(str(folder / "shop.duckdb")) as connection:
            connection.execute(
                "CREATE TABLE app_events AS SELECT * FROM (VALUES "
                "(1, 'watch', TIMESTAMP '2026-01-05 09:00', 'DE', 2.5), "
                "(2, 'watch', TIMESTAMP '2026-01-05 10:00', 'US', 1), "
                "(1, 'watch', TIMESTAMP '2026-01-06 10:00', 'US', 1), "
                "(NULL, 'watch', TIMESTAMP '2026-01-06 11:00', 'US', 1)"
                ') AS t(user_id, event, "at", country, minutes)'
            )
    return load_project(folder, warehouse)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"table": "app_event"}, "source `app`: there is no table `app_event` in the warehouse"),
        (
            {"minutes": "minuts"},
            "source `app`: table `app_events` has no column `minuts` (property `minutes`)\n    Did you mean `minutes`?",
        ),
        (
            {"time": "occurred"},
            (
                "source `app`: table `app_events` has no column `occurred` (its time)\n"
                "    The columns of app_events are `at`, `country`, `event`, `minutes`, `user_id`."
            ),
        ),
    ],
)
def test_missing_tables_and_columns(tmp_path: Path, names: dict[str, str], message: str) -> None:
    with pytest.raises(WarehouseError) as raised:
        project(tmp_path, **names).query("watched", start="2026-01-05")
    assert message in str(raised.value)


def test_a_missing_environment_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_WAREHOUSE_PATH", raising=False)
    with pytest.raises(DefinitionError, match=r"shop\.yml:8:\d+.*SHOP_WAREHOUSE_PATH"):
        project(tmp_path, "nowhere").query("watched")


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_WAREHOUSE_PATH", "gone.duckdb")
    with pytest.raises(WarehouseError, match=r"there is no DuckDB file .*gone\.duckdb"):
        project(tmp_path, "nowhere").query("watched")


def test_a_file_that_is_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.duckdb").write_text("not a database", encoding="utf-8")
    monkeypatch.setenv("SHOP_WAREHOUSE_PATH", "text.duckdb")
    with pytest.raises(WarehouseError, match="DuckDB cannot open"):
        project(tmp_path, "nowhere").query("watched")


def test_an_engine_that_only_compiles_says_so_and_keeps_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: dict[str, Engine] = engines()  # type: ignore[assignment]
    monkeypatch.setitem(known, "snowflake", replace(known["snowflake"], connect=None))
    asked = project(tmp_path, "later")
    with pytest.raises(QueryError, match="does not connect to it yet"):
        asked.query("watched")
    assert "FROM app_events" in asked.sql("watched")
    assert "hunter2" not in repr(asked) + repr(asked.model.project)


def test_an_unknown_warehouse(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="Did you mean `here`"):
        project(tmp_path, "her")


def test_users_may_be_whole_numbers_declared_or_not(tmp_path: Path) -> None:
    for user in ("user_id", "{column: user_id, type: integer}"):
        asked = project(tmp_path, user=user)
        rows = asked.query("people", start="2026-01-05", end="2026-01-06").to_pylist()
        assert [row["value"] for row in rows] == [2, 1]
        assert [row["converted"] for row in asked.query("again", start="2026-01-05").to_pylist()] == [2, 1]
        assert asked.query("active", start="2026-01-06", end="2026-01-06").to_pylist()[0]["value"] == 2


def test_a_broken_connection_is_told_without_a_traceback(tmp_path: Path) -> None:
    asked = project(tmp_path)
    asked.warehouse().close()
    with pytest.raises(WarehouseError, match="DuckDB: "):
        asked.query("watched", start="2026-01-05")
