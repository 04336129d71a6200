WITH people AS (
  SELECT user_id, BIT_OR(1::BIGINT << (CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) - DATE '2025-10-26')) AS days
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-10-25 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY 1
), known AS (
  SELECT id, GREATEST(CAST(signed_up_at + CASE WHEN signed_up_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) - DATE '2025-10-26', 0) AS since
  FROM users WHERE signed_up_at < TIMESTAMP '2025-11-30 23:00:00'
), windows AS (SELECT t, 127::BIGINT << (t - 6) AS mask FROM GENERATE_SERIES(6, 35) AS t
), counted AS (
  SELECT t, BIT_COUNT((days & mask)::BIT(64)) AS k, COUNT(*) AS n, COUNT(*) FILTER (WHERE since <= t) AS known
  FROM (SELECT days, since FROM people LEFT JOIN known ON id = user_id) AS p, windows WHERE days & mask <> 0
  GROUP BY 1, 2
), stock AS (
  SELECT t, SUM(n) AS n FROM windows JOIN (SELECT since, COUNT(*) AS n FROM known GROUP BY 1) AS s ON since <= t GROUP BY 1
), sizes AS (
  SELECT t, CASE WHEN k >= 6 THEN 1 WHEN k >= 3 THEN 2 ELSE 3 END AS position, SUM(n) AS n FROM counted GROUP BY 1, 2
  UNION ALL SELECT t, 5, stock.n - COALESCE(SUM(known), 0) FROM stock LEFT JOIN counted USING (t) GROUP BY 1, stock.n
)
SELECT DATE '2025-10-26' + t AS period, tier, COALESCE(n, 0)::BIGINT AS users
FROM windows CROSS JOIN (VALUES ('power', 1), ('core', 2), ('casual', 3), ('none', 4), ('inactive', 5)) AS tiers(tier, position) LEFT JOIN sizes USING (t, position)
ORDER BY t, position
