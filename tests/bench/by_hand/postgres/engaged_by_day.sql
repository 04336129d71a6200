WITH days AS (
  SELECT user_id, CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) - DATE '2025-10-26' AS d, COUNT(*) AS n
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-10-25 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY 1, 2
), changes AS (
  SELECT user_id, t, SUM(n) AS n FROM (
    SELECT user_id, GREATEST(d - 6, 0) AS t, n FROM days
    UNION ALL
    SELECT user_id, d + 1, -n FROM days WHERE d + 1 < 30
  ) AS moves GROUP BY 1, 2
), spells AS (
  SELECT t, SUM(n) OVER w >= 3 AS is_in, LEAD(t) OVER w AS until FROM changes WINDOW w AS (PARTITION BY user_id ORDER BY t ROWS UNBOUNDED PRECEDING)
), moves AS (
  SELECT t, SUM(c) AS c FROM (
    SELECT t, COUNT(*) AS c FROM spells WHERE is_in GROUP BY 1
    UNION ALL
    SELECT until, -COUNT(*) FROM spells WHERE is_in AND until IS NOT NULL GROUP BY 1
  ) AS both_ways GROUP BY 1
)
SELECT DATE '2025-11-01' + r.t AS period, COALESCE(SUM(c), 0)::BIGINT AS size
FROM GENERATE_SERIES(0, 29) AS r(t) LEFT JOIN moves AS m ON m.t <= r.t
GROUP BY 1 ORDER BY 1
