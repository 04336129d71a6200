"""Case files: definitions, events, questions, and the rows to expect, worked out by hand.

metrics:                       # as in any project; `project:` and `source:` add to the plain ones below
  watched: {type: usage, event: watch}
events: |                      # name, user (`-` none, `''` empty), UTC time, properties
  watch  ann  2026-01-05T09:00  minutes=5 country=DE
cohorts: {...}                  # if any
entities: {user: {...}}         # if any; `tables:` holds further tables, as `asking.table_of` reads them
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

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from families.asking import READS, project_over
from families.oracles.world import Event, World
from metrics_api.definitions.examples import EventLine, Unreadable, read_events, read_table, read_value
from metrics_api.definitions.yaml12 import parse_yaml
from metrics_api.periods import Weekday
from metrics_api.serving.asking import ask
from metrics_api.serving.expectations import spell

TYPES = {"minutes": "number", "level": "integer", "flag": "boolean", "sequence": "integer"}


@dataclass(frozen=True)
class Case:
    file: Path
    name: str
    setting: dict[str, Any]
    question: dict[str, Any]
    expect: str

    def __str__(self) -> str:
        return f"{self.file.parent.name}/{self.file.name.removesuffix('.case.yml')}:{self.name}"


def cases_below(folder: Path) -> Iterator[Case]:
    for file in sorted(folder.rglob("*.case.yml")):
        read: Any = parse_yaml(file.read_text(encoding="utf-8"), file.name).data
        for name, case in read["cases"].items():
            setting = {**{key: value for key, value in read.items() if key != "cases"}, **case}
            yield Case(file, name, setting, case["ask"], case["expect"])


def expected(case: Case) -> tuple[list[str], list[list[str]]]:
    table = read_table(case.expect)
    return [word.text for word in table.header], [[word.text for word in row] for row in table.rows]


def found(case: Case, header: list[str], engine: str) -> list[list[str]]:
    """What our project answers on an engine, in the columns and spelling of the expectation."""
    setting = case.setting
    plain = setting.get("project", {})
    world = World(
        events=tuple(event_of(line) for line in read_events(setting["events"])),
        timezone=plain.get("timezone", "UTC"),
        week_start=Weekday(plain.get("week_start", "monday")).number,
        data_through=datetime.fromisoformat(setting["data_through"]),
    )
    more = {key: value for key, value in plain.items() if key not in ("timezone", "week_start")}
    project = project_over(
        world,
        yaml.safe_dump(setting["metrics"], sort_keys=False),
        source=yaml.safe_dump(setting.get("source", {}), sort_keys=False).replace("{}", ""),
        project=yaml.safe_dump(more, sort_keys=False).replace("{}", ""),
        cohorts=yaml.safe_dump(setting.get("cohorts", {}), sort_keys=False).replace("{}", "").strip(),
        entities=yaml.safe_dump(setting.get("entities", {}), sort_keys=False).replace("{}", "").strip(),
        tables=setting.get("tables"),
        identity=setting.get("identity", "user_id"),
        engine=engine,
        properties=yaml.safe_dump(setting.get("properties", {}), sort_keys=False).replace("{}", ""),
        reads=yaml.safe_dump(setting["reads"], sort_keys=False) if "reads" in setting else READS,
    )
    words = dict(case.question)
    answer = project.answer(ask(words.pop("metric"), **words))
    part = setting.get("part", next(iter(answer.parts)))
    return [[spell(row[name]) for name in header] for row in answer.parts[part].to_pylist()]


def event_of(line: EventLine | Unreadable) -> Event:
    assert isinstance(line, EventLine), line
    known: dict[str, object] = dict.fromkeys(("country", "minutes", "level", "flag", "sequence"))
    for key, word in line.values.items():
        known[key] = read_value(word.text, TYPES.get(key, "string"))
    event_id = known.pop("id", None)
    return Event(line.event.text, line.who, line.at, known, None if event_id is None else str(event_id))
