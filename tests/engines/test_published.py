"""`docs/engines.md` shows each operation and the engines on which it is executed, as these tests have it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from engines.test_every_engine import UNSUPPORTED
from families.engines import EVERY
from metrics_api.engines import engines
from metrics_api.plan.expr import OPERATIONS

PAGE = Path(__file__).parents[2] / "docs" / "engines.md"
PLACE = re.compile(r"(<!-- operations: .*? -->\n).*?(<!-- end of operations -->)", re.DOTALL)


def table() -> str:
    names = [*EVERY, *(name for name in engines() if name not in EVERY)]
    lines = [("operation", "meaning", *names), ("---",) * (2 + len(names))]
    for operation, meaning in OPERATIONS.items():
        lines.append((f"`{operation.rstrip('_')}`", meaning, *(state(operation, name) for name in names)))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def state(operation: str, engine: str) -> str:
    if (operation, engine) in UNSUPPORTED:
        return "no"
    return "executed" if engine in EVERY else "compiles"


def test_the_page_has_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    wanted = PLACE.sub(lambda found: found[1] + table() + found[2], text)
    if os.environ.get("SNAPSHOT_UPDATE"):
        PAGE.write_text(wanted, encoding="utf-8")
        text = wanted
    assert PLACE.search(text)
    assert text == wanted, "docs/engines.md has another table; SNAPSHOT_UPDATE=1 rewrites it"
