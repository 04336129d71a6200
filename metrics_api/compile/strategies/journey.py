"""`Journey`: each entity's best attempt at ordered steps within a window from its entry (contract in `plan.nodes`).

What makes the strategies exact (RULES 24, 25): of all entries from which a step's event can be reached, the latest one
is the best, for it leaves the most time and reaches the same events. So each event of step k looks back for the latest
event of step k-1 that is part of an attempt, and inherits its entry. Entries and step times grow together; the best
attempt of a depth therefore has the least of each, and plain minima find it.

- `hash`: the entry happens once for each entity (declared): hash joins, step by step.
- `asof`: backward ASOF joins. Where the engine has them (DuckDB).
- `carry`: one ordered pass for each step that carries the latest entry forward. Any engine.
- `lookahead` (`journey_forward`): forward ASOF joins, for every entry by itself. Where the engine has them.
- `backward` (`journey_backward`): one ordered pass for each step, from the end. Any engine.
- `forward` (`journey_forward`): each instant knows what comes next; exact for whatever a journey can be. Any engine.
"""

from __future__ import annotations

from collections.abc import Sequence

from metrics_api.compile.strategies import Abilities
from metrics_api.compile.strategies.journey_backward import backward
from metrics_api.compile.strategies.journey_forward import (
    cut,
    forward,
    labelled,
    later,
    lookahead,
    without_late_options,
)
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
from metrics_api.plan.nodes import Aggregate, Filter, Join, Journey, Named, Named_, Plan, Project, Union, keep, output

NONE = "(none)"


def expand_journey(node: Journey, abilities: Abilities) -> Plan:
    """The engine's best strategy for this journey."""
    return STRATEGIES[best_of(node, abilities)](node)


def best_of(node: Journey, abilities: Abilities) -> str:
    """The first of the strategies that is exact for this journey."""
    exact = exact_for(node)
    return next(one for one in STRATEGIES if one in exact and (abilities.has_asof or one not in BY_ASOF))


def exact_for(node: Journey) -> frozenset[str]:
    """The strategies that give a journey's attempts exactly, on engines that can say them."""
    found = {"forward"}
    has_one_entry = node.once_per_entity or node.entered is not None or (node.take == "first" and node.per is None)
    by_time_alone = not (node.overlapping and node.tie)
    if is_stepwise(node) and has_one_entry and by_time_alone:
        found.add("hash")
    if is_stepwise(node) and by_time_alone:
        found.add("lookahead")
        if not node.labels and not node.exclusions and node.entered is None:
            found.add("backward")
    if is_stepwise(node) and is_plain(node) and node.entered is None and node.take == "best" and node.per is None:
        found |= {"carry", "asof"} if by_time_alone else {"carry"}
    return frozenset(found)


def is_stepwise(node: Journey) -> bool:
    """Whether a step can be found from the one before it and the entry, whatever else there is."""
    around = node.unordered or node.breaks is not None or node.grace_seconds or node.same or node.keys
    return not around and (not node.labels or node.attribution == "first")


def is_plain(node: Journey) -> bool:
    """Whether all steps count alike and nothing ends an attempt but its window."""
    return not node.exclusions and not any(one.optional or one.within_seconds is not None for one in node.steps)


# -- shared -----------------------------------------------------------------------------------------------------------


def _condition(node: Journey, k: int) -> Expr:
    """Which rows are step k."""
    return node.entry if k == 1 else node.steps[k - 1].condition


def _events(node: Journey, k: int, *, name: str) -> Plan:
    """Step k's events: entity, `name` (their time), and labels; with labels one row for each entity and instant."""
    rows = node.entered if k == 1 and node.entered is not None else Filter(node.input, _condition(node, k))
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
    """Exact where one entry counts: `at_k` is the first row of step k after the required step before it."""
    first: tuple[Named_, ...] = (("at_1", Agg("min", (Col("at_1"),))),)
    entry_labels = tuple((f"{label}_1", Agg("first_by", (Col(label), Col("at_1")))) for label in node.labels)
    entries = Aggregate(_events(node, 1, name="at_1"), keep("entity"), (*first, *entry_labels))
    reached: dict[int, Plan] = {1: Named(f"entered_{node.steps[0].name}", entries)}
    for k, step in enumerate(node.steps[1:], 2):
        events = Named(f"events_{k}", _with_number(node, _events(node, k, name=f"at_{k}"), k))
        found = _first_after(node, reached[node.required_before(k)], events, k)
        reached[k] = Named(f"reached_{step.name}", found)
    attempts: Plan = reached[1]
    for k in range(2, len(node.steps) + 1):
        seen = keep("entity", f"at_{k}", *(f"{label}_{k}" for label in node.labels))
        attempts = Join(attempts, Project(reached[k], seen), "left", (("entity", "entity"),))
    for m, one in enumerate(node.exclusions, 1):
        stopped = _first_stop(node, reached[one.after], m)
        attempts = Join(attempts, Named(f"stopped_{m}", stopped), "left", (("entity", "entity"),))
    attempts = labelled(node, cut(node, without_late_options(node, attempts)))
    if node.per is not None:
        attempts = Project(attempts, (*keep(*output(attempts)), ("period", node.per)))
    return Project(attempts, keep(*output(node)))


def _first_after(node: Journey, before: Plan, events: Plan, k: int) -> Plan:
    """entity, at_1, at_k, labels: each entity's first of these events that comes after the step before in time."""
    p, within = node.required_before(k), node.steps[k - 1].within_seconds
    conditions = [call("gt" if node.overlapping else "ge", Col(f"at_{k}"), Col(f"at_{p}")), _in_time(node, f"at_{k}")]
    if within is not None:
        conditions.append(call("le", Col(f"at_{k}"), later(f"at_{p}", within, "step_window")))
    joined = Join(before, events, "inner", (("entity", "entity"),), where=all_of(conditions))
    times = tuple((name, Agg("min", (Col(name),))) for name in ("at_1", f"at_{k}"))
    labels = tuple((f"{label}_{k}", Agg("first_by", (Col(f"{label}_{k}"), Col(f"at_{k}")))) for label in node.labels)
    return Aggregate(joined, keep("entity"), (*times, *labels))


def _first_stop(node: Journey, reached: Plan, m: int) -> Plan:
    """entity, stopped_m_k: its first row of exclusion m after step k."""
    one = node.exclusions[m - 1]
    rows = Project(Filter(node.input, one.condition), (*keep("entity"), (f"out_{m}", Col("at"))))
    after = all_of([call("gt", Col(f"out_{m}"), Col(f"at_{one.after}")), _in_time(node, f"out_{m}")])
    joined = Join(reached, Named(f"events_out_{m}", rows), "inner", (("entity", "entity"),), where=after)
    return Aggregate(joined, keep("entity"), ((f"stopped_{m}_{one.after}", Agg("min", (Col(f"out_{m}"),))),))


def _with_number(node: Journey, events: Plan, k: int) -> Plan:
    """The events of step k, their labels told apart from those of other steps."""
    if not node.labels:
        return events
    return Project(events, (*keep("entity", f"at_{k}"), *((f"{label}_{k}", Col(label)) for label in node.labels)))


# -- asof -------------------------------------------------------------------------------------------------------------


def _renamed_labels(node: Journey, events: Plan) -> Plan:
    if not node.labels:
        return events
    own = tuple((f"{label}_here", Col(label)) for label in node.labels)
    assert isinstance(events, Aggregate)
    return Project(events, (*((name, Col(name)) for name, _ in events.keys), *own))


def asof(node: Journey) -> Plan:
    """Each event of step k finds the latest attempt that reached step k-1 before it."""
    attempts: Plan = Named(f"entered_{node.steps[0].name}", _events(node, 1, name="at_1"))
    reached: list[Plan] = [Named("best_1", _first_of_each(node, attempts, 1))]
    depth = len(node.steps)
    for k, step in enumerate(node.steps[1:], 2):
        events = _renamed_labels(node, _events(node, k, name=f"at_{k}"))
        latest = Join(
            Named(f"events_{k}", events),
            attempts,
            "asof",
            (("entity", "entity"),),
            asof=(f"at_{k}", "gt" if node.overlapping else "ge", f"at_{k - 1}"),
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
        attempts = Named(f"reached_{step.name}", rows)
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
    descending = frozenset([len(order) - 1]) if node.overlapping else frozenset()
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
    conditions = [_condition(node, k) for k in range(1, len(node.steps) + 1)]
    if node.overlapping:
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


STRATEGIES = {
    "hash": hash_joins,
    "asof": asof,
    "lookahead": lookahead,
    "backward": backward,
    "carry": carry,
    "forward": forward,
}
"""In order of preference, where several are exact."""
BY_ASOF = frozenset(("asof", "lookahead"))
"""Those that need ASOF joins."""
