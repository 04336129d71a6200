"""`python -m metrics_api.testkit my_tests:TestMine`: every check, and the table of what came out."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from metrics_api.errors import MetricsError
from metrics_api.testkit.kit import State, summary
from metrics_api.testkit.suite import EngineTests


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 1 where a check failed, 2 where there is nothing to check."""
    parser = argparse.ArgumentParser(prog="python -m metrics_api.testkit", description=__doc__)
    parser.add_argument("tests", help="MODULE:CLASS, a subclass of metrics_api.testkit.EngineTests")
    module, _, name = parser.parse_args(arguments).tests.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), name or "-", None)
    except ModuleNotFoundError as error:
        parser.error(f"there is no module `{error.name}`")
    if not (isinstance(found, type) and issubclass(found, EngineTests)):
        parser.error(f"`{name}` of `{module}` is no subclass of metrics_api.testkit.EngineTests")
    told = []
    try:
        for one in found().outcomes():
            told.append(one)
            if one.state is State.FAILED:
                sys.stderr.write(f"FAILED  {one.check}\n")
    except MetricsError as error:
        parser.error(str(error))
    sys.stdout.write(f"{summary(told)}\n")
    return int(any(one.state is State.FAILED for one in told))


if __name__ == "__main__":
    sys.exit(main())
