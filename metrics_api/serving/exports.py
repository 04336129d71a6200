"""Answers without a limit, a piece at a time: never more in memory than a piece, however many rows there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from metrics_api.compile.pipeline import Statement, compile_query
from metrics_api.engines.warehouse import Stop, Stopped
from metrics_api.errors import Code, Problem, QueryError, WarehouseError
from metrics_api.families import families
from metrics_api.query.bind import MEMBERS, BoundQuery, answer_columns
from metrics_api.query.metric_query import MetricQuery
from metrics_api.results import FLAGS, Column, Info, split, with_completeness
from metrics_api.serving.finishing import finished, in_order
from metrics_api.serving.missing import explain_failure
from metrics_api.serving.project import Project

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Exporting:
    """A question of which every row is told: what is known of the answer before its first row."""

    bound: BoundQuery
    statement: Statement
    most: int | None
    """Rows at most; None: all."""
    info: Info
    """Its rows are not counted yet."""

    @property
    def part(self) -> str:
        return self.bound.parts[0]

    @property
    def columns(self) -> tuple[Column, ...]:
        family = families()[self.bound.metric.type]
        return (*answer_columns(self.bound, family)[self.part], *(FLAGS if family.is_flagged(self.part) else ()))

    @property
    def complete(self) -> bool:
        """Whether all data of the range is there."""
        family = families()[self.bound.metric.type]
        return all(family.is_complete(self.bound, one) for one in self.bound.periods)


def exporting(project: Project, query: MetricQuery) -> Exporting:
    """The definite question and its statement, of one part and of all rows, or as many as `limit` says.

    Raises QueryError for a question that cannot be answered, WarehouseError.
    """
    if len(query.parts) > 1:
        raise QueryError(Problem("an export is of one part of an answer", fix="Ask for one.", code=Code.QUERY_INVALID))
    usual = project.prepared(unlimited(query))
    bound = replace(usual.bound, all_rows=True)
    statement = compile_query(bound, project.dialect)
    info = Info(
        metric=bound.metric.name,
        as_of=bound.as_of,
        data_through=bound.data_through,
        first=bound.first,
        last=bound.last,
        timezone=bound.calendar.timezone,
        conventions=project.conventions(bound),
        sql=statement.sql,
        fingerprint=statement.fingerprint,
        row_count=0,
        truncated=False,
        seconds=0.0,
    )
    return Exporting(bound, statement, query.limit, info)


def unlimited(query: MetricQuery) -> MetricQuery:
    """The question without how many rows or people it asks for: their number is no matter of limits here."""
    members = replace(query.members, first=1) if MEMBERS in query.parts else query.members
    return replace(query, limit=None, members=members)


@contextmanager
def export(project: Project, of: Exporting, *, tag: str = "", stop: Stop | None = None) -> Iterator[Iterator[pa.Table]]:
    """The rows in pieces, one at least, in the order of the answer (texts as the warehouse orders them).

    At the end of the block nothing is left open, whether all rows were read or not. Raises WarehouseError, also
    between two pieces: whoever holds pieces by then has not got all rows; and `Stopped` once `stop` is said.
    """
    warehouse = project.warehouse()
    try:
        with warehouse.stream(of.statement.sql, tag=f"{of.bound.metric.name} {tag}".strip(), stop=stop) as pieces:
            yield _cut(_shaped(of, iter(pieces)), of.most)
    except Stopped:
        raise
    except WarehouseError as error:
        raise explain_failure(error, of.bound.sources, warehouse, project.dialect) from None


def _shaped(of: Exporting, pieces: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Each piece with the answer's own columns."""
    family = families()[of.bound.metric.type]
    is_finished = of.statement.parts != answer_columns(of.bound, family)
    if is_finished:
        # Computed of counts, all of which are seen together; there are only so many of them.
        import pyarrow as pa

        pieces = iter([pa.concat_tables(list(pieces), promote_options="permissive")])
    for piece in pieces:
        try:
            parts = finished(of.bound, split(piece, of.statement.parts))
        except OverflowError as error:
            raise WarehouseError(f"{of.bound.metric.name}: {error}") from None
        rows = in_order(of.bound, parts[of.part]) if is_finished else parts[of.part]
        if family.is_flagged(of.part):
            rows = with_completeness(
                rows,
                of.bound.periods,
                partial(family.is_complete, of.bound),
                data_through=of.bound.data_through,
                late=of.bound.late_arrival,
            )
        yield rows


def _cut(pieces: Iterator[pa.Table], most: int | None) -> Iterator[pa.Table]:
    left = most
    for piece in pieces:
        yield piece if left is None else piece.slice(0, left)
        if left is not None and (left := left - piece.num_rows) <= 0:
            return
