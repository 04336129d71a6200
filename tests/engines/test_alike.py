"""Every connection does what all of them do alike: the checks of the kit for plug-ins, on our own engines."""

from __future__ import annotations

from functools import partial

import pytest

from families.engines import ENGINES, type_of, warehouse_with
from metrics_api.engines import engines
from metrics_api.testkit.connections import CONNECTION_CHECKS, Holds


@pytest.mark.parametrize("holds", [one for _, one in CONNECTION_CHECKS], ids=[name for name, _ in CONNECTION_CHECKS])
@pytest.mark.parametrize("engine", ENGINES)
def test_connection(holds: Holds, engine: str) -> None:
    holds(partial(warehouse_with, engine), engines()[type_of(engine)])
