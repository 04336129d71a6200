"""GraphQL types from layouts: made once for each layout, whatever the number of metrics that share it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar, cast

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.tools import create_type
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

from metrics_api.graphql_schema.inputs import (
    PYTHON_NAME,
    bins_type,
    dimension_type,
    filter_type,
    listed,
    order_type,
    top_type,
    words_type,
)
from metrics_api.graphql_schema.layout import PERIOD, SMALL, Cell, Cohorts, Field, Group, Layout, Sources
from metrics_api.graphql_schema.scalars import BigInt, Period
from metrics_api.graphql_schema.selection import percentile
from metrics_api.results import Info as CoreInfo

_SCALARS: dict[str, Any] = {
    "string": str,
    "integer": BigInt,
    "number": float,
    "decimal": Decimal,
    "boolean": bool,
    "date": date,
    "timestamp": datetime,
    PERIOD: Period,
    SMALL: int,
}


@strawberry.enum(description="Where an answer is from.")
class CacheStatus(Enum):
    HIT = strawberry.enum_value("HIT", description="It was kept, and the data behind it is the same.")
    STALE = strawberry.enum_value("STALE", description="It was kept and is old; a new one is being made.")
    MISS = strawberry.enum_value("MISS", description="The warehouse was asked.")
    JOINED = strawberry.enum_value("JOINED", description="Somebody else had asked the warehouse the same.")
    BYPASS = strawberry.enum_value("BYPASS", description="The warehouse was asked, because the request said so.")


@strawberry.type(description="Where an answer is from.")
class CacheInfo:
    status: CacheStatus = strawberry.field(description="Where it is from.")
    age_seconds: float = strawberry.field(description="The seconds since it was made.")


F = TypeVar("F", bound=Callable[..., Any])


def resolved(*, description: str, of: Any = None) -> Callable[[F], F]:
    """`strawberry.field` of a resolver, which keeps its type for the type checker; `of` if only known when run."""

    def decorate(resolver: F) -> F:
        return cast("F", strawberry.field(resolver=resolver, description=description, graphql_type=of))

    return decorate


@strawberry.type(description="How an answer came about.")
class AnswerInfo:
    as_of: datetime = strawberry.field(description="The instant taken for now.")
    data_through: datetime = strawberry.field(description="How far the data reaches.")
    first: date = strawberry.field(
        name="from", description="The first local date of the range, widened to whole buckets."
    )
    last: date = strawberry.field(name="to", description="The last local date of the range.")
    timezone: str = strawberry.field(description="The time zone whose days are counted.")
    conventions: list[str] = strawberry.field(description="How the numbers were counted, in words.")
    sql: str = strawberry.field(description="The statement that the warehouse answered.")
    fingerprint: str = strawberry.field(description="Equal for equal computations, whatever dates and filters' values.")
    row_count: int = strawberry.field(description="The rows that were answered.")
    truncated: bool = strawberry.field(description="Whether rows were cut off at the limit.")
    seconds: float = strawberry.field(description="How long the warehouse took, waiting included.")

    @resolved(description="Whether it was kept, and since when.")
    def cache(self, info: Info) -> CacheInfo | None:
        # It grows old by the second: what tells it is made anew for each request.
        info.context.is_lasting = False
        found = cast("CoreInfo", self).cache
        return None if found is None else CacheInfo(status=CacheStatus[found.status], age_seconds=found.age_seconds)


def output_field(python_name: str, name: str, of: Any, description: str = "") -> StrawberryField:
    """A field that reads its value under its Python name."""
    made = StrawberryField(
        python_name=python_name,
        graphql_name=name,
        type_annotation=StrawberryAnnotation(of, namespace={}),
        description=description or None,
    )
    return not_constructed(made)


def not_constructed(made: StrawberryField) -> StrawberryField:
    """The field, left out of its class's constructor: values come as mappings."""
    made.init = made.repr = made.compare = False
    return made


class _PercentileField(StrawberryField):
    """`percentile(p: 95)`: any number of them under different aliases."""

    @property
    def is_basic_field(self) -> bool:
        return False

    def get_result(self, source: Any, info: Info | None, args: list[Any], kwargs: Any) -> Any:
        return source.get(PYTHON_NAME + percentile(kwargs["p"]))


class ObjectTypes:
    """The types made so far, by name. Names were checked before: one name is one meaning."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def row(self, name: str, fields: Sequence[Field], description: str) -> Any:
        """An object with a value in each field."""
        return self.once(name, lambda: create_type(name, self.values(fields), description=description))

    def values(self, fields: Sequence[Field]) -> list[StrawberryField]:
        return [self._value(one) for one in fields]

    def columns(self, name: str, fields: Sequence[Field], description: str) -> Any:
        """An object with a list in each field."""
        return self.once(name, lambda: create_type(name, [self._list(one) for one in fields], description=description))

    def dimension(self, sources: Sources) -> Any:
        return self.once(sources.dimension_type, lambda: dimension_type(sources))

    def top(self, sources: Sources) -> Any:
        return self.once(sources.top_type, lambda: top_type(sources, self.dimension(sources)))

    def bins(self, sources: Sources) -> Any:
        return self.once(sources.bins_type, lambda: bins_type(sources, self.dimension(sources)))

    def filter(self, sources: Sources) -> Any:
        return self.once(sources.filter_type, lambda: filter_type(sources))

    def cohort_names(self, cohorts: Cohorts) -> Any:
        words = f"A group of {cohorts.entity}s that the project defines."
        return self.once(cohorts.name_type, lambda: words_type(cohorts.name_type, words, cohorts.names))

    def order(self, layout: Layout) -> Any:
        return self.once(layout.order_type, lambda: order_type(layout))

    def _value(self, field: Field) -> StrawberryField:
        if isinstance(field, Group):
            return output_field(field.prefix, field.name, self._group(field), field.description)
        of = _SCALARS[field.type]
        return output_field(
            PYTHON_NAME + field.column, field.name, of if field.required else of | None, field.description
        )

    def _list(self, field: Field) -> StrawberryField:
        if isinstance(field, Group):
            return output_field(field.prefix, field.name, self._group_columns(field), field.description)
        return output_field(PYTHON_NAME + field.column, field.name, _list_type(field), field.description)

    def _group(self, group: Group) -> Any:
        def make() -> Any:
            fields = [self._value(one) for one in group.cells]
            fields += [_percentile(float | None)] if group.percentiles else []
            return create_type(group.type_name, fields, description=group.description or None)

        return self.once(group.type_name, make)

    def _group_columns(self, group: Group) -> Any:
        def make() -> Any:
            fields = [self._list(one) for one in group.cells]
            fields += [_percentile(listed(float | None))] if group.percentiles else []
            return create_type(f"{group.type_name}Columns", fields, description=group.description or None)

        return self.once(f"{group.type_name}Columns", make)


def _list_type(cell: Cell) -> Any:
    of = _SCALARS[cell.type]
    if cell.is_breakdown or cell.is_compared:
        return listed(of if cell.is_breakdown else of | None) | None
    return listed(of) if cell.required else listed(of | None)


def _percentile(of: Any) -> StrawberryField:
    made = _PercentileField(
        python_name="percentile",
        graphql_name="percentile",
        type_annotation=StrawberryAnnotation(of, namespace={}),
        description="Any percentile, exact.",
    )
    made.arguments = [
        StrawberryArgument(
            python_name="p",
            graphql_name="p",
            type_annotation=StrawberryAnnotation(int, namespace={}),
            description="1 to 99; 50 is the median.",
        )
    ]
    return not_constructed(made)
