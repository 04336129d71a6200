"""The project, its warehouses, and what it reads: sources and the events in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, ClassVar, Literal, Self, TypeAlias, TypeVar
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    model_validator,
)

from metrics_api.definitions.base import (
    CacheDefinition,
    Condition,
    Definition,
    Described,
    DurationField,
    EntrySelector,
    Selector,
    Text,
)
from metrics_api.definitions.bins import Edges
from metrics_api.definitions.dates import DateField, InstantField
from metrics_api.definitions.names import (
    IDENTIFIER_PATTERN,
    LONGEST_NAME,
    Identifier,
    SourceName,
    check_identifier,
    identifier_like,
)
from metrics_api.definitions.refusal import Refusal
from metrics_api.definitions.warehouses import WarehouseDefinition, resolve_environment
from metrics_api.definitions.written import PART_PATTERN
from metrics_api.errors import did_you_mean
from metrics_api.periods import Duration, Weekday, is_timezone

# Rows are flat (rule 16), so a property may not be called as a column that every answer of some family has.
# fmt: off
RESERVED_COLUMNS = frozenset((
    "period", "value", "total", "users", "overall", "complete", "provisional", "previous", "change", "step", "position",
    "entered", "converted", "dropped", "excluded", "pending", "rate", "part", "tier", "share", "start", "size",
    "period_index", "source", "target", "rank", "active_days", "from_seconds", "to_seconds",
))
# fmt: on

PropertyType: TypeAlias = Literal["string", "number", "integer", "decimal", "boolean", "timestamp", "date"]

_PROPERTY_TYPES_ELSEWHERE: Mapping[str, PropertyType] = {
    **dict.fromkeys(("text", "varchar", "str", "uuid", "enum", "category"), "string"),
    **dict.fromkeys(("float", "double", "real"), "number"),
    **dict.fromkeys(("int", "bigint", "long"), "integer"),
    **dict.fromkeys(("numeric", "money"), "decimal"),
    **dict.fromkeys(("datetime", "timestamptz", "time"), "timestamp"),
}


# `is_timezone` lists the zones' folder each time, and every source may name one.
_is_timezone = lru_cache(maxsize=256)(is_timezone)


def _check_timezone(name: str) -> str:
    if not _is_timezone(name):
        raise Refusal(f"`{name}` is not a time zone", did_you_mean(name, available_timezones(), what="time zones"))
    return name


TimeZoneName = Annotated[str, AfterValidator(_check_timezone), Field(examples=["UTC", "Europe/Berlin"])]


def _check_column(name: str) -> str:
    if not name.strip():
        raise Refusal("a column needs a name")
    if any(ord(character) < 32 for character in name):
        raise Refusal("a column's name is on one line, without tabs")
    return name


ColumnName = Annotated[str, AfterValidator(_check_column), Field(json_schema_extra={"minLength": 1})]

TABLE_PATTERN = rf"^{PART_PATTERN}(\.{PART_PATTERN}){{0,3}}$"


def _check_table(name: str) -> str:
    if not re.fullmatch(TABLE_PATTERN, name):
        raise Refusal(
            f"`{name}` is not the name of a table or view",
            "Write it as the warehouse does: `table`, `schema.table` or `database.schema.table`; a part with other "
            "characters in double quotes.",
        )
    return name


TableName = Annotated[str, AfterValidator(_check_table), Field(json_schema_extra={"pattern": TABLE_PATTERN})]


class TargetDefinition(Definition):
    """A place that the definitions serve: values for `${target.KEY}` in the names of tables, perhaps a warehouse."""

    model_config = ConfigDict(extra="allow")

    __pydantic_extra__: dict[str, TableName]

    warehouse: str | None = None
    """The warehouse to ask with this target."""

    @property
    def values(self) -> Mapping[str, str]:
        """What stands for `${target.KEY}`, by key."""
        return dict(self.model_extra or {})


class ProjectDefinition(Definition):
    """The calendar, the defaults and the warehouses that all metrics of a folder share."""

    name: Text
    """What the product is called."""
    label: Text | None = None
    """The name shown to people."""
    description: Text | None = None
    """What the product is, for someone who sees its board for the first time."""
    timezone: TimeZoneName = "UTC"
    """The time zone whose days, weeks and months are counted."""
    week_start: Weekday = Weekday.MONDAY
    """The day on which weeks start."""
    default_range: DurationField = Duration(30, "day")
    """How far back a question without a range looks."""
    exclude: Condition | None = None
    """Events for which this is true are left out of every metric, over all sources that have the property."""
    sign_up: EntrySelector | None = None
    """The event that makes someone a user; with `first_ever: true` each person's first such event."""
    value_moment: Selector | None = None
    """The event, or value_moment metric, in which users get what the product is for."""
    as_of: InstantField | None = None
    """The instant taken for now, for data that no longer grows: a date is its first instant; UTC unless said."""
    cache: CacheDefinition | None = None
    """How long answers are kept, of every metric that says nothing else: `{ttl: 10 minutes, stale: 1 hour}`."""
    warehouses: Mapping[str, WarehouseDefinition] = Field(default_factory=dict)
    """Where the tables are, by a name of your own."""
    default_warehouse: str | None = None
    """The warehouse to ask unless another one is named; may be left out where there is only one."""
    targets: Mapping[Identifier, TargetDefinition] = Field(default_factory=dict)
    """Places that the same definitions serve, such as dev and production: `${target.schema}` in the names of tables."""
    default_target: str | None = None
    """The target to take unless another one is named; may be left out where there is only one."""

    _target: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _defaults_exist(self) -> Self:
        self._check_there(self.default_warehouse, self.warehouses, "warehouse", "default_warehouse")
        for name, target in self.targets.items():
            self._check_there(target.warehouse, self.warehouses, "warehouse", "targets", name, "warehouse")
        self._check_there(self.default_target, self.targets, "target", "default_target")
        return self

    def _check_there(self, name: str | None, known: Mapping[str, object], what: str, *at: str) -> None:
        if name is not None and name not in known:
            raise Refusal(f"`{name}` is not a {what} of the project", did_you_mean(name, known, what=f"{what}s"), at=at)

    def aimed(self, target: str | None) -> Self:
        """The same project on one of its targets; None: the default one, or the only one."""
        if target is None and len(self.targets) == 1:
            target = next(iter(self.targets))
        aimed = self.model_copy()
        aimed._target = target or self.default_target  # noqa: SLF001 - its own, of another one
        return aimed

    @property
    def target(self) -> str | None:
        """The target that was chosen, if there is any."""
        return self._target if self._target is not None else self.default_target

    @property
    def target_values(self) -> Mapping[str, str]:
        """What stands for `${target.KEY}`, by key."""
        chosen = self.targets.get(self.target or "")
        return chosen.values if chosen else {}

    @property
    def usual_warehouse(self) -> str | None:
        """The warehouse to ask when none is named: that of the target, else the default one, or the only one."""
        chosen = self.targets.get(self.target or "")
        return (chosen and chosen.warehouse) or self.home_warehouse

    @property
    def home_warehouse(self) -> str | None:
        """The default warehouse whatever the target is, or the only one: in its dialect the files are written."""
        if self.default_warehouse is None and len(self.warehouses) == 1:
            return next(iter(self.warehouses))
        return self.default_warehouse


class TimeColumn(Definition):
    """When an event happened."""

    shorthand = "column"

    column: ColumnName
    """The column that holds it."""
    timezone: TimeZoneName = "UTC"
    """The time zone of the column's clock, if the warehouse stores it without one."""


class EventIdColumn(Definition):
    """What tells two rows of the same event apart; rows with the same id count once."""

    shorthand = "column"

    column: ColumnName
    """The column that holds it."""
    unique: bool = False
    """The warehouse guarantees that no id occurs twice, so that nothing is spent on it."""


class PartitionColumn(Definition):
    """The column by which the warehouse skips data."""

    shorthand = "column"

    column: ColumnName
    """The column; it holds the UTC date of the event, or one up to `lag` later."""
    type: Literal["date", "timestamp", "string"] = "date"
    """How the date is stored; as a string it is written like `2026-01-31`."""
    lag: DurationField | None = None
    """How much later than the event the date can be, such as when rows lie by the date they were loaded."""


class IdentityColumn(Definition):
    """Who did it."""

    shorthand = "column"

    column: ColumnName
    """The column that holds the id."""
    type: Literal["string", "integer"] | None = None
    """How the warehouse stores the id; only needed to read whole numbers faster."""


def _check_property_type(written: object) -> object:
    if isinstance(written, str) and (ours := _PROPERTY_TYPES_ELSEWHERE.get(written.lower())):
        raise Refusal(f"`{written}` is not a type of a property", f"Write `{ours}`.")
    return written


JSON_PATTERN = r"^[^.\s]+(\.[^.\s]+)+$"


def _check_json(written: str) -> str:
    if not re.fullmatch(JSON_PATTERN, written):
        raise Refusal(
            f"`{written}` is not a path into a JSON column", "Write the column and its keys: `payload.feature`."
        )
    return written


JsonPath = Annotated[str, AfterValidator(_check_json), Field(json_schema_extra={"pattern": JSON_PATTERN})]


class PropertyDefinition(Definition):
    """What is known of each event of a source, and can be filtered, broken down by or summed."""

    shorthand = "type"

    type: Annotated[PropertyType, BeforeValidator(_check_property_type)]
    """What its values are."""
    column: ColumnName = ""
    """The column that holds it; the property's own name when absent."""
    json_: JsonPath | None = Field(default=None, alias="json")
    """A JSON column and the path of the value in it, such as `payload.feature`; instead of `column`."""
    unit: Text | None = None
    """What its numbers count, such as minutes or EUR."""
    bins: Edges | None = None
    """The edges by which its numbers are broken down: `[1, 5, 20]` makes four groups."""
    label: Text | None = None
    """The name shown to people."""
    description: Text | None = None
    """What it means."""

    @classmethod
    def noun(cls) -> str:
        return "a property"

    @property
    def json_path(self) -> str | None:
        """The keys to follow inside the column, joined by dots; None for a plain column."""
        return self.json_.partition(".")[2] if self.json_ else None


P = TypeVar("P", bound=PropertyDefinition)


def with_columns(properties: Mapping[str, P], field: str) -> dict[str, P]:
    """The properties of a field, each with its `column`: the one written, that of the JSON path, or its own name."""
    for name, one in properties.items():
        if one.json_ and one.column:
            raise Refusal(
                "`column` and `json` are both given",
                "Keep one of them; `json` begins with the column.",
                at=(field, name, "json"),
                on_key=True,
            )
        if one.bins and one.type not in ("integer", "number", "decimal"):
            raise Refusal(
                f"a {one.type} has no bins", "Only numbers are in bins.", at=(field, name, "bins"), on_key=True
            )
    return {
        name: one if one.column else one.model_copy(update={"column": (one.json_ or name).partition(".")[0]})
        for name, one in properties.items()
    }


def _check_property_name(name: str) -> str:
    if name in RESERVED_COLUMNS:
        raise Refusal(
            f"no property can be called `{name}`: answers have a column of this name",
            f"Give it another name and say which column it is: `event_{name}: {{type: ..., column: {name}}}`.",
            on_key=True,
        )
    try:
        return check_identifier(name)
    except Refusal as refusal:
        suggestion = identifier_like(name)
        fix = f"Write `{suggestion}: {{type: ..., column: {name}}}`." if suggestion else refusal.fix
        raise Refusal(refusal.message, fix, on_key=True) from None


PropertyName = Annotated[
    str,
    AfterValidator(_check_property_name),
    Field(
        json_schema_extra={
            "pattern": IDENTIFIER_PATTERN,
            "maxLength": LONGEST_NAME,
            "not": {"enum": sorted(RESERVED_COLUMNS)},
        }
    ),
]


class EventTable(Definition):
    """A table with the rows of one event."""

    shorthand = "table"

    table: TableName
    """The table or view."""
    properties: Mapping[PropertyName, PropertyDefinition] = Field(default_factory=dict)
    """What is known of these events only, beside the properties of the source."""

    @classmethod
    def noun(cls) -> str:
        return "the table of an event"

    @model_validator(mode="after")
    def _know_property_columns(self) -> Self:
        object.__setattr__(self, "properties", with_columns(self.properties, "properties"))
        return self


class SourceDefinition(Described):
    """Events with a row each: of a table or view, of a table for each event, or of a query."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["table"]}, {"required": ["tables"]}, {"required": ["sql"]}]}
    )

    table: TableName | None = None
    """The table or view, named as the warehouse does."""
    tables: Mapping[Text, EventTable] = Field(default_factory=dict)
    """Instead of `table`, a table for each event by the event's name: read as one stream."""
    sql: Text | None = None
    """Instead of `table`, a query (one SELECT) with one row per event."""
    sql_dialect: Text | None = None
    """The engine whose SQL `sql` is written in; that of the project's default warehouse when absent."""
    time: TimeColumn
    """When the event happened: a column, or `{column, timezone}`."""
    event_name: ColumnName | None = None
    """The column that says which event a row is; absent when all rows are of one event."""
    event_id: EventIdColumn | None = None
    """Rows with the same id count once: a column, or `{column, unique: true}` if the warehouse guarantees it."""
    partition: PartitionColumn | None = None
    """The date column by which the warehouse skips data."""
    loaded_at: ColumnName | None = None
    """The column that says when a row was loaded: how fresh and how complete the data is."""
    late_arrival: DurationField | None = None
    """How late rows may arrive: younger buckets are provisional."""
    history_start: DateField | None = None
    """The date of the first rows worth reading."""
    tie_breaker: ColumnName | None = None
    """The column that orders events of equal time."""
    session_id: ColumnName | None = None
    """The column that says which session (visit) an event is of."""
    identity: Annotated[Mapping[Literal["user", "account"], IdentityColumn], Field(min_length=1)]
    """The columns that say who did it: `{user: user_id, account: account_id}`, either or both."""
    properties: Mapping[PropertyName, PropertyDefinition] = Field(default_factory=dict)
    """What is known of each event, by name: a type, or `{type, column, unit, label, description}`."""

    @model_validator(mode="after")
    def _know_property_columns(self) -> Self:
        """After this every property has its `column`."""
        object.__setattr__(self, "properties", with_columns(self.properties, "properties"))
        return self

    @model_validator(mode="after")
    def _reads_one_thing(self) -> Self:
        given = [name for name in ("table", "tables", "sql") if getattr(self, name)]
        if not given:
            raise Refusal("says neither `table`, `tables` nor `sql`", "Write one of them: what the rows are read from.")
        if len(given) > 1:
            raise Refusal(f"`{given[0]}` and `{given[1]}` are both given", "Keep one.", at=(given[1],), on_key=True)
        if self.tables and self.event_name is not None:
            raise Refusal(
                "`event_name` is given, and `tables` says already which event a row is",
                "Leave it out.",
                at=("event_name",),
                on_key=True,
            )
        if self.sql_dialect is not None and self.sql is None:
            raise Refusal("`sql_dialect` is given without `sql`", "Leave it out.", at=("sql_dialect",), on_key=True)
        return self

    @model_validator(mode="after")
    def _tables_agree(self) -> Self:
        """A property has one type in all tables, and is not both of the source and of a table."""
        first: dict[str, tuple[str, str]] = {}
        for event, table in self.tables.items():
            for name, one in table.properties.items():
                at = ("tables", event, "properties", name)
                if name in self.properties:
                    raise Refusal(
                        f"`{name}` is a property of the source as well", "Keep one of them.", at=at, on_key=True
                    )
                known, where = first.setdefault(name, (one.type, event))
                if known != one.type:
                    raise Refusal(
                        f"`{name}` is of type {one.type} here and {known} in the table of `{where}`",
                        "Give one of them another name, and say `column:`.",
                        at=at,
                    )
        return self


class EventDefinition(Described):
    """Something that people do, found in a source."""

    ANY: ClassVar[str] = "any"

    source: SourceName
    """The source whose rows it is among."""
    name: Text = ""
    """What the source calls it, in its `event_name` column; the event's own name when absent; `any` is every event."""
    where: Condition | None = None
    """Only rows for which this SQL condition is true, such as `minutes >= 1`."""
    once_per_user: bool = False
    """Nobody does it twice, as with signing up; the first one counts."""

    @property
    def is_any(self) -> bool:
        """Whether every row of the source is such an event."""
        return self.name == self.ANY


__all__ = [
    "RESERVED_COLUMNS",
    "EventDefinition",
    "EventIdColumn",
    "EventTable",
    "IdentityColumn",
    "PartitionColumn",
    "ProjectDefinition",
    "PropertyDefinition",
    "PropertyType",
    "SourceDefinition",
    "TargetDefinition",
    "TimeColumn",
    "WarehouseDefinition",
    "resolve_environment",
]
