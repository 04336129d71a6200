"""The paths of a flow: of each anchor the nodes after and before it (shared by the parts of a flow, and its members).

Events are put in order once for each person: by time, tie breaker, then name. Of people's first anchors only the events
around these are looked at. A run is what consecutive events of one node are together; the event of it that is nearest
to the anchor says when it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from metrics_api.families.conversions import lost
from metrics_api.families.journeys import HISTORY_BEGINS, Funnel, window
from metrics_api.families.relations import (
    AT,
    ENTITY,
    EVENT,
    TIE,
    is_known,
    labels,
    may_repeat,
    occurrences,
    of_people,
    raw_label,
    seconds,
    with_labels_of_people,
    with_others,
)
from metrics_api.periods import Duration, Span
from metrics_api.plan.expr import (
    FALSE,
    TRUE,
    Agg,
    Case,
    Col,
    Expr,
    Lit,
    Over,
    Type,
    all_of,
    any_of,
    call,
    instant,
    integer,
    text,
)
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Named_, Plan, Project, Union, keep, output
from metrics_api.query.bind import BoundQuery
from metrics_api.query.dimension import NONE, Dimension
from metrics_api.query.metric_query import Page
from metrics_api.semantic.model import Event, Metric, Selection, Source, fields_of

START, END = "(start)", "(exit)"
"""What stands where a path has no node: before its first, and after its last."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The people whom a funnel lost at a step (by its number, from 2)."""

    funnel: Metric
    step: int

    @property
    def _before(self) -> int:
        spec: Funnel = self.funnel.spec
        return spec.required_before(self.step)

    @property
    def name(self) -> str:
        """The step they came to."""
        spec: Funnel = self.funnel.spec
        return spec.names[self._before - 1]

    @property
    def selection(self) -> Selection:
        """The events by which they came to it."""
        spec: Funnel = self.funnel.spec
        if spec.order != "unordered":
            return spec.steps[self._before - 1].selection
        every = dict.fromkeys(one for step in spec.steps for one in step.selection.alternatives)
        return Selection(self.name, tuple(every), is_value_moment=False)


@dataclass(frozen=True, slots=True)
class Flow:
    anchor: Selection
    anchor_name: str
    dropped: Dropped | None
    first_ever: bool
    steps: Selection
    """The events that can be on a path, the anchors among them."""
    after: int
    before: int
    node: str | None
    """The property that nodes are called by; None: what events are called."""
    top: int
    totals: bool
    collapse: bool
    session_gap: Duration | None
    within: Duration
    paths: int

    @property
    def positions(self) -> tuple[int, ...]:
        """Those of the nodes around the anchor, from first to last."""
        return (*range(-self.before, 0), *range(1, self.after + 1))

    @property
    def selections(self) -> tuple[Selection, ...]:
        funnel: tuple[Selection, ...] = () if self.dropped is None else self.dropped.funnel.spec.selections
        return (self.steps, self.anchor, *funnel)


def node_at(position: int) -> str:
    """The column with the node at a place of a path; null where the path has ended, or not begun."""
    return f"after_{position}" if position > 0 else f"before_{-position}"


def time_at(position: int) -> str:
    """The column with when that was."""
    return f"at_{node_at(position)}" if position else "anchor_at"


# -- the time ---------------------------------------------------------------------------------------------------------


def reach(query: BoundQuery) -> timedelta:
    """How far from its anchor a step can be: the question's own `within`, else the definition's."""
    spec: Flow = query.metric.spec
    return (query.within or spec.within).elapsed


def read_span(query: BoundQuery) -> Span:
    """The events that paths from anchors of the range can be made of."""
    spec: Flow = query.metric.spec
    around = reach(query)
    after = around if spec.after else timedelta(0)
    if spec.dropped is not None:  # The range is that of entries; what they were lost after comes later.
        after += window(_of_funnel(query, spec.dropped))
    whole = query.calendar.span(query.first, query.last)
    return query.clipped(whole.widened(before=around if spec.before else timedelta(0), after=after))


def _of_funnel(query: BoundQuery, dropped: Dropped) -> BoundQuery:
    """The question whom the funnel lost."""
    return replace(
        query, metric=dropped.funnel, by=(), measures=(), parts=("steps",), within=None, order=(), subtotals=False,
        finer=(), ranked=(), members=Page(),
    )  # fmt: skip


def _in_range(query: BoundQuery, at: Expr) -> Expr:
    return all_of(
        [
            call("ge", at, instant(query.span.start, role="range_start")),
            call("lt", at, instant(query.span.end, role="range_end")),
        ]
    )


def _later(at: Expr, by: timedelta) -> Expr:
    if not by:
        return at
    return call("add_seconds", at, Lit(seconds(by), Type.INTEGER, role="window"))


# -- events -----------------------------------------------------------------------------------------------------------


def _events(query: BoundQuery) -> Plan:
    """(entity, at, [tie], node, is_anchor, labels) of the known people's events in what is read, copies left out."""
    spec: Flow = query.metric.spec
    span = read_span(query)
    marked = any(may_repeat(source) for source in spec.steps.sources)
    found = []
    for source in spec.steps.sources:
        projected: dict[str, Expr] = {"entity": Col(ENTITY), "at": Col(AT)}
        projected |= {"tie": Col(TIE)} if _has_tie(spec) else {}
        projected |= {"node": _node(query, source, span), **labels(query, span)}
        mine = _of_source(spec.steps, source)
        flags = {"is_anchor": _of_source(spec.anchor, source)}
        found.append(occurrences(query, mine, span, projected, marked=marked, flags=flags))
    rows = found[0] if len(found) == 1 else Union(tuple(found))
    return Filter(rows, all_of([is_known(query, Col("entity")), *([Col("first_copy")] if marked else [])]))


def _has_tie(spec: Flow) -> bool:
    return all(source.tie_breaker for source in spec.steps.sources)


def _of_source(selection: Selection, source: Source) -> Selection:
    alternatives = tuple(one for one in selection.alternatives if one.event.source is source)
    return Selection(selection.name, alternatives, selection.is_value_moment)


def _node(query: BoundQuery, source: Source, span: Span) -> Expr:
    """What a row is called on a path; never null."""
    spec: Flow = query.metric.spec
    if spec.node is not None:
        of = fields_of(spec.steps.sources)[spec.node]
        value = raw_label(query, Dimension(of.name, of.type, of.name, bins=of.bins), span)
        return call("coalesce", value, text(NONE))
    declared = [one for one in query.model.events.values() if one.source is source]
    if not source.tells_events:
        return _called([(one.match, one) for one in declared], text(source.name))
    known = [(one.match, one) for one in declared if one.key is not None]
    return _called([*_needed(known)], call("coalesce", Col(EVENT), text(NONE)))


def _called(told: list[tuple[Expr, Event]], otherwise: Expr) -> Expr:
    """The name of the first event that a row is."""
    branches: list[tuple[Expr, Expr]] = []
    for match, event in told:
        if match == TRUE:
            otherwise = text(event.name)
            break
        branches.append((match, text(event.name)))
    return Case(tuple(branches), otherwise) if branches else otherwise


def _needed(told: list[tuple[Expr, Event]]) -> Iterator[tuple[Expr, Event]]:
    """Those that are called otherwise than in the source, or come before one that is."""
    for place, (match, event) in enumerate(told):
        later = (other for _, other in told[place + 1 :] if other.key == event.key and other.name != event.key)
        if event.name != event.key or any(later):
            yield match, event


def _order(query: BoundQuery) -> tuple[Expr, ...]:
    """The order of a person's events; what is equal in all of it is alike."""
    spec: Flow = query.metric.spec
    tie = (Col("tie"),) if _has_tie(spec) else ()
    anchors_first = Case(((Col("is_anchor"), integer(0)),), integer(1))
    return (Col("at"), *tie, Col("node"), anchors_first, *(Col(one.name) for one in query.by))


# -- anchors ----------------------------------------------------------------------------------------------------------


def _first_anchors(query: BoundQuery) -> Plan:
    """(entity, anchor_at): when each person's path starts."""
    spec: Flow = query.metric.spec
    first = (("anchor_at", Agg("min", (Col("at"),))),)
    if spec.dropped is not None:
        return Aggregate(lost(_of_funnel(query, spec.dropped), spec.dropped.step), keep("entity"), first)
    if spec.first_ever and not spec.anchor.is_once_per(query.metric.entity):
        ever = _anchors(query, Span(HISTORY_BEGINS, query.span.end))
        return Filter(Named("first_ever", Aggregate(ever, keep("entity"), first)), _in_range(query, Col("anchor_at")))
    if not any(may_repeat(source) for source in spec.anchor.sources):
        return Aggregate(_anchors(query, query.span), keep("entity"), first)
    # Which copy of an event is the earliest is judged in all that is read.
    rows = _anchors(query, read_span(query), marked=True)
    there = Filter(rows, all_of([Col("first_copy"), _in_range(query, Col("at"))]))
    return Aggregate(there, keep("entity"), first)


def _anchors(query: BoundQuery, span: Span, *, marked: bool = False) -> Plan:
    spec: Flow = query.metric.spec
    rows = occurrences(query, spec.anchor, span, {"entity": Col(ENTITY), "at": Col(AT)}, marked=marked)
    return Filter(rows, is_known(query, Col("entity")))


def _near_first(query: BoundQuery, events: Plan) -> Plan:
    """The events near people's first anchors: `is_anchor` are those at that instant, `anchors_here` counts them."""
    spec: Flow = query.metric.spec
    anchors = Named("anchors", _first_anchors(query))
    beside = Join(events, anchors, "inner", on=(("entity", "entity"),))
    far = reach(query)
    near = Filter(
        beside,
        all_of(
            [
                call("ge", Col("at"), _later(Col("anchor_at"), -far if spec.before else timedelta(0))),
                call("le", Col("at"), _later(Col("anchor_at"), far if spec.after else timedelta(0))),
            ]
        ),
    )
    is_at = all_of([Col("is_anchor"), call("eq", Col("at"), Col("anchor_at"))])
    shown = keep(*(name for name in output(events) if name != "is_anchor"))
    return Named("around", Project(near, (*shown, ("is_anchor", is_at))))


def _anchors_here(query: BoundQuery) -> Named_:
    is_one = Case(((Col("is_anchor"), integer(1)),), integer(0))
    return "anchors_here", Over("sum", (is_one,), (Col("entity"),), _order(query), including_current=True)


IS_FIRST = all_of([Col("is_anchor"), call("eq", Col("anchors_here"), integer(1))])
IS_SINCE_FIRST = call("ge", Col("anchors_here"), integer(1))


def _around_first(query: BoundQuery, events: Plan) -> Plan:
    """The events on either side of people's first anchors, of which only these are anchors."""
    spec: Flow = query.metric.spec
    near = _near_first(query, events)
    rows: Plan = Project(near, (*keep(*output(near)), _anchors_here(query)))
    if not spec.before:
        rows = Filter(rows, IS_SINCE_FIRST)
    return Project(rows, tuple((one, IS_FIRST if one == "is_anchor" else Col(one)) for one in output(near)))


def _since_first(query: BoundQuery, events: Plan) -> Plan:
    """(entity, run, node, first_at, anchor_at, labels) of people's first anchors and the steps after them.

    As `_runs` tells them, but for when a run was last; only the first event of each is there.
    """
    spec: Flow = query.metric.spec
    near = _near_first(query, events)
    by = tuple(one.name for one in query.by)
    beside = [_anchors_here(query), ("run", Over("row_number", (), (Col("entity"),), _order(query)))]
    changes: Expr = TRUE
    if spec.collapse:
        beside.append(("node_then", _previous("node", query)))
        changes = Case(((call("eq", Col("node"), Col("node_then")), FALSE),), TRUE)
    ordered = Named("in_order", Project(near, (*keep(*output(near)), *beside)))
    steps = Filter(ordered, all_of([IS_SINCE_FIRST, any_of([IS_FIRST, changes])]))
    times = (("first_at", Col("at")), ("anchor_at", Case(((IS_FIRST, Col("at")),))))
    return Named("steps_since", Project(steps, (*keep("entity", "run", "node", *by), *times)))


# -- runs -------------------------------------------------------------------------------------------------------------


def _previous(name: str, query: BoundQuery) -> Expr:
    return Over("lead", (Col(name), integer(-1)), (Col("entity"),), _order(query))


def _runs(query: BoundQuery, rows: Plan) -> Plan:
    """(entity, [session], run, node, first_at, last_at, anchor_at, labels): `anchor_at` is null where none is in it."""
    spec: Flow = query.metric.spec
    by = tuple(one.name for one in query.by)
    place = ("run", Over("row_number", (), (Col("entity"),), _order(query)))
    beside: list[Named_] = [place]
    if spec.collapse:
        beside.append(("node_then", _previous("node", query)))
    if spec.session_gap is not None:
        beside.append(("at_then", _previous("at", query)))
    kept = keep("entity", "at", "node", "is_anchor", *by)
    ordered: Plan = Project(rows, (*kept, *beside))
    if not spec.collapse and spec.session_gap is None:
        at = Case(((Col("is_anchor"), Col("at")),))
        times = (("first_at", Col("at")), ("last_at", Col("at")), ("anchor_at", at))
        return Named("events_in_order", Project(ordered, (*keep("entity", "run", "node", *by), *times)))
    begins: Expr = FALSE
    if spec.session_gap is not None:
        until = _later(Col("at_then"), spec.session_gap.elapsed)
        begins = Case(((call("lt", until, Col("at")), TRUE),), FALSE)
    again = call("eq", Col("node"), Col("node_then")) if spec.collapse else FALSE
    differs = Case(((again, FALSE),), TRUE)
    changes = differs if begins == FALSE else any_of([begins, differs])
    numbers = [("run_number", changes), *((("session", begins),) if spec.session_gap is not None else ())]
    who, order = (Col("entity"),), (Col("run"),)
    counted = tuple(
        (name, Over("sum", (Case(((flag, integer(1)),), integer(0)),), who, order, including_current=True))
        for name, flag in numbers
    )
    ordered = Named("in_order", ordered)
    numbered = Named("numbered", Project(ordered, (*kept, *keep("run"), *counted)))
    keys = ("entity", *(("session",) if spec.session_gap is not None else ()))
    return Named(
        "runs",
        Aggregate(
            numbered,
            (*keep(*keys), ("run", Col("run_number"))),
            (
                ("node", Agg("min", (Col("node"),))),
                ("first_at", Agg("min", (Col("at"),))),
                ("last_at", Agg("max", (Col("at"),))),
                ("anchor_at", Agg("min", (Col("at"),), Col("is_anchor"))),
                *((name, Agg("first_by", (Col(name), Col("run")), Col("is_anchor"))) for name in by),
            ),
        ),
    )


# -- paths ------------------------------------------------------------------------------------------------------------


def paths_of(query: BoundQuery) -> Plan:
    """A row for each anchor that counts: (entity, labels, anchor_at, nodes and their times, pending).

    For the columns see `node_at` and `time_at`. `pending` is 1 where the path ended and could still go on.
    """
    finest = replace(query, by=query.finer or query.by)
    late = of_people(finest)
    early = replace(finest, by=tuple(one for one in finest.by if one not in late), ranked=())
    rows = _paths(early)
    if late:
        rows = with_labels_of_people(finest, rows, late)
    return Named("found_paths", with_others(finest, rows))


def _paths(query: BoundQuery) -> Plan:
    spec: Flow = query.metric.spec
    events = _events(query)
    if spec.totals:
        counts = all_of([Col("is_anchor"), _in_range(query, Col("at"))])
        rows: Plan = Project(events, tuple((one, counts if one == "is_anchor" else Col(one)) for one in output(events)))
        runs = _runs(query, rows)
    elif spec.before or spec.session_gap is not None:
        runs = _runs(query, _around_first(query, events))
    else:
        runs = _since_first(query, events)
    who = (Col("entity"), *((Col("session"),) if spec.session_gap is not None else ()))

    def there(name: str, position: int) -> Expr:
        return Over("lead", (Col(name), integer(position)), who, (Col("run"),))

    beside: list[Named_] = []
    for position in spec.positions:
        beside.append((node_at(position), there("node", position)))
        beside.append((time_at(position), there("first_at" if position > 0 else "last_at", position)))
    if spec.session_gap is not None:
        beside.append(("ends_here", Over("max", (Col("last_at"),), who, ())))
    by = tuple(one.name for one in query.by)
    around = Project(runs, (*keep("entity", "anchor_at", *by), *beside))
    anchored = Filter(Named("beside", around), call("not_", call("is_null", Col("anchor_at"))))
    return _within_reach(query, anchored)


def _within_reach(query: BoundQuery, rows: Plan) -> Plan:
    """The paths as far as the window goes, and whether they could still go on."""
    spec: Flow = query.metric.spec
    far = reach(query)
    shown: list[Named_] = []
    for position in spec.positions:
        name, at = node_at(position), Col(time_at(position))
        if spec.totals:
            near = (
                call("le", at, _later(Col("anchor_at"), far))
                if position > 0
                else call("ge", at, _later(Col("anchor_at"), -far))
            )
            shown.append((name, Case(((near, Col(name)),))))
        else:
            shown.append((name, Col(name)))
        shown.append((time_at(position), at))
    by = tuple(one.name for one in query.by)
    cut = Project(rows, (*keep("entity", "anchor_at", *by), *shown, *_keep_end(spec)))
    pending = _pending(query)
    names = ("entity", "anchor_at", *by, *(name for name, _ in shown))
    return Project(cut, (*keep(*names), ("pending", Case(((pending, integer(1)),), integer(0)))))


def _keep_end(spec: Flow) -> tuple[Named_, ...]:
    return keep("ends_here") if spec.session_gap is not None else ()


def _pending(query: BoundQuery) -> Expr:
    """Whether a path has ended before its last step, and what is not yet there could be on it."""
    spec: Flow = query.metric.spec
    if not spec.after:
        return FALSE
    opened = instant(query.data_through - reach(query), role="last_closed_anchor")
    conditions = [call("is_null", Col(node_at(spec.after))), call("gt", Col("anchor_at"), opened)]
    if spec.session_gap is not None:
        awake = instant(query.data_through - spec.session_gap.elapsed, role="last_closed_session")
        conditions.append(call("gt", Col("ends_here"), awake))
    return all_of(conditions)
