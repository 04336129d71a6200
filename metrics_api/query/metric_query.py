"""A question as it is asked, by name. Frozen and hashable: it is the first half of every cache key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from metrics_api.periods import Duration, Grain


@dataclass(frozen=True, slots=True)
class Between:
    """Inclusive local dates; an open end is as-of's own date."""

    first: date
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Last:
    """The last units up to and including the one that holds as-of (which is not complete yet), or without it."""

    duration: Duration
    exclude_current: bool = False


TimeRange: TypeAlias = Between | Last


@dataclass(frozen=True, slots=True)
class Comparison:
    """A property against values, as typed inputs have it: `op` is one of `OPERATORS`."""

    property: str
    op: str
    values: tuple[str | int | float | Decimal | bool | date | datetime | None, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class NotOf:
    condition: Condition


@dataclass(frozen=True, slots=True)
class Written:
    """A short SQL condition over properties, as in the YAML."""

    text: str


Condition: TypeAlias = Comparison | AllOf | AnyOf | NotOf | Written
OPERATORS = ("eq", "ne", "in", "not_in", "lt", "le", "gt", "ge", "is_null", "like")


class Compare(StrEnum):
    """What a value is compared with: `previous` is the value then, `change` is relative to it."""

    PREVIOUS_PERIOD = "previous_period"
    PREVIOUS_YEAR = "previous_year"


class CohortAsOf(StrEnum):
    """The day of which a question's cohorts are: the end of its range, or of each bucket by itself."""

    RANGE_END = "range_end"
    BUCKET_END = "bucket_end"


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the people behind a number, in order of their ids.

    `of` chooses them by what their family offers: `(("tier", "power"),)`. `after` is the id of the last one known.
    """

    of: tuple[tuple[str, str | int | date], ...] = ()
    first: int = 50
    after: str | None = None
    attributes: tuple[str, ...] = ()
    """What is told of them, by the names of answers (`user_plan`)."""


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """One metric, asked. Empty fields take the project's and the family's defaults."""

    metric: str
    time: TimeRange | None = None
    grain: Grain | None = None
    by: tuple[str, ...] = ()
    where: Condition | None = None
    measures: tuple[str, ...] | None = None
    """None: the family's usual ones."""
    parts: tuple[str, ...] = ()
    within: Duration | None = None
    order: tuple[tuple[str, bool], ...] = ()
    """(column, descending), over the rows."""
    limit: int | None = None
    timezone: str | None = None
    as_of: datetime | None = None
    """Answer as if it were then (naive UTC): no event after it counts."""
    top: tuple[tuple[str, int], ...] = ()
    """(breakdown, n): its n greatest values by themselves, the rest as `(other)`."""
    bins: tuple[tuple[str, tuple[Decimal, ...]], ...] = ()
    """(breakdown, edges) of numbers, instead of the defined ones."""
    subtotals: bool = False
    """Beside the groups, each breakdown's groups over all values of the breakdowns after it, as `(all)`."""
    compare: Compare | None = None
    cohort: str | None = None
    """Only people of this cohort, as of the end of the range."""
    by_cohorts: tuple[str, ...] = ()
    """A breakdown `cohort`: each of these by itself, though they may overlap, and `(none)` for those in none."""
    cohort_as_of: CohortAsOf = CohortAsOf.RANGE_END
    members: Page = Page()
    """What the part `members` tells; `member_count` is their number."""
