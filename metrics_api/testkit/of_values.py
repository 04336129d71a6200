"""Examples of operations on the values of a row: logic, texts, numbers, time, bits and JSON."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, product
from zoneinfo import ZoneInfo

from metrics_api.plan.expr import Case, Col, Lit, Type, Value, call, instant, integer, text, whole
from metrics_api.testkit.examples import null_if_any, of_each_row

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
