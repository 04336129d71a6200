"""A piece of a file as a typed definition, or what is wrong with it in words for the person who wrote it.

Pydantic finds the errors; its paths are mapped to what was written, its union branches narrowed to the one that was
meant, and its messages replaced by ours.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from metrics_api.definitions.base import Definition, Described
from metrics_api.definitions.names import Path, arms, bare, field_hint
from metrics_api.definitions.refusal import Refusal
from metrics_api.definitions.yaml12 import Document, Plain
from metrics_api.errors import Problem, did_you_mean, nearest

D = TypeVar("D", bound=Definition)


def validate(
    model: type[D],
    written: Plain,
    document: Document,
    path: Path,
    *,
    title: str,
    redact: Path | None = None,
    told: Collection[Path] = (),
) -> tuple[D | None, list[Problem]]:
    """The definition at `path` of a document, or the problems with it, which `title` introduces.

    Values below `redact` are never shown; that the fields `told` are missing is known already. Both are relative to
    the definition.
    """
    try:
        return model.model_validate(written), []
    except ValidationError as error:
        complaints = [_complaint(one, model, written) for one in error.errors(include_url=False)]
    meant = _of_meant_branches(complaints)
    misspelt = {(*one.path[:-1], near) for one in meant if one.kind == "extra_forbidden" and (near := _nearest(one))}
    problems = [
        _problem(one, document, path, title, hide=redact is not None and one.path[: len(redact)] == redact)
        for one in meant
        if not (one.kind == "missing" and ((*one.path, one.field) in told or (*one.path, one.field) in misspelt))
    ]
    return None, list(dict.fromkeys(problems))


@dataclass(frozen=True, slots=True)
class _Complaint:
    """One of pydantic's errors, in terms of what was written."""

    kind: str
    path: Path
    """Where, below the definition: for a missing field the mapping that lacks it."""
    on_key: bool
    field: str
    """The name of the missing or unknown field."""
    branches: tuple[tuple[Path, str], ...]
    """The unions passed on the way: where, and which alternative was tried."""
    owner: type[BaseModel] | None
    """The class of the mapping that lacks or should not have the field."""
    value: object
    context: Mapping[str, Any]
    words: str


def _complaint(error: ErrorDetails, model: type[BaseModel], written: Plain) -> _Complaint:
    path: list[str | int] = []
    branches: list[tuple[Path, str]] = []
    hints: list[Any] = [model]
    owner: type[BaseModel] | None = model
    field, on_key, at = "", False, written
    last = len(error["loc"]) - 1
    for index, part in enumerate(error["loc"]):
        match at:
            case _ if part == "[key]":
                on_key = True
                break
            case _ if index == last and error["type"] == "missing":
                field, owner = str(part), _model_among(hints)
                break
            case dict() if part in at:
                owner = _model_among(hints)
                at = at[str(part)]
            case list() if isinstance(part, int) and part < len(at):
                at = at[part]
            case _:  # No part of the file: pydantic says which alternative of a union it tried.
                branches.append((tuple(path), str(part)))
                narrowed = [hint for hint in hints if _is_called(hint, str(part))]
                hints = narrowed or [inner for hint in hints for inner in _inside(hint, part)] or hints
                continue
        path.append(part)
        hints = [arm for hint in hints for inner in _inside(hint, part) for arm in arms(inner)]
    if error["type"] == "extra_forbidden":
        field, on_key = str(path[-1]), True
    if on_key:
        at = str(path[-1])
    context = error.get("ctx", {})
    return _Complaint(error["type"], tuple(path), on_key, field, tuple(branches), owner, at, context, error["msg"])


def _inside(hint: Any, part: str | int) -> Iterator[Any]:
    """The types of a field, entry or item of values of this type."""
    plain = bare(hint)
    if isinstance(plain, type) and issubclass(plain, BaseModel):
        for attribute, one in plain.model_fields.items():
            if part == (one.alias or attribute):
                yield field_hint(one)
        return
    arguments = get_args(plain)
    if isinstance(origin := get_origin(plain), type) and issubclass(origin, Mapping):
        yield arguments[1]
    elif arguments and isinstance(part, int):
        yield (
            arguments[part] if origin is tuple and Ellipsis not in arguments and part < len(arguments) else arguments[0]
        )


def _is_called(hint: Any, tag: str) -> bool:
    """Whether a union's alternative is the one that pydantic names in this way."""
    name = getattr(bare(hint), "__name__", "")
    return bool(name) and re.search(rf"\b{re.escape(name)}\b", tag) is not None


def _model_among(hints: Sequence[Any]) -> type[BaseModel] | None:
    models = [plain for hint in hints if isinstance(plain := bare(hint), type) and issubclass(plain, BaseModel)]
    return models[0] if models else None


def _of_meant_branches(complaints: Sequence[_Complaint], depth: int = 0) -> list[_Complaint]:
    """The complaints without those about alternatives of a union that the person clearly did not mean."""
    chosen: list[_Complaint] = []
    unions: dict[Path, dict[str, list[_Complaint]]] = {}
    for one in complaints:
        if len(one.branches) <= depth:
            chosen.append(one)
        else:
            place, branch = one.branches[depth]
            unions.setdefault(place, {}).setdefault(branch, []).append(one)
    for place, branches in unions.items():
        meant = [group for group in branches.values() if not all(_is_misfit(one, place) for one in group)]
        if meant:
            chosen += _of_meant_branches(min(meant, key=len), depth + 1)
        else:
            expected = dict.fromkeys(_EXPECTED.get(group[0].kind, "") for group in branches.values())
            first = next(iter(branches.values()))[0]
            kind = first.kind if len(expected) == 1 else "none_of_union"
            chosen.append(replace(first, kind=kind, context={"expected": " or ".join(filter(None, expected))}))
    return chosen


def _is_misfit(complaint: _Complaint, place: Path) -> bool:
    """Whether the value as a whole is of another kind than this alternative wants."""
    return complaint.path == place and complaint.kind in _EXPECTED and not complaint.on_key


_EXPECTED = {
    **dict.fromkeys(("string_type",), "text"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "decimal_type", "decimal_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "`true` or `false`"),
    **dict.fromkeys(("model_type", "dict_type", "mapping_type", "model_attributes_type"), "`key: value` lines"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type", "iterable_type"), "a list"),
}
_BOUNDS = {
    "greater_than_equal": ("at least {ge}"),
    "greater_than": ("more than {gt}"),
    "less_than_equal": ("at most {le}"),
    "less_than": ("less than {lt}"),
    "multiple_of": ("a multiple of {multiple_of}"),
    "finite_number": ("a finite number"),
}


def _problem(complaint: _Complaint, document: Document, path: Path, title: str, *, hide: bool) -> Problem:
    at: Path = ()
    on_key = complaint.on_key
    refusal = complaint.context.get("error")
    if isinstance(refusal, Refusal):
        at, on_key = refusal.at, on_key or refusal.on_key
    place = (*path, *complaint.path, *at)
    where = document.key_span(*place) if on_key or complaint.kind == "missing" else document.span(*place)
    subject = (*complaint.path, *at)[:-1] if on_key else (*complaint.path, *at)
    named = ".".join((title, *(part for part in subject if isinstance(part, str))))
    message, fix = _words(complaint, "a value" if hide else found(complaint.value))
    return Problem(f"{named}: {message}", where, fix)


def _words(complaint: _Complaint, shown: str) -> tuple[str, str | None]:
    """What is wrong and what to write instead."""
    context = complaint.context
    match complaint.kind:
        case "value_error" | "assertion_error":
            error = context["error"]
            return (error.message, error.fix) if isinstance(error, Refusal) else (str(error), None)
        case "extra_forbidden":
            return _unknown_field(complaint)
        case "missing":
            return _missing_field(complaint)
        case "literal_error" | "enum":
            return _wrong_choice(str(context["expected"]), shown, complaint.value)
        case "union_tag_not_found":
            key = str(context["discriminator"]).strip("'")
            return f"`{key}` is missing", f"It says what is meant: write `{key}: ...`."
        case "union_tag_invalid":
            return _wrong_choice(str(context["expected_tags"]), f"`{context['tag']}`", context["tag"])
        case "none_of_union":
            return f"expected {context['expected']}, found {shown}", None
        case "string_too_short" | "too_short" if context.get("min_length") == 1:
            return "is empty", "Write a value, or leave the line out."
        case "too_short" | "too_long" as kind:
            bound = f"at least {context['min_length']}" if kind == "too_short" else f"at most {context['max_length']}"
            return f"expected {bound} entries, found {context['actual_length']}", None
        case "string_too_long":
            return f"expected at most {context['max_length']} characters", None
        case "string_pattern_mismatch":
            return f"{shown} is not written as expected", f"It must match `{context['pattern']}`."
        case kind if kind in _BOUNDS:
            return f"expected {_BOUNDS[kind].format(**context)}, found {shown}", None
        case kind if kind in _EXPECTED:
            return f"expected {_EXPECTED[kind]}, found {shown}", _fix_for_kind(_EXPECTED[kind], complaint.value)
        case _:
            return f"{shown} cannot be read here: {complaint.words[:1].lower()}{complaint.words[1:]}", None


def _fix_for_kind(expected: str, value: object) -> str | None:
    if expected == "text" and isinstance(value, bool | int | float):
        return "Put it in quotes if it is meant as text."
    if expected.startswith("`true`") and str(value).lower() in ("yes", "no", "on", "off", "y", "n"):
        return "Only `true` and `false` are truth values; the rest is text."
    if expected == "`key: value` lines" and isinstance(value, list):
        return "Names are keys here: write `name: ...` lines instead of a list."
    if expected == "a list" and isinstance(value, str):
        return f"Write `[{value}]`."
    return None


def _unknown_field(complaint: _Complaint) -> tuple[str, str | None]:
    owner = complaint.owner
    noun = noun_of(owner) if owner else "this"
    message = f"`{shortened(complaint.field)}` is not a field of {noun}"
    if complaint.field == "<<":
        return message, "YAML 1.2 has no merge keys: write the fields out."
    if near := _nearest(complaint):
        return message, f"Did you mean `{near}`?"
    every = field_names(owner) if owner else ()
    return message, did_you_mean(complaint.field, set(every) - _ON_EVERY_DEFINITION or every, what="fields")


def _nearest(complaint: _Complaint) -> str | None:
    return nearest(complaint.field, field_names(complaint.owner)) if complaint.owner else None


def _missing_field(complaint: _Complaint) -> tuple[str, str | None]:
    message = f"`{complaint.field}` is missing"
    if complaint.owner is None:
        return message, None
    description = next(
        (one.description for key, one in complaint.owner.model_fields.items() if (one.alias or key) == complaint.field),
        None,
    )
    noun = noun_of(complaint.owner)
    needs = f"{noun[:1].upper()}{noun[1:]} needs it"
    return message, f"{needs}: {description[:1].lower()}{description[1:]}" if description else f"{needs}."


def _wrong_choice(expected: str, shown: str, value: object) -> tuple[str, str | None]:
    """`expected` lists the choices in pydantic's way: `'monday', 'tuesday' or 'sunday'`."""
    choices = re.findall(r"'([^']*)'", expected)
    if not choices:
        return f"expected {expected}, found {shown}", None
    if len(choices) == 1:
        return f"expected `{choices[0]}`, found {shown}", None
    return f"{shown} is not one of the choices", did_you_mean(str(value), choices, what="choices")


def noun_of(model: type[BaseModel]) -> str:
    return model.noun() if issubclass(model, Definition) else "this"


def field_names(model: type[BaseModel]) -> tuple[str, ...]:
    """The fields as people write them."""
    return tuple(field.alias or attribute for attribute, field in model.model_fields.items())


def found(value: object) -> str:
    """A value as an error shows it."""
    match value:
        case None:
            return "nothing"
        case dict():
            return "`key: value` lines"
        case list():
            return "a list"
        case bool():
            return f"`{str(value).lower()}`"
        case str() if not value.strip():
            return "an empty text"
        case _:
            return f"`{shortened(str(value))}`"


def shortened(text: str) -> str:
    """A text on one line and short enough for a message."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."


_ON_EVERY_DEFINITION = frozenset(field_names(Described))
