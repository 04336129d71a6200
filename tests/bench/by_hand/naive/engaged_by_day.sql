-- Every date's window joined to the events.
WITH spine AS (SELECT CAST(w AS DATE) AS period FROM RANGE(DATE '2025-11-01', DATE '2025-12-01', INTERVAL 1 DAY) AS r(w)),
acts AS (
  SELECT user_id, CAST(timezone('Europe/Berlin', occurred_at AT TIME ZONE 'UTC') AS DATE) AS d FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-10-25 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared') AND user_id <> ''
), met AS (
  SELECT period, user_id FROM spine JOIN acts ON d BETWEEN period - 6 AND period GROUP BY 1, 2 HAVING COUNT(*) >= 3
)
SELECT period, COUNT(user_id) AS size FROM spine LEFT JOIN met USING (period) GROUP BY 1 ORDER BY 1
