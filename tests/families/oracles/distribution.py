"""Averages and percentiles of a handful of numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, fsum

PERCENTILES = (0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True)
class Distribution:
    """How numbers are spread; everything is None when there are none (SEMANTICS 0, Division)."""

    average: float | None
    median: float | None
    percentiles: Mapping[float, float | None]


def average(values: Sequence[float]) -> float | None:
    """The mean, None for no values."""
    return fsum(values) / len(values) if values else None


def percentile(values: Iterable[float], share: float) -> float | None:
    """The exact continuous percentile (PERCENTILE_CONT): the value at rank share * (n - 1), between neighbours."""
    ordered = sorted(values)
    if not ordered:
        return None
    rank = share * (len(ordered) - 1)
    below = floor(rank)
    if below == len(ordered) - 1:
        return ordered[below]
    return ordered[below] + (ordered[below + 1] - ordered[below]) * (rank - below)


def distribution(values: Sequence[float], shares: Iterable[float] = PERCENTILES) -> Distribution:
    """The average, median and given percentiles of some numbers."""
    return Distribution(
        average(values), percentile(values, 0.5), {share: percentile(values, share) for share in shares}
    )
