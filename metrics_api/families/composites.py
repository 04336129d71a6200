"""Composites: what people score from 0 to 100 over several numbers of theirs, and the plans that tell it.

Shape: each component tells its number of every person in every window, and at once the share of the full number that it
is. The shares are put side by side, one row for each person, and weighed. Shares are doubles and are added up in the
order that is written; a score is then a whole number of ten-thousandths, so that no engine's last digit decides who is
in a tier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from metrics_api.families import families
from metrics_api.families.relations import may_repeat, on_every_period, quantile, spine
from metrics_api.families.tier_plans import SCORE, Asked, AsOf, number, quantiles, same
from metrics_api.families.tiers import Ladder, Percentile
from metrics_api.families.tiers import is_complete as has_windows
from metrics_api.families.windows import begun, once_begun
from metrics_api.periods import Period
from metrics_api.plan.expr import FALSE, TRUE, Agg, Case, Col, Expr, Lit, Over, Type, all_of, call, integer, text, whole
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Named_, Plan, Project, Spine, Union, keep
from metrics_api.query.bind import MEMBERS, BoundQuery
from metrics_api.query.family import Measure, PerEntity
from metrics_api.query.scored import Scored
from metrics_api.semantic.model import Metric

UNIT = 10_000
"""Scores are counted in so many parts of a point."""
HALF = Decimal("0.500001")
"""Added before digits are cut off: halves go up, also where doubles come out a hair below."""
BINS = tuple(range(0, 100, 10))


@dataclass(frozen=True, slots=True)
class Component:
    """A number of people's, and how much of the score it is at most."""

    name: str
    metric: Metric
    number: str
    weight: Fraction
    """Of all weights, which are 1 together."""
    full_at: Decimal | Percentile | None
    """The number from which on it counts in full; None where people are ranked instead."""

    @property
    def face(self) -> PerEntity:
        face = families()[self.metric.type].per_entity
        assert face is not None
        return face

    def weighed(self, share: Expr) -> Expr:
        """The share as parts of points."""
        most = round(self.weight * 100 * UNIT, 6)
        return call("mul", number(Decimal(most.numerator) / Decimal(most.denominator)), share)


@dataclass(frozen=True, slots=True)
class Composite(Ladder):
    """What a score resolves to. Its tiers need parts of points."""

    components: tuple[Component, ...]


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    asked = Composed(replace(query, measures=()))
    found = {
        "rows": lambda: asked.averages(query.measures),
        "overall": lambda: asked.last_averages(query.measures),
        "tiers": asked.rows,
        "migration": asked.migration,
        "distribution": asked.bins,
        "components": asked.components,
    }
    return {part: found[part]() for part in query.parts}


def members(query: BoundQuery) -> Plan:
    """The people of a tier, as of a period."""
    return Composed(query).members()


def is_complete(query: BoundQuery, of: Period) -> bool:
    """Whether the whole window is there, and what was done in it can change no more."""
    spec: Composite = query.metric.spec
    return has_windows(query, of) and all(
        one.face.is_settled(replace(query, metric=one.metric), of) for one in spec.components
    )


@dataclass(frozen=True)
class Composed(Asked):
    """A question of a score, and the steps that its parts are made of."""

    @property
    def composite(self) -> Composite:
        spec: Composite = self.query.metric.spec
        return spec

    @cached_property
    def last(self) -> Period | None:
        over = [one for one in begun(self.query) if is_complete(self.query, one)]
        return over[-1] if over else None

    @property
    def minds_copies(self) -> bool:
        return any(may_repeat(source) for source in self.query.metric.sources)

    @cached_property
    def tells_new(self) -> bool:
        return False

    @cached_property
    def tells_known(self) -> bool:
        return False

    @cached_property
    def is_graded(self) -> bool:
        return False

    @property
    def names(self) -> tuple[str, ...]:
        return self.composite.names

    def without_new(self, rows: Plan) -> Plan:
        return rows

    def as_of(self, period: Period, *, has_begun: bool) -> AsOf:
        return ComposedAsOf(replace(self.query, parts=(MEMBERS,)), period, has_begun)

    # -- components ---------------------------------------------------------------------------------------------------

    def done(self, one: Component, first: date, last: date) -> Scored:
        """What was done between two days that a component is made of."""
        return one.face.done(replace(self.query, metric=one.metric), one.number, first, last)

    @cached_property
    def numbers(self) -> tuple[tuple[Scored, Plan], ...]:
        """Of each component (period, breakdowns, entity, score): the numbers of whoever did it."""
        found = []
        for one in self.composite.components:
            done = self.done(one, self.first, self.windows[-1][2])
            people = done.of_people(self.windows, self.query.period_type)
            found.append((done, Named(f"of_{one.name}", self.if_begun(people))))
        return tuple(found)

    @cached_property
    def threshold_keys(self) -> tuple[str, ...]:
        return self.by if self.composite.frozen_at else ("period", *self.by)

    @cached_property
    def thresholds_of(self) -> tuple[Plan | None, ...]:
        """Of each component with a percentile (keys, threshold_1), in the parts of its number."""
        return tuple(
            self._threshold(one, people) if isinstance(one.full_at, Percentile) else None
            for one, (_, people) in zip(self.composite.components, self.numbers, strict=True)
        )

    def _threshold(self, one: Component, people: Plan) -> Plan:
        assert isinstance(one.full_at, Percentile)
        if self.composite.frozen_at is not None:
            first, last = self.composite.frozen_window()
            people = self.done(one, first, last).of_people(((last, first, last),), Type.DATE)
        found = quantiles(_by_score(people, self.threshold_keys), self.threshold_keys, [one.full_at.n])
        return Named(f"full_{one.name}", Project(found, keep(*self.threshold_keys, "threshold_1")))

    def beside(self, rows: Plan, thresholds: Plan) -> Plan:
        keys = self.threshold_keys
        return Join(rows, thresholds, "left", same(*keys)) if keys else Join(rows, thresholds, "cross")

    def _shares(self, k: int) -> Plan:
        """(period, breakdowns, entity, component, share) of whoever has the component."""
        one, (done, people) = self.composite.components[k], self.numbers[k]
        thresholds = self.thresholds_of[k]
        if one.full_at is None:
            rows: Plan = self._ranked(people)
            share: Expr = Col("rank_share")
        elif thresholds is None:
            assert isinstance(one.full_at, Decimal)
            rows, share = people, _part_of(SCORE, number(one.full_at * done.parts))
        else:
            rows, share = self.beside(people, thresholds), _part_of(SCORE, Col("threshold_1"))
        return Project(rows, (*keep("period", *self.by, "entity"), ("component", integer(k)), ("share", share)))

    def _ranked(self, people: Plan) -> Plan:
        """The people with the share of the others that they are above; equals share the middle of their ranks."""
        keys = ("period", *self.by)
        group = tuple(Col(name) for name in keys)
        below = call("coalesce", Over("sum", (Col("users"),), group, (SCORE,)), integer(0))
        everyone = Over("sum", (Col("users"),), group, ())
        counted = Project(
            _by_score(people, keys), (*keep(*keys, "score", "users"), ("below", below), ("people", everyone))
        )
        twice = call("sub", call("add", call("mul", Col("below"), integer(2)), Col("users")), integer(1))
        share = call("divide", twice, call("mul", call("sub", Col("people"), integer(1)), integer(2)))
        alone = Lit(Decimal("0.5"), Type.NUMBER)
        ranks = Project(
            Named("ranked", counted), (*keep(*keys, "score"), ("rank_share", call("coalesce", share, alone)))
        )
        return Join(people, ranks, "inner", same(*keys, "score"))

    # -- people -------------------------------------------------------------------------------------------------------

    @cached_property
    def side_by_side(self) -> Plan:
        """(period, breakdowns, entity, share_0 ...): of everybody the shares, null of what they did not do."""
        count = len(self.composite.components)
        shares = tuple(
            (f"share_{k}", Agg("max", (Col("share"),), call("eq", Col("component"), integer(k)))) for k in range(count)
        )
        every = [self._shares(k) for k in range(count)]
        stacked = Named("shares", every[0] if count == 1 else Union(tuple(every)))
        return Aggregate(stacked, keep("period", *self.by, "entity"), shares)

    @cached_property
    def everybody(self) -> Plan:
        """(period, breakdowns, entity, score, share_0 ...) of whoever did anything; scores in parts of points."""
        shares = tuple(f"share_{k}" for k in range(len(self.composite.components)))
        total: Expr = Lit(HALF, Type.DECIMAL)
        for name, one in zip(shares, self.composite.components, strict=True):
            total = call("add", total, one.weighed(call("coalesce", Col(name), integer(0))))
        kept = keep("period", *self.by, "entity")
        return Named("scored", Project(self.side_by_side, (*kept, ("score", whole(total, 1)), *keep(*shares))))

    @cached_property
    def everybody_by_score(self) -> Plan:
        return Named("by_score", _by_score(self.everybody, ("period", *self.by)))

    @cached_property
    def in_range(self) -> Plan:
        """Everybody of the buckets of the range."""
        if not self.needs_people:
            return self.everybody
        return Filter(self.everybody, call("ge", Col("period"), self.label(self.periods[0])))

    # -- parts --------------------------------------------------------------------------------------------------------

    def averages(self, measures: Sequence[Measure]) -> Plan:
        keys = keep("period", *self.by)
        counted = Named("averaged", Aggregate(self.in_range, keys, self._counted(measures)))
        rows = on_every_period(self.query, counted)
        return Project(rows, (*keys, *((one.name, once_begun(self.query, _told(one), one.type)) for one in measures)))

    def last_averages(self, measures: Sequence[Measure]) -> Plan:
        """As of the last complete bucket; null where there is none."""
        there = call("eq", Col("period"), self.label(self.last)) if self.last else FALSE
        counted = Aggregate(Filter(self.in_range, there), keep(*self.by), self._counted(measures))
        shown = ((one.name, _told(one) if self.last else Lit(None, one.type)) for one in measures)
        return Project(Named("last_averages", counted), (*keep(*self.by), *shown))

    def _counted(self, measures: Sequence[Measure]) -> tuple[Named_, ...]:
        """What the measures are made of, in parts of points."""
        found: dict[str, Expr] = {"count_of_users": Agg("count_rows")}
        for one in measures:
            if one.of == "mean":
                found["sum_of_score"] = Agg("sum", (SCORE,))
            elif one.fraction is not None:
                found[f"of_{one.name}"] = quantile(SCORE, one.fraction)
            elif one.of == "component":
                found[f"of_{one.name}"] = self._points_of(one.measured or "")
        return tuple(found.items())

    def _points_of(self, name: str) -> Agg:
        """The parts of points that a component gives all people, whole ones each, so that sums are exact."""
        k, one = next((k, one) for k, one in enumerate(self.composite.components) if one.name == name)
        points = call("add", one.weighed(call("coalesce", Col(f"share_{k}"), integer(0))), Lit(HALF, Type.DECIMAL))
        return Agg("sum", (whole(points, 1),))

    def bins(self) -> Plan:
        """The people by ten points; those with 100 are among the last."""
        lower = tuple((call("lt", SCORE, integer((one + 10) * UNIT)), integer(one)) for one in BINS[:-1])
        keys = ("period", *self.by)
        shown = Project(self.histogram, (*keep(*keys), ("from_points", Case(lower, integer(BINS[-1]))), *keep("users")))
        counted = Aggregate(shown, keep(*keys, "from_points"), (("users", Agg("sum", (Col("users"),))),))
        grid = self.grid(
            spine(self.query), Spine((("from_points", Type.INTEGER),), tuple((one,) for one in BINS)), of=self.histogram
        )
        joined = Join(grid, Named("binned", counted), "left", on=same(*keys, "from_points"))
        users = once_begun(self.query, call("coalesce", Col("users"), integer(0)), Type.INTEGER)
        return Project(joined, (*keep(*keys, "from_points"), ("users", users)))

    def components(self) -> Plan:
        """What each component gives, whom, and from which number on in full."""
        keys = keep("period", *self.by)
        found: dict[str, Expr] = {"count_of_users": Agg("count_rows")}
        for k, one in enumerate(self.composite.components):
            share = Col(f"share_{k}")
            found |= {f"sum_of_points_{k}": self._points_of(one.name), f"count_of_{k}": Agg("count", (share,))}
            found |= {f"min_of_{k}": Agg("min", (share,)), f"max_of_{k}": Agg("max", (share,))}
        counted = Named("by_component", Aggregate(self.in_range, keys, tuple(found.items())))
        every = Named("of_components", on_every_period(self.query, counted))
        rows = [self._component(k, every) for k in range(len(self.composite.components))]
        return rows[0] if len(rows) == 1 else Union(tuple(rows))

    def _component(self, k: int, every: Plan) -> Plan:
        one, thresholds = self.composite.components[k], self.thresholds_of[k]
        parts = self.numbers[k][0].parts
        if one.full_at is None:
            full: Expr = Lit(None, Type.NUMBER)
            degenerate: Expr = call("eq", Col(f"min_of_{k}"), Col(f"max_of_{k}"))
        elif thresholds is None:
            assert isinstance(one.full_at, Decimal)
            full, degenerate = number(one.full_at), FALSE
        else:
            every = self.beside(every, thresholds)
            full = call("divide", Col("threshold_1"), integer(parts))
            degenerate = call("le", Col("threshold_1"), integer(0))
        if degenerate != FALSE:  # Where nobody did it there is no number to measure people by.
            degenerate = call("coalesce", degenerate, TRUE)
        values: dict[str, tuple[Expr, Type]] = {
            "points": (_points(Col(f"sum_of_points_{k}")), Type.NUMBER),
            "present": (call("coalesce", Col(f"count_of_{k}"), integer(0)), Type.INTEGER),
            "full_at": (full, Type.NUMBER),
            "degenerate": (degenerate, Type.BOOLEAN),
        }
        shown = tuple((name, once_begun(self.query, *value)) for name, value in values.items())
        place = (("component", text(one.name)), ("position", integer(k + 1)))
        return Project(every, (*keep("period", *self.by), *place, *shown))


@dataclass(frozen=True)
class ComposedAsOf(AsOf, Composed):
    """A question of the people of one period, if it has begun."""


def _by_score(people: Plan, keys: tuple[str, ...]) -> Plan:
    return Aggregate(people, keep(*keys, "score"), (("users", Agg("count_rows")),))


def _part_of(amount: Expr, full: Expr) -> Expr:
    """How much of the full amount, from 0 to 1. Where full is nothing or less, anything above 0 is all of it."""
    zero = integer(0)
    there = all_of([call("ge", amount, full), call("gt", amount, zero)])
    part = Case(((there, integer(1)), (call("gt", amount, zero), call("divide", amount, full))), zero)
    return call("coalesce", part, zero)


def _points(parts: Expr) -> Expr:
    """The average of parts of points, in points."""
    return call("divide", parts, call("mul", Col("count_of_users"), integer(UNIT)))


def _told(one: Measure) -> Expr:
    if one.of == "mean":
        return _points(Col("sum_of_score"))
    if one.of == "people":
        return call("coalesce", Col("count_of_users"), integer(0))
    own = Col(f"of_{one.name}")
    return _points(own) if one.of == "component" else call("divide", own, integer(UNIT))
