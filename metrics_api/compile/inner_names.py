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
    r"active_days|amount|at|at_least|bucket|change|closes|degenerate|day|days|days_after|denominator|depth|earlier|entity|entry|events|first_copy|held_day"
    r"|first_day|following|from|is_over|known_day|last_day|lift|long|mask|newest_day|mean_ratio|next_at|next_opens|number|numerator|opens|people|place|ranked_by|rows|share|spells"
    r"|score|since|step|tie|then|through|to|until|value_then|weight|who|window_days|average_short|sum_short"
    r"|(from|to)_position|(at|by|has|known|score|count_of|entry|events|in|input|is|mature|max_of|min_of|of|own|reached|rows|sum_of|top)_.+"
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
