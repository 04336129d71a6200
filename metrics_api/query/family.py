"""What a metric family is: one record, from which the loader, the schema, the compiler and the API all follow."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from metrics_api.definitions.base import MetricDefinition
from metrics_api.definitions.names import Path
from metrics_api.periods import Duration, Period
from metrics_api.plan.expr import Type
from metrics_api.plan.nodes import Plan
from metrics_api.query.bind import BoundQuery
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
    shape: Literal["series", "funnel"]
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
    tables: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)
    """The parts of a series beside `rows` and `overall`, with their own columns after `period` and the breakdowns."""
    is_complete: Callable[[BoundQuery, Period], bool] = lambda query, bucket: bucket.end <= query.data_through
    """Whether all the data that a bucket rests on is there."""
    ranked_by: str = "value"
    """The measure by which the top groups are found."""
    check: Callable[[BoundQuery], None] = lambda query: None
    """Refuses (QueryError) what this family cannot answer."""
    inputs: Callable[[Any], Sequence[tuple[Path, str]]] = lambda definition: ()
    """The metrics whose numbers a definition calculates with, and where it names them."""

    sharing: Sharing | None = None

    @property
    def type(self) -> str:
        return self.definition.metric_type()
