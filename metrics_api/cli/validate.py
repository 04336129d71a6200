"""`metrics-api validate`: every problem of every file, before anything is asked."""

import sys
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
    from metrics_api.semantic.model import Metric, SemanticModel
    from metrics_api.serving.dry_run import DryRun
    from metrics_api.serving.inspection import Finding
    from metrics_api.serving.project import Project

EXAMPLES = """\
Examples:

  metrics-api validate
  metrics-api validate -p metrics --format json
  metrics-api validate --warehouse demo    and ask it about tables, promises, and every metric's SQL
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

    Exits with 1 if there is any. Nothing is asked of a warehouse unless --warehouse names one: then tables, columns and
    promises are looked at, and the warehouse checks the SQL of every metric without running it.
    """
    from metrics_api.cli.project_folder import read_project
    from metrics_api.graphql_schema.names import name_problems

    counts: Mapping[str, int] = {}
    families: Mapping[str, int] = {}
    name = None
    warnings: list[Problem] = []
    runs: list[DryRun] | None = None
    try:
        model, definitions, folder = read_project(project, target)
        name, counts = model.project.name, _counts(model, definitions)
        families = Counter(one.type for one in model.metrics.values())
        problems = [*_wrong_warehouses(definitions), *name_problems(model, definitions)]
        problems += _wrong_tests(model, definitions)
        if warehouse is not None and not problems:
            problems, warnings, runs = _asked(model, definitions, folder, warehouse)
    except DefinitionError as error:
        problems = list(error.problems)
    if format_ is FindingsFormat.JSON:
        typer.echo(_as_json(problems, warnings, name, counts, families, runs))
    else:
        show([replace(one, message=f"warning: {one.message}") for one in warnings])
        show(problems)
        _sum_up(problems, name, counts, families)
        _tell_costs(runs or ())
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


def _asked(
    model: "SemanticModel", definitions: "Definitions", folder: Path, warehouse: str
) -> "tuple[list[Problem], list[Problem], list[DryRun]]":
    """What the warehouse lacks, breaks or refuses, at the place in the files that says otherwise; and warnings."""
    from metrics_api.serving.inspection import inspect
    from metrics_api.serving.project import Project

    project = Project(model, definitions, folder, warehouse)
    try:
        findings = list(dict.fromkeys(inspect(model, project.warehouse(), project.dialect)))
        runs = list(_dry_runs(project, findings))
    finally:
        project.close()
    placed = ((definitions.key_span(*one.path), one) for one in findings)
    told = [
        (replace(one.problem, where=where), one.is_warning) for where, one in sorted(placed, key=lambda item: item[0])
    ]
    problems = [one for one, is_warning in told if not is_warning]
    problems += [run.problem for run in runs if run.problem is not None]
    return problems, [one for one, is_warning in told if is_warning], runs


def _dry_runs(project: "Project", findings: "Sequence[Finding]") -> "Iterator[DryRun]":
    """Of every metric whose tables and columns are there: what is missing has been told already."""
    from metrics_api.serving.dry_run import dry_runs

    lacking = {one.path for one in findings if not one.is_warning and len(one.path) == 2}
    every: Mapping[str, Metric] = {**project.model.metrics, **project.model.cohorts}
    whole = {
        name: one
        for name, one in every.items()
        if not any(
            ("sources", source.name) in lacking or any(("entities", who) in lacking for who in source.entities)
            for source in one.sources
        )
    }
    is_seen = sys.stderr.isatty()
    places = {name: place for place, name in enumerate(whole, 1)}
    for run in dry_runs(project, whole):
        if is_seen:
            typer.echo(f"\r\x1b[K{places[run.metric]} of {len(whole)}  {run.metric}", nl=False, err=True)
        yield run
    if is_seen:
        typer.echo("\r\x1b[K", nl=False, err=True)


MOST_COSTS = 10


def _tell_costs(runs: "Sequence[DryRun]") -> None:
    """The statements that read most, where the warehouse tells."""
    if not runs:
        return
    refused = sum(run.problem is not None for run in runs)
    taken = _many(len(runs) - refused, "statement")
    typer.echo(f"dry run: {taken} accepted" + (f", {refused} refused" if refused else ""))
    told = [run for run in runs if run.cost.rows is not None or run.cost.bytes is not None]
    told.sort(key=lambda run: (run.cost.bytes or 0, run.cost.rows or 0), reverse=True)
    for run in told[:MOST_COSTS]:
        words = [f"{run.cost.rows:,} rows"] if run.cost.rows is not None else []
        words += [_size(run.cost.bytes)] if run.cost.bytes is not None else []
        typer.echo(f"  {run.metric} ({', '.join(run.parts)}): about {', '.join(words)}")
    if len(told) > MOST_COSTS:
        typer.echo(f"  and {len(told) - MOST_COSTS:,} that read less")


def _size(count: int) -> str:
    """`1.2 GB`, in units of a thousand as warehouses bill.

    >>> _size(999), _size(1_500_000), _size(10**16)
    ('999 B', '1.5 MB', '10000.0 TB')
    """
    units = ("kB", "MB", "GB", "TB")
    if count < 1_000:
        return f"{count} B"
    power = min((len(str(count)) - 1) // 3, len(units))
    return f"{count / 1_000**power:.1f} {units[power - 1]}"


def _as_json(
    problems: Sequence[Problem],
    warnings: Sequence[Problem],
    name: str | None,
    counts: Mapping[str, int],
    families: Mapping[str, int],
    runs: "Sequence[DryRun] | None",
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
            **({} if runs is None else {"dry_runs": [_told_run(one) for one in runs]}),
        },
        indent=2,
        ensure_ascii=False,
    )


def _told_run(one: "DryRun") -> Mapping[str, object]:
    return {
        "metric": one.metric,
        "parts": one.parts,
        "accepted": one.problem is None,
        "rows": one.cost.rows,
        "bytes": one.cost.bytes,
    }


def _told(one: Problem) -> Mapping[str, object]:
    return {
        "file": one.where.file if one.where else None,
        "line": one.where.line if one.where else None,
        "column": one.where.column if one.where else None,
        "message": one.message,
        "fix": one.fix,
        "code": one.code.value,
    }
