WITH days AS (
  SELECT user_id, CASE WHEN occurred_at < TIMESTAMP '2025-08-08 22:00:00' THEN -1 ELSE CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL 2 HOUR ELSE INTERVAL 1 HOUR END AS DATE) - DATE '2025-08-09' END AS d, COUNT(*) AS n
  FROM app_events
  WHERE occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY 1, 2
), people AS (
  SELECT user_id, MIN(d) AS first, MIN(d) FILTER (WHERE d > first_d OR total > 1) AS second
  FROM (SELECT user_id, d, n, MIN(d) OVER (PARTITION BY user_id) AS first_d, SUM(n) OVER (PARTITION BY user_id ORDER BY d) AS total FROM days)
  GROUP BY 1
)
SELECT DATE '2025-08-09' + t::INT - 6 AS period, COUNT(*) FILTER (WHERE first < t - 29 AND (second IS NULL OR second > t)) AS size
FROM RANGE(29, 114, 7) AS r(t) CROSS JOIN people
GROUP BY 1 ORDER BY 1
