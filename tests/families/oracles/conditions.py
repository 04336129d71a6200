"""Small conditions over properties: what they mean, and how the YAML files write them."""

from collections.abc import Sequence
from math import isfinite
from typing import Literal, TypeAlias, assert_never

from families.oracles.world import Event, Selector, number_of, value_of

Value: TypeAlias = str | int | float | bool
Comparator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]
Condition: TypeAlias = (
    tuple[Comparator, str, Value]
    | tuple[Literal["in"], str, Sequence[Value]]
    | tuple[Literal["is_null"], str]
    | tuple[Literal["and", "or"], "Condition", "Condition"]
    | tuple[Literal["not"], "Condition"]
)


def evaluate(condition: Condition, event: Event) -> bool:
    """Whether a condition holds for an event, always true or false.

    RULES 11: conditions are two-valued; a comparison with null is false, `!=` includes null, and `not` flips, so that
    `not (x = 1)` holds for a null x.
    """
    match condition:
        case ("and", left, right):
            return evaluate(left, event) and evaluate(right, event)
        case ("or", left, right):
            return evaluate(left, event) or evaluate(right, event)
        case ("not", inner):
            return not evaluate(inner, event)
        case ("is_null", name):
            return value_of(event, name) is None
        case ("in", name, choices):
            value = value_of(event, name)
            return value is not None and value in choices
        case ("=", name, wanted):
            value = value_of(event, name)
            return value is not None and value == wanted
        case ("!=", name, wanted):
            value = value_of(event, name)
            return value is None or value != wanted
        case (("<" | "<=" | ">" | ">=") as comparator, name, bound):
            # Order is tested on numbers only: engines collate text differently.
            number = number_of(event, name)
            return number is not None and is_ordered(number, comparator, bound)
        case _:
            raise ValueError(f"not a condition: {condition!r}")


def is_ordered(number: float, comparator: Literal["<", "<=", ">", ">="], bound: Value) -> bool:
    """Whether `number comparator bound` holds."""
    if isinstance(bound, bool | str):
        raise TypeError(f"not a number: {bound!r}")
    match comparator:
        case "<":
            return number < bound
        case "<=":
            return number <= bound
        case ">":
            return number > bound
        case ">=":
            return number >= bound
        case _:
            assert_never(comparator)


def selector_of(condition: Condition) -> Selector:
    """The condition as a selector."""
    return lambda event: evaluate(condition, event)


def to_sql(condition: Condition) -> str:
    """The condition in the short SQL dialect of the YAML files."""
    match condition:
        case (("and" | "or") as word, left, right):
            return f"({to_sql(left)}) {word.upper()} ({to_sql(right)})"
        case ("not", inner):
            return f"NOT ({to_sql(inner)})"
        case ("is_null", name):
            return f"{name} IS NULL"
        case ("in", name, choices):
            return f"{name} IN ({', '.join(literal(choice) for choice in choices)})"
        case (comparator, name, value):
            return f"{name} {comparator} {literal(value)}"
        case _:
            raise ValueError(f"not a condition: {condition!r}")


def literal(value: Value) -> str:
    """A value as a SQL literal."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if not isfinite(value):
        raise ValueError(f"no literal for {value!r}")
    return repr(value)
