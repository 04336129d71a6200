"""Warmups are checked when a folder is loaded: at six in the morning nobody is there to mend one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from metrics_api.definitions.loader import Definitions
from metrics_api.definitions.names import Path
from metrics_api.definitions.warmups import WarmupDefinition
from metrics_api.errors import Problem, QueryError
from metrics_api.families import families
from metrics_api.query.bind import bind
from metrics_api.query.limits import Limits
from metrics_api.query.warmups import MOST_QUESTIONS, Planned, planned
from metrics_api.semantic.model import SemanticModel


def warmup_problems(model: SemanticModel, definitions: Definitions, some_day: datetime) -> Iterator[Problem]:
    """What no warmup can ask, with its place."""
    for name, warmup in definitions.warmups.items():
        yield from dict.fromkeys(_of_questions(model, definitions, name, warmup, some_day))


def _of_questions(
    model: SemanticModel, definitions: Definitions, name: str, warmup: WarmupDefinition, some_day: datetime
) -> Iterator[Problem]:
    every = list(islice(planned(model, warmup), MOST_QUESTIONS + 1))
    if len(every) > MOST_QUESTIONS:
        where = definitions.key_span("warmups", name)
        fix = "Make it several, or leave ranges, grains or breakdowns out."
        yield Problem(f"warmup `{name}` asks more than {MOST_QUESTIONS} questions", where, fix)
        return
    for one in every:
        try:
            bind(one.query, model, families(), now=some_day, limits=Limits())
        except QueryError as error:
            whose = "" if one.at[0][0] == "metrics" else f"`{one.name}`: "
            for problem in error.problems:
                where = definitions.span("warmups", name, *_blamed(one, warmup, f"{problem.message} {problem.fix}"))
                yield Problem(f"{whose}{problem.message}", where, problem.fix, problem.code)


def _blamed(one: Planned, warmup: WarmupDefinition, told: str) -> Path:
    """The key that is spoken of, as far as that can be told; else the metric, board or question."""
    for path in reversed(one.at):
        match path:
            case ("breakdowns", int(place)):
                for item, word in enumerate(warmup.breakdowns[place]):
                    if f"`{word}`" in told:
                        return (*path, item)
            case ("grains", int(place)):
                if warmup.grains[place] in told or "grain" in told:
                    return path
            case ("ranges", int(place)):
                if "range" in told or str(warmup.ranges[place].last) in told:
                    return path
            case _:
                return path
    raise AssertionError
