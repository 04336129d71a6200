SELECT toDate(occurred_at, 'Europe/Berlin') AS period, toInt64(count()) AS total, toInt64(uniqExact(user_id)) AS users
FROM app_events
WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
GROUP BY period ORDER BY period
