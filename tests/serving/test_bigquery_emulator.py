"""The connection to BigQuery against an emulator that is not ours, by `make test-engines-slow`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

import bigquery_emulator
from metrics_api.engines.bigquery import BigQueryWarehouse, connect
from metrics_api.errors import WarehouseError
from metrics_api.serving.project import load_project

pytestmark = pytest.mark.skipif(
    "METRICS_API_BQEMULATOR" not in os.environ, reason="the emulator is run by `make test-engines-slow`"
)

PROJECT = """
version: 1
project:
  name: shop
  timezone: Europe/Berlin
  as_of: 2026-02-01T00:00
  warehouses: {{big: {{type: bigquery, project: {project}, dataset: shop, endpoint: "{endpoint}"}}}}
sources:
  app:
    table: events
    time: seen
    partition: day
    event_name: event
    identity: {{user: who}}
    properties: {{price: decimal}}
events: {{buy: {{source: app}}}}
metrics:
  spent: {{type: usage, event: buy, measure: sum(price)}}
  active: {{type: active_users, on: buy, window: 7 days}}
"""
EVENTS = """CREATE OR REPLACE TABLE shop.events AS
SELECT n AS id, IF(MOD(n, 2) = 0, 'ann', 'bob') AS who, 'buy' AS event, NUMERIC '0.25' AS price,
TIMESTAMP_ADD(TIMESTAMP '2026-01-05 00:00:00+00', INTERVAL n SECOND) AS seen, DATE '2026-01-05' AS day
FROM UNNEST(GENERATE_ARRAY(1, 12000)) AS n"""


@pytest.fixture(scope="module")
def endpoint() -> str:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.bigquery import Client

    found = bigquery_emulator.address()
    client = Client(bigquery_emulator.PROJECT, AnonymousCredentials(), client_options={"api_endpoint": found})
    client.create_dataset("shop", exists_ok=True)
    client.query(EVENTS).result()
    client.close()
    return found


@pytest.fixture
def warehouse(endpoint: str) -> Iterator[BigQueryWarehouse]:
    opened = connect({"project": "tests-of-metrics", "dataset": "shop", "endpoint": endpoint}, Path())
    yield opened
    opened.close()


def test_questions_are_answered(endpoint: str, tmp_path: Path) -> None:
    (tmp_path / "shop.yml").write_text(PROJECT.format(project="tests-of-metrics", endpoint=endpoint), "utf-8")
    project = load_project(tmp_path)
    spent = project.query("spent", start="2026-01-05", end="2026-01-06").to_pylist()
    assert [(row["period"], row["value"]) for row in spent] == [
        (date(2026, 1, 5), Decimal(3000)),
        (date(2026, 1, 6), None),
    ]
    assert project.query("active", start="2026-01-05", end="2026-01-05")["value"].to_pylist() == [2]
    project.close()


def test_the_columns_of_a_table(warehouse: BigQueryWarehouse) -> None:
    names = (("id", "INT64"), ("who", "STRING"), ("event", "STRING"), ("price", "NUMERIC"), ("seen", "TIMESTAMP"))
    assert warehouse.columns("events") == (*names, ("day", "DATE"))
    assert warehouse.columns("tests-of-metrics.shop.events") == warehouse.columns("shop.events")
    assert warehouse.columns("nobody") is None


def test_long_answers_come_by_pages(warehouse: BigQueryWarehouse) -> None:
    with warehouse.stream("SELECT id, price, seen FROM events ORDER BY id") as stream:
        pieces = list(stream)
    assert len(pieces) > 1
    assert [one.as_py() for piece in pieces for one in piece["id"]] == list(range(1, 12_001))
    assert [str(one) for one in pieces[0].schema.types] == ["int64", "decimal128(38, 9)", "timestamp[us, tz=UTC]"]


def test_what_is_wrong_is_told(warehouse: BigQueryWarehouse) -> None:
    with pytest.raises(WarehouseError, match="BigQuery: Not found: Table .*nobody"):
        warehouse.run("SELECT * FROM nobody")
    with pytest.raises(WarehouseError, match="BigQuery: .*SELEC"):
        warehouse.estimate("SELEC 1")
    assert warehouse.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]
