"""How much one question may ask for. Beyond a limit the answer is a clear refusal, not a slow warehouse."""

from __future__ import annotations

from dataclasses import dataclass

MOST_COUNTS = 500_000
"""Rows of counts of which an answer is computed after the warehouse."""


@dataclass(frozen=True, slots=True)
class Limits:
    buckets: int = 10_000
    """Buckets of one series."""
    rows: int = 10_000
    """Rows of one answer, beyond which it is cut and says `truncated`; a query may ask for up to `most_rows`."""
    most_rows: int = 50_000
    breakdowns: int = 5
    top: int = 1_000
    """Values of a breakdown that stand by themselves."""
    bins: int = 100
    cohorts: int = 10
    """Cohorts to break down by."""
    cohort_buckets: int = 100
    """Buckets of which each has cohorts of its own day."""
    most_members: int = 10_000
    """People of one page."""
    choices: int = 1_000
    """Values in one `in` filter."""
