"""The only traversals of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from metrics_api.plan.nodes import Join, Journey, Plan, Scan, Scores, Spine, Union


def children(plan: Plan) -> tuple[Plan, ...]:
    match plan:
        case Scan() | Spine():
            return ()
        case Join(left, right):
            return (left, right)
        case Union(inputs):
            return inputs
        case Journey(input=source, entered=entered) if entered is not None:
            return (source, entered)
        case Scores(input=source, facts=facts) if facts is not None:
            return (source, facts)
        case _:
            return (plan.input,)


def map_children(plan: Plan, change: Callable[[Plan], Plan]) -> Plan:
    """The node with changed children; the node itself when nothing changed."""
    match plan:
        case Scan() | Spine():
            return plan
        case Join(left, right):
            new_left, new_right = change(left), change(right)
            if new_left is left and new_right is right:
                return plan
            return replace(plan, left=new_left, right=new_right)
        case Union(inputs):
            changed = tuple(change(one) for one in inputs)
            return plan if all(a is b for a, b in zip(changed, inputs, strict=True)) else Union(changed)
        case Journey(input=source, entered=entered) if entered is not None:
            new_source, new_entered = change(source), change(entered)
            if new_source is source and new_entered is entered:
                return plan
            return replace(plan, input=new_source, entered=new_entered)
        case Scores(input=source, facts=facts) if facts is not None:
            new_source, new_facts = change(source), change(facts)
            if new_source is source and new_facts is facts:
                return plan
            return replace(plan, input=new_source, facts=new_facts)
        case _:
            new_input = change(plan.input)
            return plan if new_input is plan.input else replace(plan, input=new_input)


def rewrite(plan: Plan, rule: Callable[[Plan], Plan]) -> Plan:
    """Apply a rule to every node, from the leaves up; a shared part is rewritten once and stays shared."""
    done: dict[int, tuple[Plan, Plan]] = {}

    def visit(node: Plan) -> Plan:
        if (known := done.get(id(node))) is not None:
            return known[1]
        changed = rule(map_children(node, visit))
        done[id(node)] = (node, changed)
        return changed

    return visit(plan)


def nodes(plan: Plan) -> Iterator[Plan]:
    """Every node, parents first; a shared part is seen once."""
    seen: set[int] = set()
    stack = [plan]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            stack.extend(reversed(children(node)))
