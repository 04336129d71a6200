"""Questions from loose words: what Python callers, the command line and later REST write, as a `MetricQuery`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from metrics_api.errors import Problem, QueryError, did_you_mean
from metrics_api.periods import Duration, Grain
from metrics_api.query.metric_query import (
    OPERATORS,
    AllOf,
    AnyOf,
    Between,
    CohortAsOf,
    Compare,
    Comparison,
    Condition,
    Last,
    MetricQuery,
    NotOf,
    Page,
    TimeRange,
    Written,
)

T = TypeVar("T")


def ask(
    metric: str,
    *,
    start: str | date | None = None,
    end: str | date | None = None,
    last: str | Duration | None = None,
    exclude_current: bool = False,
    grain: str | Grain | None = None,
    by: str | Sequence[str] = (),
    where: str | Mapping[str, Any] | Condition | None = None,
    measures: str | Sequence[str] | None = None,
    parts: str | Sequence[str] = (),
    within: str | Duration | None = None,
    order: str | Sequence[str] = (),
    limit: int | None = None,
    timezone: str | None = None,
    as_of: str | datetime | None = None,
    top: int | Mapping[str, int] | None = None,
    bins: Mapping[str, Sequence[float | Decimal]] | None = None,
    subtotals: bool = False,
    compare: str | Compare | None = None,
    cohort: str | None = None,
    by_cohorts: str | Sequence[str] = (),
    cohort_as_of: str | CohortAsOf | None = None,
    members: Mapping[str, str | int | date] | None = None,
    first: int | None = None,
    after: str | None = None,
    attributes: str | Sequence[str] = (),
) -> MetricQuery:
    """A question of loose words; raises QueryError with every word that cannot be read.

    `start` and `end` are inclusive local dates; `last` is a duration such as `30 days`. `where` is a short SQL
    condition or `{"platform": {"in": ["ios"]}}`; `order` names columns, `-value` for descending. `top` is a number for
    the first breakdown or `{"country": 5}`, `bins` `{"minutes": [1, 5, 20]}`, `compare` `previous_period` or
    `previous_year`. `cohort` keeps only its people, `by_cohorts` tells several apart; `cohort_as_of` is `range_end` or
    `bucket_end`. `members` (`{"tier": "power"}`)
    asks for the people behind a number: the `first` so many `after` an id, with their `attributes`.
    """
    problems: list[Problem] = []

    def read(name: str, parse: Callable[[Any], T], written: Any) -> T | None:
        try:
            return None if written is None else parse(written)
        except QueryError as error:
            problems.extend(error.problems)
        except ValueError as error:
            problems.append(Problem(f"{name}: {error}", code=QueryError.code))
        return None

    begin, final = read("from", _date, start), read("to", _date, end)
    duration = read("last", _duration, last)
    if duration and (start or end):
        problems.append(Problem("a range is either `last` or `from` and `to`, not both", code=QueryError.code))
    if end and not start:
        problems.append(Problem("`to` is given without `from`", fix="Give `from` as well.", code=QueryError.code))
    query = MetricQuery(
        metric=metric,
        time=_range(begin, final, duration, exclude_current=exclude_current),
        grain=read("grain", _grain, grain),
        by=_names(by),
        where=read("where", condition, where),
        measures=None if measures is None else _names(measures),
        parts=_names(parts) or (() if members is None else ("members",)),
        within=read("within", _duration, within),
        order=tuple((name.removeprefix("-"), name.startswith("-")) for name in _names(order)),
        limit=limit,
        timezone=timezone,
        as_of=read("as_of", _instant, as_of),
        top=read("top", lambda written: _tops(written, _names(by)), top) or (),
        bins=read("bins", _bins, bins) or (),
        subtotals=subtotals,
        compare=read("compare", _compare, compare),
        cohort=cohort,
        by_cohorts=_names(by_cohorts),
        cohort_as_of=read("cohort_as_of", _cohort_as_of, cohort_as_of) or CohortAsOf.RANGE_END,
        members=Page(
            tuple((members or {}).items()), Page().first if first is None else first, after, _names(attributes)
        ),
    )
    if problems:
        raise QueryError(problems)
    return query


def condition(written: str | Mapping[str, Any] | Condition) -> Condition:
    """A filter of SQL text or of nested mappings: properties to operators, `and`, `or` (lists) and `not`."""
    if isinstance(written, str):
        return Written(written)
    if isinstance(written, Comparison | AllOf | AnyOf | NotOf | Written):
        return written
    if not isinstance(written, Mapping):
        raise QueryError(f"where: `{written}` is not a condition", fix="Write a text such as `minutes >= 3`.")
    parts: list[Condition] = []
    for key, value in written.items():
        if key in ("and", "or"):
            inner = tuple(condition(one) for one in value)
            parts.append(AllOf(inner) if key == "and" else AnyOf(inner))
        elif key == "not":
            parts.append(NotOf(condition(value)))
        elif isinstance(value, Mapping):
            parts += [_comparison(key, op, operand) for op, operand in value.items()]
        else:
            parts.append(_comparison(key, "eq", value))
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _comparison(name: str, op: str, operand: Any) -> Comparison:
    if op not in OPERATORS:
        raise QueryError(f"where: there is no operator `{op}`", fix=did_you_mean(op, OPERATORS, what="operators"))
    values = tuple(operand) if isinstance(operand, list | tuple | set | frozenset) else (operand,)
    return Comparison(name, op, values)


def _range(
    first: date | None, final: date | None, duration: Duration | None, *, exclude_current: bool
) -> TimeRange | None:
    if duration is not None:
        return Last(duration, exclude_current)
    return Between(first, final) if first is not None else None


def _names(written: str | Sequence[str]) -> tuple[str, ...]:
    listed = written.split(",") if isinstance(written, str) else written
    return tuple(name.strip() for name in listed if name.strip())


def _date(written: str | date) -> date:
    if isinstance(written, datetime):
        return written.date()
    if isinstance(written, date):
        return written
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise ValueError(f"`{written}` is not a date; write it as `2026-01-31`") from None


def _instant(written: str | datetime) -> datetime:
    try:
        parsed = datetime.fromisoformat(written) if isinstance(written, str) else written
    except ValueError:
        raise ValueError(f"`{written}` is not an instant; write it as `2026-01-31T12:00:00`") from None
    return parsed.astimezone(UTC).replace(tzinfo=None) if parsed.tzinfo else parsed


def _duration(written: str | Duration) -> Duration:
    return written if isinstance(written, Duration) else Duration.parse(written)


def _tops(written: int | Mapping[str, int], by: Sequence[str]) -> tuple[tuple[str, int], ...]:
    if isinstance(written, Mapping):
        return tuple(written.items())
    if not by:
        raise ValueError("the greatest of what? Give `by`")
    return ((by[0], written),)


def _bins(written: Mapping[str, Sequence[float | Decimal]]) -> tuple[tuple[str, tuple[Decimal, ...]], ...]:
    return tuple((name, tuple(map(_number, edges))) for name, edges in written.items())


def _number(written: float | Decimal) -> Decimal:
    try:
        return Decimal(str(written))
    except InvalidOperation:
        raise ValueError(f"`{written}` is not a number") from None


def _cohort_as_of(written: str | CohortAsOf) -> CohortAsOf:
    try:
        return CohortAsOf(str(written).lower())
    except ValueError:
        fix = did_you_mean(str(written), [one.value for one in CohortAsOf], what="days of cohorts")
        raise QueryError(f"`{written}` is no day of cohorts", fix=fix) from None


def _compare(written: str | Compare) -> Compare:
    try:
        return Compare(str(written).lower())
    except ValueError:
        fix = did_you_mean(str(written), [one.value for one in Compare], what="comparisons")
        raise QueryError(f"`{written}` is nothing to compare with", fix=fix) from None


def _grain(written: str | Grain) -> Grain:
    try:
        return Grain(str(written).lower())
    except ValueError:
        known = [one.value for one in Grain]
        raise QueryError(f"`{written}` is not a grain", fix=did_you_mean(str(written), known, what="grains")) from None
