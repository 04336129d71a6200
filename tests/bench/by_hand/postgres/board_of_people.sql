-- Two levels: one row for each day and person with what they did, then count rows.
SELECT period, COUNT(*) FILTER (WHERE opened), COUNT(*) FILTER (WHERE searched), COUNT(*) FILTER (WHERE added), COUNT(*) FILTER (WHERE watched)
FROM (
  SELECT CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) AS period, user_id, BOOL_OR(event = 'opened_app') AS opened, BOOL_OR(event = 'searched') AS searched, BOOL_OR(event = 'added_to_list') AS added, BOOL_OR(((event = 'watched' AND minutes >= 3) OR event = 'shared')) AS watched
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND (event IN ('opened_app', 'searched', 'added_to_list') OR ((event = 'watched' AND minutes >= 3) OR event = 'shared'))
  GROUP BY 1, 2
) AS people GROUP BY 1 ORDER BY 1
