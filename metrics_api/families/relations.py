"""The shared floor of the families: the relational pieces more than one of them is made of."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from types import MappingProxyType

from metrics_api.periods import MICROSECOND, Grain, Offset, Span, Weekday
from metrics_api.plan.expr import (
    TRUE,
    Agg,
    Call,
    Case,
    Col,
    Expr,
    Lit,
    Over,
    Type,
    all_of,
    any_of,
    call,
    columns,
    instant,
    integer,
    text,
)
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Plan, Project, Scan, Sort, Spine, Union, keep, output
from metrics_api.query.bind import BoundQuery
from metrics_api.query.dimension import NONE, OTHER, Clock, Dimension, bin_labels
from metrics_api.results import PART, Column, combined_columns, usual_order
from metrics_api.semantic.model import Entity, Event, EventTable, Property, Selection, Source

AT, ENTITY, EVENT, EVENT_ID, TIE, PARTITION = "_at", "_entity", "_event", "_event_id", "_tie", "_partition"
SESSION = "_session"
A_MONDAY = date(1900, 1, 1)


def events_of(
    query: BoundQuery, source: Source, span: Span, needed: Iterable[str], events: Collection[str | None] = (None,)
) -> Plan:
    """`scan` for whom the question counts, knowing who is in its cohorts."""
    return scan(source, span, needed, entity=query.metric.entity, events=events, memberships=query.memberships)


def scan(
    source: Source,
    span: Span,
    needed: Iterable[str],
    *,
    entity: str,
    events: Collection[str | None] = (None,),
    memberships: Sequence[tuple[str, Plan]] = (),
) -> Plan:
    """The source's rows of a span, with the columns needed: properties, attributes, and the `_` names of this module.

    `_entity` is the id of whoever is counted, its aliases resolved. The tables of ids and attributes are joined only
    when a column needs them, and never make two rows of one. Of a source with a table for each event only those of
    `events` are read (by their written names; None: any). `_in_NAME` is not null for people of that cohort.
    """
    wanted = (set(needed) | set(columns(source.exclude or TRUE))) - {AT}
    cohorts = [(name, people) for name, people in memberships if member_column(name) in wanted]
    wanted = (wanted - {member_column(name) for name, _ in cohorts}) | ({ENTITY} if cohorts else set())
    attributes = [source.attributes[name] for name in sorted(wanted) if name in source.attributes]
    kinds = {one.entity for one in attributes if one.entity} | ({entity} if ENTITY in wanted else set())
    people = {kind: ENTITY if kind == entity else f"_{kind}" for kind in sorted(kinds)}
    own = wanted - {ENTITY} - {one.name for one in attributes}
    read = [_scan_of_table(source, table, span, own, people) for table in source.tables_of(events)]
    rows = read[0] if len(read) == 1 else Union(tuple(read))
    for kind, name in people.items():
        rows = _resolved(rows, source, kind, name)
        rows = _described(rows, source.entities.get(kind), name, [one for one in attributes if one.entity == kind])
    for name, members in cohorts:
        rows = with_membership(rows, name, members, who=ENTITY)
    return rows


def member_column(cohort: str) -> str:
    return f"_in_{cohort}"


def is_member(cohort: str) -> Expr:
    return call("not_", call("is_null", Col(member_column(cohort))))


def with_membership(rows: Plan, cohort: str, people: Plan, *, who: str) -> Plan:
    """The rows with a column that is not null where column `who` is one of the people (`entity`, each once)."""
    column = member_column(cohort)
    there = Named(f"cohort_{cohort}", Project(people, ((column, Col("entity")),)))
    return Join(rows, there, "left", ((who, column),))


def _scan_of_table(
    source: Source, table: EventTable, span: Span, own: Iterable[str], people: Mapping[str, str]
) -> Plan:
    read = {name: _event_column(source, table, name) for name in own}
    read |= {name: Col(source.identities[kind].column) for kind, name in people.items()}
    fixed: dict[str, Expr] = {AT: Col(source.time)}
    partition = source.partition
    if partition is not None:
        fixed[PARTITION] = Col(partition.column)
    start = max(span.start, source.history_start or span.start)
    return Scan(
        source=source.name,
        table=table.name,
        columns=(*fixed.items(), *sorted(read.items())),
        time=Col(AT),
        span=Span(start, max(span.end, start)),
        partition=Col(PARTITION) if partition else None,
        exclude=source.exclude,
        partition_type=partition.type if partition else Type.DATE,
        partition_lag_days=partition.lag_days if partition else 0,
        view=table.view,
    )


def _resolved(rows: Plan, source: Source, kind: str, name: str) -> Plan:
    """The rows with the id in column `name` for the one it is an alias of, where it is one.

    An alias of several ids stands for the least of them; nobody's id is nobody's alias.
    """
    people = source.entities.get(kind)
    if people is None or (ids := people.identity_map) is None:
        return rows
    told = Scan(kind, ids.table, (("_alias", Col(ids.alias)), ("_canonical", Col(ids.to))))
    types = {source.identities[kind].type}
    useful = Filter(told, all_of([is_someone(Col("_alias"), types), is_someone(Col("_canonical"), types)]))
    once = Aggregate(useful, keep("_alias"), (("_canonical", Agg("min", (Col("_canonical"),))),))
    joined = Join(rows, Named(f"{kind}_ids", once), "left", ((name, "_alias"),))
    canonical = call("coalesce", Col("_canonical"), Col(name))
    return Project(joined, tuple((one, canonical if one == name else Col(one)) for one in output(rows)))


def _described(rows: Plan, people: Entity | None, name: str, attributes: Sequence[Property]) -> Plan:
    """The rows with the attributes of the entity whose id is in column `name`.

    Where a key has several rows each attribute is the greatest of its values, so that a row stays one.
    """
    if not attributes:
        return rows
    assert people is not None and people.attributes is not None
    table = people.attributes
    key = f"_{people.name}_key"
    read = (("_key", Col(table.key)), *((one.name, _property_column(one)) for one in attributes))
    told: Plan = Scan(people.name, table.table, tuple((key if one == "_key" else one, expr) for one, expr in read))
    if not table.unique:
        greatest = tuple((one.name, _greatest(one)) for one in attributes)
        told = Named(f"{people.name}_attributes", Aggregate(told, keep(key), greatest))
    joined = Join(rows, told, "left", ((name, key),))
    return Project(joined, keep(*output(rows), *(one.name for one in attributes)))


def _greatest(of: Property) -> Expr:
    """The greatest value; of truth values, which not every engine compares, true."""
    if of.type is not Type.BOOLEAN:
        return Agg("max", (Col(of.name),))
    least = Case(((Col(of.name), integer(1)), (call("not_", Col(of.name)), integer(0))))
    return call("eq", Agg("max", (least,)), integer(1))


def _event_column(source: Source, table: EventTable, name: str) -> Expr:
    if name == EVENT and table.event is not None:
        return text(table.event)
    special = {
        EVENT: source.event_name,
        EVENT_ID: source.event_id,
        TIE: source.tie_breaker,
        SESSION: source.session_id,
    }
    if name in special:
        column = special[name]
        assert column is not None, name
        return Col(column)
    of = table.properties.get(name)
    return Lit(None, source.properties[name].type) if of is None else _property_column(of)


def _property_column(of: Property) -> Expr:
    return Col(of.column) if of.path is None else call("json_text", Col(of.column), text(of.path))


def occurrences(
    query: BoundQuery,
    selection: Selection,
    span: Span,
    projected: Mapping[str, Expr],
    *,
    marked: bool = False,
    flags: Mapping[str, Selection] = MappingProxyType({}),
) -> Plan:
    """The selection's events of a span that pass the query's filter, under new columns of properties and `_` names.

    With `marked`, a column `first_copy` tells whether a row counts: of rows with one declared event id only the
    earliest does (RULES 13). Each of `flags` is a column that tells whether a row is of that selection too.
    """
    inputs = []
    for source in selection.sources:
        events = selection.events(source)
        condition = all_of([qualifying(selection, source), query.where])
        told = ((name, qualifying(one, source, among=events)) for name, one in flags.items())
        shown = (*projected.items(), *told)
        read = {name for expr in (condition, *(expr for _, expr in shown)) for name in columns(expr)}
        if not marked:
            rows: Plan = events_of(query, source, span, read, events)
        elif may_repeat(source):
            rows = _numbered_copies(query, source, selection, span, read)
            shown = (
                *shown,
                ("first_copy", any_of([call("eq", Col("_copy"), integer(1)), call("is_null", Col(EVENT_ID))])),
            )
        else:
            rows = events_of(query, source, span, read, events)
            shown = (*shown, ("first_copy", TRUE))
        inputs.append(Project(Filter(rows, condition), shown))
    return with_others(query, inputs[0] if len(inputs) == 1 else Union(tuple(inputs)))


def qualifying(selection: Selection, source: Source, *, among: Sequence[str | None] | None = None) -> Expr:
    """Whether a row of the source is one of the selection's events.

    Where only the table of one event is read for it, the event's name is not asked for. `among` are the events that
    are read, if others are as well.
    """
    alternatives = [one for one in selection.alternatives if one.event.source is source]
    keys = {one.event.key for one in alternatives} if among is None else set(among)
    if len(keys) > 1 or None in keys or source.event_name is not None or not source.tells_events:
        return any_of(all_of([one.event.match, one.where]) for one in alternatives)
    return any_of(all_of([*_without_name(one.event), one.where]) for one in alternatives)


def _without_name(event: Event) -> Iterator[Expr]:
    match = event.match
    for part in match.args if isinstance(match, Call) and match.op == "and_" else (match,):
        if event.key is None or part != call("eq", Col(EVENT), text(event.key)):
            yield part


def may_repeat(source: Source) -> bool:
    """Whether rows of one event id can come twice, as far as the definitions know."""
    return source.event_id is not None and not source.event_id_unique


def _numbered_copies(query: BoundQuery, source: Source, selection: Selection, span: Span, read: set[str]) -> Plan:
    """The rows, numbered in time within an event id. One id under two event names is two events."""
    names = {EVENT} if source.tells_events else set()
    keys = selection.events(source)
    rows = events_of(query, source, span, read | {EVENT_ID} | names, keys)
    if names and None not in keys:
        rows = Filter(rows, Call("in_", (Col(EVENT), *(text(key) for key in keys if key is not None))))
    number = Over("row_number", (), tuple(Col(name) for name in (EVENT_ID, *sorted(names))), (Col(AT),))
    return Named("numbered_events", Project(rows, (*keep(*sorted(read | {EVENT_ID, AT})), ("_copy", number))))


# -- time -------------------------------------------------------------------------------------------------------------


def local(query: BoundQuery, at: Expr, span: Span) -> Expr:
    """The wall clock at an instant of the span: the zone's offset added, piecewise where it changes (RULES 7)."""
    return _piecewise(at, query.calendar.offsets(span), sign=1)


def local_date(query: BoundQuery, at: Expr, span: Span) -> Expr:
    return call("to_date", local(query, at, span))


def period(query: BoundQuery, at: Expr, span: Span) -> Expr:
    """The label of the bucket that holds an instant of the span."""
    grain = query.grain
    if grain is Grain.HOUR:
        offsets = query.calendar.offsets(span)
        if all(offset.seconds % 3600 == 0 for offset in offsets):
            return call("trunc_hour", at)
        pieces = [(offset, call("trunc_hour", _shifted(at, offset.seconds))) for offset in offsets]
        return _pieces(at, [(offset, _shifted(hour, -offset.seconds)) for offset, hour in pieces])
    day = local_date(query, at, span)
    if grain is Grain.DAY:
        return day
    return call("trunc_date", day, text(grain.value), integer(query.calendar.week_start.number))


def _piecewise(at: Expr, offsets: Sequence[Offset], *, sign: int) -> Expr:
    return _pieces(at, [(offset, _shifted(at, sign * offset.seconds)) for offset in offsets])


def _pieces(at: Expr, pieces: Sequence[tuple[Offset, Expr]]) -> Expr:
    """Each piece up to the change of offset that follows it."""
    if len(pieces) == 1:
        return pieces[0][1]
    branches = [
        (call("lt", at, instant(following.start, role="zone_change")), expr)
        for (_, expr), (following, _) in itertools.pairwise(pieces)
    ]
    return Case(tuple(branches), pieces[-1][1])


def _shifted(at: Expr, seconds: int) -> Expr:
    return at if seconds == 0 else call("add_seconds", at, Lit(seconds, Type.INTEGER, role="zone_offset"))


# -- entities and breakdowns ------------------------------------------------------------------------------------------


def is_known(query: BoundQuery, entity: Expr) -> Expr:
    """Whether an entity is neither null nor empty (RULES 10)."""
    return is_someone(entity, {source.identities[query.metric.entity].type for source in query.metric.sources})


def sum_of(value: Expr, type_: Type, where: Expr | None = None) -> Agg:
    """The sum of what people gave; of whole numbers it says so, since engines may have to make room for it."""
    return Agg("sum", (value, text(type_.value)) if type_ is Type.INTEGER else (value,), where)


def is_someone(id_: Expr, types: AbstractSet[Type | None]) -> Expr:
    """Whether an id of one of these types (None: not declared) is neither null nor empty."""
    if types <= {Type.INTEGER, Type.NUMBER, Type.DECIMAL}:
        return call("not_", call("is_null", id_))
    return call("ne", id_ if types == {Type.STRING} else call("to_text", id_), text(""))


def labels(query: BoundQuery, span: Span) -> dict[str, Expr]:
    """The breakdown columns of events of a span: strings, `(none)` where the value is missing."""
    found: dict[str, Expr] = {}
    for one in query.by:
        plain = one.type is Type.STRING and one.reads is not None
        label = Col(one.reads or "") if plain else raw_label(query, one, span)
        found[one.name] = label if one.clock is not None else call("coalesce", label, text(NONE))
    return found


def of_people(query: BoundQuery) -> tuple[Dimension, ...]:
    """The breakdowns by what is known of whoever is counted: they can wait until events are people."""
    known = query.metric.sources[0].attributes
    if query.ranked or (query.where is not None and any(name in known for name in columns(query.where))):
        return ()
    of = {name for name, one in known.items() if one.entity == query.metric.entity}
    return tuple(one for one in query.by if one.reads in of)


def with_attributes(query: BoundQuery, people: Plan, names: Sequence[str]) -> Plan:
    """Rows of people (`entity`) with these attributes of theirs."""
    source = query.metric.sources[0]
    attributes = [source.attributes[name] for name in names]
    return _described(people, source.entities.get(query.metric.entity), "entity", attributes)


def everyone_known(query: BoundQuery) -> Plan | None:
    """Everyone in the table of the entity that is counted, aliases resolved: one column `entity`, each once.

    None where there is no such table.
    """
    source = query.metric.sources[0]
    people = source.entities.get(query.metric.entity)
    if people is None or (table := people.attributes) is None:
        return None
    rows: Plan = Scan(people.name, table.table, (("entity", Col(table.key)),))
    rows = Filter(_resolved(rows, source, people.name, "entity"), is_known(query, Col("entity")))
    is_once = table.unique and people.identity_map is None
    return rows if is_once else Aggregate(rows, keep("entity"), ())


def known_people(query: BoundQuery, span: Span, dimensions: Sequence[Dimension] = ()) -> Plan:
    """Whoever is known by the end of a span, each once: (entity, known_day, labels of what is known of them).

    `known_day` is the local day since which, counted from the span's first; 0 where it is earlier. The question's
    conditions on people hold, and those of them that a cohort has; conditions on events say nothing of people.
    """
    source = query.metric.sources[0]
    people = source.entities[query.metric.entity]
    assert people.attributes is not None and people.attributes.known_since is not None
    column, type_ = people.attributes.known_since
    read = (("entity", Col(people.attributes.key)), ("known_at", Col(column)))
    told = _resolved(Scan(people.name, people.attributes.table, read), source, people.name, "entity")
    first, last = query.calendar.local_date(span.start), query.calendar.local_date(span.end - MICROSECOND)
    day, there = (
        local_date(query, Col("known_at"), span),
        call("lt", Col("known_at"), instant(span.end, role="span_end")),
    )
    if type_ is Type.DATE:
        day, there = Col("known_at"), call("le", Col("known_at"), Lit(last, Type.DATE, role="last_day"))
    rows: Plan = Filter(told, all_of([is_known(query, Col("entity")), there]))
    if not people.attributes.unique or people.identity_map is not None:
        rows = Named("known", Aggregate(rows, keep("entity"), (("known_at", Agg("min", (Col("known_at"),))),)))
    where = _of_people_only(query)
    wanted = {name for expr in (where, *(_reads(one) for one in dimensions)) for name in columns(expr)}
    rows = with_attributes(query, rows, sorted(wanted & source.attributes.keys()))
    for name, members in query.memberships:
        if member_column(name) in wanted:
            rows = with_membership(rows, name, members, who="entity")
    number = call("days_between", Lit(first, Type.DATE, role="first_day"), day)
    since = Case(((call("gt", number, integer(0)), number),), integer(0))
    shown = labels(replace(query, by=tuple(dimensions)), span)
    return with_others(query, Project(Filter(rows, where), (*keep("entity"), ("known_day", since), *shown.items())))


def people_dimensions(query: BoundQuery) -> tuple[Dimension, ...]:
    """The breakdowns by what is known of whoever is counted, their cohorts among it."""
    known = query.metric.sources[0].attributes
    of = {name for name, one in known.items() if one.entity == query.metric.entity}
    return tuple(one for one in query.by if one.reads in of or one.cohorts)


def _reads(one: Dimension) -> Expr:
    """What a breakdown by what is known of people reads."""
    return any_of(is_member(cohort) for cohort in one.cohorts) if one.cohorts else Col(one.reads or "")


def _of_people_only(query: BoundQuery) -> Expr:
    """Those of the question's conditions that read nothing but what is known of whoever is counted."""
    if query.where is None:
        return TRUE
    known = query.metric.sources[0].attributes
    of = {name for name, one in known.items() if one.entity == query.metric.entity}
    of |= {member_column(name) for name, _ in query.memberships}
    parts = query.where.args if isinstance(query.where, Call) and query.where.op == "and_" else (query.where,)
    return all_of(one for one in parts if set(columns(one)) <= of)


def with_labels_of_people(query: BoundQuery, people: Plan, dimensions: Sequence[Dimension]) -> Plan:
    """Rows of people (`entity`) with the labels of what is known of them."""
    source = query.metric.sources[0]
    attributes = [source.attributes[one.reads] for one in dimensions if one.reads is not None]
    kept = keep(*output(people))
    described = _described(people, source.entities.get(query.metric.entity), "entity", list(dict.fromkeys(attributes)))
    shown = labels(replace(query, by=tuple(dimensions)), query.span)
    return Project(described, (*kept, *shown.items()))


def raw_label(query: BoundQuery, one: Dimension, span: Span) -> Expr:
    """The label of an event under a breakdown, null where the value is missing."""
    if one.clock is Clock.HOUR_OF_DAY:
        hour = call("hour_of", local(query, Col(AT), span))
        return _one_of(hour, [f"{number:02}" for number in range(24)])
    if one.clock is Clock.WEEKDAY:
        days = call("days_between", Lit(A_MONDAY, Type.DATE), local_date(query, Col(AT), span))
        return _one_of(call("mod", days, integer(7)), [f"{day.number + 1}: {day.capitalize()}" for day in Weekday])
    if one.cohorts:
        (cohort,) = one.cohorts  # Several are put together by the compiler: people can be in more than one.
        return Case(((is_member(cohort), text(cohort)),))
    assert one.reads is not None
    value = Col(one.reads)
    if one.bins:
        number = call("finite", value) if one.type is Type.NUMBER else value
        *inner, last = bin_labels(one.bins)
        below = [(call("lt", number, _edge(edge)), text(label)) for edge, label in zip(one.bins, inner, strict=True)]
        return Case((*below, (call("ge", number, _edge(one.bins[-1])), text(last))))
    return call("to_text", value, text(one.type))


def _one_of(number: Expr, names: Sequence[str]) -> Expr:
    return Case(tuple((call("eq", number, integer(n)), text(name)) for n, name in enumerate(names)))


def _edge(edge: Decimal) -> Lit:
    is_whole = edge == edge.to_integral_value()
    return integer(int(edge)) if is_whole else Lit(edge, Type.DECIMAL)


def with_others(query: BoundQuery, rows: Plan) -> Plan:
    """The rows, with every label beyond the top ones of its breakdown as `(other)`; `(none)` stays."""
    if not query.ranked:
        return rows
    names = output(rows)
    shown: dict[str, Expr] = {name: Col(name) for name in names}
    for name, ranked in query.ranked:
        if name not in shown:  # A subtotal over all its values.
            continue
        (top,) = output(ranked)
        rows = Join(rows, ranked, "left", on=((name, top),))
        stays = any_of([call("not_", call("is_null", Col(top))), call("eq", Col(name), text(NONE))])
        shown[name] = Case(((stays, Col(name)),), text(OTHER))
    return Project(rows, tuple(shown.items()))


# -- answers ----------------------------------------------------------------------------------------------------------


def spine(query: BoundQuery) -> Spine:
    """The range's buckets."""
    return Spine((("period", query.period_type),), tuple((one.label,) for one in query.periods))


def on_every_period(query: BoundQuery, counted: Plan) -> Plan:
    """The counted rows, joined to every bucket (for every combination of breakdowns that occurs in the range)."""
    by = tuple(one.name for one in query.by)
    grid: Plan = spine(query)
    if by:
        segments = Named("segments", Aggregate(counted, keep(*by), ()))
        grid = Join(grid, segments, "cross")
    return Join(grid, counted, "left", on=tuple((name, name) for name in ("period", *by)))


def ordered(query: BoundQuery, rows: Plan, columns_: Sequence[Column], limit: int | None = None) -> Plan:
    """The rows of a part in the asked order, ties and the rest by bucket, breakdowns and step.

    One more than the limit (the question's, unless said), to know whether there are more; all where all are asked for.
    """
    asked = dict(query.order)
    usual = usual_order(one.name for one in query.by)
    there = {column.name for column in columns_}
    by = tuple((name, asked.get(name, False)) for name in dict.fromkeys((*asked, *usual)) if name in there)
    if limit is None and not query.all_rows:
        limit = query.limit
    return Sort(rows, by, None if limit is None else limit + 1) if by else rows


def combined(parts: Mapping[str, Plan], columns_: Mapping[str, Sequence[Column]]) -> Plan:
    """All parts as one plan, told apart by a number; the plan itself when there is only one."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    every = combined_columns(columns_)
    inputs = []
    for number, (part, plan) in enumerate(parts.items()):
        own = {column.name for column in columns_[part]}
        filled = [
            (name, Col(name) if name in own else Lit(None, type_)) for name, type_ in every.items() if name != PART
        ]
        inputs.append(Project(plan, ((PART, integer(number)), *filled)))
    return Union(tuple(inputs))


def count_if(condition: Expr) -> Agg:
    return Agg("count_rows", (), condition)


def quantile(of: Expr, fraction: str, where: Expr | None = None) -> Agg:
    return Agg("quantile", (of, Lit(Decimal(fraction), Type.NUMBER)), where)


def zero_if_missing(name: str) -> Expr:
    return Call("coalesce", (Col(name), integer(0)))


def seconds(of: timedelta) -> int:
    return int(of.total_seconds())
