"""What every portable operation means, row by row: one table for all engines, with answers worked out in Python."""

from __future__ import annotations

from metrics_api.testkit import examples, of_rows, of_values

EXAMPLES = tuple(examples.EXAMPLES)

__all__ = ["EXAMPLES", "of_rows", "of_values"]
