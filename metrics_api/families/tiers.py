"""Tiers: people told apart by a score in a trailing window. Shared by `frequency`, `breadth` and `depth`.

What they have in common is here: how tiers are written and checked, the tables of an answer, and how all that is told.
The score is in `scores`, the plans are in `tier_plans`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from metrics_api.definitions.base import Definition, DurationField, MetricDefinition
from metrics_api.definitions.dates import DateField
from metrics_api.definitions.names import Identifier
from metrics_api.definitions.refusal import Refusal
from metrics_api.errors import QueryError, did_you_mean
from metrics_api.families.scores import FeatureCount, Score, scored
from metrics_api.families.series import PERIOD, table_columns
from metrics_api.families.windows import begun, check_whole_days, has_history, last_day
from metrics_api.periods import Duration, Grain, Period
from metrics_api.plan.expr import Type
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Measure, PerEntity, Table
from metrics_api.query.scored import Scored, Window
from metrics_api.results import Column
from metrics_api.semantic.model import Metric
from metrics_api.semantic.resolve import Scope

LONGEST = 3_660
MOST_TIERS = 20
NONE, INACTIVE = "none", "inactive"
"""The people below the lowest tier, and those who did nothing at all."""


@dataclass(frozen=True, slots=True)
class Percentile:
    """`p90`: the score that 90 of a hundred people do not exceed."""

    n: int

    def __str__(self) -> str:
        return f"p{self.n}"


def _parse_threshold(written: object) -> Decimal | Percentile:
    if isinstance(written, Percentile | Decimal):
        return written
    if isinstance(written, str) and (matched := re.fullmatch(r"p([1-9][0-9]?)", written)):
        return Percentile(int(matched[1]))
    if isinstance(written, int | float) and not isinstance(written, bool) and abs(written) < 1e15:
        return Decimal(str(written))
    raise Refusal(f"expected a number, or a percentile from `p1` to `p99`, found `{written}`", "Write `6`, or `p90`.")


Threshold = Annotated[
    Decimal | Percentile,
    PlainValidator(_parse_threshold),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {"anyOf": [{"type": "number"}, {"type": "string", "pattern": "^p[1-9][0-9]?$"}], "examples": [6, "p90"]}
    ),
]


def _check_name(name: str) -> str:
    if name in (NONE, INACTIVE):
        whom = "people below the lowest tier" if name == NONE else "people who did nothing"
        raise Refusal(f"no tier can be called `{name}`: answers call {whom} so", "Give it another name.", on_key=True)
    return name


TierName = Annotated[Identifier, AfterValidator(_check_name)]


class TierDefinition(Definition):
    """Who is in a tier."""

    shorthand = "at_least"

    at_least: Threshold
    """The lowest score: a number, or a percentile of all active people (`p90`)."""

    @classmethod
    def noun(cls) -> str:
        return "a tier"


class FeatureTierDefinition(Definition):
    """Who is in a tier of features: by how many they touched, or by which."""

    shorthand = "at_least"

    at_least: Threshold | None = None
    """The lowest number of features: a number, or a percentile of all active people (`p90`)."""
    all_of: tuple[Identifier, ...] | None = Field(default=None, min_length=1)
    """The features that are all needed."""

    @classmethod
    def noun(cls) -> str:
        return "a tier"


class TieredDefinition(MetricDefinition):
    """What all kinds of tiers are defined by."""

    window: DurationField
    """The window that is looked at, in whole local days: it ends with the bucket's last day."""
    frozen_at: DateField | None = None
    """Percentiles are those of the window that ends on this day, whatever period is looked at."""
    new_people: Literal["include", "exclude"] = "include"
    """`exclude`: people whose first such event ever came after the window began count nowhere."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A tier, and what is needed to be in it: a score, a percentile, or features by their numbers."""

    name: str
    needs: Decimal | Percentile | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ladder:
    """Tiers over windows, whatever the score is. The highest tier comes first."""

    window: Duration
    tiers: tuple[Tier, ...]
    frozen_at: date | None

    @property
    def are_percentiles(self) -> bool:
        return bool(self.tiers) and isinstance(self.tiers[0].needs, Percentile)

    @property
    def names(self) -> tuple[str, ...]:
        """Every tier, and `none`: the active people's."""
        return (*(one.name for one in self.tiers), NONE)

    def window_of(self, query: BoundQuery, period: Period) -> Window:
        """The window of a bucket: it ends with the last day of it that the data reaches (RULES 6)."""
        end = last_day(query, period)
        return period.label, self.window.calendar_start(end), end

    def frozen_window(self) -> tuple[date, date]:
        assert self.frozen_at is not None
        return self.window.calendar_start(self.frozen_at), self.frozen_at


@dataclass(frozen=True, slots=True)
class Tiers(Ladder):
    """What a metric of tiers resolves to."""

    score: Score
    counts: str
    """What a score counts, for people: `active days`."""
    excludes_new: bool = False


# -- definitions ------------------------------------------------------------------------------------------------------

Written: TypeAlias = Mapping[str, TierDefinition] | Mapping[str, FeatureTierDefinition]


@dataclass(frozen=True, slots=True)
class Reach:
    """What a score can be: whole numbers of something, up to `most`; or any number."""

    counts: str
    is_whole: bool = True
    most: int | None = None
    because: str = ""


def check_window(scope: Scope, window: Duration) -> bool:
    """Whether tiers can be told apart over a window; a problem when they cannot."""
    if not check_whole_days(scope, window, "window"):
        return False
    if window.day_counts[1] > LONGEST:
        scope.problem(f"a window of {window}; at most {LONGEST:,} days are counted", "window", fix="Write less.")
        return False
    return True


def check_tiers(
    scope: Scope, definition: TieredDefinition, written: Written, reach: Reach, features: Sequence[str] = ()
) -> tuple[Tier, ...] | None:
    """The tiers that are written; None, and problems, where they mean nothing."""
    before = len(scope.problems)
    if not written:
        scope.problem("there are no tiers", "tiers", fix="Write at least one, such as `power: 6`.")
        return None
    if len(written) > MOST_TIERS:
        scope.problem(f"{len(written)} tiers; at most {MOST_TIERS} are told apart", "tiers")
    needed = {name: _needs(scope, name, one, features) for name, one in written.items()}
    found = [Tier(name, needs) for name, needs in needed.items() if needs is not None]
    if len(scope.problems) == before:
        _check_kinds(scope, found)
    if len(scope.problems) == before:
        _check_order(scope, found, features)
    for one in found:
        if isinstance(one.needs, Decimal):
            _check_reach(scope, one.name, one.needs, reach)
    if definition.frozen_at is not None and not (found and isinstance(found[0].needs, Percentile)):
        fix = "Leave `frozen_at` out, or write percentiles such as `p90`."
        scope.problem("`frozen_at` freezes percentiles, and these tiers have none", "frozen_at", fix=fix)
    return tuple(found) if len(scope.problems) == before else None


def _needs(
    scope: Scope, name: str, written: TierDefinition | FeatureTierDefinition, features: Sequence[str]
) -> Decimal | Percentile | tuple[int, ...] | None:
    named = getattr(written, "all_of", None)
    if (written.at_least is None) == (named is None):
        both = "`at_least` and `all_of` are both given" if named else "says neither `at_least` nor `all_of`"
        scope.problem(f"tier `{name}`: {both}", "tiers", name, fix="Write one of them.")
        return None
    if written.at_least is not None:
        return written.at_least
    assert named is not None
    if not features:
        scope.problem(
            f"tier `{name}` needs features by name, and the values of a property have none here",
            "tiers", name, "all_of", fix="Write a number, or name the features in `of`.",
        )  # fmt: skip
        return None
    numbers = []
    for place, feature in enumerate(named):
        if feature not in features:
            fix = did_you_mean(feature, features, what="features")
            scope.problem(f"there is no feature `{feature}`", "tiers", name, "all_of", place, fix=fix)
        elif feature in named[:place]:
            scope.problem(f"`{feature}` is named twice", "tiers", name, "all_of", place, fix="Name it once.")
        else:
            numbers.append(features.index(feature))
    return tuple(numbers) if len(numbers) == len(named) else None


def _kind(tier: Tier) -> str:
    match tier.needs:
        case Decimal():
            return "a number"
        case Percentile():
            return "a percentile"
        case _:
            return "a set of features"


def _check_kinds(scope: Scope, tiers: Sequence[Tier]) -> None:
    first = tiers[0]
    for one in tiers[1:]:
        if _kind(one) != _kind(first):
            scope.problem(
                f"tier `{one.name}` is {_kind(one)}, and `{first.name}` is {_kind(first)}",
                "tiers", one.name, fix="Write all tiers in one way.",
            )  # fmt: skip


def _check_order(scope: Scope, tiers: Sequence[Tier], features: Sequence[str]) -> None:
    """The highest tier comes first, and each one below it can be reached without it."""
    for place, one in enumerate(tiers):
        for higher in tiers[:place] if isinstance(one.needs, tuple) else tiers[:place][-1:]:
            if not _is_below(one, higher):
                told = f"tier `{one.name}` ({_said(one, features)}) is not below `{higher.name}`"
                fix = "Write the highest tier first."
                scope.problem(f"{told} ({_said(higher, features)})", "tiers", one.name, fix=fix)
                break


def _is_below(lower: Tier, higher: Tier) -> bool:
    match lower.needs, higher.needs:
        case Decimal() as here, Decimal() as there:
            return here < there
        case Percentile(here), Percentile(there):
            return here < there
        case tuple() as here, tuple() as there:
            return not set(there) <= set(here)
    return True


def _said(tier: Tier, features: Sequence[str]) -> str:
    if isinstance(tier.needs, tuple):
        return ", ".join(features[number] for number in tier.needs)
    return str(tier.needs)


def _check_reach(scope: Scope, name: str, at_least: Decimal, reach: Reach) -> None:
    if reach.is_whole and (at_least != at_least.to_integral_value() or at_least < 1):
        fix = "Write a whole number of at least 1."
        scope.problem(f"tier `{name}` at {at_least}, and {reach.counts} are counted", "tiers", name, fix=fix)
    elif reach.most is not None and at_least > reach.most:
        told = f"tier `{name}` needs {at_least} {reach.counts}, and {reach.because}"
        scope.problem(told, "tiers", name, fix=f"Write at most {reach.most}.")


# -- questions --------------------------------------------------------------------------------------------------------


def check(query: BoundQuery) -> None:
    name = query.metric.name
    if query.grain is Grain.HOUR:
        raise QueryError(f"{name}: tiers are told apart over whole days", fix="Ask for `grain: day` or coarser.")
    day = query.chosen.get("period")
    if isinstance(day, date) and bucket_of(query, day) is None:
        fix = f"Choose a day from {query.first} to {query.last}."
        raise QueryError(f"{name}: {day} is in no {query.grain} of the range", fix=fix)


def bucket_of(query: BoundQuery, day: date) -> Period | None:
    """The bucket of the range that holds a local day."""
    start = query.calendar.start_of(day)
    return next((one for one in query.periods if one.start <= start < one.end), None)


def is_complete(query: BoundQuery, of: Period) -> bool:
    """Whether the data reaches the bucket's end, and the beginning of its window; and of the one that is frozen."""
    spec: Ladder = query.metric.spec
    _, since, _ = spec.window_of(query, of)
    there = of.end <= query.data_through and has_history(query, since)
    if spec.frozen_at is None or not there:
        return there
    frozen, until = spec.frozen_window()
    return has_history(query, frozen) and query.calendar.span(until, until).end <= query.data_through


def last_complete(query: BoundQuery) -> Period | None:
    over = [one for one in begun(query) if is_complete(query, one)]
    return over[-1] if over else None


# -- answers ----------------------------------------------------------------------------------------------------------

TIER = (
    Column("tier", Type.STRING, description="The tier; `none` for active people below the lowest."),
    Column("position", Type.INTEGER, description="1 for the highest tier."),
)
SIZE = (
    Column("users", Type.INTEGER, nullable=True, description="The people in it."),
    Column("share", Type.NUMBER, nullable=True, description="Of all active people."),
)


def tables(score: Type) -> Mapping[str, Table]:
    """The tables of an answer, of scores of a type."""
    return {
        "rows": Table((PERIOD,), (*TIER, *SIZE), "A row for each bucket, group and tier.", measured=True, flagged=True),
        "overall": Table((), (*TIER, *SIZE), "As of the last complete bucket.", measured=True),
        "thresholds": Table(
            (PERIOD,),
            (
                *TIER,
                Column("at_least", Type.NUMBER, nullable=True, description="The lowest score of the tier."),
                Column(
                    "degenerate", Type.BOOLEAN, nullable=True,
                    description="Whether it is that of another tier too, or there are fewer people than tiers.",
                ),
            ),
            "The score that each tier begins at.",
        ),
        "migration": Table(
            (PERIOD,),
            (
                Column("from", Type.STRING, description="The tier as of the bucket before; `inactive` if in none."),
                Column("to", Type.STRING, description="The tier as of this bucket; `inactive` if in none."),
                Column("users", Type.INTEGER, nullable=True, description="The people who went from one to the other."),
            ),
            "Who went from which tier to which, from one bucket to the next.",
        ),
        "distribution": Table(
            (PERIOD,),
            (
                Column("score", score, description="What was scored in the window."),
                Column("users", Type.INTEGER, nullable=True, description="The people who scored this."),
            ),
            "A row for each score that somebody has.",
        ),
    }  # fmt: skip


def columns_of(score: Type) -> Callable[[BoundQuery], Mapping[str, tuple[Column, ...]]]:
    """The columns of the parts asked for."""
    return lambda query: table_columns(query, tables(score))


NEWER = Measure(
    "newer", "newer", Type.INTEGER,
    description="Of the users, those whose first such event ever came after the window began.",
)  # fmt: skip


def measures(metric: Metric) -> tuple[Measure, ...]:
    return (NEWER,)


def measure(metric: Metric, name: str) -> Measure | None:
    return NEWER if name == "newer" else None


def knows_everybody(metric: Metric) -> bool:
    """Whether it is known who there is, and so who did nothing."""
    people = metric.sources[0].entities.get(metric.entity)
    return people is not None and people.attributes is not None and people.attributes.known_since is not None


def names_of(metric: Metric) -> tuple[str, ...]:
    """Every tier, `none`, and where everybody is known `inactive`."""
    spec: Tiers = metric.spec
    return (*spec.names, INACTIVE) if knows_everybody(metric) else spec.names


def numbers(metric: Metric) -> tuple[Measure, ...]:
    """What others can calculate with: the people of each tier, and `users`, all that are active."""
    described = {name: f"The people in tier `{name}`." for name in names_of(metric)}
    described = {"users": "All active people."} | described
    return tuple(Measure(name, "users", Type.INTEGER, description=words) for name, words in described.items())


def _done(query: BoundQuery, number: str, first: date, last: date) -> Scored:
    """Whoever is new counts here too: they are left out of tiers, and their score is what it is."""
    score = query.metric.spec.score
    if isinstance(score, FeatureCount):  # How many features, not which.
        score = FeatureCount(score.features, (1,) * len(score.features))
    return scored(query, score, first, last)


PEOPLE = PerEntity(lambda metric: {"score": f"{metric.spec.counts.capitalize()}."}, _done)
"""What tiers tell of single people."""


def choices(metric: Metric) -> Mapping[str, tuple[str, ...] | Type]:
    """By what members are chosen: without a tier all active people, without a period as of the last complete one."""
    return {"tier": names_of(metric), "period": Type.DATE}


def conventions(metric: Metric, within: Duration | None = None) -> tuple[str, ...]:
    spec: Tiers = metric.spec
    told = [f"Score: {spec.counts} in the {spec.window} of whole local days that end with the bucket's last day."]
    told.append("Tiers: each person is in the highest one reached; `none` is active below the lowest.")
    if spec.are_percentiles:
        since = f"as of {spec.frozen_at}" if spec.frozen_at else "of the same window"
        told.append(f"Percentiles: over all active people {since} (of each group by itself); equal scores go up.")
    if spec.excludes_new:
        told.append("New people are left out: those whose first such event ever came after the window began.")
    if knows_everybody(metric):
        told.append(f"Inactive: known {metric.entity}s with no such event in the window.")
    return (*told, "Shares: of all active people.", "Overall: as of the last complete bucket.")
