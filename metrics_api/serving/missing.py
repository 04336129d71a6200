"""A warehouse's refusal, told in the words of the definitions: which table or column is missing, and what there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from metrics_api.definitions.written import exact, unquoted
from metrics_api.errors import Problem, WarehouseError, did_you_mean
from metrics_api.semantic.model import Entity, EventTable, Source
from metrics_api.sql.dialect import Dialect
from metrics_api.sql.lower import columns_of
from metrics_api.sql.render import render

if TYPE_CHECKING:
    from metrics_api.engines.warehouse import Warehouse


def explain_failure(
    error: WarehouseError, sources: Iterable[Source], warehouse: Warehouse, dialect: Dialect
) -> WarehouseError:
    """The same failure, with the tables and columns that are not there named where that is the cause."""
    problems: list[Problem] = []
    try:
        for source in sources:
            problems += missing_columns(source, warehouse, dialect)
            for entity in source.entities.values():
                problems += missing_of_entity(entity, warehouse, dialect)
    except WarehouseError:
        return error
    return WarehouseError(list(dict.fromkeys(problems))) if problems else error


def missing_columns(source: Source, warehouse: Warehouse, dialect: Dialect) -> list[Problem]:
    """What a source reads and its tables do not have."""
    problems: list[Problem] = []
    for table in source.tables:
        what = f"source `{source.name}`"
        if table.view is None:
            problems += _missing(what, table.name, reads(source, table), warehouse.columns(table.name), dialect)
            continue
        try:
            none = warehouse.run(render(columns_of(table.view, dialect), dialect, comment="metrics-api columns")).table
        except WarehouseError as error:
            problems += [Problem(f"{what}: its `sql` fails: {error}", code=WarehouseError.code)]
        else:
            there = tuple((_as_columns_tells(one.name, dialect), str(one.type)) for one in none.schema)
            problems += _missing(what, "sql", reads(source, table), there, dialect)
    return problems


def missing_of_entity(entity: Entity, warehouse: Warehouse, dialect: Dialect) -> list[Problem]:
    """What an entity reads and its tables do not have."""
    problems: list[Problem] = []
    if (ids := entity.identity_map) is not None:
        read = [(ids.alias, "the alias"), (ids.to, "what it stands for")]
        problems += _missing(
            f"the identity map of `{entity.name}`", ids.table, read, warehouse.columns(ids.table), dialect
        )
    if (about := entity.attributes) is not None:
        read = [(about.key, "the key")]
        if about.known_since is not None:
            read.append((about.known_since[0], "since when they are known"))
        read += [(one.column, f"attribute `{one.written}`") for one in about.properties.values()]
        problems += _missing(
            f"the attributes of `{entity.name}`", about.table, read, warehouse.columns(about.table), dialect
        )
    return problems


def _missing(
    what: str,
    table: str,
    read: Iterable[tuple[str, str]],
    found: tuple[tuple[str, str], ...] | None,
    dialect: Dialect,
) -> Iterator[Problem]:
    if found is None:
        yield Problem(f"{what}: there is no table `{table}` in the warehouse", code=WarehouseError.code)
        return
    names = [name for name, _ in found]
    shown = "its `sql`" if table == "sql" else f"table `{table}`"
    for column, purpose in read:
        if not is_among(column, names, dialect):
            yield Problem(
                f"{what}: {shown} has no column `{column}` ({purpose})",
                fix=_quoted(column, names) or did_you_mean(column, names, what=f"columns of {table}"),
                code=WarehouseError.code,
            )


def is_among(column: str, names: Sequence[str], dialect: Dialect) -> bool:
    """Whether a column, as it is written, is one of those a warehouse has (what it folds is in lower case here)."""
    name, is_exact = unquoted(column), exact(column) is not None
    if not dialect.folds_case:
        return name.casefold() in {one.casefold() for one in names}
    if is_exact:  # Snowflake folds to upper case, and is told in lower case.
        return name in names or (name.isupper() and name.lower() in names)
    return (name.lower() if is_folded(name) else name) in names


def _as_columns_tells(name: str, dialect: Dialect) -> str:
    """A name of an answer as `Warehouse.columns` has it: what is folded, in lower case."""
    return name.lower() if dialect.folds_case and name.isupper() else name


def is_folded(name: str) -> bool:
    """Whether a bare name is written without quotes in SQL, where engines fold its case."""
    return name.isascii() and name.isidentifier()


def _quoted(column: str, names: Sequence[str]) -> str | None:
    """How to write a name that is there in another case."""
    same = next((one for one in names if one.casefold() == unquoted(column).casefold()), None)
    return None if same is None else f"There is `{same}`: a name in mixed case is written in quotes, as '\"{same}\"'."


def reads(source: Source, table: EventTable) -> list[tuple[str, str]]:
    """The columns that a source names of a table, and for what."""
    named = [
        (source.time, "its time"),
        (source.event_name, "its event name"),
        (source.event_id, "its event id"),
        (source.partition.column if source.partition else None, "its partition"),
        (source.loaded_at, "when rows were loaded"),
        (source.tie_breaker, "its tie breaker"),
        (source.session_id, "its session"),
    ]
    columns = [(column, purpose) for column, purpose in named if column is not None]
    columns += [(one.column, f"the {one.entity}") for one in source.identities.values()]
    columns += [(one.column, f"property `{one.name}`") for one in table.properties.values()]
    return columns
