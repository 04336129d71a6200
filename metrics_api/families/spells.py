"""Who is in a cohort as of each of many days, in one pass over what people did.

No event meets a list of days. Events are counted by person and day; such a count enters a window on one of the days
and leaves it on a later one, so it is one change up and one down. All changes of a person in order, summed up, are the
person's numbers from each change to the next, and the conditions say in which of these spells the person is in the
cohort. What cannot be summed up (the least, the greatest, sums of floating-point numbers, members of a metric) is found
for each of the days, and enters and leaves in the same way.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias

from metrics_api.families.conditions import Chosen, Cohort, InOrder, Known, Leaf, Tally, Test, Window
from metrics_api.families.membership import (
    SEEN,
    Number,
    Reading,
    aggregates_of,
    as_of,
    chosen,
    completed,
    everyone,
    first_in,
    numbers_of,
    padded,
    readings,
    span_of,
    united,
    within_bounds,
)
from metrics_api.families.relations import local_date
from metrics_api.periods import DAY, MICROSECOND, Span
from metrics_api.plan.expr import TRUE, Agg, Case, Col, Expr, Lit, Over, Type, all_of, any_of, call, instant, integer
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Named_, Plan, Project, Spine, keep, output
from metrics_api.query.bind import BoundQuery
from metrics_api.semantic.model import Property

ALWAYS = Window()
BEFORE = -1
"""The day of whatever happened before the days that matter one by one."""
Counted: TypeAlias = Tally | Test | InOrder | Chosen


class Spells:
    """The spells of everyone who did anything a cohort asks about, over some days in order.

    `rows` has `entity`, `at` (the number of the day from which the numbers hold), `next_at` (the one from which they do
    not, if they change) and the numbers; `holds` says of each condition whether it holds in a row.
    """

    def __init__(self, query: BoundQuery, cohort: Cohort, days: Sequence[date]) -> None:
        self.query, self.cohort, self.days = as_of(query, days[-1]), cohort, tuple(days)
        leaves = [one for one in cohort.leaves if not isinstance(one, Known)]
        counted: list[Counted] = [
            one.tally if isinstance(one, Test) and (_can_be_summed(one.tally) or one.tally.first_ever) else one
            for one in leaves
        ]
        self.places = {one: n for n, one in enumerate(dict.fromkeys(counted), 1)}
        windows = [_moving(one.tally) for one in leaves if isinstance(one, Test)]
        self.calendar = _Calendar(self.query, self.days, (*windows, ALWAYS))

    @property
    def rows(self) -> Plan:
        numbers = self.numbers
        stacked = padded(list(self.changes()), numbers, ("entity", "at"))
        summed = tuple((one.name, Agg("sum", (Col(one.name),))) for one in numbers)
        changes = Named("changes", Aggregate(stacked, keep("entity", "at"), summed))
        who, order = (Col("entity"),), (Col("at"),)
        reached = ((one.name, Over("sum", (Col(one.name),), who, order, including_current=True)) for one in numbers)
        following = ("next_at", Over("lead", (Col("at"),), who, order))
        return Named("spells", Project(changes, (*keep("entity", "at"), following, *reached)))

    @cached_property
    def numbers(self) -> tuple[Number, ...]:
        found: list[Number] = []
        for one, n in self.places.items():
            if isinstance(one, Tally) and not one.first_ever:
                found += [replace(each, zero=True) for each in numbers_of(one, n)]
            else:
                found.append(Number(f"in_{n}"))
        return (*found, *([Number(SEEN)] if self.cohort.is_open else []))

    @property
    def holds(self) -> Mapping[Leaf, Expr]:
        found: dict[Leaf, Expr] = {}
        for leaf in self.cohort.leaves:
            match leaf:
                case Known(where):
                    found[leaf] = where
                case Test(tally) if tally in self.places and not tally.first_ever:
                    n = self.places[tally]
                    # A sum of nothing is 0 here, and nobody's.
                    anything = [call("gt", Col(f"events_{n}"), integer(0))] if tally.measured else []
                    found[leaf] = all_of([*anything, within_bounds(leaf, n)])
                case Test(tally):
                    n = self.places[tally if tally.first_ever else leaf]
                    found[leaf] = call("gt", Col(f"in_{n}"), integer(0))
                case _:
                    found[leaf] = call("gt", Col(f"in_{self.places[leaf]}"), integer(0))
        return found

    # -- changes ------------------------------------------------------------------------------------------------------

    def changes(self) -> Iterator[Plan]:
        """Rows of `entity`, `at` and some of the numbers: by how much they change then."""
        yield from self.of_events()
        yield from self.of_first_events()
        for one, n in self.places.items():
            match one:
                case InOrder():
                    done = Project(completed(self.query, one), (*keep("entity"), ("day", self.calendar.day(Col("at")))))
                    yield from self.calendar.changes(done, {ALWAYS: ((f"in_{n}", integer(1)),)})
                case Chosen():
                    for number, day in enumerate(self.days):
                        members = Named(f"chosen_{n}", chosen(as_of(self.query, day), one))
                        yield Project(members, (*keep("entity"), ("at", integer(number)), (f"in_{n}", integer(1))))
                        if number + 1 < len(self.days):
                            after = ("at", integer(number + 1))
                            yield Project(members, (*keep("entity"), after, (f"in_{n}", integer(-1))))
        if self.cohort.is_open:
            known = everyone(self.query, self.cohort)
            if "at" in output(known):
                seen = Project(known, (*keep("entity"), ("day", self.calendar.day(Col("at")))))
                yield from self.calendar.changes(seen, {ALWAYS: ((SEEN, integer(1)),)})
            else:
                yield Project(known, (*keep("entity"), ("at", integer(0)), (SEEN, integer(1))))

    def of_events(self) -> Iterator[Plan]:
        """What is counted by person and day."""
        by_day: dict[Tally, list[Plan]] = {}
        for reading in self.readings(first_ever=False):
            cells, columns = _cells(reading, self.query, self.calendar)
            summed: dict[Window, tuple[Named_, ...]] = {}
            for _, tally, _ in reading.tallies:
                there = [Col(one.name) for one in numbers_of(tally, columns[tally])]
                if tally in self.places:
                    names = [one.name for one in numbers_of(tally, self.places[tally])]
                    window = _moving(tally)
                    summed[window] = (*summed.get(window, ()), *zip(names, there, strict=True))
                else:
                    own = tuple(zip((one.name for one in numbers_of(tally, 0)), there, strict=True))
                    by_day.setdefault(tally, []).append(Project(cells, (*keep("entity", "day"), *own)))
            if summed:
                yield from self.calendar.changes(cells, summed)
        for one, n in self.places.items():
            if isinstance(one, Test):
                yield from self.in_each_window(one, n, by_day[one.tally])

    def in_each_window(self, test: Test, n: int, cells: Sequence[Plan]) -> Iterator[Plan]:
        """Who passes a test of what cannot be summed up, for each of the days."""
        columns = numbers_of(test.tally, 0)
        windows = tuple((k, *self.calendar.bounds(_moving(test.tally), day)) for k, day in enumerate(self.days))
        typed = (("number", Type.INTEGER), ("first_day", Type.INTEGER), ("last_day", Type.INTEGER))
        held = all_of([call("ge", Col("day"), Col("first_day")), call("le", Col("day"), Col("last_day"))])
        rows = Join(Spine(typed, windows), padded(cells, columns, ("entity", "day")), "inner", where=held)
        found = Aggregate(rows, keep("entity", "number"), tuple(one.together for one in columns))
        passed = Named("passed", Project(Filter(found, within_bounds(test, 0)), keep("entity", "number")))
        yield Project(passed, (*keep("entity"), ("at", Col("number")), (f"in_{n}", integer(1))))
        goes_on = Filter(passed, call("lt", Col("number"), integer(len(self.days) - 1)))
        after = call("add", Col("number"), integer(1))
        yield Project(goes_on, (*keep("entity"), ("at", after), (f"in_{n}", integer(-1))))

    def of_first_events(self) -> Iterator[Plan]:
        """The first event of each person enters and leaves like any other, and no other does."""
        tallies = {one: n for one, n in self.places.items() if isinstance(one, Tally) and one.first_ever}
        columns = {one: Number(f"at_{n}", "min", Type.TIMESTAMP) for one, n in tallies.items()}
        found: list[Plan] = []
        for reading in self.readings(first_ever=True):
            rows, counts = reading.rows(self.query, at=True, moving=False)
            firsts = (
                (columns[tally].name, Agg("min", (Col("at"),), None if counts[n] == TRUE else counts[n]))
                for n, tally, _ in reading.tallies
            )
            found.append(Aggregate(rows, keep("entity"), tuple(firsts)))
        for tally, n in tallies.items():
            rows = Named("first_events", united(found, tuple(columns.values())))
            at = Col(columns[tally].name)
            there = call("not_", call("is_null", at))
            in_time = first_in(self.query, tally.window, at) if not tally.window.moves else TRUE
            day = self.calendar.day(at)
            first_day = Project(Filter(rows, all_of([there, in_time])), (*keep("entity"), ("day", day)))
            yield from self.calendar.changes(first_day, {_moving(tally): ((f"in_{n}", integer(1)),)})

    def readings(self, *, first_ever: bool) -> Iterator[Reading]:
        """The scans of events, for first events or for all others."""
        tallies = (one.tally for one in self.cohort.leaves if isinstance(one, Test))
        wanted = {one: n for n, one in enumerate(dict.fromkeys(tallies), 1) if one.first_ever is first_ever}
        spans = {one: span_of(self.query, one, self.days[0], self.days[-1]) for one in wanted}
        yield from readings(self.cohort, wanted, spans)


def _moving(tally: Tally) -> Window:
    """The window by which an event enters and leaves: fixed dates are bounds of what is read, and never leave."""
    return tally.window if tally.window.moves else Window(None, tally.window.until)


def _can_be_summed(tally: Tally) -> bool:
    """Whether a tally of some days is exactly the sum of each day's."""
    if tally.first_ever:
        return False
    return tally.measured is None or (
        tally.aggregate in ("sum", "average") and tally.measured.type in (Type.INTEGER, Type.DECIMAL)
    )


def _cells(reading: Reading, query: BoundQuery, calendar: _Calendar) -> tuple[Plan, Mapping[Tally, int]]:
    """What a scan says of each person and day, and by which numbers its columns are called for each tally."""
    rows, counts = reading.rows(query, at=True, moving=False)
    alike: dict[tuple[Expr, str | None, Property | None], int] = {}
    called: dict[Tally, int] = {}
    aggregates: list[Named_] = []
    for n, tally, _ in reading.tallies:
        key = (counts[n], tally.aggregate, tally.measured)
        if key not in alike:
            aggregates += aggregates_of(tally, n, counts[n], Col(f"of_{n}"))
        called[tally] = alike.setdefault(key, n)
    day = calendar.day(Col("at"), since=reading.span.start)
    return Named("days", Aggregate(rows, (*keep("entity"), ("day", day)), tuple(aggregates))), called


class _Calendar:
    """Local days as numbers, and when each enters and leaves the windows of the as-of days."""

    def __init__(self, query: BoundQuery, days: Sequence[date], windows: Sequence[Window]) -> None:
        self.query, self.days = query, days
        first, last = zip(*(one.days(days[0]) for one in windows), strict=True)
        # Before the origin days are alike: in every window that holds all of history, and in no other.
        begin = [one for one in first if one is not None]
        begin += [until + DAY for since, until in zip(first, last, strict=True) if since is None]
        self.origin = min([days[0], *begin])
        self.span = Span(query.calendar.start_of(self.origin), query.data_through + MICROSECOND)

    def day(self, at: Expr, since: datetime | None = None) -> Expr:
        """The number of the local day of an instant not before `since`."""
        origin = Lit(self.origin, Type.DATE, role="first_day")
        number = call("days_between", origin, local_date(self.query, at, self.span))
        if since is not None and since >= self.span.start:
            return number
        return Case(((call("lt", at, instant(self.span.start, "first_day")), integer(BEFORE)),), number)

    def bounds(self, window: Window, day: date) -> tuple[int, int]:
        """The numbers of a window's first and last day."""
        first, last = window.days(day)
        return BEFORE if first is None else (first - self.origin).days, (last - self.origin).days

    def changes(self, rows: Plan, numbers: Mapping[Window, tuple[Named_, ...]]) -> Iterator[Plan]:
        """The numbers of rows (`entity`, `day`) as changes: up where the day enters a window, down where it leaves."""
        if self.is_even and all(one.is_of_days for one in numbers):
            yield from self.even_changes(rows, numbers)
            return
        columns: list[str] = ["held_day"]
        places: list[list[tuple[int, int]]] = []
        for k, window in enumerate(numbers):
            columns += [f"opens_{k}", f"closes_{k}"]
            firsts, lasts = zip(*(self.bounds(window, day) for day in self.days), strict=True)
            last = (self.days[-1] - self.origin).days
            places.append([_place(firsts, lasts, day) for day in range(BEFORE, last + 1)])
        held = [
            (day, *(one for place in each for one in place))
            for day, each in enumerate(zip(*places, strict=True), BEFORE)
            if any(opens < closes for opens, closes in each)
        ]
        if not held:
            return
        calendar = Spine(tuple((name, Type.INTEGER) for name in columns), tuple(held))
        placed = Named("placed_days", Join(rows, calendar, "inner", on=(("day", "held_day"),)))
        after = len(self.days)
        for k, own in enumerate(numbers.values()):
            is_held = call("lt", Col(f"opens_{k}"), Col(f"closes_{k}"))
            some = (
                [call("ne", expr, integer(0)) for _, expr in own if isinstance(expr, Col)] if len(numbers) > 1 else []
            )
            entering = Filter(placed, all_of([is_held, *([any_of(some)] if some else [])]))
            yield Project(entering, (*keep("entity"), ("at", Col(f"opens_{k}")), *own))
            if any(each[k][0] < each[k][1] < after for each in zip(*places, strict=True)):
                leaving = Filter(entering, call("lt", Col(f"closes_{k}"), integer(after)))
                down = tuple((name, call("sub", expr)) for name, expr in own)
                yield Project(leaving, (*keep("entity"), ("at", Col(f"closes_{k}")), *down))

    @cached_property
    def is_even(self) -> bool:
        """Whether the as-of days follow one another."""
        return all(later - day == DAY for day, later in pairwise(self.days))

    def even_changes(self, rows: Plan, numbers: Mapping[Window, tuple[Named_, ...]]) -> Iterator[Plan]:
        """The same for windows of so many days each, which move on by one: without looking a day up."""
        count = len(self.days)
        rows = rows if isinstance(rows, Named) else Named("dated", rows)
        for window, own in numbers.items():
            first, last = self.bounds(window, self.days[0])
            late = call("sub", Col("day"), integer(last))
            opens = Case(((call("gt", late, integer(0)), late),), integer(0))
            held: list[Expr] = [call("lt", Col("day"), integer(last + count))] if window.until else []
            held += [call("ge", Col("day"), integer(first))] if window.moves else []
            held += [any_of(call("ne", expr, integer(0)) for _, expr in own)] if len(numbers) > 1 else []
            yield Project(Filter(rows, all_of(held)), (*keep("entity"), ("at", opens), *own))
            if window.moves and count > 1:
                leaving = [*held, call("lt", Col("day"), integer(first + count - 1))]
                closes = call("sub", Col("day"), integer(first - 1))
                down = tuple((name, call("sub", expr)) for name, expr in own)
                yield Project(Filter(rows, all_of(leaving)), (*keep("entity"), ("at", closes), *down))


def _place(firsts: Sequence[int], lasts: Sequence[int], day: int) -> tuple[int, int]:
    """The number of the first window that holds a day, and of the first after those; the bounds never fall."""
    opens, closes = bisect_left(lasts, day), bisect_right(firsts, day)
    return (opens, closes) if opens < closes else (0, 0)
