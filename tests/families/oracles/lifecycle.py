"""Growth accounting, person by person."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from families.oracles.calendar import Bucket, Grain, bucket_starts, day_start, label_at
from families.oracles.world import Selector, World, deduplicated, is_person, labels_of, matching

Labels = tuple[str, ...]
Person = str


@dataclass(frozen=True)
class States:
    """SEMANTICS 6 and RULES 29; `known` are those ever active before the bucket."""

    new: frozenset[Person]
    returning: frozenset[Person]
    resurrecting: frozenset[Person]
    dormant: frozenset[Person]
    dormant_stock: frozenset[Person]
    active: frozenset[Person]
    known: frozenset[Person]

    @property
    def quick_ratio(self) -> float | None:
        gained = len(self.new) + len(self.resurrecting)
        return gained / len(self.dormant) if self.dormant else None

    @property
    def net_change(self) -> int:
        return len(self.new) + len(self.resurrecting) - len(self.dormant)


@dataclass(frozen=True)
class LifecycleRow:
    """The people of each state in a bucket, under labels; None when the bucket starts after `data_through`."""

    bucket: Bucket
    labels: Labels
    states: States | None
    complete: bool


def lifecycle(
    world: World,
    selector: Selector,
    first: date,
    last: date,
    grain: Grain,
    *,
    at_least: int = 1,
    breakdown: Sequence[str] = (),
    where: Selector | None = None,
    history_start: datetime | None = None,
    looks_at: Literal["range", "bucket before", "history"] = "history",
) -> tuple[LifecycleRow, ...]:
    """Tell what every person is in every bucket, under each label apart (as RULES 22 has it for tiers).

    Active is a person with `at_least` events in the bucket, copies of an event not counted (RULES 13). Labels are
    shown that occur in what is looked at. A bucket is complete when the data reach its end, and go back to the
    beginning of the bucket before it.
    """
    buckets = bucket_starts(first, last, grain, world.timezone, world.week_start)
    events = [
        event
        for event in matching(world, selector, where=where)
        if event.at < buckets[-1].end_utc and (history_start is None or event.at >= history_start)
    ]
    counts: Counter[tuple[Person, Labels, date]] = Counter(
        (event.user, labels_of(event, breakdown), label_at(event.at, grain, world.timezone, world.week_start))
        for event in (deduplicated(events) if at_least > 1 else events)
        if event.user is not None and is_person(event.user)
    )
    active = {key for key, number in counts.items() if number >= at_least}

    def label_before(bucket: Bucket) -> date:
        instant = bucket.start_utc - timedelta(microseconds=1)
        return label_at(instant, grain, world.timezone, world.week_start)

    oldest = {"range": buckets[0].label, "bucket before": label_before(buckets[0]), "history": date.min}[looks_at]
    combinations: list[Labels] = [()]
    if breakdown:
        combinations = sorted({labels for _, labels, label in active if label >= oldest})

    def states_of(bucket: Bucket, labels: Labels) -> States:
        then = label_before(bucket)
        here = frozenset(who for who, under, label in active if under == labels and label == bucket.label)
        before = frozenset(who for who, under, label in active if under == labels and label == then)
        known = frozenset(who for who, under, label in active if under == labels and label < bucket.label)
        return States(
            new=here - known,
            returning=here & before,
            resurrecting=(here & known) - before,
            dormant=before - here,
            dormant_stock=known - here,
            active=here,
            known=known,
        )

    def is_complete(bucket: Bucket) -> bool:
        start = day_start(label_before(bucket), world.timezone)
        return bucket.end_utc <= world.data_through and (history_start is None or history_start <= start)

    return tuple(
        LifecycleRow(
            bucket,
            labels,
            states_of(bucket, labels) if bucket.start_utc <= world.data_through else None,
            is_complete(bucket),
        )
        for bucket in buckets
        for labels in combinations
    )
