-- Once and long ago: of everybody the first moment and the one after it decide, and of those their days.
WITH days AS (
  SELECT user_id, CASE WHEN occurred_at < TIMESTAMP '2025-08-08 22:00:00' THEN -1 ELSE CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) - DATE '2025-08-09' END AS d, COUNT(*) AS n
  FROM app_events
  WHERE occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY 1, 2
), firsts AS (SELECT user_id, MIN(d) AS first FROM days GROUP BY 1
), people AS (
  SELECT first, MIN(d) FILTER (WHERE d > first OR n > 1) AS second
  FROM days JOIN firsts USING (user_id) GROUP BY user_id, first
), spells AS (SELECT first, second, COUNT(*) AS n FROM people WHERE second IS NULL OR second > first + 29 GROUP BY 1, 2)
SELECT DATE '2025-08-09' + t - 6 AS period, COALESCE(SUM(n) FILTER (WHERE first < t - 29 AND (second IS NULL OR second > t)), 0)::BIGINT AS size
FROM GENERATE_SERIES(29, 113, 7) AS t CROSS JOIN spells
GROUP BY 1 ORDER BY 1
