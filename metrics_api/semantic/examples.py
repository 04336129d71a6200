"""The events of a metric's own tests as rows of the tables that the model reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from metrics_api.definitions.base import ExampleDefinition
from metrics_api.definitions.examples import EventLine, Unreadable, Word, read_events, read_table, read_value
from metrics_api.definitions.names import Path, identifier_like
from metrics_api.definitions.written import parts, unquoted
from metrics_api.errors import did_you_mean
from metrics_api.plan.expr import Type, Value
from metrics_api.semantic.model import Event, EventTable, Property, SemanticModel, Source

Row = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Rows:
    """All that one table holds, under its own columns; a value inside a JSON column is a column `json_column`."""

    name: str
    columns: tuple[tuple[str, Type], ...]
    rows: tuple[tuple[Value, ...], ...]


def json_column(column: str, path: str) -> str:
    """The column that stands for a value inside a JSON column."""
    return f"{column}__{path.replace('.', '__')}"


@dataclass(frozen=True, slots=True)
class Examples:
    """All tables that the model reads, by name; when the events happened; what could not be read, and in which text."""

    tables: Mapping[str, Rows]
    times: tuple[datetime, ...]
    problems: tuple[tuple[Path, Unreadable], ...]


def read_examples(test: ExampleDefinition, model: SemanticModel) -> Examples:
    """Every event in the table of its source, and the rows of other tables; those that are not written are empty."""
    reading = _Reading(model)
    for line in read_events(test.events):
        if isinstance(line, Unreadable):
            reading.problems.append((("events",), line))
        else:
            reading.add(line)
    columns = columns_of_entities(model)
    names = {name: unquoted(parts(name)[-1]) for name in columns}
    for name, text in test.tables.items():
        if name in columns:
            reading.rows.setdefault(name, []).extend(reading.table(name, text, columns[name]))
        else:
            fix = did_you_mean(name, columns, what="tables of attributes and aliases")
            wrong = Unreadable(f"no entity has a table `{name}`", fix, ("tables", name), on_key=True)
            reading.problems.append((("tables", name), wrong))
    for source in model.sources.values():
        for table in source.tables:  # Several sources may read one table, each with columns of its own.
            columns[table.name] = columns_of(source, table) | columns.get(table.name, {})
            names[table.name] = source.name if table.event is None else f"{source.name}_{identifier_like(table.event)}"
    tables = {
        name: Rows(
            names[name], tuple(one.items()), tuple(tuple(map(row.get, one)) for row in reading.rows.get(name, ()))
        )
        for name, one in columns.items()
    }
    return Examples(tables, tuple(reading.times), tuple(reading.problems))


def columns_of(source: Source, table: EventTable) -> dict[str, Type]:
    """The columns that a source names of a table, with the types their values have."""
    columns: dict[str, Type] = {source.time: Type.TIMESTAMP}
    named = ((source.event_name, Type.STRING), (source.event_id, Type.STRING))
    columns |= {name: type_ for name, type_ in named if name is not None}
    columns |= {one.column: one.type for one in (source.partition,) if one is not None}
    columns |= {name: Type.INTEGER for name in (source.tie_breaker,) if name is not None}
    columns |= {name: Type.STRING for name in (source.session_id,) if name is not None}
    columns |= {name: Type.TIMESTAMP for name in (source.loaded_at,) if name is not None}
    columns |= {one.column: one.type or Type.STRING for one in source.identities.values()}
    for one in table.properties.values():
        columns[_column(one)] = one.type if one.path is None else Type.STRING
    return columns


def columns_of_entities(model: SemanticModel) -> dict[str, dict[str, Type]]:
    """The tables of attributes and aliases by name, each with its columns."""
    tables: dict[str, dict[str, Type]] = {}
    for one in model.entities.values():
        declared = [
            source.identities[one.name].type for source in model.sources.values() if one.name in source.identities
        ]
        id_type = next((type_ for type_ in declared if type_), Type.STRING)
        if one.identity_map is not None:
            tables.setdefault(one.identity_map.table, {}).update(
                {one.identity_map.alias: id_type, one.identity_map.to: id_type}
            )
        if one.attributes is not None:
            columns = tables.setdefault(one.attributes.table, {})
            columns |= {_column(of): Type.STRING if of.path else of.type for of in one.attributes.properties.values()}
            columns[one.attributes.key] = id_type
            if one.attributes.known_since is not None:
                columns.setdefault(*one.attributes.known_since)
    return tables


def _column(of: Property) -> str:
    return of.column if of.path is None else json_column(of.column, of.path)


@dataclass
class _Reading:
    model: SemanticModel
    rows: dict[str, list[Row]] = field(default_factory=dict)
    times: list[datetime] = field(default_factory=list)
    problems: list[tuple[Path, Unreadable]] = field(default_factory=list)

    def table(self, name: str, text: str, columns: Mapping[str, Type]) -> list[Row]:
        """The rows of a table of attributes or aliases."""
        try:
            table = read_table(text)
        except Unreadable as error:
            self.problems.append((("tables", name), error))
            return []
        header = [word.text.replace(".", "__") for word in table.header]
        for word, column in zip(table.header, header, strict=True):
            if column not in columns:
                fix = did_you_mean(word.text, columns, what=f"columns of {name}")
                self.problems.append((("tables", name), Unreadable(f"`{word.text}` is not read of it", fix, word.at)))
        rows = []
        for words in table.rows:
            row: Row = {}
            for column, word in zip(header, words, strict=True):
                if column in columns and word.text != "-":
                    row |= self.cell(("tables", name), word, column, columns[column])
            rows.append(row)
        return rows

    def cell(self, path: Path, word: Word, column: str, type_: Type, title: str | None = None) -> Row:
        """A word as a value; nothing, and a problem, if it is none of the column's type."""
        try:
            return {column: read_value(word.text, type_)}
        except Unreadable as error:
            message = f"{title or column}: {error.message}"
            self.problems.append((path, Unreadable(message, error.fix, word.at)))
            return {}

    def add(self, line: EventLine) -> None:
        self.times.append(line.at)
        try:
            event = self.event(line.event)
        except Unreadable as error:
            self.problems.append((("events",), error))
            return
        source = event.source
        table = source.tables_of([event.key])[0]
        if table.event is not None and event.key is None:
            fix = did_you_mean(line.event.text, [one.event or "" for one in source.tables], what="events with a table")
            self.problems.append((("events",), Unreadable(f"`{line.event.text}` is any event", fix, line.event.at)))
            return
        row: Row = {source.time: line.at}
        if source.partition is not None:
            row[source.partition.column] = _partition(line.at, source.partition.type)
        if source.event_name is not None:
            row[source.event_name] = event.key or event.name
        usual = "user" if "user" in source.identities else next(iter(source.identities))
        if line.who is not None:
            self.put(row, source, table, usual, Word(line.who, line.event.at))
        for name, word in line.values.items():
            self.put(row, source, table, name, word)
        self.rows.setdefault(table.name, []).append(row)

    def event(self, word: Word) -> Event:
        """By its name, else by what its source calls it; raises Unreadable."""
        events = self.model.events
        if word.text in events:
            return events[word.text]
        called = {one.source.name: one for one in events.values() if one.key == word.text}
        if len(called) == 1:
            return next(iter(called.values()))
        if called:
            names = ", ".join(f"`{name}`" for name in sorted(called))
            raise Unreadable(f"`{word.text}` is an event of {names}", "Write the name of the definition.", word.at)
        raise Unreadable(f"there is no event `{word.text}`", did_you_mean(word.text, events, what="events"), word.at)

    def put(self, row: Row, source: Source, table: EventTable, name: str, word: Word) -> None:
        """Add one value to a row, or the problem with it."""
        known = writable(source, table)
        if name not in known:
            fix = did_you_mean(name, known, what=f"properties of {source.name}")
            wrong = Unreadable(f"source `{source.name}` has no property `{name}`", fix, word.at)
            self.problems.append((("events",), wrong))
            return
        column, type_ = known[name]
        value = self.cell(("events",), word, column, type_, name)
        # A value inside a JSON column is text, whatever it is read as.
        row |= {column: word.text} if value and columns_of(source, table)[column] is Type.STRING else value


def _partition(at: datetime, type_: Type) -> Value:
    """The partition of an event: its date, as the source stores it."""
    day = at.date()
    match type_:
        case Type.TIMESTAMP:
            return datetime(day.year, day.month, day.day)
        case Type.STRING:
            return day.isoformat()
    return day


def writable(source: Source, table: EventTable) -> Mapping[str, tuple[str, Type]]:
    """What a line may give a value to: the column it goes into, and the type it is read as."""
    own: Sequence[tuple[str, str | None, Type]] = (
        ("event_id", source.event_id, Type.STRING),
        ("tie_breaker", source.tie_breaker, Type.INTEGER),
        ("session_id", source.session_id, Type.STRING),
        ("loaded_at", source.loaded_at, Type.TIMESTAMP),
    )
    known = {name: (column, type_) for name, column, type_ in own if column is not None}
    known |= {name: (one.column, one.type or Type.STRING) for name, one in source.identities.items()}
    for name, one in table.properties.items():
        known[name] = (_column(one), one.type)
    return known
