"""The people behind a number: a page of them in order of their ids, with what is known of them; and how many."""

from __future__ import annotations

from collections.abc import Mapping

from metrics_api.families.relations import with_attributes
from metrics_api.plan.expr import Agg, Col, call, text
from metrics_api.plan.nodes import Aggregate, Filter, Named, Plan, Project, Sort, keep
from metrics_api.query.bind import MEMBER_COUNT, MEMBERS, BoundQuery
from metrics_api.query.family import Family


def with_members(query: BoundQuery, family: Family) -> Mapping[str, Plan]:
    """The parts `members` (one more than the page, to know whether there are more) and `member_count`."""
    assert family.members is not None
    people = Named("members", family.members.plan(query))
    found: dict[str, Plan] = {}
    if MEMBERS in query.parts:
        found[MEMBERS] = _page(query, people)
    if MEMBER_COUNT in query.parts:
        found[MEMBER_COUNT] = Aggregate(people, (), (("users", Agg("count_rows")),))
    return {part: found[part] for part in query.parts}


def _page(query: BoundQuery, people: Plan) -> Plan:
    page = query.members
    told: Plan = Project(people, (("id", call("to_text", Col("entity"))), *keep("entity")))
    if page.after is not None:
        told = Filter(told, call("gt", Col("id"), text(page.after)))
    # Cut before anything is looked up: a page costs a page, however many people there are.
    told = told if query.all_rows else Sort(told, (("id", False),), page.first + 1)
    described = with_attributes(query, Named("page", told), page.attributes)
    return Project(described, keep("id", *page.attributes))
