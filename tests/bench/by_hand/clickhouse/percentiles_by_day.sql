SELECT period, q[1] AS per_user_median, q[2] AS per_user_p90, mean AS per_user_average
FROM (
  SELECT period, quantilesExactInclusive(0.5, 0.9)(n) AS q, avg(n) AS mean
  FROM (
    SELECT toDate(occurred_at, 'Europe/Berlin') AS period, user_id, count() AS n
    FROM app_events
    WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
    GROUP BY period, user_id
  ) GROUP BY period
) ORDER BY period
