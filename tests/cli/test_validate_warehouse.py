"""`validate --warehouse`: what the data itself says against the definitions, with counts and an example."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from tests.cli.conftest import Invoke

PROJECT = """\
version: 1
project:
  name: shop
  warehouses: {here: {type: duckdb, path: shop.duckdb}}
sources:
  app:
    table: app_events
    time: at
    event_name: event
    event_id: {column: id, unique: true}
    identity: {user: user_id, account: account_id}
entities:
  account:
    attributes: {table: accounts, key: {column: id, unique: true}, columns: {seats: integer}}
events:
  sign_up: {source: app, once_per_user: true}
  watch: {source: app}
metrics:
  watched: {type: usage, event: watch}
"""
IDENTITIES = """\
entities:
  user:
    identity_map: {table: aliases, from: alias, to: id}
"""
EVENTS = (
    ("1", "sign_up", "ann", 7, "2026-01-05 09:00"),
    ("2", "sign_up", "bob", 7, "2026-01-05 10:00"),
    ("3", "watch", "bob", 8, "2026-01-05 11:00"),
)
ACCOUNTS: Sequence[tuple[int | None, int]] = ((7, 1), (8, 2), (None, 3), (None, 4))


def shop(
    folder: Path,
    *,
    events: Sequence[tuple[str | None, ...]] = EVENTS,  # type: ignore[assignment]
    accounts: Sequence[tuple[int | None, int]] = ACCOUNTS,
    aliases: Sequence[tuple[str | None, str | None]] | None = None,
    project: str = PROJECT,
) -> Path:
    (folder / "shop.yml").write_text(project, "utf-8")
    with duckdb.connect(folder / "shop.duckdb") as connection:
        connection.execute(
            'CREATE TABLE app_events (id VARCHAR, event VARCHAR, user_id VARCHAR, account_id BIGINT, "at" TIMESTAMP)'
        )
        connection.execute("CREATE TABLE accounts (id BIGINT, seats BIGINT)")
        for table, rows in (("app_events", events), ("accounts", accounts)):
            for row in rows:
                connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        if aliases is not None:
            (folder / "people.yml").write_text(IDENTITIES, "utf-8")
            connection.execute("CREATE TABLE aliases (alias VARCHAR, id VARCHAR)")
            for pair in aliases:
                connection.execute("INSERT INTO aliases VALUES (?, ?)", pair)
    return folder


def test_data_that_is_as_it_says(tmp_path: Path, invoke: Invoke) -> None:
    same = [("a", "ann"), ("a", "ann"), ("b", "ann"), ("ann", "ann"), (None, "x"), ("", "x"), ("x", None)]
    result = invoke(shop(tmp_path, aliases=same), "validate", "-w", "here")
    assert (result.exit_code, result.stderr) == (0, "")


def test_keys_and_promises_that_do_not_hold(tmp_path: Path, invoke: Invoke) -> None:
    events = (
        *EVENTS,
        ("2", "watch", "bob", 8, "2026-01-06 11:00"),  # another event of the same id is no copy
        ("3", "watch", "bob", 8, "2026-01-06 12:00"),
        ("4", "sign_up", "ann", 8, "2026-01-06 12:00"),
        (None, "sign_up", None, 8, "2026-01-06 12:00"),
        (None, "sign_up", None, 8, "2026-01-06 12:00"),
    )
    accounts = ((7, 1), (8, 2), (7, 2), (7, 3), (8, 9), (9, 1))
    result = invoke(shop(tmp_path, events=events, accounts=accounts), "validate", "-w", "here")
    assert result.exit_code == 1
    assert result.stderr == (
        "shop.yml:10:5  source `app`: 1 event id has more than one row, such as `3` (2 rows)\n"
        "    Leave `unique: true` out, so that they count once.\n"
        "shop.yml:14:35  the attributes of `account`: 2 keys of `accounts` have more than one row, "
        "such as `7` (3 rows)\n"
        "    Keep one row for each `id`.\n"
        "shop.yml:16:26  event `sign_up`: 1 user did it more than once, such as `ann` (2 times)\n"
        "    Leave `once_per_user` out.\n"
        "\n3 problems in 1 file\n"
    )


@pytest.mark.parametrize(
    ("aliases", "message"),
    [
        (
            [("a", "x"), ("a", "y"), ("b", "x"), ("b", "z"), ("c", "z")],
            "2 aliases stand for several ids, such as `a` (2 ids)\n    Keep one row for each `alias`.",
        ),
        (
            [("a", "b"), ("b", "a")],
            (
                "2 aliases stand for an id that stands for it, such as `a`\n"
                "    Let every alias stand for the id that is to be counted."
            ),
        ),
        (
            [("a", "b"), ("b", "c"), ("c", "c")],
            (
                "1 alias stands for an id that is an alias itself, such as `a`\n"
                "    One step is followed: let every alias stand for the last id."
            ),
        ),
        (
            [("a", "b"), ("b", "c"), ("c", "a")],
            (
                "3 aliases stand for an id that is an alias itself, such as `a`\n"
                "    One step is followed: let every alias stand for the last id."
            ),
        ),
    ],
)
def test_aliases(tmp_path: Path, invoke: Invoke, aliases: list[tuple[str, str]], message: str) -> None:
    result = invoke(shop(tmp_path, aliases=aliases), "validate", "-w", "here")
    assert result.exit_code == 1
    assert result.stderr == f"people.yml:3:5  the identity map of `user`: {message}\n\n1 problem in 1 file\n"


def test_empty_tables_are_no_mistake(tmp_path: Path, invoke: Invoke) -> None:
    folder = shop(tmp_path, events=(), accounts=())
    result = invoke(folder, "validate", "-w", "here")
    assert result.exit_code == 0
    assert result.stderr == (
        "shop.yml:6:3  warning: sources.app: `app_events` has no rows\n"
        "shop.yml:14:5  warning: entities.account: `accounts` has no rows\n"
    )
    told = json.loads(invoke(folder, "validate", "-w", "here", "--format", "json").stdout)
    assert (told["valid"], len(told["problems"]), len(told["warnings"])) == (True, 0, 2)


def test_tables_and_columns_of_entities(tmp_path: Path, invoke: Invoke) -> None:
    folder = shop(
        tmp_path,
        project=PROJECT.replace("columns: {seats", "columns: {seat").replace("key: {column: id", "key: {column: idd"),
    )
    (folder / "people.yml").write_text(IDENTITIES, "utf-8")
    result = invoke(folder, "validate", "-w", "here")
    assert result.exit_code == 1
    assert result.stderr == (
        "people.yml:2:3  the identity map of `user`: there is no table `aliases` in the warehouse\n"
        "shop.yml:13:3  the attributes of `account`: table `accounts` has no column `idd` (the key)\n"
        "    Did you mean `id`?\n"
        "shop.yml:13:3  the attributes of `account`: table `accounts` has no column `seat` (attribute `account.seat`)\n"
        "    Did you mean `seats`?\n"
        "\n3 problems in 2 files\n"
    )


def test_queries_and_tables_of_events(tmp_path: Path, invoke: Invoke) -> None:
    project = PROJECT.replace("    table: app_events\n", '    sql: SELECT id, event, user_id, "at" FROM app_events\n')
    result = invoke(shop(tmp_path, project=project), "validate", "-w", "here")
    assert result.stderr == (
        "shop.yml:6:3  source `app`: its `sql` has no column `account_id` (the account)\n"
        "    The columns of sql are `at`, `event`, `id`, `user_id`.\n"
        "\n1 problem in 1 file\n"
    )
    project = PROJECT.replace("    table: app_events\n", "    sql: SELECT * FROM app_event\n")
    (tmp_path / "shop.yml").write_text(project, "utf-8")
    assert invoke(tmp_path, "validate", "-w", "here").stderr.startswith(
        "shop.yml:6:3  source `app`: its `sql` fails: DuckDB: "
    )
    project = PROJECT.replace(
        "    table: app_events\n    time: at\n    event_name: event\n",
        "    time: at\n    tables: {sign_up: app_events, watch: watches}\n",
    )
    (tmp_path / "shop.yml").write_text(project, "utf-8")
    assert invoke(tmp_path, "validate", "-w", "here").stderr.startswith(
        "shop.yml:6:3  source `app`: there is no table `watches` in the warehouse\n"
    )


def test_once_per_user_is_not_checked_where_nothing_rests_on_it(tmp_path: Path, invoke: Invoke) -> None:
    events = (*EVENTS, ("4", "sign_up", "ann", 8, "2026-01-06 12:00"))
    result = invoke(shop(tmp_path, events=events, aliases=[("a", "ann")]), "validate", "-w", "here")
    assert (result.exit_code, result.stderr) == (0, "")


def test_the_warehouse_reads_every_statement(tmp_path: Path, invoke: Invoke) -> None:
    result = invoke(shop(tmp_path), "validate", "-w", "here")
    assert (result.exit_code, result.stderr) == (0, "")
    *_, dry_run, watched = result.stdout.splitlines()
    assert dry_run == "dry run: 1 statement accepted"
    assert watched.startswith("  watched (rows, overall): about ")
    told = json.loads(invoke(tmp_path, "validate", "-w", "here", "--format", "json").stdout)
    (run,) = told["dry_runs"]
    assert (run["metric"], run["parts"], run["accepted"], run["bytes"]) == ("watched", ["rows", "overall"], True, None)
    assert run["rows"] >= 0


def test_what_the_warehouse_refuses(tmp_path: Path, invoke: Invoke) -> None:
    asked = "metrics:\n  seats: {type: usage, event: watch, measure: sum(price)}\n"
    project = PROJECT.replace("identity: {", "properties: {price: {type: number, column: user_id}}\n    identity: {")
    result = invoke(shop(tmp_path, project=project.replace("metrics:\n", asked)), "validate", "-w", "here")
    assert result.exit_code == 1
    first = result.stderr.splitlines()[0]
    assert first.startswith("shop.yml:20:3  seats (rows, overall): DuckDB: ")
    assert "dry run: 0 statements accepted, 2 refused" in result.stdout  # every measure of `watched` needs it as well
