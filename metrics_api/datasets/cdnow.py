"""The purchases of 23,570 real customers of CDNOW, 1997 to mid-1998: `CDNOW.md` says whose they are."""

from __future__ import annotations

from pathlib import Path

from metrics_api.datasets.new_warehouse import Summary, new_warehouse, summary_of

PARQUET = Path(__file__).with_name("cdnow.parquet")

# The file's times carry a zone; the session's zone is UTC, so the cast keeps the UTC wall time.
CREATE = """
CREATE TABLE purchases AS
SELECT event_id, user_id, event_name, event_time::TIMESTAMP AS event_time, value, category, cds, in_sample
FROM read_parquet($file)
ORDER BY event_id
"""

COMMENTS = """
COMMENT ON TABLE purchases IS
'Real purchases at CDNOW, 1997 to mid-1998: data of P. S. Fader and B. G. S. Hardie, as in lifetimes (MIT).';
COMMENT ON COLUMN purchases.event_id IS 'Unique.';
COMMENT ON COLUMN purchases.user_id IS 'The number of the customer in the CDNOW master file.';
COMMENT ON COLUMN purchases.event_name IS 'Always purchase.';
COMMENT ON COLUMN purchases.event_time IS 'Midnight UTC of the day of the purchase; the source gives days only.';
COMMENT ON COLUMN purchases.value IS 'Dollars paid.';
COMMENT ON COLUMN purchases.category IS 'By number of CDs: one_cd, two_three_cds, four_plus_cds.';
COMMENT ON COLUMN purchases.cds IS 'Number of CDs bought.';
COMMENT ON COLUMN purchases.in_sample IS 'Whether the customer belongs to the published one-in-ten sample.';
"""

SUMMARY = """
SELECT count(*), count(DISTINCT user_id), min(event_time)::DATE, max(event_time)::DATE FROM purchases
"""


def build_cdnow(path: Path) -> Summary:
    """Write the table `purchases` into a new DuckDB file at `path`, in place of what was there."""
    with new_warehouse(path) as warehouse:
        warehouse.connection.execute(CREATE, {"file": str(PARQUET)})
        warehouse.connection.execute(COMMENTS)
        return summary_of(warehouse.connection, SUMMARY)
