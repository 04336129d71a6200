SELECT period, coalesce(plan, '(none)') AS user_plan, toInt64(sum(n)) AS total, toInt64(count()) AS users
FROM (
  SELECT toMonday(occurred_at, 'Europe/Berlin') AS period, user_id, count() AS n
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY period, user_id
) AS people LEFT ANY JOIN (SELECT id, plan FROM users) AS known ON known.id = people.user_id
GROUP BY period, user_plan ORDER BY period, user_plan SETTINGS join_use_nulls = 1
