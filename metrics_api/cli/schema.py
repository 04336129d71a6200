"""`metrics-api schema`: the files generated from the definitions and their language."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from metrics_api.cli.options import ProjectFolder
from metrics_api.cli.program import ExitCode

EXAMPLES = """\
Examples:

  metrics-api schema
  metrics-api schema -p metric_definitions/streaming --out openapi
  metrics-api schema --check                 in CI: 1 if a file is stale

For completion in an editor, begin a file of definitions with:

  # yaml-language-server: $schema=openapi/definitions.schema.json
"""


def schema(
    *,
    project: ProjectFolder = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write into.")] = Path("openapi"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 if a file is stale.")] = False,
) -> None:
    """Write definitions.schema.json (the file format, for editors) and schema.graphql (the project's API)."""
    generated = {out / name: text for name, text in _generated(project)}
    stale = [file for file, text in generated.items() if not file.is_file() or file.read_text("utf-8") != text]
    if check:
        for file in stale:
            typer.echo(f"{file} is {'stale' if file.exists() else 'missing'}", err=True)
        if stale:
            typer.echo("    Run `metrics-api schema` and commit what it writes.", err=True)
            raise typer.Exit(ExitCode.WRONG)
        typer.echo(f"{', '.join(str(file) for file in generated)}: up to date")
        return
    out.mkdir(parents=True, exist_ok=True)
    for file, text in generated.items():
        if file in stale:
            file.write_text(text, "utf-8")
        typer.echo(f"{file} {'written' if file in stale else 'is up to date'}")


def _generated(project: Path | None) -> Iterator[tuple[str, str]]:
    from metrics_api.cli.project_folder import read_project
    from metrics_api.definitions.json_schema import definitions_schema
    from metrics_api.families import families
    from metrics_api.graphql_schema import build_schema, print_sdl

    written = definitions_schema({name: family.definition for name, family in families().items()})
    yield "definitions.schema.json", json.dumps(written, indent=2, ensure_ascii=False) + "\n"
    model, definitions, _ = read_project(project)
    yield "schema.graphql", print_sdl(build_schema(model, definitions))
