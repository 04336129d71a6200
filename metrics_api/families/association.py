"""How well something told of people goes with something that became of them: statistics of counts, in whole numbers
as far as they go.

Sources: the deviation of phi is that of Bishop, Fienberg and Holland, Discrete Multivariate Analysis (1975), 11.2; its
interval is laid on the scale of R. A. Fisher's z = artanh(r) (1915). Interval of a share: Wilson (1927). Test:
Pearson's chi-square of a fourfold table, which is n phi^2. Several tests: Holm (1979), which holds however they hang
together. Area under the curve: Mann and Whitney (1947), ties by half. Spearman (1904), by middle ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, erfc, hypot, sqrt, tanh
from typing import TypeAlias

Z = 1.959963984540054
"""Of a normal distribution 95 % lie between minus and plus so many deviations."""
Ladder: TypeAlias = Sequence[tuple[float, int, int]]
"""Scores in ascending order, and of those who have each how many returned and how many did not."""


@dataclass(frozen=True, slots=True)
class Fourfold:
    """People by whether they reach a threshold (first digit) and whether they returned (second)."""

    n11: int
    n10: int
    n01: int
    n00: int

    @property
    def cells(self) -> tuple[tuple[str, int], ...]:
        return (("n11", self.n11), ("n10", self.n10), ("n01", self.n01), ("n00", self.n00))

    @property
    def people(self) -> int:
        return self.n11 + self.n10 + self.n01 + self.n00

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """Who reaches it, who does not, who returned, who did not."""
        return self.n11 + self.n10, self.n01 + self.n00, self.n11 + self.n01, self.n10 + self.n00

    @property
    def phi(self) -> float | None:
        """The correlation of both, from -1 to 1; null where everybody is alike in one of them."""
        reach, below, returned, lost = self.margins
        product = reach * below * returned * lost
        return (self.n11 * self.n00 - self.n10 * self.n01) / sqrt(product) if product else None

    @property
    def phi_interval(self) -> tuple[float, float] | None:
        """Where phi lies with 95 % certainty; null where there is none, or where it leaves no doubt."""
        phi = self.phi
        if phi is None or abs(phi) >= 1:
            return None
        middle, reached = atanh(phi), Z * self._deviation(phi) / (1 - phi * phi)
        return tanh(middle - reached), tanh(middle + reached)

    def _deviation(self, phi: float) -> float:
        """That of phi for so many people."""
        reach, below, returned, lost = (one / self.people for one in self.margins)
        lean, outcome = reach - below, returned - lost
        mixed = lean * outcome / sqrt(reach * below * returned * lost)
        squares = lean * lean / (reach * below) + outcome * outcome / (returned * lost)
        variance = 1 - phi * phi + phi * (1 + phi * phi / 2) * mixed - 0.75 * phi * phi * squares
        return sqrt(max(variance, 0.0) / self.people)

    @property
    def p_value(self) -> float | None:
        """How often people for whom both have nothing to do with each other would show as much; both sides."""
        return None if (phi := self.phi) is None else erfc(abs(phi) * sqrt(self.people / 2))

    @property
    def precision(self) -> float | None:
        """Of those who reach the threshold, who returned."""
        return _share(self.n11, self.n11 + self.n10)

    @property
    def recall(self) -> float | None:
        """Of those who returned, who had reached the threshold."""
        return _share(self.n11, self.n11 + self.n01)

    @property
    def lift(self) -> float | None:
        """The precision by the share of all who returned."""
        return _share(self.n11 * self.people, (self.n11 + self.n10) * (self.n11 + self.n01))

    @property
    def auc(self) -> float | None:
        """The area under the curve of the threshold as a rule: the mean of recall and of who is rightly left out."""
        return area([(0.0, self.n01, self.n00), (1.0, self.n11, self.n10)])


def _share(part: int, all_: int) -> float | None:
    return part / all_ if all_ else None


def wilson(part: int, all_: int) -> tuple[float, float] | None:
    """Where a share lies with 95 % certainty; null of nobody."""
    if not all_:
        return None
    share, square = part / all_, Z * Z / all_
    middle = share + square / 2
    reached = Z * hypot(sqrt(share * (1 - share) / all_), Z / (2 * all_))
    return max((middle - reached) / (1 + square), 0.0), min((middle + reached) / (1 + square), 1.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for their number, in the same order."""
    found, greatest = [1.0] * len(p_values), 0.0
    for place, number in enumerate(sorted(range(len(p_values)), key=lambda one: p_values[one])):
        greatest = max(greatest, min(1.0, (len(p_values) - place) * p_values[number]))
        found[number] = greatest
    return found


def split(ladder: Ladder, threshold: float) -> Fourfold:
    """The people by whether they reach a threshold."""
    above = [one for one in ladder if one[0] >= threshold]
    below = [one for one in ladder if one[0] < threshold]
    return Fourfold(
        sum(one[1] for one in above), sum(one[2] for one in above),
        sum(one[1] for one in below), sum(one[2] for one in below),
    )  # fmt: skip


def area(ladder: Ladder) -> float | None:
    """How often, of one who returned and one who did not, the first has the greater score; equal ones half."""
    returned, lost = sum(one[1] for one in ladder), sum(one[2] for one in ladder)
    twice = below = 0
    for _, here, there in ladder:
        twice += here * (2 * below + there)
        below += there
    return twice / (2 * returned * lost) if returned and lost else None


def spearman(ladder: Ladder) -> float | None:
    """The correlation of the ranks of scores and of returning; null where everybody is alike in one of them."""
    people = sum(here + there for _, here, there in ladder)
    returned = sum(here for _, here, _ in ladder)
    # Twice the middle rank less the mean of all, which is people + 1; returning has two ranks, of which only the order
    # of both matters.
    before, with_outcome, squares = 0, 0, 0
    for _, here, there in ladder:
        rank = 2 * before + (here + there) - people
        with_outcome += rank * here
        squares += rank * rank * (here + there)
        before += here + there
    outcome = returned * (people - returned)
    return with_outcome * sqrt(people) / sqrt(squares * outcome) if squares and outcome else None
