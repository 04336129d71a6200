"""Databricks SQL: compiles; the connection comes with a later release.

What is said of Spark's session and time columns holds here too.
"""

from __future__ import annotations

from typing import ClassVar

from metrics_api.engines import Engine
from metrics_api.engines.spark import SparkDialect


class DatabricksDialect(SparkDialect):
    """Spark's SQL."""

    name: ClassVar[str] = "databricks"
    sqlglot: ClassVar[str] = "databricks"


ENGINE = Engine("databricks", DatabricksDialect())
