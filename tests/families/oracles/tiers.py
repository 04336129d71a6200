"""Tiers, person by person: what everybody scored in a window, and which of the tiers that is."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from math import floor
from typing import TypeAlias

from families.oracles.active_users import Labels, Window
from families.oracles.calendar import DAY, Bucket, Grain, bucket_starts, day_start, local_date
from families.oracles.world import (
    Event,
    Selector,
    World,
    deduplicated,
    is_person,
    labels_of,
    matching,
    number_of,
    value_of,
)


@dataclass(frozen=True)
class Days:
    """Local days with at least so many events."""

    selector: Selector
    at_least: int = 1


@dataclass(frozen=True)
class Features:
    """Which of these were touched."""

    features: Mapping[str, Selector]


@dataclass(frozen=True)
class Values:
    """Different values of a property."""

    selector: Selector
    property: str


@dataclass(frozen=True)
class Amount:
    """The number of events, or the sum of a property."""

    selector: Selector
    property: str | None = None


Kind: TypeAlias = Days | Features | Values | Amount
Score: TypeAlias = Fraction | frozenset[str]


@dataclass(frozen=True)
class Percentile:
    n: int


Needs: TypeAlias = Fraction | Percentile | frozenset[str]
Scores: TypeAlias = Mapping[str, Score]
"""What each active person scored."""

NONE, INACTIVE = "none", "inactive"


@dataclass(frozen=True)
class Tiered:
    """A question of tiers. `tiers` are by name, the highest first."""

    world: World
    kind: Kind
    tiers: Mapping[str, Needs]
    window: Window
    first: date
    last: date
    grain: Grain
    breakdown: Sequence[str] = ()
    where: Selector | None = None
    history_start: date | None = None
    frozen_at: date | None = None
    excludes_new: bool = False
    known: Mapping[str, Sequence[datetime | date]] | None = None
    """Everybody there is, since instants or local dates; of several the earliest counts."""

    # -- what there is ------------------------------------------------------------------------------------------------

    @cached_property
    def buckets(self) -> list[Bucket]:
        return bucket_starts(self.first, self.last, self.grain, self.world.timezone, self.world.week_start)

    @cached_property
    def before(self) -> Bucket:
        """The bucket before the range; never one that is no instant long."""
        day = self.buckets[0].first_day
        while True:
            day -= DAY
            if found := bucket_starts(day, day, self.grain, self.world.timezone, self.world.week_start):
                return found[-1]

    def has_begun(self, bucket: Bucket) -> bool:
        return bucket.start_utc <= self.world.data_through

    def days_of(self, bucket: Bucket) -> tuple[date, date]:
        """RULES 6: whole local days up to the bucket's last one, or the day that the data reaches."""
        last = min(bucket.last_day, local_date(self.world.data_through, self.world.timezone))
        return self.window.first_day(last), last

    def is_complete(self, bucket: Bucket) -> bool:
        needed = [self.days_of(bucket)[0]]
        through = bucket.end_utc
        if self.frozen_at is not None:
            needed.append(self.window.first_day(self.frozen_at))
            through = max(through, day_start(self.frozen_at + DAY, self.world.timezone))
        has_history = self.history_start is None or all(self.history_start <= day for day in needed)
        return through <= self.world.data_through and has_history

    # -- scores -------------------------------------------------------------------------------------------------------

    def events(self, selector: Selector, since: date, until: date, judged_since: date) -> list[Event]:
        """The qualifying events of known people between two days; of copies the earliest since a day."""
        zone, world = self.world.timezone, self.world
        there = [
            event
            for event in world.events
            if event.at <= world.data_through
            and event.at >= day_start(judged_since, zone)
            and (self.history_start is None or event.at >= day_start(self.history_start, zone))
        ]
        if isinstance(self.kind, Amount) or (isinstance(self.kind, Days) and self.kind.at_least > 1):
            there = list(deduplicated(there))
        small = World(tuple(there), zone, world.week_start, world.data_through)
        return [
            event
            for event in matching(small, selector, where=self.where)
            if is_person(event.user) and since <= local_date(event.at, zone) <= until
        ]

    def scores(self, since: date, until: date, judged_since: date) -> Mapping[Labels, Scores]:
        """RULES 22: of each person under each combination of labels."""
        key = (since, until, judged_since)
        if key not in self.remembered:
            self.remembered[key] = self._scores(since, until, judged_since)
        return self.remembered[key]

    @cached_property
    def remembered(self) -> dict[tuple[date, date, date], Mapping[Labels, Scores]]:
        """What has been found once."""
        return {}

    def _scores(self, since: date, until: date, judged_since: date) -> Mapping[Labels, Scores]:
        done: dict[tuple[Labels, str], list[tuple[str, Event]]] = defaultdict(list)
        named = self.kind.features if isinstance(self.kind, Features) else {"": self.kind.selector}
        for feature, selector in named.items():
            for event in self.events(selector, since, until, judged_since):
                assert event.user is not None
                done[labels_of(event, self.breakdown), event.user].append((feature, event))
        found: dict[Labels, dict[str, Score]] = defaultdict(dict)
        for (labels, user), events in done.items():
            score = self.score(events)
            if score is not None:
                found[labels][user] = score
        return found

    def score(self, events: Sequence[tuple[str, Event]]) -> Score | None:
        """What some events are worth; None where they make nobody active."""
        match self.kind:
            case Days(at_least=at_least):
                days = Counter(local_date(event.at, self.world.timezone) for _, event in events)
                count = sum(1 for number in days.values() if number >= at_least)
                return Fraction(count) if count else None
            case Features():
                return frozenset(feature for feature, _ in events)
            case Values(property=name):
                values = {value_of(event, name) for _, event in events} - {None}
                return Fraction(len(values)) if values else None
            case Amount(property=None):
                return Fraction(len(events))
            case Amount(property=name):
                assert name is not None
                numbers = [number_of(event, name) for _, event in events]
                return sum((Fraction(one) for one in numbers if one is not None), Fraction(0))

    def scores_of(self, bucket: Bucket) -> Mapping[Labels, Scores]:
        if not self.has_begun(bucket):
            return {}
        return self.scores(*self.days_of(bucket), judged_since=self.days_of(self.before)[0])

    # -- who is new, and who there is ---------------------------------------------------------------------------------

    @cached_property
    def first_days(self) -> Mapping[str, date]:
        """The local day of each person's first such event ever."""
        found: dict[str, date] = {}
        named = self.kind.features if isinstance(self.kind, Features) else {"": self.kind.selector}
        for selector in named.values():
            for event in matching(self.world, selector, where=self.where):
                long_ago = self.history_start is not None and event.at < day_start(
                    self.history_start, self.world.timezone
                )
                if event.user is not None and not long_ago:
                    day = local_date(event.at, self.world.timezone)
                    found[event.user] = min(found.get(event.user, day), day)
        return found

    def established(self, scores: Scores, since: date) -> Scores:
        """Those who count: without new people, if they are left out."""
        if not self.excludes_new:
            return scores
        return {user: score for user, score in scores.items() if self.first_days[user] <= since}

    def known_by(self, day: date) -> set[str]:
        """Who is known on a local day, as far as the data reaches."""
        zone, through = self.world.timezone, self.world.data_through
        found = set()
        for user, instants in (self.known or {}).items():
            for one in instants:
                is_instant = isinstance(one, datetime)
                there = one <= through and local_date(one, zone) <= day if is_instant else one <= day
                if there and is_person(user):
                    found.add(user)
        return found

    # -- tiers --------------------------------------------------------------------------------------------------------

    def thresholds(self, scores: Scores, labels: Labels) -> Mapping[str, Fraction | None]:
        """The lowest score of each tier; None for sets, and where nobody is there to have a percentile."""
        if self.frozen_at is not None:
            since = self.window.first_day(self.frozen_at)
            scores = self.established(self.scores(since, self.frozen_at, judged_since=since).get(labels, {}), since)
        found: dict[str, Fraction | None] = {}
        for name, needs in self.tiers.items():
            match needs:
                case Percentile(n):
                    found[name] = percentile([size(one) for one in scores.values()], n)
                case Fraction():
                    found[name] = needs
                case _:
                    found[name] = None
        return found

    def tier(self, score: Score, thresholds: Mapping[str, Fraction | None]) -> str:
        """The highest tier that is reached; ties go up."""
        for name, needs in self.tiers.items():
            if isinstance(needs, frozenset):
                assert isinstance(score, frozenset)
                if needs <= score:
                    return name
            elif (least := thresholds[name]) is not None and size(score) >= least:
                return name
        return NONE

    def placed(self, bucket: Bucket, labels: Labels) -> Mapping[str, str]:
        """The tier of each active person."""
        scores = self.counted_of(bucket).get(labels, {})
        thresholds = self.thresholds(scores, labels)
        return {user: self.tier(score, thresholds) for user, score in scores.items()}

    def counted_of(self, bucket: Bucket) -> Mapping[Labels, Scores]:
        """The scores of those who count, of groups that they are in."""
        since, _ = self.days_of(bucket)
        found = {labels: self.established(scores, since) for labels, scores in self.scores_of(bucket).items()}
        return {labels: scores for labels, scores in found.items() if scores}

    # -- answers ------------------------------------------------------------------------------------------------------

    @cached_property
    def groups(self) -> list[Labels]:
        if not self.breakdown:
            return [()]
        return sorted({labels for bucket in self.buckets for labels in self.counted_of(bucket)})

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.tiers, NONE, *((INACTIVE,) if self.known is not None else ()))

    def sizes(self, bucket: Bucket, labels: Labels) -> list[tuple[str, int | None, Fraction | None, int | None]]:
        """(tier, users, share, newer) of every tier and of none, and where everybody is known of the inactive."""
        if not self.has_begun(bucket):
            return [(name, None, None, None) for name in self.names]
        placed = self.placed(bucket, labels)
        counts = Counter(placed.values())
        since, until = self.days_of(bucket)
        newer = Counter(tier for user, tier in placed.items() if self.first_days[user] > since)
        active = len(placed)
        found: list[tuple[str, int | None, Fraction | None, int | None]] = [
            (name, counts[name], Fraction(counts[name], active) if active else None, newer[name])
            for name in (*self.tiers, NONE)
        ]
        if self.known is not None:
            absent = self.known_by(until) - set(self.scores_of(bucket).get(labels, {}))
            found.append((INACTIVE, len(absent), None, 0))
        return found

    def rows(self) -> list[tuple[object, ...]]:
        """(period, labels, tier, users, share, newer, complete)."""
        return [
            (bucket.label, *labels, *size_, self.is_complete(bucket))
            for bucket in self.buckets
            for labels in self.groups
            for size_ in self.sizes(bucket, labels)
        ]

    @cached_property
    def last_complete(self) -> Bucket | None:
        over = [one for one in self.buckets if self.is_complete(one)]
        return over[-1] if over else None

    def overall(self) -> list[tuple[object, ...]]:
        """(labels, tier, users, share, newer) as of the last complete bucket."""
        last = self.last_complete
        if last is None:
            return [] if self.breakdown else [(name, None, None, None) for name in self.names]
        groups = sorted(self.counted_of(last)) if self.breakdown else [()]
        return [(*labels, *size_) for labels in groups for size_ in self.sizes(last, labels)]

    def all_thresholds(self) -> list[tuple[object, ...]]:
        """(period, labels, tier, at_least, degenerate)."""
        found: list[tuple[object, ...]] = []
        for bucket in self.buckets:
            for labels in self.groups:
                scores = self.counted_of(bucket).get(labels, {})
                thresholds = self.thresholds(scores, labels)
                if self.frozen_at is not None:
                    since = self.window.first_day(self.frozen_at)
                    frozen = self.scores(since, self.frozen_at, judged_since=since)
                    scores = self.established(frozen.get(labels, {}), since)
                for name, needs in self.tiers.items():
                    least = thresholds[name]
                    degenerate: bool | None = False
                    if isinstance(needs, Percentile):
                        same = least is not None and list(thresholds.values()).count(least) > 1
                        degenerate = same or len(scores) < len(self.tiers)
                        if not self.has_begun(bucket):
                            least = degenerate = None
                    found.append((bucket.label, *labels, name, least, degenerate))
        return found

    def distribution(self) -> list[tuple[object, ...]]:
        """(period, labels, score, users), of the scores that somebody has."""
        found: list[tuple[object, ...]] = []
        for bucket in self.buckets:
            scores = self.counted_of(bucket)
            for labels in self.groups:
                counts = Counter(size(one) for one in scores.get(labels, {}).values())
                found += [(bucket.label, *labels, score, counts[score]) for score in sorted(counts)]
        return found

    def migration(self) -> dict[tuple[object, ...], int | None]:
        """Users by (period, labels, from, to)."""
        names = (*self.tiers, NONE, INACTIVE)
        buckets = [self.before, *self.buckets]
        groups = self.groups
        if self.breakdown:
            there = buckets if self.has_begun(buckets[1]) else []
            groups = sorted({labels for bucket in there for labels in self.counted_of(bucket)})
        found: dict[tuple[object, ...], int | None] = {}
        for earlier, bucket in pairwise(buckets):
            for labels in groups:
                then, now = self.placed(earlier, labels), self.placed(bucket, labels)
                moved = Counter((then.get(user, INACTIVE), now.get(user, INACTIVE)) for user in {*then, *now})
                for here in names:
                    for there in names:
                        if (here, there) != (INACTIVE, INACTIVE):
                            users = moved[here, there] if self.has_begun(bucket) else None
                            found[bucket.label, *labels, here, there] = users
        return found

    def members(self, tier: str | None, bucket: Bucket | None) -> list[str]:
        """Who is in a tier; of None all active people."""
        if bucket is None or not self.has_begun(bucket):
            return []
        if tier == INACTIVE:
            return sorted(self.known_by(self.days_of(bucket)[1]) - set(self.scores_of(bucket).get((), {})))
        return sorted(user for user, one in self.placed(bucket, ()).items() if tier in (None, one))


def size(score: Score) -> Fraction:
    """A score as a number: of features, how many."""
    return Fraction(len(score)) if isinstance(score, frozenset) else score


def percentile(scores: Sequence[Fraction], n: int) -> Fraction | None:
    """The exact continuous percentile; None of nobody."""
    ordered = sorted(scores)
    if not ordered:
        return None
    rank = Fraction((len(ordered) - 1) * n, 100)
    low = ordered[floor(rank)]
    high = ordered[min(floor(rank) + 1, len(ordered) - 1)]
    return low + (high - low) * (rank - floor(rank))
