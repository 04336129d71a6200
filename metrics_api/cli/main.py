"""`metrics-api`: the commands put together."""

from typing import Annotated

import typer

from metrics_api import __version__
from metrics_api.cli import board, demo, doctor, explain, init, query, schema, serve, test, validate, warm
from metrics_api.cli.program import Program

EPILOG = """\
Begin with:

  metrics-api demo             an example project and its warehouse, served
  metrics-api init --help      a project of your own, from two events
  metrics-api validate         in a folder of definitions
  metrics-api doctor           is the warehouse as they say?
  metrics-api query videos_watched --last "7 days"

Exit codes:

  0    well
  1    the definitions or the question are wrong, a test failed, or a generated file is stale
  2    the command was not understood, or what it asks for is refused
  3    the warehouse failed
  4    something unexpected
  130  interrupted
"""

app = typer.Typer(
    cls=Program,
    help="Metrics defined in YAML, computed in the warehouse, served through GraphQL.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # `Program` tells errors; a traceback is for whoever asks for it.
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - how typer calls it
    if wanted:
        typer.echo(f"metrics-api {__version__}")
        raise typer.Exit


@app.callback()
def before_any_command(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    """The options that stand before a command."""


app.command(epilog=init.EXAMPLES)(init.init)
app.command(epilog=validate.EXAMPLES)(validate.validate)
app.command(epilog=doctor.EXAMPLES)(doctor.doctor)
app.command(epilog=schema.EXAMPLES)(schema.schema)
app.command("test", epilog=test.EXAMPLES)(test.run_metric_tests)
app.command(epilog=explain.EXAMPLES)(explain.explain)
app.command(epilog=query.EXAMPLES)(query.query)
app.command(epilog=board.EXAMPLES)(board.board)
app.command(epilog=serve.EXAMPLES)(serve.serve)
app.command(epilog=warm.EXAMPLES)(warm.warm)
app.command(epilog=demo.EXAMPLES)(demo.demo)
