"""How logical operators are computed. All strategies of one operator live in one file and share its contract."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Abilities:
    """What an engine is good at; decides which strategy is taken. The plan still knows no dialect."""

    bitmap_days: int
    has_asof: bool
    counts_bits: bool = False
