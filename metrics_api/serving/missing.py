"""A warehouse's refusal, told in the words of the definitions: which table or column is missing, and what there is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metrics_api.errors import Problem, WarehouseError, did_you_mean
from metrics_api.semantic.model import Source

if TYPE_CHECKING:
    from metrics_api.engines.warehouse import Warehouse


def explain_failure(error: WarehouseError, sources: Iterable[Source], warehouse: Warehouse) -> WarehouseError:
    """The same failure, with the tables and columns that are not there named where that is the cause."""
    try:
        problems = [problem for source in sources for problem in missing_columns(source, warehouse)]
    except WarehouseError:
        return error
    return WarehouseError(problems) if problems else error


def missing_columns(source: Source, warehouse: Warehouse) -> list[Problem]:
    """What a source reads and its table does not have."""
    found = warehouse.columns(source.table)
    if found is None:
        return [
            Problem(
                f"source `{source.name}`: there is no table `{source.table}` in the warehouse", code=WarehouseError.code
            )
        ]
    there = {name.casefold() for name, _ in found}
    return [
        Problem(
            f"source `{source.name}`: table `{source.table}` has no column `{column}` ({purpose})",
            fix=did_you_mean(column, [name for name, _ in found], what=f"columns of {source.table}"),
            code=WarehouseError.code,
        )
        for column, purpose in reads(source)
        if column.casefold() not in there
    ]


def reads(source: Source) -> list[tuple[str, str]]:
    """The columns that a source names, and for what."""
    named = [
        (source.time, "its time"),
        (source.event_name, "its event name"),
        (source.event_id, "its event id"),
        (source.partition, "its partition"),
        (source.loaded_at, "when rows were loaded"),
        (source.tie_breaker, "its tie breaker"),
    ]
    columns = [(column, purpose) for column, purpose in named if column is not None]
    columns += [(one.column, f"the {one.entity}") for one in source.identities.values()]
    columns += [(one.column, f"property `{one.name}`") for one in source.properties.values()]
    return columns
