-- By week of entry: looking from the end, each instant knows the next search and the next video; an opening goes to its
-- search, and that one to its video, by equality.
WITH steps AS (
  SELECT user_id, occurred_at AS t, CASE event WHEN 'opened_app' THEN 1 WHEN 'searched' THEN 2 ELSE 3 END AS step
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND (event IN ('opened_app', 'searched') OR (event = 'watched' AND minutes >= 10)) AND user_id <> ''
), carried AS (
  SELECT user_id, t, step, MIN(t) FILTER (WHERE step = 3) OVER w AS t3 FROM steps
  WINDOW w AS (PARTITION BY user_id ORDER BY t DESC, step DESC ROWS UNBOUNDED PRECEDING)
), further AS (
  SELECT user_id, t, step,
    MIN(t) FILTER (WHERE step = 2) OVER w AS t2,
    MIN(t3) FILTER (WHERE step = 2) OVER w AS t3
  FROM carried
  WINDOW w AS (PARTITION BY user_id ORDER BY t DESC, step DESC ROWS UNBOUNDED PRECEDING)
), tried AS (
  SELECT user_id, t AS t1, CASE WHEN t2 <= t + INTERVAL '24 hours' THEN t2 END AS t2, CASE WHEN t3 <= t + INTERVAL '24 hours' THEN t3 END AS t3
  FROM further WHERE step = 1 AND t < TIMESTAMP '2025-11-30 23:00:00'
), best AS (
  SELECT DISTINCT ON (user_id, period) period, t3 IS NOT NULL AS is_done, t1
  FROM (SELECT *, CAST(DATE_TRUNC('week', t1 + CASE WHEN t1 < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END) AS DATE) AS period FROM tried) AS placed
  ORDER BY user_id, period, CASE WHEN t3 IS NOT NULL THEN 1 WHEN t2 IS NOT NULL THEN 2 ELSE 3 END, COALESCE(t3, t2, t1), t1 DESC
)
SELECT period, COUNT(*) AS entered, COUNT(*) FILTER (WHERE is_done) AS converted,
  COUNT(*) FILTER (WHERE NOT is_done AND t1 > TIMESTAMP '$data_through' - INTERVAL '24 hours') AS pending,
  COUNT(*) FILTER (WHERE t1 <= TIMESTAMP '$data_through' - INTERVAL '24 hours') AS mature_entered
FROM best GROUP BY 1 ORDER BY 1
