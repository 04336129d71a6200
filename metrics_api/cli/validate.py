"""`metrics-api validate`: every problem of every file, before anything is asked."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metrics_api.cli.options import ProjectFolder, TargetName
from metrics_api.cli.program import ExitCode, show
from metrics_api.errors import DefinitionError, Problem

if TYPE_CHECKING:
    from metrics_api.definitions.loader import Definitions
    from metrics_api.semantic.model import SemanticModel

EXAMPLES = """\
Examples:

  metrics-api validate
  metrics-api validate -p metrics --format json
  metrics-api validate --warehouse demo    and look for the tables and columns
"""


class FindingsFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


def validate(
    *,
    project: ProjectFolder = None,
    warehouse: Annotated[
        str | None,
        typer.Option("--warehouse", "-w", help="Ask this warehouse as well whether it is as the definitions say."),
    ] = None,
    target: TargetName = None,
    format_: Annotated[
        FindingsFormat, typer.Option("--format", help="How the findings are written.")
    ] = FindingsFormat.TEXT,
) -> None:
    """Check the definitions: all problems at once, each with its place and what to write instead.

    Exits with 1 if there is any. Nothing is asked of a warehouse unless --warehouse names one.
    """
    from metrics_api.cli.project_folder import read_project
    from metrics_api.graphql_schema.names import name_problems

    counts: Mapping[str, int] = {}
    families: Mapping[str, int] = {}
    name = None
    warnings: list[Problem] = []
    try:
        model, definitions, folder = read_project(project, target)
        name, counts = model.project.name, _counts(model, definitions)
        families = Counter(one.type for one in model.metrics.values())
        problems = [*_wrong_warehouses(definitions), *name_problems(model, definitions)]
        problems += _wrong_tests(model, definitions)
        if warehouse is not None and not problems:
            problems, warnings = _inspected(model, definitions, folder, warehouse)
    except DefinitionError as error:
        problems = list(error.problems)
    if format_ is FindingsFormat.JSON:
        typer.echo(_as_json(problems, warnings, name, counts, families))
    else:
        show([replace(one, message=f"warning: {one.message}") for one in warnings])
        show(problems)
        _sum_up(problems, name, counts, families)
    if problems:
        raise typer.Exit(ExitCode.WRONG)


def _sum_up(
    problems: Sequence[Problem], name: str | None, counts: Mapping[str, int], families: Mapping[str, int]
) -> None:
    if problems:
        files = len({one.where.file for one in problems if one.where})
        typer.echo(f"\n{_many(len(problems), 'problem')}" + (f" in {_many(files, 'file')}" if files else ""), err=True)
    else:
        typer.echo(f"{name}: no problems in " + ", ".join(_many(count, what) for what, count in counts.items()))
        typer.echo("metrics by type: " + ", ".join(f"{count} {type_}" for type_, count in sorted(families.items())))


def _counts(model: "SemanticModel", definitions: "Definitions") -> Mapping[str, int]:
    return {
        "file": len(definitions.files),
        "source": len(model.sources),
        "event": len(model.events),
        "metric": len(model.metrics),
        **({"cohort": len(model.cohorts)} if model.cohorts else {}),
    }


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _wrong_warehouses(definitions: "Definitions") -> Iterator[Problem]:
    """Engines that are not there, and settings that theirs do not have: the definitions by themselves cannot know."""
    from metrics_api.engines import wrong_warehouse

    for name in definitions.project.warehouses:
        yield from wrong_warehouse(definitions, name)


def _wrong_tests(model: "SemanticModel", definitions: "Definitions") -> list[Problem]:
    """What the tests beside metrics and cohorts name and there is not; nothing is run."""
    if not any(one.tests for one in (*definitions.metrics.values(), *definitions.cohorts.values())):
        return []
    from metrics_api.serving.testing import prepared_tests

    return prepared_tests(model, definitions)[1]


def _inspected(
    model: "SemanticModel", definitions: "Definitions", folder: Path, warehouse: str
) -> tuple[list[Problem], list[Problem]]:
    """What the warehouse lacks or breaks, at the place in the files that says otherwise; and warnings."""
    from metrics_api.serving.inspection import inspect
    from metrics_api.serving.project import Project

    project = Project(model, definitions, folder, warehouse)
    try:
        findings = inspect(model, project.warehouse(), project.dialect)
    finally:
        project.close()
    placed = ((definitions.key_span(*one.path), one) for one in dict.fromkeys(findings))
    told = [
        (replace(one.problem, where=where), one.is_warning) for where, one in sorted(placed, key=lambda item: item[0])
    ]
    return [one for one, is_warning in told if not is_warning], [one for one, is_warning in told if is_warning]


def _as_json(
    problems: Sequence[Problem],
    warnings: Sequence[Problem],
    name: str | None,
    counts: Mapping[str, int],
    families: Mapping[str, int],
) -> str:
    import json

    counted = {f"{what}s": count for what, count in counts.items()}
    return json.dumps(
        {
            "valid": not problems,
            "project": name,
            "counts": counted,
            "metric_types": families,
            "problems": [_told(one) for one in problems],
            "warnings": [_told(one) for one in warnings],
        },
        indent=2,
        ensure_ascii=False,
    )


def _told(one: Problem) -> Mapping[str, object]:
    return {
        "file": one.where.file if one.where else None,
        "line": one.where.line if one.where else None,
        "column": one.where.column if one.where else None,
        "message": one.message,
        "fix": one.fix,
        "code": one.code.value,
    }
