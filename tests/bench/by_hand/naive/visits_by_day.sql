-- LAG over every event, and a running count of the pauses.
WITH ordered AS (
  SELECT user_id, occurred_at, LAG(occurred_at) OVER (PARTITION BY user_id ORDER BY occurred_at) AS before
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-31 21:30:00' AND occurred_at < TIMESTAMP '2025-12-01 23:30:00' AND NOT COALESCE(is_internal, FALSE) AND user_id <> ''
), numbered AS (
  SELECT user_id, occurred_at,
    SUM(CASE WHEN before + INTERVAL 30 MINUTE < occurred_at THEN 1 ELSE 0 END) OVER (PARTITION BY user_id ORDER BY occurred_at) AS visit
  FROM ordered
), visits AS (
  SELECT user_id, MIN(occurred_at) AS first_at, MAX(occurred_at) AS last_at FROM numbered GROUP BY user_id, visit
), days AS (
  SELECT CAST(first_at + CASE WHEN first_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL 2 HOUR ELSE INTERVAL 1 HOUR END AS DATE) AS period, user_id, EPOCH_US(last_at) - EPOCH_US(first_at) AS lasted
  FROM visits WHERE first_at >= TIMESTAMP '2025-09-01 22:00:00' AND first_at < TIMESTAMP '2025-11-30 23:00:00'
)
SELECT period, COUNT(*) AS visits, COUNT(DISTINCT user_id) AS users, MEDIAN(lasted) / 6e7 AS median
FROM days GROUP BY 1 ORDER BY 1
