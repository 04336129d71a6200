"""`python -m metrics_api.cli` is `metrics-api`."""

from metrics_api.cli.main import app

app(prog_name="metrics-api")
