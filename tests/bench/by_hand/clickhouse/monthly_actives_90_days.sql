WITH people AS (
  SELECT user_id, groupBitOr(bitShiftLeft(1::UInt128, dateDiff('day', toDate('2025-08-06'), toDate(occurred_at, 'Europe/Berlin')))) AS days
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-05 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY user_id
), windows AS (SELECT 27 + number AS t, bitShiftLeft(bitShiftLeft(1::UInt128, 28) - 1, number) AS mask FROM numbers(90))
SELECT toDate('2025-08-06') + t AS period, toInt64(count()) AS value
FROM people CROSS JOIN windows WHERE bitAnd(days, mask) != 0
GROUP BY period ORDER BY period
