"""`docs/engines.md` shows the operations and cases, and where each is executed, as these tests have it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from engines.operations import BY_DOCUMENTATION
from engines.test_every_engine import UNSUPPORTED
from families.engines import DIFFERENT_CASES, EVERY
from metrics_api.engines import engines
from metrics_api.plan.expr import OPERATIONS
from metrics_api.testkit.cases import cases_below

PAGE = Path(__file__).parents[2] / "docs" / "engines.md"
PLACE = r"(<!-- {0}: .*? -->\n).*?(<!-- end of {0} -->)"


def of_operations() -> str:
    names = [*EVERY, *(name for name in engines() if name not in EVERY)]
    lines = [("operation", "meaning", *names), ("---",) * (2 + len(names))]
    for operation, meaning in OPERATIONS.items():
        lines.append((f"`{operation.rstrip('_')}`", meaning, *(state(operation, name) for name in names)))
    return _written(lines)


def of_cases() -> str:
    """How many cases of each family give on each engine the rows that were worked out, and how many do not."""
    cases = list(cases_below())
    lines = [("family", "cases", *EVERY), ("---",) * (2 + len(EVERY))]
    for family in sorted({case.family for case in cases}):
        own = [str(case) for case in cases if case.family == family]
        different = {engine: sum((engine, name) in DIFFERENT_CASES for name in own) for engine in EVERY}
        counts = [f"{len(own) - less}{f', {less} differ' if less else ''}" for less in different.values()]
        lines.append((f"`{family}`", str(len(own)), *counts))
    whys = [f"* {engine}, `{name}`: {reason}\n" for (engine, name), reason in DIFFERENT_CASES.items()]
    return _written(lines) + "".join(["\n", *whys] if whys else [])


def _written(lines: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def state(operation: str, engine: str) -> str:
    if (operation, engine) in UNSUPPORTED:
        return "no"
    if engine in BY_DOCUMENTATION:
        return "by its documentation"
    return "executed" if engine in EVERY else "compiles"


@pytest.mark.parametrize(("name", "table"), [("operations", of_operations), ("cases", of_cases)])
def test_the_page_has_the_table(name: str, table: Callable[[], str]) -> None:
    text, place = PAGE.read_text(encoding="utf-8"), re.compile(PLACE.format(name), re.DOTALL)
    wanted = place.sub(lambda found: found[1] + table() + found[2], text)
    if os.environ.get("SNAPSHOT_UPDATE"):
        PAGE.write_text(wanted, encoding="utf-8")
        text = wanted
    assert place.search(text)
    assert text == wanted, "docs/engines.md has another table; SNAPSHOT_UPDATE=1 rewrites it"


def test_what_differs_is_a_case() -> None:
    assert {name for _, name in DIFFERENT_CASES} <= {str(case) for case in cases_below()}
    assert {engine for engine, _ in DIFFERENT_CASES} <= {*EVERY}
