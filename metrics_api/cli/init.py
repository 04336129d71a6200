"""`metrics-api init`: from two events to a folder of definitions that works."""

import json
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from metrics_api.cli.schema import EDITOR_SCHEMA, write_editor_schema
from metrics_api.errors import DefinitionError

EXAMPLES = """\
Examples:

  metrics-api init metrics --sign-up signed_up --value-moment watched_video
  metrics-api init metrics --sign-up "Signed Up" --value-moment "Report Viewed" --table analytics.tracks \\
      --time received_at --user user_id --event-name event --warehouse-type postgres
  metrics-api init metrics --sign-up first:order --value-moment order --path shop.duckdb

The sign-up makes somebody a user; the value moment is what they come for, not a click on the way there. With `first:`
the first such event of each person is their sign-up, also where it is of the same kind as the value moment.
"""

TABLE = "The table of events"
FIRST = "first:"
"""Begins a sign-up that is each person's first such event."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the person said, in words that YAML can hold: `*_event` are names, `sign_up` and `value` what is stored."""

    project: str
    sign_up: str
    sign_up_event: str
    first_ever: bool
    value: str
    value_event: str
    source: str
    table: str
    time: str
    user: str
    event_name: str
    properties: tuple[tuple[str, str, str], ...]
    """Their names, types and columns."""
    engine: str
    settings: str


def init(
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write into.")] = Path("metrics"),
    sign_up: Annotated[
        str,
        typer.Option(
            "--sign-up", help="The event that makes somebody a user; first:EVENT for the first of each person."
        ),
    ],
    value_moment: Annotated[str, typer.Option("--value-moment", help="The event in which people get value.")],
    table: Annotated[
        str, typer.Option("--table", help="One row per event; or schema.table.", rich_help_panel=TABLE)
    ] = "events",
    time: Annotated[
        str, typer.Option("--time", help="The column of when, in UTC.", rich_help_panel=TABLE)
    ] = "occurred_at",
    user: Annotated[str, typer.Option("--user", help="The column of who.", rich_help_panel=TABLE)] = "user_id",
    event_name: Annotated[
        str, typer.Option("--event-name", help="The column of what.", rich_help_panel=TABLE)
    ] = "event",
    warehouse_type: Annotated[
        str, typer.Option("--warehouse-type", help="The engine: duckdb, postgres, ...", rich_help_panel=TABLE)
    ] = "duckdb",
    property_: Annotated[
        list[str] | None,
        typer.Option(
            "--property",
            help="A column to filter and break down by: channel, or minutes:number. May be given again.",
            rich_help_panel=TABLE,
            show_default=False,
        ),
    ] = None,
    path: Annotated[
        Path | None,
        typer.Option("--path", help="The file of a duckdb warehouse.", rich_help_panel=TABLE, show_default=False),
    ] = None,
) -> None:
    """Write a working project from two events: a value moment, and a board that answers what engagement asks.

    Nothing is overwritten. The column names can be corrected in project.yml afterwards.
    """
    from metrics_api.engines import engine

    connects = engine(warehouse_type).connect is not None
    if path is not None and warehouse_type != "duckdb":
        raise typer.BadParameter("only duckdb reads a file", param_hint="--path")
    first_ever, sign_up = sign_up.startswith(FIRST), sign_up.removeprefix(FIRST)
    if sign_up == value_moment and not first_ever:
        words = f"the sign-up cannot be the value moment as well, unless it is the first: --sign-up {FIRST}{sign_up}"
        raise typer.BadParameter(words, param_hint="--value-moment")
    first, second = _names(sign_up, value_moment)
    answers = Answers(
        project=folder.resolve().name, sign_up=sign_up, sign_up_event=first, first_ever=first_ever,
        value=value_moment, value_event=second,
        source=_free(_identifier(table.rpartition(".")[2]) or "events", ()), table=table, time=time, user=user,
        event_name=event_name, properties=_properties(property_ or ()),
        engine=warehouse_type, settings=_settings(warehouse_type, path, folder),
    )  # fmt: skip
    texts = _texts(answers)
    _refuse_what_is_there(folder, [folder / name for name in texts])
    _check(texts)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
        typer.echo(f"{folder / name} written")
    write_editor_schema(folder)
    is_there = warehouse_type != "duckdb" or path is not None
    _tell_what_next(folder, connects=connects, is_there=is_there, uses_url="WAREHOUSE_URL" in answers.settings)


# -- names ------------------------------------------------------------------------------------------------------------


def _names(sign_up: str, value_moment: str) -> tuple[str, str]:
    """What the two events are called in the definitions: near to what the table calls them, and different.

    Raises BadParameter for an event without a name.
    """
    for option, written in (("--sign-up", sign_up), ("--value-moment", value_moment)):
        if not written.strip() or not written.isprintable():
            raise typer.BadParameter("expected what the event is called in the table", param_hint=option)
        if written == "any":
            raise typer.BadParameter("`any` stands for every event in definitions", param_hint=option)
    first = _free(_identifier(sign_up) or "sign_up", ())
    if sign_up == value_moment:
        return first, first
    return first, _free(_identifier(value_moment) or "value_moment", (first,))


def _identifier(written: str) -> str | None:
    from metrics_api.definitions.names import identifier_like

    found = identifier_like(written)
    return found[:50].rstrip("_") if found else None


def _free(name: str, taken: Iterable[str]) -> str:
    """The name, with a word after it if it is taken; told apart without `_`, as GraphQL does."""
    reserved = {"any", "any_event", "value_moments", "null", "true", "false", *taken}
    is_taken = name.replace("_", "") in {one.replace("_", "") for one in reserved}
    return f"{name}_event" if is_taken else name


def _properties(written: Iterable[str]) -> tuple[tuple[str, str, str], ...]:
    """`channel` and `minutes:number` as names, types and columns. Raises BadParameter for what has no name."""
    found = {}
    for one in written:
        column, _, type_ = one.partition(":")
        if (name := _identifier(column)) is None or name in found:
            words = "expected the name of a column" if name is None else f"`{column}` is given twice"
            raise typer.BadParameter(words, param_hint="--property")
        found[name] = (name, type_ or "string", column)
    return tuple(found.values())


# -- files ------------------------------------------------------------------------------------------------------------


def _settings(engine: str, path: Path | None, folder: Path) -> str:
    """The settings of the warehouse, after its type."""
    if engine == "duckdb":
        told = Path(os.path.relpath(path, folder)).as_posix() if path else "warehouse.duckdb"
        return f", path: {json.dumps(told, ensure_ascii=False)}"
    from metrics_api.engines import engines

    return ", url: '${WAREHOUSE_URL}'" if "url" in (engines()[engine].settings or ()) else ""


def _refuse_what_is_there(folder: Path, files: Iterable[Path]) -> None:
    """Raise BadParameter where a file or another project is there already."""
    from metrics_api.cli.project_folder import project_name

    if there := [str(file) for file in files if file.exists()]:
        raise typer.BadParameter(f"{', '.join(there)}: nothing is overwritten; choose another folder", param_hint="DIR")
    if folder.exists() and not folder.is_dir():
        raise typer.BadParameter(f"{folder} is a file", param_hint="DIR")
    if folder.is_dir() and (other := project_name(folder)) is not None:
        raise typer.BadParameter(f"{folder} holds the project `{other}`; choose another folder", param_hint="DIR")


def _check(texts: Mapping[str, str]) -> None:
    """Raise DefinitionError for what no definitions can hold, such as a table in quotes; before anything is written."""
    from metrics_api.cli.project_folder import read_project
    from metrics_api.graphql_schema.names import name_problems

    with TemporaryDirectory() as place:
        for name, text in texts.items():
            Path(place, name).write_text(text, "utf-8")
        try:
            model, definitions, _ = read_project(Path(place))
            problems = list(name_problems(model, definitions))
        except DefinitionError as error:
            problems = list(error.problems)
    if problems:  # Their places are in files that nobody has seen.
        raise DefinitionError([replace(one, where=None) for one in problems])


def _texts(answers: Answers) -> dict[str, str]:
    values = {
        name: _scalar(getattr(answers, name)) for name in ("project", "table", "time", "user", "event_name", "engine")
    }
    values |= {name: getattr(answers, name) for name in ("source", "sign_up_event", "value_event", "settings")}
    values |= {
        "schema": EDITOR_SCHEMA,
        "sign_up_label": _scalar(_label(answers.sign_up)),
        "value_label": _scalar(_label(answers.value)),
        "sign_up_name": _stored(answers.sign_up, answers.sign_up_event),
        "value_name": _stored(answers.value, answers.value_event),
        "properties": _properties_text(answers.properties),
        "sign_up_selector": f"{{event: {answers.sign_up_event}, first_ever: true}}"
        if answers.first_ever
        else answers.sign_up_event,
    }
    is_one = answers.sign_up_event == answers.value_event
    files = {
        "project.yml": PROJECT,
        "events.yml": EVENTS + ("" if is_one else SIGN_UP_EVENT) + VALUE_EVENT,
        "metrics.yml": METRICS + (TEST_OF_ONE if is_one else TEST_OF_TWO) + USAGE,
        "boards.yml": BOARDS,
    }
    return {file: re.sub(r"<<(\w+)>>", lambda found: values[found[1]], text) for file, text in files.items()}


def _scalar(text: str) -> str:
    """The text as YAML: bare where it is a plain word, else in quotes."""
    from metrics_api.definitions.yaml12 import core_scalar

    is_plain = re.fullmatch(r"[A-Za-z_][\w.]*( [\w.]+)*", text) and core_scalar(text) == text
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def _label(stored: str) -> str:
    """`signed_up` and `Signed Up` as people read them."""
    words = " ".join(stored.replace("_", " ").split())
    return words[:1].upper() + words[1:]


def _stored(written: str, event: str) -> str:
    """The line that says what the table calls the event, where that is not its name here."""
    return "" if written == event else f"\n    name: {_scalar(written)}"


def _properties_text(properties: Iterable[tuple[str, str, str]]) -> str:
    """The lines of the source that declare them, or say how."""
    lines = []
    for name, type_, column in properties:
        of = _scalar(type_)
        lines.append(f"      {name}: {of if name == column else f'{{type: {of}, column: {_scalar(column)}}}'}")
    if not lines:
        return """
    # properties:                # what can be filtered, broken down by or summed
    #   country: string
    #   minutes: {type: number, unit: minutes}"""
    return "\n".join(("", "    properties:              # what can be filtered, broken down by or summed", *lines))


def _tell_what_next(folder: Path, *, connects: bool, is_there: bool, uses_url: bool) -> None:
    place = shlex.quote(str(folder))
    checks = [] if not connects else ["metrics-api validate --warehouse main    # are the tables and columns there?"]
    asks = ["metrics-api board company_kpis", 'metrics-api query value_moments --last "30 days"', "metrics-api serve"]
    lines = [f"cd {place}", "metrics-api test", *checks, *(asks if connects else ["metrics-api explain value_moments"])]
    typer.echo("\nThe definitions are valid. Next:\n\n" + "".join(f"  {line}\n" for line in lines))
    if uses_url:
        typer.echo("First set WAREHOUSE_URL, such as postgresql://user:password@host/database.")
    if not is_there:
        typer.echo("Name the warehouse's file in project.yml first.")


PROJECT = """\
# yaml-language-server: $schema=<<schema>>
# What all metrics share: the calendar, the two events that matter most, and where the data is.
version: 1

project:
  name: <<project>>
  timezone: UTC            # whose days and weeks are counted: Europe/Berlin, America/New_York, ...
  week_start: monday
  default_range: 30 days   # how far back a question without a range looks
  sign_up: <<sign_up_selector>>
  value_moment: value_moments
  # exclude: is_internal = true    # events that no metric counts; a condition over properties of the source
  warehouses:
    main: {type: <<engine>><<settings>>}
  default_warehouse: main

sources:
  <<source>>:
    description: One row per event.
    table: <<table>>
    time: <<time>>           # in UTC
    event_name: <<event_name>>
    identity:
      user: <<user>>
    # Say more of the table as you need it:
    # event_id: event_id         # rows with the same id count once
    # partition: event_date      # the UTC date by which the warehouse skips data
    # loaded_at: loaded_at       # how far the data reaches, and which days are complete<<properties>>
"""

EVENTS = """\
# yaml-language-server: $schema=<<schema>>
# What people do. An event is found by its name in the source; `name:` says it where it is called otherwise there.
events:
"""

SIGN_UP_EVENT = """\
  <<sign_up_event>>:
    label: <<sign_up_label>>
    description: Somebody became a user.
    source: <<source>><<sign_up_name>>
    # once_per_user: true    # if nobody does it twice: makes activation cheaper

"""

VALUE_EVENT = """\
  <<value_event>>:
    label: <<value_label>>
    description: Somebody got what the product is for.
    source: <<source>><<value_name>>
    # where: minutes >= 3    # only events for which a condition is true

  any_event:
    label: Any event
    source: <<source>>
    name: any
"""

METRICS = """\
# yaml-language-server: $schema=<<schema>>
# Value first: what people get out of the product. Usage, at the end, only says what they do.
metrics:
  value_moments:
    type: value_moment
    label: Value moments
    description: How often people got what the product is for.
    moments:
      <<value_event>>: {event: <<value_event>>}
    measure: total
    tests:                 # run by `metrics-api test`, without a warehouse
"""

TEST_OF_ONE = """\
      every_moment_counts_and_every_person_once:
        events: |
          <<value_event>>  ann  2026-01-05 10:00
          <<value_event>>  ann  2026-01-05 11:00
        expect: {value: 2, users: 1}
"""

TEST_OF_TWO = """\
      every_moment_counts_and_signing_up_is_none:
        events: |
          <<sign_up_event>>  ann  2026-01-05 09:00
          <<value_event>>  ann  2026-01-05 10:00
          <<value_event>>  ann  2026-01-05 11:00
        expect: {value: 2, users: 1}
"""

USAGE = """
  all_events:
    type: usage
    label: All events
    description: How much happens at all. Says nothing about value.
    event: any_event
    measure: total
"""

BOARDS = """\
# yaml-language-server: $schema=<<schema>>
# The board: who gets value, how soon, how often, who comes back and who does not. Its metrics and cohorts are made of
# `sign_up` and `value_moment` of the project; `metrics-api board company_kpis --yaml` prints them, to be changed.
boards:
  company_kpis:
    label: Company KPIs
    description: How people find value, from their sign-up on.
    template: company_kpis
"""
