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
    r"active_days|after|amount|anchor_at|anchors_here|at|at_least|average_short|base_rate|before|began|below|bin"
    r"|bucket|candidate|censored|change|closes|cohorts|completed|component|contained|day|days|days_after|degenerate"
    r"|denominator|depth|earlier|ended|entity|entries|entry|events|excluded_at|exits|final_day|first_at|first_copy"
    r"|first_day|first_gap|first_seen|following|from|from_points|full_at|gap|gaps|held|held_day|held_out|horizon"
    r"|inflow|inner|is_over|kind|known_day|last_at|last_day|last_over|lasted|lift|long|lost|mask|mean_ratio"
    r"|median_gap|newest_day|next_at|next_opens|node|number|numerator|observed|opens|outer|outflow|people|place"
    r"|points|present|rank_share|ranked_by|removed_at|return_bucket|returned|returns|rows|run|run_number|score"
    r"|scores|second_day|seen|segment|session|share|since|slot|spells|start_day|started|starts|step|sum_short|then"
    r"|through|tie|to|unobserved|until|value_then|weight|who|window_days"
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
