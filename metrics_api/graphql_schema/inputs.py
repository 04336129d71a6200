"""What a metric can be asked: the arguments of its field, shared by all metrics, and the filters of its sources."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from types import GenericAlias
from typing import Any

import strawberry
from strawberry import UNSET
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryList, StrawberryOptional, StrawberryType
from strawberry.types.field import UNRESOLVED, StrawberryField

from metrics_api.graphql_schema.layout import Layout, Sources, camel, described
from metrics_api.graphql_schema.scalars import BigInt
from metrics_api.periods import Grain as CoreGrain

Grain = strawberry.enum(
    enum.Enum("Grain", {one.name: one.value for one in CoreGrain}),  # type: ignore[call-overload]
    description="The size of a bucket.",
)


@strawberry.enum(description="What a range is counted in: whole local days or longer.")
class TimeUnit(enum.Enum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@strawberry.enum(description="What a window is counted in. A day is 24 hours, a month 30 days.")
class DurationUnit(enum.Enum):
    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@strawberry.enum(description="The earlier range that values are compared with.")
class Compare(enum.Enum):
    PREVIOUS_PERIOD = strawberry.enum_value("previous_period", description="As many buckets before, place by place.")
    PREVIOUS_YEAR = strawberry.enum_value("previous_year", description="The same dates; for weeks, 52 weeks before.")


@strawberry.enum(description="What a request says of answers that are kept.")
class CacheUse(enum.Enum):
    ANY = strawberry.enum_value("ANY", description="One will do, as long as the data behind it is the same.")
    FRESH = strawberry.enum_value("FRESH", description="The warehouse is asked, also how far its data reaches.")
    ONLY = strawberry.enum_value("ONLY", description="Only one that is kept; the warehouse is asked nothing else.")


@strawberry.enum(description="The day of which cohorts are.")
class CohortAsOf(enum.Enum):
    RANGE_END = strawberry.enum_value("range_end", description="The last day of the range.")
    BUCKET_END = strawberry.enum_value("bucket_end", description="The last day of each bucket; overall, of the range.")


@strawberry.enum(description="The direction of an order.")
class Direction(enum.Enum):
    ASC = "asc"
    DESC = "desc"


@strawberry.input(description="From one local date to another, both included.")
class BetweenInput:
    from_: date = strawberry.field(name="from", description="The first day.")
    to: date | None = strawberry.field(default=UNSET, description="The last day; that of `asOf` when absent.")


@strawberry.input(description="The last units up to and including the one that holds `asOf`.")
class LastInput:
    n: int = strawberry.field(description="How many.")
    unit: TimeUnit
    exclude_current: bool = strawberry.field(
        default=False, description="Leave out the unit that holds `asOf`, which is not complete yet."
    )


@strawberry.input(
    one_of=True, description="A range of local dates, in one of these ways. It is widened to whole buckets."
)
class TimeInput:
    between: BetweenInput | None = UNSET
    last: LastInput | None = UNSET


@strawberry.input(description="A length of time, such as a conversion window.")
class DurationInput:
    n: int = strawberry.field(description="How many.")
    unit: DurationUnit


# -- filters -----------------------------------------------------------------------------------------------------------


def _comparisons(of: Any, *, ordered: bool = True, like: bool = False) -> list[StrawberryField]:
    """A filter's fields. The Python names are those of the core's operators."""
    words = {"eq": "Equal.", "ne": "Different, or missing."}
    words |= {"lt": "Less.", "le": "At most.", "gt": "Greater.", "ge": "At least."} if ordered else {}
    words |= {"like": "Matches a pattern, where % stands for any text and _ for one character."} if like else {}
    fields = [_optional(name, name, of, text) for name, text in words.items()]
    return [
        *fields,
        _optional("in", "in", listed(of), "One of these."),
        _optional("not_in", "notIn", listed(of), "None of these, or missing."),
        _optional("is_null", "isNull", bool, "Missing (true) or there (false)."),
    ]


def listed(of: Any) -> Any:
    """`list[of]`, of a type that exists only once the schema is made."""
    return GenericAlias(list, (of,))


PYTHON_NAME = "c_"
"""Begins the attribute of anything that a person named: `class` and `resolve_type` are names like any other."""


def _optional(python_name: str, name: str, of: Any, description: str) -> StrawberryField:
    return StrawberryField(
        python_name=f"{PYTHON_NAME}{python_name}",
        graphql_name=name,
        type_annotation=StrawberryAnnotation(of | None, namespace={}),
        description=description,
        default=UNSET,
    )


def _input(name: str, fields: list[StrawberryField], description: str) -> Any:
    body: dict[str, Any] = {one.python_name or "": one for one in fields}
    body["__annotations__"] = {name: one.type for name, one in body.items()}
    body["__module__"] = __name__
    return strawberry.input(type(name, (), body), description=description)


_A_FILTER = "Conditions on a property; all of them hold."
StringFilter = _input("StringFilter", _comparisons(str, like=True), _A_FILTER)
NumberFilter = _input("NumberFilter", _comparisons(float), _A_FILTER)
IntegerFilter = _input("IntegerFilter", _comparisons(BigInt), _A_FILTER)
DecimalFilter = _input("DecimalFilter", _comparisons(Decimal), _A_FILTER)
BooleanFilter = _input("BooleanFilter", _comparisons(bool, ordered=False), _A_FILTER)
DateFilter = _input("DateFilter", _comparisons(date), _A_FILTER)
DateTimeFilter = _input("DateTimeFilter", _comparisons(datetime), _A_FILTER)

_FILTERS: dict[str, Any] = {
    "string": StringFilter,
    "number": NumberFilter,
    "integer": IntegerFilter,
    "decimal": DecimalFilter,
    "boolean": BooleanFilter,
    "date": DateFilter,
    "timestamp": DateTimeFilter,
}


class _ItselfField(StrawberryField):
    """`and`, `or`, `not`: of the filter's own type, which does not exist yet when its fields are made."""

    many = True

    def resolve_type(self, *, type_definition: Any = None) -> Any:
        if not isinstance(self.origin, type):
            return UNRESOLVED
        one: type | StrawberryType = self.origin
        return StrawberryOptional(StrawberryList(one) if self.many else one)


def _itself(python_name: str, name: str, description: str, *, many: bool) -> StrawberryField:
    made = _ItselfField(
        python_name=python_name,
        graphql_name=name,
        type_annotation=StrawberryAnnotation(object, namespace={}),
        description=description,
        default=UNSET,
    )
    made.many = many
    return made


def filter_type(sources: Sources) -> Any:
    """The filter over the common properties of sources."""
    fields = [
        _optional(one.name, camel(one.name), _FILTERS[one.type], described(one) or f"The property `{one.name}`.")
        for one in sources.properties
    ]
    fields += [
        _itself("all_of", "and", "All of these hold.", many=True),
        _itself("any_of", "or", "At least one of these holds.", many=True),
        _itself("none_of", "not", "This does not hold.", many=False),
    ]
    return _input(sources.filter_type, fields, "Which events count: everything written here holds for them.")


def dimension_type(sources: Sources) -> Any:
    """The properties to break down by, and what the local clock says."""
    return _enum(sources.dimension_type, "What to break down by.", list(sources.dimensions))


def top_type(sources: Sources, dimension: Any) -> Any:
    """How many values of a breakdown stand by themselves."""
    fields = [_required("by", dimension), _required("n", int, "How many; all others are one group, `(other)`.")]
    return _input(sources.top_type, fields, "The greatest values of a breakdown, by the metric's value in the range.")


def bins_type(sources: Sources, dimension: Any) -> Any:
    """The edges of a breakdown by a number."""
    fields = [_required("by", dimension), _required("edges", listed(float), "In order: [1, 5] makes three bins.")]
    return _input(sources.bins_type, fields, "A number in bins: below the first edge, from each to below the next.")


def _required(name: str, of: Any, description: str | None = None) -> StrawberryField:
    return StrawberryField(
        python_name=name,
        graphql_name=name,
        type_annotation=StrawberryAnnotation(of, namespace={}),
        description=description,
    )


def order_type(layout: Layout) -> Any:
    """A column to order by, and the direction."""
    columns = _enum(layout.order_by_type, "The columns to order by.", [(name, "") for name in layout.main.sortable])
    fields = [
        _required("by", columns),
        StrawberryField(
            python_name="direction",
            graphql_name="direction",
            type_annotation=StrawberryAnnotation(Direction, namespace={}),
            default=Direction.ASC,
        ),
    ]
    return _input(
        layout.order_type, fields, "An order of rows. A measure to order by is computed as if it were selected."
    )


def optional_argument(python_name: str, name: str, of: Any, description: str) -> StrawberryArgument:
    """An argument that may be absent."""
    return StrawberryArgument(
        python_name=python_name,
        graphql_name=name,
        type_annotation=StrawberryAnnotation(of | None, namespace={}),
        description=description,
        default=UNSET,
    )


def words_type(name: str, description: str, words: Sequence[tuple[str, str]]) -> Any:
    """One of some words, each with what it means."""
    return _enum(name, description, list(words))


def _enum(name: str, description: str, values: list[tuple[str, str]]) -> Any:
    members = {value.upper(): strawberry.enum_value(value, description=words or None) for value, words in values}
    return strawberry.enum(enum.Enum(name, members), name=name, description=description)  # type: ignore[call-overload]


__all__ = [
    "PYTHON_NAME",
    "CacheUse",
    "Compare",
    "Direction",
    "DurationInput",
    "Grain",
    "TimeInput",
    "bins_type",
    "dimension_type",
    "filter_type",
    "listed",
    "optional_argument",
    "order_type",
    "top_type",
    "words_type",
]
