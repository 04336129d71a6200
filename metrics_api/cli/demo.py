"""`metrics-api demo`: an example project with its warehouse, ready to be asked."""

import json
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metrics_api import __version__
from metrics_api.cli.ready_query import ready_query
from metrics_api.cli.schema import write_editor_schema
from metrics_api.cli.serve import Port, bound, serve_project

if TYPE_CHECKING:
    from metrics_api.datasets import Dataset
    from metrics_api.serving.project import Project

EXAMPLES = """\
Examples:

  metrics-api demo
  metrics-api demo --dataset cdnow --dir shop --no-serve
  metrics-api demo --users 200000 --days 180 --port 9000

The folder is a project: inside it every command works without further options.
"""

MARK = ".metrics-demo.json"
"""Beside the warehouse: what it was built from."""

USERS, DAYS, SEED = 20_000, 90, 7

Recipe = dict[str, Any]


class DatasetName(StrEnum):
    STREAMING = "streaming"
    CDNOW = "cdnow"


def demo(
    *,
    dataset: Annotated[
        DatasetName, typer.Option("--dataset", help="streaming is made up; cdnow is real purchases.")
    ] = DatasetName.STREAMING,
    folder: Annotated[Path, typer.Option("--dir", help="The folder to write into.")] = Path("demo"),
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Build and check, and stop there.")] = False,
    users: Annotated[
        int | None, typer.Option("--users", help=f"People, streaming only; left out: {USERS}.", show_default=False)
    ] = None,
    days: Annotated[
        int | None,
        typer.Option("--days", help=f"Days of events, streaming only; left out: {DAYS}.", show_default=False),
    ] = None,
    end: Annotated[
        datetime | None,
        typer.Option(
            "--end", formats=["%Y-%m-%d"], help="Last day, streaming only; left out: yesterday.", show_default=False
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help=f"Which people, streaming only; left out: {SEED}.", show_default=False)
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build the warehouse even if it is there.")] = False,
    port: Port = 8000,
) -> None:
    """Write an example project and its DuckDB warehouse into a folder, and serve it on 127.0.0.1.

    Definitions that are there stay as they are. The warehouse is built again only if it was built from other options.
    """
    from metrics_api.cli.project_folder import open_project
    from metrics_api.datasets import copy_definitions
    from metrics_api.datasets import dataset as dataset_named

    chosen = dataset_named(dataset.value)
    recipe = _recipe(dataset, users=users, days=days, end=end.date() if end else None, seed=seed)
    _refuse_what_is_not_ours(folder, chosen, rebuild=rebuild)
    listening = None if no_serve else bound("127.0.0.1", port, allow_anonymous=False)
    try:
        warehouse = folder / chosen.warehouse_file
        if rebuild or not warehouse.exists() or _mark(folder) != recipe:
            _build(warehouse, chosen, recipe)
        else:
            typer.echo(f"{warehouse} is there already; --rebuild makes it anew")
        for file in copy_definitions(chosen.name, folder):
            typer.echo(f"{file} written")
        project = open_project(folder, None)
        write_editor_schema(folder)
        _tell_what_next(project, folder)
        if listening is None:
            typer.echo(f"Once it is served:\n\n{ready_query(project.model, f'http://127.0.0.1:{port}')}")
        else:
            serve_project(project, listening)
    finally:
        if listening is not None:
            listening.close()


def _recipe(dataset: DatasetName, *, users: int | None, days: int | None, end: date | None, seed: int | None) -> Recipe:
    """What the warehouse is built from. A new version of this package may make other rows."""
    given = {"--users": users, "--days": days, "--end": end, "--seed": seed}
    if dataset is not DatasetName.STREAMING:
        for option, value in given.items():
            if value is not None:
                raise typer.BadParameter(f"{dataset} has no choice of it; only streaming has", param_hint=option)
        return {"dataset": dataset.value, "version": __version__}
    last = end or datetime.now(UTC).date() - timedelta(days=1)
    return {
        "dataset": dataset.value,
        "version": __version__,
        "users": USERS if users is None else users,
        "days": DAYS if days is None else days,
        "end": last.isoformat(),
        "seed": SEED if seed is None else seed,
    }


def _mark(folder: Path) -> Recipe | None:
    try:
        mark = json.loads((folder / MARK).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return mark if isinstance(mark, dict) else None


def _refuse_what_is_not_ours(folder: Path, chosen: "Dataset", *, rebuild: bool) -> None:
    """Raise BadParameter where the folder is another project, or a file would be lost."""
    from metrics_api.cli.project_folder import project_name

    mark = _mark(folder)
    other = mark.get("dataset") if mark else project_name(folder)
    if other not in (None, chosen.name):
        raise typer.BadParameter(
            f"{folder} holds the project `{other}`. Choose another folder, such as --dir demo-{chosen.name}.",
            param_hint="--dir",
        )
    warehouse = folder / chosen.warehouse_file
    if mark is None and warehouse.exists() and not rebuild:
        raise typer.BadParameter(
            f"{warehouse} was not built by this command. Choose another folder, or say --rebuild to replace the file.",
            param_hint="--dir",
        )


def _build(warehouse: Path, chosen: "Dataset", recipe: Recipe) -> None:
    with _progress(f"building {warehouse}") as progress:
        if chosen.name == DatasetName.STREAMING:
            summary = chosen.build(
                warehouse,
                users=recipe["users"],
                days=recipe["days"],
                end=date.fromisoformat(recipe["end"]),
                seed=recipe["seed"],
                # Small enough for the bar to move, and no smaller.
                shard_users=max(1_000, min(50_000, recipe["users"] // 20)),
                progress=progress,
            )
        else:
            summary = chosen.build(warehouse)
    (warehouse.parent / MARK).write_text(json.dumps(recipe, indent=2) + "\n", "utf-8")
    size = f"{summary.rows:,} events of {summary.users:,} people"
    typer.echo(f"{warehouse} built: {size}, {summary.first} to {summary.last} (UTC)")


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, one line elsewhere; what is yielded is told how many of how many people are done."""
    if not sys.stderr.isatty():
        typer.echo(what, err=True)
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _tell_what_next(project: "Project", folder: Path) -> None:
    typer.echo(f"{project.model.project.name}: {len(project.model.metrics)} metrics, no problems found")
    from metrics_api.graphql_schema.names import first_series

    commands = ["validate", "serve"]
    if (first := first_series(project.model)) is not None:
        commands[1:1] = [f'query {first.name} --last "7 days"', f"explain {first.name}"]
    # From a virtual environment that is not activated the bare name would not be found.
    beside = Path(sys.executable).with_name("metrics-api")
    is_found = shutil.which("metrics-api") is not None or not beside.exists()
    program = "metrics-api" if is_found else shlex.quote(str(beside))
    lines = [f"cd {shlex.quote(str(folder))}", *(f"{program} {one}" for one in commands)]
    typer.echo("\nTry:\n\n" + "".join(f"  {line}\n" for line in lines))
