WITH days AS (
  SELECT DISTINCT user_id, CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL 2 HOUR ELSE INTERVAL 1 HOUR END AS DATE) - DATE '2025-08-11' AS d
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-10 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
), people AS (
  SELECT t, user_id, COUNT(*) AS k
  FROM days JOIN RANGE(27, 118, 7) AS r(t) ON d BETWEEN t - 27 AND t
  GROUP BY 1, 2
), counted AS (SELECT t, k, COUNT(*) AS users FROM people GROUP BY 1, 2)
SELECT DATE '2025-08-11' + t::INT - 6 AS period, k AS active_days, COALESCE(users, 0) AS users
FROM RANGE(27, 118, 7) AS r(t) CROSS JOIN RANGE(1, 29) AS n(k) LEFT JOIN counted USING (t, k)
ORDER BY 1, 2
