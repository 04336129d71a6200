"""Redshift's SQL, executed on PostgreSQL: what Redshift took over of PostgreSQL 8 is passed on, and each function of
its own is written by its documentation (https://docs.aws.amazon.com/redshift/latest/dg/c_SQL_functions.html).

This is no Redshift. It shows that the statements mean what they should, as far as the documentation tells. Words that
Redshift has not, or has in another meaning, are refused here, so that PostgreSQL is not more lenient. What it does not
show: that Redshift's own planner takes a statement, how wide decimals become, that texts with spaces at their end are
equal to those without, and what runs on the leader node only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import sqlglot
from sqlglot import exp


class Refused(Exception):
    """What Redshift would not take, or would take for something else."""


DOCS = "https://docs.aws.amazon.com/redshift/latest/dg"
FUNCTIONS = {
    **dict.fromkeys(("abs", "floor", "lower", "coalesce", "nullif", "cast", "extract"), "as in PostgreSQL"),
    **dict.fromkeys(("count", "sum", "min", "max", "avg"), "as in PostgreSQL: r_COUNT, r_SUM, r_MIN (not of booleans)"),
    "bit_or": "r_BIT_OR: of integers, null of nothing",
    "date_trunc": "r_DATE_TRUNC: a timestamp, of a date too; weeks begin on Monday",
    "row_number": "r_WF_ROW_NUMBER",
    "dense_rank": "r_WF_DENSE_RANK",
    "lag": "r_WF_LAG",
    "lead": "r_WF_LEAD",
    "first_value": "r_WF_first_value: with ORDER BY it needs a frame",
    "percentile_cont": "r_WF_PERCENTILE_CONT: its own formula, see PREPARATION",
    "datediff": "r_DATEDIFF_function: see PREPARATION",
    "dateadd": "r_DATEADD_function: see PREPARATION",
    "json_extract_path_text": "JSON_EXTRACT_PATH_TEXT: see PREPARATION",
    # What the connection asks.
    "pg_backend_pid": "PG_BACKEND_PID",
    "pg_cancel_backend": "PG_CANCEL_BACKEND",
}
"""Every function that statements may call, and the page of the documentation (below DOCS) that it was checked with."""

WORDS = frozenset(
    """and as between by case cross distinct else from group having in is join left like not null on or order over
    partition select then union using when where with within decimal varchar interval exists""".split()
)
"""Words that may stand before a parenthesis without being functions."""

ABSENT = {
    "array": "there are no arrays",
    "collate": "texts have no collations",
    "filter": "aggregates take no FILTER",
    "generate_series": "it runs on the leader node only",
    "ilike": "it is not used",
    "jsonb": "there is no such type",
    "lateral": "there is none",
    "numeric": "without a precision it has 18 digits and no fraction",
    "string_agg": "it is LISTAGG",
    "text": "it is a VARCHAR of 256 bytes",
    "values": "there are none in FROM",
}
"""Words of PostgreSQL that Redshift has not, or in another meaning."""

# -- functions --------------------------------------------------------------------------------------------------------

_JSON = """
CREATE FUNCTION json_extract_path_text(document text, {keys}, null_if_invalid boolean) RETURNS text
IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    RETURN document::jsonb #>> ARRAY[{names}];
EXCEPTION WHEN invalid_text_representation THEN
    IF null_if_invalid THEN RETURN NULL; END IF;
    RAISE;
END $$;
"""
PREPARATION = """
CREATE SCHEMA redshift;
SET search_path TO redshift;
-- Boundaries of the part between the two: https://docs.aws.amazon.com/redshift/latest/dg/r_DATEDIFF_function.html
CREATE FUNCTION datediff(part text, a timestamptz, b timestamptz) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    CASE part
        WHEN 'MICROSECOND' THEN RETURN EXTRACT(EPOCH FROM b - a) * 1000000;
        WHEN 'SECOND' THEN RETURN EXTRACT(EPOCH FROM date_trunc('second', b) - date_trunc('second', a));
        WHEN 'HOUR' THEN RETURN EXTRACT(EPOCH FROM date_trunc('hour', b) - date_trunc('hour', a)) / 3600;
        WHEN 'DAY' THEN RETURN (b AT TIME ZONE 'UTC')::date - (a AT TIME ZONE 'UTC')::date;
        WHEN 'MONTH' THEN RETURN 12 * (EXTRACT(YEAR FROM b) - EXTRACT(YEAR FROM a))
            + EXTRACT(MONTH FROM b) - EXTRACT(MONTH FROM a);
    END CASE;
END $$;
-- A timestamp, of a date too: https://docs.aws.amazon.com/redshift/latest/dg/r_DATEADD_function.html
CREATE FUNCTION dateadd(part text, n bigint, a timestamp) RETURNS timestamp IMMUTABLE LANGUAGE sql
    AS $$ SELECT a + (n || ' ' || part)::interval $$;
-- Without its zone's help a date would be an instant with one: Redshift's is a timestamp.
CREATE FUNCTION date_trunc(part text, a date) RETURNS timestamp IMMUTABLE LANGUAGE sql
    AS $$ SELECT pg_catalog.date_trunc(part, a::timestamp) $$;
-- RN = 1 + P * (N - 1): https://docs.aws.amazon.com/redshift/latest/dg/r_WF_PERCENTILE_CONT.html
CREATE FUNCTION percentile_cont_of_more(kept float8[], p float8, value float8) RETURNS float8[] IMMUTABLE LANGUAGE sql
    AS $$ SELECT COALESCE(kept, ARRAY[p]) || CASE WHEN value IS NULL THEN '{}'::float8[] ELSE ARRAY[value] END $$;
CREATE FUNCTION percentile_cont_of_all(kept float8[]) RETURNS float8 IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE
    sorted float8[] := ARRAY(SELECT one FROM UNNEST(kept[2:]) AS one ORDER BY one);
    rn float8 := 1 + kept[1] * (CARDINALITY(sorted) - 1);
    crn integer := CEILING(rn);
    frn integer := FLOOR(rn);
BEGIN
    RETURN CASE WHEN crn = frn THEN sorted[frn] ELSE (crn - rn) * sorted[frn] + (rn - frn) * sorted[crn] END;
END $$;
CREATE AGGREGATE percentile_cont_of(float8, float8)
    (SFUNC = percentile_cont_of_more, STYPE = float8[], FINALFUNC = percentile_cont_of_all);
CREATE FUNCTION refused(why text) RETURNS integer LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION '%', why USING ERRCODE = 'feature_not_supported'; END $$;
""" + "".join(
    # Null where the path leads nowhere, five levels at most: .../JSON_EXTRACT_PATH_TEXT.html
    _JSON.format(
        keys=", ".join(f"key_{k} text" for k in range(count)), names=", ".join(f"key_{k}" for k in range(count))
    )
    for count in range(1, 6)
)
"""What a database is given once; `redshift` is then first in its search path."""

SESSION = {"standard_conforming_strings": "off", "escape_string_warning": "off"}
"""A backslash in a text begins an escape, as in PostgreSQL 8."""

# -- statements -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Token:
    kind: str
    text: str


_TOKENS = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)|(?P<text>'(?:[^'\\]|\\.|'')*')|(?P<quoted>"(?:[^"]|"")*")"""
    r"""|(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<name>[A-Za-z_]\w*)|(?P<sign><<|>>|<>|<=|>=|\|\||[^\w\s])""",
    re.DOTALL | re.ASCII,
)


def tokens(sql: str) -> Iterator[Token]:
    """The words of a statement, spaces and comments too. Raises Refused."""
    place = 0
    while place < len(sql):
        found = _TOKENS.match(sql, place)
        if found is None or found.lastgroup is None:
            raise Refused(f"syntax error at {sql[place:][:20]!r}")
        yield Token(found.lastgroup, found[0])
        place = found.end()


def functions(sql: str) -> set[str]:
    """The functions that a statement calls, and words of SQL that look so."""
    kept = [one for one in tokens(sql) if one.kind != "space"]
    return {
        one.text.lower()
        for one, after in pairwise(kept)
        if one.kind == "name" and after.text == "(" and one.text.lower() not in WORDS
    }


def on_postgres(sql: str) -> str:
    """The same statement in PostgreSQL's words. Raises Refused for what Redshift has not."""
    if found := re.match(r"SET query_group TO (.*)", sql, re.DOTALL):
        return f"SET redshift.query_group TO {found[1]}"
    if found := re.match(r"SET search_path TO (.*)", sql):
        return f"SET search_path TO redshift, {found[1]}"
    head = re.match(r"(EXPLAIN |DECLARE \w+ CURSOR FOR )?(?=(/\*|SELECT|WITH|\())", sql)
    if head is None:
        return sql
    _looked_over(sql[head.end() :])
    if unknown := functions(sql) - FUNCTIONS.keys():
        raise Refused(f"function {min(unknown)} is not written here by the documentation")
    said = list(tokens(sql))
    return _without_groups("".join(_word(said, place) for place in range(len(said))))


def _looked_over(sql: str) -> None:
    """Raises Refused for words and shapes that Redshift has not."""
    names = [one.text.lower() for one in tokens(sql) if one.kind == "name"]
    for name in names:
        if name in ABSENT:
            raise Refused(f"{name.upper()}: {ABSENT[name]}")
    try:
        tree = sqlglot.parse_one(sql, dialect="redshift")
    except sqlglot.ParseError as error:
        raise Refused(str(error).partition("\n")[0]) from None
    for select in tree.find_all(exp.Select):
        if any(isinstance(one.unalias(), exp.Literal) and one.unalias().is_string for one in select.expressions):
            raise Refused('failed to find conversion function from "unknown" to text')
    for window in tree.find_all(exp.Window):
        ranks = isinstance(window.this, (exp.RowNumber, exp.Lead, exp.Lag, exp.DenseRank, exp.Anonymous))
        if window.args.get("order") and not window.args.get("spec") and not ranks:
            raise Refused("aggregate window functions with an ORDER BY clause require a frame clause")


def _word(said: list[Token], place: int) -> str:
    token = said[place]
    name = token.text.upper()
    before = [one for one in said[max(place - 4, 0) : place] if one.kind != "space"][-2:]
    if token.kind == "name" and [one.text.upper() for one in before] in (["DATEDIFF", "("], ["DATEADD", "("]):
        return f"'{name}'"
    if name == "MAX" and [one.text.upper() for one in before] == ["VARCHAR", "("]:
        return "65535"
    return token.text


_GROUP = re.compile(r"\bPERCENTILE_CONT\(([\d.]+)\)\s+WITHIN GROUP\s*\(\s*ORDER BY\s+")


def _without_groups(sql: str) -> str:
    """`PERCENTILE_CONT(p) WITHIN GROUP (ORDER BY x)` as an aggregate that PostgreSQL takes for a window too."""
    return _GROUP.sub(r"percentile_cont_of(\1, ", sql)
