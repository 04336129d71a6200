"""Retention: cohorts by the bucket in which people started, each with a cell for every interval since."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

from strawberry.tools import create_type

from metrics_api.graphql_schema.answers import columns_of, rows_of
from metrics_api.graphql_schema.inputs import listed
from metrics_api.graphql_schema.layout import Field, Layout, cohort_type
from metrics_api.graphql_schema.object_types import AnswerInfo, ObjectTypes, output_field
from metrics_api.graphql_schema.selection import Document, Nodes
from metrics_api.graphql_schema.shapes.asking import Answers, Wanted
from metrics_api.graphql_schema.shapes.lists import further_lists, shaped_lists, wanted_of_lists
from metrics_api.graphql_schema.shapes.members import members_field

COHORTS, CELLS = "cohorts", "cells"
_OF_COHORT = ("start", "size")
"""The columns of a cell that are those of its whole cohort."""


def retention_type(layout: Layout, types: ObjectTypes) -> Any:
    """The result of a metric field."""

    def make() -> Any:
        cell = types.row(layout.main.row_type, _of_cells(layout), "What became of a cohort in one interval.")

        def cohort() -> Any:
            plain = types.values(_of_cohort(layout))
            cells = output_field(CELLS, CELLS, listed(cell), "A cell for each interval, in order.")
            return create_type(name, [*plain, cells], description="Those who started in one bucket.")

        name = cohort_type(layout)
        words = "A cohort for each bucket (and group) in which people started."
        columns = types.columns(layout.columns_type, layout.main.row, "All cells, a list for each column.")
        fields = [
            output_field(COHORTS, COHORTS, listed(types.once(name, cohort)), words),
            output_field("columns", "columns", columns, "The cells of all cohorts, a list for each column."),
            *further_lists(layout, types),
            *((members_field(layout.people, types),) if layout.people else ()),
            output_field("info", "info", AnswerInfo, "How the answer came about."),
        ]
        return create_type(layout.result_type, fields, description="How many come back, by when they started.")

    return types.once(layout.result_type, make)


def _of_cohort(layout: Layout) -> tuple[Field, ...]:
    return tuple(one for one in layout.main.row if one.name in _OF_COHORT or one in layout.main.breakdowns)


def _of_cells(layout: Layout) -> tuple[Field, ...]:
    of_cohort = _of_cohort(layout)
    return tuple(one for one in layout.main.row if one not in of_cohort)


def wanted_of_retention(document: Document, layout: Layout, nodes: Nodes) -> Wanted:
    """What is selected of the fields of `retention_type`: `nested` is that of cohorts, and then that of cells."""
    lists = wanted_of_lists(document, layout, nodes)
    if (asked := document.fields(nodes).get(COHORTS)) is None:
        return lists
    cohort = document.selected(_of_cohort(layout), asked)
    cells = document.selected(_of_cells(layout), document.fields(asked).get(CELLS, ()))
    return replace(lists, nested=(cohort, cells))


def shaped_retention(layout: Layout, wanted: Wanted, answers: Answers) -> dict[str, Any]:
    """The answers for the fields of `retention_type`."""
    shaped = shaped_lists(layout, wanted, answers)
    if wanted.nested:
        shaped[COHORTS] = _cohorts(layout, wanted, answers)
    return shaped


def _cohorts(layout: Layout, wanted: Wanted, answers: Answers) -> list[dict[str, Any]]:
    """The rows of cells put together by the bucket and group that they belong to."""
    table, zone = answers.part(layout.main.part), answers.timezone
    cohort, cells = wanted.nested
    heads = rows_of(columns_of(table, _of_cohort(layout), cohort, zone), table.num_rows)
    inner = rows_of(columns_of(table, _of_cells(layout), cells, zone), table.num_rows)
    by = [one.column for one in layout.main.breakdowns if one.column in table.column_names]
    keys = zip(*(table[name].to_pylist() for name in ("start", *by)), strict=True)
    found: dict[Hashable, dict[str, Any]] = {}
    for key, head, cell in zip(keys, heads, inner, strict=True):
        found.setdefault(key, {**head, CELLS: []})[CELLS].append(cell)
    return list(found.values())
