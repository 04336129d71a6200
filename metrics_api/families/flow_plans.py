"""What is told of a flow's paths: from node to node, the nodes themselves, and the commonest paths.

Distinct paths are counted first, and all else is made of these counts; only times between nodes need every path. Of a
row from node to node `inner` is the one nearer to the anchor and `outer` the other, null where the path has ended, or
not begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from metrics_api.families.paths import END, START, Flow, node_at, paths_of, time_at
from metrics_api.families.relations import quantile
from metrics_api.plan.expr import Agg, Case, Col, Expr, Lit, Over, Type, any_of, call, integer, text
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Named_, Plan, Project, Spine, keep, output
from metrics_api.query.bind import BoundQuery
from metrics_api.query.dimension import NONE, OTHER
from metrics_api.query.family import Measure

COUNT = Col("count_of_paths")
PENDING = Col("count_of_pending")
POSITION = Col("position")
IS_AFTER = call("gt", POSITION, integer(0))
NEARER = Case(((IS_AFTER, call("sub", POSITION, integer(1))),), call("add", POSITION, integer(1)))
"""The position of the inner node."""


def _names(query: BoundQuery) -> tuple[str, ...]:
    return tuple(one.name for one in query.by)


def _groups(query: BoundQuery) -> tuple[Expr, ...]:
    return tuple(Col(one) for one in _names(query))


def _counted(query: BoundQuery) -> Plan:
    """(labels, nodes, count_of_paths, count_of_pending): a row for each group and path."""
    spec: Flow = query.metric.spec
    names = (*_names(query), *(node_at(one) for one in spec.positions))
    counts = ((COUNT.name, Agg("count_rows")), (PENDING.name, Agg("sum", (Col("pending"),))))
    return Named("counted_paths", Aggregate(paths_of(query), keep(*names), counts))


# -- from node to node ------------------------------------------------------------------------------------------------


def _nearer(position: int) -> int:
    return position - 1 if position > 0 else position + 1


def _at_each(spec: Flow, value: Callable[[int], Expr]) -> Expr:
    """What it is at the row's position."""
    *others, last = spec.positions
    branches = tuple((call("eq", POSITION, integer(one)), value(one)) for one in others)
    return Case(branches, value(last)) if branches else value(last)


def _taken(query: BoundQuery, paths: Plan, further: tuple[Named_, ...]) -> Plan:
    """(labels, position, inner, outer, further): a row for each of the paths and place where it has an inner node."""
    spec: Flow = query.metric.spec

    def inner(position: int) -> Expr:
        nearer = _nearer(position)
        return Col(node_at(nearer)) if nearer else text(spec.anchor_name)

    places = Spine((("position", Type.INTEGER),), tuple((one,) for one in spec.positions))
    shown = (
        *keep(*_names(query), "position"),
        ("inner", _at_each(spec, inner)),
        ("outer", _at_each(spec, lambda position: Col(node_at(position)))),
        *further,
    )
    rows = Named("places_of_paths", Project(Join(paths, places, "cross"), shown))
    return Filter(rows, call("not_", call("is_null", Col("inner"))))


def _steps(query: BoundQuery) -> Plan:
    """(labels, position, inner, outer, told_inner, told_outer, counts): beside each node what is told of it."""
    taken = _taken(query, _counted(query), keep(COUNT.name, PENDING.name))
    ends = Case(((call("is_null", Col("outer")), PENDING),), integer(0))
    pending = Case(((IS_AFTER, ends),), integer(0))
    counts = ((COUNT.name, Agg("sum", (COUNT,))), (PENDING.name, Agg("sum", (pending,))))
    steps = Named("steps_taken", Aggregate(taken, keep(*_names(query), "position", "inner", "outer"), counts))
    # Every path at an inner node has one row there, so that its rows count what they do where it is the outer one.
    sides = ("inner", "outer")
    sizes = tuple((f"count_of_{one}", Over("sum", (COUNT,), (POSITION, Col(one)), ())) for one in sides)
    sized = Named("steps_sized", Project(steps, (*keep(*output(steps)), *sizes)))
    places = tuple((f"{one}_place_here", _place(one)) for one in sides)
    placed = Named("steps_placed", Project(sized, (*keep(*output(steps)), *places)))
    return Project(placed, (*keep(*output(steps)), *((f"told_{one}_here", _told_as(query, one)) for one in sides)))


def _stays(side: str) -> Expr:
    """Whether it is no node that is ranked: a missing value, an end."""
    return any_of([call("is_null", Col(side)), call("eq", Col(side), text(NONE))])


def _place(side: str) -> Expr:
    """The place of a node in its column, the commonest first, whatever the group; of equal ones the first by name."""
    last = Case(((_stays(side), integer(1)),), integer(0))
    order = (last, Col(f"count_of_{side}"), call("coalesce", Col(side), text("")))
    return Over("dense_rank", (), (POSITION,), order, frozenset((1,)))


def _told_as(query: BoundQuery, side: str) -> Expr:
    spec: Flow = query.metric.spec
    stays = [_stays(side), call("le", Col(f"{side}_place_here"), integer(spec.top))]
    if side == "inner":
        stays.append(call("eq", NEARER, integer(0)))
    return Case(((any_of(stays), Col(side)),), text(OTHER))


TOLD = (("inner", Col("told_inner_here")), ("outer", Col("told_outer_here")))


def _told(query: BoundQuery, *, timed: bool = False) -> Plan:
    """(labels, position, inner, outer, counts, times) with the nodes that are told, the rest of each as `(other)`."""
    steps = Named("steps", _steps(query))
    sums = tuple((one.name, Agg("sum", (one,))) for one in (COUNT, PENDING))
    told = Aggregate(steps, (*keep(*_names(query), "position"), *TOLD), sums)
    if not timed:
        return Named("steps_told", told)
    keys = (*_names(query), "position", "inner", "outer")
    times = Project(_times(query, steps), tuple((f"{one}_then" if one in keys else one, Col(one)) for one in (
        *keys, *(one.name for one in query.measures)
    )))  # fmt: skip
    on = tuple((one, f"{one}_then") for one in keys)
    return Named("steps_told", Join(Named("counted_steps", told), Named("times_of_steps", times), "left", on=on))


def _times(query: BoundQuery, steps: Plan) -> Plan:
    """(labels, position, inner, outer, times), by the nodes that are told, of those between two nodes."""
    spec: Flow = query.metric.spec

    def lasted(position: int) -> Expr:
        between = sorted((position, _nearer(position)))
        return call("seconds_between", *(Col(time_at(one)) for one in between))

    taken = _taken(query, paths_of(query), (("lasted", _at_each(spec, lasted)),))
    there = Filter(taken, call("not_", call("is_null", Col("outer"))))
    names = Aggregate(steps, tuple((f"of_{one}", Col(one)) for one in ("position", "inner", "outer")), tuple(
        (one.name, Agg("min", (one,))) for _, one in TOLD
    ))  # fmt: skip
    on = tuple((one, f"of_{one}") for one in ("position", "inner", "outer"))
    called = Join(there, Named("names_of_steps", names), "inner", on=on)
    times = tuple((one.name, _time(one)) for one in query.measures)
    return Aggregate(called, (*keep(*_names(query), "position"), *TOLD), times)


def _time(one: Measure) -> Expr:
    took = Col("lasted")
    if one.fraction is not None:
        return quantile(took, one.fraction)
    return Agg({"average": "avg"}.get(one.of, one.of), (took,))


def _first_position(spec: Flow) -> int:
    """One that every path has a step at."""
    return 1 if spec.after else -1


def _count(query: BoundQuery) -> tuple[Named_, Named_]:
    """The column that counts, and the other one."""
    nothing = Lit(None, Type.INTEGER)
    totals = query.metric.spec.totals
    return ("users", nothing if totals else COUNT), ("total", COUNT if totals else nothing)


# -- parts ------------------------------------------------------------------------------------------------------------


def rows(query: BoundQuery) -> Plan:
    """From where to where, in the order of time."""
    told = _told(query, timed=bool(query.measures))
    is_first = call("eq", POSITION, integer(_first_position(query.metric.spec)))
    whole = Over("sum", (Case(((is_first, COUNT),), integer(0)),), _groups(query), ())
    times = keep(*(one.name for one in query.measures))
    shown = keep(*_names(query), "position", "inner", "outer", COUNT.name, PENDING.name)
    shared = Project(told, (*shown, *times, ("count_of_all", whole)))
    started, ended = (call("coalesce", Col("outer"), text(one)) for one in (START, END))
    return Project(
        shared,
        (
            *keep("position"),
            ("source", Case(((IS_AFTER, Col("inner")),), started)),
            ("target", Case(((IS_AFTER, ended),), Col("inner"))),
            *keep(*_names(query)),
            *_count(query),
            ("share", call("divide", COUNT, Col("count_of_all"))),
            ("pending", PENDING),
            *times,
        ),
    )


def nodes(query: BoundQuery) -> Plan:
    """The nodes of every column, and what becomes of those who are there.

    Each row from node to node tells of both: how many are at the outer one, and how many end at the inner one.
    """
    spec: Flow = query.metric.spec
    zero = integer(0)
    of_outer = call("eq", Col("kind"), zero)
    is_ended = call("is_null", Col("outer"))
    is_first = call("eq", POSITION, integer(_first_position(spec)))
    told = Join(_told(query), Spine((("kind", Type.INTEGER),), ((0,), (1,))), "cross")
    there = Case(((call("eq", POSITION, zero), COUNT),), zero)
    tells = Case(((of_outer, call("not_", is_ended)),), any_of([is_ended, is_first]))
    ends = Case(((of_outer, zero), (is_ended, COUNT)), zero)
    sides = Project(
        Filter(told, tells),
        (
            *keep(*_names(query)),
            ("position", Case(((of_outer, POSITION),), NEARER)),
            ("node", Case(((of_outer, Col("outer")),), Col("inner"))),
            (COUNT.name, Case(((any_of([of_outer, is_first]), COUNT),), zero)),
            ("ended", Case(((IS_AFTER, ends),), zero)),
            ("began", Case(((IS_AFTER, zero),), ends)),
            (PENDING.name, Case(((of_outer, zero),), PENDING)),
        ),
    )
    sums = tuple((name, Agg("sum", (Col(name),))) for name in (COUNT.name, "ended", "began", PENDING.name))
    summed = Named("nodes", Aggregate(sides, keep(*_names(query), "position", "node"), sums))
    shared = Project(summed, (*keep(*output(summed)), ("count_of_all", Over("sum", (there,), _groups(query), ()))))
    return Project(shared, (*keep("position", "node", *_names(query)), *_count(query), *_balance(spec)))


def _balance(spec: Flow) -> Iterator[Named_]:
    """What comes to a node and leaves it; null where nothing is looked for any more."""
    looks_on = call("lt", POSITION, integer(spec.after))
    looks_back = call("gt", POSITION, integer(-spec.before))
    yield "share", call("divide", COUNT, Col("count_of_all"))
    yield "inflow", Case(((looks_back, call("sub", COUNT, Col("began"))),))
    yield "starts", Case(((looks_back, Col("began")),))
    yield "outflow", Case(((looks_on, call("sub", COUNT, Col("ended"))),))
    yield "exits", Case(((looks_on, Col("ended")),))
    yield "pending", PENDING


def commonest(query: BoundQuery) -> Plan:
    """The paths of most people in each group, as the nodes they are of; of equal ones the first by these."""
    spec: Flow = query.metric.spec
    steps = [node_at(one) for one in spec.positions]
    counted = _counted(query)
    order: tuple[Expr, ...] = (COUNT, *(call("coalesce", Col(one), text("")) for one in steps))
    beside = (
        ("rank", Over("row_number", (), _groups(query), order, frozenset((0,)))),
        ("count_of_all", Over("sum", (COUNT,), _groups(query), ())),
    )
    ranked = Named("ranked_paths", Project(counted, (*keep(*output(counted)), *beside)))
    return Project(
        Filter(ranked, call("le", Col("rank"), integer(spec.paths))),
        (
            *keep("rank", *_names(query)),
            *_count(query),
            ("share", call("divide", COUNT, Col("count_of_all"))),
            ("pending", PENDING),
            *((f"step_{one}", Col(one)) for one in steps),
        ),
    )
