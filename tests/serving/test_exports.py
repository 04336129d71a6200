"""Exports on every engine: piece by piece what the answer is as a whole, of every case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import groupby

import pyarrow as pa
import pytest

from families.engines import DIFFERENT_CASES, ENGINES, type_of, warehouse_with
from metrics_api.query.metric_query import MetricQuery
from metrics_api.results import Answer
from metrics_api.serving.asking import ask
from metrics_api.serving.exports import export, exporting
from metrics_api.serving.project import Project
from metrics_api.testkit.cases import Case, cases_below, project_for


def exports() -> Iterator[tuple[str, Case]]:
    """Every case on DuckDB, elsewhere the first of each file."""
    for engine in ENGINES:
        for _, cases in groupby(cases_below(), lambda one: one.file):
            every = [one for one in cases if (engine, str(one)) not in DIFFERENT_CASES]
            yield from ((engine, one) for one in (every if engine == "duckdb" else every[:1]))


@pytest.mark.parametrize(("engine", "case"), list(exports()), ids=str)
def test_an_export_is_the_answer_of_a_case(engine: str, case: Case) -> None:
    project = project_for(case, type_of(engine), partial(warehouse_with, engine))
    words = dict(case.question)
    query = ask(words.pop("metric"), **words)
    answer = project.answer(query)
    for part, rows in answer.parts.items():
        one = replace(query, parts=(part,), order=query.order if part == next(iter(answer.parts)) else ())
        found = told(project, one, answer)
        assert found.schema.names == rows.schema.names
        assert found.slice(0, rows.num_rows).to_pylist() == rows.to_pylist()
        is_page = part == "members" and answer.info.truncated  # Whom a page leaves out is in an export.
        assert found.num_rows > rows.num_rows if is_page else found.num_rows == rows.num_rows


def told(project: Project, query: MetricQuery, answer: Answer) -> pa.Table:
    of = exporting(project, query)
    assert (of.info.first, of.info.last) == (answer.info.first, answer.info.last)
    with export(project, of) as pieces:
        whole = pa.concat_tables(pieces)
    assert [one.name for one in of.columns] == whole.schema.names
    return whole
