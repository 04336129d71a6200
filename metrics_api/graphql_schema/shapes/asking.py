"""From what is selected of a metric to the questions that are asked: only that is computed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from metrics_api.graphql_schema.context import RequestContext
from metrics_api.graphql_schema.layout import Cell, Layout
from metrics_api.graphql_schema.selection import Selected
from metrics_api.query.metric_query import CohortAsOf, MetricQuery
from metrics_api.results import Answer, Info
from metrics_api.serving.service import Use

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is selected of an answer; None where something is not."""

    lists: Mapping[str, Selected]
    """Of each part as rows."""
    columns: Selected | None
    """Of the first part as columns."""
    info: bool
    overall: Selected | None = None
    overall_by: Selected | None = None
    nested: tuple[Selected, ...] = ()
    """Of the first part, as rows inside of rows."""

    def of_part(self, part: str, *, is_main: bool) -> Iterator[Selected]:
        """All that is selected of a part."""
        if part in self.lists:
            yield self.lists[part]
        if is_main:
            yield from self.nested
            if self.columns is not None:
                yield self.columns


@dataclass(frozen=True, slots=True)
class Answers:
    """What was answered: as asked, and of the whole range over all groups."""

    by_group: Answer | None = field(default=None)
    over_all: Answer | None = field(default=None)

    @property
    def info(self) -> Info | None:
        found = self.by_group or self.over_all
        return found.info if found is not None else None

    @property
    def timezone(self) -> str:
        return self.info.timezone if self.info is not None else "UTC"

    def part(self, name: str) -> pa.Table:
        assert self.by_group is not None
        return self.by_group.parts[name]

    def whole(self, name: str) -> pa.Table:
        found = self.over_all or self.by_group
        assert found is not None
        return found.parts[name]


async def answers_to(
    query: MetricQuery, layout: Layout, wanted: Wanted, context: RequestContext, use: Use | None = None
) -> Answers:
    """The answers to at most two questions. Raises what `Project.answer` raises."""
    main, whole = questions(query, layout, wanted)
    found = await asyncio.gather(*(context.answer(one, use) for one in (main, whole) if one is not None))
    return Answers(found[0] if main is not None else None, found[-1] if whole is not None else None)


def questions(query: MetricQuery, layout: Layout, wanted: Wanted) -> tuple[MetricQuery | None, MetricQuery | None]:
    """The question as asked, and where groups are asked for, one without them for `overall`."""
    overall_alone = wanted.overall is not None and bool(query.by or query.by_cohorts)
    whole = _whole(query, layout, wanted.overall) if wanted.overall is not None and overall_alone else None
    beside = [one for one in (wanted.overall_by, None if overall_alone else wanted.overall) if one is not None]
    parts = [one.part for one in layout.tables if list(wanted.of_part(one.part, is_main=one is layout.main))]
    if beside:
        parts.insert(min(1, len(parts)) if parts[:1] == [layout.main.part] else 0, "overall")
    if wanted.info and not parts and whole is None:
        parts.append(layout.main.part)
    if not parts:
        return None, whole
    order = _order(query, layout, parts[0])
    named = [*_named(layout, wanted, parts), *_columns(beside), *(name for name, _ in order)]
    compare = query.compare if any(one.column in named for one in layout.main.compared) else None
    measures = _measures(layout, parts, named)
    return replace(query, parts=tuple(parts), order=order, measures=measures, compare=compare), whole


def _whole(query: MetricQuery, layout: Layout, selected: Selected) -> MetricQuery:
    compared = any(one.column in selected.columns for one in layout.main.compared)
    return replace(
        query, by=(), by_cohorts=(), top=(), bins=(), subtotals=False, order=(), limit=None, parts=("overall",),
        cohort_as_of=CohortAsOf.RANGE_END,
        measures=_measures(layout, ["overall"], selected.columns), compare=query.compare if compared else None,
    )  # fmt: skip


def _order(query: MetricQuery, layout: Layout, part: str) -> tuple[tuple[str, bool], ...]:
    """What can be asked for is the order of the first part; other parts by themselves have their own."""
    if part == layout.main.part:
        return query.order
    if part != "overall":
        return ()
    keys = {one.column for one in layout.main.keys}
    return tuple(one for one in query.order if one[0] not in keys)


def _columns(selections: Iterable[Selected]) -> Iterator[str]:
    for one in selections:
        yield from one.columns


def _named(layout: Layout, wanted: Wanted, parts: Sequence[str]) -> Iterator[str]:
    """What is selected of parts with measures; a part without them may call a column of its own as a measure."""
    for one in layout.tables:
        if one.part in parts and one.measures:
            yield from _columns(wanted.of_part(one.part, is_main=one is layout.main))


def _measures(layout: Layout, parts: Sequence[str], named: Sequence[str]) -> tuple[str, ...]:
    """The measures among the columns that are selected, and those to order by."""
    main = layout.main
    found = [name for name in named if main.is_measure(name)]
    if not found and layout.shape == "series" and {main.part, "overall"} & set(parts):
        # Buckets are made of what is counted in them.
        found = [one.column for one in main.measures if isinstance(one, Cell)][:1]
    return tuple(dict.fromkeys(found))
