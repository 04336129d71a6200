"""Real purchases that the developers have beside the repository: https://archive.ics.uci.edu/dataset/352 by invoice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NAME = "retail1011.parquet"


def retail() -> Path:
    """The file that METRICS_API_RETAIL names, else `shared/data/` beside the repository or above; skips without it."""
    named = os.environ.get("METRICS_API_RETAIL")
    places = [Path(named)] if named else [one / "shared" / "data" / NAME for one in Path(__file__).parents]
    for place in places:
        if place.is_file():
            return place
    pytest.skip(f"{NAME} is not here: a check of the developers' own (METRICS_API_RETAIL may name it)")
