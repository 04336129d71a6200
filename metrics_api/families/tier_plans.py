"""The plans of tiers: how many people are in each, what the thresholds are, who went where, and who they are.

Shape: the people of each window by their score are a short histogram, whatever their number; sizes, thresholds and the
distribution are read from it. Only who went where and who they are looks at single people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import pairwise

from metrics_api.families.relations import may_repeat, spine, zero_if_missing
from metrics_api.families.scores import ActiveDayCount, AmountSum, FeatureCount, Scored, scored
from metrics_api.families.tiers import INACTIVE, Percentile, Tiers, bucket_of, last_complete
from metrics_api.families.windows import Window, begun, once_begun
from metrics_api.periods import DAY, Period
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
)
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Plan, Project, Spine, Union, keep
from metrics_api.query.bind import BoundQuery

OF_PERIODS = {"rows", "thresholds", "distribution", "migration"}
SCORE = Col("score")


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    """A plan for each selected part."""
    asked = Asked(query)
    found = {
        "rows": asked.rows,
        "overall": asked.overall,
        "thresholds": asked.thresholds,
        "migration": asked.migration,
        "distribution": asked.distribution,
    }
    return {part: found[part]() for part in query.parts}


def members(query: BoundQuery) -> Plan:
    """The people of a tier, as of a period."""
    return Asked(query).members()


def ranking(query: BoundQuery) -> tuple[Plan, str]:
    """Groups are ranked by their active people as of the last complete bucket."""
    asked = Asked(replace(query, parts=("overall",), measures=()))
    return Aggregate(asked.histogram, keep(*asked.by), (("users", Agg("sum", (Col("users"),))),)), "users"


@dataclass(frozen=True)
class Asked:
    """A question of tiers, and the steps that its parts are made of."""

    query: BoundQuery

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
        if OF_PERIODS & set(self.query.parts):
            return begun(self.query) or self.query.periods[:1]
        return (self.last or self.query.periods[0],)

    @cached_property
    def before(self) -> Period:
        """The bucket before the range."""
        first = self.query.first
        return self.query.calendar.periods(first - 2 * DAY, first - DAY, self.query.grain)[-1]

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        periods = (self.before, *self.periods) if self.needs_people else self.periods
        return tuple(self.spec.window_of(self.query, one) for one in periods)

    def scored(self, windows: Sequence[Window]) -> Scored:
        """What was done in the days of these windows."""
        first, last = windows[0][1], windows[-1][2]
        if self.minds_copies:
            # Which copy of an event is the earliest is judged over the whole range, whatever part of it is asked for.
            first = min(first, self.spec.window_of(self.query, self.before)[1])
        return scored(self.query, self.spec.score, first, last, by_day=len(windows) > 1)

    @property
    def minds_copies(self) -> bool:
        score = self.spec.score
        counts = isinstance(score, AmountSum) or (isinstance(score, ActiveDayCount) and score.at_least > 1)
        return counts and any(may_repeat(source) for source in score.selection.sources)

    # -- people by score ----------------------------------------------------------------------------------------------

    @cached_property
    def people(self) -> Plan:
        """(period, breakdowns, entity, score) of whoever is active."""
        found = self.scored(self.windows).of_people(self.windows, self.query.period_type)
        return Named("scored", self.if_begun(found))

    @cached_property
    def is_graded(self) -> bool:
        """Whether people are counted by their tier at once, and no score is looked at again."""
        parts = set(self.query.parts)
        return not self.spec.are_percentiles and not self.needs_people and "distribution" not in parts

    @cached_property
    def histogram(self) -> Plan:
        """(period, breakdowns, score, users): the people of each window by their score, or at once by their tier."""
        keys = keep("period", *self.by, "score")
        if self.needs_people:
            counted = Aggregate(self.people, keys, (("users", Agg("count_rows")),))
            return Named("by_score", Filter(counted, call("ge", Col("period"), self.label(self.periods[0]))))
        by = self.position(SCORE) if self.is_graded else SCORE
        found = self.scored(self.windows).people_by(by, self.windows, self.query.period_type)
        return Named("by_tier" if self.is_graded else "by_score", self.if_begun(found))

    def if_begun(self, rows: Plan) -> Plan:
        there = begun(self.query) if OF_PERIODS & set(self.query.parts) else self.last
        return rows if there else Filter(rows, FALSE)

    def label(self, period: Period) -> Lit:
        return Lit(period.label, self.query.period_type, role="bucket")

    # -- thresholds ---------------------------------------------------------------------------------------------------

    def position(self, score: Expr) -> Expr:
        """The place of the tier that a score is in, by thresholds that are known beforehand."""
        reached = [self.reaches(score, one.needs, k) for k, one in enumerate(self.spec.tiers, 1)]
        ranked = tuple((condition, integer(k)) for k, condition in enumerate(reached, 1))
        return Case(ranked, integer(len(ranked) + 1))

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
            found = self.histogram
            if self.needs_people:
                found = Aggregate(self.people, keep("period", *self.by, "score"), (("users", Agg("count_rows")),))
            return Named("thresholds", self.quantiles(found, ("period", *self.by)))
        first, last = self.spec.frozen_window()
        windows = ((last, first, last),)
        frozen = scored(self.query, self.spec.score, first, last, by_day=False).people_by(SCORE, windows, Type.DATE)
        return Named("thresholds", self.quantiles(Named("frozen", frozen), self.by))

    def quantiles(self, found: Plan, keys: tuple[str, ...]) -> Plan:
        """The exact continuous percentiles of each group, in whole numbers as far as ranks go: engines that multiply a
        fraction with a number of people can miss a rank that somebody has.
        """
        group = tuple(Col(name) for name in keys)
        through = Over("sum", (Col("users"),), group, (SCORE,), including_current=True)
        people = Over("sum", (Col("users"),), group, ())
        ranked = Named("ranked", Project(found, (*keep(*keys, "score"), ("through", through), ("people", people))))
        percents = [one.needs.n for one in self.spec.tiers if isinstance(one.needs, Percentile)]
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
        """(period, breakdowns, position, users) of the tiers that somebody is in."""
        keys = ("period", *self.by)
        place = SCORE if self.is_graded else self.position(SCORE)
        placed = Project(self.beside_thresholds(self.histogram), (*keep(*keys), ("position", place), *keep("users")))
        return Named("sizes", Aggregate(placed, keep(*keys, "position"), (("users", Agg("sum", (Col("users"),))),)))

    def segments(self, of: Plan) -> Plan:
        return Named("segments", Aggregate(of, keep(*self.by), ()))

    def grid(self, *parts: Plan, of: Plan) -> Plan:
        """All of these side by side, for every group that occurs."""
        found, *others = (*parts, self.segments(of)) if self.by else parts
        for one in others:
            found = Join(found, one, "cross")
        return found

    @property
    def tier_rows(self) -> Spine:
        names = tuple((name, k) for k, name in enumerate(self.spec.names, 1))
        return Spine((("tier", Type.STRING), ("position", Type.INTEGER)), names)

    def rows(self) -> Plan:
        grid = self.grid(spine(self.query), self.tier_rows, of=self.histogram)
        keys = ("period", *self.by)
        return self.shown(Join(grid, self.sizes, "left", on=same(*keys, "position")), keys, once=True)

    def overall(self) -> Plan:
        """As of the last complete bucket; null where there is none."""
        there = call("eq", Col("period"), self.label(self.last)) if self.last else FALSE
        of_last = Filter(self.sizes, there)
        grid = self.grid(self.tier_rows, of=of_last)
        sized = Project(of_last, keep(*self.by, "position", "users"))
        joined = Join(grid, Named("last_sizes", sized), "left", on=same(*self.by, "position"))
        return self.shown(joined, self.by, once=False)

    def shown(self, joined: Plan, keys: tuple[str, ...], *, once: bool) -> Plan:
        """The sizes of tiers, with their share of all active people."""
        kept = keep(*keys, "tier", "position")
        filled = Project(joined, (*kept, ("users", zero_if_missing("users"))))
        people = Over("sum", (Col("users"),), tuple(Col(name) for name in keys), ())
        beside = Project(filled, (*kept, *keep("users"), ("people", people)))
        users: Expr = Col("users")
        share: Expr = call("divide", Col("users"), Col("people"))
        if once:
            users, share = once_begun(self.query, users, Type.INTEGER), once_begun(self.query, share, Type.NUMBER)
        elif self.last is None:
            users, share = Lit(None, Type.INTEGER), Lit(None, Type.NUMBER)
        return Project(beside, (*kept, ("users", users), ("share", share)))

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

    def members(self) -> Plan:
        """The people of the chosen tier as of the chosen period; of no tier all who are active."""
        query, tier = self.query, self.query.chosen.get("tier")
        day = query.chosen.get("period")
        chosen = bucket_of(query, day) if isinstance(day, date) else self.last
        period = chosen if chosen in begun(query) else None
        one = replace(self, query=replace(query, parts=("overall",)))
        windows = (self.spec.window_of(query, period or query.periods[0]),)
        people: Plan = one.scored(windows).of_people(windows, query.period_type)
        people = Named("scored", people if period else Filter(people, FALSE))
        if tier is None:
            return Project(people, keep("entity"))
        if self.spec.are_percentiles:
            counted = Aggregate(people, keep("period", "score"), (("users", Agg("count_rows")),))
            one = Placing(one.query, counted)
        placed = Project(one.beside_thresholds(people), (*keep("entity"), ("position", self.position(SCORE))))
        place = self.spec.names.index(str(tier)) + 1
        return Project(Filter(placed, call("eq", Col("position"), integer(place))), keep("entity"))


@dataclass(frozen=True)
class Placing(Asked):
    """A question whose people by score are known."""

    counted: Plan

    @cached_property
    def histogram(self) -> Plan:
        return self.counted


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
