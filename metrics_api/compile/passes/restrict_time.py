"""The bounds of every scan: constants on the raw time column, and on the partition column the warehouse prunes by."""

from __future__ import annotations

from metrics_api.periods import DAY
from metrics_api.plan.expr import Lit, Type, all_of, call, instant
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
        bounds = [
            call("ge", node.time, instant(start, role="scan_start")),
            call("lt", node.time, instant(end, role="scan_end")),
        ]
        if node.partition is not None:
            bounds += [
                call("ge", node.partition, Lit((start - DAY).date(), Type.DATE, role="first_partition")),
                call("le", node.partition, Lit((end + DAY).date(), Type.DATE, role="last_partition")),
            ]
        return Filter(node, all_of(bounds))

    return rewrite(plan, rule)
