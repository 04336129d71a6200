"""What all tests share: how Hypothesis draws.

Continuous integration draws the same examples each time, so that a change is never blamed for another's luck; at a
desk they differ from run to run. `METRICS_API_EXAMPLES=3000 make test` looks longer at the families.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile

from hypothesis import settings

settings.register_profile("metrics-api", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True)
settings.load_profile("metrics-api")

# What workers of a server tell each other of warmups is not left in the machine's own folder.
if "METRICS_API_RUN_DIR" not in os.environ:
    os.environ["METRICS_API_RUN_DIR"] = tempfile.mkdtemp(prefix="metrics-api-run-")
    atexit.register(shutil.rmtree, os.environ["METRICS_API_RUN_DIR"], ignore_errors=True)

# The first three run in environments of their own (on_snowflake.py, on_bigquery.py); the others need
# drivers that may not be there.
collect_ignore = ["bigquery_server.py", "fakesnow_server.py", "zetasql_engine.py"]
collect_ignore += ["bigquery_storage.py", "on_databricks_service.py"]
if "METRICS_API_BQEMULATOR" not in os.environ:
    collect_ignore.append("serving/test_bigquery_emulator.py")

# Tests of the engines of `make test-engines` are for runs that ask for them, by METRICS_API_ENGINES or by the file.
asked = {*os.environ.get("METRICS_API_ENGINES", "").split(",")}
for engine in ("bigquery", "clickhouse", "databricks", "redshift", "snowflake", "spark", "trino"):
    for place in ("engines", "serving"):
        file = f"{place}/test_{engine}.py"
        if engine not in asked and not any(file in one for one in sys.argv):
            collect_ignore.append(file)
