"""Case files: definitions, events, questions, and the rows to expect, worked out by hand.

metrics:                       # as in any project; `project:` and `source:` add to the plain ones of `projects`
  watched: {type: usage, event: watch}
events: |                      # name, user (`-` none, `''` empty), UTC time, properties
  watch  ann  2026-01-05T09:00  minutes=5 country=DE
cohorts: {...}                  # if any
entities: {user: {...}}         # if any; `tables:` holds further tables, as `projects.table_of` reads them
reads: {table: events, ...}      # what the source reads, if it is not the table of the events above
data_through: 2026-01-07T00:00
cases:
  counts_by_day:
    ask: {metric: watched, start: 2026-01-05, end: 2026-01-06}
    expect: |                  # a header of the columns to look at; `-` is null
      period      value
      2026-01-05  1
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from metrics_api.definitions.examples import EventLine, Unreadable, read_events, read_table, read_value
from metrics_api.definitions.yaml12 import parse_yaml
from metrics_api.serving.asking import ask
from metrics_api.serving.expectations import spell
from metrics_api.serving.project import Project
from metrics_api.testkit.projects import READS, SCHEMA, Filled, definitions_of, project_of, table_of

FOLDER = Path(__file__).with_name("case_files")
"""A folder for each family."""
TYPES = {"minutes": "number", "level": "integer", "flag": "boolean", "sequence": "integer"}


@dataclass(frozen=True)
class Case:
    """A question about the events of a file, and the rows to expect."""

    file: Path
    name: str
    setting: dict[str, Any]
    question: dict[str, Any]
    expect: str

    def __str__(self) -> str:
        return f"{self.family}/{self.file.name.removesuffix('.case.yml')}:{self.name}"

    @property
    def family(self) -> str:
        """The metric family that it is about."""
        return self.file.parent.name


def cases_below(folder: Path = FOLDER) -> Iterator[Case]:
    """The cases of every file, by name."""
    for file in sorted(folder.rglob("*.case.yml")):
        read: Any = parse_yaml(file.read_text(encoding="utf-8"), file.name).data
        for name, case in read["cases"].items():
            setting = {**{key: value for key, value in read.items() if key != "cases"}, **case}
            yield Case(file, name, setting, case["ask"], case["expect"])


def expected(case: Case) -> tuple[list[str], list[list[str]]]:
    """The columns to look at, and the rows in the spelling of answers."""
    table = read_table(case.expect)
    return [word.text for word in table.header], [[word.text for word in row] for row in table.rows]


def found(case: Case, header: list[str], engine: str, filled: Filled) -> list[list[str]]:
    """What our project answers on an engine, in the columns and spelling of the expectation."""
    words = dict(case.question)
    answer = project_for(case, engine, filled).answer(ask(words.pop("metric"), **words))
    part = case.setting.get("part", next(iter(answer.parts)))
    return [[spell(row[name]) for name in header] for row in answer.parts[part].to_pylist()]


def project_for(case: Case, engine: str, filled: Filled) -> Project:
    """The project of a case on an engine, with its events and tables there."""
    setting = case.setting
    plain = setting.get("project", {})
    definitions = definitions_of(
        _yaml(setting["metrics"]),
        engine=engine,
        timezone=plain.get("timezone", "UTC"),
        week_start=plain.get("week_start", "monday"),
        source=_yaml(setting.get("source")),
        project=_yaml({key: value for key, value in plain.items() if key not in ("timezone", "week_start")}),
        cohorts=_yaml(setting.get("cohorts")),
        entities=_yaml(setting.get("entities")),
        identity=setting.get("identity", "user_id"),
        properties=_yaml(setting.get("properties")),
        reads=_yaml(setting["reads"]) if "reads" in setting else READS,
    )
    further = {name: table_of(rows) for name, rows in setting.get("tables", {}).items()}
    warehouse = filled({"events": events_of(setting["events"]), **further})
    return project_of(definitions, warehouse, datetime.fromisoformat(setting["data_through"]))


def events_of(lines: str) -> pa.Table:
    """The rows of the table of events that lines say."""
    return pa.Table.from_pylist([_row(line) for line in read_events(lines)], schema=SCHEMA)


def _row(line: EventLine | Unreadable) -> Mapping[str, object]:
    assert isinstance(line, EventLine), line
    known: dict[str, object] = {
        key: read_value(word.text, TYPES.get(key, "string")) for key, word in line.values.items()
    }
    event_id = known.pop("id", None)
    return {
        "event": line.event.text,
        "user_id": line.who,
        "at": line.at,
        "day": line.at.date(),
        "event_id": None if event_id is None else str(event_id),
        **known,
    }


def _yaml(written: object) -> str:
    return yaml.safe_dump(written, sort_keys=False) if written else ""
