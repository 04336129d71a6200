"""`metrics-api query`: the answer of one metric, as a table or as data."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metrics_api.cli.options import ProjectFolder, TargetName, WarehouseName, asking
from metrics_api.cli.written import Format

if TYPE_CHECKING:
    from metrics_api.query.metric_query import MetricQuery
    from metrics_api.results import Answer
    from metrics_api.serving.project import Project

EXAMPLES = """\
Examples:

  metrics-api query videos_watched --last "4 weeks" --grain week --by platform
  metrics-api query activation --from 2026-01-01 --within "7 days"
  metrics-api query app_opens --where "country = 'DE'" --format csv > opens.csv
  metrics-api query daily_actives --format arrow --output actives.arrows
  metrics-api query watch_frequency --members tier=power --attributes plan
"""


@asking
def query(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The metric, or cohort.")],
    project: ProjectFolder = None,
    warehouse: WarehouseName = None,
    target: TargetName = None,
    format_: Annotated[Format, typer.Option("--format", "-f", help="How the answer is written.")] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file instead of standard output.", show_default=False)
    ] = None,
    words: dict[str, Any],
) -> None:
    """Answer one metric: its rows over time, the steps of a funnel, tiers or the people in them.

    Without a range it is the project's default_range, without a grain days.
    """
    if format_ is Format.ARROW and output is None and sys.stdout.isatty():
        raise typer.BadParameter("Arrow is not for a terminal: pipe it, or give --output FILE", param_hint="--format")
    from metrics_api.cli.project_folder import open_project
    from metrics_api.cli.tables import more
    from metrics_api.cli.written import write
    from metrics_api.serving.asking import ask

    asked = ask(name, **words)
    opened = open_project(project, warehouse, target)
    try:
        answer = _answer(opened, asked)
        metric = opened.model.metrics.get(name) or opened.model.cohorts[name]
        write(answer, metric, format_, output)
    finally:
        opened.close()
    if answer.info.truncated and format_ is not Format.TABLE:
        typer.echo(more(answer), err=True)


def _answer(project: "Project", asked: "MetricQuery") -> "Answer":
    if not sys.stderr.isatty():
        return project.answer(asked)
    from rich.console import Console

    with Console(stderr=True).status("asking the warehouse"):
        return project.answer(asked)
