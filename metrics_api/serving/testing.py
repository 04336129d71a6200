"""The tests that stand beside metrics: checked against the model, and run over their own rows on any engine."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from metrics_api.compile.pipeline import Statement, compile_query
from metrics_api.definitions.base import ExampleDefinition
from metrics_api.definitions.examples import Place, Unreadable
from metrics_api.definitions.loader import Definitions
from metrics_api.definitions.names import Path
from metrics_api.engines import Engine, engine
from metrics_api.errors import Code, DefinitionError, MetricsError, Problem, QueryError, SourceSpan, did_you_mean
from metrics_api.families import families
from metrics_api.periods import Calendar, is_timezone
from metrics_api.plan.expr import Type
from metrics_api.query.bind import LONGEST_WINDOW, BoundQuery, answer_columns, bind
from metrics_api.query.limits import Limits
from metrics_api.query.metric_query import Between, Last, MetricQuery
from metrics_api.semantic.examples import Examples, Rows, read_examples
from metrics_api.semantic.model import SemanticModel, Source
from metrics_api.serving.asking import ask
from metrics_api.serving.expectations import (
    Cells,
    Expectation,
    check_columns,
    differences,
    read_expectation,
    spell,
    spelled_rows,
)
from metrics_api.serving.project import Project

if TYPE_CHECKING:
    import pyarrow as pa

    from metrics_api.engines.warehouse import Stop, Warehouse

WORDS: Mapping[str, str] = {
    {"start": "from", "end": "to"}.get(name, name): name
    for name in inspect.signature(ask).parameters
    if name not in ("metric", "parts")
}
"""The words of a test's `query`, and the arguments of `ask` that they are."""

FLAGS = ("complete", "provisional")
"""Columns that rows over time have beside those of their family."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A test of which every word is understood."""

    metric: str
    name: str
    query: MetricQuery
    tables: Mapping[str, Rows]
    data_through: datetime
    expected: Expectation
    rows: Sequence[Cells]

    @property
    def title(self) -> str:
        return f"{self.metric}.{self.name}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test went. It passed if there are no differences and no error."""

    title: str
    differences: tuple[str, ...]
    error: MetricsError | None
    seconds: float

    @property
    def passed(self) -> bool:
        return not self.differences and self.error is None


# -- understanding ----------------------------------------------------------------------------------------------------


def prepared_tests(
    model: SemanticModel, definitions: Definitions, names: Sequence[str] = ()
) -> tuple[tuple[Prepared, ...], list[Problem]]:
    """The tests of the metrics and cohorts named (`activation`) or named themselves (`activation.nobody`), else of all.

    Raises QueryError for a name that there is not; what is wrong with the tests is the second part of the answer, in
    order of place.
    """
    found: list[Prepared] = []
    problems: list[Problem] = []
    for metric, name in _chosen(model, names):
        try:
            found.append(_Preparing(model, definitions, metric, name).prepared())
        except DefinitionError as error:
            problems += error.problems
    return tuple(found), sorted(problems, key=lambda one: (one.where or SourceSpan(""), one.message))


def _chosen(model: SemanticModel, names: Sequence[str]) -> list[tuple[str, str]]:
    known = {**model.metrics, **model.cohorts}
    every = [(metric, name) for metric, one in known.items() for name in one.definition.tests]
    if not names:
        return every
    problems = []
    for name in names:
        metric, _, test = name.partition(".")
        if metric not in known:
            fix = did_you_mean(metric, known, what="metrics and cohorts" if model.cohorts else "metrics")
            problems.append(Problem(f"there is no metric `{metric}`", fix=fix, code=Code.UNKNOWN_NAME))
        elif test and (metric, test) not in every:
            fix = did_you_mean(test, known[metric].definition.tests, what=f"tests of {metric}")
            problems.append(Problem(f"{metric}: there is no test `{test}`", fix=fix, code=Code.UNKNOWN_NAME))
    if problems:
        raise QueryError(problems)
    return [(metric, test) for metric, test in every if metric in names or f"{metric}.{test}" in names]


class _Preparing:
    """One test; its problems are collected, each with its place."""

    def __init__(self, model: SemanticModel, definitions: Definitions, metric: str, name: str) -> None:
        self.model, self.definitions = model, definitions
        self.metric, self.name = model.metrics.get(metric) or model.cohorts[metric], name
        self.test: ExampleDefinition = self.metric.definition.tests[name]
        self.family = families()[self.metric.type]
        self.path: Path = ("metrics" if metric in model.metrics else "cohorts", metric, "tests", name)
        self.problems: list[Problem] = []

    def prepared(self) -> Prepared:
        examples = read_examples(self.test, self.model)
        for path, error in examples.problems:
            self.unreadable(error, *path)
        query = self.question(examples)
        bound = self.bound(query) if query is not None else None
        read = self.expectation(bound) if bound is not None else None
        if self.problems or query is None or read is None:
            raise DefinitionError(self.problems)
        assert bound is not None
        through = self.test.data_through or self.long_after(query, examples)
        return Prepared(
            self.metric.name, self.name, replace(query, measures=tuple(one.name for one in bound.measures)),
            examples.tables, through, *read,
        )  # fmt: skip

    def question(self, examples: Examples) -> MetricQuery | None:
        words: dict[str, Any] = {}
        for word, value in self.test.query.items():
            if word in WORDS:
                words[WORDS[word]] = value
            else:
                fix = did_you_mean(word, WORDS, what="words of a query")
                self.problem(f"`{word}` is not a word of a query", "query", word, fix=fix, on_key=True)
        try:
            query = ask(self.metric.name, **words)
        except QueryError as error:
            self.refused(error)
            return None
        except (TypeError, ValueError, AttributeError):
            self.problem("the query cannot be read", "query", fix="Write words and lists, as in `by: [country]`.")
            return None
        parts = (self.test.part,) if self.test.part else query.parts or self.family.parts[:1]
        query = replace(query, parts=parts)
        time = self.range(query, examples)
        if time is None:
            return None
        query = replace(query, time=time)
        return replace(query, as_of=query.as_of or self.test.data_through or self.long_after(query, examples))

    def range(self, query: MetricQuery, examples: Examples) -> Between | Last | None:
        """The days asked for; those from the first to the last event where the test does not say."""
        calendar = self.model.calendar
        if query.timezone is not None and is_timezone(query.timezone):
            calendar = Calendar(query.timezone, calendar.week_start)
        days = [calendar.local_date(at) for at in examples.times]
        match query.time:
            case Last() if query.as_of is None and self.test.data_through is None:
                self.problem("`last` counts back from `as_of`, which is not given", "query", "last", fix="Write both.")
                return None
            case Last():
                return query.time
            case Between(first, None):
                return Between(first, max([first, *days]))
            case Between():
                return query.time
        if not days:
            self.problem("says neither a range nor any event", "query", fix="Write `from` and `to`.")
            return None
        return Between(min(days), max(days))

    def long_after(self, query: MetricQuery, examples: Examples) -> datetime:
        """When everything that the events began is over."""
        ends = [datetime(query.time.last.year, 12, 31)] if isinstance(query.time, Between) and query.time.last else []
        return min(max([*examples.times, *ends, query.as_of or datetime.min]) + LONGEST_WINDOW, datetime(2199, 12, 31))

    def bound(self, query: MetricQuery) -> BoundQuery | None:
        """The definite question, with the measures that are expected beside those that it names."""
        try:
            if query.measures is None:
                usual = self.family.default_measures
                wanted = [name for name in self.named() if self.family.measure(self.metric, name)]
                query = replace(query, measures=tuple(dict.fromkeys((*usual, *wanted))))
            assert query.as_of is not None
            return bind(query, self.model, families(), now=query.as_of, limits=Limits())
        except QueryError as error:
            self.refused(error)
            return None

    def named(self) -> tuple[str, ...]:
        """The columns that are expected, as far as they can be told without those of the answer."""
        try:
            return tuple(read_expectation(self.test, self.fixed_columns()).names)
        except Unreadable:
            return ()

    def fixed_columns(self) -> tuple[str, ...]:
        """The columns that a part has whatever is asked."""
        table = self.family.tables.get(self.test.part or self.family.parts[0])
        return () if table is None else tuple(one.name for one in (*table.keys, *table.columns))

    def expectation(self, bound: BoundQuery) -> tuple[Expectation, Sequence[Cells]] | None:
        part = bound.parts[0]
        types = {one.name: one.type for one in answer_columns(bound, self.family)[part]}
        if self.family.is_flagged(part):
            types |= dict.fromkeys(FLAGS, Type.BOOLEAN)
        try:
            expected = read_expectation(self.test, types)
        except Unreadable as error:
            self.unreadable(error, "expect")
            return None
        problems = check_columns(expected, types)
        rows: Sequence[Cells] = ()
        if not problems:
            rows, problems = spelled_rows(expected, types)
        for one in problems:
            self.unreadable(one, "expect")
        return expected, rows

    # Problems

    def problem(self, message: str, *at: str | int, fix: str | None = None, on_key: bool = False) -> None:
        place = self.definitions.key_span if on_key else self.definitions.span
        title = f"{self.metric.name}.tests.{self.name}"
        self.problems.append(Problem(f"{title}: {message}", place(*self.path, *at), fix))

    def unreadable(self, error: Unreadable, *field: str | int) -> None:
        title = f"{self.metric.name}.tests.{self.name}"
        match error.at:
            case Place(line, column):
                where = self.definitions.span_inside((*self.path, *field), line, column)
            case at:
                place = self.definitions.key_span if error.on_key else self.definitions.span
                where = place(*self.path, *(at or field))
        self.problems.append(Problem(f"{title}: {error.message}", where, error.fix))

    def refused(self, error: QueryError) -> None:
        for one in error.problems:
            self.problem(one.message.removeprefix(f"{self.metric.name}: "), "query", fix=one.fix)


# -- running ----------------------------------------------------------------------------------------------------------


class _OverRows(Project):
    """A project whose tables are the rows of one test, and whose data reaches as far as the test says."""

    def __init__(self, base: Project, test: Prepared, chosen: Engine, warehouse: Warehouse) -> None:
        super().__init__(base.model, base.definitions, base.folder, base.warehouse_name)
        self._engine, self._warehouse, self._test = chosen, warehouse, test

    def _data_through(self, source: Source, as_of: datetime) -> datetime:
        return min(self._test.data_through, as_of)

    def _statement(self, bound: BoundQuery) -> Statement:
        return compile_query(bound, self.dialect, self._test.tables)

    def _run(self, sql: str, bound: Sequence[BoundQuery], tag: str, stop: Stop | None) -> pa.Table:
        return self.warehouse().run(sql, stop=stop).table


def run_tests(
    model: SemanticModel,
    definitions: Definitions,
    folder: FilePath,
    tests: Sequence[Prepared],
    warehouse: str | None = None,
) -> Iterator[Outcome]:
    """Each test's outcome, on embedded DuckDB or on a warehouse of the project; no table is read or written.

    Raises QueryError for a warehouse that there is not or that this release does not connect to, WarehouseError and
    MissingDriver when it cannot be reached.
    """
    base = Project(model, definitions, folder, warehouse)
    if warehouse is None:
        chosen = engine("duckdb")
        assert chosen.connect is not None
        connection = chosen.connect({}, folder)
    else:
        chosen, connection = engine(model.project.warehouses[warehouse].type), base.warehouse()
    try:
        for test in tests:
            yield _outcome(_OverRows(base, test, chosen, connection), test)
    finally:
        connection.close()


def _outcome(project: Project, test: Prepared) -> Outcome:
    begun = time.perf_counter()
    try:
        table = project.answer(test.query).parts[test.query.parts[0]]
    except MetricsError as error:
        return Outcome(test.title, (), error, time.perf_counter() - begun)
    found = [{name: spell(value) for name, value in row.items()} for row in table.to_pylist()]
    shown = differences(test.expected, test.rows, found)
    return Outcome(test.title, shown, None, time.perf_counter() - begun)
