"""What people did, day by day: the rows that any window of days can be added up from (the face `per_entity`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal, TypeAlias

from metrics_api.plan.expr import Col, Expr, Type, call, integer
from metrics_api.plan.nodes import DayWindow, Plan, Project, Scores, keep

Window: TypeAlias = tuple[date | datetime, date, date]
"""A label, and the inclusive local days."""


def numbered(windows: Sequence[Window], first: date) -> tuple[DayWindow, ...]:
    """The windows with their days counted from a first one."""
    return tuple((label, (start - first).days, (end - first).days) for label, start, end in windows)


@dataclass(frozen=True)
class Scored:
    """What was done between two inclusive local days by known people, as rows that `Scores` adds up.

    Rows: `day` (counted from `first`), `entity`, the keys, and by what is scored (`of`): nothing more (`days`),
    `value`, the columns of `flags`, or `amount`. With `distinct` there is one row for each person, keys and day.
    A score is then a number of people's after `base` is taken off, in units of which `parts` are one.
    """

    of: Literal["days", "values", "flags", "amounts"]
    rows: Plan
    keys: tuple[str, ...]
    first: date
    last: date
    flags: tuple[tuple[str, int], ...] = ()
    distinct: bool = False
    facts: Plan | None = None
    base: int = 0
    """What whoever is there at all scores: who enters a funnel scores 1, and who converts 2, which is told as 0 and 1.
    """
    parts: int = 1
    """Minutes are scored in seconds, of which 60 are one, so that sums are exact."""

    def of_people(self, windows: Sequence[Window], label_type: Type) -> Plan:
        """What each person with any such event scores in each window: (period, keys, facts, entity, score).

        Scores are in parts, less what everybody has.
        """
        found = self._scores(windows, label_type)
        if not self.base:
            return found
        score = call("sub", Col("score"), integer(self.base))
        return Project(found, (*keep("period", *found.keys, *found.told, "entity"), ("score", score)))

    def people_by(self, counted: Expr, windows: Sequence[Window], label_type: Type) -> Scores:
        """The people of each window by an expression of their `score`, base and all: (period, keys, score, users)."""
        return replace(self._scores(windows, label_type), counted=counted)

    def beside(self, facts: Plan) -> Scored:
        """The same, each person told apart by facts of theirs too: (entity, facts), null of whoever has none."""
        return replace(self, facts=facts)

    def _scores(self, windows: Sequence[Window], label_type: Type) -> Scores:
        return Scores(
            self.rows,
            self.keys,
            numbered(windows, self.first),
            (self.last - self.first).days + 1,
            self.of,
            self.flags,
            label_type=label_type,
            distinct=self.distinct,
            facts=self.facts,
        )
