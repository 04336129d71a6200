"""The one translation from plans to sqlglot's tree.

A plan's nodes are folded into as few SELECTs as read well: scan, filter, projection and one aggregation share one.
`Named` steps become common table expressions under their own names. Logical operators are gone by now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import chain, count, pairwise
from typing import assert_never

import sqlglot
from sqlglot import exp

from metrics_api.definitions.written import parts, unquoted
from metrics_api.plan.expr import AGGREGATES, TRUE, Agg, Call, Case, Col, Expr, Lit, Over, chosen_by, columns, operands
from metrics_api.plan.nodes import (
    ActiveDays,
    Aggregate,
    Attendance,
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
    View,
    keep,
    output,
)
from metrics_api.plan.walk import nodes
from metrics_api.sql.dialect import Dialect, Sql, enclosed

PLAIN, COMPUTED, AGGREGATED, WINDOWED = range(4)


def lower(plan: Plan, dialect: Dialect) -> exp.Expression:
    """The statement that computes a plan. Raises UnsupportedByEngine for an operation the engine cannot say."""
    return _Lowering(dialect).statement(plan)


@dataclass(slots=True)
class _Relation:
    """Something in a FROM clause. Its columns are qualified once a second relation joins it."""

    name: str
    qualified: bool = False


@dataclass(slots=True)
class _Binding:
    """What a name means in a SELECT under construction: how to say it, and how heavy it is."""

    say: Callable[[], Sql]
    weight: int


@dataclass(slots=True)
class _Select:
    """A SELECT under construction: nothing is said until the last moment, so that names can still be folded."""

    source: Sql | None
    relations: list[_Relation]
    bindings: dict[str, _Binding]
    joins: list[exp.Join] = field(default_factory=list)
    where: list[Callable[[], Sql]] = field(default_factory=list)
    group: list[_Binding] | None = None
    """The keys' bindings, once rows are aggregated."""
    whole: exp.Expression | None = None
    """A finished query (a union, a sorted one) that can only be wrapped or returned."""

    @property
    def is_open(self) -> bool:
        return self.whole is None and self.group is None


class _Lowering:
    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.ctes: dict[str, tuple[Named, exp.CTE]] = {}
        self.tables: frozenset[str] = frozenset()
        """What the tables read are called: no step may have the name of one, or it would be read instead."""

    def statement(self, plan: Plan) -> exp.Expression:
        scans = (node for node in nodes(plan) if isinstance(node, Scan))
        self.tables = frozenset(name.casefold() for scan in scans for name in _names_read(scan))
        query = self.finish(self.select(plan), output(plan))
        if self.ctes:
            query.set("with_", exp.With(expressions=[cte for _, cte in self.ctes.values()]))
        return self.dialect.settled(query)

    # -- nodes --------------------------------------------------------------------------------------------------------

    def select(self, plan: Plan) -> _Select:
        match plan:
            case Scan():
                return self.scan(plan)
            case Filter(source, where):
                inner = self.select(source)
                if where == TRUE:
                    return inner
                if not inner.is_open or self.heaviest(inner) >= AGGREGATED:
                    inner = self.wrapped(inner, output(source))
                bindings = inner.bindings
                inner.where.append(lambda: self.expr(where, bindings))
                return inner
            case Project(source, projected):
                inner = self.select(source)
                if (
                    inner.whole is not None
                    or self.repeats(inner, projected)
                    or self.forgets_to_aggregate(inner, projected)
                ):
                    inner = self.wrapped(inner, output(source))
                return self.rebound(inner, projected)
            case Aggregate():
                plan = with_windows(plan, self.dialect.aggregates_by_window)
                source, keys, aggregates = plan.input, plan.keys, plan.aggregates
                inner = self.select(source)
                asked = (*keys, *aggregates)
                if not inner.is_open or self.heaviest(inner, (e for _, e in asked)) >= AGGREGATED:
                    inner = self.wrapped(inner, output(source))
                inner = self.rebound(inner, asked)
                inner.group = [inner.bindings[name] for name, _ in keys]
                return inner
            case Join():
                return self.join(plan)
            case Union(inputs):
                names = output(plan)
                whole, *others = [self.member(self.select(one), names) for one in inputs]
                for other in others:
                    whole = exp.Union(this=whole, expression=other, distinct=False)
                return _Select(None, [], {name: self.bare(name) for name in names}, whole=whole)
            case Spine(typed):
                return self.over("spine", self.spine(plan), [name for name, _ in typed])
            case Named(name, source):
                return self.named(plan, name, source)
            case Sort(source, by, limit):
                names = output(source)
                inner = self.select(source)
                query = self.finish(inner if inner.whole is None else self.wrapped(inner, names), names)
                order = [
                    _ordered(self.dialect.order_key(name, names.index(name) + 1), descending=descending)
                    for name, descending in by
                ]
                if order:
                    query.set("order", exp.Order(expressions=order))
                if limit is not None:
                    query.set("limit", exp.Limit(expression=exp.Literal.number(limit)))
                return _Select(None, [], {name: self.bare(name) for name in names}, whole=query)
            case ActiveDays() | Scores() | Attendance() | Journey():
                raise AssertionError(f"{type(plan).__name__} reached lowering unexpanded")
            case _:
                assert_never(plan)

    def scan(self, plan: Scan) -> _Select:
        relation = _Relation(_last_part(plan.table))

        def physical(expr: Expr) -> _Binding:
            if isinstance(expr, Col):
                name = expr.name
                return _Binding(lambda: self.column(name, relation), PLAIN)
            read = {name: physical(Col(name)) for name in columns(expr)}
            return _Binding(lambda: self.expr(expr, read), COMPUTED)

        bindings = {name: physical(expr) for name, expr in plan.columns}
        return _Select(self.source(plan, relation.name), [relation], bindings)

    def source(self, plan: Scan, name: str) -> Sql:
        if plan.view is None:
            return self.dialect.table(plan.table)
        return exp.Subquery(this=_parsed(plan.view).copy(), alias=self.alias(name))

    def spine(self, plan: Spine) -> Sql:
        """The buckets as a generated series where the engine has one and they are evenly spaced, else row by row."""
        labels = [row[0] for row in plan.rows]
        spacing = evenly_spaced(labels) if len(plan.columns) == 1 else None
        generated = self.dialect.series(labels[0], labels[-1], *spacing, plan.columns[0], "spine") if spacing else None
        return generated if generated is not None else self.dialect.values(plan.columns, plan.rows, "spine")

    def named(self, plan: Named, name: str, source: Plan) -> _Select:
        names = output(source)
        known = next((key for key, (one, _) in self.ctes.items() if one is plan or one == plan), None)
        if known is None:
            inner = self.finish(self.select(source), names)
            known, number = name, 1
            while known in self.ctes or known.casefold() in self.tables:
                number += 1
                known = f"{name}_{number}"
            self.ctes[known] = (plan, exp.CTE(this=inner, alias=self.alias(known)))
        return self.over(known, exp.Table(this=self.dialect.identifier(known)), names)

    def join(self, plan: Join) -> _Select:
        left, right = self.select(plan.left), self.select(plan.right)
        if not left.is_open or (left.where and plan.kind not in ("inner", "left")) or not self.is_plain(left):
            left = self.wrapped(left, output(plan.left))
        if right.where or right.joins or not right.is_open or not self.is_plain(right):
            right = self.wrapped(right, output(plan.right))
        for relation in right.relations:
            taken = {unquoted(one.name).casefold() for one in left.relations}
            if unquoted(relation.name).casefold() in taken:
                name = unquoted(relation.name)
                relation.name = next(free for k in count(2) if (free := f"{name}_{k}").casefold() not in taken)
                assert right.source is not None
                alias = right.source.args.get("alias") or exp.TableAlias()
                alias.set("this", self.dialect.identifier(relation.name))
                right.source.set("alias", alias)
        for relation in (*left.relations, *right.relations):
            relation.qualified = True
        conditions = [
            self.dialect.eq(left.bindings[here].say(), right.bindings[there].say()) for here, there in plan.on
        ]
        if plan.asof:
            here, op, there = plan.asof
            conditions.append(self.dialect.call(op, [left.bindings[here].say(), right.bindings[there].say()]))
        shared = {there for here, there in plan.on if here == there}
        bindings = left.bindings | {k: v for k, v in right.bindings.items() if k not in shared}
        if plan.where is not None:
            conditions.append(self.expr(plan.where, bindings))
        words = {
            "left": {"side": "LEFT"},
            "cross": {"kind": "CROSS"},
            "asof": {"method": "ASOF"},
            "asof_left": {"method": "ASOF", "side": "LEFT"},
        }.get(plan.kind, {})
        on = self.dialect.and_(*conditions) if conditions else None
        left.joins.append(exp.Join(this=right.source, on=on, **words))
        left.relations += right.relations
        left.bindings = bindings
        return left

    # -- selects ------------------------------------------------------------------------------------------------------

    def over(self, name: str, source: Sql, names: Iterable[str]) -> _Select:
        """A fresh SELECT over a relation that has these columns."""
        relation = _Relation(name)

        def column(of: str) -> _Binding:
            return _Binding(lambda: self.column(of, relation), PLAIN)

        return _Select(source, [relation], {one: column(one) for one in names})

    def column(self, name: str, relation: _Relation) -> Sql:
        """A column, with the name of what has it where that is needed."""
        is_hidden = self.dialect.relations_hide_columns and name.casefold() == unquoted(relation.name).casefold()
        return self.dialect.column(name, relation.name if relation.qualified or is_hidden else None)

    def wrapped(self, inner: _Select, names: Iterable[str]) -> _Select:
        names = tuple(names)
        alias = inner.relations[0].name if inner.relations else "found"
        query = exp.Subquery(this=self.finish(inner, names), alias=self.alias(alias))
        return self.over(alias, query, names)

    def member(self, select: _Select, names: Sequence[str]) -> exp.Expression:
        """A query as one of a union's: in order and up to a limit only inside a subquery."""
        query = self.finish(select, names)
        if query.args.get("order") or query.args.get("limit"):
            query = self.finish(self.wrapped(select, names), names)
        return query

    def finish(self, select: _Select, names: Sequence[str]) -> exp.Expression:
        if select.whole is not None:
            return select.whole
        items: list[exp.Expression] = []
        for name in names:
            said = select.bindings[name].say()
            alias = self.dialect.identifier(name)
            is_named = isinstance(said, exp.Column) and said.this == alias
            is_named = is_named and (self.dialect.forgets_qualifier or not said.args.get("table"))
            items.append(said if is_named else exp.Alias(this=said, alias=alias))
        query = exp.Select(expressions=items)
        if select.source is not None:
            query.set("from_", exp.From(this=select.source))
        if select.joins:
            query.set("joins", select.joins)
        if select.where:
            query.set("where", exp.Where(this=self.dialect.and_(*(condition() for condition in select.where))))
        if select.group:
            query.set("group", exp.Group(expressions=self.group_keys(select, names)))
        return query

    def group_keys(self, select: _Select, names: Sequence[str]) -> list[exp.Expression]:
        """By their place in the select list; a key that is not shown, by what it is."""
        places = {id(select.bindings[name]): place for place, name in reversed(list(enumerate(names, 1)))}
        return [exp.Literal.number(places[id(key)]) if id(key) in places else key.say() for key in select.group or ()]

    def rebound(self, inner: _Select, projected: Iterable[Named_]) -> _Select:
        old = inner.bindings

        def bind(expr: Expr) -> _Binding:
            if isinstance(expr, Col):
                return old[expr.name]
            return _Binding(lambda: self.expr(expr, old), self.weight(expr, old))

        inner.bindings = {name: bind(expr) for name, expr in projected}
        return inner

    def bare(self, name: str) -> _Binding:
        return _Binding(lambda: self.dialect.column(name), PLAIN)

    def alias(self, name: str) -> exp.TableAlias:
        return exp.TableAlias(this=self.dialect.identifier(name))

    # -- when a select must be closed ---------------------------------------------------------------------------------

    def weight(self, expr: Expr, bindings: dict[str, _Binding]) -> int:
        own = {Agg: AGGREGATED, Over: WINDOWED, Col: PLAIN, Lit: PLAIN}.get(type(expr), COMPUTED)
        parts = (self.weight(part, bindings) for part in operands(expr))
        bound = bindings[expr.name].weight if isinstance(expr, Col) else PLAIN
        return max((own, bound, *parts))

    def heaviest(self, inner: _Select, exprs: Iterable[Expr] | None = None) -> int:
        """The heaviest of all columns, or of those that some expressions read."""
        names = inner.bindings if exprs is None else (name for expr in exprs for name in columns(expr))
        return max((inner.bindings[name].weight for name in names), default=PLAIN)

    def is_plain(self, inner: _Select) -> bool:
        return all(binding.weight == PLAIN for binding in inner.bindings.values())

    def repeats(self, inner: _Select, projected: Iterable[Named_]) -> bool:
        """Whether folding would say something heavy twice, or put a window on top of an aggregate or a window."""
        read = Counter(name for _, expr in projected for name in columns(expr))
        heavy = {name for name in read if inner.bindings[name].weight > PLAIN}
        if any(isinstance(part, Over) for _, expr in projected for part in _parts(expr)):
            return inner.group is not None or any(inner.bindings[name].weight >= AGGREGATED for name in heavy)
        return any(read[name] > 1 for name in heavy)

    def forgets_to_aggregate(self, inner: _Select, projected: Iterable[Named_]) -> bool:
        """Whether an aggregation without keys would be left without an aggregate, and give a row for every row."""
        return inner.group == [] and self.heaviest(inner, (expr for _, expr in projected)) < AGGREGATED

    # -- expressions --------------------------------------------------------------------------------------------------

    def expr(self, expr: Expr, bindings: dict[str, _Binding]) -> Sql:
        match expr:
            case Col(name):
                return bindings[name].say()
            case Lit(value, type_):
                return self.dialect.literal(value, type_)
            case Call(op, args):
                return self.dialect.call(op, [self.expr(arg, bindings) for arg in args])
            case Case(branches, otherwise):
                chosen, keys = chosen_by(branches)
                ifs = [
                    exp.If(this=self.expr(key, bindings), true=self.expr(then, bindings))
                    for key, (_, then) in zip(keys, branches, strict=True)
                ]
                return exp.Case(
                    this=None if chosen is None else self.expr(chosen, bindings),
                    ifs=ifs,
                    default=None if otherwise is None else self.expr(otherwise, bindings),
                )
            case Agg(op, args, where):
                said = [self.expr(arg, bindings) for arg in args]
                if where is None:
                    return self.dialect.call(op, said)
                return self.dialect.filtered(op, said, self.expr(where, bindings))
            case Over():
                return self.window(expr, bindings)
            case _:
                assert_never(expr)

    def window(self, over: Over, bindings: dict[str, _Binding]) -> Sql:
        order = [
            exp.Ordered(this=self.expr(one, bindings), **self.dialect.unsaid_nulls(descending=index in over.descending))
            for index, one in enumerate(over.order)
        ]
        args = [self.expr(arg, bindings) for arg in over.args]
        window = exp.Window(
            this=self.dialect.windowed(over.op, args),
            partition_by=[self.expr(one, bindings) for one in over.partition],
            order=exp.Order(expressions=order) if order else None,
        )
        if over.op in AGGREGATES and order:
            end = (
                {"end": "CURRENT ROW"}
                if over.including_current
                else {"end": exp.Literal.number(1), "end_side": "PRECEDING"}
            )
            frame = exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", **end)
            window.set("spec", frame)
        return self.dialect.over(over.op, args, window)


def with_windows(plan: Aggregate, ops: frozenset[str]) -> Aggregate:
    """The same rows; these aggregates are computed beside every row of their group, and any of those is taken."""
    meant: dict[Agg, str] = {}
    for name, expr in plan.aggregates:
        for part in _parts(expr):
            if isinstance(part, Agg) and part.op in ops:
                meant.setdefault(part, name)
    if not meant:
        return plan
    taken = set(output(plan.input))
    names: dict[Agg, str] = {}
    for one, name in meant.items():
        candidates = chain([name, f"{name}_of_group"], (f"{name}_of_group_{k}" for k in count(2)))
        names[one] = next(free for free in candidates if free not in taken)
        taken.add(names[one])

    def anyone(expr: Expr) -> Expr:
        match expr:
            case Agg() if expr in names:
                return Agg("max", (Col(names[expr]),))
            case Call(op, args):
                return Call(op, tuple(anyone(arg) for arg in args))
            case Case(branches, otherwise):
                changed = tuple((anyone(when), anyone(then)) for when, then in branches)
                return Case(changed, None if otherwise is None else anyone(otherwise))
        return expr

    group = tuple(expr for _, expr in plan.keys)
    aggregates = tuple((name, anyone(expr)) for name, expr in plan.aggregates)
    read = {name for _, expr in (*plan.keys, *aggregates) for name in columns(expr)}
    kept = keep(*(name for name in output(plan.input) if name in read))
    beside = tuple((name, _as_window(one, group)) for one, name in names.items())
    return Aggregate(Project(plan.input, (*kept, *beside)), plan.keys, aggregates)


def _as_window(one: Agg, group: tuple[Expr, ...]) -> Over:
    value, second = one.args
    if one.where is not None:
        value = Case(((one.where, value),))
    if one.op == "quantile":
        return Over("quantile", (value, second), group, ())
    # The value of the first row; where no row qualifies, that row's value is null.
    key = second if one.where is None else Case(((one.where, second),))
    return Over("first_by", (value,), group, (key,), including_current=True)


def evenly_spaced(labels: Sequence[object]) -> tuple[int, str] | None:
    """How far one label is from the next, in hours, days or months; None for few labels or uneven ones.

    >>> evenly_spaced([date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1), date(2026, 4, 1)])
    (1, 'month')
    """
    if len(labels) < 4:
        return None
    if isinstance(labels[0], datetime):
        hours = {later - earlier for earlier, later in pairwise(labels)}  # type: ignore[operator]
        return (1, "hour") if hours == {timedelta(hours=1)} else None
    if isinstance(labels[0], date):
        dates = [label for label in labels if isinstance(label, date)]
        days = {(later - earlier).days for earlier, later in pairwise(dates)}
        if len(days) == 1:
            return days.pop(), "day"
        months = {12 * (later.year - earlier.year) + later.month - earlier.month for earlier, later in pairwise(dates)}
        if len(months) == 1 and all(label.day == 1 for label in dates):
            return months.pop(), "month"
    return None


def columns_of(view: View, dialect: Dialect) -> exp.Expression:
    """A statement with all columns of a view, and no rows."""
    whole = exp.Subquery(this=_parsed(view).copy(), alias=exp.TableAlias(this=dialect.identifier("found")))
    return exp.Select(
        expressions=[exp.Star()], from_=exp.From(this=whole), limit=exp.Limit(expression=exp.Literal.number(0))
    )


@lru_cache(maxsize=256)
def _parsed(view: View) -> exp.Expression:
    """The tree of a query, which is known to be one. It is printed in whatever dialect the statement is."""
    tree = sqlglot.parse_one(view.sql, dialect=view.dialect)
    assert isinstance(tree, exp.Expression), view
    return tree


def _names_read(scan: Scan) -> Iterable[str]:
    """What the tables are called that a scan reads."""
    yield unquoted(_last_part(scan.table))
    if scan.view is not None:
        yield from (table.name for table in _parsed(scan.view).find_all(exp.Table))


def _last_part(table: str) -> str:
    return parts(table)[-1]


def _ordered(key: Sql, *, descending: bool) -> exp.Ordered:
    """Nulls come last in either direction, on every engine."""
    return exp.Ordered(this=key, desc=descending or None, nulls_first=False)


def _parts(expr: Expr) -> Iterable[Expr]:
    yield expr
    for part in operands(expr):
        yield from _parts(part)


__all__ = ["columns_of", "enclosed", "lower"]
