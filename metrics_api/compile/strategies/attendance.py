"""`Attendance`: how many entities are at each place, how many of them for the first time, and how many again.

- `bitmap`: one bit a place for each entity, then entities with equal bits together, then a mask for each place.
  Cheapest where the engine ORs integers and the places fit one (SQL_SHAPES, family 11).
- `ordered`: each entity's places in order, the one before beside each. One ordered pass over any number of places, on
  any engine.
"""

from __future__ import annotations

from metrics_api.compile.strategies import Abilities
from metrics_api.plan.expr import Agg, Col, Expr, Over, Type, call, integer
from metrics_api.plan.nodes import Aggregate, Attendance, Filter, Join, Named, Plan, Project, Spine, keep


def expand_attendance(node: Attendance, abilities: Abilities) -> Plan:
    """The engine's best strategy for so many places. Nothing but people has no need of bits."""
    return bitmap(node) if node.counts and node.places <= abilities.bitmap_days else ordered(node)


def bitmap(node: Attendance) -> Plan:
    bits = Agg("bits_or", (call("bit", Col("place"), integer(node.places)),))
    people = Named("people", Aggregate(node.input, keep("entity", *node.keys), (("mask", bits),)))
    alike = Named("alike", Aggregate(people, keep(*node.keys, "mask"), (("people", Agg("count_rows")),)))
    masks = tuple((place, 1 << place, (1 << place) >> 1, (1 << place) - 1) for place in range(node.places))
    columns = ("place", "own_bit", "of_before", "of_earlier")
    places = Spine(tuple((name, Type.INTEGER) for name in columns), masks)
    there = Filter(Join(places, alike, "cross"), _shares("own_bit"))
    conditions = {"count_of_new": call("not_", _shares("of_earlier")), "count_of_returning": _shares("of_before")}
    counts = (("count_of_active", None), *((name, conditions[name]) for name in node.counts))
    sums = tuple((name, _or_zero(Agg("sum", (Col("people"),), condition))) for name, condition in counts)
    return Aggregate(there, keep("place", *node.keys), sums)


def _shares(mask: str) -> Expr:
    return call("bits_overlap", Col("mask"), Col(mask))


def _or_zero(sum_: Expr) -> Expr:
    return call("coalesce", sum_, integer(0))


def ordered(node: Attendance) -> Plan:
    rows = node.input if node.distinct else Named("attendance", Aggregate(node.input, keep(*_who(node), "place"), ()))
    if node.counts:
        who = tuple(Col(name) for name in _who(node))
        earlier = Over("lead", (Col("place"),), who, (Col("place"),), descending=frozenset((0,)))
        rows = Project(rows, (*keep("place", *node.keys), ("earlier", earlier)))
    conditions = {
        "count_of_new": call("is_null", Col("earlier")),
        "count_of_returning": call("eq", Col("earlier"), call("sub", Col("place"), integer(1))),
    }
    counts = (("count_of_active", None), *((name, conditions[name]) for name in node.counts))
    numbers = tuple((name, Agg("count_rows", (), condition)) for name, condition in counts)
    return Aggregate(rows, keep("place", *node.keys), numbers)


def _who(node: Attendance) -> tuple[str, ...]:
    return (*node.keys, "entity")


STRATEGIES = {"bitmap": bitmap, "ordered": ordered}
