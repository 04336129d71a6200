"""The people behind an answer, page by page: a connection, as Relay has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import strawberry
from strawberry import UNSET
from strawberry.annotation import StrawberryAnnotation
from strawberry.tools import create_type
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

from metrics_api.graphql_schema.answers import columns_of, rows_of
from metrics_api.graphql_schema.context import RequestContext
from metrics_api.graphql_schema.cursors import Place, cursor, mark_of, place_of
from metrics_api.graphql_schema.inputs import PYTHON_NAME, listed, optional_argument, words_type
from metrics_api.graphql_schema.layout import Cell, Choice, People, camel
from metrics_api.graphql_schema.object_types import AnswerInfo, ObjectTypes, not_constructed, output_field
from metrics_api.graphql_schema.scalars import BigInt
from metrics_api.graphql_schema.selection import Document, Selected
from metrics_api.query.bind import MEMBER_COUNT, MEMBERS
from metrics_api.query.metric_query import CohortAsOf, MetricQuery, Page
from metrics_api.results import Answer

QUESTION = "question"
"""Where an answer keeps the question of a metric, for its list of members."""
ID = Cell("id", "id", "id", "Who it is.", required=True)
_TYPES: Mapping[str, Any] = {"date": date, "timestamp": datetime, "integer": int, "number": float, "boolean": bool}


@strawberry.type(description="Where a page stands in a list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are more after it.")
    has_previous_page: bool = strawberry.field(description="Whether there are some before it.")
    start_cursor: str | None = strawberry.field(description="The first one's cursor; null on an empty page.")
    end_cursor: str | None = strawberry.field(
        description="The last one's cursor: `after` for the next page. Null on an empty page."
    )


class _MembersField(StrawberryField):
    """A list of members: a question of its own, about the metric of the field around it."""

    people: People

    @property
    def is_basic_field(self) -> bool:
        return False

    def get_result(self, source: Any, info: Info | None, args: list[Any], kwargs: Any) -> Any:
        assert info is not None
        return self._answer(source[QUESTION], info, kwargs)

    async def _answer(self, about: MetricQuery, info: Info, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        context: RequestContext = info.context
        context.count_metric()
        given = {name: value for name, value in arguments.items() if value is not None and value is not UNSET}
        chosen = ((one.name, given.get(PYTHON_NAME + one.name)) for one in self.people.choices)
        of = tuple((name, getattr(value, "value", value)) for name, value in chosen if value is not None)
        asked = _of_members(about, of)
        mark = mark_of(asked, context.project.model)
        place = place_of(given["after"], mark) if "after" in given else None
        wanted = _Wanted.of(Document.of(info), self.people, info)
        page = Page(of, given.get("first", Page().first), place.after if place else None, wanted.attributes)
        query = replace(asked, parts=wanted.parts, members=page, as_of=place.as_of if place else asked.as_of)
        if not wanted.parts:
            return {}
        answer = await context.answer(query)
        return await context.in_thread(lambda: _shaped(self.people, wanted, answer, mark, page))


def _of_members(about: MetricQuery, of: tuple[tuple[str, Any], ...]) -> MetricQuery:
    """The metric's question, without what only shapes rows."""
    return replace(
        about, by=(), by_cohorts=(), cohort_as_of=CohortAsOf.RANGE_END, top=(), bins=(), subtotals=False, compare=None,
        order=(), limit=None,
        measures=None, parts=(), members=Page(of),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is selected of a list of members."""

    page: bool
    edges: bool
    count: bool
    attributes: tuple[str, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        return (*((MEMBERS,) if self.page else ()), *((MEMBER_COUNT,) if self.count else ()))

    @classmethod
    def of(cls, document: Document, people: People, info: Info) -> _Wanted:
        asked = document.fields(info._raw_info.field_nodes)  # noqa: SLF001 - the nodes have no public door
        of_edges = document.fields(asked.get("edges", ()))
        members = document.fields([*asked.get("nodes", ()), *of_edges.get("node", ())])
        attributes = document.selected(people.attributes, members.get("attributes", ()))
        count = "totalCount" in asked
        page = bool({"nodes", "edges", "pageInfo"} & asked.keys()) or ("info" in asked and not count)
        return cls(page, "edges" in asked, count, attributes.columns)


def _shaped(people: People, wanted: _Wanted, answer: Answer, mark: str, page: Page) -> dict[str, Any]:
    """The answer for the fields of `UserMembers`."""
    shaped: dict[str, Any] = {"info": answer.info}
    if wanted.count:
        shaped["total_count"] = answer.parts[MEMBER_COUNT]["users"][0].as_py()
    if not wanted.page:
        return shaped
    table = answer.parts[MEMBERS]
    ids: Sequence[str] = table["id"].to_pylist()
    known = columns_of(table, people.attributes, Selected(wanted.attributes), answer.info.timezone)
    nodes = [
        {PYTHON_NAME + ID.column: one, "attributes": row}
        for one, row in zip(ids, rows_of(known, len(ids)), strict=True)
    ]

    def at(member: str) -> str:
        return cursor(Place(member, answer.info.as_of), mark)

    shaped["nodes"] = nodes
    if wanted.edges:
        shaped["edges"] = [{"cursor": at(one), "node": node} for one, node in zip(ids, nodes, strict=True)]
    shaped["page_info"] = {
        "has_next_page": answer.info.truncated,
        "has_previous_page": page.after is not None,
        "start_cursor": at(ids[0]) if ids else None,
        "end_cursor": at(ids[-1]) if ids else None,
    }
    return shaped


def members_field(people: People, types: ObjectTypes) -> StrawberryField:
    """The field `members` of an answer, with an argument for each thing that its members are chosen by."""
    made = _MembersField(
        python_name=MEMBERS,
        graphql_name="members",
        type_annotation=StrawberryAnnotation(_members_type(people, types) | None, namespace={}),
        description=f"The {people.entity}s behind the numbers, in order of their ids.",
    )
    made.people = people
    chosen = [(one, _choice(one, types)) for one in people.choices]
    made.arguments = [
        *(
            optional_argument(PYTHON_NAME + one.name, camel(one.name), of, "Only those; the usual when absent.")
            for one, of in chosen
        ),
        StrawberryArgument(
            python_name="first",
            graphql_name="first",
            type_annotation=StrawberryAnnotation(int, namespace={}),
            description="How many at most.",
            default=Page().first,
        ),
        optional_argument("after", "after", str, "The `endCursor` of the page before."),
    ]
    return not_constructed(made)


def _choice(one: Choice, types: ObjectTypes) -> Any:
    if not one.words:
        return _TYPES[one.type]
    return types.once(one.type_name, lambda: _words(one))


def _words(one: Choice) -> Any:
    return words_type(one.type_name, f"A {one.name.replace('_', ' ')}.", [(word, "") for word in one.words])


def _members_type(people: People, types: ObjectTypes) -> Any:
    noun = people.entity

    def node() -> Any:
        fields = [output_field(PYTHON_NAME + ID.column, ID.name, strawberry.ID, ID.description)]
        if people.attributes:
            words = f"What is known of a {noun} as of now."
            of = types.row(people.attributes_type, people.attributes, words)
            fields.append(output_field("attributes", "attributes", of, words))
        return create_type(people.member_type, fields, description=f"One {noun} of a list.")

    member = types.once(people.member_type, node)

    def edge() -> Any:
        fields = [
            output_field("cursor", "cursor", str, "Its place: `after` for what follows it."),
            output_field("node", "node", member, f"The {noun}."),
        ]
        return create_type(people.edge_type, fields, description=f"One {noun} and its place.")

    def members() -> Any:
        fields = [
            output_field("nodes", "nodes", listed(member), f"The {noun}s of this page."),
            output_field("edges", "edges", listed(types.once(people.edge_type, edge)), "The same, with their places."),
            output_field("page_info", "pageInfo", PageInfo, "Where the page stands in the list."),
            output_field("total_count", "totalCount", BigInt, f"All {noun}s, counted only where this is selected."),
            output_field("info", "info", AnswerInfo, "How this list came about."),
        ]
        return create_type(people.members_type, fields, description=f"A page of {noun}s.")

    return types.once(people.members_type, members)
