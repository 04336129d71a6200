"""Names of tables and columns as people write them: bare, or in double quotes, and then exactly so.

A bare name means what it means bare in the engine's SQL, which may fold its case.
"""

from __future__ import annotations

import re

_QUOTED = r'"(?:[^"\n]|"")+"'
PART_PATTERN = rf"(?:{_QUOTED}|[^\s.\"'`;()]+)"
"""A part of the path of a table."""
_PART = re.compile(rf"({_QUOTED})|([^.\"]+)")


def exact(name: str) -> str | None:
    """The name in double quotes, without them; None of a bare name.

    >>> exact('"userId"'), exact('"6"" nails"'), exact("user_id")
    ('userId', '6" nails', None)
    """
    is_quoted = name.startswith('"') and re.fullmatch(_QUOTED, name)
    return name[1:-1].replace('""', '"') if is_quoted else None


def unquoted(name: str) -> str:
    """The name itself, however it is written."""
    found = exact(name)
    return name if found is None else found


def parts(path: str) -> list[str]:
    """The parts of a table's path, as they are written.

    >>> parts('raw."App.Events"')
    ['raw', '"App.Events"']
    """
    return [found[0] for found in _PART.finditer(path)]
