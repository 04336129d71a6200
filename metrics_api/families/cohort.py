"""`cohort`: people who belong together by what they did and what they are; how many, and who.

Any metric takes one as a filter and as a breakdown (`compile.cohorts`); here it is asked about itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from types import MappingProxyType

from metrics_api.definitions.cohorts import CohortDefinition
from metrics_api.errors import QueryError
from metrics_api.families import families
from metrics_api.families.conditions import Chosen, Cohort, InOrder, Test, resolve_conditions
from metrics_api.families.membership import as_of, condition_of, described, people, question_of
from metrics_api.families.relations import labels, member_column, on_every_period, zero_if_missing
from metrics_api.families.series import PERIOD, table_columns
from metrics_api.families.spells import Spells
from metrics_api.families.windows import begun, has_history, last_day, once_begun
from metrics_api.periods import MICROSECOND, Duration, Grain, Period
from metrics_api.plan.expr import FALSE, Agg, Col, Expr, Lit, Type, all_of, call, columns, integer
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Plan, Project, Spine, Union, keep
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Family, Members, Table
from metrics_api.results import Column
from metrics_api.semantic.model import Metric
from metrics_api.semantic.resolve import Scope

MOST_DAYS = 3_660
MOST_MEMBERS_OF = 100
"""Times that the people behind other metrics are found for one answer."""
TABLES: Mapping[str, Table] = MappingProxyType({
    "rows": Table(
        (PERIOD,),
        (Column("size", Type.INTEGER, nullable=True, description="People in it at the end of the bucket."),),
        "A row for each bucket and group.",
        flagged=True,
    ),
})  # fmt: skip


def resolve(definition: CohortDefinition, scope: Scope) -> Cohort | None:
    return resolve_conditions(definition, scope, definition.entity)


# -- checks -----------------------------------------------------------------------------------------------------------


def check(query: BoundQuery) -> None:
    """Refuses what has no answer, for the cohort and for the metrics whose people it names."""
    spec: Cohort = query.metric.spec
    name = query.metric.name
    if "rows" in query.parts and query.grain is Grain.HOUR:
        raise QueryError(f"{name}: a cohort is as of the end of a day", fix="Ask for `grain: day` or coarser.")
    known = {one.name for one in query.metric.sources[0].attributes.values() if one.entity == query.metric.entity}
    for read in columns(query.where) if query.where is not None else ():
        if read not in known:
            raise QueryError(
                f"{name}: `{read}` says nothing about {query.metric.entity}s as of now",
                fix="The conditions of a cohort say which events count; filter by attributes of people.",
            )
    for one in query.by:
        if not one.cohorts and one.reads not in known:
            raise QueryError(
                f"{name}: `{one.name}` says nothing about {query.metric.entity}s as of now",
                fix="Break a cohort down by attributes of people, or by other cohorts.",
            )
    days = _days(query) if "rows" in query.parts else [query.last]
    if (count := (query.last - query.first).days + 1) > MOST_DAYS and len(days) > 1:
        raise QueryError(f"{name}: {count:,} days; at most {MOST_DAYS:,} are looked at", fix="Ask for a shorter range.")
    chosen = [one for one in spec.leaves if isinstance(one, Chosen)]
    if len(chosen) * len(days) > MOST_MEMBERS_OF:
        raise QueryError(
            f"{name}: the people of {len(chosen)} metrics in each of {len(days)} buckets; at most {MOST_MEMBERS_OF} "
            "times are they found for one answer", fix="Ask for a coarser grain or a shorter range.",
        )  # fmt: skip
    for each in chosen:
        families()[each.metric.type].check(question_of(as_of(query, query.last), each))


# -- plan -------------------------------------------------------------------------------------------------------------


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    by = keep(*(one.name for one in query.by))
    filled = on_every_period(query, _sizes(query))
    size = once_begun(query, zero_if_missing("size"), Type.INTEGER)
    return {"rows": Project(filled, (*keep("period"), *by, ("size", size)))}


def _days(query: BoundQuery) -> list[date]:
    """The last day of each bucket that the data has reached."""
    return [last_day(query, one) for one in begun(query)]


def _sizes(query: BoundQuery) -> Plan:
    """period, breakdowns, size; no row for nobody."""
    spec: Cohort = query.metric.spec
    periods, days = begun(query), _days(query)
    typed = (("period", query.period_type), ("number", Type.INTEGER))
    buckets = Spine(typed, tuple((one.label, number) for number, one in enumerate(periods)))
    by = keep(*(one.name for one in query.by))
    if not periods:
        bucket = Spine((("period", query.period_type),), ((query.periods[0].label,),))
        labelled = ((one.name, Lit(None, Type.STRING)) for one in query.by)
        return Filter(Project(bucket, (*keep("period"), *labelled, ("size", integer(0)))), FALSE)
    moves = Named("moves", _moves(query, spec, days, by))
    passed = Join(buckets, moves, "inner", where=call("le", Col("at"), Col("number")))
    sizes = Aggregate(passed, (*keep("period"), *by), (("size", Agg("sum", (Col("change"),))),))
    return Filter(sizes, call("gt", Col("size"), integer(0)))


def _moves(query: BoundQuery, spec: Cohort, days: Sequence[date], by: tuple[tuple[str, Expr], ...]) -> Plan:
    """at, breakdowns, change: how many more people are in from the bucket of this number on."""
    reads = {one.reads for one in query.by if one.reads} | {member_column(c) for one in query.by for c in one.cohorts}
    shown = labels(query, query.span)
    if len(days) == 1:
        rows = described(replace(query, where=None), people(query, spec), reads)
        return Aggregate(Project(rows, tuple(shown.items())) if shown else rows,
                         (("at", integer(0)), *by), (("change", Agg("count_rows")),))  # fmt: skip
    found = Spells(query, spec, days)
    condition = condition_of(spec, found.holds)
    told = described(query, found.rows, {*columns(condition), *reads})
    inside = Named("inside", Project(
        Filter(told, all_of([condition, query.where])), (*keep("at", "next_at"), *shown.items())
    ))  # fmt: skip
    arriving = Project(inside, (*keep("at"), *by, ("change", integer(1))))
    gone = Filter(inside, call("not_", call("is_null", Col("next_at"))))
    leaving = Project(gone, (("at", Col("next_at")), *by, ("change", integer(-1))))
    return Aggregate(Union((arriving, leaving)), (*keep("at"), *by), (("change", Agg("sum", (Col("change"),))),))


def members(query: BoundQuery) -> Plan:
    """Who is in it as of the end of the range."""
    return people(query, query.metric.spec)


def ranking(query: BoundQuery) -> tuple[Plan, str]:
    """Groups are ranked by their size at the end of the range."""
    (bucket,) = begun(query)[-1:] or query.periods[-1:]
    first, last = (query.calendar.local_date(one) for one in (bucket.start, bucket.end - MICROSECOND))
    sizes = _sizes(replace(query, first=first, last=last))
    return Project(sizes, keep(*(one.name for one in query.by), "size")), "size"


# -- words ------------------------------------------------------------------------------------------------------------


def is_complete(query: BoundQuery, bucket: Period) -> bool:
    """Whether the data reaches the bucket's end, and the beginnings of all windows."""
    spec: Cohort = query.metric.spec
    if bucket.end > query.data_through:
        return False
    day = last_day(query, bucket)
    windows = (one.tally.window.days(day)[0] for one in spec.leaves if isinstance(one, Test) and one.tally.window.moves)
    return all(since is None or has_history(query, since) for since in windows)


def conventions(metric: Metric, within: Duration | None = None) -> tuple[str, ...]:
    return tuple(_words(metric))


def _words(metric: Metric) -> Iterator[str]:
    spec: Cohort = metric.spec
    yield "In it are those for whom its conditions hold at the end of the bucket's last day."
    if any(isinstance(one, Test) and one.tally.window.moves for one in spec.leaves):
        yield "Within so many days: the whole local days that end with that day."
    if any(isinstance(one, InOrder) for one in spec.leaves):
        yield "A sequence may have begun at any time before."
    if spec.is_open:
        people_known = metric.sources[0].entities.get(metric.entity)
        of_table = people_known is not None and people_known.attributes is not None
        everyone = "everyone in the table of" if of_table else "everyone ever seen of the"
        yield f"Who did nothing of what it asks: {everyone} {metric.entity}s is looked at."


def _choices(metric: Metric) -> Mapping[str, tuple[str, ...] | Type]:
    return {}


FAMILY = Family(
    definition=CohortDefinition,
    shape="tables",
    parts=("rows",),
    resolve=resolve,
    selections=lambda spec: spec.events,
    is_engagement=lambda spec: any(one.is_value_moment for one in spec.events),
    measures=lambda metric: (),
    measure=lambda metric, name: None,
    default_measures=(),
    columns=lambda query: table_columns(query, TABLES),
    plan=plan,
    conventions=conventions,
    tables=TABLES,
    members=Members(_choices, members),
    is_complete=is_complete,
    ranking=ranking,
    check=check,
    hidden=True,
    example="""\
engaged_users:
  all_of:
    - {on: videos_watched, at_least: 3, within: 7 days}
""",
)
