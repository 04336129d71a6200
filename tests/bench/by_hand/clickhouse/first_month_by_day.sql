WITH started AS MATERIALIZED (
  SELECT user_id, min(occurred_at) AS t, dateDiff('day', toDate('2025-09-02'), toDate(min(occurred_at), 'Europe/Berlin')) AS c
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'sign_up'
  GROUP BY user_id
), people AS (
  SELECT c, groupBitOr(bitShiftLeft(1::UInt32, intDiv(dateDiff('microsecond', t, at), 86400000000))) AS days
  FROM (
    SELECT user_id, occurred_at AS at FROM app_events
    WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  ) AS e JOIN started USING (user_id)
  WHERE at > t AND at < t + INTERVAL 744 HOUR
  GROUP BY user_id, c
), cells AS (SELECT c, j, sum(n) AS users FROM (SELECT c, days, count() AS n FROM people GROUP BY c, days) ARRAY JOIN range(31) AS j WHERE bitTest(days, j) GROUP BY c, j)
SELECT toDate('2025-09-02') + c AS start, toInt64(j) AS period_index, toInt64(size) AS size,
  if(toDateTime64(toString(start + 1), 6, 'Europe/Berlin') + toIntervalHour(24 * (j + 1)) <= toDateTime64('$data_through', 6, 'UTC'), toInt64(users), NULL) AS users
FROM (SELECT toInt64(intDiv(number, 31)) AS c, number % 31 AS j FROM numbers(90 * 31)) AS grid LEFT JOIN (SELECT c, count() AS size FROM started GROUP BY c) AS sizes USING (c) LEFT JOIN cells USING (c, j)
ORDER BY start, period_index SETTINGS enable_materialized_cte = 1, join_use_nulls = 0
