"""What cannot be answered: a code, the remedy, and siblings that are answered all the same."""

import json
from typing import Any

import pytest

from graphql_schema.asking import ask, streaming


def refused(arguments: str, selection: str = "rows { value }", metric: str = "videosWatched") -> tuple[str, str]:
    return ask(f"{{ metrics {{ {metric}({arguments}) {{ {selection} }} }} }}").refusal


def filtered(where: dict[str, Any]) -> Any:
    query = "query ($where: AppEventsFilter) { metrics { videosWatched(where: $where) { overall { value } } } }"
    return ask(query, {"where": where})


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("{ metrics { videoWatched { rows { value } } } }", "QUERY_INVALID", "Did you mean 'videosWatched'"),
        ("{ metrics { videosWatched { rows { valu } } } }", "QUERY_INVALID", "Did you mean 'value'"),
        ("{ metrics { searches(by: [COUNTR]) { rows { value } } } }", "QUERY_INVALID", "COUNTRY"),
        ("{ metrics { searches(grain: FORTNIGHT) { rows { value } } } }", "QUERY_INVALID", "FORTNIGHT"),
        ("{ metrics { searches(where: {plattform: {eq: 1}}) { rows { value } } } }", "QUERY_INVALID", "platform"),
        ("{ metrics { searches(where: {minutes: {like: 1}}) { rows { value } } } }", "QUERY_INVALID", "like"),
        ('{ metrics { searches(where: {minutes: {eq: "a"}}) { rows { value } } } }', "QUERY_INVALID", "Float"),
        (
            '{ metrics { searches(time: {between: {from: "2026-02-30"}}) { rows { value } } } }',
            "QUERY_INVALID",
            '`2026-02-30` is not a date. Write year, month and day: `"2026-01-31"`.',
        ),
        ("{ metrics { searches(time: {}) { rows { value } } } }", "QUERY_INVALID", "exactly one key"),
        (
            '{ metrics { searches(time: {last: {n: 1, unit: DAY}, between: {from: "2026-01-01"}}) { info { sql } } } }',
            "QUERY_INVALID",
            "exactly one key",
        ),
        ("{ metrics { searches(time: {last: {n: 1, unit: HOUR}}) { rows { value } } } }", "QUERY_INVALID", "HOUR"),
        ("{ metrics { searches", "QUERY_INVALID", "Syntax Error"),
        ("mutation { drop }", "QUERY_INVALID", "not supported"),
        ("{ a }", "QUERY_INVALID", "Cannot query field 'a'"),
    ],
)
def test_documents_that_mean_nothing(query: str, code: str, words: str) -> None:
    asked = ask(query)
    assert asked.data is None
    found, message = asked.refusal
    assert found == code
    assert words in message


def test_a_variable_is_named_with_its_place() -> None:
    query = "query ($time: TimeInput) { metrics { searches(time: $time) { rows { value } } } }"
    code, message = ask(query, {"time": {"between": {"from": "yesterday"}}}).refusal
    assert code == "QUERY_INVALID"
    assert message == (
        "Variable '$time' has invalid value at .between.from: `yesterday` is not a date. "
        'Write year, month and day: `"2026-01-31"`.'
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ('time: {between: {from: "2026-02-01", to: "2026-01-01"}}', "QUERY_INVALID", "Swap `from` and `to`."),
        ('time: {between: {from: "0001-01-01", to: "9999-12-31"}}', "QUERY_INVALID", "1900 to 2199"),
        ("time: {last: {n: 0, unit: DAY}}", "QUERY_INVALID", "1 to 999,999"),
        ("time: {last: {n: -1, unit: DAY}}", "QUERY_INVALID", "1 to 999,999"),
        ("time: {last: {n: 999999, unit: YEAR}}", "QUERY_INVALID", "before there were years"),
        ('grain: HOUR, time: {between: {from: "1926-01-01", to: "2025-12-31"}}', "LIMIT_EXCEEDED", "coarser grain"),
        ('timezone: "Europe/Berln"', "QUERY_INVALID", "Did you mean `Europe/Berlin`?"),
        ('timezone: "../../etc/passwd"', "QUERY_INVALID", "there is no time zone"),
        ('asOf: "0001-01-01T00:00:00Z"', "QUERY_INVALID", "1900 to 2199"),
        ("by: [COUNTRY, COUNTRY]", "QUERY_INVALID", "`country` is asked for twice"),
        ("by: [COUNTRY, PLATFORM, CHANNEL, FEATURE, TITLE, IS_INTERNAL]", "LIMIT_EXCEEDED", "at most 5"),
        ("order: [{by: COUNTRY}]", "QUERY_INVALID", "cannot order by `country`"),
        ("limit: 0", "LIMIT_EXCEEDED", "1 to 50,000"),
        ("limit: 2000000000", "LIMIT_EXCEEDED", "1 to 50,000"),
    ],
)
def test_arguments_that_cannot_be_answered(arguments: str, code: str, words: str) -> None:
    found, message = refused(arguments)
    assert found == code
    assert words in message


def test_windows_and_percentiles() -> None:
    assert "at most 3,660 days" in refused("within: {n: 999999, unit: YEAR}", "steps { rate }", "activation")[1]
    for p in (0, 100, -5):
        words = f"there is no percentile {p}. `p` is 1 to 99; 50 is the median."
        assert refused("limit: 1", f"rows {{ perUser {{ percentile(p: {p}) }} }}") == ("QUERY_INVALID", words)
    code, message = refused("grain: HOUR", metric="dailyActives")
    assert code == "QUERY_INVALID"
    assert message.startswith("daily_actives: ")


def test_siblings_are_answered() -> None:
    asked = ask(
        '{ metrics { searches(timezone: "Mars") { rows { value } } activation { steps { step } } } '
        "catalog { project { name } } }"
    )
    assert asked.error["path"] == ["metrics", "searches"]
    assert asked.data["metrics"]["searches"] is None
    assert len(asked.data["metrics"]["activation"]["steps"]) == 3
    assert asked.data["catalog"] == {"project": {"name": "streaming"}}


# -- values that try to be more than values ----------------------------------------------------------------------------

HOSTILE = [
    "'; DROP TABLE app_events; --",
    "' OR '1'='1",
    "\\' OR 1=1 --",
    'ios" OR "1"="1',
    "😀",
    "%",
    "_",
    "",
    "a" * 10_000,
    "$1",
    "{{ platform }}",
    "/* ios */",
    "\n",
    "\u202e",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_is_only_ever_a_value(value: str) -> None:
    everything = ask("{ metrics { videosWatched { overall { total } } } }").metrics["videosWatched"]["overall"]["total"]
    nothing = filtered({"platform": {"eq": value}}).metrics
    assert nothing == {"videosWatched": {"overall": {"value": 0}}}
    assert filtered({"platform": {"ne": value}}).metrics == {"videosWatched": {"overall": {"value": everything}}}
    where = f"{{platform: {{in: [{json.dumps(value)}]}}}}"
    assert ask(f"{{ metrics {{ videosWatched(where: {where}) {{ overall {{ value }} }} }} }}").metrics == nothing
    assert streaming()[0].query("videos_watched", measures="total", parts="overall")["total"].to_pylist() == [
        everything
    ]


@pytest.mark.parametrize("value", ["\x00", "a\x00b", "\ud800", "\udfff!"])
def test_what_no_warehouse_can_store(value: str) -> None:
    code, message = filtered({"platform": {"eq": value}}).refusal
    assert code == "QUERY_INVALID"
    assert "`platform`" in message


def test_filters_of_nothing() -> None:
    total = filtered({}).metrics
    assert filtered({"and": [], "not": {"or": []}}).metrics == total
    assert filtered({"platform": None}).metrics == total
    assert filtered({"or": []}).metrics == {"videosWatched": {"overall": {"value": 0}}}
    assert filtered({"not": {}}).metrics == {"videosWatched": {"overall": {"value": 0}}}
    assert filtered({"or": [{}]}).metrics == total
    assert "is_null" in filtered({"platform": {"eq": None}}).refusal[1]
    assert "an empty list" in filtered({"platform": {"in": []}}).refusal[1]


def test_filters_that_are_too_much() -> None:
    limit = "LIMIT_EXCEEDED"
    many = [{"platform": {"eq": str(number)}} for number in range(201)]
    assert filtered({"or": many[:-10]}).metrics == {"videosWatched": {"overall": {"value": 0}}}
    assert filtered({"or": many}).refusal == (limit, "where: more than 200 conditions. `in` takes many values.")
    assert filtered({"platform": {"in": [str(number) for number in range(1_001)]}}).refusal[0] in (
        limit,
        "QUERY_INVALID",
    )
    deep: dict[str, Any] = {}
    for _ in range(16):
        deep = {"not": deep}
    assert filtered(deep).refusal[0] == limit
    for _ in range(400):
        deep = {"not": deep}
    assert filtered(deep).refusal[0] == limit
