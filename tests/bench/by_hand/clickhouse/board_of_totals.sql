SELECT toDate(occurred_at, 'Europe/Berlin') AS period, toInt64(countIf(event = 'opened_app')) AS app_opens, toInt64(countIf(event = 'searched')) AS searches, toInt64(countIf(event = 'added_to_list')) AS list_additions, sumIf(minutes, event = 'watched') AS minutes_watched
FROM app_events
WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND (event IN ('opened_app', 'searched', 'added_to_list') OR (event = 'watched' AND minutes >= 1))
GROUP BY period ORDER BY period
