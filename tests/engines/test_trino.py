"""Trino's SQL, of which no engine can be had here: read by two parsers of its grammar, its functions as documented.

The parsers are Trino's own grammar of 2023 (trino-query-parser, by ANTLR) and a newer one in Rust that also knows the
documented functions and types (trino-sql-validator).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest

import trino_on_duckdb
from engines.operations import EXAMPLES, Example
from families.engines import ENGINES
from metrics_api.engines import engines
from metrics_api.plan.expr import Type
from metrics_api.plan.nodes import Spine
from metrics_api.sql.lower import lower
from metrics_api.sql.render import render

parsed = pytest.mark.skipif("trino" not in ENGINES, reason="the parsers of Trino are run by `make test-engines`")

DIALECT = engines()["trino"].dialect
SNAPSHOTS = sorted((Path(__file__).parents[1] / "snapshots").rglob("trino.sql"))


def said(example: Example) -> str:
    return render(lower(example.plan, DIALECT), DIALECT, comment="an example")


# -- grammar ----------------------------------------------------------------------------------------------------------


@parsed
@pytest.mark.parametrize("file", SNAPSHOTS, ids=lambda file: file.parent.name)
def test_both_parsers_read_what_is_sent(file: Path) -> None:
    read_by_both(file.read_text("utf-8"))


@parsed
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_both_parsers_read_every_operation(example: Example) -> None:
    read_by_both(said(example))


def read_by_both(sql: str) -> None:
    from trino_query_parser import parse_statement
    from trino_sql_validator import validate

    found = validate(sql)
    assert list(found.warnings) == []
    # Its own limit is some hundred constant rows; Trino's is the length of the text.
    if sql.count("\n") < 600:
        assert (found.valid, found.error) == (True, None)
    assert parse_statement(sql)


@parsed
@pytest.mark.parametrize(
    ("sql", "wrong"),
    [
        ("SELECT 1 FROM", "error"),
        ("SELECT ARG_MIN(a, b) FROM t", "FunctionWarning"),
        ("SELECT COUNT_IF(a), SUM(a, b) FROM t", "FunctionArgumentWarning"),
    ],
)
def test_the_validator_notices(sql: str, wrong: str) -> None:
    from trino_sql_validator import validate

    found = validate(sql)
    assert [type(one).__name__ for one in found.warnings] == ([wrong] if wrong != "error" else [])
    assert found.valid == (wrong == "FunctionWarning")


# -- functions --------------------------------------------------------------------------------------------------------


def test_the_functions_that_are_used() -> None:
    """Each is written by its documentation, or known to be alike: a new one is noticed here."""
    every = [*(said(one) for one in EXAMPLES), *(file.read_text("utf-8") for file in SNAPSHOTS)]
    used = set().union(*map(trino_on_duckdb.functions, every))
    assert used == trino_on_duckdb.FUNCTIONS


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield trino_on_duckdb.prepared(connection)


DOCUMENTED: list[tuple[str, object]] = [
    # https://trino.io/docs/current/functions/datetime.html
    ("timestamp '2012-08-08 01:00' + interval '29' hour", datetime(2012, 8, 9, 6)),
    ("timestamp '2012-08-08 01:00' - interval '29' hour", datetime(2012, 8, 6, 20)),
    ("timestamp '2012-10-31 01:00' + interval '1' month", datetime(2012, 11, 30, 1)),
    ("date_trunc('hour', TIMESTAMP '2001-08-22 03:04:05.321')", datetime(2001, 8, 22, 3)),
    ("date_trunc('day', TIMESTAMP '2022-10-20 05:10:00')", datetime(2022, 10, 20)),
    ("date_trunc('week', TIMESTAMP '2001-08-22 03:04:05.321')", datetime(2001, 8, 20)),
    ("date_trunc('month', TIMESTAMP '2022-10-20 05:10:00')", datetime(2022, 10, 1)),
    ("date_trunc('quarter', TIMESTAMP '2001-08-22 03:04:05.321')", datetime(2001, 7, 1)),
    ("date_trunc('year', TIMESTAMP '2022-10-20 05:10:00')", datetime(2022, 1, 1)),
    ("date_trunc('week', DATE '2001-08-22')", date(2001, 8, 20)),  # "same as input"
    ("date_add('second', 86, TIMESTAMP '2020-03-01 00:00:00')", datetime(2020, 3, 1, 0, 1, 26)),
    ("date_add('hour', 9, TIMESTAMP '2020-03-01 00:00:00')", datetime(2020, 3, 1, 9)),
    ("date_add('day', -1, DATE '2020-03-01')", date(2020, 2, 29)),
    ("date_diff('second', TIMESTAMP '2020-03-01 00:00:00', TIMESTAMP '2020-03-02 00:00:00')", 86_400),
    ("date_diff('hour', TIMESTAMP '2020-03-01 00:00:00', TIMESTAMP '2020-03-02 00:00:00')", 24),
    ("date_diff('day', DATE '2020-03-01', DATE '2020-03-02')", 1),
    ("date_diff('second', TIMESTAMP '2020-06-01 12:30:45', TIMESTAMP '2020-06-02 12:30:45.123456')", 86_400),
    ("date_diff('day', TIMESTAMP '2022-05-01 23:45:09', TIMESTAMP '2022-05-02 03:56:31')", 0),
    ("to_unixtime(TIMESTAMP '1970-01-02 00:00:00.5')", 86_400.5),
    # https://trino.io/docs/current/functions/bitwise.html
    ("bit_count(9, 64)", 2),
    ("bit_count(9, 8)", 2),
    ("bit_count(-7, 64)", 62),
    ("bit_count(-7, 8)", 6),
    ("bitwise_and(19, 25)", 17),
    ("bitwise_left_shift(1, 2)", 4),
    ("bitwise_left_shift(5, 2)", 20),
    ("bitwise_left_shift(42, 0)", 42),
    ("bitwise_left_shift(0, 2)", 0),
    # https://trino.io/docs/current/functions/array.html
    ("array_sort(ARRAY[3, 2, NULL, 5, 1, 2])", [1, 2, 2, 3, 5, None]),
    ("cardinality(ARRAY[1, 2, 4])", 3),
    ("element_at(ARRAY[1, 2, 4], 2)", 2),
    ("element_at(ARRAY[1, 2, 4], 4)", None),
    ("element_at(ARRAY[1, 2, 4], -1)", 4),
    ("transform(ARRAY[5, 6], x -> x + 1)", [6, 7]),
    ("transform(ARRAY[5, NULL, 6], x -> coalesce(x, 0) + 1)", [6, 1, 7]),
    ("transform(ARRAY['x', 'abc', 'z'], x -> x || '0')", ["x0", "abc0", "z0"]),
    ("sequence(DATE '2026-02-27', DATE '2026-03-02', INTERVAL '2' DAY)", [date(2026, 2, 27), date(2026, 3, 1)]),
    ("sequence(DATE '2026-01-31', DATE '2026-03-01', INTERVAL '1' MONTH)", [date(2026, 1, 31), date(2026, 2, 28)]),
    (
        "sequence(TIMESTAMP '2026-01-01 22:00', TIMESTAMP '2026-01-02 01:00', INTERVAL '2' HOUR)",
        [datetime(2026, 1, 1, 22), datetime(2026, 1, 2)],
    ),
    # https://trino.io/docs/current/functions/json.html#json_extract_scalar
    ("json_extract_scalar('[1, 2, 3]', '$[2]')", "3"),
    ("""json_extract_scalar('{"store": {"book": [{"author": "x"}]}}', '$.store.book[0].author')""", "x"),
    ("""json_extract_scalar('{"store": {"book name": "x"}}', '$.store["book name"]')""", "x"),
    ("""json_extract_scalar('{"store": {"book": true}}', '$.store[book]')""", "true"),
    ("""json_extract_scalar('{"store": {}}', '$.store')""", None),
    ("""json_extract_scalar('{"a": null}', '$.a')""", None),
    # https://trino.io/docs/current/functions/math.html and .../language/types.html: whole numbers stay whole.
    ("7 / 2", 3),
    ("-7 % 3", -1),
    ("round(2.5)", 3),
    ("ceil(-0.5E0)", 0.0),
]


@pytest.mark.parametrize(("sql", "answer"), DOCUMENTED)
def test_a_function_gives_what_is_documented(database: duckdb.DuckDBPyConnection, sql: str, answer: object) -> None:
    found = database.execute(trino_on_duckdb.on_duckdb(f"SELECT {sql}")).fetchall()[0][0]
    assert found == answer
    assert isinstance(found, datetime) == isinstance(answer, datetime)


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        ("bitwise_or_agg(a)", 7),
        ("min_by(b, a)", None),  # The value there is that of the least, null or not.
        ("min_by(b, a) FILTER (WHERE b IS NOT NULL)", "two"),
        ("array_agg(a ORDER BY a) FILTER (WHERE a > 1)", [2, 4]),
        ("array_agg(b ORDER BY a)", [None, "two", "four"]),
    ],
)
def test_an_aggregate_gives_what_is_documented(database: duckdb.DuckDBPyConnection, sql: str, answer: object) -> None:
    rows = "(VALUES (4, 'four'), (1, NULL), (2, 'two')) AS t(a, b)"
    assert database.execute(trino_on_duckdb.on_duckdb(f"SELECT {sql} FROM {rows}")).fetchall() == [(answer,)]


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT TO_UNIXTIME(5)", "No function matches"),
        ("SELECT ELEMENT_AT(ARRAY[1], 0)", "SQL array indices start at 1"),
        ("SELECT SEQUENCE(DATE '1990-01-01', DATE '2026-01-01', INTERVAL '1' DAY)", "more than 10000 entries"),
        ("SELECT MEDIAN(1)", "Function 'median' not registered"),
        ("SELECT DATE_DIFF('day', DATE '2026-01-01', 5)", "Candidate macros"),
    ],
)
def test_what_trino_refuses_is_refused(database: duckdb.DuckDBPyConnection, sql: str, why: str) -> None:
    with pytest.raises((duckdb.Error, trino_on_duckdb.Refused), match=why):
        database.execute(trino_on_duckdb.on_duckdb(sql)).fetchall()


# -- what is special to Trino -----------------------------------------------------------------------------------------


def test_a_long_series_is_written_out() -> None:
    """SEQUENCE ends at ten thousand entries."""
    for years, sequenced in ((27, True), (28, False)):
        days = Spine((("period", Type.DATE),), tuple((date.fromordinal(k),) for k in range(1, 365 * years)))
        sql = render(lower(days, DIALECT), DIALECT, comment="x")
        assert ("SEQUENCE(" in sql) == sequenced
        assert len(sql) < trino_on_duckdb.MAX_QUERY_LENGTH
        assert bool(re.search(r"VALUES", sql)) != sequenced
