"""Drivers, person by person: what each scored early, whether they returned later, and how both go together.

The statistics are computed from lists of people by the formulas of textbooks: phi as a correlation of two lists, its
deviation by the delta method with a numerical gradient, chi-square from expected counts, the area under the curve by
looking at every pair.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from math import atanh, erfc, floor, sqrt, tanh

from families.oracles.active_users import Window
from families.oracles.calendar import DAY, Bucket, Grain, bucket_of, bucket_starts, local_date
from families.oracles.retention import Retention, days_after, end_of, interval_of, is_retained, returns_of
from families.oracles.tiers import Kind, Percentile, Tiered
from families.oracles.world import Selector, World, is_person, labels_of, matching

Labels = tuple[str, ...]
Z = 1.959963984540054


@dataclass(frozen=True)
class Candidate:
    """A number of people, and what is tried: the written thresholds, or those of tiers and scores that occur."""

    kind: Kind
    thresholds: tuple[Fraction, ...] = ()
    tiers: tuple[tuple[str, Fraction | Percentile], ...] = ()


@dataclass(frozen=True)
class Person:
    """Who started, and what became of them; `returned` and `held_out` mean something only of the observed."""

    labels: Labels
    scores: tuple[Fraction, ...]
    observed: bool
    held_out: bool
    returned: bool


@dataclass(frozen=True)
class Rules:
    """What is asked: `days` are those of the feature window, `period` the one in which people are to return."""

    outcome: Retention
    period: int
    days: int
    candidates: tuple[Candidate, ...]


def people_of(
    world: World,
    rules: Rules,
    first: date,
    last: date,
    grain: Grain,
    *,
    breakdown: Sequence[str] = (),
    where: Selector | None = None,
) -> dict[str, Person]:
    """Everybody who started in the range."""
    asked, zone = rules.outcome, world.timezone
    buckets = bucket_starts(first, last, grain, zone, world.week_start)
    observed = [one for one in buckets if end_of(world, asked, grain, one, rules.period) <= world.data_through]
    held = observed[-max(len(observed) // 3, 1) :] if len(observed) > 1 else []
    returns = returns_of(world, asked, buckets[0].start_utc, where)
    scored = _scores(world, rules, buckets, observed, grain, where)
    found = {}
    events = [one for one in matching(world, asked.start, where=where) if is_person(one.user)]
    for user in sorted({one.user for one in events if one.user is not None}):
        theirs = [one for one in events if one.user == user]
        if not asked.first_time:
            theirs = [one for one in theirs if bucket_of(one.at, buckets) is not None]
        if not theirs:
            continue
        at = min(one.at for one in theirs)
        bucket = bucket_of(at, buckets)
        if bucket is None:
            continue
        labels = [labels_of(one, breakdown) for one in theirs if one.at == at]
        intervals = [
            interval_of(world, asked, grain, bucket, at, one.at) for one in returns if one.user == user and one.at > at
        ]
        active = {one for one in intervals if intervals.count(one) >= asked.min_occurrences}
        found[user] = Person(
            labels=tuple(min(column) for column in zip(*labels, strict=True)),
            scores=tuple(scores(user, local_date(at, zone)) for scores in scored),
            observed=bucket in observed,
            held_out=bucket in held,
            returned=is_retained(asked, rules.period, active),
        )
    return found


def _scores(
    world: World, rules: Rules, buckets: Sequence[Bucket], observed: Sequence[Bucket], grain: Grain,
    where: Selector | None,
) -> list[Callable[[str, date], Fraction]]:  # fmt: skip
    """For each candidate, what a person scores in the days from a first one on."""
    since = buckets[0].first_day
    until = observed[-1].last_day + (rules.days - 1) * DAY if observed else since

    def of(candidate: Candidate) -> Callable[[str, date], Fraction]:
        kind = candidate.kind
        told = Tiered(world, kind, {}, Window(1, "day"), since, until, "day", where=where)
        named: Mapping[str, Selector] = getattr(kind, "features", None) or {"": getattr(kind, "selector", None)}
        done = [
            (feature, event)
            for feature, selector in named.items()
            for event in told.events(selector, since, until, since)
        ]

        def score(user: str, start: date) -> Fraction:
            early = [
                (feature, event)
                for feature, event in done
                if event.user == user and 0 <= (local_date(event.at, world.timezone) - start).days < rules.days
            ]
            found = told.score(early) if early else None
            return Fraction(len(found)) if isinstance(found, frozenset) else found or Fraction(0)

        return score

    return [of(one) for one in rules.candidates]


def horizon(world: World, rules: Rules, first: date, last: date, grain: Grain) -> int:
    buckets = bucket_starts(first, last, grain, world.timezone, world.week_start)
    ends = (end_of(world, rules.outcome, grain, one, rules.period) - one.start_utc for one in buckets)
    return max(-(-one // timedelta(days=1)) for one in ends)


def most_days(world_asked: Retention, period: int, grain: Grain) -> int:
    """The longest feature window that never reaches into the outcome: found by trying people who start at any time."""
    asked = world_asked
    before = [one for one in asked.cells if one < period]
    first = {"on_or_before": 0, "streak": min(period, 1), "brackets": (before[-1] + 1 if before else 0)}.get(
        asked.mode, period
    )
    if first == 0:
        return 0
    if asked.rolling:
        lengths = {"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}
        return first * lengths[grain] - 1  # a local day may have 25 hours
    found = []
    day = date(2023, 1, 1)
    while day < date(2029, 1, 1):
        following = day + DAY
        starts = {"day": True, "week": following.weekday() == 0, "month": following.day == 1}
        starts["quarter"] = starts["month"] and following.month in (1, 4, 7, 10)
        starts["year"] = starts["month"] and following.month == 1
        if starts[grain]:  # who starts on the last day of a bucket has it, and the buckets up to the interval
            found.append((days_after(following, first - 1, grain, 0) - day).days)
        day = following
    return min(found)


# -- what is told of people -------------------------------------------------------------------------------------------


def correlation(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    both = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True))
    of_x, of_y = sum((x - middle_x) ** 2 for x in xs), sum((y - middle_y) ** 2 for y in ys)
    return both / sqrt(of_x * of_y) if of_x > 0 and of_y > 0 else None


def ranks(values: Sequence[Fraction]) -> list[float]:
    """Equal ones share the middle of their places."""
    return [
        float(sum(other < one for other in values) + (sum(other == one for other in values) + 1) / 2) for one in values
    ]


def spearman(people: Sequence[tuple[Fraction, bool]]) -> float | None:
    return correlation(ranks([score for score, _ in people]), [float(returned) for _, returned in people])


def auc(people: Sequence[tuple[Fraction, bool]]) -> float | None:
    """How often who returned had scored more than who did not, over all pairs; equal ones half."""
    pairs = [(one, other) for one, came in people if came for other, stayed in people if not stayed]
    return (
        sum(1.0 if one > other else 0.5 if one == other else 0.0 for one, other in pairs) / len(pairs)
        if pairs
        else None
    )


def phi_of(cells: Sequence[float]) -> float:
    n11, n10, n01, n00 = cells
    return (n11 * n00 - n10 * n01) / sqrt((n11 + n10) * (n01 + n00) * (n11 + n01) * (n10 + n00))


def phi_interval(cells: Sequence[int]) -> tuple[float, float]:
    """By the delta method: the gradient of phi, and the covariance of the shares of four kinds."""
    n = sum(cells)
    shares = [one / n for one in cells]
    step = 1e-6
    gradient = []
    for place in range(4):
        up = [one + step * (k == place) for k, one in enumerate(shares)]
        down = [one - step * (k == place) for k, one in enumerate(shares)]
        gradient.append((phi_of(up) - phi_of(down)) / (2 * step))
    mean = sum(g * p for g, p in zip(gradient, shares, strict=True))
    variance = (sum(g * g * p for g, p in zip(gradient, shares, strict=True)) - mean * mean) / n
    phi = phi_of(shares)
    reach = Z * sqrt(max(variance, 0.0)) / (1 - phi * phi)
    return tanh(atanh(phi) - reach), tanh(atanh(phi) + reach)


def chi_square_p(cells: Sequence[int]) -> float:
    """Pearson's test with one degree of freedom: from the counts expected if both were independent."""
    n11, n10, n01, n00 = cells
    n = sum(cells)
    rows, columns = (n11 + n10, n01 + n00), (n11 + n01, n10 + n00)
    expected = [row * column / n for row in rows for column in columns]
    chi = sum((one - other) ** 2 / other for one, other in zip(cells, expected, strict=True))
    return erfc(sqrt(chi / 2))


def holm(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    count = len(values)
    return [
        min(1.0, max((count - place) * one for place, one in enumerate(ordered) if one <= value)) for value in values
    ]


def wilson(part: int, all_: int) -> tuple[float, float]:
    """The shares p at which (part / all - p)^2 = z^2 p (1 - p) / all: the roots of a quadratic equation."""
    a, b, c = 1 + Z * Z / all_, -(2 * part / all_ + Z * Z / all_), (part / all_) ** 2
    root = sqrt(max(b * b - 4 * a * c, 0.0))
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


# -- thresholds -------------------------------------------------------------------------------------------------------


def binned(scores: Sequence[Fraction], edges: Sequence[Fraction], most: int) -> dict[Fraction, Fraction]:
    """For each score the least of those it is put together with: none, unless there are more than so many."""
    different = sorted(set(scores))
    if len(different) <= most:
        return {one: one for one in different}
    found: dict[tuple[int, int], list[Fraction]] = {}
    for one in different:
        place = floor(Fraction(most * sum(other < one for other in scores), len(scores)))
        found.setdefault((sum(edge <= one for edge in edges), place), []).append(one)
    return {one: min(some) for some in found.values() for one in some}


def nearest_rank(values: Sequence[Fraction], n: int) -> Fraction | None:
    listed = sorted(values)
    if not listed:
        return None
    return next(one for place, one in enumerate(listed, 1) if 100 * place >= n * len(listed))


def thresholds_of(candidate: Candidate, scores: Sequence[Fraction]) -> dict[Fraction, str | None]:
    """What is tried on people with these scores, and the tier that begins there."""
    if candidate.thresholds:
        return dict.fromkeys(candidate.thresholds)
    seen = sorted(set(scores))[1:]
    if len(seen) > 20:
        reached = {nearest_rank(scores, n) for n in range(5, 100, 5)}
        seen = [one for one in seen if one in reached]
    found: dict[Fraction, str | None] = dict.fromkeys(seen)
    for name, needs in reversed(candidate.tiers):
        at = nearest_rank([one for one in scores if one > 0], needs.n) if isinstance(needs, Percentile) else needs
        if at is not None:
            found[at] = name
    return found


def edges_of(candidate: Candidate) -> tuple[Fraction, ...]:
    return candidate.thresholds or tuple(one for _, one in candidate.tiers if isinstance(one, Fraction))


# -- answers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A threshold of a candidate (by its place); `told` is empty where it is suppressed for these reasons."""

    candidate: int
    threshold: Fraction
    tier: str | None
    cells: tuple[int, int, int, int]
    told: Mapping[str, float | int | None]
    suppressed: tuple[str, ...]


CELLS = ("n11", "n10", "n01", "n00")


def answer(
    people: Sequence[Person], rules: Rules, min_cell: int, most_scores: int = 200
) -> tuple[list[Row], list[Mapping[str, object]]]:
    """Of the people of one group: the rows, in order of rank, and those of the candidates."""
    seen = [one for one in people if one.observed]
    rows, candidates = [], []
    later_counts = [sum(one.held_out and one.returned is came for one in seen) for came in (True, False)]
    for place, candidate in enumerate(rules.candidates):
        together = binned([one.scores[place] for one in seen], edges_of(candidate), most_scores)
        pairs = [(together[one.scores[place]], one.returned, one.held_out) for one in seen]
        early = [(score, came) for score, came, held in pairs if not held]
        later = [(score, came) for score, came, held in pairs if held]
        for at, tier in sorted(thresholds_of(candidate, [score for score, _ in early]).items()):
            rows.append(_row(place, at, tier, early, later, min_cell, min(later_counts) >= min_cell))
        counts = [sum(came is kind for _, came in early) for kind in (True, False)]
        small = tuple(name for name, one in zip(("returned", "lost"), counts, strict=True) if one < min_cell)
        candidates.append(
            {
                "candidate": place,
                "people": len(early),
                "held_out": len(later),
                "spearman": None if small else spearman(early),
                "auc": auc(later) if min(later_counts) >= min_cell else None,
                "suppressed": small,
            }
        )
    ranked = sorted(
        (one for one in rows if not one.suppressed),
        key=lambda one: (-round(one.told["phi"] or 0, 9), one.candidate, one.threshold),
    )
    corrected = holm([chi_square_p(one.cells) for one in ranked])
    told = [
        Row(one.candidate, one.threshold, one.tier, one.cells, {**one.told, "p_value": p, "rank": rank}, ())
        for rank, (one, p) in enumerate(zip(ranked, corrected, strict=True), 1)
    ]
    return [*told, *(one for one in rows if one.suppressed)], candidates


def _row(
    place: int, at: Fraction, tier: str | None, early: Sequence[tuple[Fraction, bool]],
    later: Sequence[tuple[Fraction, bool]], min_cell: int, is_held_out: bool,
) -> Row:  # fmt: skip
    kinds = [(score >= at, came) for score, came in early]
    cells = tuple(kinds.count(kind) for kind in ((True, True), (True, False), (False, True), (False, False)))
    n11, n10, n01, n00 = cells
    small = tuple(name for name, count in zip(CELLS, cells, strict=True) if count < min_cell)
    if small:
        return Row(place, at, tier, (n11, n10, n01, n00), {}, small)
    low, high = phi_interval(cells)
    least, greatest = wilson(n11, n11 + n10)
    told = {
        "phi": correlation([float(reach) for reach, _ in kinds], [float(came) for _, came in kinds]),
        "phi_low": low,
        "phi_high": high,
        "lift": (n11 / (n11 + n10)) / ((n11 + n01) / len(early)),
        "precision": n11 / (n11 + n10),
        "precision_low": least,
        "precision_high": greatest,
        "recall": n11 / (n11 + n01),
        "auc": auc([(Fraction(score >= at), came) for score, came in later]) if is_held_out else None,
    }
    return Row(place, at, tier, (n11, n10, n01, n00), told, ())
