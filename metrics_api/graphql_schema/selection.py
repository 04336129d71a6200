"""What a request selects: only that is computed.

Fields are collected from the document by name, whatever their aliases; fragments are followed, and what `@skip` and
`@include` leave out is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import (
    BooleanValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)
from strawberry.types.info import Info

from metrics_api.errors import QueryError
from metrics_api.graphql_schema.layout import Field, Group

Nodes: TypeAlias = Sequence[FieldNode]


@dataclass(frozen=True, slots=True)
class Selected:
    """The core's columns that are selected of a row, and the groups that are, be it only for their `__typename`."""

    columns: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """What a selection is read against: the document's fragments and the request's variables."""

    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]

    @classmethod
    def of(cls, info: Info) -> Document:
        return cls(info._raw_info.fragments, info.variable_values)  # noqa: SLF001 - the nodes have no public door

    def fields(self, nodes: Nodes) -> dict[str, list[FieldNode]]:
        """The fields inside these nodes by name."""
        found: dict[str, list[FieldNode]] = {}
        followed: set[str] = set()
        waiting = [node.selection_set for node in nodes if node.selection_set is not None]
        for inner in waiting:
            self._collect(inner, found, followed, waiting)
        return found

    def _collect(
        self,
        selections: SelectionSetNode,
        found: dict[str, list[FieldNode]],
        followed: set[str],
        waiting: list[SelectionSetNode],
    ) -> None:
        for node in selections.selections:
            if not self._is_included(node.directives or ()):
                continue
            match node:
                case FieldNode():
                    found.setdefault(node.name.value, []).append(node)
                case InlineFragmentNode():
                    waiting.append(node.selection_set)
                case FragmentSpreadNode():
                    # Rows, columns and answers are objects, never interfaces: validation saw to it that types fit.
                    if node.name.value not in followed:
                        followed.add(node.name.value)
                        waiting.append(self.fragments[node.name.value].selection_set)

    def _is_included(self, directives: Iterable[Any]) -> bool:
        for directive in directives:
            if directive.name.value in ("skip", "include"):
                condition = next(one.value for one in directive.arguments if one.name.value == "if")
                if self.value(condition) is (directive.name.value == "skip"):
                    return False
        return True

    def value(self, node: ValueNode) -> Any:
        """The value of an argument that is a number, a truth value or a variable of one."""
        match node:
            case VariableNode():
                return self.variables.get(node.name.value)
            case IntValueNode():
                return int(node.value)
            case BooleanValueNode():
                return node.value
        raise AssertionError(node)

    def selected(self, fields: Sequence[Field], nodes: Nodes) -> Selected:
        """What is selected of a row. Raises QueryError for a percentile there is none of."""
        asked = self.fields(nodes)
        columns: dict[str, None] = {}
        groups: dict[str, None] = {}
        for one in fields:
            if one.name not in asked:
                continue
            if isinstance(one, Group):
                groups[one.prefix] = None
                columns |= dict.fromkeys(self._of_group(one, asked[one.name]))
            else:
                columns[one.column] = None
        return Selected(tuple(columns), tuple(groups))

    def _of_group(self, group: Group, nodes: Nodes) -> Iterator[str]:
        asked = self.fields(nodes)
        for cell in group.cells:
            if cell.name in asked:
                yield group.column(cell.column)
        for node in asked.get("percentile", ()) if group.percentiles else ():
            (p,) = node.arguments or ()
            yield group.column(percentile(self.value(p.value)))


def percentile(p: int) -> str:
    """The core's name of a percentile; raises QueryError for one that is none."""
    if not 1 <= p <= 99:
        raise QueryError(f"there is no percentile {p}", fix="`p` is 1 to 99; 50 is the median.")
    return f"p{p}"
