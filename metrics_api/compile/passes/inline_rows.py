"""Constant rows in place of tables: how a metric's own tests run on any engine without writing to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from metrics_api.plan.expr import FALSE, Call, Col, Expr, Lit
from metrics_api.plan.nodes import Filter, Named, Plan, Project, Scan, Spine
from metrics_api.plan.walk import rewrite
from metrics_api.semantic.examples import Rows, json_column


def inline_rows(plan: Plan, tables: Mapping[str, Rows]) -> Plan:
    """Every scan reads the rows given for its table.

    >>> from datetime import datetime
    >>> from metrics_api.periods import Span
    >>> from metrics_api.plan.expr import Type
    >>> day = Span(datetime(2026, 1, 1), datetime(2026, 1, 2))
    >>> scan = Scan("s", "raw.t", (("_at", Col("at")),), Col("_at"), day)
    >>> rows = Rows("s", (("at", Type.TIMESTAMP), ("who", Type.STRING)), ((datetime(2026, 1, 1), "ann"),))
    >>> inline_rows(scan, {"raw.t": rows}).input.input.rows
    ((datetime.datetime(2026, 1, 1, 0, 0), 'ann'),)
    """
    steps = {table: Named(rows.name, _constant(rows)) for table, rows in tables.items()}

    def rule(node: Plan) -> Plan:
        if not isinstance(node, Scan):
            return node
        return Project(steps[node.table], tuple((name, _plain(expr)) for name, expr in node.columns))

    return rewrite(plan, rule)


def _constant(table: Rows) -> Plan:
    """There is no relation of no rows: one that is left out stands for it."""
    if table.rows:
        return Spine(table.columns, table.rows)
    return Filter(Spine(table.columns, ((None,) * len(table.columns),)), FALSE)


def _plain(expr: Expr) -> Expr:
    """Without the way into a JSON column, whose values are columns of their own here."""
    match expr:
        case Call("json_text", (Col(column), Lit(path))):
            return Col(json_column(column, str(path)))
        case Call(args=args):
            return replace(expr, args=tuple(_plain(one) for one in args))
        case _:
            return expr
