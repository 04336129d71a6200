"""Trees to text: one formatting for every engine, and the leading comment that names metric and fingerprint."""

from __future__ import annotations

from sqlglot import ErrorLevel, exp

from metrics_api.sql.dialect import Dialect, generator


def render(statement: exp.Expression, dialect: Dialect, *, comment: str, pretty: bool = True) -> str:
    """The statement's text. `comment` is ours (names and hexadecimal digits), never a user's text."""
    assert "*/" not in comment, comment
    # A query within another stays as it is: sqlglot moves every WITH of a whole one to its top for Spark, where names
    # that people chose meet each other and ours.
    exp.Subquery(this=statement)
    text = generator(dialect).generate(
        statement, copy=False, pretty=pretty, unsupported_level=ErrorLevel.RAISE, max_text_width=110
    )
    return f"/* {comment} */\n{text}"
