-- Entries repeat: each event looks back for the latest attempt; times are microseconds, ties count in step order.
WITH s1 AS (
  SELECT user_id, EPOCH_US(occurred_at) AS t1 FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'opened_app'
), s2 AS MATERIALIZED (
  SELECT x.user_id, s1.t1, MIN(x.t) AS t2
  FROM (SELECT user_id, EPOCH_US(occurred_at) AS t FROM app_events WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND event = 'searched') AS x
  ASOF JOIN s1 ON x.user_id = s1.user_id AND x.t >= s1.t1
  WHERE x.t - s1.t1 <= 86400000000
  GROUP BY 1, 2
), s3 AS MATERIALIZED (
  SELECT x.user_id, s2.t1, s2.t2, x.t AS t3
  FROM (SELECT user_id, EPOCH_US(occurred_at) AS t FROM app_events WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND event = 'watched' AND minutes >= 10) AS x
  ASOF JOIN s2 ON x.user_id = s2.user_id AND x.t >= s2.t2
  WHERE x.t - s2.t1 <= 86400000000
), b1 AS (SELECT user_id, MIN(t1) AS t1 FROM s1 GROUP BY 1),
b2 AS (SELECT user_id, MIN(t1) AS t1, MIN(t2) AS t2 FROM s2 GROUP BY 1),
b3 AS (SELECT user_id, MIN(t1) AS t1, MIN(t2) AS t2, MIN(t3) AS t3 FROM s3 GROUP BY 1),
best AS (
  SELECT COALESCE(b3.t1, b2.t1, b1.t1) AS t1, COALESCE(b3.t2, b2.t2) AS t2, t3
  FROM b1 LEFT JOIN b2 USING (user_id) LEFT JOIN b3 USING (user_id)
), f AS (
  SELECT COUNT(*) AS n1, COUNT(*) FILTER (t1 <= EPOCH_US(TIMESTAMP '$data_through' - INTERVAL 1 DAY)) AS m1,
    COUNT(t2) AS n2, COUNT(t2) FILTER (t1 <= EPOCH_US(TIMESTAMP '$data_through' - INTERVAL 1 DAY)) AS m2, AVG(t2 - t1) / 1e6 AS mean2, MEDIAN(t2 - t1) / 1e6 AS median2,
    COUNT(t3) AS n3, COUNT(t3) FILTER (t1 <= EPOCH_US(TIMESTAMP '$data_through' - INTERVAL 1 DAY)) AS m3, AVG(t3 - t1) / 1e6 AS mean3, MEDIAN(t3 - t1) / 1e6 AS median3
  FROM best
)
SELECT 1 AS position, n1 AS converted, m1 AS mature, NULL::DOUBLE AS mean, NULL::DOUBLE AS median FROM f
UNION ALL SELECT 2, n2, m2, mean2, median2 FROM f
UNION ALL SELECT 3, n3, m3, mean3, median3 FROM f
ORDER BY 1
