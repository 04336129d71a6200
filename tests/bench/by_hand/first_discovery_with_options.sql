-- The first search ever, then hash joins: the optional list, the watching, and the click that ends it.
WITH s1 AS (
  SELECT user_id, MIN(occurred_at) AS t1 FROM app_events
  WHERE occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'searched' AND user_id <> ''
  GROUP BY 1 HAVING MIN(occurred_at) >= TIMESTAMP '2025-09-01 22:00:00'
), s2 AS (
  SELECT s1.user_id, MIN(e.occurred_at) AS t2
  FROM s1 JOIN app_events AS e ON e.user_id = s1.user_id
    AND occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND e.event = 'added_to_list'
    AND e.occurred_at >= t1 AND e.occurred_at <= t1 + INTERVAL 2 DAY
  GROUP BY 1
), s3 AS (
  SELECT s1.user_id, MIN(e.occurred_at) AS t3
  FROM s1 JOIN app_events AS e ON e.user_id = s1.user_id
    AND occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
    AND e.occurred_at >= t1 AND e.occurred_at <= t1 + INTERVAL 14 DAY
  GROUP BY 1
), x AS (
  SELECT s1.user_id, MIN(e.occurred_at) AS tx
  FROM s1 JOIN app_events AS e ON e.user_id = s1.user_id
    AND occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND e.event = 'clicked_profile_picture'
    AND e.occurred_at > t1 AND e.occurred_at <= t1 + INTERVAL 14 DAY
  GROUP BY 1
), attempts AS (
  SELECT t1, CASE WHEN tx < t3 THEN NULL ELSE t3 END AS t3,
    CASE WHEN (t3 IS NULL OR t2 <= t3) AND (tx IS NULL OR tx >= t3 OR t2 <= tx) THEN t2 END AS t2
  FROM s1 LEFT JOIN s2 USING (user_id) LEFT JOIN s3 USING (user_id) LEFT JOIN x USING (user_id)
), f AS (
  SELECT COUNT(*) AS n1, COUNT(*) FILTER (t1 <= TIMESTAMP '$data_through' - INTERVAL 14 DAY) AS m1,
    COUNT(t2) AS n2, AVG(EPOCH_US(t2) - EPOCH_US(t1)) / 1e6 AS mean2, MEDIAN(EPOCH_US(t2) - EPOCH_US(t1)) / 1e6 AS median2,
    COUNT(t3) AS n3, AVG(EPOCH_US(t3) - EPOCH_US(t1)) / 1e6 AS mean3, MEDIAN(EPOCH_US(t3) - EPOCH_US(t1)) / 1e6 AS median3
  FROM attempts
)
SELECT 1 AS position, n1 AS converted, m1 AS mature_entered, NULL::DOUBLE AS mean, NULL::DOUBLE AS median FROM f
UNION ALL SELECT 2, n2, m1, mean2, median2 FROM f
UNION ALL SELECT 3, n3, m1, mean3, median3 FROM f
ORDER BY 1
