"""From Arrow to what GraphQL's fields read: columns by Python name, and rows made of them.

Both are made only when somebody looks: whoever writes JSON takes the columns as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, overload
from zoneinfo import ZoneInfo

from metrics_api.errors import WarehouseError
from metrics_api.graphql_schema.inputs import PYTHON_NAME
from metrics_api.graphql_schema.json_text import texts
from metrics_api.graphql_schema.layout import PERIOD, Cell, Field
from metrics_api.graphql_schema.selection import Selected

if TYPE_CHECKING:
    import pyarrow as pa

Columns: TypeAlias = dict[str, Any]
"""`Values` by Python name; those of a group in a mapping of their own, under its prefix."""


class Values(Sequence[Any]):
    """The values of one column, of a cell's type. Raises WarehouseError where a number is not finite."""

    def __init__(self, table: pa.Table, column: str, type_: str, timezone: str) -> None:
        self._column: pa.ChunkedArray = table[column]
        self._type = type_
        self._timezone = timezone
        if type_ == "number":
            _check_finite(self._column, column)

    @property
    def has_nulls(self) -> bool:
        return bool(self._column.null_count)

    def texts(self) -> pa.Array:
        """The JSON of each. Raises NoText."""
        return texts(self._column.combine_chunks(), self._type, self._timezone)

    @cached_property
    def _listed(self) -> list[Any]:
        import pyarrow as pa

        values: list[Any] = self._column.to_pylist()
        if self._type == PERIOD and pa.types.is_timestamp(self._column.type):
            zone = ZoneInfo(self._timezone)
            return [value.replace(tzinfo=UTC).astimezone(zone) for value in values]
        return values

    def __len__(self) -> int:
        return len(self._column)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._listed)

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> list[Any]: ...
    def __getitem__(self, place: int | slice) -> Any:
        return self._listed[place]


class Rows(Sequence[Mapping[str, Any]]):
    """The rows of a table: a mapping for each, with what is selected by Python name."""

    def __init__(self, table: pa.Table, fields: Sequence[Field], selected: Selected, timezone: str) -> None:
        self.fields = tuple(fields)
        self._count: int = table.num_rows
        self._columns = columns_of(table, fields, selected, timezone)
        self._by_column = {
            column: self._columns[name] if group is None else self._columns[group][name]
            for column, (group, name, _) in _places(fields, selected).items()
            if name in (self._columns if group is None else self._columns.get(group, {}))
        }

    def values(self, column: str) -> Values | None:
        """A selected column by the core's name; None where the question had no part in it."""
        found: Values | None = self._by_column.get(column)
        return found

    @cached_property
    def _listed(self) -> list[dict[str, Any]]:
        return rows_of(self._columns, self._count)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self._listed)

    @overload
    def __getitem__(self, place: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> list[Mapping[str, Any]]: ...
    def __getitem__(self, place: int | slice) -> Any:
        return self._listed[place]


def columns_of(table: pa.Table, fields: Sequence[Field], selected: Selected, timezone: str) -> Columns:
    """The selected columns. One that the question had no part in (a breakdown not asked for) is left out."""
    found: Columns = {prefix: {} for prefix in selected.groups}
    places = _places(fields, selected)
    for column in selected.columns:
        if column not in table.column_names:
            continue
        group, name, type_ = places[column]
        values = Values(table, column, type_, timezone)
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


def _check_finite(values: pa.ChunkedArray, column: str) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(values.type) and pc.all(pc.is_finite(values)).as_py() is False:
        raise WarehouseError(f"`{column}` is not finite: it is beyond the range of the warehouse's numbers")


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
