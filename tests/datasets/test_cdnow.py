"""Counts that are published for this data, computed with plain SQL."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from metrics_api.datasets import Summary, build_cdnow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    path = tmp_path_factory.mktemp("cdnow") / "cdnow.duckdb"
    return path, build_cdnow(path)


def rows(built: tuple[Path, Summary], query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(built[0], read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_every_purchase_and_customer_is_there(built: tuple[Path, Summary]) -> None:
    assert built[1] == Summary(rows=69_659, users=23_570, first=date(1997, 1, 1), last=date(1998, 6, 30))
    assert rows(built, "SELECT count(*), count(DISTINCT event_id), count(DISTINCT user_id) FROM purchases") == [
        (69_659, 69_659, 23_570)
    ]


def test_the_columns(built: tuple[Path, Summary]) -> None:
    assert rows(built, "SELECT column_name, column_type FROM (DESCRIBE purchases)") == [
        ("event_id", "BIGINT"),
        ("user_id", "VARCHAR"),
        ("event_name", "VARCHAR"),
        ("event_time", "TIMESTAMP"),
        ("value", "DOUBLE"),
        ("category", "VARCHAR"),
        ("cds", "BIGINT"),
        ("in_sample", "BOOLEAN"),
    ]


def test_the_sample_is_a_tenth_of_the_customers(built: tuple[Path, Summary]) -> None:
    query = "SELECT count(DISTINCT user_id), count(*) FROM purchases WHERE in_sample"
    assert rows(built, query) == [(2_357, 6_919)]


def test_everybody_first_bought_in_the_first_quarter_of_1997(built: tuple[Path, Summary]) -> None:
    query = """
        SELECT max(first) < DATE '1997-04-01'
        FROM (SELECT min(event_time) AS first FROM purchases GROUP BY user_id)
    """
    assert rows(built, query) == [(True,)]


def test_repeat_purchases_of_the_sample_in_39_weeks(built: tuple[Path, Summary]) -> None:
    """Customers by the number of days on which they bought again up to 30 September 1997; the last is 7 and more."""
    query = """
        SELECT count(*)
        FROM (
            SELECT least(count(DISTINCT event_time) - 1, 7) AS repeats
            FROM purchases
            WHERE in_sample AND event_time < DATE '1997-10-01'
            GROUP BY user_id
        )
        GROUP BY repeats
        ORDER BY repeats
    """
    assert [count for (count,) in rows(built, query)] == [1411, 439, 214, 100, 62, 38, 29, 64]


def test_one_customer_by_hand(built: tuple[Path, Summary]) -> None:
    query = "SELECT event_time, value, cds, category FROM purchases WHERE user_id = '00003' ORDER BY event_id"
    assert rows(built, query) == [
        (datetime(1997, 1, 2), 20.76, 2, "two_three_cds"),
        (datetime(1997, 3, 30), 20.76, 2, "two_three_cds"),
        (datetime(1997, 4, 2), 19.54, 2, "two_three_cds"),
        (datetime(1997, 11, 15), 57.45, 5, "four_plus_cds"),
        (datetime(1997, 11, 25), 20.96, 4, "four_plus_cds"),
        (datetime(1998, 5, 28), 16.99, 1, "one_cd"),
    ]


def test_times_do_not_depend_on_the_clock_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    assert build_cdnow(tmp_path / "cdnow.duckdb").first == date(1997, 1, 1)


def test_the_warehouse_names_the_authors(built: tuple[Path, Summary]) -> None:
    ((comment,),) = rows(built, "SELECT comment FROM duckdb_tables()")
    assert "Fader" in comment
    assert "Hardie" in comment
    assert "lifetimes" in comment
