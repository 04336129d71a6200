"""Redshift's SQL, of which no engine can be had here: each function was looked up, and does what is documented."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

import on_redshift
from engines.operations import EXAMPLES
from metrics_api.engines import engines
from metrics_api.errors import UnsupportedByEngine
from metrics_api.plan.expr import Col, Type, call, text
from metrics_api.plan.nodes import Project, Spine
from metrics_api.sql.lower import lower
from metrics_api.sql.render import render
from redshift_on_postgres import FUNCTIONS, Refused, functions, on_postgres

DIALECT = engines()["redshift"].dialect
SNAPSHOTS = sorted((Path(__file__).parents[1] / "snapshots").rglob("redshift.sql"))
ASKED_BY_THE_CONNECTION = {"pg_backend_pid", "pg_cancel_backend"}


def said() -> Iterator[str]:
    """Every statement that is kept, and an example of every operation that Redshift has."""
    for file in SNAPSHOTS:
        yield file.read_text("utf-8")
    for example in EXAMPLES:
        if "bits_shared" not in example.shows:
            yield render(lower(example.plan, DIALECT), DIALECT, comment="an example")


def test_the_functions_that_are_used() -> None:
    """Each was checked with the documentation (`FUNCTIONS` names the page): a new one is noticed here."""
    assert set().union(*map(functions, said())) == FUNCTIONS.keys() - ASKED_BY_THE_CONNECTION


def test_no_statement_has_what_redshift_has_not() -> None:
    for sql in said():
        assert on_postgres(sql)


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT BIT_COUNT(5)", "function bit_count is not written here"),
        ("SELECT a FROM (VALUES (1)) AS t(a)", "VALUES: there are none in FROM"),
        ("SELECT COUNT(*) FILTER (WHERE a > 1) AS n FROM t", "FILTER: aggregates take no FILTER"),
        ("SELECT CAST(a AS TEXT) AS a FROM t", "TEXT: it is a VARCHAR of 256 bytes"),
        ("SELECT CAST(a AS NUMERIC) AS a FROM t", "NUMERIC: without a precision"),
        ("SELECT 'x' AS a FROM t", 'failed to find conversion function from "unknown" to text'),
        ("SELECT SUM(a) OVER (PARTITION BY b ORDER BY c) AS s FROM t", "require a frame clause"),
        ("SELECT a COLLATE \"C\" AS a FROM t", "COLLATE: texts have no collations"),
    ],
)  # fmt: skip
def test_what_redshift_has_not_is_refused(sql: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        on_postgres(sql)


# -- functions, by the examples of their documentation ----------------------------------------------------------------


@pytest.fixture(scope="module")
def session() -> Iterator[psycopg.Connection[Any]]:
    on_redshift.prepared()
    with on_redshift.session_of_its_own() as opened:
        opened.execute("SET search_path TO redshift, public; SET timezone TO 'UTC'; SET datestyle TO 'ISO'")
        opened.execute("SET standard_conforming_strings TO off; SET escape_string_warning TO off")
        yield opened


DOCUMENT = '{"f2":{"f3":1},"f4":{"f5":99,"f6":"star"}}'


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        # r_DATEDIFF_function: boundaries that lie between, whatever the rest of the instants.
        ("DATEDIFF(DAY, DATE '2008-01-01', DATE '2008-12-31')", 365),
        ("DATEDIFF(DAY, TIMESTAMP '2009-01-01 23:59:59', TIMESTAMP '2009-01-02 00:00:00')", 1),
        ("DATEDIFF(HOUR, TIMESTAMP '2009-01-01 21:59:59', TIMESTAMP '2009-01-01 22:00:00')", 1),
        ("DATEDIFF(MONTH, DATE '2009-01-31', DATE '2009-02-01')", 1),
        ("DATEDIFF(MICROSECOND, TIMESTAMP '1969-12-31 23:59:59.999999', TIMESTAMP '1970-01-02')", 86_400_000_001),
        ("DATEDIFF(MICROSECOND, TIMESTAMP '2009-01-02', TIMESTAMP '2009-01-01')", -86_400_000_000),
        # r_DATEADD_function: a timestamp; not the last day of a longer month.
        ("DATEADD(MONTH, 18, DATE '2008-02-28')", datetime(2009, 8, 28)),
        ("DATEADD(MONTH, 1, DATE '2008-04-30')", datetime(2008, 5, 30)),
        ("DATEADD(MONTH, 1, DATE '2008-01-31')", datetime(2008, 2, 29)),
        ("DATEADD(DAY, -3, DATE '2008-03-01')", datetime(2008, 2, 27)),
        ("DATEADD(HOUR, 30, TIMESTAMP '2008-11-01 05:00:00')", datetime(2008, 11, 2, 11)),
        # r_DATE_TRUNC: a timestamp of a date too, weeks from Monday.
        ("DATE_TRUNC('week', DATE '2022-01-02')", datetime(2021, 12, 27)),
        ("DATE_TRUNC('month', TIMESTAMP '2024-04-30 04:04:04')", datetime(2024, 4, 1)),
        ("DATE_TRUNC('hour', CAST('1969-12-31 23:59:59.9+00' AS TIMESTAMPTZ))", datetime(1969, 12, 31, 23, tzinfo=UTC)),
        # JSON_EXTRACT_PATH_TEXT
        (f"JSON_EXTRACT_PATH_TEXT('{DOCUMENT}', 'f4', 'f6', TRUE)", "star"),
        (f"JSON_EXTRACT_PATH_TEXT('{DOCUMENT}', 'f4', 'F6', TRUE)", None),
        (f"JSON_EXTRACT_PATH_TEXT('{DOCUMENT}', 'f2', 'f3', TRUE)", "1"),
        (f"JSON_EXTRACT_PATH_TEXT('{DOCUMENT[:-1]}', 'f4', 'f6', TRUE)", None),
        # r_interval_literals, c_Supported_data_types: texts with escapes, numbers.
        ("TIMESTAMP '2008-12-31 23:59:59' + INTERVAL '1 SECOND'", datetime(2009, 1, 1)),
        ("CAST('a\\\\b\\'c' AS VARCHAR(5))", "a\\b'c"),
        ("DATE '2009-01-02' - DATE '2009-01-01'", 1),
    ],
)  # fmt: skip
def test_a_function_gives_what_is_documented(session: psycopg.Connection[Any], sql: str, answer: object) -> None:
    rows = session.execute(on_postgres(f"SELECT {sql} AS found").encode()).fetchall()
    assert rows == [(answer,)]


@pytest.mark.parametrize(("fraction", "answer"), [("0", 1.0), ("0.25", 1.75), ("0.5", 3.0), ("0.9", 8.2), ("1", 10.0)])
def test_percentiles_are_computed_by_the_documented_formula(
    session: psycopg.Connection[Any], fraction: str, answer: float
) -> None:
    rows = " UNION ALL ".join(f"SELECT 1 AS g, {x} AS x" for x in (4, 1, "NULL", 10, 2, 3))
    percentile = f"PERCENTILE_CONT({fraction}) WITHIN GROUP(ORDER BY CAST(NULLIF(x, 3) AS DOUBLE PRECISION))"
    sql = f"SELECT {percentile} OVER (PARTITION BY g) AS p FROM ({rows}) AS t"
    for (found,) in session.execute(on_postgres(sql).encode()).fetchall():
        assert found == pytest.approx(answer, rel=1e-15)


def test_invalid_json_is_an_error_unless_it_is_to_be_null(session: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.DataError, match="invalid input syntax for type json"):
        session.execute(b"SELECT JSON_EXTRACT_PATH_TEXT('{', 'a', FALSE)")


# -- what is special to Redshift --------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["day", "hour", "month"])
@pytest.mark.parametrize("count", [39, 40, 99, 100, 101, 1_001])
def test_a_long_series_is_made_of_digits(session: psycopg.Connection[Any], unit: str, count: int) -> None:
    if unit == "month":
        labels: list[Any] = [date(1950 + k // 12, k % 12 + 1, 1) for k in range(count + 1)]
    elif unit == "day":
        labels = [date(2024, 2, 27) + timedelta(days=k) for k in range(count + 1)]
    else:
        labels = [datetime(2026, 3, 28, 23) + timedelta(hours=k) for k in range(count + 1)]
    type_ = Type.TIMESTAMP if unit == "hour" else Type.DATE
    sql = render(lower(Spine((("period", type_),), tuple((one,) for one in labels)), DIALECT), DIALECT, comment="x")
    assert ("DATEADD" in sql) == (count >= 40)
    assert sorted(row[0] for row in session.execute(on_postgres(sql).encode()).fetchall()) == labels


def test_a_path_is_five_levels_deep() -> None:
    rows = Spine((("a", Type.STRING),), (("{}",),))

    def asked(path: str) -> Project:
        return Project(rows, (("found", call("json_text", Col("a"), text(path))),))

    assert "'e', TRUE)" in render(lower(asked("a.b.c.d.e"), DIALECT), DIALECT, comment="x")
    with pytest.raises(UnsupportedByEngine, match="`json_text` has no exact form on redshift"):
        lower(asked("a.b.c.d.e.f"), DIALECT)


@pytest.mark.parametrize("word", ["oid", "sysdate", "backup", "wallet", "tag", "Top", "restore"])
def test_reserved_words_are_quoted(word: str) -> None:
    assert DIALECT.column(word).sql("redshift") == f'"{word.lower()}"'
