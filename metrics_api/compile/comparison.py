"""An earlier range beside the asked one: `previous` and `change` (RULES 9), for every family with a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

from metrics_api.periods import DAY, Grain, add_months
from metrics_api.plan.expr import Case, Col, Expr, Lit, Type, call, integer
from metrics_api.plan.nodes import Join, Named_, Plan, Project, Spine, keep, output
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Family, Measure
from metrics_api.query.metric_query import Compare

Label = date | datetime
VALUED = ("rows", "overall")
"""The parts that hold the metric's value."""


def with_previous(query: BoundQuery, family: Family, parts: Mapping[str, Plan]) -> dict[str, Plan]:
    """The parts with `previous` and `change` beside every value.

    Rows are matched by bucket (`earlier_buckets`) and by group. A group that was not there then has a previous count
    of 0. `change` is null while its bucket is incomplete, and where `previous` is 0 or null.
    """
    found = dict(parts)
    if not earlier_buckets(query):  # The one earlier date is one that the zone skipped.
        nothing = Lit(None, _value(query).type), Lit(None, Type.NUMBER)
        found |= {part: _shown(parts[part], output(parts[part]), *nothing) for part in VALUED if part in parts}
        return found
    if "rows" in parts:
        before = family.plan(_earlier(query, *earlier_dates(query), part="rows"))["rows"]
        found["rows"] = _rows(query, family, parts["rows"], before)
    if "overall" in parts:
        found["overall"] = _overall(query, family, parts["overall"])
    return found


def _rows(query: BoundQuery, family: Family, rows: Plan, before: Plan) -> Plan:
    earlier = earlier_buckets(query)
    pairs = tuple(
        (one.label, earlier[one.label], int(family.is_complete(query, one)))
        for one in query.periods
        if one.label in earlier
    )
    typed = (("bucket", query.period_type), ("earlier", query.period_type), ("is_over", Type.INTEGER))
    matched = Join(rows, Spine(typed, pairs), "left", on=(("period", "bucket"),))
    by = tuple(one.name for one in query.by)
    then = Project(before, (("then", Col("period")), *_under_other_names(by)))
    joined = Join(matched, then, "left", on=(("earlier", "then"), *((name, f"{name}_then") for name in by)))
    previous = Case(((call("not_", call("is_null", Col("earlier"))), _previous(query)),))
    change = Case(((call("eq", Col("is_over"), integer(1)), CHANGE),))
    return _shown(joined, output(rows), previous, change)


def _overall(query: BoundQuery, family: Family, overall: Plan) -> Plan:
    first, last = earlier_dates(query)
    over = [one for one in query.periods if family.is_complete(query, one)]
    is_over = len(over) == len(query.periods)
    if family.overall_is_last and not is_over:
        # As of the last complete bucket: so is the earlier one, of the same place in its range.
        label = earlier_buckets(query).get(over[-1].label) if over else None
        if is_over := label is not None:
            last = query.calendar.next(label, query.grain) - DAY
    before = family.plan(_earlier(query, first, last, part="overall"))["overall"]
    by = tuple(one.name for one in query.by)
    then = Project(before, _under_other_names(by))
    on = tuple((name, f"{name}_then") for name in by)
    joined = Join(overall, then, "left", on=on) if by else Join(overall, then, "cross")
    return _shown(joined, output(overall), _previous(query), CHANGE if is_over else Lit(None, Type.NUMBER))


CHANGE = call("divide", call("sub", Col("value"), Col("previous")), Col("previous"))


def _under_other_names(by: tuple[str, ...]) -> tuple[Named_, ...]:
    return (*((f"{name}_then", Col(name)) for name in by), ("value_then", Col("value")))


def _value(query: BoundQuery) -> Measure:
    """The measure compared, which every comparison asks for."""
    return next(one for one in query.measures if one.name == "value")


def _previous(query: BoundQuery) -> Expr:
    return call("coalesce", Col("value_then"), integer(0)) if _value(query).is_count else Col("value_then")


def _shown(joined: Plan, kept: tuple[str, ...], previous: Expr, change: Expr) -> Plan:
    flags = keep(*(name for name in ("is_over",) if name in output(joined)))
    compared = Project(joined, (*keep(*kept), *flags, ("previous", previous)))
    return Project(compared, (*keep(*kept, "previous"), ("change", change)))


def _earlier(query: BoundQuery, first: date, last: date, *, part: str) -> BoundQuery:
    return replace(query, first=first, last=last, measures=(_value(query),), parts=(part,), compare=None)


def earlier_dates(query: BoundQuery) -> tuple[date, date]:
    """The inclusive dates of the range compared with, whole buckets both."""
    if query.compare is Compare.PREVIOUS_YEAR:
        first, last = _year_before(query.first, query.grain), _year_before(query.last, query.grain)
        return query.calendar.widen(first, last, query.grain)
    return _back(query), query.first - DAY


def _back(query: BoundQuery) -> date:
    grain = query.grain
    if grain in (Grain.HOUR, Grain.DAY, Grain.WEEK):
        return query.first - (query.last - query.first + DAY)
    buckets = (query.last.year - query.first.year) * 12 + query.last.month - query.first.month + 1
    return add_months(query.first, -buckets)


def _year_before(day: date, grain: Grain) -> date:
    return day - timedelta(weeks=52) if grain is Grain.WEEK else add_months(day, -12)


def earlier_buckets(query: BoundQuery) -> dict[Label, Label]:
    """The label of the bucket that each bucket is compared with; none for one that has no counterpart."""
    first, last = earlier_dates(query)
    then = [one.label for one in query.calendar.periods(first, last, query.grain)]
    now = [one.label for one in query.periods]
    if query.compare is Compare.PREVIOUS_PERIOD or query.grain in (Grain.HOUR, Grain.WEEK):
        return dict(zip(now, then, strict=False))
    there = set(then)
    return {label: found for label in now if (found := _year_before(label, query.grain)) in there}
