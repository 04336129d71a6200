"""`metrics-api warm --server`: a running server warms itself, and is watched."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from metrics_api.cli.program import ExitCode
from metrics_api.cli.warm import exit_code, progress, summary


def warm_server(url: str, names: Sequence[str], project: Path | None, target: str | None) -> ExitCode:
    """Begin each warmup and wait for its end. Without names all that the server has."""
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter("write it as http://HOST:PORT", param_hint="--server")
    names = names or [one["name"] for one in _asked(f"{url}/v1/warmups")["warmups"]]
    runs = []
    with progress() as bar:
        for name in names:
            task = bar.add_task(name, total=None)
            run = _asked(f"{url}/v1/warmups", {"warmup": name})
            while (run := _asked(f"{url}/v1/warmups/{run['id']}"))["state"] in ("waiting", "running"):
                bar.update(task, total=run["questions"] or None, completed=run["done"])
                time.sleep(0.2)
            bar.update(task, total=run["questions"] or None, completed=run["done"])
            runs.append(_as_ours(run))
    summary(runs)
    return exit_code(runs)


def _as_ours(run: dict[str, Any]) -> dict[str, Any]:
    from datetime import datetime

    until = run["warm_until"]
    return {**run, "warm_until": datetime.fromisoformat(until).timestamp() if until else None}


def _asked(url: str, body: dict[str, str] | None = None) -> Any:
    """What the server says. Its refusals, and a server that is not there, end the command."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            told = error.read()
        try:
            message = json.loads(told)["errors"][0]["message"]
        except (ValueError, LookupError):
            message = f"the server answers {error.code}"
        typer.echo(message, err=True)
        raise typer.Exit(ExitCode.WRONG) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        typer.echo(f"{url}: no answer ({reason})", err=True)
        raise typer.Exit(ExitCode.WAREHOUSE) from None
