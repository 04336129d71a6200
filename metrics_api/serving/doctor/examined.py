"""What the checks look at: a table of a source, and what the warehouse said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from metrics_api.definitions.written import unquoted
from metrics_api.periods import Calendar
from metrics_api.semantic.model import Event, EventTable, Source
from metrics_api.serving.doctor.survey import Copies, Survey


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """One table (or query) of a source. What could not be asked is None."""

    source: Source
    table: EventTable
    events: Mapping[str, Event]
    """The project's events of this source, by name."""
    types: Mapping[str, str]
    """The columns that are there, by their names in small letters."""
    calendar: Calendar
    now: datetime
    since: datetime | None
    """Rows from here on were counted; None: all."""
    survey: Survey | None = None
    names: Mapping[str, int] | None = None
    """How often each event occurs, by its written name; None where rows do not say it."""
    copies: Copies | None = None
    keys: frozenset[str] | None = None
    """The columns by which the warehouse skips rows of it, in small letters."""

    @property
    def path(self) -> tuple[str, ...]:
        """Where its source is defined."""
        return ("sources", self.source.name)

    @property
    def what(self) -> str:
        """The table, for people."""
        return "its `sql`" if self.table.view is not None else f"table `{self.table.name}`"

    @property
    def period(self) -> str:
        """Of which rows something is said."""
        return f"since {self.since:%Y-%m-%d}" if self.since is not None else "of all time"

    def type_of(self, column: str) -> str | None:
        """The type of a column as the warehouse calls it; None where there is no such column."""
        return self.types.get(unquoted(column).casefold())

    def property_path(self, name: str) -> tuple[str, ...]:
        """Where a property is defined: of the source, or of one of its tables."""
        own = self.table.event
        if own is not None and self.is_of_table(name):
            return (*self.path, "tables", own, "properties", name)
        return (*self.path, "properties", name)

    def is_of_table(self, name: str) -> bool:
        """Whether not every table of the source has this property."""
        return not all(name in other.properties for other in self.source.tables)
