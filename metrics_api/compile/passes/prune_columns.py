"""No step computes, carries or sorts a column that nobody reads: engines that keep a step's rows keep them whole.

A step that several others read has what any of them reads. Rows never change: keys of an aggregate stay, read or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from metrics_api.plan.expr import Expr, columns
from metrics_api.plan.nodes import (
    Aggregate,
    Filter,
    Join,
    Named,
    Named_,
    Plan,
    Project,
    Scan,
    Sort,
    Spine,
    Union,
    keep,
    output,
)

Names = frozenset[str]


def prune_columns(plan: Plan) -> Plan:
    """A plan of relational nodes with the same rows and columns."""
    everything = frozenset(output(plan))
    steps = _Steps()
    steps.ask(plan, everything)
    return steps.pruned(plan, everything)


@dataclass(slots=True)
class _Steps:
    """What is read of each named step. Equal ones are one, as they will be one in the statement."""

    named: list[Named] = field(default_factory=list)
    read: list[Names] = field(default_factory=list)
    done: dict[int, Named] = field(default_factory=dict)
    known: dict[int, int] = field(default_factory=dict)

    def number(self, step: Named) -> int:
        if id(step) not in self.known:
            same = (k for k, one in enumerate(self.named) if one is step or one == step)
            self.known[id(step)] = next(same, len(self.named))
            if self.known[id(step)] == len(self.named):
                self.named.append(step)
                self.read.append(frozenset())
        return self.known[id(step)]

    def ask(self, plan: Plan, names: Names) -> None:
        """Note what is read where, when these columns of a plan are."""
        if not isinstance(plan, Named):
            for one, of_it in _inputs(plan, names):
                self.ask(one, of_it)
            return
        number = self.number(plan)
        names = names or _some(plan)
        if not names <= self.read[number]:
            self.read[number] |= names
            self.ask(plan.input, self.read[number])

    def pruned(self, plan: Plan, names: Names) -> Plan:
        """The plan with these columns, in their order, and others only where it costs nothing to leave them."""
        if isinstance(plan, Named):
            number = self.number(plan)
            if number not in self.done:
                source = self.pruned(plan.input, self.read[number])
                self.done[number] = plan if source is plan.input else Named(plan.name, source)
            return self.done[number]
        inputs = [self.pruned(one, of_it) for one, of_it in _inputs(plan, names)]
        match plan:
            case Scan() | Spine():
                return plan
            case Project(columns=projected):
                return Project(inputs[0], _kept(projected, names) or projected[:1])
            case Aggregate(keys=keys, aggregates=aggregates):
                kept = _kept(aggregates, names)
                return Aggregate(inputs[0], keys, kept if keys or kept else aggregates[:1])
            case Join():
                return replace(plan, left=inputs[0], right=inputs[1])
            case Union():
                wanted = [one for one in output(plan) if one in (names or _some(plan))]
                return Union(tuple(_exactly(one, wanted) for one in inputs))
            case Filter() | Sort():
                return replace(plan, input=inputs[0])
            case _:
                raise AssertionError(f"{type(plan).__name__} is no relational node")


def _inputs(plan: Plan, names: Names) -> list[tuple[Plan, Names]]:
    """What of each input is read, when these columns of a plan are."""
    match plan:
        case Filter(source, where):
            return [(source, names | _columns([where]))]
        case Project(source, projected):
            kept = _kept(projected, names) or projected[:1]
            return [(source, _columns(expr for _, expr in kept))]
        case Aggregate(source, keys, aggregates):
            kept = _kept(aggregates, names)
            kept = kept if keys or kept else aggregates[:1]
            return [(source, _columns(expr for _, expr in (*keys, *kept)))]
        case Sort(source, by):
            return [(source, names | {name for name, _ in by})]
        case Union(inputs):
            return [(one, names or _some(plan)) for one in inputs]
        case Join(left, right, on=on, asof=asof, where=where):
            read = names | (_columns([where]) if where is not None else frozenset())
            mine, theirs = {here for here, _ in on}, {there for _, there in on}
            if asof is not None:
                mine, theirs = mine | {asof[0]}, theirs | {asof[2]}
            return [
                (left, read.intersection(output(left)) | mine),
                (right, read.intersection(output(right)) | theirs),
            ]
        case _:
            return []


def _columns(exprs: Iterable[Expr]) -> Names:
    return frozenset(name for one in exprs for name in columns(one))


def _kept(named: tuple[Named_, ...], names: Names) -> tuple[Named_, ...]:
    return tuple(one for one in named if one[0] in names)


def _some(plan: Plan) -> Names:
    """One column, where rows are read and nothing of them."""
    return frozenset(output(plan)[:1])


def _exactly(plan: Plan, names: list[str]) -> Plan:
    return plan if list(output(plan)) == names else Project(plan, keep(*names))
