"""Everything that an engine is held to, as a list of checks; how to run them, and the table of what came out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from metrics_api.engines import Engine, engine
from metrics_api.engines.warehouse import spoken_by
from metrics_api.errors import MetricsError, UnsupportedByEngine
from metrics_api.plan.expr import OPERATIONS
from metrics_api.sql.dialect import Dialect
from metrics_api.testkit.cases import Case, cases_below, expected, found
from metrics_api.testkit.connections import CONNECTION_CHECKS, Holds
from metrics_api.testkit.examples import Example, Rows, agree, answers
from metrics_api.testkit.operations import EXAMPLES
from metrics_api.testkit.projects import Filled


class Kind(StrEnum):
    """What a check is about."""

    OPERATION = "operation"
    CASE = "case"
    CONNECTION = "connection"


@dataclass(frozen=True)
class Subject:
    """An engine, and how tables get there."""

    engine: Engine
    filled: Filled


@dataclass(frozen=True)
class Check:
    """One thing that an engine has to do; `holds` raises AssertionError when it does not."""

    kind: Kind
    name: str
    about: tuple[str, ...]
    """The operations shown, or the family asked."""
    holds: Callable[[Subject], None]

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name}"


class State(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    UNSUPPORTED = "unsupported"
    """The dialect refuses in so many words, before anything runs."""
    DIFFERENT = "different"
    """It does not hold, as declared, with a reason."""
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """What came of a check, and why."""

    check: Check
    state: State
    reason: str = ""
    seconds: float = 0.0


def subject(name: str, filled: Filled) -> Subject:
    """The engine of a name, as people would write it in `type`. Raises QueryError where there is none."""
    return Subject(engine(name), filled)


def run(
    subject: Subject, different: Mapping[str, str] | None = None, checks: Iterable[Check] | None = None
) -> Iterator[Outcome]:
    """What comes of each check. `different` says of some, by their names, why they do not hold on this engine."""
    for check in CHECKS if checks is None else checks:
        yield outcome(check, subject, (different or {}).get(str(check)))


def outcome(check: Check, subject: Subject, different: str | None = None) -> Outcome:
    """What comes of a check; one that is declared different and holds after all has failed."""
    begun = time.perf_counter()
    try:
        check.holds(subject)
        state, reason = State.PASSED, ""
    except UnsupportedByEngine as error:
        state, reason = State.UNSUPPORTED, error.problems[0].message
    except (AssertionError, MetricsError) as error:
        state, reason = State.FAILED, str(error)
    except Exception as error:  # noqa: BLE001 - an engine under test may raise anything
        state, reason = State.FAILED, f"{type(error).__name__}: {error}"
    if different is not None:
        holds = state is State.PASSED
        state = State.FAILED if holds else State.DIFFERENT
        reason = f"is declared different ({different}), and holds" if holds else different
    return Outcome(check, state, reason, time.perf_counter() - begun)


def summary(outcomes: Iterable[Outcome]) -> str:
    """Two tables in Markdown, of operations and of families, and below them what failed."""
    told = list(outcomes)
    lines = ["| operation | examples | passed | unsupported | different | failed |", "|---|---|---|---|---|---|"]
    for operation in OPERATIONS:
        own = [one for one in told if one.check.kind is Kind.OPERATION and operation in one.check.about]
        lines.append(_line(f"`{operation.rstrip('_')}`", own))
    relations = [one for one in told if one.check.kind is Kind.OPERATION and not one.check.about]
    lines += [_line("relations", relations), "", "| family | cases | passed | unsupported | different | failed |"]
    lines.append("|---|---|---|---|---|---|")
    cases = [one for one in told if one.check.kind is Kind.CASE]
    for family in dict.fromkeys(one.check.about[0] for one in cases):
        lines.append(_line(f"`{family}`", [one for one in cases if one.check.about == (family,)]))
    lines.append(_line("connection", [one for one in told if one.check.kind is Kind.CONNECTION]))
    lines += ["", _counted(told)]
    lines += [f"\nFAILED  {one.check}\n    {one.reason}" for one in told if one.state is State.FAILED]
    return "\n".join(lines)


def _line(name: str, own: list[Outcome]) -> str:
    counts = [sum(one.state is state for one in own) for state in State]
    return f"| {name} | {len(own)} | {' | '.join(str(count or '') for count in counts)} |"


def _counted(told: list[Outcome]) -> str:
    counts = {state: sum(one.state is state for one in told) for state in State}
    words = ", ".join(f"{count:,} {state.value}" for state, count in counts.items() if count)
    return f"{len(told):,} checks in {sum(one.seconds for one in told):.0f} s: {words}"


# -- the checks -------------------------------------------------------------------------------------------------------


class _Runner:
    """By the engine's own connection, so that what it reads is held to the examples as well."""

    def __init__(self, subject: Subject) -> None:
        self.engine = subject.engine.name
        self.warehouse = subject.filled({})
        self.dialect: Dialect = spoken_by(self.warehouse, subject.engine.dialect)

    def run(self, sql: str) -> Rows:
        columns = [column.to_pylist() for column in self.warehouse.run(sql).table.columns]
        return list(zip(*columns, strict=True))


def _connects(holds: Holds, subject: Subject) -> None:
    holds(subject.filled, subject.engine)


def _means(example: Example, subject: Subject) -> None:
    rows = answers(example, _Runner(subject))
    assert agree(rows, example.expected, ordered=example.ordered), f"found {rows}, expected {example.expected}"


def _answers(case: Case, subject: Subject) -> None:
    header, rows = expected(case)
    told = found(case, header, subject.engine.name, subject.filled)
    assert told == rows, f"found {told}, expected {rows}"


CHECKS: tuple[Check, ...] = (
    *(Check(Kind.CONNECTION, name, (), partial(_connects, one)) for name, one in CONNECTION_CHECKS),
    *(Check(Kind.OPERATION, str(one), one.shows, partial(_means, one)) for one in EXAMPLES),
    *(Check(Kind.CASE, str(one), (one.family,), partial(_answers, one)) for one in cases_below()),
)
"""The connection first: what fails there explains the rest."""
