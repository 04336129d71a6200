"""What answers are broken down by: columns of strings, of properties, numbers in bins, or the local clock."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from metrics_api.definitions.bins import plain
from metrics_api.plan.expr import Type

NONE = "(none)"
"""The label of a missing value."""
OTHER = "(other)"
"""The label of all values beyond the top ones."""
ALL = "(all)"
"""The label of a subtotal."""


COHORT = "cohort"
"""The breakdown by cohorts."""


class Clock(StrEnum):
    """What the local time of an event says; a breakdown that every source offers."""

    HOUR_OF_DAY = "hour_of_day"
    WEEKDAY = "weekday"

    @property
    def description(self) -> str:
        if self is Clock.WEEKDAY:
            return "The local weekday: `1: Monday` to `7: Sunday`."
        return "The hour of the local clock: `00` to `23`."


@dataclass(frozen=True, slots=True)
class Dimension:
    """A breakdown. `name` is the answer's column; `reads` the property under it, unless it is a clock's."""

    name: str
    type: Type
    reads: str | None = None
    clock: Clock | None = None
    bins: tuple[Decimal, ...] = ()
    """Edges in order: below the first, from each to below the next, from the last on."""
    top: int | None = None
    """Only so many values by themselves, the rest as `(other)`."""
    description: str | None = None
    cohorts: tuple[str, ...] = ()
    """Of the breakdown `cohort`: each of these by itself, and `(none)` for people in none of them."""


def bin_labels(edges: tuple[Decimal, ...]) -> tuple[str, ...]:
    """The labels of bins, numbered so that their order as text is that of the numbers.

    >>> bin_labels((Decimal(1), Decimal("2.50")))
    ('1: below 1', '2: 1 to below 2.5', '3: 2.5 or more')
    """
    shown = [plain(edge) for edge in edges]
    inner = [f"{low} to below {high}" for low, high in itertools.pairwise(shown)]
    words = [f"below {shown[0]}", *inner, f"{shown[-1]} or more"]
    width = len(str(len(words)))
    return tuple(f"{number:0{width}}: {one}" for number, one in enumerate(words, 1))
