"""Plans: nine relational nodes and the logical operators, all frozen; what is done with them lives elsewhere.

A logical operator says *what* is needed (`Journey`: ordered steps within a window); `compile.strategies` says *how*,
as the engine's dialect names it. Limits: 12 nodes, 6 logical operators (RULES 34).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, TypeAlias

from metrics_api.periods import Span
from metrics_api.plan.expr import TRUE, Col, Expr, Type, Value, all_of, any_of

Named_: TypeAlias = tuple[str, Expr]
DayWindow: TypeAlias = tuple[date | datetime | int, int, int]
"""A label, and the inclusive days as numbers."""


@dataclass(frozen=True, slots=True)
class View:
    """A query that is read as if it were a table, and the dialect it is written in."""

    sql: str
    dialect: str


@dataclass(frozen=True, slots=True)
class Scan:
    """The rows of one table, under the source's own names. `span` bounds the time column, half-open.

    `time`, `partition` and `exclude` are read by the passes, so that no family can forget them. A table that is not of
    events (of people, of their ids) has neither `time` nor `span`, and is read as a whole.

    `partition` is the column that the warehouse skips by, of this type: the date of the event, or one up to so many
    days later. With `view` that query is read, and `table` is only what it is called.
    """

    source: str
    table: str
    columns: tuple[Named_, ...]
    time: Expr | None = None
    span: Span | None = None
    partition: Expr | None = None
    exclude: Expr | None = None
    partition_type: Type = Type.DATE
    partition_lag_days: int = 0
    view: View | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """The rows for which `where` is true."""

    input: Plan
    where: Expr


@dataclass(frozen=True, slots=True)
class Project:
    """Each row under new columns."""

    input: Plan
    columns: tuple[Named_, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One row for each combination of the keys; without keys exactly one."""

    input: Plan
    keys: tuple[Named_, ...]
    aggregates: tuple[Named_, ...]


@dataclass(frozen=True, slots=True)
class Join:
    """Rows side by side. `on` pairs columns; `asof` adds (left, comparison, right): the nearest such right row.

    That is the latest one for `>=` and `>`, the earliest for `<=` and `<`; `asof_left` keeps rows that have none.

    Columns of both sides keep their names, which must differ, but for the pairs of `on` of equal name (kept once).
    `where` is a further condition of an inner join.
    """

    left: Plan
    right: Plan
    kind: Literal["inner", "left", "cross", "asof", "asof_left"]
    on: tuple[tuple[str, str], ...] = ()
    asof: tuple[str, Literal["ge", "gt", "le", "lt"], str] | None = None
    where: Expr | None = None


@dataclass(frozen=True, slots=True)
class Union:
    """The rows of all inputs, which have the same columns in the same order."""

    inputs: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Spine:
    """Constant rows: the buckets of a range, with whatever a bucket needs to know; or the events of a test."""

    columns: tuple[tuple[str, Type], ...]
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A step with a name that an analyst recognises: a common table expression."""

    name: str
    input: Plan


@dataclass(frozen=True, slots=True)
class Sort:
    """Rows in order, at most `limit` of them."""

    input: Plan
    by: tuple[tuple[str, bool], ...]
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class ActiveDays:
    """Logical: for each window of days, how many entities were active on at least one of them.

    `input` has `day` (an integer, days since some first day), `entity` and the keys; with `distinct` one row for each
    of them. `windows` are (label, first day, last day), inclusive; their last days grow, and their first days never
    fall. (Retention counts intervals since a start instead, and its windows are numbered.) Columns: period, keys,
    users; no row for nobody.
    """

    input: Plan
    keys: tuple[str, ...]
    windows: tuple[DayWindow, ...]
    label_type: Type = Type.DATE
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Scores:
    """Logical: what each entity scores in each of many windows of days, or how many entities score how much.

    `input` has `day` (an integer from 0 to below `days`), `entity`, the keys, and what the score is made `of`:

    - `days`: the number of different days,
    - `values`: the number of different `value`s, which are never null,
    - `flags`: the sum of the weights of those of `flags` that are 1 in any row; they are 0 or 1, and never all 0,
    - `amounts`: the sum of `amount`, which is never null.

    With `distinct` there is one row for each entity, keys and day (and value). `windows` are as those of `ActiveDays`.
    `facts` (entity, further columns), at most one row for each entity, are more keys: null for those who have none.
    Columns, for whoever has a row in the window: period, keys, facts, entity, score; with `counted`, an expression of
    `score`, the number of entities by its value: period, keys, facts, score, users.
    """

    input: Plan
    keys: tuple[str, ...]
    windows: tuple[DayWindow, ...]
    days: int
    of: Literal["days", "values", "flags", "amounts"]
    flags: tuple[tuple[str, int], ...] = ()
    counted: Expr | None = None
    label_type: Type = Type.DATE
    distinct: bool = False
    facts: Plan | None = None

    @property
    def told(self) -> tuple[str, ...]:
        """The names of the facts."""
        return () if self.facts is None else tuple(name for name in output(self.facts) if name != "entity")


@dataclass(frozen=True, slots=True)
class Attendance:
    """Logical: of numbered places in a row, how many entities are at each.

    `input` has `place` (0 to below `places`), `entity` and the keys; with `distinct` one row for each of them.
    Columns: place, keys, count_of_active, and of `counts`: count_of_new (who are at no earlier place), and
    count_of_returning (who are at the place before as well). No row for nobody.
    """

    input: Plan
    keys: tuple[str, ...]
    places: int
    counts: tuple[Literal["count_of_new", "count_of_returning"], ...]
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class JourneyStep:
    """A step of a journey: for which rows of its input it is, and how it counts.

    An optional step does not gate those after it. `within_seconds` count from the required step before it.
    """

    name: str
    condition: Expr
    optional: bool = False
    within_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Rows that end an attempt if they come after one step and before another (both required, numbered from 1).

    The steps before the row stand; with `removes` there was no attempt at all.
    """

    condition: Expr
    after: int
    before: int
    removes: bool = False


@dataclass(frozen=True, slots=True)
class Journey:
    """Logical: attempts at steps within a window from their entry, one for each entity unless `take` says otherwise.

    `input` has `entity`, `at` (with `tie` also that), `keys`, `same` and the labels; the steps' conditions are on it.
    An entry is a row of the first step (`unordered`: of any) for which `enters` is true too; or, where they are given,
    a row of `entered`, which has the same columns and for each entity the rows of one instant. A further step is the
    first row after the one of the required step before it, no later than `window_seconds` after the entry.

    - `take`: the `best` attempt is the deepest, then earliest completed, then latest entered (RULES 24, 25); `first`
      is that of the first entry; with `every` all entries' attempts are there. `per`, an expression over `at_1`, is a
      column `period`, and an attempt is taken in each.
    - `overlapping`: two steps can match one row, so a row may only follow another that is strictly earlier by
      (at, tie). Without it rows of one instant are in the order of the steps.
    - `unordered`: `at_k` is when k different steps were done, in whatever order.
    - `breaks`: between two steps no other row may be for which this is true. Rows at the instant of either may.
    - `grace_seconds`: a step may be so much earlier than the one before it, and is then as if at its instant.
    - `same`: columns, never null, that are equal in all steps; `keys`: such columns, by which attempts are told apart.

    Columns: entity, keys, [period], at_1 .. at_n (null when not reached; exact for the middle steps only with
    `times`), with exclusions also `excluded_at`, and the labels: `attribution` takes the first (last) along the
    attempt that is not null, or that of a step by its number; else "(none)".
    """

    input: Plan
    steps: tuple[JourneyStep, ...]
    window_seconds: int
    enters: Expr = TRUE
    entered: Plan | None = None
    take: Literal["best", "first", "every"] = "best"
    per: Expr | None = None
    overlapping: bool = False
    tie: bool = False
    unordered: bool = False
    breaks: Expr | None = None
    exclusions: tuple[Exclusion, ...] = ()
    grace_seconds: int = 0
    once_per_entity: bool = False
    times: bool = False
    labels: tuple[str, ...] = ()
    attribution: Literal["first", "last"] | int = "first"
    same: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    @property
    def entry(self) -> Expr:
        """Which rows begin an attempt."""
        steps = self.steps if self.unordered else self.steps[:1]
        return all_of([any_of(one.condition for one in steps), self.enters])

    def required_before(self, k: int) -> int:
        """The number of the last required step before step k (both from 1)."""
        return next(j for j in range(k - 1, 0, -1) if not self.steps[j - 1].optional)

    def required_after(self, k: int) -> int:
        """The number of the first required step after step k: the last step is one."""
        return next(j for j in range(k + 1, len(self.steps) + 1) if not self.steps[j - 1].optional)


Plan: TypeAlias = (
    Scan
    | Filter
    | Project
    | Aggregate
    | Join
    | Union
    | Spine
    | Named
    | Sort
    | ActiveDays
    | Scores
    | Attendance
    | Journey
)


def output(plan: Plan) -> tuple[str, ...]:
    """The names of a plan's columns, in order."""
    match plan:
        case Scan(columns=columns) | Project(columns=columns):
            return tuple(name for name, _ in columns)
        case Spine(columns=typed):
            return tuple(name for name, _ in typed)
        case Aggregate(keys=keys, aggregates=aggregates):
            return tuple(name for name, _ in (*keys, *aggregates))
        case Filter(input=source) | Named(input=source) | Sort(input=source):
            return output(source)
        case Join(left, right, on=on):
            shared = {there for here, there in on if here == there}
            return (*output(left), *(name for name in output(right) if name not in shared))
        case Union(inputs):
            return output(inputs[0])
        case ActiveDays(keys=keys):
            return ("period", *keys, "users")
        case Scores(keys=keys, counted=counted):
            return ("period", *keys, *plan.told, *(("entity", "score") if counted is None else ("score", "users")))
        case Attendance(keys=keys, counts=counts):
            return ("place", *keys, "count_of_active", *counts)
        case Journey():
            return (
                *("entity", *plan.keys, *(["period"] if plan.per is not None else [])),
                *(f"at_{k}" for k in range(1, len(plan.steps) + 1)),
                *(["excluded_at"] if plan.exclusions else []),
                *plan.labels,
            )


def keep(*names: str) -> tuple[Named_, ...]:
    """Columns passed on under their own names."""
    return tuple((name, Col(name)) for name in names)
