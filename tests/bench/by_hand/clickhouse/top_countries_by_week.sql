WITH top AS (
  SELECT country FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY country ORDER BY count() DESC, country LIMIT 3
)
SELECT toMonday(occurred_at, 'Europe/Berlin') AS period, if(country IN top, country, '(other)') AS label, toInt64(count()) AS total, toInt64(uniqExact(user_id)) AS users
FROM app_events
WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
GROUP BY period, label ORDER BY period, label
