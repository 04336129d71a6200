"""Logical operators become relational plans, by the strategy that suits the engine."""

from __future__ import annotations

from metrics_api.compile.strategies import Abilities
from metrics_api.compile.strategies.active_days import expand_active_days
from metrics_api.compile.strategies.attendance import expand_attendance
from metrics_api.compile.strategies.journey import expand_journey
from metrics_api.compile.strategies.scores import expand_scores
from metrics_api.plan.nodes import ActiveDays, Attendance, Journey, Plan, Scores
from metrics_api.plan.walk import rewrite


def expand_operators(plan: Plan, abilities: Abilities) -> Plan:
    """Every logical operator as relational nodes; all strategies of one operator give the same rows."""

    def rule(node: Plan) -> Plan:
        match node:
            case ActiveDays():
                return expand_active_days(node, abilities)
            case Scores():
                return expand_scores(node, abilities)
            case Attendance():
                return expand_attendance(node, abilities)
            case Journey():
                return expand_journey(node, abilities)
        return node

    return rewrite(plan, rule)
