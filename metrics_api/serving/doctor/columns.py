"""Checks of a table's columns and their types: they ask the warehouse for no row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from metrics_api.definitions.written import unquoted
from metrics_api.plan.expr import Type
from metrics_api.semantic.model import Attributes, Property
from metrics_api.serving.doctor.examined import Examined
from metrics_api.serving.doctor.findings import Finding, doubtful, fine, wrong
from metrics_api.serving.doctor.kinds import Kind, fits, kind_of, word_for

IN_A_VIEW = "Convert it in a view, or in the source's `sql`."


def time_column(one: Examined) -> Iterator[Finding]:
    """The time is an instant, or a clock that can be one of UTC."""
    path, column = (*one.path, "time"), one.source.time
    if (written := one.type_of(column)) is None:
        return
    match kind_of(written):
        case Kind.INSTANT:
            yield fine("time_column", path, f"the time `{column}` holds instants (`{written}`)")
        case Kind.CLOCK | Kind.OTHER:
            yield fine("time_column", path, f"the time `{column}` is `{written}`, and is read as UTC")
        case Kind.DATE:
            message = f"the time `{column}` is a date (`{written}`): no order within a day, and no hours"
            yield doubtful("time_column", path, message, "Name a column of timestamps if there is one.")
        case Kind.OFFSET:
            message = f"the time `{column}` is `{written}`, whose days depend on each row's offset"
            yield wrong("time_column", path, message, IN_A_VIEW)
        case kind:
            message = f"the time `{column}` is `{written}`, which holds {kind.value} and no times"
            yield wrong("time_column", path, message, f"Name a column of timestamps. {IN_A_VIEW}")


def id_columns(one: Examined) -> Iterator[Finding]:
    """Ids are texts or whole numbers, as declared."""
    for identity in one.source.identities.values():
        if (written := one.type_of(identity.column)) is not None:
            path = (*one.path, "identity", identity.entity)
            what = f"the {identity.entity} `{identity.column}`"
            yield from _id(path, what, identity.type, written)
    if one.source.event_id is not None and (written := one.type_of(one.source.event_id)) is not None:
        yield from _id((*one.path, "event_id"), f"the event id `{one.source.event_id}`", None, written)


def _id(path: tuple[str, ...], what: str, declared: Type | None, written: str) -> Iterator[Finding]:
    kind = kind_of(written)
    if kind not in (Kind.TEXT, Kind.WHOLE, Kind.OTHER):
        is_number = kind in (Kind.DECIMAL, Kind.FLOAT)
        said = doubtful if is_number else wrong
        yield said("id_columns", path, f"{what} is `{written}`: ids are texts or whole numbers", IN_A_VIEW)
    elif declared is not None and fits(declared, written) is not True:
        fix = f"Write `type: {word_for(written)}`, or leave `type` out."
        yield wrong("id_columns", path, f"{what} is `{written}`, and declared `{declared.value}`", fix)
    else:
        yield fine("id_columns", path, f"{what} is `{written}`")


def named_columns(one: Examined) -> Iterator[Finding]:
    """The event's name is a text; when rows were loaded is a time."""
    source = one.source
    if source.event_name is not None and (written := one.type_of(source.event_name)) is not None:
        path, what = (*one.path, "event_name"), f"the event name `{source.event_name}`"
        if kind_of(written) in (Kind.TEXT, Kind.OTHER):
            yield fine("named_columns", path, f"{what} is `{written}`")
        else:
            yield wrong("named_columns", path, f"{what} is `{written}`: names are texts", IN_A_VIEW)
    if source.loaded_at is not None and (written := one.type_of(source.loaded_at)) is not None:
        path, what = (*one.path, "loaded_at"), f"`{source.loaded_at}`, when rows were loaded,"
        match fits(Type.TIMESTAMP, written):
            case True:
                yield fine("named_columns", path, f"{what} is `{written}`")
            case False:
                yield wrong("named_columns", path, f"{what} is `{written}`: it has to be a timestamp", IN_A_VIEW)
            case almost:
                yield doubtful("named_columns", path, f"{what} is `{written}`: {almost}", None)


def partition_column(one: Examined) -> Iterator[Finding]:
    """The partition is of the type that it is compared as."""
    partition = one.source.partition
    if partition is None or (written := one.type_of(partition.column)) is None:
        return
    path, what = (*one.path, "partition"), f"the partition `{partition.column}`"
    if fits(partition.type, written) is True:
        yield fine("partition_column", path, f"{what} is `{written}`")
        return
    word = word_for(written)
    fix = f"Write `partition: {{column: {partition.column}, type: {word}}}`."
    is_known = word in ("date", "timestamp", "string")
    message = f"{what} is `{written}`, and declared `{partition.type.value}`"
    yield wrong("partition_column", path, message, fix if is_known else "A partition is a date, timestamp or string.")


def property_columns(one: Examined) -> Iterator[Finding]:
    """Properties are of their declared types; those of a JSON column have one to be read from."""
    properties = one.table.properties
    found = [
        finding
        for name, of in properties.items()
        if (written := one.type_of(of.column)) is not None
        for finding in of_property(one.property_path(name), f"property `{name}`", of, written)
    ]
    yield from found
    if properties and not found:
        count = len(properties)
        said = "its property has the declared type" if count == 1 else f"all {count} properties have the declared types"
        yield fine("property_columns", (*one.path, "properties"), said)


def of_property(path: tuple[str, ...], what: str, of: Property, written: str) -> Iterator[Finding]:
    """What is not as it should be of a property or attribute."""
    if of.path is not None:
        if kind_of(written) not in (Kind.DOCUMENT, Kind.TEXT, Kind.OTHER):
            message = f"{what} is read from JSON, and `{of.column}` is `{written}`"
            yield wrong(
                "property_columns", path, message, "Name a column of JSON, or say `column:` instead of `json:`."
            )
        return
    match fits(of.type, written):
        case False:
            word = word_for(written)
            fix = f"Declare it `type: {word}`, or convert it in a view." if word else IN_A_VIEW
            message = f"{what} is declared `{of.type.value}`, and `{of.column}` is `{written}`"
            yield wrong("property_columns", path, message, fix)
        case str(why):
            message = f"{what} is declared `{of.type.value}`, and `{of.column}` is `{written}`: {why}"
            yield doubtful(
                "property_columns", path, message, f"Declare it `type: {word_for(written)}` if that is meant."
            )


def attribute_columns(name: str, about: Attributes, types: Mapping[str, str]) -> Iterator[Finding]:
    """The attributes of an entity are of their declared types."""
    path = ("entities", name, "attributes")
    found: list[Finding] = []
    for one in about.properties.values():
        if (written := types.get(unquoted(one.column).casefold())) is not None:
            own = (*path, "columns", one.name.removeprefix(f"{name}_"))
            found += of_property(own, f"attribute `{one.written}`", one, written)
    if about.known_since is not None and (written := types.get(unquoted(about.known_since[0]).casefold())) is not None:
        column, type_ = about.known_since
        if fits(type_, written) is False:
            message = f"since when each is known, `{column}`, is declared `{type_.value}`, and is `{written}`"
            found.append(
                wrong("property_columns", (*path, "known_since"), message, f"Write `type: {word_for(written)}`.")
            )
    yield from found
    if not found:
        yield fine("property_columns", path, f"the attributes of `{about.table}` have the declared types")
