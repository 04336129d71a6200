"""What is asked of a table's rows: three statements at most, of counts and instants, in the portable vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from metrics_api.compile.passes.restrict_time import partition_literal
from metrics_api.families.relations import is_someone
from metrics_api.periods import DAY
from metrics_api.plan.expr import TRUE, Agg, Col, Expr, Lit, Type, all_of, any_of, call, instant, integer, text
from metrics_api.plan.nodes import Aggregate, Filter, Named, Named_, Plan, Scan, Sort, keep
from metrics_api.semantic.model import EventTable, Property, Source

TOLERANCE = timedelta(minutes=5)
"""How far two clocks may be apart."""
MOST_EVENTS = 1_000
"""Event names that are looked at, the most frequent ones."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Counts of the rows of a table since an instant (None: of all rows)."""

    hours: Mapping[datetime, int]
    """Rows by the UTC hour they begin in."""
    rows: int
    timeless: int
    """Rows without a time."""
    missing: Mapping[str, int]
    """Rows without a value, by what lacks it: `user`, `event_id`, `property country` ..."""
    future: int
    """Rows of after now."""
    newest: datetime | None
    loaded: datetime | None
    """The newest `loaded_at`."""
    early: int
    """Rows that were loaded before they happened."""
    late: int
    """Rows that were loaded later than `late_arrival` after they happened."""
    displaced: int
    """Rows whose partition is not that of their time, so that answers miss them."""


@dataclass(frozen=True, slots=True)
class Copies:
    """Rows that share an event id."""

    ids: int
    rows: int
    of_several: int
    """Ids among them whose rows are of several people."""


def survey_plan(source: Source, table: EventTable, since: datetime | None, now: datetime) -> Plan:
    """One row for each hour with events, and one for rows without a time."""
    at, told = Col("at"), missing_values(source, table)
    counted: list[Named_] = [
        ("rows", Agg("count_rows")),
        ("newest", Agg("max", (at,))),
        ("future", Agg("count_rows", (), call("gt", at, instant(now + TOLERANCE)))),
    ]
    counted += [(f"missing_{k}", Agg("count_rows", (), one)) for k, one in enumerate(told.values())]
    if source.loaded_at is not None:
        loaded = Col("loaded")
        earlier = call("add_seconds", at, integer(-round(TOLERANCE.total_seconds())))
        counted += [
            ("loaded_last", Agg("max", (loaded,))),
            ("early", Agg("count_rows", (), call("lt", loaded, earlier))),
        ]
        if source.late_arrival is not None:
            until = call("add_seconds", at, integer(round(source.late_arrival.elapsed.total_seconds())))
            counted.append(("late", Agg("count_rows", (), call("gt", loaded, until))))
    if source.partition is not None:
        counted.append(("displaced", Agg("count_rows", (), _displaced(source))))
    rows = Filter(_scan(source, table), _bounds(source, since))
    return Aggregate(rows, (("hour", call("trunc_hour", at)),), tuple(counted))


def read_survey(source: Source, table: EventTable, rows: list[dict[str, Any]]) -> Survey:
    told = missing_values(source, table)
    hours = {moment: int(row["rows"]) for row in rows if (moment := naive(row["hour"])) is not None}

    def total(name: str) -> int:
        return sum(int(row.get(name) or 0) for row in rows)

    def last(name: str) -> datetime | None:
        return max((moment for row in rows if (moment := naive(row.get(name))) is not None), default=None)

    return Survey(
        hours=hours,
        rows=total("rows"),
        timeless=total("rows") - sum(hours.values()),
        missing={name: total(f"missing_{k}") for k, name in enumerate(told)},
        future=total("future"),
        newest=last("newest"),
        loaded=last("loaded_last"),
        early=total("early"),
        late=total("late"),
        displaced=total("displaced"),
    )


def events_plan(source: Source, table: EventTable, since: datetime | None) -> Plan:
    """How often each event occurs, the most frequent first."""
    rows = Filter(_scan(source, table), all_of([_bounds(source, since), _is_there(Col("event"))]))
    counted = Aggregate(rows, keep("event"), (("rows", Agg("count_rows")),))
    return Sort(counted, (("rows", True), ("event", False)), MOST_EVENTS)


def copies_plan(source: Source, table: EventTable, since: datetime | None) -> Plan:
    """One row: the ids that several rows share. One id under two event names is two events."""
    rows = Filter(_scan(source, table), all_of([_bounds(source, since), _is_there(Col("event_id"))]))
    who = call("to_text", Col(_who(source)))
    kept = keep("event_id", *(["event"] if source.event_name is not None else []))
    times = (("times", Agg("count_rows")), ("least", Agg("min", (who,))), ("greatest", Agg("max", (who,))))
    shared = Filter(Named("copies", Aggregate(rows, kept, times)), call("gt", Col("times"), integer(1)))
    counted: tuple[Named_, ...] = (
        ("ids", Agg("count_rows")),
        ("rows", Agg("sum", (Col("times"),))),
        ("of_several", Agg("count_rows", (), call("ne", Col("least"), Col("greatest")))),
    )
    return Aggregate(shared, (), counted)


def read_copies(rows: list[dict[str, Any]]) -> Copies:
    (row,) = rows
    return Copies(int(row["ids"]), int(row["rows"] or 0), int(row["of_several"]))


def missing_values(source: Source, table: EventTable) -> Mapping[str, Expr]:
    """What a row may lack, and the condition for it. Nobody's id is null or empty."""
    told: dict[str, Expr] = {
        name: call("not_", call("coalesce", is_someone(Col(f"id_{name}"), {one.type}), Lit(False, Type.BOOLEAN)))
        for name, one in source.identities.items()
    }
    if source.event_name is not None:
        told["event_name"] = call("is_null", Col("event"))
    if source.event_id is not None:
        told["event_id"] = call("is_null", Col("event_id"))
    if source.partition is not None:
        told["partition"] = call("is_null", Col("partition"))
    if source.loaded_at is not None:
        told["loaded_at"] = call("is_null", Col("loaded"))
    told |= {f"property {name}": call("is_null", Col(f"property_{name}")) for name in table.properties}
    return told


def naive(value: object) -> datetime | None:
    """An instant as the warehouse gives it, as naive UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return datetime.combine(value, time()) if isinstance(value, date) else None


def _scan(source: Source, table: EventTable) -> Scan:
    named: dict[str, str | None] = {
        "at": source.time,
        "event": source.event_name,
        "event_id": source.event_id,
        "loaded": source.loaded_at,
        "partition": source.partition.column if source.partition else None,
        **{f"id_{name}": one.column for name, one in source.identities.items()},
    }
    columns: list[Named_] = [(name, Col(column)) for name, column in named.items() if column is not None]
    columns += [(f"property_{name}", _read(one)) for name, one in table.properties.items()]
    return Scan(source.name, table.name, tuple(columns), view=table.view)


def _read(of: Property) -> Expr:
    return Col(of.column) if of.path is None else call("json_text", Col(of.column), text(of.path))


def _who(source: Source) -> str:
    return f"id_{'user' if 'user' in source.identities else next(iter(source.identities))}"


def _is_there(value: Expr) -> Expr:
    return call("not_", call("is_null", value))


def _bounds(source: Source, since: datetime | None) -> Expr:
    """By the partition alone where there is one, so that rows of another time, or of none, are seen as well."""
    if since is None:
        return TRUE
    if source.partition is None:
        return call("ge", Col("at"), instant(since))
    return call("ge", Col("partition"), partition_literal(since.date(), source.partition.type, "first_partition"))


def _displaced(source: Source) -> Expr:
    """Whether answers about a row's day would not read its partition: they look a day around, and `lag` later."""
    partition = source.partition
    assert partition is not None
    held: Expr = Col("partition")

    def day(shift: timedelta) -> Expr:
        moved = call("to_date", call("add_seconds", Col("at"), integer(round(shift.total_seconds()))))
        return call("to_text", moved) if partition.type is Type.STRING else moved

    if partition.type is Type.TIMESTAMP:
        held = call("to_date", held)
    before, after = day(-DAY), day(DAY + partition.lag_days * DAY)
    return any_of([call("lt", held, before), call("gt", held, after)])
