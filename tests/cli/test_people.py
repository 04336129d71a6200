"""The people behind a number on the command line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import duckdb
import pytest

from graphql_schema.people import with_people
from metrics_api.families import families
from tests.cli.conftest import Invoke, lines

MARCH = ("--from", "2026-03-02", "--to", "2026-03-29")


@pytest.fixture(autouse=True)
def _with_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(families(), "active_users", with_people())  # type: ignore[arg-type]


def test_page_after_page(streaming: Path, invoke: Invoke) -> None:
    asked = ("query", "monthly_actives", *MARCH, "--members", "habit=often")
    first = invoke(streaming, *asked, "--first", "2", "--attributes", "plan", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(first.stdout)))
    assert list(rows[0]) == ["id", "user_plan"]
    last = rows[-1]["id"]
    assert first.stderr.startswith(f"there are more: ask with --after {last} --as-of 2")
    after = first.stderr.split("ask with ")[1].split()
    rest = json.loads(invoke(streaming, *asked, *after, "--first", "1000", "--format", "json").stdout)["rows"]
    whole = json.loads(invoke(streaming, *asked, "--first", "1000", "--format", "json").stdout)["rows"]
    assert [one["id"] for one in rows] + [one["id"] for one in rest] == [one["id"] for one in whole]
    with duckdb.connect(streaming / "streaming.duckdb", read_only=True) as connection:
        plans = dict(connection.execute("SELECT id::VARCHAR, plan FROM users").fetchall())
    assert [one["user_plan"] for one in rows] == [plans[one["id"]] for one in rows]
    count = invoke(streaming, *asked, "--part", "member_count", "--format", "json")
    assert json.loads(count.stdout)["rows"] == [{"users": len(whole)}]


def test_a_table_of_people(streaming: Path, invoke: Invoke) -> None:
    said = lines(invoke(streaming, "query", "monthly_actives", *MARCH, "--part", "members", "--first", "2").stdout)
    assert said[0] == "Monthly actives, 2026-03-02 to 2026-03-29"
    assert said[1].split() == ["id"]
    assert said[6].startswith(f"There are more: ask with --after {said[4].strip()} --as-of ")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--members", "habit=ofen"), 1, "monthly_actives: there is no habit `ofen`\n    Did you mean `often`?"),
        (("--members", "habit"), 2, "`habit`: write it as tier=power"),
        (("--members", "day=x"), 1, "monthly_actives: `day` is a date; `x` is not\n    Write it as `2026-01-31`."),
        (("--first", "3"), 1, "monthly_actives: people are chosen, and not asked for\n    Ask for the part `members`."),
        (("--part", "members", "--first", "0"), 1, "monthly_actives: 0 members; a page has 1 to 10,000"),
        (
            ("--part", "members", "--attributes", "email"), 1,
            "monthly_actives: `email` is personal: it is not told in this release\n    Leave it out.\n",
        ),
        (("--cohort", "power"), 1, "monthly_actives: there is no cohort `power`"),
        (("--by-cohort", "power,casual"), 1, "monthly_actives: there is no cohort `power`"),
    ],
)  # fmt: skip
def test_wrong_words(options: tuple[str, ...], code: int, message: str, streaming: Path, invoke: Invoke) -> None:
    result = invoke(streaming, "query", "monthly_actives", *MARCH, *options)
    assert result.exit_code == code
    assert message in result.stderr
    explained = invoke(streaming, "explain", "monthly_actives", *MARCH, *options)
    assert explained.exit_code == code
    assert message in explained.stderr


def test_the_statement_of_a_page(streaming: Path, invoke: Invoke) -> None:
    result = invoke(streaming, "explain", "monthly_actives", "--members", "habit=often", "--first", "7", "--no-plan")
    assert "LIMIT 8" in result.stdout


def test_the_people_of_a_tier(streaming: Path, invoke: Invoke) -> None:
    asked = ("query", "watch_frequency", *MARCH, "--grain", "week")
    parts = ("--part", "overall", "--format", "json")
    tiers = {one["tier"]: one["users"] for one in json.loads(invoke(streaming, *asked, *parts).stdout)["rows"]}
    people = invoke(streaming, *asked, "--members", "tier=core", "--first", "1000", "--format", "json")
    assert len(json.loads(people.stdout)["rows"]) == tiers["core"] > 0
    migration = lines(invoke(streaming, *asked, "--part", "migration").stdout)
    assert migration[1].split() == ["period", "from", "to", "users"]
    rows = lines(invoke(streaming, *asked).stdout)
    place = rows[1].split().index("share")
    assert rows[3].split()[place].endswith("%")


def test_a_cohort_is_asked_as_a_metric_is(streaming: Path, invoke: Invoke) -> None:
    weeks = (*MARCH, "--grain", "week", "--format", "json")
    sizes = json.loads(invoke(streaming, "query", "engaged_users", *weeks).stdout)["rows"]
    people = json.loads(
        invoke(streaming, "query", "engaged_users", *weeks, "--part", "members", "--first", "1000").stdout
    )["rows"]
    assert [one["period"] for one in sizes] == ["2026-03-02", "2026-03-09", "2026-03-16", "2026-03-23"]
    assert len(people) == sizes[-1]["size"] > 0
    said = lines(invoke(streaming, "query", "engaged_users", *MARCH, "--grain", "week").stdout)
    assert said[0] == "Engaged users, 2026-03-02 to 2026-03-29"
    explained = invoke(streaming, "explain", "engaged_users", *MARCH, "--no-plan")
    assert "metric=engaged_users" in explained.stdout


def test_a_metric_of_cohorts(streaming: Path, invoke: Invoke) -> None:
    asked = ("query", "searches", *MARCH, "--overall", "--measures", "users", "--format", "json")
    alone = json.loads(invoke(streaming, *asked, "--cohort", "engaged_users").stdout)["rows"]
    several = json.loads(invoke(streaming, *asked, "--by-cohort", "engaged_users,dormant_users").stdout)["rows"]
    by_name = {one["cohort"]: one["users"] for one in several}
    assert set(by_name) >= {"(none)", "engaged_users"}
    assert alone == [{"users": by_name["engaged_users"]}]
    wrong = invoke(streaming, *asked, "--cohort", "engaged_user")
    assert (wrong.exit_code, wrong.stderr) == (
        1,
        "searches: there is no cohort `engaged_user`\n    Did you mean `engaged_users`?\n",
    )
