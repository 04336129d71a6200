"""From a field's arguments to the core's question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from strawberry import UNSET

from metrics_api.errors import Code, Problem, QueryError
from metrics_api.graphql_schema.context import RequestLimits
from metrics_api.graphql_schema.inputs import PYTHON_NAME, CacheUse, Direction
from metrics_api.graphql_schema.layout import Sources, camel
from metrics_api.periods import Duration, Grain
from metrics_api.query.metric_query import (
    OPERATORS,
    AllOf,
    AnyOf,
    Between,
    CohortAsOf,
    Comparison,
    Condition,
    Last,
    MetricQuery,
    NotOf,
    TimeRange,
)
from metrics_api.query.metric_query import Compare as CoreCompare
from metrics_api.serving.service import Use

LONGEST = 999_999
USE = "use"
"""Where `metrics` keeps for its fields what the request says of kept answers."""
CACHE = "Whether an answer that is kept will do; it will when absent."


def use_of(asked: CacheUse | None) -> Use | None:
    """What an argument `cache` says; None: nothing."""
    return None if asked is None or asked is UNSET else Use[asked.name]


def question(metric: str, sources: Sources, arguments: Mapping[str, Any], limits: RequestLimits) -> MetricQuery:
    """The question without parts and measures, which follow from the selection. Raises QueryError."""
    asked = {name: value for name, value in arguments.items() if value is not None and value is not UNSET}
    grain = asked.get("grain")
    return MetricQuery(
        metric=metric,
        time=time_range(asked.get("time")),
        grain=None if grain is None else Grain(grain.value),
        by=tuple(one.value for one in asked.get("by", ())),
        where=_Filter(sources, limits.conditions, limits.nesting).condition(asked.get("where")),
        within=_duration("within", asked["within"]) if "within" in asked else None,
        order=tuple((one.by.value, one.direction is Direction.DESC) for one in asked.get("order", ())),
        limit=asked.get("limit"),
        timezone=asked.get("timezone"),
        as_of=asked.get("as_of"),
        top=tuple((one.by.value, one.n) for one in asked.get("top", ())),
        bins=tuple((one.by.value, tuple(Decimal(str(edge)) for edge in one.edges)) for one in asked.get("bins", ())),
        subtotals=asked.get("subtotals", False),
        compare=CoreCompare(asked["compare"].value) if "compare" in asked else None,
        cohort=asked["cohort"].value if "cohort" in asked else None,
        by_cohorts=tuple(one.value for one in asked.get("by_cohorts", ())),
        cohort_as_of=CohortAsOf(asked["cohort_as_of"].value) if "cohort_as_of" in asked else CohortAsOf.RANGE_END,
    )


def time_range(asked: Any) -> TimeRange | None:
    """The range that an argument `time` means; None where it is absent."""
    if asked is None:
        return None
    if asked.between is not UNSET:
        return Between(asked.between.from_, asked.between.to or None)
    return Last(_duration("last", asked.last), asked.last.exclude_current)


def _duration(name: str, asked: Any) -> Duration:
    if not 1 <= asked.n <= LONGEST:
        raise QueryError(f"{name}: {asked.n:,} {asked.unit.value}s", fix=f"Ask for 1 to {LONGEST:,}.")
    return Duration(asked.n, asked.unit.value)


class _Filter:
    """Reads a filter; counts what it is made of, because filters inside filters are cheap to write."""

    def __init__(self, sources: Sources, conditions: int, nesting: int) -> None:
        self.properties = [one.name for one in sources.properties]
        self.most, self.deepest = conditions, nesting
        self.filters = self.compared = 0

    def condition(self, asked: Any, depth: int = 1) -> Condition | None:
        if asked is None:
            return None
        if depth > self.deepest:
            raise _refusal(f"more than {self.deepest} filters inside each other", "Take some of them apart.")
        self.filters += 1
        self.check(self.filters)
        parts: list[Condition] = []
        for name in self.properties:
            if given := getattr(asked, PYTHON_NAME + name):
                parts += self.comparisons(name, given)
        # Of nothing, `and` is true and `or` is false.
        parts += [AllOf(self.inner(asked.all_of, depth))] if asked.all_of else []
        parts += [AnyOf(self.inner(asked.any_of, depth))] if asked.any_of not in (UNSET, None) else []
        if asked.none_of:
            parts.append(NotOf(self.condition(asked.none_of, depth + 1) or AllOf(())))
        return AllOf(tuple(parts)) if len(parts) > 1 else parts[0] if parts else None

    def inner(self, listed: list[Any], depth: int) -> tuple[Condition, ...]:
        return tuple(self.condition(one, depth + 1) or AllOf(()) for one in listed)

    def comparisons(self, name: str, given: Any) -> Iterator[Condition]:
        for op in OPERATORS:
            value = getattr(given, PYTHON_NAME + op, UNSET)
            if value is not UNSET:
                self.compared += 1
                self.check(self.compared)
                values = tuple(value) if isinstance(value, list) else (value,)
                for one in values:
                    _check_text(name, one)
                yield Comparison(name, op, values)

    def check(self, count: int) -> None:
        if count > self.most:
            raise _refusal(f"more than {self.most} conditions", "`in` takes many values.")


def _refusal(message: str, fix: str) -> QueryError:
    return QueryError(Problem(f"where: {message}", fix=fix, code=Code.LIMIT_EXCEEDED))


def _check_text(name: str, value: str | float | datetime | None) -> None:
    """No warehouse stores half a surrogate pair or a zero character; some drivers fail on them."""
    if isinstance(value, str) and ("\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value)):
        raise QueryError(
            f"where: `{camel(name)}` is compared with something that is not text", fix="Remove the broken character."
        )
