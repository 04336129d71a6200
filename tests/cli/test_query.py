from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from metrics_api import load_project
from metrics_api.cli.tables import cells
from metrics_api.cli.written import as_csv, as_json
from metrics_api.serving.asking import ask
from tests.cli.conftest import Invoke, lines, run

MARCH = ("--from", "2026-03-01", "--to", "2026-03-31")


def test_the_published_number_of_purchases(cdnow: Path, invoke: Invoke) -> None:
    whole = ("--from", "1997-01-01", "--to", "1998-06-30")
    overall = json.loads(invoke(cdnow, "query", "purchases", *whole, "--overall", "--format", "json").stdout)
    assert overall["rows"] == [{"value": 69_659, "users": 23_570}]
    by_month = invoke(cdnow, "query", "purchases", *whole, "--grain", "month", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(by_month)))
    assert len(rows) == 18
    assert sum(int(row["value"]) for row in rows) == 69_659


def test_a_table_for_people(streaming: Path, invoke: Invoke) -> None:
    result = invoke(streaming, "query", "app_opens", "--from", "2026-03-30", "--to", "2026-04-02")
    with duckdb.connect(streaming / "streaming.duckdb", read_only=True) as connection:
        (opens,) = connection.execute(  # Berlin is two hours ahead of UTC by then.
            "SELECT count(*) FROM app_events WHERE event = 'opened_app' AND NOT is_internal"
            " AND occurred_at >= '2026-03-29 22:00:00' AND occurred_at < '2026-03-30 22:00:00'"
        ).fetchone()
    said = lines(result.stdout)
    assert said[0] == "App opens, 2026-03-30 to 2026-04-02"
    assert said[1].split() == ["period", "value"]
    assert said[3].split() == ["2026-03-30", f"{opens:,}", "provisional"]
    assert said[6].split() == ["2026-04-02", "0", "incomplete"]
    assert said[7].startswith("Data through 2026-04-01 ")
    assert said[7].endswith("UTC; 2 of 4 rows incomplete; 2 of 4 rows provisional.")
    assert "Left out: events with is_internal = true." in said


def test_the_steps_of_a_funnel(streaming: Path, invoke: Invoke) -> None:
    result = invoke(streaming, "query", "activation", *MARCH, "--within", "7 days", "--format", "json")
    steps = json.loads(result.stdout)["rows"]
    assert [(one["position"], one["step"]) for one in steps] == [(1, "signed_up"), (2, "added_to_list"), (3, "watched")]
    entry = steps[0]
    assert entry["entered"] == entry["converted"] > 0
    assert entry["seconds_from_entry_average"] is None
    for one in steps:
        assert one["entered"] == one["converted"] + one["dropped"] + one["excluded"] + one["pending"]


def test_options_reach_the_question(streaming: Path, invoke: Invoke) -> None:
    args = ("--by", "platform,country", "--grain", "month", "--order", "-value,country", "--limit", "3")
    filtered = ("--where", "country != 'US'", "--where", "platform in ('ios', 'tv')", "--measures", "value,users")
    result = invoke(streaming, "query", "videos_watched", *MARCH, *args, *filtered, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert list(rows[0]) == ["period", "platform", "country", "value", "users", "complete", "provisional"]
    values = [int(row["value"]) for row in rows]
    assert len(values) == 3
    assert values == sorted(values, reverse=True)
    assert {row["platform"] for row in rows} <= {"ios", "tv"}
    assert "US" not in {row["country"] for row in rows}
    assert "cut at 3 rows" in result.stderr


def test_the_last_units_before_a_moment(streaming: Path, invoke: Invoke) -> None:
    args = ("--last", "2 weeks", "--exclude-current", "--grain", "week", "--as-of", "2026-03-18T12:00:00")
    rows = json.loads(invoke(streaming, "query", "app_opens", *args, "--format", "json").stdout)["rows"]
    assert [(row["period"], row["complete"]) for row in rows] == [("2026-03-02", True), ("2026-03-09", True)]


def test_hours_are_instants(streaming: Path, invoke: Invoke) -> None:
    args = ("--from", "2026-03-29", "--to", "2026-03-29", "--grain", "hour", "--timezone", "Europe/Berlin")
    rows = list(csv.DictReader(io.StringIO(invoke(streaming, "query", "app_opens", *args, "--format", "csv").stdout)))
    assert len(rows) == 23  # The clock went forward.
    assert rows[0]["period"] == "2026-03-28T23:00:00Z"


def test_json_tells_how_the_answer_came_about(streaming: Path, invoke: Invoke) -> None:
    result = invoke(streaming, "query", "daily_actives", *MARCH, "--format", "json")
    info = json.loads(result.stdout)["info"]
    assert (info["metric"], info["from"], info["to"]) == ("daily_actives", "2026-03-01", "2026-03-31")
    assert (info["timezone"], info["row_count"], info["truncated"]) == ("Europe/Berlin", 31, False)
    assert info["data_through"].endswith("Z")
    assert info["sql"].startswith("/* metrics-api metric=daily_actives")
    assert any("value" not in one and one.endswith(".") for one in info["conventions"])


def test_arrow_into_a_pipe_and_into_a_file(streaming: Path, tmp_path: Path, invoke: Invoke) -> None:
    args = ("query", "videos_watched", *MARCH, "--measures", "value,per_user_median,depth", "--format", "arrow")
    piped = run(*args, cwd=streaming)
    assert piped.returncode == 0, piped.stderr.decode()
    table = pa.ipc.open_stream(piped.stdout).read_all()
    assert table.num_rows == 31
    assert table.schema.field("period").type == pa.date32()
    assert table.schema.field("value").type == pa.int64()
    assert table.schema.field("depth").type == pa.float64()
    assert json.loads(table.schema.metadata[b"info"])["row_count"] == 31
    assert invoke(streaming, *args, "--output", str(tmp_path / "videos.arrows")).stdout == ""
    written = pa.ipc.open_stream((tmp_path / "videos.arrows").read_bytes()).read_all()
    assert written.equals(table)


@pytest.mark.parametrize("name", ["table", "csv", "json"])
def test_every_format_goes_into_a_file(streaming: Path, tmp_path: Path, invoke: Invoke, name: str) -> None:
    args = ("query", "app_opens", "--from", "2026-03-30", "--to", "2026-03-31", "--format", name)
    printed = invoke(streaming, *args).stdout
    file = tmp_path / "answer"
    assert invoke(streaming, *args, "--output", str(file)).stdout == ""
    first = "rows" if name == "json" else "period"
    assert first in file.read_text("utf-8")
    if name != "json":  # Which also says how long it took.
        assert file.read_text("utf-8") == printed


def test_nulls_decimals_and_texts() -> None:
    table = pa.table(
        {
            "day": pa.array([date(2026, 1, 1), None]),
            "paid": pa.array([Decimal("12.500000000"), None], pa.decimal128(38, 9)),
            "mean": pa.array([float("nan"), 0.1]),
            "city": ['"Köln", am Rhein', None],
            "ok": [True, None],
        }
    )
    assert as_csv(table) == 'day,paid,mean,city,ok\n2026-01-01,12.5,,"""Köln"", am Rhein",true\n,,0.1,,\n'


def test_json_keeps_every_digit(cdnow: Path) -> None:
    info = load_project(cdnow).answer(ask("purchases")).info
    table = pa.table(
        {
            "count": pa.array([2**53 - 1, 2**53]),
            "paid": pa.array([Decimal("12345678901234567890123456789.123456789"), Decimal(0)], pa.decimal128(38, 9)),
            "mean": [float("nan"), 0.5],
        }
    )
    assert json.loads(as_json(table, info))["rows"] == [
        {"count": 2**53 - 1, "paid": "12345678901234567890123456789.123456789", "mean": None},
        {"count": "9007199254740992", "paid": "0", "mean": 0.5},
    ]


def test_cells_are_for_people() -> None:
    assert cells([1234567, None]) == ["1,234,567", "-"]
    assert cells([0.5, 0.12345, None, float("inf")]) == ["0.5000", "0.1235", "-", "-"]
    assert cells([6.0, 4.0]) == ["6", "4"]
    assert cells([1234.5, 2.0]) == ["1,234.5", "2.0"]
    assert cells([Decimal("1200.500000000")]) == ["1,200.5"]
    assert cells([True, False]) == ["yes", "no"]
    assert cells(["plain [red] text", "\x1b[31mescape\x07"]) == ["plain [red] text", r"\x1b[31mescape\x07"]
