"""Windows of local days and the people active in them: shared by `active_users` and `stickiness`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from metrics_api.families.relations import AT, ENTITY, is_known, labels, local_date, may_repeat, occurrences
from metrics_api.periods import MICROSECOND, Duration, Period
from metrics_api.plan.expr import Agg, Case, Col, Expr, Lit, Type, all_of, call, integer
from metrics_api.plan.nodes import ActiveDays, Aggregate, Filter, Named, Plan, Project, Scores, keep
from metrics_api.query.bind import BoundQuery
from metrics_api.query.scored import Window, numbered
from metrics_api.semantic.model import Selection
from metrics_api.semantic.resolve import Scope


def check_whole_days(scope: Scope, window: Duration, name: str) -> bool:
    """Whether a window is one of whole local days; a problem when it is not."""
    if not window.is_whole_days:
        scope.problem(f"a window of {window} is not one of whole days", name, fix="Write days, such as `7 days`.")
    return window.is_whole_days


def begun(query: BoundQuery) -> tuple[Period, ...]:
    """The buckets that the data has reached."""
    return tuple(one for one in query.periods if one.start <= query.data_through)


def once_begun(query: BoundQuery, value: Expr, type_: Type) -> Expr:
    """The value of a row's bucket, null in a bucket that has not begun."""
    reached = begun(query)
    if len(reached) == len(query.periods):
        return value
    if not reached:
        return Lit(None, type_)
    last = Lit(reached[-1].label, query.period_type, role="last_begun")
    return Case(((call("le", Col("period"), last), value),))


def last_day(query: BoundQuery, of: Period) -> date:
    """The last local day of a bucket that the data reaches (RULES 6)."""
    return min(query.calendar.local_date(of.end - MICROSECOND), query.calendar.local_date(query.data_through))


def has_history(query: BoundQuery, since: date) -> bool:
    """Whether the sources reach back to a local day, as far as their `history_start` tells."""
    start = query.calendar.start_of(since)
    return all(one.history_start is None or one.history_start <= start for one in query.metric.sources)


@dataclass(frozen=True, slots=True)
class Activity:
    """Who was active when: rows of (day, breakdowns, entity), `day` counted from `first` to `last`.

    With `distinct` one row for each active day, else one for each event.
    """

    query: BoundQuery
    rows: Plan
    first: date
    last: date
    distinct: bool

    def within(self, windows: Sequence[Window], label_type: Type) -> ActiveDays:
        """The people active in each window: (period, breakdowns, users)."""
        by = tuple(one.name for one in self.query.by)
        return ActiveDays(self.rows, by, numbered(windows, self.first), label_type, distinct=self.distinct)

    def by_number_of_days(self, windows: Sequence[Window], label_type: Type) -> Plan:
        """The people of each window by their active days in it: (period, breakdowns, active_days, users)."""
        by = tuple(one.name for one in self.query.by)
        days = (self.last - self.first).days + 1
        found = Scores(
            self.rows, by, numbered(windows, self.first), days, "days", counted=Col("score"), label_type=label_type,
            distinct=self.distinct,
        )  # fmt: skip
        return Project(found, (*keep("period", *by), ("active_days", Col("score")), *keep("users")))


def activity(
    query: BoundQuery, selection: Selection, first: date, last: date, *, at_least: int, distinct: bool = False
) -> Activity:
    """The known people's activity between two local days; a day is active with `at_least` events."""
    span = query.clipped(query.calendar.span(first, last))
    origin = Lit(first, Type.DATE, role="first_day")
    projected = {
        "day": call("days_between", origin, local_date(query, Col(AT), span)),
        **labels(query, span),
        "entity": Col(ENTITY),
    }
    known = is_known(query, Col("entity"))
    # One copy of an event is enough to be active once, not enough to be active twice.
    marked = at_least > 1 and any(may_repeat(source) for source in selection.sources)
    events = occurrences(query, selection, span, projected, marked=marked)
    rows: Plan = Filter(events, all_of([known, Col("first_copy")]) if marked else known)
    keys = keep("entity", *(one.name for one in query.by), "day")
    if at_least > 1:
        counted = Aggregate(rows, keys, (("events", Agg("count_rows")),))
        rows = Named("active_days", Project(Filter(counted, call("ge", Col("events"), integer(at_least))), keys))
    elif distinct:
        rows = Named("active_days", Aggregate(rows, keys, ()))
    return Activity(query, rows, first, last, distinct or at_least > 1)
