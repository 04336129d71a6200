WITH people AS (
  SELECT user_id, groupBitOr(bitShiftLeft(1::UInt128, dateDiff('day', toDate('2025-08-11'), toDate(occurred_at, 'Europe/Berlin')))) AS days
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-10 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY user_id
), counted AS (
  SELECT t, bitCount(bitAnd(days, bitShiftLeft(bitShiftLeft(1::UInt128, 28) - 1, t - 27))) AS k, count() AS users
  FROM people ARRAY JOIN range(27, 118, 7) AS t
  GROUP BY t, k
)
SELECT toDate('2025-08-11') + t - 6 AS period, toInt64(k) AS active_days, toInt64(users) AS users
FROM (SELECT 27 + 7 * intDiv(number, 28) AS t, 1 + number % 28 AS k FROM numbers(13 * 28)) AS cells LEFT JOIN counted USING (t, k)
ORDER BY period, active_days SETTINGS join_use_nulls = 0
