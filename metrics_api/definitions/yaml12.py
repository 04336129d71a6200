"""One YAML file as plain data, with the place of every key and value.

YAML 1.2 core scalars: `NO`, `on`, `12:30` and `1_000` are texts, as editors show them. Keys are texts. Duplicate
keys, tabs, several documents and tags of one's own are problems, not surprises; `<<` is a key like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any, TypeAlias

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from metrics_api.definitions.names import Path
from metrics_api.definitions.yaml_problems import character_problem, syntax_problem, too_deep
from metrics_api.errors import DefinitionError, Problem, SourceSpan

Plain: TypeAlias = "None | bool | int | float | str | list[Plain] | dict[str, Plain]"

DEEPEST = 50  # No definition nests deeper; an alias inside its own anchor does.
MOST_NODES = 1_000_000  # Aliases of aliases can make a few lines as large as memory.

_PLAIN, _TEXT, _LIST, _MAPPING = "plain", "text", "list", "mapping"
_CORE_TAGS = {
    "tag:yaml.org,2002:str": _TEXT,
    "tag:yaml.org,2002:seq": _LIST,
    "tag:yaml.org,2002:map": _MAPPING,
    "tag:yaml.org,2002:int": _PLAIN,
    "tag:yaml.org,2002:float": _PLAIN,
    "tag:yaml.org,2002:bool": _PLAIN,
    "tag:yaml.org,2002:null": _PLAIN,
    "!": _TEXT,
}
_WORDS: dict[str, None | bool] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]{1,400}")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def core_scalar(text: str) -> None | bool | int | float | str:
    """What an unquoted scalar means in the core schema of YAML 1.2."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-+.0123456789":
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL_OR_HEX.fullmatch(text):
        return int(text[2:], 8 if text[1] == "o" else 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if matched := _NOT_FINITE.fullmatch(text):
        return float("nan") if matched[3] else float(f"{matched[1]}inf")
    return text


@dataclass(frozen=True)
class Document:
    """A file's data, and where each part of it stands. `data` is None for a file without content."""

    file: str
    data: Plain
    has_nulls: bool = False
    has_placeholders: bool = False
    problems: tuple[Problem, ...] = ()
    """Faults that leave the rest legible, such as a key written twice; only if asked to keep going."""
    root: yaml.Node | None = field(default=None, repr=False, compare=False)
    text: str = field(default="", repr=False, compare=False)
    """The file as it is, for places inside of texts."""

    def span(self, *path: str | int) -> SourceSpan:
        """Where the value at a path begins, or the nearest value around it that was written."""
        return self._at(self._nearest(path)[1])

    def key_span(self, *path: str | int) -> SourceSpan:
        """Where the key of a path stands; for list items and unwritten paths the nearest value around it."""
        key, value = self._nearest(path)
        return self._at(key or value)

    def span_inside(self, path: Path, line: int, column: int) -> SourceSpan:
        """Where a line and column (from 1) of the text at a path stand; other than in a block: where it begins."""
        node = self._nearest(path)[1]
        if not isinstance(node, yaml.ScalarNode) or node.style != "|":
            return self._at(node)
        number = node.start_mark.line + line  # A block begins on the line below its mark.
        said, written = node.value.split("\n")[line - 1], self.text.splitlines()[number]
        return SourceSpan(self.file, number + 1, len(written) - len(said) + column)

    def has(self, *path: str | int) -> bool:
        """Whether exactly this path was written."""
        return self.root is not None and self._walk(path)[2] == len(path)

    def texts(self) -> Iterator[tuple[Path, bool, str]]:
        """Every text with its path and whether it is a key."""
        yield from _texts(self.data, ())

    def _at(self, node: yaml.Node | None) -> SourceSpan:
        if node is None:
            return SourceSpan(self.file)
        return SourceSpan(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _nearest(self, path: Path) -> tuple[yaml.Node | None, yaml.Node | None]:
        key, value, reached = self._walk(path)
        return (key if reached == len(path) else None), value

    def _walk(self, path: Path) -> tuple[yaml.Node | None, yaml.Node | None, int]:
        """The key and value nodes of the longest written beginning of a path, and its length."""
        key: yaml.Node | None = None
        value = self.root
        for reached, part in enumerate(path):
            match value:
                case yaml.MappingNode():
                    if (found := self._entries(value).get(str(part))) is None:
                        return key, value, reached
                    key, value = found
                case yaml.SequenceNode() if isinstance(part, int) and 0 <= part < len(value.value):
                    key, value = None, value.value[part]
                case _:
                    return key, value, reached
        return key, value, len(path)

    def _entries(self, mapping: yaml.MappingNode) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        found = self._indexed.get(id(mapping))
        if found is None:
            entries = [(key, value) for key, value in mapping.value if isinstance(key, yaml.ScalarNode)]
            # Of a key written twice the first counts, as in the data.
            found = self._indexed[id(mapping)] = {key.value: (key, value) for key, value in reversed(entries)}
        return found

    @cached_property
    def _indexed(self) -> dict[int, dict[str, tuple[yaml.Node, yaml.Node]]]:
        """The entries by key of the mappings that were looked into; nodes live as long as `root`."""
        return {}


def _texts(value: Plain, path: Path) -> Iterator[tuple[Path, bool, str]]:
    match value:
        case str():
            yield path, False, value
        case dict():
            for key, one in value.items():
                yield (*path, key), True, key
                yield from _texts(one, (*path, key))
        case list():
            for index, one in enumerate(value):
                yield from _texts(one, (*path, index))
        case _:
            pass


def read_yaml(path: FilePath, *, shown_as: str | None = None, keep_going: bool = False) -> Document:
    """Read a file; raises DefinitionError with every problem found in it.

    With `keep_going` faults that leave the rest legible are not raised but left in `Document.problems`.
    """
    file = shown_as or path.as_posix()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DefinitionError(
            Problem(f"the file cannot be read: {(error.strerror or 'unknown reason').lower()}", SourceSpan(file))
        ) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8-sig", "replace")) + 1
        raise DefinitionError(
            Problem(
                "the file is not UTF-8 text",
                SourceSpan(file, line, column),
                "Save it as UTF-8, or move it out of the folder if it is no definition file.",
            )
        ) from None
    return parse_yaml(text, file, keep_going=keep_going)


def parse_yaml(text: str, file: str, *, keep_going: bool = False) -> Document:
    """Read a text, as `read_yaml` reads a file."""
    try:
        if _may_nest_without_end(text):
            _refuse_endless_nesting(text, file)
        root = _compose(text)
    except yaml.MarkedYAMLError as error:
        raise DefinitionError(syntax_problem(error, text, file)) from None
    except yaml.reader.ReaderError as error:
        raise DefinitionError(character_problem(text, file, str(error.reason))) from None
    except RecursionError:
        raise DefinitionError(too_deep(SourceSpan(file))) from None
    if root is None:
        return Document(file, None)
    reading = _Reading(file)
    data = reading.plain(root, 0)
    if reading.problems and not (keep_going and reading.is_whole):
        raise DefinitionError(reading.problems)
    return Document(file, data, reading.has_nulls, "${" in text, tuple(reading.problems), root, text)


_MANY_BLOCKS = re.compile(r"^[ \t?:-]{500}", re.MULTILINE)
_BRACKET = re.compile(r"[\[\]{}]")


def _may_nest_without_end(text: str) -> bool:
    """Whether the text looks as if libyaml's composer, which recurses in C, could overflow the stack on it."""
    if _MANY_BLOCKS.search(text):
        return True
    depth = 0
    for bracket in _BRACKET.findall(text):
        depth += 1 if bracket in "[{" else -1
        if depth > 500:
            return True
    return False


def _refuse_endless_nesting(text: str, file: str) -> None:
    """Look closely, event by event and so without recursion."""
    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > 2 * DEEPEST:
            assert event.start_mark is not None
            where = SourceSpan(file, event.start_mark.line + 1, event.start_mark.column + 1)
            raise DefinitionError(too_deep(where))


class _Core:
    """Resolves tags for either composer: only tells plain scalars from quoted ones, `_Reading` does the rest."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else _TEXT
        return _LIST if kind is yaml.SequenceNode else _MAPPING

    def descend_resolver(self, current_node: Any, current_index: Any) -> None: ...

    def ascend_resolver(self) -> None: ...

    def check_resolver_prefix(self, depth: Any, path: Any, current_node: Any, current_index: Any) -> bool:
        return False


class _PureComposer(_Core, Reader, Scanner, Parser, Composer):
    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)


def _compose_purely(text: str) -> yaml.Node | None:
    node: yaml.Node | None = _PureComposer(text).get_single_node()
    return node


if yaml.__with_libyaml__:

    class _FastComposer(_Core, yaml.cyaml.CParser):  # type: ignore[name-defined, misc]  # Unknown to the stubs.
        pass

    def _compose(text: str) -> yaml.Node | None:
        node: yaml.Node | None = _FastComposer(text).get_single_node()
        return node

else:
    _compose = _compose_purely


class _Reading:
    """The conversion of one file's nodes to plain data, with the problems met on the way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.has_nulls = False
        self.is_whole = True
        self.nodes = 0

    def plain(self, node: yaml.Node, depth: int) -> Plain:
        tag = node.tag
        if tag not in (_PLAIN, _TEXT, _MAPPING, _LIST):
            tag = self.written_tag(node)
        self.nodes += 1
        if depth > DEEPEST or self.nodes > MOST_NODES:
            self.stop(node)
            return None
        if isinstance(node, yaml.ScalarNode):
            if tag == _TEXT:
                return str(node.value)
            value = core_scalar(node.value)
            if value is None:
                self.has_nulls = True
            return value
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, depth + 1) for item in node.value]
        return self.mapping(node, depth)

    def mapping(self, node: yaml.Node, depth: int) -> dict[str, Plain]:
        result: dict[str, Plain] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.refuse(key, "a key must be a single word, found a list or a mapping", "Quote it if it is a text.")
                continue
            name = key.value
            if name in result:
                first = next(other for other, _ in node.value if other.value == name)
                self.refuse(
                    key,
                    f"`{name[:80]}` is written twice; the first is on line {first.start_mark.line + 1}",
                    "Keep one of them, or rename one.",
                )
                continue
            result[name] = self.plain(value, depth + 1)
        return result

    def written_tag(self, node: yaml.Node) -> str:
        if (tag := _CORE_TAGS.get(node.tag)) is None:
            written = node.tag.replace("tag:yaml.org,2002:", "!!")[:40]
            self.refuse(node, f"`{written}` is a YAML tag, which definitions do not have", "Write the value alone.")
            return _TEXT
        return tag

    def stop(self, node: yaml.Node) -> None:
        if self.is_whole:
            self.is_whole = False
            self.problems.append(too_deep(self.span(node)))

    def refuse(self, node: yaml.Node, message: str, fix: str) -> None:
        self.problems.append(Problem(message, self.span(node), fix))

    def span(self, node: yaml.Node) -> SourceSpan:
        return SourceSpan(self.file, node.start_mark.line + 1, node.start_mark.column + 1)
