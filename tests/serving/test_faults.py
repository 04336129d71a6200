"""What can be wrong with a warehouse, on every engine that these tests have: told in words, never half an answer."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from families.engines import ENGINES, type_of, warehouse_with
from metrics_api.compile.project import load_model
from metrics_api.errors import WarehouseError
from metrics_api.serving.doctor import Level, examine
from metrics_api.serving.project import Project

NOW = datetime(2026, 3, 20, 12)
FOLDS = [engine for engine in ENGINES if engine in ("postgres", "snowflake")]
PROJECT = """
version: 1
project:
  name: shop
  warehouses: {{here: {{type: {engine}}}}}
sources:
  app:
    table: {table}
    time: {time}
    event_name: {event}
    identity: {{user: {user}}}
    properties: {{seats: {{type: integer, column: {seats}}}}}
events:
  bought: {{source: app}}
metrics:
  sales: {{type: usage, event: bought, measure: sum(seats)}}
  buyers: {{type: active_users, on: bought, window: 7 days}}
  bought_again: {{type: funnel, steps: {{first: bought, second: bought}}, within: 7 days}}
"""
PLAIN = {"table": "visits", "time": "at", "event": "event", "user": "person", "seats": "seats"}
KINDS: dict[str, pa.DataType] = {
    "time": pa.timestamp("us"),
    "event": pa.string(),
    "user": pa.string(),
    "seats": pa.int64(),
}
ROWS = [
    {"time": datetime(2026, 3, 18, 9), "event": "bought", "user": "ann", "seats": 2},
    {"time": datetime(2026, 3, 18, 10), "event": "bought", "user": "bob", "seats": 3},
    {"time": datetime(2026, 3, 19, 9), "event": "bought", "user": "ann", "seats": 5},
    {"time": datetime(2026, 3, 19, 23), "event": "other", "user": "eve", "seats": 7},
]


def shop(folder: Path, engine: str, **written: str) -> Project:
    """A project that writes some names in another way."""
    (folder / "shop.yml").write_text(PROJECT.format(engine=type_of(engine), **{**PLAIN, **written}), "utf-8")
    model, definitions = load_model(folder)
    return Project(model, definitions, folder, clock=lambda: NOW)


def visits(rows: list[dict[str, Any]] = ROWS, **named: str) -> pa.Table:
    """The table, some of whose columns are called in another way."""
    names = {**PLAIN, **named}
    schema = pa.schema([(names[key], kind) for key, kind in KINDS.items()])
    return pa.Table.from_pylist([{names[key]: value for key, value in row.items()} for row in rows], schema=schema)


def answered(project: Project) -> None:
    """Every kind of statement gives the numbers of ROWS."""
    days = {"start": "2026-03-18", "end": "2026-03-19"}
    sales = project.query("sales", **days).to_pylist()
    assert [(row["period"], row["value"]) for row in sales] == [(date(2026, 3, 18), 5), (date(2026, 3, 19), 5)]
    buyers = project.query("buyers", **days).to_pylist()
    assert [row["value"] for row in buyers] == [2, 2]
    steps = project.query("bought_again", **days).to_pylist()
    assert [row["converted"] for row in steps] == [2, 1]


NAMES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    # What the definitions say, and what the columns are called.
    "words of SQL": (
        {"time": "timestamp", "event": "order", "user": "user", "seats": "select"},
        {"time": "timestamp", "event": "order", "user": "user", "seats": "select"},
    ),
    "mixed case in quotes": (
        {"time": "'\"occurredAt\"'", "event": "'\"eventName\"'", "user": "'\"userId\"'", "seats": "'\"Seats\"'"},
        {"time": "occurredAt", "event": "eventName", "user": "userId", "seats": "Seats"},
    ),
    "words of SQL in mixed case, in quotes": (
        {"time": "'\"Timestamp\"'", "event": "'\"Order\"'", "user": "'\"User\"'"},
        {"time": "Timestamp", "event": "Order", "user": "User"},
    ),
    "other characters": (
        {"time": "occurred at", "event": "event-name", "user": "who?", "seats": "größe"},
        {"time": "occurred at", "event": "event-name", "user": "who?", "seats": "größe"},
    ),
}


@pytest.mark.parametrize("way", NAMES)
@pytest.mark.parametrize("engine", ENGINES)
def test_columns_of_awkward_names(engine: str, way: str, tmp_path: Path) -> None:
    written, named = NAMES[way]
    project = shop(tmp_path, engine, **written)
    project._warehouse = warehouse_with(engine, {"visits": visits(**named)})
    answered(project)
    assert [one for one in examine(project) if one.level is Level.WRONG] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_bare_names_are_folded_as_the_engine_does(engine: str, tmp_path: Path) -> None:
    project = shop(tmp_path, engine, time="At", event="EVENT", user="Person")
    if engine not in ("duckdb", "postgres", "snowflake", "spark"):
        pytest.skip("names are what they are there, bare or not")
    project._warehouse = warehouse_with(engine, {"visits": visits()})
    answered(project)
    assert [one for one in examine(project) if one.level is Level.WRONG] == []


@pytest.mark.parametrize("engine", FOLDS)
def test_a_name_in_mixed_case_is_to_be_quoted(engine: str, tmp_path: Path) -> None:
    project = shop(tmp_path, engine, user="userId")
    project._warehouse = warehouse_with(engine, {"visits": visits(user="userId")})
    (wrong,) = [one for one in examine(project) if one.level is Level.WRONG]
    assert wrong.message == "source `app`: table `visits` has no column `userId` (the user)"
    assert wrong.fix == "There is `userId`: a name in mixed case is written in quotes, as '\"userId\"'."
    if engine == "snowflake":
        return  # fakesnow finds it all the same, as DuckDB would.
    with pytest.raises(WarehouseError) as caught:
        project.query("sales", start="2026-03-18", end="2026-03-19", measures="users")
    (problem,) = caught.value.problems
    assert (problem.message, problem.fix) == (wrong.message, wrong.fix)


WRAPS = {
    "databricks": "Sail lets them wrap around; Databricks in ANSI mode refuses",
    "spark": "Sail lets them wrap around; Spark in ANSI mode refuses",
}
TABLES = {
    "a word of SQL": "order",
    "spaces": "my events",
    "dots": "app.events v2",
    "mixed": "AppEvents",
    "quote": 'my "e"',
}


@pytest.mark.parametrize("way", TABLES)
@pytest.mark.parametrize("engine", ENGINES)
def test_tables_of_awkward_names(engine: str, way: str, tmp_path: Path) -> None:
    name = TABLES[way]
    if engine == "bigquery" and "." in name:
        pytest.skip("no table of BigQuery has a dot in its name")
    quoted = name if way == "a word of SQL" else "'" + '"' + name.replace('"', '""') + '"' + "'"
    project = shop(tmp_path, engine, table=quoted)
    project._warehouse = warehouse_with(engine, {name: visits()})
    answered(project)
    assert [one for one in examine(project) if one.level is Level.WRONG] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_time_that_is_a_text(engine: str, tmp_path: Path) -> None:
    project = shop(tmp_path, engine)
    table = visits()
    texts = table.set_column(0, "at", table["at"].cast(pa.string()))
    project._warehouse = warehouse_with(engine, {"visits": texts})
    with pytest.raises(WarehouseError) as caught:
        project.query("sales", start="2026-03-18", end="2026-03-19")
    assert "Traceback" not in str(caught.value)
    (wrong,) = [one for one in examine(project) if one.level is Level.WRONG]
    assert wrong.message.startswith("the time `at` is `")
    assert wrong.message.endswith("`, which holds texts and no times")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sum_beyond_64_bits_is_exact_or_refused(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if engine in WRAPS:
        request.applymarker(pytest.mark.xfail(reason=WRAPS[engine]))
    project = shop(tmp_path, engine)
    rows = [{**ROWS[0], "seats": 2**62} for _ in range(5)]
    project._warehouse = warehouse_with(engine, {"visits": visits(rows)})
    try:
        found = project.query("sales", start="2026-03-18", end="2026-03-18")["value"].to_pylist()
    except WarehouseError:
        return
    assert found == [5 * 2**62]


# -- a server that ends, or does not let -------------------------------------------------------------------------------


@pytest.fixture
def of_postgres(tmp_path: Path) -> Project:
    if "postgres" not in ENGINES:
        pytest.skip("of PostgreSQL")
    project = shop(tmp_path, "postgres")
    project._warehouse = warehouse_with("postgres", {"visits": visits()})
    return project


def test_a_table_that_may_not_be_read(of_postgres: Project) -> None:
    import postgres
    from metrics_api.engines.postgres import connect

    with postgres.server().session() as session:
        session.execute("DROP ROLE IF EXISTS stranger")
        session.execute("CREATE ROLE stranger LOGIN PASSWORD 'long and s3cret'")
    settings = {**postgres.server().settings, "user": "stranger", "password": "long and s3cret"}
    of_postgres._warehouse = connect(settings, Path())
    try:
        with pytest.raises(WarehouseError, match="^Postgres: permission denied for table visits$"):
            of_postgres.query("sales", start="2026-03-18", end="2026-03-19")
        (wrong,) = [one for one in examine(of_postgres) if one.level is Level.WRONG]
        assert wrong.message == "`visits` cannot be read: Postgres: permission denied for table visits"
        assert wrong.fix == "Let the user of the warehouse SELECT from `visits`."
    finally:
        of_postgres._warehouse.close()


def test_a_connection_that_ends_amid_the_rows_gives_no_part_of_them(of_postgres: Project) -> None:
    import postgres

    warehouse = of_postgres.warehouse()
    wide = "SELECT n, repeat('x', 1000) AS filler, pg_backend_pid() AS pid FROM generate_series(1, 200000) AS n"
    with pytest.raises(WarehouseError, match="^Postgres: "), warehouse.stream(wide) as stream:
        for place, piece in enumerate(stream):
            assert place < 100, "the whole answer came"
            with postgres.server().session() as other:
                other.execute("SELECT pg_terminate_backend(%s)", (piece["pid"][0].as_py(),))
    answered(of_postgres)


def test_a_statement_that_is_late_is_over_in_the_server(of_postgres: Project) -> None:
    import postgres
    from metrics_api.engines.postgres import connect

    hasty = connect({**postgres.server().settings, "statement_timeout": 1}, Path())
    try:
        with pytest.raises(WarehouseError, match="statement timeout"):
            hasty.run("SELECT pg_sleep(600) AS late_one")
        with postgres.server().session() as session:
            asked = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%late_one%'"
            ((running,),) = session.execute(f"{asked} AND pid <> pg_backend_pid()").fetchall()
        assert running == 0
    finally:
        hasty.close()
