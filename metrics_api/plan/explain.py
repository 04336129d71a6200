"""A plan as an indented story that follows the data: what is read, what is kept, what is counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from metrics_api.plan.expr import Agg, Call, Case, Col, Expr, Lit, Over, chosen_by
from metrics_api.plan.nodes import (
    ActiveDays,
    Aggregate,
    Attendance,
    DayWindow,
    Filter,
    Join,
    Journey,
    Named,
    Named_,
    Plan,
    Project,
    Scan,
    Scores,
    Sort,
    Spine,
    Union,
)
from metrics_api.plan.walk import children

_NEAREST = {
    "ge": "latest {} up to {}",
    "gt": "latest {} before {}",
    "le": "earliest {} from {} on",
    "lt": "earliest {} after {}",
}
"""What an asof join looks for."""


def story(plan: Plan) -> str:
    """The plan, outermost first; a named step is told once."""
    told: dict[str, Plan] = {}
    return "\n".join(_told(plan, 0, told))


def _told(plan: Plan, depth: int, told: dict[str, Plan]) -> Iterable[str]:
    indent = "  " * depth
    if isinstance(plan, Named):
        # As in the statement: another step of the same name has a number.
        names = (plan.name, *(f"{plan.name}_{k}" for k in range(2, len(told) + 2)))
        name = next(one for one in names if one not in told or told[one] == plan)
        yield f"{indent}[{name}]"
        if name in told:
            yield f"{indent}  (as above)"
            return
        told[name] = plan
    else:
        yield indent + _line(plan)
    for child in children(plan):
        yield from _told(child, depth + 1, told)


def _line(plan: Plan) -> str:
    match plan:
        case Scan():
            left_out = f", without {say(plan.exclude)}" if plan.exclude else ""
            if plan.span is None:
                return f"read {plan.table}"
            return f"read {plan.table} from {plan.span.start} until {plan.span.end} UTC{left_out}"
        case Filter(where=where):
            return f"keep where {say(where)}"
        case Project(columns=columns):
            return f"as {_columns(columns)}"
        case Aggregate(keys=keys, aggregates=aggregates):
            per = f"for each {', '.join(name for name, _ in keys)}" if keys else "over all"
            return f"{per}: {_columns(aggregates) or 'one row'}"
        case Join(kind=kind, on=on, asof=asof):
            pairs = [here if here == there else f"{here} = {there}" for here, there in on]
            nearest = [f"the {_NEAREST[asof[1]].format(asof[2], asof[0])}"] if asof else []
            return f"{kind} join on {', '.join(pairs + nearest) or 'everything'}"
        case Union(inputs):
            return f"all rows of {len(inputs)}"
        case Spine(columns=columns, rows=rows):
            return f"{len(rows)} constant rows of {', '.join(name for name, _ in columns)}"
        case Named(name=name):
            return f"[{name}]"
        case Sort(by=by, limit=limit):
            ordered = ", ".join(f"{name} descending" if descending else name for name, descending in by)
            return f"in order of {ordered}" + (f", at most {limit}" if limit is not None else "")
        case ActiveDays(windows=windows):
            return f"people active in {_windows(windows)}"
        case Scores(windows=windows, of=of, counted=counted):
            told = f"each person's {of}, in {_windows(windows)}"
            return told if counted is None else f"{told}; people by {say(counted)}"
        case Attendance(places=places):
            return f"who is at each of {places} places, and was before"
        case Journey(steps=steps, window_seconds=window):
            names = (", " if plan.unordered else " -> ").join(
                f"({one.name})" if one.optional else one.name for one in steps
            )
            which = {"best": "each person's best attempt", "first": "each person's first attempt"}
            return f"{which.get(plan.take, 'every attempt')} at {names} within {window} seconds"


def _windows(windows: Sequence[DayWindow]) -> str:
    lengths = sorted({last - first + 1 for _, first, last in windows})
    return f"{len(windows)} windows of {' or '.join(map(str, lengths))} days"


def _columns(columns: Iterable[Named_]) -> str:
    return ", ".join(
        name if isinstance(expr, Col) and expr.name == name else f"{name} = {say(expr)}" for name, expr in columns
    )


def say(expr: Expr) -> str:
    """An expression, as a person reads it."""
    match expr:
        case Col(name):
            return name
        case Lit(value):
            return repr(value) if isinstance(value, str) else "null" if value is None else str(value)
        case Call(op, args):
            return f"{op.rstrip('_')}({', '.join(map(say, args))})"
        case Case(branches, otherwise):
            rest = "null" if otherwise is None else say(otherwise)
            of, keys = chosen_by(branches)
            if of is not None:
                chosen = zip(keys, branches, strict=True)
                listed = ", ".join(f"{say(key)}: {say(then)}" for key, (_, then) in chosen)
                return f"({say(of)} as {listed}; else {rest})"
            told = "; ".join(f"{say(then)} if {say(when)}" for when, then in branches)
            return f"({told}; else {rest})"
        case Agg(op, args, where):
            kept = f" where {say(where)}" if where is not None else ""
            said = args[:1] if op == "sum" else args
            return f"{op}({', '.join(map(say, said))}{kept})"
        case Over(op, args, partition, order):
            return f"{op}({', '.join(map(say, args))}) over ({', '.join(map(say, (*partition, *order)))})"
