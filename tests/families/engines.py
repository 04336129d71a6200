"""The engines that every case and every property is executed on, and how tables get there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from metrics_api.engines.duckdb import DuckDBWarehouse
from metrics_api.errors import WarehouseError

if TYPE_CHECKING:
    from metrics_api.engines.warehouse import Warehouse

EVERY = ("bigquery", "clickhouse", "databricks", "duckdb", "postgres", "redshift", "snowflake", "spark", "trino")
"""Every engine that can be executed here."""
SLOW = {"spark-jvm": "spark"}
"""Others on which an engine's own connection is executed, by `make test-engines-slow`, and what engine that is."""
ENGINES = tuple(os.environ.get("METRICS_API_ENGINES", "duckdb,postgres").split(","))
"""Those of this run: `make test-engines` takes the ones that are large to install."""
assert {*ENGINES} <= {*EVERY, *SLOW}, ENGINES
EXAMPLES = int(os.environ.get("METRICS_API_EXAMPLES", "250"))
"""Generated worlds for each property; more of them on a long evening."""


def examples(engine: str) -> int:
    """A server costs some milliseconds for each world, fakesnow a second; what is special to it shows early."""
    fewer = {"duckdb": 1, "postgres": 4, "clickhouse": 8, "bigquery": 12, "snowflake": 50, "spark-jvm": 250}
    return EXAMPLES // fewer.get(engine, 25)


def type_of(engine: str) -> str:
    """What the definition of a warehouse says."""
    return SLOW.get(engine, engine)


def warehouse_with(engine: str, tables: Mapping[str, pa.Table]) -> Warehouse:
    """A warehouse of this engine in which each of these names is a table of these rows, and of no others."""
    return _FILLED[engine](tables)


DIFFERENT_CASES: Mapping[tuple[str, str], str] = {}
"""(engine, case): why that engine, or what stands in for it here, gives other rows; shown in `docs/engines.md`."""

Property: TypeAlias = Callable[[st.DataObject, str], None]


def on_every_engine(*, share: int = 1) -> Callable[[Property], Callable[[str], None]]:
    """Make a property of (data, engine) a test for each engine, with one in `share` of the usual worlds."""

    def tests_of(property_: Property) -> Callable[[str], None]:
        @pytest.mark.parametrize("engine", ENGINES)
        def test(engine: str) -> None:
            holds = given(data=st.data(), engine=st.just(engine))(_where_it_is_like_it(property_))
            checks = [HealthCheck.filter_too_much] if engine in UNLIKE else []
            count = max(examples(engine) // share, 5)
            settings(max_examples=count, deadline=None, suppress_health_check=checks)(holds)()

        test.__name__, test.__qualname__ = property_.__name__, property_.__qualname__
        test.__doc__, test.__module__ = property_.__doc__, property_.__module__
        return test

    return tests_of


_SAIL = ("Overflowing on", "Physical input schema should be the same as the one converted from logical input schema")
UNLIKE = {"databricks": _SAIL, "spark": _SAIL}
"""What a stand-in says where it is not like the engine: such worlds are left out. Sail casts a double to the decimal it
is compared with, and fails for infinity; Spark does the opposite. Of no rows at all, it cannot plan some joins."""


def _where_it_is_like_it(property_: Property) -> Property:
    def like_it(data: st.DataObject, engine: str) -> None:
        try:
            property_(data, engine)
        except WarehouseError as error:
            if any(words in str(error) for words in UNLIKE.get(engine, ())):
                reject()
            raise

    return like_it


@cache
def _duckdb() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET threads=2")
    return connection


def _in_bigquery(tables: Mapping[str, pa.Table]) -> Warehouse:
    import on_bigquery

    on_bigquery.put(tables)
    return on_bigquery.warehouse()


def _in_duckdb(tables: Mapping[str, pa.Table]) -> Warehouse:
    connection = _duckdb()
    for name, table in tables.items():
        connection.register("incoming", table)
        quoted = '"' + name.replace('"', '""') + '"'
        connection.execute(f"CREATE OR REPLACE TABLE {quoted} AS SELECT * FROM incoming")
        connection.unregister("incoming")
    return DuckDBWarehouse(connection, ":memory:")


def _in_postgres(tables: Mapping[str, pa.Table]) -> Warehouse:
    import postgres

    # A time column may be a timestamptz, or a timestamp that holds UTC: both are tried.
    postgres.put({name: _zoned(table) if table.num_rows % 2 else table for name, table in tables.items()})
    return postgres.warehouse()


def _in_snowflake(tables: Mapping[str, pa.Table]) -> Warehouse:
    import on_snowflake

    on_snowflake.put({name: _zoned(table) if table.num_rows % 2 else table for name, table in tables.items()})
    return on_snowflake.warehouse()


def _in_databricks(tables: Mapping[str, pa.Table]) -> Warehouse:
    import on_databricks

    on_databricks.put({name: _zoned(table) if table.num_rows % 2 else table for name, table in tables.items()})
    return on_databricks.warehouse()


def _in_spark(tables: Mapping[str, pa.Table]) -> Warehouse:
    import sail

    sail.put({name: _zoned(table) if table.num_rows % 2 else table for name, table in tables.items()})
    return sail.warehouse()


def _in_spark_jvm(tables: Mapping[str, pa.Table]) -> Warehouse:
    import spark_jvm

    spark_jvm.put({name: _zoned(table) if table.num_rows % 2 else table for name, table in tables.items()})
    return spark_jvm.warehouse()


def _in_redshift(tables: Mapping[str, pa.Table]) -> Warehouse:
    import on_redshift

    on_redshift.put({name: _zoned(table) if table.num_rows % 2 else table for name, table in tables.items()})
    return on_redshift.warehouse()


def _in_trino(tables: Mapping[str, pa.Table]) -> Warehouse:
    import on_trino

    on_trino.put({name: _zoned(table) if table.num_rows % 2 else table for name, table in tables.items()})
    return on_trino.warehouse()


def _zoned(table: pa.Table) -> pa.Table:
    """The same rows, naive timestamps told to be of UTC."""
    zoned = [
        pa.field(one.name, pa.timestamp("us", tz="UTC") if one.type == pa.timestamp("us") else one.type)
        for one in table.schema
    ]
    return table.cast(pa.schema(zoned))


def _in_clickhouse(tables: Mapping[str, pa.Table]) -> Warehouse:
    import clickhouse

    clickhouse.put(tables)
    # Releases before 26.3 compute a step again wherever it is read, and by another strategy: both are tried.
    return clickhouse.warehouse(materialize=sum(table.num_rows for table in tables.values()) % 4 < 3)


_FILLED: dict[str, Callable[[Mapping[str, pa.Table]], Any]] = {
    "bigquery": _in_bigquery,
    "clickhouse": _in_clickhouse,
    "databricks": _in_databricks,
    "duckdb": _in_duckdb,
    "postgres": _in_postgres,
    "redshift": _in_redshift,
    "snowflake": _in_snowflake,
    "spark": _in_spark,
    "spark-jvm": _in_spark_jvm,
    "trino": _in_trino,
}
