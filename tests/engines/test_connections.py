"""What every connected warehouse does alike: rows at once or in pieces, what a statement costs, and an end to it."""

from __future__ import annotations

import threading
from datetime import datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from families.engines import ENGINES, type_of, warehouse_with
from metrics_api.engines import engine
from metrics_api.engines.warehouse import MayPass, Stop, Stopped, retried
from metrics_api.errors import WarehouseError

PEOPLE = pa.table(
    {
        "id": pa.array(range(25_000), pa.int64()),
        "name": pa.array([None if one % 7 == 0 else f"n{one}" for one in range(25_000)]),
        "price": pa.array([Decimal(one) / 100 for one in range(25_000)], pa.decimal128(18, 2)),
        "seen": pa.array([datetime(2026, 1, 1, second=one % 60) for one in range(25_000)], pa.timestamp("us")),
    }
)
# A hundred million pairs and more: minutes on each of them, unless it is ended.
ENDLESS = {
    "clickhouse": "SELECT sum(cityHash64(number)) AS n FROM numbers(1000000000000)",
    "databricks": "SELECT COUNT(*) AS n FROM RANGE(80000) a CROSS JOIN RANGE(80000) b WHERE a.id % 7 = b.id % 5",
    "duckdb": "SELECT count(*) AS n FROM range(10000000) a, range(10000000) b WHERE hash(a.range, b.range) % 3 = 1",
    "postgres": "SELECT pg_sleep(600) AS n",
    "trino": "SELECT COUNT(*) AS n FROM "
    + " CROSS JOIN ".join(
        f"UNNEST(SEQUENCE(DATE '2000-01-01', DATE '2025-12-31', INTERVAL '1' DAY)) AS t{k}(day)" for k in range(4)
    )
    + " WHERE t0.day < t1.day AND t2.day > t3.day",
}


@pytest.mark.parametrize("name", ENGINES)
def test_pieces_are_the_rows(name: str) -> None:
    warehouse = warehouse_with(name, {"people": PEOPLE})
    dialect = engine(type_of(name)).dialect
    named = dialect.table("people").sql(dialect.sqlglot)
    sql = f"SELECT id, name, price, seen FROM {named}"
    with warehouse.stream(sql) as stream:
        pieces = list(stream)
    whole = warehouse.run(sql)
    assert pieces[0].column_names == whole.table.column_names
    key = [(whole.table.column_names[0], "ascending")]
    together = pa.concat_tables(pieces, promote_options="permissive").sort_by(key).to_pylist()
    assert together == whole.table.sort_by(key).to_pylist()
    assert len(together) == PEOPLE.num_rows
    with warehouse.stream(f"{sql} WHERE id < 0") as stream:
        none = list(stream)
    assert [piece.num_rows for piece in none] == [0]
    assert [one.lower() for one in none[0].column_names] == ["id", "name", "price", "seen"]


@pytest.mark.parametrize("name", ENGINES)
def test_an_estimate_is_checked_and_not_run(name: str) -> None:
    warehouse = warehouse_with(name, {"people": PEOPLE})
    dialect = engine(type_of(name)).dialect
    named = dialect.table("people").sql(dialect.sqlglot)
    cost = warehouse.estimate(f"SELECT name, count(*) AS n FROM {named} GROUP BY name")
    assert cost.rows is None or 0 < cost.rows <= 2 * PEOPLE.num_rows
    missing = dialect.table("nobody").sql(dialect.sqlglot)
    with pytest.raises(WarehouseError):
        warehouse.estimate(f"SELECT count(*) AS n FROM {missing}")


@pytest.mark.parametrize("name", [one for one in ENGINES if one in ENDLESS and one != "clickhouse"])
def test_a_statement_ends_when_nobody_waits(name: str) -> None:
    """The driver's own server of ClickHouse is another one: see tests/serving/test_clickhouse.py."""
    warehouse, stop = warehouse_with(name, {}), Stop()
    later = threading.Timer(0.3, stop.now)
    later.start()
    with pytest.raises(Stopped, match="^the statement was ended, since nobody waits for it any more$"):
        warehouse.run(ENDLESS[name], stop=stop)
    with pytest.raises(Stopped):
        warehouse.run("SELECT 1 AS one", stop=stop)
    assert warehouse.run("SELECT 1 AS one", tag="after that").table.to_pylist() == [{"one": 1}]


def test_what_may_pass_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics_api.engines.warehouse.PAUSES", (0.0, 0.0))
    asked = 0

    def ask() -> str:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise MayPass("busy")
        return "rows"

    assert (retried(ask, Stop()), asked) == ("rows", 3)
    asked = -2
    with pytest.raises(MayPass, match="busy"):
        retried(ask, Stop())
    stop, asked = Stop(), 0
    stop.now()
    with pytest.raises(Stopped):
        retried(ask, stop)
    assert asked == 1


def test_what_is_refused_is_not_tried_again() -> None:
    asked = []

    def ask() -> str:
        asked.append(1)
        raise WarehouseError("no such table")

    with pytest.raises(WarehouseError, match="no such table"):
        retried(ask, Stop())
    assert asked == [1]


def test_whoever_cannot_cancel_does_not_harm() -> None:
    stop, told = Stop(), []

    def fails() -> None:
        raise OSError("the connection is gone")

    with stop.by(fails), stop.by(lambda: told.append(1)):
        stop.now()
        stop.now()
    assert told == [1]
