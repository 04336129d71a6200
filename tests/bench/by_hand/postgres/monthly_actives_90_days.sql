-- 118 days are too many bits for one number, and two numbers are slower than this: a person's active day opens the windows
-- that hold it and not the next active day as well; windows are the running sum of what opens and what closes.
WITH days AS (
  SELECT DISTINCT user_id, CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) - DATE '2025-08-06' AS d
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-05 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
), spells AS (
  SELECT d, LEAST(d + 28, LEAD(d) OVER (PARTITION BY user_id ORDER BY d)) AS until FROM days
), changes AS (
  SELECT t, SUM(n) AS n
  FROM (SELECT d AS t, COUNT(*) AS n FROM spells GROUP BY 1 UNION ALL SELECT until, -COUNT(*) FROM spells GROUP BY 1) AS both_ways
  GROUP BY 1
), sums AS (SELECT t, SUM(n) OVER (ORDER BY t) AS value FROM changes)
SELECT DATE '2025-08-06' + t AS period, value FROM sums WHERE t BETWEEN 27 AND 116
ORDER BY 1
