-- Every visit looks forward to the next video; one pass, no attempt is chosen.
WITH visits AS (
  SELECT user_id, occurred_at AS t1 FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'opened_app' AND user_id <> ''
), videos AS (
  SELECT user_id, occurred_at AS t2 FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND event = 'watched' AND minutes >= 1
), attempts AS (
  SELECT t1, CASE WHEN t2 <= t1 + INTERVAL 1 HOUR THEN t2 END AS t2
  FROM visits ASOF LEFT JOIN videos ON visits.user_id = videos.user_id AND visits.t1 <= videos.t2
), f AS (
  SELECT COUNT(*) AS n1, COUNT(*) FILTER (t1 <= TIMESTAMP '$data_through' - INTERVAL 1 HOUR) AS m1,
    COUNT(t2) AS n2, COUNT(t2) FILTER (t1 <= TIMESTAMP '$data_through' - INTERVAL 1 HOUR) AS m2,
    AVG(EPOCH_US(t2) - EPOCH_US(t1)) / 1e6 AS mean2, MEDIAN(EPOCH_US(t2) - EPOCH_US(t1)) / 1e6 AS median2
  FROM attempts
)
SELECT 1 AS position, n1 AS converted, m1 AS mature, NULL::DOUBLE AS mean, NULL::DOUBLE AS median FROM f
UNION ALL SELECT 2, n2, m2, mean2, median2 FROM f
ORDER BY 1
