"""Names: how a definition must be called, and fields that hold the name of another definition.

A field of type `EventName` says so in its annotation, and `references` finds all such fields of a definition. Thus
resolution, did-you-mean, dependency graphs and editor completion need no code in the metric families.
"""

from __future__ import annotations

import re
import types
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from pydantic.fields import FieldInfo

from metrics_api.definitions.refusal import Refusal

LONGEST_NAME = 63  # Postgres cuts longer column and CTE names.
IDENTIFIER_PATTERN = r"^[a-z][a-z0-9_]*$"
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")

PathPart: TypeAlias = str | int
Path: TypeAlias = tuple[PathPart, ...]


def check_identifier(name: str) -> str:
    """The name itself when GraphQL, SQL and file names can all be made from it; else a refusal with a spelling."""
    if not _IDENTIFIER.fullmatch(name):
        suggestion = identifier_like(name)
        raise Refusal(
            f"`{name}` cannot be a name: names are lower-case letters, digits and `_`, and begin with a letter",
            f"Write `{suggestion}`." if suggestion else None,
            on_key=True,
        )
    if len(name) > LONGEST_NAME:
        raise Refusal(
            f"`{name}` is {len(name)} characters long; names have at most {LONGEST_NAME}",
            "Shorten it; `label` has room for the long form.",
            on_key=True,
        )
    return name


def identifier_like(text: str) -> str | None:
    """The valid name nearest to what was written, or None when nothing can stay: `Sign-ups 7d` is `sign_ups_7d`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    split_humps = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain)
    words = re.findall(r"[a-z0-9]+", split_humps.lower())
    numbers_first = 0
    while numbers_first < len(words) and words[numbers_first].isdigit():
        numbers_first += 1
    name = "_".join(words[numbers_first:] + words[:numbers_first]).lstrip("0123456789_")[:LONGEST_NAME].rstrip("_")
    return name or None


Identifier = Annotated[
    str,
    AfterValidator(check_identifier),
    Field(json_schema_extra={"pattern": IDENTIFIER_PATTERN, "maxLength": LONGEST_NAME}),
]
"""A name that a person gives: of a metric, an event, a step, a tier, a component."""

ReferenceKind: TypeAlias = Literal["event", "metric", "source", "moment", "cohort", "asked", "board"]


@dataclass(frozen=True, slots=True)
class Reference:
    """Marks a text as the name of another definition.

    A moment is an event or a value_moment metric; asked are metrics and cohorts.
    """

    kind: ReferenceKind


SourceName = Annotated[str, Reference("source"), Field(json_schema_extra={"x-reference": "source"})]
EventName = Annotated[str, Reference("event"), Field(json_schema_extra={"x-reference": "event"})]
MetricName = Annotated[str, Reference("metric"), Field(json_schema_extra={"x-reference": "metric"})]
CohortName = Annotated[str, Reference("cohort"), Field(json_schema_extra={"x-reference": "cohort"})]
AskedName = Annotated[str, Reference("asked"), Field(json_schema_extra={"x-reference": "asked"})]
BoardName = Annotated[str, Reference("board"), Field(json_schema_extra={"x-reference": "board"})]
MomentName = Annotated[str, Reference("moment"), Field(json_schema_extra={"x-reference": "moment"})]

OutputName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1),
    Field(json_schema_extra={"x-reference": "output"}),
]
"""A number of a metric: `NAME` (its value) or `NAME.measure`. The family that holds it says which metric it names."""


def references(definition: BaseModel) -> Iterator[tuple[Path, Reference, str]]:
    """Every name of another definition that this one holds, with the path a person finds it at.

    Paths use the written words (`class`, not `class_`). Where a short form was written the path is that of the long
    form; `Definitions.span` answers it with the nearest place that exists.
    """
    return _of_model(definition, ())


def _of_model(model: BaseModel, path: Path) -> Iterator[tuple[Path, Reference, str]]:
    for attribute, written, hint in _fields_with_references(type(model)):
        yield from _of_value(getattr(model, attribute), hint, (*path, written))


def _of_value(value: object, hint: Any, path: Path) -> Iterator[tuple[Path, Reference, str]]:
    if isinstance(value, BaseModel):
        yield from _of_model(value, path)
    elif isinstance(value, str):
        if reference := next((mark for arm in arms(hint) if (mark := _mark(arm))), None):
            yield path, reference, value
    elif isinstance(value, Mapping):
        for arm in arms(hint):
            if len(arguments := get_args(bare(arm))) == 2:
                for key, one in value.items():
                    yield from _of_value(key, arguments[0], (*path, key))
                    yield from _of_value(one, arguments[1], (*path, key))
    elif isinstance(value, Sequence | AbstractSet):
        for arm in arms(hint):
            origin, arguments = get_origin(bare(arm)), get_args(bare(arm))
            for index, one in enumerate(value):
                fixed_tuple = origin is tuple and arguments[-1:] != (Ellipsis,)
                if arguments and (not fixed_tuple or index < len(arguments)):
                    yield from _of_value(one, arguments[index] if fixed_tuple else arguments[0], (*path, index))


@lru_cache(maxsize=1_024)
def _fields_with_references(model: type[BaseModel]) -> tuple[tuple[str, str, Any], ...]:
    """Attribute, written word and annotation of the fields that may lead to a reference."""
    return tuple(
        (attribute, field.alias or attribute, hint)
        for attribute, field in model.model_fields.items()
        if _leads_to_reference(hint := field_hint(field))
    )


def _leads_to_reference(hint: Any) -> bool:
    """Whether a value of this type may hold a reference; any nested model might."""
    if _mark(hint):
        return True
    plain = bare(hint)
    if isinstance(plain, type) and issubclass(plain, BaseModel):
        return True
    return any(_leads_to_reference(argument) for argument in get_args(plain) if argument is not Ellipsis)


def field_hint(field: FieldInfo) -> Any:
    """A field's type as it was written: pydantic takes the outermost `Annotated` apart, this puts it together."""
    if marks := tuple(mark for mark in field.metadata if isinstance(mark, Reference)):
        return Annotated[(field.annotation, *marks)]
    return field.annotation


def arms(hint: Any) -> Iterator[Any]:
    """The alternatives of a union, nested ones too; a type that is none is its own only alternative."""
    plain = bare(hint)
    if get_origin(plain) in (Union, types.UnionType):
        for argument in get_args(plain):
            yield from arms(argument)
    else:
        yield hint


def bare(hint: Any) -> Any:
    """A type without what `Annotated` adds to it."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _mark(hint: Any) -> Reference | None:
    if get_origin(hint) is not Annotated:
        return None
    return next((mark for mark in get_args(hint)[1:] if isinstance(mark, Reference)), None)
