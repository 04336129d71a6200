"""Trino's SQL, executed on DuckDB: what both read alike is passed on, and each function of Trino's is written by its
documentation (https://trino.io/docs/current/functions.html), not by what our dialect wants of it.

This is no Trino. It shows that the statements mean what they should, as far as the documentation tells; that Trino
reads them is told by parsers of its grammar (tests/engines/test_trino.py, which also holds the functions here to the
examples of the documentation). A function that is not listed is refused, as Trino refuses one that it does not have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import duckdb

MAX_QUERY_LENGTH = 1_000_000
"""`query.max-length`, as it is without configuration."""
MAX_SEQUENCE = 10_000
"""Entries that `sequence` makes at most."""


class Refused(Exception):
    """What Trino would not take: the name of its error code, and what it says."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code


# -- functions --------------------------------------------------------------------------------------------------------

ALIKE = frozenset(
    """abs array_agg avg cast ceil coalesce count dense_rank extract filter floor lag lead lower max min nullif over
    round row_number sum unnest""".split()
)
"""What both say and mean alike for the types that statements have: conditional expressions, general aggregates, windows
and arithmetic. `filter`, `over`, `cast` and `extract` are words of SQL that parentheses follow."""

RENAMED = {"bitwise_or_agg": "bit_or", "min_by": "arg_min_null", "transform": "list_transform"}
"""Aggregates and functions of lambdas, which cannot be macros: DuckDB documents of these what Trino does of those."""

_ADDED = "x + CAST(n || ' ' || unit AS INTERVAL)"
_LAST_BITS = "x & ((CAST(1 AS BIGINT) << bits) - 1)"
MACROS: dict[str, tuple[str, ...]] = {
    # "The same as input": a date stays one.
    "date_trunc": (
        "(unit VARCHAR, x DATE) AS CAST(date_trunc(unit, x) AS DATE)",
        "(unit VARCHAR, x TIMESTAMP) AS date_trunc(unit, x)",
        "(unit VARCHAR, x TIMESTAMPTZ) AS date_trunc(unit, x)",
    ),
    "date_add": (
        f"(unit VARCHAR, n BIGINT, x DATE) AS CAST({_ADDED} AS DATE)",
        f"(unit VARCHAR, n BIGINT, x TIMESTAMP) AS {_ADDED}",
    ),
    # Whole units between the two, not boundaries that are passed.
    "date_diff": (
        "(unit VARCHAR, x DATE, y DATE) AS date_sub(unit, CAST(x AS TIMESTAMP), CAST(y AS TIMESTAMP))",
        "(unit VARCHAR, x TIMESTAMP, y TIMESTAMP) AS date_sub(unit, x, y)",
        "(unit VARCHAR, x TIMESTAMPTZ, y TIMESTAMPTZ) AS date_sub(unit, x, y)",
    ),
    # Not by the type of what it is given: DuckDB does not know that of an aggregate when it chooses between macros.
    "to_unixtime": (
        "(x) AS CASE WHEN typeof(x) LIKE 'TIMESTAMP%' THEN CAST(epoch_us(x) AS DOUBLE) / 1e6 ELSE error(typeof(x)) END",
    ),
    "bitwise_and": ("(x BIGINT, y BIGINT) AS x & y",),
    "bitwise_left_shift": ("(x BIGINT, n BIGINT) AS x << n",),
    "bit_count": (
        f"(x BIGINT, bits BIGINT) AS CAST(bit_count(CASE bits WHEN 64 THEN x ELSE {_LAST_BITS} END) AS BIGINT)",
    ),
    "array_sort": ("(x) AS list_sort(x, 'ASC', 'NULLS LAST')",),
    "cardinality": ("(x) AS CAST(len(x) AS BIGINT)",),
    "element_at": ("(x, i BIGINT) AS CASE WHEN i = 0 THEN error('SQL array indices start at 1') ELSE x[i] END",),
    "sequence": tuple(
        f"(first {type_}, last {type_}, step INTERVAL) AS trino_at_most(list_transform(generate_series("
        f"CAST(first AS TIMESTAMP), CAST(last AS TIMESTAMP), step), lambda one: CAST(one AS {type_})))"
        for type_ in ("DATE", "TIMESTAMP")
    ),
}
"""Each with the types that it takes: others are refused."""


def json_extract_scalar(document: str | None, path: str | None) -> str | None:
    """The scalar at a path such as `$.store.book[0]["full title"]`, as a string; null for what is none or not there."""
    if document is None or path is None:
        return None
    try:
        found: object = json.loads(document, parse_int=str, parse_float=str)
    except ValueError:
        return None
    if not re.fullmatch(r"""\$(\.\w+|\["[^"]*"\]|\[\w+\])*""", path):
        raise ValueError(f"Invalid JSON path: '{path}'")
    for bare, quoted, placed in re.findall(r"""\.(\w+)|\["([^"]*)"\]|\[(\w+)\]""", path):
        if isinstance(found, list) and placed.isdigit():
            found = found[int(placed)] if int(placed) < len(found) else None
        elif isinstance(found, dict):
            found = found.get(bare or quoted or placed)
        else:
            return None
    if isinstance(found, bool):
        return str(found).lower()
    return found if isinstance(found, str) else None


FUNCTIONS = frozenset((*ALIKE, *RENAMED, *MACROS, "json_extract_scalar"))


def prepared(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A database in which Trino's functions are known, and numbers are divided as Trino does."""
    connection.execute("SET TimeZone = 'UTC'; SET integer_division = true; SET default_null_order = 'nulls_last'")
    connection.execute(
        f"CREATE MACRO trino_at_most(x) AS CASE WHEN len(x) <= {MAX_SEQUENCE} THEN x ELSE error("
        f"'result of sequence function must not have more than {MAX_SEQUENCE} entries') END"
    )
    for name, forms in MACROS.items():
        connection.execute(f"CREATE MACRO trino_{name}{', '.join(forms)}")
    connection.create_function(
        "trino_json_extract_scalar", json_extract_scalar, ["VARCHAR", "VARCHAR"], "VARCHAR", null_handling="special"
    )
    return connection


# -- statements -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Token:
    kind: str
    text: str


_TOKENS = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)|(?P<text>'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")*")"""
    r"""|(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z_]\w*)|(?P<sign>->|<>|<=|>=|!=|\|\||[^\w\s])""",
    re.DOTALL | re.ASCII,
)
WORDS = frozenset(
    """and as between by case cross distinct else exists from group having in is join left like limit not null on or
    order partition select then union using values when where with array decimal timestamp varchar""".split()
)
"""Words that may stand before a parenthesis without being functions."""


def tokens(sql: str) -> Iterator[Token]:
    """The words of a statement, spaces and comments too. Raises Refused."""
    place = 0
    while place < len(sql):
        found = _TOKENS.match(sql, place)
        if found is None or found.lastgroup is None:
            raise Refused("SYNTAX_ERROR", f"mismatched input {sql[place]!r}")
        yield Token(found.lastgroup, found[0])
        place = found.end()


def functions(sql: str) -> set[str]:
    """The functions that a statement calls, and words of SQL that look so."""
    kept = [one for one in tokens(sql) if one.kind != "space"]
    return {
        one.text.lower()
        for one, after in pairwise(kept)
        if one.kind == "name" and after.text == "(" and one.text.lower() not in WORDS
    } - _aliases(kept)


def _aliases(kept: list[Token]) -> set[str]:
    """Names that parentheses follow because columns are named: `AS spine(period)`, and nothing else."""
    after_as = {b.text.lower() for a, b in pairwise(kept) if a.text.upper() == "AS"}
    return {one for one in after_as if one not in FUNCTIONS}


def on_duckdb(sql: str) -> str:
    """The same statement in DuckDB's words. Raises Refused for functions that are not written here."""
    if len(sql) > MAX_QUERY_LENGTH:
        raise Refused("QUERY_TEXT_TOO_LARGE", f"Query text length ({len(sql)}) exceeds the maximum length")
    if unknown := functions(sql) - FUNCTIONS:
        raise Refused("FUNCTION_NOT_FOUND", f"Function '{min(unknown)}' not registered")
    said = list(tokens(sql))
    return "".join(_word(said, place) for place in range(len(said)))


def _word(said: list[Token], place: int) -> str:
    token, after = said[place], _next(said, place)
    if token.kind == "name" and after.text == "->":
        return f"lambda {token.text}"
    if token.text == "->":
        return ":"
    name = token.text.lower()
    if token.kind != "name" or after.text != "(":
        return token.text
    if name in RENAMED:
        return RENAMED[name]
    return f"trino_{name}" if name in MACROS or name == "json_extract_scalar" else token.text


def _next(said: list[Token], place: int) -> Token:
    rest = (one for one in said[place + 1 :] if one.kind != "space")
    return next(rest, Token("end", ""))
