"""How far a source's data reaches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from metrics_api.plan.expr import Agg, Col, call, instant
from metrics_api.plan.nodes import Aggregate, Filter, Plan, Scan, Union
from metrics_api.semantic.model import Source
from metrics_api.sql.dialect import Dialect
from metrics_api.sql.lower import lower
from metrics_api.sql.render import render

if TYPE_CHECKING:
    from metrics_api.engines.warehouse import Warehouse

NOTHING = datetime(1970, 1, 1)
"""How far an empty table reaches: no bucket of it is complete."""


def newest(source: Source, warehouse: Warehouse, dialect: Dialect, as_of: datetime) -> datetime:
    """`dataThrough` (RULES 5): the newest `loaded_at` where declared, else the newest event, neither after as-of.

    A plain maximum first: warehouses answer it from statistics. Only where events lie in the future it is asked again,
    with a bound.
    """
    column = (("at", Col(source.loaded_at or source.time)),)
    scans = tuple(Scan(source.name, table.name, column, view=table.view) for table in source.tables)
    rows: Plan = scans[0] if len(scans) == 1 else Union(scans)
    found = _only_value(_newest(rows), warehouse, dialect)
    if source.loaded_at is not None:
        return min(found or NOTHING, as_of)
    if found is not None and found > as_of:
        found = _only_value(_newest(Filter(rows, call("le", Col("at"), instant(as_of)))), warehouse, dialect)
    return found or NOTHING


def _newest(rows: Plan) -> Plan:
    return Aggregate(rows, (), (("reaches", Agg("max", (Col("at"),))),))


def _only_value(plan: Plan, warehouse: Warehouse, dialect: Dialect) -> datetime | None:
    table = warehouse.run(render(lower(plan, dialect), dialect, comment="metrics-api freshness")).table
    value = table.column(0)[0].as_py()
    if value is None:
        return None
    assert isinstance(value, datetime), value
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
