"""The catalog: what there is to ask."""

from graphql_schema.asking import ask, streaming


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
            "minutes_per_weekly_active",
            "monthly_actives",
            "share_rate",
            "weekly_actives",
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
    assert {"name": "is_internal", "type": "BOOLEAN"}.items() <= metric["dimensions"][-1].items()
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
    assert names('(type: "funnel")') == {"activation", "browse_to_watch"}
    assert names('(type: "funnel", name: "activation")') == {"activation"}
    assert names('(name: "nothing")') == names('(tag: "nothing")') == set()
    assert "sign_ups" in names("(class: USAGE)")
    assert names("(class: null, tag: null)") == names("")


def test_every_statement_of_the_catalog() -> None:
    found = ask("{ catalog { metrics { name sql conventions } } a: catalog { metrics { sql } } }").data
    assert all(one["sql"].startswith("/*") and one["conventions"] for one in found["catalog"]["metrics"])
    assert [one["sql"] for one in found["a"]["metrics"]] == [one["sql"] for one in found["catalog"]["metrics"]]
