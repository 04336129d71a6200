"""`derived`: arithmetic over the numbers of other metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from metrics_api.definitions.base import MetricDefinition, Text
from metrics_api.definitions.names import Path
from metrics_api.families.combined import (
    Combined,
    check,
    combined,
    conventions,
    is_complete,
    is_engagement,
    measure_of,
    measures_of,
    output,
    plan,
    put_in,
    selections,
)
from metrics_api.families.series import series_columns
from metrics_api.plan.expr import columns
from metrics_api.query.family import Family
from metrics_api.semantic.expressions import ConditionError, parse_arithmetic
from metrics_api.semantic.resolve import Scope


class DerivedDefinition(MetricDefinition):
    """Arithmetic over other metrics' numbers, bucket by bucket."""

    type: Literal["derived"]
    expression: Text
    """Such as `videos_watched.users / visits`: metrics (their `value`), `NAME.measure`, numbers, `+ - * / ( )`."""


def resolve(definition: DerivedDefinition, scope: Scope) -> Combined | None:
    try:
        written = parse_arithmetic(definition.expression)
    except ConditionError as error:
        scope.problem(error.message, "expression", fix=error.fix)
        return None
    names = dict.fromkeys(columns(written))
    if not names:
        scope.problem(
            f"`{definition.expression}` names no metric", "expression", fix="Write one, such as `videos_watched / 7`."
        )
        return None
    found = {name: output(scope, name, "expression") for name in names}
    meant = {name: one for name, one in found.items() if one is not None}
    if len(meant) < len(found):
        return None
    value = put_in(written, meant), tuple(one for _, inputs in meant.values() for one in inputs)
    words = {"value": f"The metric's value: {definition.expression}."}
    return combined(scope, definition, {"value": value}, words, "expression")


def inputs(definition: DerivedDefinition) -> Sequence[tuple[Path, str]]:
    try:
        names = columns(parse_arithmetic(definition.expression))
    except ConditionError:  # Told by `resolve`.
        return ()
    return [(("expression",), name.partition(".")[0]) for name in names]


FAMILY = Family(
    definition=DerivedDefinition,
    shape="series",
    parts=("rows", "overall"),
    resolve=resolve,
    selections=selections,
    is_engagement=is_engagement,
    measures=measures_of,
    measure=measure_of,
    default_measures=("value",),
    columns=series_columns,
    plan=plan,
    conventions=conventions,
    check=check,
    is_complete=is_complete,
    inputs=inputs,
    example="""\
hours_per_viewer:
  type: derived
  expression: videos_watched.sum_minutes / 60 / videos_watched.users
""",
)
