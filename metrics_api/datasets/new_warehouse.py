"""A DuckDB file that appears whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Summary:
    """What was written: events, people with at least one event, and the first and last UTC day with events."""

    rows: int
    users: int
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class NewWarehouse:
    """A file in the making: the connection to it, and a folder for what is thrown away in the end."""

    connection: duckdb.DuckDBPyConnection
    scratch: Path


@contextmanager
def new_warehouse(path: Path) -> Iterator[NewWarehouse]:
    """An empty DuckDB file beside `path` that takes its place when the block ends well.

    Whatever interrupts the block, `path` keeps what it held before. The session's time zone is UTC.
    """
    import duckdb

    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        unfinished = folder / "unfinished.duckdb"
        with duckdb.connect(unfinished) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield NewWarehouse(connection, folder)
        # A log left behind by a crashed session would be replayed into the new file.
        path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
        unfinished.replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def summary_of(connection: duckdb.DuckDBPyConnection, query: str) -> Summary:
    """The one row of `query`: count of events, count of people, first day, last day."""
    row = connection.execute(query).fetchone()
    assert row is not None, "an aggregate without a row"
    return Summary(*row)
