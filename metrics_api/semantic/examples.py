"""The events of a metric's own tests as rows of the tables that the model reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from metrics_api.definitions.examples import EventLine, Unreadable, Word, read_events, read_value
from metrics_api.errors import did_you_mean
from metrics_api.plan.expr import Type, Value
from metrics_api.semantic.model import Event, SemanticModel, Source

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
    """The tables of all sources by their names, when the events happened, and what could not be read."""

    tables: Mapping[str, Rows]
    times: tuple[datetime, ...]
    problems: tuple[Unreadable, ...]


def read_examples(text: str, model: SemanticModel) -> Examples:
    """Every event in the table of its source; the other tables are empty."""
    reading = _Reading(model)
    for line in read_events(text):
        if isinstance(line, Unreadable):
            reading.problems.append(line)
        else:
            reading.add(line)
    tables = {}
    for source in model.sources.values():
        columns = columns_of(source)
        rows = [tuple(row.get(name) for name in columns) for row in reading.rows.get(source.name, ())]
        tables[source.table] = Rows(source.name, tuple(columns.items()), tuple(rows))
    return Examples(tables, tuple(reading.times), tuple(reading.problems))


def columns_of(source: Source) -> dict[str, Type]:
    """The columns that a source names, with the types their values have."""
    columns: dict[str, Type] = {source.time: Type.TIMESTAMP}
    named = ((source.event_name, Type.STRING), (source.event_id, Type.STRING), (source.partition, Type.DATE))
    columns |= {name: type_ for name, type_ in named if name is not None}
    columns |= {name: Type.INTEGER for name in (source.tie_breaker,) if name is not None}
    columns |= {name: Type.TIMESTAMP for name in (source.loaded_at,) if name is not None}
    columns |= {one.column: one.type or Type.STRING for one in source.identities.values()}
    for one in source.properties.values():
        if one.path is None:
            columns[one.column] = one.type
        else:
            columns[json_column(one.column, one.path)] = Type.STRING
    return columns


@dataclass
class _Reading:
    model: SemanticModel
    rows: dict[str, list[Row]] = field(default_factory=dict)
    times: list[datetime] = field(default_factory=list)
    problems: list[Unreadable] = field(default_factory=list)

    def add(self, line: EventLine) -> None:
        self.times.append(line.at)
        try:
            event = self.event(line.event)
        except Unreadable as error:
            self.problems.append(error)
            return
        source = event.source
        row: Row = {source.time: line.at}
        if source.partition is not None:
            row[source.partition] = line.at.date()
        if source.event_name is not None:
            row[source.event_name] = event.key or event.name
        usual = "user" if "user" in source.identities else next(iter(source.identities))
        if line.who is not None:
            self.put(row, source, usual, Word(line.who, line.event.at))
        for name, word in line.values.items():
            self.put(row, source, name, word)
        self.rows.setdefault(source.name, []).append(row)

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

    def put(self, row: Row, source: Source, name: str, word: Word) -> None:
        """Add one value to a row, or the problem with it."""
        known = writable(source)
        if name not in known:
            fix = did_you_mean(name, known, what=f"properties of {source.name}")
            self.problems.append(Unreadable(f"source `{source.name}` has no property `{name}`", fix, word.at))
            return
        column, type_ = known[name]
        try:
            value = read_value(word.text, type_)
        except Unreadable as error:
            self.problems.append(Unreadable(f"{name}: {error.message}", error.fix, word.at))
            return
        is_text = columns_of(source)[column] is Type.STRING
        row[column] = word.text if is_text else value


def writable(source: Source) -> Mapping[str, tuple[str, Type]]:
    """What a line may give a value to: the column it goes into, and the type it is read as."""
    own: Sequence[tuple[str, str | None, Type]] = (
        ("event_id", source.event_id, Type.STRING),
        ("tie_breaker", source.tie_breaker, Type.INTEGER),
        ("loaded_at", source.loaded_at, Type.TIMESTAMP),
    )
    known = {name: (column, type_) for name, column, type_ in own if column is not None}
    known |= {name: (one.column, one.type or Type.STRING) for name, one in source.identities.items()}
    for name, one in source.properties.items():
        known[name] = (one.column if one.path is None else json_column(one.column, one.path), one.type)
    return known
