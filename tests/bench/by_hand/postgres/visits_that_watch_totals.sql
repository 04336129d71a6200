-- Looking from the end, every visit knows the next video; one pass, no attempt is chosen.
WITH steps AS (
  SELECT user_id, occurred_at AS t, event = 'watched' AS is_video
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND (event = 'opened_app' OR (event = 'watched' AND minutes >= 1)) AND user_id <> ''
), ahead AS (
  SELECT t AS t1, is_video, MIN(t) FILTER (WHERE is_video) OVER (PARTITION BY user_id ORDER BY t DESC, is_video DESC ROWS UNBOUNDED PRECEDING) AS t2
  FROM steps
), f AS (
  SELECT t1 <= TIMESTAMP '$data_through' - INTERVAL '1 hour' AS mature, CASE WHEN t2 <= t1 + INTERVAL '1 hour' THEN EXTRACT(EPOCH FROM t2 - t1)::DOUBLE PRECISION END AS s2
  FROM ahead WHERE NOT is_video AND t1 < TIMESTAMP '2025-11-30 23:00:00'
), totals AS MATERIALIZED (
  SELECT COUNT(*) AS n1, COUNT(*) FILTER (WHERE mature) AS m1, COUNT(s2) AS n2, COUNT(s2) FILTER (WHERE mature) AS m2, AVG(s2) AS mean2, PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY s2) AS median2
  FROM f
)
SELECT 1 AS position, n1 AS converted, m1 AS mature, NULL::DOUBLE PRECISION AS mean, NULL::DOUBLE PRECISION AS median FROM totals
UNION ALL SELECT 2, n2, m2, mean2, median2 FROM totals
ORDER BY 1
