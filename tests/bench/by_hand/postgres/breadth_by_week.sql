WITH days AS (
  SELECT user_id, CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) - DATE '2025-08-11' AS d, BIT_OR(CASE event WHEN 'watched' THEN 1 WHEN 'searched' THEN 2 WHEN 'added_to_list' THEN 4 ELSE 9 END) AS mask
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-10 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND (((event = 'watched' AND minutes >= 3) OR event = 'shared') OR event IN ('searched', 'added_to_list'))
  GROUP BY 1, 2
), known AS (
  SELECT id, GREATEST(CAST(signed_up_at + CASE WHEN signed_up_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) - DATE '2025-08-11', 0) AS since
  FROM users WHERE signed_up_at < TIMESTAMP '2025-11-30 23:00:00'
), windows AS (SELECT t FROM GENERATE_SERIES(27, 117, 7) AS t
), weeks AS (
  SELECT user_id, d / 7 AS w, BIT_OR(mask) AS mask FROM days GROUP BY 1, 2
), people AS (
  SELECT 7 * t + 6 AS t, user_id, BIT_OR(mask) AS mask
  FROM weeks, LATERAL GENERATE_SERIES(GREATEST(w, 3), LEAST(w + 3, 15)) AS t GROUP BY 1, 2
), counted AS (
  SELECT t, mask, COUNT(*) AS n, COUNT(*) FILTER (WHERE since <= t) AS known FROM people LEFT JOIN known ON id = user_id GROUP BY 1, 2
), stock AS (
  SELECT t, SUM(n) AS n FROM windows JOIN (SELECT since, COUNT(*) AS n FROM known GROUP BY 1) AS s ON since <= t GROUP BY 1
), sizes AS (
  SELECT t, CASE WHEN mask & 15 = 15 THEN 1 WHEN mask & 3 = 3 THEN 2 WHEN mask & 1 = 1 THEN 3 ELSE 4 END AS position, SUM(n) AS n
  FROM counted GROUP BY 1, 2
  UNION ALL SELECT t, 5, stock.n - COALESCE(SUM(known), 0) FROM stock LEFT JOIN counted USING (t) GROUP BY 1, stock.n
)
SELECT DATE '2025-08-11' + t - 6 AS period, tier, COALESCE(n, 0)::BIGINT AS users
FROM windows CROSS JOIN (VALUES ('power', 1), ('core', 2), ('casual', 3), ('none', 4), ('inactive', 5)) AS tiers(tier, position) LEFT JOIN sizes USING (t, position)
ORDER BY t, position
