-- One sort for both percentiles.
SELECT period, q[1] AS per_user_median, q[2] AS per_user_p90, mean AS per_user_average
FROM (
  SELECT period, PERCENTILE_CONT(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY n) AS q, CAST(AVG(n) AS DOUBLE PRECISION) AS mean
  FROM (
    SELECT CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) AS period, user_id, COUNT(*) AS n
    FROM app_events
    WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
    GROUP BY 1, 2
  ) AS people GROUP BY 1
) AS days ORDER BY 1
