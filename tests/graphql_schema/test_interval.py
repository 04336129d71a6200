"""Intervals through GraphQL: every part is that of the core, and so are the people of a habit."""

from typing import Any

from graphql_schema.asking import ask, streaming

RANGE = 'time: {between: {from: "2025-09-15", to: "2025-11-02"}}'
WORDS: dict[str, Any] = {"start": "2025-09-15", "end": "2025-11-02"}
SUMMARY = {
    "users": "users",
    "returners": "returners",
    "intervalOfReturners": "interval_of_returners",
    "intervalOfAll": "interval_of_all",
    "medianGap": "median_gap",
    "zone": "zone",
    "lookback": "lookback",
    "lookbackTooShort": "lookback_too_short",
}
CURVE = {
    "after": "after",
    "atRisk": "at_risk",
    "returned": "returned",
    "censored": "censored",
    "shareOfAll": "share_of_all",
    "shareOfReturners": "share_of_returners",
}
GAPS = {"gap": "gap", "gaps": "gaps", "users": "users"}


def core(part: str, names: dict[str, str], **words: Any) -> list[dict[str, Any]]:
    rows = streaming()[0].query("rhythm", parts=part, **WORDS, **words).to_pylist()
    names = {"platform": "platform", **names} if words else names
    return [{field: row[name] for field, name in names.items()} for row in rows]


def test_the_parts_are_those_of_the_core() -> None:
    body = f"""summary {{ platform {" ".join(SUMMARY)} }} curve {{ platform {" ".join(CURVE)} }}
      gaps {{ platform {" ".join(GAPS)} }} columns {{ zone intervalOfReturners }} info {{ conventions }}"""
    found = ask(f"{{ metrics {{ rhythm({RANGE}, by: [PLATFORM]) {{ {body} }} }} }}").metrics["rhythm"]
    summary = core("summary", SUMMARY, by="platform")
    assert found["summary"] == summary
    assert len(summary) > 1
    assert found["curve"] == core("curve", CURVE, by="platform")
    assert found["gaps"] == core("gaps", GAPS, by="platform")
    assert found["columns"]["zone"] == [row["zone"] for row in summary]
    assert found["columns"]["intervalOfReturners"] == [row["intervalOfReturners"] for row in summary]
    assert (
        "Intervals: within which 80 % return, of those who do, and of all by Kaplan and Meier."
        in (found["info"]["conventions"])
    )


def test_one_part_is_asked_alone() -> None:
    found = ask(f"{{ metrics {{ rhythm({RANGE}) {{ curve {{ after shareOfAll }} }} }} }}").metrics["rhythm"]
    assert found["curve"] == [{"after": row["after"], "shareOfAll": row["shareOfAll"]} for row in core("curve", CURVE)]


def test_the_people_of_a_habit() -> None:
    body = "nodes { id } totalCount"
    fields = f"""some: members(zone: WEEKLY, first: 5) {{ {body} }} once: members(zone: ONE_TIME) {{ totalCount }}
      all: members {{ totalCount }}"""
    found = ask(f"{{ metrics {{ rhythm({RANGE}) {{ {fields} }} }} }}").metrics["rhythm"]
    pages = streaming()[0].members("rhythm", members={"zone": "weekly"}, first=5, **WORDS)
    assert [one["id"] for one in found["some"]["nodes"]] == next(pages)["id"].to_pylist()
    (summary,) = core("summary", SUMMARY)
    assert found["all"]["totalCount"] == summary["users"]
    assert found["once"]["totalCount"] == summary["users"] - summary["returners"]
