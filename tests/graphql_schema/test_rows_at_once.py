"""Lists of rows that are written at once are what the stock executor makes of them."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pyarrow as pa
import pytest
from graphql import (
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
)
from hypothesis import given
from hypothesis import strategies as st

from graphql_schema.asking import streaming
from metrics_api.graphql_schema import executor
from metrics_api.graphql_schema.context import RequestContext, RequestLimits
from metrics_api.graphql_schema.json_text import NoText, listed, texts
from metrics_api.graphql_schema.layout import camel
from metrics_api.graphql_schema.scalars import write_big_integer, write_datetime, write_decimal, write_period
from metrics_api.serving.service import Asking, CacheStatus, Service

BERLIN = "Europe/Berlin"
ANY = CacheStatus.HIT


@cache
def service() -> Service:
    """One for all: what is kept is told both ways."""
    return Service(streaming()[0])


@pytest.fixture(autouse=True)
def _alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short lists are written at once too, and both ways show one answer: a warehouse may add floats in any order."""
    monkeypatch.setattr(executor, "FEW", 0)
    told = RequestContext._told
    # How old it is differs from one asking to the next.
    monkeypatch.setattr(RequestContext, "_told", lambda self, one: told(self, replace(one, status=ANY, age=0.5)))


def answered(query: str, variables: dict[str, Any], *, writes_json: bool) -> Any:
    _, schema = streaming()
    limits = RequestLimits(aliases=1_000, tokens=20_000)
    context = RequestContext(service(), limits, Asking(request_id="one"), writes_json=writes_json)
    result = asyncio.run(schema.execute(query, variable_values=variables, context_value=context))
    answer = {"data": result.data, "errors": [one.formatted for one in result.errors or ()]}
    return json.loads(orjson.dumps(answer))


class Documents:
    """Random selections of everything that a metric answers, as callers write them."""

    def __init__(self, schema: GraphQLSchema, seed: int) -> None:
        self.schema = schema
        self.random = random.Random(seed)
        self.fragments: list[str] = []

    def of_metric(self, field: str, arguments: str) -> str:
        metrics = self.schema.type_map["Metrics"]
        assert isinstance(metrics, GraphQLObjectType)
        result = get_named_type(metrics.fields[field].type)
        assert isinstance(result, GraphQLObjectType)
        inner = self.selection(result, {"members", "info"})
        body = f"{{ metrics {{ a: {field}{arguments} {inner} }} }} {' '.join(self.fragments)}"
        types = {"yes": "Boolean!", "no": "Boolean!", "p": "Int!"}
        used = ", ".join(f"${name}: {type_}" for name, type_ in types.items() if f"${name})" in body)
        return f"query{f'({used})' if used else ''} {body}"

    def selection(self, of: GraphQLObjectType, without: frozenset[str] | set[str] = frozenset()) -> str:
        names = [one for one in of.fields if one not in without]
        chosen = self.random.sample(names, self.random.randint(1, len(names)))
        return f"{{ {' '.join(self.field(of, name) for name in (*chosen, *chosen[:1]))} {self.more(of, names)} }}"

    def field(self, of: GraphQLObjectType, name: str) -> str:
        field = of.fields[name]
        named = get_named_type(field.type)
        arguments = f"(p: {self.random.choice(['5', '$p'])})" if "p" in field.args else ""
        inner = self.selection(named) if isinstance(named, GraphQLObjectType) else ""
        # Fields of one key must be mergeable: an alias says which arguments and selection are meant.
        alias = f"{name}_{self.random.randint(0, 10**9)}: " if inner or arguments or self.random.random() < 0.3 else ""
        directive = self.random.choice(["", "", "", "@include(if: $yes)", "@skip(if: $no)", "@skip(if: $yes)"])
        return f"{alias}{name}{arguments} {directive} {inner}"

    def more(self, of: GraphQLObjectType, names: list[str]) -> str:
        """`__typename`, and some of the same fields by way of a fragment."""
        plain = [
            name for name in names if is_leaf_type(get_named_type(of.fields[name].type)) and not of.fields[name].args
        ]
        inside = " ".join(self.random.sample(plain, min(2, len(plain)))) or "__typename"
        match self.random.randint(0, 3):
            case 0:
                return "__typename"
            case 1:
                return f"... on {of.name} {{ {inside} kind: __typename }}"
            case 2:
                name = f"F{len(self.fragments)}"
                self.fragments.append(f"fragment {name} on {of.name} {{ {inside} }}")
                return f"...{name} ...{name}"
        return ""


ARGUMENTS = (
    '(time: {between: {from: "2025-10-06", to: "2025-10-19"}})',
    '(time: {between: {from: "2025-10-20", to: "2025-10-27"}}, by: [COUNTRY, PLATFORM], limit: 40)',
    '(time: {last: {n: 3, unit: WEEK}}, by: [PLATFORM], asOf: "2025-10-30T07:00:00Z")',
)


def metrics_of_each_type() -> list[str]:
    project, _ = streaming()
    first: dict[str, str] = {}
    for one in project.model.metrics.values():
        first.setdefault(one.type, one.name)
    return list(first.values())


@pytest.mark.parametrize("metric", metrics_of_each_type())
def test_both_ways_give_the_same(metric: str) -> None:
    _, schema = streaming()
    variables = {"yes": True, "no": False, "p": 33}
    answers, errors = 0, []
    for seed in range(12):
        made = Documents(schema._schema, seed)
        query = made.of_metric(camel(metric), ARGUMENTS[seed % len(ARGUMENTS)])
        at_once = answered(query, variables, writes_json=True)
        assert at_once == answered(query, variables, writes_json=False), query
        answers += at_once["data"] is not None and at_once["data"]["metrics"]["a"] is not None
        errors += at_once["errors"]
    assert answers >= 6, errors


def test_lists_are_written_at_once() -> None:
    _, schema = streaming()
    query = "{ metrics { searches(time: {last: {n: 3, unit: DAY}}) { rows { period value } columns { value } } } }"
    result = asyncio.run(schema.execute(query, context_value=RequestContext(service(), writes_json=True)))
    assert result.data is not None
    found = result.data["metrics"]["searches"]
    assert isinstance(found["rows"], orjson.Fragment)
    assert isinstance(found["columns"]["value"], orjson.Fragment)


# -- each type ---------------------------------------------------------------------------------------------------------

INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1))
HOURS = st.integers(0, 2_000_000).map(lambda hours: datetime(1970, 1, 1) + timedelta(hours=hours))


def in_berlin(at: datetime) -> str:
    return at.replace(tzinfo=UTC).astimezone(ZoneInfo(BERLIN)).isoformat()


TYPES: dict[str, tuple[str, pa.DataType, st.SearchStrategy[Any], Callable[[Any], Any]]] = {
    "string": ("string", pa.string(), st.text(), str),
    "integer": ("integer", pa.int64(), st.integers(-(2**63), 2**63 - 1), write_big_integer),
    "small integer": ("small", pa.int64(), st.integers(-(2**31) + 1, 2**31 - 1), int),
    "number": ("number", pa.float64(), st.floats(allow_nan=False, allow_infinity=False), float),
    "whole number": ("number", pa.int64(), st.integers(-(2**53), 2**53), float),
    "decimal": (
        "decimal", pa.decimal128(38, 9), st.decimals(-(10**18), 10**18, allow_nan=False, places=9), write_decimal,
    ),
    "boolean": ("boolean", pa.bool_(), st.booleans(), bool),
    "date": ("date", pa.date32(), st.dates(), date.isoformat),
    "timestamp": ("timestamp", pa.timestamp("us"), INSTANTS, write_datetime),
    "day": ("period", pa.date32(), st.dates(), write_period),
    "hour": ("period", pa.timestamp("us"), HOURS, in_berlin),
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_values_are_written_as_their_scalars_write_them(name: str) -> None:
    type_, stored, values, write = TYPES[name]

    @given(st.lists(st.none() | values, max_size=20))
    def check(given_: list[Any]) -> None:
        found = json.loads(listed(texts(pa.array(given_, stored), type_, BERLIN)))
        assert found == [None if one is None else json.loads(orjson.dumps(write(one))) for one in given_]

    check()


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("small", pa.array([2**31])),
        ("integer", pa.array([Decimal("1.5")])),
        ("string", pa.array([1])),
        ("date", pa.array(["2026-01-01"])),
        ("unheard of", pa.array(["x"])),
    ],
)
def test_what_is_not_plain_is_left_to_the_usual_way(type_: str, values: pa.Array) -> None:
    with pytest.raises(NoText):
        texts(values, type_, "UTC")
