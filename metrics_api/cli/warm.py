"""`metrics-api warm`: asks what people will ask, into the store that a server shares, or by the server itself."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metrics_api.cli.options import ProjectFolder, RedisUrl, TargetName, WarehouseName
from metrics_api.cli.program import ExitCode

if TYPE_CHECKING:
    from rich.progress import Progress

    from metrics_api.serving.project import Project

EXAMPLES = """\
Examples:

  metrics-api warm                       every warmup of the project, into the Redis of METRICS_API_REDIS
  metrics-api warm morning asked_most
  metrics-api warm morning --server http://127.0.0.1:8000
  metrics-api warm --loop                by their schedules, until it is interrupted
"""

NOT_SHARED = """\
There is no store that a server shares: what is asked now is kept for this command alone, and is gone at its end.
(A warehouse that keeps results itself may still answer faster afterwards.) Give the Redis of the servers (--redis,
or METRICS_API_REDIS), or let a running server warm itself (--server http://127.0.0.1:8000).
"""


def warm(
    *,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="The warmups; left out: all.", show_default=False)
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Go on: run each by its schedule, until interrupted.")] = False,
    server: Annotated[
        str | None,
        typer.Option("--server", help="Ask this server to warm itself, and watch it.", show_default=False),
    ] = None,
    redis: RedisUrl = None,
    project: ProjectFolder = None,
    warehouse: WarehouseName = None,
    target: TargetName = None,
) -> None:
    """Ask the questions of warmups before people ask them.

    Nothing is asked whose answer is kept and has half of its time left; one that was interrupted goes on where it
    was. Exit code 3 when a question failed at the warehouse, 1 when one cannot be asked.
    """
    if server is not None:
        from metrics_api.cli.warm_server import warm_server

        if loop:
            raise typer.BadParameter("a server has its own schedule", param_hint="--loop")
        raise typer.Exit(warm_server(server.rstrip("/"), names or [], project, target))
    if redis is None:
        typer.echo(NOT_SHARED, err=True)
    opened = _opened(names or [], project, warehouse, target)
    try:
        runs = []
        if loop:
            asyncio.run(_loop(opened, redis))
        for one, wanted in opened:
            runs += asyncio.run(_once(one, wanted, redis))
    finally:
        for one, _ in opened:
            one.close()
    raise typer.Exit(exit_code(runs))


def _opened(
    names: Sequence[str], folder: Any, warehouse: str | None, target: str | None
) -> "list[tuple[Project, list[str]]]":
    """The projects to ask, each on the target and warehouse that its warmups are for. Raises QueryError."""
    from metrics_api.cli.project_folder import open_project
    from metrics_api.query.warmups import warmup_named

    usual = open_project(folder, warehouse, target)
    wanted = {name: warmup_named(usual.model, name) for name in names} or dict(usual.model.warmups)
    if not wanted:
        usual.close()
        typer.echo("The project defines no warmups.", err=True)
        raise typer.Exit(ExitCode.WRONG)
    places: dict[tuple[str | None, str | None], list[str]] = {}
    for name, one in wanted.items():
        places.setdefault((one.warehouse or warehouse, one.target or target), []).append(name)
    return [
        (usual if place == (warehouse, target) else open_project(folder, *place), names)
        for place, names in places.items()
    ]


async def _once(project: "Project", names: Sequence[str], redis: str | None) -> list[dict[str, Any]]:
    from metrics_api.serving.redis_store import RedisStore
    from metrics_api.serving.service import Service
    from metrics_api.serving.warmups.running import Run
    from metrics_api.serving.warmups.workers import runner_of

    store = RedisStore(redis) if redis else None
    if store is not None and not await store.is_there():
        await store.close()
        typer.echo("Redis does not answer: nothing could be kept for others.", err=True)
        raise typer.Exit(ExitCode.WAREHOUSE)
    service = Service(project, shared=store)
    runner = runner_of(service, store)
    runs: list[dict[str, Any]] = []
    try:
        with progress() as bar:
            for name in names:
                task = bar.add_task(name, total=None)

                def tell(run: Run, task: Any = task) -> None:
                    bar.update(task, total=run.questions or None, completed=run.done)

                runs.append((await runner.run(name, tell)).told)
    finally:
        await runner.close()
        await service.settled()
        await service.close()
    summary(runs, is_kept=store is not None)
    return runs


async def _loop(opened: "Sequence[tuple[Project, list[str]]]", redis: str | None) -> None:
    """Run by their schedules until interrupted, on every warehouse at once."""
    await asyncio.gather(*(_loop_on(project, names, redis) for project, names in opened))


async def _loop_on(project: "Project", names: Sequence[str], redis: str | None) -> None:
    from metrics_api.serving.redis_store import RedisStore
    from metrics_api.serving.service import Service
    from metrics_api.serving.warmups.schedule import Schedule
    from metrics_api.serving.warmups.workers import runner_of

    store = RedisStore(redis) if redis else None
    service = Service(project, shared=store)
    runner = runner_of(service, store)
    schedule = Schedule(runner, only=names, ended=lambda run: summary([run.told], is_kept=store is not None))
    schedule.start()
    for name in names:
        when = schedule.next_of(name) if name in schedule.warmups else "only when it is asked for: it has no `schedule`"
        typer.echo(f"{name}: next {when}")
    try:
        await asyncio.Event().wait()
    finally:
        await schedule.close()
        await runner.close()
        await service.close()


def progress() -> "Progress":
    """A bar for each warmup, on standard error and only where somebody looks."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=not console.is_terminal)


def summary(runs: Sequence[dict[str, Any]], *, is_kept: bool = True) -> None:
    """What each run did, and what failed; for how long answers are ready where they are kept for anybody."""
    import time

    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="")
    for name in ("warmup", "questions", "ready", "statements", "failed", "seconds", "rows read", "bytes read"):
        table.add_column(name, justify="left" if name == "warmup" else "right")
    for run in runs:
        if run["state"] == "skipped":
            typer.echo(f"{run['warmup']}: another worker has run it")
            continue
        counts = (run[name] for name in ("questions", "ready", "statements", "failed"))
        read = ("-" if run[name] is None else f"{run[name]:,}" for name in ("rows_read", "bytes_read"))
        table.add_row(run["warmup"], *(f"{one:,}" for one in counts), f"{run['seconds']:.1f}", *read)
    Console(width=120, markup=False, highlight=False).print(table)
    warm = sum(run["done"] - run["failed"] for run in runs)
    until = [run["warm_until"] for run in runs if run["warm_until"] is not None]
    if warm and is_kept:
        minutes = max(0, round((min(until) - time.time()) / 60))
        typer.echo(f"{warm:,} answers are ready, the first to go in {minutes:,} minutes.")
    for run in runs:
        for one in run["problems"]:
            typer.echo(f"{run['warmup']}: {one['question']}: {one['message']}", err=True)


def exit_code(runs: Sequence[dict[str, Any]]) -> ExitCode:
    codes = {one["code"] for run in runs for one in run["problems"]}
    if any(run["state"] == "interrupted" for run in runs):
        return ExitCode.WAREHOUSE
    if codes == {"INTERNAL"}:
        return ExitCode.INTERNAL
    if not codes:
        return ExitCode.OK
    return ExitCode.WAREHOUSE if codes & {"WAREHOUSE_ERROR", "DEADLINE", "TOO_BUSY"} else ExitCode.WRONG
