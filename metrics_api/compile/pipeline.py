"""From a bound question to a statement: plan, passes, lowering, text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from metrics_api.compile.cohorts import with_cohorts_of_each_bucket, with_each_cohort, with_memberships
from metrics_api.compile.comparison import with_previous
from metrics_api.compile.groups import with_ranking, with_subtotals
from metrics_api.compile.inner_names import with_inner_names, with_own_names
from metrics_api.compile.members import with_members
from metrics_api.compile.passes.apply_exclusion import apply_exclusion
from metrics_api.compile.passes.expand_operators import expand_operators
from metrics_api.compile.passes.inline_rows import inline_rows
from metrics_api.compile.passes.prune_columns import prune_columns
from metrics_api.compile.passes.restrict_time import restrict_time
from metrics_api.compile.strategies import Abilities
from metrics_api.families import families
from metrics_api.families.relations import combined, ordered
from metrics_api.plan.fingerprint import fingerprint
from metrics_api.plan.nodes import Plan
from metrics_api.query.bind import MEMBER_COUNT, MEMBERS, BoundQuery, statement_columns
from metrics_api.query.limits import MOST_COUNTS
from metrics_api.results import Column
from metrics_api.semantic.examples import Rows
from metrics_api.sql.dialect import Dialect
from metrics_api.sql.lower import lower
from metrics_api.sql.render import render

Pass: TypeAlias = Callable[[Plan], Plan]


def passes(abilities: Abilities) -> tuple[Pass, ...]:
    """What happens to every plan, in order."""
    return (
        apply_exclusion,  # first, so that whatever rows a family reads are already those the project counts
        restrict_time,  # below everything: bounds belong to the scan, or no warehouse prunes
        partial(expand_operators, abilities=abilities),  # strategies are forms of what the others have settled
        prune_columns,  # last: it is known who reads what
    )


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled question: its text, and how to read what comes back."""

    sql: str
    fingerprint: str
    parts: Mapping[str, tuple[Column, ...]]
    plan: Plan
    """As planned, before the passes: what `explain` tells."""


def plan_of(query: BoundQuery) -> Plan:
    """What a question means, with no word about any engine."""
    family = families()[query.metric.type]
    inner, names = with_inner_names(with_memberships(query))

    def of_people(asked: BoundQuery) -> Mapping[str, Plan]:
        parts = family.plan(asked)
        return parts if asked.compare is None else with_previous(asked, family, parts)

    def parts_of(asked: BoundQuery) -> Mapping[str, Plan]:
        return with_each_cohort(asked, of_people)

    columns = statement_columns(query, family)
    if query.parts[0] in (MEMBERS, MEMBER_COUNT):
        parts: Mapping[str, Plan] = with_members(inner, family)
    else:
        ranked = with_ranking(inner, family)
        parts = with_cohorts_of_each_bucket(ranked, lambda asked: with_subtotals(asked, parts_of))
    named = {part: with_own_names(plan, names) for part, plan in parts.items()}
    counted = family.finish.columns(query) if family.finish is not None else ()
    limits = {part: MOST_COUNTS if part in counted else None for part in named}
    return combined({part: ordered(query, plan, columns[part], limits[part]) for part, plan in named.items()}, columns)


def rewritten(plan: Plan, dialect: Dialect, tables: Mapping[str, Rows] | None = None) -> Plan:
    """The plan after all passes: relational nodes only."""
    for one in passes(Abilities(dialect.bitmap_days, dialect.has_asof, dialect.counts_bits)):
        plan = one(plan)
    return plan if tables is None else inline_rows(plan, tables)


def compile_query(query: BoundQuery, dialect: Dialect, tables: Mapping[str, Rows] | None = None) -> Statement:
    """The statement that answers a question on an engine. Raises UnsupportedByEngine, and nothing else.

    With `tables` (all that are read) it holds their rows itself, and asks the warehouse for none.
    """
    plan = plan_of(query)
    mark = fingerprint(plan)
    text = render(
        lower(rewritten(plan, dialect, tables), dialect),
        dialect,
        comment=f"metrics-api metric={query.metric.name} fingerprint={mark}",
    )
    return Statement(text, mark, statement_columns(query, families()[query.metric.type]), plan)
