"""The tests that stand beside metrics: every case of the suite as one of them, wrong ones, and what a failure shows."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from families.engines import ENGINES
from graphql_schema.people import with_people
from metrics_api.compile.project import load_model
from metrics_api.definitions.yaml12 import parse_yaml
from metrics_api.engines import engine
from metrics_api.errors import QueryError
from metrics_api.families import families
from metrics_api.serving.testing import Outcome, prepared_tests, run_tests
from metrics_api.testkit.cases import Case, cases_below

PROJECT = """\
version: 1
project:
  name: small
sources:
  events:
    table: raw.events
    time: at
    event_name: event
    partition: day
    identity: {user: user_id}
    properties:
      country: string
      minutes: number
      level: integer
      flag: boolean
      order_number: {type: integer, column: sequence}
events:
  watch: {source: events}
  share: {source: events}
  open: {source: events}
  click: {source: events}
  sign_up: {source: events, once_per_user: true}
  anything: {source: events, name: any}
entities:
  user: {attributes: {table: people, key: id, columns: {plan: string}}}
  account: {attributes: {table: ranks, key: id, columns: {rank: integer}}}
"""


def outcomes(folder: Path, text: str, names: Sequence[str] = (), warehouse: str | None = None) -> list[Outcome]:
    (folder / "project.yml").write_text(text, "utf-8")
    model, definitions = load_model(folder)
    tests, problems = prepared_tests(model, definitions, names)
    assert problems == []
    return list(run_tests(model, definitions, folder, tests, warehouse))


# -- one format --------------------------------------------------------------------------------------------------------


def as_test(case: Case) -> dict[str, Any]:
    """A case of the suite, in the words of a metric's own test."""
    asked = dict(case.question)
    metric = asked.pop("metric")
    query = {{"start": "from", "end": "to"}.get(word, word): value for word, value in asked.items()}
    parts = query.pop("parts", "").split(",")
    events = re.sub(r"\bsequence=", "order_number=", case.setting["events"])
    has_id = "event_id" in case.setting.get("source", {})
    events = re.sub(r"\bid=", "event_id=", events) if has_id else re.sub(r"\bid=\S+", "", events)
    test = {"events": events, "query": query, "expect": case.expect, "data_through": case.setting["data_through"]}
    if "tables" in case.setting:  # The types of their columns are known from the definitions.
        test["tables"] = {name: re.sub(r":[A-Z]+", "", text) for name, text in case.setting["tables"].items()}
    if part := case.setting.get("part") or parts[0]:
        test["part"] = part
    written: Any = parse_yaml(PROJECT, "project.yml").data
    written["project"] |= case.setting.get("project", {})
    written["sources"]["events"] |= case.setting.get("source", {})
    if "identity" in case.setting:
        written["sources"]["events"]["identity"] = parse_yaml(f"{{user: {case.setting['identity']}}}", "").data
    written["entities"] = case.setting.get("entities", {})
    metrics = {name: dict(one) for name, one in case.setting["metrics"].items()}
    cohorts = {name: dict(one) for name, one in case.setting.get("cohorts", {}).items()}
    (metrics if metric in metrics else cohorts)[metric]["tests"] = {case.name[:63]: test}
    return {**written, "metrics": metrics, "cohorts": cohorts}


# Where a case has a source of another kind its rows stand in tables, and not in lines of events; where two properties
# are one column, a line would say it twice. A test of a metric that names no range looks at all its events, and not at
# the metric's `lookback`. Its events have names that the project knows, or a slip of the pen would be an event.
UNKNOWN_EVENT = "flow/after"
PLAIN = [
    one
    for one in cases_below()
    if not {"reads", "properties"} & one.setting.keys()
    and (one.family != "interval" or "start" in one.question)
    and not str(one).startswith(UNKNOWN_EVENT)
]


SERVERS = ("clickhouse", "postgres")
"""The engines of which the module of that name in this folder has a server."""


@pytest.mark.parametrize("case", PLAIN, ids=str)
@pytest.mark.parametrize("engine_name", ENGINES)
def test_every_case_is_a_test_that_passes_without_tables(case: Case, engine_name: str, tmp_path: Path) -> None:
    written, warehouse = as_test(case), None
    if engine_name in SERVERS:
        warehouse, server = "server", importlib.import_module(engine_name).server()
        written["project"]["warehouses"] = {warehouse: {"type": engine_name, **server.settings}}
    (outcome,) = outcomes(tmp_path, json.dumps(written), warehouse=warehouse)
    assert outcome.error is None
    assert outcome.differences == ()


# -- what is told ------------------------------------------------------------------------------------------------------

METRICS = """\
metrics:
  watched:
    type: usage
    event: watch
    tests:
      one:
        events: |
          watch  ann  2026-01-05 09:00  minutes=5
          watch  bob  2026-01-06T23:59  country='New York'
"""


def test_a_difference_shows_the_rows_expected_and_found(tmp_path: Path) -> None:
    expect = """\
        expect:
          - {period: 2026-01-05, value: 1, sum_minutes: 5}
          - {period: 2026-01-06, value: 2, sum_minutes: ~}
          - {period: 2026-01-07, value: 1}
"""
    (outcome,) = outcomes(tmp_path, PROJECT + METRICS + expect)
    assert not outcome.passed
    assert outcome.differences == (
        "  period      value  sum_minutes",
        "  2026-01-05  1      5",
        "- 2026-01-06  2      -",
        "+ 2026-01-06  1      -",
        "- 2026-01-07  1",
    )


@pytest.mark.parametrize(
    ("query", "expect", "differs"),
    [
        ("{by: country, grain: month}", "[{country: (none), value: 1}, {country: New York, value: 1}]", False),
        ("{grain: week}", "{value: 2, users: 2, complete: true, provisional: false}", False),
        ("{grain: week}", "{value: 2.0000001}", False),
        ("{grain: week}", "{value: 2.001}", True),
        ("{grain: week}", "{users: ~}", True),
        ("{grain: day}", "{value: 1}", True),
        ("{grain: week, where: {country: New York}}", "{value: 1}", False),
        ("{last: 1 week, as_of: 2026-01-06, grain: week}", "{value: 1, complete: false}", False),
        ("{from: 2026-01-06}", "{value: 1}", False),
        ("{timezone: Asia/Kolkata, from: 2026-01-07, to: 2026-01-07}", "{value: 1}", False),
    ],
)
def test_questions(query: str, expect: str, differs: bool, tmp_path: Path) -> None:
    (outcome,) = outcomes(tmp_path, f"{PROJECT}{METRICS}        query: {query}\n        expect: {expect}\n")
    assert outcome.error is None
    assert bool(outcome.differences) == differs, outcome.differences


def test_steps_are_rows_by_name(tmp_path: Path) -> None:
    text = """\
metrics:
  activation:
    type: funnel
    steps: {opened: open, watched: watch}
    tests:
      short:
        events: |
          # A comment, and two people.
          open   ann  2026-01-05 09:00
          open   bob  2026-01-05 09:00
          watch  ann  2026-01-05 09:10
        expect: {watched: 1, opened: 2}
      long:
        events: |
          open   ann  2026-01-05 09:00
        expect: {watched: {converted: 0, dropped: 1, seconds_from_entry_median: ~}}
      unknown:
        events: open ann 2026-01-05
        expect: {watcht: 1}
"""
    short, long, unknown = outcomes(tmp_path, PROJECT + text)
    assert short.passed and long.passed
    assert unknown.differences == ("  step    converted", "- watcht  1")


def test_json_several_sources_accounts_and_ids(tmp_path: Path) -> None:
    text = """\
version: 1
project: {name: small, exclude: internal = true}
sources:
  app:
    table: a.b.app
    time: at
    event_name: event
    event_id: id
    loaded_at: loaded
    identity: {user: {column: uid, type: integer}, account: org}
    properties:
      feature: {type: string, json: payload.used.feature}
      internal: {type: boolean, column: is_internal}
      paid: decimal
      seen: timestamp
      born: date
  orders: {table: orders, time: at, identity: {user: {column: customer, type: integer}}, properties: {paid: decimal}}
events:
  click: {source: app, name: clicked}
  order: {source: orders}
metrics:
  anything:
    type: value_moment
    moments: {clicked: {event: click, where: feature = 'a b'}, ordered: order}
    depth: sum(paid)
    tests:
      all:
        events: |
          clicked  1  2026-01-05 09:00+01:00  feature='a b' event_id=x paid=1.5 account=acme internal=false
          clicked  1  2026-01-05 09:00  feature='a b' event_id=x paid=1.5 loaded_at=2026-01-06
          click    2  2026-01-05 09:00  feature=c seen=2026-01-05T09:00 born=1999-12-31
          clicked  4  2026-01-05 09:00  feature='a b' internal=true
          order    3  2026-01-05 09:00  paid=0.1
        expect: {value: 2, users: 2, depth: 1.6}
"""
    (outcome,) = outcomes(tmp_path, text)
    assert outcome.passed, outcome


def test_tables_of_events_and_queries(tmp_path: Path) -> None:
    text = """\
version: 1
project: {name: small}
sources:
  app:
    tables:
      watched: {table: raw.watched, properties: {minutes: {type: number, column: m}}}
      shared: raw.shared
    time: at
    partition: {column: day, type: string}
    identity: {user: user_id}
    properties: {country: string}
  orders:
    sql: SELECT * FROM raw.orders
    time: at
    identity: {user: user_id}
    partition: {column: day, type: timestamp}
events:
  watch: {source: app, name: watched}
  shared: {source: app}
  order: {source: orders, name: any}
  anything: {source: app, name: any}
metrics:
  value:
    type: value_moment
    moments: {watched: {event: watch, where: minutes > 1}, shared: shared, ordered: order}
    tests:
      all:
        events: |
          watch  ann  2026-01-05 09:00  minutes=5 country=DE
          watch  bob  2026-01-05 09:00  minutes=1
          shared cy   2026-01-05 09:00  country=US
          order  dan  2026-01-05 09:00
        expect: {value: 3, users: 3}
      wrong:
        events: |
          shared    ann  2026-01-05 09:00  minutes=5
          anything  ann  2026-01-05 09:00
        expect: {value: 1}
"""
    (tmp_path / "project.yml").write_text(text, encoding="utf-8")
    model, definitions = load_model(tmp_path)
    (test,), problems = prepared_tests(model, definitions)
    (outcome,) = run_tests(model, definitions, tmp_path, [test])
    assert outcome.passed, outcome
    assert [str(one) for one in problems] == [
        (
            "project.yml:36:44  value.tests.wrong: source `app` has no property `minutes`\n"
            "    The properties of app are `country`, `user`."
        ),
        (
            "project.yml:37:11  value.tests.wrong: `anything` is any event\n"
            "    The events with a table are `shared`, `watched`."
        ),
    ]


def test_several_sources_of_one_table_and_aliases_in_it(tmp_path: Path) -> None:
    text = """\
version: 1
project: {name: small}
sources:
  web: {table: log, time: at, event_name: what, identity: {user: visitor}, properties: {page: string}}
  app: {table: log, time: at, event_name: what, identity: {user: person}, properties: {screen: string}}
entities:
  user: {identity_map: {table: log, from: visitor, to: person}}
events:
  viewed: {source: web, where: page is not null}
  opened: {source: app, where: screen is not null}
metrics:
  seen:
    type: value_moment
    moments: {viewed: viewed, opened: opened}
    measure: users
    tests:
      an_alias_of_the_table_itself:
        events: |
          viewed  v1   2026-01-05 09:00  page=a
          viewed  v2   2026-01-05 09:00  page=a
          opened  ann  2026-01-05 10:00  screen=b
        tables:
          log: |
            visitor  person
            v1       ann
        expect: {value: 2}
"""
    (outcome,) = outcomes(tmp_path, text)
    assert outcome.passed, outcome


def test_names_choose(tmp_path: Path) -> None:
    text = (
        PROJECT
        + METRICS
        + "        expect: {value: 2}\n      two: {events: '', query: {from: 2026-01-01}, expect: []}\n"
    )
    (tmp_path / "project.yml").write_text(text, "utf-8")
    model, definitions = load_model(tmp_path)
    assert [one.title for one in prepared_tests(model, definitions, ["watched"])[0]] == ["watched.one", "watched.two"]
    assert [one.title for one in prepared_tests(model, definitions, ["watched.two"])[0]] == ["watched.two"]
    with pytest.raises(QueryError) as caught:
        prepared_tests(model, definitions, ["watchd", "watched.on"])
    assert str(caught.value).splitlines() == [
        "there is no metric `watchd`",
        "    Did you mean `watched`?",
        "watched: there is no test `on`",
        "    Did you mean `one`?",
    ]


# -- wrong tests -------------------------------------------------------------------------------------------------------

WRONG = {
    "events": (
        """\
        events: |
          wach   ann  2026-01-05 09:00

          watch  ann  2026-13-05
          watch  ann
          watch  ann  2026-01-05 09:00  contry=DE minutes=five
          watch  ann  2026-01-05 09:00  country='DE
          watch  ann  2026-01-05 09:00  country=DE country=US DE
          watch  ann  2026-01-05 09:00  flag=maybe level=1.5
        expect: {value: 1}
""",
        """\
8:11  there is no event `wach`
    Did you mean `watch`?
10:23  `2026-13-05` is not a time
    Write it as `2026-01-31 09:30`; it is UTC.
11:11  expected an event, who did it, and when
    Write `EVENT  WHO  TIME  property=value ...`.
12:41  source `events` has no property `contry`
    Did you mean `country`?
12:51  minutes: `five` is not a number
    Write it as `12`.
13:49  this quote is not closed
    Close it on the same line.
14:52  `country` is given twice
    Keep one of them.
15:41  flag: `maybe` is not a boolean
    Write it as `true`.
15:52  level: `1.5` is not an integer
    Write it as `12`.""",
    ),
    "columns": (
        """\
        events: watch ann 2026-01-05
        expect:
          - {periot: 2026-01-05, value: one}
          - {value: [1]}
""",
        """\
9:14  the answer has no column `periot`
    Did you mean `period`?""",
    ),
    "values": (
        """\
        events: watch ann 2026-01-05
        expect:
          - {period: yesterday, value: one}
          - {value: [1], complete: 1}
""",
        """\
9:22  period: `yesterday` is not a date
    Write it as `2026-01-31`.
9:40  value: `one` is not a number
    Write it as `12`.
10:21  value: expected a single value
    Write a number, a text, `true`, `false` or `null`.
10:36  complete: `1` is not a boolean
    Write it as `true`.""",
    ),
    "table": (
        """\
        events: watch ann 2026-01-05
        expect: |
          period      valeu
          2026-01-05  1
""",
        """\
9:23  the answer has no column `valeu`
    Did you mean `value`?""",
    ),
    "uneven table": (
        """\
        events: watch ann 2026-01-05
        expect: |
          period      value
          2026-01-05
""",
        """\
10:11  a row of 1 below a header of 2
    Write `-` where there is nothing.""",
    ),
    "query": (
        """\
        events: watch ann 2026-01-05
        query: {form: 2026-01-05, grain: weak, last: soon}
        expect: {value: 1}
""",
        """\
8:16  `weak` is not a grain
    Did you mean `week`?
8:16  last: `soon` is not a duration; write a whole number and a unit, such as `7 days`, with one of second, minute, \
hour, day, week, month, quarter, year
8:17  `form` is not a word of a query
    Did you mean `from`?""",
    ),
    "names in the query": (
        """\
        events: watch ann 2026-01-05
        query: {by: contry, measures: usrs}
        expect: {value: 1}
        part: steps
""",
        """\
8:16  a usage metric has no part `steps`
    The parts are `overall`, `rows`.
8:16  there is no measure `usrs` on this usage metric
    Did you mean `users`?
8:16  there is no property `contry` to break down by
    Did you mean `country`?""",
    ),
    "tables": (
        """\
        events: watch ann 2026-01-05
        tables:
          peple: id
          people: |
            id   plam
            ann  pro
          ranks: |
            id   rank
            ann  first
        expect: {value: 1}
""",
        """\
9:11  no entity has a table `peple`
    Did you mean `people`?
11:18  `plam` is not read of it
    Did you mean `plan`?
15:18  rank: `first` is not an integer
    Write it as `12`.""",
    ),
    "no as of": (
        """\
        events: watch ann 2026-01-05
        query: {last: 7 days}
        expect: {value: 1}
""",
        """\
8:23  `last` counts back from `as_of`, which is not given
    Write both.""",
    ),
    "no range": (
        "        events: ''\n        expect: {value: 1}\n",
        """\
7:9  says neither a range nor any event
    Write `from` and `to`.""",
    ),
    "a query of another shape": (
        "        events: watch ann 2026-01-05\n        query: {where: 5, order: 7}\n        expect: {value: 1}\n",
        """\
8:16  the query cannot be read
    Write words and lists, as in `by: [country]`.""",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_everything_wrong_is_told_at_its_place(name: str, tmp_path: Path) -> None:
    test, error = WRONG[name]
    head = METRICS.partition("        events")[0]
    (tmp_path / "project.yml").write_text(PROJECT, "utf-8")
    (tmp_path / "metrics.yml").write_text(head + test, "utf-8")
    model, definitions = load_model(tmp_path)
    _, problems = prepared_tests(model, definitions)
    told = "\n".join(map(str, problems))
    assert told.replace("metrics.yml:", "").replace("watched.tests.one: ", "") == error


def test_every_engine_can_say_it(tmp_path: Path) -> None:
    """Only DuckDB runs here; that the others can be compiled for is seen by compiling."""
    from metrics_api.compile.pipeline import compile_query
    from metrics_api.engines import engines
    from metrics_api.families import families
    from metrics_api.query.bind import bind
    from metrics_api.query.limits import Limits

    (tmp_path / "project.yml").write_text(PROJECT + METRICS + "        expect: {value: 2}\n", "utf-8")
    model, definitions = load_model(tmp_path)
    ((test,), _) = prepared_tests(model, definitions)
    bound = bind(test.query, model, families(), now=test.data_through, limits=Limits())
    for name in engines():
        sql = compile_query(bound, engine(name).dialect, test.tables).sql
        assert "raw.events" not in sql
        assert "New York" in sql


def test_the_people_behind_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(families(), "active_users", with_people())  # type: ignore[arg-type]
    metric = """\
metrics:
  active:
    type: active_users
    on: watch
    window: 7 days
    tests:
      often:
        events: &events |
          watch  ann  2026-01-05 09:00
          watch  ann  2026-01-05 10:00
          watch  ann  2026-01-06 09:00
          watch  bob  2026-01-06 09:00
        tables: {people: "id plan\\nann pro"}
        query: {members: {habit: often}, attributes: [plan]}
        expect: [{id: ann, user_plan: pro}]
      at_least_so_often:
        events: *events
        query: {members: {at_least: "1", day: 2026-01-06}, first: 1}
        expect: [{id: ann}]
      their_number:
        events: *events
        part: member_count
        expect: {users: 2}
      everybody:
        events: *events
        part: members
        expect: |
          id
          bob
          ann
"""
    *passed, failed = outcomes(tmp_path, PROJECT + metric.replace("&events ", "").replace("*events", _events(metric)))
    assert [one.passed for one in passed] == [True, True, True]
    assert failed.differences == ("  id", "- bob", "+ ann", "- ann", "+ bob")


def _events(metric: str) -> str:
    """What YAML's anchor would stand for: definitions have none."""
    lines = [line.strip() for line in metric.splitlines() if line.strip().startswith("watch  ")]
    return json.dumps("\n".join(lines))


def test_people_that_cannot_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(families(), "active_users", with_people())  # type: ignore[arg-type]
    tests = {
        "a": {"members": {"habit": "ofen"}},
        "b": {"members": {"habbit": "often"}},
        "c": {"members": {"day": "tomorrow"}},
        "d": {"members": {"at_least": 1.5}},
        "e": {"members": {}, "attributes": ["plam"]},
        "f": {"first": 5},
        "g": {"members": {}, "by": ["country"]},
    }
    each = "".join(
        f'      {name}: {{events: "watch ann 2026-01-05", query: {json.dumps(query)}, expect: {{id: ann}}}}\n'
        for name, query in tests.items()
    )
    metric = f"metrics:\n  active:\n    type: active_users\n    on: watch\n    window: 7 days\n    tests:\n{each}"
    (tmp_path / "project.yml").write_text(PROJECT + metric, "utf-8")
    model, definitions = load_model(tmp_path)
    _, problems = prepared_tests(model, definitions)
    assert [(one.message.removeprefix("active.tests."), one.fix) for one in problems] == [
        ("a: there is no habit `ofen`", "Did you mean `often`?"),
        ("b: members cannot be chosen by `habbit`", "Did you mean `habit`?"),
        ("c: `day` is a date; `tomorrow` is not", "Write it as `2026-01-31`."),
        ("d: `at_least` is an integer; `1.5` is not", None),
        ("e: there is no attribute `plam` of users", "Did you mean `plan`?"),
        ("f: people are chosen, and not asked for", "Ask for the part `members`."),
        ("g: the part `members` is a list of people in order of their ids", "Leave `by` and `order`."),
    ]
