"""Who started when, and in which intervals they returned: the plans of `retention`.

Shape: starts are one row for each person (and bucket, where they recur). Returns find their start by a hash join on the
person and are told by the whole intervals since; from there on an interval is a day of `ActiveDays`, which counts the
people of all cells in one pass: a bit for each interval and person, where the engine has bits (SQL_SHAPES, family 7).
Recurring starts on the calendar join returns that are one row for each person and bucket already, so that no event
meets more than one start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from metrics_api.families.relations import (
    AT,
    ENTITY,
    count_if,
    is_known,
    labels,
    local_date,
    may_repeat,
    occurrences,
    zero_if_missing,
)
from metrics_api.periods import DAY, MICROSECOND, Grain, Span
from metrics_api.plan.expr import (
    FALSE,
    Agg,
    Case,
    Col,
    Expr,
    Lit,
    Over,
    Type,
    all_of,
    call,
    instant,
    integer,
    whole,
)
from metrics_api.plan.nodes import (
    ActiveDays,
    Aggregate,
    Filter,
    Join,
    Named,
    Named_,
    Plan,
    Project,
    Spine,
    keep,
    output,
)
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Measure
from metrics_api.semantic.model import Selection

BEGINNING = datetime(1900, 1, 1)
"""Before all history: a source's `history_start` bounds it further."""
ROLLING_DAYS = {Grain.DAY: 1, Grain.WEEK: 7, Grain.MONTH: 30, Grain.QUARTER: 90, Grain.YEAR: 365}
"""The length of an interval on the rolling clock, in days of 24 hours."""
CELL_CHOICE = "period_index"


@dataclass(frozen=True, slots=True)
class Cell:
    """What is told of those who started: its number, and the intervals in which a return counts."""

    index: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Retention:
    start: Selection
    back: Selection
    grain: Grain
    cells: tuple[Cell, ...]
    mode: str
    rolling: bool
    first_time: bool
    once: bool
    """Whether nobody starts twice, as the definitions promise: then nothing before the range is looked at."""
    min_occurrences: int
    value: Measure

    @property
    def last(self) -> int:
        """The last interval."""
        return self.cells[-1].index

    @property
    def in_brackets(self) -> bool:
        return self.mode == "on" and any(cell.first < cell.last for cell in self.cells)

    @property
    def is_open(self) -> bool:
        """Whether returns count however late they come."""
        return self.mode == "on_or_after"


def parts(query: BoundQuery) -> Mapping[str, Plan]:
    """The plans of the selected parts."""
    by = keep(*(one.name for one in query.by))
    cells = Named("cells", _cells(query))
    values = tuple((one.name, VALUES[one.of]) for one in query.measures)
    found: dict[str, Plan] = {}
    if "cells" in query.parts:
        is_over = call("eq", Col("is_over"), integer(1))
        told: tuple[Named_, ...] = (("users", Col("users")), ("rate", RATE), *values)
        users, rate, *measured = [(name, Case(((is_over, one),))) for name, one in told]
        shown = (*keep("size"), users, rate, ("complete", is_over), *measured)
        found["cells"] = Project(cells, (*keep("start", "period_index"), *by, *shown))
    if "average" in query.parts:
        found["average"] = _average(query, cells, values)
    return {part: found[part] for part in query.parts}


RATE = call("divide", Col("users"), Col("size"))
VALUES: Mapping[str, Expr] = {
    "rate": RATE,
    "users": Col("users"),
    "sum": Col("amount"),
    "average": call("divide", Col("amount"), Col("users")),
}


def _average(query: BoundQuery, cells: Plan, values: Sequence[Named_]) -> Plan:
    """Over the complete cells: all who returned by all who started."""
    by = keep(*(one.name for one in query.by))
    is_over = call("eq", Col("is_over"), integer(1))
    summed = [name for name in ("size", "users", "amount") if name in output(cells)]
    totals: list[Named_] = [(name, Agg("sum", (Col(name),), is_over)) for name in summed]
    totals.append(("cohorts", count_if(is_over)))
    pooled = Named("pooled", Aggregate(cells, (*keep("period_index"), *by), tuple(totals)))
    shown = (("size", zero_if_missing("size")), *keep("users"), ("rate", RATE), *keep("cohorts"))
    return Project(pooled, (*keep("period_index"), *by, *shown, *values))


def ranking(query: BoundQuery) -> tuple[Plan, str]:
    """Groups are ranked by those who started."""
    started = started_of(query)
    return Aggregate(started, keep(*(one.name for one in query.by)), (("size", Agg("count_rows")),)), "size"


# -- cells ------------------------------------------------------------------------------------------------------------


def _cells(query: BoundQuery) -> Plan:
    """start, period_index, breakdowns, size, users, is_over, and what they amount to if it is asked for."""
    spec: Retention = query.metric.spec
    by = tuple(one.name for one in query.by)
    started = started_of(query)
    returned = returned_of(query, started)
    sizes = Named("sizes", Aggregate(started, keep("bucket", *by), (("size", Agg("count_rows")),)))
    keys = ("bucket", *by, "period_index")
    grid = Join(_grid(query, started), sizes, "left", on=tuple((name, name) for name in ("bucket", *by)))
    counted = Project(_users(query, returned), (*keep("bucket", *by), ("period_index", Col("period")), *keep("users")))
    found: Plan = Join(grid, Named("returned_users", counted), "left", on=tuple((name, name) for name in keys))
    if _asks_amount(query):
        found = Join(found, Named("amounts", _amounts(query, returned)), "left", on=tuple((one, one) for one in keys))
    is_over = Case(((call("le", Col("period_index"), Col("last_over")), integer(1)),), integer(0))
    counts = (("size", zero_if_missing("size")), ("users", zero_if_missing("users")), ("is_over", is_over))
    amount = keep("amount") if _asks_amount(query) else ()
    assert spec.cells
    return Project(found, (*keep("start", "period_index", *by), *counts, *amount))


def _grid(query: BoundQuery, started: Plan) -> Plan:
    """Every bucket beside every cell, for every group that occurs."""
    spec: Retention = query.metric.spec
    rows = tuple((one.label, number_of(query, one.label), _last_over(query, one.label)) for one in query.periods)
    buckets = Spine((("start", Type.DATE), ("bucket", Type.INTEGER), ("last_over", Type.INTEGER)), rows)
    indexes = Spine(((CELL_CHOICE, Type.INTEGER),), tuple((cell.index,) for cell in spec.cells))
    grid: Plan = Join(buckets, indexes, "cross")
    if query.by:
        segments = Named("segments", Aggregate(started, keep(*(one.name for one in query.by)), ()))
        grid = Join(grid, segments, "cross")
    return grid


def _users(query: BoundQuery, returned: Plan) -> Plan:
    """The people of each cell that has any: period (the cell's number), bucket, breakdowns, users."""
    spec: Retention = query.metric.spec
    by = tuple(one.name for one in query.by)
    day: Expr = Col("day")
    windows = [(cell.index, cell.first, cell.last) for cell in spec.cells]
    if spec.is_open:
        # Counted from the end: windows that share their last day become windows that share their first.
        day = call("sub", integer(spec.last), day)
        windows = [(cell.index, 0, spec.last - cell.first) for cell in reversed(spec.cells)]
    counted = Project(returned, (*keep("entity", "bucket", *by), ("day", day)))
    distinct = isinstance(returned, Named)
    return ActiveDays(counted, ("bucket", *by), tuple(windows), Type.INTEGER, distinct=distinct)


def _asks_amount(query: BoundQuery) -> bool:
    return any(one.measured is not None for one in query.measures)


def _amounts(query: BoundQuery, returned: Plan) -> Plan:
    """What the returns of each cell amount to: bucket, breakdowns, period_index, amount."""
    spec: Retention = query.metric.spec
    by = keep("bucket", *(one.name for one in query.by))
    spans = tuple((cell.index, cell.first, cell.last) for cell in spec.cells)
    typed = ((CELL_CHOICE, Type.INTEGER), ("first_day", Type.INTEGER), ("final_day", Type.INTEGER))
    within = all_of([call("ge", Col("day"), Col("first_day")), call("le", Col("day"), Col("final_day"))])
    amount = (("amount", Agg("sum", (Col("amount"),))),)
    daily = Named("amounts_by_interval", Aggregate(returned, (*by, *keep("day")), amount))
    return Aggregate(Join(daily, Spine(typed, spans), "inner", where=within), (*by, *keep(CELL_CHOICE)), amount)


# -- starts and returns -----------------------------------------------------------------------------------------------


def started_of(query: BoundQuery) -> Named:
    """entity, bucket (its number), started, breakdowns: of each start the time and the labels.

    One row for each person, or where they recur for each person, bucket and group.
    """
    spec: Retention = query.metric.spec
    span = query.span
    by = tuple(one.name for one in query.by)
    looked_at = Span(BEGINNING, span.end) if spec.first_time and not spec.once else span
    projected = {"entity": Col(ENTITY), "at": Col(AT), **labels(query, span)}
    events: Plan = Filter(occurrences(query, spec.start, looked_at, projected), is_known(query, Col("entity")))
    started: Named_ = ("started", Agg("min", (Col("at"),)))
    if not spec.first_time:
        number = _bucket(query, Col("at"), span)
        return Named("started", Aggregate(events, (*keep("entity", *by), ("bucket", number)), (started,)))
    if by:
        # Of one instant each label is the least: whichever row comes first, the answer is the same.
        events = Aggregate(events, keep("entity", "at"), tuple((name, Agg("min", (Col(name),))) for name in by))
    told = tuple((name, Agg("first_by", (Col(name), Col("at")))) for name in by)
    people: Plan = Aggregate(events, keep("entity"), (started, *told))
    if looked_at.start < span.start:
        first = Named("first_ever", people)
        people = Filter(first, call("ge", Col("started"), instant(span.start, role="range_start")))
    return Named(
        "started", Project(people, (*keep("entity", "started", *by), ("bucket", _bucket(query, Col("started"), span))))
    )


def returned_of(query: BoundQuery, started: Plan) -> Plan:
    """entity, bucket, breakdowns, day: the intervals since their start in which people returned, and their amount if
    it is asked for.

    A named step has one row for each interval. Intervals after the last cell are the last one, where returns count
    however late they come.
    """
    spec: Retention = query.metric.spec
    keys = keep("entity", "bucket", *(one.name for one in query.by), "day")
    by_bucket = _is_reduced(query) and not spec.is_open
    rows = _by_bucket(query, started) if by_bucket else _by_event(query, started)
    least, asks_amount = spec.min_occurrences, _asks_amount(query)
    amount = keep("amount") if asks_amount else ()
    if least > 1 or asks_amount or spec.mode == "streak":
        counts: list[Named_] = [("returns", Agg("count_rows"))] if least > 1 else []
        counts += [("amount", Agg("sum", (Col("of_amount"),)))] if asks_amount else []
        rows = Named("returned", Aggregate(rows, keys, tuple(counts)))
        if least > 1:
            often = Filter(rows, call("ge", Col("returns"), integer(least)))
            rows = Named("returned_often", Project(often, (*keys, *amount)))
    elif by_bucket:
        rows = Named("returned", rows)
    if spec.is_open:
        beyond = call("gt", Col("day"), integer(spec.last))
        clamped = ("day", Case(((beyond, integer(spec.last)),), Col("day")))
        return Project(rows, (*(one for one in keys if one[0] != "day"), clamped, *amount))
    return _in_streak(query, rows) if spec.mode == "streak" else rows


def _in_streak(query: BoundQuery, returned: Plan) -> Plan:
    """The intervals up to which none is missing, from 1 on; and interval 0."""
    names = output(returned)
    later = Case(((call("gt", Col("day"), integer(0)), integer(1)),), integer(0))
    person = (*(Col(name) for name in ("entity", "bucket", *(one.name for one in query.by))), Col("is_later"))
    marked = Named("later", Project(returned, (*keep(*names), ("is_later", later))))
    place = Over("row_number", (), person, (Col("day"),))
    placed = Named("placed", Project(marked, (*keep(*names, "is_later"), ("place", place))))
    # Of so many intervals from 1 to j there are j only if none is missing; interval 0 stands by itself.
    unbroken = call("eq", call("mul", Col("place"), Col("is_later")), Col("day"))
    return Named("in_streak", Project(Filter(placed, unbroken), keep(*names)))


def _is_reduced(query: BoundQuery) -> bool:
    """Whether it suffices to know of each person and bucket the last return."""
    spec: Retention = query.metric.spec
    return _are_alike(query) and not spec.first_time and not spec.rolling


def _are_alike(query: BoundQuery) -> bool:
    """Whether one return of an interval says as much as all of it."""
    spec: Retention = query.metric.spec
    return spec.min_occurrences == 1 and not _asks_amount(query)


def _by_bucket(query: BoundQuery, started: Plan) -> Plan:
    """The returns of recurring starts on the calendar: one row for each start and later bucket."""
    spec: Retention = query.metric.spec
    span = _return_span(query)
    bucket = _bucket(query, Col("at"), span)
    last: Named_ = ("last_at", Agg("max", (Col("at"),)))
    buckets = Named(
        "return_buckets", Aggregate(_returns(query, span), (*keep("entity"), ("return_bucket", bucket)), (last,))
    )
    after: list[Expr] = [call("gt", Col("last_at"), Col("started"))]
    if not spec.is_open:
        after.append(call("le", Col("return_bucket"), call("add", Col("bucket"), integer(spec.last))))
    joined = Join(buckets, started, "inner", on=(("entity", "entity"),), where=all_of(after))
    kept = keep("entity", "bucket", *(one.name for one in query.by))
    return Project(joined, (*kept, ("day", call("sub", Col("return_bucket"), Col("bucket")))))


def _by_event(query: BoundQuery, started: Plan) -> Plan:
    """The returns after each start: one row for each event; of those that count however late they come, the last."""
    spec: Retention = query.metric.spec
    span = _return_span(query)
    returns = _returns(query, span)
    if spec.is_open and _are_alike(query):
        last = Aggregate(returns, keep("entity"), (("at", Agg("max", (Col("at"),))),))
        returns = Named("last_returns", last)
    after: list[Expr] = [call("gt", Col("at"), Col("started"))]
    if spec.rolling:
        seconds = ROLLING_DAYS[query.grain] * 86_400
        day: Expr = whole(call("seconds_between", Col("started"), Col("at")), seconds)
        until = call("add_seconds", Col("started"), Lit((spec.last + 1) * seconds, Type.INTEGER, role="last_interval"))
        within = call("lt", Col("at"), until)
    else:
        returns = Project(returns, (*keep(*output(returns)), ("return_bucket", _bucket(query, Col("at"), span))))
        day = call("sub", Col("return_bucket"), Col("bucket"))
        within = call("le", Col("return_bucket"), call("add", Col("bucket"), integer(spec.last)))
    if not spec.is_open:
        after.append(within)
    joined = Join(returns, started, "inner", on=(("entity", "entity"),), where=all_of(after))
    amount = keep("of_amount") if _asks_amount(query) else ()
    return Project(joined, (*keep("entity", "bucket", *(one.name for one in query.by)), ("day", day), *amount))


def _returns(query: BoundQuery, span: Span) -> Plan:
    """entity, at (and of_amount): the return events of a span, copies left out where they would count."""
    spec: Retention = query.metric.spec
    projected: dict[str, Expr] = {"entity": Col(ENTITY), "at": Col(AT)}
    for one in query.measures:
        if one.measured is not None:
            of = Col(one.measured)
            is_float = spec.back.sources[0].properties[one.measured].type is Type.NUMBER
            projected["of_amount"] = call("finite", of) if is_float else of
    # A copy of the start itself, with a later time, would be a return.
    counted = spec.min_occurrences > 1 or _asks_amount(query) or spec.start.overlaps(spec.back)
    marked = counted and any(may_repeat(source) for source in spec.back.sources)
    events = occurrences(query, spec.back, span, projected, marked=marked)
    return Project(Filter(events, Col("first_copy")), keep(*projected)) if marked else events


def _return_span(query: BoundQuery) -> Span:
    """From the first start to the end of the last interval, as far as there is data."""
    spec: Retention = query.metric.spec
    start = query.calendar.start_of(query.first)
    last = query.periods[-1].label
    end = query.data_through + MICROSECOND if spec.is_open else end_of(query, last, spec.last)
    return query.clipped(Span(start, max(start, end)))


# -- time -------------------------------------------------------------------------------------------------------------


def days_after(query: BoundQuery, first: date, buckets: int) -> date:
    """The first day of the bucket so many buckets later."""
    if query.grain in (Grain.DAY, Grain.WEEK):
        return first + buckets * (7 if query.grain is Grain.WEEK else 1) * DAY
    for _ in range(buckets):
        first = query.calendar.next(first, query.grain)
    return first


def end_of(query: BoundQuery, start: date | datetime, interval: int) -> datetime:
    """When an interval is over for everybody who started in a bucket."""
    spec: Retention = query.metric.spec
    assert not isinstance(start, datetime)
    if spec.rolling:
        end = query.calendar.start_of(days_after(query, start, 1))
        return end + (interval + 1) * ROLLING_DAYS[query.grain] * DAY
    return query.calendar.start_of(days_after(query, start, interval + 1))


def _last_over(query: BoundQuery, start: date | datetime) -> int:
    """The number of the last cell that is over for everybody who started in a bucket; -1 if none is."""
    spec: Retention = query.metric.spec
    over = [cell.index for cell in spec.cells if end_of(query, start, cell.index) <= query.data_through]
    return over[-1] if over else -1


def number_of(query: BoundQuery, label: date | datetime) -> int:
    """The number of a bucket, from 0 for the range's first."""
    assert not isinstance(label, datetime)
    days = (label - query.first).days
    match query.grain:
        case Grain.DAY:
            return days
        case Grain.WEEK:
            return days // 7
    months = 12 * (label.year - query.first.year) + label.month - query.first.month
    return months // query.grain.months


def _bucket(query: BoundQuery, at: Expr, span: Span) -> Expr:
    """The number of the bucket that holds an instant of the span, which does not begin before the range."""
    if query.grain in (Grain.DAY, Grain.WEEK):
        days = call("days_between", Lit(query.first, Type.DATE, role="first_day"), local_date(query, at, span))
        return days if query.grain is Grain.DAY else whole(days, 7)
    ends, first = [], query.first
    while query.calendar.start_of(first := query.calendar.next(first, query.grain)) < span.end:
        ends.append(query.calendar.start_of(first))
    return _halved(at, ends, 0)


def _halved(at: Expr, ends: Sequence[datetime], number: int) -> Expr:
    """How many of the ends are not after an instant, by halves: as few comparisons as can be."""
    if not ends:
        return integer(number)
    middle = len(ends) // 2
    before, after = _halved(at, ends[:middle], number), _halved(at, ends[middle + 1 :], number + middle + 1)
    return Case(((call("lt", at, instant(ends[middle], role="bucket_end")), before),), after)


# -- people -----------------------------------------------------------------------------------------------------------


def members(query: BoundQuery) -> Plan:
    """Who started in a bucket, and of these who is retained in a cell or lost; nobody is lost before it is over."""
    spec: Retention = query.metric.spec
    index = query.chosen.get(CELL_CHOICE)
    cell = next((one for one in spec.cells if one.index == index), spec.cells[1])
    start, state = _chosen_start(query, cell), query.chosen.get("state", "retained")
    asked = replace(query, first=start, last=days_after(query, start, 1) - DAY, measures=())
    started = started_of(asked)
    if state == "all":
        return Project(started, keep("entity"))
    day = Col("day")
    inside = all_of([call("ge", day, integer(cell.first)), call("le", day, integer(cell.last))])
    retained = Named("retained", Aggregate(Filter(returned_of(asked, started), inside), keep("entity"), ()))
    if state == "retained":
        return retained
    people = Project(started, keep("entity"))
    beside = Join(people, Project(retained, (("who", Col("entity")),)), "left", on=(("entity", "who"),))
    over = end_of(query, start, cell.index) <= query.data_through
    return Project(Filter(beside, call("is_null", Col("who")) if over else FALSE), keep("entity"))


def _chosen_start(query: BoundQuery, cell: Cell) -> date:
    """The bucket asked for; else the last whose cell is over, or the last of all."""
    labels_ = [one.label for one in query.periods]
    chosen = query.chosen.get("start")
    over = [one for one in labels_ if end_of(query, one, cell.index) <= query.data_through]
    found = chosen if chosen is not None else (over or labels_)[-1]
    assert isinstance(found, date) and not isinstance(found, datetime)
    return found
