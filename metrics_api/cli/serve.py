"""`metrics-api serve`: the GraphQL server, on this machine only unless told otherwise."""

import ipaddress
import re
import socket
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metrics_api.cli.options import ProjectFolder, RedisUrl, TargetName, WarehouseName
from metrics_api.cli.ready_query import ready_query
from metrics_api.serving.logs import LogFormat, write_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from metrics_api.serving.project import Project
    from metrics_api.serving.redis_store import RedisStore
    from metrics_api.serving.reloading import Reloading


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


EXAMPLES = """\
Examples:

  metrics-api serve
  metrics-api serve -p metrics --warehouse production --port 9000
  metrics-api serve --reload
  metrics-api serve --git-pull 60s
  METRICS_API_REDIS=redis://cache:6379/0 metrics-api serve
  metrics-api serve --host 0.0.0.0 --allow-anonymous
"""

GRACE_SECONDS = 10

Port = Annotated[int, typer.Option("--port", min=0, max=65_535, help="The port; 0 takes any that is free.")]


def serve(
    *,
    project: ProjectFolder = None,
    warehouse: WarehouseName = None,
    target: TargetName = None,
    host: Annotated[str, typer.Option("--host", help="The address to bind.")] = "127.0.0.1",
    port: Port = 8000,
    allow_anonymous: Annotated[
        bool, typer.Option("--allow-anonymous", help="Bind an address that other machines reach: anyone there may ask.")
    ] = False,
    reload: Annotated[
        bool, typer.Option("--reload", help="Read the definitions again when a file of theirs changes.")
    ] = False,
    log: Annotated[
        LogFormat, typer.Option("--log", help="How the log is written, to standard error.", envvar="METRICS_API_LOG")
    ] = LogFormat.TEXT,
    log_level: Annotated[
        LogLevel, typer.Option("--log-level", help="From what on.", envvar="METRICS_API_LOG_LEVEL")
    ] = LogLevel.INFO,
    git_pull: Annotated[
        str | None,
        typer.Option(
            "--git-pull",
            help="Fetch commits this often, such as 60s or 5m, and read the definitions again when some came.",
            envvar="METRICS_API_GIT_PULL",
            show_default=False,
        ),
    ] = None,
    redis: RedisUrl = None,
) -> None:
    """Check the definitions, then serve them through GraphQL at /graphql.

    Callers cannot be told apart yet, so only this machine may call unless --allow-anonymous is given.
    At SIGHUP the definitions are read again. Broken ones are told, and those from before are served on.
    """
    from metrics_api.cli.project_folder import find_folder, open_project
    from metrics_api.serving.reloading import Reloading

    load = partial(open_project, project, warehouse, target)
    seconds = _seconds(git_pull) if git_pull else None
    how = Reloading(load, find_folder(project), signal=True, files=reload, git_seconds=seconds)
    with bound(host, port, allow_anonymous=allow_anonymous) as listening:
        serve_project(load(), listening, how, shared_store(redis), log=log, level=log_level)


_UNITS = {"s": 1, "m": 60, "h": 3600}


def _seconds(written: str) -> float:
    """`60s` in seconds. Raises BadParameter."""
    found = re.fullmatch(r"\s*(\d{1,6})\s*([smh])\s*", written)
    if found is None or not int(found[1]):
        raise typer.BadParameter(f"`{written}`: write it as 60s, 5m or 1h", param_hint="--git-pull")
    return float(int(found[1]) * _UNITS[found[2]])


def bound(host: str, port: int, *, allow_anonymous: bool) -> socket.socket:
    """A socket on the address, before anything slow is done: who calls early waits until the server takes over.

    Raises BadParameter when the address is refused or taken.
    """
    family, address = _resolved(host, port)
    if not ipaddress.ip_address(str(address[0])).is_loopback and not allow_anonymous:
        raise typer.BadParameter(
            f"{host} can be reached from other machines, and whoever reaches it may ask anything: callers cannot be "
            "told apart yet. Leave it at 127.0.0.1, or say --allow-anonymous if something in front checks who calls.",
            param_hint="--host",
        )
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen()
    except OSError as error:
        listening.close()
        raise typer.BadParameter(
            f"cannot listen on {host}:{port}: {error.strerror}. Another port is chosen with --port.",
            param_hint="--port",
        ) from None
    return listening


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """The address a name stands for: what is judged is what is bound."""
    try:
        if not host:  # To the system an empty name means every address.
            raise OSError
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise typer.BadParameter(f"`{host}` is not an address of this machine", param_hint="--host") from None
    # `localhost` may be both; people type the older form.
    family, *_, address = min(found, key=lambda one: one[0] is not socket.AF_INET)
    return family, address


def shared_store(redis: str | None) -> "Callable[[], RedisStore] | None":
    """What opens the shared store, once it is known to be possible. Raises MissingDriver, QueryError."""
    if redis is None:
        return None
    from metrics_api.serving.redis_store import RedisStore

    RedisStore(redis)
    return partial(RedisStore, redis)


def serve_project(
    project: "Project",
    listening: socket.socket,
    how: "Reloading | None" = None,
    shared: "Callable[[], RedisStore] | None" = None,
    *,
    log: LogFormat = LogFormat.TEXT,
    level: LogLevel = LogLevel.INFO,
) -> None:
    """Serve until interrupted. Raises WarehouseError at once when the warehouse cannot be reached."""
    import uvicorn

    from metrics_api import create_app
    from metrics_api.graphql_schema.names import public_metrics

    project.warehouse()
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(project, reload=how, shared=shared),
            log_config=None,  # It goes where ours goes.
            access_log=False,  # Ours tells more.
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    url = _url(listening)
    typer.echo(f"{project.model.project.name}: serving {len(public_metrics(project.model))} metrics at {url}/graphql")
    typer.echo(f"Ask from another terminal:\n\n{ready_query(project.model, url)}\n\nCtrl-C stops it.")
    write_log(log, level.value)
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:  # Raised again once all that ran has ended.
        pass
    finally:
        project.close()
    typer.echo("Stopped.")


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
