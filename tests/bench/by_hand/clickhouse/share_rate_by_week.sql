SELECT toMonday(occurred_at, 'Europe/Berlin') AS period, numerator / denominator AS value, toFloat64(uniqExactIf(user_id, event = 'shared')) AS numerator, toFloat64(uniqExact(user_id)) AS denominator
FROM app_events
WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
GROUP BY period ORDER BY period
