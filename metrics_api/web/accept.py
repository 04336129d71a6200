"""Which of several media types a caller likes best (RFC 9110, `Accept`)."""

from __future__ import annotations

import re
from collections.abc import Mapping

_QUALITY = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


def liked(accepted: str, meant: Mapping[str, str]) -> str | None:
    """The media type that is liked best; None where none is.

    `meant` has what each name stands for, wildcards included: `{"text/csv": "text/csv", "*/*": "application/json"}`.
    """
    likes: dict[str, float] = {}
    for place, written in enumerate(accepted.split(",")):
        name, *parameters = (part.strip().lower() for part in written.split(";"))
        if (found := meant.get(name)) is not None and (quality := _quality(parameters)) > 0:
            # Of equal ones the first that is written; a wildcard is only what is left.
            likes[found] = max(likes.get(found, 0), quality - place * 1e-6 - ("*" in name) * 1e-3)
    return max(likes, key=lambda one: likes[one]) if likes else None


def _quality(parameters: list[str]) -> float:
    for one in parameters:
        if matched := _QUALITY.fullmatch(one):
            return float(matched[1])
    return 1.0
