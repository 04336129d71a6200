-- Entries repeat: one pass in order of time for each step carries the latest attempt forward; ties count in step order.
WITH steps AS (
  SELECT user_id, occurred_at AS t, CASE event WHEN 'opened_app' THEN 1 WHEN 'searched' THEN 2 ELSE 3 END AS step
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND (event IN ('opened_app', 'searched') OR (event = 'watched' AND minutes >= 10))
    AND NOT (event = 'opened_app' AND occurred_at >= TIMESTAMP '2025-11-30 23:00:00')
), two AS (
  SELECT user_id, t, step, MAX(t) FILTER (WHERE step = 1) OVER by_time AS t1
  FROM steps
  WINDOW by_time AS (PARTITION BY user_id ORDER BY t, step ROWS UNBOUNDED PRECEDING)
), three AS (
  SELECT user_id, t, step, t1, MAX(t1) FILTER (WHERE step = 2 AND t <= t1 + INTERVAL '24 hours') OVER by_time AS t1_of_two
  FROM two
  WINDOW by_time AS (PARTITION BY user_id ORDER BY t, step ROWS UNBOUNDED PRECEDING)
), first_two AS (
  SELECT user_id, t1, MIN(t) AS t2 FROM two WHERE step = 2 AND t <= t1 + INTERVAL '24 hours' GROUP BY 1, 2
), b1 AS (SELECT user_id, MIN(t) AS t1 FROM steps WHERE step = 1 GROUP BY 1),
b2 AS (SELECT DISTINCT ON (user_id) user_id, t1, t2 FROM first_two ORDER BY user_id, t2, t1 DESC),
b3 AS (
  SELECT DISTINCT ON (user_id) user_id, t1_of_two AS t1, t AS t3
  FROM three WHERE step = 3 AND t <= t1_of_two + INTERVAL '24 hours'
  ORDER BY user_id, t, t1_of_two DESC
), best AS (
  SELECT COALESCE(b3.t1, b2.t1, b1.t1) AS t1, COALESCE(f.t2, b2.t2) AS t2, t3
  FROM b1 LEFT JOIN b2 USING (user_id) LEFT JOIN b3 USING (user_id)
  LEFT JOIN first_two AS f ON f.user_id = b3.user_id AND f.t1 = b3.t1
), f AS (
  SELECT t1 <= TIMESTAMP '$data_through' - INTERVAL '24 hours' AS mature, t2 IS NOT NULL AS did_2, t3 IS NOT NULL AS did_3,
    EXTRACT(EPOCH FROM t2 - t1)::DOUBLE PRECISION AS s2, EXTRACT(EPOCH FROM t3 - t1)::DOUBLE PRECISION AS s3
  FROM best
)
SELECT 1 AS position, COUNT(*) AS converted, COUNT(*) FILTER (WHERE mature) AS mature, NULL::DOUBLE PRECISION AS mean, NULL::DOUBLE PRECISION AS median FROM f
UNION ALL SELECT 2, COUNT(*) FILTER (WHERE did_2), COUNT(*) FILTER (WHERE did_2 AND mature), AVG(s2), PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY s2) FROM f
UNION ALL SELECT 3, COUNT(*) FILTER (WHERE did_3), COUNT(*) FILTER (WHERE did_3 AND mature), AVG(s3), PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY s3) FROM f
ORDER BY 1
