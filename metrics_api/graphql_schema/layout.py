"""What an answer holds, before GraphQL has types for it: the fields, and the core's column behind each of them.

Layouts are shared: all metrics of one family over the same sources that offer the same measures have equal layouts,
and so the same GraphQL types. That keeps schemas of hundreds of metrics small, and fragments usable across metrics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import TypeAlias

from metrics_api.query.dimension import Clock
from metrics_api.semantic.model import Property

SMALL = "small"
"""The type of whole numbers that are always small: GraphQL's own Int."""
PERIOD = "period"
"""The type of a bucket's label, beside the types of properties."""

RESULTS: Mapping[str, str] = {"series": "Series", "funnel": "Steps", "tables": "Tables", "retention": "Cohorts"}
"""How the type of a metric's answer ends, by shape."""
LONGEST_LIST = 40
"""Characters of words that a type is named by."""


def camel(name: str) -> str:
    """A definition's name as GraphQL has it.

    >>> camel("videos_watched")
    'videosWatched'
    """
    whole = pascal(name)
    return whole[:1].lower() + whole[1:]


@lru_cache(maxsize=4_096)
def pascal(name: str) -> str:
    """The same, as the beginning of a type's name.

    >>> pascal("app_events")
    'AppEvents'
    """
    return "".join(word.capitalize() for word in name.split("_"))


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a row. `column` is the core's name of it, `type` a property's type, `period` or `small`."""

    name: str
    column: str
    type: str
    description: str = field(compare=False)
    required: bool = False
    """Never null."""
    is_breakdown: bool = False
    """There only if asked for in `by`; then never null."""
    is_compared: bool = False
    """There only if asked for by `compare`."""


@dataclass(frozen=True, slots=True)
class Group:
    """Values that belong together, such as `perUser { median p90 }`: the core calls them `per_user_median` ..."""

    name: str
    prefix: str
    type_name: str
    cells: tuple[Cell, ...]
    description: str
    percentiles: bool = False
    """Whether any other percentile can be asked for by its number."""

    def column(self, cell: str) -> str:
        return f"{self.prefix}_{cell}"

    def holds(self, column: str) -> bool:
        """Whether a column of the core is one of these."""
        prefix, cell = column[: len(self.prefix) + 1], column[len(self.prefix) + 1 :]
        is_percentile = self.percentiles and cell[:1] == "p" and cell[1:].isdecimal()
        return prefix == self.column("") and (is_percentile or any(one.column == cell for one in self.cells))


Field: TypeAlias = Cell | Group


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of a metric as one: their common properties."""

    names: tuple[str, ...]
    properties: tuple[Property, ...]

    @property
    def dimensions(self) -> tuple[tuple[str, str], ...]:
        """What there is to break down by, each with its description: the properties, and the local clock."""
        own = tuple((one.name, described(one)) for one in self.properties)
        named = {name for name, _ in own}
        return (*own, *((one.value, one.description) for one in Clock if one.value not in named))

    @property
    def base(self) -> str:
        return "And".join(pascal(name) for name in self.names)

    @property
    def dimension_type(self) -> str:
        return f"{self.base}Dimension"

    @property
    def filter_type(self) -> str:
        return f"{self.base}Filter"

    @property
    def top_type(self) -> str:
        return f"{self.base}Top"

    @property
    def bins_type(self) -> str:
        return f"{self.base}Bins"


@dataclass(frozen=True, slots=True)
class Table:
    """One part of an answer: rows of keys, then breakdowns, what the part tells, measures, and flags."""

    part: str
    row_type: str
    description: str = field(compare=False)
    keys: tuple[Cell, ...]
    breakdowns: tuple[Cell, ...]
    cells: tuple[Cell, ...] = ()
    measures: tuple[Field, ...] = ()
    compared: tuple[Cell, ...] = ()
    flags: tuple[Cell, ...] = ()

    @property
    def row(self) -> tuple[Field, ...]:
        return (*self.plain, *self.measures, *self.compared, *self.flags)

    @property
    def plain(self) -> tuple[Cell, ...]:
        """What is there whatever is selected, but for the breakdowns."""
        return (*self.keys, *self.breakdowns, *self.cells)

    @property
    def sortable(self) -> tuple[str, ...]:
        """The columns that rows can be ordered by."""
        return (*(one.column for one in (*self.plain, *self.compared)), *measured_columns(self.measures))

    def is_measure(self, column: str) -> bool:
        """Whether a column is there only because it was asked for."""
        return any(one.column == column if isinstance(one, Cell) else one.holds(column) for one in self.measures)


@dataclass(frozen=True, slots=True)
class Choice:
    """By what members are chosen: one of the words, or else a value of a type."""

    name: str
    type: str
    words: tuple[str, ...] = ()
    family: str = ""
    """The family whose words they are, where all its metrics have the same."""

    @property
    def listed(self) -> str:
        """The words as part of a type's name: the same for equal words.

        >>> Choice("tier", "string", ("power", "core")).listed
        'PowerCore'
        >>> Choice("state", "string", ("new", "dormant"), "lifecycle").listed
        ''
        """
        listed = "" if self.family else "".join(map(pascal, self.words))
        if len(listed) <= LONGEST_LIST:
            return listed
        mark = sha256(" ".join(self.words).encode()).hexdigest()[:6]
        return f"{pascal(self.words[0])}To{pascal(self.words[-1])}{mark.capitalize()}"

    @property
    def type_name(self) -> str:
        """The type of the words.

        >>> Choice("tier", "string", ("power", "core")).type_name
        'PowerCoreTier'
        >>> Choice("state", "string", ("new", "dormant"), "lifecycle").type_name
        'LifecycleState'
        """
        return f"{pascal(self.family)}{self.listed}{pascal(self.name)}"


@dataclass(frozen=True, slots=True)
class People:
    """The people behind an answer: by what they are chosen, and what is known of them."""

    entity: str
    attributes: tuple[Cell, ...]
    choices: tuple[Choice, ...] = ()

    @property
    def words(self) -> str:
        """What tells the types of answers apart that offer other choices."""
        account = "" if self.entity == "user" else pascal(self.entity)
        return account + "".join(one.listed for one in self.choices)

    @property
    def attributes_type(self) -> str:
        return f"{pascal(self.entity)}Attributes"

    @property
    def member_type(self) -> str:
        return f"{pascal(self.entity)}Member"

    @property
    def edge_type(self) -> str:
        return f"{pascal(self.entity)}MemberEdge"

    @property
    def members_type(self) -> str:
        return f"{pascal(self.entity)}Members"


@dataclass(frozen=True, slots=True)
class Cohorts:
    """The cohorts of an entity: which a question can name."""

    entity: str
    names: tuple[tuple[str, str], ...]
    """Each with what it means."""

    @property
    def prefix(self) -> str:
        return "" if self.entity == "user" else pascal(self.entity)

    @property
    def result_type(self) -> str:
        return f"{self.prefix}Cohort"

    @property
    def name_type(self) -> str:
        return f"{self.prefix}CohortName"


@dataclass(frozen=True, slots=True)
class Layout:
    """The answer of a metric: a list of rows for each part, the first of them also as columns."""

    base: str
    shape: str
    sources: Sources
    tables: tuple[Table, ...]
    has_overall: bool = False
    has_window: bool = False
    """Whether a question can say how long people have."""
    has_top: bool = True
    people: People | None = None
    cohorts: Cohorts | None = None

    @property
    def main(self) -> Table:
        return self.tables[0]

    @property
    def whole(self) -> tuple[Field, ...]:
        """The whole range."""
        return (*self.main.measures, *self.main.compared)

    @property
    def grouped(self) -> tuple[Field, ...]:
        """The whole range, for one group."""
        return (*self.main.breakdowns, *self.whole)

    @property
    def result_type(self) -> str:
        return f"{self.base}{self.people.words if self.people else ''}{RESULTS[self.shape]}"

    @property
    def columns_type(self) -> str:
        return f"{self.base}Columns"

    @property
    def overall_type(self) -> str:
        return f"{self.base}Overall"

    @property
    def group_type(self) -> str:
        return f"{self.base}Group"

    @property
    def order_type(self) -> str:
        return f"{self.base}Order"

    @property
    def order_by_type(self) -> str:
        return f"{self.base}OrderBy"


def cohort_type(layout: Layout) -> str:
    """The rows of a retention that hold its cells."""
    return f"{layout.base}Cohort"


def described(one: Property, *more: str) -> str:
    """A property in words."""
    text = one.description or one.label or ""
    sentence = f"{text.rstrip('.')}." if text else ""
    return " ".join(part for part in (sentence, f"In {one.unit}." if one.unit else "", *more) if part)


def measured_columns(fields: Sequence[Field]) -> Iterator[str]:
    """The core's columns of fields, without percentiles that have no field of their own."""
    for one in fields:
        if isinstance(one, Cell):
            yield one.column
        else:
            yield from (one.column(cell.column) for cell in one.cells)
