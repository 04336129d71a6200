"""The demonstration data sets: what they are called, how they are built, and the example project of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from metrics_api.datasets.cdnow import build_cdnow
from metrics_api.datasets.new_warehouse import Summary
from metrics_api.datasets.streaming import build_streaming
from metrics_api.errors import Code, MetricsError, Problem, did_you_mean

__all__ = ["DATASETS", "Dataset", "Summary", "build_cdnow", "build_streaming", "copy_definitions", "dataset"]

# In a wheel the example projects travel inside the package; in the repository they stand at the top.
_DEFINITIONS = (
    Path(__file__).parents[1] / "_definitions",
    Path(__file__).parents[2] / "metric_definitions",
)
_EDITOR_HINT = "# yaml-language-server: $schema="


@dataclass(frozen=True, slots=True)
class Dataset:
    """A demonstration. `build` takes the path of the new warehouse; its options, if any, have defaults."""

    name: str
    title: str
    description: str
    warehouse_file: str  # as the example project calls it
    build: Callable[..., Summary]
    definitions: str


DATASETS: Mapping[str, Dataset] = MappingProxyType(
    {
        one.name: one
        for one in (
            Dataset(
                name="streaming",
                title="Streaming (synthetic)",
                description="A made-up video app: sign-ups, visits, videos watched. No row comes from a person.",
                warehouse_file="streaming.duckdb",
                build=build_streaming,
                definitions="streaming",
            ),
            Dataset(
                name="cdnow",
                title="CDNOW (real purchases)",
                description="69,659 purchases of 23,570 customers of a CD shop, 1997 to mid-1998 (Fader and Hardie).",
                warehouse_file="cdnow.duckdb",
                build=build_cdnow,
                definitions="cdnow",
            ),
        )
    }
)


def dataset(name: str) -> Dataset:
    """The data set of that name, or an error that lists them."""
    if name not in DATASETS:
        raise MetricsError(
            Problem(
                f"there is no data set `{name}`",
                fix=did_you_mean(name, DATASETS, what="data sets"),
                code=Code.UNKNOWN_NAME,
            )
        )
    return DATASETS[name]


def copy_definitions(name: str, folder: Path) -> tuple[Path, ...]:
    """Copy the example project of a data set into `folder` and return the files written.

    Files that exist are left as they are: somebody may have edited them.
    """
    source = _definitions_of(dataset(name))
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for original in sorted(source.glob("*.yml")):
        copy = folder / original.name
        if not copy.exists():
            copy.write_text(_with_own_schema(original.read_text(encoding="utf-8")), encoding="utf-8")
            written.append(copy)
    return tuple(written)


def _definitions_of(one: Dataset) -> Path:
    for place in _DEFINITIONS:
        if (place / one.definitions).is_dir():
            return place / one.definitions
    raise MetricsError(
        Problem(f"the example project of `{one.name}` is missing from this installation", fix="Install it again.")
    )


def _with_own_schema(text: str) -> str:
    """The text with the schema of its own folder in its first line, where it names one."""
    first, _, rest = text.partition("\n")
    return f"{_EDITOR_HINT}.metrics-api/definitions.schema.json\n{rest}" if first.startswith(_EDITOR_HINT) else text
