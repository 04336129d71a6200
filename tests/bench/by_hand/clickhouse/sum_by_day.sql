SELECT toDate(occurred_at, 'Europe/Berlin') AS period, sum(minutes) AS value
FROM app_events
WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'watched' AND minutes >= 1
GROUP BY period ORDER BY period
