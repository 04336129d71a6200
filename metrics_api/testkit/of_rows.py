"""Examples of what is made of several rows: aggregates, windows and relations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any

from metrics_api.plan.expr import Agg, Case, Col, Lit, Over, Type, call, integer, text
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Plan, Project, Sort, Spine, Union, keep
from metrics_api.testkit.examples import EXAMPLES, Example, Rows, constants, of_groups
from metrics_api.testkit.of_values import BITS, DATES, INSTANTS, A, B

# -- aggregates -------------------------------------------------------------------------------------------------------

MEASURED: list[tuple[Any, ...]] = [
    ("many", 3, 1), ("many", -1, 2), ("many", None, 3), ("many", 4, 4), ("many", 4, 5), ("many", 10, 6),
    ("one", 7, 7), ("odd", 1, 8), ("odd", 3, 9), ("odd", 2, 10), ("nulls", None, 11), ("nulls", None, 12),
]  # fmt: skip
KEYED = [("g", Type.STRING), ("x", Type.INTEGER), ("k", Type.INTEGER)]
X, K = Col("x"), Col("k")


def present(rows: Iterable[Sequence[Any]]) -> list[int]:
    return [row[0] for row in rows if isinstance(row[0], int)]


def percentile(values: Sequence[float], fraction: float) -> float | None:
    if not values:
        return None
    ordered, place = sorted(values), fraction * (len(values) - 1)
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    return below + (above - below) * (place - math.floor(place))


def all_bits(values: Iterable[int]) -> int | None:
    found = list(values)
    return reduce(or_, found) if found else None


AGGREGATED: dict[str, Callable[[list[int]], object]] = {
    "count": len,
    "sum": lambda found: sum(found) if found else None,
    "min": lambda found: min(found, default=None),
    "max": lambda found: max(found, default=None),
    "avg": lambda found: sum(found) / len(found) if found else None,
}
EVEN = call("eq", call("mod", K, integer(2)), integer(0))


def even(rows: Iterable[Sequence[Any]]) -> list[Sequence[Any]]:
    return [row for row in rows if isinstance(row[1], int) and row[1] % 2 == 0]


for op, fold in AGGREGATED.items():
    of_groups(op, op, KEYED, MEASURED, Agg(op, (X,)), lambda rows, fold=fold: fold(present(rows)))
    of_groups(
        f"{op} where", op, KEYED, MEASURED, Agg(op, (X,), EVEN), lambda rows, fold=fold: fold(present(even(rows)))
    )
of_groups("count_rows", "count_rows", KEYED, MEASURED, Agg("count_rows"), len)
of_groups("count_rows where", "count_rows", KEYED, MEASURED, Agg("count_rows", (), EVEN), lambda rows: len(even(rows)))
of_groups(
    "count_rows where unknown",
    "count_rows",
    KEYED,
    MEASURED,
    Agg("count_rows", (), call("gt", X, integer(2))),
    lambda rows: sum(one > 2 for one in present(rows)),
)
for fraction in ("0", "0.1", "0.25", "0.33", "0.5", "0.9", "1"):
    share = Lit(Decimal(fraction), Type.NUMBER)
    of_groups(
        f"quantile {fraction}",
        "quantile",
        KEYED,
        MEASURED,
        Agg("quantile", (X, share)),
        lambda rows, fraction=fraction: percentile(present(rows), float(fraction)),
    )
    of_groups(
        f"quantile {fraction} where",
        "quantile",
        KEYED,
        MEASURED,
        Agg("quantile", (X, share), EVEN),
        lambda rows, fraction=fraction: percentile(present(even(rows)), float(fraction)),
    )
TOOK = [("g", Type.STRING), ("a", Type.TIMESTAMP), ("b", Type.TIMESTAMP)]
JOURNEYS: list[tuple[Any, ...]] = [
    *(("x", INSTANTS[6], end) for end in (INSTANTS[7], INSTANTS[8], INSTANTS[9], None)),
]
of_groups(
    "quantile of seconds",
    "quantile seconds_between",
    TOOK,
    JOURNEYS,
    Agg("quantile", (call("seconds_between", A, B), Lit(Decimal("0.9"), Type.NUMBER))),
    lambda rows: percentile([(b - a) / timedelta(seconds=1) for a, b in rows if b is not None], 0.9),
)
of_groups(
    "quantiles of different values",
    "quantile",
    KEYED,
    MEASURED,
    call(
        "sub",
        Agg("quantile", (X, Lit(Decimal("0.5"), Type.NUMBER))),
        Agg("quantile", (K, Lit(Decimal("0.5"), Type.NUMBER))),
    ),
    lambda rows: (
        None
        if not present(rows)
        else (percentile(present(rows), 0.5) or 0) - (percentile([int(str(row[1])) for row in rows], 0.5) or 0)
    ),
)
of_groups(
    "bits_or",
    "bits_or",
    KEYED,
    [(g, None if x is None else abs(int(str(x))), k) for g, x, k in MEASURED],
    Agg("bits_or", (X,)),
    lambda rows: all_bits(present(rows)),
)
of_groups(
    "bits_or of bit",
    "bits_or bit",
    KEYED,
    [(g, (61 if k == 5 else k), k) for g, _, k in MEASURED],
    Agg("bits_or", (call("bit", X, BITS),), EVEN),
    lambda rows: all_bits(1 << one for one in present(even(rows))),
)
VISITS: list[tuple[Any, ...]] = [
    ("p", "it's late", datetime(2026, 3, 29, 1, 0, 0, 2)), ("p", "zz first", datetime(2026, 3, 29, 1, 0, 0, 1)),
    ("p", "aa", datetime(2026, 10, 1)), ("q", "日本\\", datetime(1999, 1, 1)), ("q", "later", datetime(2000, 1, 1)),
]  # fmt: skip
LABELLED = [("g", Type.STRING), ("label", Type.STRING), ("at", Type.TIMESTAMP)]


def first_label(rows: Iterable[Sequence[Any]]) -> object:
    return min(rows, key=lambda row: str(row[1]), default=(None,))[0]


NOT_FIRST = call("ne", Col("label"), text("zz first"))
of_groups("first_by", "first_by", LABELLED, VISITS, Agg("first_by", (Col("label"), Col("at"))), first_label)
of_groups(
    "first_by where",
    "first_by",
    LABELLED,
    VISITS,
    Agg("first_by", (Col("label"), Col("at")), NOT_FIRST),
    lambda rows: first_label(row for row in rows if row[0] != "zz first"),
)
of_groups(
    "first_by where never",
    "first_by",
    LABELLED,
    VISITS,
    Agg("first_by", (Col("label"), Col("at")), call("eq", Col("label"), text("nowhere"))),
    lambda rows: None,
)
of_groups(
    "first_by a number",
    "first_by",
    KEYED,
    [(g, k if x is None else x, k) for g, x, k in MEASURED],
    Agg("first_by", (X, call("sub", K)), EVEN),
    lambda rows: min(even(rows), key=lambda row: -row[1], default=(None,))[0],
)
of_groups(
    "first_by of two texts",
    "first_by",
    LABELLED,
    VISITS,
    call(
        "coalesce",
        Agg("first_by", (Col("label"), Col("at")), call("eq", Col("label"), text("nowhere"))),
        Agg("first_by", (call("lower", Col("label")), Col("at"))),
    ),
    lambda rows: None if not rows else str(first_label(rows)).lower(),
)
TIMES = [("g", Type.STRING), ("at", Type.TIMESTAMP)]
for op, pick in (("min", min), ("max", max)):
    of_groups(
        f"{op} of timestamps",
        op,
        TIMES,
        [(g, at) for g, _, at in VISITS],
        Agg(op, (Col("at"),)),
        lambda rows, pick=pick: pick((row[0] for row in rows), default=None),
    )
    of_groups(
        f"{op} of texts",
        op,
        [*KEYED[:1], ("label", Type.STRING)],
        [(g, label) for g, label, _ in VISITS],
        Agg(op, (Col("label"),)),
        lambda rows, pick=pick: pick((row[0] for row in rows), default=None),
    )

# -- windows ----------------------------------------------------------------------------------------------------------


def window(name: str, shows: str, over: Over, answer: Callable[..., object]) -> None:
    """`answer` is given the rows of a partition, in order of k, and the place of a row among them."""
    found: Rows = []
    for group in dict.fromkeys(row[0] for row in MEASURED):
        rows = [row for row in MEASURED if row[0] == group]
        found += [(row[2], answer(rows, place)) for place, row in enumerate(rows)]
    spine = constants(KEYED, MEASURED)
    EXAMPLES.append(Example(name, tuple(shows.split()), Project(spine, (*keep("k"), ("answer", over))), found))


G = (Col("g"),)
window("row_number", "row_number", Over("row_number", (), G, (K,)), lambda rows, place: place + 1)
window(
    "row_number descending",
    "row_number",
    Over("row_number", (), G, (K,), frozenset([0])),
    lambda rows, place: len(rows) - place,
)
window(
    "dense_rank",
    "dense_rank",
    Over("dense_rank", (), G, (call("mod", K, integer(3)),)),
    lambda rows, place: 1 + len({row[2] % 3 for row in rows if row[2] % 3 < rows[place][2] % 3}),
)
window(
    "lead",
    "lead",
    Over("lead", (X,), G, (K,)),
    lambda rows, place: rows[place + 1][1] if place + 1 < len(rows) else None,
)
window(
    "lead by two rows",
    "lead",
    Over("lead", (X, integer(2)), G, (K,)),
    lambda rows, place: rows[place + 2][1] if place + 2 < len(rows) else None,
)
window(
    "lead by a row back",
    "lead",
    Over("lead", (X, integer(-1)), G, (K,)),
    lambda rows, place: rows[place - 1][1] if place >= 1 else None,
)
window(
    "lead by two rows back",
    "lead",
    Over("lead", (X, integer(-2)), G, (K,)),
    lambda rows, place: rows[place - 2][1] if place >= 2 else None,
)
window(
    "max of the rows before",
    "max",
    Over("max", (X,), G, (K,)),
    lambda rows, place: max((row[1] for row in rows[:place] if row[1] is not None), default=None),
)
window(
    "max up to the row",
    "max",
    Over("max", (X,), G, (K,), including_current=True),
    lambda rows, place: max((row[1] for row in rows[: place + 1] if row[1] is not None), default=None),
)
window(
    "sum of the rows before",
    "sum",
    Over("sum", (X,), G, (K,)),
    lambda rows, place: (
        sum(present([row[1:] for row in rows[:place]])) if present([row[1:] for row in rows[:place]]) else None
    ),
)
window(
    "count_rows up to the row",
    "count_rows",
    Over("count_rows", (), G, (K,), including_current=True),
    lambda rows, place: place + 1,
)

# -- relations --------------------------------------------------------------------------------------------------------


def relation(name: str, plan: Plan, found: Rows, *, ordered: bool = False) -> None:
    EXAMPLES.append(Example(name, (), plan, found, ordered=ordered))


def spine_of(*labels: date | datetime) -> Plan:
    type_ = Type.TIMESTAMP if isinstance(labels[0], datetime) else Type.DATE
    return Spine((("period", type_),), tuple((label,) for label in labels))


DAYS = [date(2026, 3, 27) + timedelta(days=k) for k in range(6)]
MONTHS = [date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)]
SERIES: dict[str, list[date]] = {
    "days": DAYS,
    "weeks": [date(2025, 12, 29) + timedelta(weeks=k) for k in range(15)],
    "months": MONTHS,
    "quarters": [date(2025, 1, 1), date(2025, 4, 1), date(2025, 7, 1), date(2025, 10, 1)],
    "years": [date(year, 1, 1) for year in range(1968, 1973)],
    "hours": [datetime(2026, 3, 28, 22) + timedelta(hours=k) for k in range(8)],
    "few": [date(2026, 1, 1), date(2026, 1, 7)],
    "one": [date(2026, 1, 1)],
    "uneven days": [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 7), date(2026, 1, 9), date(2026, 1, 11)],
    "uneven hours": [datetime(2026, 1, 1, hour, 30) for hour in (0, 1, 5, 6)],
}
for name, labels in SERIES.items():
    relation(f"series of {name}", spine_of(*labels), [(label,) for label in labels])
COUNTED = Spine(
    (("period", Type.DATE), ("label", Type.STRING), ("n", Type.INTEGER), ("at", Type.TIMESTAMP)),
    ((DAYS[1], "x", 5, INSTANTS[8]), (DAYS[4], "y", 7, INSTANTS[9])),
)
relation(
    "what a left join misses is null",
    Project(
        Join(spine_of(*DAYS), Named("counted", COUNTED), "left", (("period", "period"),)),
        (*keep("period", "label", "n", "at"), ("found", call("coalesce", Col("n"), integer(0)))),
    ),
    [
        (day, *({DAYS[1]: ("x", 5, INSTANTS[8], 5), DAYS[4]: ("y", 7, INSTANTS[9], 7)}.get(day, (None, None, None, 0))))
        for day in DAYS
    ],
)
relation(
    "an aggregate of what a left join misses",
    Aggregate(
        Join(spine_of(*DAYS), Named("counted", COUNTED), "left", (("period", "period"),)),
        keep("label"),
        (("days", Agg("count_rows")), ("found", Agg("count", (Col("n"),))), ("total", Agg("sum", (Col("n"),)))),
    ),
    [("x", 1, 1, 5), ("y", 1, 1, 7), (None, 4, 0, None)],
)
relation(
    "an inner join on a condition only",
    Join(
        Spine((("a", Type.INTEGER),), ((1,), (2,))),
        Spine((("b", Type.INTEGER),), ((1,), (2,))),
        "inner",
        where=call("le", A, B),
    ),
    [(1, 1), (1, 2), (2, 2)],
)
relation(
    "a cross join",
    Join(Spine((("a", Type.INTEGER),), ((1,), (2,))), Spine((("b", Type.INTEGER),), ((3,), (4,))), "cross"),
    [(1, 3), (1, 4), (2, 3), (2, 4)],
)
relation(
    "a union of counts, constants and nothing",
    Union(
        (
            Aggregate(COUNTED, (("part", integer(0)),), (("n", Agg("count_rows")), ("m", Agg("sum", (Col("n"),))))),
            Project(COUNTED, (("part", integer(1)), ("n", call("sub", Col("n"))), ("m", Lit(None, Type.INTEGER)))),
            Project(COUNTED, (("part", integer(2)), ("n", Lit(None, Type.INTEGER)), ("m", integer(0)))),
        )
    ),
    [(0, 2, 12), (1, -5, None), (1, -7, None), (2, None, 0), (2, None, 0)],
)
relation(
    "a union of sums of constants, of places and of their opposites",
    Union(
        (
            Aggregate(COUNTED, (), (("n", Agg("sum", (integer(1),))),)),
            Aggregate(COUNTED, (), (("n", Agg("sum", (integer(1),), call("gt", Col("n"), integer(5)))),)),
            Aggregate(
                COUNTED,
                (),
                (("n", Agg("sum", (Case(((call("gt", Col("n"), integer(5)), integer(1)),), integer(0)),))),),
            ),
            Project(COUNTED, (("n", Over("row_number", (), (), (Col("period"),))),)),
            Project(COUNTED, (("n", Over("count_rows", (), (), (Col("period"),), including_current=True)),)),
            Project(COUNTED, (("n", integer(-1)),)),
        )
    ),
    [(2,), (1,), (1,), (1,), (2,), (1,), (2,), (-1,), (-1,)],
)
SORTED: list[tuple[int | None, str]] = [(3, "a"), (None, "b"), (1, "c"), (2, "d"), (None, "a")]
TO_SORT = constants((("n", Type.INTEGER), ("label", Type.STRING)), SORTED)
relation(
    "ascending, nulls last",
    Sort(TO_SORT, (("n", False), ("label", False))),
    [(1, "c"), (2, "d"), (3, "a"), (None, "a"), (None, "b")],
    ordered=True,
)
relation(
    "descending, nulls last, at most four",
    Sort(TO_SORT, (("n", True), ("label", True)), 4),
    [(3, "a"), (2, "d"), (1, "c"), (None, "b")],
    ordered=True,
)
LABELS: list[tuple[str | None]] = [("DE",), ("de",), (None,), ("ä",), ("",), ("a b",), ("ab",), ("AB",), ("_",)]
relation(
    "labels by code points",
    Sort(
        Project(
            constants((("label", Type.STRING),), LABELS),
            (("label", call("coalesce", Col("label"), text("(none)"))),),
        ),
        (("label", False),),
        6,
    ),
    [("",), ("(none)",), ("AB",), ("DE",), ("_",), ("a b",)],
    ordered=True,
)
relation(
    "in the order of what is shown, not of a column of its name",
    Sort(
        Project(TO_SORT, (("n", call("coalesce", Col("n"), integer(0))), ("label", Col("label")))),
        (("n", False), ("label", True)),
    ),
    [(0, "b"), (0, "a"), (1, "c"), (2, "d"), (3, "a")],
    ordered=True,
)
relation(
    "a condition on a column whose name is given to another",
    Project(
        Filter(TO_SORT, call("eq", Col("label"), text("a"))),
        (
            (
                "label",
                call("coalesce", call("lower", text("A")), text("")),
            ),
            ("n", Col("n")),
        ),
    ),
    [("a", 3), ("a", None)],
)
relation(
    "aggregates under the names of what they are made of",
    Aggregate(COUNTED, (), (("at", Agg("min", (Col("at"),))), ("label", Agg("first_by", (Col("label"), Col("at")))))),
    [(INSTANTS[8], "x")],
)
WORDS = ("order", "group", "select", "position", "user", "end", "table", "values", "interval", "format", "final", "tag")
relation(
    "words of SQL as names",
    Named(
        "groups",
        Project(Spine(tuple((word, Type.INTEGER) for word in WORDS), (tuple(range(len(WORDS))),)), keep(*WORDS)),
    ),
    [tuple(range(len(WORDS)))],
)
relation(
    "many constant rows",
    Aggregate(
        Spine((("n", Type.INTEGER), ("label", Type.STRING)), tuple((n * n, f"it's {n}") for n in range(1_000))),
        (),
        (("rows", Agg("count_rows")), ("most", Agg("max", (Col("n"),)))),
    ),
    [(1_000, 999 * 999)],
)
relation(
    "every kind of constant, null first",
    constants(
        tuple((type_.value, type_) for type_ in Type),
        (
            (None,) * 7,
            ("x", 2**62, 0.1, Decimal("12345678901.123456789"), True, INSTANTS[1], DATES[0]),
        ),
    ),
    [(None,) * 7, ("x", 2**62, 0.1, Decimal("12345678901.123456789"), True, INSTANTS[1], DATES[0])],
)
