"""What every portable operation means, row by row: one table for all engines, with answers worked out in Python.

An engine is held to it by whatever runs a statement there (`Runner`). The rows travel inside the statement as
constants, so that no table need be made anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from itertools import pairwise, product
from operator import or_
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from metrics_api.plan.expr import Agg, Case, Col, Expr, Lit, Over, Type, Value, call, instant, integer, text, whole
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Plan, Project, Sort, Spine, Union, keep
from metrics_api.sql.dialect import Dialect
from metrics_api.sql.lower import lower
from metrics_api.sql.render import render

Rows = list[tuple[object, ...]]


DIFFERENT: dict[tuple[str, str], str] = {
    ("fakesnow", "the text '$1 $$ $x$'"): "fakesnow looks for session variables inside of texts; Snowflake does not",
    ("sail", "finite of decimals"): "Sail casts a double to the decimal it is compared with; Spark does the opposite",
}
"""(where it ran, example): why the answer may be another one there. Everything else was as it should be when tried on
ClickHouse (chdb), fakesnow, PostgreSQL, Sail, Spark and ZetaSQL."""

STANDS_IN = {"snowflake": "fakesnow", "spark": "sail"}
"""What an engine is executed on that is a service only, or slow to start."""


class Runner(Protocol):
    """A way to run statements on an engine, by the name that METRICS_API_ENGINES has."""

    engine: str
    dialect: Dialect

    def run(self, sql: str) -> Rows: ...


@dataclass(frozen=True)
class Example:
    """A plan over constant rows, the operations it shows, and its rows in any order (`ordered`: in this one)."""

    name: str
    shows: tuple[str, ...]
    plan: Plan
    expected: Rows
    ordered: bool = False

    def __str__(self) -> str:
        return self.name


def answers(example: Example, runner: Runner) -> Rows:
    """The rows of an engine."""
    return runner.run(render(lower(example.plan, runner.dialect), runner.dialect, comment="an example"))


def agree(found: Rows, expected: Rows, *, ordered: bool = False) -> bool:
    """Whether rows are the same, whatever kinds of numbers and truth an engine has, and in whatever order it adds."""
    pairs = [[tuple(map(plain, row)) for row in rows] for rows in (found, expected)]
    if not ordered:
        pairs = [sorted(rows, key=sortable) for rows in pairs]
    return len(pairs[0]) == len(pairs[1]) and all(
        len(here) == len(there) and all(map(alike, here, there)) for here, there in zip(*pairs, strict=True)
    )


def alike(here: object, there: object) -> bool:
    if isinstance(here, float) or isinstance(there, float):
        if not (isinstance(here, int | float) and isinstance(there, int | float)):
            return False
        return math.isclose(here, there, rel_tol=1e-12, abs_tol=1e-12)
    return type(here) is type(there) and here == there


def plain(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)
    return value


def sortable(row: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(f"{value:>40.6g}" if isinstance(value, int | float) else f"{value!r:>40}" for value in row)


def constants(columns: Sequence[tuple[str, Type]], rows: Iterable[Sequence[Any]]) -> Spine:
    """Rows as they stand: more kinds of values, and null, than a plan's own spines have."""
    return Spine(tuple(columns), tuple(tuple(row) for row in rows))


# -- building examples ------------------------------------------------------------------------------------------------

EXAMPLES: list[Example] = []


def of_each_row(
    name: str,
    shows: str,
    columns: Sequence[tuple[str, Type]],
    rows: Sequence[Sequence[Value]],
    asked: Expr,
    answer: Callable[..., object],
) -> None:
    """An expression of each row's values."""
    spine = constants((("id", Type.INTEGER), *columns), [(k, *row) for k, row in enumerate(rows)])
    found: Rows = [(k, answer(*row)) for k, row in enumerate(rows)]
    EXAMPLES.append(Example(name, tuple(shows.split()), Project(spine, (*keep("id"), ("answer", asked))), found))


def of_groups(
    name: str,
    shows: str,
    columns: Sequence[tuple[str, Type]],
    rows: Sequence[Sequence[Value]],
    asked: Expr,
    answer: Callable[..., object],
) -> None:
    """An aggregate of the rows of each group (the first column), and of no rows at all."""
    names, spine = [name for name, _ in columns], constants(columns, rows)
    groups = list(dict.fromkeys(row[0] for row in rows))
    found: Rows = [(group, answer([tuple(row[1:]) for row in rows if row[0] == group])) for group in groups]
    plan = Aggregate(spine, keep(names[0]), (("answer", asked),))
    EXAMPLES.append(Example(name, tuple(shows.split()), plan, found))
    nothing = Filter(spine, call("is_null", Col(names[0])))
    EXAMPLES.append(
        Example(
            f"{name} of nothing", tuple(shows.split()), Aggregate(nothing, (), (("answer", asked),)), [(answer([]),)]
        )
    )


def null_if_any(answer: Callable[..., object]) -> Callable[..., object]:
    return lambda *values: None if any(value is None for value in values) else answer(*values)


# -- logic and comparison ---------------------------------------------------------------------------------------------

TRUTH: tuple[bool | None, ...] = (True, False, None)
BOTH = [("a", Type.BOOLEAN), ("b", Type.BOOLEAN)]
A, B = Col("a"), Col("b")

of_each_row(
    "and_",
    "and_",
    BOTH,
    list(product(TRUTH, TRUTH)),
    call("and_", A, B),
    lambda a, b: False if a is False or b is False else None if a is None or b is None else True,
)
of_each_row(
    "or_",
    "or_",
    BOTH,
    list(product(TRUTH, TRUTH)),
    call("or_", A, B),
    lambda a, b: True if a or b else None if a is None or b is None else False,
)
of_each_row(
    "and_ binds tighter than or_",
    "and_ or_ not_",
    BOTH,
    list(product((True, False), (True, False))),
    call("and_", call("or_", A, B), call("not_", call("and_", A, B))),
    lambda a, b: a != b,
)
of_each_row("not_", "not_", [("a", Type.BOOLEAN)], [(a,) for a in TRUTH], call("not_", A), null_if_any(lambda a: not a))
of_each_row("is_null", "is_null", [("a", Type.BOOLEAN)], [(a,) for a in TRUTH], call("is_null", A), lambda a: a is None)
of_each_row(
    "not_ of is_null",
    "is_null not_",
    [("a", Type.STRING)],
    [("",), (None,)],
    call("not_", call("is_null", A)),
    lambda a: a is not None,
)
of_each_row(
    "coalesce of a condition",
    "coalesce",
    [("a", Type.BOOLEAN)],
    [(a,) for a in TRUTH],
    call("coalesce", A, Lit(False, Type.BOOLEAN)),
    bool,
)
COMPARED: dict[str, Callable[..., object]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}
PAIRS: dict[Type, list[tuple[Value, Value]]] = {
    Type.INTEGER: [(1, 2), (2, 2), (-3, 2), (None, 2), (2**62 + 1, 2**62)],
    Type.NUMBER: [(0.5, 0.25), (-0.5, 0.25), (0.1, 0.1), (None, 0.0)],
    Type.STRING: [("a", "b"), ("b", "B"), ("ä", "a"), ("", None), ("it's", "it's"), ("a\\b", "a\\b")],
    Type.DATE: [
        (date(2026, 3, 29), date(2026, 3, 30)),
        (date(1969, 12, 31), date(1970, 1, 1)),
        (date(2024, 2, 29),) * 2,
    ],
    Type.TIMESTAMP: [
        (datetime(2026, 3, 29, 1), datetime(2026, 3, 29, 0, 59, 59, 999999)),
        (datetime(2026, 3, 29, 1, 0, 0, 1), datetime(2026, 3, 29, 1)),
        (datetime(2026, 3, 29, 1), None),
    ],
}
for op, compare in COMPARED.items():
    for type_, pairs in PAIRS.items():
        left = call("to_text", A) if type_ is Type.STRING else A
        asked = call(op, left, B)
        of_each_row(f"{op} of {type_}s", op, [("a", type_), ("b", type_)], pairs, asked, null_if_any(compare))
    of_each_row(
        f"{op} of a string and a constant",
        op,
        [("a", Type.STRING)],
        [("a",), ("B",), ("C",), ("ä",), ("",), ("b",), ("b c",), ("b-a",), (None,)],
        call(op, A, text("b")),
        null_if_any(lambda a, compare=compare: compare(a, "b")),
    )
of_each_row(
    "comparing strings by to_text",
    "lt to_text coalesce",
    [("a", Type.STRING), ("b", Type.STRING)],
    [("a", "B"), ("B", "a"), (None, "(o"), (None, "(n")],
    call("lt", call("coalesce", A, text("(none)")), call("to_text", B)),
    lambda a, b: (a or "(none)") < b,
)
of_each_row(
    "comparing sums",
    "lt add sub mul",
    [("a", Type.INTEGER), ("b", Type.INTEGER)],
    [(1, 2), (5, 1), (3, 3)],
    call("lt", call("sub", A, call("sub", B, A)), call("mul", call("add", A, integer(1)), B)),
    lambda a, b: a - (b - a) < (a + 1) * b,
)
of_each_row(
    "in_",
    "in_",
    [("a", Type.INTEGER)],
    [(1,), (2,), (4,), (None,)],
    call("in_", A, integer(1), integer(4)),
    null_if_any(lambda a: a in (1, 4)),
)
of_each_row(
    "not_ of in_",
    "in_ not_",
    [("a", Type.STRING)],
    [("a",), ("b'",), (None,)],
    call("not_", call("in_", A, text("b'"), text("c"))),
    null_if_any(lambda a: a not in ("b'", "c")),
)
PATTERNS: dict[str, Callable[[str], object]] = {
    "a%": lambda a: a.startswith("a"),
    "%a_b%": lambda a: any(a[k : k + 1] == "a" and a[k + 2 : k + 3] == "b" for k in range(len(a))),
    "_": lambda a: len(a) == 1,
    "it's%": lambda a: a.startswith("it's"),
    "": lambda a: a == "",
}
LIKED = ["a", "A", "ab", "axb", "xaxbx", "a\nb", "a\\b", "ä", "it's a", "", "a%b", None]
for pattern, matches in PATTERNS.items():
    of_each_row(
        f"like {pattern!r}",
        "like",
        [("a", Type.STRING)],
        [(one,) for one in LIKED],
        call("like", A, text(pattern)),
        null_if_any(matches),
    )
of_each_row(
    "coalesce",
    "coalesce",
    [("a", Type.STRING), ("b", Type.STRING)],
    [("x", "y"), (None, "y"), ("", "y"), (None, None)],
    call("coalesce", A, B, text("(none)")),
    lambda a, b: next(one for one in (a, b, "(none)") if one is not None),
)

# -- texts ------------------------------------------------------------------------------------------------------------

TEXTS = (
    "plain", "", " ", "it's", "''", '"quoted"', "back\\slash", "\\", "\\'", "\\n", "line\nbreak", "tab\tstop", "ÄÖ ß é",
    "日本語", "\N{GRINNING FACE}", "`tick`", "$1 $$ $x$", "-- no", "/* no */", "{x} %s ? :p @p", "a;b", "%_%", "null",
)  # fmt: skip
for written in TEXTS:
    of_each_row(
        f"the text {written!r}",
        "coalesce eq",
        [("a", Type.STRING)],
        [(written,)],
        Case(((call("eq", A, text(written)), text(written)),)),
        lambda a: a,
    )
of_each_row(
    "lower",
    "lower",
    [("a", Type.STRING)],
    [("ABC",), ("Äß É",), ("",), (None,)],
    call("lower", A),
    null_if_any(lambda a: a.lower()),
)
of_each_row(
    "to_text of integers",
    "to_text",
    [("a", Type.INTEGER)],
    [(0,), (-5,), (10,), (2**53 + 1,), (None,)],
    call("to_text", A),
    null_if_any(str),
)
of_each_row(
    "to_text of booleans",
    "to_text",
    [("a", Type.BOOLEAN)],
    [(a,) for a in TRUTH],
    call("to_text", A),
    null_if_any(lambda a: str(a).lower()),
)
of_each_row(
    "to_text of dates",
    "to_text",
    [("a", Type.DATE)],
    [(date(2026, 1, 31),), (None,)],
    call("to_text", A),
    null_if_any(lambda a: a.isoformat()),
)

# -- numbers ----------------------------------------------------------------------------------------------------------

WHOLE = [(7, 3), (-7, 3), (7, -3), (-7, -3), (6, 3), (0, 3), (7, 0), (None, 3), (7, None)]
FRACTIONS = [(7.5, 2.0), (-7.5, 2.0), (7.5, -2.0), (0.25, 0.5), (7.5, 0.0), (None, 2.0)]
ARITHMETIC: dict[str, Callable[..., object]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "divide": lambda a, b: a / b if b else None,
    "mod": lambda a, b: math.fmod(a, b) if b else None,
}
for op, compute in ARITHMETIC.items():
    for type_, numbers in ((Type.INTEGER, WHOLE), (Type.NUMBER, FRACTIONS), (Type.DECIMAL, FRACTIONS)):
        rows = [
            tuple(None if one is None or type_ is not Type.DECIMAL else Decimal(one) for one in row) for row in numbers
        ]
        of_each_row(
            f"{op} of {type_}s",
            op,
            [("a", type_), ("b", type_)],
            rows if type_ is Type.DECIMAL else numbers,
            call(op, A, B),
            null_if_any(lambda a, b, compute=compute: compute(float(a), float(b))),
        )
of_each_row(
    "divide never rounds",
    "divide",
    [("a", Type.INTEGER)],
    [(1,), (2,), (10**6,)],
    call("divide", A, integer(3)),
    lambda a: a / 3,
)
of_each_row(
    "how often a number goes whole into another",
    "divide",
    [("a", Type.INTEGER)],
    [(0,), (6,), (7,), (13,), (14,), (10**9,), (None,)],
    whole(A, 7),
    null_if_any(lambda a: a // 7),
)
of_each_row(
    "how often a day goes whole into seconds with their fraction",
    "divide",
    [("a", Type.NUMBER)],
    [(0.0,), (86399.999999,), (86400.0,), (86400.000001,), (2591999.999999,), (31_536_000.0 * 50 - 1e-6,)],
    whole(A, 86_400),
    lambda a: int(a // 86_400),
)
of_each_row(
    "mod of large integers",
    "mod",
    [("a", Type.INTEGER)],
    [(2**60 + 1,), (2**60,)],
    call("mod", A, integer(2)),
    lambda a: a % 2,
)
of_each_row(
    "divide and take away",
    "sub divide",
    [("a", Type.INTEGER), ("b", Type.INTEGER)],
    [(8, 2), (9, 4)],
    call("sub", A, call("sub", call("divide", A, B), integer(1))),
    lambda a, b: a - (a / b - 1),
)
of_each_row(
    "minus", "sub", [("a", Type.INTEGER)], [(5,), (-5,), (0,), (None,)], call("sub", A), null_if_any(lambda a: -a)
)
of_each_row(
    "minus a sum",
    "sub add",
    [("a", Type.INTEGER)],
    [(5,), (-5,)],
    call("sub", call("add", A, integer(1))),
    lambda a: -(a + 1),
)
of_each_row("abs", "abs", [("a", Type.NUMBER)], [(5.5,), (-5.5,), (0.0,), (None,)], call("abs", A), null_if_any(abs))
LARGEST = 1.7976931348623157e308
of_each_row(
    "finite",
    "finite",
    [("a", Type.NUMBER)],
    [(1.5,), (0.0,), (LARGEST,), (-LARGEST,), (math.nan,), (math.inf,), (-math.inf,), (None,)],
    call("finite", A),
    lambda a: a if a is not None and math.isfinite(a) else None,
)
of_each_row(
    "finite of decimals", "finite", [("a", Type.DECIMAL)], [(Decimal("1.5"),), (None,)], call("finite", A), lambda a: a
)
of_each_row(
    "finite as a decimal",
    "finite",
    [("a", Type.NUMBER)],
    [(0.1,), (-1.5,), (1234.5678,), (1e15,), (1e21,), (-1e21,), (math.nan,), (math.inf,), (-math.inf,), (None,)],
    call("finite", A, text(Type.DECIMAL)),
    lambda a: round(Decimal(a), 9) if a is not None and math.isfinite(a) and abs(a) < 1e20 else None,
)

# -- time -------------------------------------------------------------------------------------------------------------

INSTANTS = [
    datetime(1965, 7, 4, 12, 30, 15), datetime(1969, 12, 31, 23, 59, 59, 999999), datetime(1970, 1, 1),
    datetime(2000, 2, 29, 23, 59, 59), datetime(2024, 12, 31, 23, 30), datetime(2026, 3, 28, 22, 59, 59, 999999),
    datetime(2026, 3, 28, 23), datetime(2026, 3, 29, 0, 59, 59, 999999), datetime(2026, 3, 29, 1),
    datetime(2026, 3, 29, 21, 59, 59, 999999), datetime(2026, 3, 29, 22), datetime(2026, 10, 25, 0, 30),
    datetime(2026, 10, 25, 1), datetime(2026, 10, 25, 23, 0, 0, 1), datetime(2038, 1, 19, 3, 14, 8),
]  # fmt: skip
AT = [("a", Type.TIMESTAMP)]
EACH_INSTANT: list[tuple[Value]] = [*((one,) for one in INSTANTS), (None,)]
for seconds in (1, -1, 3600, -18_000, 19_800, 20_700, 86_400, -86_401, 2_592_000):
    of_each_row(
        f"add_seconds {seconds}",
        "add_seconds",
        AT,
        EACH_INSTANT,
        call("add_seconds", A, integer(seconds)),
        null_if_any(lambda a, seconds=seconds: a + timedelta(seconds=seconds)),
    )
of_each_row("to_date", "to_date", AT, EACH_INSTANT, call("to_date", A), null_if_any(lambda a: a.date()))
of_each_row("hour_of", "hour_of", AT, EACH_INSTANT, call("hour_of", A), null_if_any(lambda a: a.hour))
of_each_row(
    "trunc_hour",
    "trunc_hour",
    AT,
    EACH_INSTANT,
    call("trunc_hour", A),
    null_if_any(lambda a: a.replace(minute=0, second=0, microsecond=0)),
)
SPRING, AUTUMN = datetime(2026, 3, 29, 1), datetime(2026, 10, 25, 1)
BERLIN = Case(
    (
        (call("lt", A, instant(SPRING)), call("add_seconds", A, integer(3600))),
        (call("lt", A, instant(AUTUMN)), call("add_seconds", A, integer(7200))),
    ),
    call("add_seconds", A, integer(3600)),
)
THIS_YEAR: list[tuple[Value]] = [(one,) for one in INSTANTS if one.year == 2026]


def in_berlin(at: datetime) -> datetime:
    return at.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None)


of_each_row("the wall clock of Berlin", "add_seconds lt", AT, THIS_YEAR, BERLIN, in_berlin)
of_each_row(
    "the date in Berlin", "to_date add_seconds", AT, THIS_YEAR, call("to_date", BERLIN), lambda a: in_berlin(a).date()
)
DATES = [
    date(1965, 7, 4), date(1969, 12, 31), date(2000, 2, 29), date(2023, 12, 31), date(2024, 1, 1), date(2024, 12, 30),
    date(2025, 12, 28), date(2026, 1, 1), date(2026, 3, 29), date(2026, 3, 30), date(2026, 4, 4), date(2026, 4, 5),
    date(2026, 6, 30), date(2026, 7, 1),
]  # fmt: skip


def first_of(day: date, grain: str, week_start: int) -> date:
    match grain:
        case "week":
            return day - timedelta(days=(day.weekday() - week_start) % 7)
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(month=1, day=1)


for grain, week_start in (
    ("week", 0),
    ("week", 6),
    ("week", 5),
    ("week", 2),
    ("month", 6),
    ("quarter", 0),
    ("year", 0),
):
    of_each_row(
        f"trunc_date {grain} {week_start}",
        "trunc_date",
        [("a", Type.DATE)],
        [*((one,) for one in DATES), (None,)],
        call("trunc_date", A, text(grain), integer(week_start)),
        null_if_any(lambda a, grain=grain, week_start=week_start: first_of(a, grain, week_start)),
    )
of_each_row(
    "days_between",
    "days_between",
    [("a", Type.DATE), ("b", Type.DATE)],
    [*zip(DATES, DATES[3:], strict=False), (DATES[5], DATES[1]), (DATES[0], DATES[0]), (None, DATES[0])],
    call("days_between", A, B),
    null_if_any(lambda a, b: (b - a).days),
)
of_each_row(
    "days_between a constant and a wall clock",
    "days_between to_date",
    AT,
    THIS_YEAR,
    call("days_between", Lit(date(2026, 1, 1), Type.DATE), call("to_date", BERLIN)),
    lambda a: (in_berlin(a).date() - date(2026, 1, 1)).days,
)
of_each_row(
    "seconds_between",
    "seconds_between",
    [("a", Type.TIMESTAMP), ("b", Type.TIMESTAMP)],
    [
        *pairwise(INSTANTS),
        (INSTANTS[8], INSTANTS[5]),
        (INSTANTS[2], INSTANTS[2]),
        (INSTANTS[2], None),
    ],
    call("seconds_between", A, B),
    null_if_any(lambda a, b: (b - a) / timedelta(seconds=1)),
)

# -- bits and JSON ----------------------------------------------------------------------------------------------------

BITS = integer(62)
of_each_row(
    "bit",
    "bit",
    [("a", Type.INTEGER)],
    [(n,) for n in (0, 1, 7, 8, 31, 32, 40, 61)],
    call("bit", A, BITS),
    lambda a: 1 << a,
)
of_each_row(
    "bits_overlap",
    "bits_overlap",
    [("a", Type.INTEGER), ("b", Type.INTEGER)],
    [(5, 4), (5, 2), (0, 1), (2**61, 2**61 + 1), (2**61 - 1, 2**61), (None, 1)],
    call("bits_overlap", A, B),
    null_if_any(lambda a, b: a & b != 0),
)
of_each_row(
    "bits_shared",
    "bits_shared",
    [("a", Type.INTEGER), ("b", Type.INTEGER)],
    [(5, 4), (5, 2), (0, 1), (2**61, 2**61 + 1), (2**61 - 1, 2**61 - 1), (7, 7), (None, 1)],
    call("bits_shared", A, B),
    null_if_any(lambda a, b: (a & b).bit_count()),
)
DOCUMENTS: list[tuple[str | None, str | None]] = [
    ('{"a": {"b": "x"}}', "x"), ('{"a": {"b": "it\'s \\"ü\\" \\\\"}}', 'it\'s "ü" \\'), ('{"a": {"b": 5}}', "5"),
    ('{"a": {"b": 1.5}}', "1.5"), ('{"a": {"b": true}}', "true"), ('{"a": {"b": null}}', None), ('{"a": {}}', None),
    ('{"b": "x"}', None), (None, None),
]  # fmt: skip
of_each_row(
    "json_text",
    "json_text",
    [("a", Type.STRING)],
    [(document,) for document, _ in DOCUMENTS],
    call("json_text", A, text("a.b")),
    dict(DOCUMENTS).get,
)
of_each_row(
    "json_text of an odd key",
    "json_text",
    [("a", Type.STRING)],
    [('{"a b": {"c-d": "x"}}',), ('{"a": 1}',)],
    call("json_text", A, text("a b.c-d")),
    lambda a: "x" if "c-d" in a else None,
)

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
