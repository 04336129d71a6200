SELECT period, COALESCE(plan, '(none)') AS user_plan, SUM(n) AS total, COUNT(*) AS users
FROM (
  SELECT CAST(DATE_TRUNC('week', CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE)) AS DATE) AS period, user_id, COUNT(*) AS n
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY 1, 2
) AS people LEFT JOIN users ON users.id = people.user_id
GROUP BY 1, 2 ORDER BY period, COALESCE(plan, '(none)') COLLATE "C"
