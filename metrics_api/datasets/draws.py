"""Random numbers that are a function of what they are for.

A *key* is 64 bits that stand for a user, a day, a session or an event; `child` makes the key of a thing from the key of
what it belongs to and its number. A draw is a child too. So no draw depends on which others were made, nor on their
order: one user alone comes out the same as among millions. The mixing function is SplitMix64's.

Skewed distributions are read from tables of quantiles, which costs one lookup per draw and gives the same value
wherever in an array the draw stands.
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_TABLE_BITS = 14
TABLE_SIZE = 1 << _TABLE_BITS


def root(seed: int, numbers: Ints) -> Keys:
    """The keys of numbered things under a seed."""
    start = child(np.array([seed & _MASK], dtype=np.uint64), 0)
    return child(start, numbers)


def child(keys: Keys, number: int | Ints) -> Keys:
    """The keys of the things with this number (or these numbers, one each) that belong to `keys`."""
    if isinstance(number, int):
        z = keys + np.uint64((number + 1) * _GOLDEN & _MASK)
    else:
        z = number.astype(np.uint64)
        z += np.uint64(1)
        z *= np.uint64(_GOLDEN)
        z = z + keys
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


def uniform(keys: Keys, draw: int) -> Floats:
    """Uniform on [0, 1)."""
    return (child(keys, draw) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def chance(keys: Keys, draw: int, probability: float) -> Flags:
    """True with this probability."""
    return child(keys, draw) < np.uint64(int(probability * 2.0**64))


def below(keys: Keys, draw: int, size: int) -> Ints:
    """A whole number from 0 to size - 1; `size` is small, so the bias of the multiplication is nothing."""
    return ((child(keys, draw) >> np.uint64(32)) * np.uint64(size) >> np.uint64(32)).astype(np.int64)


def slots(keys: Keys, draw: int) -> Ints:
    """A place in a table of `TABLE_SIZE` quantiles."""
    return (child(keys, draw) >> np.uint64(64 - _TABLE_BITS)).astype(np.int64)


@cache
def normal() -> Floats:
    """Quantiles of the standard normal distribution; |z| stays below 4.1."""
    distribution = NormalDist()
    return _fixed([distribution.inv_cdf((slot + 0.5) / TABLE_SIZE) for slot in range(TABLE_SIZE)])


@cache
def exponential() -> Floats:
    """Quantiles of the exponential distribution of mean 1; rounded down, a multiple of it is geometric."""
    return _fixed([-math.log1p(-(slot + 0.5) / TABLE_SIZE) for slot in range(TABLE_SIZE)])


@cache
def lognormal(median: float, sigma: float) -> Floats:
    """Quantiles of the lognormal distribution."""
    return _fixed([median * math.exp(sigma * z) for z in normal().tolist()])


@cache
def choice(weights: tuple[float, ...]) -> Ints:
    """A table in which the place of each weight appears in proportion to it."""
    edges = np.cumsum(weights) / np.sum(weights)
    table = np.searchsorted(edges, (np.arange(TABLE_SIZE) + 0.5) / TABLE_SIZE, side="right").astype(np.int64)
    table.setflags(write=False)
    return table


def _fixed(values: list[float]) -> Floats:
    table = np.array(values)
    table.setflags(write=False)
    return table
