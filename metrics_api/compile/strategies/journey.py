"""`Journey`: each entity's best attempt at ordered steps within a window from its entry (contract in `plan.nodes`).

What makes the strategies exact (RULES 24, 25): of all entries from which a step's event can be reached, the latest one
is the best, for it leaves the most time and reaches the same events. So each event of step k looks back for the latest
event of step k-1 that is part of an attempt, and inherits its entry. Entries and step times grow together; the best
attempt of a depth therefore has the least of each, and plain minima find it.

- `hash`: the entry happens once for each entity (declared): hash joins, step by step.
- `asof`: backward ASOF joins. Where the engine has them (DuckDB).
- `carry`: one ordered pass for each step that carries the latest entry forward. Any engine.
"""

from __future__ import annotations

from collections.abc import Sequence

from metrics_api.compile.strategies import Abilities
from metrics_api.plan.expr import (
    Agg,
    Call,
    Case,
    Col,
    Expr,
    Lit,
    Over,
    Type,
    all_of,
    any_of,
    call,
    integer,
    text,
)
from metrics_api.plan.nodes import Aggregate, Filter, Join, Journey, Named, Named_, Plan, Project, Union, keep

NONE = "(none)"


def expand_journey(node: Journey, abilities: Abilities) -> Plan:
    """The engine's best strategy for this journey."""
    if node.once_per_entity and not (node.strict and node.tie):
        return hash_joins(node)
    if abilities.has_asof and not (node.strict and node.tie):
        return asof(node)
    return carry(node)


# -- shared -----------------------------------------------------------------------------------------------------------


def _events(node: Journey, k: int, *, name: str) -> Plan:
    """Step k's events: entity, `name` (their time), and labels; with labels one row for each entity and instant."""
    rows = Filter(node.input, node.steps[k - 1][1])
    if not node.labels:
        return Project(rows, (("entity", Col("entity")), (name, Col("at"))))
    return Aggregate(
        rows,
        (("entity", Col("entity")), (name, Col("at"))),
        tuple((label, _label(Agg("min", (Col(label),)))) for label in node.labels),
    )


def _label(value: Expr) -> Expr:
    return call("coalesce", value, text(NONE))


def _or_later(earlier: str, later: str) -> Expr:
    """The label found first along the steps."""
    return Case(((call("ne", Col(earlier), text(NONE)), Col(earlier)),), Col(later))


def _in_time(node: Journey, at: str) -> Expr:
    return call("le", Col(at), call("add_seconds", Col("at_1"), Lit(node.window_seconds, Type.INTEGER, role="window")))


def _best(node: Journey, reached: Sequence[Plan]) -> Plan:
    """Each entity's deepest attempt, from the best attempt that reached each depth (`at_1 .. at_k`, labels)."""
    joined: Plan = reached[0]
    for k, deeper in enumerate(reached[1:], 2):
        renamed = tuple((f"{name}_via_{k}", Col(name)) for name in _attempt(node, k))
        joined = Join(
            joined,
            Named(f"best_{k}", Project(deeper, (("entity", Col("entity")), *renamed))),
            "left",
            on=(("entity", "entity"),),
        )
    depth = len(reached)

    def deepest(name: str, least: int) -> Expr:
        found = [Col(f"{name}_via_{k}") for k in range(depth, max(least, 2) - 1, -1)]
        if least <= 1:
            found.append(Col(name))
        return found[0] if len(found) == 1 else Call("coalesce", tuple(found))

    times = tuple((f"at_{k}", deepest(f"at_{k}", k)) for k in range(1, depth + 1))
    return Project(joined, (*keep("entity"), *times, *((label, deepest(label, 1)) for label in node.labels)))


def _attempt(node: Journey, k: int) -> tuple[str, ...]:
    """What is known of an attempt of depth k."""
    return (*(f"at_{j}" for j in range(1, k + 1)), *node.labels)


def _first_of_each(node: Journey, attempts: Plan, k: int, *, entry: str = "at_1") -> Plan:
    """The best attempt of depth k for each entity: the least of every time, and the labels of the least entry."""
    least: tuple[Named_, ...] = tuple((f"at_{j}", Agg("min", (Col(f"at_{j}"),))) for j in range(1, k + 1))
    labels = tuple((label, Agg("first_by", (Col(label), Col(entry)))) for label in node.labels)
    return Aggregate(attempts, keep("entity"), (*least, *labels))


# -- hash -------------------------------------------------------------------------------------------------------------


def hash_joins(node: Journey) -> Plan:
    """Exact when an entity enters at most once: `at_k` is the first event of step k after `at_(k-1)`."""
    first: tuple[Named_, ...] = (("at_1", Agg("min", (Col("at_1"),))),)
    entry_labels = tuple((label, Agg("first_by", (Col(label), Col("at_1")))) for label in node.labels)
    entries = Aggregate(_events(node, 1, name="at_1"), keep("entity"), (*first, *entry_labels))
    reached: list[Plan] = [Named(f"entered_{node.steps[0][0]}", entries)]
    for k, (step, _) in enumerate(node.steps[1:], 2):
        events = _renamed_labels(node, _events(node, k, name=f"at_{k}"))
        after = call("gt" if node.strict else "ge", Col(f"at_{k}"), Col(f"at_{k - 1}"))
        before = reached[-1]
        joined = Join(
            before,
            Named(f"events_{k}", events),
            "inner",
            (("entity", "entity"),),
            where=all_of([after, _in_time(node, f"at_{k}")]),
        )
        earlier = tuple((f"at_{j}", Agg("min", (Col(f"at_{j}"),))) for j in range(1, k))
        this: Named_ = (f"at_{k}", Agg("min", (Col(f"at_{k}"),)))
        labels = tuple(
            (label, Agg("first_by", (_or_later(label, f"{label}_here"), Col(f"at_{k}")))) for label in node.labels
        )
        reached.append(Named(f"reached_{step}", Aggregate(joined, keep("entity"), (*earlier, this, *labels))))
    return _best(node, reached)


def _renamed_labels(node: Journey, events: Plan) -> Plan:
    if not node.labels:
        return events
    own = tuple((f"{label}_here", Col(label)) for label in node.labels)
    assert isinstance(events, Aggregate)
    return Project(events, (*((name, Col(name)) for name, _ in events.keys), *own))


# -- asof -------------------------------------------------------------------------------------------------------------


def asof(node: Journey) -> Plan:
    """Each event of step k finds the latest attempt that reached step k-1 before it."""
    attempts: Plan = Named(f"entered_{node.steps[0][0]}", _events(node, 1, name="at_1"))
    reached: list[Plan] = [Named("best_1", _first_of_each(node, attempts, 1))]
    depth = len(node.steps)
    for k, (step, _) in enumerate(node.steps[1:], 2):
        events = _renamed_labels(node, _events(node, k, name=f"at_{k}"))
        latest = Join(
            Named(f"events_{k}", events),
            attempts,
            "asof",
            (("entity", "entity"),),
            asof=(f"at_{k}", "gt" if node.strict else "ge", f"at_{k - 1}"),
        )
        found = Filter(latest, _in_time(node, f"at_{k}"))
        columns: tuple[Named_, ...] = (
            *keep("entity", *(f"at_{j}" for j in range(1, k + 1))),
            *((label, _or_later(label, f"{label}_here")) for label in node.labels),
        )
        rows: Plan = Project(found, columns)
        if node.times or node.labels:
            # Of one attempt only its first event of the step is a part: exact times for the steps in between.
            this: Named_ = (f"at_{k}", Agg("min", (Col(f"at_{k}"),)))
            labels = tuple((label, Agg("first_by", (Col(label), Col(f"at_{k}")))) for label in node.labels)
            rows = Aggregate(rows, keep("entity", *(f"at_{j}" for j in range(1, k))), (this, *labels))
        attempts = Named(f"reached_{step}", rows)
        reached.append(_first_of_each(node, attempts, k))
    assert len(reached) == depth
    return _best(node, reached)


# -- carry ------------------------------------------------------------------------------------------------------------


def carry(node: Journey) -> Plan:
    """Rows in order of time; each step takes the greatest entry carried by an earlier row of the step before.

    An entry is known by its time. Where a tie breaker tells entries of one instant apart and labels or times depend on
    which it was, it is known by its place among the entity's rows instead.
    """
    depth = len(node.steps)
    by_place = node.tie and (node.times or bool(node.labels))
    key = "place" if by_place else "at"
    tie = ("tie",) if node.tie else ()
    moment: tuple[Expr, ...] = (Col("at"), *(Col(name) for name in tie))
    order = (*moment, Col("step"))
    # An event that could be two steps must not be its own predecessor: later steps first among equals.
    descending = frozenset([len(order) - 1]) if node.strict else frozenset()
    rows: Plan = Named("steps", _numbered(node))
    passed = keep("entity", "at", *tie, "step", *node.labels)
    if by_place:
        place = Over("dense_rank", (), (Col("entity"),), moment)
        rows = Named("steps_in_place", Project(rows, (*passed, ("place", place))))
        passed = (*passed, *keep("place"))
    is_step = [call("eq", Col("step"), integer(k)) for k in range(1, depth + 1)]
    carried: Plan = Project(rows, (*passed, ("entry_1", Case(((is_step[0], Col(key)),)))))
    for k in range(2, depth + 1):
        latest = Over("max", (Col(f"entry_{k - 1}"),), (Col("entity"),), order, descending)
        earlier = keep(*(f"entry_{j}" for j in range(1, k)))
        entry = (f"entry_{k}", Case(((is_step[k - 1], latest),)))
        carried = Named(f"carried_{k}", Project(carried, (*passed, *earlier, entry)))
    own = Case(tuple((is_step[k - 1], Col(f"entry_{k}")) for k in range(1, depth + 1)))
    placed = Named("placed", Project(carried, (*keep("entity", "at", "step", *node.labels), ("entry", own))))
    led = Filter(placed, call("not_", call("is_null", Col("entry"))))
    attempts = Named("tried", _attempts(node, led, is_step))
    reached: list[Plan] = []
    for k in range(1, depth + 1):
        there: Plan = attempts if k == 1 else Filter(attempts, call("not_", call("is_null", Col(f"at_{k}"))))
        shown = tuple((label, _found_by(label, k)) for label in node.labels)
        there = Project(there, (*keep("entity", "entry", *(f"at_{j}" for j in range(1, k + 1))), *shown))
        best = _first_of_each(node, there, k, entry="entry")
        reached.append(Named("best_1", best) if k == 1 else best)
    return _best(node, reached)


def _attempts(node: Journey, led: Plan, is_step: Sequence[Expr]) -> Plan:
    """One row for each entity and entry: the first event of every step it led to in time.

    All of an attempt's rows share its entry, so what is too late can be told from the first event of each step.
    """
    depth = len(node.steps)
    at = Col("at")
    times = tuple((f"at_{k}", Agg("min", (at,), is_step[k - 1])) for k in range(1, depth + 1))
    labels = tuple(
        (f"{label}_{k}", Agg("first_by", (Col(label), at), is_step[k - 1]))
        for k in range(1, depth + 1)
        for label in node.labels
    )
    tried = Aggregate(led, keep("entity", "entry"), (*times, *labels))
    in_time = tuple((f"at_{k}", Case(((_in_time(node, f"at_{k}"), Col(f"at_{k}")),))) for k in range(2, depth + 1))
    return Project(
        Named("led", tried), (*keep("entity", "entry", "at_1"), *in_time, *keep(*(name for name, _ in labels)))
    )


def _found_by(label: str, depth: int) -> Expr:
    """The first label that is one over the steps up to a depth."""
    found = tuple((call("ne", Col(f"{label}_{k}"), text(NONE)), Col(f"{label}_{k}")) for k in range(1, depth + 1))
    return Case(found, text(NONE))


def _numbered(node: Journey) -> Plan:
    """entity, at, [tie], step, labels: one row for each event and step it can be."""
    tie = ("tie",) if node.tie else ()
    base = keep("entity", "at", *tie)
    labels = keep(*node.labels)
    conditions = [condition for _, condition in node.steps]
    if node.strict:
        rows: Plan = Union(
            tuple(
                Project(Filter(node.input, condition), (*base, ("step", integer(k)), *labels))
                for k, condition in enumerate(conditions, 1)
            )
        )
    else:
        step = Case(tuple((condition, integer(k)) for k, condition in enumerate(conditions, 1)))
        relevant = Filter(node.input, any_of(conditions))
        rows = Project(relevant, (*base, ("step", step), *labels))
    if not node.labels:
        return rows
    least = tuple((label, _label(Agg("min", (Col(label),)))) for label in node.labels)
    return Aggregate(rows, keep("entity", "at", *tie, "step"), least)


STRATEGIES = {"hash": hash_joins, "asof": asof, "carry": carry}
