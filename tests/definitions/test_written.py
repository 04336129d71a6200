"""Names in double quotes."""

from __future__ import annotations

import pytest

from metrics_api.definitions.written import exact, parts, unquoted
from metrics_api.engines import engines


@pytest.mark.parametrize(
    ("written", "name"),
    [('"userId"', "userId"), ('"6"" nails"', '6" nails'), ('"a.b"', "a.b"), ('"""x"""', '"x"'), ('" "', " ")],
)
def test_names_in_quotes(written: str, name: str) -> None:
    assert exact(written) == unquoted(written) == name


@pytest.mark.parametrize("written", ["user_id", '"', '""', 'a"b', '"a"b"', '"a', 'a"', "", "größe"])
def test_bare_names(written: str) -> None:
    assert exact(written) is None
    assert unquoted(written) == written


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("events", ["events"]),
        ("raw.app.events", ["raw", "app", "events"]),
        ('raw."App.Events"', ["raw", '"App.Events"']),
        ('"my ""e"""', ['"my ""e"""']),
        ('"a b".c."d.e"', ['"a b"', "c", '"d.e"']),
    ],
)
def test_paths(path: str, expected: list[str]) -> None:
    assert parts(path) == expected


@pytest.mark.parametrize(
    ("engine", "written", "said"),
    [
        ("postgres", "userId", "userId"),
        ("postgres", '"userId"', '"userId"'),
        ("postgres", "Order", '"order"'),
        ("postgres", '"Order"', '"Order"'),
        ("snowflake", "Order", '"ORDER"'),
        ("snowflake", '"order"', '"order"'),
        ("bigquery", '"userId"', "`userId`"),
        ("clickhouse", '"a""b"', '"a""b"'),
        ("spark", '"a b"', "`a b`"),
    ],
)
def test_what_engines_say(engine: str, written: str, said: str) -> None:
    dialect = engines()[engine].dialect
    assert dialect.identifier(written).sql(dialect.sqlglot) == said


def test_a_path_on_an_engine() -> None:
    dialect = engines()["postgres"].dialect
    assert dialect.table('lake."App.Events"').sql("postgres") == 'lake."App.Events"'
