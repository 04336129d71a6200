"""From a question to a definite one: objects for names, dates for words. Validity ends here.

`bind` is the last to refuse a user's input; whatever fails later is our bug or the engine's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from metrics_api.definitions.base import with_article
from metrics_api.definitions.bins import bins_problem
from metrics_api.errors import Code, Problem, QueryError, did_you_mean
from metrics_api.periods import DAY, MICROSECOND, Calendar, Duration, Grain, Period, Span, add_months, is_timezone
from metrics_api.plan.expr import Expr, Type
from metrics_api.plan.nodes import Plan
from metrics_api.query.choices import read_choices
from metrics_api.query.dimension import COHORT, Clock, Dimension
from metrics_api.query.filters import Filters
from metrics_api.query.limits import Limits
from metrics_api.query.metric_query import (
    Between,
    CohortAsOf,
    Compare,
    Last,
    MetricQuery,
    Page,
)
from metrics_api.results import Column
from metrics_api.semantic.expressions import (
    ConditionError,
    a,
    personal_refusal,
)
from metrics_api.semantic.model import Metric, Property, SemanticModel, Source, fields_of, personal_of

if TYPE_CHECKING:
    from metrics_api.query.family import Family, Measure

T = TypeVar("T")

LONGEST_WINDOW = timedelta(days=3_660)
MEMBERS, MEMBER_COUNT = "members", "member_count"
"""The parts that tell the people behind a number."""


@dataclass(frozen=True, slots=True)
class BoundQuery:
    """A question with objects instead of names. `first` and `last` are the inclusive dates of whole buckets."""

    metric: Metric
    model: SemanticModel
    calendar: Calendar
    first: date
    last: date
    grain: Grain
    by: tuple[Dimension, ...]
    where: Expr | None
    measures: tuple[Measure, ...]
    parts: tuple[str, ...]
    within: Duration | None
    order: tuple[tuple[str, bool], ...]
    limit: int
    as_of: datetime
    data_through: datetime
    subtotals: bool = False
    all_rows: bool = False
    """Whether nothing is cut, by neither `limit` nor the size of a page (set by whoever streams the answer)."""
    finer: tuple[Dimension, ...] = ()
    """Of a subtotal, the breakdowns of the question it stands beside: `by` begins them (set by the compiler)."""
    compare: Compare | None = None
    ranked: tuple[tuple[str, Plan], ...] = ()
    """For each breakdown with a `top`: its greatest values, one column of them (set by the compiler)."""
    cohort: Metric | None = None
    """Only its people count."""
    cohort_as_of: CohortAsOf = CohortAsOf.RANGE_END
    members: Page = field(default_factory=Page)
    memberships: tuple[tuple[str, Plan], ...] = ()
    """For each cohort of the question the people in it, one column `entity` (set by the compiler)."""

    @property
    def chosen(self) -> Mapping[str, str | int | date]:
        """By what the members are chosen."""
        return dict(self.members.of)

    @property
    def cohorts(self) -> tuple[Metric, ...]:
        """All cohorts that the question names."""
        named = tuple(self.model.cohorts[name] for one in self.by for name in one.cohorts)
        return tuple(dict.fromkeys((self.cohort, *named) if self.cohort else named))

    @property
    def sources(self) -> tuple[Source, ...]:
        """What is read: for the metric, and for the cohorts."""
        return tuple(dict.fromkeys(source for one in (self.metric, *self.cohorts) for source in one.sources))

    @property
    def late_arrival(self) -> timedelta:
        """How long after they happen events may still come."""
        return max((one.late_arrival.elapsed for one in self.sources if one.late_arrival), default=timedelta(0))

    @property
    def periods(self) -> tuple[Period, ...]:
        return self.calendar.periods(self.first, self.last, self.grain)

    @property
    def period_type(self) -> Type:
        return Type.TIMESTAMP if self.grain is Grain.HOUR else Type.DATE

    @property
    def span(self) -> Span:
        """The range in instants, but nothing later than the data reaches: an event from the future never counts."""
        return self.clipped(self.calendar.span(self.first, self.last))

    def clipped(self, span: Span) -> Span:
        return Span(span.start, max(span.start, min(span.end, self.data_through + MICROSECOND)))

    def of_members(self, cohort: Metric) -> BoundQuery:
        """The question who is in a cohort as of the end of the range (RULES 18)."""
        end = min(self.calendar.span(self.first, self.last).end - MICROSECOND, self.data_through)
        day = self.calendar.local_date(end)
        return replace(
            self, metric=cohort, first=day, last=day, grain=Grain.DAY, by=(), where=None, measures=(),
            parts=(MEMBERS,), members=Page(), within=None, order=(), cohort=None, compare=None, subtotals=False,
            finer=(), ranked=(),
        )  # fmt: skip

    def known_through(self, data_through: datetime) -> BoundQuery:
        """The same question, once it is known how far the data reaches."""
        return replace(self, data_through=min(data_through, self.as_of))


def bind(
    query: MetricQuery,
    model: SemanticModel,
    families: Mapping[str, Family],
    *,
    now: datetime,
    limits: Limits,
) -> BoundQuery:
    """The definite question; raises QueryError with every problem found. `now` is naive UTC."""
    return _Binder(query, model, families, now, limits).bound()


class _Binder:
    def __init__(
        self,
        query: MetricQuery,
        model: SemanticModel,
        families: Mapping[str, Family],
        now: datetime,
        limits: Limits,
    ) -> None:
        self.query, self.model, self.limits = query, model, limits
        self.problems: list[Problem] = []
        metric = model.metrics.get(query.metric) or model.cohorts.get(query.metric)
        if metric is None:
            fix = did_you_mean(query.metric, [*model.metrics, *model.cohorts], what="metrics and cohorts")
            raise QueryError(Problem(f"there is no metric `{query.metric}`", fix=fix, code=Code.UNKNOWN_NAME))
        self.metric = metric
        self.families, self.family = families, families[metric.type]
        self.as_of = query.as_of or model.as_of or now
        self.properties = fields_of(metric.sources)
        self.by_written = {one.written: one for one in self.properties.values()}
        self.query = _by_one_name(query, self.by_written)
        self.personal = personal_of(metric.sources)

    def bound(self) -> BoundQuery:
        query = self.query
        calendar = self.calendar()
        grain = query.grain or self.family.grain(self.metric)
        first, last = self.dates(calendar)
        if first > last:
            self.problem(f"the range ends ({last}) before it begins ({first})", "Swap `from` and `to`.")
        elif not date(1900, 1, 1) <= first <= last <= date(2200, 1, 1):
            self.problem(f"the range {first} to {last} leaves the years 1900 to 2199")
        elif (count := calendar.count(first, last, grain)) > self.limits.buckets:
            self.problem(
                f"{first} to {last} by {grain} is about {count:,} buckets; "
                f"at most {self.limits.buckets:,} are answered",
                "Ask for a coarser grain or a shorter range.",
                code=Code.LIMIT_EXCEEDED,
            )
        else:
            first, last = calendar.widen(first, last, grain)
        bound = BoundQuery(
            metric=self.metric,
            model=self.model,
            calendar=calendar,
            first=first,
            last=last,
            grain=grain,
            by=(*self.breakdowns(), *self.by_cohorts()),
            where=self.filter(),
            measures=self.measures(),
            parts=self.parts(),
            within=self.window(),
            order=query.order,
            limit=query.members.first if MEMBERS in query.parts else self.row_limit(),
            as_of=self.as_of,
            data_through=self.as_of,
            subtotals=query.subtotals and bool(query.by),
            compare=self.compared(),
            cohort=self.cohort(query.cohort) if query.cohort is not None else None,
            cohort_as_of=self.cohort_as_of(grain, calendar.count(first, last, grain) if first <= last else 0),
            members=self.members(),
        )
        if not self.problems and not bound.periods:
            self.problem(f"{first} never happened in {calendar.timezone}: the zone skipped that date")
        if not self.problems:
            self.check_columns(bound)
        if self.problems:
            raise QueryError(self.problems)
        self.family.check(bound)
        for one in bound.cohorts:
            self.families[one.type].check(bound.of_members(one))
        return bound

    def problem(self, message: str, fix: str | None = None, code: Code = Code.QUERY_INVALID) -> None:
        self.problems.append(Problem(f"{self.metric.name}: {message}", fix=fix, code=code))

    def calendar(self) -> Calendar:
        zone = self.query.timezone
        if zone is None:
            return self.model.calendar
        if not is_timezone(zone):
            from zoneinfo import available_timezones

            self.problem(f"there is no time zone `{zone}`", did_you_mean(zone, available_timezones(), what="zones"))
            return self.model.calendar
        return replace(self.model.calendar, timezone=zone)

    def dates(self, calendar: Calendar) -> tuple[date, date]:
        today = calendar.local_date(self.as_of)
        match self.query.time or self.family.usual_range(self.metric) or Last(self.model.project.default_range):
            case Between(first, last):
                return first, today if last is None else last
            case Last(duration, exclude_current):
                if not duration.is_whole_days:
                    self.problem(f"`last {duration}` is shorter than a day", "Ask for days, with `grain: hour`.")
                    return today, today
                try:
                    return _last_units(calendar, today, duration, exclude_current=exclude_current)
                except (OverflowError, ValueError):
                    self.problem(f"`last {duration}` begins before there were years", "Ask for a shorter range.")
                    return today, today

    def window(self) -> Duration | None:
        if self.query.within is not None and self.query.within.elapsed > LONGEST_WINDOW:
            self.problem(f"a window of {self.query.within}; at most {LONGEST_WINDOW.days:,} days are looked through")
        return self.query.within

    def breakdowns(self) -> tuple[Dimension, ...]:
        by = self.query.by
        for repeated in sorted({name for name in by if by.count(name) > 1}):
            self.problem(f"`{repeated}` is asked for twice in `by`")
        if len(by) > self.limits.breakdowns:
            self.problem(
                f"{len(by)} breakdowns; at most {self.limits.breakdowns} are answered", code=Code.LIMIT_EXCEEDED
            )
        tops, bins = self.tops(), self.bins()
        found = [self.dimension(name) for name in by]
        return tuple(
            replace(one, top=tops.get(one.name), bins=bins.get(one.name, one.bins)) for one in found if one is not None
        )

    def dimension(self, name: str) -> Dimension | None:
        """The breakdown of that name: a property, else what the local clock says."""
        if (of := self.properties.get(name)) is not None:
            return Dimension(of.name, of.type, of.name, bins=of.bins, description=of.description)
        if name in self.personal:
            refused = personal_refusal(name)
            self.problem(refused.message, refused.fix)
            return None
        if name in set(Clock):
            return Dimension(name, Type.STRING, clock=Clock(name), description=Clock(name).description)
        fix = self.instead_of(name, (*self.properties, *Clock))
        self.problem(f"there is no property `{name}` to break down by", fix, Code.UNKNOWN_NAME)
        return None

    def tops(self) -> dict[str, int]:
        for name, count in self.query.top:
            if name not in self.query.by:
                self.problem(f"the top {count} of `{name}`, which is not a breakdown of the question", f"Add `{name}`.")
            elif not 1 <= count <= self.limits.top:
                self.problem(f"the top {count:,} of `{name}`; it can be 1 to {self.limits.top:,}")
        return dict(self.query.top)

    def bins(self) -> dict[str, tuple[Decimal, ...]]:
        for name, edges in self.query.bins:
            of = self.properties.get(name)
            if name not in self.query.by:
                self.problem(f"bins of `{name}`, which is not a breakdown of the question", f"Add `{name}`.")
            elif of is not None and not of.type.is_numeric:
                self.problem(f"bins of `{name}`, which is {a(of.type)}", "Only numbers have bins.")
            elif len(edges) > self.limits.bins:
                self.problem(f"{len(edges)} edges of bins; at most {self.limits.bins} are read")
            elif wrong := bins_problem(edges):
                self.problem(f"bins of `{name}`: {wrong}", "Give numbers that grow, such as 1, 5, 20.")
        return dict(self.query.bins)

    def cohort(self, name: str) -> Metric | None:
        """The cohort of that name, of whom this metric counts."""
        found = self.model.cohorts.get(name)
        if found is None:
            fix = did_you_mean(name, self.model.cohorts, what="cohorts")
            self.problem(f"there is no cohort `{name}`", fix, Code.UNKNOWN_NAME)
        elif found.entity != self.metric.entity:
            self.problem(f"the cohort `{name}` is one of {found.entity}s; this counts {self.metric.entity}s")
        return found

    def cohort_as_of(self, grain: Grain, buckets: int) -> CohortAsOf:
        """The day of the cohorts. Of each bucket is a question for each, so that there can only be so many."""
        query = self.query
        if query.cohort_as_of is CohortAsOf.RANGE_END:
            return query.cohort_as_of
        if query.cohort is None and not query.by_cohorts:
            self.problem("the day of cohorts is said, and no cohort", "Name one, or leave `cohort_as_of` out.")
        if grain is Grain.HOUR or query.compare is not None:
            other = "compared with an earlier one" if query.compare is not None else "an hour"
            self.problem(f"cohorts as of the end of each bucket, and a bucket is {other}", "Ask for one of them.")
        if buckets > self.limits.cohort_buckets:
            self.problem(
                f"cohorts of each of about {buckets:,} buckets; at most {self.limits.cohort_buckets} are answered",
                "Ask for a coarser grain or a shorter range.",
                code=Code.LIMIT_EXCEEDED,
            )
        return query.cohort_as_of

    def by_cohorts(self) -> tuple[Dimension, ...]:
        names = tuple(dict.fromkeys(self.query.by_cohorts))
        if len(names) > self.limits.cohorts:
            self.problem(
                f"{len(names)} cohorts to break down by; at most {self.limits.cohorts} are answered",
                code=Code.LIMIT_EXCEEDED,
            )
        found = [one.name for name in names if (one := self.cohort(name)) is not None]
        words = "The cohorts asked for, each by itself; people can be in several."
        return (Dimension(COHORT, Type.STRING, description=words, cohorts=tuple(found)),) if found else ()

    def members(self) -> Page:
        """Whom to tell, and what of them; the defaults are the family's."""
        page, asked = self.query.members, {MEMBERS, MEMBER_COUNT} & set(self.query.parts)
        if not asked or self.family.members is None:
            if page != Page() and not asked:
                self.problem("people are chosen, and not asked for", f"Ask for the part `{MEMBERS}`.")
            return page
        if set(self.query.parts) - asked:
            self.problem(f"`{MEMBERS}` beside other parts", "Ask for them by themselves.")
        if self.query.by or self.query.by_cohorts or self.query.compare or self.query.order:
            self.problem(f"the part `{MEMBERS}` is a list of people in order of their ids", "Leave `by` and `order`.")
        if not 1 <= page.first <= self.limits.most_members:
            self.problem(
                f"{page.first:,} members; a page has 1 to {self.limits.most_members:,}", code=Code.LIMIT_EXCEEDED
            )
        of, wrong = read_choices(page.of, self.family.members.choices(self.metric), self.metric.name)
        self.problems += wrong
        return replace(page, of=of, attributes=self.attributes(page.attributes))

    def attributes(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """What is told of a member, by the names of answers: of users `plan` is `user_plan`."""
        entity = self.metric.entity
        known = {one.name: one for one in self.properties.values() if one.entity == entity}
        short = {one.written.partition(".")[2]: name for name, one in known.items()}
        found = []
        for name in names:
            if (asked := short.get(name, name)) in known:
                found.append(asked)
            elif {name, f"{entity}_{name}"} & self.personal:
                self.problem(f"`{name}` is personal: it is not told in this release", "Leave it out.")
            else:
                fix = did_you_mean(name, short, what="attributes")
                self.problem(f"there is no attribute `{name}` of {entity}s", fix, Code.UNKNOWN_NAME)
        return tuple(dict.fromkeys(found))

    def compared(self) -> Compare | None:
        valued = self.family.shape == "series" and self.family.measure(self.metric, "value") is not None
        if self.query.compare is not None and not valued:
            self.problem(
                f"{with_article(self.metric.type)} has no value to compare with an earlier one",
                "Ask for both ranges by themselves.",
            )
        return self.query.compare

    def instead_of(self, name: str, known: Iterable[str]) -> str | None:
        """The remedy for a property that the metric does not have: who lacks it, if others have it."""
        lacking = [one for one in self.metric.sources if name not in {**one.properties, **one.attributes}]
        if len(lacking) == len(self.metric.sources):
            return did_you_mean(name, known, what="properties")
        if not lacking:
            return "Its sources have it with different types."
        inputs = [one for key in self.metric.depends_on if (one := self.model.metrics.get(key))]
        whose = {one.name: next((f" of `{key.name}`" for key in inputs if one in key.sources), "") for one in lacking}
        told = " and ".join(f"`{source}`{metric}" for source, metric in whose.items())
        return f"Only some of its sources have it: {told} {'does' if len(lacking) == 1 else 'do'} not."

    def filter(self) -> Expr | None:
        if self.query.where is None:
            return None
        reader = Filters(self.properties, self.personal, self.limits.choices, self.instead_of)
        try:
            return reader.expression(self.query.where)
        except ConditionError as error:
            self.problem(f"where: {error.message}", error.fix)
            return None

    def measures(self) -> tuple[Measure, ...]:
        found = []
        for name in dict.fromkeys(self.family.default_measures if self.query.measures is None else self.query.measures):
            measure = self.family.measure(self.metric, name)
            if measure is None:
                offered = [one.name for one in self.family.measures(self.metric)]
                fix = did_you_mean(name, offered, what="measures")
                self.problem(f"there is no measure `{name}` on this {self.metric.type} metric", fix, Code.UNKNOWN_NAME)
            else:
                found.append(measure)
        if self.query.compare is not None and not any(one.name == "value" for one in found):
            found[:0] = [value] if (value := self.family.measure(self.metric, "value")) else []
        if not found and not self.problems and self.family.shape == "series" and "overall" in self.query.parts:
            self.problem("an overall without a measure", "Ask for one, such as `value`.")
        return tuple(found)

    def parts(self) -> tuple[str, ...]:
        wanted = self.query.parts or self.family.parts[:1]
        known = (*self.family.parts, *((MEMBERS, MEMBER_COUNT) if self.family.members else ()))
        for name in wanted:
            if name not in known:
                fix = did_you_mean(name, known, what="parts")
                self.problem(f"{with_article(self.metric.type)} metric has no part `{name}`", fix)
        return tuple(dict.fromkeys(wanted))

    def row_limit(self) -> int:
        wanted = self.query.limit
        if wanted is None:
            return self.limits.rows
        if not 1 <= wanted <= self.limits.most_rows:
            self.problem(
                f"a limit of {wanted} rows; it can be 1 to {self.limits.most_rows:,}", code=Code.LIMIT_EXCEEDED
            )
        return wanted

    def check_columns(self, bound: BoundQuery) -> None:
        rows = answer_columns(bound, self.family)[bound.parts[0]]
        names = [column.name for column in rows]
        for clash in sorted({name for name in names if names.count(name) > 1}):
            self.problem(
                f"the column `{clash}` would appear twice", "Rename the property: `other_name: {column: ...}`."
            )
        for name, _ in bound.order:
            if name not in names:
                self.problem(f"cannot order by `{name}`", did_you_mean(name, names, what="columns"))


def _by_one_name(query: MetricQuery, fields: Mapping[str, Property]) -> MetricQuery:
    """The question with every attribute by the name it has in answers: `user.plan` is `user_plan`."""
    names = {written: one.name for written, one in fields.items()}

    def named(pairs: tuple[tuple[str, T], ...]) -> tuple[tuple[str, T], ...]:
        return tuple((names.get(name, name), other) for name, other in pairs)

    by = tuple(names.get(name, name) for name in query.by)
    told = tuple(names.get(name, name) for name in query.members.attributes)
    query = replace(query, members=replace(query.members, attributes=told)) if told else query
    return replace(query, by=by, top=named(query.top), bins=named(query.bins), order=named(query.order))


def answer_columns(query: BoundQuery, family: Family) -> dict[str, tuple[Column, ...]]:
    """The columns of each part of the answer: the family's, and those of a comparison."""
    told = [part for part in query.parts if part in (MEMBERS, MEMBER_COUNT)]
    if told:
        return {part: _member_columns(query)[part] for part in told}
    found = dict(family.columns(query))
    if query.compare is None:
        return found
    for part in ("rows", "overall"):
        if part in found:
            value = next(one for one in found[part] if one.name == "value")
            previous = replace(value, name="previous", nullable=True, description="The value then.")
            change = Column("change", Type.NUMBER, nullable=True, description="Relative to `previous`.")
            found[part] = (*found[part], previous, change)
    return found


def statement_columns(query: BoundQuery, family: Family) -> dict[str, tuple[Column, ...]]:
    """The columns of each part of the statement: those of the answer, unless the family finishes the part."""
    found = answer_columns(query, family)
    if family.finish is None or query.parts[0] in (MEMBERS, MEMBER_COUNT):
        return found
    return found | dict(family.finish.columns(query))


def _member_columns(query: BoundQuery) -> dict[str, tuple[Column, ...]]:
    known = fields_of(query.metric.sources)
    attributes = (known[name] for name in query.members.attributes)
    shown = (Column(one.name, one.type, nullable=True, description=one.description or "") for one in attributes)
    return {
        MEMBERS: (Column("id", Type.STRING, description="Who it is."), *shown),
        MEMBER_COUNT: (Column("users", Type.INTEGER, description="How many they are."),),
    }


def _last_units(calendar: Calendar, today: date, duration: Duration, *, exclude_current: bool) -> tuple[date, date]:
    grain = Grain(duration.unit)
    current = calendar.floor(today, grain)
    if exclude_current:
        current = calendar.floor(current - DAY, grain)
    if grain is Grain.DAY:
        first = current - (duration.n - 1) * DAY
    elif grain is Grain.WEEK:
        first = current - (duration.n - 1) * 7 * DAY
    else:
        first = add_months(current, -(duration.n - 1) * grain.months)
    return first, calendar.next(current, grain) - DAY
