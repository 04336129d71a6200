"""What a cohort cannot mean, and what cannot be asked of one: the exact words."""

from __future__ import annotations

from datetime import datetime

import pytest

from families.asking import KnownThrough, project_over
from families.oracles.world import Event, World
from metrics_api.errors import DefinitionError, QueryError
from metrics_api.serving.asking import ask

WORLD = World((Event("watch", "ann", datetime(2026, 3, 17, 9), {}),), "UTC", 0, datetime(2026, 3, 18, 12))
METRICS = "growth: {type: lifecycle, on: watch}\nclicks: {type: usage, event: click}"
ENTITIES = """\
user:
  attributes: {table: people, key: id, columns: {plan: string, email: {type: string, personal: true}}}
"""


def project_with(cohorts: str) -> KnownThrough:
    tables = {"people": "id plan email\nann pro ann@example.com\nbob free -"}
    return project_over(WORLD, METRICS, cohorts=cohorts, entities=ENTITIES, tables=tables)


@pytest.mark.parametrize(
    ("cohorts", "message"),
    [
        (
            "a: {all_of: [{cohort: b}]}\nb: {any_of: [watch, {cohort: c}]}\nc: {not: {cohort: a}}",
            (
                "project.yml:LINE:25  `a -> b -> c -> a`: a cohort cannot contain itself (project.yml:LINE+1:32, "
                "project.yml:LINE+2:21)\n    Make one of them of something else."
            ),
        ),
        (
            "fine: {all_of: [{cohort: me}]}\nme: {all_of: [{cohort: me}]}",
            "project.yml:LINE+1:26  `me -> me`: a cohort cannot contain itself\n    Make one of them of something",
        ),
        (
            "a: {all_of: [{cohort: keen}]}\nkeem: {all_of: [watch]}",
            "project.yml:LINE:25  there is no cohort `keen`\n    Did you mean `keem`?",
        ),
        ("a: {all_of: [wach]}", "project.yml:LINE:16  there is no event or value moment `wach`"),
        ("a: {all_of: [{metric: growht, state: new}]}", "project.yml:LINE:25  there is no metric `growht`"),
        (
            "a: {all_of: [{on: watch, within: 7 hours}]}",
            "project.yml:LINE:36  a window of 7 hours is not one of whole days\n    Write days, such as `7 days`.",
        ),
        (
            "a: {all_of: [{on: watch, stopped: {active_before: 1 hour, quiet_for: 30 days}}]}",
            "project.yml:LINE:53  a window of 1 hour is not one of whole days",
        ),
        (
            "a: {all_of: [{on: watch, regularly: {in: 5, of: 4 weeks}}]}",
            "project.yml:LINE:44  in 5 of 4 weeks: there are only 4\n    Write at most `in: 4`, or look at more weeks.",
        ),
        (
            "a: {all_of: [{on: watch, regularly: {in: 5, of: 400 days}}]}",
            "project.yml:LINE:51  400 periods; at most 60 are looked at\n    Look at weeks or months instead.",
        ),
        (
            "a: {all_of: [{property: country, in: [DE]}]}",
            (
                "project.yml:LINE:27  `country` is a property of events, and nobody has it by themselves\n"
                "    Say which events: `{on: EVENT, where: country in (..)}`."
            ),
        ),
        (
            "a: {all_of: [{property: user.email, in: [x]}]}",
            (
                "project.yml:LINE:27  `user.email` is personal: this release offers it neither as a filter nor as a "
                "breakdown\n    Use an attribute that does not say who somebody is."
            ),
        ),
        ("a: {all_of: [{where: user.email is null}]}", "project.yml:LINE:24  `user.email` is personal"),
        (
            "a: {all_of: [{property: user.plam, in: [x]}]}",
            "project.yml:LINE:27  there is no attribute `user.plam` of users\n    Did you mean `user.plan`?",
        ),
        (
            "a: {all_of: [{property: user.plan, in: [x, 3]}]}",
            "project.yml:LINE:42  `user_plan` is a string; it cannot be compared with 3\n    Write a string.",
        ),
        (
            "a: {all_of: [{metric: clicks, tier: power}]}",
            (
                "project.yml:LINE:25  a usage metric does not tell its people\n"
                "    Name a metric that does, or write what they did: `{on: EVENT}`."
            ),
        ),
        (
            "a: {all_of: [{metric: growth, stat: new}]}",
            "project.yml:LINE:39  `growth` does not tell its people by `stat`\n    Did you mean `state`?",
        ),
        ("a: {all_of: [{metric: growth, state: nwe}]}", "there is no state `nwe`\n    Did you mean `new`?"),
        (
            "a: {all_of: [{metric: growth}]}",
            "project.yml:LINE:16  does not say which people of `growth`\n    Write `state: ...`.",
        ),
        (
            "a: {all_of: [{metric: growth, state: new, period: 2026-01-01}]}",
            "`growth` does not tell its people by `period`\n    The choices of `growth` are `state`.",
        ),
        (
            "a: {all_of: [{on: watch, sum: country, at_least: 1}]}",
            "project.yml:LINE:33  `country` is a string; only numbers have a sum",
        ),
        (
            "a: {all_of: [{on: watch, sum: minuts, at_least: 1}]}",
            "project.yml:LINE:33  `minuts` is not one of the numeric properties\n    Did you mean `minutes`?",
        ),
        ("a: {all_of: [{on: watch, where: minuts > 1}]}", "`minuts` is not a declared property"),
        (
            "a: {entity: account, all_of: [watch]}",
            "`a` counts accounts, and source `events` does not say who the account is",
        ),
        (
            "a: {entity: account, all_of: [{cohort: b}]}\nb: {all_of: [watch]}",
            "project.yml:LINE:42  `b` is one of users; this cohort is one of accounts",
        ),
    ],
)
def test_wrong_cohorts(cohorts: str, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        project_with(cohorts)
    begin = _line_of_cohorts()
    for more in (1, 2):
        message = message.replace(f"LINE+{more}", str(begin + more))
    assert message.replace("LINE", str(begin)) in str(caught.value)


def _line_of_cohorts() -> int:
    """The line of the first cohort in the file that `project_over` writes."""
    plain = project_over(WORLD, METRICS, cohorts="only: {all_of: [watch]}", entities=ENTITIES)
    return plain.model.cohorts["only"].where.line


COHORTS = """\
some: {all_of: [watch]}
back: {all_of: [{metric: growth, state: resurrecting, grain: week}]}
accounts: {all_of: [watch]}
"""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"metric": "some", "grain": "hour"}, "some: a cohort is as of the end of a day"),
        ({"metric": "some", "where": "country = 'DE'"}, "some: `country` says nothing about users as of now"),
        ({"metric": "some", "by": "country"}, "some: `country` says nothing about users as of now"),
        ({"metric": "some", "by": "weekday"}, "some: `weekday` says nothing about users as of now"),
        ({"metric": "some", "by": "user.email"}, "some: `user.email` is personal"),
        ({"metric": "some", "members": {}, "attributes": "user_email"}, "some: `user_email` is personal"),
        ({"metric": "some", "members": {"tier": "power"}}, "some: members cannot be chosen by `tier`"),
        ({"metric": "some", "compare": "previous_period"}, "some: a cohort has no value to compare"),
        ({"metric": "some", "start": "2010-01-01"}, "some: 5,921 days; at most 3,660 are looked at"),
        (
            {"metric": "back", "start": "2025-10-01"},
            "back: the people of 1 metrics in each of 169 buckets; at most 100",
        ),
        ({"metric": "clicks", "cohort": "sone"}, "clicks: there is no cohort `sone`\n    Did you mean `some`?"),
        (
            {"metric": "clicks", "cohort_as_of": "bucket_end"},
            "clicks: the day of cohorts is said, and no cohort\n    Name one, or leave `cohort_as_of` out.",
        ),
        (
            {"metric": "clicks", "cohort": "some", "cohort_as_of": "bucket_end", "grain": "hour"},
            "clicks: cohorts as of the end of each bucket, and a bucket is an hour\n    Ask for one of them.",
        ),
        (
            {"metric": "clicks", "cohort": "some", "cohort_as_of": "bucket_end", "start": "2010-01-01"},
            "clicks: cohorts of each of about 5,922 buckets; at most 100 are answered\n    Ask for a coarser grain",
        ),
        (
            {"metric": "clicks", "cohort": "some", "cohort_as_of": "bucket_ends"},
            "`bucket_ends` is no day of cohorts\n    Did you mean `bucket_end`?",
        ),
        ({"metric": "soma"}, "there is no metric `soma`\n    Did you mean `some`?"),
    ],
)
def test_wrong_questions(words: dict[str, object], message: str) -> None:
    project = project_with(COHORTS)
    with pytest.raises(QueryError) as caught:
        project.answer(ask(**words))  # type: ignore[arg-type]
    assert message in str(caught.value)
