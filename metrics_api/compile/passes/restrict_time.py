"""The bounds of every scan: constants on the raw time column, and on the partition column the warehouse prunes by."""

from __future__ import annotations

from datetime import date, datetime, time

from metrics_api.periods import DAY
from metrics_api.plan.expr import Expr, Lit, Type, all_of, call, instant
from metrics_api.plan.nodes import Filter, Plan, Scan
from metrics_api.plan.walk import rewrite


def restrict_time(plan: Plan) -> Plan:
    """Half-open UTC literals on the time column; the partition date is bounded a day wider on both sides (RULES 8).

    >>> from datetime import datetime
    >>> from metrics_api.periods import Span
    >>> from metrics_api.plan.expr import Col
    >>> day = Span(datetime(2026, 1, 1), datetime(2026, 1, 2))
    >>> restricted = restrict_time(Scan("s", "t", (("_at", Col("occurred_at")),), Col("_at"), day))
    >>> [bound.args[1].value.day for bound in restricted.where.args]
    [1, 2]
    """

    def rule(node: Plan) -> Plan:
        if not isinstance(node, Scan) or node.span is None or node.time is None:
            return node
        start, end = node.span.start, node.span.end
        bounds: list[Expr] = [
            call("ge", node.time, instant(start, role="scan_start")),
            call("lt", node.time, instant(end, role="scan_end")),
        ]
        if node.partition is not None:
            first, last = (start - DAY).date(), (end + DAY + node.partition_lag_days * DAY).date()
            bounds += [
                call("ge", node.partition, partition_literal(first, node.partition_type, "first_partition")),
                _until(node.partition, last, node.partition_type),
            ]
        return Filter(node, all_of(bounds))

    return rewrite(plan, rule)


def _until(partition: Expr, last: date, type_: Type) -> Expr:
    """Up to a date, inclusive: with a time of day, before the next one begins."""
    if type_ is Type.TIMESTAMP:
        return call("lt", partition, partition_literal(last + DAY, type_, "after_last_partition"))
    return call("le", partition, partition_literal(last, type_, "last_partition"))


def partition_literal(of: date, type_: Type, role: str) -> Lit:
    """A date as a partition column of this type holds it."""
    match type_:
        case Type.TIMESTAMP:
            return instant(datetime.combine(of, time()), role)
        case Type.STRING:
            return Lit(of.isoformat(), type_, role)
    return Lit(of, Type.DATE, role)
