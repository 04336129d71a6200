"""`sessions`: how often people come, how long they stay, and how much they do while they are there.

Shape: events are first reduced to one row for each person and slot of time. A slot is no longer than the gap, so that
its events are always of one session; only these rows are put in order, and a session is what no gap divides. Where the
source tells the sessions of its events they are grouped by that. A session that lasts 24 hours is cut at the midnights
in it: then a bucket holds the same whatever range is asked for, as long as 24 hours and a gap around it are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from metrics_api.definitions.base import Condition, DurationField, MetricDefinition, Selector
from metrics_api.definitions.names import EventName, MomentName, SourceName
from metrics_api.definitions.refusal import Refusal
from metrics_api.families.relations import (
    AT,
    ENTITY,
    SESSION,
    count_if,
    is_known,
    is_someone,
    labels,
    local_date,
    may_repeat,
    occurrences,
    of_people,
    on_every_period,
    period,
    quantile,
    seconds,
    with_labels_of_people,
    with_others,
)
from metrics_api.families.series import series_columns
from metrics_api.periods import DAY, MICROSECOND, Duration, Grain, Period, Span
from metrics_api.plan.expr import (
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
    columns,
    instant,
    integer,
    negated,
    text,
    whole,
)
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Named_, Plan, Project, Union, keep
from metrics_api.query.bind import BoundQuery
from metrics_api.query.dimension import NONE
from metrics_api.query.family import Family, Measure, PerEntity
from metrics_api.query.scored import Scored
from metrics_api.semantic.model import Alternative, Event, Metric, Selection
from metrics_api.semantic.resolve import Scope

USUAL_GAP = Duration(30, "minute")
LONGEST = DAY
"""The longest gap, and how long a session lasts that is cut at midnight."""

SLOTS = tuple(seconds for seconds in range(3600, 0, -1) if 3600 % seconds == 0)
"""The lengths that slots can have: hours, and what hours are made of."""


class SessionsDefinition(MetricDefinition):
    """Visits: what a person does without a longer pause, how long they last, and who comes."""

    type: Literal["sessions"]
    source: SourceName | None = None
    """The source all events of which make sessions; or else `on`, or `events`."""
    on: MomentName | None = None
    """Instead of `source`, an event or a value moment: sessions are made of its events only."""
    events: tuple[EventName, ...] | None = Field(default=None, min_length=1)
    """Instead of `source`, the events that sessions are made of."""
    hide: tuple[EventName, ...] = ()
    """Events of the source that are no activity, such as heartbeats: they begin and prolong nothing."""
    where: Condition | None = None
    """Only events for which this SQL condition is true."""
    gap: DurationField | None = None
    """The longest pause within a session; a longer one begins a new one: 30 minutes unless said, at most a day."""
    by: Literal["session_id"] | None = None
    """Instead of `gap`: events with the same `session_id` of the source, and person, are a session."""
    cut_at_midnight: bool = False
    """Whether a session ends at the question's local midnight; else only one that lasts 24 hours does."""
    tail: DurationField | None = None
    """How much longer than to its last event each session lasts; nothing unless said."""
    containing: Selector | None = None
    """Only sessions with such an event in them: an event, or a value moment."""

    @classmethod
    def noun(cls) -> str:
        return "a sessions metric"

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        given = [name for name in ("source", "on", "events") if getattr(self, name) is not None]
        if not given:
            raise Refusal("says neither `source`, `on` nor `events`", "Write one of them: what sessions are made of.")
        if len(given) > 1:
            raise Refusal(f"`{given[0]}` and `{given[1]}` are both given", "Keep one.", at=(given[1],), on_key=True)
        if self.hide and self.source is None:
            fix = "Leave it out, or write `source`."
            raise Refusal("`hide` is given without `source`", fix, at=("hide",), on_key=True)
        if self.gap is not None and self.by is not None:
            raise Refusal("`gap` and `by` are both given", "Keep one of them.", at=("by",), on_key=True)
        return self


@dataclass(frozen=True, slots=True)
class Sessions:
    """What a metric of sessions resolves to; no `gap_seconds` where the source tells the sessions."""

    selection: Selection
    gap_seconds: int | None
    cut_at_midnight: bool
    tail_seconds: int
    contained: Selection | None

    @property
    def is_value_moment(self) -> bool:
        return self.selection.is_value_moment or (self.contained is not None and self.contained.is_value_moment)

    @property
    def selections(self) -> tuple[Selection, ...]:
        return (self.selection,) if self.contained is None else (self.selection, self.contained)


# -- definitions ------------------------------------------------------------------------------------------------------


def resolve(definition: SessionsDefinition, scope: Scope) -> Sessions | None:
    selection = _made_of(definition, scope)
    contained = None if definition.containing is None else scope.selection(definition.containing, "containing")
    gap = USUAL_GAP if definition.gap is None else definition.gap
    for name, duration in (("gap", definition.gap), ("tail", definition.tail)):
        if duration is not None and (duration.elapsed > LONGEST or duration.unit in ("month", "quarter", "year")):
            scope.problem(f"a {name} of {duration}; at most 24 hours", name, fix="Write less, such as `30 minutes`.")
    if selection is not None and definition.by is not None:
        _check_session_ids(scope, selection)
    if selection is not None and contained is not None:
        _check_contained(definition, scope, selection, contained)
    if selection is None or scope.problems:
        return None
    return Sessions(
        selection=selection,
        gap_seconds=None if definition.by is not None else seconds(gap.elapsed),
        cut_at_midnight=definition.cut_at_midnight,
        tail_seconds=0 if definition.tail is None else seconds(definition.tail.elapsed),
        contained=contained,
    )


def _made_of(definition: SessionsDefinition, scope: Scope) -> Selection | None:
    """The events that make sessions; None, and problems, where they cannot be told."""
    if definition.source is not None:
        return _of_source(definition, scope, definition.source)
    if definition.on is not None:
        return scope.selection(Selector(on=definition.on, where=definition.where))
    assert definition.events is not None
    found = [scope.selection(Selector(event=one, where=definition.where)) for one in definition.events]
    selections = [one for one in found if one is not None]
    if len(selections) < len(found):
        return None
    alternatives = dict.fromkeys(one for selection in selections for one in selection.alternatives)
    is_value = all(one.is_value_moment for one in selections)
    return Selection(" or ".join(one.name for one in selections), tuple(alternatives), is_value)


def _of_source(definition: SessionsDefinition, scope: Scope, name: str) -> Selection | None:
    source = scope.source(name)
    if source is None:  # What is wrong with it is told where it stands.
        return None
    hidden = []
    for place, written in enumerate(definition.hide):
        one = scope.selection(Selector(event=written))
        if one is not None and one.sources != (source,):
            scope.problem(f"`{written}` is not an event of source `{name}`", "hide", place, fix="Leave it out.")
        elif one is not None:
            hidden += [negated(each.event.match) for each in one.alternatives]
    where = None if definition.where is None else scope.condition(definition.where, source, "where")
    if definition.where is not None and where is None:
        return None
    every = Event(name, source, all_of(hidden), None)
    return Selection(name, (Alternative(every, all_of([where])),), is_value_moment=False)


def _check_session_ids(scope: Scope, selection: Selection) -> None:
    for source in selection.sources:
        if source.session_id is None:
            scope.problem(
                f"source `{source.name}` does not say which session an event is of",
                "by", fix="Write `session_id: COLUMN` at the source, or a `gap` here.",
            )  # fmt: skip


def _check_contained(definition: SessionsDefinition, scope: Scope, made_of: Selection, contained: Selection) -> None:
    """A session can only contain what it is made of."""
    hidden = {one for one in definition.hide if contained.name == one}
    if hidden or not all(made_of.overlaps(Selection("", (one,), False)) for one in contained.alternatives):
        scope.problem(
            f"no session has `{contained.name}` in it: {'it is hidden' if hidden else 'they are made of other events'}",
            "containing", fix="Name an event that sessions are made of.",
        )  # fmt: skip


# -- measures ---------------------------------------------------------------------------------------------------------

_PER_SESSION = re.compile(r"(events|minutes)_per_session_(average|median|min|max|p([1-9]|[1-9][0-9]))")
PER_SESSION = ("average", "median", "p25", "p75", "p90")
_NUMBERS = (
    Measure("value", "total", Type.INTEGER, description="Sessions that began in the bucket."),
    Measure("users", "users", Type.INTEGER, description="Different people with a session that began in the bucket."),
    Measure("events", "total", Type.INTEGER, description="Events in these sessions, whenever they happened."),
    Measure(
        "minutes_spent", "minutes", Type.NUMBER, description="How long these sessions lasted together, in minutes."
    ),
    Measure("bounces", "total", Type.INTEGER, description="Sessions of a single event."),
    Measure("bounce_rate", "rate", Type.NUMBER, description="Sessions of a single event, by all sessions."),
    Measure("sessions_per_user", "rate", Type.NUMBER, description="Sessions by people."),
    Measure("minutes_per_user", "rate", Type.NUMBER, description="Minutes of all sessions by people: time spent."),
)


def measure(metric: Metric, name: str) -> Measure | None:
    if (matched := _PER_SESSION.fullmatch(name)) is None:
        return next((one for one in _NUMBERS if one.name == name), None)
    of, stat = matched[1], matched[2]
    fraction = "0.5" if stat == "median" else str(Decimal(matched[3]) / 100) if matched[3] else None
    type_ = Type.INTEGER if of == "events" and stat in ("min", "max") else Type.NUMBER
    described = f"{of.capitalize()} of a session: {stat}."
    return Measure(name, stat if fraction is None else "percentile", type_, None, fraction, described)


def measures(metric: Metric) -> tuple[Measure, ...]:
    names = [f"{of}_per_session_{stat}" for of in ("events", "minutes") for stat in PER_SESSION]
    found = (measure(metric, name) for name in names)
    return (*_NUMBERS, *(one for one in found if one is not None))


# -- what is counted --------------------------------------------------------------------------------------------------

SESSIONS, USERS, EVENTS, SECONDS = (
    Col("count_of_sessions"),
    Col("count_of_users"),
    Col("sum_of_events"),
    Col("sum_of_lasted"),
)
MINUTES = call("divide", SECONDS, integer(60))
VALUES: Mapping[str, Expr] = {
    "value": SESSIONS,
    "users": USERS,
    "events": EVENTS,
    "minutes_spent": MINUTES,
    "bounces": Col("count_of_bounces"),
    "bounce_rate": call("divide", Col("count_of_bounces"), SESSIONS),
    "sessions_per_user": call("divide", SESSIONS, USERS),
    "minutes_per_user": call("divide", MINUTES, USERS),
    "events_per_session_average": call("divide", EVENTS, SESSIONS),
    "minutes_per_session_average": call("divide", MINUTES, SESSIONS),
}
ADDED_UP: Mapping[str, Agg] = {
    "count_of_sessions": Agg("count_rows"),
    "count_of_bounces": count_if(call("eq", Col("events"), integer(1))),
    "sum_of_events": Agg("sum", (Col("events"),)),
    "sum_of_lasted": Agg("sum", (Col("lasted"),)),
}
"""What the measures are made of, of some sessions; that of all people is the sum of that of each."""


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    found = Named("sessions", _in_range(query))
    parts: dict[str, Plan] = {}
    for part in query.parts:
        buckets = ("period",) if part == "rows" else ()
        counted = _counted(query, found, *buckets)
        if part == "rows":
            counted = on_every_period(query, Named("counted", counted))
        by = keep(*buckets, *(one.name for one in query.by))
        parts[part] = Project(counted, (*by, *((one.name, _value(one)) for one in query.measures)))
    return parts


def _value(one: Measure) -> Expr:
    if one.name in VALUES:
        value = VALUES[one.name]
        return call("coalesce", value, integer(0)) if one.is_count else value
    own = Col(f"of_{one.name}")
    return call("divide", own, integer(60)) if one.name.startswith("minutes") else own


def _counted(query: BoundQuery, found: Plan, *buckets: str) -> Plan:
    """What the measures are made of, of the sessions of each (bucket and) group."""
    keys = (*buckets, *(one.name for one in query.by))
    asked = {name for one in query.measures for name in columns(_value(one))}
    added_up = {name: one for name, one in ADDED_UP.items() if name in asked}
    spread = {f"of_{one.name}": _spread(one) for one in query.measures if one.name not in VALUES}
    if USERS.name not in asked:
        return Aggregate(found, keep(*keys), tuple({**added_up, **spread}.items()))
    people = Named("people", Aggregate(found, keep(*keys, "entity"), tuple(added_up.items())))
    sums = ((name, Agg("sum", (Col(name),))) for name in added_up)
    of_people = Aggregate(people, keep(*keys), (("count_of_users", Agg("count_rows")), *sums))
    if not spread:
        return of_people
    of_sessions = Named("spread", Aggregate(found, keep(*keys), tuple(spread.items())))
    on = tuple((key, key) for key in keys)
    return Join(Named("added_up", of_people), of_sessions, "inner" if keys else "cross", on=on)


def _spread(one: Measure) -> Expr:
    of = Col("lasted" if one.name.startswith("minutes") else "events")
    return Agg(one.of, (of,)) if one.fraction is None else quantile(of, one.fraction)


# -- sessions ---------------------------------------------------------------------------------------------------------


def _in_range(query: BoundQuery) -> Plan:
    """(period, labels, entity, events, lasted in seconds) of each session that began in the range and counts."""
    spec: Sessions = query.metric.spec
    finest = replace(query, by=query.finer or query.by)
    late = of_people(finest)
    early = tuple(one for one in finest.by if one not in late)
    # What is not among the top values is told of sessions, not of events: a session's first value is what it is.
    rows = _sessions(replace(finest, by=early, ranked=()))
    conditions = [] if spec.contained is None else [call("gt", Col("events_contained"), integer(0))]
    if not spec.cut_at_midnight:
        conditions += [
            call("ge", Col("first_at"), instant(query.span.start, role="range_start")),
            call("lt", Col("first_at"), instant(query.span.end, role="range_end")),
        ]
    lasted: Expr = call("seconds_between", Col("first_at"), Col("last_at"))
    if spec.tail_seconds:
        lasted = call("add", lasted, integer(spec.tail_seconds))
    columns_ = {
        "period": period(query, Col("first_at"), query.span),
        **{one.name: Col(one.name) for one in early},
        **{name: Col(name) for name in ("entity", "events")},
        "lasted": lasted,
    }
    rows = Project(Filter(rows, all_of(conditions)), tuple(columns_.items()))
    if late:
        rows = with_labels_of_people(finest, rows, late)
    return with_others(finest, rows)


def _read(query: BoundQuery) -> Span:
    """What can be in a session that began in the range.

    One that began before it is known for what it is: it began within a day, or lasts so long that midnight cuts it.
    """
    spec: Sessions = query.metric.spec
    whole_range = query.calendar.span(query.first, query.last)
    if spec.cut_at_midnight:
        return query.span
    around = LONGEST + timedelta(seconds=spec.gap_seconds or 0)
    return query.clipped(whole_range.widened(before=around, after=around))


def _sessions(query: BoundQuery) -> Plan:
    """(entity, first_at, last_at, events, [events_contained], labels) of each session in what is read."""
    spec: Sessions = query.metric.spec
    shown = ("first_at", "last_at", *_numbers(spec), *(one.name for one in query.by))
    if spec.gap_seconds is not None and not query.by and not spec.cut_at_midnight:
        return _sessions_alone(query, spec.gap_seconds)
    pieces = _stretches_of_ids(query) if spec.gap_seconds is None else _stretches(query, spec.gap_seconds)
    stretches = Named("stretches", pieces)
    day = ("day", local_date(query, Col("first_at"), _read(query)))
    if spec.cut_at_midnight:
        of_days = Aggregate(stretches, (*keep("entity", "session"), day), _together(query))
        return Project(of_days, keep("entity", *shown))
    whole_ones = Named("whole_sessions", Aggregate(stretches, keep("entity", "session"), _together(query)))
    long = Named("long_sessions", Project(Filter(whole_ones, LASTS_A_DAY), keep("entity", "session")))
    on = (("entity", "entity"), ("session", "session"))
    cut = Aggregate(Join(stretches, long, "inner", on=on), (*keep("entity", "session"), day), _together(query))
    short = Filter(whole_ones, call("not_", LASTS_A_DAY))
    return Union((Project(short, keep("entity", *shown)), Project(cut, keep("entity", *shown))))


def _sessions_alone(query: BoundQuery, gap: int) -> Plan:
    """The same of people that nothing divides. A session begins after a pause, and lasts to the event before the next
    pause: two windows, the second of them over the beginnings only, and nothing is grouped again."""
    numbers = _numbers(query.metric.spec)
    who, order = (Col("entity"),), (Col("first_at"),)
    slots = _slots(query, gap)
    around = {
        "ended": Over("lead", (Col("last_at"), integer(-1)), who, order),
        "latest": Over("max", (Col("last_at"),), who, ()),
        **{f"{name}_so_far": Over("sum", (Col(name),), who, order) for name in numbers},
        **{f"{name}_in_all": Over("sum", (Col(name),), who, ()) for name in numbers},
    }
    told = Project(slots, (*keep("entity", "first_at"), *around.items()))
    after_pause = call("lt", call("add_seconds", Col("ended"), Lit(gap, Type.INTEGER)), Col("first_at"))
    begins = Filter(told, any_of([call("is_null", Col("ended")), after_pause]))

    def before_next(column: str, at_last: str) -> Expr:
        return call("coalesce", Over("lead", (Col(column),), who, order), Col(at_last))

    until = (
        (
            name,
            call(
                "sub",
                before_next(f"{name}_so_far", f"{name}_in_all"),
                call("coalesce", Col(f"{name}_so_far"), integer(0)),
            ),
        )
        for name in numbers
    )
    whole_ones = Named(
        "whole_sessions",
        Project(begins, (*keep("entity", "first_at"), ("last_at", before_next("ended", "latest")), *until)),
    )
    bounds = (("entity", Col("entity")), ("since", Col("first_at")), ("until", Col("last_at")))
    long = Named("long_sessions", Project(Filter(whole_ones, LASTS_A_DAY), bounds))
    inside = all_of([call("ge", Col("first_at"), Col("since")), call("le", Col("first_at"), Col("until"))])
    day = ("day", local_date(query, Col("first_at"), _read(query)))
    pieces = Join(slots, long, "inner", on=(("entity", "entity"),), where=inside)
    cut = Aggregate(pieces, (*keep("entity", "since"), day), _together(query))
    shown = keep("entity", "first_at", "last_at", *numbers)
    return Union((Project(Filter(whole_ones, call("not_", LASTS_A_DAY)), shown), Project(cut, shown)))


LASTS_A_DAY = call("ge", Col("last_at"), call("add_seconds", Col("first_at"), integer(seconds(LONGEST))))


def _numbers(spec: Sessions) -> tuple[str, ...]:
    return ("events",) if spec.contained is None else ("events", "events_contained")


def _together(query: BoundQuery) -> tuple[Named_, ...]:
    """What a session is, from its stretches: of each label the first in time that is not missing."""
    numbers = ((name, Agg("sum", (Col(name),))) for name in _numbers(query.metric.spec))
    found: list[Named_] = [
        ("first_at", Agg("min", (Col("first_at"),))),
        ("last_at", Agg("max", (Col("last_at"),))),
        *numbers,
    ]
    for one in query.by:
        there = call("ne", Col(one.name), text(NONE))
        first = Agg("first_by", (Col(one.name), Col(f"at_{one.name}")), there)
        found.append((one.name, call("coalesce", first, text(NONE))))
    return tuple(found)


def _events(query: BoundQuery) -> Plan:
    """(at, entity, [session], [contained], labels) of the known people's events, copies left out."""
    spec: Sessions = query.metric.spec
    span = _read(query)
    flags = {} if spec.contained is None else {"contained": spec.contained}
    projected: dict[str, Expr] = {"at": Col(AT), "entity": Col(ENTITY), **labels(query, span)}
    if spec.gap_seconds is None:
        projected["session"] = call("to_text", Col(SESSION))
    marked = any(may_repeat(source) for source in spec.selection.sources)
    rows = occurrences(query, spec.selection, span, projected, marked=marked, flags=flags)
    conditions = [is_known(query, Col("entity"))]
    conditions += [Col("first_copy")] if marked else []
    conditions += [is_someone(Col("session"), {Type.STRING})] if spec.gap_seconds is None else []
    return Filter(rows, all_of(conditions))


def _reduced(query: BoundQuery, *keys: Named_) -> Plan:
    """One row for each person, key and group: (entity, keys, labels, first_at, last_at, events, [events_contained])."""
    spec: Sessions = query.metric.spec
    numbers: list[Named_] = [("events", Agg("count_rows"))]
    if spec.contained is not None:
        numbers.append(("events_contained", count_if(Col("contained"))))
    times = (("first_at", Agg("min", (Col("at"),))), ("last_at", Agg("max", (Col("at"),))))
    by = keep(*(one.name for one in query.by))
    return Named("slots", Aggregate(_events(query), (*keep("entity"), *keys, *by), (*times, *numbers)))


def _stretches_of_ids(query: BoundQuery) -> Plan:
    """What happened on each day of each session that the source tells."""
    day = local_date(query, Col("at"), _read(query))
    rows = _reduced(query, *keep("session"), ("day", day))
    kept = keep("entity", "session", "first_at", "last_at", *_numbers(query.metric.spec))
    return Project(rows, (*kept, *_places(query)))


def _stretches(query: BoundQuery, gap: int) -> Plan:
    """The slots of time, each with the number of the session that it is of."""
    by = tuple(one.name for one in query.by)
    who, order = (Col("entity"),), (Col("first_at"), *(Col(name) for name in by))
    rows = _slots(query, gap)
    kept = keep("entity", "first_at", "last_at", *_numbers(query.metric.spec))
    # Slots follow one another, but what is of several groups happened side by side.
    until = Over("max", (Col("last_at"),), who, order, including_current=True) if by else Col("last_at")
    beside = (("until", until), ("following", Over("lead", (Col("first_at"),), who, order)))
    rows = Project(rows, (*kept, *_places(query), *beside))
    ends = call("lt", call("add_seconds", Col("until"), Lit(gap, Type.INTEGER)), Col("following"))
    before = Over("sum", (Case(((ends, integer(1)),), integer(0)),), who, order)
    session = ("session", call("coalesce", before, integer(0)))
    return Project(rows, (*kept, *keep(*by, *(f"at_{name}" for name in by)), session))


def _slots(query: BoundQuery, gap: int) -> Plan:
    """One row for each person, slot of time and group: no pause that ends a session lies within one."""
    # Before all that is read, and as far from midnights as whole days are.
    origin = query.calendar.span(query.first, query.last).start - 2 * LONGEST
    since = call("seconds_between", instant(origin, role="first_slot"), Col("at"))
    return _reduced(query, ("slot", whole(since, _slot(query, gap))))


def _places(query: BoundQuery) -> tuple[Named_, ...]:
    """The labels, and the place in time of each: of different ones at one instant the least comes first."""
    who = (Col("entity"),)
    places = ((f"at_{one.name}", Over("row_number", (), who, (Col("first_at"), Col(one.name)))) for one in query.by)
    return (*keep(*(one.name for one in query.by)), *places)


def _slot(query: BoundQuery, gap: int) -> int:
    """The longest slots in seconds that no gap fits in and no midnight lies in."""
    first, *others = query.calendar.offsets(_read(query))
    changes = [one.seconds - first.seconds for one in others]
    return next(one for one in SLOTS if one <= gap and all(change % one == 0 for change in changes))


def is_complete(query: BoundQuery, of: Period) -> bool:
    """Whether no session that began in the bucket can still grow: it ends at midnight, or within 24 hours."""
    spec: Sessions = query.metric.spec
    if not spec.cut_at_midnight:
        return of.end + LONGEST <= query.data_through
    day = query.calendar.local_date(of.end - MICROSECOND)
    return query.calendar.span(day, day).end <= query.data_through


# -- single people ----------------------------------------------------------------------------------------------------

PER_PERSON = {
    "sessions": "Sessions, by the day they began.",
    "minutes": "How long the sessions lasted, in minutes.",
    "events": "Events in the sessions.",
}


def done(query: BoundQuery, number: str, first: date, last: date) -> Scored:
    """Each session between two local days, counted on the day it began."""
    asked = replace(query, first=first, last=last, grain=Grain.DAY, measures=())
    day = call("days_between", Lit(first, Type.DATE, role="first_day"), Col("period"))
    exact = call("finite", Col("lasted"), text(Type.DECIMAL))
    amounts: Mapping[str, Expr] = {"sessions": integer(1), "minutes": exact, "events": Col("events")}
    keys = tuple(one.name for one in query.by)
    rows = Project(_in_range(asked), (("day", day), *keep(*keys, "entity"), ("amount", amounts[number])))
    return Scored("amounts", rows, keys, first, last, parts=60 if number == "minutes" else 1)


def ahead(metric: Metric) -> int:
    """A session that begins before midnight is over on the day after; where that has 23 hours, on the next."""
    spec: Sessions = metric.spec
    return 0 if spec.cut_at_midnight else 2


# -- answers ----------------------------------------------------------------------------------------------------------


def conventions(metric: Metric, within: Duration | None = None) -> tuple[str, ...]:
    spec: Sessions = metric.spec
    definition = metric.definition
    assert isinstance(definition, SessionsDefinition)
    divided = (
        "Sessions are those that the source tells."
        if spec.gap_seconds is None
        else (f"A session ends with a pause of more than {definition.gap or USUAL_GAP}.")
    )
    cut = "at midnight" if spec.cut_at_midnight else "after 24 hours, at the midnights in it"
    tail = f" and {definition.tail}" if spec.tail_seconds else ""
    return (
        f"{divided} It is cut {cut}.",
        f"A session counts where it begins, and lasts from its first to its last event{tail}.",
        "Breakdowns: the first value of the session that is not missing. Filters: of events.",
    )


FAMILY = Family(
    definition=SessionsDefinition,
    shape="series",
    parts=("rows", "overall"),
    resolve=resolve,
    selections=lambda spec: spec.selections,
    is_engagement=lambda spec: spec.is_value_moment,
    measures=measures,
    measure=measure,
    default_measures=("value",),
    columns=series_columns,
    plan=plan,
    conventions=conventions,
    is_complete=is_complete,
    per_entity=PerEntity(lambda metric: PER_PERSON, done, ahead, is_settled=is_complete),
    example="""\
visits:
  type: sessions
  source: app_events
  gap: 30 minutes
""",
)
