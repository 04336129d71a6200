"""The plans of `drivers`: people by what they scored early and whether they returned later.

Shape: starts and returns are those of retention. What people did is read once for each candidate, finds its start by a
hash join on the person, and is numbered by whole local days since; from there on it is one window of `Scores`. All that
leaves the warehouse is how many people of each score returned: a short list whatever their number, because beyond
`MOST_SCORES` different scores neighbours are put together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property

from metrics_api.families import families
from metrics_api.families.relations import count_if, local_date
from metrics_api.families.returns import Cell, Retention, days_after, end_of, number_of, returned_of, started_of
from metrics_api.families.tiers import Percentile
from metrics_api.periods import DAY
from metrics_api.plan.expr import FALSE, Agg, Case, Col, Expr, Lit, Over, Type, all_of, call, integer, text
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Plan, Project, Scores, Union, keep, output
from metrics_api.query.bind import BoundQuery
from metrics_api.query.scored import Scored
from metrics_api.semantic.model import Metric

MOST_SCORES = 200
"""Different scores of a candidate that are told apart; beyond, people are put together with those next to them."""
COUNTS = {"returned": (0, 1), "lost": (0, 0), "later_returned": (1, 1), "later_lost": (1, 0)}
"""People by whether they are held out, and whether they returned."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A number of single people, and the thresholds that are known before there are people, ascending."""

    name: str
    metric: Metric
    number: str
    thresholds: tuple[float, ...] = ()
    """Those that are written: then no others are tried."""
    tiers: tuple[tuple[str, float | Percentile], ...] = ()
    """By name, the highest first."""

    @property
    def edges(self) -> tuple[float, ...]:
        return self.thresholds or tuple(sorted({at for _, at in self.tiers if isinstance(at, float)}))


@dataclass(frozen=True, slots=True)
class Drivers:
    """What a metric of drivers resolves to. `window` is in local days, that of the start among them."""

    candidates: tuple[Candidate, ...]
    window: int
    outcome: Metric
    cell: Cell
    min_cell: int


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    """A plan for each selected part."""
    asked = Asked(query)
    return {part: asked.summary() if part == "summary" else asked.histogram for part in query.parts}


def ranking(query: BoundQuery) -> tuple[Plan, str]:
    """Groups are ranked by those who started."""
    asked = Asked(query)
    return Aggregate(asked.started, keep(*asked.by), (("people", Agg("count_rows")),)), "people"


@dataclass(frozen=True)
class Asked:
    """A question of drivers, and the steps that its parts are made of."""

    query: BoundQuery

    @property
    def spec(self) -> Drivers:
        spec: Drivers = self.query.metric.spec
        return spec

    @cached_property
    def by(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.query.by)

    @cached_property
    def outcome(self) -> BoundQuery:
        """The question of retention: who started, each person once, and returned in the one cell."""
        query, spec = self.query, self.spec
        retention: Retention = spec.outcome.spec
        # The first start in the range is looked for in the range alone, where starts may recur.
        once = retention.once or not retention.first_time
        one_cell = replace(retention, cells=(spec.cell,), first_time=True, once=once)
        return replace(query, metric=replace(spec.outcome, spec=one_cell), measures=())

    # -- time ---------------------------------------------------------------------------------------------------------

    @cached_property
    def observed(self) -> tuple[date, ...]:
        """The buckets of starts for all of whom the outcome's interval is over."""
        labels = (one.label for one in self.query.periods)
        over = (one for one in labels if end_of(self.outcome, one, self.last_interval) <= self.query.data_through)
        return tuple(one for one in over if not isinstance(one, datetime))

    @property
    def last_interval(self) -> int:
        """The interval with which the outcome is known: of those who may return however late, its own."""
        return self.spec.cell.index

    @cached_property
    def is_observed(self) -> Expr:
        last = number_of(self.query, self.observed[-1]) if self.observed else -1
        return call("le", Col("bucket"), Lit(last, Type.INTEGER, role="last_observed"))

    @cached_property
    def is_held(self) -> Expr:
        """Whether somebody started in the last third of the buckets that are observed: of two, in the second."""
        if len(self.observed) < 2:
            return FALSE
        held = self.observed[-max(len(self.observed) // 3, 1)]
        return call("ge", Col("bucket"), Lit(number_of(self.query, held), Type.INTEGER, role="first_held"))

    @property
    def looked_at(self) -> tuple[date, date]:
        """The local days of all feature windows."""
        first = self.query.first
        until = days_after(self.query, self.observed[-1], 1) if self.observed else first + DAY
        return first, until + (self.spec.window - 2) * DAY

    # -- people -------------------------------------------------------------------------------------------------------

    @cached_property
    def started(self) -> Named:
        return started_of(self.outcome)

    @cached_property
    def people(self) -> Named:
        """(entity, breakdowns, start_day, is_observed, is_held, is_returned): everybody who started, each once."""
        cell, day = self.spec.cell, Col("day")
        inside = all_of([call("ge", day, integer(cell.first)), call("le", day, integer(cell.last))])
        returns = Filter(returned_of(self.outcome, self.started), inside)
        returned = Named("returned_people", Project(Aggregate(returns, keep("entity"), ()), (("who", Col("entity")),)))
        first = Lit(self.query.first, Type.DATE, role="first_day")
        told = {
            "start_day": call("days_between", first, local_date(self.query, Col("started"), self.query.span)),
            "is_observed": _flag(self.is_observed),
            "is_held": _flag(self.is_held),
            "is_returned": _flag(call("not_", call("is_null", Col("who")))),
        }
        beside = Join(self.started, returned, "left", on=(("entity", "who"),))
        return Named("people", Project(beside, (*keep("entity", *self.by), *told.items())))

    @cached_property
    def known(self) -> Named:
        """Those of whom it is known what became of them."""
        kept = keep("entity", *self.by, "start_day", "is_held", "is_returned")
        return Named("known_people", Project(Filter(self.people, _is("is_observed", 1)), kept))

    def summary(self) -> Plan:
        """breakdowns, people, observed, unobserved, held_out, returned, base_rate, horizon."""
        seen = _is("is_observed", 1)
        counts = (
            ("people", Agg("count_rows")),
            ("observed", count_if(seen)),
            ("unobserved", count_if(_is("is_observed", 0))),
            ("held_out", count_if(all_of([seen, _is("is_held", 1)]))),
            ("returned", count_if(all_of([seen, _is("is_returned", 1)]))),
        )
        counted = Named("counted", Aggregate(self.people, keep(*self.by), counts))
        told = (
            ("base_rate", call("divide", Col("returned"), Col("observed"))),
            ("horizon", Lit(horizon(self.query), Type.INTEGER)),
        )
        return Project(counted, (*keep(*self.by, *(name for name, _ in counts)), *told))

    # -- scores -------------------------------------------------------------------------------------------------------

    @cached_property
    def histogram(self) -> Plan:
        """candidate (its place), breakdowns, score (the least of those put together), and the counts of people."""
        done = [self._done(one) for one in self.spec.candidates]
        each = [self._scored(place, one) for place, one in enumerate(done)]
        every = Named("histogram", each[0] if len(each) == 1 else Union(tuple(each)))
        return every if all(map(self._are_few, done)) else self._in_bins(every)

    def _are_few(self, found: Scored) -> bool:
        """Whether there cannot be more scores than are told apart, 0 among them."""
        most = {"days": self.spec.window, "flags": sum(weight for _, weight in found.flags)}.get(found.of)
        return most is not None and most < MOST_SCORES

    def _done(self, candidate: Candidate) -> Scored:
        """What people did on the days of all windows."""
        told = families()[candidate.metric.type].per_entity
        assert told is not None
        asked = replace(self.query, metric=candidate.metric, by=(), measures=(), order=(), within=None)
        return told.done(asked, candidate.number, *self.looked_at)

    def _scored(self, place: int, found: Scored) -> Plan:
        """The people of each score of a candidate; whoever did nothing scores 0."""
        day, since = Col("day"), call("sub", Col("day"), Col("start_day"))
        until = call("add", Col("start_day"), integer(self.spec.window))
        within = all_of([call("ge", day, Col("start_day")), call("lt", day, until)])
        starts = Project(self.known, keep("entity", "start_day"))
        joined = Join(found.rows, starts, "inner", on=(("entity", "entity"),), where=within)
        others = [name for name in output(found.rows) if name not in ("day", "entity")]
        early = Project(joined, (("day", since), *keep("entity", *others)))
        last = self.spec.window - 1
        scores = Scores(
            early, (), ((0, 0, last),), last + 1, found.of, found.flags,
            label_type=Type.INTEGER, distinct=found.distinct,
        )  # fmt: skip
        theirs = Named(f"scores_{place}", Project(scores, keep("entity", "score")))
        beside = Join(self.known, theirs, "left", on=(("entity", "entity"),))
        own = call("sub", Col("score"), integer(found.base)) if found.base else Col("score")
        score = call("divide", call("coalesce", own, integer(0)), integer(found.parts))
        shown = Project(beside, (*keep(*self.by, "is_held", "is_returned"), ("score", score)))
        counts = tuple(
            (name, count_if(all_of([_is("is_held", held), _is("is_returned", returned)])))
            for name, (held, returned) in COUNTS.items()
        )
        counted = Named(f"people_by_score_{place}", Aggregate(shown, keep(*self.by, "score"), counts))
        return Project(counted, (("candidate", integer(place)), *keep(*self.by, "score", *COUNTS)))

    def _in_bins(self, every: Plan) -> Plan:
        """Where there are too many scores: people in order, so many two-hundredths of them together.

        Equal scores stay together, and no threshold parts those who are.
        """
        group = tuple(Col(name) for name in ("candidate", *self.by))
        order, ones = (Col("score"),), integer(1)
        people: Expr = call("add", call("add", Col("returned"), Col("lost")), Col("later_returned"))
        people = call("add", people, Col("later_lost"))
        told: dict[str, Expr] = {
            "place": Over("row_number", (), group, order),
            "before": call("coalesce", Over("sum", (people,), group, order), integer(0)),
            "people": Over("sum", (people,), group, ()),
            "scores": Over("sum", (ones,), group, ()),
        }
        kept = keep("candidate", *self.by, "score", *COUNTS)
        placed = Named("in_order", Project(every, (*kept, *told.items())))
        share = call("divide", call("mul", Col("before"), integer(MOST_SCORES)), Col("people"), text("whole"))
        is_few = call("le", Col("scores"), integer(MOST_SCORES))
        bins = {"bin": Case(((is_few, Col("place")),), share), "segment": self._segment()}
        binned = Named("bins", Project(placed, (*kept, *bins.items())))
        sums = (("score", Agg("min", (Col("score"),))), *((name, Agg("sum", (Col(name),))) for name in COUNTS))
        found = Named("binned", Aggregate(binned, (*keep("candidate", *self.by), *keep(*bins)), sums))
        return Project(found, kept)

    def _segment(self) -> Expr:
        """Between which thresholds known beforehand a score lies."""
        parted: list[tuple[Expr, Expr]] = []
        for place, one in enumerate(self.spec.candidates):
            below = tuple(
                (call("lt", Col("score"), Lit(edge, Type.NUMBER)), integer(k)) for k, edge in enumerate(one.edges)
            )
            if below:
                parted.append((_is("candidate", place), Case(below, integer(len(below)))))
        return Case(tuple(parted), integer(0)) if parted else integer(0)


def horizon(query: BoundQuery) -> int:
    """The most days from the beginning of a bucket of starts until the outcome of all who start in it is known."""
    asked = Asked(query)
    ends = [
        end_of(asked.outcome, one.label, asked.last_interval) - query.calendar.start_of(one.label)
        for one in query.periods
    ]
    return max(-(-one // DAY) for one in ends)


def _is(name: str, value: int) -> Expr:
    return call("eq", Col(name), integer(value))


def _flag(condition: Expr) -> Expr:
    return Case(((condition, integer(1)),), integer(0))
