"""Ratios and derived metrics: arithmetic over the answers of other oracles, cell by cell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Labels: TypeAlias = tuple[str, ...]
Key: TypeAlias = tuple[object, Labels]
"""A bucket's label (None: the whole range) and the labels of a group."""
Formula: TypeAlias = str | float | tuple[str, "Formula", "Formula"]
"""A name, a number, or `("/", left, right)`."""


@dataclass(frozen=True)
class Numbers:
    """The cells that one input has. `missing` is what it is taken to be where it has none."""

    cells: Mapping[Key, float | None]
    missing: Callable[[Key], float | None]

    def at(self, key: Key) -> float | None:
        return self.cells[key] if key in self.cells else self.missing(key)


def derived(formula: Formula, inputs: Mapping[str, Numbers]) -> Mapping[Key, float | None]:
    """The formula in every cell that any of the inputs has (RULES 19)."""
    every = {key for name in names(formula) for key in inputs[name].cells}
    return {key: calculated(formula, {name: one.at(key) for name, one in inputs.items()}) for key in every}


def calculated(formula: Formula, numbers: Mapping[str, float | None]) -> float | None:
    """Null if any number that is needed is null, or where something is divided by 0."""
    if isinstance(formula, str):
        return numbers[formula]
    if not isinstance(formula, tuple):
        return formula
    operator, *sides = formula
    left, right = (calculated(side, numbers) for side in sides)
    if left is None or right is None:
        return None
    if operator == "/":
        return None if right == 0 else left / right
    return {"+": left + right, "-": left - right, "*": left * right}[operator]


def names(formula: Formula) -> set[str]:
    """The inputs that a formula reads."""
    if isinstance(formula, tuple):
        return names(formula[1]) | names(formula[2])
    return {formula} if isinstance(formula, str) else set()


def written(formula: Formula) -> str:
    """As people write it, every pair in parentheses."""
    if isinstance(formula, tuple):
        return f"({written(formula[1])} {formula[0]} {written(formula[2])})"
    return str(formula)
