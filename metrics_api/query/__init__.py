"""A question: as asked (`metric_query`), made definite (`bind`), and what a family answers it with (`family`)."""
