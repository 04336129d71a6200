-- The entry happens once a person: hash joins, step by step.
WITH s1 AS (
  SELECT user_id, MIN(occurred_at) AS t1 FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'sign_up' GROUP BY 1
), s2 AS MATERIALIZED (
  SELECT s1.user_id, ANY_VALUE(t1) AS t1, MIN(e.occurred_at) AS t2
  FROM s1 JOIN app_events AS e ON e.user_id = s1.user_id
    AND occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND e.event = 'added_to_list'
    AND e.occurred_at >= t1 AND e.occurred_at <= t1 + INTERVAL 30 DAY
  GROUP BY 1
), s3 AS MATERIALIZED (
  SELECT s2.user_id, ANY_VALUE(t1) AS t1, MIN(e.occurred_at) AS t3
  FROM s2 JOIN app_events AS e ON e.user_id = s2.user_id
    AND occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
    AND e.occurred_at >= t2 AND e.occurred_at <= t1 + INTERVAL 30 DAY
  GROUP BY 1
)
SELECT 1 AS position, COUNT(*) AS converted, COUNT(*) FILTER (t1 <= TIMESTAMP '$data_through' - INTERVAL 30 DAY) AS mature, NULL::DOUBLE AS mean, NULL::DOUBLE AS median FROM s1
UNION ALL
SELECT 2, COUNT(*), COUNT(*) FILTER (t1 <= TIMESTAMP '$data_through' - INTERVAL 30 DAY), AVG(EPOCH_US(t2) - EPOCH_US(t1)) / 1e6, MEDIAN(EPOCH_US(t2) - EPOCH_US(t1)) / 1e6 FROM s2
UNION ALL
SELECT 3, COUNT(*), COUNT(*) FILTER (t1 <= TIMESTAMP '$data_through' - INTERVAL 30 DAY), AVG(EPOCH_US(t3) - EPOCH_US(t1)) / 1e6, MEDIAN(EPOCH_US(t3) - EPOCH_US(t1)) / 1e6 FROM s3
ORDER BY 1
