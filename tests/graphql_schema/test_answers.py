"""Answers through GraphQL are those of `Project.query`: every column of every metric, and no other work than asked."""

from datetime import date
from typing import Any

import pytest

from graphql_schema.asking import ask, streaming
from metrics_api.families import families
from metrics_api.graphql_schema.layout import Cell, Field, Layout
from metrics_api.graphql_schema.layouts import layout_of
from metrics_api.graphql_schema.names import public_metrics
from metrics_api.periods import Grain
from metrics_api.query.metric_query import Between, Compare, MetricQuery

METRICS = [one.name for one in public_metrics(streaming()[0].model)]
EVERY_SERIES = [name for name in METRICS if families()[streaming()[0].model.metrics[name].type].shape == "series"]
LISTS = [name for name in METRICS if families()[streaming()[0].model.metrics[name].type].shape in ("funnel", "tables")]
LISTS.remove("what_makes_power_users")  # whose people are to be observed for longer: test_drivers.py
TIME = 'time: {between: {from: "2025-10-20", to: "2025-11-02"}}'
BEGINS = {"instead_of_watching": date(2025, 9, 10)}
"""Those who came within the last month are not lost yet."""


def layout(name: str) -> Layout:
    model = streaming()[0].model
    return layout_of(model.metrics[name], model)


def field_of(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


SERIES = [name for name in EVERY_SERIES if layout(name).has_overall]


def selection(fields: tuple[Field, ...]) -> str:
    parts = []
    for one in fields:
        inner = "" if isinstance(one, Cell) else f" {{ {selection(one.cells)} }}"
        parts.append(f"{one.name}{inner}")
    return " ".join(parts)


def flat(row: dict[str, Any], fields: tuple[Field, ...]) -> dict[str, Any]:
    """A GraphQL row by the core's column names."""
    found = {}
    for one in fields:
        if isinstance(one, Cell):
            found[one.column] = row[one.name]
        else:
            found |= {one.column(cell.column): row[one.name][cell.name] for cell in one.cells}
    return found


def plain(value: Any) -> Any:
    """A value of Arrow as JSON has it."""
    return value.isoformat() if isinstance(value, date) else value


def rows(table: Any) -> list[dict[str, Any]]:
    return [{name: plain(value) for name, value in row.items()} for row in table.to_pylist()]


def close(listed: list[dict[str, Any]]) -> list[Any]:
    """Sums of floats differ in their last digit from run to run: warehouses add in parallel."""
    return [
        {name: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value for name, value in row.items()}
        for row in listed
    ]


def core(
    metric: str,
    fields: tuple[Field, ...],
    *,
    by: tuple[str, ...] = (),
    parts: tuple[str, ...] = (),
    compare: Compare | None = None,
) -> Any:
    project = streaming()[0]
    measures = tuple(name for name in flat(nothing(fields), fields) if layout(metric).main.is_measure(name))
    query = MetricQuery(
        metric,
        time=Between(BEGINS.get(metric, date(2025, 10, 20)), date(2025, 11, 2)),
        by=by,
        measures=measures,
        parts=parts,
        compare=compare,
    )
    return project.answer(query)


def nothing(fields: tuple[Field, ...]) -> dict[str, Any]:
    return {one.name: None if isinstance(one, Cell) else {cell.name: None for cell in one.cells} for one in fields}


@pytest.mark.parametrize("metric", SERIES)
def test_every_column_of_every_series(metric: str) -> None:
    shape = layout(metric)
    every, measured, grouped = selection(shape.main.row), selection(shape.whole), selection(shape.grouped)
    answer = ask(
        f"{{ metrics {{ {field_of(metric)}({TIME}, by: [PLATFORM], compare: PREVIOUS_PERIOD) {{ "
        f"rows {{ {every} }} columns {{ {every} }} "
        f"overall {{ {measured} }} overallBy {{ {grouped} }} info {{ rowCount truncated }} }} }} }}"
    ).metrics[field_of(metric)]
    compare = Compare.PREVIOUS_PERIOD
    expected = core(metric, shape.main.row, by=("platform",), parts=("rows", "overall"), compare=compare)
    unasked = {one.column: None for one in shape.main.breakdowns if one.column != "platform"}
    expected_rows = rows(expected.parts["rows"])
    assert [flat(row, shape.main.row) for row in answer["rows"]] == close([row | unasked for row in expected_rows])
    assert len(answer["rows"]) == 14 * 4
    columns = flat(answer["columns"], shape.main.row)
    assert {name for name, values in columns.items() if values is None} == set(unasked)
    transposed = [
        {name: values[number] for name, values in columns.items() if values is not None} for number in range(56)
    ]
    assert transposed == close(expected_rows)
    assert [flat(row, shape.grouped) for row in answer["overallBy"]] == close(
        [row | unasked for row in rows(expected.parts["overall"])]
    )
    (overall,) = rows(core(metric, shape.whole, parts=("overall",), compare=Compare.PREVIOUS_PERIOD).parts["overall"])
    assert [flat(answer["overall"], shape.whole)] == close([overall])
    assert answer["info"] == {"rowCount": 56, "truncated": False}


@pytest.mark.parametrize("metric", [name for name in EVERY_SERIES if name not in SERIES])
def test_every_column_of_every_series_without_an_overall(metric: str) -> None:
    shape = layout(metric)
    assert not shape.main.compared and not shape.has_overall
    every = selection(shape.main.row)
    body = f"{field_of(metric)}({TIME}, by: [PLATFORM]) {{ rows {{ {every} }} columns {{ {every} }} }}"
    answer = ask(f"{{ metrics {{ {body} }} }}").metrics[field_of(metric)]
    expected = rows(core(metric, shape.main.row, by=("platform",)).parts["rows"])
    unasked = {one.column: None for one in shape.main.breakdowns if one.column != "platform"}
    assert [flat(row, shape.main.row) for row in answer["rows"]] == close([row | unasked for row in expected])
    columns = flat(answer["columns"], shape.main.row)
    assert {name: columns[name] for name in expected[0]} == {
        name: [one[name] for one in expected] for name in expected[0]
    }
    assert len(expected) >= 14 * 3
    buckets = ask(f"{{ metrics {{ {field_of(metric)}({TIME}) {{ rows {{ period complete }} info {{ sql }} }} }} }}")
    assert len(buckets.metrics[field_of(metric)]["rows"]) == 14
    for unknown in ("overall { active }", "overallBy { active }", "rows { value }"):
        refused = ask(f"{{ metrics {{ {field_of(metric)} {{ {unknown} }} }} }}")
        assert "Cannot query field" in refused.errors[0]["message"]


def test_the_people_of_a_lifecycle() -> None:
    states = {"NEW": "new", "DORMANT_STOCK": "dormant_stock", "RESURRECTING": "resurrecting"}
    lists = " ".join(
        f'{name}: members(state: {state}, period: "2025-10-22", first: 500) {{ nodes {{ id }} totalCount }}'
        for state, name in states.items()
    )
    body = f"growth({TIME}, grain: WEEK) {{ rows {{ new dormantStock resurrecting }} {lists} }}"
    answer = ask(f"{{ metrics {{ {body} }} }}").metrics["growth"]
    for state, name in states.items():
        expected = streaming()[0].query(
            "growth", start="2025-10-20", end="2025-11-02", grain="week", first=500,
            members={"state": state.lower(), "period": "2025-10-22"},
        )  # fmt: skip
        assert [one["id"] for one in answer[name]["nodes"]] == expected["id"].to_pylist()
        assert answer[name]["totalCount"] == answer["rows"][0][field_of(name)] == expected.num_rows > 0


@pytest.mark.parametrize("metric", [name for name in SERIES if layout(name).tables[1:]])
def test_every_further_table_of_every_series(metric: str) -> None:
    shape = layout(metric)
    unasked = {one.column: None for one in shape.main.breakdowns if one.column != "platform"}
    for table in shape.tables[1:]:
        cells = table.row
        selected = f"{field_of(table.part)} {{ {selection(cells)} }}"
        arguments = f"{TIME}, grain: WEEK, by: [PLATFORM], order: [{{by: VALUE, direction: DESC}}]"
        alone = ask(f"{{ metrics {{ {field_of(metric)}({arguments}) {{ {selected} }} }} }}").metrics[field_of(metric)]
        time = Between(date(2025, 10, 20), date(2025, 11, 2))
        question = MetricQuery(metric, time=time, grain=Grain.WEEK, by=("platform",), parts=(table.part,))
        expected = close([row | unasked for row in rows(streaming()[0].answer(question).parts[table.part])])
        assert [flat(row, cells) for row in alone[field_of(table.part)]] == expected
        assert len(expected) > 8
        body = f"{selected} rows {{ value }} overall {{ value }} overallBy {{ value }}"
        beside = ask(f"{{ metrics {{ {field_of(metric)}({arguments}) {{ {body} }} }} }}").metrics[field_of(metric)]
        assert beside[field_of(table.part)] == alone[field_of(table.part)]
        assert len(beside["rows"]) == 8 and len(beside["overallBy"]) == 4 and beside["overall"]["value"] is not None


@pytest.mark.parametrize("metric", LISTS)
def test_every_column_of_every_part(metric: str) -> None:
    shape = layout(metric)
    parts = " ".join(f"{field_of(one.part)} {{ {selection(one.row)} }}" for one in shape.tables)
    time = TIME.replace("2025-10-20", str(BEGINS.get(metric, "2025-10-20")))
    body = f"{field_of(metric)}({time}, by: [PLATFORM]) {{ {parts} columns {{ {selection(shape.main.row)} }} }}"
    answer = ask(f"{{ metrics {{ {body} }} }}").metrics[field_of(metric)]
    expected = core(metric, shape.main.row, by=("platform",), parts=tuple(one.part for one in shape.tables)).parts
    unasked = {one.column: None for one in shape.main.breakdowns if one.column != "platform"}
    for table in shape.tables:
        found = [flat(row, table.row) for row in answer[field_of(table.part)]]
        assert found == close([row | unasked for row in rows(expected[table.part])])
        assert found
    columns = flat(answer["columns"], shape.main.row)
    known = rows(expected[shape.main.part])
    assert {name: columns[name] for name in known[0]} == {
        name: [row[name] for row in close(known)] for name in known[0]
    }


def test_the_people_of_a_tier() -> None:
    body = (
        'rows { period tier users } members(tier: CORE, period: "2025-10-22", first: 500) { nodes { id } totalCount }'
    )
    answer = ask(f"{{ metrics {{ watchFrequency({TIME}) {{ {body} }} }} }}").metrics["watchFrequency"]
    (users,) = [row["users"] for row in answer["rows"] if (row["period"], row["tier"]) == ("2025-10-22", "core")]
    assert answer["members"]["totalCount"] == len(answer["members"]["nodes"]) == users > 0


def test_the_columns_of_an_answer_have_fields() -> None:
    """What the families answer with all they offer is what the layouts hold, no column less."""
    project = streaming()[0]
    for name in METRICS:
        shape = layout(name)
        part = families()[project.model.metrics[name].type].parts[0]
        compare = Compare.PREVIOUS_PERIOD if shape.main.compared else None
        answered = set(core(name, shape.main.row, by=("platform",), compare=compare).parts[part].column_names)
        assert answered == set(flat(nothing(shape.main.row), shape.main.row)) - {
            one.column for one in shape.main.breakdowns if one.column != "platform"
        }


def test_any_percentile_under_any_alias() -> None:
    answer = ask(
        """query ($p: Int!) { metrics { videosWatched(time: {last: {n: 30, unit: DAY}}) {
          overall { perUser { p90 low: percentile(p: 1) high: percentile(p: $p) } }
          columns { perUser { percentile(p: 37) } }
        } activation { steps { secondsFromEntry { percentile(p: 10) } secondsFromPrevious { p25 } } } } }""",
        {"p": 99},
    ).metrics
    project = streaming()[0]
    overall = project.query(
        "videos_watched", last="30 days", measures="per_user_p90,per_user_p1,per_user_p99", parts="overall"
    ).to_pylist()
    assert answer["videosWatched"]["overall"]["perUser"] == {
        "p90": overall[0]["per_user_p90"],
        "low": overall[0]["per_user_p1"],
        "high": overall[0]["per_user_p99"],
    }
    listed = project.query("videos_watched", last="30 days", measures="per_user_p37")
    assert answer["videosWatched"]["columns"]["perUser"]["percentile"] == listed["per_user_p37"].to_pylist()
    steps = project.query("activation", measures="seconds_from_entry_p10,seconds_from_previous_p25").to_pylist()
    assert [one["secondsFromEntry"]["percentile"] for one in answer["activation"]["steps"]] == [
        one["seconds_from_entry_p10"] for one in steps
    ]
    assert answer["activation"]["steps"][0]["secondsFromPrevious"]["p25"] is None


def test_order_limit_filter_and_window() -> None:
    answer = ask(
        """{ metrics {
          searches(grain: MONTH, by: [COUNTRY], where: {platform: {in: ["ios", "web"]}, not: {country: {eq: "DE"}}},
                   order: [{by: USERS, direction: DESC}, {by: COUNTRY}], limit: 3, timezone: "Asia/Tokyo") {
            rows { country value } overallBy { country } info { truncated rowCount timezone from to }
          }
          activation(within: {n: 2, unit: HOUR}) { steps { converted } info { conventions } }
        } }"""
    ).metrics
    project = streaming()[0]
    expected = project.query(
        "searches",
        grain="month",
        by="country",
        where={"platform": {"in": ["ios", "web"]}, "not": {"country": {"eq": "DE"}}},
        measures="value,users",
        order="-users,country",
        limit=3,
        timezone="Asia/Tokyo",
    ).to_pylist()
    assert [one["country"] for one in answer["searches"]["rows"]] == [one["country"] for one in expected]
    assert [one["value"] for one in answer["searches"]["rows"]] == [one["value"] for one in expected]
    assert len(answer["searches"]["overallBy"]) == 3
    info = answer["searches"]["info"]
    assert info["truncated"] is True
    assert (info["rowCount"], info["timezone"]) == (3, "Asia/Tokyo")
    assert (info["from"], info["to"]) == ("2025-10-01", "2025-11-30")
    steps = project.query("activation", within="2 hours")["converted"].to_pylist()
    assert [one["converted"] for one in answer["activation"]["steps"]] == steps


def test_hours_know_their_offset() -> None:
    answer = ask(
        '{ metrics { appOpens(grain: HOUR, time: {between: {from: "2025-10-26", to: "2025-10-26"}}) '
        "{ rows { period } columns { period } } } }"
    ).metrics["appOpens"]
    periods = [row["period"] for row in answer["rows"]]
    assert len(periods) == 25  # the clocks went back
    assert periods[1:5] == [
        "2025-10-26T01:00:00+02:00",
        "2025-10-26T02:00:00+02:00",
        "2025-10-26T02:00:00+01:00",
        "2025-10-26T03:00:00+01:00",
    ]
    assert answer["columns"]["period"] == periods


def test_null_is_null_and_the_unfinished_says_so() -> None:
    answer = ask(
        '{ metrics { minutesWatched(time: {between: {from: "2025-11-02", to: "2025-11-05"}}) '
        "{ rows { period value average { minutes } complete provisional } overall { perUser { median } } }"
        'monthlyActives(time: {between: {from: "2025-11-02", to: "2025-11-05"}}) { rows { value complete } } } }'
    ).metrics
    found = answer["minutesWatched"]["rows"]
    assert [row["complete"] for row in found] == [True, False, False, False]
    assert all(row["provisional"] for row in found)
    assert found[0]["value"] > 0
    assert [row["average"]["minutes"] for row in found[2:]] == [None, None]
    assert [row["value"] for row in answer["monthlyActives"]["rows"]][2:] == [None, None]


# -- only what is selected is computed ---------------------------------------------------------------------------------


def sql(body: str, variables: dict[str, Any] | None = None, *, head: str = "") -> str:
    found: str = ask(f"query Asked{head} {{ metrics {{ {body} }} }} {FRAGMENTS}", variables).data["metrics"]["asked"][
        "info"
    ]["sql"]
    return found.upper()


FRAGMENTS = """
fragment Deep on AppEventsValueMomentDepthSeries { rows { ...Row } ... on AppEventsValueMomentDepthSeries { ...How } }
fragment How on AppEventsValueMomentDepthSeries { info { sql } }
fragment Row on AppEventsValueMomentDepthRow { period perUser { ...Spread } }
fragment Spread on PerUser { median }
fragment Unused on AppEventsValueMomentDepthRow { ...Row }
query Other { catalog { project { name } } metrics { videosWatched { ...Deep rows { ...Unused } } } }
"""


def test_only_selected_measures_reach_the_statement() -> None:
    assert "SUM(" not in sql("asked: videosWatched { rows { period value } info { sql } }")
    plain_sql = sql("asked: videosWatched { rows { value } info { sql } }")
    assert "QUANTILE" not in plain_sql
    assert "USER_ID" not in plain_sql
    assert "QUANTILE" in sql("asked: videosWatched { ...Deep }")
    assert "MAX(" in sql("asked: searches { rows { max { minutes } } info { sql } }")


def test_skipped_and_excluded_selections_are_not_computed() -> None:
    body = """asked: videosWatched {
      rows { value perUser @include(if: $deep) { median } }
      ... @skip(if: $shallow) { rows { perUser { p90 } } }
      info { sql }
    }"""
    head = "($deep: Boolean! = false, $shallow: Boolean!)"
    assert "QUANTILE" not in sql(body, {"shallow": True}, head=head)
    assert "QUANTILE" in sql(body, {"shallow": True, "deep": True}, head=head)
    assert "QUANTILE" in sql(body, {"shallow": False}, head=head)
    without = sql("asked: videosWatched { overall @skip(if: true) { users } rows { value } info { sql } }")
    assert "UNION" not in without


def test_times_to_convert_are_computed_only_when_selected() -> None:
    assert "AVG(" not in sql("asked: activation { steps { step rate } info { sql } }")
    assert "AVG(" in sql("asked: activation { columns { secondsFromEntry { average } } info { sql } }")
    ordered = "asked: activation(order: [{by: SECONDS_FROM_ENTRY_AVERAGE}]) { steps { step } info { sql } }"
    assert "AVG(" in sql(ordered)


def test_aliases_and_repeats_are_all_answered() -> None:
    answer = ask(
        """{ metrics {
          a: videosWatched(time: {last: {n: 2, unit: DAY}}) {
            x: rows { v: value } y: rows { u: users __typename } overall { u: users }
          }
          b: videosWatched(time: {last: {n: 2, unit: DAY}}, by: [PLATFORM]) {
            rows { platform } overall { value } __typename
          }
          c: videosWatched { __typename }
        } }"""
    ).metrics
    rows_ = streaming()[0].query("videos_watched", last="2 days", measures="value,users").to_pylist()
    assert answer["a"]["x"] == [{"v": row["value"]} for row in rows_]
    assert answer["a"]["y"] == [{"u": row["users"], "__typename": "AppEventsValueMomentDepthRow"} for row in rows_]
    assert answer["b"]["overall"] == {"value": sum(row["value"] for row in rows_)}
    assert {"ios", "web"} <= {row["platform"] for row in answer["b"]["rows"]}
    assert answer["c"] == {"__typename": "AppEventsValueMomentDepthSeries"}


def test_groups_selected_only_for_their_type() -> None:
    answer = ask(
        "{ metrics { searches { rows { perUser { __typename } sum { __typename } } "
        "columns { perUser { __typename } } } activation { steps { secondsFromEntry { __typename } } } } }"
    ).metrics
    assert answer["searches"]["rows"][0] == {
        "perUser": {"__typename": "PerUser"},
        "sum": {"__typename": "AppEventsSum"},
    }
    assert answer["searches"]["columns"] == {"perUser": {"__typename": "PerUserColumns"}}
    assert answer["activation"]["steps"][0] == {"secondsFromEntry": {"__typename": "SecondsFromEntry"}}
