"""`make bench`: how far our SQL is from the best written by hand and from a bare scan, and what compiling costs.

Everything is measured in one run on the same data, in CPU seconds of the process that computes (both threads of
DuckDB, the one of PostgreSQL), variants interleaved, medians. Absolute times wobble with the machine; the ratios are
the result. Before timing, the rows of both statements are compared.

    BENCH_USERS=330000 BENCH_ROUNDS=7 BENCH_ENGINE=duckdb python tests/bench/run.py [name ...]
"""

from __future__ import annotations

import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from itertools import zip_longest
from pathlib import Path

from metrics_api.compile.pipeline import compile_query
from metrics_api.datasets import copy_definitions, dataset
from metrics_api.families import families
from metrics_api.query.bind import bind
from metrics_api.results import Answer
from metrics_api.serving.asking import ask
from metrics_api.serving.project import Project

sys.path.insert(0, str(Path(__file__).parent))
from machines import MACHINES, Machine
from questions import BOARDS, QUESTIONS, SEASON, Board, Question

HERE = Path(__file__).parent
ENGINE = os.environ.get("BENCH_ENGINE", "duckdb")
USERS = int(os.environ.get("BENCH_USERS", "330000" if ENGINE == "duckdb" else "100000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
DATA = Path(os.environ.get("BENCH_DIR", HERE.parents[1] / ".bench"))


def prepared(users: int) -> Path:
    """A folder with the definitions as they are now, and a warehouse of so many people."""
    chosen, folder = dataset("streaming"), DATA / str(users)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.yml"):
        old.unlink()
    copy_definitions("streaming", folder)
    if not (folder / chosen.warehouse_file).exists():
        print(f"building {users:,} users ...", flush=True)
        chosen.build(folder / chosen.warehouse_file, users=users, end=date(2025, 11, 30))
    return folder


def same(ours: Sequence[object], theirs: Sequence[object]) -> bool:
    return all(
        math.isclose(float(a), float(b), rel_tol=1e-9) if isinstance(a, float) else a == b  # type: ignore[arg-type]
        for a, b in zip(ours, theirs, strict=True)
    )


def checked(project: Project, question: Question, by_hand: list[tuple[object, ...]]) -> str:
    """Our rows in the columns by hand; raises when one differs. Returns our statement."""
    answer = project.answer(ask(question.metric, **question.words))
    table = next(iter(answer.parts.values())).to_pylist()
    for row, following in zip_longest(table, table[1:]):
        if "dropped" in row:  # Of those who reached a step, how many have a closed window: what the next one says.
            row["mature"] = following["mature_entered"] if following else row["mature_entered"] - row["dropped"]
    mine = [tuple(row[name] for name in question.compare) for row in table]
    assert len(mine) == len(by_hand), (question.name, len(mine), len(by_hand))
    for ours, theirs in zip(mine, by_hand, strict=True):
        assert same(ours, theirs), (question.name, ours, theirs)
    return answer.info.sql


def timed(machine: Machine, statements: dict[str, str | list[str]]) -> dict[str, float]:
    spent: dict[str, list[float]] = {name: [] for name in statements}
    for round_ in range(ROUNDS + 1):
        for name, sql in statements.items():
            begun = machine.cpu()
            for one in [sql] if isinstance(sql, str) else sql:
                machine.fetch(one)
            if round_:  # the first warms the page cache
                spent[name].append(machine.cpu() - begun)
    return {name: statistics.median(times) for name, times in spent.items()}


def bench_queries(machine: Machine, wanted: Sequence[str]) -> None:
    project = machine.project
    (events,) = machine.rows("SELECT COUNT(*) AS events FROM app_events")[0]
    reached = project.answer(ask("app_opens", **SEASON)).info.data_through
    print(f"\n{events:,} events, {USERS:,} users; {machine.said}; CPU s, median of {ROUNDS}; MB beyond the scan's\n")
    print(
        f"| {'query':<32} | ours | by hand | naive | scan | ours / by hand | naive / ours | ours / scan "
        "| MB ours | MB by hand | MB naive |"
    )
    print(f"|{'-' * 34}|---|---|---|---|---|---|---|---|---|---|")
    for question in QUESTIONS:
        if wanted and question.name not in wanted:
            continue
        file = machine.by_hand / f"{question.name}.sql"
        if not file.is_file():  # Not every engine has every statement by hand.
            continue
        statements = {"hand": read(file, reached), "scan": question.scan}
        naive = machine.by_hand / "naive" / file.name
        if naive.is_file():
            statements["naive"] = read(naive, reached)
        by_hand = machine.rows(statements["hand"])
        assert "naive" not in statements or alike(machine.rows(statements["naive"]), by_hand), question.name
        statements["ours"] = checked(project, question, by_hand)
        took = timed(machine, statements)
        print(row(question.name, took, {name: machine.peak(sql) for name, sql in statements.items()}), flush=True)


def read(file: Path, reached: object) -> str:
    return file.read_text(encoding="utf-8").replace("$data_through", str(reached))


def alike(some: Sequence[Sequence[object]], others: Sequence[Sequence[object]]) -> bool:
    return len(some) == len(others) and all(same(*rows) for rows in zip(some, others, strict=True))


def row(name: str, took: dict[str, float], peaks: dict[str, int | None]) -> str:
    def mb(which: str) -> str:
        most, scan = peaks.get(which), peaks["scan"]
        return "" if most is None or scan is None else f"{max(most - scan, 0) / 1e6:.0f}"

    naive, slower = (f"{took['naive']:.3f}", f"{took['naive'] / took['ours']:.1f}") if "naive" in took else ("", "")
    return (
        f"| {name:<32} | {took['ours']:.3f} | {took['hand']:.3f} | {naive} | {took['scan']:.3f} "
        f"| {took['ours'] / took['hand']:.2f} | {slower} | {took['ours'] / took['scan']:.1f} "
        f"| {mb('ours')} | {mb('hand')} | {mb('naive')} |"
    )


def bench_growth(machine: Machine, wanted: Sequence[str]) -> None:
    """The same questions over a tenth of the people: what ten times the events cost."""
    growing = [one for one in QUESTIONS if one.grows and (not wanted or one.name in wanted)]
    if not growing:
        return
    smaller = MACHINES[ENGINE](prepared(USERS // 10))
    print(f"\n| {'growth':<32} | a tenth, CPU s | whole, CPU s | times |\n|{'-' * 34}|---|---|---|")
    for question in growing:
        both = [
            timed(one, {"ours": one.project.answer(ask(question.metric, **question.words)).info.sql})["ours"]
            for one in (smaller, machine)
        ]
        print(f"| {question.name:<32} | {both[0]:.3f} | {both[1]:.3f} | {both[1] / both[0]:.1f} |", flush=True)


def bench_boards(machine: Machine, wanted: Sequence[str]) -> None:
    """Four charts: their one statement, the four statements that they are alone, and the one written by hand."""
    print(f"\n| {'board':<28} | together | apart | by hand | together / apart | together / by hand |")
    print(f"|{'-' * 30}|---|---|---|---|---|")
    for board in BOARDS:
        if wanted and board.name not in wanted:
            continue
        file = machine.by_hand / f"{board.name}.sql"
        by_hand = (file if file.is_file() else HERE / "by_hand" / file.name).read_text(encoding="utf-8")
        together, apart = both_ways(machine.project, board, machine.rows(by_hand))
        took = timed(machine, {"together": together, "apart": apart, "hand": by_hand})
        print(
            f"| {board.name:<28} | {took['together']:.3f} | {took['apart']:.3f} | {took['hand']:.3f} "
            f"| {took['together'] / took['apart']:.2f} | {took['together'] / took['hand']:.2f} |",
            flush=True,
        )


def both_ways(project: Project, board: Board, by_hand: list[tuple[object, ...]]) -> tuple[str, list[str]]:
    """The shared statement and the separate ones, when all of them give the rows by hand."""
    asked = [ask(metric, **SEASON, measures=measure) for metric, measure in board.charts]
    project.share_scans = True
    together = [one for one in project.answers(asked) if isinstance(one, Answer)]
    apart = [project.answer(one) for one in asked]
    assert len(together) == len(asked) and len({one.info.sql for one in together}) == 1, board.name
    for answers in (together, apart):
        numbers = [
            one.parts["rows"].column(measure).to_pylist()
            for one, (_, measure) in zip(answers, board.charts, strict=True)
        ]
        mine = list(zip(answers[0].parts["rows"].column("period").to_pylist(), *numbers, strict=True))
        assert len(mine) == len(by_hand), board.name
        for ours, theirs in zip(mine, by_hand, strict=True):
            assert same(ours, theirs), (board.name, ours, theirs)
    return together[0].info.sql, [one.info.sql for one in apart]


def bench_compile(project: Project) -> None:
    """First: a question never asked before, in a warm process. Again: the same question."""
    print("\n| compile | first, ms | again, ms |\n|---|---|---|")
    now = project.clock()
    for name in project.model.metrics:
        first = []
        for back in range(30):
            question = ask(name, start=date.fromisoformat(SEASON["start"]) - timedelta(back), end=SEASON["end"])
            first.append(
                _milliseconds(
                    lambda question=question: compile_query(  # type: ignore[misc]
                        bind(question, project.model, families(), now=now, limits=project.limits),
                        project._engine.dialect,
                    )
                )
            )
        question = ask(name, **SEASON)
        project.prepared(question)
        again = [_milliseconds(lambda: project.prepared(question)) for _ in range(200)]  # noqa: B023
        print(f"| {name} | {statistics.median(first):.2f} | {statistics.median(again):.3f} |", flush=True)


def _milliseconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return 1000 * (time.process_time() - begun)


def bench_cold_start() -> None:
    command = [sys.executable, "-m", "metrics_api.cli", "validate", "--project", str(DATA / str(USERS))]
    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"\n`validate` from a cold start: {statistics.median(spent):.2f} s CPU (median of 5)")


def bench_schema(count: int = 500) -> None:
    import tempfile

    from metrics_api.compile.project import load_model
    from metrics_api.graphql_schema.schema import build_schema

    with tempfile.TemporaryDirectory() as folder:
        copy_definitions("streaming", Path(folder))
        metrics = "".join(
            f"  clicks_{n}: {{type: usage, event: opened_app}}\n  way_{n}: {{type: funnel, "
            f"steps: {{a: opened_app, b: searched}}}}\n"
            for n in range(count // 2)
        )
        Path(folder, "many.yml").write_text(f"metrics:\n{metrics}", encoding="utf-8")
        read = _milliseconds(lambda: load_model(Path(folder)))
        model, _ = load_model(Path(folder))
        built = _milliseconds(lambda: build_schema(model))
    print(f"{len(model.metrics)} metrics: read and resolved in {read:.0f} ms, GraphQL schema built in {built:.0f} ms")


if __name__ == "__main__":
    prepared_machine = MACHINES[ENGINE](prepared(USERS))
    bench_queries(prepared_machine, sys.argv[1:])
    bench_growth(prepared_machine, sys.argv[1:])
    bench_boards(prepared_machine, sys.argv[1:])
    if not sys.argv[1:]:
        bench_compile(prepared_machine.project)
        bench_cold_start()
        bench_schema()
