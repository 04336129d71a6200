"""Our curves of first returns, and the oracle's, are those of lifelines, the usual package for survival in Python.

It is asked in an environment of its own, by `make test-engines` and in CI: it needs an older pandas than our drivers.
The example of the textbooks is a case: `metrics_api/testkit/case_files/interval/kaplan_meier.case.yml`.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import isclose
from pathlib import Path

import pytest

from environments import NotInstalled, missing, python_with
from families.asking import project_over
from families.oracles.interval import kaplan_meier
from families.oracles.world import Event, World

REQUIREMENTS = Path(__file__).parents[2] / "lifelines_requirements.txt"
ASKING = """
import json, sys
from lifelines import KaplanMeierFitter
found = []
for followed in json.load(sys.stdin):
    fitter = KaplanMeierFitter().fit([time for time, _ in followed], [came for _, came in followed])
    staying, table = fitter.survival_function_["KM_estimate"], fitter.event_table
    counts = [(time, *map(int, table.loc[time, ["at_risk", "observed", "censored"]])) for time in table.index]
    found.append([[*one, 1 - staying[one[0]]] for one in counts if one[2] + one[3]])
print(json.dumps(found))
"""
Followed = Sequence[tuple[int, bool]]
FIRST = datetime(2025, 1, 1)
DAYS = 120


def lifelines(asked: Sequence[Followed]) -> list[list[list[float]]]:
    """(time, at risk, returned, censored, share of all) of each."""
    if not (os.environ.get("CI") or "METRICS_API_ENGINES" in os.environ):
        pytest.skip("`make test-engines` asks lifelines")
    try:
        python = python_with("lifelines", REQUIREMENTS.read_text("utf-8"))
    except NotInstalled as error:
        missing(error)
    command = [str(python), "-c", ASKING]
    ran = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)  # type: ignore[no-any-return]


def alike(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> bool:
    return len(ours) == len(theirs) and all(
        tuple(mine[:4]) == tuple(other[:4]) and isclose(mine[4], other[4], abs_tol=1e-12)
        for mine, other in zip(ours, theirs, strict=True)
    )


def test_the_oracle_is_as_lifelines() -> None:
    drawing = random.Random(6)
    asked: list[Followed] = [
        [(drawing.randint(1, drawing.choice((3, 30))), drawing.random() < 0.6) for _ in range(drawing.randint(1, 40))]
        for _ in range(200)
    ]
    for followed, theirs in zip(asked, lifelines(asked), strict=True):
        steps = kaplan_meier(followed)
        ours = [(one.after, one.at_risk, one.returned, one.censored, float(one.share_of_all)) for one in steps]
        assert alike(ours, theirs), followed


def test_we_are_as_lifelines() -> None:
    drawing = random.Random(60)
    events = []
    for n in range(400):
        day = drawing.randint(0, DAYS - 2)
        while day < DAYS:
            at = FIRST + timedelta(days=day, seconds=drawing.randint(0, 86_399))
            events.append(Event("watch", f"u{n}", at, {}))
            day += drawing.choice((1, 1, 2, 3, 7, 7, 14, 30, 90))
    world = World(tuple(events), "UTC", 0, FIRST + timedelta(days=DAYS))
    project = project_over(world, "rhythm: {type: interval, on: watch, follow_up: 1 day}")
    last = FIRST.date() + timedelta(days=DAYS - 1)
    rows = project.query("rhythm", start=FIRST.date(), end=last, parts="curve").to_pylist()
    names = ("after", "at_risk", "returned", "censored", "share_of_all")
    followed = [
        (row["after"], came) for row in rows for came in (True, False)
        for _ in range(row["returned" if came else "censored"])
    ]  # fmt: skip
    (summary,) = project.query("rhythm", start=FIRST.date(), end=last).to_pylist()
    assert len(followed) == summary["users"]
    (theirs,) = lifelines([followed])
    assert alike([[row[name] for name in names] for row in rows], theirs)
