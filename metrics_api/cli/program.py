"""What holds for every command: exit codes, and how errors are told."""

import os
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import typer
from typer.core import TyperGroup

from metrics_api.errors import Code, MetricsError, MissingDriver, Problem, WarehouseError

DEBUG = "METRICS_API_DEBUG"


class ExitCode(IntEnum):
    """The documented exit codes."""

    OK = 0
    WRONG = 1
    """The definitions or the question are wrong, a test failed, or a generated file is stale."""
    USAGE = 2
    WAREHOUSE = 3
    INTERNAL = 4
    INTERRUPTED = 130
    READER_GONE = 141
    """As of a program that SIGPIPE ends: `metrics-api ... | head` is no failure, but not all was written."""


class Program(TyperGroup):
    """The commands, with every error told in words and turned into an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # A reader who has gone is met here, and not when the interpreter ends.
        except BrokenPipeError:
            _drop_output()
            raise typer.Exit(ExitCode.READER_GONE) from None
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        return result

    def main(self, *args: Any, **options: Any) -> Any:
        try:
            return super().main(*args, **options)
        except MetricsError as error:
            show(error.problems)
            sys.exit(exit_code(error))
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            typer.echo(_unexpected(error), err=True)
            typer.echo(f"    Set {DEBUG}=1 to see where it happened.", err=True)
            sys.exit(ExitCode.INTERNAL)


def show(problems: Sequence[Problem]) -> None:
    """All problems, each with its place and remedy, on standard error."""
    for problem in problems:
        typer.echo(str(problem), err=True)


def exit_code(error: MetricsError) -> ExitCode:
    if isinstance(error, WarehouseError | MissingDriver):
        return ExitCode.WAREHOUSE
    return ExitCode.INTERNAL if {one.code for one in error.problems} == {Code.INTERNAL} else ExitCode.WRONG


def _unexpected(error: Exception) -> str:
    """One line. The words of an unknown error may hold a secret, those of the operating system do not."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"metrics-api made a mistake of its own ({type(error).__name__})."


def _drop_output() -> None:
    """Send what is still buffered nowhere, or the interpreter complains about it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
