"""`drivers`: which definition of a power user tells who will still be there later.

Of the people who started, what each scored in the first days is held against whether they returned in a later period:
for each candidate and threshold the fourfold table and its statistics, computed of the warehouse's counts. The plans
are in `driver_plans`, what is told of the counts in `driver_findings`, the statistics in `association`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from metrics_api.definitions.base import Definition, DurationField, MetricDefinition
from metrics_api.definitions.names import Identifier, MetricName
from metrics_api.definitions.refusal import Refusal
from metrics_api.errors import Code, QueryError, did_you_mean
from metrics_api.families import families
from metrics_api.families.driver_findings import MOST_THRESHOLDS, finished
from metrics_api.families.driver_plans import COUNTS, Candidate, Drivers, plan, ranking
from metrics_api.families.returns import ROLLING_DAYS, Cell, Retention
from metrics_api.families.series import table_columns
from metrics_api.families.tiers import Percentile, Tiers
from metrics_api.periods import Duration, Grain, add_months
from metrics_api.plan.expr import Type
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Family, Finish, Table
from metrics_api.query.metric_query import Last
from metrics_api.results import Column
from metrics_api.semantic.model import Metric, Selection
from metrics_api.semantic.resolve import Scope

MOST_CANDIDATES = 20
USUAL_STARTS = {Grain.DAY: 90, Grain.WEEK: 26, Grain.MONTH: 12, Grain.QUARTER: 8, Grain.YEAR: 5}
"""The buckets of starts that can be observed, in the range of a question that names none."""


# -- definitions ------------------------------------------------------------------------------------------------------


def _number(written: object) -> object:
    if isinstance(written, int | float) and not isinstance(written, bool) and abs(written) < 1e15:
        return Decimal(str(written))
    if isinstance(written, Decimal):
        return written
    raise Refusal(f"expected a number, found `{written}`", "Write a number, such as `3`.")


class CandidateDefinition(Definition):
    """What may tell who returns: a number of single people."""

    shorthand = "metric"

    metric: MetricName
    """A metric that tells of single people: usage, value_moment, frequency, breadth, depth, sessions or funnel."""
    measure: Identifier | None = None
    """Which of its numbers, such as `minutes` of sessions; the first unless said."""
    thresholds: tuple[Annotated[Decimal, BeforeValidator(_number)], ...] | None = None
    """The thresholds that are tried, ascending; unless said those of its tiers, and scores that occur."""

    @classmethod
    def noun(cls) -> str:
        return "a candidate"


class OutcomeDefinition(Definition):
    """What is to be told: whether people return in a period."""

    metric: MetricName
    """A metric of retention: who starts, and what returning is."""
    period: int = Field(ge=0)
    """The period after the start, as the metric counts them; of brackets a bracket's last."""

    @classmethod
    def noun(cls) -> str:
        return "an outcome"


class DriversDefinition(MetricDefinition):
    """Which early habits go with returning later: candidates, thresholds, how well each tells. Not what causes it."""

    type: Literal["drivers"]
    candidates: tuple[CandidateDefinition, ...]
    """What is tried: metrics, or `{metric: NAME, measure: NAME, thresholds: [1, 3]}`."""
    feature_window: DurationField
    """The local days that candidates look at, from that of the start on; over before the outcome can begin."""
    outcome: OutcomeDefinition
    """What is to be told: `{metric: weekly_retention, period: 4}`."""
    min_cell: int = Field(default=30, ge=1, le=1_000_000)
    """The fewest people of each of the four kinds; of less nothing is told."""


# -- resolving --------------------------------------------------------------------------------------------------------


def resolve(definition: DriversDefinition, scope: Scope) -> Drivers | None:
    if not 1 <= (count := len(definition.candidates)) <= MOST_CANDIDATES:
        told = "there are no candidates" if not count else f"{count} candidates; at most {MOST_CANDIDATES} are tried"
        scope.problem(told, "candidates", fix="Name metrics, such as `[watch_frequency]`." if not count else None)
    found = [_candidate(scope, one, place) for place, one in enumerate(definition.candidates)]
    candidates = [one for one in found if one is not None]
    for place, one in enumerate(found):
        if one is not None and any(_is_same(one, other) for other in found[:place]):
            scope.problem(f"`{one.name}` is a candidate already", "candidates", place, fix="Name it once.")
    outcome, cell = _outcome(scope, definition.outcome)
    for name, path in _named(definition):
        metric = scope.metric(name)
        if metric is not None and metric.entity != definition.entity:
            fix = f"Write `entity: {metric.entity}`, if all of its metrics count {metric.entity}s."
            scope.problem(f"`{name}` counts {metric.entity}s, and this {definition.entity}s", *path, fix=fix)
    window = definition.feature_window
    if window.unit not in ("day", "week"):
        told = f"a feature window of {window} is not one of as many local days for everybody"
        scope.problem(told, "feature_window", fix="Write days or weeks, such as `14 days`.")
    elif outcome is not None and cell is not None:
        lapping = overlap(candidates, window.day_counts[1], outcome, cell, outcome.spec.grain)
        if lapping is not None:
            scope.problem(lapping.told, "feature_window", fix=lapping.fix)
    if outcome is None or cell is None or scope.problems or len(candidates) < len(found):
        return None
    return Drivers(tuple(candidates), window.day_counts[1], outcome, cell, definition.min_cell)


def _is_same(one: Candidate, other: Candidate | None) -> bool:
    return other is not None and (one.metric, one.number) == (other.metric, other.number)


def _named(definition: DriversDefinition) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """The metrics it is made of, and where it names them."""
    yield definition.outcome.metric, ("outcome", "metric")
    for place, one in enumerate(definition.candidates):
        yield one.metric, ("candidates", place, "metric")


def _candidate(scope: Scope, written: CandidateDefinition, place: int) -> Candidate | None:
    metric = scope.metric(written.metric)
    if metric is None:  # What is wrong with it is told where it stands.
        return None
    path, told = ("candidates", place), families()[metric.type].per_entity
    if told is None:
        able = sorted(name for name, one in families().items() if one.per_entity is not None)
        message = f"`{metric.name}` is {metric.definition.noun()}, which tells no number of single people"
        scope.problem(message, *path, "metric", fix=f"Name a metric of type {', '.join(able[:-1])} or {able[-1]}.")
        return None
    numbers = told.numbers(metric)
    usual = next(iter(numbers))
    number = written.measure or usual
    if number not in numbers:
        fix = did_you_mean(number, numbers, what=f"numbers of {metric.name}")
        message = f"`{metric.name}` has no number `{number}` of single people"
        scope.problem(message, *path, "measure", fix=fix, code=Code.UNKNOWN_NAME)
        return None
    _check_thresholds(scope, written.thresholds, *path, "thresholds")
    name = metric.name if written.measure is None else f"{metric.name}.{number}"
    thresholds = tuple(map(float, written.thresholds or ()))
    return Candidate(name, metric, number, thresholds, _tiers(metric) if number == usual else ())


def _check_thresholds(scope: Scope, written: Sequence[Decimal] | None, *path: str | int) -> None:
    if written is None:
        return
    if not written:
        scope.problem("no thresholds", *path, fix="Write some, such as `[1, 3, 5]`, or leave the line out.")
    elif len(written) > MOST_THRESHOLDS:
        scope.problem(f"{len(written)} thresholds; at most {MOST_THRESHOLDS} are tried", *path)
    for place, (before, here) in enumerate(pairwise(written), 1):
        if here <= before:
            told = f"{here} after {before}: thresholds grow"
            scope.problem(told, *path, place, fix="Write numbers that grow: `[1, 3, 5]`.")


def _tiers(metric: Metric) -> tuple[tuple[str, float | Percentile], ...]:
    """The thresholds of a metric's tiers, by name; those that ask for features by their names have none."""
    if not isinstance(metric.spec, Tiers):
        return ()
    needed = ((one.name, one.needs) for one in metric.spec.tiers)
    return tuple(
        (name, float(needs) if isinstance(needs, Decimal) else needs)
        for name, needs in needed
        if not isinstance(needs, tuple)
    )


def _outcome(scope: Scope, written: OutcomeDefinition) -> tuple[Metric | None, Cell | None]:
    metric = scope.metric(written.metric)
    if metric is None:
        return None, None
    if not isinstance(metric.spec, Retention):
        told = f"`{metric.name}` is {metric.definition.noun()}, and an outcome is whether people return"
        scope.problem(told, "outcome", "metric", fix="Name a metric of type retention.")
        return None, None
    cells = {one.index: one for one in metric.spec.cells}
    if written.period not in cells:
        listed = ", ".join(map(str, cells)) if metric.spec.in_brackets else f"0 to {metric.spec.last}"
        told = f"`{metric.name}` has no period {written.period}"
        scope.problem(told, "outcome", "period", fix=f"There are {listed}.")
    return metric, cells.get(written.period)


# -- windows ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lapping:
    """That candidates would look at what is to be told, and what would do instead."""

    told: str
    fix: str


def overlap(candidates: Sequence[Candidate], days: int, outcome: Metric, cell: Cell, grain: Grain) -> Lapping | None:
    """Whether a feature window of so many days ends, for somebody, after the outcome's interval can begin."""
    spec: Retention = outcome.spec
    most = most_days(spec, cell, grain)
    ahead = {one.name: _ahead(one.metric) for one in candidates}
    further = max(ahead.values(), default=0)
    if days + further <= most:
        return None
    longest = next((name for name, one in ahead.items() if one == further), "")
    looks = f", and up to {further} more that `{longest}` looks ahead" if further else ""
    told = (
        f"a feature window of {_days(days)}{looks}, and period {cell.index} of `{outcome.name}` can begin after "
        f"{_days(most)} of it: what is to be told would be told by itself"
    )
    later = next((one.index for one in spec.cells if days + further <= most_days(spec, one, grain)), None)
    ways = [f"write at most {_days(most - further)}"] if most > further else []
    ways += [f"choose period {later} or later"] if later is not None else []
    fix = ", or ".join(ways) or "choose another outcome, whose periods are longer or later"
    return Lapping(told, f"{fix[:1].upper()}{fix[1:]}.")


def _days(count: int) -> str:
    return str(Duration(count, "day"))


def _ahead(metric: Metric) -> int:
    """How many days after a local day may still change what a metric tells of that day."""
    told = families()[metric.type].per_entity
    return 0 if told is None else told.ahead(metric)


def most_days(spec: Retention, cell: Cell, grain: Grain) -> int:
    """The most local days, from that of a start on, that are over for everybody before a cell's first interval begins.

    On the calendar somebody may start on the last day of a bucket, and has that day and the buckets up to the interval.
    By the own clock somebody may start at midnight, and a local day may have 25 hours.
    """
    first = {"on_or_before": 0, "streak": min(cell.index, 1)}.get(spec.mode, cell.first)
    if first == 0:
        return 0
    if spec.rolling:
        return first * ROLLING_DAYS[grain] - 1
    return 1 + _shortest(first - 1, grain)


@cache
def _shortest(buckets: int, grain: Grain) -> int:
    """The fewest days that so many buckets in a row have."""
    if grain in (Grain.DAY, Grain.WEEK):
        return buckets * (7 if grain is Grain.WEEK else 1)
    # 2100 is no leap year: no run is shorter than those around it.
    starts = (date(year, month, 1) for year in range(2093, 2109) for month in range(1, 13, grain.months))
    return min((add_months(one, buckets * grain.months) - one).days for one in starts)


def check(query: BoundQuery) -> None:
    spec: Drivers = query.metric.spec
    name = query.metric.name
    if query.grain is Grain.HOUR:
        raise QueryError(f"{name}: retention is counted in whole days", fix="Ask for `grain: day` or coarser.")
    lapping = overlap(spec.candidates, spec.window, spec.outcome, spec.cell, query.grain)
    if lapping is not None:
        usual = spec.outcome.spec.grain
        raise QueryError(f"{name}: by {query.grain}, {lapping.told}", fix=f"Ask for `grain: {usual}` or coarser.")


def usual_range(metric: Metric) -> Last:
    """So many buckets of starts that can be observed, and those after them."""
    spec: Drivers = metric.spec
    retention: Retention = spec.outcome.spec
    unknown = spec.cell.index + (2 if retention.rolling else 1)
    return Last(Duration(USUAL_STARTS[retention.grain] + unknown, retention.grain), exclude_current=True)


# -- answers ----------------------------------------------------------------------------------------------------------

CANDIDATE = Column("candidate", Type.STRING, description="What was tried: a metric, or `metric.number`.")
RANK = "Among the {of}, by phi: it goes with the outcome best, and need not cause it."
SUPPRESSED = Column(
    "suppressed", Type.STRING, nullable=True, description="Why nothing is told: the counts of too few people."
)


def _told(name: str, description: str, type_: Type = Type.NUMBER) -> Column:
    return Column(name, type_, nullable=True, description=description)


TABLES = {
    "rows": Table(
        (CANDIDATE, Column("threshold", Type.NUMBER, description="The least score that is tried.")),
        (
            _told("tier", "The tier of the metric that begins there.", Type.STRING),
            _told("n11", "People who reach the threshold and returned; without those held out.", Type.INTEGER),
            _told("n10", "People who reach it and did not return.", Type.INTEGER),
            _told("n01", "People below it who returned.", Type.INTEGER),
            _told("n00", "People below it who did not return.", Type.INTEGER),
            _told("phi", "The correlation of reaching it and returning, from -1 to 1. No cause."),
            _told("phi_low", "The lower end of the interval of phi, of 95 %."),
            _told("phi_high", "The upper end."),
            _told("p_value", "Of chi-square, corrected for all thresholds of the group by Holm."),
            _told("lift", "`precision` by the share of all who returned."),
            _told("precision", "Of those who reach it, the share who returned."),
            _told("precision_low", "The lower end of its interval by Wilson, of 95 %."),
            _told("precision_high", "The upper end."),
            _told("recall", "Of those who returned, the share who reach it."),
            _told("auc", "Of the threshold as a rule, on people held out: those who started last. 0.5 tells nothing."),
            _told("rank", RANK.format(of="thresholds"), Type.INTEGER),
            SUPPRESSED,
        ),
        "A row for each candidate and threshold, the best first. It tells what goes together, not what causes what.",
    ),
    "candidates": Table(
        (CANDIDATE,),
        (
            Column("people", Type.INTEGER, description="People it was tried on."),
            Column("held_out", Type.INTEGER, description="People held out: those who started last."),
            _told("spearman", "The rank correlation of score and returning, of the people it was tried on."),
            _told("auc", "How often, of two people held out, the one who returned had scored more; 0.5 tells nothing."),
            _told("best_threshold", "The threshold with the greatest phi."),
            _told("best_tier", "The tier that begins there.", Type.STRING),
            _told("phi", "The correlation at that threshold. No cause."),
            _told("rank", RANK.format(of="candidates"), Type.INTEGER),
            SUPPRESSED,
        ),
        "A row for each candidate, the best first.",
    ),
    "summary": Table(
        (),
        (
            Column("people", Type.INTEGER, description="People who started."),
            Column("observed", Type.INTEGER, description="Of these, people of whom it is known whether they returned."),
            Column("unobserved", Type.INTEGER, description="People of whom it is not known yet: they count nowhere."),
            Column("held_out", Type.INTEGER, description="Of the observed, those who started last."),
            Column("returned", Type.INTEGER, description="Of the observed, those who returned."),
            _told("base_rate", "`returned` by `observed`."),
            Column("horizon", Type.INTEGER, description="The most days until it is known of all starts of a bucket."),
        ),
        "A row for each group.",
    ),
}
COUNTED = Table(
    (replace(CANDIDATE, type=Type.INTEGER),),
    (
        Column("score", Type.NUMBER, description="The score, or the least of those put together."),
        *(Column(name, Type.INTEGER, description="People.") for name in COUNTS),
    ),
    "How many people of each score returned.",
)
"""What the statement tells of the parts that are finished after it."""


def counted(query: BoundQuery) -> Mapping[str, tuple[Column, ...]]:
    parts = tuple(part for part in query.parts if part in ("rows", "candidates"))
    return table_columns(replace(query, parts=parts), dict.fromkeys(parts, COUNTED))


def conventions(metric: Metric, within: Duration | None = None) -> tuple[str, ...]:
    spec: Drivers = metric.spec
    told = families()[spec.outcome.type].conventions(spec.outcome, None)
    return (
        "It tells what goes together, not what causes what: only an experiment could.",
        f"Score: of the {spec.window} whole local days from that of the start on. A person: the first start in range.",
        f"Returned: in period {spec.cell.index} of {spec.outcome.name}. Whose period is not over counts nowhere.",
        "Held out, for auc: the last third of the buckets of starts. All else is told of those before.",
        f"With fewer than {spec.min_cell} people in a cell nothing is told. p-values: of chi-square, by Holm.",
        *(f"{spec.outcome.name}: {one}" for one in told if not one.startswith(("Average:", "A person starts"))),
    )


def selections(spec: Drivers) -> tuple[Selection, ...]:
    """Who starts, what returning is, and what the candidates count."""
    made_of = (spec.outcome, *(one.metric for one in spec.candidates))
    return tuple(one for metric in made_of for one in families()[metric.type].selections(metric.spec))


FAMILY = Family(
    definition=DriversDefinition,
    shape="tables",
    parts=tuple(TABLES),
    resolve=resolve,
    selections=selections,
    is_engagement=lambda spec: spec.outcome.spec.back.is_value_moment,
    measures=lambda metric: (),
    measure=lambda metric, name: None,
    default_measures=(),
    columns=lambda query: table_columns(query, TABLES),
    plan=plan,
    conventions=conventions,
    tables=TABLES,
    ranking=ranking,
    grain=lambda metric: metric.spec.outcome.spec.grain,
    check=check,
    usual_range=usual_range,
    finish=Finish(counted, finished),
    inputs=lambda definition: [(path, name) for name, path in _named(definition)],
    example="""\
what_makes_power_users:
  type: drivers
  candidates: [watch_frequency, feature_breadth, minutes_depth]
  feature_window: 4 days
  outcome: {metric: weekly_retention, period: 4}
""",
)
