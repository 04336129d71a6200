"""Definitions as YAML text, as a person would write them: short mappings on one line, long ones below each other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from metrics_api.definitions.yaml12 import core_scalar

WIDEST = 110


def as_yaml(written: Mapping[str, Any]) -> str:
    """The text of nested mappings, lists and scalars.

    >>> print(as_yaml({"metrics": {"growth": {"type": "lifecycle", "on": "purchase"}}}), end="")
    metrics:
      growth: {type: lifecycle, on: purchase}
    """
    return "".join(f"{line}\n" for line in _lines(written, 0))


def scalar(value: object) -> str:
    """A value as YAML: text bare where it is a plain word, else in quotes."""
    if not isinstance(value, str):
        return json.dumps(value)
    is_plain = re.fullmatch(r"[A-Za-z0-9_][\w.%/-]*( [\w.,%/()-]+)*", value) and core_scalar(value) == value
    return value if is_plain else json.dumps(value, ensure_ascii=False)


def _lines(written: Mapping[str, Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for key, value in written.items():
        short = f"{indent}{key}: {_flow(value)}"
        if not isinstance(value, dict | list) or not value or (depth and len(short) <= WIDEST and not _is_deep(value)):
            yield short
        elif isinstance(value, dict):
            yield f"{indent}{key}:"
            yield from _lines(value, depth + 1)
        else:
            yield f"{indent}{key}:"
            yield from (f"{indent}  - {_flow(one)}" for one in value)


def _flow(value: object) -> str:
    match value:
        case dict():
            return f"{{{', '.join(f'{key}: {_flow(one)}' for key, one in value.items())}}}"
        case list() | tuple():
            return f"[{', '.join(map(_flow, value))}]"
        case str() if re.search(r"[,\[\]{}]", value):
            return json.dumps(value, ensure_ascii=False)
        case _:
            return scalar(value)


def _is_deep(value: object) -> bool:
    """Whether it holds a description, or mappings of mappings."""
    if not isinstance(value, dict):
        return False
    return "description" in value or any(isinstance(one, dict) for one in value.values())
