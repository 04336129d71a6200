-- One pass: the people of the shorter breakdowns are those of the longer ones put together.
SELECT period, if(grouping(c) = 1, '(all)', c) AS country, if(grouping(p) = 1, '(all)', p) AS platform, toInt64(count()) AS total, toInt64(uniqExact(user_id)) AS users
FROM (
  SELECT toStartOfMonth(occurred_at, 'Europe/Berlin') AS period, coalesce(country, '(none)') AS c, coalesce(platform, '(none)') AS p, user_id
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
)
GROUP BY GROUPING SETS ((period, c, p), (period, c), (period))
ORDER BY period, country, platform SETTINGS group_by_use_nulls = 0
