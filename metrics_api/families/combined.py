"""Numbers calculated from other metrics' numbers, shared by `ratio` and `derived`.

Shape: the inputs are questions of their own, with the same buckets, breakdowns and filters. Those that can share a scan
are counted together, side by side. What is left are stacked (each row with its own numbers filled in) and grouped
once, never joined: a bucket or group that only some of them have costs nothing, and no number can be repeated by
another's rows.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from metrics_api.definitions.base import MetricDefinition
from metrics_api.errors import Problem, QueryError
from metrics_api.families import families
from metrics_api.families.counting import column_names
from metrics_api.periods import Duration, Period
from metrics_api.plan.expr import Agg, Call, Case, Col, Expr, Lit, Type, call, columns, integer, operands
from metrics_api.plan.nodes import Aggregate, Named, Plan, Project, Union, keep
from metrics_api.query.bind import BoundQuery
from metrics_api.query.family import Measure
from metrics_api.semantic.expressions import MAX_OPERATIONS
from metrics_api.semantic.model import Metric, MetricClass, Selection
from metrics_api.semantic.resolve import Scope


@dataclass(frozen=True, slots=True)
class Input:
    """One number of a metric that counts by itself."""

    metric: Metric
    measure: Measure

    @property
    def name(self) -> str:
        return f"{self.metric.name}.{self.measure.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Combined:
    """What a combining family resolves to: each of its measures as an expression over inputs, by their names.

    An input that is itself combined is not one of these: its expression is put in its place.
    """

    inputs: tuple[Input, ...]
    outputs: Mapping[str, Expr]
    measures: tuple[Measure, ...]


Formula = tuple[Expr, tuple[Input, ...]]


def output(scope: Scope, written: str, *path: str | int) -> Formula | None:
    """What `NAME` or `NAME.measure` means, over inputs that count by themselves; None, and a problem, if nothing."""
    found = scope.output(written, *path)
    if found is None:
        return None
    metric, measure = found
    if isinstance(metric.spec, Combined):
        formula = metric.spec.outputs[measure.name]
        read = set(columns(formula))
        return formula, tuple(one for one in metric.spec.inputs if one.name in read)
    one = Input(metric, measure)
    return Col(one.name), (one,)


def combined(
    scope: Scope,
    definition: MetricDefinition,
    outputs: Mapping[str, Formula],
    words: Mapping[str, str],
    *path: str | int,
) -> Combined | None:
    """The spec of some outputs, the first of which is `value`, described by `words`."""
    if max(_operations(formula) for formula, _ in outputs.values()) > MAX_OPERATIONS:
        scope.problem(f"with the expressions of its inputs put in, it has more than {MAX_OPERATIONS} operations", *path)
        return None
    if "entity" in definition.model_fields_set:
        noun = definition.noun()
        scope.problem(f"{noun} counts nobody by itself: its inputs say whom they count", "entity", fix="Leave it out.")
    inputs = {one.name: one for _, found in outputs.values() for one in found}
    measures = tuple(Measure(name, "calculated", Type.NUMBER, description=words[name]) for name in outputs)
    return Combined(tuple(inputs.values()), {name: formula for name, (formula, _) in outputs.items()}, measures)


def measure_of(metric: Metric, name: str) -> Measure | None:
    spec: Combined = metric.spec
    return next((one for one in spec.measures if one.name == name), None)


def measures_of(metric: Metric) -> tuple[Measure, ...]:
    spec: Combined = metric.spec
    return spec.measures


def selections(spec: Combined) -> tuple[Selection, ...]:
    """What all inputs count."""
    return tuple(one for metric in _metrics(spec) for one in families()[metric.type].selections(metric.spec))


def is_engagement(spec: Combined) -> bool:
    """Whether value received is in the outcome: in anything that is not only divided by (RULES 33)."""
    outcome = set(_outcome(spec.outputs["value"]))
    return any(
        one.metric.metric_class is MetricClass.ENGAGEMENT and _is_outcome(one)
        for one in spec.inputs
        if one.name in outcome
    )


def _is_outcome(one: Input) -> bool:
    series = families()[one.metric.type].series
    return series is None or series.outcomes is None or one.measure.name in series.outcomes


def conventions(metric: Metric, within: Duration | None = None) -> tuple[str, ...]:
    """Those of the inputs, each told of whom it holds unless it holds for all."""
    spec: Combined = metric.spec
    inputs = _metrics(spec)
    told = {one.name: families()[one.type].conventions(one, within) for one in inputs}
    of_each: dict[str, list[str]] = {}
    for name, words in told.items():
        for sentence in words:
            of_each.setdefault(sentence, []).append(name)
    shown = [
        sentence if len(names) == len(inputs) else f"{', '.join(names)}: {sentence}"
        for sentence, names in of_each.items()
    ]
    return ("A missing count is 0; any other missing number, and x / 0, is null.", *shown)


def check(query: BoundQuery) -> None:
    """Refuses what an input's family refuses."""
    problems = []
    for asked in _questions(query):
        try:
            families()[asked.metric.type].check(asked)
        except QueryError as error:
            problems += [replace(one, message=f"{query.metric.name}: {one.message}") for one in error.problems]
    spec: Combined = query.metric.spec
    ranked = columns(spec.outputs[families()[query.metric.type].ranked_by])
    unranked = [one.metric.name for one in spec.inputs if one.name in ranked and not _has_overall(one)]
    if unranked and any(one.top is not None for one in query.by):
        words = f"{query.metric.name}: `top` ranks by the whole range, for which `{unranked[0]}` has no number"
        problems.append(Problem(words, fix="Leave `top` out, or filter by `where`.", code=QueryError.code))
    if problems:
        raise QueryError(problems)


def is_complete(query: BoundQuery, bucket: Period) -> bool:
    """Whether all inputs are."""
    return all(families()[asked.metric.type].is_complete(asked, bucket) for asked in _questions(query))


# -- plan -------------------------------------------------------------------------------------------------------------


def plan(query: BoundQuery) -> Mapping[str, Plan]:
    spec: Combined = query.metric.spec
    names = _names(query)
    answers = _answers(_questions(query), names)
    parts: dict[str, Plan] = {}
    for part in query.parts:
        keys = (("period",) if part == "rows" else ()) + tuple(one.name for one in query.by)
        stacked = _stacked([(measures, plans[part]) for measures, plans in answers], keys)
        # Only a group can be missing from some inputs: every bucket is in all of them.
        gaps = bool(query.by) and len(answers) > 1
        there = {
            one.name: _or_zero(Col(names[one.name]), one, query, part) if gaps else Col(names[one.name])
            for one in spec.inputs
            if one.name in names
        }
        shown = tuple((one.name, _replaced(spec.outputs[one.name], there)) for one in query.measures)
        parts[part] = Project(stacked, (*keep(*keys), *shown))
    return parts


def _questions(query: BoundQuery) -> list[BoundQuery]:
    """What is asked of each input's metric."""
    spec: Combined = query.metric.spec
    read = {name for one in query.measures for name in columns(spec.outputs[one.name])}
    asked: dict[str, list[Input]] = {}
    for one in spec.inputs:
        if one.name in read:
            asked.setdefault(one.metric.name, []).append(one)
    return [
        replace(query, metric=inputs[0].metric, measures=tuple(one.measure for one in inputs), order=())
        for inputs in asked.values()
    ]


def _answers(
    questions: Sequence[BoundQuery], names: Mapping[str, str]
) -> list[tuple[Sequence[Measure], Mapping[str, Plan]]]:
    """The plans for each part, with the measures that they have, by the given names of inputs.

    Questions that share a scan have one answer.
    """
    groups: dict[Hashable, list[BoundQuery]] = {}
    for asked in questions:
        sharing = families()[asked.metric.type].sharing
        key = asked.metric.name if sharing is None else (sharing, sharing.key(asked))
        groups.setdefault(key, []).append(asked)
    found: list[tuple[Sequence[Measure], Mapping[str, Plan]]] = []
    for group in groups.values():
        renamed = [
            replace(
                asked, measures=tuple(replace(one, name=names[Input(asked.metric, one).name]) for one in asked.measures)
            )
            for asked in group
        ]
        measures = [one for asked in renamed for one in asked.measures]
        family = families()[group[0].metric.type]
        if family.sharing is not None:
            found.append((measures, family.sharing.together(renamed)))
        else:
            plans = family.plan(group[0]) if family.series is None else family.series.plan(group[0])
            found.append((measures, _under(renamed[0].measures, group[0], plans)))
    return found


def _under(named: Sequence[Measure], asked: BoundQuery, plans: Mapping[str, Plan]) -> Mapping[str, Plan]:
    """The plans of a question with its measures under other names."""
    by = tuple(one.name for one in asked.by)
    is_numbered = families()[asked.metric.type].series is not None
    own = [f"number_{k}" if is_numbered else one.name for k, one in enumerate(asked.measures, 1)]
    numbers = tuple((wide.name, Col(name)) for wide, name in zip(named, own, strict=True))
    return {
        part: Project(plan, (*keep(*(("period",) if part == "rows" else ()), *by), *numbers))
        for part, plan in plans.items()
    }


def _stacked(answers: Sequence[tuple[Sequence[Measure], Plan]], keys: Sequence[str]) -> Plan:
    """One row for each combination of keys that any answer has, with the numbers of all answers."""
    if len(answers) == 1:
        return answers[0][1]
    every = [one for measures, _ in answers for one in measures]
    filled = []
    for measures, rows in answers:
        own = {one.name for one in measures}
        numbers = ((one.name, Col(one.name) if one.name in own else Lit(None, one.type)) for one in every)
        filled.append(Project(rows, (*keep(*keys), *numbers)))
    only = tuple((one.name, Agg("max", (Col(one.name),))) for one in every)
    return Aggregate(Named("inputs", Union(tuple(filled))), keep(*keys), only)


def _or_zero(number: Expr, one: Input, query: BoundQuery, part: str) -> Expr:
    """A missing count is 0 (RULES 19)."""
    if not one.measure.is_count:
        return number
    asked = replace(query, metric=one.metric, measures=(one.measure,), parts=(part,))
    zero: Expr | None = integer(0)
    if not _has_overall(one) and part == "overall":
        zero = None
    elif _is_as_of(asked):  # A count as of some day is null before the data reaches it, and then so is one of nobody.
        begun = [each for each in query.periods if each.start <= query.data_through]
        complete = [each for each in begun if families()[one.metric.type].is_complete(asked, each)]
        if not (complete if part == "overall" else begun):
            zero = None
        elif part == "rows" and len(begun) < len(query.periods):
            last = Lit(begun[-1].label, query.period_type, role="last_begun")
            zero = Case(((call("le", Col("period"), last), integer(0)),))
    return number if zero is None else call("coalesce", number, zero)


def _is_as_of(asked: BoundQuery) -> bool:
    """Whether the one count of a question for one part is null where there is no data yet."""
    family, (part,) = families()[asked.metric.type], asked.parts
    if family.series is not None:
        return family.series.is_as_of
    return next(one for one in family.columns(asked)[part] if one.name == asked.measures[0].name).nullable


def _has_overall(one: Input) -> bool:
    series = families()[one.metric.type].series
    return series is None or series.has_overall


def _names(query: BoundQuery) -> Mapping[str, str]:
    """A column name for each input that the asked measures read."""
    spec: Combined = query.metric.spec
    read = {name for one in query.measures for name in columns(spec.outputs[one.name])}
    inputs = [one for one in spec.inputs if one.name in read]
    taken = {"period", *(one.name for one in query.by)}
    names = column_names([(one.metric.name, one.measure.name) for one in inputs], taken)
    return {one.name: name for one, name in zip(inputs, names, strict=True)}


# -- expressions ------------------------------------------------------------------------------------------------------


def put_in(formula: Expr, found: Mapping[str, Formula]) -> Expr:
    """The formula with what each name means in its place."""
    return _replaced(formula, {name: meant for name, (meant, _) in found.items()})


def _replaced(expr: Expr, meant: Mapping[str, Expr]) -> Expr:
    match expr:
        case Col(name):
            return meant[name]
        case Call(op, args):
            return Call(op, tuple(_replaced(one, meant) for one in args))
    return expr


def _operations(expr: Expr) -> int:
    return isinstance(expr, Call) + sum(_operations(one) for one in operands(expr))


def _outcome(expr: Expr) -> Iterator[str]:
    """The names that are not below a line of division."""
    match expr:
        case Col(name):
            yield name
        case Call("divide", (above, _)):
            yield from _outcome(above)
        case Call(_, args):
            for one in args:
                yield from _outcome(one)


def _metrics(spec: Combined) -> tuple[Metric, ...]:
    return tuple({one.metric.name: one.metric for one in spec.inputs}.values())
