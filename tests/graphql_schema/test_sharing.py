"""A board of counts is one statement, and its fields are as if each had been asked by itself."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from graphql_schema.asking import NOW, Asked, ask, streaming, streaming_folder
from metrics_api.errors import WarehouseError
from metrics_api.graphql_schema.context import RequestContext
from metrics_api.graphql_schema.schema import build_schema
from metrics_api.serving.project import Project, load_project
from metrics_api.serving.service import Service

BOARD = {
    "opens": "appOpens(time: {last: {n: 30, unit: DAY}}) { rows { period value complete } overall { value users } }",
    "found": "searches(time: {last: {n: 7, unit: DAY}}) { columns { period value } info { fingerprint truncated } }",
    "watched": "videosWatched(time: {last: {n: 30, unit: DAY}}) { rows { value users depth perUser { median } } }",
    "minutes": "minutesWatched(time: {last: {n: 30, unit: DAY}}, order: [{by: VALUE, direction: DESC}], limit: 3) "
    "{ rows { period value } }",
}


class _Told(Project):
    """Remembers its statements."""

    statements: list[str]
    refuses: str | None = None

    def _run(self, sql: str, *rest: Any) -> pa.Table:
        self.statements.append(sql)
        if self.refuses is not None and self.refuses in sql:
            raise WarehouseError("out of memory")
        return super()._run(sql, *rest)


@pytest.fixture
def told() -> Iterator[_Told]:
    base = load_project(streaming_folder(), clock=lambda: NOW)
    project = _Told(base.model, base.definitions, base.folder, clock=lambda: NOW, share_scans=True)
    project.statements = []
    yield project
    project.close()


def answered(project: Project, fields: dict[str, str]) -> Asked:
    body = " ".join(f"{alias}: {field}" for alias, field in fields.items())
    return ask(f"{{ metrics {{ {body} }} }}", of=(project, build_schema(project.model)))


def alone(alias: str, field: str) -> Any:
    return ask(f"{{ metrics {{ {alias}: {field} }} }}", of=streaming()).metrics[alias]


def test_a_board_is_one_statement(told: _Told) -> None:
    found = answered(told, BOARD).metrics
    (sql,) = told.statements
    assert sql.count("FROM app_events") == 1
    assert found == {alias: alone(alias, field) for alias, field in BOARD.items()}


def test_other_families_are_beside_it(told: _Told) -> None:
    more = {**BOARD, "active": "monthlyActives { overall { value } }", "path": "activation { steps { converted } }"}
    found = answered(told, more).metrics
    assert len(told.statements) == 3
    assert found == {alias: alone(alias, field) for alias, field in more.items()}


def test_groups_and_the_whole_of_several_metrics_are_two_statements(told: _Told) -> None:
    fields = "(by: [PLATFORM]) { rows { platform value } overallBy { platform value } overall { value } }"
    board = {"a": f"appOpens{fields}", "b": f"searches{fields}"}
    found = answered(told, board).metrics
    assert len(told.statements) == 2
    assert found == {alias: alone(alias, field) for alias, field in board.items()}


def test_a_wrong_field_spares_the_others(told: _Told) -> None:
    wrong = {**BOARD, "wrong": "listAdditions(limit: 0) { rows { value } }"}
    asked = answered(told, wrong)
    assert asked.refusal == ("LIMIT_EXCEEDED", "list_additions: a limit of 0 rows; it can be 1 to 50,000")
    assert asked.error["path"] == ["metrics", "wrong"]
    assert asked.data["metrics"].pop("wrong") is None
    assert asked.data["metrics"] == {alias: alone(alias, field) for alias, field in BOARD.items()}
    assert len(told.statements) == 1


def test_what_the_shared_statement_cannot_do_separate_ones_may(told: _Told) -> None:
    told.refuses = "minutes_watched"
    asked = answered(told, BOARD)
    assert asked.refusal == ("WAREHOUSE_ERROR", "out of memory")
    assert asked.error["path"] == ["metrics", "minutes"]
    assert asked.data["metrics"]["opens"] == alone("opens", BOARD["opens"])
    assert len(told.statements) == 5


def test_requests_beside_each_other_are_not_mixed(told: _Told) -> None:
    schema = build_schema(told.model)

    async def both() -> list[Any]:
        queries = ["{ metrics { appOpens { overall { value } } } }", "{ metrics { searches { overall { value } } } }"]
        contexts = [RequestContext(Service(told)) for _ in queries]
        return await asyncio.gather(
            *(schema.execute(query, context_value=one) for query, one in zip(queries, contexts, strict=True))
        )

    first, second = asyncio.run(both())
    assert not first.errors and not second.errors
    assert len(told.statements) == 2
