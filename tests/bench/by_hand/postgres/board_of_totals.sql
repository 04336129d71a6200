-- One pass, one group; each chart its own filter.
SELECT CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) AS period, COUNT(*) FILTER (WHERE event = 'opened_app') AS app_opens, COUNT(*) FILTER (WHERE event = 'searched') AS searches, COUNT(*) FILTER (WHERE event = 'added_to_list') AS list_additions, SUM(minutes) FILTER (WHERE event = 'watched' AND minutes >= 1) AS minutes_watched
FROM app_events
WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND (event IN ('opened_app', 'searched', 'added_to_list') OR (event = 'watched' AND minutes >= 1))
GROUP BY 1 ORDER BY 1
