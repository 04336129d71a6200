"""The metric families: one file each, found by being in this folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from metrics_api.query.family import Family

SHARED = ("combined", "counting", "relations", "scores", "series", "tier_plans", "tiers", "windows")


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
