"""What a question reads of a table in partitions, as the engine's own plan tells: only those of its days.

Expected is worked out by hand: the first month that a question looks at, and March, in which it ends. There are months
before and after these, and a statement that hides its days from the planner would read them all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

import clickhouse
import postgres
from metrics_api.compile.pipeline import compile_query
from metrics_api.engines import engine
from metrics_api.families import families
from metrics_api.query.bind import bind
from metrics_api.query.limits import Limits
from snapshots.test_snapshots import MODEL, NOW, QUESTIONS

MONTHS = ("2025_10", "2025_11", "2025_12", "2026_01", "2026_02", "2026_03", "2026_04", "2026_05", "2026_06")
LAST = "2026_03"
FIRST = {
    "usage": "2026_03",
    "value_moment": "2026_03",
    "active_users": "2026_02",  # 28 days up to the 23rd
    "ratio": "2026_03",
    "derived": "2026_03",
    "stickiness": "2026_02",
    "lifecycle": "2025_10",  # who is new is told by all that was before
    "frequency": "2026_02",  # 7 days up to the 2nd
    "breadth": "2026_02",  # and where people were the week before
    "ratio_of_tiers": "2026_03",
    "depth": "2026_03",  # 28 days up to the 29th
    "score": "2026_02",  # 28 days up to the 29th, and the sessions before that could reach into them
    "sessions": "2026_03",
    "sessions_with_value": "2026_03",
    "interval": "2025_12",  # midnight in Berlin
    "flow": "2026_03",
    "flow_of_the_dropped": "2026_03",
    "cohort": "2025_10",  # exactly once, ever
    "retention": "2026_03",
    "drivers": "2026_01",
    "funnel": "2026_03",
    "funnel_from_the_first_ever": "2025_10",
    "funnel_of_totals": "2026_03",
}
COLUMNS = {
    "event_id": "VARCHAR", "user_id": "VARCHAR", "event": "VARCHAR", "occurred_at": "TIMESTAMP",
    "occurred_on": "DATE", "loaded_at": "TIMESTAMP", "platform": "VARCHAR", "country": "VARCHAR", "channel": "VARCHAR",
    "feature": "VARCHAR", "title": "VARCHAR", "minutes": "DOUBLE PRECISION", "is_internal": "BOOLEAN",
}  # fmt: skip
PEOPLE = {"id": "VARCHAR", "plan": "VARCHAR", "birth_year": "INTEGER", "signed_up_at": "TIMESTAMP", "email": "VARCHAR"}
EVENTS = ("sign_up", "opened_app", "searched", "added_to_list", "watched", "shared")


def columns(of: dict[str, str], **types: str) -> str:
    return ", ".join(f"{name} {types.get(type_.split()[0], type_)}" for name, type_ in of.items())


def expected(question: str) -> set[str]:
    return {month for month in MONTHS if FIRST[question] <= month <= LAST}


def sql_of(question: str, dialect: str) -> str:
    bound = bind(QUESTIONS[question], MODEL, families(), now=NOW, limits=Limits())
    return compile_query(bound, engine(dialect).dialect).sql


def test_every_question_has_its_months() -> None:
    assert set(FIRST) == set(QUESTIONS)
    assert sum(one != MONTHS[0] for one in FIRST.values()) == 20


def rows(month: str) -> Iterator[tuple[object, ...]]:
    """Some events on the 5th and the 25th of a month: a partition that has no row is skipped anyway."""
    for day in ("05", "25"):
        date = f"{month.replace('_', '-')}-{day}"
        for event in EVENTS:
            at = f"{date} 12:00:00"
            yield (f"{date}{event}", "ann", event, at, date, at, "ios", "DE", "x", "y", "z", 5.0, False)


# -- PostgreSQL: declarative partitions -------------------------------------------------------------------------------


@cache
def in_postgres() -> Any:
    session = postgres.server().session()
    session.execute("CREATE SCHEMA pruning")
    session.execute("SET search_path = pruning")
    session.execute(f"CREATE TABLE app_events ({columns(COLUMNS)}) PARTITION BY RANGE (occurred_at)")
    session.execute(f"CREATE TABLE users ({columns(PEOPLE)})")
    for month, following in zip(MONTHS, (*MONTHS[1:], "2026_07"), strict=True):
        begin, end = (f"'{one.replace('_', '-')}-01'" for one in (month, following))
        session.execute(f"CREATE TABLE events_{month} PARTITION OF app_events FOR VALUES FROM ({begin}) TO ({end})")
        with session.cursor().copy("COPY app_events FROM STDIN") as copy:
            for row in rows(month):
                copy.write_row(row)
    return session


def scanned(node: dict[str, Any]) -> Iterator[str]:
    if "Relation Name" in node:
        yield node["Relation Name"]
    for inner in node.get("Plans", []):
        yield from scanned(inner)


@pytest.mark.parametrize("question", QUESTIONS)
def test_postgres_scans_the_partitions_of_the_days(question: str) -> None:
    (plan,) = in_postgres().execute(f"EXPLAIN (FORMAT JSON) {sql_of(question, 'postgres')}").fetchone()
    read = set(scanned(plan[0]["Plan"])) - {"users"}
    assert read == {f"events_{month}" for month in expected(question)}


# -- ClickHouse: parts ------------------------------------------------------------------------------------------------

ON_CLICKHOUSE = {"VARCHAR": "Nullable(String)", "TIMESTAMP": "DateTime64(6, 'UTC')", "DATE": "Date32",
                 "DOUBLE": "Nullable(Float64)", "BOOLEAN": "Nullable(Bool)", "INTEGER": "Nullable(Int32)"}  # fmt: skip


@cache
def in_clickhouse() -> Any:
    client = clickhouse.client()
    client.command("CREATE DATABASE pruning")
    of_events = columns(COLUMNS, **ON_CLICKHOUSE)
    client.command(
        f"CREATE TABLE pruning.app_events ({of_events}) ENGINE = MergeTree "
        "PARTITION BY toYYYYMM(occurred_at) ORDER BY occurred_at"
    )
    client.command(f"CREATE TABLE pruning.users ({columns(PEOPLE, **ON_CLICKHOUSE)}) ENGINE = MergeTree ORDER BY ()")
    for month in MONTHS:
        values = ", ".join(
            "(" + ", ".join(f"'{one}'" if isinstance(one, str) else str(one).lower() for one in row) + ")"
            for row in rows(month)
        )
        client.command(f"INSERT INTO pruning.app_events VALUES {values}")
    return client


def parts_read(node: dict[str, Any]) -> Iterator[int]:
    """Of each time that the events are read, the parts that are left after each index was looked at."""
    if node.get("Description") == "pruning.app_events" and node["Node Type"] == "ReadFromMergeTree":
        yield min(index["Selected Parts"] for index in node["Indexes"])
    for inner in node.get("Plans", []):
        yield from parts_read(inner)


@pytest.mark.parametrize("question", QUESTIONS)
def test_clickhouse_reads_the_parts_of_the_days(question: str) -> None:
    sql = re.sub(r"\b(FROM|JOIN) (app_events|users)\b", r"\1 pruning.\2", sql_of(question, "clickhouse"))
    told = in_clickhouse().query(f"EXPLAIN indexes = 1, json = 1 {sql}").result_rows
    (plan,) = json.loads(told[0][0])
    read = list(parts_read(plan["Plan"]))
    # Of a part the least and the greatest time are known: a month's last event is days before its last midnight.
    assert max(read) == len(expected(question)) - (question in ("interval", "score")), read


# -- DuckDB: files of a lake -------------------------------------------------------------------------------------------


@cache
def in_duckdb(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE every_event ({columns(COLUMNS)})")
    connection.execute(f"CREATE TABLE users ({columns(PEOPLE)})")
    for month in MONTHS:
        marks = ", ".join("?" * len(COLUMNS))
        connection.executemany(f"INSERT INTO every_event VALUES ({marks})", [list(row) for row in rows(month)])
    connection.execute(f"COPY every_event TO '{folder}/lake' (FORMAT parquet, PARTITION_BY (occurred_on))")
    connection.execute(
        f"CREATE VIEW app_events AS FROM read_parquet('{folder}/lake/**/*.parquet', hive_partitioning = true)"
    )
    return connection


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    return in_duckdb(tmp_path_factory.mktemp("pruning"))


@pytest.mark.parametrize("question", QUESTIONS)
def test_duckdb_opens_the_files_of_the_days(lake: duckdb.DuckDBPyConnection, question: str) -> None:
    plan = json.loads(lake.execute(f"EXPLAIN (FORMAT json) {sql_of(question, 'duckdb')}").fetchall()[0][1])
    opened = [int(found[1]) for found in re.finditer(r'"Scanning Files": "(\d+)/\d+"', json.dumps(plan))]
    assert opened and max(opened) <= 2 * len(expected(question))
