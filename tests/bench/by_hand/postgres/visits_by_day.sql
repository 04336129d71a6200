-- Half-hours first (no pause of half an hour fits in one), then windows over what is left.
WITH slots AS (
  SELECT user_id, FLOOR(EXTRACT(EPOCH FROM occurred_at) / 1800) AS slot, MIN(occurred_at) AS first_at, MAX(occurred_at) AS last_at
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-31 21:30:00' AND occurred_at < TIMESTAMP '2025-12-01 23:30:00' AND NOT COALESCE(is_internal, FALSE) AND user_id <> ''
  GROUP BY 1, 2
), told AS (
  SELECT *, LAG(last_at) OVER person AS before, MAX(last_at) OVER (PARTITION BY user_id) AS latest
  FROM slots WINDOW person AS (PARTITION BY user_id ORDER BY slot)
), whole AS (
  SELECT user_id, first_at, COALESCE(LEAD(before) OVER (PARTITION BY user_id ORDER BY slot), latest) AS last_at
  FROM told WHERE before IS NULL OR before + INTERVAL '30 minutes' < first_at
), long AS (SELECT * FROM whole WHERE last_at >= first_at + INTERVAL '1 day'
), visits AS (
  SELECT * FROM whole WHERE last_at < first_at + INTERVAL '1 day'
  UNION ALL
  SELECT slots.user_id, MIN(slots.first_at), MAX(slots.last_at)
  FROM slots JOIN long ON slots.user_id = long.user_id AND slots.first_at BETWEEN long.first_at AND long.last_at
  GROUP BY slots.user_id, long.first_at, CAST(slots.first_at + CASE WHEN slots.first_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE)
), days AS (
  SELECT CAST(first_at + CASE WHEN first_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) AS period, user_id, EXTRACT(EPOCH FROM last_at - first_at) AS lasted
  FROM visits WHERE first_at >= TIMESTAMP '2025-09-01 22:00:00' AND first_at < TIMESTAMP '2025-11-30 23:00:00'
)
SELECT period, COUNT(*) AS visits, COUNT(DISTINCT user_id) AS users, PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY lasted) / 60 AS median
FROM days GROUP BY 1 ORDER BY 1
