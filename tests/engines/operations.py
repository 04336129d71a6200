"""The examples of operations, and where a stand-in of these tests answers otherwise than its engine."""

from __future__ import annotations

from metrics_api.testkit.examples import Example, Rows, Runner, agree, answers, constants
from metrics_api.testkit.operations import EXAMPLES

DIFFERENT: dict[tuple[str, str], str] = {
    ("fakesnow", "the text '$1 $$ $x$'"): "fakesnow looks for session variables inside of texts; Snowflake does not",
    ("sail", "finite of decimals"): "Sail casts a double to the decimal it is compared with; Spark does the opposite",
}
"""(where it ran, example): why the answer may be another one there. Everything else was as it should be when tried on
ClickHouse (chdb), fakesnow, PostgreSQL, Sail, Spark and ZetaSQL."""

STANDS_IN = {"databricks": "sail", "snowflake": "fakesnow", "spark": "sail"}
"""What an engine is executed on that is a service only, or slow to start."""

BY_DOCUMENTATION = ("redshift", "trino")
"""Engines that cannot be had: their SQL is executed on another one, with their functions by their documentation."""

__all__ = [
    "BY_DOCUMENTATION",
    "DIFFERENT",
    "EXAMPLES",
    "STANDS_IN",
    "Example",
    "Rows",
    "Runner",
    "agree",
    "answers",
    "constants",
]
