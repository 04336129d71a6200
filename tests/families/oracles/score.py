"""Scores from 0 to 100, person by person: each component's number, the share of it, and all of them weighed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import cached_property
from math import floor
from typing import TypeAlias

from families.oracles.active_users import Labels
from families.oracles.calendar import DAY, Bucket, day_start
from families.oracles.funnel import Funnel, counted_attempts, labels_of_attempt
from families.oracles.sessions import sessions
from families.oracles.tiers import Kind, Percentile, Scores, Tiered, percentile, size
from families.oracles.world import matching, named


@dataclass(frozen=True)
class Visits:
    """Sessions of all events, by the day they began: how many, their minutes, their events."""

    gap: timedelta
    number: str


@dataclass(frozen=True)
class Conversion:
    """Whether an entry of the window led to the last step."""

    funnel: Funnel


Numbers: TypeAlias = Mapping[str, Fraction]


@dataclass(frozen=True)
class Component:
    kind: Kind | Visits | Conversion
    weight: Fraction
    full_at: Fraction | Percentile | None
    """None: by rank."""


@dataclass(frozen=True)
class Composed(Tiered):
    """A question of a score. Its tiers are those of `Tiered`, over scores of whoever has any component."""

    components: Sequence[Component] = ()

    # -- numbers ------------------------------------------------------------------------------------------------------

    def numbers(self, one: Component, since: date, until: date, judged_since: date) -> Mapping[Labels, Numbers]:
        """What each person under each combination of labels did between two days."""
        match one.kind:
            case Visits():
                return self._visits(one.kind, since, until, judged_since)
            case Conversion():
                return self._conversions(one.kind.funnel, since, until)
        plain = Tiered(
            self.world, one.kind, {}, self.window, self.first, self.last, self.grain, self.breakdown, self.where
        )
        found = plain.scores(since, until, judged_since)
        return {labels: {user: size(score) for user, score in people.items()} for labels, people in found.items()}

    def _visits(self, kind: Visits, since: date, until: date, judged_since: date) -> Mapping[Labels, Numbers]:
        buckets, _ = sessions(
            self.world, named(), judged_since, until, "day", gap=kind.gap, breakdown=self.breakdown, where=self.where
        )
        found: dict[Labels, dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
        for row in buckets:
            assert row.bucket is not None
            if row.bucket.first_day >= since:
                for one in row.sessions:
                    lasted = (one.events[-1].at - one.events[0].at) / timedelta(microseconds=1)
                    minutes = Fraction(int(lasted), 60_000_000)
                    number = {"sessions": Fraction(1), "minutes": minutes, "events": Fraction(len(one.events))}
                    found[row.labels][one.user] += number[kind.number]
        return found

    def _conversions(self, spec: Funnel, since: date, until: date) -> Mapping[Labels, Numbers]:
        """Each day of entry by itself, as trends are; converted on any of them is converted."""
        events = matching(self.world, lambda _: True, where=self.where)
        found: dict[Labels, dict[str, Fraction]] = defaultdict(dict)
        for n in range((until - since).days + 1):
            start, end = (day_start(since + k * DAY, self.world.timezone) for k in (n, n + 1))
            for one in counted_attempts(events, spec, start, end) if start < end else []:
                labels = labels_of_attempt(one, self.breakdown, spec)
                converted = Fraction(one.at(len(spec.steps)) is not None)
                found[labels][one.person] = max(converted, found[labels].get(one.person, Fraction(0)))
        return found

    # -- shares -------------------------------------------------------------------------------------------------------

    def full(self, one: Component, labels: Labels, people: Numbers) -> Fraction | None:
        """The number that counts in full; None where nobody is there to have a percentile, and of ranks."""
        if not isinstance(one.full_at, Percentile):
            return one.full_at
        if self.frozen_at is not None:
            since = self.window.first_day(self.frozen_at)
            people = self.numbers(one, since, self.frozen_at, since).get(labels, {})
        return percentile(list(people.values()), one.full_at.n)

    def share(self, one: Component, labels: Labels, people: Numbers, user: str) -> Fraction:
        """From 0 to 1; SEMANTICS 11: a missing component is 0, ties have the mean of their ranks."""
        if user not in people:
            return Fraction(0)
        if one.full_at is None:
            others = [number for other, number in people.items() if other != user]
            if not others:
                return Fraction(1, 2)
            below = sum(number < people[user] for number in others)
            alike = sum(number == people[user] for number in others)
            return Fraction(2 * below + alike, 2 * len(others))
        full = self.full(one, labels, people)
        if full is None or people[user] <= 0:
            return Fraction(0)
        return Fraction(1) if people[user] >= full else people[user] / full

    def points(self, one: Component, share: Fraction) -> Fraction:
        return rounded(100 * one.weight * share / sum(each.weight for each in self.components))

    def shares(self, since: date, until: date, judged_since: date) -> Mapping[Labels, Mapping[str, list[Fraction]]]:
        """Of whoever has any component the shares of all of them."""
        every = [self.numbers(one, since, until, judged_since) for one in self.components]
        found: dict[Labels, dict[str, list[Fraction]]] = {}
        for labels in {labels for numbers in every for labels in numbers}:
            people = {user for numbers in every for user in numbers.get(labels, {})}
            found[labels] = {
                user: [
                    self.share(one, labels, numbers.get(labels, {}), user)
                    for one, numbers in zip(self.components, every, strict=True)
                ]
                for user in people
            }
        return {labels: people for labels, people in found.items() if people}

    def _scores(self, since: date, until: date, judged_since: date) -> Mapping[Labels, Scores]:
        weights = [one.weight for one in self.components]
        return {
            labels: {
                user: rounded(100 * sum(map(Fraction.__mul__, weights, shares), Fraction(0)) / sum(weights))
                for user, shares in people.items()
            }
            for labels, people in self.shares(since, until, judged_since).items()
        }

    # -- what differs from other tiers --------------------------------------------------------------------------------

    @cached_property
    def first_days(self) -> Mapping[str, date]:
        """Nobody is told to be new."""
        return defaultdict(lambda: date.min)

    def is_complete(self, bucket: Bucket) -> bool:
        """Sessions are known a day after they began."""
        settled = not any(isinstance(one.kind, Visits) for one in self.components)
        return super().is_complete(bucket) and (settled or bucket.end_utc + DAY <= self.world.data_through)

    # -- answers ------------------------------------------------------------------------------------------------------

    def scores_at(self, bucket: Bucket, labels: Labels) -> list[Fraction]:
        return [size(one) for one in self.counted_of(bucket).get(labels, {}).values()]

    def averages(self) -> list[tuple[object, ...]]:
        """(period, labels, value, users, median, complete)."""
        found: list[tuple[object, ...]] = []
        for bucket in self.buckets:
            for labels in self.groups:
                told = spread(self.scores_at(bucket, labels)) if self.has_begun(bucket) else (None, None, None)
                found.append((bucket.label, *labels, *told, self.is_complete(bucket)))
        return found

    def last_averages(self) -> list[tuple[object, ...]]:
        """(labels, value, users, median) as of the last complete bucket."""
        last = self.last_complete
        if last is None:
            return [] if self.breakdown else [(None, None, None)]
        groups = sorted(self.counted_of(last)) if self.breakdown else [()]
        return [(*labels, *spread(self.scores_at(last, labels))) for labels in groups]

    def bins(self) -> list[tuple[object, ...]]:
        """(period, labels, from_points, users)."""
        found: list[tuple[object, ...]] = []
        for bucket in self.buckets:
            for labels in self.groups:
                scores = self.scores_at(bucket, labels)
                for least in range(0, 100, 10):
                    users = sum(least <= one < least + 10 or (least == 90 and one == 100) for one in scores)
                    found.append((bucket.label, *labels, least, users if self.has_begun(bucket) else None))
        return found

    def of_components(self) -> list[tuple[object, ...]]:
        """(period, labels, number of the component, points, present, full_at, degenerate)."""
        found: list[tuple[object, ...]] = []
        for bucket in self.buckets:
            for labels in self.groups:
                for k, one in enumerate(self.components):
                    told = self._component(bucket, labels, k, one) if self.has_begun(bucket) else (None,) * 4
                    found.append((bucket.label, *labels, k, *told))
        return found

    def _component(self, bucket: Bucket, labels: Labels, k: int, one: Component) -> tuple[object, ...]:
        since, until = self.days_of(bucket)
        judged_since = self.days_of(self.before)[0]
        everybody = self.shares(since, until, judged_since).get(labels, {})
        people = self.numbers(one, since, until, judged_since).get(labels, {})
        points = [self.points(one, shares[k]) for shares in everybody.values()]
        full = self.full(one, labels, people)
        degenerate = len(set(people.values())) < 2 if one.full_at is None else full is None or full <= 0
        return (sum(points) / len(points) if points else None, len(people), full, degenerate)


def spread(scores: Sequence[Fraction]) -> tuple[Fraction | None, int, Fraction | None]:
    average = sum(scores, Fraction(0)) / len(scores) if scores else None
    return average, len(scores), percentile(scores, 50)


def rounded(number: Fraction) -> Fraction:
    """To four digits, halves up."""
    return Fraction(floor(number * 10_000 + Fraction(1, 2)), 10_000)
