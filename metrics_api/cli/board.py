"""`metrics-api board`: all questions of a board, as tables or as data; or the definitions that it is made of."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metrics_api.cli.options import (
    AsOf,
    Cohort,
    ExcludeCurrent,
    From,
    LastUnits,
    ProjectFolder,
    TargetName,
    TimeZone,
    To,
    WarehouseName,
)

if TYPE_CHECKING:
    from metrics_api.serving.boards import Answered
    from metrics_api.serving.project import Project

EXAMPLES = """\
Examples:

  metrics-api board company_kpis
  metrics-api board company_kpis --card activation --card retention --last "8 weeks"
  metrics-api board company_kpis --cohort engaged_users --format json
  metrics-api board company_kpis --yaml > board.yml    # the definitions behind it, to be changed
"""


class BoardFormat(StrEnum):
    TABLE = "table"
    JSON = "json"


def board(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The board.")],
    card: Annotated[
        list[str] | None, typer.Option("--card", help="Only this card; may be given again.", show_default=False)
    ] = None,
    start: From = None,
    end: To = None,
    last: LastUnits = None,
    exclude_current: ExcludeCurrent = False,
    timezone: TimeZone = None,
    as_of: AsOf = None,
    cohort: Cohort = None,
    project: ProjectFolder = None,
    warehouse: WarehouseName = None,
    target: TargetName = None,
    format_: Annotated[BoardFormat, typer.Option("--format", "-f", help="How it is written.")] = BoardFormat.TABLE,
    yaml: Annotated[
        bool, typer.Option("--yaml", help="Instead of answers the definitions it is made of, without a template.")
    ] = False,
) -> None:
    """Answer a board: every card with its question.

    A range, a zone, a moment or a cohort that is given holds for all cards; a card that fails says why.
    """
    from metrics_api.cli.project_folder import open_project
    from metrics_api.query.boards import Over, cards_of
    from metrics_api.serving.asking import ask
    from metrics_api.serving.boards import answers_of_board

    asked = ask(name, start=start, end=end, last=last, exclude_current=exclude_current, as_of=as_of)
    over = Over(asked.time, timezone, cohort, asked.as_of)
    opened = open_project(project, warehouse, target)
    try:
        if yaml:
            cards_of(opened.model, name, card, over)
            typer.echo(_definitions(opened, name), nl=False)
            return
        answers = answers_of_board(opened, name, card, over)
    finally:
        opened.close()
    if format_ is BoardFormat.JSON:
        sys.stdout.buffer.write(_as_json(opened, name, answers))
        sys.stdout.buffer.flush()
    else:
        _write_tables(answers)
    if all(not _is_answer(one) for one in answers):
        raise typer.Exit(1)


def _definitions(project: "Project", name: str) -> str:
    from metrics_api.cli.yaml_text import as_yaml
    from metrics_api.definitions.templates import written_out

    return as_yaml(written_out(project.definitions, name))


def _is_answer(one: "Answered") -> bool:
    from metrics_api.results import Answer

    return isinstance(one.answer, Answer)


def _write_tables(answers: "tuple[Answered, ...]") -> None:
    from rich.console import Console

    from metrics_api.cli.tables import WIDEST, part_table
    from metrics_api.results import Answer

    is_terminal = sys.stdout.isatty()
    console = Console(markup=False, highlight=False, emoji=False, width=None if is_terminal else WIDEST)
    for one in answers:
        console.print(one.card.label.upper(), soft_wrap=True)
        if one.card.definition.question:
            console.print(one.card.definition.question, soft_wrap=True)
        if not isinstance(one.answer, Answer):
            for problem in one.answer.problems:
                console.print(f"  no answer: {problem}", soft_wrap=True)
            console.print()
            continue
        info = one.answer.info
        console.print(f"{one.card.metric.name}, {info.first} to {info.last}", soft_wrap=True)
        for part, rows in one.answer.parts.items():
            console.print(f"\n{part}")
            console.print(part_table(rows, one.card.metric, console if is_terminal else None))
        if info.truncated:
            console.print(f"cut at {info.row_count:,} rows")
        console.print()


def _as_json(project: "Project", name: str, answers: "tuple[Answered, ...]") -> bytes:
    import orjson

    from metrics_api.cli.written import about, exact_rows
    from metrics_api.query.boards import board_label, board_named
    from metrics_api.results import Answer

    found = board_named(project.model, name)
    cards: list[dict[str, Any]] = []
    for one in answers:
        told: dict[str, Any] = {
            "name": one.card.name,
            "label": one.card.label,
            "description": one.card.description,
            "question": one.card.definition.question,
            "metric": one.card.metric.name,
            "class": one.card.metric.metric_class.value,
        }
        if isinstance(one.answer, Answer):
            told["parts"] = {part: exact_rows(rows) for part, rows in one.answer.parts.items()}
            told["info"] = about(one.answer.info)
        else:
            told["error"] = [
                {"message": each.message, "fix": each.fix, "code": each.code} for each in one.answer.problems
            ]
        cards.append(told)
    board_ = {"name": name, "label": board_label(name, found), "description": found.description, "cards": cards}
    options = orjson.OPT_INDENT_2 | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(board_, option=options)
