"""Dry runs: the warehouse reads the statement of every metric, and says what is wrong with which."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from families.engines import ENGINES, type_of, warehouse_with
from metrics_api.compile.project import load_model
from metrics_api.families import families
from metrics_api.query.bind import MEMBERS
from metrics_api.serving.dry_run import DryRun, dry_runs
from metrics_api.serving.project import Project

STREAMING = Path(__file__).parents[2] / "metric_definitions" / "streaming"
EVENTS = pa.schema(
    [
        *(("event_id", pa.int64()), ("occurred_at", pa.timestamp("us")), ("occurred_on", pa.date32())),
        *(("loaded_at", pa.timestamp("us")), ("event", pa.string()), ("user_id", pa.string())),
        *(("platform", pa.string()), ("country", pa.string()), ("channel", pa.string())),
        *(("feature", pa.string()), ("title", pa.string()), ("minutes", pa.float64()), ("is_internal", pa.bool_())),
    ]
)
USERS = pa.schema(
    [
        *(("id", pa.string()), ("plan", pa.string()), ("signed_up_at", pa.timestamp("us"))),
        *(("birth_year", pa.int64()), ("email", pa.string())),
    ]
)


def streaming_on(engine: str, tmp_path: Path) -> Project:
    """The example project over empty tables of an engine."""
    for file in STREAMING.glob("*.yml"):
        text = file.read_text("utf-8").replace("type: duckdb", f"type: {type_of(engine)}")
        (tmp_path / file.name).write_text(text, "utf-8")
    model, definitions = load_model(tmp_path)
    project = Project(model, definitions, tmp_path)
    known = {one.column: one for one in model.entities["user"].attributes.properties.values()}  # type: ignore[union-attr]
    assert {*known} <= {*USERS.names}, known
    tables = {"app_events": EVENTS.empty_table(), "users": USERS.empty_table()}
    project._warehouse = warehouse_with(engine, tables)
    return project


@pytest.mark.parametrize("engine", ENGINES)
def test_every_statement_of_the_example_is_accepted(engine: str, tmp_path: Path) -> None:
    project = streaming_on(engine, tmp_path)
    every = {**project.model.metrics, **project.model.cohorts}
    found = list(dry_runs(project, every))
    assert [one.problem for one in found if one.problem] == []
    expected = []
    for name, metric in every.items():
        family = families()[metric.type]
        expected += [(name, family.parts), *([(name, (MEMBERS,))] if family.members else [])]
    assert [(one.metric, one.parts) for one in found] == expected


SMALL = """
version: 1
project: {name: small, warehouses: {here: {type: %s}}}
sources:
  app:
    {table: app_events, time: occurred_at, event_name: event, identity: {user: user_id}, properties: {length: number}}
events:
  watch: {source: app}
metrics:
  people: {type: active_users, on: watch, window: 1 day}
  lengths: {type: usage, event: watch, measure: sum(length)}
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_refused_is_told_with_its_place(engine: str, tmp_path: Path) -> None:
    (tmp_path / "small.yml").write_text(SMALL % type_of(engine), "utf-8")
    model, definitions = load_model(tmp_path)
    project = Project(model, definitions, tmp_path)
    project._warehouse = warehouse_with(engine, {"app_events": EVENTS.empty_table()})
    people, lengths = dry_runs(project, model.metrics)
    assert (people.metric, people.problem) == ("people", None)
    assert (lengths.metric, lengths.parts) == ("lengths", ("rows", "overall"))
    assert lengths.problem is not None
    assert str(lengths.problem.where) == "small.yml:11:3"
    assert lengths.problem.message == (
        "lengths (rows, overall): source `app`: table `app_events` has no column `length` (property `length`)"
    )


def test_one_part_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from metrics_api.errors import WarehouseError
    from metrics_api.serving import dry_run

    project = streaming_on("duckdb", tmp_path)
    whole = dry_run._estimated

    def refuses_histograms(*args):  # type: ignore[no-untyped-def]
        if "histogram" in args[2]:
            raise WarehouseError("DuckDB: no histograms today", fix="Wait.")
        return whole(*args)

    monkeypatch.setattr(dry_run, "_estimated", refuses_histograms)
    found = list(dry_runs(project, {"stickiness": project.model.metrics["stickiness"]}))
    assert [(one.parts, one.problem and one.problem.message) for one in found] == [
        (("rows",), None),
        (("overall",), None),
        (("histogram",), "stickiness (histogram): DuckDB: no histograms today"),
    ]
    assert isinstance(found[2], DryRun) and found[2].problem is not None and found[2].problem.fix == "Wait."
