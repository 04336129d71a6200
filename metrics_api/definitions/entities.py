"""Who does things: users and accounts, what is known of each of them, and which of their ids are one and the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from metrics_api.definitions.base import Definition, Text
from metrics_api.definitions.names import Identifier
from metrics_api.definitions.refusal import Refusal
from metrics_api.definitions.sources import ColumnName, PropertyDefinition, TableName, with_columns


class IdentityMapDefinition(Definition):
    """Ids that are one person under several names: an alias counts as the id it stands for."""

    table: TableName
    """The table or view of aliases."""
    from_: ColumnName = Field(alias="from")
    """The column of the alias, such as an anonymous id."""
    to: ColumnName
    """The column of the id that it stands for. One step is followed: it is not an alias itself."""

    @classmethod
    def noun(cls) -> str:
        return "an identity map"


class KeyColumn(Definition):
    """The column that holds the entity's id."""

    shorthand = "column"

    column: ColumnName
    """The column that holds it."""
    unique: bool = False
    """The warehouse guarantees that no id occurs twice, so that nothing is spent on it."""


class KnownSinceColumn(Definition):
    """The column that holds since when an entity is known."""

    shorthand = "column"

    column: ColumnName
    """The column; an instant of UTC, or a local date."""
    type: Literal["timestamp", "date"] = "timestamp"
    """What it holds."""

    @classmethod
    def noun(cls) -> str:
        return "a column of since when somebody is known"


class AttributeDefinition(PropertyDefinition):
    """What is known of an entity as of now, and can be filtered or broken down by."""

    personal: bool = False
    """It says who somebody is: it is not offered as a filter or a breakdown."""

    @classmethod
    def noun(cls) -> str:
        return "an attribute"


class AttributesDefinition(Definition):
    """A table with one row per entity."""

    table: TableName
    """The table or view."""
    key: KeyColumn
    """The column that holds the id: a column, or `{column, unique: true}` if the warehouse guarantees it."""
    known_since: KnownSinceColumn | None = None
    """Since when each of them is known: then the table is everybody, and who did nothing can be told as `inactive`."""
    columns: Mapping[Identifier, AttributeDefinition] = Field(min_length=1)
    """The attributes by name: a type, or `{type, column, personal, unit, label, description}`."""

    @classmethod
    def noun(cls) -> str:
        return "the attributes of an entity"

    @model_validator(mode="after")
    def _know_columns(self) -> Self:
        object.__setattr__(self, "columns", with_columns(self.columns, "columns"))
        return self


class EntityDefinition(Definition):
    """Users or accounts: what is known of them beside their events."""

    label: Text | None = None
    """The name shown to people."""
    description: Text | None = None
    """What one of them is."""
    identity_map: IdentityMapDefinition | None = None
    """Ids that stand for others, resolved before anything is counted."""
    attributes: AttributesDefinition | None = None
    """What is known of each of them, as of now."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.identity_map is None and self.attributes is None:
            raise Refusal("says neither `attributes` nor `identity_map`", "Write one of them, or leave the entity out.")
        return self
