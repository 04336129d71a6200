"""Checks of what is in the rows: values that are missing, events of no definition, copies."""

from __future__ import annotations

from collections.abc import Iterator

from metrics_api.definitions.written import unquoted
from metrics_api.errors import nearest
from metrics_api.serving.doctor.examined import Examined
from metrics_api.serving.doctor.findings import Finding, doubtful, fine, listed, several, share, wrong

MANY = 0.5
"""From this share of rows on it is doubtful that a value is missing."""


def has_rows(one: Examined) -> Iterator[Finding]:
    """It can be read, and there is something in it."""
    if one.survey is None:
        return
    if one.survey.rows:
        yield fine("has_rows", one.path, f"{one.what} can be read: {several(one.survey.rows, 'row')} {one.period}")
    else:
        fix = "Look further back with `--since`." if one.since is not None else None
        yield doubtful("has_rows", one.path, f"{one.what} has no rows {one.period}", fix)


def times_are_there(one: Examined) -> Iterator[Finding]:
    """Every row says when it happened."""
    seen = one.survey
    if seen is None or not seen.rows:
        return
    path = (*one.path, "time")
    if seen.timeless == seen.rows:
        yield wrong(
            "times_are_there", path, f"`{one.source.time}` is empty in every row {one.period}", "Name another column."
        )
    elif seen.timeless:
        message = f"{several(seen.timeless, 'row')} ({share(seen.timeless, seen.rows)}) have no time, and count nowhere"
        yield doubtful("times_are_there", path, message)
    else:
        yield fine("times_are_there", path, "every row has a time")


def ids_are_there(one: Examined) -> Iterator[Finding]:
    """How many rows are of nobody: they count as events, and for no person."""
    seen = one.survey
    if seen is None or not seen.rows:
        return
    for identity in one.source.identities.values():
        path, without = (*one.path, "identity", identity.entity), seen.missing[identity.entity]
        message = f"`{identity.column}` ({identity.entity}) is empty in {_of(without, seen.rows)}"
        if without == seen.rows:
            yield wrong("ids_are_there", path, message, "Name the column that says who did it.")
        elif without >= MANY * seen.rows:
            yield doubtful("ids_are_there", path, message, "Those events are counted, but for nobody.")
        else:
            yield fine("ids_are_there", path, message)


def columns_are_filled(one: Examined) -> Iterator[Finding]:
    """How often the event's name, its id and other named columns are missing."""
    seen = one.survey
    if seen is None or not seen.rows:
        return
    named = {
        "event_name": (one.source.event_name, "they are of no event"),
        "event_id": (one.source.event_id, "copies of them are counted again"),
        "partition": (one.source.partition and one.source.partition.column, "no answer finds them"),
        "loaded_at": (one.source.loaded_at, "how fresh they are is not known"),
    }
    for key, (column, meaning) in named.items():
        if key not in seen.missing:
            continue
        message = f"`{column}` ({key.replace('_', ' ')}) is empty in {_of(seen.missing[key], seen.rows)}"
        if seen.missing[key] == seen.rows:
            yield wrong("columns_are_filled", (*one.path, key), message, "Name another column, or leave it out.")
        elif seen.missing[key]:
            yield doubtful("columns_are_filled", (*one.path, key), f"{message}: {meaning}")
        else:
            yield fine("columns_are_filled", (*one.path, key), message)


def properties_are_filled(one: Examined) -> Iterator[Finding]:
    """How often each property is missing. A property of some events only is mostly missing, and that is well."""
    seen = one.survey
    if seen is None or not seen.rows:
        return
    for name, of in one.table.properties.items():
        without, path = seen.missing[f"property {name}"], one.property_path(name)
        message = f"property `{name}` is empty in {_of(without, seen.rows)}"
        if without == seen.rows:
            at = f"the path `{of.path}` of `{of.column}`" if of.path else f"the column `{of.column}`"
            yield doubtful("properties_are_filled", path, message, f"See whether {at} is the right one.")
        else:
            yield fine("properties_are_filled", path, message)


def events_occur(one: Examined) -> Iterator[Finding]:
    """Every defined event occurs; a name nearby says what may have been meant."""
    if one.names is None or one.survey is None or not one.survey.rows:
        return
    there = {key for event in one.events.values() if (key := event.key) is not None}
    for name, event in one.events.items():
        if event.key is None or event.key in one.names:
            continue
        message = f"event `{name}`: nothing is called `{event.key}` {one.period}"
        near = nearest(event.key, [found for found in one.names if found not in there])
        fix = f"There is `{near}`: write `name: {near}` if it is meant." if near else None
        if fix is None and one.since is not None:
            fix = "If it is rare, look further back with `--since`."
        yield doubtful("events_occur", ("events", name), message, fix)
    occurring = sum(event.key in one.names for event in one.events.values() if event.key is not None)
    if occurring:
        yield fine("events_occur", one.path, f"{several(occurring, 'defined event')} occur {one.period}")


def events_are_defined(one: Examined) -> Iterator[Finding]:
    """The events that no definition names. They may be none of this project's business."""
    if not one.names:
        return
    known = {event.key for event in one.events.values()}
    unknown = [] if None in known else [name for name in one.names if name not in known]
    if unknown:
        total = sum(one.names.values())
        part = share(sum(one.names[name] for name in unknown), total)
        yield fine("events_are_defined", one.path, f"no definition names {listed(unknown)} ({part} of the rows)")
    else:
        yield fine("events_are_defined", one.path, "every event name has a definition")


def copies_are_few(one: Examined) -> Iterator[Finding]:
    """Rows of one event id are copies; ids declared unique have none, and no id is of several people."""
    copies, path = one.copies, (*one.path, "event_id")
    if copies is None or one.survey is None or not one.survey.rows:
        return
    if not copies.ids:
        yield fine("copies_are_few", path, f"no event id occurs twice {one.period}")
        return
    message = f"{several(copies.ids, 'event id')} occur more than once, in {_of(copies.rows, one.survey.rows)}"
    if one.source.event_id_unique:
        yield wrong("copies_are_few", path, message, "Leave `unique: true` out, so that they count once.")
    else:
        yield fine("copies_are_few", path, f"{message}: they count once")
    if copies.of_several:
        message = (
            f"{several(copies.of_several, 'event id')} are of several people: of each only the earliest row counts"
        )
        yield doubtful(
            "copies_are_few", path, message, "Is the column an id of the event, or of something it is about?"
        )


def _of(part: int, whole: int) -> str:
    if part == 0:
        return "no row"
    return "every row" if part == whole else f"{several(part, 'row')} ({share(part, whole)})"


LARGE = 1_000_000
"""Rows of a table from which on it matters that not all of it is read."""


def skips_what_is_not_asked(one: Examined) -> Iterator[Finding]:
    """A large table is kept so that a question about some days does not read them all."""
    assert one.survey is not None
    if one.keys is None or one.survey.rows < LARGE:
        return
    partition = one.source.partition
    wanted = [one.source.time, *([partition.column] if partition else [])]
    if kept := [column for column in wanted if unquoted(column).casefold() in one.keys]:
        yield fine("skips_what_is_not_asked", one.path, f"{one.what} is kept in order of {listed(kept)}")
        return
    yield doubtful(
        "skips_what_is_not_asked",
        (*one.path, "time"),
        f"{one.what} is not partitioned, sorted or indexed by {listed(wanted)}: each question reads all of it",
        "Partition or sort it by day; where that is by a column of its own, name it as `partition`.",
    )
