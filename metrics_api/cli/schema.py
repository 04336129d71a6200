"""`metrics-api schema`: the files generated from the definitions and their language."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from metrics_api.cli.options import ProjectFolder, TargetName
from metrics_api.cli.program import ExitCode

EXAMPLES = """\
Examples:

  metrics-api schema
  metrics-api schema -p metric_definitions/streaming --out openapi
  metrics-api schema --check                 in CI: 1 if a file is stale
  metrics-api schema --editor                after a new name: only what editors read

For completion in an editor, begin a file of definitions with:

  # yaml-language-server: $schema=.metrics-api/definitions.schema.json
"""

EDITOR_SCHEMA = ".metrics-api/definitions.schema.json"
"""Inside the project's folder: the file format with the project's own names."""


def schema(
    *,
    project: ProjectFolder = None,
    target: TargetName = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write into.")] = Path("openapi"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 if a file is stale.")] = False,
    editor: Annotated[bool, typer.Option("--editor", help="Write only the file for editors.")] = False,
) -> None:
    """Write definitions.schema.json (the file format), schema.graphql and openapi.json (the project's API).

    Beside them .metrics-api/definitions.schema.json in the project's folder, for editors: it knows the project's own
    events, metrics and other names. It is not for version control, and --check leaves it alone.
    """
    if editor and check:
        raise typer.BadParameter("the file for editors is not checked", param_hint="--editor")
    if not check:
        typer.echo(f"{write_editor_schema(project, target)} written")
    if editor:
        return
    generated = {out / name: text for name, text in _generated(project, target)}
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


def write_editor_schema(project: Path | None, target: str | None = None) -> Path:
    """Write the schema that knows the project's names; its references need not lead anywhere yet."""
    from metrics_api.cli.project_folder import find_folder
    from metrics_api.definitions.json_schema import project_schema
    from metrics_api.definitions.loader import read_definitions
    from metrics_api.engines import engines
    from metrics_api.families import metric_types

    folder = find_folder(project)
    known = metric_types()
    schema = project_schema(known, read_definitions(folder, known, shown_from=Path.cwd(), target=target), engines())
    file = (folder if folder.is_dir() else folder.parent) / EDITOR_SCHEMA
    file.parent.mkdir(exist_ok=True)
    (file.parent / ".gitignore").write_text("*\n", "utf-8")
    file.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return file


def _generated(project: Path | None, target: str | None) -> Iterator[tuple[str, str]]:
    from metrics_api import Project, openapi_document
    from metrics_api.cli.project_folder import read_project
    from metrics_api.definitions.json_schema import definitions_schema
    from metrics_api.families import metric_types
    from metrics_api.graphql_schema import build_schema, print_sdl

    written = definitions_schema(metric_types())
    yield "definitions.schema.json", json.dumps(written, indent=2, ensure_ascii=False) + "\n"
    model, definitions, folder = read_project(project, target)
    yield "schema.graphql", print_sdl(build_schema(model, definitions))
    yield "openapi.json", openapi_document(Project(model, definitions, folder))
