-- Sign-ups once a person; returns find theirs by a hash join, and are a bit for each week since.
WITH started AS MATERIALIZED (
  SELECT user_id, min(occurred_at) AS t, intDiv(dateDiff('day', toDate('2025-09-01'), toDate(min(occurred_at), 'Europe/Berlin')), 7) AS c
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'sign_up'
  GROUP BY user_id
), people AS (
  SELECT c, groupBitOr(bitShiftLeft(1::UInt16, intDiv(dateDiff('day', toDate('2025-09-01'), toDate(at, 'Europe/Berlin')), 7) - c)) AS weeks
  FROM (
    SELECT user_id, occurred_at AS at FROM app_events
    WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  ) AS e JOIN started USING (user_id)
  WHERE at > t
  GROUP BY user_id, c
), cells AS (SELECT c, j, sum(n) AS users FROM (SELECT c, weeks, count() AS n FROM people GROUP BY c, weeks) ARRAY JOIN range(13) AS j WHERE bitTest(weeks, j) GROUP BY c, j)
SELECT toDate('2025-09-01') + 7 * c AS start, toInt64(j) AS period_index, toInt64(size) AS size,
  if(dateDiff('day', toDate('2025-09-01'), toDate(toDateTime64('$data_through', 6, 'UTC'), 'Europe/Berlin')) >= 7 * (c + j + 1), toInt64(users), NULL) AS users
FROM (SELECT toInt64(intDiv(number, 13)) AS c, number % 13 AS j FROM numbers(13 * 13)) AS grid LEFT JOIN (SELECT c, count() AS size FROM started GROUP BY c) AS sizes USING (c) LEFT JOIN cells USING (c, j)
ORDER BY start, period_index SETTINGS enable_materialized_cte = 1, join_use_nulls = 0
