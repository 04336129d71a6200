"""Cohorts by themselves: how many people are in one over time, and who."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from strawberry.annotation import StrawberryAnnotation
from strawberry.tools import create_type
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

from metrics_api.graphql_schema.answers import columns_of, rows_of
from metrics_api.graphql_schema.context import RequestContext
from metrics_api.graphql_schema.inputs import CacheUse, Grain, TimeInput, listed, optional_argument
from metrics_api.graphql_schema.layout import Cohorts, Field, Layout
from metrics_api.graphql_schema.object_types import AnswerInfo, ObjectTypes, not_constructed, output_field
from metrics_api.graphql_schema.question import CACHE, question, use_of
from metrics_api.graphql_schema.scalars import BigInt
from metrics_api.graphql_schema.selection import Document, Selected
from metrics_api.graphql_schema.shapes.members import QUESTION, members_field
from metrics_api.query.bind import MEMBER_COUNT
from metrics_api.query.metric_query import MetricQuery
from metrics_api.results import Answer
from metrics_api.semantic.model import Metric
from metrics_api.serving.service import Use

ROWS, SIZE, INFO = "rows", "size", "info"


class _CohortField(StrawberryField):
    """`cohort(name: ...)`: one of the cohorts of an entity."""

    found: Mapping[str, tuple[Metric, Layout]]

    @property
    def is_basic_field(self) -> bool:
        return False

    def get_result(self, source: Any, info: Info | None, args: list[Any], kwargs: Any) -> Any:
        assert info is not None
        return self._answer(info, kwargs)

    async def _answer(self, info: Info, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        context: RequestContext = info.context
        context.count_metric()
        cohort, layout = self.found[arguments["name"].value]
        query = question(cohort.name, layout.sources, arguments, context.limits)
        document = Document.of(info)
        asked = document.fields(info._raw_info.field_nodes)  # noqa: SLF001 - the nodes have no public door
        selected = document.selected(_row(layout), asked[ROWS]) if ROWS in asked else None
        told = await _told(query, layout, selected, asked, context, use_of(arguments.get("cache")))
        named = {"name": cohort.name, "label": cohort.label, "description": cohort.definition.description}
        return {**named, **told, QUESTION: query}


async def _told(
    query: MetricQuery,
    layout: Layout,
    rows: Selected | None,
    asked: Mapping[str, Any],
    context: RequestContext,
    use: Use | None,
) -> dict[str, Any]:
    """The size over time, and that at the end of the range: each is asked only if it is selected."""
    over_time = replace(query, parts=(layout.main.part,), measures=())
    at_end = replace(query, parts=(MEMBER_COUNT,), grain=None, limit=None)
    wanted = {ROWS: over_time} if rows is not None or (INFO in asked and SIZE not in asked) else {}
    wanted |= {SIZE: at_end} if SIZE in asked else {}
    found = await asyncio.gather(*(context.answer(one, use) for one in wanted.values()))
    answers = dict(zip(wanted, found, strict=True))
    told: dict[str, Any] = {INFO: next((one.info for one in answers.values()), None)}
    if SIZE in answers:
        told[SIZE] = answers[SIZE].parts[MEMBER_COUNT]["users"][0].as_py()
    if rows is not None:
        told[ROWS] = await context.in_thread(partial(_rows, layout, rows, answers[ROWS]))
    return told


def _rows(layout: Layout, selected: Selected, answer: Answer) -> list[dict[str, Any]]:
    table = answer.parts[layout.main.part]
    return rows_of(columns_of(table, _row(layout), selected, answer.info.timezone), table.num_rows)


def _row(layout: Layout) -> tuple[Field, ...]:
    """A row over time, of all people in the cohort."""
    return (*layout.main.keys, *layout.main.cells, *layout.main.flags)


def cohort_field(of: Cohorts, found: Sequence[tuple[Metric, Layout]], types: ObjectTypes) -> StrawberryField:
    """The field of a query that tells of the cohorts of one entity."""
    name = "cohort" if of.entity == "user" else f"{of.entity}Cohort"
    made = _CohortField(
        python_name=name,
        graphql_name=name,
        type_annotation=StrawberryAnnotation(_cohort_type(of, found[0][1], types) | None, namespace={}),
        description=f"A group of {of.entity}s that the project defines.",
    )
    made.found = {metric.name: (metric, layout) for metric, layout in found}
    zone = 'Whose days are counted, such as "Europe/Berlin"; the project\'s when absent.'
    made.arguments = [
        StrawberryArgument(
            python_name="name",
            graphql_name="name",
            type_annotation=StrawberryAnnotation(types.cohort_names(of), namespace={}),
            description="Which one.",
        ),
        optional_argument("time", "time", TimeInput, "The range; people are in it as of its end."),
        optional_argument("grain", "grain", Grain, "The size of a bucket of `rows`; a day when absent."),
        optional_argument("limit", "limit", int, "The most rows to answer."),
        optional_argument("timezone", "timezone", str, zone),
        optional_argument("as_of", "asOf", datetime, "Answer as if it were then: no later event counts."),
        optional_argument("cache", "cache", CacheUse, CACHE),
    ]
    return not_constructed(made)


def _cohort_type(of: Cohorts, layout: Layout, types: ObjectTypes) -> Any:
    assert layout.people is not None
    row = types.row(f"{of.prefix}CohortSize", _row(layout), layout.main.description)
    fields = [
        output_field("name", "name", str, "The name in the definitions."),
        output_field("label", "label", str, "The name for people."),
        output_field("description", "description", str | None, "What it means."),
        output_field(SIZE, SIZE, BigInt, f"The {of.entity}s in it at the end of the range."),
        output_field(ROWS, ROWS, listed(row), "How many there are at the end of each bucket."),
        members_field(layout.people, types),
        output_field(INFO, INFO, AnswerInfo | None, "How the answer came about."),
    ]
    return create_type(of.result_type, fields, description=f"A group of {of.entity}s, as of the end of a range.")
