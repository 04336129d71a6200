from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from metrics_api.datasets import Summary, build_streaming
from metrics_api.errors import MetricsError

END = date(2026, 3, 1)
USERS = 5_000
ALL = "SELECT * FROM app_events ORDER BY event_id"


def rows(path: Path, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(query, parameters).fetchall()


def row(path: Path, query: str) -> tuple[Any, ...]:
    (only,) = rows(path, query)
    return only


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streaming") / "streaming.duckdb"
    build_streaming(path, users=USERS, end=END)
    return path


def test_the_same_seed_gives_the_same_rows_in_the_same_order(tmp_path: Path) -> None:
    one, two, other = (tmp_path / f"{name}.duckdb" for name in ("one", "two", "other"))
    build_streaming(one, users=100, days=30, end=END, seed=3)
    build_streaming(two, users=100, days=30, end=END, seed=3)
    build_streaming(other, users=100, days=30, end=END, seed=4)
    assert rows(one, "FROM app_events") == rows(two, "FROM app_events")
    assert rows(one, ALL) != rows(other, ALL)


@pytest.mark.parametrize("shard_users", [7, 64, 1_000])
def test_users_alone_are_the_same_as_among_many(warehouse: Path, tmp_path: Path, shard_users: int) -> None:
    alone = tmp_path / "alone.duckdb"
    build_streaming(alone, users=100, end=END, shard_users=shard_users)
    among = "SELECT * FROM app_events WHERE user_id <= 'u0000100' ORDER BY event_id"
    assert rows(alone, ALL) == rows(warehouse, among)


def test_shards_do_not_change_the_order_of_rows(tmp_path: Path) -> None:
    whole, sharded = tmp_path / "whole.duckdb", tmp_path / "sharded.duckdb"
    assert build_streaming(whole, users=300, days=20, end=END) == build_streaming(
        sharded, users=300, days=20, end=END, shard_users=41
    )
    assert rows(whole, "FROM app_events") == rows(sharded, "FROM app_events")
    assert rows(whole, "SELECT occurred_on, event, event_id FROM app_events") == rows(
        whole, "SELECT occurred_on, event, event_id FROM app_events ORDER BY ALL"
    )


def test_an_end_some_weeks_later_shifts_every_row_by_as_much(tmp_path: Path) -> None:
    early, late = tmp_path / "early.duckdb", tmp_path / "late.duckdb"
    build_streaming(early, users=200, end=END)
    build_streaming(late, users=200, end=END + timedelta(days=21))
    shift = (
        "SELECT * REPLACE (occurred_at + INTERVAL 21 DAY AS occurred_at, occurred_on + 21 AS occurred_on,"
        " loaded_at + INTERVAL 21 DAY AS loaded_at) FROM app_events ORDER BY event_id"
    )
    assert rows(early, shift) == rows(late, ALL)


def test_the_window_ends_yesterday_unless_told(tmp_path: Path) -> None:
    before = datetime.now(UTC).date()
    found = build_streaming(tmp_path / "today.duckdb", users=500, days=10)
    after = datetime.now(UTC).date()
    assert found.last in (before - timedelta(days=1), after - timedelta(days=1))
    assert found.first == found.last - timedelta(days=9)


def test_the_summary_says_what_is_there(warehouse: Path, tmp_path: Path) -> None:
    found = build_streaming(tmp_path / "again.duckdb", users=USERS, end=END)
    query = "SELECT count(*), count(DISTINCT user_id), min(occurred_at)::DATE, max(occurred_at)::DATE FROM app_events"
    assert found == Summary(*row(warehouse, query))
    assert (found.users, found.first, found.last) == (USERS, date(2025, 12, 2), END)
    assert 25 < found.rows / found.users < 40


def test_events_and_their_columns(warehouse: Path) -> None:
    assert rows(warehouse, "SELECT DISTINCT event FROM app_events ORDER BY 1") == [
        ("added_to_list",),
        ("clicked_profile_picture",),
        ("opened_app",),
        ("rated",),
        ("searched",),
        ("shared",),
        ("sign_up",),
        ("watched",),
    ]
    assert rows(warehouse, "SELECT column_name, column_type FROM (DESCRIBE app_events)") == [
        ("event_id", "BIGINT"),
        ("user_id", "VARCHAR"),
        ("event", "VARCHAR"),
        ("occurred_at", "TIMESTAMP"),
        ("occurred_on", "DATE"),
        ("platform", "VARCHAR"),
        ("country", "VARCHAR"),
        ("channel", "VARCHAR"),
        ("feature", "VARCHAR"),
        ("title", "VARCHAR"),
        ("minutes", "DOUBLE"),
        ("is_internal", "BOOLEAN"),
        ("loaded_at", "TIMESTAMP"),
    ]


@pytest.mark.parametrize(
    "what_must_not_be",
    [
        "SELECT event_id FROM app_events GROUP BY ALL HAVING count(*) > 1",
        "SELECT user_id FROM app_events WHERE event = 'sign_up' GROUP BY ALL HAVING count(*) > 1",
        """SELECT user_id, min(occurred_at) AS first, min(event_id) AS first_id
           FROM app_events GROUP BY ALL
           HAVING bool_or(event = 'sign_up')
              AND (first <> min(occurred_at) FILTER (event = 'sign_up')
                   OR first_id <> min(event_id) FILTER (event = 'sign_up')
                   OR first = min(occurred_at) FILTER (event <> 'sign_up'))""",
        "FROM app_events WHERE occurred_on <> occurred_at::DATE",
        "FROM app_events WHERE (event = 'watched') <> (minutes IS NOT NULL)",
        "FROM app_events WHERE minutes < 0.25 OR minutes > 240 OR minutes * 4 <> round(minutes * 4)",
        "FROM app_events WHERE loaded_at < occurred_at OR loaded_at > occurred_at + INTERVAL 2 DAY",
        "FROM app_events WHERE loaded_at > TIMESTAMP '2026-03-02 00:10:00'",
        "FROM app_events WHERE platform IS NULL OR country IS NULL OR is_internal IS NULL",
        "SELECT user_id FROM app_events GROUP BY ALL HAVING count(DISTINCT (country, channel, is_internal)) > 1",
        "SELECT DISTINCT platform FROM app_events WHERE platform NOT IN ('ios', 'android', 'web', 'tv')",
        "SELECT DISTINCT country FROM app_events WHERE NOT regexp_full_match(country, '[A-Z]{2}')",
    ],
)
def test_what_must_not_be(warehouse: Path, what_must_not_be: str) -> None:
    assert rows(warehouse, what_must_not_be) == []


def test_few_do_much_and_most_do_little(warehouse: Path) -> None:
    median, top, users_signing_up = row(
        warehouse,
        """SELECT quantile_cont(events, 0.5), quantile_cont(events, 0.99), avg(signs_up::INT)
           FROM (SELECT count(*) AS events, bool_or(event = 'sign_up') AS signs_up FROM app_events GROUP BY user_id)""",
    )
    assert 7 <= median <= 14
    assert 250 <= top <= 600
    assert 0.57 <= users_signing_up <= 0.63


def test_most_are_activated_within_30_days_and_not_at_once(warehouse: Path) -> None:
    share, quick, slow = row(
        warehouse,
        """WITH signed_up AS (
               SELECT user_id, min(occurred_at) AS at FROM app_events
               WHERE event = 'sign_up' AND occurred_on <= DATE '2026-01-29' GROUP BY ALL),
           watched AS (SELECT user_id, min(occurred_at) AS at FROM app_events WHERE event = 'watched' GROUP BY ALL),
           delays AS (SELECT watched.at - signed_up.at AS delay FROM signed_up LEFT JOIN watched USING (user_id))
           SELECT avg(coalesce(delay <= INTERVAL 30 DAY, false)::INT), quantile_disc(delay, 0.1),
                  quantile_disc(delay, 0.9) FROM delays""",
    )
    assert 0.70 <= share <= 0.76
    assert quick < timedelta(hours=3)
    assert slow > timedelta(days=2)


def test_people_leave_and_some_return(warehouse: Path) -> None:
    """Of the people about in the third week, by weeks since: many are gone, and some come back after a pause."""
    active, next_week, returning = row(
        warehouse,
        """WITH weeks AS (SELECT DISTINCT user_id, (occurred_on - DATE '2025-12-02') // 7 AS week FROM app_events),
           third AS (SELECT user_id FROM weeks WHERE week = 2)
           SELECT count(*),
                  count(*) FILTER (user_id IN (SELECT user_id FROM weeks WHERE week = 3)),
                  count(*) FILTER (user_id NOT IN (SELECT user_id FROM weeks WHERE week BETWEEN 3 AND 5)
                                   AND user_id IN (SELECT user_id FROM weeks WHERE week > 5))
           FROM third""",
    )
    assert 0.35 < next_week / active < 0.75
    assert 0.05 < returning / active < 0.35


def test_weekends_and_evenings_are_livelier(warehouse: Path) -> None:
    saturdays, tuesdays, evening, morning = row(
        warehouse,
        """SELECT count(*) FILTER (dayname(occurred_on) = 'Saturday'),
                  count(*) FILTER (dayname(occurred_on) = 'Tuesday'),
                  count(*) FILTER (country = 'DE' AND hour(occurred_at) BETWEEN 18 AND 20),
                  count(*) FILTER (country = 'DE' AND hour(occurred_at) BETWEEN 2 AND 4)
           FROM app_events WHERE occurred_on >= DATE '2025-12-08'""",
    )
    assert 1.15 < saturdays / tuesdays < 1.7
    assert evening > 5 * morning


def test_some_events_are_simultaneous_late_internal_or_without_a_channel(warehouse: Path) -> None:
    simultaneous, late, internal, no_channel = row(
        warehouse,
        """SELECT 1 - count(DISTINCT (user_id, occurred_at)) / count(*),
                  avg((loaded_at > occurred_at + INTERVAL 2 HOUR)::INT),
                  count(DISTINCT user_id) FILTER (is_internal) / count(DISTINCT user_id),
                  count(DISTINCT user_id) FILTER (channel IS NULL) / count(DISTINCT user_id)
           FROM app_events""",
    )
    assert 0.01 < simultaneous < 0.03
    assert 0.02 < late < 0.03
    assert 0.002 < internal < 0.01
    assert 0.15 < no_channel < 0.3


def test_the_warehouse_says_that_it_is_synthetic(warehouse: Path) -> None:
    tables = rows(warehouse, "SELECT table_name, comment FROM duckdb_tables() ORDER BY 1")
    assert [name for name, _ in tables] == ["app_events", "users"]
    assert all(comment.startswith("Synthetic") for _, comment in tables)
    columns = rows(warehouse, "SELECT comment FROM duckdb_columns() WHERE table_name IN ('app_events', 'users')")
    assert len(columns) == 13 + 5
    assert all(comment.startswith("Synthetic") for (comment,) in columns)


def test_every_user_is_known_once_and_by_number_alone(warehouse: Path, tmp_path: Path) -> None:
    assert row(warehouse, "SELECT count(DISTINCT id), count(*) FROM users") == row(
        warehouse, "SELECT count(DISTINCT user_id), count(DISTINCT user_id) FROM app_events"
    )
    build_streaming(tmp_path / "few.duckdb", users=20, days=7, end=END, seed=99)
    asked = "SELECT id, plan, birth_year, email FROM users ORDER BY id"
    few = rows(tmp_path / "few.duckdb", asked)
    assert set(few) <= set(rows(warehouse, asked))


def test_progress_counts_users(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    build_streaming(tmp_path / "w.duckdb", users=50, days=7, shard_users=20, progress=lambda *done: told.append(done))
    assert told == [(20, 50), (40, 50), (50, 50)]


def test_an_interrupted_build_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    build_streaming(path, users=10, days=7, end=END)
    before = path.read_bytes()

    def interrupt(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_streaming(path, users=30, days=7, shard_users=10, progress=interrupt)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["w.duckdb"]


def test_a_log_of_the_file_before_is_not_replayed(tmp_path: Path) -> None:
    log = tmp_path / "w.duckdb.wal"
    log.write_bytes(b"left behind")
    build_streaming(tmp_path / "w.duckdb", users=10, days=7, end=END)
    assert not log.exists()


@pytest.mark.parametrize("days", [1, 2, 400])
def test_short_and_long_windows(tmp_path: Path, days: int) -> None:
    found = build_streaming(tmp_path / "w.duckdb", users=200, days=days, end=END)
    assert found.users == 200
    assert found.last == END
    assert found.first >= END - timedelta(days=days - 1)


def test_sizes_that_cannot_be_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(MetricsError) as refused:
        build_streaming(tmp_path / "w.duckdb", users=0, days=100_000)
    assert [problem.message.split("`")[1] for problem in refused.value.problems] == ["users", "days"]
    assert list(tmp_path.iterdir()) == []
