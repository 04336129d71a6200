"""`ratio`: one number divided by another, such as those who share by those who watch."""

from __future__ import annotations

from typing import Literal

from metrics_api.definitions.base import MetricDefinition
from metrics_api.definitions.names import OutputName
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
    selections,
)
from metrics_api.families.series import series_columns
from metrics_api.plan.expr import call
from metrics_api.query.family import Family
from metrics_api.semantic.resolve import Scope


class RatioDefinition(MetricDefinition):
    """One metric's number divided by another's, bucket by bucket."""

    type: Literal["ratio"]
    numerator: OutputName
    """What is divided: a metric (its `value`), or `NAME.measure` such as `videos_watched.users`."""
    denominator: OutputName
    """What it is divided by, written in the same way. By 0 the ratio is null."""


def resolve(definition: RatioDefinition, scope: Scope) -> Combined | None:
    above = output(scope, definition.numerator, "numerator")
    below = output(scope, definition.denominator, "denominator")
    if above is None or below is None:
        return None
    value = call("divide", above[0], below[0]), (*above[1], *below[1])
    words = {
        "value": f"The metric's value: {definition.numerator} / {definition.denominator}.",
        "numerator": "What is divided.",
        "denominator": "What it is divided by.",
    }
    return combined(scope, definition, {"value": value, "numerator": above, "denominator": below}, words, "numerator")


FAMILY = Family(
    definition=RatioDefinition,
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
    ranked_by="denominator",
    check=check,
    is_complete=is_complete,
    inputs=lambda definition: [
        (("numerator",), definition.numerator.partition(".")[0]),
        (("denominator",), definition.denominator.partition(".")[0]),
    ],
    example="""\
videos_per_active:
  type: ratio
  numerator: videos_watched
  denominator: monthly_actives
""",
)
