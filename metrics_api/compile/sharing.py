"""Several questions in one statement: those about the same sources and overlapping ranges (RULES 35)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metrics_api.compile.inner_names import INNER
from metrics_api.compile.pipeline import Statement, plan_of, rewritten
from metrics_api.families import families
from metrics_api.families.relations import combined, ordered
from metrics_api.plan.expr import Col, Type
from metrics_api.plan.fingerprint import fingerprint
from metrics_api.plan.nodes import Plan, Project
from metrics_api.query.bind import BoundQuery
from metrics_api.results import Column, split
from metrics_api.sql.dialect import Dialect
from metrics_api.sql.lower import lower
from metrics_api.sql.render import render

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class SharedStatement:
    """One statement for several questions: each question's own statement, but for the common text."""

    sql: str
    columns: Mapping[str, tuple[Column, ...]]
    """What comes back: the parts of all questions, by number and name."""
    each: tuple[Statement, ...]

    def split(self, table: pa.Table) -> list[dict[str, pa.Table]]:
        """The parts of each question, as its own statement would give them. Raises OverflowError as `split` does."""
        parts = split(table, self.columns)
        return [
            {
                part: parts[f"{number}.{part}"].rename_columns([column.name for column in columns])
                for part, columns in one.parts.items()
            }
            for number, one in enumerate(self.each)
        ]


def groups(queries: Sequence[BoundQuery]) -> list[tuple[int, ...]]:
    """The questions, by their places, put together where they can share a scan."""
    keyed: dict[Hashable, list[int]] = {}
    for place, query in enumerate(queries):
        sharing = families()[query.metric.type].sharing
        is_plain = query.compare is None and not query.subtotals and not query.cohorts
        is_plain = is_plain and not any(one.top is not None or INNER.fullmatch(one.name) for one in query.by)
        key = (sharing, sharing.key(query)) if sharing is not None and is_plain else place
        keyed.setdefault(key, []).append(place)
    found: list[tuple[int, ...]] = []
    for places in keyed.values():
        found += _overlapping(queries, places)
    return sorted(found)


def _overlapping(queries: Sequence[BoundQuery], places: Sequence[int]) -> list[tuple[int, ...]]:
    """The places, apart where there is time between the ranges that nobody asks about."""
    found: list[list[int]] = []
    end = None
    for place in sorted(places, key=lambda one: queries[one].span.start):
        span = queries[place].span
        if end is None or span.start > end:
            found.append([])
        end = span.end if end is None else max(end, span.end)
        found[-1].append(place)
    return [tuple(sorted(one)) for one in found]


def compile_together(queries: Sequence[BoundQuery], dialect: Dialect) -> SharedStatement:
    """One statement for a group of questions. Raises UnsupportedByEngine, and nothing else."""
    sharing = families()[queries[0].metric.type].sharing
    assert sharing is not None
    types: dict[str, Type] = {}
    plans: dict[str, Plan] = {}
    columns: dict[str, tuple[Column, ...]] = {}
    own: list[Mapping[str, tuple[Column, ...]]] = []
    for number, (query, parts) in enumerate(zip(queries, sharing.apart(queries), strict=True)):
        own.append(families()[query.metric.type].columns(query))
        for part, plan in parts.items():
            names = [_name_for(column, types) for column in own[-1][part]]
            types |= {name: column.type for name, column in zip(names, own[-1][part], strict=True)}
            renamed = tuple((name, Col(column.name)) for name, column in zip(names, own[-1][part], strict=True))
            key = f"{number}.{part}"
            plans[key] = Project(ordered(query, plan, own[-1][part]), renamed)
            columns[key] = tuple(
                Column(name, column.type, column.nullable, column.description)
                for name, column in zip(names, own[-1][part], strict=True)
            )
    plan = combined(plans, columns)
    marks = [fingerprint(plan_of(query)) for query in queries]
    text = render(
        lower(rewritten(plan, dialect), dialect),
        dialect,
        comment=f"metrics-api metric={','.join(one.metric.name for one in queries)} fingerprint={','.join(marks)}",
    )
    each = tuple(Statement(text, mark, parts, plan) for mark, parts in zip(marks, own, strict=True))
    return SharedStatement(text, columns, each)


def _name_for(column: Column, types: Mapping[str, Type]) -> str:
    """The column's name, or another one where the name is taken by a column of another type."""
    name = column.name
    while types.get(name, column.type) is not column.type:
        name = f"{name}_{column.type}"
    return name
