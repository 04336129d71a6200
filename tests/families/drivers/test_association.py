"""Statistics of counts, by values that are published, by other formulas, and by what must hold of them."""

from __future__ import annotations

from fractions import Fraction
from math import isclose, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from families.oracles import drivers as oracle
from metrics_api.families.association import Fourfold, area, holm, spearman, split, wilson

counts = st.integers(1, 400)
ladders = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=8).map(
    lambda rows: [(float(score), here, there) for score, (here, there) in enumerate(rows)]
)


def people(ladder: list[tuple[float, int, int]]) -> list[tuple[Fraction, bool]]:
    return [
        (Fraction(score), came)
        for score, here, there in ladder
        for came, count in ((True, here), (False, there))
        for _ in range(count)
    ]


def test_a_table_of_fisher() -> None:
    """Convictions of twins of criminals (Fisher, Statistical Methods for Research Workers, 1925, section 21): of 13
    monozygotic twins 10 were convicted too, of 17 dizygotic ones 2; his chi-square is 13.032."""
    table = Fourfold(10, 3, 2, 15)
    assert table.phi is not None
    assert round(30 * table.phi**2, 3) == 13.032
    assert table.p_value is not None and isclose(table.p_value, 0.000306, rel_tol=0.01)
    assert (table.precision, table.recall, table.lift) == (10 / 13, 10 / 12, 300 / 156)


def test_the_interval_of_wilson() -> None:
    """Of Newcombe (1998), method 3: 81 of 263, 15 of 148, 0 of 20 and 1 of 29."""
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (part, all_), (low, high) in published.items():
        found = wilson(part, all_)
        assert found is not None
        assert (round(found[0], 4), round(found[1], 4)) == (low, high)
    assert wilson(0, 0) is None


def test_the_correction_of_holm() -> None:
    """Four tests: times 4, 3, 2 and 1, never less than the one before; 1 at most."""
    assert [round(one, 4) for one in holm([0.01, 0.04, 0.03, 0.005])] == [0.03, 0.06, 0.06, 0.02]
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_area_of_mann_and_whitney() -> None:
    """Returned 2 and 3, not 1 and 2: of four pairs three are in order and one is equal."""
    assert area([(1.0, 0, 1), (2.0, 1, 1), (3.0, 1, 0)]) == 3.5 / 4
    assert area([(1.0, 0, 3), (2.0, 2, 0)]) == 1
    assert area([(1.0, 2, 0)]) is None


def test_nothing_is_told_where_there_is_nothing_to_tell() -> None:
    table = Fourfold(3, 4, 0, 0)
    assert (table.phi, table.phi_interval, table.p_value) == (None, None, None)
    assert Fourfold(5, 0, 0, 5).phi_interval is None
    assert spearman([(0.0, 3, 4)]) is None
    assert spearman([]) is None


@given(counts, counts, counts, counts)
def test_four_counts_are_those_of_other_formulas(n11: int, n10: int, n01: int, n00: int) -> None:
    cells = (n11, n10, n01, n00)
    table = Fourfold(*cells)
    assert table.phi is not None and table.phi_interval is not None and table.p_value is not None
    assert isclose(table.phi, oracle.phi_of(cells), rel_tol=1e-12, abs_tol=1e-15)
    for mine, other in zip(table.phi_interval, oracle.phi_interval(cells), strict=True):
        assert isclose(mine, other, rel_tol=1e-4, abs_tol=1e-5)
    assert -1 <= table.phi_interval[0] <= table.phi <= table.phi_interval[1] <= 1
    assert isclose(table.p_value, oracle.chi_square_p(cells), rel_tol=1e-6, abs_tol=1e-300)
    assert isclose(table.auc or 0, (n11 / (n11 + n01) + n00 / (n10 + n00)) / 2, rel_tol=1e-12)
    other_way = Fourfold(n01, n00, n11, n10)
    assert other_way.phi == -table.phi


@given(ladders)
def test_ladders_are_people_one_by_one(ladder: list[tuple[float, int, int]]) -> None:
    everybody = people(ladder)
    assert area(ladder) == pytest.approx(oracle.auc(everybody))
    theirs = oracle.spearman(everybody) if everybody else None
    assert spearman(ladder) == (None if theirs is None else pytest.approx(theirs, abs=1e-12))
    for threshold in (-1.0, 0.0, 2.5, 9.0):
        kinds = [(score >= threshold, came) for score, came in everybody]
        order = ((True, True), (True, False), (False, True), (False, False))
        assert [count for _, count in split(ladder, threshold).cells] == [kinds.count(one) for one in order]


@given(counts, counts, counts, counts)
def test_of_two_scores_the_rank_correlation_is_phi(n11: int, n10: int, n01: int, n00: int) -> None:
    table = Fourfold(n11, n10, n01, n00)
    assert spearman([(0.0, n01, n00), (1.0, n11, n10)]) == pytest.approx(table.phi, abs=1e-12)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_corrected_values_are_in_the_same_order_and_no_smaller(values: list[float]) -> None:
    found = holm(values)
    assert found == pytest.approx(oracle.holm(values))
    assert all(here >= there for here, there in zip(found, values, strict=True))


@pytest.mark.parametrize("people_", [40, 400, 4_000])
def test_more_people_narrow_the_interval(people_: int) -> None:
    small = Fourfold(people_ // 2, people_ // 4, people_ // 4, people_ // 2).phi_interval
    assert small is not None
    wide = small[1] - small[0]
    assert wide == pytest.approx(2 * 1.96 * sqrt((1 - 1 / 9) / (people_ * 1.5)), rel=0.15)
