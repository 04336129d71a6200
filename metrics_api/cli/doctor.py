"""`metrics-api doctor`: what is fine, doubtful and wrong about a warehouse, and what to do."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from metrics_api.cli.options import ProjectFolder, TargetName, WarehouseName
from metrics_api.cli.program import ExitCode

if TYPE_CHECKING:
    from metrics_api.serving.doctor import Finding
    from metrics_api.serving.project import Project

EXAMPLES = """\
Examples:

  metrics-api doctor
  metrics-api doctor --warehouse production --since 2026-01-01
  metrics-api doctor --json | jq '.findings[] | select(.level != "fine")'
"""


def doctor(
    *,
    project: ProjectFolder = None,
    warehouse: WarehouseName = None,
    target: TargetName = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Look at rows from this UTC date on. Left out: at the last 30 days where a source has a partition, "
            "else at all rows.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the findings as JSON.")] = False,
) -> None:
    """Ask a warehouse whether it is as the definitions say, and whether answers from it can be trusted.

    Looks at connection, grants, tables, columns and types; at whether times are UTC and still come, ids are there,
    events occur and copies are few; at identity maps and tables of attributes. Counts are asked for, and never rows.
    Exits with 1 if anything is wrong; what is doubtful is for people to judge.
    """
    from metrics_api.cli.project_folder import open_project
    from metrics_api.serving.doctor import examine

    opened = open_project(project, warehouse, target)
    found: list[Finding] = []
    subject: tuple[str, ...] = ()
    try:
        for finding in examine(opened, since):
            found.append(finding)
            if as_json:
                continue
            if finding.path[0] in _KINDS and finding.path[:2] != subject:
                subject = finding.path[:2]
                typer.echo(f"\n{_KINDS[subject[0]]} {subject[1]}  {opened.definitions.key_span(*subject)}")
            _tell(opened, finding)
    finally:
        opened.close()
    counts = Counter(one.level.value for one in found)
    if as_json:
        typer.echo(_as_json(opened, found, counts))
    else:
        typer.echo("\n" + ", ".join(f"{counts[level]} {level}" for level in ("fine", "doubtful", "wrong")))
    if counts["wrong"]:
        raise typer.Exit(ExitCode.WRONG)


_KINDS = {"sources": "source", "entities": "entity"}
"""What stands above its findings; events stand among those of their source."""
_COLOURS = {"fine": typer.colors.GREEN, "doubtful": typer.colors.YELLOW, "wrong": typer.colors.RED}


def _tell(project: "Project", finding: "Finding") -> None:
    """A line, and below it what to do."""
    level = typer.style(f"{finding.level.value:<8}", fg=_COLOURS[finding.level.value])
    where = "" if finding.level.value == "fine" else f"{finding.where(project.definitions)}  "
    typer.echo(f"  {level}  {where}{finding.message}")
    if finding.fix:
        typer.echo(f"            {finding.fix}")


def _as_json(project: "Project", found: "Sequence[Finding]", counts: Counter[str]) -> str:
    import json

    def told(one: "Finding") -> dict[str, object]:
        where = one.where(project.definitions)
        return {
            "level": one.level.value,
            "check": one.check,
            "about": ".".join(one.path),
            "message": one.message,
            "fix": one.fix,
            "file": where.file,
            "line": where.line,
            "column": where.column,
        }

    return json.dumps(
        {
            "healthy": not counts["wrong"],
            "project": project.model.project.name,
            "warehouse": project.warehouse_name,
            "engine": project.dialect.name,
            "counts": {level: counts[level] for level in ("fine", "doubtful", "wrong")},
            "findings": [told(one) for one in found],
        },
        indent=2,
        ensure_ascii=False,
    )
