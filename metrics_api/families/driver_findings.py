"""What is told of the people counted by `drivers`: thresholds, their statistics, and their ranks.

It begins where the warehouse ends: with how many people of each score returned, for each candidate and group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from math import inf
from typing import Any

from metrics_api.families.association import Fourfold, Ladder, area, holm, spearman, split, wilson
from metrics_api.families.driver_plans import Candidate, Drivers
from metrics_api.families.tiers import Percentile
from metrics_api.query.bind import BoundQuery

MOST_THRESHOLDS = 20
PERCENTILES = range(5, 100, 5)
"""Of the scores that occur, those that are tried where there are more than `MOST_THRESHOLDS`."""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tried:
    """A threshold of a candidate: the people it was tried on, and those held out."""

    place: int
    threshold: float
    tier: str | None
    people: Fourfold
    later: Fourfold


@dataclass(frozen=True)
class Group:
    """The counts of one group: for each candidate its scores in order, with (returned, lost) of each."""

    spec: Drivers
    earlier: Mapping[int, Ladder]
    later: Mapping[int, Ladder]

    @cached_property
    def tried(self) -> tuple[Tried, ...]:
        return tuple(
            Tried(place, at, tier, split(self.earlier[place], at), split(self.later[place], at))
            for place, one in enumerate(self.spec.candidates)
            for at, tier in sorted(thresholds_of(one, self.earlier[place]).items())
        )

    @cached_property
    def ranked(self) -> tuple[Tried, ...]:
        """Those of which enough people are known, the one with the greatest phi first."""
        told = (one for one in self.tried if self.suppressed(one.people.cells) is None)
        return tuple(sorted(told, key=lambda one: (-(one.people.phi or 0.0), one.place, one.threshold)))

    def suppressed(self, counts: Sequence[tuple[str, int]]) -> str | None:
        """Why nothing is told: the counts that are too small; null where none is."""
        least = self.spec.min_cell
        return ", ".join(f"{name} < {least}" for name, count in counts if count < least) or None

    def rows(self) -> Iterator[Row]:
        """A row for each threshold, in order of rank."""
        corrected = holm([one.people.p_value or 0.0 for one in self.ranked])
        for rank, (one, p_value) in enumerate(zip(self.ranked, corrected, strict=True), 1):
            low, high = one.people.phi_interval or (None, None)
            least, greatest = wilson(one.people.n11, one.people.n11 + one.people.n10) or (None, None)
            yield {
                **self._named(one),
                **dict(one.people.cells),
                "phi": one.people.phi,
                "phi_low": low,
                "phi_high": high,
                "p_value": p_value,
                "lift": one.people.lift,
                "precision": one.people.precision,
                "precision_low": least,
                "precision_high": greatest,
                "recall": one.people.recall,
                "auc": None if self.suppressed(_outcomes(one.later)) else one.later.auc,
                "rank": rank,
            }
        for one in self.tried:
            if (reason := self.suppressed(one.people.cells)) is not None:
                yield {**self._named(one), "suppressed": reason}

    def _named(self, one: Tried) -> Row:
        return {"candidate": self.spec.candidates[one.place].name, "threshold": one.threshold, "tier": one.tier}

    def candidates(self) -> Iterator[Row]:
        """A row for each candidate, in order of their best rank."""
        best: dict[int, Tried] = {}
        for one in self.ranked:
            best.setdefault(one.place, one)
        ranks = {place: rank for rank, place in enumerate(best, 1)}
        others = (place for place in range(len(self.spec.candidates)) if place not in best)
        for place in (*best, *others):
            earlier, later = (split(one[place], -inf) for one in (self.earlier, self.later))
            reason = self.suppressed(_outcomes(earlier))
            found = best.get(place)
            yield {
                "candidate": self.spec.candidates[place].name,
                "people": earlier.people,
                "held_out": later.people,
                "spearman": None if reason else spearman(self.earlier[place]),
                "auc": None if self.suppressed(_outcomes(later)) else area(self.later[place]),
                "best_threshold": found and found.threshold,
                "best_tier": found and found.tier,
                "phi": found and found.people.phi,
                "rank": ranks.get(place),
                "suppressed": reason,
            }


def _outcomes(people: Fourfold) -> Sequence[tuple[str, int]]:
    _, _, returned, lost = people.margins
    return ("returned", returned), ("lost", lost)


def thresholds_of(candidate: Candidate, ladder: Ladder) -> dict[float, str | None]:
    """What is tried, with the tier that begins there: of tiers that begin at one score the highest.

    The least score that occurs parts nobody from anybody.
    """
    if candidate.thresholds:
        return dict.fromkeys(candidate.thresholds)
    occurring = [one for one in ladder if one[1] + one[2]]
    seen = [score for score, _, _ in occurring][1:]
    if len(seen) > MOST_THRESHOLDS:
        reached = {at for n in PERCENTILES if (at := percentile(occurring, n)) is not None}
        seen = [one for one in seen if one in reached]
    found: dict[float, str | None] = {}
    above = [one for one in occurring if one[0] > 0]
    for name, needs in candidate.tiers:
        at = percentile(above, needs.n) if isinstance(needs, Percentile) else needs
        if at is not None:
            found.setdefault(at, name)
    return {**dict.fromkeys(seen), **found}


def percentile(ladder: Ladder, n: int) -> float | None:
    """The least score that n of a hundred people do not exceed; null of nobody."""
    people, so_far = sum(one[1] + one[2] for one in ladder), 0
    for score, returned, lost in ladder:
        so_far += returned + lost
        if 100 * so_far >= n * people:
            return score
    return None


def finished(query: BoundQuery, part: str, rows: Sequence[Row]) -> list[Row]:
    """The rows of the answer, made of the counts of each group."""
    names = [one.name for one in query.by]

    def group(row: Row) -> tuple[str, ...]:
        return tuple(row[name] for name in names)

    found: list[Row] = []
    for key, some in groupby(sorted(rows, key=group), group):
        told = _group(query.metric.spec, list(some))
        labelled = dict(zip(names, key, strict=True))
        found += [{**labelled, **row} for row in (told.rows() if part == "rows" else told.candidates())]
    return found


def _group(spec: Drivers, rows: Sequence[Row]) -> Group:
    def ladders(returned: str, lost: str) -> Mapping[int, Ladder]:
        return {
            place: sorted((row["score"], row[returned], row[lost]) for row in rows if row["candidate"] == place)
            for place in range(len(spec.candidates))
        }

    return Group(spec, ladders("returned", "lost"), ladders("later_returned", "later_lost"))
