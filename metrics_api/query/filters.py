"""A question's filter: conditions over names become expressions over typed columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from metrics_api.errors import did_you_mean
from metrics_api.plan.expr import Call, Expr, Lit, Type, Value, all_of, any_of, call, negated
from metrics_api.query.metric_query import OPERATORS, AllOf, AnyOf, Comparison, Condition, NotOf, Written
from metrics_api.semantic.expressions import (
    ConditionError,
    a,
    compared,
    parse_condition,
    personal_refusal,
    property_value,
)
from metrics_api.semantic.model import Property, types_of


@dataclass(frozen=True, slots=True)
class Filters:
    """Reads filters over these properties. What cannot be read is a ConditionError."""

    properties: Mapping[str, Property]
    personal: Collection[str]
    choices: int
    """Values in one `in`, at most."""
    instead_of: Callable[[str, Iterable[str]], str | None]
    """The remedy for a property that is not there, from those that are."""

    def expression(self, condition: Condition) -> Expr:
        match condition:
            case Written(text):
                return parse_condition(text, types_of(self.properties), self.personal)
            case AllOf(conditions):
                return all_of([self.expression(one) for one in conditions])
            case AnyOf(conditions):
                return any_of([self.expression(one) for one in conditions])
            case NotOf(inner):
                return negated(self.expression(inner))
            case Comparison():
                return self.comparison(condition)

    def comparison(self, asked: Comparison) -> Expr:
        found = self.properties.get(asked.property)
        if asked.property in self.personal:
            raise personal_refusal(asked.property)
        if found is None:
            fix = self.instead_of(asked.property, self.properties)
            raise ConditionError(f"`{asked.property}` is not a declared property", fix)
        if asked.op not in OPERATORS:
            raise ConditionError(
                f"there is no operator `{asked.op}`", did_you_mean(asked.op, OPERATORS, what="operators")
            )
        column = property_value(found.name, found.type)
        if asked.op == "is_null":
            missing = call("is_null", column)
            return missing if asked.values != (False,) else call("not_", missing)
        if len(asked.values) > self.choices:
            raise ConditionError(f"`{found.name}`: {len(asked.values):,} choices; at most {self.choices:,} are read")
        values = [fitting(value, found) for value in asked.values]
        if asked.op in ("in", "not_in"):
            if not values:
                raise ConditionError(f"`{found.name}`: an empty list to choose from")
            chosen = Call("in_", (column, *values))
            return chosen if asked.op == "in" else negated(chosen)
        if len(values) != 1:
            raise ConditionError(f"`{found.name}`: `{asked.op}` compares with one value")
        if asked.op == "ne":
            return any_of([call("ne", column, values[0]), call("is_null", column)])
        if asked.op == "like" and found.type is not Type.STRING:
            raise ConditionError(f"`{found.name}` is {a(found.type)}; `like` compares strings")
        return compared(asked.op, column, values[0])


def fitting(value: Value, of: Property) -> Lit:
    """The value as a constant of the property's type; raises ConditionError when it is of another."""
    fits: dict[Type, Callable[[Value], bool]] = {
        Type.STRING: lambda one: isinstance(one, str),
        Type.BOOLEAN: lambda one: isinstance(one, bool),
        Type.DATE: lambda one: isinstance(one, date) and not isinstance(one, datetime),
        Type.TIMESTAMP: lambda one: isinstance(one, datetime),
    }
    if of.type in (Type.DATE, Type.TIMESTAMP) and isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            value = moment.date() if of.type is Type.DATE else _utc(moment)
        except (ValueError, OverflowError):
            raise ConditionError(
                f"`{of.name}` is {a(of.type)}; `{value}` is not", "Write it as `2026-01-31`."
            ) from None
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool) and value == value  # noqa: PLR0124
    if not (is_number and abs(value) != float("inf") if of.type.is_numeric else fits[of.type](value)):  # type: ignore[arg-type]
        shown = "null" if value is None else repr(value)
        remedy = f"Use `is_null: {{{of.name}}}`." if value is None else f"Write {a(of.type)}."
        raise ConditionError(f"`{of.name}` is {a(of.type)}; it cannot be compared with {shown}", remedy)
    return Lit(value, of.type)


def _utc(moment: datetime) -> datetime:
    """An instant as naive UTC, which it is already where it says no offset."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
