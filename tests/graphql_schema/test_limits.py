"""Documents that are made to hurt are refused before they do."""

import time
from itertools import pairwise

import pytest
from graphql import get_introspection_query, parse

from graphql_schema.asking import Asked, ask
from metrics_api.graphql_schema.context import RequestLimits
from metrics_api.graphql_schema.documents import sizes_of


def limited(query: str, **limits: int) -> Asked:
    return ask(query, limits=RequestLimits(**limits))


def test_depth() -> None:
    query = "{ metrics { searches { rows { perUser { median } } } } }"
    assert limited(query, depth=5).metrics
    assert limited(query, depth=4).refusal == (
        "LIMIT_EXCEEDED",
        "the request has 5 levels of fields; at most 4 are answered",
    )
    through = "{ ...A } fragment A on Query { ... on Query { metrics { searches { ...B } } } }"
    nested = f"{through} fragment B on AppEventsUsageSeries {{ rows {{ perUser {{ median }} }} }}"
    assert limited(nested, depth=5).metrics
    assert limited(nested, depth=4).refusal[0] == "LIMIT_EXCEEDED"


def test_aliases() -> None:
    query = "{ metrics { " + " ".join(f"a{number}: searches {{ __typename }}" for number in range(5)) + " } }"
    assert limited(query, aliases=5).metrics
    assert limited(query, aliases=4).refusal[0] == "LIMIT_EXCEEDED"


def test_metric_fields() -> None:
    query = "{ metrics { " + " ".join(f"a{number}: searches {{ __typename }}" for number in range(5)) + " } }"
    assert limited(query, metrics=5).metrics
    asked = limited(query, metrics=4)
    assert asked.refusal == ("LIMIT_EXCEEDED", "more than 4 metric fields in one request. Send several requests.")
    assert sum(one is not None for one in asked.data["metrics"].values()) == 4


def test_repeats_of_a_field() -> None:
    """Whether equal fields fit together is compared pair by pair: 500 of them take a second to validate."""
    repeated = "{ metrics { searches { rows { " + "value " * 600 + "} } } }"
    begun = time.process_time()
    assert ask(repeated).refusal[0] == "LIMIT_EXCEEDED"
    assert time.process_time() - begun < 0.2
    inside = "{ __schema { types { " + "name " * 600 + "} } }"
    assert ask(inside).refusal[0] == "LIMIT_EXCEEDED"


def test_tokens() -> None:
    assert ask("{ metrics { searches { rows { " + "value " * 4_000 + "} } } }").refusal[0] == "LIMIT_EXCEEDED"


def test_fragments_that_multiply() -> None:
    names = [f"F{number}" for number in range(60)]
    bomb = "{ ...F0 } " + " ".join(
        f"fragment {name} on Query {{ ...{following} ...{following} ...{following} }}"
        for name, following in pairwise(names)
    )
    begun = time.process_time()
    assert ask(f"{bomb} fragment F59 on Query {{ catalog {{ project {{ name }} }} }}").refusal[0] == "LIMIT_EXCEEDED"
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize(
    "query",
    [
        "{ ...A } fragment A on Query { ...A }",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { catalog { project { name } } ...A }",
        "{ ...Missing }",
    ],
)
def test_fragments_that_never_end(query: str) -> None:
    assert ask(query).data is None


def test_nesting_beyond_what_can_be_read() -> None:
    deep = "{ metrics { searches(where: " + "{not: " * 900 + "{}" + "}" * 900 + ") { rows { value } } } }"
    assert ask(deep).refusal[0] == "LIMIT_EXCEEDED"
    fields = "{ a " * 900 + "}" * 900
    assert ask(fields).refusal[0] == "LIMIT_EXCEEDED"


def test_introspection_is_within_the_limits() -> None:
    found = ask(get_introspection_query(input_value_deprecation=True, directive_is_repeatable=True))
    assert not found.errors
    assert any(one["name"] == "AppEventsFilter" for one in found.data["__schema"]["types"])
    cyclic = "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }"
    assert ask(cyclic).errors


def test_a_known_document_is_still_limited_and_validated() -> None:
    query = "query ($where: AppEventsFilter) { metrics { searches(where: $where) { overall { value } } } }"
    deep: dict[str, object] = {}
    for _ in range(50):
        deep = {"not": deep}
    for _ in range(3):
        assert ask(query, {"where": {}}).metrics
        assert ask(query, {"where": deep}).refusal[0] == "LIMIT_EXCEEDED"
        assert ask("{ metrics { nothing } }").refusal[0] == "QUERY_INVALID"


def test_every_operation_of_a_document_counts() -> None:
    document = parse("query A { catalog { project { name } } } query B { metrics { searches { info { sql } } } }")
    assert [size.depth for size in sizes_of(document)] == [3, 4]
