"""Conditions: what they mean, and what they refuse."""

from __future__ import annotations

import pytest

from metrics_api.plan.explain import say
from metrics_api.plan.expr import Type
from metrics_api.semantic.expressions import ConditionError, parse_arithmetic, parse_condition

PROPERTIES = {
    "minutes": Type.NUMBER,
    "level": Type.INTEGER,
    "country": Type.STRING,
    "flag": Type.BOOLEAN,
    "seen_at": Type.TIMESTAMP,
    "born_on": Type.DATE,
}


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("level >= 3", "ge(level, 3)"),
        ("3 <= level", "ge(level, 3)"),
        ("3 < level and level < 5", "and(gt(level, 3), lt(level, 5))"),
        ("country = 'DE'", "eq(country, 'DE')"),
        ("country != 'DE'", "or(ne(country, 'DE'), is_null(country))"),
        ("not country = 'DE'", "not(coalesce(eq(country, 'DE'), False))"),
        ("country not in ('DE', 'US')", "not(coalesce(in(country, 'DE', 'US'), False))"),
        ("country is not null", "not(is_null(country))"),
        ("flag", "flag"),
        ("flag = true", "flag"),
        ("flag = false", "eq(flag, False)"),
        ("not flag", "not(coalesce(flag, False))"),
        ("minutes > 2.5", "and(gt(minutes, 2.5), le(minutes, 1.7976931348623157E+308))"),
        ("minutes = 2.5", "eq(minutes, 2.5)"),
        ("minutes is null", "is_null(finite(minutes))"),
        ("level between 1 and 3", "and(ge(level, 1), le(level, 3))"),
        ("lower(country) = 'de'", "eq(lower(country), 'de')"),
        ("country like 'D%'", "like(country, 'D%')"),
        ("country ilike 'D%'", "like(lower(country), 'd%')"),
        ("level * 2 + 1 > 5", "gt(add(mul(level, 2), 1), 5)"),
        ("seen_at >= '2026-01-31'", "ge(seen_at, 2026-01-31 00:00:00)"),
        ("born_on < date '2000-01-01'", "lt(born_on, 2000-01-01)"),
        ("country = 'x'' or 1=1 --'", 'eq(country, "x\' or 1=1 --")'),
        ("country in ('😀', 'a\"b')", "in(country, '😀', 'a\"b')"),
    ],
)
def test_means(written: str, meaning: str) -> None:
    assert say(parse_condition(written, PROPERTIES)) == meaning


@pytest.mark.parametrize(
    ("written", "message", "fix"),
    [
        ("minuts >= 3", "`minuts` is not a declared property", "Did you mean `minutes`?"),
        ("level in (select 1)", "is a sub-query", "Comparisons"),
        ("exists (select 1 from t)", "is a sub-query", None),
        ("level = (select max(level) from t)", "is a sub-query", None),
        ("sleep(10) = 1", "`sleep` is not a function", None),
        ("lwer(country) = 'de'", "is not a function", "Did you mean `lower`?"),
        ("random() < 0.5", "is not a function", None),
        ("current_date = born_on", "is not a function", None),
        ("level", "`level` is an integer, not a condition", "Compare it"),
        ("level = 'three'", "compares `level`, an integer, with a string", None),
        ("country = 3", "compares `country`, a string, with an integer", None),
        ("country = null", "compares with null, which is never true", "Write `is null`."),
        ("level >", "is not a condition", None),
        ("level = 1; drop table users", "is not one condition", None),
        ("drop table users", "is not something a condition may say", None),
        ("level = 1 union select 1", "a condition may", None),
        ("seen_at > 'yesterday'", "`yesterday` is not a timestamp", "2026-01-31"),
        ("country like 'a\\_b'", "backslash", None),
        ("lower(level) = 'a'", "`lower` takes a string", None),
        ("sum(level) > 3", "is not a function", None),
        ("row_number() over () = 1", "may", None),
        ("cast(country as int) = 3", "may", None),
        ("level in ()", "names nothing to choose from", None),
        ("*", "", None),
        ("'", "is not a condition", None),
        ("(" * 60 + "level = 1" + ")" * 60, "nested more than", "flatter"),
        ("level = 1 or " * 400 + "level = 2", "characters long", None),
        ("level + " * 400 + "level > 2", "more than 100 arithmetic operations", None),
        ("level > 1e400", "larger than any number", None),
    ],
)
def test_refuses(written: str, message: str, fix: str | None) -> None:
    with pytest.raises(ConditionError) as raised:
        parse_condition(written, PROPERTIES)
    assert message in raised.value.message
    if fix:
        assert fix in (raised.value.fix or "")


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("a / b.users", "divide(a, b.users)"),
        ("a - b - 2 * (c + 0.5)", "sub(sub(a, b), mul(2, add(c, 0.5)))"),
        ("-a / -1e3", "divide(sub(a), sub(1E+3))"),
        ("order / values.end", "divide(order, values.end)"),
        ('"current_date" * 2', "mul(current_date, 2)"),
        ("a - (-b)", "sub(a, sub(b))"),
        ("a / 0", "divide(a, 0)"),
    ],
)
def test_arithmetic(written: str, meaning: str) -> None:
    assert say(parse_arithmetic(written)) == meaning


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "is not one expression"),
        ("a b", "`a AS b` is not something a derived metric may say"),
        ("a % 2", "`a % 2` is not something a derived metric may say"),
        ("a / 'b'", "`'b'` is not something a derived metric may say"),
        ("a.b.c", "`a.b.c` is not something a derived metric may say"),
        ("a + (select 1)", "`(SELECT 1)` is not something a derived metric may say"),
        ("*", "is not something a derived metric may say"),
        ("a +", "is not an expression: something is missing"),
        ("a; b", "is not one expression"),
        ("a /* b */ + c", "holds no comments"),
        ("1e999 * a", "larger than any number"),
        ("(" * 2000 + "a" + ")" * 1999, "is not an expression"),
        ("a + " * 1000 + "a", "characters long"),
    ],
)
def test_arithmetic_refuses(written: str, message: str) -> None:
    with pytest.raises(ConditionError) as raised:
        parse_arithmetic(written)
    assert message in raised.value.message
