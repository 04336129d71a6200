"""What all definitions share: strict fields, short forms, and the words that describe a thing to people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from metrics_api.definitions.dates import InstantField
from metrics_api.definitions.names import EventName, Identifier, MetricName, MomentName
from metrics_api.definitions.refusal import Refusal
from metrics_api.periods import Duration


def _keep_scalar_types(schema: Any) -> None:
    """Make scalars strict, in place: pydantic would read `yes` as true and `"3"` as 3, which YAML has just told apart.

    Whole models cannot be `strict`: that would refuse lists for tuples and words for enums.
    """
    if isinstance(schema, dict):
        if schema.get("type") in ("str", "int", "float", "bool"):
            schema["strict"] = True
        for part in schema.values():
            _keep_scalar_types(part)
    elif isinstance(schema, list | tuple):
        for part in schema:
            _keep_scalar_types(part)


def with_article(noun: str) -> str:
    """`a source`, `an event`, `a user`."""
    return f"{'an' if noun[:1] in 'aeio' else 'a'} {noun}"


class Definition(BaseModel):
    """Anything a person writes: frozen, no unknown fields, and every scalar keeps the type YAML gave it.

    A class that sets `shorthand` may be written as a bare scalar, which then is the value of that field:
    `time: occurred_at` is `time: {column: occurred_at}`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    shorthand: ClassVar[str | None] = None

    @classmethod
    def noun(cls) -> str:
        """How errors call such a thing: `a source`, `an event`, `a funnel step`."""
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cls.__name__.removesuffix("Definition")).lower()
        return with_article(words)

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, written: Any) -> Any:
        if cls.shorthand is None or isinstance(written, Mapping | list | tuple | BaseModel) or written is None:
            return written
        return {cls.shorthand: written}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        _keep_scalar_types(handler.resolve_ref_schema(schema))
        return schema

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        written = handler(schema)
        if cls.shorthand is None:
            return written
        mapping = handler.resolve_ref_schema(written)
        field = dict(mapping["properties"][cls.shorthand])
        long_form = dict(mapping)
        mapping.clear()
        mapping["anyOf"] = [field, long_form]
        if "description" in long_form:
            mapping["description"] = long_form.pop("description")
        return written


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""Words for people, on one line or several; never empty."""

Condition = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""A short SQL condition over declared properties, such as `minutes >= 3`; checked when names are resolved."""


def _parse_duration(written: object) -> Duration:
    if isinstance(written, Duration):
        return written
    if not isinstance(written, str):
        unit = "days"
        remedy = f"Write a number and a unit, such as `{written} {unit}`." if isinstance(written, int) else None
        raise Refusal(f"expected a duration such as `7 days`, found `{written}`", remedy)
    try:
        return Duration.parse(written)
    except ValueError as error:
        message, _, remedy = str(error).rpartition("; ")
        raise Refusal(message or remedy, f"{remedy[:1].upper()}{remedy[1:]}." if message else None) from None


DurationField = Annotated[
    Duration,
    PlainValidator(_parse_duration),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^0*[1-9][0-9]{0,5} +(second|minute|hour|day|week|month|quarter|year)s?$",
            "examples": ["7 days", "30 minutes", "1 month"],
        }
    ),
]
"""A length of time in words: `7 days`, `30 minutes`, `1 month`."""


class Selector(Definition):
    """Which events count: those of an event, or of a value moment, and of these the ones a condition holds for.

    A bare name is `on`, which takes both events and value moments.
    """

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["event"]}, {"required": ["on"]}]})

    shorthand: ClassVar[str | None] = "on"

    event: EventName | None = None
    """The event."""
    on: MomentName | None = None
    """An event, or a metric of type value_moment."""
    where: Condition | None = None
    """Only events for which this SQL condition is true, such as `minutes >= 3`."""

    @model_validator(mode="after")
    def _has_one_name(self) -> Self:
        if self.event is not None and self.on is not None:
            raise Refusal("`event` and `on` are both given", "Keep one of them.", at=("on",), on_key=True)
        if self.event is None and self.on is None:
            raise Refusal(
                "says neither `event` nor `on`", "Write `event: NAME`, or `on: NAME` for an event or a value moment."
            )
        return self

    @property
    def name(self) -> str:
        """The event or value moment, whichever way it was written."""
        name = self.event if self.event is not None else self.on
        assert name is not None
        return name


class EntrySelector(Selector):
    """Which events begin something: as a selector, or of each person only the first one ever."""

    first_ever: bool = False
    """Only each person's first such event over all history, wherever the range begins."""

    @classmethod
    def noun(cls) -> str:
        return Selector.noun()


class Deprecated(Definition):
    """Why a definition should no longer be used, and what takes its place."""

    reason: Text
    """Why it should no longer be used."""
    replaced_by: Text | None = None
    """The name of the definition of the same kind to use instead."""

    @classmethod
    def noun(cls) -> str:
        return "a deprecation"


class Described(Definition):
    """A definition that people meet in the catalog, the GraphQL schema and on the board."""

    label: Text | None = None
    """The name shown to people; made from the name when absent."""
    description: Text | None = None
    """What it means, for someone who sees it for the first time."""
    owner: Text | None = None
    """The person or team who answers for it."""
    tags: tuple[Text, ...] = ()
    """Words to find it by."""
    unit: Text | None = None
    """What the numbers count, such as minutes or EUR."""
    format: Literal["number", "percent", "duration"] | None = None
    """How the numbers are shown."""
    deprecated: Deprecated | None = None
    """Set when it should no longer be used: the reason, and what replaces it."""
    visibility: Literal["public", "internal"] = "public"
    """`internal` definitions serve others and are not offered by themselves."""


class CacheDefinition(Definition):
    """How long answers are kept. New data makes an answer old at once, whatever stands here."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    shorthand: ClassVar[str | None] = "ttl"

    ttl: DurationField | None = None
    """How long an answer is given again without asking the warehouse; as the project says when absent."""
    stale: DurationField | None = None
    """How much longer an older one may be given while a new one is fetched; as the project says when absent."""

    @classmethod
    def noun(cls) -> str:
        return "a cache"

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.ttl is None and self.stale is None:
            raise Refusal("says neither `ttl` nor `stale`", "Write `{ttl: 10 minutes, stale: 1 hour}`.")
        return self


class ExampleDefinition(Definition):
    """Events, a question about them, and the rows to expect; run by `metrics-api test`."""

    description: Text | None = None
    """What it shows."""
    events: str
    """A line per event: `watched_video  ann  2026-01-05 09:00  minutes=5`. `-` is nobody; times are UTC."""
    tables: Mapping[str, str] = Field(default_factory=dict)
    """What is in the tables of attributes and aliases: a line with their columns, then a line for each row."""
    query: Mapping[str, Any] = Field(default_factory=dict)
    """The question: `from`, `to`, `by`, `where`, `members` ...; without a range the days of the events."""
    part: Text | None = None
    """The part of the answer that is looked at, such as `overall`; its rows, or a funnel's steps, unless said."""
    data_through: InstantField | None = None
    """How far the data reaches; long after the events unless said."""
    expect: str | tuple[Mapping[str, Any], ...] | Mapping[str, Any]
    """The rows: a table of words, a list of rows, or the columns of the only row. Only named columns are compared."""

    @classmethod
    def noun(cls) -> str:
        return "a test"


EntityName: TypeAlias = Literal["user", "account"]
ENTITIES: tuple[str, ...] = get_args(EntityName)


class MetricDefinition(Described):
    """A metric. Each family has its own class, picked by `type`."""

    type: str
    """The family of the metric."""
    entity: EntityName = "user"
    """Who is counted: `user`, or `account` by the accounts of the source's identity."""
    class_: Literal["usage", "engagement"] | None = Field(default=None, alias="class")
    """An assertion, checked: `engagement` if what it counts is a value moment, else `usage`."""
    cache: CacheDefinition | None = None
    """How long its answers are kept: `{ttl: 10 minutes, stale: 1 hour}`; as the project says when absent."""
    tests: Mapping[Identifier, ExampleDefinition] = Field(default_factory=dict)
    """Examples by name: events, a query and the rows to expect; run by `metrics-api test`."""

    @classmethod
    def metric_type(cls) -> str:
        """The word people write as `type` for this family."""
        (word,) = get_args(cls.model_fields["type"].annotation)
        assert isinstance(word, str)
        return word

    @classmethod
    def noun(cls) -> str:
        return f"{with_article(cls.metric_type())} metric"


__all__ = [
    "ENTITIES",
    "CacheDefinition",
    "Condition",
    "Definition",
    "Deprecated",
    "Described",
    "DurationField",
    "EntityName",
    "EntrySelector",
    "EventName",
    "ExampleDefinition",
    "MetricDefinition",
    "MetricName",
    "MomentName",
    "Refusal",
    "Selector",
    "Text",
]
