"""Cohorts made of other cohorts: their order, and those in a circle."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

from metrics_api.definitions.loader import Definitions
from metrics_api.definitions.names import Path, references
from metrics_api.errors import Problem


def cohorts_in_order(definitions: Definitions) -> tuple[list[str], list[Problem]]:
    """The cohorts, each after those it is made of; those that are made of themselves are left out and told."""
    made_of = {
        name: {wanted: path for path, reference, wanted in references(one) if reference.kind == "cohort"}
        for name, one in definitions.cohorts.items()
    }
    problems: list[Problem] = []
    left_out: set[str] = set()
    while True:
        graph = {
            name: [one for one in wanted if one in made_of and one not in left_out]
            for name, wanted in made_of.items()
            if name not in left_out
        }
        try:
            ordered = [*TopologicalSorter(graph).static_order()]
            return [name for name in ordered if not left_out & set(made_of[name])], problems
        except CycleError as error:
            members: list[str] = error.args[1][1:][::-1]
            problems.append(_circle(definitions, made_of, members))
            left_out |= set(members)


def _circle(definitions: Definitions, made_of: dict[str, dict[str, Path]], members: Sequence[str]) -> Problem:
    """Cohorts of which each is made of the next, and the last of the first; told where the first written begins it."""
    written = list(definitions.cohorts)
    begin = members.index(min(members, key=written.index))
    circle = (*members[begin:], *members[:begin])
    following = (*circle[1:], circle[0])
    places = [
        definitions.span("cohorts", name, *made_of[name][wanted])
        for name, wanted in zip(circle, following, strict=True)
    ]
    others = f" ({', '.join(map(str, places[1:]))})" if len(places) > 1 else ""
    return Problem(
        f"`{' -> '.join((*circle, circle[0]))}`: a cohort cannot contain itself{others}",
        places[0],
        "Make one of them of something else.",
    )
