"""The doctor: on every engine it finds what is planted, finds nothing where nothing is, and tells nobody's id."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from families.engines import ENGINES, warehouse_with
from metrics_api.compile.project import load_model
from metrics_api.engines.warehouse import Execution
from metrics_api.errors import WarehouseError
from metrics_api.serving.doctor import OF_COLUMNS, OF_ROWS, Finding, Level, examine
from metrics_api.serving.project import Project

NOW = datetime(2026, 3, 20, 12)
PROJECT = """
version: 1
project:
  name: shop
  timezone: Europe/Berlin
  warehouses: {{here: {{type: {engine}}}}}
sources:
  app:
    table: visits
    time: at
    event_name: event
    event_id: {event_id}
    partition: day
    loaded_at: loaded
    late_arrival: 2 days
    identity: {{user: person}}
    properties:
      country: string
      seats: integer
      spend: {{type: number, column: amount}}
events:
  bought: {{source: app}}
  signed_up: {{source: app}}
entities:
  user:
    identity_map: {{table: aliases, from: alias, to: id}}
    attributes: {{table: people, key: {{column: id, unique: true}}, columns: {{plan: string}}}}
metrics:
  sales: {{type: usage, event: bought}}
"""
VISITS = pa.schema(
    [
        *(("event", pa.string()), ("event_id", pa.string()), ("person", pa.string()), ("at", pa.timestamp("us"))),
        *(("day", pa.date32()), ("loaded", pa.timestamp("us")), ("country", pa.string()), ("seats", pa.int64())),
        ("amount", pa.float64()),
    ]
)
ALIASES = pa.schema([("alias", pa.string()), ("id", pa.string())])
PEOPLE = pa.schema([("id", pa.string()), ("plan", pa.string())])


def visit(number: int, **changed: Any) -> dict[str, Any]:
    """One of four events a day before NOW, each of somebody else."""
    at = changed.get("at", NOW - timedelta(hours=6 * number + 1))
    usual = {
        "event": ("bought", "signed_up")[number % 2],
        "event_id": f"e{number}",
        "person": f"secret-person-{number}",
        "at": at,
        "day": at and at.date(),
        "loaded": at and at + timedelta(minutes=10),
        "country": None if number % 4 else "DE",
        "seats": number,
        "amount": number / 2,
    }
    return {**usual, **changed}


def tables(
    visits: list[dict[str, Any]],
    aliases: list[tuple[str, str]] = [("secret-person-1", "secret-person-2")],  # noqa: B006
    people: list[tuple[str, str]] = [("secret-person-1", "pro")],  # noqa: B006
) -> dict[str, pa.Table]:
    return {
        "visits": pa.Table.from_pylist(visits, schema=VISITS),
        "aliases": pa.Table.from_pylist(
            [dict(zip(ALIASES.names, row, strict=True)) for row in aliases], schema=ALIASES
        ),
        "people": pa.Table.from_pylist([dict(zip(PEOPLE.names, row, strict=True)) for row in people], schema=PEOPLE),
    }


def project_on(folder: Path, engine: str, put: dict[str, pa.Table], **words: str) -> Project:
    written = PROJECT.format(engine=engine, **{"event_id": "event_id", **words})
    for old, new in words.items():
        written = written.replace(f"<{old}>", new)
    (folder / "shop.yml").write_text(written, "utf-8")
    model, definitions = load_model(folder)
    project = Project(model, definitions, folder, clock=lambda: NOW)
    project._warehouse = filled(engine, put)
    return project


def filled(engine: str, put: dict[str, pa.Table]) -> Any:
    if engine == "snowflake":
        import on_snowflake

        # Times without a zone: fakesnow describes a TIMESTAMP_LTZ as a TIMESTAMP_TZ.
        on_snowflake.put(put)
        return on_snowflake.warehouse()
    return warehouse_with(engine, put)


def examined(project: Project, since: datetime | None = None) -> list[Finding]:
    return list(examine(project, since))


def told(found: list[Finding], level: Level) -> list[tuple[str, str]]:
    return [(one.check, one.message) for one in found if one.level is level]


USUAL = [visit(number) for number in range(40)]


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_found_where_nothing_is(tmp_path: Path, engine: str) -> None:
    found = examined(project_on(tmp_path, engine, tables(USUAL)))
    assert told(found, Level.WRONG) == told(found, Level.DOUBTFUL) == []
    fine = dict(told(found, Level.FINE))
    assert fine["has_rows"] == "table `visits` can be read: 40 rows since 2026-02-18"
    assert fine["is_fresh"] == "the newest row was loaded 50 minutes ago, at 2026-03-20 11:10 UTC"
    assert fine["copies_are_few"] == "no event id occurs twice since 2026-02-18"
    assert ("properties_are_filled", "property `country` is empty in 30 rows (75 %)") in told(found, Level.FINE)
    assert "secret" not in repr(found)


FAULTS: dict[str, tuple[list[dict[str, Any]], list[tuple[Level, str, str]]]] = {
    "an hour ahead": (
        [*USUAL, visit(40, at=NOW + timedelta(minutes=58))],
        [
            (
                Level.DOUBTFUL,
                "nothing_of_tomorrow",
                "1 event (2.4 %) lie in the future, up to about 1 hour",
            )
        ],
    ),
    "far ahead": (
        [*USUAL, visit(40, at=datetime(2031, 1, 1))],
        [(Level.DOUBTFUL, "nothing_of_tomorrow", "1 event (2.4 %) lie in the future, up to 2031-01-01 00:00")],
    ),
    "loaded before": (
        [*USUAL, *(visit(k, loaded=visit(k)["at"] - timedelta(hours=1)) for k in range(40, 50))],
        [
            (
                Level.DOUBTFUL,
                "loaded_after_it_happened",
                "10 rows (20 %) were loaded, by `loaded`, more than 5 minutes before they happened",
            )
        ],
    ),
    "loaded late": (
        [*USUAL, visit(40, loaded=visit(40)["at"] + timedelta(days=3))],
        [
            (
                Level.DOUBTFUL,
                "late_as_declared",
                "1 row (2.4 %) were loaded later than 2 days after they happened",
            )
        ],
    ),
    "stale": (
        [visit(number) for number in range(30, 60)],
        [(Level.DOUBTFUL, "is_fresh", "the newest row was loaded 7 days ago, at 2026-03-12 23:10 UTC")],
    ),
    "another partition": (
        [*USUAL, visit(40, day=date(2026, 3, 15)), visit(41, day=date(2026, 3, 7)), visit(42, day=date(2026, 3, 10))],
        [
            (
                Level.WRONG,
                "partition_follows_time",
                "2 rows (4.7 %) lie more than a day from their time by `day`, and are missed by answers",
            )
        ],
    ),
    "nobody": (
        [visit(number, person=None if number % 2 else "") for number in range(40)],
        [(Level.WRONG, "ids_are_there", "`person` (user) is empty in every row")],
    ),
    "mostly nobody": (
        [visit(number, person=None if number % 4 else f"secret-{number}") for number in range(40)],
        [(Level.DOUBTFUL, "ids_are_there", "`person` (user) is empty in 30 rows (75 %)")],
    ),
    "no time": (
        [*USUAL, visit(40, at=None, day=date(2026, 3, 15), loaded=NOW - timedelta(hours=3))],
        [(Level.DOUBTFUL, "times_are_there", "1 row (2.4 %) have no time, and count nowhere")],
    ),
    "no event id": (
        [*USUAL, visit(40, event_id=None)],
        [
            (
                Level.DOUBTFUL,
                "columns_are_filled",
                "`event_id` (event id) is empty in 1 row (2.4 %): copies of them are counted again",
            )
        ],
    ),
    "an empty property": (
        [visit(number, seats=None) for number in range(40)],
        [(Level.DOUBTFUL, "properties_are_filled", "property `seats` is empty in every row")],
    ),
    "another name": (
        [visit(number, event="Signed Up" if number % 2 else "bought") for number in range(40)],
        [(Level.DOUBTFUL, "events_occur", "event `signed_up`: nothing is called `signed_up` since 2026-02-18")],
    ),
    "an id of two people": (
        [*USUAL, visit(40, event="bought", event_id="e0")],
        [
            (
                Level.DOUBTFUL,
                "copies_are_few",
                "1 event id are of several people: of each only the earliest row counts",
            )
        ],
    ),
    "nothing of late": (
        [visit(number, at=datetime(2025, 6, 1)) for number in range(3)],
        [(Level.DOUBTFUL, "has_rows", "table `visits` has no rows since 2026-02-18")],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_planted_is_found(tmp_path: Path, engine: str, fault: str) -> None:
    rows, expected = FAULTS[fault]
    found = examined(project_on(tmp_path, engine, tables(rows)))
    assert [(one.level, one.check, one.message) for one in found if one.level is not Level.FINE] == expected
    assert "secret" not in repr(found)


@pytest.mark.parametrize("engine", ENGINES)
def test_copies_are_told_and_wrong_where_there_are_to_be_none(tmp_path: Path, engine: str) -> None:
    rows = tables([*USUAL, visit(0), visit(0), visit(1), visit(3, event="bought")])
    found = examined(project_on(tmp_path, engine, rows))
    message = "2 event ids occur more than once, in 5 rows (11 %)"
    assert ("copies_are_few", f"{message}: they count once") in told(found, Level.FINE)
    found = examined(project_on(tmp_path, engine, rows, event_id="{column: event_id, unique: true}"))
    assert told(found, Level.WRONG) == [("copies_are_few", message)]


@pytest.mark.parametrize("engine", ENGINES)
def test_people_of_several_kinds(tmp_path: Path, engine: str) -> None:
    rows = tables(
        USUAL,
        aliases=[
            ("secret-a", "secret-b"),
            ("secret-b", "secret-a"),
            ("secret-c", "secret-d"),
            ("secret-c", "secret-e"),
        ],
        people=[("secret-1", "pro"), ("secret-1", "free"), ("secret-2", "pro")],
    )
    found = examined(project_on(tmp_path, engine, rows))
    assert told(found, Level.WRONG) == [
        ("aliases_are_clear", "the identity map `aliases`: 1 alias stands for several ids"),
        ("aliases_are_clear", "the identity map `aliases`: 2 aliases stand for an id that stands for it"),
        ("keys_are_unique", "the attributes of `user`: 1 key of `people` has more than one row"),
    ]
    assert "secret" not in repr(found)


@pytest.mark.parametrize("engine", ENGINES)
def test_types_that_are_others(tmp_path: Path, engine: str) -> None:
    rows = tables(USUAL)
    visits = rows["visits"]
    changed = {
        "at": visits["at"].cast(pa.string()),
        "seats": visits["seats"].cast(pa.string()),
        "country": visits["seats"],
        "person": visits["seats"],
        "day": visits["day"].cast(pa.string()),
    }
    for name, values in changed.items():
        visits = visits.set_column(visits.schema.get_field_index(name), name, values)
    found = examined(project_on(tmp_path, engine, {**rows, "visits": visits}))
    wrong = [one for one in found if one.level is Level.WRONG]
    assert [(one.check, one.path[2:]) for one in wrong] == [
        ("time_column", ("time",)),
        ("partition_column", ("partition",)),
        ("property_columns", ("properties", "country")),
        ("property_columns", ("properties", "seats")),
        ("ids_match", ("identity_map",)),
        ("ids_match", ("identity_map",)),
        ("ids_match", ("attributes",)),
    ]
    assert wrong[3].message.startswith("property `seats` is declared `integer`, and `seats` is `")
    assert wrong[3].fix == "Declare it `type: string`, or convert it in a view."
    assert wrong[1].fix == "Write `partition: {column: day, type: string}`."


@pytest.mark.parametrize("engine", ENGINES)
def test_columns_and_tables_that_are_missing(tmp_path: Path, engine: str) -> None:
    rows = tables(USUAL)
    project = project_on(tmp_path, engine, {**rows, "visits": rows["visits"].rename_columns(
        ["event", "event_id", "person", "at", "day", "loaded", "countries", "seats", "amount"]
    )})  # fmt: skip
    found = examined(project)
    assert [(one.message, one.fix) for one in found if one.level is Level.WRONG] == [
        ("source `app`: table `visits` has no column `country` (property `country`)", "Did you mean `countries`?")
    ]
    assert not [one for one in found if one.check == "has_rows"]
    written = Path(tmp_path, "shop.yml").read_text("utf-8")
    Path(tmp_path, "shop.yml").write_text(written.replace("table: visits", "table: visitors_of_nowhere"), "utf-8")
    model, definitions = load_model(tmp_path)
    lost = Project(model, definitions, tmp_path, clock=lambda: NOW)
    lost._warehouse = project._warehouse
    assert ("columns_are_there", "source `app`: there is no table `visitors_of_nowhere` in the warehouse") in told(
        examined(lost), Level.WRONG
    )


def test_findings_know_their_place(tmp_path: Path) -> None:
    project = project_on(tmp_path, "duckdb", tables([*USUAL, visit(40, day=date(2026, 3, 15))]))
    (wrong,) = [one for one in examined(project) if one.level is Level.WRONG]
    assert str(wrong.where(project.definitions)) == "shop.yml:13:5"


def test_a_day_to_begin_with(tmp_path: Path) -> None:
    old = [visit(number, at=datetime(2025, 6, 1), loaded=NOW) for number in range(3)]
    found = examined(project_on(tmp_path, "duckdb", tables([*USUAL, *old])), datetime(2025, 1, 1))
    assert ("has_rows", "table `visits` can be read: 43 rows since 2025-01-01") in told(found, Level.FINE)


class Counted:
    """A warehouse that keeps what it is asked, and refuses what it is told to."""

    def __init__(self, inner: Any, refuses: str | None = None) -> None:
        self.inner, self.refuses, self.asked = inner, refuses, list[str]()

    def run(self, sql: str, **options: Any) -> Execution:
        self.asked.append(sql)
        if self.refuses is not None and self.refuses in sql:
            raise WarehouseError("Postgres: permission denied for table visits")
        return self.inner.run(sql, **options)  # type: ignore[no-any-return]

    def columns(self, table: str) -> Any:
        return self.inner.columns(table)

    def keys(self, table: str) -> Any:
        return self.inner.keys(table)

    def close(self) -> None:
        """The inner one is shared."""


def test_statements_are_few_and_keep_to_the_partition(tmp_path: Path) -> None:
    project = project_on(tmp_path, "duckdb", tables(USUAL))
    counted = Counted(project._warehouse)
    project._warehouse = counted
    examined(project)
    of_events = [sql for sql in counted.asked if "visits" in sql]
    assert len(of_events) == 3
    assert all('"day" >= DATE' in sql for sql in of_events)


def test_what_may_not_be_read(tmp_path: Path) -> None:
    project = project_on(tmp_path, "duckdb", tables(USUAL))
    project._warehouse = Counted(project._warehouse, refuses="FROM visits")
    (wrong,) = [one for one in examined(project) if one.level is Level.WRONG]
    assert wrong.message == "`visits` cannot be read: Postgres: permission denied for table visits"
    assert wrong.fix == "Let the user of the warehouse SELECT from `visits`."


def every_check() -> Iterator[str]:
    yield from (check.__name__ for check in (*OF_COLUMNS, *OF_ROWS))


def test_checks_are_named_once() -> None:
    assert len(set(every_check())) == len(list(every_check()))


_MERGE_TREE = "CREATE OR REPLACE TABLE visits ENGINE = MergeTree {} AS SELECT * FROM laid"
LAID_OUT = {
    "clickhouse": {
        "`day`": _MERGE_TREE.format("PARTITION BY toYYYYMM(assumeNotNull(day)) ORDER BY tuple()"),
        "`at`": _MERGE_TREE.format("ORDER BY (assumeNotNull(event), assumeNotNull(at))"),
    },
    "postgres": {
        "`at`": "CREATE INDEX laid_out ON visits (at)",
        "`day`": "CREATE INDEX laid_out ON visits (day, event)",
    },
}


@pytest.mark.parametrize("engine", [one for one in ENGINES if one in LAID_OUT])
@pytest.mark.parametrize("column", ["`at`", "`day`"])
def test_a_large_table_is_kept_in_order_of_time(
    tmp_path: Path, engine: str, column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metrics_api.serving.doctor.rows.LARGE", 10)
    filled_ = tables(USUAL)
    project = project_on(tmp_path, engine, {**filled_, "laid": filled_["visits"]})
    (whole,) = told(examined(project), Level.DOUBTFUL)
    unordered = "table `visits` is not partitioned, sorted or indexed by `at`, `day`: each question reads all of it"
    assert whole == ("skips_what_is_not_asked", unordered)
    laid_out(engine, LAID_OUT[engine][column])
    found = examined(project)
    assert told(found, Level.DOUBTFUL) == []
    assert ("skips_what_is_not_asked", f"table `visits` is kept in order of {column}") in told(found, Level.FINE)
    if engine == "postgres":
        laid_out(engine, "DROP INDEX laid_out")


def laid_out(engine: str, statement: str) -> None:
    if engine == "clickhouse":
        import clickhouse

        clickhouse._writer().command(statement)
        return
    import postgres

    with postgres.server().session() as session:
        session.execute(statement)
