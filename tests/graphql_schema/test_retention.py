"""Retention through GraphQL: cells inside their cohorts, and all of them in flat lists, are those of the core."""

from typing import Any

import pytest

from graphql_schema.asking import ask, streaming
from metrics_api.graphql_schema.layout import camel
from metrics_api.graphql_schema.names import public_metrics

METRICS = [one.name for one in public_metrics(streaming()[0].model) if one.type == "retention"]
RANGE = 'time: {between: {from: "2025-09-15", to: "2025-11-02"}}'
WORDS: dict[str, Any] = {"start": "2025-09-15", "end": "2025-11-02"}


def core(metric: str, part: str, **words: Any) -> list[dict[str, Any]]:
    rows = streaming()[0].query(metric, parts=part, **WORDS, **words).to_pylist()
    return [{name: str(value) if name == "start" else value for name, value in row.items()} for row in rows]


@pytest.mark.parametrize("metric", METRICS)
def test_cohorts_hold_their_cells(metric: str) -> None:
    body = """cohorts { start platform size cells { periodIndex users rate value complete } }
      columns { start periodIndex platform size users rate value complete }
      average { periodIndex platform size users rate cohorts value }"""
    field = camel(metric)
    found = ask(f"{{ metrics {{ {field}({RANGE}, by: [PLATFORM]) {{ {body} }} }} }}").metrics[field]
    expected = core(metric, "cells", by="platform")
    flat = [
        {"start": cohort["start"], "platform": cohort["platform"], "size": cohort["size"], **cell}
        for cohort in found["cohorts"]
        for cell in cohort["cells"]
    ]
    names = {"periodIndex": "period_index"}
    assert [{names.get(name, name): value for name, value in row.items()} for row in flat] == expected
    assert found["columns"]["periodIndex"] == [row["period_index"] for row in expected]
    assert found["columns"]["rate"] == [row["rate"] for row in expected]
    assert len({(one["start"], one["platform"]) for one in found["cohorts"]}) == len(found["cohorts"]) > 4
    average = [{names.get(name, name): value for name, value in row.items()} for row in found["average"]]
    assert average == core(metric, "average", by="platform")


def test_cohorts_without_their_cells_and_cells_without_their_cohorts() -> None:
    found = ask(
        f"""{{ metrics {{
          a: weeklyRetention({RANGE}) {{ cohorts {{ size }} }}
          b: weeklyRetention({RANGE}) {{ cohorts {{ cells {{ rate }} }} info {{ rowCount truncated }} }}
          c: weeklyRetention({RANGE}, limit: 20) {{ cohorts {{ cells {{ __typename }} }} info {{ truncated }} }}
          d: weeklyRetention({RANGE}) {{ cohorts {{ __typename }} average {{ rate }} }}
        }} }}"""
    ).metrics
    expected = core("weekly_retention", "cells")
    starts = sorted({row["start"] for row in expected})
    assert [one["size"] for one in found["a"]["cohorts"]] == [
        next(row["size"] for row in expected if row["start"] == start) for start in starts
    ]
    assert [[cell["rate"] for cell in one["cells"]] for one in found["b"]["cohorts"]] == [
        [row["rate"] for row in expected if row["start"] == start] for start in starts
    ]
    assert found["b"]["info"] == {"rowCount": len(expected), "truncated": False}
    assert [len(one["cells"]) for one in found["c"]["cohorts"]] == [13, 7]
    assert found["c"]["info"]["truncated"] is True
    assert {one["__typename"] for one in found["d"]["cohorts"]} == {"AppEventsRetentionCohort"}
    assert len(found["d"]["average"]) == len(core("weekly_retention", "average"))


def test_cells_in_another_order_stay_with_their_cohorts() -> None:
    arguments = f"{RANGE}, order: [{{by: PERIOD_INDEX, direction: DESC}}, {{by: START, direction: DESC}}]"
    body = "cohorts { start cells { periodIndex } }"
    found = ask(f"{{ metrics {{ weeklyRetention({arguments}) {{ {body} }} }} }}").metrics["weeklyRetention"]["cohorts"]
    assert [one["start"] for one in found] == sorted((one["start"] for one in found), reverse=True)
    assert {tuple(cell["periodIndex"] for cell in one["cells"]) for one in found} == {tuple(range(12, -1, -1))}


def test_cells_are_no_field_of_the_answer_and_cohorts_hold_the_flags() -> None:
    for wrong in ("cells { rate }", "rows { rate }", "overall { rate }", "cohorts { rate }", "cohorts { complete }"):
        assert "Cannot query field" in ask(f"{{ metrics {{ weeklyRetention {{ {wrong} }} }} }}").error["message"]
