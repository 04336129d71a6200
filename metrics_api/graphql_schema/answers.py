"""From Arrow to what GraphQL's fields read: columns by Python name, and rows made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any, TypeAlias
from zoneinfo import ZoneInfo

from metrics_api.errors import WarehouseError
from metrics_api.graphql_schema.inputs import PYTHON_NAME
from metrics_api.graphql_schema.layout import PERIOD, Cell, Field
from metrics_api.graphql_schema.selection import Selected

if TYPE_CHECKING:
    import pyarrow as pa

Columns: TypeAlias = dict[str, Any]
"""Lists by Python name; those of a group in a mapping of their own, under its prefix."""


def columns_of(table: pa.Table, fields: Sequence[Field], selected: Selected, timezone: str) -> Columns:
    """The selected columns. One that the question had no part in (a breakdown not asked for) is left out."""
    found: Columns = {prefix: {} for prefix in selected.groups}
    places = _places(fields, selected)
    for column in selected.columns:
        if column not in table.column_names:
            continue
        group, name, type_ = places[column]
        values = _values(table, column, type_, timezone)
        (found if group is None else found[group])[name] = values
    return found


def _places(fields: Sequence[Field], selected: Selected) -> Mapping[str, tuple[str | None, str, str]]:
    """Where each column goes: its group, its Python name there, and its type."""
    places: dict[str, tuple[str | None, str, str]] = {}
    for one in fields:
        if isinstance(one, Cell):
            places[one.column] = (None, PYTHON_NAME + one.column, one.type)
            continue
        places |= {one.column(cell.column): (one.prefix, PYTHON_NAME + cell.column, cell.type) for cell in one.cells}
        if one.percentiles:
            for column in selected.columns:
                if column not in places and column.startswith(f"{one.prefix}_p"):
                    places[column] = (one.prefix, PYTHON_NAME + column.removeprefix(f"{one.prefix}_"), "number")
    return places


def _values(table: pa.Table, column: str, type_: str, timezone: str) -> list[Any]:
    import pyarrow as pa

    values: list[Any] = table[column].to_pylist()
    if type_ == PERIOD and pa.types.is_timestamp(table.schema.field(column).type):
        zone = ZoneInfo(timezone)
        return [value.replace(tzinfo=UTC).astimezone(zone) for value in values]
    if type_ == "number" and not all(value is None or math.isfinite(value) for value in values):
        raise WarehouseError(f"`{column}` is not finite: it is beyond the range of the warehouse's numbers")
    return values


def rows_of(columns: Columns, count: int) -> list[dict[str, Any]]:
    """A mapping for each row."""
    plain = {name: values for name, values in columns.items() if not isinstance(values, dict)}
    rows = (
        [dict(zip(plain, values, strict=True)) for values in zip(*plain.values(), strict=True)]
        if plain
        else [{} for _ in range(count)]
    )
    for name, inner in columns.items():
        if isinstance(inner, dict):
            for row, group in zip(rows, rows_of(inner, count), strict=True):
                row[name] = group
    return rows
