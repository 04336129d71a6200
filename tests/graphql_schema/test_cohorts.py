"""Cohorts through GraphQL: of any metric as filter and as breakdown, by themselves, and in the catalog."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from graphql import build_schema as read_sdl

from graphql_schema.asking import NOW, project_of, streaming, streaming_folder
from graphql_schema.people import cohort_family, over_http, with_cohorts
from metrics_api.errors import DefinitionError
from metrics_api.families import families
from metrics_api.graphql_schema import build_schema, print_sdl
from metrics_api.graphql_schema.names import PEOPLE_TYPES
from metrics_api.serving.project import Project, load_project

RANGE = 'time: {between: {from: "2025-10-30", to: "2025-11-01"}}'


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """`viewers` had a value moment on the last day, `lookers` searched."""
    monkeypatch.setitem(families(), "one_day", cohort_family())  # type: ignore[arg-type]
    base = load_project(streaming_folder(), clock=lambda: NOW)
    active = base.model.metrics["daily_actives"]
    searched = base.model.metrics["searches"]
    lookers = replace(active.spec, selection=searched.spec.selection)
    cohorts = {
        "viewers": replace(active, name="viewers", type="one_day"),
        "lookers": replace(active, name="lookers", type="one_day", spec=lookers, depends_on=("searched", "viewers")),
    }
    found = with_cohorts(base, cohorts)
    yield found
    found.close()
    base.close()


def asked(project: Project, query: str) -> Any:
    answer = over_http(project, query)
    assert "errors" not in answer, answer
    return answer["data"]


def warehouse(sql: str) -> list[tuple[Any, ...]]:
    """Rows of events, each with `day`, `user_id` and what happened."""
    with duckdb.connect(str(streaming_folder() / "streaming.duckdb"), read_only=True) as connection:
        return connection.execute(
            f"""WITH happened AS (
                  SELECT user_id, event, minutes,
                    (occurred_at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin')::DATE::VARCHAR AS day,
                    (event = 'watched' AND minutes >= 3 OR event = 'shared') AS is_value
                  FROM app_events WHERE NOT is_internal),
                viewers AS (SELECT DISTINCT user_id FROM happened WHERE is_value AND day = '2025-11-01'),
                lookers AS (SELECT DISTINCT user_id FROM happened WHERE event = 'searched' AND day = '2025-11-01'),
                range AS (SELECT * FROM happened WHERE day BETWEEN '2025-10-30' AND '2025-11-01')
                {sql}"""
        ).fetchall()


def test_any_metric_of_a_cohort_alone(project: Project) -> None:
    body = f"""{{ metrics {{
        searches({RANGE}, cohort: VIEWERS) {{ rows {{ period value cohort }} overall {{ users }} }}
        monthlyActives({RANGE}, cohort: LOOKERS) {{ overall {{ value }} }}
        activation({RANGE}, cohort: VIEWERS) {{ steps {{ entered }} }}
        growth({RANGE}, cohort: VIEWERS) {{ rows {{ new returning }} members {{ totalCount }} }}
    }} }}"""
    found = asked(project, body)["metrics"]
    days = dict(
        warehouse("SELECT day, count(*) FROM range JOIN viewers USING (user_id) WHERE event = 'searched' GROUP BY 1")
    )
    assert found["searches"]["rows"] == [
        {"period": day, "value": days.get(day, 0), "cohort": None} for day in ("2025-10-30", "2025-10-31", "2025-11-01")
    ]
    ((users,),) = warehouse(
        "SELECT count(DISTINCT user_id) FROM range JOIN viewers USING (user_id) WHERE event = 'searched'"
    )
    assert found["searches"]["overall"] == {"users": users}
    ((active,),) = warehouse(
        "SELECT count(DISTINCT user_id) FROM happened JOIN lookers USING (user_id)"
        " WHERE is_value AND day BETWEEN '2025-10-05' AND '2025-11-01'"
    )
    assert found["monthlyActives"]["overall"] == {"value": active}
    everyone = asked(project, f"{{ metrics {{ activation({RANGE}) {{ steps {{ entered }} }} }} }}")["metrics"]
    of_viewers, of_all = found["activation"]["steps"][0]["entered"], everyone["activation"]["steps"][0]["entered"]
    assert 0 < of_viewers < of_all
    last = found["growth"]["rows"][-1]
    ((viewers,),) = warehouse("SELECT count(*) FROM viewers")
    assert last["new"] + last["returning"] <= viewers


def test_any_metric_by_cohorts(project: Project) -> None:
    arguments = f"{RANGE}, byCohorts: [VIEWERS, LOOKERS], order: [{{by: COHORT, direction: DESC}}]"
    body = f"""{{ metrics {{ searches({arguments}) {{
        rows {{ period cohort value }} columns {{ cohort users }} overall {{ users }} overallBy {{ cohort users }}
        info {{ conventions }}
    }} stickiness({RANGE}, byCohorts: [LOOKERS]) {{ histogram {{ cohort activeDays users }} }} }} }}"""
    found = asked(project, body)["metrics"]
    searching = "SELECT count(DISTINCT user_id) FROM range WHERE event = 'searched'"
    ((everyone,),) = warehouse(searching)
    ((none,),) = warehouse(
        f"{searching} AND user_id NOT IN (SELECT * FROM viewers) AND user_id NOT IN (SELECT * FROM lookers)"
    )
    ((viewers,),) = warehouse(f"{searching} AND user_id IN (SELECT * FROM viewers)")
    ((lookers,),) = warehouse(f"{searching} AND user_id IN (SELECT * FROM lookers)")
    searches = found["searches"]
    assert searches["overall"] == {"users": everyone}
    assert searches["overallBy"] == [
        {"cohort": "viewers", "users": viewers},
        {"cohort": "lookers", "users": lookers},
        {"cohort": "(none)", "users": none},
    ]
    assert [row["cohort"] for row in searches["rows"]] == ["viewers"] * 3 + ["lookers"] * 3 + ["(none)"] * 3
    assert searches["columns"]["cohort"] == [row["cohort"] for row in searches["rows"]]
    assert "Cohort `viewers`: as of the end of the range." in searches["info"]["conventions"]
    assert {row["cohort"] for row in found["stickiness"]["histogram"]} == {"lookers", "(none)"}


def test_a_cohort_by_itself(project: Project) -> None:
    body = f"""{{ cohort(name: VIEWERS, {RANGE}) {{
        name label description size rows {{ period size complete provisional }} info {{ to rowCount }}
        members(first: 2) {{ nodes {{ id attributes {{ plan }} }} totalCount pageInfo {{ hasNextPage endCursor }} }}
    }} }}"""
    found = asked(project, body)["cohort"]
    ids = [name for (name,) in warehouse("SELECT user_id FROM viewers ORDER BY 1")]
    assert (found["name"], found["label"], found["size"]) == ("viewers", "Daily actives", len(ids))
    sizes = dict(warehouse("SELECT day, count(DISTINCT user_id) FROM range WHERE is_value GROUP BY 1"))
    assert found["rows"] == [
        {"period": day, "size": sizes[day], "complete": True, "provisional": provisional}
        for day, provisional in (("2025-10-30", False), ("2025-10-31", False), ("2025-11-01", True))
    ]
    assert found["info"] == {"to": "2025-11-01", "rowCount": 3}
    assert [one["id"] for one in found["members"]["nodes"]] == ids[:2]
    assert found["members"]["totalCount"] == len(ids)
    end = found["members"]["pageInfo"]["endCursor"]
    rest = f'{{ cohort(name: VIEWERS, {RANGE}) {{ members(after: "{end}") {{ nodes {{ id }} }} }} }}'
    assert [one["id"] for one in asked(project, rest)["cohort"]["members"]["nodes"]] == ids[2:]
    foreign = f'{{ cohort(name: LOOKERS, {RANGE}) {{ members(after: "{end}") {{ nodes {{ id }} }} }} }}'
    (error,) = over_http(project, foreign)["errors"]
    assert error["message"].startswith("after: this is a cursor of another list")


def test_only_what_is_selected_is_asked(project: Project) -> None:
    asked_of: list[str] = []
    run = project._run

    def told(sql: str, *rest: Any) -> Any:
        asked_of.append(sql)
        return run(sql, *rest)

    project._run = told  # type: ignore[method-assign]
    assert asked(project, "{ cohort(name: VIEWERS) { name label } }")["cohort"]["name"] == "viewers"
    assert asked_of == []
    asked(project, "{ cohort(name: VIEWERS) { size } }")
    assert len(asked_of) == 1
    asked(project, "{ cohort(name: VIEWERS) { rows { period } info { sql } } }")
    assert len(asked_of) == 2


def test_cohorts_in_the_catalog(project: Project) -> None:
    body = "{ catalog { cohorts { name label entity sources dependsOn { name kind } conventions sql } } }"
    viewers, lookers = asked(project, body)["catalog"]["cohorts"]
    assert (viewers["name"], viewers["entity"], viewers["sources"]) == ("viewers", "user", ["app_events"])
    assert lookers["dependsOn"] == [{"name": "searched", "kind": "EVENT"}, {"name": "viewers", "kind": "COHORT"}]
    assert "SELECT" in viewers["sql"] and viewers["conventions"]
    assert asked(streaming()[0], "{ catalog { project { name } } }")


def test_cohorts_of_each_bucket(project: Project) -> None:
    whole, alone = (
        asked(project, f"{{ metrics {{ searches({words}) {{ rows {{ period value }} overall {{ value }} }} }} }}")
        for words in (
            f"{RANGE}, cohort: VIEWERS, cohortAsOf: BUCKET_END",
            f"{RANGE}, cohort: VIEWERS, cohortAsOf: RANGE_END",
        )
    )
    assert whole["metrics"]["searches"]["overall"] == alone["metrics"]["searches"]["overall"]
    last = whole["metrics"]["searches"]["rows"][-1]
    assert last == alone["metrics"]["searches"]["rows"][-1]
    first = whole["metrics"]["searches"]["rows"][0]["period"]
    words = f'time: {{between: {{from: "{first}", to: "{first}"}}}}, cohort: VIEWERS'
    by_itself = asked(project, f"{{ metrics {{ searches({words}) {{ rows {{ period value }} }} }} }}")
    assert by_itself["metrics"]["searches"]["rows"] == whole["metrics"]["searches"]["rows"][:1]


def test_cohorts_that_there_are_not(project: Project) -> None:
    for wrong in ("searches(cohort: VIEWER) { rows { value } }", "searches(byCohorts: [VIEWER]) { rows { value } }"):
        (error,) = over_http(project, f"{{ metrics {{ {wrong} }} }}")["errors"]
        assert "Did you mean the enum value 'VIEWERS'" in error["message"]
    base = build_schema(replace(streaming()[0].model, cohorts={}))
    assert "CohortName" not in print_sdl(base)
    assert "cohort" not in {field.python_name for field in base.get_type_by_name("Query").fields}


def test_a_cohort_counts_as_a_metric(project: Project) -> None:
    many = " ".join(f"a{number}: cohort(name: VIEWERS) {{ name }}" for number in range(21))
    errors = over_http(project, f"{{ {many} }}")["errors"]
    assert [one["message"] for one in errors] == ["more than 20 metric fields in one request. Send several requests."]


HEAD = """
version: 1
project: {name: p}
sources:
  events:
    table: t
    time: at
    event_name: event
    identity: {user: u, account: a}
    properties: {country: string}
events:
  e: {source: events}
metrics:
  people: {type: active_users, on: e, window: 7 days}
  firms: {type: active_users, on: e, window: 7 days, entity: account}
  clicks: {type: usage, event: e}
"""


def test_users_and_accounts_have_cohorts_of_their_own(project: Project, tmp_path: Path) -> None:
    model = project_of(HEAD, tmp_path).model
    people, firms = model.metrics["people"], model.metrics["firms"]
    cohorts = {
        "fans": replace(people, name="fans", type="one_day"),
        "giants": replace(firms, name="giants", type="one_day"),
    }
    read = read_sdl(print_sdl(build_schema(replace(model, cohorts=cohorts))))
    fields = read.type_map["Metrics"].fields
    assert {name: str(one.args["cohort"].type) for name, one in fields.items()} == {
        "people": "CohortName", "firms": "AccountCohortName", "clicks": "CohortName",
    }  # fmt: skip
    assert str(fields["people"].type) == str(fields["firms"].type)
    assert list(read.type_map["CohortName"].values) == ["FANS"]
    assert list(read.type_map["Query"].fields) == ["metrics", "catalog", "cohort", "accountCohort", "job"]
    assert str(read.type_map["AccountCohort"].fields["members"].type) == "AccountMembers"
    assert {name for name in PEOPLE_TYPES if name in read.type_map} == PEOPLE_TYPES - {
        "UserAttributes", "AccountAttributes",
    }  # fmt: skip
    alone = read_sdl(print_sdl(build_schema(replace(model, cohorts={"fans": cohorts["fans"]}))))
    assert "cohort" not in alone.type_map["Metrics"].fields["firms"].args


def test_a_property_called_cohort(project: Project, tmp_path: Path) -> None:
    found = project_of(HEAD.replace("{country: string}", "{cohort: string}"), tmp_path)
    model = replace(found.model, cohorts={"fans": replace(found.model.metrics["people"], name="fans", type="one_day")})
    with pytest.raises(DefinitionError) as raised:
        build_schema(model, found.definitions)
    told = str(raised.value.problems[0])
    assert "property `cohort` of source `events` would be called `cohort` in GraphQL" in told
