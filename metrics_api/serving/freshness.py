"""How far a source's data reaches."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from metrics_api.compile.passes.restrict_time import restrict_time
from metrics_api.errors import WarehouseError
from metrics_api.periods import DAY, Span
from metrics_api.plan.expr import Agg, Col, call, instant
from metrics_api.plan.nodes import Aggregate, Filter, Plan, Project, Scan, Union, keep
from metrics_api.semantic.model import Source
from metrics_api.serving import observing
from metrics_api.sql.dialect import Dialect
from metrics_api.sql.lower import lower
from metrics_api.sql.render import render

if TYPE_CHECKING:
    from metrics_api.engines.warehouse import Warehouse

NOTHING = datetime(1970, 1, 1)
"""How far an empty table reaches: no bucket of it is complete."""


_LOOKS_BACK = (timedelta(days=8), timedelta(days=100), timedelta(days=73_000))
"""How far back, one after the other, where a table is in partitions: reading them all may be slow, dear or refused."""


def newest(source: Source, warehouse: Warehouse, dialect: Dialect, as_of: datetime) -> datetime:
    """`dataThrough` (RULES 5): the newest `loaded_at` where declared, else the newest event, neither after as-of.

    A plain maximum first: warehouses answer it from statistics, or know the text of this morning. Only where events lie
    in the future it is asked again, with a bound. Of a table in partitions the latest that hold anything are asked.
    """
    if source.partition is None:
        return _newest_of(_rows(source, None), source, warehouse, dialect, as_of) or NOTHING
    tomorrow = datetime.combine(as_of.date(), time()) + DAY
    for back in _LOOKS_BACK:
        rows = _rows(source, Span(max(tomorrow - back, datetime(1, 1, 3)), tomorrow))
        if (found := _newest_of(rows, source, warehouse, dialect, as_of)) is not None:
            return found
    return NOTHING


def _rows(source: Source, span: Span | None) -> Plan:
    """What is to be the newest, as `at`, of every table."""
    columns = (("at", Col(source.loaded_at or source.time)),)
    if (partition := source.partition) is None or span is None:
        scans: tuple[Plan, ...] = tuple(Scan(source.name, one.name, columns, view=one.view) for one in source.tables)
    else:
        bounds = (("_time", Col(source.time)), ("_partition", Col(partition.column)))
        scans = tuple(
            Project(
                Scan(
                    *(source.name, one.name, (*columns, *bounds), Col("_time"), span, Col("_partition")),
                    partition_type=partition.type,
                    partition_lag_days=partition.lag_days,
                    view=one.view,
                ),
                keep("at"),
            )
            for one in source.tables
        )
    return restrict_time(scans[0] if len(scans) == 1 else Union(scans))


def _newest_of(rows: Plan, source: Source, warehouse: Warehouse, dialect: Dialect, as_of: datetime) -> datetime | None:
    found = _only_value(_newest(rows), source, warehouse, dialect)
    if found is None or found <= as_of:
        return found
    if source.loaded_at is not None:
        return as_of
    return _only_value(_newest(Filter(rows, call("le", Col("at"), instant(as_of)))), source, warehouse, dialect)


def _newest(rows: Plan) -> Plan:
    return Aggregate(rows, (), (("reaches", Agg("max", (Col("at"),))),))


def _only_value(plan: Plan, source: Source, warehouse: Warehouse, dialect: Dialect) -> datetime | None:
    sql = render(lower(plan, dialect), dialect, comment="metrics-api freshness")
    of = f"freshness of {source.name}"
    table = observing.run(warehouse, sql, engine=dialect.name, what=of, metric="(freshness)").table
    value = table.column(0)[0].as_py()
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, date):
        return datetime.combine(value, time())
    # The value is not shown: nobody knows what it is.
    raise WarehouseError(
        f"source `{source.name}`: `{source.loaded_at or source.time}` holds no times",
        fix="Name a column of timestamps, or convert it in a view; `metrics-api doctor` tells its type.",
    )
