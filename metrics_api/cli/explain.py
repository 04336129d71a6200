"""`metrics-api explain`: how a metric is computed, as a story and as SQL, without asking the warehouse."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metrics_api.cli.options import ProjectFolder, TargetName, WarehouseName, asking
from metrics_api.errors import MetricsError

if TYPE_CHECKING:
    from metrics_api.serving.project import Explained

EXAMPLES = """\
Examples:

  metrics-api explain activation
  metrics-api explain videos_watched --last "8 weeks" --by platform
  metrics-api explain --all --dialect duckdb --no-plan > metrics.sql

What is written is SQL that runs as it is: the plan stands in comments.
"""


@asking
def explain(
    *,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Metrics.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Every metric of the project.")] = False,
    dialect: Annotated[
        str | None, typer.Option("--dialect", "-d", help="An engine; left out: the warehouse's.", show_default=False)
    ] = None,
    plan: Annotated[bool, typer.Option("--plan/--no-plan", help="Tell the plan before the SQL.")] = True,
    project: ProjectFolder = None,
    warehouse: WarehouseName = None,
    target: TargetName = None,
    words: dict[str, Any],
) -> None:
    """Tell how metrics are computed: the plan as a story, and the SQL of a dialect.

    Nothing is asked of the warehouse; the data is taken to reach up to now.
    """
    if every == bool(names):
        raise typer.BadParameter("name metrics, or say --all", param_hint="NAME")
    from metrics_api.cli.project_folder import open_project

    opened = open_project(project, warehouse, target)
    errors: list[MetricsError] = []
    for name in names or opened.model.metrics:
        try:
            _print(opened.explain(name, dialect=dialect, **words), plan=plan)
        except MetricsError as error:
            errors.append(error)
    if errors:
        every_problem = [problem for error in errors for problem in error.problems]
        raise MetricsError(list(dict.fromkeys(every_problem)))


def _print(explained: "Explained", *, plan: bool) -> None:
    text = f"{explained.sql};\n"
    if plan:
        story = "".join(f"-- {line}\n" for line in explained.story.splitlines())
        text = f"-- {explained.metric} on {explained.dialect}\n{story}{text}"
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.syntax import Syntax

        # Soft wrapping: what is copied from the terminal is what was written.
        Console().print(Syntax("", "sql", theme="ansi_dark").highlight(text), soft_wrap=True)
    else:
        typer.echo(text)
