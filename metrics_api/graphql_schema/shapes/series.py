"""Series: values over time, as rows or columns, and of the range as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from strawberry.tools import create_type

from metrics_api.graphql_schema.answers import columns_of, rows_of
from metrics_api.graphql_schema.context import RequestContext
from metrics_api.graphql_schema.inputs import listed
from metrics_api.graphql_schema.layout import Layout, camel
from metrics_api.graphql_schema.object_types import AnswerInfo, ObjectTypes, output_field
from metrics_api.graphql_schema.selection import Document, Nodes, Selected
from metrics_api.query.metric_query import Compare, MetricQuery
from metrics_api.results import Answer


def series_type(layout: Layout, types: ObjectTypes) -> Any:
    """The result of a metric field."""
    row = types.row(layout.row_type, layout.row, "One bucket of time (and one group).")
    columns = types.columns(layout.columns_type, layout.row, "The rows, a list for each column.")
    fields = [
        output_field("rows", "rows", listed(row), "A row for each bucket and group, in order."),
        output_field("columns", "columns", columns, "The same, a list for each column: for charts and data frames."),
    ]
    if "overall" in layout.parts:
        overall = types.row(layout.overall_type, layout.whole, "The range as a whole.")
        group = types.row(layout.group_type, layout.grouped, "The range as a whole, for one group.")
        fields += [
            output_field(
                "overall",
                "overall",
                overall | None,
                "Computed over the whole range and all groups, never added up from buckets.",
            ),
            output_field("overall_by", "overallBy", listed(group), "The same for each group of `by`."),
        ]
    for table in layout.tables:
        row = types.row(layout.table_type(table), layout.row_of(table), f"A row of the {table.part}.")
        words = "A row for each bucket, group and number, in order."
        fields.append(output_field(table.part, camel(table.part), listed(row), words))
    fields.append(output_field("info", "info", AnswerInfo, "How the answer came about."))
    return types.once(
        layout.result_type, lambda: create_type(layout.result_type, fields, description="Values over time.")
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is selected of each part; None where a part is not."""

    rows: Selected | None
    columns: Selected | None
    overall: Selected | None
    overall_by: Selected | None
    tables: Mapping[str, Selected]
    info: bool

    @classmethod
    def of(cls, document: Document, layout: Layout, nodes: Nodes) -> _Wanted:
        asked = document.fields(nodes)

        def selected(name: str, fields: Any) -> Selected | None:
            return document.selected(fields, asked[name]) if name in asked else None

        return cls(
            rows=selected("rows", layout.row),
            columns=selected("columns", layout.row),
            overall=selected("overall", layout.whole),
            overall_by=selected("overallBy", layout.grouped),
            tables={
                one.part: document.selected(layout.row_of(one), asked[camel(one.part)])
                for one in layout.tables
                if camel(one.part) in asked
            },
            info="info" in asked,
        )


async def answer_series(
    query: MetricQuery, layout: Layout, document: Document, nodes: Nodes, context: RequestContext
) -> Mapping[str, Any]:
    """The parts that are selected of a question's answer, for the fields of `series_type`."""
    wanted = _Wanted.of(document, layout, nodes)
    main, whole = _questions(query, layout, wanted)
    answers = await asyncio.gather(*(context.answer(one) for one in (main, whole) if one is not None))
    by_group = answers[0] if main is not None else None
    at_all = answers[-1] if whole is not None else by_group
    return await context.in_thread(partial(_shaped, layout, wanted, by_group, at_all))


def _questions(query: MetricQuery, layout: Layout, wanted: _Wanted) -> tuple[MetricQuery | None, MetricQuery | None]:
    """At most two: one as asked, and where groups are asked for, one without them for `overall`."""
    by_group = [one for one in (wanted.rows, wanted.columns, wanted.overall_by) if one is not None]
    parts: list[str] = []
    if wanted.rows or wanted.columns:
        parts.append("rows")
    if wanted.overall_by or (wanted.overall and not query.by):
        parts.append("overall")
    if wanted.overall and not query.by:
        by_group.append(wanted.overall)
    parts += wanted.tables
    if wanted.info and not parts and not wanted.overall:
        parts.append("rows")
    whole = None
    if wanted.overall and query.by:
        measures = _measures([wanted.overall], (), layout)
        whole = replace(
            query, by=(), top=(), bins=(), subtotals=False, order=(), limit=None, parts=("overall",), measures=measures,
            compare=_compare(query, [wanted.overall], (), layout),
        )  # fmt: skip
    if not parts:
        return None, whole
    keys = {one.column for one in layout.keys}
    order = tuple(one for one in query.order if "rows" in parts or one[0] not in keys)
    if parts[0] in wanted.tables:  # What can be asked for is the order of rows.
        order = ()
    compare = _compare(query, by_group, order, layout)
    main = replace(query, parts=tuple(parts), order=order, measures=_measures(by_group, order, layout), compare=compare)
    return main, whole


def _compare(
    query: MetricQuery, selections: Sequence[Selected], order: Sequence[tuple[str, bool]], layout: Layout
) -> Compare | None:
    """What to compare with, if anything of a comparison is selected."""
    named = {name for one in selections for name in one.columns} | {name for name, _ in order}
    return query.compare if any(one.column in named for one in layout.compared) else None


def _measures(selections: Sequence[Selected], order: Sequence[tuple[str, bool]], layout: Layout) -> tuple[str, ...]:
    named = [name for one in selections for name in one.columns] + [name for name, _ in order]
    found = tuple(dict.fromkeys(name for name in named if layout.is_measure(name)))
    # Buckets are made of what is counted in them.
    return found or ("value",)


def _shaped(layout: Layout, wanted: _Wanted, by_group: Answer | None, whole: Answer | None) -> dict[str, Any]:
    info = by_group.info if by_group else whole.info if whole else None
    shaped: dict[str, Any] = {"info": info}
    if info is None:
        return shaped
    zone = info.timezone
    if by_group is not None and wanted.rows is not None:
        table = by_group.parts["rows"]
        shaped["rows"] = rows_of(columns_of(table, layout.row, wanted.rows, zone), table.num_rows)
    if by_group is not None and wanted.columns is not None:
        shaped["columns"] = columns_of(by_group.parts["rows"], layout.row, wanted.columns, zone)
    if by_group is not None and wanted.overall_by is not None:
        table = by_group.parts["overall"]
        shaped["overall_by"] = rows_of(columns_of(table, layout.grouped, wanted.overall_by, zone), table.num_rows)
    for one in layout.tables:
        if by_group is not None and one.part in wanted.tables:
            table, cells = by_group.parts[one.part], layout.row_of(one)
            columns = columns_of(table, cells, wanted.tables[one.part], zone)
            shaped[one.part] = rows_of(columns, table.num_rows)
    if whole is not None and wanted.overall is not None:
        table = whole.parts["overall"]
        found = rows_of(columns_of(table, layout.whole, wanted.overall, zone), table.num_rows)
        shaped["overall"] = found[0] if found else None
    return shaped
