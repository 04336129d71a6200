"""The fields of `metrics`: one for each metric, sharing types and arguments with all others of its layout."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from strawberry import UNSET
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

from metrics_api.families import families
from metrics_api.graphql_schema.context import RequestContext
from metrics_api.graphql_schema.inputs import Compare, DurationInput, Grain, TimeInput, listed
from metrics_api.graphql_schema.layout import Layout, camel
from metrics_api.graphql_schema.object_types import ObjectTypes, not_constructed
from metrics_api.graphql_schema.question import question
from metrics_api.graphql_schema.selection import Document, Nodes
from metrics_api.graphql_schema.shapes.funnel import answer_funnel, funnel_type
from metrics_api.graphql_schema.shapes.series import answer_series, series_type
from metrics_api.query.metric_query import MetricQuery
from metrics_api.semantic.model import Metric

Answering: TypeAlias = Callable[[MetricQuery, Layout, Document, Nodes, RequestContext], Awaitable[Mapping[str, Any]]]

_SHAPES: Mapping[str, tuple[Callable[[Layout, ObjectTypes], Any], Answering]] = {
    "series": (series_type, answer_series),
    "funnel": (funnel_type, answer_funnel),
}


class MetricField(StrawberryField):
    """A metric. Its arguments become a question, its selection decides what of the answer is computed."""

    metric: str
    layout: Layout
    answering: Answering

    @property
    def is_basic_field(self) -> bool:
        return False

    def get_result(self, source: Any, info: Info | None, args: list[Any], kwargs: Any) -> Any:
        assert info is not None
        return self._answer(info, kwargs)

    async def _answer(self, info: Info, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        context: RequestContext = info.context
        context.count_metric()
        limits = context.limits
        asked = question(self.metric, self.layout, arguments, conditions=limits.conditions, nesting=limits.nesting)
        nodes = info._raw_info.field_nodes  # noqa: SLF001 - the nodes have no public door
        return await self.answering(asked, self.layout, Document.of(info), nodes, context)


class MetricFields:
    """Makes the fields, and what they share only once."""

    def __init__(self) -> None:
        self.types = ObjectTypes()
        self._shared: dict[str, tuple[StrawberryAnnotation, list[StrawberryArgument]]] = {}

    def field(self, metric: Metric, layout: Layout) -> MetricField:
        type_of, answering = _SHAPES[layout.shape]
        if layout.base not in self._shared:
            result = StrawberryAnnotation(type_of(layout, self.types) | None, namespace={})
            self._shared[layout.base] = (result, self._arguments(layout))
        result, arguments = self._shared[layout.base]
        made = MetricField(
            python_name=f"metric_{metric.name}",
            graphql_name=camel(metric.name),
            type_annotation=result,
            description=_description(metric),
            deprecation_reason=_deprecation(metric),
        )
        made.arguments = arguments
        made.metric, made.layout, made.answering = metric.name, layout, answering
        not_constructed(made)
        return made

    def _arguments(self, layout: Layout) -> list[StrawberryArgument]:
        is_funnel = layout.shape == "funnel"
        range_ = "When people entered." if is_funnel else "The range."
        asked: list[tuple[str, str, Any, str]] = [
            ("time", "time", TimeInput, f"{range_} The project's usual one when absent."),
        ]
        if not is_funnel:
            asked.append(("grain", "grain", Grain, "The size of a bucket; a day when absent."))
        by = listed(self.types.dimension(layout.sources))
        top, bins = listed(self.types.top(layout.sources)), listed(self.types.bins(layout.sources))
        asked.append(("by", "by", by, "What to break down by."))
        if layout.sources.properties:
            asked.append(("where", "where", self.types.filter(layout.sources), "Which events count."))
        asked += [
            ("top", "top", top, "Only the greatest values of a breakdown by themselves."),
            ("bins", "bins", bins, "Numbers to break down by, in bins instead of one by one."),
            ("subtotals", "subtotals", bool, "Also each breakdown's groups over all those after it, as `(all)`."),
        ]
        if layout.compared:
            asked.append(("compare", "compare", Compare, "Fills `previous` and `change`."))
        if is_funnel:
            asked.append(("within", "within", DurationInput, "The conversion window, instead of the defined one."))
        asked += [
            (
                "order",
                "order",
                listed(self.types.order(layout)),
                "By what to order rows; by time and group when absent.",
            ),
            ("limit", "limit", int, "The most rows to answer."),
            (
                "timezone",
                "timezone",
                str,
                'Whose days are counted, such as "Europe/Berlin"; the project\'s when absent.',
            ),
            ("as_of", "asOf", datetime, "Answer as if it were then: no later event counts."),
        ]
        return [
            StrawberryArgument(
                python_name=python_name,
                graphql_name=name,
                type_annotation=StrawberryAnnotation(of | None, namespace={}),
                description=description,
                default=UNSET,
            )
            for python_name, name, of, description in asked
        ]


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
