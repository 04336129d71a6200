"""What people score in windows of local days: active days, features touched, or amounts. Shared by the tiers, and by
whoever else asks how often or how much somebody did something within a window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeAlias

from metrics_api.families.relations import AT, ENTITY, is_known, labels, local_date, may_repeat, occurrences
from metrics_api.families.series import Counted, measure_named
from metrics_api.families.windows import activity
from metrics_api.periods import Span
from metrics_api.plan.expr import Agg, Case, Col, Expr, Lit, Type, all_of, call, integer, text
from metrics_api.plan.nodes import Aggregate, Filter, Named, Plan, Project, keep
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import PerEntity
from metrics_api.query.scored import Scored
from metrics_api.semantic.model import Metric, Property, Selection


@dataclass(frozen=True, slots=True)
class ActiveDayCount:
    """Different local days with at least so many of the events."""

    selection: Selection
    at_least: int = 1


@dataclass(frozen=True, slots=True)
class FeatureCount:
    """Different features touched: each its weight, so that weights of 1, 2, 4 tell which they were."""

    features: tuple[tuple[str, Selection], ...]
    weights: tuple[int, ...]

    @property
    def selection(self) -> Selection:
        """The events of any of them."""
        first = self.features[0][1]
        every = dict.fromkeys(one for _, each in self.features for one in each.alternatives)
        return replace(first, alternatives=tuple(every))


@dataclass(frozen=True, slots=True)
class ValueCount:
    """Different values of a property of the events."""

    selection: Selection
    property: Property


@dataclass(frozen=True, slots=True)
class AmountSum:
    """The number of the events, or the sum of a numeric property of theirs."""

    selection: Selection
    property: Property | None = None


LONG_AGO = datetime(1900, 1, 1)
"""Where a source does not say where its history begins."""

Score: TypeAlias = ActiveDayCount | FeatureCount | ValueCount | AmountSum


def scored(query: BoundQuery, score: Score, first: date, last: date) -> Scored:
    """What counts for a score between two inclusive local days, of known people.

    Of rows with one declared event id the earliest between the two days counts, where a second one would change the
    score.
    """
    keys = tuple(one.name for one in query.by)
    if isinstance(score, ActiveDayCount):
        active = activity(query, score.selection, first, last, at_least=score.at_least)
        return Scored("days", active.rows, keys, first, last, distinct=active.distinct)
    span = query.clipped(query.calendar.span(first, last))
    origin = Lit(first, Type.DATE, role="first_day")
    projected = {
        "day": call("days_between", origin, local_date(query, Col(AT), span)),
        **labels(query, span),
        "entity": Col(ENTITY),
    }
    known = is_known(query, Col("entity"))
    selection, marked, flags = score.selection, False, {}
    match score:
        case AmountSum(property=of):
            projected["amount"] = integer(1) if of is None else _amount(of)
            marked = any(may_repeat(source) for source in selection.sources)
        case ValueCount(property=of):
            projected["value"] = (
                Col(of.name) if of.type is Type.STRING else call("to_text", Col(of.name), text(of.type))
            )
            known = all_of([known, call("not_", call("is_null", Col("value")))])
        case FeatureCount(features=features):
            flags = {f"is_{k}": one for k, (_, one) in enumerate(features)}
    events = occurrences(query, selection, span, projected, marked=marked, flags=flags)
    rows: Plan = Filter(events, all_of([known, Col("first_copy")]) if marked else known)
    numbers = tuple((_flag(k), Case(((Col(f"is_{k}"), integer(1)),), integer(0))) for k in range(len(flags)))
    rows = Project(rows, (*keep(*projected), *numbers))
    match score:
        case AmountSum():
            return Scored("amounts", rows, keys, first, last)
        case ValueCount():
            return Scored("values", rows, keys, first, last)
        case FeatureCount(weights=weights):
            weighed = tuple((_flag(k), weight) for k, weight in enumerate(weights))
            return Scored("flags", rows, keys, first, last, weighed)


def first_days(query: BoundQuery, score: Score, first: date, last: date) -> Plan:
    """(entity, first_seen): the local day of each person's first such event ever, by the question's filter: counted
    from `first`, 0 where it is earlier."""
    until = query.clipped(query.calendar.span(first, last))
    began = min(one.history_start or LONG_AGO for one in score.selection.sources)
    projected = {"entity": Col(ENTITY), "at": Col(AT)}
    events = occurrences(replace(query, by=()), score.selection, Span(min(began, until.start), until.end), projected)
    known = Filter(events, is_known(query, Col("entity")))
    earliest = Named("first_events", Aggregate(known, keep("entity"), (("at", Agg("min", (Col("at"),))),)))
    # Before the days counted from the offset may be another one; the day is before them all the same.
    day = call("days_between", Lit(first, Type.DATE, role="first_day"), local_date(query, Col("at"), until))
    since = Case(((call("gt", day, integer(0)), day),), integer(0))
    return Named("first_days", Project(earliest, (*keep("entity"), ("first_seen", since))))


def _flag(number: int) -> str:
    return f"has_{number}"


def _amount(of: Property) -> Expr:
    """Doubles as decimals: what a window adds when it opens can be taken away again to the last digit."""
    exact = call("finite", Col(of.name), text(Type.DECIMAL)) if of.type is Type.NUMBER else Col(of.name)
    return call("coalesce", exact, integer(0))


# -- what counting metrics tell of single people ----------------------------------------------------------------------

ACTIVE_DAYS = "active_days"


def numbers_of(metric: Metric) -> Mapping[str, str]:
    """The number of events, sums of properties, and active days; first what the metric's own value adds up."""
    spec: Counted = metric.spec
    found = {"total": "Events."}
    for one in metric.sources[0].properties.values():
        if (measure := measure_named(f"sum_{one.name}", metric.sources)) is not None:
            found[measure.name] = f"The sum of {one.name}."
    found[ACTIVE_DAYS] = "Different local days with an event."
    own = f"sum_{spec.value.measured}" if spec.value.of == "sum" else "total"
    return {own: found[own], **found}


def _done(query: BoundQuery, number: str, first: date, last: date) -> Scored:
    spec: Counted = query.metric.spec
    if number == ACTIVE_DAYS:
        return scored(query, ActiveDayCount(spec.selection), first, last)
    of = None if number == "total" else query.metric.sources[0].properties[number.removeprefix("sum_")]
    return scored(query, AmountSum(spec.selection, of), first, last)


COUNTED = PerEntity(numbers_of, _done)
"""What `usage` and `value_moment` tell of single people."""
