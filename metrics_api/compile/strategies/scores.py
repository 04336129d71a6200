"""`Scores`: what each entity scores in each window of days, or how many entities score how much.

- `bits`: a bit for each day (or block of days) and entity, or one for each of them, entity and flag, and a mask for
  each window; for days that fit an integer that the engine ORs and, where days are the score, whose bits it counts.
  For a few windows they may fit several integers.
- `tally`: what happened beside each window that holds it, then added up. Cheapest for a few windows; of a single one
  that holds everything the rows are added up as they are.
- `levels`: what happens lifts its entity's score when windows begin to hold it, and lowers it when they no longer do. A
  window's people by score are the running sum of arrivals at each score and departures from it: one pass over any
  number of windows (SQL_SHAPES, family 4 and depth of family 5). A value or flag counts once however often it comes,
  so it lifts the score for as long as any of its days is held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from metrics_api.compile.strategies import Abilities
from metrics_api.compile.strategies.day_windows import in_blocks, placed, summed, total, within
from metrics_api.plan.expr import TRUE, Agg, Case, Col, Expr, Lit, Over, Type, all_of, any_of, call, integer
from metrics_api.plan.nodes import (
    Aggregate,
    Filter,
    Join,
    Named,
    Named_,
    Plan,
    Project,
    Scores,
    Spine,
    Union,
    keep,
    output,
)

FEW = 16
"""Windows up to which each one's days are added up by themselves: beyond, one ordered pass over all is cheaper."""
ZERO = integer(0)


def expand_scores(node: Scores, abilities: Abilities) -> Plan:
    """The best strategy for these windows."""
    node = of_blocks(node)
    if can_be_bits(node, abilities):
        return bits(node, abilities)
    return tally(node) if len(node.windows) <= FEW else levels(node)


def of_blocks(node: Scores) -> Scores:
    """The same scores, of longer runs of days than one where windows allow it; where days are counted they do not."""
    found = None if node.of == "days" else in_blocks(node.input, node.windows)
    if found is None:
        return node
    rows, windows, length = found
    return replace(node, input=rows, windows=windows, days=2 + node.days // length, distinct=False)


# -- window by window -------------------------------------------------------------------------------------------------


def tally(node: Scores) -> Plan:
    who = (*node.keys, "entity")
    (label, first, last), *others = node.windows
    if not others and (first, last) == (0, node.days - 1):
        scored = _with_facts(node, _added_up(node, _once(node, node.input), who))
        window = ("period", Lit(label, node.label_type, role="window"))
        people: Plan = Project(scored, (window, *keep(*node.keys, *node.told, "entity", "score")))
    else:
        rows = within(_by_day(node), node.windows, node.label_type)
        people = _with_facts(node, Named("in_windows", _added_up(node, rows, ("period", *who))))
        people = Project(people, keep("period", *node.keys, *node.told, "entity", "score"))
    return people if node.counted is None else _people_by(node.counted, node, Named("scores", people))


def _with_facts(node: Scores, people: Plan) -> Plan:
    """The rows of people with what is known of them beside."""
    if node.facts is None:
        return people
    kept = keep(*output(people), *node.told)
    facts = Project(node.facts, (("who", Col("entity")), *keep(*node.told)))
    return Project(Join(people, facts, "left", (("entity", "who"),)), kept)


def _once(node: Scores, rows: Plan) -> Plan:
    """Days are counted: one row for each."""
    if node.of != "days" or node.distinct:
        return rows
    return Named("active_days", Aggregate(rows, keep("entity", *node.keys, "day"), ()))


def _by_day(node: Scores) -> Plan:
    """The input, at most one row for each entity, keys and day (and value)."""
    if node.distinct or node.of == "days":
        return _once(node, node.input)
    days = keep("entity", *node.keys, "day")
    match node.of:
        case "values":
            return Named("by_day", Aggregate(node.input, (*days, *keep("value")), ()))
        case "amounts":
            return Named("by_day", Aggregate(node.input, days, (("amount", total("amount")),)))
    flags = tuple((name, Agg("max", (Col(name),))) for name, _ in node.flags)
    return Named("by_day", Aggregate(node.input, days, flags))


def _added_up(node: Scores, rows: Plan, who: tuple[str, ...]) -> Plan:
    """(who, score): the score of all rows of each."""
    match node.of:
        case "days":
            return Aggregate(rows, keep(*who), (("score", Agg("count_rows")),))
        case "values":
            once = Named("different_values", Aggregate(rows, keep(*who, "value"), ()))
            return Aggregate(once, keep(*who), (("score", Agg("count_rows")),))
        case "amounts":
            return Aggregate(rows, keep(*who), (("score", total("amount")),))
        case "flags":
            weighed = [_weighed(Agg("max", (Col(name),)), weight) for name, weight in node.flags]
            return Aggregate(rows, keep(*who), (("score", _added(weighed)),))


def _added(numbers: Sequence[Expr]) -> Expr:
    return reduce(lambda one, other: call("add", one, other), numbers)


def _weighed(flag: Expr, weight: int) -> Expr:
    return flag if weight == 1 else call("mul", flag, integer(weight))


def _people_by(counted: Expr, node: Scores, people: Plan) -> Plan:
    keys = keep("period", *node.keys, *node.told)
    if node.of == "amounts":
        shown = Project(people, (*keys, ("score", counted)))
        return Aggregate(shown, (*keys, *keep("score")), (("users", Agg("count_rows")),))
    # Scores first, tiers after: there are fewer of them to be told than people.
    by_score = Aggregate(people, (*keys, *keep("score")), (("users", Agg("count_rows")),))
    if counted == Col("score"):
        return by_score
    shown = Project(Named("by_number", by_score), (*keys, ("score", counted), *keep("users")))
    return Aggregate(shown, (*keys, *keep("score")), (("users", total("users")),))


# -- bits ------------------------------------------------------------------------------------------------------------

MOST_NUMBERS = 12
"""Numbers that a person's bits may take, where they do not fit one: each is looked at for each window."""


def can_be_bits(node: Scores, abilities: Abilities) -> bool:
    """Whether days, or the days of each flag, are bits of so few numbers that looking at all of them is cheapest."""
    if (
        node.of not in ("days", "flags")
        or not abilities.bitmap_days
        or (node.of == "days" and not abilities.counts_bits)
    ):
        return False
    words = len(_words(node, abilities))
    return words == 1 or (len(node.windows) <= FEW and words * max(len(node.flags), 1) <= MOST_NUMBERS)


def bits(node: Scores, abilities: Abilities) -> Plan:
    """A number of bits for each person and flag, or several where there are more days; and as many masks a window."""
    words, width = _words(node, abilities), min(node.days, abilities.bitmap_days)
    who = ("entity", *node.keys)
    conditions: dict[str, Expr] = (
        {"days": TRUE}
        if node.of == "days"
        else {f"days_{k}": call("eq", Col(name), integer(1)) for k, (name, _) in enumerate(node.flags)}
    )
    numbers = tuple(
        (f"{name}{word}", _bits_of(node, condition, first, width))
        for name, condition in conditions.items()
        for word, first in words.items()
    )
    rows = node.input if len(numbers) == 1 else Named("numbered", node.input)  # Each of the numbers reads the day.
    people = _with_facts(node, Named("people", Aggregate(rows, keep(*who), numbers)))
    masks = tuple(
        (label, *(_mask(first - start, last - start, width) for start in words.values()))
        for label, first, last in node.windows
    )
    typed = (("period", node.label_type), *((f"mask{word}", Type.INTEGER) for word in words))
    matched = Join(Spine(typed, masks), people, "cross")
    keys = keep("period", *node.keys, *node.told)
    overlaps = {
        name: any_of(call("bits_overlap", Col(f"{name}{word}"), Col(f"mask{word}")) for word in words)
        for name in conditions
    }
    if node.of == "days":
        active: Plan = Filter(matched, overlaps["days"])
        shared = [call("bits_shared", Col(f"days{word}"), Col(f"mask{word}")) for word in words]
        scored: Plan = Project(active, (*keys, *keep("entity"), ("score", _added(shared))))
    else:
        weights = [Case(((overlaps[f"days_{k}"], integer(weight)),), ZERO) for k, (_, weight) in enumerate(node.flags)]
        scored = Named("scored", Project(matched, (*keys, *keep("entity"), ("score", _added(weights)))))
        scored = Filter(scored, call("gt", Col("score"), ZERO))
    return scored if node.counted is None else _people_by(node.counted, node, scored)


def _words(node: Scores, abilities: Abilities) -> dict[str, int]:
    """The first day of each number of bits, by what its column's name ends in."""
    starts = range(0, node.days, abilities.bitmap_days)
    return {"": 0} if len(starts) == 1 else {f"_from_{start}": start for start in starts}


def _bits_of(node: Scores, condition: Expr, first: int, width: int) -> Expr:
    """The days from this first one on that fit, as far as the condition holds."""
    after = [call("ge", Col("day"), integer(first))] if first else []
    before = [call("lt", Col("day"), integer(first + width))] if first + width < node.days else []
    day: Expr = call("sub", Col("day"), integer(first)) if first else Col("day")
    within = all_of([*after, *before])
    if within != TRUE:  # Some engines shift, and fail, before they filter or choose.
        day = Case(((within, day),), ZERO)
    where = all_of([within, condition])
    found = Agg("bits_or", (call("bit", day, integer(width)),), None if where == TRUE else where)
    return found if within == TRUE else call("coalesce", found, ZERO)


def _mask(first: int, last: int, width: int) -> int:
    """The bits from the first to the last day, as far as they are among so many."""
    first, last = max(first, 0), min(last, width - 1)
    return (2 << last) - (1 << first) if first <= last else 0


# -- all windows in one pass ------------------------------------------------------------------------------------------


def levels(node: Scores) -> Plan:
    days = _with_facts(node, _by_day(node))
    node = replace(node, input=days, keys=(*node.keys, *node.told), facts=None, distinct=True)
    who = (*node.keys, "entity")
    pieces, numbered = _pieces(node, who)
    changed = Named("changed", _changed(node, pieces, who))
    if node.counted is None or (node.of == "amounts" and node.counted == Col("score")):
        # Scores that hardly two people share: there is nothing to be gained by looking at them together.
        people = _at_each_window(node, changed, numbered, who)
        return people if node.counted is None else _people_by(node.counted, node, people)
    reached = Named("reached", Project(changed, (*keep(*node.keys, "at", "lift"), *_after(node, who))))
    return summed(numbered, _moves(node, reached, node.counted), (*node.keys, "score"))


def _pieces(node: Scores, who: tuple[str, ...]) -> tuple[Plan, Spine]:
    """(who, opens, closes, weight): what lifts a score between two windows' numbers; and these numbers."""
    if node.of in ("days", "amounts"):
        # Less nothing: where an engine holds whole numbers without a sign, what is taken away has one.
        weight = integer(1) if node.of == "days" else call("sub", Col("amount"), ZERO)
        kept = (*keep(*who, "day"), ("weight", weight))
        opened, numbered = placed(Project(node.input, kept), node.windows, node.label_type)
        return Named("placed_days", Project(opened, keep(*who, "weight", "opens", "closes"))), numbered
    days = node.input if node.of == "values" else _each_flag(node, who)
    weighed = keep("weight") if node.of == "flags" else (("weight", integer(1)),)
    opened, numbered = placed(Project(days, (*keep(*who, "value", "day"), *weighed)), node.windows, node.label_type)
    following = Over("lead", (Col("opens"),), tuple(Col(name) for name in (*who, "value")), (Col("day"),))
    spells = Project(opened, (*keep(*who, "weight", "opens", "closes"), ("next_opens", following)))
    closing = Case(((call("lt", Col("next_opens"), Col("closes")), Col("next_opens")),), Col("closes"))
    return Named(
        "spells", Project(Named("held", spells), (*keep(*who, "weight", "opens"), ("closes", closing)))
    ), numbered


def _each_flag(node: Scores, who: tuple[str, ...]) -> Plan:
    """A row for each flag that is set, with its number as the `value`."""
    typed = (("value", Type.INTEGER), ("weight", Type.INTEGER))
    flags = Spine(typed, tuple((number, weight) for number, (_, weight) in enumerate(node.flags)))
    is_set = Case(tuple((call("eq", Col("value"), integer(k)), Col(name)) for k, (name, _) in enumerate(node.flags)))
    each = Join(node.input, flags, "inner", where=call("eq", is_set, integer(1)))
    return Named("each_flag", Project(each, keep(*who, "day", "value", "weight")))


def _changed(node: Scores, pieces: Plan, who: tuple[str, ...]) -> Plan:
    """(who, at, lift): by how much the score changes at a window's number. Of amounts, which may add up to nothing or
    less, also `rows_lift`: how many more of them there are."""
    added: tuple[Named_, ...] = (*keep(*who), ("at", Col("opens")), ("lift", Col("weight")))
    taken: tuple[Named_, ...] = (*keep(*who), ("at", Col("closes")), ("lift", call("sub", integer(0), Col("weight"))))
    lifts: tuple[Named_, ...] = (("lift", total("lift")),)
    if node.of == "amounts":
        added, taken = (*added, ("rows_lift", integer(1))), (*taken, ("rows_lift", integer(-1)))
        lifts = (*lifts, ("rows_lift", total("rows_lift")))
    return Aggregate(Union((Project(pieces, added), Project(pieces, taken))), keep(*who, "at"), lifts)


def _after(node: Scores, who: tuple[str, ...]) -> tuple[Named_, ...]:
    """The score after each change, and of amounts how many there are, before and after."""
    people, at = tuple(Col(name) for name in who), (Col("at"),)
    score = Over("sum", (Col("lift"),), people, at, including_current=True)
    if node.of != "amounts":
        return (("score_after", score),)
    rows = Over("sum", (Col("rows_lift"),), people, at, including_current=True)
    return (("score_after", score), *keep("rows_lift"), ("rows_after", rows))


def _moves(node: Scores, reached: Plan, counted: Expr) -> Plan:
    """(keys, at, score, change): how many more people have this score from a window's number on."""
    before = call("sub", Col("score_after"), Col("lift"))
    if node.of == "amounts":
        there, was_there = Col("rows_after"), call("sub", Col("rows_after"), Col("rows_lift"))
    else:
        there, was_there = Col("score_after"), before
    keys = keep(*node.keys, "at")
    zero = integer(0)
    arrived = Project(
        Filter(reached, call("gt", there, zero)), (*keys, ("score", Col("score_after")), ("change", integer(1)))
    )
    left = Project(Filter(reached, call("gt", was_there, zero)), (*keys, ("score", before), ("change", integer(-1))))
    by_value = Project(Union((arrived, left)), (*keys, ("score", counted), *keep("change")))
    moves = Aggregate(by_value, keep(*node.keys, "at", "score"), (("change", total("change")),))
    return Filter(moves, call("ne", Col("change"), zero))


def _at_each_window(node: Scores, changed: Plan, numbered: Spine, who: tuple[str, ...]) -> Plan:
    """(period, keys, entity, score): each score beside the windows from its change until the next one."""
    until = Over("lead", (Col("at"),), tuple(Col(name) for name in who), (Col("at"),))
    stretches = Named("stretches", Project(changed, (*keep(*who, "at"), ("until", until), *_after(node, who))))
    there = Col("rows_after") if node.of == "amounts" else Col("score_after")
    active = Filter(stretches, call("gt", there, integer(0)))
    number = Col("number")
    holds = all_of([call("ge", number, Col("at")), call("lt", number, Col("until"))])
    matched = Join(numbered, active, "inner", where=holds)
    return Project(matched, (*keep("period", *who), ("score", Col("score_after"))))


STRATEGIES = {"tally": tally, "levels": levels}
"""Those that any engine can be asked for; `bits` depends on what it is good at."""
