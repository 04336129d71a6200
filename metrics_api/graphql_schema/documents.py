"""Documents: limited before anything is done with them, parsed and validated once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)
from strawberry.extensions import SchemaExtension

from metrics_api.errors import Code
from metrics_api.graphql_schema.context import RequestContext, RequestLimits


@dataclass(frozen=True, slots=True)
class Size:
    """How large a selection is."""

    depth: int
    """Of fields inside fields; those of introspection have a rule of their own."""
    aliases: int
    fields: int
    """Of this selection set alone, its fragments included."""
    widest: int
    """Fields of any selection set inside it."""

    def problems(self, limits: RequestLimits) -> list[GraphQLError]:
        found = (
            ("levels of fields", self.depth, limits.depth),
            ("aliases", self.aliases, limits.aliases),
            ("fields in one selection", self.widest, limits.selections),
        )
        return [
            _refusal(f"the request has {count:,} {what}; at most {most:,} are answered")
            for what, count, most in found
            if count > most
        ]


NOTHING = Size(0, 0, 0, 0)


@dataclass(slots=True)
class _Known:
    document: DocumentNode
    sizes: tuple[Size, ...]
    is_valid: bool = False


class KnownDocuments:
    """The valid documents seen lately. Long ones are not kept: their trees are large."""

    def __init__(self, size: int = 256, longest: int = 8_192) -> None:
        self._size, self._longest = size, longest
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = Lock()

    def get(self, text: str) -> _Known | None:
        with self._lock:
            if text in self._known:
                self._known.move_to_end(text)
            return self._known.get(text)

    def put(self, text: str, known: _Known) -> None:
        if len(text) <= self._longest:
            with self._lock:
                self._known[text] = known
                if len(self._known) > self._size:
                    self._known.popitem(last=False)


class Documents(SchemaExtension):
    """Refuses documents beyond the limits before they are validated: validation is what is slow about large ones."""

    def __init__(self, known: KnownDocuments) -> None:
        self._documents = known
        self._known: _Known | None = None

    @property
    def _limits(self) -> RequestLimits:
        context = self.execution_context.context
        return context.limits if isinstance(context, RequestContext) else RequestLimits()

    def on_operation(self) -> Iterator[None]:
        self.execution_context.parse_options["max_tokens"] = self._limits.tokens
        yield

    def on_parse(self) -> Iterator[None]:
        context = self.execution_context
        self._known = self._documents.get(context.query or "")
        if self._known is not None:
            context.graphql_document = self._known.document
        yield
        if self._known is None and context.graphql_document is not None:
            self._known = _Known(context.graphql_document, sizes_of(context.graphql_document))
        if self._known is not None:
            limits = self._limits
            problems = [problem for size in self._known.sizes for problem in size.problems(limits)]
            problems += _variable_problems(context.variables, limits)
            if problems:
                context.pre_execution_errors = problems

    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        if self._known is not None and self._known.is_valid and context.pre_execution_errors is None:
            context.pre_execution_errors = []
        yield
        if self._known is not None and not self._known.is_valid and not context.pre_execution_errors:
            self._known.is_valid = True
            self._documents.put(context.query or "", self._known)


def _variable_problems(variables: Mapping[str, Any] | None, limits: RequestLimits) -> list[GraphQLError]:
    # A filter of `nesting` levels lies in lists and objects of its own.
    most = 2 * limits.nesting + 4
    if variables and _nesting(variables, most) > most:
        return [_refusal(f"the variables are nested more than {most} levels deep")]
    return []


def _refusal(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": Code.LIMIT_EXCEEDED.value})


def _nesting(value: object, most: int) -> int:
    level, depth = [value], 0
    while level and depth <= most:
        depth += 1
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def sizes_of(document: DocumentNode) -> tuple[Size, ...]:
    """The size of each operation of a document."""
    measuring = _Measuring(document)
    operations = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    return tuple(measuring.of(one.selection_set) for one in operations)


class _Measuring:
    """Measures selections; a fragment only once, however often it is used."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }
        self._measured: dict[str, Size] = {}

    def of(self, selections: SelectionSetNode) -> Size:
        depth = aliases = fields = widest = 0
        for node in selections.selections:
            inner = NOTHING
            match node:
                case FieldNode():
                    fields += 1
                    aliases += node.alias is not None
                    if node.selection_set is not None:
                        inner = self.of(node.selection_set)
                    # Introspection is deep by nature; validation has a rule for how deep.
                    depth = max(depth, 1 if node.name.value.startswith("__") else 1 + inner.depth)
                case InlineFragmentNode():
                    inner = self.of(node.selection_set)
                    depth, fields = max(depth, inner.depth), fields + inner.fields
                case FragmentSpreadNode():
                    inner = self._of_fragment(node.name.value)
                    depth, fields = max(depth, inner.depth), fields + inner.fields
            aliases += inner.aliases
            widest = max(widest, inner.widest)
        return Size(depth, aliases, fields, max(widest, fields))

    def _of_fragment(self, name: str) -> Size:
        if name not in self._measured:
            # A fragment inside itself, or one there is none of, is for validation to refuse.
            self._measured[name] = NOTHING
            if name in self._fragments:
                self._measured[name] = self.of(self._fragments[name].selection_set)
        return self._measured[name]
