"""What is said of a funnel's attempts: step by step, by bucket of entry, by time taken, and who they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from metrics_api.families.journeys import Funnel, attempts, window
from metrics_api.families.relations import count_if, on_every_period, quantile, zero_if_missing
from metrics_api.families.series import PERIOD
from metrics_api.periods import DAY, HOUR, Grain, Period
from metrics_api.plan.expr import TRUE, Agg, Case, Col, Expr, Lit, Type, all_of, any_of, call, instant, integer, text
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Named_, Plan, Project, Spine, Union, keep
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Measure, PerEntity, Table
from metrics_api.query.scored import Scored
from metrics_api.results import Column
from metrics_api.semantic.model import Metric

STATES = ("converted", "dropped", "pending", "excluded")

# -- measures: the times to convert are computed only when asked for --------------------------------------------------

_TIMES = re.compile(r"seconds_from_(entry|previous)_(average|median|min|max|p([1-9]|[1-9][0-9]))")
_OFFERED = tuple(
    f"seconds_from_{origin}_{stat}"
    for origin in ("entry", "previous")
    for stat in ("average", "median", "p25", "p75", "p90")
)


def measure(metric: Metric, name: str) -> Measure | None:
    if not (matched := _TIMES.fullmatch(name)):
        return None
    fraction = "0.5" if matched[2] == "median" else str(Decimal(matched[3]) / 100) if matched[3] else None
    since = "the entry" if matched[1] == "entry" else "the previous step"
    return Measure(
        name,
        f"{matched[1]}_{matched[2]}",
        Type.NUMBER,
        None,
        fraction,
        f"Seconds from {since}, over converters: {matched[2]}.",
    )


def measures(metric: Metric) -> tuple[Measure, ...]:
    return tuple(one for name in _OFFERED if (one := measure(metric, name)))


# -- columns ----------------------------------------------------------------------------------------------------------

_COUNTS = {
    "entered": "People who reached the previous step (for the first: who entered).",
    "converted": "People who reached this step within the window.",
    "dropped": "People whose window closed before they reached it.",
    "excluded": "People removed by an exclusion.",
    "pending": "People who have not reached it and whose window is still open.",
    "mature_entered": "Of those entered, people whose window has closed.",
}
_RATES = {
    "rate": "Converted, of all who entered the funnel.",
    "step_rate": "Converted, of those who reached the previous step.",
    "mature_rate": "Converted, of all who entered; both only of people whose window has closed.",
}
_OF_WHOLE = {
    "entered": "People who entered in this bucket.",
    "converted": "Of them, people who reached the last step.",
    "dropped": "Of them, people whose window closed before they did.",
    "excluded": "Of them, people removed by an exclusion.",
    "pending": "Of them, people who have not and whose window is still open.",
    "mature_entered": "Of them, people whose window has closed.",
}


def _counts(described: Mapping[str, str]) -> tuple[Column, ...]:
    return tuple(Column(name, Type.INTEGER, description=words) for name, words in described.items())


def _rates(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, Type.NUMBER, nullable=True, description=_RATES[name]) for name in names)


STEP = (
    Column("step", Type.STRING, description="The step's name."),
    Column("position", Type.INTEGER, description="1 for the entry."),
)
STEPS = Table(STEP, (*_counts(_COUNTS), *_rates(*_RATES)), "A row for each group and step.", measured=True)
TREND = Table(
    (PERIOD,), (*_counts(_OF_WHOLE), *_rates("rate", "mature_rate")), "A row for each bucket of entry.", flagged=True
)
HISTOGRAM = Table(
    (*STEP, Column("from_seconds", Type.INTEGER, description="The shortest time since the entry.")),
    (
        Column("to_seconds", Type.INTEGER, description="Up to this time; itself only at the end of the window."),
        Column("users", Type.INTEGER, description="The people who reached the step after that time."),
    ),
    "A row for each group, step after the entry and stretch of time.",
)


# -- what is true of an attempt ---------------------------------------------------------------------------------------


def _is_reached(k: int) -> Expr:
    """Whether an attempt came to step k; to the first every one did."""
    return TRUE if k == 1 else _is_known(f"at_{k}")


def _is_known(name: str) -> Expr:
    return call("not_", call("is_null", Col(name)))


def _is_missing(name: str) -> Expr:
    return call("is_null", Col(name))


def _closed(query: BoundQuery) -> Expr:
    """Whether the whole window has been seen."""
    return call("le", Col("at_1"), instant(query.data_through - window(query), role="last_closed_entry"))


def _step_closed(query: BoundQuery, k: int) -> Expr | None:
    """Whether the step's own window has been seen."""
    spec: Funnel = query.metric.spec
    if (within := spec.steps[k - 1].within) is None:
        return None
    last = instant(query.data_through - within.elapsed, role="last_closed_step")
    return call("le", Col(f"at_{spec.required_before(k)}"), last)


def _state(query: BoundQuery, k: int, state: str) -> Expr:
    """Whether an attempt that came as far as the step before is in this state at step k."""
    spec: Funnel = query.metric.spec
    if k == 1:
        return TRUE
    before, this = _is_reached(spec.required_before(k)), _is_known(f"at_{k}")
    if state == "converted":
        return all_of([before, this])
    passed = [_is_known(f"at_{spec.required_after(k)}")] if spec.steps[k - 1].optional else []
    is_excluded = all_of([_is_known("excluded_at"), *(call("not_", one) for one in passed)])
    lost = [before, _is_missing(f"at_{k}")]
    if state == "excluded":
        return all_of([*lost, is_excluded])
    if spec.exclusions:
        lost.append(any_of([_is_missing("excluded_at"), *passed]))
    own = _step_closed(query, k)
    over = any_of([_closed(query), *([own] if own is not None else []), *passed])
    return all_of([*lost, over if state == "dropped" else call("not_", over)])


def _is_plain(spec: Funnel) -> bool:
    """Whether whoever did not go on is either mature and dropped, or pending."""
    return not spec.exclusions and not any(one.optional or one.within for one in spec.steps)


# -- steps ------------------------------------------------------------------------------------------------------------


def steps(query: BoundQuery) -> Plan:
    spec: Funnel = query.metric.spec
    by = tuple(one.name for one in query.by)
    found = Named("attempts", attempts(query, times=bool(query.measures)))
    totals = Named("totals", Aggregate(found, keep(*by), _totals(query)))
    rows = [
        Project(totals, (("step", text(name)), ("position", integer(k)), *keep(*by), *_shown(query, k)))
        for k, name in enumerate(spec.names, 1)
    ]
    return Union(tuple(rows))


def ranking(query: BoundQuery) -> tuple[Plan, str]:
    """Groups are ranked by those who entered."""
    rows = steps(replace(query, measures=(), parts=("steps",)))
    return Filter(rows, call("eq", Col("position"), integer(1))), "entered"


def _totals(query: BoundQuery) -> tuple[Named_, ...]:
    """One row for the whole funnel (and group): what every step is made of, read in a single pass."""
    spec: Funnel = query.metric.spec
    totals: dict[str, Expr] = {}
    for k in range(1, len(spec.steps) + 1):
        totals[f"reached_{k}"] = Agg("count_rows") if k == 1 else Agg("count", (Col(f"at_{k}"),))
        totals[f"mature_{k}"] = count_if(all_of([_is_reached(k), _closed(query)]))
        if k == 1:
            continue
        if not _is_plain(spec):
            totals[f"of_dropped_{k}"] = count_if(_state(query, k, "dropped"))
        if spec.exclusions:
            totals[f"of_excluded_{k}"] = count_if(_state(query, k, "excluded"))
        for one in query.measures:
            totals[f"{one.name}_{k}"] = _time(spec, one, k)
    return tuple(totals.items())


def _time(spec: Funnel, one: Measure, k: int) -> Expr:
    origin, stat = one.of.split("_", 1)
    since = 1 if origin == "entry" else spec.required_before(k)
    took = call("seconds_between", Col(f"at_{since}"), Col(f"at_{k}"))
    if one.fraction is not None:
        return quantile(took, one.fraction)
    return Agg({"average": "avg"}.get(stat, stat), (took,))


def _shown(query: BoundQuery, k: int) -> tuple[Named_, ...]:
    spec: Funnel = query.metric.spec
    reached, mature, zero = Col(f"reached_{k}"), Col(f"mature_{k}"), integer(0)
    if k == 1:
        lost: tuple[Expr, ...] = (reached, reached, zero, zero, zero, mature)
        times: tuple[Expr, ...] = tuple(Lit(None, Type.NUMBER) for _ in query.measures)
        previous: Expr = reached
    else:
        p = spec.required_before(k)
        previous, mature_previous = Col(f"reached_{p}"), Col(f"mature_{p}")
        dropped: Expr = call("sub", mature_previous, mature) if _is_plain(spec) else Col(f"of_dropped_{k}")
        pending = call("sub", call("sub", previous, reached), dropped)
        excluded: Expr = Col(f"of_excluded_{k}") if spec.exclusions else zero
        if spec.exclusions:
            pending = call("sub", pending, excluded)
        lost = (previous, reached, dropped, excluded, pending, mature_previous)
        times = tuple(Col(f"{one.name}_{k}") for one in query.measures)
    rates = (
        ("rate", call("divide", reached, Col("reached_1"))),
        ("step_rate", call("divide", reached, previous)),
        ("mature_rate", call("divide", mature, Col("mature_1"))),
    )
    named_times = ((one.name, time) for one, time in zip(query.measures, times, strict=True))
    return (*zip(_COUNTS, lost, strict=True), *rates, *named_times)


# -- trend ------------------------------------------------------------------------------------------------------------


def trend(query: BoundQuery) -> Plan:
    """Each bucket by itself: an attempt of each person who entered in it."""
    keys = keep("period", *(one.name for one in query.by))
    found = Named("attempts_by_period", attempts(query, per_bucket=True))
    filled = on_every_period(query, Named("by_period", Aggregate(found, keys, _whole(query))))
    return Project(filled, (*keys, *_shown_of_whole(query)))


def series(query: BoundQuery) -> Mapping[str, Plan]:
    """The funnel as a whole, by bucket of entry and over the range, as numbers to calculate with."""
    by = keep(*(one.name for one in query.by))
    found: dict[str, Plan] = {}
    for part in query.parts:
        if part == "rows":
            rows = trend(query)
        else:
            whole = Named("whole", Aggregate(Named("attempts", attempts(query)), by, _whole(query)))
            rows = Project(whole, (*by, *_shown_of_whole(query)))
        period = keep("period") if part == "rows" else ()
        numbers = tuple((f"number_{k}", Col(one.name)) for k, one in enumerate(query.measures, 1))
        found[part] = Project(rows, (*period, *by, *numbers))
    return found


def numbers(metric: Metric) -> tuple[Measure, ...]:
    """What others can calculate with: the columns of the trend."""
    counts = (Measure(name, "users", Type.INTEGER, description=words) for name, words in _OF_WHOLE.items())
    rates = (Measure(name, "rate", Type.NUMBER, description=_RATES[name]) for name in ("rate", "mature_rate"))
    return (*counts, *rates)


def _whole(query: BoundQuery) -> tuple[Named_, ...]:
    """What is counted of attempts, from the entry to the last step."""
    spec: Funnel = query.metric.spec
    last = f"at_{len(spec.steps)}"
    lost = [_is_missing(last), *([_is_missing("excluded_at")] if spec.exclusions else [])]
    excluded = count_if(all_of([_is_missing(last), _is_known("excluded_at")])) if spec.exclusions else None
    return (
        ("entered", Agg("count_rows")),
        ("converted", Agg("count", (Col(last),))),
        *((("excluded", excluded),) if excluded is not None else ()),
        ("pending", count_if(all_of([*lost, call("not_", _is_over(query))]))),
        ("mature_entered", count_if(_closed(query))),
        ("mature_1", count_if(all_of([_is_known(last), _closed(query)]))),
    )


def _shown_of_whole(query: BoundQuery) -> tuple[Named_, ...]:
    """What is told of `_whole`: no one in a bucket that nobody entered."""
    counts = {"excluded": integer(0)} | {name: zero_if_missing(name) for name, _ in _whole(query)}
    dropped: Expr = counts["entered"]
    for name in ("converted", "excluded", "pending"):
        dropped = call("sub", dropped, counts[name])
    counts["dropped"] = dropped
    rates = (
        ("rate", call("divide", counts["converted"], counts["entered"])),
        ("mature_rate", call("divide", counts["mature_1"], counts["mature_entered"])),
    )
    return (*((name, counts[name]) for name in _OF_WHOLE), *rates)


def _is_over(query: BoundQuery) -> Expr:
    """Whether an attempt that has not converted cannot any more, because a window has closed."""
    spec: Funnel = query.metric.spec
    over = [_closed(query)]
    for k, step in enumerate(spec.steps, 1):
        if (own := _step_closed(query, k) if k > 1 else None) is not None and not step.optional:
            before = _is_reached(spec.required_before(k))
            over.append(all_of([before, _is_missing(f"at_{k}"), own]))
    return any_of(over)


def is_complete(query: BoundQuery, bucket: Period) -> bool:
    """Whether the windows of all who enter in a bucket have closed."""
    return bucket.end + window(query) <= query.data_through


# -- histogram --------------------------------------------------------------------------------------------------------

BOUNDS = (
    *(timedelta(minutes=1), timedelta(minutes=10), HOUR, 6 * HOUR),
    *(days * DAY for days in (1, 3, 7, 14, 30, 90, 180, 365)),
)
"""Where the stretches of time to convert end, as far as the window reaches."""


def stretches(longest: timedelta) -> tuple[tuple[int, int], ...]:
    """The stretches of time from the entry up to the end of a window, in seconds.

    >>> from datetime import date, timedelta
    >>> stretches(timedelta(hours=2))
    ((0, 60), (60, 600), (600, 3600), (3600, 7200))
    """
    ends = [int(one.total_seconds()) for one in BOUNDS if one < longest]
    return tuple(zip([0, *ends], [*ends, int(longest.total_seconds())], strict=True))


def histogram(query: BoundQuery) -> Plan:
    """For each step after the entry how many people took how long since the entry."""
    spec: Funnel = query.metric.spec
    by = tuple(one.name for one in query.by)
    found = Named("attempts", attempts(query, times=True))
    spans = stretches(window(query))
    rows: list[Plan] = []
    for k in range(2, len(spec.steps) + 1):
        took = call("seconds_between", Col("at_1"), Col(f"at_{k}"))
        earlier = tuple((call("lt", took, integer(end)), integer(start)) for start, end in spans[:-1])
        begins = Case(earlier, integer(spans[-1][0])) if earlier else integer(0)
        there = Filter(found, _is_known(f"at_{k}"))
        rows.append(Project(there, (*keep(*by), ("position", integer(k)), ("from_seconds", begins))))
    keys = ("position", "from_seconds", *by)
    converted = Named("converted", rows[0] if len(rows) == 1 else Union(tuple(rows)))
    counted = Named("by_time", Aggregate(converted, keep(*keys), (("users", Agg("count_rows")),)))
    typed = (
        *(("step", Type.STRING), ("position", Type.INTEGER)),
        *(("from_seconds", Type.INTEGER), ("to_seconds", Type.INTEGER)),
    )
    grid: Plan = Spine(typed, tuple((name, k, *span) for k, name in enumerate(spec.names[1:], 2) for span in spans))
    if by:
        grid = Join(grid, Named("segments", Aggregate(found, keep(*by), ())), "cross")
    joined = Join(grid, counted, "left", tuple((name, name) for name in keys))
    shown = ("step", "position", "from_seconds", *by, "to_seconds")
    return Project(joined, (*keep(*shown), ("users", zero_if_missing("users"))))


# -- members ----------------------------------------------------------------------------------------------------------


def choices(metric: Metric) -> Mapping[str, tuple[str, ...] | Type]:
    spec: Funnel = metric.spec
    return {"step": spec.names, "state": STATES}


def chosen(query: BoundQuery) -> tuple[int, str]:
    """The number of a step, and the state at it: who reached the last one unless said otherwise."""
    spec: Funnel = query.metric.spec
    step = str(query.chosen.get("step", spec.names[-1]))
    return spec.names.index(step) + 1, str(query.chosen.get("state", "converted"))


def members(query: BoundQuery) -> Plan:
    """The people in a state at a step."""
    spec: Funnel = query.metric.spec
    k, state = chosen(query)
    if state == "excluded" and not spec.exclusions:
        state_is: Expr = Lit(False, Type.BOOLEAN)
    else:
        state_is = _state(query, k, state)
    found = Filter(Named("attempts", attempts(query)), state_is)
    if spec.count == "totals":
        return Aggregate(found, keep("entity"), ())
    return Project(found, keep("entity"))


def lost(query: BoundQuery, k: int) -> Plan:
    """Who was dropped at step k, and when they had come to the required step before it: (entity, at)."""
    spec: Funnel = query.metric.spec
    found = Filter(Named("attempts", attempts(query, times=True)), _state(query, k, "dropped"))
    return Project(found, (*keep("entity"), ("at", Col(f"at_{spec.required_before(k)}"))))


# -- single people ----------------------------------------------------------------------------------------------------


def converted(query: BoundQuery, number: str, first: date, last: date) -> Scored:
    """Whoever entered between two local days, by the day, and whether an attempt of that day came to the last step."""
    spec: Funnel = query.metric.spec
    # An attempt of each day: of all entries of a window, the best one is the best of a day.
    plain = replace(spec, count="users")
    metric = replace(query.metric, spec=plain)
    asked = replace(query, metric=metric, first=first, last=last, grain=Grain.DAY, measures=(), parts=("trend",))
    found = attempts(asked, per_bucket=True)
    keys = tuple(one.name for one in query.by)
    day = call("days_between", Lit(first, Type.DATE, role="first_day"), Col("period"))
    last_step = Case(((_is_known(f"at_{len(spec.steps)}"), integer(1)),), integer(0))
    rows = Project(found, (("day", day), *keep(*keys, "entity"), ("has_0", integer(1)), ("has_1", last_step)))
    return Scored("flags", rows, keys, first, last, (("has_0", 1), ("has_1", 1)), base=1)


def ahead(metric: Metric) -> int:
    """The days of its window, and one more: an entry may be a day's last moment, and a day be short."""
    spec: Funnel = metric.spec
    return -(-spec.within.elapsed // DAY) + 1


PEOPLE = PerEntity(
    lambda metric: {"converted": "1 for whoever came to the last step from an entry, else 0."},
    converted,
    ahead,
    most=Decimal(1),
)
