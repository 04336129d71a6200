"""`forward`: the strategy of `Journey` that is exact for whatever a journey can be.

1. `instants`: one row for each entity and instant of a step, with the steps that it is.
2. `ahead`: each instant knows the next one of every step from there on, and the next row that would end an attempt.
   One ordered pass each; nothing is joined by ranges.
3. An attempt goes from instant to instant by equality: its entry's next step 2, that one's next step 3, and so on.
4. What an exclusion cuts off is taken away, and each entity's attempt is chosen.

An instant is known by its time; where a tie breaker tells rows of one instant apart, by its place among the entity's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Literal

from metrics_api.plan.expr import (
    FALSE,
    TRUE,
    Agg,
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


def forward(node: Journey) -> Plan:
    node = _with_entries(node)
    ahead = Named("ahead", _ahead(node, Named("instants", _instants(node))))
    attempts = _in_any_order(node, ahead) if node.unordered else _step_by_step(node, ahead)
    attempts = labelled(node, _taken(node, cut(node, attempts)))
    return Project(attempts, keep(*output(node)))


def lookahead(node: Journey) -> Plan:
    """The same by ASOF joins: each attempt looks ahead for its next step. Exact where steps are found by time alone."""
    by = keep("entity", *(f"{label}_1" for label in node.labels))
    attempts = begun(node, Project(_first_rows(node), (*by, ("at_1", Col("at")), ("spot_1", Col("at")))))
    for k in _numbers(node)[1:]:
        p = node.required_before(k)
        seen = keep(*(f"{label}_{k}" for label in node.labels))
        there = Named(f"events_{k}", Project(_rows_of(node, k), (*keep("entity"), (f"found_{k}", Col("at")), *seen)))
        comparison: Literal["lt", "le"] = "lt" if node.overlapping else "le"
        joined = Join(attempts, there, "asof_left", (("entity", "entity"),), (f"at_{p}", comparison, f"found_{k}"))
        found = Col(f"found_{k}")
        at = Case(((is_found(node, k, found), found),))
        times = ((f"at_{k}", at), (f"spot_{k}", at))
        attempts = Named(
            f"reached_{node.steps[k - 1].name}", Project(joined, (*keep(*output(attempts)), *times, *seen))
        )
    for m, one in enumerate(node.exclusions, 1):
        stops = Project(Filter(node.input, one.condition), (*keep("entity"), (f"stopped_{m}_{one.after}", Col("at"))))
        there = Named(f"events_out_{m}", stops)
        after, stopped = f"at_{one.after}", f"stopped_{m}_{one.after}"
        attempts = Join(attempts, there, "asof_left", (("entity", "entity"),), (after, "lt", stopped))
    attempts = labelled(node, chosen(node, cut(node, without_late_options(node, attempts))))
    return Project(attempts, keep(*output(node)))


def _first_rows(node: Journey) -> Plan:
    """entity, at, label_1: the entries, one for each instant unless every one of them counts."""
    if node.take != "every":
        return _rows_of(node, 1)
    rows = node.entered if node.entered is not None else Filter(node.input, node.entry)
    labels = tuple((f"{label}_1", call("coalesce", Col(label), text(NONE))) for label in node.labels)
    return Project(rows, (*keep("entity", "at"), *labels))


def _rows_of(node: Journey, k: int) -> Plan:
    """entity, at, label_k: the rows of step k, with labels one for each instant."""
    rows = node.entered if k == 1 and node.entered is not None else None
    if rows is None:
        rows = Filter(node.input, node.entry if k == 1 else node.steps[k - 1].condition)
    if not node.labels and k > 1:
        return Project(rows, keep("entity", "at"))
    labels = tuple((f"{label}_{k}", call("coalesce", Agg("min", (Col(label),)), text(NONE))) for label in node.labels)
    return Aggregate(rows, keep("entity", "at"), labels)


def _group(node: Journey) -> tuple[str, ...]:
    """Rows of one group can be one attempt's."""
    return ("entity", *node.keys, *node.same)


def _spot(node: Journey) -> str:
    return "place" if node.tie else "at"


def _numbers(node: Journey) -> range:
    return range(1, len(node.steps) + 1)


def _searched(node: Journey) -> tuple[int, ...]:
    """The steps that are looked for from an instant on."""
    return tuple(_numbers(node) if node.unordered else _numbers(node)[1:])


# -- instants ---------------------------------------------------------------------------------------------------------


def _with_entries(node: Journey) -> Journey:
    """The same journey, through rows of which some are the entries that were given by themselves."""
    if node.entered is None:
        return node
    base = keep("entity", "at", *(["tie"] if node.tie else []), *node.labels, *node.same, *node.keys)
    told: dict[str, Expr] = {f"is_{k}": one.condition for k, one in enumerate(node.steps[1:], 2)}
    told |= {f"is_out_{m}": one.condition for m, one in enumerate(node.exclusions, 1)}
    if node.breaks is not None:
        told["is_break"] = node.breaks
    others = Project(node.input, (*base, *told.items(), ("is_1", FALSE)))
    entries = Project(node.entered, (*base, *((name, FALSE) for name in told), ("is_1", TRUE)))
    return replace(
        node,
        input=Union((others, entries)),
        steps=tuple(replace(one, condition=Col(f"is_{k}")) for k, one in enumerate(node.steps, 1)),
        exclusions=tuple(replace(one, condition=Col(f"is_out_{m}")) for m, one in enumerate(node.exclusions, 1)),
        breaks=None if node.breaks is None else Col("is_break"),
        enters=TRUE,
        entered=None,
    )


def _rows(node: Journey) -> Plan:
    """The rows that are any step; with a tie breaker their places too."""
    rows = Filter(node.input, any_of([node.entry, *(one.condition for one in node.steps[1:])]))
    if not node.tie:
        return rows
    place = Over("dense_rank", (), (Col("entity"),), (Col("at"), Col("tie")))
    return Named("places", Project(rows, (*keep(*output(node.input)), ("place", place))))


def _instants(node: Journey) -> Plan:
    """entity, keys, same, at, [place], entries, own_k (where it is, if it is step k), label_k."""
    spot = _spot(node)
    conditions = {1: node.entry} | {k: node.steps[k - 1].condition for k in _searched(node)}
    own = tuple((f"own_{k}", Agg("min", (Col(spot),), conditions[k])) for k in _searched(node))
    labels = tuple(
        (f"{label}_{k}", call("coalesce", Agg("min", (Col(label),), condition), text(NONE)))
        for k, condition in conditions.items()
        for label in node.labels
    )
    keys = keep(*_group(node), *dict.fromkeys(("at", spot)))
    return Aggregate(_rows(node), keys, (("entries", Agg("count_rows", (), node.entry)), *own, *labels))


def _ahead(node: Journey, instants: Plan) -> Plan:
    """The instants with next_k: where the next row of step k is; and stopped_m: when the next of exclusion m."""
    kept = [name for name in output(instants) if not name.startswith("own_")]
    group = tuple(Col(name) for name in _group(node))
    own = [f"own_{k}" for k in _searched(node)]
    order: tuple[Expr, ...] = (Col(_spot(node)),)
    rows = instants
    if node.grace_seconds:
        rows = _with_earlier_looks(node, instants)
        order = (Col("seen"), Col("kind"))
    following = tuple(
        (
            name.replace("own_", "next_"),
            Over("min", (Col(name),), group, order, frozenset((0,)), including_current=not node.overlapping),
        )
        for name in own
    )
    if not node.grace_seconds:
        found: Plan = Project(rows, (*keep(*kept), *following))
    else:
        looked = Project(rows, (*keep(*kept, "kind"), *following))
        found = Project(Filter(looked, call("eq", Col("kind"), integer(1))), keep(*output(looked)))
        found = Project(found, keep(*(name for name in output(found) if name != "kind")))
    return _with_stops(node, found)


def _with_earlier_looks(node: Journey, instants: Plan) -> Plan:
    """The instants, and beside each a row that looks ahead from `grace_seconds` before it (its `kind` is 1)."""
    names = output(instants)
    nulls = {name: Lit(None, Type.TIMESTAMP) for name in names if name.startswith("own_")}
    seen = call("add_seconds", Col("at"), Lit(-node.grace_seconds, Type.INTEGER, role="grace"))
    there = Project(instants, (*keep(*names), ("seen", Col("at")), ("kind", integer(0))))
    looks = Project(
        instants, (*((name, nulls.get(name, Col(name))) for name in names), ("seen", seen), ("kind", integer(1)))
    )
    return Union((there, looks))


def _stops(node: Journey) -> tuple[Named_, ...]:
    """What may end an attempt: a row that breaks a strict order (number 0), and the exclusions."""
    breaks = () if node.breaks is None else (("stop_0", node.breaks),)
    return (*breaks, *((f"stop_{m}", one.condition) for m, one in enumerate(node.exclusions, 1)))


def _with_stops(node: Journey, found: Plan) -> Plan:
    """The rows with stopped_m: when the entity's next row that stops is, strictly later than the instant."""
    stops = _stops(node)
    if not stops:
        return found
    names = output(found)
    places = Type.INTEGER if node.tie else Type.TIMESTAMP
    types = {"place": Type.INTEGER, "entries": Type.INTEGER, "at": Type.TIMESTAMP}
    types |= {name: places for name in names if name.startswith("next_")}
    stopping = Aggregate(
        Filter(node.input, any_of(condition for _, condition in stops)),
        keep("entity", "at"),
        tuple((name, Agg("min", (Col("at"),), condition)) for name, condition in stops),
    )
    here = Project(found, (*keep(*names), *((name, Lit(None, Type.TIMESTAMP)) for name, _ in stops), _kind(0)))
    nulls = tuple(
        (name, Col(name) if name in ("entity", "at") else Lit(None, types.get(name, Type.STRING))) for name in names
    )
    there = Project(stopping, (*nulls, *keep(*(name for name, _ in stops)), _kind(1)))
    # Looking back in time, an instant comes before what stops at the same instant: so it does not see it.
    order = (Col("at"), Col("kind"))
    next_ = tuple(
        (name.replace("stop_", "stopped_"), Over("min", (Col(name),), (Col("entity"),), order, frozenset((0,))))
        for name, _ in stops
    )
    looked = Project(Union((here, there)), (*keep(*names, "kind"), *next_))
    return Project(Filter(looked, call("eq", Col("kind"), integer(0))), keep(*names, *(name for name, _ in next_)))


def _kind(number: int) -> Named_:
    return "kind", integer(number)


# -- attempts ---------------------------------------------------------------------------------------------------------


def _entries(node: Journey, ahead: Plan, columns: tuple[Named_, ...]) -> Plan:
    """The instants that begin an attempt, with `at_1`, `spot_1`, the bucket if any, and these columns."""
    entered = Filter(ahead, call("gt", Col("entries"), integer(0)))
    shown = (*keep(*_group(node)), ("at_1", Col("at")), ("spot_1", Col(_spot(node))), *columns)
    return begun(node, Project(entered, shown))


def begun(node: Journey, entries: Plan) -> Plan:
    """The entries that count, with their bucket if there are any."""
    if node.per is not None:
        entries = Project(entries, (*keep(*output(entries)), ("period", node.per)))
    if node.take == "first":
        rank = Over("dense_rank", (), tuple(Col(name) for name in _whose(node)), (Col("spot_1"),))
        ranked = Project(entries, (*keep(*output(entries)), ("entry", rank)))
        entries = Filter(ranked, call("eq", Col("entry"), integer(1)))
    return Named("entered", entries)


def _whose(node: Journey) -> tuple[str, ...]:
    """What an attempt is taken for."""
    return ("entity", *node.keys, *(["period"] if node.per is not None else []))


def _step_by_step(node: Journey, ahead: Plan) -> Plan:
    """Attempts with at_k, spot_k, label_k, stopped_m_k (seen from step k), each step found from the one before."""
    attempts = _entries(node, ahead, _seen_from(node, 1))
    for k in _numbers(node)[1:]:
        attempts = Named(f"reached_{node.steps[k - 1].name}", _with_step(node, attempts, ahead, k))
    return without_late_options(node, attempts)


def _seen_from(node: Journey, k: int) -> tuple[Named_, ...]:
    """What a row says of an attempt that has step k there: labels, and where to go on."""
    labels = tuple((f"{label}_{k}", Col(f"{label}_{k}")) for label in node.labels)
    steps = tuple((f"next_{j}", Col(f"next_{j}")) for j in _following(node, k))
    stops = [m for m, one in enumerate(node.exclusions, 1) if one.after == k]
    if node.breaks is not None and steps:
        stops.append(0)
    return (*labels, *steps, *((f"stopped_{m}_{k}", Col(f"stopped_{m}")) for m in stops))


def _following(node: Journey, k: int) -> list[int]:
    """The steps that are looked for from step k."""
    return [j for j in _numbers(node)[1:] if node.required_before(j) == k]


def _with_step(node: Journey, attempts: Plan, ahead: Plan, k: int) -> Plan:
    p, next_ = node.required_before(k), Col(f"next_{k}")
    passed = keep(*(name for name in output(attempts) if name != f"next_{k}"))
    seen = _seen_from(node, k)
    if node.grace_seconds:
        # What came a little too early is as if at the instant of the step before.
        settled: Expr = Case(((call("lt", next_, Col(f"at_{p}")), Col(f"at_{p}")),), next_)
        attempts = Project(attempts, (*passed, (f"event_{k}", next_), (f"next_{k}", settled)))
    if seen or node.tie:
        there = (*keep(*_group(node)), (f"spot_{k}", Col(_spot(node))), (f"found_{k}", Col("at")), *seen)
        on = (*((name, name) for name in _group(node)), (f"next_{k}", f"spot_{k}"))
        joined: Plan = Join(attempts, Project(ahead, there), "left", on)
        found, spot = Col(f"found_{k}"), Col(f"spot_{k}")
        shown: tuple[Named_, ...] = keep(*(name for name, _ in seen))
    else:
        joined, found, spot, shown = attempts, next_, next_, ()
    at = Case(((is_found(node, k, found), found),))
    reached = Project(joined, (*passed, (f"at_{k}", at), (f"spot_{k}", spot), *shown))
    return reached if not (node.grace_seconds and node.labels) else _labels_of_events(node, reached, joined, ahead, k)


def _labels_of_events(node: Journey, reached: Plan, joined: Plan, ahead: Plan, k: int) -> Plan:
    """The labels of step k's own row, which with grace may be another than that of its instant."""
    names = [f"{label}_{k}" for label in node.labels]
    assert isinstance(reached, Project)
    bare = tuple((name, expr) for name, expr in reached.columns if name not in names)
    with_event = Project(joined, (*bare, (f"event_{k}", Col(f"event_{k}"))))
    there = Project(ahead, (*keep(*_group(node)), (f"seen_{k}", Col("at")), *keep(*names)))
    on = (*((name, name) for name in _group(node)), (f"event_{k}", f"seen_{k}"))
    return Project(Join(with_event, there, "left", on), keep(*(name for name, _ in bare), *names))


def is_found(node: Journey, k: int, found: Expr) -> Expr:
    p = node.required_before(k)
    within = node.steps[k - 1].within_seconds
    conditions: list[Expr] = [is_reached(p), call("le", found, later("at_1", node.window_seconds, "window"))]
    if within is not None:
        conditions.append(call("le", found, later(f"at_{p}", within, "step_window")))
    if node.breaks is not None:
        broken = Col(f"stopped_0_{p}")
        conditions.append(any_of([call("is_null", broken), call("ge", broken, found)]))
    return all_of(conditions)


def without_late_options(node: Journey, attempts: Plan) -> Plan:
    """An optional step counts no later than the required step after it."""
    late = {
        f"at_{k}": Case(((_not_after(f"at_{k}", f"at_{node.required_after(k)}"), Col(f"at_{k}")),))
        for k in _numbers(node)
        if node.steps[k - 1].optional
    }
    if not late:
        return attempts
    return Project(attempts, tuple((name, late.get(name, Col(name))) for name in output(attempts)))


def _not_after(at: str, other: str) -> Expr:
    return any_of([call("is_null", Col(other)), call("le", Col(at), Col(other))])


def _in_any_order(node: Journey, ahead: Plan) -> Plan:
    """Attempts with at_k, spot_k: when k different steps were done; label_k: that of the k-th."""
    numbers = _numbers(node)
    attempts = _entries(node, ahead, tuple((f"next_{k}", Col(f"next_{k}")) for k in numbers))
    for k in numbers if node.labels else ():
        names = [f"{label}_{k}" for label in node.labels]
        there = Project(ahead, (*keep(*_group(node)), (f"seen_{k}", Col("at")), *keep(*names)))
        on = (*((name, name) for name in _group(node)), (f"next_{k}", f"seen_{k}"))
        joined = Join(attempts, there, "left", on)
        attempts = Project(joined, keep(*output(attempts), *names))
    kept = keep(*_whose(node), *node.same, "spot_1", *(f"{label}_{k}" for k in numbers for label in node.labels))
    last = later("at_1", node.window_seconds, "window")
    done = tuple((f"done_{k}", Case(((call("le", Col(f"next_{k}"), last), Col(f"next_{k}")),))) for k in numbers)
    timed = Named("done", Project(attempts, (*kept, *done)))
    ranked = Named(
        "ranked", Project(timed, (*keep(*output(timed)), *((f"rank_{k}", _rank(k, numbers)) for k in numbers)))
    )
    of_rank = {k: [(_has_rank(j, k), j) for j in numbers] for k in numbers}
    at = tuple((f"at_{k}", Case(tuple((when, Col(f"done_{j}")) for when, j in of_rank[k]))) for k in numbers)
    labels = tuple(
        (f"{label}_{k}", Case(tuple((when, Col(f"{label}_{j}")) for when, j in of_rank[k])))
        for k in numbers
        for label in node.labels
    )
    ordered = Named("in_order", Project(ranked, (*keep(*_whose(node), *node.same, "spot_1"), *at, *labels)))
    spots = tuple((f"spot_{k}", Col(f"at_{k}")) for k in numbers[1:])
    return Project(ordered, (*keep(*output(ordered)), *spots))


def _rank(k: int, numbers: Sequence[int]) -> Expr:
    """Which of the done steps step k was, of equal times the one that stands first."""
    this: Expr = Col(f"done_{k}")
    first: Expr = integer(1)
    earlier = (call("le" if j < k else "lt", Col(f"done_{j}"), this) for j in numbers if j != k)
    return reduce(lambda so_far, one: call("add", so_far, Case(((one, integer(1)),), integer(0))), earlier, first)


def _has_rank(j: int, k: int) -> Expr:
    return all_of([is_known(f"done_{j}"), call("eq", Col(f"rank_{j}"), integer(k))])


# -- exclusions -------------------------------------------------------------------------------------------------------


def cut(node: Journey, attempts: Plan) -> Plan:
    """The attempts with `excluded_at`, and without what came after it; those that are removed are gone."""
    if not node.exclusions:
        return attempts
    names = [name for name in output(attempts) if not name.startswith("stopped_")]
    cuts = tuple((f"cut_{m}", _stop(node, m)) for m in range(1, len(node.exclusions) + 1))
    stopped = Project(attempts, (*keep(*names), *cuts))
    drops = [Col(f"cut_{m}") for m, one in enumerate(node.exclusions, 1) if not one.removes]
    removes = [Col(f"cut_{m}") for m, one in enumerate(node.exclusions, 1) if one.removes]
    first: tuple[Named_, ...] = (("excluded_at", _earliest(drops)),)
    if removes:
        first = (*first, ("removed_at", _earliest(removes)))
    settled: Plan = Named("stopped", Project(stopped, (*keep(*names), *first)))
    if removes:
        stays = [call("is_null", Col("removed_at")), call("gt", Col("removed_at"), Col("excluded_at"))]
        settled = Filter(settled, any_of(stays))
    at = {f"at_{k}": Case(((_not_after(f"at_{k}", "excluded_at"), Col(f"at_{k}")),)) for k in _numbers(node)[1:]}
    shown = tuple((name, at.get(name, Col(name))) for name in (*names, "excluded_at"))
    return Named("clean", Project(settled, shown))


def _stop(node: Journey, m: int) -> Expr:
    """When exclusion m ends an attempt: between its steps, and as long as the attempt could go on."""
    one = node.exclusions[m - 1]
    stop, before = Col(f"stopped_{m}_{one.after}"), Col(f"at_{one.before}")
    conditions = [
        is_reached(one.after),
        call("le", stop, later("at_1", node.window_seconds, "window")),
        any_of([call("is_null", before), call("lt", stop, before)]),
    ]
    for k in _numbers(node)[1:]:
        within, p = node.steps[k - 1].within_seconds, node.required_before(k)
        if within is not None and not node.steps[k - 1].optional:
            is_elsewhere = [call("is_null", Col(f"at_{p}")), is_reached(k)] if p > 1 else [is_reached(k)]
            conditions.append(any_of([*is_elsewhere, call("le", stop, later(f"at_{p}", within, "step_window"))]))
    return Case(((all_of(conditions), stop),))


def _earliest(times: Sequence[Expr]) -> Expr:
    """The least that is known."""
    if not times:
        return Lit(None, Type.TIMESTAMP)
    return reduce(
        lambda one, other: Case(((any_of([call("is_null", one), call("lt", other, one)]), other),), one), times
    )


# -- what stands for an entity ----------------------------------------------------------------------------------------


def _taken(node: Journey, attempts: Plan) -> Plan:
    """The best attempt of each entity; or, with `every`, one row for each row that entered."""
    return _of_each_entry(node, attempts) if node.take == "every" else chosen(node, attempts)


def chosen(node: Journey, attempts: Plan) -> Plan:
    """The best attempt of each entity, unless all count."""
    if node.take == "every":
        return attempts
    required = [k for k in _numbers(node) if not node.steps[k - 1].optional]
    depth = Case(tuple((is_reached(k), integer(k)) for k in reversed(required[1:])), integer(1))
    completed = Case(tuple((is_reached(k), Col(f"spot_{k}")) for k in reversed(required[1:])), Col("spot_1"))
    measured = Project(attempts, (*keep(*output(attempts)), ("depth", depth), ("completed", completed)))
    order = (Col("depth"), Col("completed"), Col("spot_1"), *(Col(name) for name in node.same))
    descending = frozenset((0, 2, 3))  # Of `same` the first tells whether there is anything to hold.
    number = Over("row_number", (), tuple(Col(name) for name in _whose(node)), order, descending)
    numbered = Project(measured, (*keep(*output(attempts)), ("number", number)))
    return Filter(numbered, call("eq", Col("number"), integer(1)))


def _of_each_entry(node: Journey, attempts: Plan) -> Plan:
    own = tuple((f"{label}_here", call("coalesce", Col(label), text(NONE))) for label in node.labels)
    entries = Project(Filter(_rows(node), node.entry), (*keep(*_group(node)), ("entry", Col(_spot(node))), *own))
    on = (*((name, name) for name in _group(node)), ("entry", "spot_1"))
    joined = Join(entries, Named("attempted", attempts), "inner", on)
    at_entry = {f"{label}_1": Col(f"{label}_here") for label in node.labels}
    return Project(joined, tuple((name, at_entry.get(name, Col(name))) for name in output(attempts)))


def labelled(node: Journey, attempts: Plan) -> Plan:
    """The attempts with their labels: the first or last that is one, or that of one step."""
    if not node.labels:
        return attempts
    asked = {"first": _numbers(node), "last": _numbers(node)[::-1]}
    numbers = (node.attribution,) if isinstance(node.attribution, int) else asked[node.attribution]

    def of(label: str) -> Expr:
        there = (
            (all_of([is_reached(k), call("ne", Col(f"{label}_{k}"), text(NONE))]), Col(f"{label}_{k}")) for k in numbers
        )
        # Not by ELSE: of that Sail's planner and its engine do not agree whether it may be null.
        return call("coalesce", Case(tuple(there)), text(NONE))

    return Project(attempts, (*keep(*output(attempts)), *((label, of(label)) for label in node.labels)))


def is_reached(k: int) -> Expr:
    """Whether an attempt came to step k; to the first every one did."""
    return TRUE if k == 1 else is_known(f"at_{k}")


def is_known(name: str) -> Expr:
    return call("not_", call("is_null", Col(name)))


def later(at: str, seconds: int, role: str) -> Expr:
    return call("add_seconds", Col(at), Lit(seconds, Type.INTEGER, role=role))
