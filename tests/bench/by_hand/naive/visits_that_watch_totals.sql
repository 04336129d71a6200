-- Every visit joined to all videos of its hour, then the first of them kept.
WITH visits AS (
  SELECT user_id, occurred_at AS t1 FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'opened_app' AND user_id <> ''
), videos AS (
  SELECT user_id, occurred_at AS t2 FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND event = 'watched' AND minutes >= 1
), attempts AS (
  SELECT t1, t2 FROM (
    SELECT t1, MIN(t2) AS t2 FROM (SELECT *, ROW_NUMBER() OVER () AS visit FROM visits) AS v
    LEFT JOIN videos ON v.user_id = videos.user_id AND t2 BETWEEN t1 AND t1 + INTERVAL 1 HOUR
    GROUP BY visit, t1
  )
), f AS (
  SELECT COUNT(*) AS n1, COUNT(*) FILTER (t1 <= TIMESTAMP '$data_through' - INTERVAL 1 HOUR) AS m1,
    COUNT(t2) AS n2, COUNT(t2) FILTER (t1 <= TIMESTAMP '$data_through' - INTERVAL 1 HOUR) AS m2,
    AVG(EPOCH_US(t2) - EPOCH_US(t1)) / 1e6 AS mean2, MEDIAN(EPOCH_US(t2) - EPOCH_US(t1)) / 1e6 AS median2
  FROM attempts
)
SELECT 1 AS position, n1 AS converted, m1 AS mature, NULL::DOUBLE AS mean, NULL::DOUBLE AS median FROM f
UNION ALL SELECT 2, n2, m2, mean2, median2 FROM f
ORDER BY 1
