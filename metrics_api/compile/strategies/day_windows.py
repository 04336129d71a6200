"""Windows of days as numbers, and sums of changes over them: what the strategies of `ActiveDays` and `Scores` share."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import gcd

from metrics_api.plan.expr import Agg, Col, Expr, Type, all_of, call, integer, whole
from metrics_api.plan.nodes import (
    Aggregate,
    DayWindow,
    Filter,
    Join,
    Named,
    Named_,
    Plan,
    Project,
    Spine,
    Union,
    keep,
    output,
)

FEW_DAYS, PAIRS = 8, 128
"""Days of a window, and such pairs in all, up to which they are written down: a day finds its windows by equality."""


def in_blocks(days: Plan, windows: Sequence[DayWindow]) -> tuple[Plan, tuple[DayWindow, ...], int] | None:
    """The rows with the number of a block of days as their `day`, the windows in blocks, and how long a block is.

    A block is the longest run of days that every window holds as a whole or not at all, such as the week where windows
    of 28 days end with each week. None where that is a day, or where there is but one window.
    """
    edges = [edge for _, first, last in windows for edge in (first, last + 1)]
    length = gcd(*(edge - edges[0] for edge in edges))
    if len(windows) < 2 or length < 2:
        return None
    shift = -edges[0] % length
    numbered = tuple((label, (first + shift) // length, (last + shift) // length) for label, first, last in windows)
    day = whole(call("add", Col("day"), integer(shift)) if shift else Col("day"), length)
    kept = keep(*(name for name in output(days) if name != "day"))
    return Project(days, (*kept, ("day", day))), numbered, length


def within(days: Plan, windows: Sequence[DayWindow], label_type: Type) -> Join:
    """The rows of days, beside each window (`period`) that holds them."""
    held = tuple((label, day) for label, first, last in windows for day in range(first, last + 1))
    if len(held) <= min(PAIRS, FEW_DAYS * len(windows)):
        pairs = Spine((("period", label_type), ("held_day", Type.INTEGER)), held)
        return Join(days, pairs, "inner", on=(("day", "held_day"),))
    typed = (("period", label_type), ("first_day", Type.INTEGER), ("last_day", Type.INTEGER))
    holds = all_of([call("ge", Col("day"), Col("first_day")), call("le", Col("day"), Col("last_day"))])
    return Join(Spine(typed, tuple(windows)), days, "inner", where=holds)


def placed(days: Plan, windows: Sequence[DayWindow], label_type: Type) -> tuple[Plan, Spine]:
    """The rows of days with the number of the first window that holds them (`opens`) and of the first after those
    (`closes`); and the windows with their numbers.

    Of windows of one length the number is the last day; else days in no window are left out.
    """
    kept = keep(*output(days))
    typed = (("period", label_type), ("number", Type.INTEGER))
    lengths = {last - first + 1 for _, first, last in windows}
    if len(lengths) == 1:
        closes = call("add", Col("day"), integer(lengths.pop()))
        ended = tuple((label, last) for label, _, last in windows)
        return Project(days, (*kept, ("opens", Col("day")), ("closes", closes))), Spine(typed, ended)
    firsts, lasts = [first for _, first, _ in windows], [last for _, _, last in windows]
    places = [(day, bisect_left(lasts, day), bisect_right(firsts, day)) for day in range(firsts[0], lasts[-1] + 1)]
    held = tuple(place for place in places if place[1] < place[2])
    calendar = Spine((("held_day", Type.INTEGER), ("opens", Type.INTEGER), ("closes", Type.INTEGER)), held)
    numbered = tuple((label, number) for number, (label, _, _) in enumerate(windows))
    joined = Join(days, calendar, "inner", on=(("day", "held_day"),))
    return Project(joined, (*kept, *keep("opens", "closes"))), Spine(typed, numbered)


def net(more: tuple[Named_, ...], fewer: tuple[Named_, ...], rows: Plan) -> Plan:
    """For each of these columns, how many rows add to it, less those that take from it (`change`)."""
    names = tuple(name for name, _ in more)
    added = Project(rows, (*more, ("change", integer(1))))
    taken = Project(rows, (*fewer, ("change", integer(-1))))
    return Aggregate(Union((added, taken)), keep(*names), (("change", total("change")),))


def summed(windows: Spine, changes: Plan, keys: tuple[str, ...]) -> Plan:
    """The people of each window: the sum of all changes up to its number."""
    by_number = Named("changes", changes)
    passed = Join(windows, by_number, "inner", where=call("le", Col("at"), Col("number")))
    users = Aggregate(passed, keep("period", *keys), (("users", total("change")),))
    return Filter(users, call("gt", Col("users"), integer(0)))


def total(of: str) -> Expr:
    return Agg("sum", (Col(of),))
