"""The catalog: what there is to ask."""

from pathlib import Path
from typing import Any

import pytest

from graphql_schema.asking import ask, project_of, streaming
from metrics_api.errors import DefinitionError
from metrics_api.graphql_schema.schema import MetricsSchema, build_schema
from metrics_api.serving.project import Project


def test_metrics_and_what_is_known_of_them() -> None:
    query = """{ catalog {
      metrics(name: "videos_watched") {
        name field type class label description owner tags unit format deprecated { reason replacedBy }
        dependsOn { name kind } dependents sources measures { name type description }
        dimensions { name type label description unit } conventions sql freshness { dataThrough }
      }
      sources { name table description properties { name type unit } }
      project { name label description timezone weekStart }
    } }"""
    catalog = ask(query).data["catalog"]
    (metric,) = catalog["metrics"]
    project = streaming()[0]
    assert metric | {"sql": "", "measures": [], "dimensions": []} == {
        "name": "videos_watched",
        "field": "videosWatched",
        "type": "value_moment",
        "class": "ENGAGEMENT",
        "label": "Videos watched",
        "description": "A video watched for three minutes or more, or one worth sending to somebody else.",
        "owner": "product",
        "tags": [],
        "unit": None,
        "format": None,
        "deprecated": None,
        "dependsOn": [{"name": "watched_video", "kind": "EVENT"}, {"name": "shared_video", "kind": "EVENT"}],
        "dependents": [
            "activation",
            "daily_actives",
            "engagement_score",
            "feature_breadth",
            "first_discovery",
            "first_month_by_day",
            "fruitful_visits",
            "growth",
            "instead_of_watching",
            "minutes_depth",
            "minutes_per_weekly_active",
            "monthly_actives",
            "rhythm",
            "share_of_power_users",
            "share_rate",
            "stickiness",
            "value_per_visit",
            "watch_frequency",
            "watching_again",
            "weekly_actives",
            "weekly_retention",
            "what_makes_power_users",
        ],
        "sources": ["app_events"],
        "measures": [],
        "dimensions": [],
        "conventions": list(project.explain("videos_watched").conventions),
        "sql": "",
        "freshness": {"dataThrough": project.data_through("videos_watched").isoformat() + "Z"},
    }
    assert metric["sql"] == project.sql("videos_watched")
    assert {"name": "depth", "type": "NUMBER"}.items() <= metric["measures"][3].items()
    assert [(one["name"], one["type"]) for one in metric["dimensions"][6:]] == [
        ("is_internal", "BOOLEAN"),
        ("user_plan", "STRING"),
        ("user_birth_year", "INTEGER"),
        ("user_signed_up_at", "TIMESTAMP"),
        ("hour_of_day", "STRING"),
        ("weekday", "STRING"),
    ]
    (source,) = catalog["sources"]
    assert (source["name"], source["table"]) == ("app_events", "app_events")
    assert {"name": "minutes", "type": "NUMBER", "unit": "minutes"} in source["properties"]
    assert catalog["project"]["timezone"] == "Europe/Berlin"
    assert catalog["project"]["weekStart"] == "MONDAY"


def names(arguments: str) -> set[str]:
    return {one["name"] for one in ask(f"{{ catalog {{ metrics{arguments} {{ name }} }} }}").data["catalog"]["metrics"]}


def test_filters() -> None:
    assert names("") == set(streaming()[0].model.metrics)
    assert names("(class: USAGE)") | names("(class: ENGAGEMENT)") == names("")
    assert names('(type: "funnel")') == {"activation", "browse_to_watch", "first_discovery", "visits_that_watch"}
    assert names('(type: "funnel", name: "activation")') == {"activation"}
    assert names('(name: "nothing")') == names('(tag: "nothing")') == set()
    assert "sign_ups" in names("(class: USAGE)")
    assert names("(class: null, tag: null)") == names("")


def test_every_statement_of_the_catalog() -> None:
    found = ask("{ catalog { metrics { name sql conventions } } a: catalog { metrics { sql } } }").data
    assert all(one["sql"].startswith("/*") and one["conventions"] for one in found["catalog"]["metrics"])
    assert [one["sql"] for one in found["a"]["metrics"]] == [one["sql"] for one in found["catalog"]["metrics"]]


# -- what is read ------------------------------------------------------------------------------------------------------


def lineage(name: str, *, of: Any = None) -> list[dict[str, Any]]:
    query = (
        f'{{ catalog {{ metrics(name: "{name}") {{ lineage {{ kind name table columns {{ name namedBy }} }} }} }} }}'
    )
    (metric,) = ask(query, of=of).data["catalog"]["metrics"]
    found: list[dict[str, Any]] = metric["lineage"]
    return found


def test_lineage_down_to_the_columns() -> None:
    (table,) = lineage("videos_watched")
    assert {key: table[key] for key in ("kind", "name", "table")} == {
        "kind": "SOURCE",
        "name": "app_events",
        "table": "app_events",
    }
    assert {one["name"]: one["namedBy"] for one in table["columns"]} == {
        "event": ["event_name"],
        "is_internal": ["properties.is_internal"],  # What is left out is read as well.
        "minutes": ["properties.minutes"],
        "occurred_at": ["time"],
        "occurred_on": ["partition"],
        "user_id": ["identity.user"],
    }
    people = {one["name"] for one in lineage("daily_actives")[0]["columns"]}
    assert people == {"event", "is_internal", "minutes", "occurred_at", "occurred_on", "user_id"}


ENTITIES = """\
version: 1
project: {name: small, warehouses: {w: {type: duckdb}}}
sources:
  log:
    table: raw.log
    time: at
    event_name: what
    identity: {user: who}
    properties: {feature: {type: string, json: payload.feature}, amount: {type: number, json: payload.amount}}
    label: The log
    owner: platform
    tags: [raw]
    deprecated: {reason: Will be split., replaced_by: other}
  other: {table: other, time: at, identity: {user: who}, visibility: internal}
entities:
  user:
    identity_map: {table: ids.aliases, from: alias, to: id}
    attributes: {table: crm.people, key: id, columns: {plan: string, city: {type: string, column: town}}}
events:
  click:
    source: log
    name: clicked
    where: user.plan = 'pro' and feature != 'x'
    label: Click
    description: A button is pressed.
    owner: design
    tags: [ui]
    deprecated: {reason: Means nothing., replaced_by: order}
  order: {source: other}
  hidden: {source: log, visibility: internal}
metrics:
  old_clicks:
    type: usage
    event: click
    measure: users
    label: Clicks
    description: People who click.
    owner: growth
    tags: [ui, old]
    unit: people
    format: number
    deprecated: {reason: Says nothing about value., replaced_by: buyers}
  buyers: {type: usage, event: order, measure: users, deprecated: {reason: Not needed.}}
  inner: {type: usage, event: order, visibility: internal}
"""


@pytest.fixture
def small(tmp_path: Path) -> tuple[Project, MetricsSchema]:
    project = project_of(ENTITIES, tmp_path)
    return project, build_schema(project.model, project.definitions)


def test_lineage_of_entities_and_json(small: tuple[Project, MetricsSchema]) -> None:
    tables = {one["table"]: (one["kind"], one["name"], one["columns"]) for one in lineage("old_clicks", of=small)}
    assert tables == {
        "raw.log": (
            "SOURCE",
            "log",
            [
                {"name": "at", "namedBy": ["time"]},
                {"name": "payload", "namedBy": ["properties.feature"]},
                {"name": "what", "namedBy": ["event_name"]},
                {"name": "who", "namedBy": ["identity.user"]},
            ],
        ),
        "ids.aliases": (
            "ENTITY",
            "user",
            [{"name": "alias", "namedBy": ["identity_map.from"]}, {"name": "id", "namedBy": ["identity_map.to"]}],
        ),
        "crm.people": (
            "ENTITY",
            "user",
            [
                {"name": "id", "namedBy": ["attributes.key"]},
                {"name": "plan", "namedBy": ["attributes.columns.plan"]},
            ],
        ),
    }


def test_every_metric_reads_columns_that_the_definitions_name() -> None:
    query = "{ catalog { metrics { name type sources lineage { name table columns { name namedBy } } } } }"
    for metric in ask(query).data["catalog"]["metrics"]:
        # Tiers also tell who is known and did nothing.
        known = {"user"} if metric["type"] in ("frequency", "breadth", "depth") else set()
        assert {one["name"] for one in metric["lineage"]} == {*metric["sources"], *known}
        assert all(column["namedBy"] for one in metric["lineage"] for column in one["columns"]), metric


def test_freshness_of_one_metric_does_not_spoil_the_others(tmp_path: Path) -> None:
    project = project_of(ENTITIES, tmp_path)
    project.warehouse()._connection.execute(  # type: ignore[attr-defined]
        "CREATE TABLE other AS SELECT TIMESTAMP '2025-11-02 12:00:00' AS at, 'ann' AS who"
    )
    of = (project, build_schema(project.model, project.definitions))
    asked = ask("{ catalog { metrics { name freshness { dataThrough } sql } } }", of=of)
    (error,) = asked.errors
    assert error["path"] == ["catalog", "metrics", 0, "freshness"]
    assert error["extensions"]["code"] == "WAREHOUSE_ERROR"
    assert "there is no table `raw.log`" in error["message"]
    found = {one["name"]: one["freshness"] for one in asked.data["catalog"]["metrics"]}
    assert found == {"old_clicks": None, "buyers": {"dataThrough": "2025-11-02T12:00:00Z"}}
    assert all(one["sql"] for one in asked.data["catalog"]["metrics"])


def test_nothing_is_asked_of_the_warehouse_unless_it_is_selected(tmp_path: Path) -> None:
    text = ENTITIES.replace("{type: duckdb}", "{type: duckdb, path: nowhere.duckdb}")
    project = project_of(text, tmp_path)
    of = (project, build_schema(project.model, project.definitions))
    metric = "name sql conventions lineage { table } entity class dependsOn { name } measures { name }"
    query = f"{{ catalog {{ metrics {{ {metric} }} sources {{ name }} events {{ name }} }} }}"
    assert ask(query, of=of).errors == []


# -- what is written of a definition -----------------------------------------------------------------------------------


def test_all_that_is_written_of_a_metric(small: tuple[Project, MetricsSchema]) -> None:
    query = """{ catalog { metrics(name: "old_clicks") {
      label description owner tags unit format entity class deprecated { reason replacedBy }
    } } }"""
    (metric,) = ask(query, of=small).data["catalog"]["metrics"]
    assert metric == {
        "label": "Clicks",
        "description": "People who click.",
        "owner": "growth",
        "tags": ["ui", "old"],
        "unit": "people",
        "format": "NUMBER",
        "entity": "user",
        "class": "USAGE",
        "deprecated": {"reason": "Says nothing about value.", "replacedBy": "buyers"},
    }
    fields = dict(small[1]._schema.type_map["Metrics"].fields)  # type: ignore[attr-defined]
    assert set(fields) == {"oldClicks", "buyers"}  # Not `inner`, which is internal.
    clicks = fields["oldClicks"]
    assert clicks.deprecation_reason == "Says nothing about value. Use `buyers`."
    assert fields["buyers"].deprecation_reason == "Not needed."
    assert clicks.description == (
        "Clicks: People who click. The metric's value: users. In people. Shown as a number. "
        "Owner: growth. Tags: ui, old."
    )


def test_all_that_is_written_of_sources_and_events(small: tuple[Project, MetricsSchema]) -> None:
    query = """{ catalog {
      sources { name table label description owner tags deprecated { reason replacedBy } }
      events { name source storedAs label description owner tags dependents deprecated { reason replacedBy } }
    } }"""
    catalog = ask(query, of=small).data["catalog"]
    assert catalog["sources"] == [
        {
            "name": "log",
            "table": "raw.log",
            "label": "The log",
            "description": None,
            "owner": "platform",
            "tags": ["raw"],
            "deprecated": {"reason": "Will be split.", "replacedBy": "other"},
        }
    ]
    click, order = catalog["events"]
    assert click == {
        "name": "click",
        "source": "log",
        "storedAs": "clicked",
        "label": "Click",
        "description": "A button is pressed.",
        "owner": "design",
        "tags": ["ui"],
        "dependents": ["old_clicks"],
        "deprecated": {"reason": "Means nothing.", "replacedBy": "order"},
    }
    assert (order["name"], order["storedAs"], order["deprecated"]) == ("order", "order", None)


def test_what_replaces_a_definition_must_be_there(tmp_path: Path) -> None:
    text = ENTITIES.replace("replaced_by: buyers", "replaced_by: buyer").replace(
        "replaced_by: other", "replaced_by: log"
    )
    with pytest.raises(DefinitionError) as caught:
        project_of(text.replace("replaced_by: order", "replaced_by: orders"), tmp_path)
    assert str(caught.value).splitlines() == [
        "project.yml:13:55  `log` is replaced by itself",
        "    The sources are `other`.",
        "project.yml:28:55  there is no event `orders`",
        "    Did you mean `order`?",
        "project.yml:42:66  there is no metric `buyer`",
        "    Did you mean `buyers`?",
    ]


def test_parts_and_choices() -> None:
    body = "parts { name columns description } memberChoices { name type values }"
    found = ask(f"{{ catalog {{ metrics {{ name {body} }} }} }}").data["catalog"]["metrics"]
    known = {one.pop("name"): one for one in found}
    growth, stickiness = known["growth"], known["stickiness"]
    assert [(one["name"], one["columns"]) for one in stickiness["parts"]] == [
        ("rows", ["period"]), ("overall", []), ("histogram", ["period", "active_days", "users", "share"]),
    ]  # fmt: skip
    assert all(part["description"] for one in found for part in one["parts"])
    assert stickiness["memberChoices"] is None
    state, period = growth["memberChoices"]
    assert (state["name"], state["type"], "resurrecting" in state["values"]) == ("state", "STRING", True)
    assert period == {"name": "period", "type": "DATE", "values": None}
