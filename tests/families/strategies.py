"""Have the compiler take one strategy of `ActiveDays`, whatever it would choose by itself."""

from __future__ import annotations

from metrics_api.compile.passes import expand_operators
from metrics_api.compile.strategies import Abilities, active_days


class Taking:
    """The strategy of that name wherever its own conditions allow; None: the usual one."""

    def __init__(self, name: str | None) -> None:
        self.name = name

    def __enter__(self) -> None:
        self.original = active_days.expand_active_days
        expand_operators.expand_active_days = self.expand

    def __exit__(self, *_: object) -> None:
        expand_operators.expand_active_days = self.original

    def expand(self, node: active_days.ActiveDays, abilities: Abilities) -> active_days.Plan:
        if self.name is None or node.histogram != (self.name in ("tally", "levels")):
            return self.original(node, abilities)
        if self.name == "bitmap" and 1 + node.windows[-1][2] > abilities.bitmap_days:
            return self.original(node, abilities)
        return active_days.STRATEGIES[self.name](node)
