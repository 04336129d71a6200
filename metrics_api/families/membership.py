"""Who meets the conditions of a cohort as of one day.

Every condition on events becomes numbers for each person; those of one source come from one scan. What other scans tell
(sequences, members of metrics, everyone there is) is stacked below, everything is grouped by person once, and the
conditions are put together over the columns. Nothing is joined but what is known of people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property

from metrics_api.families import families
from metrics_api.families.conditions import (
    PERIOD,
    Chosen,
    Cohort,
    InOrder,
    Known,
    Leaf,
    Not,
    Pattern,
    Some,
    Tally,
    Test,
    Tree,
    Window,
    done,
)
from metrics_api.families.relations import (
    AT,
    ENTITY,
    TIE,
    count_if,
    events_of,
    everyone_known,
    is_known,
    may_repeat,
    member_column,
    occurrences,
    with_attributes,
    with_membership,
)
from metrics_api.periods import DAY, MICROSECOND, Duration, Grain, Span
from metrics_api.plan.expr import (
    TRUE,
    Agg,
    Case,
    Col,
    Expr,
    Lit,
    Type,
    all_of,
    any_of,
    call,
    columns,
    instant,
    integer,
    negated,
)
from metrics_api.plan.nodes import (
    Aggregate,
    Filter,
    Journey,
    JourneyStep,
    Named,
    Named_,
    Plan,
    Project,
    Union,
    keep,
    output,
)
from metrics_api.query.bind import MEMBERS, BoundQuery
from metrics_api.query.metric_query import Page
from metrics_api.semantic.expressions import property_value
from metrics_api.semantic.model import Selection, Source

EARLIEST = date(1900, 1, 1)
"""Where all of history begins, if no source says otherwise."""
LONGEST = Duration(36_525, "day")
SEEN = "seen"


def as_of(query: BoundQuery, day: date) -> BoundQuery:
    """The question who is in a cohort at the end of a local day: nothing that came after it is known."""
    day = min(day, query.calendar.local_date(query.data_through))
    end = min(query.calendar.span(day, day).end, query.data_through + MICROSECOND)
    return replace(
        query, first=day, last=day, grain=Grain.DAY, by=(), where=None, measures=(), parts=(MEMBERS,), within=None,
        order=(), data_through=end - MICROSECOND, subtotals=False, finer=(), compare=None, ranked=(), cohort=None,
        members=Page(), memberships=(),
    )  # fmt: skip


def people(query: BoundQuery, cohort: Cohort) -> Plan:
    """Who is in a cohort as of the question's last day: one column `entity`, each once."""
    numbers = _Numbers(as_of(query, query.last), cohort)
    rows = united(numbers.parts(), numbers.columns)
    condition = condition_of(cohort, numbers.holds)
    told = described(query, Named("numbers", rows), set(columns(condition)))
    return Project(Filter(told, all_of([condition, query.where])), keep("entity"))


def condition_of(cohort: Cohort, holds: Mapping[Leaf, Expr]) -> Expr:
    """Whether somebody is in the cohort, over a row of their numbers; of those who did nothing only who is known."""
    condition = _holds(cohort.tree, holds)
    if not cohort.is_open:
        return condition
    did = [_holds(one, holds) for one in done(cohort.tree)]
    return all_of([condition, any_of([call("gt", Col(SEEN), integer(0)), *did])])


def _holds(tree: Tree, leaves: Mapping[Leaf, Expr]) -> Expr:
    match tree:
        case Not(part):
            return negated(_holds(part, leaves))
        case Pattern(tests):
            return _holds(tests, leaves)
        case Some(1, parts):
            return any_of(_holds(part, leaves) for part in parts)
        case Some(least, parts) if least == len(parts):
            return all_of(_holds(part, leaves) for part in parts)
        case Some(least, parts):
            counted: Expr = integer(0)
            for part in parts:
                counted = call("add", counted, Case(((_holds(part, leaves), integer(1)),), integer(0)))
            return call("ge", counted, integer(least))
        case leaf:
            return leaves[leaf]


def described(query: BoundQuery, rows: Plan, needed: AbstractSet[str]) -> Plan:
    """Rows of people (`entity`) with the attributes and cohorts needed, for the question's filter too."""
    wanted = needed | (set(columns(query.where)) if query.where is not None else set())
    known = query.metric.sources[0].attributes
    if attributes := sorted(wanted & set(known)):
        rows = with_attributes(query, rows, attributes)
    for name, members in query.memberships:
        if member_column(name) in wanted:
            rows = with_membership(rows, name, members, who="entity")
    return rows


# -- numbers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number:
    """A column of the rows of people, and how several of one person's become one."""

    name: str
    how: str = "sum"
    type: Type = Type.INTEGER
    zero: bool = True
    """Whether nothing is 0, or else null."""

    @property
    def nothing(self) -> Expr:
        return integer(0) if self.zero else Lit(None, self.type)

    @property
    def together(self) -> Named_:
        return self.name, Agg(self.how, (Col(self.name),))


def numbers_of(tally: Tally, n: int) -> tuple[Number, ...]:
    """The columns that hold a tally."""
    if tally.measured is None:
        return (Number(f"events_{n}"),)
    type_ = tally.measured.type
    if tally.aggregate in ("min", "max"):
        return (Number(f"{tally.aggregate}_of_{n}", tally.aggregate, type_, zero=False),)
    return (Number(f"events_{n}"), Number(f"sum_of_{n}", "sum", type_, zero=False))


def aggregates_of(tally: Tally, n: int, where: Expr, value: Expr) -> tuple[Named_, ...]:
    """The columns that hold a tally, over the events for which a condition is true."""
    if tally.measured is None:
        return ((f"events_{n}", Agg("count_rows") if where == TRUE else count_if(where)),)
    condition = None if where == TRUE else where
    if tally.aggregate in ("min", "max"):
        return ((f"{tally.aggregate}_of_{n}", Agg(tally.aggregate, (value,), condition)),)
    return (f"events_{n}", Agg("count", (value,), condition)), (f"sum_of_{n}", Agg("sum", (value,), condition))


def within_bounds(test: Test, n: int) -> Expr:
    """Whether the tally in columns of this number is within the test's bounds; null is not."""
    aggregate, of = test.tally.aggregate, test.tally.measured
    if aggregate is None or of is None:
        low = test.low if test.low is not None else Decimal(1)
        return _between(Col(f"events_{n}"), low, test.high, Type.INTEGER)
    if aggregate == "average":
        average = call("divide", Col(f"sum_of_{n}"), Col(f"events_{n}"))
        return _between(average, test.low, test.high, Type.NUMBER)
    return _between(Col(f"{aggregate}_of_{n}"), test.low, test.high, of.type)


def _between(value: Expr, low: Decimal | None, high: Decimal | None, type_: Type) -> Expr:
    if low is not None and low == high:
        return call("eq", value, _bound(low, type_))
    bounds = [call("ge", value, _bound(low, type_))] if low is not None else []
    return all_of([*bounds, *([call("le", value, _bound(high, type_))] if high is not None else [])])


def _bound(written: Decimal, type_: Type) -> Lit:
    if written == written.to_integral_value() and type_ is not Type.NUMBER:
        return integer(int(written))
    return Lit(written, Type.NUMBER if type_ is Type.NUMBER else Type.DECIMAL)


def united(parts: Sequence[Plan], numbers: Sequence[Number]) -> Plan:
    """One row for each person with all numbers; each part has one row for each of its people already."""
    if len(parts) == 1:
        return parts[0]
    return Aggregate(padded(parts, numbers, ("entity",)), keep("entity"), tuple(one.together for one in numbers))


def padded(parts: Sequence[Plan], numbers: Sequence[Number], keys: Sequence[str]) -> Plan:
    """All rows under each other, with the numbers that a part does not have as nothing."""
    rows = []
    for part in parts:
        there = set(output(part))
        filled = ((one.name, Col(one.name) if one.name in there else one.nothing) for one in numbers)
        rows.append(Project(part, (*keep(*keys), *filled)))
    return rows[0] if len(rows) == 1 else Union(tuple(rows))


# -- events -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """What one scan of a source is asked: tallies by their numbers, each for its own time."""

    source: Source
    marked: bool
    """Whether copies of an event must be told from it."""
    tallies: tuple[tuple[int, Tally, Span], ...]

    @property
    def span(self) -> Span:
        return Span(min(span.start for *_, span in self.tallies), max(span.end for *_, span in self.tallies))

    def rows(self, query: BoundQuery, *, at: bool, moving: bool = True) -> tuple[Plan, dict[int, Expr]]:
        """The events of people, with `at` and values `of_1`; and of each tally which of them count.

        Without `moving` it is left to others which of them lie in windows that move with the as-of day.
        """
        restricted = {n: _of_source(tally.selection, self.source) for n, tally, _ in self.tallies}
        names = {one: f"is_{k}" for k, one in enumerate(dict.fromkeys(restricted.values()))}
        alternatives = tuple(dict.fromkeys(one for each in names for one in each.alternatives))
        flags = {name: one for one, name in names.items()} if len(names) > 1 else {}
        span = self.span
        bounded = {
            n: self._bounds(tally, own) if moving or not tally.window.moves else [] for n, tally, own in self.tallies
        }
        projected: dict[str, Expr] = {"entity": Col(ENTITY)}
        if at or any(bounded.values()):
            projected["at"] = Col(AT)
        for n, tally, _ in self.tallies:
            if tally.measured is not None:
                projected[f"of_{n}"] = property_value(tally.measured.name, tally.measured.type)
        both = Selection("cohort", alternatives, is_value_moment=False)
        events = occurrences(query, both, span, projected, marked=self.marked, flags=flags)
        first = [Col("first_copy")] if self.marked else []
        counts = {
            n: all_of([*([Col(names[restricted[n]])] if flags else []), *first, *bounded[n]]) for n, *_ in self.tallies
        }
        return Filter(events, all_of([is_known(query, Col("entity")), any_of(counts.values())])), counts

    def _bounds(self, tally: Tally, own: Span) -> list[Expr]:
        """What is to be asked of the time beyond the bounds of the scan."""
        if tally.first_ever:
            return []
        span = self.span
        found: list[Expr] = (
            [call("ge", Col("at"), instant(own.start, "window_start"))] if own.start > span.start else []
        )
        return [*found, *([call("lt", Col("at"), instant(own.end, "window_end"))] if own.end < span.end else [])]


def _of_source(selection: Selection, source: Source) -> Selection:
    alternatives = tuple(one for one in selection.alternatives if one.event.source is source)
    return Selection(selection.name, alternatives, selection.is_value_moment)


def readings(cohort: Cohort, tallies: Mapping[Tally, int], spans: Mapping[Tally, Span]) -> Iterator[Reading]:
    """One scan of each source for all tallies; where copies matter, one for each beginning.

    Which copy of an event is the earliest is judged from the beginning of a condition's own window, whatever stands
    beside it.
    """
    tests = [one for one in cohort.leaves if isinstance(one, Test)]
    exact = {
        one.tally
        for one in tests
        if one.tally.aggregate in ("sum", "average") or (one.tally.aggregate is None and (one.low, one.high) != ONCE)
    }
    groups: dict[tuple[Source, datetime | None], list[tuple[int, Tally, Span]]] = {}
    for tally, n in tallies.items():
        for source in tally.selection.sources:
            start = spans[tally].start if tally in exact and may_repeat(source) else None
            groups.setdefault((source, start), []).append((n, tally, spans[tally]))
    for (source, start), found in groups.items():
        yield Reading(source, start is not None, tuple(found))


ONCE = (Decimal(1), None)


def history(query: BoundQuery) -> datetime:
    """The instant before which nothing is read."""
    return query.calendar.start_of(EARLIEST)


def span_of(query: BoundQuery, tally: Tally, first_day: date, last_day: date) -> Span:
    """What is to be read of a tally as of any day between two."""
    first, _ = tally.window.days(first_day)
    _, last = tally.window.days(last_day)
    end = min(query.calendar.start_of(last + DAY), query.data_through + MICROSECOND)
    if tally.first_ever:
        return Span(history(query), max(end, history(query)))
    start = history(query) if first is None else query.calendar.start_of(first)
    return Span(min(start, end), end)


def first_in(query: BoundQuery, window: Window, at: Expr) -> Expr:
    """Whether an instant lies in a window as of the question's last day."""
    first, last = window.days(query.last)
    start_of = query.calendar.start_of
    since = [call("ge", at, instant(start_of(first), "window_start"))] if first is not None else []
    return all_of([*since, call("lt", at, instant(start_of(last + DAY), "window_end"))])


class _Numbers:
    """The numbers of a cohort as of one day."""

    def __init__(self, query: BoundQuery, cohort: Cohort) -> None:
        self.query, self.cohort = query, cohort
        tests = [one for one in cohort.leaves if isinstance(one, Test)]
        self.tallies = {tally: n for n, tally in enumerate(dict.fromkeys(one.tally for one in tests), 1)}
        others = [one for one in cohort.leaves if isinstance(one, InOrder | Chosen)]
        self.others = {one: n for n, one in enumerate(others, len(self.tallies) + 1)}

    @cached_property
    def columns(self) -> tuple[Number, ...]:
        found: list[Number] = []
        for tally, n in self.tallies.items():
            found += (
                [Number(f"at_{n}", "min", Type.TIMESTAMP, zero=False)] if tally.first_ever else numbers_of(tally, n)
            )
        found += [Number(f"in_{n}") for n in self.others.values()]
        return (*found, *([Number(SEEN)] if self.cohort.is_open else []))

    @property
    def holds(self) -> dict[Leaf, Expr]:
        found: dict[Leaf, Expr] = {}
        for leaf in self.cohort.leaves:
            match leaf:
                case Known(where):
                    found[leaf] = where
                case Test(tally) if tally.first_ever:
                    found[leaf] = first_in(self.query, tally.window, Col(f"at_{self.tallies[tally]}"))
                case Test(tally):
                    found[leaf] = within_bounds(leaf, self.tallies[tally])
                case InOrder() | Chosen():
                    found[leaf] = call("gt", Col(f"in_{self.others[leaf]}"), integer(0))
        return found

    def parts(self) -> list[Plan]:
        found: list[Plan] = []
        spans = {one: span_of(self.query, one, self.query.last, self.query.last) for one in self.tallies}
        for reading in readings(self.cohort, self.tallies, spans):
            firsts = any(tally.first_ever for _, tally, _ in reading.tallies)
            rows, counts = reading.rows(self.query, at=firsts)
            aggregates: list[Named_] = []
            for n, tally, _ in reading.tallies:
                if tally.first_ever:
                    where = None if counts[n] == TRUE else counts[n]
                    aggregates.append((f"at_{n}", Agg("min", (Col("at"),), where)))
                else:
                    aggregates += aggregates_of(tally, n, counts[n], Col(f"of_{n}"))
            found.append(Aggregate(rows, keep("entity"), tuple(aggregates)))
        for one, n in self.others.items():
            members = completed(self.query, one) if isinstance(one, InOrder) else chosen(self.query, one)
            found.append(Project(members, (*keep("entity"), (f"in_{n}", integer(1)))))
        if self.cohort.is_open:
            found.append(Project(everyone(self.query, self.cohort), (*keep("entity"), (SEEN, integer(1)))))
        return found


# -- what other scans tell --------------------------------------------------------------------------------------------


def completed(query: BoundQuery, sequence: InOrder) -> Plan:
    """Who did all steps of a sequence: `entity` and `at`, when each first had."""
    span = Span(history(query), query.data_through + MICROSECOND)
    sources = tuple(dict.fromkeys(source for step in sequence.steps for source in step.sources))
    overlapping = sequence.overlapping
    tie = overlapping and all(source.tie_breaker for source in sources)
    projected: dict[str, Expr] = {"entity": Col(ENTITY), "at": Col(AT), **({"tie": Col(TIE)} if tie else {})}
    alternatives = tuple(dict.fromkeys(one for step in sequence.steps for one in step.alternatives))
    both = Selection("sequence", alternatives, is_value_moment=False)
    flags = {f"is_{k}": step for k, step in enumerate(sequence.steps, 1)}
    events = Filter(occurrences(query, both, span, projected, flags=flags), is_known(query, Col("entity")))
    within = (sequence.within or LONGEST).elapsed
    journey = Journey(
        input=events,
        steps=tuple(JourneyStep(f"step_{k}", Col(f"is_{k}")) for k in range(1, len(sequence.steps) + 1)),
        window_seconds=int(within.total_seconds()),
        overlapping=overlapping,
        tie=tie,
        once_per_entity=sequence.steps[0].is_once_per(query.metric.entity),
    )
    last = Col(f"at_{len(sequence.steps)}")
    there = Filter(Named("sequences", journey), call("not_", call("is_null", last)))
    return Project(there, (*keep("entity"), ("at", last)))


def chosen(query: BoundQuery, one: Chosen) -> Plan:
    """The people behind a metric as of the question's day: `entity`, each once."""
    family = families()[one.metric.type]
    assert family.members is not None
    return family.members.plan(question_of(query, one))


def question_of(query: BoundQuery, one: Chosen) -> BoundQuery:
    """The question for the people behind a metric.

    Where they are told by bucket it is the last one over by the day, or the one that is chosen; where a range chooses
    (the entries of a funnel) it is all of history.
    """
    family = families()[one.metric.type]
    assert family.members is not None
    asked = replace(query, metric=one.metric)
    calendar, choices = query.calendar, family.members.choices(one.metric)
    dated = next((value for name, value in one.of if choices[name] is Type.DATE), None)
    if isinstance(dated, date):
        first = calendar.floor(dated, one.grain)
        last = calendar.next(first, one.grain) - DAY
        return replace(asked, first=first, last=last, grain=one.grain, members=Page(of=one.of))
    if PERIOD not in choices:
        starts = [source.history_start for source in one.metric.sources]
        known = [start for start in starts if start is not None]
        first = query.calendar.local_date(min(known)) if known and len(known) == len(starts) else EARLIEST
        return replace(asked, first=min(first, query.last), members=Page(of=one.of))
    first = calendar.floor(query.last, one.grain)
    if calendar.next(first, one.grain) - DAY > query.last:
        first = calendar.floor(first - DAY, one.grain)
    last = calendar.next(first, one.grain) - DAY
    return replace(asked, first=first, last=last, grain=one.grain, members=Page(of=(*one.of, (PERIOD, first))))


def everyone(query: BoundQuery, cohort: Cohort) -> Plan:
    """Whom `not` is about: those in the entity's table, or else everyone ever seen; `entity`, with `at` if seen."""
    known = everyone_known(query)
    if known is not None:
        return known
    span = Span(history(query), query.data_through + MICROSECOND)
    seen = [
        Project(events_of(query, source, span, {ENTITY, AT}), (("entity", Col(ENTITY)), ("at", Col(AT))))
        for source in cohort.sources
    ]
    rows = Filter(seen[0] if len(seen) == 1 else Union(tuple(seen)), is_known(query, Col("entity")))
    return Aggregate(rows, keep("entity"), (("at", Agg("min", (Col("at"),))),))
