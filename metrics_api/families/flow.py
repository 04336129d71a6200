"""`flow`: what people do after (and before) an anchor, step by step; also those whom a funnel lost.

How the paths are found is in `paths`; here is what people write, and what is told of the paths.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from metrics_api.definitions.base import DurationField, EntrySelector, MetricDefinition, Selector
from metrics_api.definitions.names import EventName, Identifier, MetricName, Path, SourceName
from metrics_api.definitions.refusal import Refusal
from metrics_api.errors import Code, Problem, QueryError, did_you_mean
from metrics_api.families import flow_plans
from metrics_api.families.journeys import Funnel
from metrics_api.families.paths import END, START, Dropped, Flow, node_at, paths_of
from metrics_api.families.series import table_columns
from metrics_api.periods import DAY, Duration
from metrics_api.plan.expr import (
    TRUE,
    Agg,
    Type,
    all_of,
    negated,
)
from metrics_api.plan.nodes import Aggregate, Plan, keep
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Family, Finish, Measure, Table
from metrics_api.query.metric_query import Last
from metrics_api.results import Column
from metrics_api.semantic.expressions import personal_refusal
from metrics_api.semantic.model import Alternative, Event, Metric, Selection, Source, fields_of, personal_of
from metrics_api.semantic.resolve import Scope

MOST_STEPS = 5
MOST_NODES = 50
MOST_PATHS = 1_000


class Anchor(EntrySelector):
    """What paths start from: an event or value moment, or having been lost by a funnel."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["event"]}, {"required": ["on"]}, {"required": ["funnel"]}]}
    )

    funnel: MetricName | None = None
    """Instead of an event, a funnel: what did the people do whom it lost?"""
    dropped_at: Identifier | None = None
    """The step of the funnel they did not come to in time; they are followed from the step before it."""

    @classmethod
    def noun(cls) -> str:
        return "an anchor"

    @model_validator(mode="after")
    def _has_one_name(self) -> Self:
        given = [name for name in ("event", "on", "funnel") if getattr(self, name) is not None]
        if not given:
            fix = "Write `event: NAME`, `on: NAME` for an event or a value moment, or `funnel: NAME, dropped_at: STEP`."
            raise Refusal("says neither `event`, `on` nor `funnel`", fix)
        if len(given) > 1:
            raise Refusal(f"`{given[0]}` and `{given[1]}` are both given", "Keep one.", at=(given[1],), on_key=True)
        if self.dropped_at is not None and self.funnel is None:
            fix = "Leave it out, or write `funnel`."
            raise Refusal("`dropped_at` is given without `funnel`", fix, at=("dropped_at",), on_key=True)
        if self.funnel is not None and self.dropped_at is None:
            raise Refusal("does not say which step people were lost at", "Write `dropped_at: STEP`.")
        for name in ("where", "first_ever") if self.funnel is not None else ():
            if getattr(self, name):
                fix = "Leave it out: the funnel says who counts."
                raise Refusal(f"`{name}` is given beside `funnel`", fix, at=(name,), on_key=True)
        return self


class FlowDefinition(MetricDefinition):
    """What people do next, or did before: the ways from an anchor, step by step."""

    type: Literal["flow"]
    anchor: Anchor
    """What paths start from: an event, a value moment, or `{funnel: activation, dropped_at: watched}`."""
    after: int = Field(default=3, ge=0)
    """How many steps are followed after the anchor, at most 5."""
    before: int = Field(default=0, ge=0)
    """How many steps are looked back before the anchor, at most 5."""
    node: str = "event"
    """What a step is called by: `event`, or a property's name, such as a screen."""
    top: int = 8
    """How many nodes are told of each column; the rest is `(other)`."""
    count: Literal["users", "totals"] = "users"
    """`users`: each person's path from the first anchor of the range; `totals`: a path from every anchor."""
    collapse: bool = True
    """Whether consecutive events of one node are one."""
    source: SourceName | None = None
    """The source all events of which are steps; that of the anchor unless said."""
    events: tuple[EventName, ...] | None = Field(default=None, min_length=1)
    """Instead of `source`, the events that are steps; the anchor's own always are."""
    hide: tuple[EventName, ...] = ()
    """Events that are no steps, such as heartbeats."""
    session_gap: DurationField | None = None
    """A path ends where nothing happens for longer than this."""
    within: DurationField = Field(default=Duration(30, "day"))
    """How far from the anchor steps are, at most, inclusive; a day is 24 hours."""
    paths: int = 50
    """How many of the commonest paths are told, of each group."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.source is not None and self.events is not None:
            raise Refusal("`source` and `events` are both given", "Keep one.", at=("events",), on_key=True)
        if self.hide and self.events is not None:
            fix = "Name what is a step below `events`, or leave it out and `hide` the rest."
            raise Refusal("`hide` is given beside `events`", fix, at=("hide",), on_key=True)
        return self


# -- resolving --------------------------------------------------------------------------------------------------------


def resolve(definition: FlowDefinition, scope: Scope) -> Flow | None:
    _check_numbers(definition, scope)
    anchor, dropped = _anchor(definition, scope)
    if anchor is None:
        return None
    steps = _steps(definition, scope, anchor)
    if steps is None:
        return None
    node = None if definition.node == "event" else definition.node
    if node is not None:
        _check_node(node, steps.sources, scope)
    if scope.problems:
        return None
    return Flow(
        anchor=anchor,
        anchor_name=anchor.name if dropped is None else dropped.name,
        dropped=dropped,
        first_ever=definition.anchor.first_ever,
        steps=steps,
        after=definition.after,
        before=definition.before,
        node=node,
        top=definition.top,
        totals=definition.count == "totals",
        collapse=definition.collapse,
        session_gap=definition.session_gap,
        within=definition.within,
        paths=definition.paths,
    )


def _check_numbers(definition: FlowDefinition, scope: Scope) -> None:
    for name in ("after", "before"):
        if (steps := getattr(definition, name)) > MOST_STEPS:
            fix = f"Write {MOST_STEPS} or less, or name a later event as the anchor of a flow of its own."
            scope.problem(f"{steps} steps {name} the anchor; at most {MOST_STEPS} are followed", name, fix=fix)
    if definition.after + definition.before == 0:
        name = "after" if "after" in definition.model_fields_set else "before"
        scope.problem("a flow of no steps", name, fix="Write `after: 3`, or `before: 3`.")
    for name, most in (("top", MOST_NODES), ("paths", MOST_PATHS)):
        if not 1 <= (wanted := getattr(definition, name)) <= most:
            scope.problem(
                f"{wanted:,} {'nodes of each column' if name == 'top' else name}; it can be 1 to {most:,}", name
            )
    if definition.count == "totals" and definition.anchor.first_ever:
        scope.problem("a person has one first anchor ever: totals are users", "count", fix="Leave out `count`.")
    if definition.count == "totals" and definition.anchor.funnel is not None:
        scope.problem("a funnel loses people, and each of them once", "count", fix="Leave out `count`.")


def _anchor(definition: FlowDefinition, scope: Scope) -> tuple[Selection | None, Dropped | None]:
    """The events that paths start from; and the funnel that tells of which of them."""
    if definition.anchor.funnel is None:
        found = scope.selection(definition.anchor, "anchor")
        if found is not None and found.name in definition.hide:
            place = definition.hide.index(found.name)
            scope.problem(f"`{found.name}` is hidden, and paths start from it", "hide", place, fix="Leave it out.")
        return found, None
    funnel = scope.metric(definition.anchor.funnel)
    if funnel is None:  # What is wrong with it is told where it stands.
        return None, None
    dropped = _dropped(definition, scope, funnel)
    return (None, None) if dropped is None else (dropped.selection, dropped)


def _dropped(definition: FlowDefinition, scope: Scope, metric: Metric) -> Dropped | None:
    step, spec = definition.anchor.dropped_at, metric.spec
    assert step is not None
    if not isinstance(spec, Funnel):
        scope.problem(f"`{metric.name}` is {metric.definition.noun()}, not a funnel", "anchor", "funnel")
        return None
    if metric.entity != definition.entity:
        told = f"`{metric.name}` counts {metric.entity}s, and this {definition.entity}s"
        scope.problem(told, "anchor", "funnel", fix=f"Write `entity: {metric.entity}`.")
    if spec.grace is not None:
        told = f"`{metric.name}` has a grace: its steps are not where they were recorded"
        scope.problem(told, "anchor", "funnel", fix="Name a funnel without `grace`.")
    if step not in spec.names:
        fix = did_you_mean(step, spec.names, what=f"steps of {metric.name}")
        told = f"`{metric.name}` has no step `{step}`"
        scope.problem(told, "anchor", "dropped_at", fix=fix, code=Code.UNKNOWN_NAME)
        return None
    place = spec.names.index(step) + 1
    if place == 1:
        fix = f"Name a later step, such as `{spec.names[1]}`."
        scope.problem(f"nobody is lost at `{step}`, the first step", "anchor", "dropped_at", fix=fix)
        return None
    return Dropped(metric, place)


def _steps(definition: FlowDefinition, scope: Scope, anchor: Selection) -> Selection | None:
    """The events that are steps, the anchor's among them."""
    alternatives: list[Alternative] = []
    if definition.events is not None:
        found = [scope.selection(Selector(event=one)) for one in definition.events]
        alternatives += [one for selection in found if selection is not None for one in selection.alternatives]
    else:
        named = None if definition.source is None else scope.source(definition.source)
        if definition.source is not None and named is None:
            return None
        sources = anchor.sources if named is None else (named,)
        hidden = _hidden(definition, scope, sources)
        for source in sources:
            shown = all_of(negated(one.event.match) for one in hidden if one.event.source is source)
            alternatives.append(Alternative(Event(source.name, source, shown, None), TRUE))
    every = dict.fromkeys((*alternatives, *anchor.alternatives))
    return Selection("steps", tuple(every), is_value_moment=False)


def _hidden(definition: FlowDefinition, scope: Scope, sources: Sequence[Source]) -> list[Alternative]:
    found: list[Alternative] = []
    for place, written in enumerate(definition.hide):
        one = scope.selection(Selector(event=written))
        if one is None:
            continue
        if not set(one.sources) <= set(sources):
            names = ", ".join(f"`{source.name}`" for source in sources)
            scope.problem(f"`{written}` is not an event of source {names}", "hide", place, fix="Leave it out.")
        found += one.alternatives
    return found


def _check_node(node: str, sources: Sequence[Source], scope: Scope) -> None:
    known, personal = fields_of(sources), personal_of(sources)
    if node in personal:
        refused = personal_refusal(node)
        scope.problem(refused.message, "node", fix=refused.fix)
    elif node not in known:
        fix = did_you_mean(node, ["event", *known], what="properties")
        scope.problem(f"there is no property `{node}` to call steps by", "node", fix=fix, code=Code.UNKNOWN_NAME)


def inputs(definition: FlowDefinition) -> Sequence[tuple[Path, str]]:
    return () if definition.anchor.funnel is None else ((("anchor", "funnel"), definition.anchor.funnel),)


def usual_range(metric: Metric) -> Last | None:
    """Of the people lost by a funnel twice its window: of the later half nobody is lost yet."""
    spec: Flow = metric.spec
    if spec.dropped is None:
        return None
    funnel: Funnel = spec.dropped.funnel.spec
    return Last(Duration(max(-(-2 * funnel.within.elapsed // DAY), 1), "day"))


# -- measures: times are computed only when asked for ------------------------------------------------------------------

_TIMES = re.compile(r"seconds_(average|median|min|max|p([1-9]|[1-9][0-9]))")
_OFFERED = tuple(f"seconds_{stat}" for stat in ("average", "median", "p25", "p75", "p90"))


def measure(metric: Metric, name: str) -> Measure | None:
    if not (matched := _TIMES.fullmatch(name)):
        return None
    stat = matched[1]
    fraction = "0.5" if stat == "median" else str(Decimal(matched[2]) / 100) if matched[2] else None
    return Measure(name, stat, Type.NUMBER, None, fraction, f"Seconds from the one node to the other: {stat}.")


def measures(metric: Metric) -> tuple[Measure, ...]:
    return tuple(one for name in _OFFERED if (one := measure(metric, name)))


# -- parts ------------------------------------------------------------------------------------------------------------

PARTS = {"rows": flow_plans.rows, "nodes": flow_plans.nodes, "paths": flow_plans.commonest}


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    return {part: PARTS[part](query) for part in query.parts}


def finished(query: BoundQuery, part: str, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The paths in words: where they begin and end is told where less than all their steps are there."""
    spec: Flow = query.metric.spec

    def told(row: Mapping[str, Any]) -> str:
        before = [row[f"step_{node_at(one)}"] for one in range(-spec.before, 0)]
        after = [row[f"step_{node_at(one)}"] for one in range(1, spec.after + 1)]
        words = [START] if None in before else []
        words += [one for one in (*before, spec.anchor_name, *after) if one is not None]
        return " > ".join([*words, *([END] if None in after else [])])

    return [{**row, "path": told(row)} for row in rows]


def ranking(query: BoundQuery) -> tuple[Plan, str]:
    """Groups are ranked by their paths."""
    by = keep(*(one.name for one in query.by))
    return Aggregate(paths_of(query), by, (("users", Agg("count_rows")),)), "users"


def check(query: BoundQuery) -> None:
    for one in query.by:
        if one.name in _OWN:
            fix = f"Call the property otherwise: `event_{one.name}: {{column: ...}}`."
            raise QueryError(
                Problem(f"{query.metric.name}: answers have a column `{one.name}`", fix=fix, code=Code.QUERY_INVALID)
            )


# -- answers ----------------------------------------------------------------------------------------------------------

_USERS = Column(
    "users",
    Type.INTEGER,
    nullable=True,
    description="The people whose paths these are; null where every anchor counts.",
)
_TOTAL = Column("total", Type.INTEGER, nullable=True, description="The paths, where every anchor counts; else null.")
_SHARE = Column("share", Type.NUMBER, description="Of all paths of the group.")
_STILL = Column("pending", Type.INTEGER, description="Of those who end here, paths that could still go on.")
_POSITION = "Steps from the anchor, negative before it"
TABLES = {
    "rows": Table(
        (
            Column("position", Type.INTEGER, description=f"{_POSITION}: that of the outer of the two nodes."),
            Column("source", Type.STRING, description=f"Where from; `{START}` where nothing was before."),
            Column("target", Type.STRING, description=f"Where to; `{END}` where nothing comes after."),
        ),
        (_USERS, _TOTAL, _SHARE, _STILL),
        "A row for each way from a node to the next.",
        measured=True,
    ),
    "nodes": Table(
        (
            Column("position", Type.INTEGER, description=f"{_POSITION}."),
            Column("node", Type.STRING, description="What the step is called."),
        ),
        (
            _USERS,
            _TOTAL,
            _SHARE,
            Column("inflow", Type.INTEGER, nullable=True, description="Who came from another node."),
            Column("starts", Type.INTEGER, nullable=True, description="For whom nothing was before."),
            Column("outflow", Type.INTEGER, nullable=True, description="Who went on to another node."),
            Column("exits", Type.INTEGER, nullable=True, description="For whom nothing comes after."),
            _STILL,
        ),
        "A row for each node of a column.",
    ),
    "paths": Table(
        (Column("rank", Type.INTEGER, description="1 for the commonest of the group."),),
        (
            Column("path", Type.STRING, description="The nodes in the order of time."),
            _USERS,
            _TOTAL,
            _SHARE,
            Column("pending", Type.INTEGER, description="Of these, paths that could still go on."),
        ),
        "The commonest paths.",
    ),
}
_OWN = frozenset(one.name for table in TABLES.values() for one in (*table.keys, *table.columns))


def columns(query: BoundQuery) -> Mapping[str, tuple[Column, ...]]:
    return table_columns(query, TABLES)


def counted(query: BoundQuery) -> Mapping[str, tuple[Column, ...]]:
    """What the statement tells of paths: their nodes instead of the words."""
    spec: Flow = query.metric.spec
    if "paths" not in query.parts:
        return {}
    table = TABLES["paths"]
    nodes = tuple(Column(f"step_{node_at(one)}", Type.STRING, nullable=True) for one in spec.positions)
    apart = replace(table, columns=(*(one for one in table.columns if one.name != "path"), *nodes))
    return table_columns(replace(query, parts=("paths",)), {"paths": apart})


def conventions(metric: Metric, within: Duration | None = None) -> tuple[str, ...]:
    spec: Flow = metric.spec
    if spec.totals:
        whose = "Every anchor of the range starts a path" + (", of a run of them the first." if spec.collapse else ".")
    elif spec.dropped is not None:
        whose = f"A person counts once: lost by `{spec.dropped.funnel.name}`, followed from `{spec.anchor_name}`."
    else:
        whose = "A person counts once, by the first anchor " + (
            "ever, if it lies in the range." if spec.first_ever else "of the range."
        )
    gap = f", and no further than a pause of more than {spec.session_gap}" if spec.session_gap else ""
    return (
        whose,
        f"Steps lie within {within or spec.within} of the anchor, inclusive{gap}.",
        *(("Consecutive events of one node are one.",) if spec.collapse else ()),
        f"Of each column the {spec.top} commonest nodes are told; the rest is `(other)`.",
        "Breakdowns: the value at the anchor. Filters: of all events.",
    )


FAMILY = Family(
    definition=FlowDefinition,
    shape="tables",
    parts=tuple(TABLES),
    resolve=resolve,
    selections=lambda spec: spec.selections,
    is_engagement=lambda spec: spec.dropped is None and spec.anchor.is_value_moment,
    measures=measures,
    measure=measure,
    default_measures=(),
    columns=columns,
    plan=plan,
    conventions=conventions,
    tables=TABLES,
    ranking=ranking,
    check=check,
    finish=Finish(counted, finished),
    usual_range=usual_range,
    inputs=inputs,
    example="""\
after_signup:
  type: flow
  anchor: {event: signed_up}
  after: 3
  top: 8
""",
)
