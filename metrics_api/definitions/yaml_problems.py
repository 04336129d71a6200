"""What the YAML parsers complain about, in words for people who do not know YAML's grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from metrics_api.errors import Problem, SourceSpan

TOO_DEEP = "the file is nested too deeply, or an alias stands inside what it repeats"


def too_deep(where: SourceSpan) -> Problem:
    return Problem(TOO_DEEP, where, "Write the repeated part out.")


_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # What YAML's parsers count as lines.


def syntax_problem(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem(f"this is not valid YAML: {error.problem}", SourceSpan(file))
    lines = _LINE_BREAK.split(text)
    line = lines[mark.line] if mark.line < len(lines) else ""
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent or line[mark.column : mark.column + 1] == "\t":
        where = SourceSpan(file, mark.line + 1, line.index("\t") + 1)
        return Problem("a tab is used for indentation, which YAML does not allow", where, "Indent with spaces.")
    words = f"{error.context or ''} {error.problem or ''}"
    known = next((entry for entry in _SYNTAX if entry.words in words), None)
    if known is _MISFIT and len(indent) < mark.column:
        known = _LEFTOVER
    if known is not None and known.at_start and error.context_mark is not None:
        mark = error.context_mark
    where = SourceSpan(file, mark.line + 1, mark.column + 1)
    if known is None:
        return Problem(f"this is not valid YAML: {error.problem}", where, "Check the colons and quotes around here.")
    return Problem(known.message, where, known.fix)


@dataclass(frozen=True, slots=True)
class _Syntax:
    """Words of the parsers (libyaml's and the pure one's), and what they mean to a person.

    With `at_start` the fault lies where the construct began, not where the parser gave up.
    """

    words: str
    message: str
    fix: str
    at_start: bool = False


_MISFIT = _Syntax(
    "while parsing a block", "the indentation does not fit the lines above", "Align it with its neighbours."
)
_LEFTOVER = _Syntax("", "this does not belong to the value before it", "Quote the whole text.")
_SYNTAX = (
    _Syntax(
        "single document",
        "a second document begins here; a file holds one",
        "Remove the `---` line, or move what follows into a file of its own.",
    ),
    _Syntax(
        "mapping values are not allowed",
        "a `key: value` cannot begin here",
        "Check the indentation, or quote the text if it contains `: `.",
    ),
    _Syntax("sequence entries are not", "a list item `- ` cannot begin here", "Begin the list on a line of its own."),
    _Syntax("undefined alias", "this alias repeats an anchor that the file does not have", "Define it with `&` above."),
    _Syntax("duplicate anchor", "this anchor exists already", "Give it another name."),
    _Syntax("while scanning a quoted scalar", "this quote is not closed", "Close it where the text ends.", True),
    _Syntax(
        "while parsing a flow node",
        "a value is missing here, or a `}` or `]` before it",
        "Add the value, or close what was opened.",
    ),
    _Syntax(
        "while parsing a flow",
        "what begins here is not closed, or a comma is missing in it",
        "Close it with `}` or `]`, or add the comma.",
        True,
    ),
    _Syntax("could not find expected ':'", "this key has no `:`", "Write `key: value`.", True),
    _MISFIT,
    _Syntax("cannot start any token", "this character cannot begin a value", "Quote the text."),
    _Syntax("exceeded max depth", TOO_DEEP, "Write the repeated part out."),
)


def character_problem(text: str, file: str, reason: str) -> Problem:
    """Say where a control character stands, which libyaml does not."""
    for number, line in enumerate(text.split("\n"), start=1):
        for column, character in enumerate(line, start=1):
            if (ord(character) < 32 and character not in "\t\r") or ord(character) == 127:
                return Problem(
                    f"the file holds a character that is no text (U+{ord(character):04X})",
                    SourceSpan(file, number, column),
                    "Remove it, or move the file out of the folder if it is no definition file.",
                )
    return Problem(f"the file is not text: {reason}", SourceSpan(file))
