"""`ActiveDays`: how many entities were active in each window of days.

- `bitmap`: one bit a day for each entity, then a mask for each window. Cheapest where the engine ORs integers and the
  days fit one (SQL_SHAPES, family 2).
- `gaps`: each active day opens the windows that hold it and not the entity's next active day as well; a window's people
  are the running sum of openings and closings. One pass over any number of windows, on any engine.
"""

from __future__ import annotations

from dataclasses import replace

from metrics_api.compile.strategies import Abilities
from metrics_api.compile.strategies.day_windows import in_blocks, net, placed, summed
from metrics_api.plan.expr import Agg, Case, Col, Over, Type, call, integer
from metrics_api.plan.nodes import ActiveDays, Aggregate, Filter, Join, Named, Named_, Plan, Project, Spine, keep


def expand_active_days(node: ActiveDays, abilities: Abilities) -> Plan:
    """The engine's best strategy for these windows."""
    if _width(node) > abilities.bitmap_days:
        node = of_blocks(node)
    return bitmap(node) if _width(node) <= abilities.bitmap_days else gaps(node)


def of_blocks(node: ActiveDays) -> ActiveDays:
    """The same of longer runs of days than one, where windows allow it."""
    found = in_blocks(node.input, node.windows)
    return node if found is None else replace(node, input=found[0], windows=found[1], distinct=False)


def _width(node: ActiveDays) -> int:
    return 1 + node.windows[-1][2]


def bitmap(node: ActiveDays) -> Plan:
    bits: tuple[Named_, ...] = (("days", Agg("bits_or", (call("bit", Col("day"), integer(_width(node))),))),)
    people = Named("people", Aggregate(node.input, keep("entity", *node.keys), bits))
    masks = tuple((label, (2 << last) - (1 << first)) for label, first, last in node.windows)
    windows = Spine((("period", node.label_type), ("mask", Type.INTEGER)), masks)
    matched = Join(windows, people, "cross")
    active = Filter(matched, call("bits_overlap", Col("days"), Col("mask")))
    return Aggregate(active, keep("period", *node.keys), (("users", Agg("count_rows")),))


def gaps(node: ActiveDays) -> Plan:
    who = ("entity", *node.keys)
    days = node.input if node.distinct else Named("active_days", Aggregate(node.input, keep(*who, "day"), ()))
    opened, numbered = placed(Project(days, keep(*who, "day")), node.windows, node.label_type)
    following = Over("lead", (Col("opens"),), tuple(Col(name) for name in who), (Col("day"),))
    by = keep(*node.keys)
    spells = Named("spells", Project(opened, (*by, *keep("opens", "closes"), ("next_opens", following))))
    closing = Case(((call("lt", Col("next_opens"), Col("closes")), Col("next_opens")),), Col("closes"))
    changes = net((*by, ("at", Col("opens"))), (*by, ("at", closing)), spells)
    return summed(numbered, changes, node.keys)


STRATEGIES = {"bitmap": bitmap, "gaps": gaps}
