"""How Spark itself reads the tables, for the statements that are kept in tests/snapshots, and what it says of cost.

A step of WITH is planned wherever its name is read; what is equal up to an exchange is computed once all the same.
Spark shows that in plans that do not adapt, which is why these do not.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pytest

from families.engines import ENGINES
from metrics_api.engines.spark import cost_of
from metrics_api.errors import WarehouseError

SNAPSHOTS = Path(__file__).parents[1] / "snapshots"
FAMILIES = sorted(file.parent.name for file in SNAPSHOTS.glob("*/spark.sql"))
SCANS = {
    **dict.fromkeys(
        ("active_users", "breadth", "cohort", "depth", "frequency", "funnel", "lifecycle", "stickiness"), 1
    ),
    **dict.fromkeys(("ratio", "retention", "usage", "value_moment"), 2),
    **dict.fromkeys(("derived", "funnel_of_totals"), 3),
    "funnel_from_the_first_ever": 4,
}
"""How often each reads the table of events. More than once: several metrics, events of several ranges, an overall that
counts people again, or, in `usage`, the values of a breakdown."""
ON_THE_JVM = pytest.mark.skipif("spark-jvm" not in ENGINES, reason="Spark itself is tested by `make test-engines-slow`")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A session of Spark's in which the events lie in a folder for each day."""
    import spark_jvm

    texts = ["user_id", "event", "platform", "country", "channel", "feature", "title"]
    events: dict[str, Any] = {"event_id": [1], "minutes": [1.5], "is_internal": [False]}
    times = {"occurred_at": [datetime(2026, 3, 24)], "occurred_on": [date(2026, 3, 24)]}
    users = {"id": ["x"], "plan": ["x"], "birth_year": [2000], "signed_up_at": [datetime(2026, 3, 1)]}
    folder = tmp_path_factory.mktemp("lake")
    of_days = pyarrow.dataset.partitioning(pa.schema([("occurred_on", pa.date32())]), flavor="hive")
    written = pa.table({**events, **{name: ["x"] for name in texts}, **times})
    pyarrow.dataset.write_dataset(written, folder / "app_events", format="parquet", partitioning=of_days)
    pyarrow.dataset.write_dataset(pa.table(users), folder / "users", format="parquet")
    opened = spark_jvm.warehouse()._session.now()
    for name in ("app_events", "users"):
        opened.read.parquet(str(folder / name)).createOrReplaceTempView(name)
    opened.conf.set("spark.sql.adaptive.enabled", "false")
    yield opened
    opened.conf.unset("spark.sql.adaptive.enabled")


@ON_THE_JVM
@pytest.mark.parametrize("family", FAMILIES)
def test_every_scan_is_of_some_days_and_none_is_made_twice(session: Any, family: str) -> None:
    sql = (SNAPSHOTS / family / "spark.sql").read_text("utf-8")
    plan = session.sql(f"EXPLAIN FORMATTED {sql}").toArrow().column(0)[0].as_py()
    nodes = re.split(r"\n\n(?=\(\d+\) )", plan)
    scans = [node for node in nodes if re.match(r"\(\d+\) Scan parquet", node) and "/app_events]" in node]
    for scan in scans:
        (filters,) = re.findall(r"PartitionFilters: (.*)", scan)
        assert re.search(r"occurred_on#\d+ >= \d{4}-\d\d-\d\d", filters), scan
        assert re.search(r"occurred_on#\d+ <= \d{4}-\d\d-\d\d", filters), scan
    assert len(scans) == SCANS[family]


def test_what_is_planned_is_kept() -> None:
    assert {*SCANS} <= {*FAMILIES}


def test_the_cost_is_that_of_the_tables() -> None:
    plan = """== Optimized Logical Plan ==
Project [country#12], Statistics(sizeInBytes=1820.0 KiB)
+- Join Inner, Statistics(sizeInBytes=11.7 MiB)
   :- Relation [id#1L,occurred_on#19] parquet, Statistics(sizeInBytes=1.5 MiB, rowCount=10)
   +- Relation spark_catalog.default.users[id#2] parquet, Statistics(sizeInBytes=512.0 B)

== Physical Plan ==
"""
    assert cost_of([plan], "Spark").bytes == 1.5 * 1024**2 + 512
    assert cost_of([plan.replace("512.0 B", "8.0 EiB")], "Spark").bytes is None
    assert cost_of(["== Optimized Logical Plan ==", "Range (0, 3, step=1)"], "Spark").bytes is None


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (
            ["org.apache.spark.sql.AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] The table `a` is not there.\n'Project"],
            "Spark: [TABLE_OR_VIEW_NOT_FOUND] The table `a` is not there.",
        ),
        (
            ["Error occurred during query planning: ", "[CAST_INVALID_INPUT] 'x'", "more"],
            "Spark: [CAST_INVALID_INPUT] 'x'",
        ),
    ],
)
def test_why_there_is_no_plan_is_told(told: list[str], message: str) -> None:
    """Spark has no error for a statement that it cannot explain, but explains that."""
    with pytest.raises(WarehouseError) as raised:
        cost_of(told, "Spark")
    assert str(raised.value) == message
