"""Flows, anchor by anchor: what each person did after it, and before it."""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from families.oracles.calendar import Grain, widened
from families.oracles.world import (
    Event,
    Selector,
    World,
    deduplicated,
    is_person,
    label_of,
    labels_of,
    matching,
    value_of,
)

Labels = tuple[str, ...]
EXIT, START, OTHER, NONE = "(exit)", "(start)", "(other)", "(none)"


@dataclass(frozen=True)
class Flow:
    """What is asked: `lost` tells for each person when they came to the step before the one they were lost at."""

    anchor: Selector
    anchor_name: str
    after: int = 3
    before: int = 0
    steps: Selector = lambda event: True
    """The events that are steps; anchors always are."""
    node: Callable[[Event], str] = lambda event: event.name
    top: int = 8
    totals: bool = False
    first_ever: bool = False
    collapse: bool = True
    gap: timedelta | None = None
    within: timedelta = timedelta(days=30)
    tie_breaker: Callable[[Event], int] | None = None
    lost: Callable[[World], Mapping[str, datetime]] | None = None
    further: timedelta = timedelta(0)
    """How long after the range an anchor can be: the window of the funnel that lost people."""


@dataclass(frozen=True)
class Step:
    node: str
    at: datetime


@dataclass(frozen=True)
class Path:
    """One anchor's: `before` from the nearest on, as `after` is; shorter where nothing was, or came."""

    person: str
    labels: Labels
    at: datetime
    after: tuple[Step, ...]
    before: tuple[Step, ...]
    pending: bool


def label_of_node(name: str) -> Callable[[Event], str]:
    """A node that is a property's value."""
    return lambda event: label_of(value_of(event, name))


def paths(
    world: World,
    flow: Flow,
    first: date,
    last: date,
    grain: Grain = "day",
    *,
    breakdown: Sequence[str] = (),
    where: Selector | None = None,
    copies: bool = False,
) -> list[Path]:
    """The path of each anchor that counts.

    Read are the events from the range's first anchor less the window to its last one and the window, and rows with one
    `event_id` count once among these (RULES 13), unless `copies` count.
    """
    start, end = widened(first, last, grain, world.timezone, world.week_start)
    begins = start - flow.within if flow.before else start
    ends = end + flow.further + (flow.within if flow.after else timedelta(0))
    known = matching(world, lambda event: flow.steps(event) or flow.anchor(event), where=where)
    read = [event for event in known if begins <= event.at < ends]
    read = read if copies else list(deduplicated(read))
    found: list[Path] = []
    lost = None if flow.lost is None else flow.lost(world)
    for person in sorted({event.user for event in read if event.user is not None and is_person(event.user)}):
        mine = [event for event in read if event.user == person]
        mine.sort(key=lambda event: _place(event, flow, breakdown))
        if lost is not None:
            anchors = [k for k, event in enumerate(mine) if flow.anchor(event) and event.at == lost.get(person)][:1]
        elif flow.first_ever:
            ever = [one.at for one in matching(world, flow.anchor, where=where) if one.user == person]
            anchors = [
                k for k, one in enumerate(mine) if flow.anchor(one) and one.at == min(ever) and start <= one.at < end
            ]
            anchors = anchors[:1]
        else:
            anchors = [k for k, event in enumerate(mine) if flow.anchor(event) and start <= event.at < end]
            anchors = anchors if flow.totals else anchors[:1]
        if flow.totals:
            anchors = [
                k for n, k in enumerate(anchors) if n == 0 or not _is_one_run(mine[anchors[n - 1] : k + 1], flow)
            ]
        found += [_path(world, flow, person, mine, k, breakdown) for k in anchors]
    return found


def _place(event: Event, flow: Flow, breakdown: Sequence[str]) -> tuple[object, ...]:
    """Time, tie breaker, name; then anchors first, and the least labels."""
    tie = flow.tie_breaker(event) if flow.tie_breaker else 0
    return event.at, tie, flow.node(event), not flow.anchor(event), labels_of(event, breakdown)


def _is_one_run(events: Sequence[Event], flow: Flow) -> bool:
    """Whether all of these are one: of one node, without a longer pause."""
    pairs = list(itertools.pairwise(events))
    if not flow.collapse:
        return False
    return all(flow.node(a) == flow.node(b) and (flow.gap is None or b.at - a.at <= flow.gap) for a, b in pairs)


def _path(world: World, flow: Flow, person: str, mine: Sequence[Event], k: int, breakdown: Sequence[str]) -> Path:
    anchor = mine[k]
    after = _side(anchor, mine[k + 1 :], flow)
    before = _side(anchor, mine[:k][::-1], flow)
    closes = anchor.at + flow.within
    if flow.gap is not None:
        last = anchor
        for event in mine[k + 1 :]:
            if event.at - last.at > flow.gap:
                break
            last = event
        closes = min(closes, last.at + flow.gap)
    pending = len(after) < flow.after and closes > world.data_through
    return Path(person, labels_of(anchor, breakdown), anchor.at, after[: flow.after], before[: flow.before], pending)


def _side(anchor: Event, others: Sequence[Event], flow: Flow) -> tuple[Step, ...]:
    """The steps on one side, the nearest first: each by its nearest event."""
    found: list[Step] = []
    nearer = anchor
    for event in others:
        if abs(event.at - anchor.at) > flow.within or (flow.gap is not None and abs(event.at - nearer.at) > flow.gap):
            break
        if not flow.collapse or flow.node(event) != flow.node(nearer):
            found.append(Step(flow.node(event), event.at))
        nearer = event
    return tuple(found)


@dataclass
class Edge:
    count: int = 0
    pending: int = 0
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Told:
    """What is told of the paths of each group."""

    edges: Mapping[tuple[Labels, int, str, str], Edge]
    nodes: Mapping[tuple[Labels, int, str], int]
    totals: Mapping[Labels, int]
    paths: Mapping[Labels, list[tuple[str, int, int]]]
    """In order of rank: words, count, pending."""


def told(found: Sequence[Path], flow: Flow) -> Told:
    tops = _tops(found, flow)

    def shown(position: int, node: str) -> str:
        return node if position == 0 or node == NONE or node in tops[position] else OTHER

    edges: dict[tuple[Labels, int, str, str], Edge] = {}
    nodes: Counter[tuple[Labels, int, str]] = Counter()
    for path in found:
        nodes[path.labels, 0, flow.anchor_name] += 1
        for sign, steps, most in ((1, path.after, flow.after), (-1, path.before, flow.before)):
            chain = [Step(flow.anchor_name, path.at), *steps]
            for distance in range(1, most + 1):
                position = sign * distance
                if distance > len(chain):
                    break
                nearer = chain[distance - 1]
                inner = shown(position - sign, nearer.node)
                further = chain[distance] if distance < len(chain) else None
                outer = shown(position, further.node) if further else (EXIT if sign > 0 else START)
                pair = (inner, outer) if sign > 0 else (outer, inner)
                edge = edges.setdefault((path.labels, position, *pair), Edge())
                edge.count += 1
                edge.pending += further is None and sign > 0 and path.pending
                if further is not None:
                    edge.seconds.append(abs((further.at - nearer.at).total_seconds()))
                    nodes[path.labels, position, outer] += 1
    totals = Counter(path.labels for path in found)
    return Told(edges, nodes, totals, {labels: _ranked(found, labels, flow) for labels in totals})


def _tops(found: Sequence[Path], flow: Flow) -> Mapping[int, set[str]]:
    """The commonest nodes of each column, over all groups; of equal ones the first by name."""
    counts: dict[int, Counter[str]] = {k: Counter() for k in range(-flow.before, flow.after + 1)}
    for path in found:
        for distance, step in enumerate(path.after, 1):
            counts[distance][step.node] += 1
        for distance, step in enumerate(path.before, 1):
            counts[-distance][step.node] += 1
    return {
        position: set(sorted((one for one in counter if one != NONE), key=lambda one: (-counter[one], one))[: flow.top])
        for position, counter in counts.items()
    }


def _ranked(found: Sequence[Path], labels: Labels, flow: Flow) -> list[tuple[str, int, int]]:
    """The paths of a group from the commonest on; of equal ones the first by the nodes, in the order of time."""
    counts: Counter[tuple[str | None, ...]] = Counter()
    pending: Counter[tuple[str | None, ...]] = Counter()
    for path in found:
        if path.labels == labels:
            before = [step.node for step in path.before]
            after = [step.node for step in path.after]
            nodes = (
                *[None] * (flow.before - len(before)), *before[::-1], *after, *[None] * (flow.after - len(after))
            )  # fmt: skip
            counts[nodes] += 1
            pending[nodes] += path.pending
    ranked = sorted(counts, key=lambda nodes: (-counts[nodes], *(one or "" for one in nodes)))
    return [(_words(nodes, flow), counts[nodes], pending[nodes]) for nodes in ranked]


def _words(nodes: Sequence[str | None], flow: Flow) -> str:
    before, after = nodes[: flow.before], nodes[flow.before :]
    return " > ".join(
        [
            *([START] if None in before else []),
            *[one for one in (*before, flow.anchor_name, *after) if one is not None],
            *([EXIT] if None in after else []),
        ]
    )
