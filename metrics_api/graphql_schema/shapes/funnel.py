"""Funnels: a row for each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from strawberry.tools import create_type

from metrics_api.graphql_schema.answers import columns_of, rows_of
from metrics_api.graphql_schema.context import RequestContext
from metrics_api.graphql_schema.inputs import listed
from metrics_api.graphql_schema.layout import Layout
from metrics_api.graphql_schema.object_types import AnswerInfo, ObjectTypes, output_field
from metrics_api.graphql_schema.selection import Document, Nodes, Selected
from metrics_api.query.metric_query import MetricQuery


def funnel_type(layout: Layout, types: ObjectTypes) -> Any:
    """The result of a metric field."""
    step = types.row(layout.row_type, layout.row, "One step (of one group): who came, who went on, who was lost.")
    columns = types.columns(layout.columns_type, layout.row, "The steps, a list for each column.")
    fields = [
        output_field("rows", "steps", listed(step), "A row for each group and step, in order."),
        output_field("columns", "columns", columns, "The same, a list for each column: for charts and data frames."),
        output_field("info", "info", AnswerInfo, "How the answer came about."),
    ]
    return types.once(
        layout.result_type,
        lambda: create_type(layout.result_type, fields, description="From step to step within a window."),
    )


async def answer_funnel(
    query: MetricQuery, layout: Layout, document: Document, nodes: Nodes, context: RequestContext
) -> Mapping[str, Any]:
    """The parts that are selected of a question's answer, for the fields of `funnel_type`."""
    asked = document.fields(nodes)
    steps = document.selected(layout.row, asked["steps"]) if "steps" in asked else None
    columns = document.selected(layout.row, asked["columns"]) if "columns" in asked else None
    if steps is None and columns is None and "info" not in asked:
        return {}
    # Times to convert cost more than counts do: none are asked for unless selected.
    named = [name for one in (steps, columns) if one is not None for name in one.columns] + [
        name for name, _ in query.order
    ]
    measures = tuple(dict.fromkeys(name for name in named if layout.is_measure(name)))
    return await context.in_thread(
        partial(_answer, replace(query, parts=("steps",), measures=measures), layout, steps, columns, context)
    )


def _answer(
    query: MetricQuery, layout: Layout, steps: Selected | None, columns: Selected | None, context: RequestContext
) -> dict[str, Any]:
    answer = context.project.answer(query)
    table, zone = answer.parts["steps"], answer.info.timezone
    shaped: dict[str, Any] = {"info": answer.info}
    if steps is not None:
        shaped["rows"] = rows_of(columns_of(table, layout.row, steps, zone), table.num_rows)
    if columns is not None:
        shaped["columns"] = columns_of(table, layout.row, columns, zone)
    return shaped
