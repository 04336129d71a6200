"""The project's `exclude`, at every scan: impossible to forget in a family."""

from __future__ import annotations

from dataclasses import replace

from metrics_api.plan.expr import negated
from metrics_api.plan.nodes import Filter, Plan, Scan
from metrics_api.plan.walk import rewrite


def apply_exclusion(plan: Plan) -> Plan:
    """Drop the rows for which a source's exclusion is true; rows where it is unknown stay (RULES 11).

    >>> from datetime import datetime
    >>> from metrics_api.periods import Span
    >>> from metrics_api.plan.expr import Col
    >>> day = Span(datetime(2026, 1, 1), datetime(2026, 1, 2))
    >>> scan = Scan("s", "t", (("internal", Col("is_internal")),), Col("_at"), day, exclude=Col("internal"))
    >>> type(apply_exclusion(scan)).__name__
    'Filter'
    """

    def rule(node: Plan) -> Plan:
        if isinstance(node, Scan) and node.exclude is not None:
            return Filter(replace(node, exclude=None), negated(node.exclude))
        return node

    return rewrite(plan, rule)
