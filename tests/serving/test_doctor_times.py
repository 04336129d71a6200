"""What the doctor reads from the hours of events, and from the names of types."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from metrics_api.compile.project import load_model
from metrics_api.periods import Calendar
from metrics_api.plan.expr import Type
from metrics_api.serving.doctor.examined import Examined
from metrics_api.serving.doctor.findings import Finding, Level, listed, several, share
from metrics_api.serving.doctor.kinds import Kind, fits, kind_of, word_for
from metrics_api.serving.doctor.survey import Survey
from metrics_api.serving.doctor.times import ago, every_hour_of_the_day, wall_changes, when_clocks_change

HOUR = timedelta(hours=1)
PROJECT = """
version: 1
project: {name: shop}
sources:
  app: {table: visits, time: at, identity: {user: person}}
events:
  visit: {source: app}
metrics:
  visits: {type: usage, event: visit}
"""


@pytest.fixture
def examined(tmp_path: Path) -> Callable[..., Examined]:
    """A table of which so many rows are known by hour, in a project of a zone."""
    (tmp_path / "shop.yml").write_text(PROJECT, "utf-8")
    model, _ = load_model(tmp_path)
    source = model.sources["app"]

    def made(hours: dict[datetime, int], zone: str = "Europe/Berlin") -> Examined:
        rows, newest = sum(hours.values()), max(hours) + HOUR
        seen = Survey(hours, rows, 0, {}, 0, newest, None, 0, 0, 0)
        return Examined(source, source.tables[0], {}, {}, Calendar(zone), newest, None, seen)

    return made


def hourly(first: datetime, days: int, rows: int = 100) -> dict[datetime, int]:
    return {first + k * HOUR: rows for k in range(24 * days)}


def messages(found: list[Finding], level: Level = Level.DOUBTFUL) -> list[str]:
    return [one.message for one in found if one.level is level]


def test_a_column_of_utc_does_not_show_the_clocks(examined: Callable[..., Examined]) -> None:
    found = list(when_clocks_change(examined(hourly(datetime(2026, 3, 15), 30))))
    assert messages(found) == []
    assert messages(found, Level.FINE) == ["the clocks of Europe/Berlin changed, and the events do not show it"]


def test_the_hour_that_clocks_skip_is_empty(examined: Callable[..., Examined]) -> None:
    hours = hourly(datetime(2026, 3, 15), 30)
    del hours[datetime(2026, 3, 29, 2)]
    assert messages(list(when_clocks_change(examined(hours)))) == [
        "the hour from 2026-03-29 02:00, which the clocks of Europe/Berlin skipped, has no event"
    ]
    assert messages(list(when_clocks_change(examined(hours, "America/New_York")))) == []


def test_the_hour_that_clocks_repeat_is_double(examined: Callable[..., Examined]) -> None:
    hours = hourly(datetime(2025, 10, 10), 30)
    hours[datetime(2025, 10, 26, 2)] *= 2
    assert messages(list(when_clocks_change(examined(hours)))) == [
        "the hour from 2025-10-26 02:00, which the clocks of Europe/Berlin had twice, has twice as many"
    ]


def test_few_events_tell_nothing(examined: Callable[..., Examined]) -> None:
    hours = hourly(datetime(2026, 3, 15), 30, rows=3)
    del hours[datetime(2026, 3, 29, 2)]
    assert list(when_clocks_change(examined(hours))) == []
    assert list(when_clocks_change(examined(hourly(datetime(2026, 6, 1), 30)))) == []


@pytest.mark.parametrize(
    ("zone", "first", "expected"),
    [
        (
            "America/New_York",
            datetime(2026, 1, 1),
            [(datetime(2026, 3, 8, 2), True), (datetime(2026, 11, 1, 1), False)],
        ),
        ("Europe/London", datetime(2026, 1, 1), [(datetime(2026, 3, 29, 1), True), (datetime(2026, 10, 25, 1), False)]),
        ("Australia/Lord_Howe", datetime(2026, 1, 1), []),  # by half an hour
        ("UTC", datetime(2026, 1, 1), []),
    ],
)
def test_wall_changes(zone: str, first: datetime, expected: list[tuple[datetime, bool]]) -> None:
    assert list(wall_changes(Calendar(zone), first, datetime(2027, 1, 1))) == expected
    assert list(wall_changes(Calendar(zone), first, first)) == []


def test_an_hour_that_never_has_events(examined: Callable[..., Examined]) -> None:
    hours = {at: rows for at, rows in hourly(datetime(2026, 6, 1), 10).items() if at.hour != 17}
    assert messages(list(every_hour_of_the_day(examined(hours)))) == [
        "no event ever happens in the hour from `17:00` UTC, and many do around it"
    ]
    at_day = {at: rows for at, rows in hourly(datetime(2026, 6, 1), 10).items() if 8 <= at.hour < 20}
    assert messages(list(every_hour_of_the_day(examined(at_day)))) == []


def test_dates_without_a_time(examined: Callable[..., Examined]) -> None:
    hours = {datetime(2026, 6, day): 500 for day in range(1, 11)}
    assert messages(list(every_hour_of_the_day(examined(hours)))) == [
        "all events happen between 00:00 and the next hour: only their date is known"
    ]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (Kind.INSTANT, ["timestamp with time zone", "timestamp(6) with time zone", "TIMESTAMP WITH TIME ZONE",
                        "TIMESTAMP_LTZ(9)", "timestamptz", "timestamp[us, tz=UTC]"]),
        (Kind.CLOCK, ["timestamp without time zone", "TIMESTAMP", "TIMESTAMP_NTZ(9)", "timestamp(6)", "DATETIME",
                      "DateTime('UTC')", "Nullable(DateTime64(6, 'Europe/Berlin'))", "timestamp[us]", "TIMESTAMP_NS"]),
        (Kind.OFFSET, ["TIMESTAMP_TZ(9)"]),
        (Kind.DATE, ["date", "Date32", "Nullable(Date)", "date32[day]"]),
        (Kind.TEXT, ["VARCHAR", "varchar(20)", "character varying(256)", "String", "LowCardinality(Nullable(String))",
                     "text", "STRING", "uuid", "Enum8('a' = 1)", "ENUM('a', 'b')", "VARCHAR(16777216)", "char(2)"]),
        (Kind.WHOLE, ["bigint", "INTEGER", "Int64", "UInt8", "NUMBER(38,0)", "NUMBER(38, 0)", "HUGEINT", "smallint",
                      "INT64", "decimal(10,0)", "Nullable(Int128)", "tinyint", "long"]),
        (Kind.DECIMAL, ["numeric", "NUMERIC(10,2)", "Decimal(38, 9)", "NUMBER(10,2)", "DECIMAL(18,3)", "BIGNUMERIC",
                        "decimal128(38, 9)"]),
        (Kind.FLOAT, ["double precision", "DOUBLE", "FLOAT", "Float64", "FLOAT64", "real"]),
        (Kind.TRUTH, ["boolean", "BOOL", "Bool"]),
        (Kind.DOCUMENT, ["json", "jsonb", "VARIANT", "super", "OBJECT", "STRUCT(a INTEGER)", "JSON"]),
        (Kind.OTHER, ["geometry", "interval", "mood", "time without time zone", ""]),
    ],
)  # fmt: skip
def test_kinds(kind: Kind, names: list[str]) -> None:
    assert {name: kind_of(name) for name in names} == dict.fromkeys(names, kind)


def test_what_fits() -> None:
    assert fits(Type.NUMBER, "NUMBER(10,2)") is True
    assert fits(Type.STRING, "mood") is True  # a type of somebody's own is not judged
    assert fits(Type.BOOLEAN, "UInt8") is True
    assert fits(Type.BOOLEAN, "bigint") is False
    assert fits(Type.DECIMAL, "double precision") == "sums are not exact"
    assert (word_for("bigint"), word_for("interval")) == ("integer", None)


def test_words() -> None:
    assert [several(1, "row"), several(2_000, "row"), several(2, "alias", "aliases")] == [
        "1 row",
        "2,000 rows",
        "2 aliases",
    ]
    assert [share(1, 2), share(1, 10_001), share(10_000, 10_001), share(15, 1_000)] == [
        "50 %", "less than 0.1 %", "more than 99.9 %", "1.5 %",
    ]  # fmt: skip
    assert listed(["a", "b", "c"], 2) == "`a`, `b` and 1 more"
    assert [ago(timedelta(minutes=1)), ago(timedelta(hours=30)), ago(timedelta(days=3))] == [
        "1 minute", "30 hours", "3 days",
    ]  # fmt: skip
