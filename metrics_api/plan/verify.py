"""The invariants of a plan. Tests check them after planning and after every pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from metrics_api.plan.expr import TRUE, Agg, Expr, Over, columns, operands
from metrics_api.plan.nodes import (
    ActiveDays,
    Aggregate,
    Attendance,
    Filter,
    Join,
    Journey,
    Plan,
    Project,
    Scan,
    Scores,
    Sort,
    Spine,
    Union,
    output,
)
from metrics_api.plan.walk import nodes


def faults(plan: Plan) -> list[str]:
    """Everything that no plan may be: unknown or ambiguous columns, aggregates out of place, uneven unions."""
    return [f"{type(node).__name__}: {fault}" for node in nodes(plan) for fault in _faults_of(node)]


def _faults_of(node: Plan) -> Iterator[str]:
    shown = output(node)
    for name, times in Counter(shown).items():
        if times > 1:
            yield f"shows `{name}` {times} times"
    match node:
        case Scan(columns=named, exclude=exclude):
            yield from _unknown([] if exclude is None else [exclude], {name for name, _ in named})
        case Filter(input=source, where=where):
            yield from _unknown([where], output(source))
            if any(isinstance(part, Agg | Over) for part in parts(where)):
                yield "filters by an aggregate or a window"
        case Project(input=source, columns=named):
            yield from _unknown([expr for _, expr in named], output(source))
            if any(isinstance(part, Agg) for _, expr in named for part in parts(expr)):
                yield "projects an aggregate"
        case Aggregate(input=source, keys=keys, aggregates=aggregates):
            yield from _unknown([expr for _, expr in (*keys, *aggregates)], output(source))
            if any(isinstance(part, Agg | Over) for _, expr in keys for part in parts(expr)):
                yield "groups by an aggregate or a window"
            for name, expr in aggregates:
                if not any(isinstance(part, Agg) for part in parts(expr)):
                    yield f"`{name}` is not an aggregate"
        case Join(left, right, on=on, asof=asof, where=where, kind=kind):
            for here, there in on:
                yield from _unknown_names([here], output(left))
                yield from _unknown_names([there], output(right))
            if asof is not None:
                yield from _unknown_names([asof[0]], output(left))
                yield from _unknown_names([asof[2]], output(right))
            if (kind in ("asof", "asof_left")) != (asof is not None):
                yield f"a join of kind {kind} with asof {asof}"
            yield from _unknown([] if where is None else [where], shown)
        case Union(inputs):
            if len({output(one) for one in inputs}) != 1:
                yield f"unites {[output(one) for one in inputs]}"
        case Spine(columns=typed, rows=rows):
            if not rows or any(len(row) != len(typed) for row in rows):
                yield "is empty or has rows of another width"
        case Sort(input=source, by=by):
            yield from _unknown_names([name for name, _ in by], output(source))
        case ActiveDays() | Scores() | Attendance() | Journey():
            yield from _faults_of_operator(node)
        case _:
            pass


def _faults_of_operator(node: ActiveDays | Scores | Attendance | Journey) -> Iterator[str]:
    match node:
        case ActiveDays(input=source, keys=keys, windows=windows):
            yield from _unknown_names(["day", "entity", *keys], output(source))
            yield from _odd_windows(windows)
        case Scores():
            yield from _faults_of_scores(node)
        case Attendance(input=source, keys=keys, places=places):
            yield from _unknown_names(["place", "entity", *keys], output(source))
            if places < 1:
                yield f"has {places} places"
        case Journey(input=source, steps=steps):
            conditions = [node.entry, *(one.condition for one in steps), *(one.condition for one in node.exclusions)]
            yield from _unknown([*conditions, node.breaks or TRUE], output(source))
            tie = ["tie"] if node.tie else []
            for rows in (source, *(() if node.entered is None else (node.entered,))):
                yield from _unknown_names(["entity", "at", *node.labels, *node.same, *node.keys, *tie], output(rows))
            yield from _odd_steps(node)
        case _:
            pass


def _faults_of_scores(node: Scores) -> Iterator[str]:
    own = {"values": ["value"], "amounts": ["amount"], "flags": [name for name, _ in node.flags], "days": []}[node.of]
    yield from _unknown_names(["day", "entity", *node.keys, *own], output(node.input))
    if node.facts is not None:
        yield from _unknown_names(["entity"], output(node.facts))
    yield from _unknown([] if node.counted is None else [node.counted], ["score"])
    yield from _odd_windows(node.windows)
    if node.windows and node.windows[-1][2] >= node.days:
        yield f"has a window beyond its {node.days} days: {node.windows[-1]}"


def _odd_steps(node: Journey) -> Iterator[str]:
    steps = node.steps
    if len(steps) < 2:
        yield "has fewer than two steps"
    if steps[0].optional or steps[-1].optional:
        yield "begins or ends with an optional step"
    if any(not 1 <= one.after < one.before <= len(steps) for one in node.exclusions):
        yield "excludes between steps out of order"


def _odd_windows(windows: Sequence[tuple[object, int, int]]) -> Iterator[str]:
    if not windows or any(first > last or first < 0 for _, first, last in windows):
        yield f"has windows {windows}"
    if any(here[1] > there[1] or here[2] >= there[2] for here, there in pairwise(windows)):
        yield f"has windows out of order: {windows}"


def parts(expr: Expr) -> Iterator[Expr]:
    """An expression and everything in it."""
    yield expr
    for operand in operands(expr):
        yield from parts(operand)


def _unknown(exprs: Iterable[Expr], known: Iterable[str]) -> Iterator[str]:
    yield from _unknown_names((name for expr in exprs for name in columns(expr)), known)


def _unknown_names(names: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    there = set(known)
    for name in sorted(set(names) - there):
        yield f"reads `{name}` of {sorted(there)}"
