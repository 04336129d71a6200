"""The plans of tiers: how many people are in each, what the thresholds are, who went where, and who they are.

Shape: the people of each window by their score are a short histogram, whatever their number; sizes, thresholds and the
distribution are read from it. Only who went where and who they are looks at single people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import pairwise

from metrics_api.families.relations import known_people, may_repeat, people_dimensions, spine, zero_if_missing
from metrics_api.families.scores import ActiveDayCount, AmountSum, FeatureCount, first_days, scored
from metrics_api.families.tiers import INACTIVE, Percentile, Tiers, bucket_of, knows_everybody, last_complete, names_of
from metrics_api.families.windows import begun, once_begun
from metrics_api.periods import DAY, Period, Span
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
    any_of,
    call,
    integer,
    negated,
    text,
)
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Named_, Plan, Project, Spine, Union, keep, output
from metrics_api.query.bind import MEMBER_COUNT, MEMBERS, BoundQuery
from metrics_api.query.scored import Scored, Window, numbered
from metrics_api.semantic.model import Metric

IS_ESTABLISHED = call("le", Col("first_seen"), Col("since"))
"""Whether the first event ever is no later than the window's first day."""
IS_KNOWN = call("le", Col("known_day"), Col("until"))
AS_OF = {"overall", MEMBERS, MEMBER_COUNT}
"""The parts that look at one bucket only."""
SCORE = Col("score")


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    """A plan for each selected part."""
    return _parts(Asked(query))


def _parts(asked: Asked) -> Mapping[str, Plan]:
    found = {
        "rows": asked.rows,
        "overall": asked.overall,
        "thresholds": asked.thresholds,
        "migration": asked.migration,
        "distribution": asked.distribution,
    }
    return {part: found[part]() for part in asked.query.parts}


def series(query: BoundQuery) -> Mapping[str, Plan]:
    """The people of tiers side by side, as numbers to calculate with."""
    by = tuple(one.name for one in query.by)
    # Groups that nobody active is in are those of people who are known.
    inactive = bool(by) or any(one.name == INACTIVE for one in query.measures)
    counted = (Agg("sum", (Col("users"),), _is_in(one.name, query.metric)) for one in query.measures)
    wanted = tuple((f"number_{k}", number) for k, number in enumerate(counted, 1))
    return {
        part: Aggregate(Named("tiers", rows), keep(*(("period",) if part == "rows" else ()), *by), wanted)
        for part, rows in _parts(Asked(replace(query, measures=()), tells_inactive=inactive)).items()
    }


def _is_in(name: str, metric: Metric) -> Expr:
    """Whether a row is of the tier of that name; of all active people, if no tier is called so."""
    spec: Tiers = metric.spec
    if name in names_of(metric):
        return call("eq", Col("tier"), text(name))
    return call("le", Col("position"), integer(len(spec.names)))


def members(query: BoundQuery) -> Plan:
    """The people of a tier, as of a period."""
    return Asked(query).members()


def ranking(query: BoundQuery) -> tuple[Plan, str]:
    """Groups are ranked by their active people as of the last complete bucket."""
    last = last_complete(query)
    asked = AsOf(replace(query, parts=("members",), measures=()), last or query.periods[0], last is not None)
    return Aggregate(asked.all_by_score, keep(*asked.by), (("users", Agg("sum", (Col("users"),))),)), "users"


@dataclass(frozen=True)
class Asked:
    """A question of tiers, and the steps that its parts are made of."""

    query: BoundQuery
    tells_inactive: bool = field(default=True, kw_only=True)
    """Whether those who did nothing are told, where they are known."""

    @property
    def spec(self) -> Tiers:
        spec: Tiers = self.query.metric.spec
        return spec

    @cached_property
    def by(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.query.by)

    @cached_property
    def last(self) -> Period | None:
        return last_complete(self.query)

    @cached_property
    def needs_people(self) -> bool:
        return "migration" in self.query.parts

    @cached_property
    def periods(self) -> tuple[Period, ...]:
        """The buckets that are looked at; of a range that has not begun the first stands in, and no row is kept."""
        if set(self.query.parts) - AS_OF:
            return begun(self.query) or self.query.periods[:1]
        return (self.last or self.query.periods[0],)

    @cached_property
    def before(self) -> Period:
        """The bucket before the range."""
        first = self.query.first
        return self.query.calendar.periods(first - 2 * DAY, first - DAY, self.query.grain)[-1]

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        has_begun = bool(begun(self.query))
        periods = (self.before, *self.periods) if self.needs_people and has_begun else self.periods
        return tuple(self.spec.window_of(self.query, one) for one in periods)

    @cached_property
    def tells_new(self) -> bool:
        return self.spec.excludes_new or bool(self.query.measures)

    @cached_property
    def tells_known(self) -> bool:
        """Whether there is a row for people who did nothing."""
        known = self.tells_inactive and knows_everybody(self.query.metric)
        return known and bool({"rows", "overall"} & set(self.query.parts))

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """What people are told apart by beside the breakdowns: since when they are active, and since when known."""
        return (*(("first_seen",) if self.tells_new else ()), *(("known_day",) if self.tells_known else ()))

    @cached_property
    def source(self) -> Scored:
        """What was done in the days of the windows."""
        query, score = self.query, self.spec.score
        first, last = self.first, self.windows[-1][2]
        found = scored(query, score, first, last)
        known = known_people(query, self.span) if self.tells_known else None
        if not self.tells_new:
            return found if known is None else found.beside(known)
        began = first_days(query, score, first, last)
        if known is not None:
            # Everybody who is active has a first day.
            known = Project(known, (("who", Col("entity")), *keep("known_day")))
            began = Project(Join(began, known, "left", (("entity", "who"),)), keep("entity", *self.facts))
        return found.beside(began)

    @cached_property
    def first(self) -> date:
        """The first local day that is looked at, from which days are counted."""
        first = self.windows[0][1]
        if self.minds_copies:
            # Which copy of an event is the earliest is judged over the whole range, whatever part of it is asked for.
            first = min(first, self.spec.window_of(self.query, self.before)[1])
        return first

    @property
    def span(self) -> Span:
        return self.query.clipped(self.query.calendar.span(self.first, self.windows[-1][2]))

    @cached_property
    def bounds(self) -> Spine:
        """(period, since, until): the days of each window, counted from the first of all."""
        typed = (("period", self.query.period_type), ("since", Type.INTEGER), ("until", Type.INTEGER))
        return Spine(typed, numbered(self.windows, self.first))

    def without_new(self, rows: Plan) -> Plan:
        """The rows of people who have been there for their whole window, if others are left out."""
        if not self.spec.excludes_new:
            return rows
        return Project(Filter(self.beside_bounds(rows), IS_ESTABLISHED), keep(*output(rows)))

    def beside_bounds(self, rows: Plan) -> Plan:
        return Join(self.bounds, rows, "inner", on=same("period"))

    @property
    def minds_copies(self) -> bool:
        score = self.spec.score
        counts = isinstance(score, AmountSum) or (isinstance(score, ActiveDayCount) and score.at_least > 1)
        return counts and any(may_repeat(source) for source in score.selection.sources)

    # -- people by score ----------------------------------------------------------------------------------------------

    @cached_property
    def everybody(self) -> Plan:
        """(period, breakdowns, facts, entity, score) of whoever is active."""
        return Named("scored", self.if_begun(self.source.of_people(self.windows, self.query.period_type)))

    @cached_property
    def people(self) -> Plan:
        """The same of those who count."""
        return self.without_new(self.everybody)

    @cached_property
    def is_graded(self) -> bool:
        """Whether people are counted by their tier at once, and no score is looked at again."""
        parts = set(self.query.parts)
        return not self.spec.are_percentiles and not self.needs_people and "distribution" not in parts

    @cached_property
    def everybody_by_score(self) -> Plan:
        """(period, breakdowns, facts, score, users): the people of each window by their score, or at once by tier."""
        if self.needs_people:
            keys = keep("period", *self.by, *self.facts, "score")
            return Named("by_score", Aggregate(self.everybody, keys, (("users", Agg("count_rows")),)))
        by = self.position(SCORE) if self.is_graded else SCORE
        found = self.source.people_by(by, self.windows, self.query.period_type)
        return Named("by_tier" if self.is_graded else "by_score", self.if_begun(found))

    @cached_property
    def all_by_score(self) -> Plan:
        """The same of those who count, of the bucket before the range too where it is looked at."""
        return self.without_new(self.everybody_by_score)

    @cached_property
    def histogram(self) -> Plan:
        """Those of the range."""
        if not self.needs_people:
            return self.all_by_score
        return Filter(self.all_by_score, call("ge", Col("period"), self.label(self.periods[0])))

    def if_begun(self, rows: Plan) -> Plan:
        there = begun(self.query) if set(self.query.parts) - AS_OF else self.last
        return rows if there else Filter(rows, FALSE)

    def label(self, period: Period) -> Lit:
        return Lit(period.label, self.query.period_type, role="bucket")

    # -- thresholds ---------------------------------------------------------------------------------------------------

    def position(self, score: Expr) -> Expr:
        """The place of the tier that a score is in, by thresholds that are known beforehand."""
        reached = [self.reaches(score, one.needs, k) for k, one in enumerate(self.spec.tiers, 1)]
        ranked = tuple((condition, integer(k)) for k, condition in enumerate(reached, 1))
        return Case(ranked, integer(len(ranked) + 1)) if ranked else integer(1)

    def reaches(self, score: Expr, needs: Decimal | Percentile | tuple[int, ...], k: int) -> Expr:
        match needs:
            case tuple():
                return all_of([has_feature(score, 1 << place) for place in needs])
            case Percentile():
                return call("ge", score, Col(f"threshold_{k}"))
            case Decimal():
                return call("ge", score, number(needs))

    @cached_property
    def percentiles(self) -> Plan:
        """(period, breakdowns, people, threshold_1 ...): of all active people of each window, or of the frozen one."""
        if self.spec.frozen_at is None:
            return Named("thresholds", quantiles(self.all_by_score, ("period", *self.by), self.percents))
        first, last = self.spec.frozen_window()
        windows, score = ((last, first, last),), self.spec.score
        source = scored(self.query, score, first, last)
        if self.spec.excludes_new:
            source = source.beside(first_days(self.query, score, first, last))
        frozen: Plan = source.people_by(SCORE, windows, Type.DATE)
        if self.spec.excludes_new:
            frozen = Filter(frozen, call("le", Col("first_seen"), integer(0)))
        return Named("thresholds", quantiles(Named("frozen", frozen), self.by, self.percents))

    @property
    def percents(self) -> list[int]:
        return [one.needs.n for one in self.spec.tiers if isinstance(one.needs, Percentile)]

    def beside_thresholds(self, rows: Plan) -> Plan:
        """The rows of (period, breakdowns), with the thresholds that hold for them."""
        if not self.spec.are_percentiles:
            return rows
        keys = self.by if self.spec.frozen_at else ("period", *self.by)
        if not keys:
            return Join(rows, self.percentiles, "cross")
        return Join(rows, self.percentiles, "left", on=tuple((name, name) for name in keys))

    # -- sizes --------------------------------------------------------------------------------------------------------

    @cached_property
    def sizes(self) -> Plan:
        """(period, breakdowns, position, users, measures) of the tiers that somebody is in."""
        keys = ("period", *self.by)
        place = SCORE if self.is_graded else self.position(SCORE)
        counts = keep("users", *(("first_seen",) if self.query.measures else ()))
        placed: Plan = Project(self.beside_thresholds(self.histogram), (*keep(*keys), ("position", place), *counts))
        users = Agg("sum", (Col("users"),))
        counted: tuple[Named_, ...] = (("users", users),)
        if self.query.measures:
            placed = self.beside_bounds(placed)
            counted = (("users", users), ("newer", Agg("sum", (Col("users"),), negated(IS_ESTABLISHED))))
        return Named("sizes", Aggregate(placed, keep(*keys, "position"), counted))

    @cached_property
    def stock(self) -> Plan:
        """(period, breakdowns by what is known of people, known_users): how many are known as of each window's end."""
        dimensions = people_dimensions(self.query)
        labels = keep(*(one.name for one in dimensions))
        known = known_people(self.query, self.span, dimensions)
        by_day = Aggregate(known, (*labels, *keep("known_day")), (("known_users", Agg("count_rows")),))
        there = Join(self.bounds, Named("known_by_day", by_day), "inner", where=IS_KNOWN)
        found = Aggregate(there, (*keep("period"), *labels), (("known_users", Agg("sum", (Col("known_users"),))),))
        return Named("known_users", self.if_begun(found))

    @cached_property
    def inactive(self) -> Plan:
        """As `sizes`: those who are known and did nothing."""
        keys = ("period", *self.by)
        active = Agg("sum", (Col("users"),), IS_KNOWN)
        both = Aggregate(self.beside_bounds(self.everybody_by_score), keep(*keys), (("known_active", active),))
        grid: Plan = Spine((("period", self.query.period_type),), tuple((one.label,) for one in self.periods))
        if self.by:
            grid = Join(grid, self.groups(self.histogram, self.stock), "cross")
        people = ("period", *(one.name for one in people_dimensions(self.query)))
        counted = Join(grid, self.stock, "left", on=same(*people))
        counted = Join(counted, Named("known_active", both), "left", on=same(*keys))
        users = call("sub", zero_if_missing("known_users"), zero_if_missing("known_active"))
        newer = tuple((one.name, integer(0)) for one in self.query.measures)
        return Project(counted, (*keep(*keys), ("position", integer(len(self.names))), ("users", users), *newer))

    @property
    def names(self) -> tuple[str, ...]:
        return names_of(self.query.metric) if self.tells_known else self.spec.names

    @property
    def every_size(self) -> Plan:
        return Named("every_size", Union((self.sizes, self.inactive))) if self.tells_known else self.sizes

    def groups(self, active: Plan, known: Plan | None = None) -> Plan:
        """The groups that occur. Those that nobody active is in do where all breakdowns are of what is known."""
        found: Plan = Project(active, keep(*self.by))
        if known is not None and len(people_dimensions(self.query)) == len(self.by):
            found = Union((found, Project(known, keep(*self.by))))
        return Named("segments", Aggregate(found, keep(*self.by), ()))

    def grid(self, *parts: Plan, of: Plan, known: Plan | None = None) -> Plan:
        """All of these side by side, for every group that occurs."""
        found, *others = (*parts, self.groups(of, known)) if self.by else parts
        for one in others:
            found = Join(found, one, "cross")
        return found

    @property
    def tier_rows(self) -> Spine:
        names = tuple((name, k) for k, name in enumerate(self.names, 1))
        return Spine((("tier", Type.STRING), ("position", Type.INTEGER)), names)

    def rows(self) -> Plan:
        known = self.stock if self.tells_known else None
        grid = self.grid(spine(self.query), self.tier_rows, of=self.histogram, known=known)
        keys = ("period", *self.by)
        return self.shown(Join(grid, self.every_size, "left", on=same(*keys, "position")), keys, once=True)

    def overall(self) -> Plan:
        """As of the last complete bucket; null where there is none."""
        there = call("eq", Col("period"), self.label(self.last)) if self.last else FALSE
        known = Filter(self.stock, there) if self.tells_known else None
        grid = self.grid(self.tier_rows, of=Filter(self.sizes, there), known=known)
        measures = (one.name for one in self.query.measures)
        sized = Project(Filter(self.every_size, there), keep(*self.by, "position", "users", *measures))
        joined = Join(grid, Named("last_sizes", sized), "left", on=same(*self.by, "position"))
        return self.shown(joined, self.by, once=False)

    def shown(self, joined: Plan, keys: tuple[str, ...], *, once: bool) -> Plan:
        """The sizes of tiers, with their share of all active people."""
        kept = keep(*keys, "tier", "position")
        counts = ("users", *(one.name for one in self.query.measures))
        filled = Project(joined, (*kept, *((name, zero_if_missing(name)) for name in counts)))
        is_active = call("le", Col("position"), integer(len(self.spec.names)))
        active: Expr = Case(((is_active, Col("users")),)) if self.tells_known else Col("users")
        people = Over("sum", (active,), tuple(Col(name) for name in keys), ())
        beside = Project(filled, (*kept, *keep(*counts), ("people", people)))
        share: Expr = call("divide", Col("users"), Col("people"))
        if self.tells_known:
            share = Case(((is_active, share),))
        told: dict[str, tuple[Expr, Type]] = {"users": (Col("users"), Type.INTEGER), "share": (share, Type.NUMBER)}
        told |= {one.name: (Col(one.name), one.type) for one in self.query.measures}
        values = {name: once_begun(self.query, *one) if once else one[0] for name, one in told.items()}
        if not once and self.last is None:
            values = {name: Lit(None, type_) for name, (_, type_) in told.items()}
        return Project(beside, (*kept, *values.items()))

    # -- other parts --------------------------------------------------------------------------------------------------

    def thresholds(self) -> Plan:
        kept = keep("period", *self.by, "tier", "position")
        typed = (("tier", Type.STRING), ("position", Type.INTEGER))
        tiers = self.spec.tiers
        if not self.spec.are_percentiles:
            known = [float(one.needs) if isinstance(one.needs, Decimal) else None for one in tiers]
            rows = tuple((one.name, k, known[k - 1]) for k, one in enumerate(tiers, 1))
            constant = Spine((*typed, ("at_least", Type.NUMBER)), rows)
            grid = self.grid(spine(self.query), constant, of=self.histogram)
            return Project(grid, (*kept, *keep("at_least"), ("degenerate", FALSE)))
        names = Spine(typed, tuple((one.name, k) for k, one in enumerate(tiers, 1)))
        beside = self.beside_thresholds(self.grid(spine(self.query), names, of=self.histogram))
        limits = [Col(f"threshold_{k}") for k in range(1, len(tiers) + 1)]
        few = call("lt", zero_if_missing("people"), integer(len(tiers)))
        same_as = [
            any_of([few, *(call("eq", limit, limits[other]) for other in (k - 1, k + 1) if 0 <= other < len(limits))])
            for k, limit in enumerate(limits)
        ]
        places = [call("eq", Col("position"), integer(k)) for k in range(1, len(limits) + 1)]
        at_least = Case(tuple(zip(places, limits, strict=True)))
        is_degenerate = Case(tuple((at, call("coalesce", one, FALSE)) for at, one in zip(places, same_as, strict=True)))
        told = (
            ("at_least", once_begun(self.query, at_least, Type.NUMBER)),
            ("degenerate", once_begun(self.query, is_degenerate, Type.BOOLEAN)),
        )
        return Project(beside, (*kept, *told))

    def distribution(self) -> Plan:
        keys = keep("period", *self.by)
        shown = Project(self.histogram, (*keys, ("score", self.told_score(SCORE)), *keep("users")))
        return Aggregate(shown, (*keys, *keep("score")), (("users", Agg("sum", (Col("users"),))),))

    def told_score(self, score: Expr) -> Expr:
        """The score as people know it: how many features, where it tells which they were."""
        kind = self.spec.score
        if not isinstance(kind, FeatureCount) or set(kind.weights) == {1}:
            return score
        each = [Case(((has_feature(score, one), integer(1)),), integer(0)) for one in kind.weights]
        first, *others = each
        told: Expr = first
        for one in others:
            told = call("add", told, one)
        return told

    def migration(self) -> Plan:
        """From each bucket to the next, the people by both their tiers; whoever is in none is `inactive`.

        Everybody stands in a bucket's rows for its own `to` and for the `from` of the next one: one grouping, no join
        of people with themselves.
        """
        keys = ("period", *self.by)
        placed = Named(
            "placed",
            Project(self.beside_thresholds(self.people), (*keep(*keys, "entity"), ("position", self.position(SCORE)))),
        )
        nobody = Lit(None, Type.INTEGER)
        labels = (self.before.label, *(one.label for one in self.periods))
        typed = (("period", self.query.period_type), ("following", self.query.period_type))
        following = Spine(typed, tuple(pairwise(labels)))
        left = Join(placed, following, "inner", on=same("period"))
        arrived = Filter(placed, call("ge", Col("period"), self.label(self.periods[0])))
        states = Union(
            (
                Project(
                    left,
                    (
                        ("period", Col("following")),
                        *keep(*self.by, "entity"),
                        ("from_position", Col("position")),
                        ("to_position", nobody),
                    ),
                ),
                Project(arrived, (*keep(*keys, "entity"), ("from_position", nobody), ("to_position", Col("position")))),
            )
        )
        positions = ("from_position", "to_position")
        each = Aggregate(states, keep(*keys, "entity"), tuple((name, Agg("max", (Col(name),))) for name in positions))
        absent = integer(len(self.spec.names) + 1)
        moved = Project(each, (*keep(*keys), *((name, call("coalesce", Col(name), absent)) for name in positions)))
        counted = Named("moved", Aggregate(moved, keep(*keys, *positions), (("users", Agg("count_rows")),)))
        joined = Join(
            self.grid(spine(self.query), *self.pairs, of=counted), counted, "left", on=same(*keys, *positions)
        )
        somewhere = any_of([call("lt", Col(name), absent) for name in positions])
        users = once_begun(self.query, zero_if_missing("users"), Type.INTEGER)
        return Project(Filter(joined, somewhere), (*keep(*keys, "from", "to"), ("users", users)))

    @property
    def pairs(self) -> tuple[Spine, Spine]:
        named = tuple((name, k) for k, name in enumerate((*self.spec.names, INACTIVE), 1))
        return (
            Spine((("from", Type.STRING), ("from_position", Type.INTEGER)), named),
            Spine((("to", Type.STRING), ("to_position", Type.INTEGER)), named),
        )

    def as_of(self, period: Period, *, has_begun: bool) -> AsOf:
        """The question of the people of one period."""
        return AsOf(replace(self.query, parts=(MEMBERS,)), period, has_begun)

    def members(self) -> Plan:
        """The people of the chosen tier as of the chosen period; of no tier all who are active."""
        query, tier = self.query, self.query.chosen.get("tier")
        day = query.chosen.get("period")
        chosen = bucket_of(query, day) if isinstance(day, date) else self.last
        there = chosen is not None and chosen in begun(query)
        asked = self.as_of(chosen if there and chosen else query.periods[0], has_begun=there)
        if tier is None:
            return Project(asked.people, keep("entity"))
        if tier == INACTIVE:
            return asked.absent()
        placed = Project(asked.beside_thresholds(asked.people), (*keep("entity"), ("position", self.position(SCORE))))
        place = self.spec.names.index(str(tier)) + 1
        return Project(Filter(placed, call("eq", Col("position"), integer(place))), keep("entity"))


@dataclass(frozen=True)
class AsOf(Asked):
    """A question of the people of one period, if it has begun."""

    period: Period
    has_begun: bool

    @cached_property
    def needs_people(self) -> bool:
        return True

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        return (self.spec.window_of(self.query, self.period),)

    def if_begun(self, rows: Plan) -> Plan:
        return rows if self.has_begun else Filter(rows, FALSE)

    def absent(self) -> Plan:
        """Those who are known and did nothing."""
        active = Named("active", Project(self.everybody, (("who", Col("entity")),)))
        joined = Join(self.if_begun(known_people(self.query, self.span)), active, "left", on=(("entity", "who"),))
        return Project(Filter(joined, call("is_null", Col("who"))), keep("entity"))


def quantiles(found: Plan, keys: tuple[str, ...], percents: Sequence[int]) -> Plan:
    """The exact continuous percentiles of each group of (keys, score, users): (keys, people, threshold_1 ...).

    In whole numbers as far as ranks go: engines that multiply a fraction with a number of people can miss a rank that
    somebody has.
    """
    group = tuple(Col(name) for name in keys)
    through = Over("sum", (Col("users"),), group, (SCORE,), including_current=True)
    people = Over("sum", (Col("users"),), group, ())
    ranked = Named("ranked", Project(found, (*keep(*keys, "score"), ("through", through), ("people", people))))
    found_here: dict[str, Expr] = {"people": Agg("max", (Col("people"),))}
    for k, n in enumerate(percents, 1):
        # The person at rank (people - 1) * n / 100, counted from 0; and the next one.
        rank = call("mul", call("sub", Col("people"), integer(1)), integer(n))
        past = call("gt", call("mul", Col("through"), integer(100)), rank)
        next_past = call("gt", call("mul", call("sub", Col("through"), integer(1)), integer(100)), rank)
        found_here[f"low_{k}"] = Agg("min", (SCORE,), past)
        found_here[f"high_{k}"] = Agg("min", (SCORE,), next_past)
    neighbours = Named("neighbours", Aggregate(ranked, keep(*keys), tuple(found_here.items())))
    between = tuple((f"threshold_{k}", _between(k, n)) for k, n in enumerate(percents, 1))
    return Project(neighbours, (*keep(*keys, "people"), *between))


def _between(k: int, n: int) -> Expr:
    """The percentile, between two neighbours; exactly the lower one's score where the rank is a whole one."""
    low, high = Col(f"low_{k}"), call("coalesce", Col(f"high_{k}"), Col(f"low_{k}"))
    past = call("mod", call("mul", call("sub", Col("people"), integer(1)), integer(n)), integer(100))
    return call("add", low, call("divide", call("mul", call("sub", high, low), past), integer(100)))


def has_feature(score: Expr, weight: int) -> Expr:
    """Whether a feature of this weight, a power of two, is part of a score: told without bits, by whole numbers of any
    kind."""
    return call("ge", call("mod", score, integer(2 * weight)), integer(weight))


def number(value: Decimal) -> Lit:
    is_whole = value == value.to_integral_value()
    return integer(int(value)) if is_whole else Lit(value, Type.DECIMAL)


def same(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, name) for name in names)
