"""The edges by which numbers are broken down."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from metrics_api.definitions.refusal import Refusal


def bins_problem(edges: tuple[Decimal, ...]) -> str | None:
    """What is wrong with edges; None when nothing is."""
    if not edges:
        return "no edges"
    if any(not edge.is_finite() for edge in edges):
        return "an edge that is not a number"
    for low, high in itertools.pairwise(edges):
        if low >= high:
            return f"{plain(low)} before {plain(high)}: edges grow"
    return None


def plain(edge: Decimal) -> str:
    """The number without an exponent or trailing zeros."""
    digits = format(edge, "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _read(written: object) -> tuple[Decimal, ...]:
    listed = written if isinstance(written, list | tuple) else [written]
    if any(isinstance(one, bool) or not isinstance(one, int | float | Decimal) for one in listed):
        raise Refusal(f"expected a list of numbers, found `{written}`", "Write the edges: `[1, 5, 20]`.")
    edges = tuple(Decimal(str(one)) for one in listed)
    if wrong := bins_problem(edges):
        raise Refusal(
            f"bins with {wrong}" if wrong.startswith(("no", "an")) else f"bins have {wrong}",
            "Write numbers that grow: `[1, 5, 20]`.",
        )
    return edges


Edges = Annotated[
    tuple[Decimal, ...],
    PlainValidator(_read),
    PlainSerializer(lambda edges: [float(one) for one in edges], return_type=list[float]),
    WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 1, "examples": [[1, 5, 20]]}),
]
