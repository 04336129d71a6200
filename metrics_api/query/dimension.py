"""What answers are broken down by: columns of strings, of properties, numbers in bins, or the local clock."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from metrics_api.plan.expr import Type

NONE = "(none)"
"""The label of a missing value."""
OTHER = "(other)"
"""The label of all values beyond the top ones."""
ALL = "(all)"
"""The label of a subtotal."""


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


def bin_labels(edges: tuple[Decimal, ...]) -> tuple[str, ...]:
    """The labels of bins, numbered so that their order as text is that of the numbers.

    >>> bin_labels((Decimal(1), Decimal("2.50")))
    ('1: below 1', '2: 1 to below 2.5', '3: 2.5 or more')
    """
    shown = [_plain(edge) for edge in edges]
    inner = [f"{low} to below {high}" for low, high in itertools.pairwise(shown)]
    words = [f"below {shown[0]}", *inner, f"{shown[-1]} or more"]
    width = len(str(len(words)))
    return tuple(f"{number:0{width}}: {one}" for number, one in enumerate(words, 1))


def _plain(edge: Decimal) -> str:
    digits = format(edge, "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def bins_problem(edges: tuple[Decimal, ...]) -> str | None:
    """What is wrong with the edges of bins; None when nothing is."""
    if not edges:
        return "no edges"
    if any(not edge.is_finite() for edge in edges):
        return "an edge that is not a number"
    for low, high in itertools.pairwise(edges):
        if low >= high:
            return f"{_plain(low)} before {_plain(high)}: edges grow"
    return None
