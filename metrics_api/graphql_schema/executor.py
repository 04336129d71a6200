"""GraphQL's executor, but for lists of rows: those of an answer are written as JSON at once, column by column.

The stock executor looks at every value by itself, which costs forty times what the values are worth. What is selected
of a row is collected by the executor's own means, so aliases, fragments, merged fields and directives mean what they
always do; whatever is not plain (a null where none may be, a number that does not fit) is left to the stock executor,
which knows how to refuse it. The methods that are overridden are no public interface of graphql-core: its version is
bounded, and a test compares both ways over generated documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson
from graphql import GraphQLObjectType, IntValueNode, VariableNode, get_named_type, is_leaf_type, is_non_null_type
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from metrics_api.graphql_schema.answers import Rows, Values
from metrics_api.graphql_schema.context import RequestContext
from metrics_api.graphql_schema.json_text import NoText, listed, objects
from metrics_api.graphql_schema.layout import Cell, Field, Group
from metrics_api.graphql_schema.selection import percentile

if TYPE_CHECKING:
    import pyarrow as pa


FEW = 24
"""Rows up to which the stock executor is as fast."""


class RowsAtOnce(StrawberryGraphQLCoreExecutionContext):
    """An executor whose answers may hold `orjson.Fragment`s, where the request's context says so."""

    def complete_list_value(
        self, return_type: Any, field_details_list: Any, info: Any, path: Any, result: Any, position_context: Any
    ) -> Any:
        context = self.context_value
        is_long = isinstance(result, Rows | Values) and len(result) > FEW
        if is_long and isinstance(context, RequestContext) and context.writes_json:
            try:
                return orjson.Fragment(self._written(return_type.of_type, field_details_list, result))
            except NoText:
                pass
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)

    def _written(self, item: Any, details: Any, result: Rows | Values) -> bytes:
        if isinstance(result, Rows):
            of = get_named_type(item)
            assert isinstance(of, GraphQLObjectType)
            return objects(_joined([*self._object(of, details, result, result.fields, None)]), len(result))
        if not is_leaf_type(get_named_type(item)):
            raise NoText
        return listed(_checked(result, item))

    def _object(
        self, of: GraphQLObjectType, details: Any, rows: Rows, fields: tuple[Field, ...], group: Group | None
    ) -> Iterator[str | pa.Array]:
        """The pieces of each row's text."""
        before = "{"
        for key, inner in self.collect_subfields(of, details)[0].items():
            name = inner[0].node.name.value
            yield f"{before}{orjson.dumps(key).decode()}:"
            before = ","
            if name == "__typename":
                yield f'"{of.name}"'
                continue
            kind = of.fields[name].type
            match next((one for one in fields if one.name == name), None):
                case Group() as found:
                    named = get_named_type(kind)
                    assert isinstance(named, GraphQLObjectType)
                    yield from self._object(named, inner, rows, found.cells, found)
                case Cell() as found:
                    column = found.column if group is None else group.column(found.column)
                    yield _value(rows, column, kind)
                case _ if group is not None and group.percentiles and name == "percentile":
                    yield _value(rows, group.column(percentile(self._number(inner[0]))), kind)
                case _:
                    raise NoText
        yield "}" if before == "," else "{}"

    def _number(self, details: Any) -> int:
        """The one argument of a field, which is a whole number."""
        (argument,) = details.node.arguments
        match argument.value:
            case IntValueNode(value=written):
                return int(written)
            case VariableNode(name=name) if details.fragment_variable_values is None:
                given = self.variable_values.coerced.get(name.value)
                if isinstance(given, int):
                    return given
        raise NoText


def _value(rows: Rows, column: str, kind: Any) -> str | pa.Array:
    if (values := rows.values(column)) is None:
        if is_non_null_type(kind):
            raise NoText
        return "null"
    return _checked(values, kind)


def _checked(values: Values, kind: Any) -> pa.Array:
    if values.has_nulls and is_non_null_type(kind):
        raise NoText
    return values.texts()


def _joined(pieces: list[str | pa.Array]) -> list[str | pa.Array]:
    """The same with texts that follow one another as one."""
    found: list[str | pa.Array] = []
    for one in pieces:
        if found and isinstance(one, str) and isinstance(last := found[-1], str):
            found[-1] = last + one
        else:
            found.append(one)
    return found
