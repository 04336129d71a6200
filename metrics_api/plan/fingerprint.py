"""A stable name for a computation: the same over processes, and blind to the values of parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import fields, is_dataclass

from metrics_api.plan.expr import Lit, Type
from metrics_api.plan.nodes import ActiveDays, Attendance, Named, Plan, Scan, Scores, Spine


def fingerprint(plan: Plan) -> str:
    """Twelve hexadecimal digits. The dates of a range are parameters: two weeks of one metric share a fingerprint."""
    digest = hashlib.sha256()
    _feed(plan, digest.update, {})
    return digest.hexdigest()[:12]


def _feed(value: object, update: Callable[[bytes], object], named: dict[int, int]) -> None:
    if isinstance(value, Lit) and value.role:
        update(f"?{value.role}:{value.type}".encode())
    elif isinstance(value, Spine):
        update(f"spine{value.columns!r}".encode())
    elif isinstance(value, Named) and id(value) in named:
        update(f"#{named[id(value)]}".encode())  # A step that several others read is told once.
    elif is_dataclass(value):
        if isinstance(value, Named):
            named[id(value)] = len(named)
        update(f"({type(value).__name__}".encode())
        for field in fields(value):
            part = getattr(value, field.name)
            if isinstance(value, Scan) and (field.name == "span" or part == field.default):
                continue
            if isinstance(value, Scores) and field.name == "days":
                continue
            # Numbered windows are no dates: they are what is asked, not when.
            if (
                isinstance(value, ActiveDays | Scores)
                and field.name == "windows"
                and value.label_type is not Type.INTEGER
            ):
                part = max((last - first + 1 for _, first, last in value.windows), default=0)
            if isinstance(value, Attendance) and field.name == "places":
                continue
            _feed(part, update, named)
        update(b")")
    elif isinstance(value, tuple):
        update(b"[")
        for one in value:
            _feed(one, update, named)
        update(b"]")
    elif isinstance(value, frozenset):
        update(repr(sorted(value)).encode())
    else:
        update(f"{type(value).__name__}:{value},".encode())
