SELECT * FROM (
  SELECT period, value, users, lagInFrame(value, 6) OVER by_week AS previous, (value - previous) / previous AS change
  FROM (
    SELECT toMonday(occurred_at, 'Europe/Berlin') AS period, toInt64(count()) AS value, toInt64(uniqExact(user_id)) AS users
    FROM app_events
    WHERE occurred_at >= TIMESTAMP '2025-09-07 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
    GROUP BY period
  )
  WINDOW by_week AS (ORDER BY period ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)
)
WHERE period >= toDate('2025-10-20') ORDER BY period
