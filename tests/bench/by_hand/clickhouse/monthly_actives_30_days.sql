-- One bit for each day of a person, one mask for each window.
WITH people AS (
  SELECT user_id, groupBitOr(bitShiftLeft(1::UInt64, dateDiff('day', toDate('2025-10-05'), toDate(occurred_at, 'Europe/Berlin')))) AS days
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-10-04 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY user_id
), windows AS (SELECT 27 + number AS t, bitShiftLeft(bitShiftLeft(1::UInt64, 28) - 1, number) AS mask FROM numbers(30))
SELECT toDate('2025-10-05') + t AS period, toInt64(count()) AS value
FROM people CROSS JOIN windows WHERE bitAnd(days, mask) != 0
GROUP BY period ORDER BY period
