"""What an answer holds, before GraphQL has types for it: the fields, and the core's column behind each of them.

Layouts are shared: all metrics of one family over the same sources that offer the same measures have equal layouts,
and so the same GraphQL types. That keeps schemas of hundreds of metrics small, and fragments usable across metrics.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from metrics_api.query.dimension import Clock
from metrics_api.query.family import Family, Measure
from metrics_api.semantic.model import Metric, Property, Source, fields_of

SMALL = "small"
"""The type of whole numbers that are always small: GraphQL's own Int."""
PERIOD = "period"
"""The type of a bucket's label, beside the types of properties."""

_STATISTIC = re.compile(r"(.+)_(average|median|min|max|p[1-9][0-9]?)")
_STATISTICS = ("average", "median", "p25", "p75", "p90", "min", "max")


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
    """A further part of a series: rows that begin with the series' keys and breakdowns, then these cells."""

    part: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The answer of a metric: rows that begin with `keys`, then breakdowns, then measures, and end with `flags`."""

    base: str
    shape: str
    sources: Sources
    parts: tuple[str, ...]
    keys: tuple[Cell, ...]
    breakdowns: tuple[Cell, ...]
    measures: tuple[Field, ...]
    compared: tuple[Cell, ...] = ()
    flags: tuple[Cell, ...] = ()
    tables: tuple[Table, ...] = ()

    @property
    def row(self) -> tuple[Field, ...]:
        return (*self.keys, *self.breakdowns, *self.measures, *self.compared, *self.flags)

    @property
    def whole(self) -> tuple[Field, ...]:
        """The whole range."""
        return (*self.measures, *self.compared)

    @property
    def grouped(self) -> tuple[Field, ...]:
        """The whole range, for one group."""
        return (*self.breakdowns, *self.whole)

    def row_of(self, table: Table) -> tuple[Field, ...]:
        """A row of a further part."""
        return (*self.keys, *self.breakdowns, *table.cells)

    @property
    def sortable(self) -> tuple[str, ...]:
        """The columns that rows can be ordered by."""
        named = (one.column for one in (*self.keys, *self.breakdowns, *self.compared))
        return (*named, *measured_columns(self.measures))

    def is_measure(self, column: str) -> bool:
        """Whether a column is there only because it was asked for."""
        return not any(column == one.column for one in (*self.keys, *self.breakdowns, *self.compared, *self.flags))

    @property
    def result_type(self) -> str:
        return f"{self.base}{'Steps' if self.shape == 'funnel' else 'Series'}"

    @property
    def row_type(self) -> str:
        return f"{self.base}{'Step' if self.shape == 'funnel' else 'Row'}"

    @property
    def columns_type(self) -> str:
        return f"{self.base}Columns"

    @property
    def overall_type(self) -> str:
        return f"{self.base}Overall"

    @property
    def group_type(self) -> str:
        return f"{self.base}Group"

    def table_type(self, table: Table) -> str:
        return f"{self.base}{pascal(table.part)}"

    @property
    def order_type(self) -> str:
        return f"{self.base}Order"

    @property
    def order_by_type(self) -> str:
        return f"{self.base}OrderBy"


def measured_columns(fields: Sequence[Field]) -> Iterator[str]:
    """The core's columns of fields, without percentiles that have no field of their own."""
    for one in fields:
        if isinstance(one, Cell):
            yield one.column
        else:
            yield from (one.column(cell.column) for cell in one.cells)


@lru_cache(maxsize=1_024)
def sources_of(sources: tuple[Source, ...]) -> Sources:
    """The sources of a metric, in order of name so that equal sets are one."""
    ordered = sorted(sources, key=lambda one: one.name)
    return Sources(tuple(one.name for one in ordered), tuple(fields_of(ordered).values()))


def layout_of(metric: Metric, family: Family) -> Layout:
    """The layout of a metric's answers."""
    return series_layout(metric, family) if family.shape == "series" else funnel_layout(metric, family)


def series_layout(metric: Metric, family: Family) -> Layout:
    sources = sources_of(metric.sources)
    offered = {one.name: one for one in family.measures(metric)}
    kinds = [_kind(offered["value"], usual=family.usual_value)] if "value" in offered else []
    kinds += [
        f"{pascal(one.name)}{_kind(one, usual='number')}"
        for one in offered.values()
        if one.name not in ("value", "total", "users") and one.measured is not None and not _is_of_property(one)
    ]
    return Layout(
        base=f"{sources.base}{pascal(metric.type)}{''.join(kinds)}",
        shape="series",
        sources=sources,
        parts=family.parts,
        keys=(Cell("period", "period", PERIOD, "The start of the bucket.", required=True),),
        breakdowns=_breakdowns(sources),
        measures=measure_fields(metric, family, sources),
        compared=_compared(offered),
        flags=(
            Cell("complete", "complete", "boolean", "Whether the data reaches the bucket's end.", required=True),
            Cell("provisional", "provisional", "boolean", "Whether late events may still change it.", required=True),
        ),
        tables=tuple(
            Table(
                part,
                tuple(
                    Cell(camel(one.name), one.name, str(one.type), one.description, required=not one.nullable)
                    for one in table.columns
                ),
            )
            for part, table in family.tables.items()
        ),
    )


_FUNNEL_COUNTS = {
    "entered": "People who reached the previous step; for the first, who entered.",
    "converted": "People who reached this step within the window.",
    "dropped": "People whose window closed before they reached it.",
    "excluded": "People removed by an exclusion.",
    "pending": "People who have not reached it and whose window is still open.",
    "mature_entered": "Of those entered, people whose window has closed.",
}
_FUNNEL_RATES = {
    "rate": "Converted, of all who entered the funnel.",
    "step_rate": "Converted, of those who reached the previous step.",
    "mature_rate": "Converted, of all who entered; both only of people whose window has closed.",
}


def funnel_layout(metric: Metric, family: Family) -> Layout:
    sources = sources_of(metric.sources)
    return Layout(
        base=f"{sources.base}{pascal(metric.type)}",
        shape="funnel",
        sources=sources,
        parts=family.parts,
        keys=(
            Cell("step", "step", "string", "The step's name.", required=True),
            Cell("position", "position", SMALL, "1 for the entry.", required=True),
        ),
        breakdowns=_breakdowns(sources),
        measures=measure_fields(metric, family, sources),
        flags=(
            *(Cell(camel(name), name, "integer", words, required=True) for name, words in _FUNNEL_COUNTS.items()),
            *(Cell(camel(name), name, "number", words) for name, words in _FUNNEL_RATES.items()),
        ),
    )


def _breakdowns(sources: Sources) -> tuple[Cell, ...]:
    return tuple(
        Cell(camel(name), name, "string", f"{words} Null unless `by` asks for it.".lstrip(), is_breakdown=True)
        for name, words in sources.dimensions
    )


def _compared(offered: Mapping[str, Measure]) -> tuple[Cell, ...]:
    if "value" not in offered:
        return ()
    return (
        Cell("previous", "previous", str(offered["value"].type), "`value` then, if `compare` asks.", is_compared=True),
        Cell(
            "change",
            "change",
            "number",
            "From `previous` to `value`, relative to it: 0.1 is a tenth more. Null while incomplete, and from 0.",
            is_compared=True,
        ),
    )


def described(one: Property, *more: str) -> str:
    """A property in words."""
    text = one.description or one.label or ""
    sentence = f"{text.rstrip('.')}." if text else ""
    return " ".join(part for part in (sentence, f"In {one.unit}." if one.unit else "", *more) if part)


# -- measures ----------------------------------------------------------------------------------------------------------

_OWN_MEASURES: Mapping[str, str] = {
    "value": "The metric's value, by its own measure.",
    "depth": "How much value the moments hold, by the metric's own measure.",
}
"""Measures that each metric defines for itself: the type's words hold for all of them."""

_GROUPS: Mapping[str, str] = {
    "per_user": "Statistics over people with at least one event.",
    "seconds_from_entry": "Seconds from the entry to this step, over those who reached it.",
    "seconds_from_previous": "Seconds from the previous step to this one, over those who reached it.",
    "sum": "Sums of properties over the events.",
    "average": "Averages of properties over the events.",
    "min": "Least values of properties over the events.",
    "max": "Greatest values of properties over the events.",
}


def measure_fields(metric: Metric, family: Family, sources: Sources) -> tuple[Field, ...]:
    """A family's measures as fields: plain ones by themselves, statistics and aggregates of properties in groups."""
    common = {one.name: one for one in sources.properties}
    cells: dict[str, Cell] = {}
    groups: dict[str, list[Cell]] = {}
    statistics: set[str] = set()
    for one in family.measures(metric):
        if _is_of_property(one):
            if one.measured in common:
                of = common[one.measured]
                groups.setdefault(one.of, []).append(Cell(camel(of.name), of.name, str(one.type), described(of)))
        elif matched := _STATISTIC.fullmatch(one.name):
            groups.setdefault(matched[1], [])
            statistics.add(matched[1])
        else:
            words = _OWN_MEASURES.get(one.name, one.description)
            cells[one.name] = Cell(camel(one.name), one.name, str(one.type), words)
    for prefix in statistics:
        groups[prefix] = _statistics(metric, family, prefix)
    grouped = [
        Group(
            name=camel(prefix),
            prefix=prefix,
            type_name=pascal(prefix) if prefix in statistics else f"{sources.base}{pascal(prefix)}",
            cells=tuple(members),
            description=_GROUPS.get(prefix, ""),
            percentiles=prefix in statistics,
        )
        for prefix, members in groups.items()
    ]
    return (*cells.values(), *grouped)


def _statistics(metric: Metric, family: Family, prefix: str) -> list[Cell]:
    found = ((name, family.measure(metric, f"{prefix}_{name}")) for name in _STATISTICS)
    return [Cell(name, name, str(one.type), one.description) for name, one in found if one is not None]


def _is_of_property(one: Measure) -> bool:
    return one.measured is not None and one.name == f"{one.of}_{one.measured}"


def _kind(one: Measure, *, usual: str) -> str:
    return "" if one.type == usual else pascal(str(one.type))
