"""Columns on the way to an answer have names of their own, and a breakdown never takes one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from metrics_api.compile.groups import with_ranking
from metrics_api.compile.inner_names import INNER
from metrics_api.compile.pipeline import plan_of, rewritten
from metrics_api.compile.project import load_model
from metrics_api.definitions.sources import RESERVED_COLUMNS
from metrics_api.engines import engine
from metrics_api.families import families
from metrics_api.plan.nodes import Aggregate, Plan, Project, Spine
from metrics_api.plan.walk import nodes
from metrics_api.query.bind import BoundQuery, bind
from metrics_api.query.limits import Limits
from metrics_api.semantic.model import SemanticModel
from metrics_api.serving.asking import ask

EXAMPLE = Path(__file__).parents[2] / "metric_definitions" / "streaming"
MODEL = load_model(EXAMPLE)[0]
BY = ("platform", "country")
OF_PEOPLE = ("user_plan", "user_birth_year")


def questions(model: SemanticModel) -> Iterator[BoundQuery]:
    for metric in (*model.metrics.values(), *model.cohorts.values()):
        family = families()[metric.type]
        for part in family.parts:
            has_value = any(one.name == "value" for one in family.measures(metric))
            is_compared = has_value and family.shape == "series" and part in ("rows", "overall")
            asked = ask(
                metric.name,
                start="2026-01-01",
                end="2026-02-10",
                by=OF_PEOPLE if metric.name in model.cohorts else BY,
                top=2,
                subtotals=True,
                compare="previous_year" if is_compared else None,
                parts=part,
                measures=[one.name for one in family.measures(metric)],
            )
            bound = bind(asked, model, families(), now=datetime(2026, 3, 1), limits=Limits())
            yield bound.known_through(datetime(2026, 2, 5))


def made(plan: Plan) -> Iterator[str]:
    """The names of all columns that a plan makes."""
    for node in nodes(plan):
        match node:
            case Project(columns=named) | Spine(columns=named):
                yield from (name for name, _ in named)
            case Aggregate(keys=keys, aggregates=aggregates):
                yield from (name for name, _ in (*keys, *aggregates))


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "snowflake", "trino"])
def test_every_column_on_the_way_is_known(dialect: str) -> None:
    unknown: set[str] = set()
    for query in questions(MODEL):
        measures = {one.name for one in query.measures}
        known = {
            *BY,
            *OF_PEOPLE,
            *RESERVED_COLUMNS,
            *measures,
            *MODEL.sources["app_events"].properties,
            "mature_rate",
            "step_rate",
        }
        names = set(made(rewritten(plan_of(query), engine(dialect).dialect)))
        of_metrics = {name for name in names if any(name.startswith(metric) for metric in MODEL.metrics)}
        unknown |= {
            name for name in names - known - of_metrics if not name.startswith("_") and not INNER.fullmatch(name)
        }
    assert unknown == set()


def test_a_breakdown_with_an_inner_name_is_the_same_computation() -> None:
    for query in questions(MODEL):
        family = families()[query.metric.type]
        if query.compare is not None or not query.by:
            continue
        renamed = replace(query, by=(replace(query.by[0], name="entity", top=None),), subtotals=False)
        usual = replace(renamed, by=(replace(renamed.by[0], name="platform"),))
        inner = plan_of(renamed)
        assert "entity" in output_of(inner)
        assert len(list(nodes(inner))) in (len(list(nodes(plan_of(usual)))), len(list(nodes(plan_of(usual)))) + 1)
        assert with_ranking(renamed, family) is renamed


def output_of(plan: Plan) -> tuple[str, ...]:
    from metrics_api.plan.nodes import output

    return output(plan)
