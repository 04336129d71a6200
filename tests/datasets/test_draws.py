from __future__ import annotations

import numpy as np
import pytest

from metrics_api.datasets import draws

KEYS = draws.root(1, np.arange(20_000))


def test_the_mixing_function_is_splitmix64() -> None:
    """Against SplitMix64 in whole numbers of Python: the first outputs of the state 1234567."""
    state, expected = 1234567, []
    for _ in range(3):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        expected.append(z ^ (z >> 31))
    state_as_key = np.array([1234567], dtype=np.uint64)
    assert expected[0] == 6457827717110365317  # as published with the algorithm
    assert [int(draws.child(state_as_key, number)[0]) for number in range(3)] == expected
    assert draws.child(state_as_key, np.arange(3)).tolist() == expected


def test_a_child_does_not_depend_on_its_company() -> None:
    assert draws.child(KEYS, 5)[123] == draws.child(KEYS[123:124], 5)[0]
    assert draws.child(KEYS, np.arange(20_000))[123] == draws.child(KEYS[123:124], 123)[0]


def test_keys_do_not_collide() -> None:
    assert len(np.unique(KEYS)) == len(KEYS)
    assert len(np.unique(draws.child(KEYS[:, np.newaxis], np.arange(50)))) == 50 * len(KEYS)


def test_draws_are_even_and_unrelated() -> None:
    one, two = draws.uniform(KEYS, 1), draws.uniform(KEYS, 2)
    assert 0 <= one.min() < one.max() < 1
    assert one.mean() == pytest.approx(0.5, abs=0.01)
    assert one.var() == pytest.approx(1 / 12, abs=0.002)
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.03
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 0.03


def test_chance_below_and_choice_keep_their_shares() -> None:
    assert draws.chance(KEYS, 1, 0.2).mean() == pytest.approx(0.2, abs=0.01)
    assert np.bincount(draws.below(KEYS, 2, 4)).tolist() == pytest.approx([5_000] * 4, rel=0.05)
    chosen = draws.choice((1.0, 0.0, 3.0))[draws.slots(KEYS, 3)]
    assert np.bincount(chosen).tolist() == pytest.approx([5_000, 0, 15_000], rel=0.05)


def test_tables_hold_their_distributions() -> None:
    assert draws.normal().mean() == pytest.approx(0, abs=1e-9)
    assert draws.normal().std() == pytest.approx(1, abs=1e-3)
    assert draws.exponential().mean() == pytest.approx(1, abs=1e-3)
    assert np.median(draws.lognormal(20.0, 1.2)) == pytest.approx(20, rel=1e-3)
