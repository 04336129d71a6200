"""Whether a warehouse would take the statement of every metric, and what it would read: nothing is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from metrics_api.compile.pipeline import compile_query
from metrics_api.engines.warehouse import Cost
from metrics_api.errors import MetricsError, Problem, QueryError, WarehouseError
from metrics_api.families import families
from metrics_api.plan.expr import Type
from metrics_api.query.bind import MEMBERS, bind
from metrics_api.query.family import Family
from metrics_api.semantic.model import Metric
from metrics_api.serving.asking import ask
from metrics_api.serving.missing import explain_failure
from metrics_api.serving.project import Project


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a warehouse says of a metric's statements: what they read, or why it refuses one, at the metric's place."""

    metric: str
    parts: tuple[str, ...]
    """What was asked for: all that the metric offers; of a refusal the part that is refused."""
    cost: Cost = field(default_factory=Cost)
    problem: Problem | None = None


def dry_runs(project: Project, metrics: Mapping[str, Metric]) -> Iterator[DryRun]:
    """Every metric with all its measures and parts over the usual range, in order, and the people behind it."""
    for metric in metrics.values():
        family = families()[metric.type]
        yield from _of_metric(project, metric, family.parts, _words(metric, family))
        if family.members is not None:
            yield from _of_metric(project, metric, (MEMBERS,), {"members": _chosen(project, metric, family)})


def _of_metric(project: Project, metric: Metric, parts: tuple[str, ...], words: Mapping[str, Any]) -> Iterator[DryRun]:
    """All parts in one statement; where only some of them are refused, each by itself."""
    try:
        yield DryRun(metric.name, parts, _estimated(project, metric, parts, words))
        return
    except MetricsError as error:
        refused = error
    if len(parts) > 1:
        alone = [run for part in parts for run in _of_metric(project, metric, (part,), words)]
        if {True, False} == {run.problem is None for run in alone}:
            yield from alone
            return
    for problem in _explained(project, metric, refused).problems:
        told = replace(problem, message=f"{metric.name} ({', '.join(parts)}): {problem.message}", where=metric.where)
        yield DryRun(metric.name, parts, problem=told)


def _estimated(project: Project, metric: Metric, parts: tuple[str, ...], words: Mapping[str, Any]) -> Cost:
    asked = ask(metric.name, parts=() if parts == (MEMBERS,) else parts, **words)
    bound = bind(asked, project.model, families(), now=project.clock(), limits=project.limits)
    warehouse = project.warehouse()
    return warehouse.estimate(compile_query(bound, project.dialect).sql)


def _explained(project: Project, metric: Metric, error: MetricsError) -> MetricsError:
    if not isinstance(error, WarehouseError):
        return error
    return explain_failure(error, metric.sources, project.warehouse(), project.dialect)


def _words(metric: Metric, family: Family) -> Mapping[str, Any]:
    measures = [one.name for one in family.measures(metric)]
    return {"measures": ",".join(measures)} if measures else {}


def _chosen(project: Project, metric: Metric, family: Family) -> Mapping[str, Any]:
    """Somebody to ask for: whoever may be asked for without a choice, else by the first words of each choice."""
    assert family.members is not None
    choices = family.members.choices(metric)
    words: dict[str, str | int] = {name: words[0] for name, words in choices.items() if isinstance(words, tuple)}
    numbers: dict[str, str | int] = {name: 0 for name, type_ in choices.items() if type_ is Type.INTEGER}
    every: tuple[dict[str, str | int], ...] = ({}, words, {**words, **numbers})
    for chosen in every:
        try:
            bind(
                ask(metric.name, members=chosen), project.model, families(), now=project.clock(), limits=project.limits
            )
        except QueryError:
            continue
        return chosen
    return {}
