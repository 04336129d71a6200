"""The warehouses: one file each, with its dialect (how it says things) and its connection (how it is reached)."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from metrics_api.definitions.loader import Definitions
from metrics_api.engines.warehouse import Warehouse
from metrics_api.errors import Problem, QueryError, did_you_mean
from metrics_api.sql.dialect import Dialect

SHARED = (
    "bigquery_rows",
    "clickhouse_rows",
    "google_cloud",
    "oauth",
    "pool",
    "settings",
    "snowflake_login",
    "warehouse",
)
GROUP = "metrics_api.engines"


@dataclass(frozen=True, slots=True)
class Engine:
    """A kind of warehouse: `connect` takes its settings and the project's folder, and imports the driver."""

    name: str
    dialect: Dialect
    connect: Callable[[Mapping[str, object], Path], Warehouse] | None = None
    """None: it compiles, and cannot be connected to in this release."""
    settings: tuple[str, ...] | None = None
    """The settings that `connect` reads; None: they are not checked."""


@cache
def engines() -> Mapping[str, Engine]:
    """Every engine by the word people write as `type`; third parties add theirs by the entry point group."""
    found: dict[str, Engine] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda one: one.name):
        if module.name not in SHARED:
            engine: Engine = importlib.import_module(f"{__name__}.{module.name}").ENGINE
            found[engine.name] = engine
    for name, one in _plug_ins().items():
        if isinstance(one, Engine):
            found.setdefault(name, one)
    return found


@cache
def _plug_ins() -> Mapping[str, Engine | str]:
    """The engines of other packages by name, and of those that cannot be used, why. One never breaks another."""
    return {point.name: _loaded(point) for point in entry_points(group=GROUP)}


def _loaded(point: EntryPoint) -> Engine | str:
    package = f"the package `{point.dist.name}`" if point.dist else f"`{point.value}`"
    try:
        found = point.load()
    except Exception as error:  # noqa: BLE001 - what a stranger's module raises when it is imported is not known
        said = str(error).strip().partition("\n")[0]
        return f"{package} cannot be imported: {type(error).__name__}{f': {said}' if said else ''}"
    if not isinstance(found, Engine):
        return f"`{point.value}` of {package} is a {type(found).__name__}, and no metrics_api.engines.Engine"
    if not found.name == found.dialect.name == point.name:
        return f"{package} calls it `{found.name}`, and its dialect `{found.dialect.name}`"
    return found


def _unusable(name: str) -> str | None:
    """Why the plug-in of this name cannot be used; None where there is none, or it can."""
    known = _plug_ins().get(name)
    return known if isinstance(known, str) and name not in engines() else None


_BROKEN_FIX = "Mend or upgrade the package that brings the engine, or uninstall it."


def wrong_warehouse(definitions: Definitions, name: str) -> list[Problem]:
    """What is wrong with a warehouse's definition: its engine, or a setting that the engine does not have."""
    written = definitions.project.warehouses[name]
    here = f"project.warehouses.{name}"
    where = definitions.span("project", "warehouses", name, "type")
    if (why := _unusable(written.type)) is not None:
        return [Problem(f"{here}: the engine `{written.type}` cannot be used: {why}", where, _BROKEN_FIX)]
    if written.type not in engines():
        fix = did_you_mean(written.type, engines(), what="engines")
        return [Problem(f"{here}: there is no engine `{written.type}`", where, fix)]
    known = engines()[written.type].settings
    return [
        Problem(
            f"{here}: {written.type} has no setting `{setting}`",
            definitions.key_span("project", "warehouses", name, setting),
            did_you_mean(setting, known, what=f"settings of {written.type}"),
        )
        for setting in written.settings
        if known is not None and setting not in known
    ]


def engine(name: str) -> Engine:
    """The engine of that name; raises QueryError with the nearest one, or why a plug-in cannot be used."""
    known = engines()
    if (why := _unusable(name)) is not None:
        raise QueryError(f"the engine `{name}` cannot be used: {why}", fix=_BROKEN_FIX)
    if name not in known:
        raise QueryError(f"there is no engine `{name}`", fix=did_you_mean(name, known, what="engines"))
    return known[name]
