"""By what the members behind a number are chosen: words of a list, or values of a type, also where written as text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from metrics_api.definitions.examples import Unreadable, read_value
from metrics_api.errors import Code, Problem, did_you_mean
from metrics_api.plan.expr import Type
from metrics_api.semantic.expressions import a

Chosen = tuple[tuple[str, str | int | date], ...]


def read_choices(
    of: Chosen, choices: Mapping[str, tuple[str, ...] | Type], metric: str
) -> tuple[Chosen, list[Problem]]:
    """What is chosen, in the types of the choices; and what cannot be."""
    read: dict[str, str | int | date] = {}
    problems: list[Problem] = []
    for name, value in of:
        if name not in choices:
            fix = did_you_mean(name, choices, what="choices")
            message = f"{metric}: members cannot be chosen by `{name}`"
            problems.append(Problem(message, fix=fix, code=Code.UNKNOWN_NAME))
            continue
        try:
            read[name] = _read(name, value, choices[name])
        except Unreadable as error:
            problems.append(Problem(f"{metric}: {error.message}", fix=error.fix, code=Code.QUERY_INVALID))
    return tuple(read.items()), problems


def wrong_choice(name: str, value: object, choices: tuple[str, ...] | Type) -> tuple[str, str | None] | None:
    """What is wrong with a choice of members, and the remedy."""
    try:
        _read(name, value, choices)
    except Unreadable as error:
        return error.message, error.fix
    return None


def _read(name: str, value: object, choices: tuple[str, ...] | Type) -> str | int | date:
    """The value; raises Unreadable."""
    if isinstance(choices, tuple):
        if isinstance(value, str) and value in choices:
            return value
        raise Unreadable(f"there is no {name} `{value}`", did_you_mean(str(value), choices, what=f"values of `{name}`"))
    wanted = date if choices is Type.DATE else int
    try:
        found = read_value(value, str(choices)) if isinstance(value, str) else value
    except Unreadable as error:
        raise Unreadable(f"`{name}` is {a(choices)}; `{value}` is not", error.fix) from None
    if isinstance(found, wanted) and not isinstance(found, bool | datetime):
        return found
    raise Unreadable(f"`{name}` is {a(choices)}; `{value}` is not")
