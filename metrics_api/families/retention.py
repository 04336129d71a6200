"""`retention`: of the people who started in a bucket, how many came back in each interval after it.

How starts and returns become numbers is in `returns`; here is what people write, and what an answer says.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from metrics_api.definitions.base import EntrySelector, MetricDefinition, Refusal, Selector
from metrics_api.errors import Code, Problem, QueryError, did_you_mean
from metrics_api.families.returns import CELL_CHOICE, Cell, Retention, members, parts, ranking
from metrics_api.families.series import measure_named, table_columns
from metrics_api.periods import Duration, Grain
from metrics_api.plan.expr import Type
from metrics_api.plan.nodes import Plan
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Family, Measure, Members, Table
from metrics_api.results import Column
from metrics_api.semantic.model import Metric, Source
from metrics_api.semantic.resolve import Scope

MOST_PERIODS = 366
MOST_CELLS = 50_000
STATES = ("retained", "lost", "all")


class RetentionDefinition(MetricDefinition):
    """Of the people who started in a bucket, how many returned in each interval after their start."""

    type: Literal["retention"]
    start: EntrySelector
    """What begins it: `{event: sign_up, first_ever: true}`."""
    return_: Selector = Field(alias="return")
    """What coming back is: an event, or a value moment."""
    grain: Literal["day", "week", "month", "quarter", "year"] = "week"
    """The buckets people start in, and the intervals they return in; a question may ask for others."""
    periods: int = Field(default=12, ge=1, le=MOST_PERIODS)
    """The last interval; they are counted from 0, that of the start itself."""
    mode: Literal["on", "on_or_after", "on_or_before", "streak"] = "on"
    """A return in the interval; in it or any later; in it or any earlier; in it and every one from the first on."""
    brackets: tuple[int, ...] | None = None
    """The last interval of each bracket: `[1, 3, 7]` is interval 1, intervals 2 and 3, intervals 4 to 7."""
    clock: Literal["calendar", "rolling"] = "calendar"
    """`calendar`: buckets after that of the start; `rolling`: so many times 24 hours after a person's own start."""
    cohort: Literal["first_time", "recurring"] | None = None
    """`first_time`: a person starts once, the first time ever; `recurring`: in every bucket with a start."""
    min_occurrences: int = Field(default=1, ge=1, le=1_000_000)
    """Return events that make an interval one with a return."""
    measure: str = "rate"
    """What `value` is: `rate`, `users`, or of the returns `sum(PROPERTY)`, or `average(PROPERTY)` per person."""

    @model_validator(mode="after")
    def _has_one_kind_of_cells(self) -> Self:
        if self.brackets is None:
            return self
        for other in ("mode", "periods"):
            if other in self.model_fields_set:
                raise Refusal(
                    f"`{other}` and `brackets` are both given", "Keep one of them.", at=("brackets",), on_key=True
                )
        return self


# -- resolving --------------------------------------------------------------------------------------------------------


def resolve(definition: RetentionDefinition, scope: Scope) -> Retention | None:
    start, back = scope.selection(definition.start, "start"), scope.selection(definition.return_, "return")
    cells = _cells(definition, scope)
    first_ever = definition.start.first_ever
    once = start is not None and start.is_once_per(definition.entity)
    if first_ever and definition.cohort == "recurring":
        scope.problem(
            "a first start ever does not recur",
            "cohort",
            fix="Write `cohort: first_time`, or leave `first_ever` out of `start`.",
        )
    value = _value(scope, definition.measure, back.sources) if back is not None else None
    if start is None or back is None or value is None or scope.problems:
        return None
    return Retention(
        start=start,
        back=back,
        grain=Grain(definition.grain),
        cells=cells,
        mode="on" if definition.brackets else definition.mode,
        rolling=definition.clock == "rolling",
        first_time=definition.cohort == "first_time" or (definition.cohort is None and (first_ever or once)),
        once=once,
        min_occurrences=definition.min_occurrences,
        value=value,
    )


def _cells(definition: RetentionDefinition, scope: Scope) -> tuple[Cell, ...]:
    """What is told of each start: by its number, and the intervals it looks at."""
    if definition.brackets is None:
        numbers = range(definition.periods + 1)
        match definition.mode:
            case "on_or_after":
                return tuple(Cell(number, number, definition.periods) for number in numbers)
            case "on_or_before":
                return tuple(Cell(number, 0, number) for number in numbers)
        return tuple(Cell(number, number, number) for number in numbers)
    edges = (0, *definition.brackets)
    if len(edges) == 1:
        scope.problem("no brackets", "brackets", fix="Write the last interval of each: `[1, 3, 7]`.")
    for place, (before, last) in enumerate(itertools.pairwise(edges)):
        if last <= before:
            told = f"{before} before {last}: brackets grow" if place else f"a bracket up to {last}: the first ends at 1"
            scope.problem(told, "brackets", place, fix="Write numbers that grow: `[1, 3, 7]`.")
    if edges[-1] > MOST_PERIODS:
        scope.problem(f"a bracket up to {edges[-1]}; at most {MOST_PERIODS} intervals are looked through", "brackets")
    return (Cell(0, 0, 0), *(Cell(last, before + 1, last) for before, last in itertools.pairwise(edges)))


def _value(scope: Scope, written: str, sources: tuple[Source, ...]) -> Measure | None:
    fixed = {
        "rate": Measure("value", "rate", Type.NUMBER, description="The metric's value: the rate."),
        "users": Measure("value", "users", Type.INTEGER, description="The metric's value: the people."),
    }
    if written in fixed:
        return fixed[written]
    matched = re.fullmatch(r"(sum|average)\(\s*([a-z_0-9]+)\s*\)", written.strip())
    if matched is None:
        scope.problem(
            f"`{written}` is not a measure of retention",
            "measure",
            fix="Write `rate`, `users`, `sum(PROPERTY)` or `average(PROPERTY)`.",
        )
        return None
    found = measure_named(f"{matched[1]}_{matched[2]}", sources)
    if found is None:
        numeric = [one.name for one in sources[0].properties.values() if one.type.is_numeric]
        fix = did_you_mean(matched[2], numeric, what="numeric properties")
        scope.problem(f"`{written}`: `{matched[2]}` is not one of the numeric properties", "measure", fix=fix)
        return None
    told = "by the people retained" if matched[1] == "average" else "in all"
    words = f"The metric's value: {matched[2]} of the returns, {told}."
    return Measure("value", matched[1], found.type, found.measured, description=words)


# -- questions --------------------------------------------------------------------------------------------------------


def check(query: BoundQuery) -> None:
    spec: Retention = query.metric.spec
    name = query.metric.name
    if query.grain is Grain.HOUR:
        raise QueryError(f"{name}: retention is counted in whole days", fix="Ask for `grain: day` or coarser.")
    if (cells := len(query.periods) * len(spec.cells)) > MOST_CELLS:
        raise QueryError(
            Problem(
                f"{name}: {len(query.periods):,} buckets of {len(spec.cells)} cells are {cells:,}; at most "
                f"{MOST_CELLS:,} are answered",
                fix="Ask for a shorter range or a coarser grain.",
                code=Code.LIMIT_EXCEEDED,
            )
        )
    start, index = query.chosen.get("start"), query.chosen.get(CELL_CHOICE)
    labels = [str(one.label) for one in query.periods]
    problems = []
    if start is not None and str(start) not in labels:
        fix = f"The {query.grain}s asked for begin on {labels[0]}" + (f" to {labels[-1]}." if labels[1:] else ".")
        problems.append(Problem(f"{name}: no bucket begins on {start}", fix=fix, code=Code.QUERY_INVALID))
    known = [cell.index for cell in spec.cells]
    if index is not None and index not in known:
        listed = ", ".join(map(str, known)) if len(known) < 8 else f"0 to {known[-1]}"
        problems.append(
            Problem(f"{name}: there is no cell {index}", fix=f"There are {listed}.", code=Code.QUERY_INVALID)
        )
    if problems:
        raise QueryError(problems)


def choices(metric: Metric) -> Mapping[str, tuple[str, ...] | Type]:
    return {"start": Type.DATE, CELL_CHOICE: Type.INTEGER, "state": STATES}


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    return parts(query)


SIZE = Column("size", Type.INTEGER, description="People who started.")
USERS = Column(
    "users", Type.INTEGER, nullable=True, description="Of these, people who returned; null until it is over."
)
RATE = Column("rate", Type.NUMBER, nullable=True, description="`users` by `size`; null until it is over.")
INDEX = Column("period_index", Type.INTEGER, description="The interval after the start, from 0; a bracket's last one.")
TABLES = {
    "cells": Table(
        (Column("start", Type.DATE, description="The bucket in which people started."), INDEX),
        (
            SIZE,
            USERS,
            RATE,
            Column("complete", Type.BOOLEAN, description="Whether everybody has had the whole interval."),
        ),
        "A row for each bucket of starts, interval and group.",
        measured=True,
    ),
    "average": Table(
        (INDEX,),
        (
            Column("size", Type.INTEGER, description="People who started, of the complete cells."),
            Column("users", Type.INTEGER, nullable=True, description="Of these, people who returned."),
            Column("rate", Type.NUMBER, nullable=True, description="`users` by `size`: large cohorts weigh more."),
            Column("cohorts", Type.INTEGER, description="Buckets of starts whose cell is complete."),
        ),
        "A row for each interval and group, over all complete cells.",
        measured=True,
    ),
}


def columns(query: BoundQuery) -> Mapping[str, tuple[Column, ...]]:
    return table_columns(query, TABLES)


def conventions(metric: Metric, within: Duration | None = None) -> tuple[str, ...]:
    spec: Retention = metric.spec
    once = "A person starts once: with the first such event ever."
    again = "A person starts in every bucket with a start, at the first one in it."
    calendar = "Interval j is the j-th bucket after that of the start."
    rolling = "Interval j begins j times 24 hours after the start (weeks 7, months 30, quarters 90, years 365 days)."
    modes = {
        "on": "A cell is those with a return in its interval.",
        "on_or_after": "A cell is those with a return in its interval or later, until data through: it still grows.",
        "on_or_before": "A cell is those with a return in its interval or earlier.",
        "streak": "A cell is those with a return in each interval from 1 to its own.",
    }
    least = (f"An interval counts with {spec.min_occurrences} returns.",) if spec.min_occurrences > 1 else ()
    return (
        once if spec.first_time else again,
        rolling if spec.rolling else calendar,
        "The brackets' last intervals are the cells' numbers." if spec.in_brackets else modes[spec.mode],
        *least,
        "Returns are later than the start; they may come after the range. Cells that are not over are null.",
        "Average: over complete cells, all who returned by all who started.",
    )


FAMILY = Family(
    definition=RetentionDefinition,
    shape="retention",
    parts=("cells", "average"),
    resolve=resolve,
    selections=lambda spec: (spec.start, spec.back),
    is_engagement=lambda spec: spec.back.is_value_moment,
    measures=lambda metric: (metric.spec.value,),
    measure=lambda metric, name: metric.spec.value if name == "value" else None,
    default_measures=("value",),
    columns=columns,
    plan=plan,
    conventions=conventions,
    usual_value=Type.NUMBER,
    tables=TABLES,
    members=Members(choices, members, fixed=("state",)),
    ranking=ranking,
    grain=lambda metric: metric.spec.grain,
    check=check,
    example="""\
weekly_retention:
  type: retention
  start: {event: sign_up, first_ever: true}
  return: {on: videos_watched}
  grain: week
  periods: 12
""",
)
