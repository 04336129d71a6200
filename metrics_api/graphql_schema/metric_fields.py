"""The fields of `metrics`: one for each metric, sharing types and arguments with all others of its layout."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

from metrics_api.families import families
from metrics_api.graphql_schema.context import RequestContext
from metrics_api.graphql_schema.inputs import (
    CohortAsOf,
    Compare,
    DurationInput,
    Grain,
    TimeInput,
    listed,
    optional_argument,
)
from metrics_api.graphql_schema.layout import Layout, camel
from metrics_api.graphql_schema.object_types import ObjectTypes, not_constructed
from metrics_api.graphql_schema.question import USE, question
from metrics_api.graphql_schema.selection import Document, Nodes
from metrics_api.graphql_schema.shapes.asking import Answers, Wanted, answers_to
from metrics_api.graphql_schema.shapes.lists import lists_type, shaped_lists, wanted_of_lists
from metrics_api.graphql_schema.shapes.members import QUESTION
from metrics_api.graphql_schema.shapes.retention import retention_type, shaped_retention, wanted_of_retention
from metrics_api.semantic.model import Metric
from metrics_api.serving.service import Use


@dataclass(frozen=True, slots=True)
class _Shape:
    """How answers of a shape look: their type, what of it is selected, and what its fields read."""

    type_of: Callable[[Layout, ObjectTypes], Any]
    wanted: Callable[[Document, Layout, Nodes], Wanted]
    shaped: Callable[[Layout, Wanted, Answers], dict[str, Any]]


_Argument: TypeAlias = tuple[str, str, Any, str]
"""Its name in Python and in GraphQL, its type, and what it means."""
_RANGES: Mapping[str, tuple[str, str]] = {
    "funnel": ("When people entered.", "The size of a bucket of the trend; a day when absent."),
    "retention": ("When people started.", "The size of a cohort's bucket; the metric's own when absent."),
}
_LISTS = _Shape(lists_type, wanted_of_lists, shaped_lists)
_SHAPES: Mapping[str, _Shape] = {"retention": _Shape(retention_type, wanted_of_retention, shaped_retention)}


class MetricField(StrawberryField):
    """A metric. Its arguments become a question, its selection decides what of the answer is computed."""

    metric: str
    layout: Layout

    @property
    def is_basic_field(self) -> bool:
        return False

    def get_result(self, source: Any, info: Info | None, args: list[Any], kwargs: Any) -> Any:
        assert info is not None
        return self._answer(info, kwargs, source.get(USE))

    async def _answer(self, info: Info, arguments: Mapping[str, Any], use: Use | None) -> Mapping[str, Any]:
        context: RequestContext = info.context
        context.count_metric()
        asked = question(self.metric, self.layout.sources, arguments, context.limits)
        nodes = info._raw_info.field_nodes  # noqa: SLF001 - the nodes have no public door
        shape = _SHAPES.get(self.layout.shape, _LISTS)
        wanted = shape.wanted(Document.of(info), self.layout, nodes)
        answers = await answers_to(asked, self.layout, wanted, context, use)
        shaped: dict[str, Any] = {}
        if answers.info is not None:
            shaped = await context.in_thread(partial(shape.shaped, self.layout, wanted, answers))
        return {**shaped, QUESTION: asked}


class MetricFields:
    """Makes the fields, and what they share only once."""

    def __init__(self) -> None:
        self.types = ObjectTypes()
        self._results: dict[str, StrawberryAnnotation] = {}
        self._shared: dict[Hashable, list[StrawberryArgument]] = {}

    def field(self, metric: Metric, layout: Layout) -> MetricField:
        if layout.result_type not in self._results:
            type_of = _SHAPES.get(layout.shape, _LISTS).type_of
            self._results[layout.result_type] = StrawberryAnnotation(type_of(layout, self.types) | None, namespace={})
        if (key := (layout.base, layout.cohorts)) not in self._shared:
            self._shared[key] = self._arguments(layout)
        result, arguments = self._results[layout.result_type], self._shared[key]
        made = MetricField(
            python_name=f"metric_{metric.name}",
            graphql_name=camel(metric.name),
            type_annotation=result,
            description=_description(metric),
            deprecation_reason=_deprecation(metric),
        )
        made.arguments = arguments
        made.metric, made.layout = metric.name, layout
        not_constructed(made)
        return made

    def _arguments(self, layout: Layout) -> list[StrawberryArgument]:
        asked = (*self._range(layout), *self._people(layout), *self._groups(layout), *self._rows(layout))
        return [optional_argument(*one) for one in asked]

    def _range(self, layout: Layout) -> Iterator[_Argument]:
        range_, bucket = _RANGES.get(layout.shape, ("The range.", "The size of a bucket; a day when absent."))
        yield "time", "time", TimeInput, f"{range_} The project's usual one when absent."
        if bucket and (layout.shape != "funnel" or len(layout.tables) > 1):
            yield "grain", "grain", Grain, bucket

    def _people(self, layout: Layout) -> Iterator[_Argument]:
        if layout.sources.properties:
            yield "where", "where", self.types.filter(layout.sources), "Which events count."
        if layout.cohorts is not None:
            names = self.types.cohort_names(layout.cohorts)
            yield "cohort", "cohort", names, "Only its people, as of the end of the range."
            words = "Each of these cohorts by itself, and the people in none of them; people can be in several."
            yield "by_cohorts", "byCohorts", listed(names), words
            yield "cohort_as_of", "cohortAsOf", CohortAsOf, "The day of the cohorts; the end of the range when absent."

    def _groups(self, layout: Layout) -> Iterator[_Argument]:
        sources = layout.sources
        yield "by", "by", listed(self.types.dimension(sources)), "What to break down by."
        if layout.has_top:
            words = "Only the greatest values of a breakdown by themselves."
            yield "top", "top", listed(self.types.top(sources)), words
        yield (
            "bins", "bins", listed(self.types.bins(sources)), "Numbers to break down by, in bins instead of one by one."
        )  # fmt: skip
        yield "subtotals", "subtotals", bool, "Also each breakdown's groups over all those after it, as `(all)`."

    def _rows(self, layout: Layout) -> Iterator[_Argument]:
        if layout.main.compared:
            yield "compare", "compare", Compare, "Fills `previous` and `change`."
        if layout.has_window:
            yield "within", "within", DurationInput, "The conversion window, instead of the defined one."
        order = listed(self.types.order(layout))
        yield "order", "order", order, "By what to order rows; by time and group when absent."
        yield "limit", "limit", int, "The most rows to answer."
        zone = 'Whose days are counted, such as "Europe/Berlin"; the project\'s when absent.'
        yield "timezone", "timezone", str, zone
        yield "as_of", "asOf", datetime, "Answer as if it were then: no later event counts."


def _description(metric: Metric) -> str:
    """What it is, what its `value` is, and who answers for it."""
    written = metric.definition
    meaning = f"{metric.label}: {written.description}" if written.description else f"{metric.label}."
    value = next((one for one in families()[metric.type].measures(metric) if one.name == "value"), None)
    told = (
        meaning,
        value.description if value else "",
        f"In {written.unit}." if written.unit else "",
        f"Shown as a {written.format}." if written.format else "",
        f"Owner: {written.owner}." if written.owner else "",
        f"Tags: {', '.join(written.tags)}." if written.tags else "",
    )
    return " ".join(part for part in told if part)


def _deprecation(metric: Metric) -> str | None:
    written = metric.definition.deprecated
    if written is None:
        return None
    return f"{written.reason} Use `{camel(written.replaced_by)}`." if written.replaced_by else written.reason
