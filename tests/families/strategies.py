"""Have the compiler take one strategy of an operator, whatever it would choose by itself."""

from __future__ import annotations

from dataclasses import replace

from metrics_api.compile.passes import expand_operators
from metrics_api.compile.strategies import Abilities, active_days, attendance, journey, scores
from metrics_api.plan.nodes import ActiveDays, Attendance, Plan, Scores


class Taking:
    """The strategy of that name wherever its conditions allow; None: the usual one. `words`: bits in many numbers."""

    def __init__(self, name: str | None) -> None:
        self.name = name

    def __enter__(self) -> None:
        self.of_days, self.of_scores = active_days.expand_active_days, scores.expand_scores
        expand_operators.expand_active_days = self.active_days
        expand_operators.expand_scores = self.scores

    def __exit__(self, *_: object) -> None:
        expand_operators.expand_active_days = self.of_days
        expand_operators.expand_scores = self.of_scores

    def active_days(self, node: ActiveDays, abilities: Abilities) -> Plan:
        is_too_wide = self.name == "bitmap" and 1 + node.windows[-1][2] > abilities.bitmap_days
        if self.name not in active_days.STRATEGIES or is_too_wide:
            return self.of_days(node, abilities)
        return active_days.STRATEGIES[self.name](node)

    def scores(self, node: Scores, abilities: Abilities) -> Plan:
        if self.name == "words":
            few = replace(abilities, bitmap_days=min(abilities.bitmap_days, 5))
            fits = node.of == "flags" or (node.of == "days" and abilities.counts_bits)
            return scores.bits(node, few) if fits and few.bitmap_days else self.of_scores(node, abilities)
        if self.name == "bits" and scores.can_be_bits(node, abilities):
            return scores.bits(node, abilities)
        if self.name not in scores.STRATEGIES:
            return self.of_scores(node, abilities)
        return scores.STRATEGIES[self.name](node)


class Attending:
    """The same of `Attendance`; None: the usual one."""

    def __init__(self, name: str | None) -> None:
        self.name = name

    def __enter__(self) -> None:
        self.original = attendance.expand_attendance
        expand_operators.expand_attendance = self.expand

    def __exit__(self, *_: object) -> None:
        expand_operators.expand_attendance = self.original

    def expand(self, node: Attendance, abilities: Abilities) -> Plan:
        if self.name is None or (self.name == "bitmap" and node.places > abilities.bitmap_days):
            return self.original(node, abilities)
        return attendance.STRATEGIES[self.name](node)


class TakingJourney:
    """The strategy of `Journey` of that number, among those that are exact for the journey on the engine."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __enter__(self) -> None:
        self.original = expand_operators.expand_journey
        expand_operators.expand_journey = self.expand

    def __exit__(self, *_: object) -> None:
        expand_operators.expand_journey = self.original

    def expand(self, node: journey.Journey, abilities: Abilities) -> journey.Plan:
        exact = sorted(journey.exact_for(node) - (set() if abilities.has_asof else journey.BY_ASOF))
        return journey.STRATEGIES[exact[self.number % len(exact)]](node)
