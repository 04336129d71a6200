"""The metric families: one file each, found by being in this folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from metrics_api.definitions.base import MetricDefinition
from metrics_api.query.family import Family

SHARED = (
    "association",
    "combined",
    "composites",
    "conditions",
    "conversions",
    "counting",
    "driver_findings",
    "driver_plans",
    "flow_plans",
    "journeys",
    "membership",
    "paths",
    "relations",
    "returns",
    "scores",
    "series",
    "spells",
    "tier_plans",
    "tiers",
    "windows",
)


@cache
def families() -> Mapping[str, Family]:
    """Every family by the word people write as `type`."""
    found: dict[str, Family] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda one: one.name):
        if module.name not in SHARED:
            family: Family = importlib.import_module(f"{__name__}.{module.name}").FAMILY
            assert family.type not in found, family.type
            found[family.type] = family
    return found


def metric_types() -> Mapping[str, type[MetricDefinition]]:
    """What people write below `metrics`, by the word they write as `type`."""
    return {name: family.definition for name, family in families().items() if not family.hidden}
