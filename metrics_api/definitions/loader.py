"""A folder of files as `Definitions`: every name once, every field valid, every problem of every file told at once."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, TypeVar

from metrics_api.definitions.base import Definition, MetricDefinition
from metrics_api.definitions.boards import BoardDefinition
from metrics_api.definitions.cohorts import CohortDefinition
from metrics_api.definitions.company_kpis import Expansion
from metrics_api.definitions.entities import EntityDefinition
from metrics_api.definitions.names import Path, check_identifier
from metrics_api.definitions.refusal import Refusal
from metrics_api.definitions.sources import EventDefinition, ProjectDefinition, SourceDefinition
from metrics_api.definitions.targets import filled, is_target_text, may_hold_target
from metrics_api.definitions.templates import with_templates
from metrics_api.definitions.validation import found, shortened, validate
from metrics_api.definitions.warehouses import is_placeholder_text, without_secrets
from metrics_api.definitions.warmups import WarmupDefinition
from metrics_api.definitions.yaml12 import Document, Plain, read_yaml
from metrics_api.errors import DefinitionError, Problem, SourceSpan, did_you_mean

VERSION = 1
KINDS = ("sources", "entities", "events", "metrics", "cohorts", "boards", "warmups")
WORDS = ("version", "project", *KINDS)
LATER_WORDS = ("policies",)

D = TypeVar("D", bound=Definition)


@dataclass(frozen=True)
class Definitions:
    """Everything written in a folder, valid by itself; whether names lead anywhere is for `semantic.resolve`."""

    project: ProjectDefinition
    sources: Mapping[str, SourceDefinition]
    entities: Mapping[str, EntityDefinition]
    events: Mapping[str, EventDefinition]
    metrics: Mapping[str, MetricDefinition]
    cohorts: Mapping[str, CohortDefinition]
    boards: Mapping[str, BoardDefinition]
    warmups: Mapping[str, WarmupDefinition]
    hash: str
    """Changes with the content, not with comments, layout or the files things stand in."""
    files: tuple[FilePath, ...]
    """The files read, in order."""
    folder: str
    version: int = VERSION
    documents: Mapping[Path, Document] = field(default_factory=dict, repr=False, compare=False)
    """The file of the project and of each definition: `("project",)`, `("metrics", "activation")`."""
    expansions: Mapping[str, Expansion] = field(default_factory=dict, repr=False, compare=False)
    """What the templates of boards made."""
    placed: Mapping[Path, Path] = field(default_factory=dict, repr=False, compare=False)
    """Where that stands which a template made: `("metrics", "kpis_activation")` at `("boards", "kpis", "template")`."""

    def span(self, *path: str | int) -> SourceSpan:
        """Where a value stands: `span("metrics", "activation", "within")`. Unwritten: the nearest value around it."""
        path = self.placed.get(path[:2], path)
        document = self._document(path)
        return document.span(*path) if document else SourceSpan(self.folder)

    def key_span(self, *path: str | int) -> SourceSpan:
        """Where a key stands: `key_span("metrics", "activation")` is the metric's name."""
        path = self.placed.get(path[:2], path)
        document = self._document(path)
        return document.key_span(*path) if document else SourceSpan(self.folder)

    def span_inside(self, path: Path, line: int, column: int) -> SourceSpan:
        """Where a line and column (from 1) of a text stand that is written as a block; else where the text begins."""
        document = self._document(path)
        return document.span_inside(path, line, column) if document else SourceSpan(self.folder)

    def written_cards(self, board: str) -> Mapping[str, Any]:
        """The cards of a board as they stand in the file."""
        written: Any = self.documents["boards", board].data
        found: Mapping[str, Any] = written["boards"][board].get("cards") or {}
        return found

    def _document(self, path: Path) -> Document | None:
        return self.documents.get(path[:1] if path[:1] == ("project",) else path[:2])


def read_definitions(
    folder: FilePath | str,
    families: Mapping[str, type[MetricDefinition]],
    *,
    shown_from: FilePath | None = None,
    target: str | None = None,
) -> Definitions:
    """Read every definition file below a folder, or the one file given.

    `families` maps a metric's `type` to its class; `target` is one of the project's, instead of its default. Raises
    DefinitionError with all problems, in order of place; files are named as seen from `shown_from`, or else from the
    folder.
    """
    folder = FilePath(folder)
    reading = _Reading(families, target)
    files = tuple(definition_files(folder))
    for file in files:
        reading.read(file, _shown(file, folder, shown_from))
    definitions = reading.definitions(folder, files)
    if definitions is not None and definitions.boards:
        definitions = with_templates(definitions, families, reading.problems.append)
    if reading.problems:
        raise DefinitionError(sorted(reading.problems, key=_place))
    assert definitions is not None
    return definitions


def definition_files(folder: FilePath) -> Iterator[FilePath]:
    """The `*.yml` and `*.yaml` files below a folder in a stable order, without those of tools and environments."""
    if folder.is_file():
        yield folder
        return
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one not in ("node_modules", "venv"))
        for name in sorted(names):
            if name.endswith((".yml", ".yaml")) and not name.startswith("."):
                yield FilePath(parent, name)


def _shown(file: FilePath, folder: FilePath, shown_from: FilePath | None) -> str:
    start = shown_from or (folder if folder.is_dir() else folder.parent)
    return FilePath(os.path.relpath(file, start)).as_posix()


def _place(problem: Problem) -> tuple[str, int, int, str]:
    where = problem.where or SourceSpan("", 0, 0)
    return where.file, where.line, where.column, problem.message


@dataclass(frozen=True, slots=True)
class _Entry:
    """A definition as it was written, and the file that it stands in."""

    document: Document
    written: Plain


@dataclass
class _Reading:
    """The files read so far: their entries by kind and name, and the problems met."""

    families: Mapping[str, type[MetricDefinition]]
    target: str | None = None
    problems: list[Problem] = field(default_factory=list)
    project: _Entry | None = None
    entries: dict[str, dict[str, _Entry]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    has_unread_files: bool = False

    # Files

    def read(self, file: FilePath, shown: str) -> None:
        try:
            document = read_yaml(file, shown_as=shown, keep_going=True)
        except DefinitionError as error:
            self.problems += error.problems
            self.has_unread_files = True
            return
        self.problems += document.problems
        if document.data is None:
            return
        if not isinstance(document.data, dict):
            self.refuse(
                document.span(),
                f"expected top-level words such as `metrics:`, found {found(document.data)}",
                f"The top-level words are {', '.join(f'`{word}`' for word in WORDS)}.",
            )
            return
        if document.has_placeholders:
            self.check_placeholders(document)
        for word, written in document.data.items():
            self.add_word(document, word, written)

    def add_word(self, document: Document, word: str, written: Plain) -> None:
        where = document.key_span(word)
        if word in LATER_WORDS:
            self.refuse(where, f"`{word}` come with a later release", "Take the block out of the files until then.")
        elif word not in WORDS:
            fix = did_you_mean(word, WORDS, what="top-level words")
            self.refuse(where, f"`{shortened(word)}` is not a top-level word", fix)
        elif word == "version":
            if written != VERSION or isinstance(written, bool):
                self.refuse(
                    document.span(word),
                    f"version {found(written)} of the file format is not known",
                    f"This release reads `version: {VERSION}`.",
                )
        elif word == "project":
            if self.project:
                first = self.project.document.key_span("project")
                self.refuse(
                    where,
                    f"there is a second project; the first is at {first}",
                    "Keep one of them, or name the folder of one project.",
                )
            else:
                self.project = _Entry(document, written)
        elif isinstance(written, dict):
            for name, one in written.items():
                self.add_entry(document, word, name, one)
        elif written is not None:
            self.refuse(
                document.span(word),
                f"{word}: expected names with their definitions, found {found(written)}",
                "Write one `name:` per line, with its fields below it.",
            )

    def add_entry(self, document: Document, kind: str, name: str, written: Plain) -> None:
        where = document.key_span(kind, name)
        try:
            check_identifier(name)
        except Refusal as refusal:
            self.refuse(where, f"{kind}: {refusal.message}", refusal.fix)
        other = {"metrics": "cohorts", "cohorts": "metrics"}.get(kind, kind)
        if other != kind and (first := self.entries[other].get(name)):
            self.refuse(
                where,
                f"{kind}: `{name}` is one of the {other} already, at {first.document.key_span(other, name)}",
                "Rename one of them; what is asked of one can be asked of the other.",
            )
        if first := self.entries[kind].get(name):
            self.refuse(
                where,
                f"{kind}: `{name}` exists already, at {first.document.key_span(kind, name)}",
                "Rename one of them; names are unique over all files.",
            )
            return
        self.entries[kind][name] = _Entry(document, written)

    def check_placeholders(self, document: Document) -> None:
        for path, is_key, text in document.texts():
            if "${" not in text:
                continue
            where = document.key_span(*path) if is_key else document.span(*path)
            if not is_key and may_hold_target(path) and "${target" in text:
                if not is_target_text(text):
                    self.refuse(
                        where,
                        "`${` in the name of a table must hold a key of the target",
                        "Write `${target.schema}`, with lower-case letters, digits and `_`.",
                    )
                continue
            # project.warehouses.NAME.SETTING, where the engine's name itself must be plain.
            inside = path[:2] == ("project", "warehouses") and len(path) > 3 and path[3:] != ("type",)
            if not inside or is_key:
                self.refuse(
                    where,
                    "`${...}` is read only in the settings of `project.warehouses`, and as `${target...}` in the "
                    "names of tables",
                    "Write the value itself; there are no templates elsewhere.",
                )
            elif not is_placeholder_text(text):
                self.refuse(
                    where,
                    "`${` must hold the name of an environment variable",
                    "Write `${NAME}`, with letters, digits and `_`.",
                )

    # Definitions

    def definitions(self, folder: FilePath, files: Sequence[FilePath]) -> Definitions | None:
        """All of them once every file is read; incomplete, and not to be used, when there are problems."""
        project = self.read_project(folder, files)
        if project is not None:
            self.aim(project)
        sources = self.read_all("sources", SourceDefinition)
        entities = self.read_all("entities", EntityDefinition)
        events = self.read_all("events", EventDefinition)
        metrics = self.read_metrics()
        cohorts = self.read_all("cohorts", CohortDefinition)
        boards = self.read_all("boards", BoardDefinition)
        warmups = self.read_all("warmups", WarmupDefinition)
        if project is None or self.problems:
            return None
        assert self.project is not None
        documents: dict[Path, Document] = {("project",): self.project.document}
        for kind, entries in self.entries.items():
            documents |= {(kind, name): entry.document for name, entry in entries.items()}
        return Definitions(
            project=project,
            sources=sources,
            entities=entities,
            events=events,
            metrics=metrics,
            cohorts=cohorts,
            boards=boards,
            warmups=warmups,
            hash=content_hash(
                project,
                {
                    "sources": sources,
                    "entities": entities,
                    "events": events,
                    "metrics": metrics,
                    "cohorts": cohorts,
                    "boards": boards,
                    "warmups": warmups,
                },
            ),
            files=tuple(files),
            folder=folder.as_posix(),
            documents=documents,
        )

    def read_project(self, folder: FilePath, files: Sequence[FilePath]) -> ProjectDefinition | None:
        if self.project is None:
            if not self.has_unread_files:
                self.problems.append(_no_project(folder, files))
            return None
        document = self.project.document
        project = self.validated(ProjectDefinition, self.project, ("project",), "project")
        if project is None:
            return None
        places: dict[str, dict[Path, SourceSpan]] = {}
        if document.has_placeholders:
            for path, is_key, text in document.texts():
                if "${" in text and not is_key and path[:2] == ("project", "warehouses"):
                    places.setdefault(str(path[2]), {})[path[3:]] = document.span(*path)
        warehouses = {name: one.placed(places.get(name, {})) for name, one in project.warehouses.items()}
        return project.model_copy(update={"warehouses": warehouses}).aimed(self.target)

    def aim(self, project: ProjectDefinition) -> None:
        """Write the values of the project's target into the names of tables."""
        assert self.project is not None
        if self.target is not None and self.target not in project.targets:
            self.refuse(
                self.project.document.key_span("project", "targets"),
                f"there is no target `{self.target}`",
                did_you_mean(self.target, project.targets, what="targets"),
            )
            return
        for kind in ("sources", "entities"):
            for name, entry in self.entries[kind].items():
                if entry.document.has_placeholders:
                    written = filled(entry.written, entry.document, (kind, name), project, self.problems.append)
                    self.entries[kind][name] = _Entry(entry.document, written)

    def read_all(self, kind: str, model: type[D]) -> dict[str, D]:
        found_valid: dict[str, D] = {}
        for name, entry in self.entries[kind].items():
            if (definition := self.validated(model, entry, (kind, name), name)) is not None:
                found_valid[name] = definition
        return found_valid

    def read_metrics(self) -> dict[str, MetricDefinition]:
        found_valid: dict[str, MetricDefinition] = {}
        for name, entry in self.entries["metrics"].items():
            if (family := self.family(name, entry)) is None:
                continue
            if (definition := self.validated(family, entry, ("metrics", name), name)) is not None:
                found_valid[name] = definition
        return found_valid

    def family(self, name: str, entry: _Entry) -> type[MetricDefinition] | None:
        """The class of a metric, by its `type`."""
        document, written = entry.document, entry.written
        if not isinstance(written, dict):
            self.refuse(
                document.span("metrics", name),
                f"{name}: expected `key: value` lines, found {found(written)}",
                "A metric begins with its `type:`.",
            )
        elif "type" not in written:
            fix = f"The types are {', '.join(f'`{one}`' for one in sorted(self.families))}."
            self.refuse(document.key_span("metrics", name), f"{name}: `type` is missing", fix)
        elif isinstance(word := written["type"], str) and word in self.families:
            return self.families[word]
        else:
            remedy = did_you_mean(str(word), self.families, what="types")
            where = document.span("metrics", name, "type")
            self.refuse(where, f"{name}: {found(word)} is not a type of metric", remedy)
        return None

    def validated(self, model: type[D], entry: _Entry, path: Path, title: str) -> D | None:
        document, written = entry.document, entry.written
        empty: list[Path] = []
        if document.has_nulls and isinstance(written, dict):
            written = _without_empty(written, (), empty)
            self.problems += [
                Problem(
                    f"{'.'.join(str(part) for part in (title, *one))}: is empty",
                    document.key_span(*path, *one),
                    "Write a value, or leave the line out.",
                )
                for one in empty
            ]
        if model is EventDefinition and isinstance(written, dict):
            written = {"name": title, **written}
        redact = ("warehouses",) if model is ProjectDefinition else None
        definition, problems = validate(model, written, document, path, title=title, redact=redact, told=empty)
        self.problems += problems
        return definition

    def refuse(self, where: SourceSpan, message: str, fix: str | None = None) -> None:
        self.problems.append(Problem(message, where, fix))


def _without_empty(written: dict[str, Plain], path: Path, empty: list[Path]) -> dict[str, Plain]:
    """The fields that have values; the paths of the others are added to `empty`. Free mappings stay as they are."""
    kept: dict[str, Plain] = {}
    for key, value in written.items():
        here = (*path, key)
        if value is None:
            empty.append(here)
        elif isinstance(value, dict) and here != ("tests",) and path != ("warehouses",):
            kept[key] = _without_empty(value, here, empty)
        else:
            kept[key] = value
    return kept


def _no_project(folder: FilePath, files: Sequence[FilePath]) -> Problem:
    remedy = "Begin with a file `project.yml` that holds `project: {name: ...}`."
    if not folder.exists():
        return Problem(f"there is no folder `{folder.as_posix()}`", fix="Name the folder of the definition files.")
    if not files:
        return Problem(f"the folder `{folder.as_posix()}` holds no definition files (*.yml, *.yaml)", fix=remedy)
    return Problem(f"no file below `{folder.as_posix()}` has a `project`", fix=remedy)


def content_hash(project: ProjectDefinition, kinds: Mapping[str, Mapping[str, Definition]]) -> str:
    """A hash of all that is defined, the same for any layout of the files, and without secrets written in plain."""
    digest = hashlib.sha256()

    def add(kind: str, name: str, definition: Definition) -> None:
        digest.update(f"{kind}\0{name}\0".encode())
        digest.update(definition.model_dump_json(by_alias=True, warnings=False, fallback=str).encode())
        digest.update(b"\0")

    add("project", "", project.model_copy(update={"warehouses": {}}))
    for name, warehouse in sorted(project.warehouses.items()):
        shown = {"type": warehouse.type, **without_secrets(warehouse.settings)}
        digest.update(f"warehouse\0{name}\0{json.dumps(shown, sort_keys=True, default=str)}\0".encode())
    for kind in KINDS:
        for name, definition in sorted(kinds[kind].items()):
            add(kind, name, definition)
    return digest.hexdigest()
