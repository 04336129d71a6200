"""`backward`: the strategy of `Journey` that reads every entry's attempt from its own row.

One ordered pass for each step, from the end of time: each row learns when the next row of that step is, and what comes
after it. What comes after a later row is never earlier, so the least of all is that of the next one: plain minima
carry it, and what is too late is told at the end. All passes are in one order, for which engines sort once, and nothing
is joined.
"""

from __future__ import annotations

from metrics_api.compile.strategies.journey_forward import begun, chosen, is_found, without_late_options
from metrics_api.plan.expr import Case, Col, Expr, Over, any_of, call, integer
from metrics_api.plan.nodes import Filter, Journey, Named, Named_, Plan, Project, Union, keep, output


def backward(node: Journey) -> Plan:
    """Exact where steps are found by time alone, and nothing but windows ends an attempt."""
    order = (Col("at"), Col("step"))
    # An event that could be two steps must not be followed by itself: later steps are behind it among equals.
    descending = frozenset((0,) if node.overlapping else (0, 1))
    numbers = range(2, len(node.steps) + 1)
    rows: Plan = Named("steps", _numbered(node))
    for k in reversed(numbers):
        is_step = call("eq", Col("step"), integer(k))

        def following(value: Expr, is_step: Expr = is_step) -> Expr:
            at_step = Case(((is_step, value),))
            return Over("min", (at_step,), (Col("entity"),), order, descending, including_current=True)

        after = {f"next_{j}": following(Col(f"next_{j}")) for j in numbers if node.required_before(j) == k}
        passed = tuple((name, after.get(name, Col(name))) for name in output(rows))
        rows = Named(f"before_{node.steps[k - 1].name}", Project(rows, (*passed, (f"next_{k}", following(Col("at"))))))
    entries = Filter(rows, call("eq", Col("step"), integer(1)))
    shown: tuple[Named_, ...] = (("at_1", Col("at")), ("spot_1", Col("at")), *keep(*(f"next_{k}" for k in numbers)))
    attempts = begun(node, Project(entries, (*keep("entity"), *shown)))
    for k in numbers:
        found = Col(f"next_{k}")
        kept = keep(*(name for name in output(attempts) if name != f"next_{k}"))
        at = Case(((is_found(node, k, found), found),))
        attempts = Named(f"reached_{node.steps[k - 1].name}", Project(attempts, (*kept, (f"at_{k}", at))))
    attempts = without_late_options(node, attempts)
    spots = tuple((f"spot_{k}", Col(f"at_{k}")) for k in numbers)
    attempts = chosen(node, Project(attempts, (*keep(*output(attempts)), *spots)))
    return Project(attempts, keep(*output(node)))


def _numbered(node: Journey) -> Plan:
    """entity, at, step: one row for each event and step that it can be."""
    base = keep("entity", "at")
    conditions = [node.entry, *(one.condition for one in node.steps[1:])]
    if not node.overlapping:
        step = Case(tuple((condition, integer(k)) for k, condition in enumerate(conditions, 1)))
        return Project(Filter(node.input, any_of(conditions)), (*base, ("step", step)))
    return Union(
        tuple(
            Project(Filter(node.input, condition), (*base, ("step", integer(k))))
            for k, condition in enumerate(conditions, 1)
        )
    )
