SELECT toDate('2025-10-26') + t AS period, toInt64(count()) AS size
FROM (
  SELECT arrayJoin(arrayFilter(t -> arrayCount(d -> d >= t - 6 AND d <= t, days) >= 3, range(6, 36))) AS t
  FROM (
    SELECT groupArray(dateDiff('day', toDate('2025-10-26'), toDate(occurred_at, 'Europe/Berlin'))) AS days
    FROM app_events
    WHERE occurred_at >= TIMESTAMP '2025-10-25 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
    GROUP BY user_id
    HAVING length(days) >= 3
  )
)
GROUP BY t ORDER BY t
