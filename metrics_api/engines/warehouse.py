"""What every warehouse offers once connected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from metrics_api.sql.dialect import Dialect


@dataclass(frozen=True, slots=True)
class Execution:
    """What came back of a statement. `seconds` is wall-clock time at the warehouse, waiting included."""

    table: pa.Table
    seconds: float


class Warehouse(Protocol):
    """A connection, safe to use from several threads. Failures are `WarehouseError`s, without secrets."""

    def run(self, sql: str) -> Execution:
        """The rows of a statement."""
        ...

    def columns(self, table: str) -> tuple[tuple[str, str], ...] | None:
        """The (name, type) pairs of a table, or None if there is no such table."""
        ...

    def close(self) -> None:
        """Release everything; further calls fail."""
        ...


def spoken_by(warehouse: Warehouse | None, usual: Dialect) -> Dialect:
    """How a warehouse says things: once connected, its release may know more than its engine's dialect rests on."""
    found: Dialect = getattr(warehouse, "dialect", usual)
    return found


@contextmanager
def closing(warehouse: Warehouse) -> Iterator[Warehouse]:
    try:
        yield warehouse
    finally:
        warehouse.close()
