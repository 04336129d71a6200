-- The entry happens once a person: hash joins, step by step.
WITH s1 AS MATERIALIZED (
  SELECT user_id, MIN(occurred_at) AS t1 FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'sign_up' GROUP BY 1
), s2 AS MATERIALIZED (
  SELECT s1.user_id, MIN(t1) AS t1, MIN(e.occurred_at) AS t2
  FROM s1 JOIN app_events AS e ON e.user_id = s1.user_id AND e.occurred_at >= t1 AND e.occurred_at <= t1 + INTERVAL '720 hours'
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND event = 'added_to_list'
  GROUP BY 1
), s3 AS MATERIALIZED (
  SELECT s2.user_id, MIN(t1) AS t1, MIN(e.occurred_at) AS t3
  FROM s2 JOIN app_events AS e ON e.user_id = s2.user_id AND e.occurred_at >= t2 AND e.occurred_at <= t1 + INTERVAL '720 hours'
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY 1
)
SELECT 1 AS position, COUNT(*) AS converted, COUNT(*) FILTER (WHERE t1 <= TIMESTAMP '$data_through' - INTERVAL '720 hours') AS mature, NULL::DOUBLE PRECISION AS mean, NULL::DOUBLE PRECISION AS median FROM s1
UNION ALL
SELECT 2, COUNT(*), COUNT(*) FILTER (WHERE t1 <= TIMESTAMP '$data_through' - INTERVAL '720 hours'), AVG(EXTRACT(EPOCH FROM t2 - t1)::DOUBLE PRECISION), PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY EXTRACT(EPOCH FROM t2 - t1)::DOUBLE PRECISION) FROM s2
UNION ALL
SELECT 3, COUNT(*), COUNT(*) FILTER (WHERE t1 <= TIMESTAMP '$data_through' - INTERVAL '720 hours'), AVG(EXTRACT(EPOCH FROM t3 - t1)::DOUBLE PRECISION), PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY EXTRACT(EPOCH FROM t3 - t1)::DOUBLE PRECISION) FROM s3
ORDER BY 1
