"""What is computed of an answer after the warehouse: by the families that say how (`Family.finish`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from metrics_api.errors import Code, Problem, QueryError
from metrics_api.families import families
from metrics_api.query.bind import BoundQuery, answer_columns, statement_columns
from metrics_api.query.limits import MOST_COUNTS
from metrics_api.results import arrow_type, usual_order

if TYPE_CHECKING:
    import pyarrow as pa


def finished(query: BoundQuery, parts: Mapping[str, pa.Table]) -> Mapping[str, pa.Table]:
    """The parts with the answer's own columns. Raises QueryError where there are more counts than can be seen whole."""
    import pyarrow as pa

    family = families()[query.metric.type]
    columns, counted = answer_columns(query, family), statement_columns(query, family)
    found = dict(parts)
    for part in [part for part in parts if family.finish is not None and counted[part] != columns[part]]:
        assert family.finish is not None
        if parts[part].num_rows > MOST_COUNTS:
            message = f"{query.metric.name}: the answer rests on more than {MOST_COUNTS:,} counts"
            fix = "Ask for fewer groups, with `top`, or for a shorter range."
            raise QueryError(Problem(message, fix=fix, code=Code.LIMIT_EXCEEDED))
        schema = pa.schema([pa.field(one.name, arrow_type(one.type), one.nullable) for one in columns[part]])
        found[part] = pa.Table.from_pylist(list(family.finish.rows(query, part, parts[part].to_pylist())), schema)
    return found


def in_order(query: BoundQuery, table: pa.Table) -> pa.Table:
    """By what was asked, ties and the rest by bucket, breakdowns and step; a part knows only some of these."""
    asked = dict(query.order)
    usual = usual_order(one.name for one in query.by)
    names = [name for name in dict.fromkeys((*asked, *usual)) if name in table.column_names]
    keys = [(name, "descending" if asked.get(name) else "ascending") for name in names]
    return table.sort_by(keys) if keys else table
