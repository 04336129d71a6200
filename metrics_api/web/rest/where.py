"""The parameter `where`: a short SQL condition, or the filter of GraphQL as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NoReturn

from metrics_api.errors import Code, Problem, QueryError, did_you_mean
from metrics_api.graphql_schema.context import RequestLimits
from metrics_api.query.metric_query import OPERATORS, AllOf, AnyOf, Comparison, Condition, NotOf, Written

LONGEST = 4_000
"""Characters of a condition."""
_MOST_DIGITS = 60
_LARGEST = 2**63 - 1


def read_where(written: str, limits: RequestLimits) -> Condition:
    """The condition. JSON begins with `{`, as no SQL does. Raises QueryError."""
    if len(written) > LONGEST:
        raise _refusal(f"{len(written):,} characters; at most {LONGEST:,} are read", code=Code.LIMIT_EXCEEDED)
    if not written.lstrip().startswith("{"):
        return Written(written)
    try:
        read = json.loads(written, parse_float=Decimal, parse_constant=_no_constant)
    except RecursionError:
        raise _refusal(f"more than {limits.nesting} filters inside each other", code=Code.LIMIT_EXCEEDED) from None
    except ValueError:
        fix = 'Write `{"country": {"in": ["DE"]}}`, or SQL: `country = \'DE\'`.'
        raise _refusal("this begins as JSON and is none", fix) from None
    return _Reader(limits.conditions, limits.nesting).condition(read)


class _Reader:
    """Reads a filter; counts what it is made of, because filters inside filters are cheap to write."""

    def __init__(self, conditions: int, nesting: int) -> None:
        self.most, self.deepest = conditions, nesting
        self.read = 0

    def condition(self, given: Any, depth: int = 1) -> Condition:
        if depth > self.deepest:
            raise _refusal(f"more than {self.deepest} filters inside each other", code=Code.LIMIT_EXCEEDED)
        self.count()
        if not isinstance(given, dict):
            raise _refusal(f"`{_shown(given)}` is no filter", 'Write an object such as `{"minutes": {"ge": 3}}`.')
        parts = [one for key, value in given.items() for one in self.part(key, value, depth)]
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def part(self, key: str, value: Any, depth: int) -> Iterator[Condition]:
        match key, value:
            case (("and" | "or"), list()):
                inner = tuple(self.condition(one, depth + 1) for one in value)
                yield AllOf(inner) if key == "and" else AnyOf(inner)
            case (("and" | "or"), _):
                raise _refusal(f"`{key}` combines a list of filters", f'Write `{{"{key}": [{{...}}, {{...}}]}}`.')
            case "not", _:
                yield NotOf(self.condition(value, depth + 1))
            case _, dict():
                for op, operand in value.items():
                    yield self.comparison(key, op, operand)
            case _:
                yield self.comparison(key, "eq", value)

    def comparison(self, name: str, op: str, operand: Any) -> Comparison:
        self.count()
        if op not in OPERATORS:
            raise _refusal(f"there is no operator `{_shown(op)}`", did_you_mean(op, OPERATORS, what="operators"))
        values = operand if isinstance(operand, list) else [operand]
        return Comparison(name, op, tuple(_value(name, one) for one in values))

    def count(self) -> None:
        self.read += 1
        if self.read > self.most:
            raise _refusal(f"more than {self.most} conditions", "`in` takes many values.", code=Code.LIMIT_EXCEEDED)


def _value(name: str, given: Any) -> str | int | Decimal | bool | date | datetime | None:
    match given:
        case None | bool():
            return given
        case str() if "\0" in given or any("\ud800" <= letter <= "\udfff" for letter in given):
            raise _refusal(
                f"`{_shown(name)}` is compared with something that is not text", "Remove the broken character."
            )
        case str():
            return given
        case int() if abs(given) > _LARGEST:
            raise _refusal(f"`{_shown(given)}` does not fit 64 bits")
        case Decimal() if not given.is_finite() or len(given.as_tuple().digits) + abs(_exponent(given)) > _MOST_DIGITS:
            raise _refusal(f"`{_shown(given)}` has more digits than are read")
        case int() | Decimal():
            return given
    raise _refusal(
        f"`{_shown(name)}` is compared with `{_shown(given)}`", "Write a text, a number, true, false or a list."
    )


def _exponent(number: Decimal) -> int:
    found = number.as_tuple().exponent
    assert isinstance(found, int)
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)


def _shown(given: object) -> str:
    text = json.dumps(given, default=str) if isinstance(given, dict | list) else str(given)
    text = text if len(text) <= 80 else f"{text[:80]}..."
    return text if text.isprintable() else ascii(text)


def _refusal(message: str, fix: str | None = None, code: Code = Code.QUERY_INVALID) -> QueryError:
    return QueryError(Problem(f"where: {message}", fix=fix, code=code))


EXAMPLES: Mapping[str, str] = {
    "sql": "minutes >= 3 and platform in ('ios', 'android')",
    "json": '{"minutes": {"ge": 3}, "platform": {"in": ["ios", "android"]}}',
}
