"""Drivers through GraphQL: every part is that of the core, and it says what it is not."""

from typing import Any

from graphql_schema.asking import ask, streaming

RANGE = 'time: {between: {from: "2025-09-01", to: "2025-10-26"}}'
WORDS: dict[str, Any] = {"start": "2025-09-01", "end": "2025-10-26"}
PARTS = {
    "rows": (
        "candidate threshold tier n11 n10 n01 n00 phi phiLow phiHigh pValue lift precision precisionLow precisionHigh "
        "recall auc rank suppressed"
    ),
    "candidates": "candidate people heldOut spearman auc bestThreshold bestTier phi rank suppressed",
    "summary": "people observed unobserved heldOut returned baseRate horizon",
}


def snake(field: str) -> str:
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in field)


def core(part: str, **words: Any) -> list[dict[str, Any]]:
    rows = streaming()[0].query("what_makes_power_users", parts=part, **WORDS, **words).to_pylist()
    fields = (*words.get("by", "").split(), *PARTS[part].split())
    return [{field: row[snake(field)] for field in fields} for row in rows]


def test_the_parts_are_those_of_the_core() -> None:
    body = " ".join(f"{part} {{ platform {fields} }}" for part, fields in PARTS.items())
    found = ask(f"{{ metrics {{ whatMakesPowerUsers({RANGE}, by: [PLATFORM]) {{ {body} }} }} }}")
    for part in PARTS:
        expected = core(part, by="platform")
        assert found.metrics["whatMakesPowerUsers"][part] == expected
        assert len(expected) > 3


def test_of_few_people_it_is_told_why_nothing_is() -> None:
    body = "rows { rank phi suppressed } columns { suppressed } info { conventions }"
    asked = f"{{ metrics {{ whatMakesPowerUsers({RANGE}, limit: 5) {{ {body} }} }} }}"
    found = ask(asked).metrics["whatMakesPowerUsers"]
    reasons = [row["suppressed"] for row in found["rows"]]
    assert reasons == found["columns"]["suppressed"] == [row["suppressed"] for row in core("rows")][:5]
    assert all("n01 < 30" in one for one in reasons)
    assert {(row["rank"], row["phi"]) for row in found["rows"]} == {(None, None)}
    told = "It tells what goes together, not what causes what: only an experiment could."
    assert told in found["info"]["conventions"]
