"""Names: reserved words work, collisions are told with both places."""

from pathlib import Path

import duckdb
import pytest

from graphql_schema.asking import ask, project_of
from metrics_api.errors import DefinitionError
from metrics_api.graphql_schema.names import name_problems
from metrics_api.graphql_schema.schema import build_schema
from metrics_api.serving.project import Project

HEAD = """\
version: 1
project:
  name: names
  warehouses: {here: {type: duckdb, path: w.duckdb}}
sources:
"""
EVENTS = """\
events:
  e: {source: events}
"""


def project(
    folder: Path, properties: str = "", metrics: str = "  things: {type: usage, event: e}\n", source: str = "events"
) -> Project:
    sources = (
        f"  {source}:\n    table: events\n    time: at\n    event_name: event\n    identity: {{user: user_id}}\n"
        f"    properties:\n{properties}"
    )
    events = EVENTS.replace("source: events", f"source: {source}")
    return project_of(f"{HEAD}{sources}{events}metrics:\n{metrics}", folder)


def problems(of: Project) -> list[str]:
    with pytest.raises(DefinitionError) as raised:
        build_schema(of.model, of.definitions)
    assert tuple(raised.value.problems) == name_problems(of.model, of.definitions)
    return [str(problem) for problem in raised.value.problems]


def test_metrics_that_would_be_one_field(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        "      country: string\n",
        "  sign_ups: {type: usage, event: e}\n  other: {type: usage, event: e}\n  sign__ups: {type: usage, event: e}\n",
    )
    (told,) = problems(found)
    assert told == (
        "project.yml:18:3  metric `sign__ups` would be called `signUps` in GraphQL, as metric `sign_ups` "
        "(project.yml:16:3) is\n    Rename one of them."
    )


def test_properties_that_would_be_one_field(tmp_path: Path) -> None:
    (told,) = problems(project(tmp_path, "      sign_up: string\n      sign_up_: string\n"))
    assert told == (
        "project.yml:13:7  property `sign_up_` of source `events` would be called `signUp` in GraphQL, as "
        "property `sign_up` of source `events` (project.yml:12:7) is\n    Rename one of them."
    )


@pytest.mark.parametrize("name", ["per_user", "sum", "average", "min", "max", "and", "or", "not"])
def test_properties_called_as_a_fixed_field(name: str, tmp_path: Path) -> None:
    (told,) = problems(project(tmp_path, f"      amount: number\n      {name}: string\n"))
    assert told.startswith(f"project.yml:13:7  property `{name}` of source `events` would be called")


def test_a_property_called_as_a_measure(tmp_path: Path) -> None:
    (found,) = problems(project(tmp_path, "      minutes: number\n      sum_minutes: string\n"))
    assert "`SUM_MINUTES`" in found


def test_a_source_called_as_a_type_of_every_schema(tmp_path: Path) -> None:
    (found,) = problems(project(tmp_path, "      country: string\n", source="string"))
    assert found.startswith("project.yml:16:3  a type of metric `things` over `string` would be called `StringFilter`")


def test_internal_metrics_need_no_field(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        "      country: string\n",
        "  sign_ups: {type: usage, event: e}\n  sign__ups: {type: usage, event: e, visibility: internal}\n",
    )
    assert [field.python_name for field in fields(found)] == ["metric_sign_ups"]


def fields(of: Project) -> list[object]:
    metrics = build_schema(of.model).get_type_by_name("Metrics")
    return list(metrics.fields)


RESERVED = (
    "from", "class", "in", "is", "none", "true", "false", "null", "type", "query", "self", "info", "root", "name", "id",
    "resolve_type", "is_type_of", "fragment", "on", "input", "enum", "lambda", "async", "await", "match", "print",
    "dict", "keys", "items", "get", "mro", "c_value", "percentile", "p", "int", "string", "metrics", "catalog",
)  # fmt: skip


def test_words_that_mean_something_elsewhere(tmp_path: Path) -> None:
    """Names that Python, GraphQL or SQL keep for themselves work as metrics and as properties."""
    with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
        columns = ", ".join(f'\'{name}\' || i AS "{name}_column", i::DOUBLE AS "{name}_n"' for name in RESERVED)
        warehouse.execute(
            "CREATE TABLE events AS SELECT 'a' AS user_id, 'e' AS event, TIMESTAMP '2025-11-01 10:00:00' AS at, "
            f"{columns} FROM range(3) AS numbers(i)"
        )
    written = "".join(f"      {name}: {{type: string, column: {name}_column}}\n" for name in RESERVED)
    written += "".join(f"      {name}_n: {{type: number}}\n" for name in RESERVED)
    found = project(tmp_path, written, "".join(f"  {name}: {{type: usage, event: e}}\n" for name in RESERVED))
    both = (found, build_schema(found.model, found.definitions))
    for name in RESERVED:
        first, *rest = name.split("_")
        field = first + "".join(word.capitalize() for word in rest)
        answer = ask(
            f"""query ($where: EventsFilter) {{ metrics {{
              {field}(by: [{name.upper()}], where: $where, order: [{{by: {name.upper()}, direction: DESC}}],
                      time: {{last: {{n: 3, unit: DAY}}}}) {{
                overallBy {{ {field} value sum {{ {field}N }} }}
                columns {{ {field} max {{ {field}N }} }}
              }} }} }}""",
            {"where": {field: {"in": [f"{name}1", f"{name}2"]}}},
            of=both,
        ).metrics[field]
        assert answer["overallBy"] == [
            {field: f"{name}{number}", "value": 1, "sum": {f"{field}N": float(number)}} for number in (2, 1)
        ]
        assert set(answer["columns"][field]) == {f"{name}1", f"{name}2"}
    found.close()
