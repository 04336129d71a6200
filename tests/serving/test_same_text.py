"""A question that is asked again is the same text: caches of results in warehouses know statements by it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from families.asking import KnownThrough
from metrics_api.compile.project import load_model
from metrics_api.serving.asking import ask

STREAMING = Path(__file__).parents[2] / "metric_definitions" / "streaming"
MODEL, DEFINITIONS = load_model(STREAMING)
NOON = datetime(2026, 6, 30, 12)
# What has another value at each reading, on any engine.
UNSTABLE = re.compile(r"\b(now|random|rand|uuid\w*|current_\w+|getdate|sysdate|localtime\w*)\b", re.IGNORECASE)


@pytest.mark.parametrize("metric", MODEL.metrics)
def test_a_minute_later_the_text_is_the_same(metric: str) -> None:
    texts = set()
    for later in (timedelta(), timedelta(seconds=61, microseconds=7)):
        project = KnownThrough(MODEL, DEFINITIONS, STREAMING, clock=lambda later=later: NOON + later)
        project.through = datetime(2026, 6, 30, 11, 40)
        texts.add(project.prepared(ask(metric, last="14 days")).statement.sql)
    (text,) = texts
    assert not UNSTABLE.search(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)), text
