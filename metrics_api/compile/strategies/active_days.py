"""`ActiveDays`: how many entities were active on at least one day of each window.

- `bitmap`: one bit a day for each entity, then a mask for each window. Cheapest where the engine ORs integers and the
  days fit one (SQL_SHAPES, family 2).
- `gaps`: each active day opens the windows that end from it to the next active day; a window's people are the running
  sum of openings and closings. Any length, any engine. Needs all windows to be equally long and to end on different
  days; other windows are counted one by one.
"""

from __future__ import annotations

from metrics_api.compile.strategies import Abilities
from metrics_api.plan.expr import Agg, Case, Col, Expr, Lit, Over, Type, all_of, call, integer
from metrics_api.plan.nodes import (
    ActiveDays,
    Aggregate,
    Filter,
    Join,
    Named,
    Named_,
    Plan,
    Project,
    Spine,
    Union,
    keep,
)


def expand_active_days(node: ActiveDays, abilities: Abilities) -> Plan:
    """The engine's best strategy for these windows."""
    days = 1 + max(last for _, _, last in node.windows)
    if days <= abilities.bitmap_days:
        return bitmap(node, width=days)
    lengths = {last - first for _, first, last in node.windows}
    if len(lengths) == 1 and len({last for _, _, last in node.windows}) == len(node.windows):
        return gaps(node)
    return one_by_one(node)


def _active_days(node: ActiveDays) -> Plan:
    """One row for each entity (and keys) and active day."""
    keys = keep("entity", *node.keys, "day")
    counted: tuple[Named_, ...] = (("events", Agg("count_rows")),) if node.at_least > 1 else ()
    days: Plan = Aggregate(node.input, keys, counted)
    if node.at_least > 1:
        days = Project(Filter(days, call("ge", Col("events"), integer(node.at_least))), keys)
    return Named("active_days", days)


def bitmap(node: ActiveDays, *, width: int) -> Plan:
    bits: tuple[Named_, ...] = (("days", Agg("bits_or", (call("bit", Col("day"), integer(width)),))),)
    input_ = node.input if node.at_least == 1 else _active_days(node)
    people = Named("people", Aggregate(input_, keep("entity", *node.keys), bits))
    masks = tuple((label, (2 << last) - (1 << first)) for label, first, last in node.windows)
    windows = Spine((("period", node.label_type), ("mask", Type.INTEGER)), masks)
    matched = Join(windows, people, "cross")
    active = Filter(matched, call("bits_overlap", Col("days"), Col("mask")))
    return Aggregate(active, keep("period", *node.keys), (("users", Agg("count_rows")),))


def gaps(node: ActiveDays) -> Plan:
    _, first, last = node.windows[0]
    length = last - first + 1
    by = keep(*node.keys)
    never = 1 + max(one for _, _, one in node.windows) + length
    following = Over("lead", (Col("day"),), tuple(Col(name) for name in ("entity", *node.keys)), (Col("day"),))
    spells = Named("spells", Project(_active_days(node), (*by, *keep("day"), ("next_day", following))))
    expires = call("add", Col("day"), integer(length))
    next_day = call("coalesce", Col("next_day"), integer(never))
    closing: Expr = _least(expires, next_day)
    one = integer(1)
    opened = Project(spells, (*by, ("day", Col("day")), ("change", one)))
    closed = Project(spells, (*by, ("day", closing), ("change", call("neg", one))))
    changes = Named(
        "changes", Aggregate(Union((opened, closed)), (*by, *keep("day")), (("change", Agg("sum", (Col("change"),))),))
    )
    # A window's people are the running sum up to its last day; a day without changes takes the latest sum before.
    windows = Spine(
        (("period", node.label_type), ("last_day", Type.INTEGER)),
        tuple((label, end) for label, _, end in node.windows),
    )
    reached = Join(windows, changes, "inner", where=call("le", Col("day"), Col("last_day")))
    users = Aggregate(reached, (*keep("period"), *by), (("users", Agg("sum", (Col("change"),))),))
    return Filter(users, call("gt", Col("users"), integer(0)))


def one_by_one(node: ActiveDays) -> Plan:
    """One count for each window over the deduplicated days: for windows of different lengths."""
    days = _active_days(node)
    counted = []
    for label, first, last in node.windows:
        within = all_of([call("ge", Col("day"), integer(first)), call("le", Col("day"), integer(last))])
        people = Aggregate(Filter(days, within), keep("entity", *node.keys), ())
        users: tuple[Named_, ...] = (("users", Agg("count_rows")),)
        shown = (("period", Lit(label, node.label_type, role="period")), *keep(*node.keys, "users"))
        counted.append(Project(Aggregate(people, keep(*node.keys), users), shown))
    some = [Filter(one, call("gt", Col("users"), integer(0))) for one in counted]
    return some[0] if len(some) == 1 else Union(tuple(some))


def _least(a: Expr, b: Expr) -> Expr:
    return Case(((call("lt", a, b), a),), b)


STRATEGIES = {"bitmap": bitmap, "gaps": gaps, "one_by_one": one_by_one}
