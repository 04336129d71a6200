"""Answers that are lists of rows, one for each part: values over time, a funnel's steps, tiers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strawberry.tools import create_type
from strawberry.types.field import StrawberryField

from metrics_api.graphql_schema.answers import Rows, columns_of, rows_of
from metrics_api.graphql_schema.inputs import listed
from metrics_api.graphql_schema.layout import Layout, Table, camel
from metrics_api.graphql_schema.object_types import AnswerInfo, ObjectTypes, output_field
from metrics_api.graphql_schema.selection import Document, Nodes, Selected
from metrics_api.graphql_schema.shapes.asking import Answers, Wanted
from metrics_api.graphql_schema.shapes.members import members_field

_WORDS: Mapping[str, str] = {
    "series": "Values over time.",
    "funnel": "From step to step within a window.",
    "tables": "What is known of people, as lists of rows.",
}


def lists_type(layout: Layout, types: ObjectTypes) -> Any:
    """The result of a metric field."""

    def make() -> Any:
        main = layout.main
        columns = types.columns(layout.columns_type, main.row, "The rows, a list for each column.")
        fields = [
            _list(main, types),
            output_field(
                "columns", "columns", columns, f"`{camel(main.part)}`, a list for each column: for charts and frames."
            ),
            *(_overall(layout, types) if layout.has_overall else ()),
            *further_lists(layout, types),
            *((members_field(layout.people, types),) if layout.people else ()),
            output_field("info", "info", AnswerInfo, "How the answer came about."),
        ]
        return create_type(layout.result_type, fields, description=_WORDS[layout.shape])

    return types.once(layout.result_type, make)


def further_lists(layout: Layout, types: ObjectTypes) -> list[StrawberryField]:
    """A field for each part but the first."""
    return [_list(one, types) for one in layout.tables[1:]]


def _list(table: Table, types: ObjectTypes) -> StrawberryField:
    row = types.row(table.row_type, table.row, table.description)
    return output_field(table.part, camel(table.part), listed(row), table.description)


def _overall(layout: Layout, types: ObjectTypes) -> list[StrawberryField]:
    overall = types.row(layout.overall_type, layout.whole, "The range as a whole.")
    group = types.row(layout.group_type, layout.grouped, "The range as a whole, for one group.")
    words = "Computed over the whole range and all groups, never added up from buckets."
    return [
        output_field("overall", "overall", overall | None, words),
        output_field("overall_by", "overallBy", listed(group), "The same for each group of `by`."),
    ]


def wanted_of_lists(document: Document, layout: Layout, nodes: Nodes) -> Wanted:
    """What is selected of the fields of `lists_type`."""
    asked = document.fields(nodes)

    def selected(name: str, fields: Any) -> Selected | None:
        return document.selected(fields, asked[name]) if name in asked else None

    found = ((one.part, selected(camel(one.part), one.row)) for one in layout.tables)
    return Wanted(
        lists={part: one for part, one in found if one is not None},
        columns=selected("columns", layout.main.row),
        overall=selected("overall", layout.whole) if layout.has_overall else None,
        overall_by=selected("overallBy", layout.grouped) if layout.has_overall else None,
        info="info" in asked,
    )


def shaped_lists(layout: Layout, wanted: Wanted, answers: Answers) -> dict[str, Any]:
    """The answers for the fields of `lists_type`."""
    shaped: dict[str, Any] = {"info": answers.info}
    zone = answers.timezone
    for one in layout.tables:
        if (found := wanted.lists.get(one.part)) is not None:
            shaped[one.part] = Rows(answers.part(one.part), one.row, found, zone)
    if wanted.columns is not None:
        shaped["columns"] = columns_of(answers.part(layout.main.part), layout.main.row, wanted.columns, zone)
    if wanted.overall_by is not None:
        shaped["overall_by"] = Rows(answers.part("overall"), layout.grouped, wanted.overall_by, zone)
    if wanted.overall is not None:
        table = answers.whole("overall")
        rows = rows_of(columns_of(table, layout.whole, wanted.overall, zone), table.num_rows)
        shaped["overall"] = rows[0] if rows else None
    return shaped
