"""What a metric family is: one record, from which the loader, the schema, the compiler and the API all follow."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from metrics_api.definitions.base import MetricDefinition
from metrics_api.definitions.names import Path
from metrics_api.periods import Duration, Grain, Period
from metrics_api.plan.expr import Type
from metrics_api.plan.nodes import Plan
from metrics_api.query.bind import BoundQuery
from metrics_api.query.metric_query import Last
from metrics_api.query.scored import Scored
from metrics_api.results import Column
from metrics_api.semantic.model import Metric, Selection
from metrics_api.semantic.resolve import Scope


@dataclass(frozen=True, slots=True)
class Measure:
    """Something a family can compute beside its fixed columns: `users`, `per_user_p90`, `sum_minutes`.

    `of` is what is computed (`total`, `users`, `per_user`, a property aggregate), `measured` and `fraction` say of
    which property and at which percentile.
    """

    name: str
    of: str
    type: Type
    measured: str | None = None
    fraction: str | None = None
    description: str = ""

    @property
    def is_count(self) -> bool:
        """Counts are 0 where nothing happened; everything else is null."""
        return self.of in ("total", "users")


@dataclass(frozen=True, slots=True)
class Table:
    """A part of an answer: its rows have `keys`, then the breakdowns, then `columns`.

    With `measured` the selected measures stand after these. A key `period` is the start of a bucket, and such rows
    then say whether it is complete, if they are `flagged`.
    """

    keys: tuple[Column, ...]
    columns: tuple[Column, ...]
    description: str
    measured: bool = False
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class Members:
    """The people behind a family's numbers: by what they can be chosen, and who they are."""

    choices: Callable[[Metric], Mapping[str, tuple[str, ...] | Type]]
    """What they are chosen by, with its values or else its type: `tier` of these words, `period` of dates."""
    plan: Callable[[BoundQuery], Plan]
    """One column `entity`, each once: those that `query.chosen` tells."""
    fixed: tuple[str, ...] = ()
    """The choices whose words are the same for every metric of the family."""


@dataclass(frozen=True, slots=True)
class Series:
    """What a family tells over time for other metrics to calculate with, where that is not its own `rows`."""

    measures: Callable[[Metric], tuple[Measure, ...]]
    """The numbers, by name; one called `value` is meant where none is named."""
    plan: Callable[[BoundQuery], Mapping[str, Plan]]
    """Of the asked parts `rows` (by period and breakdowns) and `overall` (by breakdowns), with the question's measures.

    These are called `number_1`, `number_2` ..., since people name tiers as they like. Every bucket is there, of every
    group that occurs.
    """
    is_as_of: bool = False
    """Whether counts are null, and not 0, in a bucket that has not begun; and overall where no bucket is complete."""
    has_overall: bool = True
    """Whether there is a number for the whole range; it is null where there is none."""
    outcomes: frozenset[str] | None = None
    """The numbers that tell of what the metric is about (RULES 33), where others only tell of the way there."""


@dataclass(frozen=True, slots=True)
class PerEntity:
    """What a family tells of single people, by local day, so that any window of days can be added up from it."""

    numbers: Callable[[Metric], Mapping[str, str]]
    """The numbers that can be asked of a person, with what they are in words; the first is the default."""
    done: Callable[[BoundQuery, str, date, date], Scored]
    """What known people did between two inclusive local days that one of these numbers is made of: of a question, its
    metric, breakdowns, filters and cohorts count, but not its range, buckets and measures."""
    ahead: Callable[[Metric], int] = lambda metric: 0
    """How many local days after a day can still change what is counted on it: those of a funnel's window."""
    most: Decimal | None = None
    """The greatest number there is, where it is the same for every metric of the family."""
    is_settled: Callable[[BoundQuery, Period], bool] = lambda query, bucket: bucket.end <= query.data_through
    """Whether what was done in a bucket is all there."""


@dataclass(frozen=True, slots=True)
class Finish:
    """What a family computes of the warehouse's counts: what no warehouse does exactly, such as a long product."""

    columns: Callable[[BoundQuery], Mapping[str, tuple[Column, ...]]]
    """Of the asked parts that are finished, what the statement tells instead of the answer's columns.

    Its rows are never cut by the question's limit, so that every group is seen whole; nor are events among them.
    """
    rows: Callable[[BoundQuery, str, Sequence[Mapping[str, Any]]], Sequence[Mapping[str, Any]]]
    """The rows of the answer's part, made of those of the statement."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """How families that count alike answer several questions from one scan (RULES 35)."""

    key: Callable[[BoundQuery], Hashable]
    """Questions of equal keys and overlapping ranges can share."""
    together: Callable[[Sequence[BoundQuery]], Mapping[str, Plan]]
    """Questions that differ in metric and measures only: one plan for each part, with all measures side by side."""
    apart: Callable[[Sequence[BoundQuery]], Sequence[Mapping[str, Plan]]]
    """The plans of each question, as its family's `plan` would answer it, made of common steps."""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric family. `definition` is what people write, `resolve` makes the family's spec of it, `plan` the rest."""

    definition: type[MetricDefinition]
    shape: Literal["series", "funnel", "tables", "retention"]
    """How GraphQL shows it: values over time, or a list of rows for each part."""
    parts: tuple[str, ...]
    """What can be answered; the first is the default."""
    resolve: Callable[[Any, Scope], Any]
    selections: Callable[[Any], tuple[Selection, ...]]
    is_engagement: Callable[[Any], bool]
    measures: Callable[[Metric], tuple[Measure, ...]]
    """The measures offered, in order; percentiles that follow a pattern (`per_user_p90`) beside them by `measure`."""
    measure: Callable[[Metric, str], Measure | None]
    default_measures: tuple[str, ...]
    columns: Callable[[BoundQuery], Mapping[str, tuple[Column, ...]]]
    plan: Callable[[BoundQuery], Mapping[str, Plan]]
    """One plan for each selected part, with the columns that `columns` says."""
    conventions: Callable[[Metric, Duration | None], tuple[str, ...]]
    """How it counts, in words; the second argument is a question's own `within`."""
    example: str
    """A definition in YAML, read by the docs and by tests."""
    overall_is_last: bool = False
    """Whether `overall` is as of the last complete bucket instead of over the whole range."""
    usual_value: Type = Type.INTEGER
    """The type of `value` that goes without saying: any other is told in the names of GraphQL's types."""
    tables: Mapping[str, Table] = field(default_factory=dict)
    """Its parts as tables; of a series those beside `rows` and `overall`."""
    members: Members | None = None
    """Who is behind its numbers, for families that can tell."""
    per_entity: PerEntity | None = None
    """What it tells of single people, for families that can."""
    is_complete: Callable[[BoundQuery, Period], bool] = lambda query, bucket: bucket.end <= query.data_through
    """Whether all the data that a bucket rests on is there."""
    ranked_by: str = "value"
    """The measure by which the top groups are found, of families that have an `overall`."""
    ranking: Callable[[BoundQuery], tuple[Plan, str]] | None = None
    """The groups of a question's one breakdown and the column they are ranked by, of families that have none."""
    grain: Callable[[Metric], Grain] = lambda metric: Grain.DAY
    """The buckets of a question that names none."""
    check: Callable[[BoundQuery], None] = lambda query: None
    """Refuses (QueryError) what this family cannot answer."""
    usual_range: Callable[[Metric], Last | None] = lambda metric: None
    """The range of a question that names none, where it is not the project's."""
    finish: Finish | None = None
    """What is computed after the warehouse."""
    inputs: Callable[[Any], Sequence[tuple[Path, str]]] = lambda definition: ()
    """The metrics whose numbers a definition calculates with, and where it names them."""

    series: Series | None = None
    """What others can calculate with, of families without a value of their own over time."""
    sharing: Sharing | None = None
    hidden: bool = False
    """Whether nobody writes it as a `type`: cohorts have a top-level word of their own."""

    @property
    def type(self) -> str:
        return self.definition.metric_type()

    def numbers(self, metric: Metric) -> tuple[Measure, ...]:
        """The numbers over time that other metrics can calculate with; `number` may know more, by a pattern."""
        if self.series is not None:
            return self.series.measures(metric)
        return self.measures(metric) if self.shape == "series" else ()

    def number(self, metric: Metric, name: str) -> Measure | None:
        """The number of that name."""
        if self.series is not None:
            return next((one for one in self.series.measures(metric) if one.name == name), None)
        return self.measure(metric, name) if self.shape == "series" else None

    def is_flagged(self, part: str) -> bool:
        """Whether a part's rows say of their bucket that it is complete."""
        return self.tables[part].flagged if part in self.tables else part == "rows"
