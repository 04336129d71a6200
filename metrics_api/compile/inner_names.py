"""Breakdowns that are called as a column on the way to the answer: `entity`, `day`, `events`.

Inside the plan such a breakdown has another name; the answer has its own. A test holds the names here against every
column of every family's plans.
"""

from __future__ import annotations

import re
from dataclasses import replace

from metrics_api.plan.expr import Col
from metrics_api.plan.nodes import Plan, Project, output
from metrics_api.query.bind import BoundQuery

INNER = re.compile(
    r"active_days|after|amount|at|at_least|average_short|base_rate|before|bin|bucket|candidate|censored|change|closes"
    r"|cohorts|completed|contained|day|days|days_after|degenerate|denominator|depth|earlier|entity|entries|entry"
    r"|events|excluded_at|final_day|first_at|first_copy|first_day|first_gap|first_seen|following|from|gap|gaps|held"
    r"|held_day|held_out|horizon|is_over|kind|known_day|last_at|last_day|last_over|lasted|lift|long|lost|mask"
    r"|mean_ratio|median_gap|newest_day|next_at|next_opens|number|numerator|observed|opens|people|place|ranked_by"
    r"|removed_at|return_bucket|returned|returns|rows|score|scores|second_day|seen|segment|session|share|since|slot"
    r"|spells|start_day|started|step|sum_short|then|through|tie|to|unobserved|until|value_then|weight|who|window_days"
    r"|(from|to)_position|later_(lost|returned)"
    r"|(at|by|count_of|entry|events|has|in|input|is|known|mature|max_of|min_of|of|own|reached|rows|score"
    r"|sum_of|top)_.+"
    r"|.+_(then|here|\d+)"
)
"""The names that columns on the way to an answer can have."""


def with_inner_names(query: BoundQuery) -> tuple[BoundQuery, dict[str, str]]:
    """The question with other names for the breakdowns that need one, and what they are called in the answer."""
    names = {one.name: f"by_{one.name}" for one in query.by if INNER.fullmatch(one.name)}
    if not names:
        return query, {}
    by = tuple(replace(one, name=names.get(one.name, one.name)) for one in query.by)
    return replace(query, by=by), {inner: name for name, inner in names.items()}


def with_own_names(plan: Plan, names: dict[str, str]) -> Plan:
    """The rows with the columns of the answer."""
    if not names:
        return plan
    return Project(plan, tuple((names.get(name, name), Col(name)) for name in output(plan)))
