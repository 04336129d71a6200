"""`metrics-api query`: the answer of one metric, as a table or as data."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metrics_api.cli.options import (
    AsOf,
    Bins,
    By,
    Compare,
    ExcludeCurrent,
    From,
    Grain,
    LastUnits,
    Limit,
    Measures,
    Order,
    Overall,
    Part,
    ProjectFolder,
    Subtotals,
    TargetName,
    TimeZone,
    To,
    Top,
    WarehouseName,
    Where,
    Within,
    question,
)
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
"""


def query(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The metric.")],
    project: ProjectFolder = None,
    warehouse: WarehouseName = None,
    target: TargetName = None,
    start: From = None,
    end: To = None,
    last: LastUnits = None,
    exclude_current: ExcludeCurrent = False,
    timezone: TimeZone = None,
    as_of: AsOf = None,
    grain: Grain = None,
    by: By = None,
    where: Where = None,
    measures: Measures = None,
    overall: Overall = False,
    part: Part = None,
    top: Top = None,
    bins: Bins = None,
    subtotals: Subtotals = False,
    compare: Compare = None,
    within: Within = None,
    order: Order = None,
    limit: Limit = None,
    format_: Annotated[Format, typer.Option("--format", "-f", help="How the answer is written.")] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file instead of standard output.", show_default=False)
    ] = None,
) -> None:
    """Answer one metric: its rows over time, or the steps of a funnel.

    Without a range it is the project's default_range, without a grain days.
    """
    if format_ is Format.ARROW and output is None and sys.stdout.isatty():
        raise typer.BadParameter("Arrow is not for a terminal: pipe it, or give --output FILE", param_hint="--format")
    words = question(
        start=start, end=end, last=last, exclude_current=exclude_current, grain=grain, by=by, where=where,
        measures=measures, overall=overall, within=within, order=order, limit=limit, timezone=timezone, as_of=as_of,
        top=top, bins=bins, subtotals=subtotals, compare=compare, part=part,
    )  # fmt: skip
    from metrics_api.cli.project_folder import open_project
    from metrics_api.cli.written import write
    from metrics_api.serving.asking import ask

    asked = ask(name, **words)  # type: ignore[arg-type]
    opened = open_project(project, warehouse, target)
    try:
        answer = _answer(opened, asked)
        write(answer, opened.model.metrics[name].label, format_, output)
    finally:
        opened.close()
    if answer.info.truncated and format_ is not Format.TABLE:
        typer.echo(f"cut at {answer.info.row_count:,} rows; ask for more with --limit", err=True)


def _answer(project: "Project", asked: "MetricQuery") -> "Answer":
    if not sys.stderr.isatty():
        return project.answer(asked)
    from rich.console import Console

    with Console(stderr=True).status("asking the warehouse"):
        return project.answer(asked)
