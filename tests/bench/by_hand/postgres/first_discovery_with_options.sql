-- The first search ever, then hash joins: the optional list, the watching, and the click that ends it.
WITH s1 AS MATERIALIZED (
  SELECT user_id, MIN(occurred_at) AS t1 FROM app_events
  WHERE occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'searched' AND user_id <> ''
  GROUP BY 1 HAVING MIN(occurred_at) >= TIMESTAMP '2025-09-01 22:00:00'
), s2 AS MATERIALIZED (
  SELECT s1.user_id, MIN(e.occurred_at) AS t2
  FROM s1 JOIN app_events AS e ON e.user_id = s1.user_id AND e.occurred_at >= t1 AND e.occurred_at <= t1 + INTERVAL '48 hours'
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND event = 'added_to_list'
  GROUP BY 1
), s3 AS MATERIALIZED (
  SELECT s1.user_id, MIN(e.occurred_at) AS t3
  FROM s1 JOIN app_events AS e ON e.user_id = s1.user_id AND e.occurred_at >= t1 AND e.occurred_at <= t1 + INTERVAL '336 hours'
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY 1
), x AS MATERIALIZED (
  SELECT s1.user_id, MIN(e.occurred_at) AS tx
  FROM s1 JOIN app_events AS e ON e.user_id = s1.user_id AND e.occurred_at > t1 AND e.occurred_at <= t1 + INTERVAL '336 hours'
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND event = 'clicked_profile_picture'
  GROUP BY 1
), attempts AS (
  SELECT t1, CASE WHEN tx < t3 THEN NULL ELSE t3 END AS t3,
    CASE WHEN (t3 IS NULL OR t2 <= t3) AND (tx IS NULL OR tx >= t3 OR t2 <= tx) THEN t2 END AS t2
  FROM s1 LEFT JOIN s2 USING (user_id) LEFT JOIN s3 USING (user_id) LEFT JOIN x USING (user_id)
), f AS MATERIALIZED (
  SELECT COUNT(*) AS n1, COUNT(*) FILTER (WHERE t1 <= TIMESTAMP '$data_through' - INTERVAL '336 hours') AS m1,
    COUNT(t2) AS n2, AVG(EXTRACT(EPOCH FROM t2 - t1)::DOUBLE PRECISION) AS mean2, PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY EXTRACT(EPOCH FROM t2 - t1)::DOUBLE PRECISION) AS median2,
    COUNT(t3) AS n3, AVG(EXTRACT(EPOCH FROM t3 - t1)::DOUBLE PRECISION) AS mean3, PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY EXTRACT(EPOCH FROM t3 - t1)::DOUBLE PRECISION) AS median3
  FROM attempts
)
SELECT 1 AS position, n1 AS converted, m1 AS mature_entered, NULL::DOUBLE PRECISION AS mean, NULL::DOUBLE PRECISION AS median FROM f
UNION ALL SELECT 2, n2, m1, mean2, median2 FROM f
UNION ALL SELECT 3, n3, m1, mean3, median3 FROM f
ORDER BY 1
