"""`metrics-api test`: the tests that stand beside the metrics, run without their warehouse."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metrics_api.cli.options import ProjectFolder, TargetName
from metrics_api.cli.program import ExitCode, exit_code, show
from metrics_api.errors import DefinitionError

if TYPE_CHECKING:
    from metrics_api.serving.testing import Outcome

EXAMPLES = """\
Examples:

  metrics-api test
  metrics-api test activation watch_frequency.three_days_is_core
  metrics-api test --warehouse production    on that engine; no table is read
  metrics-api test --junit report.xml
"""


def run_metric_tests(
    *,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Metrics, or METRIC.TEST.", show_default=False)
    ] = None,
    project: ProjectFolder = None,
    warehouse: Annotated[
        str | None,
        typer.Option(
            "--warehouse", "-w", help="Run on this warehouse's engine; left out: on DuckDB.", show_default=False
        ),
    ] = None,
    target: TargetName = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="Write the outcomes as JUnit XML as well.", show_default=False)
    ] = None,
) -> None:
    """Run the tests of the metrics: their events, their question, and the rows they expect.

    They run on a DuckDB in memory, or on the engine of --warehouse; their events are part of the statement, so that no
    table is read or written. In a difference `-` is a row that was expected, `+` the one found.
    """
    from metrics_api.cli.project_folder import read_project
    from metrics_api.serving.testing import prepared_tests, run_tests

    model, definitions, folder = read_project(project, target)
    tests, problems = prepared_tests(model, definitions, names or ())
    if problems:
        raise DefinitionError(problems)
    if not tests:
        typer.echo(f"{', '.join(names) if names else model.project.name}: there are no tests")
        typer.echo("    Write `tests:` below a metric: events, a query, and the rows to expect.")
    outcomes = []
    for outcome in run_tests(model, definitions, folder, tests, warehouse) if tests else ():
        outcomes.append(outcome)
        _tell(outcome)
    if junit is not None:
        junit.write_text(_as_junit(model.project.name, outcomes), "utf-8")
    if not outcomes:
        return
    failed = [one for one in outcomes if not one.passed]
    summary = f"{len(outcomes) - len(failed)} passed" + (f", {len(failed)} failed" if failed else "")
    typer.echo(f"\n{summary} in {sum(one.seconds for one in outcomes):.1f} s")
    if failed:
        raise typer.Exit(max((exit_code(one.error) for one in failed if one.error), default=ExitCode.WRONG))


def _tell(outcome: "Outcome") -> None:
    typer.echo(f"{'passed' if outcome.passed else 'FAILED'}  {outcome.title}")
    for line in outcome.differences:
        typer.echo(f"    {line}")
    if outcome.error is not None:
        show(outcome.error.problems)


def _as_junit(project: str, outcomes: Sequence["Outcome"]) -> str:
    from xml.etree import ElementTree as ET

    counts = {
        "tests": str(len(outcomes)),
        "failures": str(sum(bool(one.differences) for one in outcomes)),
        "errors": str(sum(one.error is not None for one in outcomes)),
        "time": f"{sum(one.seconds for one in outcomes):.3f}",
    }
    suite = ET.Element("testsuite", {"name": project, **counts})
    for one in outcomes:
        metric, _, name = one.title.partition(".")
        case = ET.SubElement(suite, "testcase", classname=metric, name=name, time=f"{one.seconds:.3f}")
        if one.differences:
            ET.SubElement(case, "failure", message="other rows").text = "\n".join(one.differences)
        if one.error is not None:
            ET.SubElement(case, "error", message=one.error.problems[0].message).text = str(one.error)
    ET.indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(suite, encoding="unicode")}\n'
