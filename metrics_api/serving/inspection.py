"""What a warehouse holds, against what the definitions say of it: `validate --warehouse` asks.

Tables and columns first; then, of those that are there, every promise that an answer rests on. It reads whole tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from metrics_api.compile.pipeline import rewritten
from metrics_api.errors import Problem, WarehouseError
from metrics_api.families.relations import ENTITY, EVENT, EVENT_ID, is_someone, scan
from metrics_api.periods import Span
from metrics_api.plan.expr import Agg, Case, Col, Expr, all_of, call, columns, integer
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Named_, Plan, Project, Scan, Sort, keep, output
from metrics_api.semantic.model import Attributes, Entity, Event, IdentityMap, SemanticModel, Source
from metrics_api.serving.missing import missing_columns, missing_of_entity
from metrics_api.sql.dialect import Dialect
from metrics_api.sql.lower import lower
from metrics_api.sql.render import render

if TYPE_CHECKING:
    from metrics_api.engines.warehouse import Warehouse

ALWAYS = Span(datetime(1900, 1, 1), datetime(2200, 1, 1))


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as the definitions say: the path of what says so. A warning changes no number."""

    path: tuple[str, ...]
    problem: Problem
    is_warning: bool = False


def inspect(model: SemanticModel, warehouse: Warehouse, dialect: Dialect) -> list[Finding]:
    """Everything found, in the order of the definitions. Raises WarehouseError when the warehouse fails."""
    return list(Inspection(model, warehouse, dialect).findings())


@dataclass
class Inspection:
    """What is asked of the tables of entities, sources and events. Without `examples` no id of anybody is told."""

    model: SemanticModel
    warehouse: Warehouse
    dialect: Dialect
    examples: bool = True

    def findings(self) -> Iterator[Finding]:
        whole: list[Source] = []
        broken: set[str] = set()
        for entity in self.model.entities.values():
            missing = missing_of_entity(entity, self.warehouse, self.dialect)
            yield from (Finding(("entities", entity.name), one) for one in missing)
            if missing:
                broken.add(entity.name)
            else:
                yield from self.of_entity(entity)
        for source in self.model.sources.values():
            missing = missing_columns(source, self.warehouse, self.dialect)
            yield from (Finding(("sources", source.name), one) for one in missing)
            if not missing:
                whole.append(source)
                yield from self.of_source(source)
        for event in self.model.events.values():
            if event.source in whole and event.once_per_user and not broken & set(event.source.entities):
                yield from self.of_event(event)

    # -- entities -----------------------------------------------------------------------------------------------------

    def of_entity(self, entity: Entity) -> Iterator[Finding]:
        if entity.identity_map is not None:
            path = ("entities", entity.name, "identity_map")
            yield from self.emptiness(Scan(entity.name, entity.identity_map.table, ()), path, entity.identity_map.table)
            for message, fix in self.of_identities(entity, entity.identity_map):
                yield _finding(path, f"the identity map of `{entity.name}`: {message}", fix)
        if entity.attributes is not None:
            path = ("entities", entity.name, "attributes")
            yield from self.emptiness(Scan(entity.name, entity.attributes.table, ()), path, entity.attributes.table)
            yield from self.of_attributes(entity, entity.attributes)

    def of_attributes(self, entity: Entity, about: Attributes) -> Iterator[Finding]:
        rows = Filter(Scan(entity.name, about.table, (("key", Col(about.key)),)), _present("key"))
        if found := self.repeated(rows, ["key"]):
            yield _finding(
                ("entities", entity.name, "attributes", "key"),
                f"the attributes of `{entity.name}`: {_several(found.count, 'key', 'keys')} of `{about.table}` "
                f"{_have(found.count)} more than one row{self.such_as(found, 'rows')}",
                f"Keep one row for each `{about.key}`.",
            )

    def of_identities(self, entity: Entity, ids: IdentityMap) -> Iterator[tuple[str, str]]:
        told = Scan(entity.name, ids.table, (("alias", Col(ids.alias)), ("id", Col(ids.to))))
        someone = all_of([is_someone(Col(name), {None}) for name in ("alias", "id")])
        pairs = Named("pairs", Aggregate(Filter(told, someone), keep("alias", "id"), ()))
        if found := self.repeated(pairs, ["alias"]):
            yield (
                f"{_stand(found)} for several ids{self.such_as(found, 'ids')}",
                f"Keep one row for each `{ids.alias}`.",
            )
        others = Named("others", Filter(pairs, call("ne", Col("alias"), Col("id"))))
        further = Project(others, (("next_alias", Col("alias")), ("next_id", Col("id"))))
        steps = Join(others, further, "inner", (("id", "next_alias"),))
        back = call("eq", Col("next_id"), Col("alias"))
        if found := self.counted(_by_alias(Filter(steps, back)), "alias", "id"):
            message = f"for an id that stands for it{self.such_as(found)}"
            yield f"{_stand(found)} {message}", "Let every alias stand for the id that is to be counted."
        if found := self.counted(_by_alias(Filter(steps, call("not_", back))), "alias", "id"):
            message = f"for an id that is an alias itself{self.such_as(found)}"
            yield f"{_stand(found)} {message}", "One step is followed: let every alias stand for the last id."

    # -- sources and events -------------------------------------------------------------------------------------------

    def of_source(self, source: Source) -> Iterator[Finding]:
        for table in source.tables:
            rows = Scan(source.name, table.name, (), view=table.view)
            yield from self.emptiness(rows, ("sources", source.name), table.name if table.view is None else "its `sql`")
        if source.event_id is None or not source.event_id_unique:
            return
        keys = [EVENT_ID, *([EVENT] if source.tells_events else [])]
        rows_ = Filter(scan(source, ALWAYS, set(keys), entity=next(iter(source.identities))), _present(EVENT_ID))
        if found := self.repeated(rows_, keys):
            yield _finding(
                ("sources", source.name, "event_id"),
                f"source `{source.name}`: {_several(found.count, 'event id', 'event ids')} "
                f"{_have(found.count)} more than one row{self.such_as(found, 'rows')}",
                "Leave `unique: true` out, so that they count once.",
            )

    def of_event(self, event: Event) -> Iterator[Finding]:
        source, people = event.source, event.source.entities.get("user")
        if "user" not in source.identities or (people is not None and people.identity_map is not None):
            return  # Nobody rests on the promise.
        own = {EVENT_ID} if source.event_id is not None else set()
        read = {ENTITY, *columns(event.match), *own}
        known = is_someone(Col(ENTITY), {source.identities["user"].type})
        rows = Filter(scan(source, ALWAYS, read, entity="user", events=[event.key]), all_of([event.match, known]))
        counted: Plan = Aggregate(rows, keep(ENTITY, *sorted(own)), (("rows", Agg("count_rows")),))
        # Copies of an event are one.
        once = Case(((call("is_null", Col(EVENT_ID)), Col("rows")),), integer(1)) if own else Col("rows")
        per_person = Aggregate(
            Project(counted, (*keep(ENTITY), ("events", once))),
            keep(ENTITY),
            (("times", Agg("sum", (Col("events"),))),),
        )
        if found := self.repeated_of(per_person, ENTITY):
            yield _finding(
                ("events", event.name, "once_per_user"),
                f"event `{event.name}`: {_several(found.count, 'user', 'users')} did it more than once"
                f"{self.such_as(found, 'times')}",
                "Leave `once_per_user` out.",
            )

    def such_as(self, found: _Count, times: str | None = None) -> str:
        """The example among what was counted, and how often it is there."""
        if not self.examples:
            return ""
        return f", such as `{found.example}`" + (f" ({found.times} {times})" if times else "")

    # -- asking -------------------------------------------------------------------------------------------------------

    def emptiness(self, rows: Scan, path: tuple[str, ...], what: str) -> Iterator[Finding]:
        some = Sort(Project(rows, (("there", integer(1)),)), (), 1)
        if not self.rows(some):
            shown = f"`{what}` has no rows" if "`" not in what else f"{what} gives no rows"
            yield Finding(path, Problem(f"{'.'.join(path[:2])}: {shown}"), is_warning=True)

    def repeated(self, rows: Plan, keys: Sequence[str]) -> _Count | None:
        """The keys that several rows share; the first of them is shown."""
        return self.repeated_of(Aggregate(rows, keep(*keys), (("times", Agg("count_rows")),)), keys[0])

    def repeated_of(self, counted: Plan, key: str) -> _Count | None:
        often = Filter(Named("counted", counted), call("gt", Col("times"), integer(1)))
        return self.counted(often, key, "times")

    def counted(self, rows: Plan, example: str, beside: str) -> _Count | None:
        """How many rows there are, and the first one's values."""
        shown: tuple[Named_, ...] = (
            ("found", Agg("count_rows")),
            ("example", Agg("min", (Col(example),))),
            ("beside", Agg("first_by", (Col(beside), Col(example)))),
        )
        (row,) = self.rows(Aggregate(rows, (), shown))
        return _Count(int(row["found"]), str(row["example"]), row["beside"]) if row["found"] else None

    def rows(self, plan: Plan) -> list[dict[str, Any]]:
        return rows_of(plan, self.warehouse, self.dialect, "metrics-api validate")


def rows_of(plan: Plan, warehouse: Warehouse, dialect: Dialect, comment: str) -> list[dict[str, Any]]:
    """The rows of a plan, by its own names of columns: warehouses may fold them. Raises WarehouseError."""
    text = render(lower(rewritten(plan, dialect), dialect), dialect, comment=comment)
    found: list[dict[str, Any]] = warehouse.run(text).table.rename_columns(list(output(plan))).to_pylist()
    return found


@dataclass(frozen=True, slots=True)
class _Count:
    count: int
    example: str
    times: object


def _by_alias(steps: Plan) -> Plan:
    return Aggregate(steps, keep("alias"), (("id", Agg("min", (Col("id"),))),))


def _present(name: str) -> Expr:
    return call("not_", call("is_null", Col(name)))


def _finding(path: tuple[str, ...], message: str, fix: str) -> Finding:
    return Finding(path, Problem(message, fix=fix, code=WarehouseError.code))


def _several(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _stand(found: _Count) -> str:
    return _several(found.count, "alias stands", "aliases stand")


def _have(count: int) -> str:
    return "has" if count == 1 else "have"
