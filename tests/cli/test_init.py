"""`metrics-api init`: from two events to a folder that works, asked over the example's warehouse."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import duckdb
import jsonschema
import pytest

from metrics_api.cli.schema import EDITOR_SCHEMA
from metrics_api.compile.project import load_model
from metrics_api.definitions.yaml12 import read_yaml
from metrics_api.engines import engines
from metrics_api.families import families
from tests.cli.conftest import Invoke

TWO = ("--sign-up", "sign_up", "--value-moment", "watched")


def test_from_two_events_to_answers(streaming: Path, tmp_path: Path, invoke: Invoke) -> None:
    warehouse = streaming / "streaming.duckdb"
    options = ("--table", "app_events", "--time", "occurred_at", "--user", "user_id", "--event-name", "event")
    result = invoke(tmp_path, "init", "mine", *TWO, *options, "--path", str(warehouse))
    assert result.exit_code == 0, result.stderr
    folder = tmp_path / "mine"
    assert sorted(one.name for one in folder.iterdir()) == [
        ".metrics-api", "boards.yml", "events.yml", "metrics.yml", "project.yml",
    ]  # fmt: skip
    for command in (["validate"], ["test"], ["validate", "--warehouse", "main"], ["explain", "--all"]):
        done = invoke(folder, *command)
        assert done.exit_code == 0, done.stderr
    march = ("--from", "2026-03-01", "--to", "2026-03-31")
    rows = invoke(folder, "query", "value_moments", *march, "--grain", "month", "--format", "csv").stdout
    with duckdb.connect(warehouse, read_only=True) as connection:
        (expected,) = connection.execute(
            "SELECT count(*) FROM app_events WHERE event = 'watched'"
            " AND occurred_at >= '2026-03-01' AND occurred_at < '2026-04-01'"
        ).fetchone()
    assert [int(row["value"]) for row in csv.DictReader(io.StringIO(rows))] == [expected]
    steps = json.loads(invoke(folder, "query", "company_kpis_activation", *march, "--format", "json").stdout)["rows"]
    assert [one["step"] for one in steps] == ["sign_up", "value_moment"]
    assert steps[0]["converted"] > steps[1]["converted"] > 0
    model, _ = load_model(folder)
    for name in model.metrics:
        assert invoke(folder, "query", name, *march).exit_code == 0


def test_what_it_writes(tmp_path: Path, invoke: Invoke) -> None:
    result = invoke(tmp_path, "init", *TWO)
    assert result.exit_code == 0, result.stderr
    said = result.stdout
    assert "metrics/project.yml written" in said
    assert "  cd metrics\n  metrics-api test\n" in said
    assert "Name the warehouse's file in project.yml first." in said
    model, _ = load_model(tmp_path / "metrics")
    assert {one.type for one in model.metrics.values()} <= families().keys()
    made = [name for name in model.metrics if name.startswith("company_kpis_")]
    assert len(made) > 10
    assert {name: one.metric_class.value for name, one in model.metrics.items()} == {
        "value_moments": "engagement",
        "all_events": "usage",
        **dict.fromkeys(made, "engagement"),
        **dict.fromkeys(
            (f"company_kpis_{name}" for name in ("new_users", "after_sign_up", "instead_of_value")), "usage"
        ),
    }
    schema = json.loads((tmp_path / "metrics" / EDITOR_SCHEMA).read_text("utf-8"))
    for file in (tmp_path / "metrics").glob("*.yml"):
        assert file.read_text("utf-8").startswith(f"# yaml-language-server: $schema={EDITOR_SCHEMA}\n")
        jsonschema.validate(read_yaml(file).data, schema)


@pytest.mark.parametrize(
    ("sign_up", "value", "events"),
    [
        ("Signed Up", "Report Viewed", {"signed_up": "Signed Up", "report_viewed": "Report Viewed"}),
        ("signup", "Sign-Up", {"signup": "signup", "sign_up_event": "Sign-Up"}),
        ("🎉", "日本", {"sign_up": "🎉", "value_moment": "日本"}),
        ("yes", "12", {"yes": "yes", "value_moment": "12"}),
        ("a: b # c", 'it\'s "so"\\', {"a_b_c": "a: b # c", "it_s_so": 'it\'s "so"\\'}),
        ("any_event", "value_moments", {"any_event_event": "any_event", "value_moments_event": "value_moments"}),
        ("x" * 80, "y", {"x" * 50: "x" * 80, "y": "y"}),
        ("null", "true", {"null_event": "null", "true_event": "true"}),
    ],
)
def test_events_of_any_name(sign_up: str, value: str, events: dict[str, str], tmp_path: Path, invoke: Invoke) -> None:
    result = invoke(tmp_path, "init", ".", "--sign-up", sign_up, "--value-moment", value)
    assert result.exit_code == 0, result.stderr
    model, _ = load_model(tmp_path)
    assert {name: one.key for name, one in model.events.items()} == {**events, "any_event": None}
    for command in ("validate", "test"):
        done = invoke(tmp_path, command)
        assert done.exit_code == 0, done.stdout + done.stderr


def test_nothing_is_overwritten(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "events.yml").write_text("# mine\n", "utf-8")
    result = invoke(tmp_path, "init", *TWO)
    assert result.exit_code == 2
    assert "metrics/events.yml: nothing is overwritten" in result.stderr
    assert [file.name for file in (tmp_path / "metrics").iterdir()] == ["events.yml"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "main.yml").write_text("project: {name: shop}\n", "utf-8")
    result = invoke(tmp_path, "init", "other", *TWO)
    assert result.exit_code == 2
    assert "other holds the project `shop`" in result.stderr
    assert [file.name for file in (tmp_path / "other").iterdir()] == ["main.yml"]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--sign-up", "a", "--value-moment", "a"], 2, "unless it is the first: --sign-up first:a"),
        (["--sign-up", " ", "--value-moment", "a"], 2, "expected what the event is called in the table"),
        (["--sign-up", "a", "--value-moment", "any"], 2, "`any` stands for every event"),
        ([*TWO, "--property", "a", "--property", "a:number"], 2, "`a` is given twice"),
        ([*TWO, "--property", "plan:strng"], 1, "`strng`"),
        (["--sign-up", "first:", "--value-moment", "a"], 2, "expected what the event is called in the table"),
        (["--sign-up", "a"], 2, "Missing option '--value-moment'"),
        ([*TWO, "--warehouse-type", "postgrs"], 1, "Did you mean `postgres`?"),
        ([*TWO, "--warehouse-type", "postgres", "--path", "a.duckdb"], 2, "only duckdb reads a file"),
        ([*TWO, "--table", "my table"], 1, "`my table` is not the name of a table or view"),
        ([*TWO[:2], "--value-moment", "${EVENT}"], 1, "`${...}` is read only in the settings"),
    ],
)
def test_what_is_refused(args: list[str], code: int, message: str, tmp_path: Path, invoke: Invoke) -> None:
    result = invoke(tmp_path, "init", *args)
    assert result.exit_code == code
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_properties_are_declared_and_a_channel_has_its_card(tmp_path: Path, invoke: Invoke) -> None:
    words = ("--property", "channel", "--property", "Minutes Watched:number")
    result = invoke(tmp_path, "init", *TWO, *words)
    assert result.exit_code == 0, result.stderr
    model, _ = load_model(tmp_path / "metrics")
    (source,) = model.sources.values()
    assert {(one.name, str(one.type), one.column) for one in source.properties.values()} == {
        ("channel", "string", "channel"), ("minutes_watched", "number", "Minutes Watched"),
    }  # fmt: skip
    assert model.boards["company_kpis"].cards["sign_ups_by_channel"].by == ("channel",)


@pytest.mark.parametrize("name", sorted(engines()))
def test_every_engine_has_a_project(name: str, tmp_path: Path, invoke: Invoke) -> None:
    result = invoke(tmp_path, "init", *TWO, "--table", "analytics.prod.events", "--warehouse-type", name)
    assert result.exit_code == 0, result.stderr
    folder = tmp_path / "metrics"
    assert invoke(folder, "validate").exit_code == 0
    assert invoke(folder, "explain", "value_moments").exit_code == 0
    next_steps = result.stdout.partition("Next:")[2]
    assert ("metrics-api query" in next_steps) == (engines()[name].connect is not None)
