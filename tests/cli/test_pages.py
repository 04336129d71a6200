"""The README's example is run as it is printed, and the pages speak of what there is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from metrics_api.compile.pipeline import passes
from metrics_api.compile.strategies import Abilities, active_days, journey, scores
from metrics_api.definitions.boards import BoardDefinition, CardDefinition
from metrics_api.definitions.company_kpis import CHANNELS, Ask, company_kpis
from metrics_api.definitions.entities import (
    AttributeDefinition,
    AttributesDefinition,
    EntityDefinition,
    IdentityMapDefinition,
    KeyColumn,
)
from metrics_api.definitions.names import bare
from metrics_api.definitions.sources import (
    EventDefinition,
    EventTable,
    PartitionColumn,
    ProjectDefinition,
    PropertyDefinition,
    SourceDefinition,
    TargetDefinition,
)
from metrics_api.engines import engines
from metrics_api.errors import Code
from metrics_api.families import families
from metrics_api.graphql_schema.context import RequestLimits
from metrics_api.plan import nodes
from metrics_api.plan.expr import OPERATIONS
from metrics_api.query.limits import Limits
from tests.cli.conftest import ROOT, Invoke

README = (ROOT / "README.md").read_text("utf-8")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def commands(console: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block, and the lines it printed."""
    for block in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, *printed = block.rstrip("\n").split("\n")
        yield command, printed


def test_what_the_readme_shows(tmp_path: Path, invoke: Invoke) -> None:
    folder = tmp_path
    compared = 0
    for language, text in FENCED.findall(README):
        if language == "yaml":
            assert len(text.splitlines()) == 10
            (folder / "binges.yml").write_text(text, "utf-8")
        for command, printed in commands(text) if language == "console" else ():
            program, *args = shlex.split(command)
            if program == "cd":
                folder /= args[0]
                continue
            assert program == "metrics-api"
            result = invoke(folder, *args)
            assert result.exit_code == 0, result.stderr
            if printed:
                assert [line.rstrip() for line in result.stdout.rstrip().split("\n")] == printed
                compared += 1
    assert compared == 3
    misspelt = next(text for language, text in FENCED.findall(README) if not language)
    (folder / "binges.yml").write_text(
        (folder / "binges.yml").read_text("utf-8").replace("watched_video", "watched_vido"), "utf-8"
    )
    assert invoke(folder, "validate").stderr == misspelt


@pytest.mark.parametrize("file", ["README.md", *(f"docs/{one.name}" for one in (ROOT / "docs").glob("*.md"))])
def test_links_lead_somewhere(file: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("https://"):  # Of others; nothing is asked of them here.
            continue
        path, _, anchor = target.partition("#")
        linked = (ROOT / file).parent / path if path else ROOT / file
        assert linked.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", linked.read_text("utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor in anchors, target


@pytest.mark.parametrize(
    "definition",
    [
        ProjectDefinition,
        SourceDefinition,
        EventDefinition,
        PropertyDefinition,
        PartitionColumn,
        EventTable,
        TargetDefinition,
        EntityDefinition,
        AttributesDefinition,
        AttributeDefinition,
        KeyColumn,
        IdentityMapDefinition,
        *(family.definition for family in families().values()),
    ],
    ids=lambda one: one.__name__,
)
def test_the_language_reference_has_every_field(definition: type) -> None:
    told = page("definitions.md")
    written = {field.alias or name for name, field in definition.model_fields.items()}  # type: ignore[attr-defined]
    untold = [name for name in written if not re.search(rf"`{name}[`:]", told)]
    assert untold == []


@pytest.mark.parametrize("definition", [BoardDefinition, CardDefinition], ids=lambda one: one.__name__)
def test_the_page_of_boards_has_every_field_and_card(definition: type) -> None:
    told = page("boards.md")
    written = {field.alias or name for name, field in definition.model_fields.items()}  # type: ignore[attr-defined]
    made = company_kpis(Ask("b", {"event": "a"}, None, {"event": "a"}, CHANNELS))
    names = {*written, *made.cards, *CHANNELS}
    assert {name for name in names if f"`{name}`" not in told} == set()


@pytest.mark.parametrize("family", sorted(families()))
def test_the_language_reference_has_every_choice_of_a_metric(family: str) -> None:
    told = page("definitions.md")
    for field in families()[family].definition.model_fields.values():
        for choice in get_args(bare(field.annotation)):
            if isinstance(choice, str):
                assert f"`{choice}`" in told or choice == family, choice


def test_the_language_reference_has_every_engine() -> None:
    told = page("definitions.md")
    assert [name for name in engines() if f"`{name}`" not in told] == []


def test_the_architecture_page_has_the_plan_language() -> None:
    told = page("architecture.md")
    names = [*OPERATIONS, *(one.__name__ for one in get_args(nodes.Plan))]
    names += [*active_days.STRATEGIES, *scores.STRATEGIES, *journey.STRATEGIES]
    names += [getattr(one, "func", one).__name__ for one in passes(Abilities(bitmap_days=0, has_asof=False))]
    assert [name for name in names if f"`{name}`" not in told] == []


def test_the_graphql_page_has_the_limits_and_the_codes() -> None:
    told = page("graphql.md")
    for limits in (RequestLimits(), Limits()):
        for field in fields(limits):
            assert re.search(rf"\b{getattr(limits, field.name):,}\b", told), field.name
    assert [code for code in Code if f"`{code}`" not in told] == []
