SELECT toDate(occurred_at, 'Europe/Berlin') AS period, toInt64(uniqExactIf(user_id, event = 'opened_app')) AS opened, toInt64(uniqExactIf(user_id, event = 'searched')) AS searched, toInt64(uniqExactIf(user_id, event = 'added_to_list')) AS added, toInt64(uniqExactIf(user_id, event IN ('watched', 'shared'))) AS watched
FROM app_events
WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND (event IN ('opened_app', 'searched', 'added_to_list') OR ((event = 'watched' AND minutes >= 3) OR event = 'shared'))
GROUP BY period ORDER BY period
