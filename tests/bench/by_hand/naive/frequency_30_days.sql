-- Every date's window joined to the days of people, then counted.
WITH days AS (
  SELECT DISTINCT user_id, CAST(timezone('Europe/Berlin', occurred_at AT TIME ZONE 'UTC') AS DATE) AS d
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-10-25 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared') AND user_id <> ''
), spine AS (SELECT CAST(w AS DATE) AS period FROM RANGE(DATE '2025-11-01', DATE '2025-12-01', INTERVAL 1 DAY) AS r(w)),
scores AS (SELECT period, user_id, COUNT(*) AS k FROM spine JOIN days ON d BETWEEN period - 6 AND period GROUP BY 1, 2),
sizes AS (
  SELECT period, CASE WHEN k >= 6 THEN 1 WHEN k >= 3 THEN 2 ELSE 3 END AS position, COUNT(*) AS n FROM scores GROUP BY 1, 2
  UNION ALL
  SELECT period, 5, COUNT(*) FROM spine JOIN users ON CAST(timezone('Europe/Berlin', signed_up_at AT TIME ZONE 'UTC') AS DATE) <= period
  WHERE NOT EXISTS (SELECT 1 FROM scores WHERE scores.period = spine.period AND scores.user_id = users.id) GROUP BY 1
)
SELECT period, tier, COALESCE(n, 0)::BIGINT AS users
FROM spine CROSS JOIN (VALUES ('power', 1), ('core', 2), ('casual', 3), ('none', 4), ('inactive', 5)) AS tiers(tier, position) LEFT JOIN sizes USING (period, position)
ORDER BY period, position
