-- Starts joined to returns, and people counted anew for every cell.
WITH started AS (
  SELECT user_id, MIN(occurred_at) AS t FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'sign_up'
  GROUP BY 1
), cohorts AS (SELECT user_id, t, CAST(DATE_TRUNC('week', CAST(timezone('Europe/Berlin', t AT TIME ZONE 'UTC') AS DATE)) AS DATE) AS week FROM started),
returns AS (
  SELECT c.week, (CAST(DATE_TRUNC('week', CAST(timezone('Europe/Berlin', e.occurred_at AT TIME ZONE 'UTC') AS DATE)) AS DATE) - c.week) // 7 AS j, COUNT(DISTINCT c.user_id) AS users
  FROM cohorts AS c JOIN app_events AS e ON e.user_id = c.user_id AND e.occurred_at > c.t
  WHERE e.occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND e.occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY 1, 2
), sizes AS (SELECT week, COUNT(*) AS size FROM cohorts GROUP BY 1)
SELECT week AS "start", j AS period_index, COALESCE(size, 0) AS size,
  CASE WHEN CAST(TIMESTAMP '$data_through' + INTERVAL 1 HOUR AS DATE) >= week + 7 * (j::INT + 1) THEN COALESCE(users, 0) END AS users
FROM (SELECT CAST(w AS DATE) AS week FROM RANGE(DATE '2025-09-01', DATE '2025-12-01', INTERVAL 7 DAY) AS r(w))
CROSS JOIN RANGE(13) AS r(j) LEFT JOIN sizes USING (week) LEFT JOIN returns USING (week, j)
ORDER BY 1, 2
