"""Metrics made of metrics: what is refused, in full; their class; what they depend on; one more source than one."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest

from metrics_api import load_project
from metrics_api.compile.project import load_model
from metrics_api.errors import DefinitionError, QueryError
from metrics_api.families import families
from metrics_api.query.bind import bind
from metrics_api.query.limits import Limits
from metrics_api.semantic.model import MetricClass, SemanticModel
from metrics_api.serving.asking import ask

BASE = """\
version: 1
project: {name: shop, value_moment: watch, warehouses: {here: {type: duckdb, path: shop.duckdb}}}
sources:
  app:
    {table: app_events, time: at, event_name: event, identity: {user: user_id},
     properties: {minutes: number, country: string}}
  web:
    {table: web_events, time: seen_at, event_name: name, identity: {user: visitor},
     properties: {country: string, page: string}}
events:
  watch: {source: app}
  click: {source: app}
  visit: {source: web}
metrics:
  watched: {type: value_moment, moments: {w: {event: watch, where: minutes > 3}}, depth: sum(minutes)}
  clicks: {type: usage, event: click}
  visits: {type: usage, event: visit}
  actives: {type: active_users, on: watch, window: 7 days}
  journey: {type: funnel, steps: {c: click, w: watched}}
  tiers: {type: frequency, on: click, window: 7 days, tiers: {power: 3, casual: 1}}
  back: {type: retention, start: click, return: click, grain: week, periods: 4}
"""


def model(folder: Path, *metrics: str) -> SemanticModel:
    (folder / "shop.yml").write_text(BASE + "".join(f"  {line}\n" for line in metrics), encoding="utf-8")
    return load_model(folder)[0]


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (
            ["rate: {type: ratio, numerator: clicks, denominator: wached}"],
            "shop.yml:22:55  there is no metric `wached`\n    Did you mean `watched`?",
        ),
        (
            ["rate: {type: ratio, numerator: clicks.user, denominator: watched.sum_minuts}"],
            (
                "shop.yml:22:34  `clicks` has no measure `user`\n    Did you mean `users`?\n"
                "shop.yml:22:60  `watched` has no measure `sum_minuts`\n    Did you mean `sum_minutes`?"
            ),
        ),
        (
            ["rate: {type: ratio, numerator: journey, denominator: clicks}"],
            (
                "shop.yml:22:34  `journey` is a funnel metric, which has no `value`\n"
                "    Write which of its numbers: `journey.entered`, `journey.converted`, `journey.dropped`, "
                "`journey.excluded`, `journey.pending`, `journey.mature_entered`, `journey.rate`, "
                "`journey.mature_rate`."
            ),
        ),
        (
            ["rate: {type: ratio, numerator: journey.convertd, denominator: tiers.casul}"],
            (
                "shop.yml:22:34  `journey` has no measure `convertd`\n    Did you mean `converted`?\n"
                "shop.yml:22:65  `tiers` has no measure `casul`\n    Did you mean `casual`?"
            ),
        ),
        (
            ["rate: {type: derived, expression: clicks / back}"],
            (
                "shop.yml:22:37  `back` is a retention metric, which has no number to calculate with\n"
                "    Name a metric that has one for each bucket, such as usage."
            ),
        ),
        (
            ["own: {type: derived, expression: own + 1}"],
            (
                "shop.yml:22:36  `own -> own`: a metric cannot be made of itself\n"
                "    Make one of them of something else."
            ),
        ),
        (
            [
                "outside: {type: derived, expression: c + 1}",
                "a: {type: ratio, numerator: clicks, denominator: b.value}",
                "b: {type: derived, expression: clicks * c / 2}",
                "c: {type: derived, expression: a}",
                "d: {type: derived, expression: e}",
                "e: {type: derived, expression: d + clicks}",
            ],
            (
                "shop.yml:23:52  `a -> b -> c -> a`: a metric cannot be made of itself\n"
                "    Make one of them of something else.\n"
                "shop.yml:26:34  `d -> e -> d`: a metric cannot be made of itself\n"
                "    Make one of them of something else."
            ),
        ),
        (
            ["wrong: {type: derived, expression: clicks / }"],
            (
                "shop.yml:22:38  `clicks /` is not an expression: something is missing\n"
                "    Write arithmetic over metrics, such as `shares.users / visits`."
            ),
        ),
        (
            ["wrong: {type: derived, expression: 'sum(clicks) / 2'}"],
            (
                "shop.yml:22:38  `SUM(clicks)` is not something a derived metric may say\n"
                "    Names of metrics (or `NAME.measure`), numbers, `+ - * /` and parentheses are read."
            ),
        ),
        (
            ["wrong: {type: derived, expression: clicks > 2}"],
            (
                "shop.yml:22:38  `clicks > 2` is not something a derived metric may say\n"
                "    Names of metrics (or `NAME.measure`), numbers, `+ - * /` and parentheses are read."
            ),
        ),
        (
            ["wrong: {type: derived, expression: clicks -- visits}"],
            ("shop.yml:22:38  an expression holds no comments\n    Write `a - (-b)` to take away what is negative."),
        ),
        (
            ["wrong: {type: derived, expression: 60 * 24}"],
            "shop.yml:22:38  `60 * 24` names no metric\n    Write one, such as `videos_watched / 7`.",
        ),
        (
            [f"wrong: {{type: derived, expression: {'+'.join(['clicks'] * 102)}}}"],
            "shop.yml:22:38  the expression has more than 100 arithmetic operations",
        ),
        (
            [
                f"many: {{type: derived, expression: {'+'.join(['clicks'] * 60)}}}",
                "wrong: {type: derived, expression: many * many}",
            ],
            "shop.yml:23:38  with the expressions of its inputs put in, it has more than 100 operations",
        ),
        (
            ["rate: {type: ratio, numerator: clicks, denominator: watched, class: engagement}"],
            (
                "shop.yml:22:71  `rate` counts actions, not value: it is usage. Engagement is a value moment "
                "reached, and a click says nothing about value\n"
                "    Rest the metric on a value moment (`on: NAME` of a metric of type value_moment), "
                "or write `class: usage`."
            ),
        ),
        (
            ["rate: {type: ratio, numerator: clicks, denominator: watched, entity: account}"],
            (
                "shop.yml:22:72  a ratio metric counts nobody by itself: its inputs say whom they count\n"
                "    Leave it out."
            ),
        ),
        (
            ["bad: {type: usage, event: clik}", "rate: {type: ratio, numerator: bad, denominator: clicks}"],
            "shop.yml:22:29  there is no event `clik`\n    Did you mean `click`?",
        ),
    ],
)
def test_refuses_in_full(tmp_path: Path, metrics: list[str], message: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        model(tmp_path, *metrics)
    assert str(raised.value) == message


def test_a_long_chain_of_metrics_is_followed(tmp_path: Path) -> None:
    chain = [f"m{n}: {{type: derived, expression: m{n + 1}}}" for n in range(1_500)]
    found = model(tmp_path, *chain, "m1500: {type: usage, event: click}")
    assert [one.name for one in found.metrics["m0"].spec.inputs] == ["m1500.value"]


def test_the_class_is_that_of_what_is_not_divided_by(tmp_path: Path) -> None:
    found = model(
        tmp_path,
        "value_by_click: {type: ratio, numerator: watched, denominator: clicks, class: engagement}",
        "click_by_value: {type: ratio, numerator: clicks, denominator: watched}",
        "derived_by_value: {type: derived, expression: clicks / (watched + 1)}",
        "sum_with_value: {type: derived, expression: (clicks + watched) / visits}",
        "of_a_ratio: {type: derived, expression: 1 - value_by_click}",
        "by_a_ratio: {type: derived, expression: clicks / value_by_click}",
        "entered: {type: derived, expression: journey.entered}",
        "converted: {type: derived, expression: journey.converted / journey.entered}",
    )
    engaged = {name for name, one in found.metrics.items() if one.metric_class is MetricClass.ENGAGEMENT}
    counted = {"value_by_click", "sum_with_value", "of_a_ratio", "converted"}
    assert engaged - {"watched", "actives", "journey"} == counted


def test_what_they_rest_on_is_known(tmp_path: Path) -> None:
    found = model(
        tmp_path,
        "rate: {type: ratio, numerator: clicks.users, denominator: visits}",
        "more: {type: derived, expression: rate * 2}",
    )
    assert found.metrics["rate"].depends_on == ("clicks", "visits")
    assert [one.name for one in found.metrics["more"].sources] == ["app", "web"]
    assert found.dependents("visit") == ("more", "rate", "visits")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"by": "minutes"},
            (
                "rate: there is no property `minutes` to break down by\n"
                "    Only some of its sources have it: `web` of `visits` does not."
            ),
        ),
        (
            {"by": "page"},
            (
                "rate: there is no property `page` to break down by\n"
                "    Only some of its sources have it: `app` of `actives` does not."
            ),
        ),
        (
            {"by": "contry"},
            "rate: there is no property `contry` to break down by\n    Did you mean `country`?",
        ),
        (
            {"where": {"minutes": {"gt": 3}}},
            (
                "rate: where: `minutes` is not a declared property\n"
                "    Only some of its sources have it: `web` of `visits` does not."
            ),
        ),
        (
            {"grain": "hour"},
            "rate: actives: active users are counted over whole days\n    Ask for `grain: day` or coarser.",
        ),
        (
            {"measures": "total"},
            (
                "rate: there is no measure `total` on this ratio metric\n"
                "    The measures are `denominator`, `numerator`, `value`."
            ),
        ),
    ],
)
def test_a_question_that_an_input_cannot_answer_is_refused(
    tmp_path: Path, words: dict[str, object], message: str
) -> None:
    found = model(tmp_path, "rate: {type: ratio, numerator: actives, denominator: visits}")
    asked = ask("rate", start="2026-01-05", end="2026-01-06", **words)  # type: ignore[arg-type]
    with pytest.raises(QueryError) as raised:
        bind(asked, found, families(), now=datetime(2026, 1, 7), limits=Limits())
    assert str(raised.value) == message


def test_inputs_of_two_sources_do_not_multiply_each_other(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute("""
            CREATE TABLE app_events AS SELECT * FROM (VALUES
                (TIMESTAMP '2026-01-05 09:00', 'click', 'ann', 1.0, 'DE'),
                (TIMESTAMP '2026-01-05 10:00', 'click', 'ann', 1.0, 'DE'),
                (TIMESTAMP '2026-01-05 11:00', 'click', 'bob', 1.0, 'DE'),
                (TIMESTAMP '2026-01-06 11:00', 'click', 'bob', 1.0, 'US')) AS e("at", event, user_id, minutes, country)
        """)
        connection.execute("""
            CREATE TABLE web_events AS SELECT * FROM (VALUES
                (TIMESTAMP '2026-01-05 09:00', 'visit', 'ann', 'DE', '/'),
                (TIMESTAMP '2026-01-05 09:30', 'visit', 'bob', 'DE', '/'),
                (TIMESTAMP '2026-01-06 09:00', 'visit', 'cy', 'FR', '/'),
                (TIMESTAMP '2026-01-06 23:00', 'visit', 'cy', 'FR', '/')) AS e(seen_at, name, visitor, country, page)
        """)
    model(tmp_path, "rate: {type: ratio, numerator: clicks, denominator: visits.users}")
    project = load_project(tmp_path)
    words = {"start": "2026-01-05", "end": "2026-01-06", "measures": "value,numerator,denominator"}
    answer = project.answer(ask("rate", parts="rows,overall", by="country", **words))  # type: ignore[arg-type]
    rows = [tuple(row.values())[:-2] for row in answer.parts["rows"].to_pylist()]
    assert rows == [
        (date(2026, 1, 5), "DE", 1.5, 3.0, 2.0),
        (date(2026, 1, 5), "FR", None, 0.0, 0.0),
        (date(2026, 1, 5), "US", None, 0.0, 0.0),
        (date(2026, 1, 6), "DE", None, 0.0, 0.0),
        (date(2026, 1, 6), "FR", 0.0, 0.0, 1.0),
        # The newest click is how far the data of both reaches, so that the last visit is not counted yet.
        (date(2026, 1, 6), "US", None, 1.0, 0.0),
    ]
    assert [tuple(row.values()) for row in answer.parts["overall"].to_pylist()] == [
        ("DE", 1.5, 3.0, 2.0),
        ("FR", 0.0, 0.0, 1.0),
        ("US", None, 1.0, 0.0),
    ]
    assert answer.info.data_through == datetime(2026, 1, 6, 11)
    project.close()
