"""Plain, slow, obviously right answers to the same questions (RULES 38): nothing here imports `metrics_api` or SQL."""
