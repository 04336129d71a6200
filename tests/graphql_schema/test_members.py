"""The people behind a number through GraphQL: every one of them once, page by page, as of one moment."""

import base64
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from graphql import build_schema as read_sdl

from graphql_schema.asking import NOW, project_of, streaming, streaming_folder
from graphql_schema.people import over_http, with_people
from metrics_api.families import families
from metrics_api.graphql_schema import build_schema, print_sdl
from metrics_api.graphql_schema.names import PEOPLE_TYPES
from metrics_api.serving.project import Project, load_project

RANGE = 'time: {between: {from: "2025-10-20", to: "2025-11-02"}}'


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setitem(families(), "active_users", with_people())  # type: ignore[arg-type]
    found = load_project(streaming_folder(), clock=lambda: NOW)
    yield found
    found.close()


def asked(project: Project, body: str, metric: str = f"monthlyActives({RANGE})", **variables: Any) -> Any:
    head = "query ($after: String) " if "after" in variables else ""
    answer = over_http(project, f"{head}{{ metrics {{ {metric} {{ {body} }} }} }}", variables)
    assert "errors" not in answer, answer
    return next(iter(answer["data"]["metrics"].values()))


def refusal(project: Project, body: str, metric: str = f"monthlyActives({RANGE})") -> tuple[str, str]:
    (error,) = over_http(project, f"{{ metrics {{ {metric} {{ {body} }} }} }}")["errors"]
    return error["extensions"]["code"], error["message"]


def known_people(least: int = 1) -> list[str]:
    """Who had at least so many value moments in the range, asked of the warehouse."""
    with duckdb.connect(str(streaming_folder() / "streaming.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            """SELECT user_id::VARCHAR FROM app_events
               WHERE occurred_at >= '2025-10-19 22:00' AND occurred_at < '2025-11-02 23:00' AND NOT is_internal
                 AND (event = 'watched' AND minutes >= 3 OR event = 'shared')
               GROUP BY 1 HAVING count(*) >= ?""",
            [least],
        ).fetchall()
    return sorted(name for (name,) in rows)


def test_every_page_one_after_the_other(project: Project) -> None:
    found: list[str] = []
    after, pages = None, 0
    body = "members(first: 40, after: $after) { nodes { id } pageInfo { endCursor hasNextPage hasPreviousPage } }"
    while True:
        page = asked(project, body, after=after)["members"]
        found += [one["id"] for one in page["nodes"]]
        assert page["pageInfo"]["hasPreviousPage"] is (pages > 0)
        pages += 1
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        assert len(page["nodes"]) == 40
    assert found == known_people()
    assert pages == -(-len(found) // 40) > 2


def test_chosen_counted_and_told(project: Project) -> None:
    found = asked(
        project,
        """often: members(habit: OFTEN, first: 2) { totalCount nodes { id attributes { plan birthYear signedUpAt } }
             edges { cursor node { id attributes { plan } } } pageInfo { startCursor endCursor } }
           five: members(atLeast: 5) { totalCount } members { totalCount info { rowCount truncated } }""",
    )
    often = found["often"]
    assert often["totalCount"] == len(known_people(3))
    assert found["five"] == {"totalCount": len(known_people(5))}
    assert found["members"] == {"totalCount": len(known_people()), "info": {"rowCount": 1, "truncated": False}}
    assert [one["id"] for one in often["nodes"]] == known_people(3)[:2]
    with duckdb.connect(str(streaming_folder() / "streaming.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT id::VARCHAR, plan, birth_year FROM users").fetchall()
    known = {name: (plan, year) for name, plan, year in rows}
    for one in often["nodes"]:
        assert (one["attributes"]["plan"], one["attributes"]["birthYear"]) == known[one["id"]]
    assert [one["node"] for one in often["edges"]] == [
        {"id": one["id"], "attributes": {"plan": one["attributes"]["plan"]}} for one in often["nodes"]
    ]
    assert often["pageInfo"] == {
        "startCursor": often["edges"][0]["cursor"],
        "endCursor": often["edges"][1]["cursor"],
    }


def test_only_what_is_selected_is_computed(project: Project) -> None:
    def sql(selection: str) -> str:
        found: str = asked(project, f"members {{ {selection} info {{ sql }} }}")["members"]["info"]["sql"]
        return found

    assert "plan" not in sql("nodes { id }") and "birth_year" not in sql("nodes { attributes { plan } }")
    assert "plan" in sql("edges { node { attributes { plan } } }")
    assert sql("nodes { id }").upper().count("COUNT(") < sql("nodes { id } totalCount").upper().count("COUNT(")
    assert "LIMIT" not in sql("totalCount").upper()
    both = asked(project, "members { totalCount } rows { period }")
    assert both["members"]["totalCount"] == len(known_people()) and len(both["rows"]) == 14


def test_all_pages_tell_the_same_moment(project: Project) -> None:
    body = "members(first: 3, after: $after) { nodes { id } pageInfo { endCursor } info { asOf to } }"
    recent = "monthlyActives(time: {last: {n: 7, unit: DAY}})"
    first = asked(project, body, recent, after=None)["members"]
    project.clock = lambda: datetime(2025, 12, 24, 18)
    second = asked(project, body, recent, after=first["pageInfo"]["endCursor"])["members"]
    assert second["info"] == first["info"] == {"asOf": "2025-11-03T09:30:00Z", "to": "2025-11-03"}
    assert second["nodes"][0]["id"] > first["nodes"][-1]["id"]
    assert asked(project, body, recent, after=None)["members"]["nodes"] == []


def forged(place: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def test_cursors_that_are_none(project: Project) -> None:
    page = asked(project, "members(first: 1) { pageInfo { endCursor } }")["members"]["pageInfo"]
    end = page["endCursor"]
    version, as_of, mark, after = json.loads(base64.urlsafe_b64decode(end + "=" * (-len(end) % 4)))
    not_one = ("QUERY_INVALID", "after: this is not a cursor. Give the `endCursor` of the page before, as it is.")
    broken = [
        "u1", "", "%%%", "é", end[:-9], forged([]), forged([9, as_of, mark, after]), forged({"a": 1}),
        forged([version, as_of, mark, 7]), forged([version, as_of, mark, "\0"]), forged([version, "x", mark, after]),
        forged([version, as_of + "+01:00", mark, after]), forged([version, as_of, mark, "\ud800"]), forged(None),
    ]  # fmt: skip
    for one in broken:
        assert refusal(project, f"members(after: {json.dumps(one)}) {{ nodes {{ id }} }}") == not_one, one
    foreign = (
        "QUERY_INVALID",
        (
            "after: this is a cursor of another list, or the definitions have changed since. "
            "Ask with the same arguments as for the page before, or begin again without `after`."
        ),
    )
    again = f'after: "{end}"'
    assert refusal(project, f"members(habit: OFTEN, {again}) {{ nodes {{ id }} }}") == foreign
    assert refusal(project, f"members({again}) {{ nodes {{ id }} }}", f"weeklyActives({RANGE})") == foreign
    assert refusal(project, f"members({again}) {{ nodes {{ id }} }}", "monthlyActives") == foreign
    platform = f'monthlyActives({RANGE}, where: {{platform: {{eq: "ios"}}}})'
    assert refusal(project, f"members({again}) {{ nodes {{ id }} }}", platform) == foreign
    assert asked(project, f"members({again}, first: 5) {{ nodes {{ id }} }}")["members"]["nodes"]
    grouped = f"monthlyActives({RANGE}, by: [PLATFORM], order: [{{by: VALUE}}])"  # These only shape rows.
    assert asked(project, f"members({again}) {{ nodes {{ id }} }}", grouped)["members"]["nodes"]


def test_wrong_pages(project: Project) -> None:
    too_many = "monthly_actives: 10,001 members; a page has 1 to 10,000"
    assert refusal(project, "members(first: 10001) { nodes { id } }") == ("LIMIT_EXCEEDED", too_many)
    assert refusal(project, "members(first: 0) { totalCount }")[0] == "LIMIT_EXCEEDED"
    code, message = refusal(project, "members(habit: OFEN) { totalCount }")
    assert (code, "OFTEN" in message) == ("QUERY_INVALID", True)
    code, message = refusal(project, 'members(day: "2025-02-30") { totalCount }')
    assert message == '`2025-02-30` is not a date. Write year, month and day: `"2026-01-31"`.'


def test_a_list_counts_as_a_metric(project: Project) -> None:
    lists = " ".join(f"a{number}: members {{ totalCount }}" for number in range(20))
    (error,) = over_http(project, f"{{ metrics {{ monthlyActives {{ {lists} }} }} }}")["errors"]
    assert error["message"] == "more than 20 metric fields in one request. Send several requests."


HEAD = """
version: 1
project: {name: p}
sources:
  events: {table: t, time: at, event_name: event, identity: {user: u, account: a}, properties: {amount: decimal}}
entities:
  user: {attributes: {table: users, key: id, columns: {plan: string, email: {type: string, personal: true}}}}
  account: {attributes: {table: accounts, key: id, columns: {seats: integer}}}
events:
  e: {source: events}
metrics:
"""


def test_types_are_one_for_each_entity_and_for_equal_words(project: Project, tmp_path: Path) -> None:
    metrics = """\
  a: {type: active_users, on: e, window: 7 days}
  b: {type: active_users, on: e, window: 28 days}
  c: {type: active_users, on: e, window: 7 days, entity: account}
"""
    read = read_sdl(print_sdl(build_schema(project_of(HEAD + metrics, tmp_path).model)))
    fields = read.type_map["Metrics"].fields
    assert str(fields["a"].type) == str(fields["b"].type) == "EventsActiveUsersOftenRarelySeries"
    assert str(fields["c"].type) == "EventsActiveUsersAccountOftenRarelySeries"
    members = read.type_map[str(fields["a"].type)].fields["members"]
    assert {name: str(one.type) for name, one in members.args.items()} == {
        "habit": "OftenRarelyHabit",
        "atLeast": "Int",
        "day": "Date",
        "first": "Int!",
        "after": "String",
    }
    assert list(read.type_map["OftenRarelyHabit"].values) == ["OFTEN", "RARELY"]
    assert list(read.type_map["UserAttributes"].fields) == ["plan"]  # what is personal is not told
    assert {name: str(one.type) for name, one in read.type_map["AccountAttributes"].fields.items()} == {
        "seats": "BigInt"
    }
    told = {name for name in PEOPLE_TYPES if name in read.type_map}
    assert told == {name for name in PEOPLE_TYPES if "Cohort" not in name}


def test_a_family_without_people_has_no_members() -> None:
    fields = build_schema(streaming()[0].model).get_type_by_name("AppEventsUsageSeries").fields
    assert "members" not in {one.graphql_name or one.name for one in fields}
