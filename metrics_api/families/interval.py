"""`interval`: how long people take to come back: the product usage interval, its curve, and the habit it makes.

Shape: each person's active days (or hours) are put in order once, and one LEAD tells the gap after each
(SQL_SHAPES, family 9). People, their first gap and their median gap follow from that; the curve is counted by length
of the first gap. The product over the curve is computed after the warehouse, exactly: no warehouse multiplies so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from typing import Any, Literal

from pydantic import Field

from metrics_api.definitions.base import Condition, DurationField, MetricDefinition, Selector
from metrics_api.definitions.names import MomentName
from metrics_api.errors import Code, Problem, QueryError
from metrics_api.families.relations import (
    AT,
    ENTITY,
    count_if,
    is_known,
    labels,
    local_date,
    occurrences,
    of_people,
    quantile,
    with_labels_of_people,
)
from metrics_api.families.series import table_columns
from metrics_api.periods import DAY, HOUR, Duration, Span
from metrics_api.plan.expr import TRUE, Agg, Col, Expr, Lit, Over, Type, all_of, call, instant, integer, whole
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Plan, Project, Union, keep
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Family, Finish, Members, Table
from metrics_api.query.metric_query import Last
from metrics_api.results import Column
from metrics_api.semantic.model import Metric, Selection
from metrics_api.semantic.resolve import Scope

MOST_UNITS = 10_000
"""Days or hours of a lookback: as many as there can be rows of the curve."""
DAYS_IN_ZONE: Mapping[str, int | None] = {
    "daily": 1, "weekly": 7, "monthly": 31, "quarterly": 92, "half_yearly": 183, "yearly": 366, "beyond": None,
}  # fmt: skip
"""The longest gap of each habit, in days."""
HOURLY, ONE_TIME = "hourly", "one_time"
"""The habit that only hours make; members who never came back, and so have none."""


class IntervalDefinition(MetricDefinition):
    """How long people take to come back: of those who return and of all, and the habit their gaps make."""

    type: Literal["interval"]
    on: MomentName
    """What coming is: an event, or a value moment."""
    where: Condition | None = None
    """Only events for which this SQL condition is true."""
    unit: Literal["day", "hour"] = "day"
    """What gaps are counted in: local days, or real hours for what is used many times a day."""
    lookback: DurationField = Duration(90, "day")
    """How far back a question looks that names no range; at least three times the answer."""
    follow_up: DurationField | None = None
    """Only people who could be watched for so long since their first time; a third of what is looked at unless said."""
    share: int = Field(default=80, ge=1, le=99)
    """The percentage of people who are to have come back within the interval."""


@dataclass(frozen=True, slots=True)
class Interval:
    selection: Selection
    unit: timedelta
    lookback: Duration
    """In days."""
    follow_up: int | None
    """In units."""
    share: int

    @property
    def word(self) -> str:
        return "day" if self.unit == DAY else "hour"

    @property
    def zones(self) -> Mapping[str, int | None]:
        """The longest gap of each habit, in units."""
        if self.unit == DAY:
            return DAYS_IN_ZONE
        return {HOURLY: 1, **{name: days and days * (DAY // HOUR) for name, days in DAYS_IN_ZONE.items()}}


# -- resolving --------------------------------------------------------------------------------------------------------


def resolve(definition: IntervalDefinition, scope: Scope) -> Interval | None:
    selection = scope.selection(Selector(on=definition.on, where=definition.where))
    unit = DAY if definition.unit == "day" else HOUR
    lookback, followed = definition.lookback, definition.follow_up
    if not lookback.is_whole_days:
        scope.problem(f"a lookback of {lookback} is not one of whole days", "lookback", fix="Write `90 days`.")
    elif (units := lookback.elapsed // unit) > MOST_UNITS:
        told = f"a lookback of {lookback} is {units:,} {definition.unit}s; at most {MOST_UNITS:,} are looked through"
        scope.problem(told, "lookback", fix="Write a shorter one.")
    if followed is not None and followed.elapsed % unit:
        told = f"a follow-up of {followed} is not one of whole {definition.unit}s"
        scope.problem(told, "follow_up", fix=f"Write {definition.unit}s, such as `30 {definition.unit}s`.")
    elif followed is not None and followed.elapsed >= lookback.elapsed:
        told = f"nobody can be followed for {followed} within a lookback of {lookback}"
        scope.problem(told, "follow_up", fix="Write a shorter one, or a longer `lookback`.")
    if selection is None or scope.problems:
        return None
    days = Duration(lookback.elapsed // DAY, "day")
    return Interval(selection, unit, days, followed.elapsed // unit if followed else None, definition.share)


# -- the lookback -----------------------------------------------------------------------------------------------------


def check(query: BoundQuery) -> None:
    spec: Interval = query.metric.spec
    if query.chosen.get("zone") == HOURLY and HOURLY not in spec.zones:
        fix = "Ask for another, or write `unit: hour` in the metric."
        raise QueryError(f"{query.metric.name}: gaps of days make no hourly habit", fix=fix)
    span = query.calendar.span(query.first, query.last)
    if (units := (span.end - span.start) // spec.unit) > MOST_UNITS:
        name, word = query.metric.name, spec.word
        message = (
            f"{name}: {query.first} to {query.last} is {units:,} {word}s; at most {MOST_UNITS:,} are looked through"
        )
        raise QueryError(Problem(message, fix="Ask for a shorter range.", code=Code.LIMIT_EXCEEDED))


def units_over(query: BoundQuery) -> int:
    """How many days (hours) of the range are over by data through: what is looked at."""
    spec: Interval = query.metric.spec
    span = query.span
    if spec.unit == HOUR:
        return max(min(span.end, query.data_through) - span.start, timedelta(0)) // HOUR
    day = min(query.last, query.calendar.local_date(query.data_through))
    while day >= query.first and query.calendar.start_of(day + DAY) > query.data_through:
        day -= DAY
    return max((day - query.first).days + 1, 0)


def looked_at(query: BoundQuery) -> Span:
    """The instants of these units."""
    spec: Interval = query.metric.spec
    start, units = query.span.start, units_over(query)
    if spec.unit == HOUR:
        return Span(start, start + units * HOUR)
    return Span(start, max(start, query.calendar.start_of(query.first + units * DAY)))


def least_follow_up(query: BoundQuery) -> int:
    """The units that people are watched for at least, since their first."""
    spec: Interval = query.metric.spec
    return spec.follow_up if spec.follow_up is not None else max(units_over(query) // 3, 1)


def _last_unit(query: BoundQuery) -> Lit:
    return Lit(units_over(query) - 1, Type.INTEGER, role="last_unit")


# -- people and their gaps --------------------------------------------------------------------------------------------


def _events(query: BoundQuery, projected: Mapping[str, Expr]) -> Plan:
    """The known people's events in the units that are looked at."""
    spec: Interval = query.metric.spec
    events = occurrences(query, spec.selection, looked_at(query), {"entity": Col(ENTITY), **projected})
    return Filter(events, is_known(query, Col("entity")))


def _visits(query: BoundQuery) -> Plan:
    """entity, day, following: each active unit of a person, and the next one."""
    spec: Interval = query.metric.spec
    span = looked_at(query)
    start = instant(span.start, role="range_start")
    day: Expr = whole(call("seconds_between", start, Col(AT)), 3_600)
    if spec.unit == DAY:
        first = Lit(query.first, Type.DATE, role="first_day")
        day = call("days_between", first, local_date(query, Col(AT), span))
    active = Named("active_days", Aggregate(_events(query, {"day": day}), keep("entity", "day"), ()))
    following = Over("lead", (Col("day"),), (Col("entity"),), (Col("day"),))
    return Named("visits", Project(active, (*keep("entity", "day"), ("following", following))))


GAP = call("sub", Col("following"), Col("day"))


def _people(query: BoundQuery, visits: Plan) -> Plan:
    """entity, first_day, first_gap, median_gap, breakdowns: those who count; gaps are null of who never returned."""
    told = (
        ("first_day", Agg("min", (Col("day"),))),
        ("second_day", Agg("min", (Col("following"),))),
        ("median_gap", quantile(GAP, "0.5")),
    )
    each = Aggregate(visits, keep("entity"), told)
    followed = call("sub", _last_unit(query), Lit(least_follow_up(query), Type.INTEGER, role="follow_up"))
    counted = Filter(Named("rhythms", each), call("le", Col("first_day"), followed))
    first_gap = ("first_gap", call("sub", Col("second_day"), Col("first_day")))
    return Named("people", _labelled(query, Project(counted, (*keep("entity", "first_day", "median_gap"), first_gap))))


def _labelled(query: BoundQuery, rows: Plan) -> Plan:
    """Rows of people (`entity`) with their breakdowns: attributes, and the labels of their first event.

    Of events at the same instant each label is the least.
    """
    late = of_people(query)
    early = tuple(one for one in query.by if one not in late)
    if early:
        shown = labels(replace(query, by=early), looked_at(query))
        names = tuple(shown)
        events = _events(query, {"at": Col(AT), **shown})
        instants = Aggregate(events, keep("entity", "at"), tuple((name, Agg("min", (Col(name),))) for name in names))
        first = tuple((name, Agg("first_by", (Col(name), Col("at")))) for name in names)
        found = Named("first_events", Aggregate(instants, keep("entity"), first))
        rows = Join(rows, found, "inner", on=(("entity", "entity"),))
    return with_labels_of_people(query, rows, late) if late else rows


# -- parts ------------------------------------------------------------------------------------------------------------


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    visits = _visits(query)
    people = _people(query, visits)

    def of(part: str) -> Plan:
        match part:
            case "summary":
                return _summary(query, people)
            case "curve":
                return _curve(query, people)
        return _histogram(query, visits, people)

    return {part: of(part) for part in query.parts}


def _curve(query: BoundQuery, people: Plan) -> Plan:
    """breakdowns, after, at_risk, returned, censored: where anybody returned or could be watched no longer."""
    by = keep(*(one.name for one in query.by))
    watched = call("sub", _last_unit(query), Col("first_day"))
    after = call("coalesce", Col("first_gap"), watched)
    never = call("is_null", Col("first_gap"))
    counts = (("returned", Agg("count", (Col("first_gap"),))), ("censored", count_if(never)))
    counted = Named("first_returns", Aggregate(people, (*by, ("after", after)), counts))
    leaving = call("add", Col("returned"), Col("censored"))
    group = tuple(expr for _, expr in by)
    at_risk = Over("sum", (leaving,), group, (Col("after"),), frozenset((0,)), including_current=True)
    return Project(counted, (*keep("after"), *by, ("at_risk", at_risk), *keep("returned", "censored")))


def _summary(query: BoundQuery, people: Plan) -> Plan:
    """The rows of the curve, and for each group one more (`after` is null): the median of its people's median gaps."""
    by = keep(*(one.name for one in query.by))
    curve = _curve(query, people)
    nothing = Lit(None, Type.INTEGER)
    median = (("median_gap", quantile(Col("median_gap"), "0.5")),)
    whole_group = Project(
        Aggregate(people, by, median),
        (("after", nothing), *by, ("at_risk", nothing), ("returned", nothing), ("censored", nothing),
         *keep("median_gap")),
    )  # fmt: skip
    told = keep("after", *(name for name, _ in by), "at_risk", "returned", "censored")
    return Union((whole_group, Project(curve, (*told, ("median_gap", Lit(None, Type.NUMBER))))))


def _histogram(query: BoundQuery, visits: Plan, people: Plan) -> Plan:
    """gap, breakdowns, gaps, users: how many gaps are so long, and how many people's median gap is up to so long."""
    by = keep(*(one.name for one in query.by))
    returned = Filter(visits, call("not_", call("is_null", Col("following"))))
    theirs = Join(returned, Project(people, (*keep("entity"), *by)), "inner", on=(("entity", "entity"),))
    each = Aggregate(theirs, (("gap", GAP), *by), (("gaps", Agg("count_rows")),))
    # Medians are whole or halves: the whole number that is not below one is half of twice it and one, rounded down.
    twice = call("add", call("mul", Col("median_gap"), integer(2)), integer(1))
    returning = Filter(people, call("not_", call("is_null", Col("median_gap"))))
    medians = Aggregate(returning, (("gap", whole(twice, 2)), *by), (("users", Agg("count_rows")),))
    beside = tuple(name for name, _ in by)
    both = Union(
        (
            Project(each, (*keep("gap", *beside, "gaps"), ("users", integer(0)))),
            Project(medians, (*keep("gap", *beside), ("gaps", integer(0)), *keep("users"))),
        )
    )
    sums = tuple((name, Agg("sum", (Col(name),))) for name in ("gaps", "users"))
    return Aggregate(both, keep("gap", *beside), sums)


def ranking(query: BoundQuery) -> tuple[Plan, str]:
    """The groups by their people."""
    by = keep(*(one.name for one in query.by))
    return Aggregate(_people(query, _visits(query)), by, (("users", Agg("count_rows")),)), "users"


def members(query: BoundQuery) -> Plan:
    """Those whose own median gap lies in a habit zone, or who never returned; unless one is chosen all who count."""
    spec: Interval = query.metric.spec
    people = _people(query, _visits(query))
    return Project(Filter(people, _in_zone(spec, query.chosen.get("zone"))), keep("entity"))


def _in_zone(spec: Interval, zone: object) -> Expr:
    median = Col("median_gap")
    if zone is None:
        return TRUE
    if zone == ONE_TIME:
        return call("is_null", median)
    names = list(spec.zones)
    below = [spec.zones[name] for name in names[: names.index(str(zone))]][-1:]
    longest = spec.zones[str(zone)]
    return all_of(
        [
            call("not_", call("is_null", median)),
            *(call("gt", median, integer(one)) for one in below if one is not None),
            *(call("le", median, integer(one)) for one in (longest,) if one is not None),
        ]
    )


# -- after the warehouse ----------------------------------------------------------------------------------------------

Row = Mapping[str, Any]


def finished(query: BoundQuery, part: str, rows: Sequence[Row]) -> list[Row]:
    """The rows of the answer, made of the counts of each group."""
    names = [one.name for one in query.by]

    def group(row: Row) -> tuple[str, ...]:
        return tuple(row[name] for name in names)

    found: list[Row] = []
    for key, some in groupby(sorted(rows, key=lambda row: (group(row), row["after"] or 0)), group):
        mine = list(some)
        curve = _with_shares([row for row in mine if row["after"] is not None])
        if part == "curve":
            found += curve
        else:
            (median,) = (row["median_gap"] for row in mine if row["after"] is None)
            found.append({**dict(zip(names, key, strict=True)), **_told(query, curve, median)})
    return found


def _with_shares(curve: Sequence[Row]) -> list[Row]:
    """The rows of one group's curve, in order, with who has returned by then: of all, and of those who ever do.

    Of all it is 1 less the product of (1 - returned / at risk), by Kaplan and Meier. Of that product the nearest float
    is told: it is a quotient of whole numbers, in which whoever stays cancels out until somebody is censored.
    """
    returners = sum(row["returned"] for row in curve)
    staying = below = curve[0]["at_risk"] if curve else 0
    above, so_far = 1, 0
    found: list[Row] = []
    for row in curve:
        if row["at_risk"] != staying:
            above, below = above * staying, below * row["at_risk"]
        staying = row["at_risk"] - row["returned"]
        so_far += row["returned"]
        gone = (below - above * staying, below)
        found.append(
            {
                **row,
                "share_of_all": gone[0] / gone[1],
                "share_of_returners": so_far / returners if returners else None,
                "of_all": gone,
                "of_returners": (so_far, returners),
            }
        )
    return found


def _told(query: BoundQuery, curve: Sequence[Row], median: float | None) -> Row:
    spec: Interval = query.metric.spec
    units = units_over(query)
    of_returners, of_all = (_reached(curve, name, spec.share) for name in ("of_returners", "of_all"))
    longest = max((one for one in (of_returners, of_all) if one is not None), default=None)
    return {
        "users": sum(row["returned"] + row["censored"] for row in curve),
        "returners": sum(row["returned"] for row in curve),
        "interval_of_returners": of_returners,
        "interval_of_all": of_all,
        "median_gap": median,
        "zone": _zone(spec, median),
        "lookback": units,
        "lookback_too_short": None if longest is None else 3 * longest > units,
    }


def _reached(curve: Sequence[Row], name: str, share: int) -> int | None:
    """After how long a share, a pair of whole numbers, first is so many percent; null if it never is."""
    quotients = ((row["after"], *row[name]) for row in curve)
    return next((after for after, part, all_ in quotients if all_ and 100 * part >= share * all_), None)


def _zone(spec: Interval, median: float | None) -> str | None:
    if median is None:
        return None
    return next(name for name, longest in spec.zones.items() if longest is None or median <= longest)


# -- answers ----------------------------------------------------------------------------------------------------------

AFTER = Column("after", Type.INTEGER, description="Days (or hours) since the first one a person was active on.")
COUNTS = (
    Column("at_risk", Type.INTEGER, description="People watched for so long who had not returned before."),
    Column("returned", Type.INTEGER, description="Of these, people who returned just then."),
    Column("censored", Type.INTEGER, description="Of these, people who could not be watched any longer."),
)
MEDIAN_GAP = Column(
    "median_gap", Type.NUMBER, nullable=True, description="The median of the median gaps of those who returned."
)
TABLES = {
    "summary": Table(
        (),
        (
            Column("users", Type.INTEGER, description="People who were active and could be watched for long enough."),
            Column("returners", Type.INTEGER, description="Of these, people who returned."),
            Column(
                "interval_of_returners",
                Type.INTEGER,
                nullable=True,
                description="Days (or hours) within which the share of returners returned.",
            ),
            Column(
                "interval_of_all",
                Type.INTEGER,
                nullable=True,
                description="Days (or hours) within which the share of all returns; null if it is never reached.",
            ),
            MEDIAN_GAP,
            Column("zone", Type.STRING, nullable=True, description="The habit that `median_gap` makes."),
            Column("lookback", Type.INTEGER, description="Days (or hours) that were looked at: those that are over."),
            Column(
                "lookback_too_short",
                Type.BOOLEAN,
                nullable=True,
                description="Whether that is less than three times the longer interval; null without any.",
            ),
        ),
        "A row for each group.",
    ),
    "curve": Table(
        (AFTER,),
        (
            *COUNTS,
            Column("share_of_all", Type.NUMBER, description="Who has returned by then, by Kaplan and Meier."),
            Column(
                "share_of_returners", Type.NUMBER, nullable=True, description="The same, of those who ever returned."
            ),
        ),
        "A row for each time after the first at which anybody returned or could be watched no longer.",
    ),
    "gaps": Table(
        (Column("gap", Type.INTEGER, description="Days (or hours) from one on which a person is active to the next."),),
        (
            Column("gaps", Type.INTEGER, description="Gaps that are so long."),
            Column("users", Type.INTEGER, description="People whose median gap is so long, halves rounded up."),
        ),
        "A row for each length of gaps.",
    ),
}
COUNTED = {
    "summary": Table((replace(AFTER, nullable=True),), (*COUNTS, MEDIAN_GAP), "The curve, and a row for the median."),
    "curve": Table((AFTER,), COUNTS, "The counts of the curve."),
}
"""What the statement tells of the parts that are finished after it."""


def counted(query: BoundQuery) -> Mapping[str, tuple[Column, ...]]:
    parts = tuple(part for part in query.parts if part in COUNTED)
    return table_columns(replace(query, parts=parts), COUNTED)


def conventions(metric: Metric, within: Duration | None = None) -> tuple[str, ...]:
    spec: Interval = metric.spec
    word = "local day" if spec.unit == DAY else "real hour"
    followed = f"{spec.follow_up} {spec.word}s" if spec.follow_up else "a third of it"
    return (
        f"The range is looked through as far as it is over. A gap: from one active {word} to the next.",
        f"Counted: people whose first active {word} in it is at least {followed} before its end.",
        f"Intervals: within which {spec.share} % return, of those who do, and of all by Kaplan and Meier.",
    )


FAMILY = Family(
    definition=IntervalDefinition,
    shape="tables",
    parts=tuple(TABLES),
    resolve=resolve,
    selections=lambda spec: (spec.selection,),
    is_engagement=lambda spec: spec.selection.is_value_moment,
    measures=lambda metric: (),
    measure=lambda metric, name: None,
    default_measures=(),
    columns=lambda query: table_columns(query, TABLES),
    plan=plan,
    conventions=conventions,
    tables=TABLES,
    members=Members(lambda metric: {"zone": (HOURLY, *DAYS_IN_ZONE, ONE_TIME)}, members, fixed=("zone",)),
    ranking=ranking,
    check=check,
    usual_range=lambda metric: Last(metric.spec.lookback, exclude_current=True),
    finish=Finish(counted, finished),
    example="""\
rhythm:
  type: interval
  on: videos_watched
  lookback: 90 days
""",
)
