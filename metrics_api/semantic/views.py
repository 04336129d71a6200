"""The `sql:` of a source: one query, and nothing that a query should not do."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import sqlglot
from sqlglot import Token, TokenType, exp

from metrics_api.errors import did_you_mean

DIALECTS = ("bigquery", "clickhouse", "databricks", "duckdb", "postgres", "redshift", "snowflake", "spark", "trino")
"""The engines whose SQL is read; sqlglot knows them by the same names."""
_BEGINNINGS = (TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN, TokenType.FROM)


class ViewError(ValueError):
    """What is wrong with a query, the remedy, and where in its text: line and column from 1."""

    def __init__(self, message: str, fix: str | None = None, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message, self.fix, self.line, self.column = message, fix, line, column


@lru_cache(maxsize=256)
def check_view(sql: str, dialect: str) -> None:
    """Raises ViewError unless the text is a single SELECT (or UNION, or WITH) that changes nothing."""
    if dialect not in DIALECTS:
        raise ViewError(f"`{dialect}` is not an SQL dialect", did_you_mean(dialect, DIALECTS, what="dialects"))
    try:
        tokens = sqlglot.tokenize(sql, dialect=dialect)
        # Judged by its words: of what it cannot read sqlglot would only warn, in the log.
        statements = [part for part in _split(tokens) if part]
        if len(statements) != 1:
            raise ViewError(f"`sql` holds {len(statements)} statements", "Write one SELECT.")
        if statements[0][0].token_type not in _BEGINNINGS:
            raise ViewError("`sql` is not a query", "Write one SELECT, or WITH ... SELECT.")
        tree = sqlglot.parse_one(sql, dialect=dialect)
    except sqlglot.errors.ParseError as error:
        first = error.errors[0] if error.errors else {}
        raise ViewError(
            f"this is not SQL of {dialect}: {str(first.get('description') or 'it cannot be read').rstrip('.')}",
            "Write one SELECT, or name another `sql_dialect`.",
            first.get("line") or 1,
            max(1, (first.get("col") or 1) - len(str(first.get("highlight") or "")) + 1),
        ) from None
    except (sqlglot.errors.SqlglotError, RecursionError):
        raise ViewError(f"this is not SQL of {dialect}", "Write one SELECT, or name another `sql_dialect`.") from None
    if not isinstance(tree, exp.Query):
        raise ViewError("`sql` is not a query", "Write one SELECT, or WITH ... SELECT.")
    if changing := tree.find(exp.DML, exp.DDL, exp.Into, exp.Command, exp.Lock):
        raise ViewError(
            f"`sql` would do more than read: `{_shortened(changing, dialect)}`", "Write one SELECT that only reads."
        )


def _split(tokens: Iterable[Token]) -> list[list[Token]]:
    """The tokens of each statement."""
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.token_type is TokenType.SEMICOLON:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _shortened(tree: exp.Expr, dialect: str) -> str:
    text = tree.sql(dialect=dialect).strip()
    return text if len(text) <= 60 else f"{text[:57]}..."
