"""Cases, oracles and generated worlds of the metric families."""
