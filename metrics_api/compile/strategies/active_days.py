"""`ActiveDays`: how many entities were active in each window of days, on any of them or by the number of them.

On any day:

- `bitmap`: one bit a day for each entity, then a mask for each window. Cheapest where the engine ORs integers and the
  days fit one (SQL_SHAPES, family 2).
- `gaps`: each active day opens the windows that hold it and not the entity's next active day as well; a window's people
  are the running sum of openings and closings. One pass over any number of windows, on any engine.

By the number of days:

- `tally`: each active day beside each window that holds it, then counted. Cheapest for a few windows.
- `levels`: each active day lifts its entity's number in the windows that hold it; a window's histogram is the running
  sum of arrivals at each number and departures from it. One pass over any number of windows.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from metrics_api.compile.strategies import Abilities
from metrics_api.plan.expr import Agg, Case, Col, Expr, Over, Type, all_of, call, integer
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

FEW = 16
"""Windows up to which each one's days are counted by themselves: beyond, one ordered pass over all is cheaper."""


def expand_active_days(node: ActiveDays, abilities: Abilities) -> Plan:
    """The engine's best strategy for these windows."""
    if node.histogram:
        return tally(node) if len(node.windows) <= FEW else levels(node)
    return bitmap(node) if _width(node) <= abilities.bitmap_days else gaps(node)


def _width(node: ActiveDays) -> int:
    return 1 + node.windows[-1][2]


def _active_days(node: ActiveDays) -> Plan:
    """One row for each entity (and keys) and active day."""
    if node.distinct:
        return node.input
    return Named("active_days", Aggregate(node.input, keep("entity", *node.keys, "day"), ()))


# -- active on any day ------------------------------------------------------------------------------------------------


def bitmap(node: ActiveDays) -> Plan:
    bits: tuple[Named_, ...] = (("days", Agg("bits_or", (call("bit", Col("day"), integer(_width(node))),))),)
    people = Named("people", Aggregate(node.input, keep("entity", *node.keys), bits))
    masks = tuple((label, (2 << last) - (1 << first)) for label, first, last in node.windows)
    windows = Spine((("period", node.label_type), ("mask", Type.INTEGER)), masks)
    matched = Join(windows, people, "cross")
    active = Filter(matched, call("bits_overlap", Col("days"), Col("mask")))
    return Aggregate(active, keep("period", *node.keys), (("users", Agg("count_rows")),))


def gaps(node: ActiveDays) -> Plan:
    days, numbered = _placed(node)
    who = tuple(Col(name) for name in ("entity", *node.keys))
    following = Over("lead", (Col("opens"),), who, (Col("day"),))
    by = keep(*node.keys)
    spells = Named("spells", Project(days, (*by, *keep("opens", "closes"), ("next_opens", following))))
    closing = Case(((call("lt", Col("next_opens"), Col("closes")), Col("next_opens")),), Col("closes"))
    changes = _changes((*by, ("at", Col("opens"))), (*by, ("at", closing)), spells)
    return _summed(numbered, changes, node.keys)


# -- by the number of active days -------------------------------------------------------------------------------------


def tally(node: ActiveDays) -> Plan:
    windows = Spine(
        (("period", node.label_type), ("first_day", Type.INTEGER), ("last_day", Type.INTEGER)), node.windows
    )
    within = all_of([call("ge", Col("day"), Col("first_day")), call("le", Col("day"), Col("last_day"))])
    matched = Join(windows, _active_days(node), "inner", where=within)
    people = Aggregate(matched, keep("period", *node.keys, "entity"), (("active_days", Agg("count_rows")),))
    return Aggregate(people, keep("period", *node.keys, "active_days"), (("users", Agg("count_rows")),))


def levels(node: ActiveDays) -> Plan:
    days, numbered = _placed(node)
    who = keep(*node.keys, "entity")
    placed = Named("placed_days", Project(days, (*who, *keep("opens", "closes"))))
    changes = _changes((*who, ("at", Col("opens"))), (*who, ("at", Col("closes"))), placed)
    after = Over("sum", (Col("change"),), tuple(expr for _, expr in who), (Col("at"),), including_current=True)
    reached = Named("reached", Project(changes, (*who, *keep("at", "change"), ("days_after", after))))
    by = keep(*node.keys, "at")
    moves = _changes(
        (*by, ("active_days", Col("days_after"))),
        (*by, ("active_days", call("sub", Col("days_after"), Col("change")))),
        reached,
    )
    return _summed(numbered, Filter(moves, call("gt", Col("active_days"), integer(0))), (*node.keys, "active_days"))


# -- windows as numbers -----------------------------------------------------------------------------------------------


def _placed(node: ActiveDays) -> tuple[Plan, Spine]:
    """The active days with the number of the first window that holds them (`opens`) and of the first after those
    (`closes`); and the windows with their numbers.

    Of windows of one length the number is the last day; else days in no window are left out.
    """
    days, kept = _active_days(node), keep("entity", *node.keys, "day")
    typed = (("period", node.label_type), ("number", Type.INTEGER))
    lengths = {last - first + 1 for _, first, last in node.windows}
    if len(lengths) == 1:
        closes = call("add", Col("day"), integer(lengths.pop()))
        ended = tuple((label, last) for label, _, last in node.windows)
        return Project(days, (*kept, ("opens", Col("day")), ("closes", closes))), Spine(typed, ended)
    firsts, lasts = [first for _, first, _ in node.windows], [last for _, _, last in node.windows]
    places = [(day, bisect_left(lasts, day), bisect_right(firsts, day)) for day in range(firsts[0], lasts[-1] + 1)]
    held = tuple(place for place in places if place[1] < place[2])
    calendar = Spine((("held_day", Type.INTEGER), ("opens", Type.INTEGER), ("closes", Type.INTEGER)), held)
    numbered = tuple((label, number) for number, (label, _, _) in enumerate(node.windows))
    placed = Join(days, calendar, "inner", on=(("day", "held_day"),))
    return Project(placed, (*kept, *keep("opens", "closes"))), Spine(typed, numbered)


def _changes(more: tuple[Named_, ...], fewer: tuple[Named_, ...], rows: Plan) -> Plan:
    """For each of these columns, how many rows add to it, less those that take from it."""
    names = tuple(name for name, _ in more)
    added = Project(rows, (*more, ("change", integer(1))))
    taken = Project(rows, (*fewer, ("change", integer(-1))))
    return Aggregate(Union((added, taken)), keep(*names), (("change", _sum("change")),))


def _summed(windows: Spine, changes: Plan, keys: tuple[str, ...]) -> Plan:
    """The people of each window: the sum of all changes up to its number."""
    by_number = Named("changes", changes)
    passed = Join(windows, by_number, "inner", where=call("le", Col("at"), Col("number")))
    users = Aggregate(passed, keep("period", *keys), (("users", _sum("change")),))
    return Filter(users, call("gt", Col("users"), integer(0)))


def _sum(of: str) -> Expr:
    return Agg("sum", (Col(of),))


STRATEGIES = {"bitmap": bitmap, "gaps": gaps, "tally": tally, "levels": levels}
