"""Usage and value moments, counted by going through the list."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import fsum

from families.oracles.calendar import Bucket, Grain, bucket_starts, label_at, widened
from families.oracles.distribution import PERCENTILES, Distribution, average, distribution
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

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Measures:
    """What is said about a set of events; `sum` to `distinct` are of the property asked for.

    `total`, `users` and `distinct` of nothing are 0; everything else of nothing is None.
    """

    total: int
    users: int
    per_user: Distribution
    sum: float | None
    average: float | None
    min: float | None
    max: float | None
    distinct: int


@dataclass(frozen=True)
class UsageRow:
    """One bucket and combination of labels; `complete` if the bucket ends by `data_through` (RULES 5)."""

    bucket: Bucket
    labels: Labels
    measures: Measures
    complete: bool


@dataclass(frozen=True)
class UsageAnswer:
    """Rows by bucket then labels, and the same measures recomputed over the whole widened range (RULES 15)."""

    rows: tuple[UsageRow, ...]
    overall: Mapping[Labels, Measures]


def usage(
    world: World,
    selector: Selector,
    first: date,
    last: date,
    grain: Grain,
    *,
    amount: str | None = None,
    breakdown: Sequence[str] = (),
    where: Selector | None = None,
    exclude: Selector | None = None,
    event_ids: bool = False,
    percentiles: Sequence[float] = PERCENTILES,
) -> UsageAnswer:
    """Count the events that match, in every bucket of the widened range and over all of it.

    Without a breakdown every bucket has one row. With one, every combination of labels that occurs anywhere in the
    range has a row in every bucket. `event_ids` says that the source declares its event ids (RULES 13).
    """
    start, end = widened(first, last, grain, world.timezone, world.week_start)
    events = [event for event in matching(world, selector, where=where, exclude=exclude) if start <= event.at < end]
    # Which rows remain is decided over the whole range, so that a duplicate in a later bucket does not count again.
    once = deduplicated(events) if event_ids else tuple(events)
    combinations = sorted({labels_of(event, breakdown) for event in events}) if breakdown else [()]

    def measured(labels: Labels, bucket: Bucket | None) -> Measures:
        def belongs(event: Event) -> bool:
            label = label_at(event.at, grain, world.timezone, world.week_start)
            return labels_of(event, breakdown) == labels and (bucket is None or label == bucket.label)

        return measure(
            [event for event in events if belongs(event)],
            [event for event in once if belongs(event)],
            amount,
            percentiles,
        )

    rows = tuple(
        UsageRow(bucket, labels, measured(labels, bucket), bucket.end_utc <= world.data_through)
        for bucket in bucket_starts(first, last, grain, world.timezone, world.week_start)
        for labels in combinations
    )
    return UsageAnswer(rows, {labels: measured(labels, None) for labels in combinations})


def measure(
    events: Sequence[Event], once: Sequence[Event], amount: str | None, percentiles: Sequence[float]
) -> Measures:
    """The measures of some events, of which `once` are those that remain without duplicates.

    RULES 10: null and empty users count in what is said of events, not in users and not per user. RULES 13: measures
    that a duplicate cannot change (users, min, max, distinct) are of all rows, the others of `once`. The people of the
    per-user numbers are those with at least one event (SEMANTICS 1).
    """
    counts = Counter(event.user for event in once if is_person(event.user))
    distinct: set[object] = set()
    numbers: list[float] = []
    numbers_once: list[float] = []
    if amount is not None:
        distinct = {value_of(event, amount) for event in events} - {None}
        if not any(isinstance(value, str | bool) for value in distinct):
            numbers = [number for event in events if (number := number_of(event, amount)) is not None]
            numbers_once = [number for event in once if (number := number_of(event, amount)) is not None]
    return Measures(
        total=len(once),
        users=len({event.user for event in events if is_person(event.user)}),
        per_user=distribution(list(counts.values()), percentiles),
        sum=fsum(numbers_once) if numbers_once else None,
        average=average(numbers_once),
        min=min(numbers, default=None),
        max=max(numbers, default=None),
        distinct=len(distinct),
    )
