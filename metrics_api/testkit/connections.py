"""What every connection does alike, whatever the engine: tables and their types, rows as Arrow, refusals, threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from metrics_api.engines import Engine
from metrics_api.engines.warehouse import Warehouse, spoken_by
from metrics_api.errors import WarehouseError
from metrics_api.plan.expr import Col, Type, call, text
from metrics_api.plan.nodes import Filter, Plan, Project, Scan, Sort, Spine, keep
from metrics_api.serving.doctor.kinds import fits
from metrics_api.sql.lower import lower
from metrics_api.sql.render import render
from metrics_api.testkit.examples import agree
from metrics_api.testkit.projects import Filled

TABLE = "testkit_types"
TYPES: Mapping[str, tuple[Type, pa.DataType]] = {
    "place": (Type.INTEGER, pa.int64()),
    "word": (Type.STRING, pa.string()),
    "fraction": (Type.NUMBER, pa.float64()),
    "price": (Type.DECIMAL, pa.decimal128(18, 3)),
    "truth": (Type.BOOLEAN, pa.bool_()),
    "moment": (Type.TIMESTAMP, pa.timestamp("us")),
    "birthday": (Type.DATE, pa.date32()),
}
ROWS: tuple[tuple[Any, ...], ...] = (
    (
        1,
        'it\'s \\ "ä"\n\t😀',
        0.1,
        Decimal("12345.678"),
        True,
        datetime(2026, 3, 29, 1, 30, 0, 123456),
        date(2026, 3, 29),
    ),
    (2, "", -1e300, Decimal("-0.001"), False, datetime(1971, 1, 1), date(2199, 12, 31)),
    (3, None, None, None, None, None, None),
    (-(2**53) - 1, "NULL", 2.0**-1000, Decimal(0), None, datetime(2026, 10, 25, 0, 59, 59), None),
)
AWKWARD = ("order", "select", "with space", "with'quote", "ünï", "date", "user")
"""Names of columns: words of SQL, spaces, quotes and letters of other languages."""


def _rows_of(plan: Plan, warehouse: Warehouse, engine: Engine) -> list[tuple[Any, ...]]:
    table = warehouse.run(_sql(plan, warehouse, engine)).table
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True)) if table.num_rows else []


def _sql(plan: Plan, warehouse: Warehouse, engine: Engine) -> str:
    dialect = spoken_by(warehouse, engine.dialect)
    return render(lower(plan, dialect), dialect, comment="metrics-api testkit")


def _typed(filled: Filled, rows: tuple[tuple[Any, ...], ...] = ROWS) -> Warehouse:
    schema = pa.schema([(name, type_) for name, (_, type_) in TYPES.items()])
    return filled({TABLE: pa.Table.from_pylist([dict(zip(TYPES, row, strict=True)) for row in rows], schema=schema)})


def _scan(columns: tuple[str, ...] = tuple(TYPES), table: str = TABLE) -> Scan:
    return Scan("testkit", table, keep(*columns))


def names_columns_and_types(filled: Filled, engine: Engine) -> None:
    """`columns` gives the table's columns in order, with types as the engine calls them."""
    found = _typed(filled).columns(TABLE)
    assert found is not None, f"columns({TABLE!r}) is None, and the table is there"
    assert [name.casefold() for name, _ in found] == list(TYPES), found
    declared = {name: type_ for name, (type_, _) in TYPES.items()}
    odd = {name: written for name, written in found if fits(declared[name.casefold()], written) is False}
    assert not odd, f"these types are not those that were put there: {odd}"


def knows_what_is_not_there(filled: Filled, engine: Engine) -> None:
    """`columns` of no table is None."""
    found = _typed(filled).columns("testkit_nowhere")
    assert found is None, f"columns of a table that is not there: {found}"


def reads_every_type(filled: Filled, engine: Engine) -> None:
    """Rows come back as they were put: nulls, microseconds, large numbers, quotes and newlines."""
    found = _rows_of(_scan(), _typed(filled), engine)
    assert agree(found, list(ROWS)), f"found {found}, put {list(ROWS)}"


def reads_no_rows(filled: Filled, engine: Engine) -> None:
    """Of no rows there is a table with all columns, each of a type."""
    none = Filter(_scan(), call("eq", Col("word"), text("nobody")))
    table = _typed(filled).run(_sql(none, _typed(filled), engine)).table
    assert (table.num_rows, table.num_columns) == (0, len(TYPES)), table.schema
    whole = _rows_of(_scan(), _typed(filled, ()), engine)
    assert whole == [], f"an empty table has rows: {whole}"


def reads_many_rows(filled: Filled, engine: Engine) -> None:
    """Many rows come whole and in order."""
    numbers = pa.table({"number": pa.array(range(20_000), pa.int64())})
    warehouse = filled({"testkit_numbers": numbers})
    found = _rows_of(Sort(_scan(("number",), "testkit_numbers"), (("number", False),)), warehouse, engine)
    assert [int(number) for (number,) in found] == list(range(20_000)), f"{len(found)} rows, or in another order"


def refuses_in_words(filled: Filled, engine: Engine) -> None:
    """A statement that fails raises WarehouseError, in the engine's words."""
    warehouse = _typed(filled)
    for plan in (_scan(("nothing",)), _scan(("place",), "testkit_nowhere")):
        said = None
        try:
            warehouse.run(_sql(plan, warehouse, engine))
        except WarehouseError as error:
            said = error.problems[0].message
        assert said is not None, "a statement about what is not there went through"
        assert said, "a refusal without words"


def serves_several_threads(filled: Filled, engine: Engine) -> None:
    """Several threads ask at once, and each has its own answer."""
    warehouse = _typed(filled)
    plans = [Project(Spine((("n", Type.INTEGER),), ((k,),)), (("n", Col("n")),)) for k in range(24)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda plan: _rows_of(plan, warehouse, engine), plans))
    assert [int(rows[0][0]) for rows in found] == list(range(24)), found


def reads_awkward_names(filled: Filled, engine: Engine) -> None:
    """Columns called as words of SQL, with spaces or quotes are read by their names."""
    there = pa.table({name: pa.array([place], pa.int64()) for place, name in enumerate(AWKWARD)})
    warehouse = filled({"testkit_names": there})
    (found,) = _rows_of(_scan(AWKWARD, "testkit_names"), warehouse, engine)
    assert [int(value) for value in found] == list(range(len(AWKWARD))), found


Holds = Callable[[Filled, Engine], None]
CONNECTION_CHECKS: tuple[tuple[str, Holds], ...] = tuple(
    (one.__name__.replace("_", " "), one)
    for one in (
        names_columns_and_types,
        knows_what_is_not_there,
        reads_every_type,
        reads_no_rows,
        reads_many_rows,
        refuses_in_words,
        serves_several_threads,
        reads_awkward_names,
    )
)
