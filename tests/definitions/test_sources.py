"""Projects, sources and warehouses once they are read: nothing left to guess, nothing secret shown."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from pydantic import ValidationError

from metrics_api.definitions.base import Selector
from metrics_api.definitions.sources import EventDefinition, ProjectDefinition, SourceDefinition
from metrics_api.definitions.warehouses import HIDDEN, WarehouseDefinition, resolve_environment
from metrics_api.errors import DefinitionError
from metrics_api.periods import Duration, Weekday

SHORT = {
    "table": "analytics.app_events",
    "time": "at",
    "event_id": "id",
    "partition": "day",
    "identity": {"user": "user_id"},
    "properties": {"country": "string", "plan": {"type": "string", "column": "PLAN"}},
}
LONG = {
    "table": "analytics.app_events",
    "time": {"column": "at", "timezone": "UTC"},
    "event_id": {"column": "id", "unique": False},
    "partition": {"column": "day"},
    "identity": {"user": {"column": "user_id"}},
    "properties": {
        "country": {"type": "string", "column": "country"},
        "plan": {"type": "string", "column": "PLAN"},
    },
}


def test_short_and_long_forms_are_the_same() -> None:
    assert SourceDefinition.model_validate(SHORT) == SourceDefinition.model_validate(LONG)


def test_a_source_in_full() -> None:
    source = SourceDefinition.model_validate(
        {
            **SHORT,
            "time": {"column": "at", "timezone": "Europe/Berlin"},
            "event_id": {"column": "id", "unique": True},
            "identity": {"user": {"column": "uid", "type": "integer"}, "account": "org"},
            "late_arrival": "2 days",
            "history_start": "2022-01-01",
            "properties": {"feature": {"type": "string", "json": "payload.feature.name"}, "country": "string"},
        }
    )
    assert source.table == "analytics.app_events"
    assert (source.time.column, source.time.timezone) == ("at", "Europe/Berlin")
    assert source.event_id is not None
    assert source.event_id.unique
    assert [(entity, one.column, one.type) for entity, one in source.identity.items()] == [
        ("user", "uid", "integer"),
        ("account", "org", None),
    ]
    assert source.late_arrival == Duration(2, "day")
    assert source.history_start == date(2022, 1, 1)
    feature = source.properties["feature"]
    assert (feature.column, feature.json_path) == ("payload", "feature.name")
    assert (source.properties["country"].column, source.properties["country"].json_path) == ("country", None)


@pytest.mark.parametrize(
    "table", ["", "a..b", "a.b.c.d.e", "a b", "`a.b`", '"a"b"', "a;b", "read_csv('x')", "a.", "(SELECT 1)", "a--b;"]
)
def test_what_is_no_table(table: str) -> None:
    with pytest.raises(ValidationError, match="not the name of a table"):
        SourceDefinition.model_validate({**SHORT, "table": table})


@pytest.mark.parametrize("table", ["events", "my-project.web.events", "db.schema.EVENTS$", "größen"])
def test_what_is_a_table(table: str) -> None:
    assert SourceDefinition.model_validate({**SHORT, "table": table}).table == table


def test_the_project_has_defaults() -> None:
    project = ProjectDefinition.model_validate({"name": "streaming", "warehouses": {"demo": {"type": "duckdb"}}})
    assert (project.timezone, project.week_start, project.default_range) == ("UTC", Weekday.MONDAY, Duration(30, "day"))
    assert project.usual_warehouse == "demo"
    two = {"demo": {"type": "duckdb"}, "production": {"type": "snowflake"}}
    assert ProjectDefinition.model_validate({"name": "x", "warehouses": two}).usual_warehouse is None
    chosen = {"name": "x", "warehouses": two, "default_warehouse": "production"}
    assert ProjectDefinition.model_validate(chosen).usual_warehouse == "production"


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-01-31", datetime(2026, 1, 31)),
        ("2026-01-31T12:30:00Z", datetime(2026, 1, 31, 12, 30)),
        ("2026-01-31 12:30", datetime(2026, 1, 31, 12, 30)),
        ("2026-01-31T00:30:00+01:00", datetime(2026, 1, 30, 23, 30)),
    ],
)
def test_as_of_is_naive_utc(written: str, instant: datetime) -> None:
    assert ProjectDefinition.model_validate({"name": "x", "as_of": written}).as_of == instant


@pytest.mark.parametrize("written", [20260131, "soon", True, "0001-01-01T00:00:00+10:00", ["2026-01-31"]])
def test_as_of_is_an_instant(written: object) -> None:
    with pytest.raises(ValidationError):
        ProjectDefinition.model_validate({"name": "x", "as_of": written})


def test_any_event() -> None:
    assert EventDefinition(source="s", name="any").is_any
    assert not EventDefinition(source="s", name="watch").is_any


def test_a_bare_name_selects_an_event_or_a_value_moment() -> None:
    assert Selector.model_validate("watched") == Selector(on="watched")
    assert Selector.model_validate("watched").name == Selector(event="watched").name == "watched"


WAREHOUSE = {
    "type": "postgres",
    "host": "${PG_HOST}",
    "port": 5432,
    "user": "reader",
    "password": "hunter2",
    "private_key_file": "/home/me/key",
    "api_token": "hunter2",
    "url": "postgres://me:hunter2@db",
    "session": {"role": "analyst", "Secret": "hunter2", "auth": ["hunter2"]},
}


def test_secrets_are_not_shown() -> None:
    warehouse = WarehouseDefinition.model_validate(WAREHOUSE)
    project = ProjectDefinition(name="x", warehouses={"production": warehouse})
    for text in (repr(warehouse), str(warehouse), repr(project), f"{project!s}"):
        assert "hunter2" not in text
        assert "/home/me/key" not in text
        assert HIDDEN in text
        assert "analyst" in text
    assert warehouse.settings["password"] == "hunter2"


def test_settings_from_the_environment() -> None:
    warehouse = WarehouseDefinition.model_validate(
        {
            "type": "postgres",
            "host": "db.${REGION}.${REGION}.example",
            "port": 5432,
            "options": {"keys": ["${A}", None, True]},
        }
    )
    assert resolve_environment(warehouse, {"REGION": "eu", "A": "${B}"}) == {
        "host": "db.eu.eu.example",
        "port": 5432,
        "options": {"keys": ["${B}", None, True]},
    }


def test_a_missing_variable_shows_no_values() -> None:
    warehouse = WarehouseDefinition.model_validate({"type": "x", "password": "${A}${B}", "user": "${A}"})
    with pytest.raises(DefinitionError) as caught:
        resolve_environment(warehouse, {"B": "hunter2"})
    assert len(caught.value.problems) == 2
    assert "`A` is not set" in str(caught.value)
    assert "hunter2" not in str(caught.value)
