"""Cohorts in any question: who is in them is found once, and every family reads it like an attribute of people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from metrics_api.families import families
from metrics_api.families.relations import is_member
from metrics_api.periods import MICROSECOND
from metrics_api.plan.expr import Col, all_of, any_of, negated, text
from metrics_api.plan.nodes import Plan, Project, Union
from metrics_api.query.bind import BoundQuery, statement_columns
from metrics_api.query.dimension import NONE
from metrics_api.query.metric_query import CohortAsOf
from metrics_api.semantic.model import Metric

PartsOf = Callable[[BoundQuery], Mapping[str, Plan]]


def with_memberships(query: BoundQuery) -> BoundQuery:
    """The question, knowing who is in its cohorts as of the end of its range (RULES 18)."""
    if not query.cohorts:
        return query
    memberships = tuple((one.name, _people(query, one)) for one in query.cohorts)
    where = query.where if query.cohort is None else all_of([query.where, is_member(query.cohort.name)])
    return replace(query, memberships=memberships, where=where)


def _people(query: BoundQuery, cohort: Metric) -> Plan:
    """Who is in a cohort: one column `entity`, each once."""
    family = families()[cohort.type]
    assert family.members is not None
    return family.members.plan(query.of_members(cohort))


def with_cohorts_of_each_bucket(query: BoundQuery, parts_of: PartsOf) -> Mapping[str, Plan]:
    """The parts of a question whose cohorts are those of each bucket's end: each bucket is a question by itself.

    What is not told by bucket, such as `overall`, has the cohorts of the range's end.
    """
    family = families()[query.metric.type]
    told = [part for part in query.parts if family.is_flagged(part)]
    if query.cohort_as_of is CohortAsOf.RANGE_END or not told:
        return parts_of(query)
    rest = tuple(part for part in query.parts if part not in told)
    found = dict(parts_of(replace(query, parts=rest))) if rest else {}
    for part in told:
        each = []
        for bucket in query.periods:
            first = query.calendar.local_date(bucket.start)
            last = query.calendar.local_date(bucket.end - MICROSECOND)
            alone = with_memberships(replace(query, parts=(part,), first=first, last=last))
            each.append(parts_of(alone)[part])
        found[part] = Union(tuple(each)) if len(each) > 1 else each[0]
    return {part: found[part] for part in query.parts}


def with_each_cohort(query: BoundQuery, parts_of: PartsOf) -> Mapping[str, Plan]:
    """The parts of a question by several cohorts: those of each cohort, and of the people in none, side by side.

    People can be in several, so no one column could tell them apart.
    """
    if any(len(one.cohorts) > 1 for one in query.finer):  # What is counted in each of several cohorts does not add up.
        query = replace(query, finer=())
    several = next((one for one in query.by if len(one.cohorts) > 1), None)
    if several is None:
        return parts_of(query)
    rest = tuple(one for one in query.by if one is not several)
    groups = [(name, is_member(name)) for name in several.cohorts]
    groups.append((NONE, negated(any_of(is_in for _, is_in in groups))))
    found: dict[str, list[Plan]] = {}
    for label, is_in in groups:
        alone = replace(query, by=rest, where=all_of([query.where, is_in]))
        for part, plan in parts_of(alone).items():
            columns = (one.name for one in statement_columns(query, families()[query.metric.type])[part])
            labelled = tuple((one, text(label) if one == several.name else Col(one)) for one in columns)
            found.setdefault(part, []).append(Project(plan, labelled))
    return {part: Union(tuple(plans)) for part, plans in found.items()}
